#include "service/broker/owner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/broker/state.h"

enum {
    KEY_CHARS = 2 * CALLER_SID_CHARS + CALLER_NAME_CHARS + 32
};

/* LocalSystem, LocalService, NetworkService: many unrelated programs run as these. */
static bool is_shared_account(const char *sid)
{
    return strcmp(sid, "S-1-5-18") == 0 || strcmp(sid, "S-1-5-19") == 0 || strcmp(sid, "S-1-5-20") == 0;
}

bool caller_shares_account(const struct caller *caller)
{
    return caller->service_sid[0] == '\0' && is_shared_account(caller->sid);
}

static void make_key(char key[KEY_CHARS], const struct caller *caller)
{
    if (caller_shares_account(caller))
        (void)snprintf(key, KEY_CHARS, "%s/%" PRIu32 "/%s", caller->sid, caller->process_id,
                       caller->process_name);
    else
        (void)snprintf(key, KEY_CHARS, "%s/%s", caller->sid, caller->service_sid);
}

struct owner *owner_get(struct broker *broker, const struct caller *caller)
{
    char key[KEY_CHARS];
    make_key(key, caller);
    LIST_EACH(struct owner, owner, &broker->owners, link)
    {
        if (strcmp(owner->key, key) == 0)
            return owner_share(owner);
    }
    size_t size = strlen(key) + 1;
    struct owner *owner = calloc(1, sizeof *owner + size);
    if (owner == NULL)
        return NULL;
    memcpy(owner->key, key, size);
    owner->references = 1;
    /* Behind all who wait: a stream of short-lived newcomers must not keep going before those who stay. */
    owner->last_turn = broker->gate.turns;
    list_append(&broker->owners, &owner->link);
    return owner;
}

struct owner *owner_share(struct owner *owner)
{
    owner->references++;
    return owner;
}

void owner_release(struct owner *owner)
{
    if (owner == NULL || --owner->references > 0)
        return;
    list_remove(&owner->link);
    free(owner);
}
