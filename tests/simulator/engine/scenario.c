#include "scenario.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#define SECTION_CHARS 32768

struct entry {
    wchar_t *section, *key, *value;
};

struct scenario {
    LONG references;
    unsigned long long stamp; /* of the file; a changed file starts all call counts again */
    size_t count, room;
    struct entry *entries;
};

static const struct {
    const wchar_t *section; /* one that ends with ':' is followed by a name */
    const wchar_t *keys;
} known[] = {
    {L"machine",
     L"rundown_ms;release_delay_ms;abort_limit_ms;wait_returns_error;writer_failure_result;foreign_hold_ms;"
     L"extra_writers;extra_components;debug;server;hardware_provider;hardware_array;revert_ms"},
    {L"timing",
     L"identify;prepare;prepare_snapshot;freeze;commit;thaw;post_snapshot;complete;abort;release;status;"
     L"sync;pre_restore;post_restore"},
    {L"volumes", L"unsupported;undeletable;hardware;busy;max_snapshots;max_client_accessible;max_volumes;"
                 L"storage_copies;vanish_ms"},
    {L"storage:", L"on;maximum;allocated;used;copy"},
    {L"method:", L"result;async_result;call;count;delay;hold;exit"},
    {L"writer:",
     L"absent;fail_at;failure;application_failure;application_message;hang_at;hang;hang_file;timeout_ms;hook;"
     L"class;"
     L"instance;level;usage;component;logical_path;path;spec;recursive;database;log_path;caption;selectable;"
     L"depends_on;partial;components;schema;metadata;stamp;restore_method;writer_restore;service;"
     L"restore_target;alternate_path"},
    {L"component:",
     L"logical_path;path;spec;recursive;database;log_path;caption;selectable;depends_on;partial;fail_at;"
     L"failure;application_failure;application_message"},
};

static BOOL known_section(const wchar_t *section, const wchar_t **keys)
{
    for (size_t i = 0; i < ARRAYSIZE(known); i++) {
        size_t n = wcslen(known[i].section);
        BOOL prefix = known[i].section[n - 1] == L':';
        if (prefix ? _wcsnicmp(section, known[i].section, n) == 0 && section[n]
                   : _wcsicmp(section, known[i].section) == 0) {
            *keys = known[i].keys;
            return TRUE;
        }
    }
    return FALSE;
}

BOOL scenario_lists(const wchar_t *list, const wchar_t *item)
{
    size_t length = wcslen(item);
    while (list && *list) {
        size_t n = wcscspn(list, L";");
        if (n == length && _wcsnicmp(list, item, n) == 0)
            return TRUE;
        list += n;
        list += wcsspn(list, L";");
    }
    return FALSE;
}

static HRESULT add_entry(struct scenario *scenario, const wchar_t *section, const wchar_t *line)
{
    if (line[0] == L';' || line[0] == L'#')
        return S_OK;
    if (scenario->count == scenario->room) {
        size_t room = scenario->room ? scenario->room * 2 : 32;
        struct entry *entries = realloc(scenario->entries, room * sizeof *entries);
        if (!entries)
            return E_OUTOFMEMORY;
        scenario->entries = entries;
        scenario->room = room;
    }
    const wchar_t *equals = wcschr(line, L'=');
    size_t n = equals ? (size_t)(equals - line) : wcslen(line);
    while (n && line[n - 1] == L' ')
        n--;
    struct entry *entry = &scenario->entries[scenario->count];
    entry->section = _wcsdup(section);
    entry->key = calloc(n + 1, sizeof *entry->key);
    entry->value = _wcsdup(equals ? equals + 1 + wcsspn(equals + 1, L" ") : L"");
    if (!entry->section || !entry->key || !entry->value) {
        free(entry->section);
        free(entry->key);
        free(entry->value);
        return E_OUTOFMEMORY;
    }
    memcpy(entry->key, line, n * sizeof *line);
    scenario->count++;
    return S_OK;
}

static HRESULT load_section(struct scenario *scenario, const wchar_t *file, const wchar_t *section,
                            wchar_t *buffer)
{
    const wchar_t *keys = NULL;
    if (!known_section(section, &keys)) {
        store_log(0, L"scenario", L"unknown section [%ls]", section);
        return S_OK;
    }
    GetPrivateProfileSectionW(section, buffer, SECTION_CHARS, file);
    HRESULT hr = add_entry(scenario, section, L"=");
    for (const wchar_t *line = buffer; *line && SUCCEEDED(hr); line += wcslen(line) + 1) {
        size_t before = scenario->count;
        hr = add_entry(scenario, section, line);
        if (scenario->count > before && !scenario_lists(keys, scenario->entries[before].key))
            store_log(0, L"scenario", L"unknown key \"%ls\" in [%ls]", scenario->entries[before].key,
                      section);
    }
    return hr;
}

static HRESULT load_file(struct scenario *scenario, const wchar_t *file)
{
    WIN32_FILE_ATTRIBUTE_DATA data;
    if (!GetFileAttributesExW(file, GetFileExInfoStandard, &data))
        return S_OK;
    scenario->stamp =
        ((unsigned long long)data.ftLastWriteTime.dwHighDateTime << 32) | data.ftLastWriteTime.dwLowDateTime;
    wchar_t *names = calloc(SECTION_CHARS, sizeof *names), *buffer = calloc(SECTION_CHARS, sizeof *buffer);
    HRESULT hr = names && buffer ? S_OK : E_OUTOFMEMORY;
    if (SUCCEEDED(hr)) {
        /* The profile functions keep the last file in memory; this makes them look again. */
        WritePrivateProfileStringW(NULL, NULL, NULL, file);
        GetPrivateProfileSectionNamesW(names, SECTION_CHARS, file);
        for (const wchar_t *name = names; *name && SUCCEEDED(hr); name += wcslen(name) + 1)
            hr = load_section(scenario, file, name, buffer);
    }
    free(names);
    free(buffer);
    return hr;
}

HRESULT scenario_load(struct scenario **out)
{
    wchar_t file[STORE_PATH_CHARS];
    *out = NULL;
    DWORD n = GetEnvironmentVariableW(L"SHADOWSIM_SCENARIO", file, STORE_PATH_CHARS);
    if (n == 0)
        store_path(file, L"scenario.ini");
    else if (n >= STORE_PATH_CHARS)
        return HRESULT_FROM_WIN32(ERROR_BAD_PATHNAME);
    struct scenario *scenario = calloc(1, sizeof *scenario);
    if (!scenario)
        return E_OUTOFMEMORY;
    scenario->references = 1;
    HRESULT hr = load_file(scenario, file);
    if (FAILED(hr)) {
        scenario_drop(scenario);
        return hr;
    }
    *out = scenario;
    return S_OK;
}

struct scenario *scenario_hold(struct scenario *scenario)
{
    InterlockedIncrement(&scenario->references);
    return scenario;
}

void scenario_drop(struct scenario *scenario)
{
    if (!scenario || InterlockedDecrement(&scenario->references))
        return;
    for (size_t i = 0; i < scenario->count; i++) {
        free(scenario->entries[i].section);
        free(scenario->entries[i].key);
        free(scenario->entries[i].value);
    }
    free(scenario->entries);
    free(scenario);
}

const wchar_t *scenario_string(const struct scenario *scenario, const wchar_t *section, const wchar_t *key,
                               const wchar_t *otherwise)
{
    for (size_t i = 0; i < scenario->count; i++) {
        const struct entry *entry = &scenario->entries[i];
        if (_wcsicmp(entry->section, section) == 0 && _wcsicmp(entry->key, key) == 0)
            return entry->value;
    }
    return otherwise;
}

unsigned long scenario_number(const struct scenario *scenario, const wchar_t *section, const wchar_t *key,
                              unsigned long otherwise)
{
    const wchar_t *value = scenario_string(scenario, section, key, NULL);
    return value && *value ? wcstoul(value, NULL, 0) : otherwise;
}

unsigned long long scenario_stamp(const struct scenario *scenario)
{
    return scenario->stamp;
}

BOOL scenario_has(const struct scenario *scenario, const wchar_t *section)
{
    return scenario_string(scenario, section, L"", NULL) != NULL;
}

const wchar_t *scenario_section(const struct scenario *scenario, const wchar_t *prefix, unsigned index)
{
    size_t n = wcslen(prefix);
    for (size_t i = 0; i < scenario->count; i++) {
        const struct entry *entry = &scenario->entries[i];
        if (entry->key[0] == 0 && _wcsnicmp(entry->section, prefix, n) == 0 && index-- == 0)
            return entry->section + n;
    }
    return NULL;
}

struct fault scenario_fault(const struct scenario *scenario, const wchar_t *method)
{
    struct fault fault = {0};
    wchar_t section[100], counter[140];
    swprintf(section, ARRAYSIZE(section), L"method:%ls", method);
    if (!scenario_has(scenario, section))
        return fault;
    unsigned long first = scenario_number(scenario, section, L"call", 0);
    if (first) {
        swprintf(counter, ARRAYSIZE(counter), L"%ls-%llx", method, scenario->stamp);
        unsigned long call = store_next_number(counter);
        if (call < first || call - first >= scenario_number(scenario, section, L"count", 1))
            return fault;
    }
    fault.result = (HRESULT)scenario_number(scenario, section, L"result", 0);
    fault.async_result = (HRESULT)scenario_number(scenario, section, L"async_result", 0);
    fault.delay_ms = scenario_number(scenario, section, L"delay", 0);
    fault.hold = scenario_string(scenario, section, L"hold", NULL);
    const wchar_t *at = scenario_string(scenario, section, L"exit", L"");
    fault.exit = _wcsicmp(at, L"call") == 0    ? FAULT_EXIT_CALL
                 : _wcsicmp(at, L"async") == 0 ? FAULT_EXIT_ASYNC
                                               : FAULT_EXIT_NONE;
    return fault;
}
