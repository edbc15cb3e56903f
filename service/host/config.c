#include "service/host/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "service/host/text.h"

#define POLICY_KEY  L"SOFTWARE\\Policies\\Shadowpipe"
#define PRODUCT_KEY L"SOFTWARE\\Shadowpipe"

enum {
    PIPE_NAME_LIMIT = 256
}; /* of the system, without the prefix */

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    HOUR = 60 * MINUTE,
    DAY = 24 * HOUR
};

/* A number of broker_config that an administrator may set. */
struct number {
    const wchar_t *name;
    size_t offset;
    DWORD least;
    DWORD most;
};

#define NUMBER(name, member, least, most)                            \
    {                                                                \
        L##name, offsetof(struct broker_config, member), least, most \
    }

static const struct number numbers[] = {
    NUMBER("MaxConnections", max_connections, 8, CONFIG_MAX_CONNECTIONS),
    NUMBER("MaxConnectionsPerOwner", max_connections_per_owner, 1, CONFIG_MAX_CONNECTIONS),
    NUMBER("ReservedConnections", reserved_connections, 0, 64),
    NUMBER("MaxSets", max_sets, 1, 64),
    NUMBER("MaxSharedVolumes", max_shared_volumes, 0, 64),
    NUMBER("MaxQueue", max_queue, 1, 4096),
    NUMBER("MaxSessions", max_sessions, 1, 64),
    NUMBER("MaxLeases", max_leases, 1, 4096),
    NUMBER("MaxLeasesPerOwner", max_leases_per_owner, 1, 4096),
    NUMBER("MaxRecords", max_records, 1, 65536),
    NUMBER("MaxWatchers", max_watchers, 1, 4096),
    NUMBER("WarmRequesters", warm_requesters, 0, 1),
    NUMBER("MaxInFlight", max_in_flight, 1, 256),
    NUMBER("OutputSoftLimitBytes", output_soft_limit_bytes, 64 * 1024, 16 * 1024 * 1024),
    NUMBER("OutputHardLimitBytes", output_hard_limit_bytes, 16 * 1024 * 1024, 256 * 1024 * 1024),
    NUMBER("HandshakeTimeoutMs", handshake_timeout_ms, 100, MINUTE),
    NUMBER("FrameTimeoutMs", frame_timeout_ms, 100, 10 * MINUTE),
    NUMBER("DefaultTimeoutMs", default_timeout_ms, SECOND, DAY),
    NUMBER("MaxTimeoutMs", max_timeout_ms, SECOND, 7 * DAY),
    NUMBER("RequesterStartMs", requester_start_ms, SECOND, 10 * MINUTE),
    NUMBER("GatherMs", gather_ms, SECOND, HOUR),
    NUMBER("CallMs", call_ms, SECOND, HOUR),
    NUMBER("PrepareMs", prepare_ms, SECOND, HOUR),
    NUMBER("CreateMs", create_ms, SECOND, HOUR),
    NUMBER("StatusMs", status_ms, SECOND, HOUR),
    NUMBER("CompleteMs", complete_ms, SECOND, HOUR),
    NUMBER("AbortMs", abort_ms, SECOND, HOUR),
    NUMBER("ReleaseMs", release_ms, SECOND, HOUR),
    NUMBER("CancelGraceMs", cancel_grace_ms, 100, 10 * MINUTE),
    NUMBER("GateHoldMs", gate_hold_ms, SECOND, HOUR),
    NUMBER("HoldPointMs", hold_point_ms, SECOND, HOUR),
    NUMBER("GateIdleMs", gate_idle_ms, SECOND, HOUR),
    NUMBER("InProgressRetryMs", in_progress_retry_ms, 100, MINUTE),
    NUMBER("RetryLaterMs", retry_later_ms, SECOND, DAY),
    NUMBER("MaxRetriesLater", max_retries_later, 0, 100),
    NUMBER("FreezePauseMs", freeze_pause_ms, SECOND, HOUR),
    NUMBER("CompleteWithinMs", complete_within_ms, SECOND, DAY),
    NUMBER("LeaseTtlMs", lease_ttl_ms, SECOND, 7 * DAY),
    NUMBER("MaxLeaseTtlMs", max_lease_ttl_ms, SECOND, 28u * DAY),
    NUMBER("LeaseCheckMs", lease_check_ms, 100, HOUR),
    NUMBER("CacheMs", cache_ms, 0, HOUR),
    NUMBER("OrphanGraceMs", orphan_grace_ms, 0, DAY),
    NUMBER("ReattachMs", reattach_ms, SECOND, DAY),
    NUMBER("StopCreateMs", stop_create_ms, SECOND, 10 * MINUTE),
    NUMBER("StopAllMs", stop_all_ms, SECOND, 30 * MINUTE),
};

static void report(struct service_config *config, const char *format, ...)
    __attribute__((format(gnu_printf, 2, 3)));

static void report(struct service_config *config, const char *format, ...)
{
    if (config->problems_count < CONFIG_PROBLEMS) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(config->problems[config->problems_count], CONFIG_PROBLEM_CHARS, format, arguments);
        va_end(arguments);
    }
    config->problems_count++;
}

static void read_os_build(char *text, size_t size)
{
    /* GetVersionEx says what the manifest lets it say; this one tells the truth. */
    typedef LONG(WINAPI * rtl_get_version)(OSVERSIONINFOW *);
    OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof version};
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    rtl_get_version get = NULL;
    if (ntdll != NULL) {
        get = (rtl_get_version)(void (*)(void))GetProcAddress(ntdll, "RtlGetVersion");
    }
    if (get == NULL || get(&version) < 0) {
        snprintf(text, size, "unknown");
        return;
    }
    snprintf(text, size, "%lu.%lu.%lu", version.dwMajorVersion, version.dwMinorVersion,
             version.dwBuildNumber);
}

/* As VSS names it in the properties of snapshots; "" if Windows does not say. */
static void read_machine_name(char *text, size_t size)
{
    wchar_t name[256];
    DWORD length = sizeof name / sizeof name[0];
    if (!GetComputerNameExW(ComputerNameDnsFullyQualified, name, &length) ||
        !text_to_utf8(name, text, size)) {
        text[0] = '\0';
    }
}

bool config_set_pipe(struct service_config *config, const wchar_t *name)
{
    static const wchar_t tail[] = L"\\api";
    size_t prefix = wcslen(CONFIG_PIPE_PREFIX);
    if (_wcsnicmp(name, CONFIG_PIPE_PREFIX, prefix) == 0) {
        name += prefix;
    }
    size_t length = wcslen(name);
    size_t stem = length;
    const wchar_t *requester = L"-requester";
    if (length >= wcslen(tail) && _wcsicmp(name + length - wcslen(tail), tail) == 0) {
        stem = length - wcslen(tail);
        requester = L"\\requester";
    }
    if (length == 0 || name[0] == L'\\' || stem + wcslen(requester) > PIPE_NAME_LIMIT ||
        length > PIPE_NAME_LIMIT) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (name[i] < L' ' || wcschr(L"/:*?\"<>|", name[i]) != NULL) {
            return false;
        }
    }
    swprintf(config->pipe_name, HANDOFF_PIPE_CHARS, L"%ls%ls", CONFIG_PIPE_PREFIX, name);
    swprintf(config->requester_pipe_name, HANDOFF_PIPE_CHARS, L"%ls%.*ls%ls", CONFIG_PIPE_PREFIX, (int)stem,
             name, requester);
    return true;
}

/* What another machine serves, or what depends on the current directory, is no place for a library that runs
 * as SYSTEM, or for a file that it writes. */
static bool is_local(const wchar_t *path)
{
    return wcslen(path) > 3 && iswalpha(path[0]) && path[1] == L':' && path[2] == L'\\';
}

bool config_set_library(struct service_config *config, const wchar_t *path)
{
    size_t length = wcslen(path);
    char utf8[sizeof config->vss_library_utf8];
    if (!is_local(path) || length >= HANDOFF_LIBRARY_CHARS || !text_to_utf8(path, utf8, sizeof utf8)) {
        return false;
    }
    wmemcpy(config->vss_library, path, length + 1);
    memcpy(config->vss_library_utf8, utf8, sizeof utf8);
    return true;
}

void config_init(struct service_config *config)
{
    memset(config, 0, sizeof *config);
    broker_config_init(&config->broker);
    config->broker.server_version = SHADOWPIPE_VERSION;
    config->broker.os_build = config->os_build;
    config->broker.vss_library = config->vss_library_utf8;
    config->broker.machine_name = config->machine_name;
    if (config->broker.max_connections > CONFIG_COUNTED_CONNECTIONS) {
        config->broker.max_connections = CONFIG_COUNTED_CONNECTIONS;
    }
    config->broker.warm_requesters = 1;
    config->log_level = BROKER_LOG_INFO;
    read_os_build(config->os_build, sizeof config->os_build);
    read_machine_name(config->machine_name, sizeof config->machine_name);
    config_set_pipe(config, CONFIG_DEFAULT_PIPE);
    wcscpy(config->access_sddl, ACCESS_DEFAULT_SDDL);
}

/* Policy first, then the product's own key. ERROR_FILE_NOT_FOUND: set in neither. */
static DWORD read_value(HKEY root, const wchar_t *name, DWORD type, void *value, DWORD size)
{
    static const wchar_t *const keys[] = {POLICY_KEY, PRODUCT_KEY};
    DWORD error = ERROR_FILE_NOT_FOUND;
    for (size_t i = 0; i < ARRAYSIZE(keys) && error == ERROR_FILE_NOT_FOUND; i++) {
        DWORD room = size;
        error = (DWORD)RegGetValueW(root, keys[i], name, type, NULL, value, &room);
    }
    return error;
}

static bool read_text(struct service_config *config, HKEY root, const wchar_t *name, wchar_t *text,
                      size_t chars)
{
    DWORD error = read_value(root, name, RRF_RT_REG_SZ, text, (DWORD)(chars * sizeof *text));
    char words[128];
    char name_utf8[64];
    if (error == ERROR_SUCCESS || error == ERROR_FILE_NOT_FOUND) {
        return error == ERROR_SUCCESS && text[0] != L'\0';
    }
    text_of_error(error, words, sizeof words);
    text_to_utf8(name, name_utf8, sizeof name_utf8);
    report(config, "%s cannot be read (%s), the default is used", name_utf8, words);
    return false;
}

/* The value, or `otherwise` when there is none that can be used. */
static DWORD read_number(struct service_config *config, HKEY root, const wchar_t *name, DWORD least,
                         DWORD most, DWORD otherwise)
{
    DWORD value = 0;
    DWORD error = read_value(root, name, RRF_RT_REG_DWORD, &value, sizeof value);
    char name_utf8[64];
    if (error == ERROR_FILE_NOT_FOUND) {
        return otherwise;
    }
    text_to_utf8(name, name_utf8, sizeof name_utf8);
    if (error != ERROR_SUCCESS) {
        report(config, "%s is no REG_DWORD, %lu is used", name_utf8, otherwise);
        return otherwise;
    }
    if (value < least || value > most) {
        report(config, "%s is %lu, not from %lu to %lu, %lu is used", name_utf8, value, least, most,
               otherwise);
        return otherwise;
    }
    return value;
}

static void read_texts(struct service_config *config, HKEY root)
{
    wchar_t text[ACCESS_SDDL_CHARS];
    char why[128];
    if (read_text(config, root, L"PipeName", text, ARRAYSIZE(text)) && !config_set_pipe(config, text)) {
        report(config, "PipeName is no name for a pipe, the default is used");
    }
    if (read_text(config, root, L"VssLibrary", text, ARRAYSIZE(text)) && !config_set_library(config, text)) {
        report(config, "VssLibrary is no absolute path on a local drive, the system's library is used");
    }
    if (read_text(config, root, L"MetricsFile", text, ARRAYSIZE(text))) {
        if (is_local(text) && wcslen(text) < METRICS_PATH_CHARS) {
            wcscpy(config->metrics_file, text);
        } else {
            report(config, "MetricsFile is no absolute path on a local drive, no metrics are written");
        }
    }
    if (read_text(config, root, L"Access", text, ARRAYSIZE(text))) {
        if (access_valid_sddl(text, why, sizeof why)) {
            wcscpy(config->access_sddl, text);
            config->access_configured = true;
        } else {
            report(config, "Access is not used: %s. The default is used", why);
        }
    }
}

/* VSS's own setting: a number that it would not take does not count there either. */
static void read_max_shadow_copies(struct service_config *config, HKEY root)
{
    DWORD value = 0;
    DWORD size = sizeof value;
    LSTATUS error = RegGetValueW(root, L"SYSTEM\\CurrentControlSet\\Services\\VSS\\Settings",
                                 L"MaxShadowCopies", RRF_RT_REG_DWORD, NULL, &value, &size);
    if (error == ERROR_SUCCESS && value >= 1 && value <= 512) {
        config->broker.max_client_accessible = value;
    }
}

void config_read_registry(struct service_config *config, HKEY root)
{
    read_texts(config, root);
    read_max_shadow_copies(config, root);
    for (size_t i = 0; i < ARRAYSIZE(numbers); i++) {
        const struct number *number = &numbers[i];
        uint32_t *value = (uint32_t *)(void *)((char *)&config->broker + number->offset);
        *value = read_number(config, root, number->name, number->least, number->most, *value);
    }
    config->log_level =
        read_number(config, root, L"LogLevel", BROKER_LOG_DEBUG, BROKER_LOG_ERROR, config->log_level);
}
