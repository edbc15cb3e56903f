#include "reverting.h"
#include "copying.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <vsserror.h>
#include <wchar.h>

#define GUID_CHARS  38
#define GUID_OFFSET 10 /* in \\?\Volume{guid}\ */

static void record_path(wchar_t *path, const struct volume *volume)
{
    wchar_t name[80];
    swprintf(name, ARRAYSIZE(name), L"reverts\\%.*ls.txt", GUID_CHARS, volume->name + GUID_OFFSET);
    store_path(path, name);
}

unsigned long long reverting_until(const struct volume *volume)
{
    wchar_t path[STORE_PATH_CHARS];
    record_path(path, volume);
    store_lock();
    wchar_t *text = store_read(path);
    unsigned long long until = record_number(text, L"until");
    if (text && store_now_ms() >= until) {
        DeleteFileW(path);
        store_log(0, L"revert", L"ended\t%ls", volume->name);
        until = 0;
    }
    free(text);
    store_unlock();
    return until;
}

static BOOL write_record(const struct volume *volume, const struct copy_info *info, unsigned long ms)
{
    wchar_t path[STORE_PATH_CHARS], text[100];
    record_path(path, volume);
    swprintf(text, ARRAYSIZE(text), L"copy=%u\nuntil=%llu\n", info->number, store_now_ms() + ms);
    return SUCCEEDED(store_write(path, text));
}

HRESULT reverting_begin(const struct scenario *scenario, const struct volume *volume,
                        const struct copy_info *info, BOOL force)
{
    const wchar_t *busy = scenario_string(scenario, L"volumes", L"busy", L"");
    if (!force && (scenario_lists(busy, volume->root) || scenario_lists(busy, volume->name)))
        return VSS_E_VOLUME_IN_USE;
    if (GetFileAttributesW(info->device + 4) == INVALID_FILE_ATTRIBUTES)
        return E_FAIL; /* before anything is lost */
    store_lock();
    HRESULT hr = reverting_until(volume) ? VSS_E_REVERT_IN_PROGRESS : S_OK;
    if (SUCCEEDED(hr) && !write_record(volume, info, scenario_number(scenario, L"machine", L"revert_ms", 0)))
        hr = E_FAIL;
    store_unlock();
    if (FAILED(hr))
        return hr;
    store_log(0, L"revert", L"begun\t%ls\tto copy %u", volume->name, info->number);
    if (copying_restore(info->device + 4, volume->root, info->number))
        return S_OK;
    wchar_t path[STORE_PATH_CHARS];
    record_path(path, volume);
    DeleteFileW(path);
    return E_FAIL;
}
