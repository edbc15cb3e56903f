#include "service/broker/rights.h"

#include <stddef.h>

#include "service/broker/broker.h"
#include "service/broker/job.h"

typedef uint32_t rule(const PB(Envelope) * envelope);

static bool is_persistent(PB(Context) context)
{
    switch (context) {
    case PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK):
    case PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK):
    case PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE):
    case PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE_WRITERS):
        return true;
    default:
        return false;
    }
}

static uint32_t for_create_snapshot(const PB(Envelope) * envelope)
{
    const PB(CreateSnapshot) *wish = envelope->create_snapshot;
    uint32_t rights = RIGHT_BIT_SNAPSHOT;
    if (!job_is_copy(wish))
        rights |= RIGHT_BIT_TRUNCATE;
    if (is_persistent(wish->context) || (wish->attributes & ATTRIBUTES_PERSISTENT) != 0 || wish->keep_ms != 0)
        rights |= RIGHT_BIT_PERSIST;
    return rights;
}

static uint32_t for_list_leases(const PB(Envelope) * envelope)
{
    return envelope->list_leases->all_owners ? RIGHT_BIT_READ | RIGHT_BIT_MANAGE : RIGHT_BIT_READ;
}

static uint32_t for_open_session(const PB(Envelope) * envelope)
{
    switch (envelope->open_session->mode) {
    case PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP):
        return RIGHT_BIT_SNAPSHOT;
    case PB_VALUE(SESSION_MODE, SESSION_MODE_RESTORE):
        return RIGHT_BIT_RESTORE;
    default:
        return RIGHT_BIT_READ;
    }
}

static const struct row {
    PB(Envelope__BodyCase) request;
    uint32_t rights; /* where the parameters do not matter */
    rule *rule;
} rows[] = {
    {PB_BODY(PING), 0, NULL},
    {PB_BODY(HELLO), 0, NULL},
    {PB_BODY(CANCEL), 0, NULL}, /* only of the same owner; see dispatch.c */
    {PB_BODY(GET_SERVICE_STATUS), RIGHT_BIT_READ, NULL},
    {PB_BODY(LIST_WRITERS), RIGHT_BIT_READ, NULL},
    {PB_BODY(LIST_VOLUMES), RIGHT_BIT_READ, NULL},
    {PB_BODY(LIST_PROVIDERS), RIGHT_BIT_READ, NULL},
    {PB_BODY(CREATE_SNAPSHOT), 0, for_create_snapshot},
    {PB_BODY(PROCEED), RIGHT_BIT_SNAPSHOT, NULL},
    {PB_BODY(FINISH_BACKUP), 0, NULL},   /* the lease's token, or its connection */
    {PB_BODY(LIST_COMPONENTS), 0, NULL}, /* the same */
    {PB_BODY(ATTACH_LEASE), 0, NULL},
    {PB_BODY(RENEW_LEASE), 0, NULL},
    {PB_BODY(WATCH_LEASE), 0, NULL},
    {PB_BODY(LIST_LEASES), 0, for_list_leases},
    {PB_BODY(ATTACH_SNAPSHOT), RIGHT_BIT_SNAPSHOT,
     NULL}, /* of others: MANAGE, when it is known whose it is */
    {PB_BODY(LIST_SNAPSHOTS), RIGHT_BIT_READ, NULL},
    {PB_BODY(DELETE_SNAPSHOTS), RIGHT_BIT_PERSIST, NULL},
    {PB_BODY(EXPOSE), RIGHT_BIT_MANAGE, NULL},
    {PB_BODY(UNEXPOSE), RIGHT_BIT_MANAGE, NULL},
    {PB_BODY(BREAK_SET), RIGHT_BIT_MANAGE, NULL},
    {PB_BODY(IMPORT_SET), RIGHT_BIT_MANAGE, NULL},
    {PB_BODY(REVERT_VOLUME), RIGHT_BIT_MANAGE, NULL},
    {PB_BODY(READ_DOCUMENT), 0, NULL},
    {PB_BODY(PUT_DOCUMENT), RIGHT_BIT_RESTORE, NULL},
    {PB_BODY(WATCH), RIGHT_BIT_READ, NULL},
    {PB_BODY(HISTORY), RIGHT_BIT_READ, NULL},
    {PB_BODY(OPEN_SESSION), 0, for_open_session},
    {PB_BODY(CALL), 0, NULL}, /* its method decides; see rights_steps.h */
    {PB_BODY(CLOSE_SESSION), 0, NULL},
};

bool rights_needed(const PB(Envelope) * envelope, uint32_t *rights)
{
    *rights = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].request == envelope->body_case) {
            *rights = rows[i].rule != NULL ? rows[i].rule(envelope) : rows[i].rights;
            return true;
        }
    }
    return false;
}

const char *right_name(uint32_t rights)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {RIGHT_BIT_READ, "READ"},       {RIGHT_BIT_SNAPSHOT, "SNAPSHOT"}, {RIGHT_BIT_TRUNCATE, "TRUNCATE"},
        {RIGHT_BIT_PERSIST, "PERSIST"}, {RIGHT_BIT_RESTORE, "RESTORE"},   {RIGHT_BIT_MANAGE, "MANAGE"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((rights & names[i].bit) != 0)
            return names[i].name;
    }
    return "none";
}
