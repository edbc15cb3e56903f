#include "accidents.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <vsserror.h>
#include <wchar.h>

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

struct oldest {
    const wchar_t *volume;
    unsigned long count;
    struct copy_info first;
};

static BOOL visit_oldest(const struct copy_info *info, void *context)
{
    struct oldest *oldest = context;
    if (_wcsicmp(info->volume, oldest->volume) == 0 && oldest->count++ == 0)
        oldest->first = *info;
    return TRUE;
}

static HRESULT make_room(const struct volume *volume, unsigned long room)
{
    if (room == 0)
        return VSS_E_INSUFFICIENT_STORAGE;
    for (;;) {
        struct oldest oldest = {.volume = volume->name};
        copies_visit(visit_oldest, &oldest);
        if (oldest.count < room)
            return S_OK;
        store_log(0, L"scenario", L"no room for copy %u any more", oldest.first.number);
        copies_delete(&oldest.first, 1);
    }
}

HRESULT storage_make_room(const struct scenario *scenario, const struct volume *volumes, unsigned count)
{
    unsigned long room = scenario_number(scenario, L"volumes", L"storage_copies", MAXDWORD);
    HRESULT hr = S_OK;
    for (unsigned i = 0; i < count && room != MAXDWORD && SUCCEEDED(hr); i++)
        hr = make_room(&volumes[i], room);
    return hr;
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
    if (GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, (LPCWSTR)(void *)&copies_provider,
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
