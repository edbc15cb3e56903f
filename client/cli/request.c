#include "client/cli/request.h"

#include <string.h>

static void *no_memory(struct text *problem)
{
    text_add(problem, "There is not enough memory.");
    return NULL;
}

PB(Context) request_context(const struct arguments *arguments)
{
    if (arguments->context)
        return (PB(Context))arguments->context;
    if (arguments->persistent)
        return arguments->no_writers ? PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK)
                                     : PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK);
    return arguments->no_writers ? PB_VALUE(CONTEXT, CONTEXT_FILE_SHARE_BACKUP)
                                 : PB_VALUE(CONTEXT, CONTEXT_UNSPECIFIED);
}

/* ---- components ---- */

/* Splits "PATH\NAME" in place, taking doubled backslashes for single ones. */
static void split_component(char *text, PB(ComponentSelection) * component)
{
    const char *from = *text == '\\' && text[1] != '\\' ? text + 1 : text;
    char *to = text;
    char *last = NULL; /* backslash that parts */
    for (; *from; from++, to++) {
        bool doubled = from[0] == '\\' && from[1] == '\\';
        *to = *from;
        if (doubled)
            from++;
        else if (*to == '\\')
            last = to;
    }
    *to = 0;
    if (last)
        *last = 0;
    component->logical_path = last ? text : (char *)protobuf_c_empty_string;
    component->name = last ? last + 1 : text;
}

PB(ComponentSelection) * request_component(const char *value, struct arena *arena, struct text *problem)
{
    PB(ComponentSelection) *component = arena_alloc(arena, sizeof *component);
    char *writer = arena_strdup(arena, value);
    if (!component || !writer)
        return no_memory(problem);
    shadowpipe__v1__component_selection__init(component);
    char *colon = strchr(writer, ':');
    if (colon) {
        *colon = 0;
        component->writer = writer;
        split_component(colon + 1, component);
    }
    if (colon && *writer && *component->name)
        return component;
    text_format(problem, "--component does not take \"%s\": write WRITER:NAME or WRITER:PATH\\NAME.", value);
    return NULL;
}

static bool make_components(const struct arguments *arguments, struct arena *arena,
                            PB(CreateSnapshot) * create, struct text *problem)
{
    size_t count = arguments->selected.count;
    create->components = arena_alloc(arena, (count ? count : 1) * sizeof *create->components);
    if (!create->components)
        return no_memory(problem);
    for (size_t i = 0; i < count; i++) {
        create->components[i] = request_component(arguments->selected.items[i], arena, problem);
        if (!create->components[i])
            return false;
    }
    create->n_components = count;
    return true;
}

/* A stamp may have any '=' in it, and so may a name: the component is one of those that are selected. */
static bool add_stamps(const struct arguments *arguments, PB(CreateSnapshot) * create, struct text *problem)
{
    for (size_t i = 0; i < arguments->stamps.count; i++) {
        const char *value = arguments->stamps.items[i];
        PB(ComponentSelection) *component = NULL;
        size_t longest = 0;
        for (size_t n = 0; n < create->n_components; n++) {
            size_t length = strlen(arguments->selected.items[n]);
            if (length > longest && strncmp(value, arguments->selected.items[n], length) == 0 &&
                value[length] == '=') {
                longest = length;
                component = create->components[n];
            }
        }
        if (!component || !value[longest + 1]) {
            text_format(problem,
                        "--previous-stamp does not take \"%s\": write COMPONENT=STAMP, with a COMPONENT that "
                        "--component names in the same words.",
                        value);
            return false;
        }
        component->previous_stamp = (char *)value + longest + 1;
    }
    return true;
}

/* ---- limits of time ---- */

/* "waiting-for-gate" is PHASE_WAITING_FOR_GATE. */
static PB(Phase) find_phase(const char *word, size_t length)
{
    const ProtobufCEnumDescriptor *phases = &shadowpipe__v1__phase__descriptor;
    for (unsigned i = 0; i < phases->n_values; i++) {
        const char *name = phases->values[i].name + strlen("PHASE_");
        size_t n = 0;
        while (n < length && name[n] && word[n] == (name[n] == '_' ? '-' : (char)(name[n] | 0x20)))
            n++;
        if (n == length && !name[n])
            return (PB(Phase))phases->values[i].value;
    }
    return PB_PHASE(UNSPECIFIED);
}

static bool make_timeouts(const struct arguments *arguments, struct arena *arena, PB(CreateSnapshot) * create,
                          struct text *problem)
{
    size_t count = arguments->phase_timeouts.count;
    PB(PhaseTimeout) *made = arena_alloc(arena, (count ? count : 1) * sizeof *made);
    create->phase_timeouts = arena_alloc(arena, (count ? count : 1) * sizeof *create->phase_timeouts);
    if (!made || !create->phase_timeouts)
        return no_memory(problem);
    for (size_t i = 0; i < count; i++) {
        const char *value = arguments->phase_timeouts.items[i];
        size_t length = strcspn(value, "=");
        shadowpipe__v1__phase_timeout__init(&made[i]);
        made[i].phase = find_phase(value, length);
        if (made[i].phase == PB_PHASE(UNSPECIFIED) || !value[length] ||
            !duration_parse(value + length + 1, &made[i].timeout_ms) || made[i].timeout_ms == 0) {
            text_format(problem,
                        "--phase-timeout does not take \"%s\": write a phase and a time, as in preparing=2m.",
                        value);
            return false;
        }
        create->phase_timeouts[i] = &made[i];
    }
    create->n_phase_timeouts = count;
    return true;
}

/* ---- the rest ---- */

static bool make_providers(const struct arguments *arguments, struct arena *arena,
                           PB(CreateSnapshot) * create, struct text *problem)
{
    size_t count = arguments->providers.count;
    create->providers = arena_alloc(arena, (count ? count : 1) * sizeof *create->providers);
    char *guids = arena_alloc(arena, (count ? count : 1) * ID_CHARS);
    if (!create->providers || !guids)
        return no_memory(problem);
    for (size_t i = 0; i < count; i++) {
        create->providers[i] = guids + i * ID_CHARS;
        if (!guid_parse(arguments->providers.items[i], create->providers[i])) {
            text_format(problem,
                        "--provider does not take \"%s\": write an id as \"shadowpipe providers\" shows it.",
                        arguments->providers.items[i]);
            return false;
        }
    }
    create->n_providers = count;
    return true;
}

static void fill(const struct arguments *arguments, PB(CreateSnapshot) * create)
{
    create->volumes = (char **)arguments->volumes.items;
    create->n_volumes = arguments->volumes.count;
    create->paths = (char **)arguments->paths.items;
    create->n_paths = arguments->paths.count;
    create->writers_required = (char **)arguments->required.items;
    create->n_writers_required = arguments->required.count;
    create->writers_excluded = (char **)arguments->excluded.items;
    create->n_writers_excluded = arguments->excluded.count;
    create->writers_tolerated = (char **)arguments->tolerated.items;
    create->n_writers_tolerated = arguments->tolerated.count;
    create->include_mounted = arguments->include_mounted;
    create->queue_timeout_ms = arguments->queue_timeout_ms;
    create->share = arguments->no_share ? PB_VALUE(SHARE, SHARE_NEVER) : PB_VALUE(SHARE, SHARE_ALLOWED);
    create->max_age_ms = arguments->max_age_ms;
    create->on_unsupported = (PB(OnUnsupported))arguments->on_unsupported;
    create->context = request_context(arguments);
    create->attributes = arguments->attributes;
    create->backup_type = (PB(BackupType))arguments->backup_type;
    create->allow_types_without_components = arguments->without_components;
    create->bootable = arguments->bootable;
    create->partial_files = arguments->partial_files;
    create->add_needed_volumes = arguments->add_needed_volumes;
    create->keep_ms = arguments->keep_ms;
    create->retry_without_failed = arguments->retry_without_failed;
    create->complete_within_ms = arguments->complete_within_ms;
    create->with_documents = arguments->save_documents != NULL;
    if (arguments->name)
        create->purpose = (char *)arguments->name;
    if (arguments->job_key)
        create->job_key = (char *)arguments->job_key;
}

static bool make_hold_point(struct arena *arena, PB(CreateSnapshot) * create, struct text *problem)
{
    PB(HoldPoint) *made = arena_alloc(arena, sizeof *made);
    create->hold_points = arena_alloc(arena, sizeof *create->hold_points);
    if (!made || !create->hold_points)
        return no_memory(problem);
    shadowpipe__v1__hold_point__init(made);
    made->kind = PB_VALUE(HOLD_POINT_KIND, HOLD_POINT_PREPARED);
    create->hold_points[0] = made;
    create->n_hold_points = 1;
    return true;
}

PB(CreateSnapshot) *
    request_make(const struct arguments *arguments, struct arena *arena, struct text *problem)
{
    PB(CreateSnapshot) *create = arena_alloc(arena, sizeof *create);
    if (!create)
        return no_memory(problem);
    shadowpipe__v1__create_snapshot__init(create);
    if (arguments->detach) {
        create->lease = arena_alloc(arena, sizeof *create->lease);
        if (!create->lease)
            return no_memory(problem);
        shadowpipe__v1__lease_options__init(create->lease);
        create->lease->mode = PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED);
        create->lease->ttl_ms = arguments->ttl_ms;
    }
    fill(arguments, create);
    if ((arguments->before_freeze || arguments->after_thaw) && !make_hold_point(arena, create, problem))
        return NULL;
    bool ok = make_components(arguments, arena, create, problem) && add_stamps(arguments, create, problem) &&
              make_timeouts(arguments, arena, create, problem) &&
              make_providers(arguments, arena, create, problem);
    return ok ? create : NULL;
}
