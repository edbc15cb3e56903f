/* What a CreateSnapshot may ask for, and which volumes it means. */
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/lease_term.h"
#include "service/broker/message.h"
#include "service/broker/rights.h"
#include "service/broker/selection.h"
#include "service/broker/set.h"
#include "service/broker/set_volumes.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    PROVIDERS_MAX = 16,
    UNCOVERED_MAX = 256,
    DRIVE_REMOTE = 4
};

static const uint64_t keep_max_ms = 1000ull * 365 * 24 * 3600 * 1000; /* far from what int64 holds */
static const uint32_t volume_not_supported = 0x8004230Cu;             /* VSS_E_VOLUME_NOT_SUPPORTED */

/* What contexts are made of: PERSISTENT, CLIENT_ACCESSIBLE, NO_AUTO_RELEASE, NO_WRITERS. */
static const uint32_t context_bits = 0x1 | 0x4 | 0x8 | 0x10;
/* What SetContext takes besides: NO_AUTORECOVERY, TRANSPORTABLE, NOT_SURFACED, NOT_TRANSACTED, DIFFERENTIAL,
 * PLEX, ROLLBACK_RECOVERY, DELAYED_POSTSNAPSHOT, TXF_RECOVERY. Which of them go together VSS knows best. */
static const uint32_t passed_attributes =
    0x2 | 0x20 | 0x40 | 0x80 | 0x20000 | 0x40000 | 0x800000 | 0x1000000 | 0x2000000;

static PB(Status) * invalid(struct broker *broker, const char *reason, const char *field, const char *message,
                            const char *advice)
{
    PB(Status) *status = status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), reason, "%s", message);
    if (status == NULL)
        return error_no_memory();
    return error_field(error_advise(status, advice), field);
}

static PB(Status) * too_many(struct broker *broker, const char *reason, const char *field,
                             const char *limit_name, const char *message)
{
    PB(Status) *status = invalid(broker, reason, field, message, "Split the request.");
    status->code = PB_CODE(RESOURCE_EXHAUSTED);
    status->limit_name = text_constant(limit_name);
    return status;
}

/* ---- what the wish says ---- */

/* By enum Context. */
static const uint32_t contexts[] = {0, 0, 0x10, 0x19, 0x09, 0x1D, 0x0D};

uint32_t job_context(const PB(CreateSnapshot) * wish)
{
    return contexts[wish->context] | wish->attributes;
}

PB(Context) job_context_kind(const PB(CreateSnapshot) * wish)
{
    for (size_t i = 1; i < sizeof contexts / sizeof contexts[0]; i++) {
        if (contexts[i] == (job_context(wish) & context_bits))
            return (PB(Context))i;
    }
    return PB_VALUE(CONTEXT, CONTEXT_UNSPECIFIED);
}

bool job_is_copy(const PB(CreateSnapshot) * wish)
{
    return wish->backup_type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_UNSPECIFIED) ||
           wish->backup_type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY);
}

bool job_has_writers(const PB(CreateSnapshot) * wish)
{
    return (job_context(wish) & ATTRIBUTE_NO_WRITERS) == 0;
}

bool job_is_persistent(const PB(CreateSnapshot) * wish)
{
    return (job_context(wish) & ATTRIBUTE_NO_AUTO_RELEASE) != 0;
}

static PB(Status) * check_context(struct broker *broker, const PB(CreateSnapshot) * wish)
{
    if ((wish->attributes & ~(context_bits | passed_attributes)) != 0)
        return invalid(broker, "BAD_CONTEXT", "create_snapshot.attributes",
                       "there are bits among the attributes that no context can have",
                       "Leave out what VSS alone sets, such as IMPORTED or HARDWARE_ASSISTED.");
    if (job_context_kind(wish) == PB_VALUE(CONTEXT, CONTEXT_UNSPECIFIED))
        return invalid(broker, "BAD_CONTEXT", "create_snapshot.attributes",
                       "context and attributes together are none of VSS's contexts",
                       "Choose the context by its name, and leave its own bits out of the attributes.");
    if (wish->keep_ms != 0 && !job_is_persistent(wish))
        return invalid(broker, "NOT_PERSISTENT", "create_snapshot.keep_ms",
                       "the snapshots of this context end with their lease",
                       "Choose a persistent context such as APP_ROLLBACK, or leave keep_ms out.");
    if (wish->keep_ms > keep_max_ms)
        return invalid(broker, "OUT_OF_RANGE", "create_snapshot.keep_ms",
                       "no snapshot is kept for 1000 years", "Leave keep_ms out to keep it for ever.");
    return NULL;
}

static bool phase_has_limit(PB(Phase) phase)
{
    return phase == PB_PHASE(GATHERING) || phase == PB_PHASE(ADDING_VOLUMES) ||
           phase == PB_PHASE(PREPARING) || phase == PB_PHASE(CREATING) || phase == PB_PHASE(COMPLETING);
}

static PB(Status) * check_writers(struct broker *broker, const PB(CreateSnapshot) * wish)
{
    const struct {
        const char *field;
        char **names;
        size_t count;
    } lists[] = {
        {"create_snapshot.writers_required", wish->writers_required, wish->n_writers_required},
        {"create_snapshot.writers_excluded", wish->writers_excluded, wish->n_writers_excluded},
        {"create_snapshot.writers_tolerated", wish->writers_tolerated, wish->n_writers_tolerated},
    };
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (lists[i].count > 0 && !job_has_writers(wish))
            return invalid(broker, "NO_WRITERS", lists[i].field, "the chosen context has no writers",
                           "Choose the context BACKUP, or name no writers.");
        for (size_t j = 0; j < lists[i].count; j++) {
            if (lists[i].names[j][0] == '\0')
                return invalid(broker, "EMPTY_NAME", lists[i].field, "a writer's name is empty",
                               "Name writers by name, class id or instance id.");
        }
    }
    for (size_t i = 0; i < wish->n_writers_required; i++) {
        for (size_t j = 0; j < wish->n_writers_excluded; j++) {
            if (text_equal(wish->writers_required[i], wish->writers_excluded[j]))
                return invalid(broker, "WRITER_CONTRADICTION", "create_snapshot.writers_excluded",
                               "a writer is both required and excluded", "Name it in one of the two lists.");
        }
    }
    return NULL;
}

static PB(Status) * check_options(struct broker *broker, const PB(CreateSnapshot) * wish)
{
    bool is_copy = job_is_copy(wish);
    if (!is_copy && wish->n_components == 0 && !wish->allow_types_without_components)
        return invalid(
            broker, "COMPONENTS_NEEDED", "create_snapshot.backup_type",
            "backup types other than COPY let writers truncate their logs, and no components are chosen",
            "Select components, use COPY, or set allow_types_without_components if you mean it.");
    if (wish->add_needed_volumes && wish->n_components == 0)
        return invalid(broker, "COMPONENTS_NEEDED", "create_snapshot.add_needed_volumes",
                       "no components are chosen that could need volumes",
                       "Select components, or leave it out.");
    if (wish->with_documents && !job_has_writers(wish))
        return invalid(broker, "NO_WRITERS", "create_snapshot.with_documents",
                       "the chosen context has no writers, and so no documents",
                       "Choose the context BACKUP, or leave it out.");
    if (wish->n_providers > PROVIDERS_MAX)
        return too_many(broker, "TOO_MANY", "create_snapshot.providers", "create_snapshot.providers",
                        "more than 16 providers are named");
    for (size_t i = 0; i < wish->n_providers; i++) {
        if (!text_is_guid(wish->providers[i]))
            return invalid(broker, "BAD_ID", "create_snapshot.providers", "a provider is named by its id",
                           "List the providers to see their ids.");
    }
    for (size_t i = 0; i < wish->n_phase_timeouts; i++) {
        if (!phase_has_limit(wish->phase_timeouts[i]->phase) || wish->phase_timeouts[i]->timeout_ms == 0)
            return invalid(
                broker, "BAD_PHASE", "create_snapshot.phase_timeouts",
                "limits are for GATHERING, ADDING_VOLUMES, PREPARING, CREATING and COMPLETING, above 0",
                "Leave the others out.");
    }
    return NULL;
}

PB(Status) * job_check(struct broker *broker, const PB(CreateSnapshot) * wish)
{
    if (wish->n_volumes == 0 && wish->n_paths == 0)
        return invalid(broker, "EMPTY_LIST", "create_snapshot.volumes", "no volume and no path is named",
                       "Name at least one.");
    if (wish->n_volumes > MAX_VOLUMES)
        return too_many(broker, "TOO_MANY_VOLUMES", "create_snapshot.volumes", "max_volumes",
                        "VSS takes at most 64 volumes in one snapshot set");
    PB(Status) *status = check_context(broker, wish);
    if (status == NULL)
        status = check_options(broker, wish);
    if (status == NULL)
        status = hold_points_check(broker, wish);
    if (status == NULL)
        status = lease_term_check(broker, wish->lease, "create_snapshot.lease.ttl_ms");
    if (status == NULL)
        status = selection_check(broker, wish);
    return status != NULL ? status : check_writers(broker, wish);
}

/* ---- volumes ---- */

/* Of each volume of the table, how much the wish means. */
enum scope {
    SCOPE_NONE,
    SCOPE_PATHS, /* what the named paths hold */
    SCOPE_WHOLE
};

static PB(Status) * name_failure(struct broker *broker, const char *name, const char *reason,
                                 const char *message, enum volume_name_kind kind)
{
    bool is_unknown = strcmp(reason, "UNKNOWN_VOLUME") == 0 || strcmp(reason, "NOT_LOCAL") == 0;
    PB(Status) *status =
        status_make(&broker->arena, is_unknown ? PB_CODE(NOT_FOUND) : PB_CODE(INVALID_ARGUMENT), reason,
                    "\"%.200s\" cannot be used: %s", name, message);
    if (status == NULL)
        return error_no_memory();
    status->volume = arena_strdup(&broker->arena, name);
    if (status->volume == NULL)
        status->volume = text_constant("");
    error_field(status, kind == NAME_OF_VOLUME ? "create_snapshot.volumes" : "create_snapshot.paths");
    return error_advise(status, kind == NAME_OF_VOLUME
                                    ? "List the volumes (shadowpipe volumes) and name one of them."
                                    : "Name a path on a local volume, beginning with its drive letter.");
}

static PB(Status) * resolve_names(struct job *job, enum scope *scopes)
{
    struct broker *broker = job->request.broker;
    const PB(CreateSnapshot) *wish = job->wish;
    for (size_t i = 0; i < wish->n_volumes + wish->n_paths; i++) {
        bool is_volume = i < wish->n_volumes;
        enum volume_name_kind kind = is_volume ? NAME_OF_VOLUME : NAME_OF_PATH;
        const char *name = is_volume ? wish->volumes[i] : wish->paths[i - wish->n_volumes];
        const char *reason, *message;
        const struct volume *volume = volumes_resolve(&broker->volumes, name, kind, &reason, &message);
        if (volume == NULL)
            return name_failure(broker, name, reason, message, kind);
        enum scope *scope = &scopes[volume - broker->volumes.volumes];
        if (is_volume && *scope == SCOPE_WHOLE)
            return name_failure(broker, name, "DUPLICATE_VOLUME",
                                "it is the same volume as one named before it", kind);
        if (is_volume)
            *scope = SCOPE_WHOLE;
        else if (*scope == SCOPE_NONE)
            *scope = SCOPE_PATHS;
    }
    return NULL;
}

/* The path names its volume by GUID; the mount point lies below one of that volume's names. */
static bool is_below_guid_path(const struct volume_table *table, const char *mount_point, const char *path)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct volume *volume = &table->volumes[i];
        const char *path_rest = path_behind(path, volume->guid_path);
        for (size_t j = 0; path_rest != NULL && j < volume->names_count; j++) {
            const char *mount_rest = path_behind(mount_point, volume->names[j]);
            if (mount_rest != NULL && (path_rest[0] == '\0' || path_is_below(mount_rest, path_rest)))
                return true;
        }
    }
    return false;
}

static bool is_in_scope(const struct job *job, const enum scope *scopes, const char *mount_point)
{
    const struct volume_table *table = &job->request.broker->volumes;
    for (size_t i = 0; i < job->wish->n_paths; i++) {
        const char *path = job->wish->paths[i];
        bool is_prefixed = strncmp(path, "\\\\?\\", 4) == 0 && path[4] != '\0' && path[5] == ':';
        if (path_is_below(mount_point, is_prefixed ? path + 4 : path))
            return true;
        if (is_below_guid_path(table, mount_point, path))
            return true;
    }
    for (size_t i = 0; i < table->count; i++) {
        for (size_t j = 0; scopes[i] == SCOPE_WHOLE && j < table->volumes[i].names_count; j++) {
            if (path_is_below(mount_point, table->volumes[i].names[j]))
                return true;
        }
    }
    return false;
}

bool job_adds_uncovered(struct job *job, const char *path, const char *reason)
{
    if (job->uncovered == NULL)
        job->uncovered = arena_alloc(&job->arena, UNCOVERED_MAX * sizeof(*job->uncovered));
    if (job->uncovered == NULL)
        return false;
    if (job->uncovered_count == UNCOVERED_MAX)
        return true;
    for (size_t i = 0; i < job->uncovered_count; i++) {
        if (text_equal(job->uncovered[i]->path, path))
            return true;
    }
    bool is_last = job->uncovered_count == UNCOVERED_MAX - 1;
    PB(Uncovered) *uncovered = MESSAGE_NEW(&job->arena, uncovered);
    if (uncovered == NULL)
        return false;
    uncovered->path = arena_strdup(&job->arena, is_last ? "" : path);
    uncovered->reason = arena_strdup(&job->arena, is_last ? "there are more of them" : reason);
    if (uncovered->path == NULL || uncovered->reason == NULL)
        return false;
    job->uncovered[job->uncovered_count++] = uncovered;
    return true;
}

/* Volumes mounted below what is named: they join, or the reply says that they are not covered. */
static bool look_below(struct job *job, enum scope *scopes)
{
    const struct volume_table *table = &job->request.broker->volumes;
    bool has_changed = true;
    while (has_changed) {
        has_changed = false;
        for (size_t i = 0; i < table->count; i++) {
            const struct volume *volume = &table->volumes[i];
            for (size_t j = 0; scopes[i] == SCOPE_NONE && j < volume->names_count; j++) {
                bool joins = job->wish->include_mounted && volume->drive_type != DRIVE_REMOTE;
                if (!is_in_scope(job, scopes, volume->names[j]))
                    continue;
                if (!joins && !job_adds_uncovered(job, volume->names[j], "another volume is mounted here"))
                    return false;
                if (joins)
                    scopes[i] = SCOPE_WHOLE;
                has_changed |= joins;
            }
        }
    }
    return true;
}

/* It is covered after all. */
static void forget_uncovered(struct job *job, const struct volume *volume)
{
    size_t kept = 0;
    for (size_t i = 0; i < job->uncovered_count; i++) {
        bool is_covered = false;
        for (size_t j = 0; j < volume->names_count; j++)
            is_covered |= text_equal(job->uncovered[i]->path, volume->names[j]);
        if (!is_covered)
            job->uncovered[kept++] = job->uncovered[i];
    }
    job->uncovered_count = kept;
}

bool job_adds_volume(struct job *job, const struct volume *from)
{
    if (job->volumes == NULL)
        job->volumes = arena_alloc(&job->arena, MAX_VOLUMES * sizeof *job->volumes);
    if (job->volumes == NULL)
        return false;
    struct job_volume *to = &job->volumes[job->volumes_count++];
    to->guid_path = arena_strdup(&job->arena, from->guid_path);
    to->names = arena_alloc(&job->arena, (from->names_count + 1) * sizeof *to->names);
    if (to->guid_path == NULL || to->names == NULL)
        return false;
    for (size_t i = 0; i < from->names_count; i++) {
        to->names[i] = arena_strdup(&job->arena, from->names[i]);
        if (to->names[i] == NULL)
            return false;
        to->names_count++;
    }
    forget_uncovered(job, from);
    return true;
}

static bool take_volumes(struct job *job, const enum scope *scopes)
{
    const struct volume_table *table = &job->request.broker->volumes;
    for (size_t i = 0; i < table->count; i++) {
        if (scopes[i] != SCOPE_NONE && !job_adds_volume(job, &table->volumes[i]))
            return false;
    }
    return true;
}

PB(Status) * job_resolve(struct job *job)
{
    struct broker *broker = job->request.broker;
    size_t table_count = broker->volumes.count;
    enum scope *scopes = arena_alloc(&broker->arena, (table_count + 1) * sizeof *scopes);
    if (scopes == NULL)
        return error_no_memory();
    PB(Status) *failure = resolve_names(job, scopes);
    if (failure != NULL)
        return failure;
    if (!look_below(job, scopes))
        return error_no_memory();
    size_t count = 0;
    for (size_t i = 0; i < table_count; i++)
        count += scopes[i] != SCOPE_NONE;
    if (count > MAX_VOLUMES)
        return too_many(broker, "TOO_MANY_VOLUMES", "create_snapshot.volumes", "max_volumes",
                        "VSS takes at most 64 volumes in one snapshot set");
    return take_volumes(job, scopes) ? NULL : error_no_memory();
}

/* ---- support ---- */

static PB(Status) * unsupported(struct job *job, const struct job_volume *volume, uint32_t hresult)
{
    struct broker *broker = job->request.broker;
    PB(Status) *status = status_from_hresult(&broker->arena, "IsVolumeSupported",
                                             hresult != 0 ? hresult : volume_not_supported);
    if (status == NULL)
        return error_no_memory();
    status->reason = text_constant("VOLUME_NOT_SUPPORTED");
    status->phase = job->set->phase;
    status->volume = text_constant(TITLE_OF(volume));
    char *message = text_format(&broker->arena, "no shadow copy can be made of %s: %s", TITLE_OF(volume),
                                status->message);
    if (message != NULL)
        status->message = message;
    return status;
}

PB(Status) * job_check_support(struct job *job)
{
    size_t kept = 0;
    PB(Status) *failure = NULL;
    bool skips = job->wish->on_unsupported == PB_VALUE(ON_UNSUPPORTED, ON_UNSUPPORTED_SKIP);
    for (size_t i = 0; i < job->volumes_count; i++) {
        const struct job_volume volume = job->volumes[i];
        const struct set_volume *in_set = set_find_volume(job->set, volume.guid_path);
        if (in_set != NULL && in_set->supported) {
            job->volumes[kept++] = volume;
            continue;
        }
        failure = unsupported(job, &volume, in_set != NULL ? in_set->hresult : 0);
        if (!skips)
            return failure;
        if (!job_adds_uncovered(job, TITLE_OF(&volume), failure->message))
            return error_no_memory();
    }
    job->volumes_count = kept;
    return kept > 0 ? NULL : failure;
}
