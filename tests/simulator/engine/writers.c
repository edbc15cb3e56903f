#include "writers.h"
#include "hook.h"
#include "inbox.h"
#include "store.h"

#include <objbase.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static const struct {
    const wchar_t *name, *key;
} events[WRITER_EVENTS] = {
    {L"", L""},
    {L"Identify", L"identify"},
    {L"PrepareBackup", L"prepare"},
    {L"PrepareSnapshot", L"prepare_snapshot"},
    {L"Freeze", L"freeze"},
    {L"Thaw", L"thaw"},
    {L"PostSnapshot", L"post_snapshot"},
    {L"BackupComplete", L"complete"},
    {L"Abort", L"abort"},
    {L"BackupShutdown", L"shutdown"},
    {L"PreRestore", L"pre_restore"},
    {L"PostRestore", L"post_restore"},
};

const wchar_t *writer_event_name(enum writer_event event)
{
    return events[event].name;
}

static enum writer_event parse_event(const wchar_t *section, const wchar_t *key)
{
    if (!*key)
        return WRITER_NONE;
    for (int i = WRITER_IDENTIFY; i < WRITER_EVENTS; i++)
        if (_wcsicmp(events[i].key, key) == 0)
            return (enum writer_event)i;
    store_log(0, L"scenario", L"unknown phase \"%ls\" in [%ls]", key, section);
    return WRITER_NONE;
}

/* A class or instance id that the scenario does not give: the same for the same name, whoever asks. */
static GUID id_from_name(const wchar_t *name)
{
    GUID id = {0x53484457, 0, 0x4000, {0x80}};
    unsigned long long hash = 1469598103934665603ULL;
    for (; *name; name++)
        hash = (hash ^ (unsigned long long)towlower(*name)) * 1099511628211ULL;
    memcpy(id.Data4 + 1, &hash, 7);
    id.Data2 = (unsigned short)(hash >> 48);
    return id;
}

static GUID id_of_instance(const GUID *class_id, const GUID *boot)
{
    GUID id;
    for (size_t i = 0; i < sizeof id; i++)
        ((BYTE *)&id)[i] = (BYTE)(((const BYTE *)class_id)[i] ^ ((const BYTE *)boot)[i]);
    return id;
}

static void read_id(const struct scenario *scenario, const wchar_t *section, const wchar_t *key, GUID *id)
{
    const wchar_t *text = scenario_string(scenario, section, key, L"");
    if (!*text)
        return;
    GUID parsed;
    if (SUCCEEDED(CLSIDFromString(text, &parsed)))
        *id = parsed;
    else
        store_log(0, L"scenario", L"\"%ls\" in [%ls] is no id", text, section);
}

/* The files named by path, spec and recursive of a section; NULL if it names none. */
static const struct writer_files *read_files(struct writer_list *list, const wchar_t *section,
                                             const wchar_t *key)
{
    const wchar_t *path = scenario_string(list->scenario, section, key, NULL);
    struct writer_files *files = path ? writer_list_allocate(list, sizeof *files) : NULL;
    if (!files)
        return NULL;
    files->path = path;
    files->spec = scenario_string(list->scenario, section, L"spec", L"*");
    files->recursive = scenario_number(list->scenario, section, L"recursive", 1) != 0;
    files->backup_mask = VSS_FSBT_ALL_BACKUP_REQUIRED | VSS_FSBT_ALL_SNAPSHOT_REQUIRED;
    return files;
}

/* "{class} path\to;name" */
static const struct writer_dependency *read_dependency(struct writer_list *list, const wchar_t *section)
{
    const wchar_t *text = scenario_string(list->scenario, section, L"depends_on", NULL);
    wchar_t class_id[40];
    struct writer_dependency *on = text ? writer_list_allocate(list, sizeof *on) : NULL;
    const wchar_t *name = text ? wcschr(text, L';') : NULL;
    if (!on)
        return NULL;
    swprintf(class_id, ARRAYSIZE(class_id), L"%.38ls", text);
    if (!name || name - text < 38 || FAILED(CLSIDFromString(class_id, &on->writer))) {
        store_log(0, L"scenario", L"\"%ls\" in [%ls] is no dependency", text, section);
        return NULL;
    }
    wchar_t *path = writer_list_allocate(list, (wcslen(text) + 1) * sizeof *path);
    const wchar_t *begin = text + 38 + wcsspn(text + 38, L" ");
    if (path && begin < name)
        on->path = wcsncpy(path, begin, (size_t)(name - begin));
    on->name = name + 1;
    return on;
}

static void read_component(struct writer_list *list, const wchar_t *section, const wchar_t *name,
                           struct writer_component *component)
{
    const struct scenario *scenario = list->scenario;
    component->type = scenario_number(scenario, section, L"database", 0) ? VSS_CT_DATABASE : VSS_CT_FILEGROUP;
    component->path = scenario_string(scenario, section, L"logical_path", NULL);
    component->name = name;
    component->caption = scenario_string(scenario, section, L"caption", NULL);
    component->selectable = scenario_number(scenario, section, L"selectable", 1) != 0;
    component->selectable_for_restore = component->selectable;
    component->notify = TRUE;
    component->files = read_files(list, section, L"path");
    component->file_count = component->files != NULL;
    component->logs = component->type == VSS_CT_DATABASE ? read_files(list, section, L"log_path") : NULL;
    component->log_count = component->logs != NULL;
    component->dependencies = read_dependency(list, section);
    component->dependency_count = component->dependencies != NULL;
    component->partial = scenario_string(scenario, section, L"partial", NULL);
}

static void read_component_failure(const struct scenario *scenario, const wchar_t *section,
                                   struct writer_component *component)
{
    component->fail_at = parse_event(section, scenario_string(scenario, section, L"fail_at", L""));
    component->failure = (HRESULT)scenario_number(scenario, section, L"failure",
                                                  (unsigned long)VSS_E_WRITERERROR_NONRETRYABLE);
    component->application_failure = (HRESULT)scenario_number(scenario, section, L"application_failure", 0);
    component->application_message = scenario_string(scenario, section, L"application_message", NULL);
}

/* A section "component:WRITER:NAME" of this writer? Its NAME then. */
static const wchar_t *own_component(const wchar_t *section, const wchar_t *writer)
{
    size_t n = wcslen(writer);
    BOOL ours = _wcsnicmp(section, writer, n) == 0 && section[n] == L':' && section[n + 1];
    return ours ? section + n + 1 : NULL;
}

/* What the scenario says about components: changes those that are there, adds those that are not. */
static void read_components(struct writer_list *list, struct writer *writer, const wchar_t *section)
{
    const struct scenario *scenario = list->scenario;
    const wchar_t *first = scenario_string(scenario, section, L"component", NULL);
    BOOL own = first || scenario_string(scenario, section, L"path", NULL);
    unsigned generated = scenario_number(scenario, section, L"components", 0), more = 0;
    for (const wchar_t *name; (name = scenario_section(scenario, L"component:", more)) != NULL;)
        more++;
    unsigned count = own ? 0 : writer->component_count;
    struct writer_component *all =
        own || generated || more ? writer_list_allocate(list, (count + 1 + generated + more) * sizeof *all)
                                 : NULL;
    if (!all)
        return;
    if (count)
        memcpy(all, writer->components, count * sizeof *all);
    if (own)
        read_component(list, section, first ? first : writer->name, &all[count++]);
    for (unsigned i = 0; i < generated; i++) {
        wchar_t name[40];
        swprintf(name, ARRAYSIZE(name), L"Component %u", i + 1);
        read_component(list, section, writer_list_text(list, name), &all[count++]);
    }
    for (unsigned i = 0; i < more; i++) {
        wchar_t full[240];
        const wchar_t *name = own_component(scenario_section(scenario, L"component:", i), writer->name);
        if (!name)
            continue;
        swprintf(full, ARRAYSIZE(full), L"component:%.200ls", scenario_section(scenario, L"component:", i));
        unsigned at = 0;
        while (at < count && _wcsicmp(all[at].name, name) != 0)
            at++;
        if (at == count)
            read_component(list, full, name, &all[count++]);
        read_component_failure(scenario, full, &all[at]);
    }
    writer->components = all;
    writer->component_count = count;
}

static VSS_RESTORE_TARGET parse_target(const wchar_t *section, const wchar_t *word)
{
    static const wchar_t *const words[] = {L"", L"original", L"alternate", L"directed", L"original_location"};
    for (unsigned i = 0; i < ARRAYSIZE(words); i++)
        if (_wcsicmp(words[i], word) == 0)
            return (VSS_RESTORE_TARGET)i;
    store_log(0, L"scenario", L"unknown restore target \"%ls\" in [%ls]", word, section);
    return VSS_RT_UNDEFINED;
}

/* One mapping, of the writer's files to "alternate_path". */
static void read_mapping(struct writer_list *list, struct writer *writer, const wchar_t *section)
{
    const wchar_t *to = scenario_string(list->scenario, section, L"alternate_path", NULL);
    const struct writer_files *from = to ? read_files(list, section, L"path") : NULL;
    struct writer_files *mapping = from ? writer_list_allocate(list, sizeof *mapping) : NULL;
    if (!mapping)
        return;
    *mapping = *from;
    mapping->alternate = to;
    mapping->backup_mask = 0;
    writer->mappings = mapping;
    writer->mapping_count = 1;
}

static void read_restore(struct writer_list *list, struct writer *writer, const wchar_t *section)
{
    const struct scenario *scenario = list->scenario;
    writer->restore =
        (VSS_RESTOREMETHOD_ENUM)scenario_number(scenario, section, L"restore_method", (DWORD)writer->restore);
    writer->writer_restore = (VSS_WRITERRESTORE_ENUM)scenario_number(scenario, section, L"writer_restore",
                                                                     (DWORD)writer->writer_restore);
    writer->service = scenario_string(scenario, section, L"service", writer->service);
    writer->schema = scenario_number(scenario, section, L"schema", writer->schema);
    writer->metadata = scenario_string(scenario, section, L"metadata", writer->metadata);
    writer->stamp = scenario_string(scenario, section, L"stamp", writer->stamp);
    writer->restore_target =
        parse_target(section, scenario_string(scenario, section, L"restore_target", L""));
    read_mapping(list, writer, section);
}

static enum writer_hang parse_hang(const wchar_t *section, const wchar_t *word)
{
    if (_wcsicmp(word, L"forever") == 0)
        return HANG_FOREVER;
    if (_wcsicmp(word, L"timeout") == 0)
        return HANG_TIMEOUT;
    if (_wcsicmp(word, L"file") == 0)
        return HANG_FILE;
    if (_wcsicmp(word, L"cancel") != 0)
        store_log(0, L"scenario", L"unknown hang \"%ls\" in [%ls]", word, section);
    return HANG_CANCEL;
}

static void apply_scenario(struct writer_list *list, struct writer *writer)
{
    const struct scenario *scenario = list->scenario;
    wchar_t section[120];
    swprintf(section, ARRAYSIZE(section), L"writer:%.100ls", writer->name);
    read_components(list, writer, section);
    if (!scenario_has(scenario, section))
        return;
    writer->fail_at = parse_event(section, scenario_string(scenario, section, L"fail_at", L""));
    writer->failure = (HRESULT)scenario_number(scenario, section, L"failure",
                                               (unsigned long)VSS_E_WRITERERROR_NONRETRYABLE);
    writer->application_failure = (HRESULT)scenario_number(scenario, section, L"application_failure", 0);
    writer->application_message = scenario_string(scenario, section, L"application_message", NULL);
    writer->hang_at = parse_event(section, scenario_string(scenario, section, L"hang_at", L""));
    writer->hang = parse_hang(section, scenario_string(scenario, section, L"hang", L"cancel"));
    writer->hang_file = scenario_string(scenario, section, L"hang_file", L"");
    writer->timeout_ms = scenario_number(scenario, section, L"timeout_ms", writer->timeout_ms);
    writer->hook = scenario_string(scenario, section, L"hook", NULL);
    writer->level = (VSS_APPLICATION_LEVEL)scenario_number(scenario, section, L"level", (DWORD)writer->level);
    writer->usage = (VSS_USAGE_TYPE)scenario_number(scenario, section, L"usage", (DWORD)writer->usage);
    read_id(scenario, section, L"class", &writer->class_id);
    read_restore(list, writer, section);
}

static BOOL is_absent(const struct writer *writer, const struct scenario *scenario)
{
    wchar_t section[120];
    swprintf(section, ARRAYSIZE(section), L"writer:%.100ls", writer->name);
    if (scenario_number(scenario, section, L"absent", 0))
        return TRUE;
    return writer->hook && !hook_is_there(writer->hook);
}

static BOOL is_inbox(const wchar_t *name)
{
    for (unsigned i = 0; i < INBOX_COUNT; i++)
        if (_wcsicmp(inbox_writers[i].name, name) == 0)
            return TRUE;
    return FALSE;
}

static void add_writer(struct writer_list *list, const struct writer *model, const GUID *boot)
{
    struct writer writer = *model;
    apply_scenario(list, &writer);
    if (is_absent(&writer, list->scenario))
        return;
    wchar_t section[120];
    swprintf(section, ARRAYSIZE(section), L"writer:%.100ls", writer.name);
    writer.instance_id = id_of_instance(&writer.class_id, boot);
    read_id(list->scenario, section, L"instance", &writer.instance_id);
    unsigned at = list->count++;
    while (at > 0 && list->writers[at - 1].level < writer.level) {
        list->writers[at] = list->writers[at - 1];
        at--;
    }
    list->writers[at] = writer;
}

struct writer_list *writer_list_create(struct scenario *scenario, unsigned room)
{
    struct writer_list *list = calloc(1, sizeof *list + room * sizeof list->writers[0]);
    if (!list)
        return NULL;
    list->references = 1;
    list->scenario = scenario ? scenario_hold(scenario) : NULL;
    return list;
}

struct writer_memory {
    struct writer_memory *next;
    max_align_t bytes[];
};

void *writer_list_allocate(struct writer_list *list, size_t size)
{
    struct writer_memory *memory = calloc(1, sizeof *memory + size);
    if (!memory)
        return NULL;
    memory->next = list->memory;
    list->memory = memory;
    return memory->bytes;
}

const wchar_t *writer_list_text(struct writer_list *list, const wchar_t *text)
{
    wchar_t *copy = text ? writer_list_allocate(list, (wcslen(text) + 1) * sizeof *copy) : NULL;
    return copy ? wcscpy(copy, text) : NULL;
}

static void add_by_name(struct writer_list *list, const wchar_t *name, const GUID *boot)
{
    struct writer writer = {.name = name,
                            .class_id = id_from_name(name),
                            .usage = VSS_UT_USERDATA,
                            .source = VSS_ST_OTHER,
                            .restore = VSS_RME_RESTORE_IF_CAN_REPLACE,
                            .writer_restore = VSS_WRE_ALWAYS,
                            .level = VSS_APP_FRONT_END,
                            .metadata = name,
                            .stamp = L"",
                            .timeout_ms = 60000};
    add_writer(list, &writer, boot);
}

/* "[machine] extra_writers": as many as a large server has, to measure with. */
static void add_extra(struct writer_list *list, unsigned count, const GUID *boot)
{
    unsigned most = scenario_number(list->scenario, L"machine", L"extra_components", 1);
    for (unsigned i = 0; i < count; i++) {
        struct writer_component *components = writer_list_allocate(list, (most + 1) * sizeof *components);
        struct writer writer = {.usage = VSS_UT_USERDATA, .level = VSS_APP_FRONT_END, .timeout_ms = 60000};
        wchar_t text[60];
        swprintf(text, ARRAYSIZE(text), L"Extra Writer %u", i + 1);
        writer.name = writer_list_text(list, text);
        if (!components || !writer.name)
            return;
        for (unsigned k = 0; k < most; k++) {
            swprintf(text, ARRAYSIZE(text), L"Component %u", k + 1);
            components[k] = (struct writer_component){
                .type = VSS_CT_FILEGROUP, .name = writer_list_text(list, text), .selectable = TRUE};
        }
        writer.class_id = id_from_name(writer.name);
        writer.components = components;
        writer.component_count = most;
        add_writer(list, &writer, boot);
    }
}

HRESULT writer_list_make(struct scenario *scenario, struct writer_list **out)
{
    unsigned extra = scenario_number(scenario, L"machine", L"extra_writers", 0), named = 0;
    *out = NULL;
    while (scenario_section(scenario, L"writer:", named))
        named++;
    struct writer_list *list = writer_list_create(scenario, INBOX_COUNT + named + extra);
    if (!list)
        return E_OUTOFMEMORY;
    GUID boot = store_boot_id();
    for (unsigned i = 0; i < INBOX_COUNT; i++)
        add_writer(list, &inbox_writers[i], &boot);
    const wchar_t *name;
    for (unsigned i = 0; (name = scenario_section(scenario, L"writer:", i)) != NULL; i++)
        if (!is_inbox(name))
            add_by_name(list, name, &boot);
    add_extra(list, extra, &boot);
    *out = list;
    return S_OK;
}

struct writer_list *writer_list_hold(struct writer_list *list)
{
    InterlockedIncrement(&list->references);
    return list;
}

void writer_list_drop(struct writer_list *list)
{
    if (!list || InterlockedDecrement(&list->references))
        return;
    while (list->memory) {
        struct writer_memory *memory = list->memory;
        list->memory = memory->next;
        free(memory);
    }
    scenario_drop(list->scenario);
    free(list);
}

BOOL writer_same_path(const wchar_t *a, const wchar_t *b)
{
    return _wcsicmp(a ? a : L"", b ? b : L"") == 0;
}

const struct writer_component *writer_find_component(const struct writer *writer, VSS_COMPONENT_TYPE type,
                                                     const wchar_t *path, const wchar_t *name)
{
    for (unsigned i = 0; i < writer->component_count; i++) {
        const struct writer_component *component = &writer->components[i];
        if (component->type == type && writer_same_path(component->path, path) &&
            _wcsicmp(component->name, name) == 0)
            return component;
    }
    return NULL;
}
