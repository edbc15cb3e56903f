#include "accidents.h"
#include "providers.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <vsserror.h>
#include <wchar.h>

#define HOLD_POLL_MS 10

void accidents_exit(unsigned object, const wchar_t *where)
{
    store_log(object, L"scenario", L"exit in %ls", where);
    TerminateProcess(GetCurrentProcess(), 3);
}

void accidents_hold(const struct fault *fault, unsigned object, const wchar_t *method)
{
    if (!fault->hold)
        return;
    store_log(object, L"scenario", L"held in %ls", method);
    while (GetFileAttributesW(fault->hold) != INVALID_FILE_ATTRIBUTES)
        Sleep(HOLD_POLL_MS);
}

HRESULT accidents_enter(const struct scenario *scenario, unsigned object, const wchar_t *method,
                        struct fault *fault)
{
    *fault = scenario_fault(scenario, method);
    unsigned long delay = fault->delay_ms;
    if (delay)
        store_log(object, L"scenario", L"delay in %ls", method);
    else
        delay = scenario_number(scenario, L"timing", L"sync", 0);
    /* Not session_pause(): only an operation resets that event, and a call made after a cancelled one would
     * not pause at all. */
    if (delay)
        Sleep(delay);
    accidents_hold(fault, object, method);
    if (fault->exit == FAULT_EXIT_CALL)
        accidents_exit(object, method);
    return fault->result;
}

BOOL foreign_holds_set(const struct scenario *scenario)
{
    unsigned long long hold = scenario_number(scenario, L"machine", L"foreign_hold_ms", 0);
    unsigned long long now = store_now_ms(), stamp = scenario_stamp(scenario);
    wchar_t path[STORE_PATH_CHARS], text[80];
    if (!hold)
        return FALSE;
    store_path(path, L"foreign.txt");
    store_lock();
    wchar_t *record = store_read(path);
    unsigned long long since = record_number(record, L"since");
    if (record_number(record, L"scenario") != stamp) {
        since = now;
        swprintf(text, ARRAYSIZE(text), L"scenario=%llu\nsince=%llu\n", stamp, since);
        if (FAILED(store_write(path, text)))
            store_log(0, L"store", L"the foreign requester's record cannot be kept");
        store_log(0, L"scenario", L"a foreign requester has a set open");
    }
    free(record);
    store_unlock();
    return now - since < hold;
}

struct vanishing {
    HMODULE module;
    unsigned long ms;
};

static DWORD WINAPI vanish(void *parameter)
{
    struct vanishing vanishing = *(struct vanishing *)parameter;
    free(parameter);
    Sleep(vanishing.ms + 20);
    copies_sweep();
    FreeLibraryAndExitThread(vanishing.module, 0);
}

/* The record says when; the thread only looks, and so does every other call of the simulator. */
void copies_vanish_later(const struct scenario *scenario, struct copy_info *infos, unsigned count)
{
    unsigned long ms = scenario_number(scenario, L"volumes", L"vanish_ms", 0);
    struct vanishing *vanishing = ms && count ? calloc(1, sizeof *vanishing) : NULL;
    if (!vanishing)
        return;
    for (unsigned i = 0; i < count; i++) {
        infos[i].release_at = store_now_ms() + ms;
        if (FAILED(copies_change(&infos[i])))
            store_log(0, L"store", L"the record of copy %u cannot be kept", infos[i].number);
    }
    vanishing->ms = ms;
    HANDLE thread = NULL;
    if (GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (LPCWSTR)(void *)&providers_system,
                           &vanishing->module))
        thread = CreateThread(NULL, 0, vanish, vanishing, 0, NULL);
    if (thread) {
        CloseHandle(thread);
        return;
    }
    if (vanishing->module)
        FreeLibrary(vanishing->module);
    free(vanishing);
}
