#include "service/broker/rights_steps.h"

#include <stddef.h>

#include "service/broker/broker.h"
#include "service/broker/rights.h"

/* VSS's own numbers, which steps pass on raw. */
static const uint32_t CONTEXT_ALL = 0xFFFFFFFFu;
enum {
    TYPE_COPY = 5
};

typedef uint32_t rule(const PB(Call) * call, const struct rights_subject *subject);

static uint32_t for_backup_state(const PB(Call) * call, const struct rights_subject *subject)
{
    (void)subject;
    return call->set_backup_state->backup_type == TYPE_COPY ? RIGHT_BIT_SNAPSHOT
                                                            : RIGHT_BIT_SNAPSHOT | RIGHT_BIT_TRUNCATE;
}

/* A context alone makes no snapshot: that is StartSnapshotSet's row. */
static uint32_t for_context(const PB(Call) * call, const struct rights_subject *subject)
{
    (void)subject;
    uint32_t context = call->set_context->context;
    if (context == CONTEXT_ALL)
        return RIGHT_BIT_MANAGE;
    return (context & ATTRIBUTES_PERSISTENT) != 0 ? RIGHT_BIT_PERSIST : RIGHT_BIT_READ;
}

static uint32_t for_deletion(const PB(Call) * call, const struct rights_subject *subject)
{
    return subject->owns(subject->session, call->delete_snapshots->object_id) ? RIGHT_BIT_SNAPSHOT
                                                                              : RIGHT_BIT_MANAGE;
}

static uint32_t for_properties(const PB(Call) * call, const struct rights_subject *subject)
{
    return subject->owns(subject->session, call->get_snapshot_properties->snapshot_id) ? RIGHT_BIT_READ
                                                                                       : RIGHT_BIT_MANAGE;
}

static const struct row {
    PB(Call__MethodCase) method;
    uint32_t rights; /* where the parameters do not matter */
    rule *rule;
} rows[] = {
    {PB_METHOD(GET_WRITER_COMPONENTS_COUNT), RIGHT_BIT_READ, NULL},
    {PB_METHOD(GET_WRITER_COMPONENTS), RIGHT_BIT_READ, NULL},
    {PB_METHOD(INITIALIZE_FOR_BACKUP), RIGHT_BIT_READ, NULL}, /* questions need it, too */
    {PB_METHOD(SET_BACKUP_STATE), 0, for_backup_state},
    {PB_METHOD(INITIALIZE_FOR_RESTORE), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(SET_RESTORE_STATE), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(GATHER_WRITER_METADATA), RIGHT_BIT_READ, NULL},
    {PB_METHOD(GET_WRITER_METADATA_COUNT), RIGHT_BIT_READ, NULL},
    {PB_METHOD(GET_WRITER_METADATA), RIGHT_BIT_READ, NULL},
    {PB_METHOD(FREE_WRITER_METADATA), RIGHT_BIT_READ, NULL},
    {PB_METHOD(ADD_COMPONENT), RIGHT_BIT_SNAPSHOT, NULL},
    {PB_METHOD(PREPARE_FOR_BACKUP), RIGHT_BIT_SNAPSHOT, NULL},
    {PB_METHOD(ABORT_BACKUP), RIGHT_BIT_SNAPSHOT, NULL}, /* raises Abort in every writer of the machine */
    {PB_METHOD(GATHER_WRITER_STATUS), RIGHT_BIT_READ, NULL},
    {PB_METHOD(GET_WRITER_STATUS_COUNT), RIGHT_BIT_READ, NULL},
    {PB_METHOD(FREE_WRITER_STATUS), RIGHT_BIT_READ, NULL},
    {PB_METHOD(GET_WRITER_STATUS), RIGHT_BIT_READ, NULL},
    {PB_METHOD(SET_BACKUP_SUCCEEDED), RIGHT_BIT_SNAPSHOT, NULL},
    {PB_METHOD(SET_BACKUP_OPTIONS), RIGHT_BIT_SNAPSHOT, NULL},
    {PB_METHOD(SET_SELECTED_FOR_RESTORE), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(SET_RESTORE_OPTIONS), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(SET_ADDITIONAL_RESTORES), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(SET_PREVIOUS_BACKUP_STAMP), RIGHT_BIT_SNAPSHOT, NULL},
    {PB_METHOD(SAVE_AS_XML), RIGHT_BIT_READ, NULL},
    {PB_METHOD(BACKUP_COMPLETE), RIGHT_BIT_SNAPSHOT, NULL}, /* truncates only after SetBackupState's type */
    {PB_METHOD(ADD_ALTERNATIVE_LOCATION_MAPPING), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(ADD_RESTORE_SUBCOMPONENT), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(SET_FILE_RESTORE_STATUS), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(ADD_NEW_TARGET), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(SET_RANGES_FILE_PATH), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(PRE_RESTORE), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(POST_RESTORE), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(SET_CONTEXT), 0, for_context},
    {PB_METHOD(START_SNAPSHOT_SET), RIGHT_BIT_SNAPSHOT, NULL},
    {PB_METHOD(ADD_TO_SNAPSHOT_SET), RIGHT_BIT_SNAPSHOT, NULL},
    {PB_METHOD(DO_SNAPSHOT_SET), RIGHT_BIT_SNAPSHOT, NULL},
    {PB_METHOD(DELETE_SNAPSHOTS), 0, for_deletion},
    {PB_METHOD(IMPORT_SNAPSHOTS), RIGHT_BIT_MANAGE, NULL},
    {PB_METHOD(BREAK_SNAPSHOT_SET), RIGHT_BIT_MANAGE, NULL},
    {PB_METHOD(GET_SNAPSHOT_PROPERTIES), 0, for_properties},
    {PB_METHOD(QUERY), RIGHT_BIT_READ, NULL}, /* others' snapshots are left out without MANAGE; see step.c */
    {PB_METHOD(IS_VOLUME_SUPPORTED), RIGHT_BIT_READ, NULL},
    {PB_METHOD(DISABLE_WRITER_CLASSES), RIGHT_BIT_READ, NULL}, /* of this session's own gathering */
    {PB_METHOD(ENABLE_WRITER_CLASSES), RIGHT_BIT_READ, NULL},
    {PB_METHOD(DISABLE_WRITER_INSTANCES), RIGHT_BIT_READ, NULL},
    {PB_METHOD(EXPOSE_SNAPSHOT), RIGHT_BIT_MANAGE, NULL},
    {PB_METHOD(REVERT_TO_SNAPSHOT), RIGHT_BIT_MANAGE, NULL},
    {PB_METHOD(QUERY_REVERT_STATUS), RIGHT_BIT_READ, NULL},
    {PB_METHOD(GET_WRITER_METADATA_EX), RIGHT_BIT_READ, NULL},
    {PB_METHOD(SET_SELECTED_FOR_RESTORE_EX), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(UNEXPOSE_SNAPSHOT), RIGHT_BIT_MANAGE, NULL},
    {PB_METHOD(SET_AUTHORITATIVE_RESTORE), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(SET_ROLL_FORWARD), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(SET_RESTORE_NAME), RIGHT_BIT_RESTORE, NULL},
    {PB_METHOD(BREAK_SNAPSHOT_SET_EX), RIGHT_BIT_MANAGE, NULL},
    {PB_METHOD(PRE_FAST_RECOVERY), RIGHT_BIT_MANAGE, NULL},
    {PB_METHOD(FAST_RECOVERY), RIGHT_BIT_MANAGE, NULL},
    {PB_METHOD(GET_WRITER_STATUS_EX), RIGHT_BIT_READ, NULL},
    {PB_METHOD(ADD_SNAPSHOT_TO_RECOVERY_SET), RIGHT_BIT_MANAGE, NULL},
    {PB_METHOD(RECOVER_SET), RIGHT_BIT_MANAGE, NULL},
    {PB_METHOD(GET_SESSION_ID), RIGHT_BIT_READ, NULL},
    {PB_METHOD(GET_ROOT_AND_LOGICAL_PREFIX_PATHS), RIGHT_BIT_READ, NULL},
    {PB_METHOD(IS_VOLUME_SNAPSHOTTED), RIGHT_BIT_READ, NULL},
    {PB_METHOD(SHOULD_BLOCK_REVERT), RIGHT_BIT_READ, NULL},
    {PB_METHOD(QUERY_DIFF_AREAS), RIGHT_BIT_READ, NULL},
    {PB_METHOD(COUNT_SNAPSHOTS), RIGHT_BIT_READ, NULL},
    {PB_METHOD(EXAMINE_WRITER_METADATA), RIGHT_BIT_READ, NULL},
};

bool rights_for_step(const PB(Call) * call, const struct rights_subject *subject, uint32_t *rights)
{
    *rights = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].method == call->method_case) {
            *rights = rows[i].rule != NULL ? rows[i].rule(call, subject) : rows[i].rights;
            return true;
        }
    }
    return false;
}
