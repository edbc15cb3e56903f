/* What clients want of a snapshot, and what the wish says about who may share it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/model.h"

struct wish_parts {
    PB(CreateSnapshot) wish;
    char *volumes[VOLUMES], *required[1], *excluded[1], *tolerated[1];
    PB(PhaseTimeout) phase;
    PB(PhaseTimeout) * phases[1];
    PB(ComponentSelection) component;
    PB(ComponentSelection) * components[1];
    PB(LeaseOptions) lease;
    PB(HoldPoint) holds[2];
    PB(HoldPoint) * hold_points[2];
    char key[16];
};

enum {
    KEYS = 3
};

static char *constant(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* ---- choosing ---- */

static void choose_volumes(struct model *model, struct wish_parts *parts)
{
    parts->wish.volumes = parts->volumes;
    for (unsigned i = 0; i < VOLUMES; i++) {
        if (model_chance(model, 40))
            parts->volumes[parts->wish.n_volumes++] = constant(volume_names[i]);
    }
    if (parts->wish.n_volumes == 0)
        parts->volumes[parts->wish.n_volumes++] = constant(volume_names[0]);
    if (model_chance(model, 40))
        parts->wish.on_unsupported = PB_VALUE(ON_UNSUPPORTED, ON_UNSUPPORTED_SKIP);
    if (model_chance(model, 3))
        parts->volumes[0] = constant("Q:");
}

static void choose_writers(struct model *model, struct wish_parts *parts)
{
    unsigned which = (unsigned)model_random(model, WRITERS);
    if (model_chance(model, 8)) {
        parts->required[0] = constant(model_chance(model, 80) ? writer_names[which] : "Nobody");
        parts->wish.writers_required = parts->required;
        parts->wish.n_writers_required = 1;
    } else if (model_chance(model, 8)) {
        parts->excluded[0] = constant(writer_names[which]);
        parts->wish.writers_excluded = parts->excluded;
        parts->wish.n_writers_excluded = 1;
    } else if (model_chance(model, 12)) {
        parts->tolerated[0] = constant(writer_names[which]);
        parts->wish.writers_tolerated = parts->tolerated;
        parts->wish.n_writers_tolerated = 1;
    }
}

static void choose_limits(struct model *model, const struct client *client, struct wish_parts *parts)
{
    static const PB(Phase) phases[] = {PB_PHASE(GATHERING), PB_PHASE(ADDING_VOLUMES), PB_PHASE(PREPARING),
                                       PB_PHASE(CREATING), PB_PHASE(COMPLETING)};
    if (model_chance(model, client->is_short ? 50 : 8))
        parts->wish.queue_timeout_ms = (uint32_t)model_between(model, 1, 20000);
    if (model_chance(model, model->sore_is_late ? 80 : model->shares_much ? 10 : 35))
        parts->wish.complete_within_ms =
            (uint32_t)model_between(model, 1, model_chance(model, 50) ? 1500 : 60000);
    if (!model_chance(model, 8))
        return;
    shadowpipe__v1__phase_timeout__init(&parts->phase);
    parts->phase.phase = phases[model_random(model, 5)];
    parts->phase.timeout_ms = (uint32_t)model_between(model, 1, 5000);
    parts->phases[0] = &parts->phase;
    parts->wish.phase_timeouts = parts->phases;
    parts->wish.n_phase_timeouts = 1;
}

static void choose_context(struct model *model, PB(CreateSnapshot) * wish)
{
    if (model_chance(model, 15)) {
        wish->context = PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP);
    } else if (model_chance(model, model->shares_much ? 8 : 18)) {
        wish->context = model_chance(model, 70) ? PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK)
                                                : PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK);
        wish->keep_ms = model_chance(model, 50) ? model_between(model, 1, 20000) : 0;
    }
}

static void choose_components(struct model *model, struct wish_parts *parts)
{
    bool has_writers = parts->wish.context != PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP) &&
                       parts->wish.context != PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK);
    if (!has_writers || !model_chance(model, 10))
        return;
    shadowpipe__v1__component_selection__init(&parts->component);
    parts->component.writer = constant(writer_names[COMPONENT_WRITER]);
    parts->component.name = constant(component_name);
    parts->components[0] = &parts->component;
    parts->wish.components = parts->components;
    parts->wish.n_components = 1;
    parts->wish.add_needed_volumes = model_chance(model, 80);
}

static void choose_lease_options(struct model *model, struct wish_parts *parts)
{
    if (!model_chance(model, 35))
        return;
    shadowpipe__v1__lease_options__init(&parts->lease);
    parts->lease.mode = PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED);
    parts->lease.ttl_ms = model_chance(model, 70) ? (uint32_t)model_between(model, 1, 150000) : 0;
    parts->wish.lease = &parts->lease;
}

static void choose_hold_points(struct model *model, struct wish_parts *parts)
{
    static const PB(HoldPointKind) kinds[] = {PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_GATE_GRANTED),
                                              PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_PREPARED)};
    bool has_some = model_chance(model, 12);
    for (size_t i = 0; i < 2 && has_some; i++) {
        if (model_chance(model, 40))
            continue;
        PB(HoldPoint) *point = &parts->holds[parts->wish.n_hold_points];
        shadowpipe__v1__hold_point__init(point);
        point->kind = kinds[i];
        point->timeout_ms = model_chance(model, 60) ? (uint32_t)model_between(model, 1, 20000) : 0;
        parts->hold_points[parts->wish.n_hold_points++] = point;
    }
    parts->wish.hold_points = parts->hold_points;
}

static void choose(struct model *model, const struct client *client, struct wish_parts *parts)
{
    PB(CreateSnapshot) *wish = &parts->wish;
    shadowpipe__v1__create_snapshot__init(wish);
    choose_volumes(model, parts);
    choose_writers(model, parts);
    choose_limits(model, client, parts);
    choose_context(model, wish);
    choose_components(model, parts);
    choose_lease_options(model, parts);
    choose_hold_points(model, parts);
    wish->purpose = constant("model");
    if (model_chance(model, model->shares_much ? 15 : 30)) {
        wish->backup_type = model_chance(model, 70) ? PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_FULL)
                                                    : PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_LOG);
        wish->allow_types_without_components = model_chance(model, 95);
    }
    if (model_chance(model, 25))
        wish->share = model_chance(model, 50) ? PB_VALUE(SHARE, SHARE_NEVER) : PB_VALUE(SHARE, SHARE_ALLOWED);
    if (model_chance(model, 25))
        wish->max_age_ms = (uint32_t)model_between(model, 1, model_chance(model, 50) ? 2000 : 30000);
}

/* One that comes back with the same key, nearly always for the same. */
static void choose_by_key(struct model *model, struct wish_parts *parts)
{
    static const struct client nobody = {0};
    unsigned number = (unsigned)model_random(model, KEYS);
    bool is_same = model_chance(model, 92);
    uint64_t random = model->random;
    model->random = model->seed * KEYS + number + (is_same ? 0 : KEYS);
    choose(model, &nobody, parts);
    model->random = random;
    parts->wish.n_hold_points = 0; /* who proceeds is the first of them */
    (void)snprintf(parts->key, sizeof parts->key, "nightly-%u", number);
    parts->wish.job_key = parts->key;
}

void wish_send(struct model *model, const struct client *client, struct link *link)
{
    struct wish_parts parts = {0};
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (model_chance(model, 20))
        choose_by_key(model, &parts);
    else
        choose(model, client, &parts);
    if (client->is_short || model_chance(model, 10))
        envelope.timeout_ms = (uint32_t)model_between(model, 1, 30000);
    envelope.body_case = PB_BODY(CREATE_SNAPSHOT);
    envelope.create_snapshot = &parts.wish;
    (void)client_send(model, link, &envelope);
}

/* ---- what it says ---- */

static unsigned named_writers(char *const *names, size_t count)
{
    unsigned bits = 0;
    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < WRITERS; j++)
            bits |= strcmp(names[i], writer_names[j]) == 0 ? 1u << j : 0;
    }
    return bits;
}

static uint64_t hash_bytes(const uint8_t *bytes, size_t size)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

static uint64_t hash_of(const PB(CreateSnapshot) * wish)
{
    size_t size = shadowpipe__v1__create_snapshot__get_packed_size(wish);
    uint8_t *bytes = malloc(size + 1);
    if (bytes == NULL)
        abort();
    (void)shadowpipe__v1__create_snapshot__pack(wish, bytes);
    uint64_t hash = hash_bytes(bytes, size);
    free(bytes);
    return hash;
}

static PB(BackupType) type_of(const PB(CreateSnapshot) * wish)
{
    return wish->backup_type != PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_UNSPECIFIED)
               ? wish->backup_type
               : PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY);
}

/* All of a wish that those who share a set have in common, whatever volumes they want. */
static uint64_t kind_of(const PB(CreateSnapshot) * wish)
{
    PB(CreateSnapshot) kind = SHADOWPIPE__V1__CREATE_SNAPSHOT__INIT;
    kind.context = wish->context;
    kind.backup_type = type_of(wish);
    kind.writers_required = wish->writers_required;
    kind.n_writers_required = wish->n_writers_required;
    kind.writers_excluded = wish->writers_excluded;
    kind.n_writers_excluded = wish->n_writers_excluded;
    kind.writers_tolerated = wish->writers_tolerated;
    kind.n_writers_tolerated = wish->n_writers_tolerated;
    return hash_of(&kind);
}

static bool may_share(const struct model *model, const PB(CreateSnapshot) * wish)
{
    return model->config.max_shared_volumes > 0 && type_of(wish) == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_COPY) &&
           wish->context <= PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP) && wish->n_components == 0 &&
           wish->share != PB_VALUE(SHARE, SHARE_NEVER) && wish->n_hold_points == 0 &&
           wish->n_phase_timeouts == 0 && wish->complete_within_ms == 0;
}

void wish_note(const struct model *model, struct request_seen *request, const PB(CreateSnapshot) * wish)
{
    request->backup_type = type_of(wish);
    request->skips = wish->on_unsupported == PB_VALUE(ON_UNSUPPORTED, ON_UNSUPPORTED_SKIP);
    request->has_writers = wish->context != PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP) &&
                           wish->context != PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK);
    request->keep_ms = wish->keep_ms;
    request->tolerated = named_writers(wish->writers_tolerated, wish->n_writers_tolerated);
    request->required = named_writers(wish->writers_required, wish->n_writers_required);
    request->excluded = named_writers(wish->writers_excluded, wish->n_writers_excluded);
    request->complete_within_ms = wish->complete_within_ms;
    request->max_age_ms = wish->max_age_ms;
    request->has_components = wish->n_components > 0;
    request->may_share = may_share(model, wish);
    request->share_kind = kind_of(wish);
    for (size_t i = 0; i < wish->n_hold_points; i++)
        request->hold_kinds |= wish->hold_points[i]->kind == PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_PREPARED)
                                   ? HOLDS_PREPARED
                                   : HOLDS_AT_GATE;
    request->wish = hash_of(wish);
    request->key =
        wish->job_key[0] != '\0' ? hash_bytes((const uint8_t *)wish->job_key, strlen(wish->job_key)) : 0;
    request->is_detached =
        wish->lease != NULL && wish->lease->mode == PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED);
    request->ttl_ms = request->is_detached ? wish->lease->ttl_ms : 0;
    for (size_t i = 0; i < wish->n_volumes; i++)
        request->volumes |= volume_bit(wish->volumes[i]);
    request->may_have = request->volumes | (wish->add_needed_volumes ? 1u : 0);
}
