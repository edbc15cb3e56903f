#include "writers.h"
#include "hook.h"
#include "inbox.h"
#include "store.h"

#include <objbase.h>
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

static void read_component(struct writer *writer, const struct scenario *scenario, const wchar_t *section)
{
    const wchar_t *path = scenario_string(scenario, section, L"path", NULL);
    const wchar_t *name = scenario_string(scenario, section, L"component", NULL);
    if (!path && !name)
        return;
    writer->component_count = 1;
    writer->components[0] = (struct writer_component){
        .type = VSS_CT_FILEGROUP,
        .path = scenario_string(scenario, section, L"logical_path", NULL),
        .name = name ? name : writer->name,
        .selectable = TRUE,
        .notify = TRUE,
        .file_count = path ? 1 : 0,
        .files = {{path, scenario_string(scenario, section, L"spec", L"*"),
                   scenario_number(scenario, section, L"recursive", 1) != 0,
                   VSS_FSBT_ALL_BACKUP_REQUIRED | VSS_FSBT_ALL_SNAPSHOT_REQUIRED}},
    };
}

static enum writer_hang parse_hang(const wchar_t *section, const wchar_t *word)
{
    if (_wcsicmp(word, L"forever") == 0)
        return HANG_FOREVER;
    if (_wcsicmp(word, L"timeout") == 0)
        return HANG_TIMEOUT;
    if (_wcsicmp(word, L"cancel") != 0)
        store_log(0, L"scenario", L"unknown hang \"%ls\" in [%ls]", word, section);
    return HANG_CANCEL;
}

static void apply_scenario(struct writer *writer, const struct scenario *scenario)
{
    wchar_t section[120];
    swprintf(section, ARRAYSIZE(section), L"writer:%.100ls", writer->name);
    if (!scenario_has(scenario, section))
        return;
    writer->fail_at = parse_event(section, scenario_string(scenario, section, L"fail_at", L""));
    writer->failure = (HRESULT)scenario_number(scenario, section, L"failure",
                                               (unsigned long)VSS_E_WRITERERROR_NONRETRYABLE);
    writer->application_failure = (HRESULT)scenario_number(scenario, section, L"application_failure", 0);
    writer->application_message = scenario_string(scenario, section, L"application_message", NULL);
    writer->hang_at = parse_event(section, scenario_string(scenario, section, L"hang_at", L""));
    writer->hang = parse_hang(section, scenario_string(scenario, section, L"hang", L"cancel"));
    writer->timeout_ms = scenario_number(scenario, section, L"timeout_ms", writer->timeout_ms);
    writer->hook = scenario_string(scenario, section, L"hook", NULL);
    writer->level = (VSS_APPLICATION_LEVEL)scenario_number(scenario, section, L"level", (DWORD)writer->level);
    writer->usage = (VSS_USAGE_TYPE)scenario_number(scenario, section, L"usage", (DWORD)writer->usage);
    read_id(scenario, section, L"class", &writer->class_id);
    read_component(writer, scenario, section);
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
    apply_scenario(&writer, list->scenario);
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

HRESULT writer_list_make(struct scenario *scenario, struct writer_list **out)
{
    unsigned most = INBOX_COUNT;
    *out = NULL;
    while (scenario_writer(scenario, most - INBOX_COUNT))
        most++;
    struct writer_list *list = calloc(1, sizeof *list + most * sizeof list->writers[0]);
    if (!list)
        return E_OUTOFMEMORY;
    list->references = 1;
    list->scenario = scenario_hold(scenario);
    GUID boot = store_boot_id();
    for (unsigned i = 0; i < INBOX_COUNT; i++)
        add_writer(list, &inbox_writers[i], &boot);
    const wchar_t *name;
    for (unsigned i = 0; (name = scenario_writer(scenario, i)) != NULL; i++) {
        if (is_inbox(name))
            continue;
        struct writer writer = {.name = name,
                                .class_id = id_from_name(name),
                                .usage = VSS_UT_USERDATA,
                                .source = VSS_ST_OTHER,
                                .restore = VSS_RME_RESTORE_IF_CAN_REPLACE,
                                .level = VSS_APP_FRONT_END,
                                .timeout_ms = 60000};
        add_writer(list, &writer, &boot);
    }
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
