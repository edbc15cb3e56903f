/* What is done to copies that exist: delete, expose, break. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/shell.h"
#include "client/lib/error.h"

/* VSS_HARDWARE_OPTIONS */
static const struct word_value break_flags[] = {
    {"mask", 0x1}, {"writable", 0x2}, {"forcerevert", 0x4}, {"norevert", 0x8}};

enum {
    FLAG_MASK = 0x1,
    ATTRIBUTE_EXPOSED_LOCALLY = 0x100000,
    ATTRIBUTE_EXPOSED_REMOTELY = 0x200000
};

/* Is the copy, or the set, one of the object that is open? Then no other rights are needed than it has. */
static bool is_own(const struct shell *shell, const char *id)
{
    if (shell->stage != STAGE_CREATED && shell->stage != STAGE_COMPLETED)
        return false;
    bool own = equal_ignoring_case(shell->set_id, id);
    for (size_t i = 0; i < shell->volumes_count; i++)
        own = own || equal_ignoring_case(shell->volumes[i].snapshot_id, id);
    return own;
}

const struct object *object_for(struct shell *shell, const char *id, struct object *other,
                                struct sp_error **error)
{
    if (is_own(shell, id))
        return &shell->object;
    return object_open_all(shell, other, error) ? other : NULL;
}

/* Makes a call about the id. */
static bool call_about(struct shell *shell, const char *id, PB(Call) * call, struct sp_error **error)
{
    struct object other = {.id = ""};
    const struct object *object = object_for(shell, id, &other, error);
    bool ok = object && object_do(shell, object, call, error);
    return object_close(shell, &other, ok ? error : NULL) && ok;
}

/* ---- delete ---- */

static bool delete_one(struct shell *shell, const struct object *object, const char *id, uint32_t type,
                       int32_t *deleted, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(DeleteSnapshotsCall) delete_call = SHADOWPIPE__V1__DELETE_SNAPSHOTS_CALL__INIT;
    delete_call.object_id = (char *)id;
    delete_call.object_type = type;
    call.method_case = PB_METHOD(DELETE_SNAPSHOTS);
    call.delete_snapshots = &delete_call;
    struct message *reply = object_call(shell, object, &call, error);
    if (!reply)
        return false;
    if (reply->envelope->call_reply->out_case == PB_OUT(DELETE_SNAPSHOTS))
        *deleted += reply->envelope->call_reply->delete_snapshots->deleted;
    message_free(reply);
    return true;
}

struct wanted {
    enum {
        WANTED_ALL,
        WANTED_VOLUME,
        WANTED_OLDEST,
        WANTED_EXPOSED
    } kind;
    const char *place;
};

static bool is_wanted(const struct wanted *wanted, const PB(Snapshot) * snapshot)
{
    switch (wanted->kind) {
    case WANTED_EXPOSED:
        return shell_same_path(snapshot->exposed_name, wanted->place);
    case WANTED_VOLUME:
    case WANTED_OLDEST:
        return equal_ignoring_case(snapshot->volume_guid_path, wanted->place);
    case WANTED_ALL:
    default:
        return true;
    }
}

static bool delete_found(struct shell *shell, const struct object *object, const struct wanted *wanted,
                         int32_t *deleted, struct sp_error **error)
{
    struct message *reply = shell_query(shell, object, VSS_OBJECT_SNAPSHOT, error);
    if (!reply)
        return false;
    const PB(QueryResult) *result = reply->envelope->call_reply->query;
    const PB(Snapshot) *oldest = NULL;
    bool ok = true;
    for (size_t i = 0; ok && i < result->n_snapshots; i++) {
        const PB(Snapshot) *snapshot = result->snapshots[i];
        if (!is_wanted(wanted, snapshot))
            continue;
        if (wanted->kind == WANTED_OLDEST)
            oldest = oldest && oldest->created_ms <= snapshot->created_ms ? oldest : snapshot;
        else
            ok = delete_one(shell, object, snapshot->snapshot_id, VSS_OBJECT_SNAPSHOT, deleted, error);
    }
    if (ok && oldest)
        ok = delete_one(shell, object, oldest->snapshot_id, VSS_OBJECT_SNAPSHOT, deleted, error);
    message_free(reply);
    return ok;
}

static bool delete_by_place(struct shell *shell, const struct wanted *wanted, int32_t *deleted,
                            struct sp_error **error)
{
    struct object other = {.id = ""};
    bool ok = object_open_all(shell, &other, error) && delete_found(shell, &other, wanted, deleted, error);
    return object_close(shell, &other, ok ? error : NULL) && ok;
}

static bool delete_by_volume(struct shell *shell, struct wanted *wanted, int32_t *deleted,
                             struct sp_error **error)
{
    struct sp_error *failure = NULL;
    const PB(Volume) *volume = shell_find_volume(shell, wanted->place, &failure);
    if (failure) {
        error_give(error, failure);
        return false;
    }
    if (!volume)
        return shell_wrong(error, "\"list volumes\" shows them.", "There is no volume %s.", wanted->place);
    wanted->place = volume->guid_path;
    return delete_by_place(shell, wanted, deleted, error);
}

static bool delete_by_id(struct shell *shell, const char *typed, uint32_t type, int32_t *deleted,
                         struct sp_error **error)
{
    struct object other = {.id = ""};
    char *id = spec_copy(typed);
    const struct object *object = id ? object_for(shell, id, &other, error) : NULL;
    bool ok = object && delete_one(shell, object, id, type, deleted, error);
    if (!id)
        (void)shell_no_memory(error);
    free(id);
    return object_close(shell, &other, ok ? error : NULL) && ok;
}

bool shell_delete(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    const char *what = count > 0 ? words[0] : "";
    struct wanted wanted = {.kind = WANTED_ALL, .place = count == 2 ? words[1] : ""};
    int32_t deleted = 0;
    bool ok;
    if (count == 1 && equal_ignoring_case(what, "all")) {
        ok = delete_by_place(shell, &wanted, &deleted, error);
    } else if (count != 2) {
        return shell_wrong(error,
                           "delete shadows {all | volume V | oldest V | set ID | id ID | exposed PLACE}",
                           "It is not said which shadow copies are to be deleted.");
    } else if (equal_ignoring_case(what, "volume") || equal_ignoring_case(what, "oldest")) {
        wanted.kind = equal_ignoring_case(what, "volume") ? WANTED_VOLUME : WANTED_OLDEST;
        ok = delete_by_volume(shell, &wanted, &deleted, error);
    } else if (equal_ignoring_case(what, "exposed")) {
        wanted.kind = WANTED_EXPOSED;
        ok = delete_by_place(shell, &wanted, &deleted, error);
    } else if (equal_ignoring_case(what, "set") || equal_ignoring_case(what, "id")) {
        ok = delete_by_id(shell, words[1],
                          equal_ignoring_case(what, "set") ? VSS_OBJECT_SET : VSS_OBJECT_SNAPSHOT, &deleted,
                          error);
    } else {
        return shell_wrong(error,
                           "delete shadows {all | volume V | oldest V | set ID | id ID | exposed PLACE}",
                           "\"%s\" is not understood.", what);
    }
    text_format(&shell->text, "%ld deleted.\n", (long)deleted);
    shell_json_name(shell, "deleted");
    text_format(&shell->json, "%ld", (long)deleted);
    return ok;
}

/* ---- expose, unexpose ---- */

/* The path in the copy (of a share) and the name. A folder or drive has a ':'. */
bool shell_expose(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(ExposeSnapshot) expose = SHADOWPIPE__V1__EXPOSE_SNAPSHOT__INIT;
    struct object other = {.id = ""};
    bool local = strchr(words[1], ':') != NULL;
    if (count == 3 && local)
        return shell_wrong(error, "expose ID SHARE PATH", "Only a share can be of a folder in the copy.");
    char *id = spec_copy(words[0]);
    const char *name = words[1];
    if (!local && strncmp(name, "\\\\", 2) == 0 && strchr(name + 2, '\\'))
        name = strchr(name + 2, '\\') + 1; /* \\MACHINE\SHARE is that of this machine */
    if (!id)
        return shell_no_memory(error);
    expose.snapshot_id = id;
    expose.expose = (char *)name;
    expose.attributes = local ? ATTRIBUTE_EXPOSED_LOCALLY : ATTRIBUTE_EXPOSED_REMOTELY;
    if (count == 3)
        expose.path_from_root = words[2];
    call.method_case = PB_METHOD(EXPOSE_SNAPSHOT);
    call.expose_snapshot = &expose;
    const struct object *object = object_for(shell, id, &other, error);
    struct message *reply = object ? object_call(shell, object, &call, error) : NULL;
    if (reply && reply->envelope->call_reply->out_case == PB_OUT(EXPOSE_SNAPSHOT)) {
        const char *exposed = reply->envelope->call_reply->expose_snapshot->exposed;
        text_format(&shell->text, "%s is %s\n", id, exposed);
        shell_json(shell, "exposed", exposed);
    }
    bool ok = reply != NULL;
    message_free(reply);
    free(id);
    return object_close(shell, &other, ok ? error : NULL) && ok;
}

static bool unexpose(struct shell *shell, const char *id, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(UnexposeSnapshot) parameters = SHADOWPIPE__V1__UNEXPOSE_SNAPSHOT__INIT;
    parameters.snapshot_id = (char *)id;
    call.method_case = PB_METHOD(UNEXPOSE_SNAPSHOT);
    call.unexpose_snapshot = &parameters;
    return call_about(shell, id, &call, error);
}

/* The id of the copy that is exposed there, the caller's to free. */
static char *find_exposed(struct shell *shell, const char *place, struct sp_error **error)
{
    struct object other = {.id = ""};
    char *id = NULL;
    struct message *reply =
        object_open_all(shell, &other, error) ? shell_query(shell, &other, VSS_OBJECT_SNAPSHOT, error) : NULL;
    if (reply) {
        const PB(QueryResult) *result = reply->envelope->call_reply->query;
        for (size_t i = 0; i < result->n_snapshots && !id; i++) {
            if (shell_same_path(result->snapshots[i]->exposed_name, place))
                id = strdup(result->snapshots[i]->snapshot_id);
        }
        if (!id)
            (void)shell_wrong(error, "\"list shadows\" shows what is exposed.",
                              "No shadow copy is exposed as %s.", place);
    }
    message_free(reply);
    (void)object_close(shell, &other, NULL);
    return id;
}

static bool is_id(const char *text)
{
    return strspn(text, "0123456789abcdefABCDEF-") == 36 && strlen(text) == 36;
}

bool shell_unexpose(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)count;
    char *id = spec_copy(words[0]);
    if (id && !is_id(id)) {
        free(id);
        id = find_exposed(shell, words[0], error);
        if (!id)
            return false;
    }
    bool ok = id ? unexpose(shell, id, error) : shell_no_memory(error);
    free(id);
    return ok;
}

/* ---- break, mask ---- */

static bool break_set(struct shell *shell, const char *typed, uint32_t flags, struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(BreakSnapshotSet) plain = SHADOWPIPE__V1__BREAK_SNAPSHOT_SET__INIT;
    PB(BreakSnapshotSetEx) extended = SHADOWPIPE__V1__BREAK_SNAPSHOT_SET_EX__INIT;
    char *id = spec_copy(typed);
    if (!id)
        return shell_no_memory(error);
    plain.set_id = id;
    extended.set_id = id;
    extended.flags = flags;
    call.method_case = flags ? PB_METHOD(BREAK_SNAPSHOT_SET_EX) : PB_METHOD(BREAK_SNAPSHOT_SET);
    if (flags)
        call.break_snapshot_set_ex = &extended;
    else
        call.break_snapshot_set = &plain;
    bool ok = call_about(shell, id, &call, error);
    free(id);
    return ok;
}

bool shell_break(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    uint32_t flags = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        const struct word_value *flag = FIND_WORD(break_flags, words[i]);
        if (!flag)
            return shell_wrong(error, "break [writable] [mask] [forcerevert | norevert] SETID",
                               "\"%s\" is not understood.", words[i]);
        flags |= flag->value;
    }
    return break_set(shell, words[count - 1], flags, error);
}

bool shell_mask(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    (void)count;
    return break_set(shell, words[0], FLAG_MASK, error);
}
