/* Volumes, and the copies of them, in a session. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/display.h"
#include "client/cli/json.h"
#include "client/cli/shell.h"
#include "client/lib/error.h"

/* ---- volumes ---- */

static bool read_volumes(struct shell *shell, struct sp_error **error)
{
    PB(ListVolumes) list = SHADOWPIPE__V1__LIST_VOLUMES__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (shell->volumes_reply)
        return true;
    request.body_case = PB_BODY(LIST_VOLUMES);
    request.list_volumes = &list;
    shell->volumes_reply = shell_request(shell, &request, PB_BODY(VOLUMES_REPLY), error);
    return shell->volumes_reply != NULL;
}

const PB(Volume) * shell_find_volume(struct shell *shell, const char *name, struct sp_error **error)
{
    if (!read_volumes(shell, error))
        return NULL;
    const PB(VolumesReply) *reply = shell->volumes_reply->envelope->volumes_reply;
    for (size_t i = 0; i < reply->n_volumes; i++) {
        const PB(Volume) *volume = reply->volumes[i];
        if (shell_same_path(name, volume->guid_path))
            return volume;
        for (size_t n = 0; n < volume->n_names; n++) {
            if (shell_same_path(name, volume->names[n]))
                return volume;
        }
    }
    return NULL;
}

const PB(Volume) * shell_volume_of_path(const struct shell *shell, const char *path)
{
    const PB(Volume) *best = NULL;
    size_t best_length = 0;
    struct text directory = {0};
    if (!shell->volumes_reply)
        return NULL;
    text_format(&directory, "%s\\", path);
    const PB(VolumesReply) *reply = shell->volumes_reply->envelope->volumes_reply;
    for (size_t i = 0; i < reply->n_volumes; i++) {
        for (size_t n = 0; n < reply->volumes[i]->n_names; n++) {
            const char *name = reply->volumes[i]->names[n];
            if (strlen(name) > best_length && starts_ignoring_case(text_string(&directory), name)) {
                best = reply->volumes[i];
                best_length = strlen(name);
            }
        }
    }
    text_free(&directory);
    return best;
}

static char *vss_path(const PB(Volume) * volume, const char *name)
{
    struct text path = {0};
    size_t length = strlen(name);
    text_add(&path, volume ? volume->guid_path : name);
    if (!volume && length > 0 && name[length - 1] != '\\')
        text_add(&path, "\\");
    return path.failed ? NULL : path.data;
}

/* add volume VOLUME [alias NAME] [provider ID] */
static bool parse_volume(struct shell_volume *volume, char **words, size_t count, struct sp_error **error)
{
    for (size_t i = 1; i < count; i += 2) {
        bool alias = equal_ignoring_case(words[i], "alias");
        if (i + 1 == count || (!alias && !equal_ignoring_case(words[i], "provider")))
            return shell_wrong(error, "add volume VOLUME [alias NAME] [provider ID]",
                               "\"%s\" is not understood.", words[i]);
        char **place = alias ? &volume->alias : &volume->provider;
        free(*place);
        *place = alias ? strdup(words[i + 1]) : spec_copy(words[i + 1]);
        if (!*place)
            return shell_no_memory(error);
        if (alias && !alias_is_name(words[i + 1]))
            return shell_wrong(error, "Use letters, digits, and the marks _ . -",
                               "\"%s\" cannot be the name of an alias.", words[i + 1]);
    }
    return true;
}

static bool is_in_set(const struct shell *shell, const char *path)
{
    for (size_t i = 0; i < shell->volumes_count; i++) {
        if (equal_ignoring_case(shell->volumes[i].path, path))
            return true;
    }
    return false;
}

static bool check_volume(struct shell *shell, const struct shell_volume *volume, const PB(Volume) * known,
                         struct sp_error **error)
{
    if (is_in_set(shell, volume->path))
        return shell_wrong(error, "", "The volume %s is in the set already.", volume->name);
    if (known && !known->supported) {
        error_give(error, error_create(SP_FAILED_PRECONDITION, "VOLUME_NOT_SUPPORTED",
                                       "\"list volumes\" shows which can be copied.",
                                       "The volume %s cannot be copied%s%s.", volume->name,
                                       *known->reason ? ": " : "", known->reason));
        return false;
    }
    return true;
}

bool shell_add_volume(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    struct shell_volume volume = {.snapshot_id = ""};
    struct sp_error *failure = NULL;
    if (shell->stage >= STAGE_CREATED)
        return shell_wrong(error, "\"reset\" first.", "A set was created already.");
    if (shell->volumes_count == VOLUMES_MAX)
        return shell_wrong(error, "", "A set has at most %d volumes.", VOLUMES_MAX);
    const PB(Volume) *known = shell_find_volume(shell, words[0], &failure);
    if (failure) {
        error_give(error, failure);
        return false;
    }
    /* A share of a file server is not listed: VSS decides about it. */
    bool is_share = strncmp(words[0], "\\\\", 2) == 0 && words[0][2] != '?';
    if (!known && !is_share)
        return shell_wrong(error, "\"list volumes\" shows them.", "There is no volume %s.", words[0]);
    volume.path = vss_path(known, words[0]);
    volume.name = strdup(words[0]);
    volume.provider = strdup("");
    bool ok = volume.path && volume.name && volume.provider;
    ok = ok ? parse_volume(&volume, words, count, error) : shell_no_memory(error);
    if (ok && check_volume(shell, &volume, known, error)) {
        shell->volumes[shell->volumes_count++] = volume;
        return true;
    }
    free(volume.path);
    free(volume.name);
    free(volume.alias);
    free(volume.provider);
    return false;
}

bool shell_list_volumes(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    PB(ListVolumes) list = SHADOWPIPE__V1__LIST_VOLUMES__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    (void)words;
    (void)count;
    request.body_case = PB_BODY(LIST_VOLUMES);
    request.list_volumes = &list;
    struct message *reply = shell_request(shell, &request, PB_BODY(VOLUMES_REPLY), error);
    if (!reply)
        return false;
    display_volumes(&shell->text, reply->envelope->volumes_reply);
    shell_json_message(shell, "reply", &reply->envelope->volumes_reply->base);
    message_free(reply);
    return true;
}

/* ---- copies ---- */

struct message *shell_query(struct shell *shell, const struct object *object, uint32_t type,
                            struct sp_error **error)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(Query) query = SHADOWPIPE__V1__QUERY__INIT;
    query.object_type = type;
    call.method_case = PB_METHOD(QUERY);
    call.query = &query;
    struct message *reply = object_call(shell, object, &call, error);
    if (reply && reply->envelope->call_reply->out_case != PB_OUT(QUERY)) {
        message_free(reply);
        reply = NULL;
        error_give(error,
                   error_create(SP_DATA_LOSS, "MALFORMED_REPLY", "", "Query was answered with nothing."));
    }
    return reply;
}

static void add_names(const struct shell *shell, const PB(Snapshot) * snapshot, struct text *text)
{
    const PB(VolumesReply) *reply =
        shell->volumes_reply ? shell->volumes_reply->envelope->volumes_reply : NULL;
    for (size_t i = 0; reply && i < reply->n_volumes; i++) {
        if (equal_ignoring_case(reply->volumes[i]->guid_path, snapshot->volume_guid_path) &&
            reply->volumes[i]->n_names > 0) {
            text_add(text, reply->volumes[i]->names[0]);
            return;
        }
    }
    text_add(text, snapshot->volume_guid_path);
}

void shell_add_snapshot_text(struct shell *shell, const PB(Snapshot) * snapshot)
{
    struct text *text = &shell->text;
    text_format(text, "%s", snapshot->snapshot_id);
    shell_add_alias_of(shell, snapshot->snapshot_id, text);
    text_add(text, "\n  volume   ");
    add_names(shell, snapshot, text);
    text_format(text, "\n  set      %s", snapshot->set_id);
    shell_add_alias_of(shell, snapshot->set_id, text);
    text_format(text, ", %lu in it\n  created  ", (unsigned long)snapshot->snapshots_count);
    display_time(text, snapshot->created_ms);
    text_format(text, "\n  device   %s\n  provider %s\n  attributes 0x%08lx\n", snapshot->device,
                snapshot->provider_id, (unsigned long)snapshot->attributes);
    if (*snapshot->exposed_name)
        text_format(text, "  exposed  %s%s%s\n", snapshot->exposed_name, *snapshot->exposed_path ? ", " : "",
                    snapshot->exposed_path);
}

/* The names that the volume has, which VSS does not tell. */
static void name_volume(struct shell *shell, PB(Snapshot) * snapshot)
{
    const PB(Volume) *volume = shell_find_volume(shell, snapshot->volume_guid_path, NULL);
    if (volume && snapshot->n_volume_names == 0) {
        snapshot->volume_names = volume->names;
        snapshot->n_volume_names = volume->n_names;
    }
}

bool shell_read_properties(struct shell *shell, struct sp_error **error)
{
    for (size_t i = 0; i < shell->volumes_count; i++) {
        struct shell_volume *volume = &shell->volumes[i];
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        PB(GetSnapshotProperties) get = SHADOWPIPE__V1__GET_SNAPSHOT_PROPERTIES__INIT;
        get.snapshot_id = volume->snapshot_id;
        call.method_case = PB_METHOD(GET_SNAPSHOT_PROPERTIES);
        call.get_snapshot_properties = &get;
        message_free(volume->properties);
        volume->properties = object_call(shell, &shell->object, &call, error);
        if (!volume->properties)
            return false;
        const PB(CallReply) *answer = volume->properties->envelope->call_reply;
        if (answer->out_case == PB_OUT(GET_SNAPSHOT_PROPERTIES) &&
            answer->get_snapshot_properties->snapshot) {
            name_volume(shell, answer->get_snapshot_properties->snapshot);
        } else {
            message_free(volume->properties);
            volume->properties = NULL;
        }
    }
    return true;
}

/* list shadows [all | set ID | id ID] */
bool shell_list_shadows(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    bool by_set = count == 2 && equal_ignoring_case(words[0], "set");
    bool by_id = count == 2 && equal_ignoring_case(words[0], "id");
    if (!(count == 0 || by_set || by_id || (count == 1 && equal_ignoring_case(words[0], "all"))))
        return shell_wrong(error, "list shadows [all | set ID | id ID]", "\"%s\" is not understood.",
                           words[0]);
    char *id = spec_copy(count == 2 ? words[1] : "");
    struct object object = {.id = ""};
    if (!id)
        return shell_no_memory(error);
    bool ok = read_volumes(shell, error) && object_open_all(shell, &object, error);
    struct message *reply = ok ? shell_query(shell, &object, VSS_OBJECT_SNAPSHOT, error) : NULL;
    size_t shown = 0;
    shell_json_name(shell, "snapshots");
    text_add(&shell->json, "[");
    for (size_t i = 0; reply && i < reply->envelope->call_reply->query->n_snapshots; i++) {
        const PB(Snapshot) *snapshot = reply->envelope->call_reply->query->snapshots[i];
        if (*id && !equal_ignoring_case(by_set ? snapshot->set_id : snapshot->snapshot_id, id))
            continue;
        shell_add_snapshot_text(shell, snapshot);
        text_add(&shell->json, shown++ ? "," : "");
        (void)json_add_message(&shell->json, &snapshot->base);
    }
    text_add(&shell->json, "]");
    text_format(&shell->text, "%lu shadow cop%s.\n", (unsigned long)shown, shown == 1 ? "y" : "ies");
    free(id);
    ok = object_close(shell, &object, reply ? error : NULL) && reply;
    message_free(reply);
    return ok;
}

bool shell_list_providers(struct shell *shell, char **words, size_t count, struct sp_error **error)
{
    struct object object = {.id = ""};
    PB(ProvidersReply) providers = SHADOWPIPE__V1__PROVIDERS_REPLY__INIT;
    (void)words;
    (void)count;
    struct message *reply = object_open_all(shell, &object, error)
                                ? shell_query(shell, &object, VSS_OBJECT_PROVIDER, error)
                                : NULL;
    if (reply) {
        providers.n_providers = reply->envelope->call_reply->query->n_providers;
        providers.providers = reply->envelope->call_reply->query->providers;
        display_providers(&shell->text, &providers);
        shell_json_message(shell, "reply", &providers.base);
    }
    bool ok = object_close(shell, &object, reply ? error : NULL) && reply;
    message_free(reply);
    return ok;
}
