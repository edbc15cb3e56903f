#include "service/host/eventlog.h"

#include <stdio.h>

#include "events.h"
#include "service/host/log.h"
#include "service/host/loop.h"
#include "service/host/text.h"

#define SOURCE_NAME L"Shadowpipe"
#define SOURCE_KEY  L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\" SOURCE_NAME

enum {
    KINDS = 16
}; /* by the low bits of the id: few ids exist */

static HANDLE source;
static struct eventlog_budget budgets[KINDS];

void eventlog_open(void)
{
    source = RegisterEventSourceW(NULL, SOURCE_NAME);
}

void eventlog_close(void)
{
    if (source != NULL) {
        DeregisterEventSource(source);
        source = NULL;
    }
}

BOOL eventlog_allow(struct eventlog_budget *budget, ULONGLONG now_ms, unsigned *suppressed)
{
    if (budget->refilled_ms == 0) {
        budget->tokens = EVENTLOG_BURST;
        budget->refilled_ms = now_ms;
    }
    ULONGLONG refill = (now_ms - budget->refilled_ms) / EVENTLOG_REFILL_MS;
    if (refill > 0) {
        budget->refilled_ms += refill * EVENTLOG_REFILL_MS;
        ULONGLONG tokens = budget->tokens + refill;
        budget->tokens = tokens < EVENTLOG_BURST ? (unsigned)tokens : EVENTLOG_BURST;
    }
    *suppressed = budget->suppressed;
    if (budget->tokens == 0) {
        budget->suppressed++;
        return FALSE;
    }
    budget->tokens--;
    budget->suppressed = 0;
    return TRUE;
}

static WORD event_type(enum broker_log_level level)
{
    switch (level) {
    case BROKER_LOG_ERROR:
        return EVENTLOG_ERROR_TYPE;
    case BROKER_LOG_WARNING:
        return EVENTLOG_WARNING_TYPE;
    default:
        return EVENTLOG_INFORMATION_TYPE;
    }
}

void eventlog_write(DWORD event_id, enum broker_log_level level, const char *text)
{
    if (event_id == 0) {
        event_id = level == BROKER_LOG_ERROR ? EVENT_ERROR : EVENT_WARNING;
    }
    unsigned suppressed = 0;
    if (source == NULL || !eventlog_allow(&budgets[event_id % KINDS], loop_now_ms(), &suppressed)) {
        return;
    }
    char whole[LOG_TEXT_BYTES + 64];
    if (suppressed > 0) {
        snprintf(whole, sizeof whole, "%s (%u entries of this kind were left out before)", text, suppressed);
        text = whole;
    }
    wchar_t wide[LOG_TEXT_BYTES + 64];
    if (!text_wide_of(text, wide, ARRAYSIZE(wide))) {
        return;
    }
    LPCWSTR strings[] = {wide};
    ReportEventW(source, event_type(level), 0, event_id, NULL, 1, 0, strings, NULL);
}

DWORD eventlog_register(const wchar_t *message_file)
{
    HKEY key;
    DWORD error =
        (DWORD)RegCreateKeyExW(HKEY_LOCAL_MACHINE, SOURCE_KEY, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL);
    if (error != ERROR_SUCCESS) {
        return error;
    }
    DWORD size = (DWORD)((wcslen(message_file) + 1) * sizeof *message_file);
    DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    error =
        (DWORD)RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ, (const BYTE *)message_file, size);
    if (error == ERROR_SUCCESS) {
        error =
            (DWORD)RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types, sizeof types);
    }
    RegCloseKey(key);
    return error;
}

DWORD eventlog_unregister(void)
{
    DWORD error = (DWORD)RegDeleteKeyW(HKEY_LOCAL_MACHINE, SOURCE_KEY);
    return error == ERROR_FILE_NOT_FOUND ? ERROR_SUCCESS : error;
}
