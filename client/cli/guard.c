#include "client/cli/guard.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/drive_letter.h"
#include "client/cli/link.h"
#include "client/cli/places.h"
#include "client/cli/record.h"
#include "client/cli/text.h"
#include "client/lib/error.h"
#include "client/lib/wide.h"

enum {
    TRIES = 20,
    TRY_PAUSE_MS = 250
};

enum removal guard_remove_place(const char *name, const char *target)
{
    bool is_letter = name[0] && name[1] == ':' && !name[2];
    return is_letter ? drive_letter_unmap(name[0], target, NULL) : link_remove(name, target, NULL);
}

/* ---- the side that is guarded ---- */

bool guard_start(struct guard *guard, struct sp_error **error)
{
    if (companion_start(&guard->companion, L"--guard", false))
        return true;
    error_give(error, error_from_win32(GetLastError(), "CreateProcessW",
                                       "start the process that guards drive letters"));
    return false;
}

static bool tell(struct guard *guard, const struct text *line)
{
    DWORD written = 0;
    return guard->companion.input && !line->failed &&
           WriteFile(guard->companion.input, line->data, (DWORD)line->size, &written, NULL) &&
           written == line->size;
}

bool guard_add(struct guard *guard, const char *name, const char *target)
{
    struct text line = {0};
    text_format(&line, "+%s\t%s\n", name, target);
    bool ok = tell(guard, &line);
    text_free(&line);
    return ok;
}

void guard_forget(struct guard *guard, const char *name)
{
    struct text line = {0};
    text_format(&line, "-%s\n", name);
    (void)tell(guard, &line); /* if it does not hear of it, it finds nothing to remove */
    text_free(&line);
}

void guard_stop(struct guard *guard)
{
    companion_free(&guard->companion);
}

/* ---- the guard itself ---- */

struct guarded {
    char *name; /* NULL: forgotten */
    char *target;
};

struct watch {
    struct guarded items[PLACES_MAX];
    size_t count;
};

static char *copy(const char *string)
{
    size_t size = strlen(string) + 1;
    char *made = malloc(size);
    if (made)
        memcpy(made, string, size);
    return made;
}

static void forget(struct guarded *item)
{
    free(item->name);
    free(item->target);
    item->name = NULL;
    item->target = NULL;
}

static void obey(void *context, char *line)
{
    struct watch *watch = context;
    char *tab = strchr(line, '\t');
    if (line[0] == '+' && tab && watch->count < PLACES_MAX) {
        *tab = 0;
        struct guarded item = {copy(line + 1), copy(tab + 1)};
        if (item.name && item.target)
            watch->items[watch->count++] = item;
        else
            forget(&item);
    } else if (line[0] == '-') {
        for (size_t i = 0; i < watch->count; i++) {
            if (watch->items[i].name && strcmp(watch->items[i].name, line + 1) == 0)
                forget(&watch->items[i]);
        }
    }
}

static void remove_all(struct watch *watch)
{
    for (size_t i = 0; i < watch->count; i++) {
        struct guarded *item = &watch->items[i];
        bool gone = !item->name;
        /* A program that still has the letter open may need a moment to die. */
        for (int try = 0; !gone && try < TRIES; try++) {
            if (try > 0)
                Sleep(TRY_PAUSE_MS);
            gone = guard_remove_place(item->name, item->target) != REMOVAL_FAILED;
        }
        if (item->name && gone)
            record_erase(item->name);
        forget(item);
    }
}

int guard_main(void)
{
    struct watch watch = {.count = 0};
    companion_obey(obey, &watch);
    remove_all(&watch);
    return 0;
}
