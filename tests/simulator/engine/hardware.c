#include "hardware.h"
#include "exposing.h"
#include "providers.h"
#include "store.h"

#include <objbase.h>
#include <stdio.h>
#include <stdlib.h>
#include <vsserror.h>
#include <wchar.h>

static BOOL array_path(const struct scenario *scenario, const GUID *id, const wchar_t *ending,
                       wchar_t path[STORE_PATH_CHARS])
{
    wchar_t array[STORE_PATH_CHARS], name[40];
    const wchar_t *shared = scenario_string(scenario, L"machine", L"hardware_array", NULL);
    if (shared)
        swprintf(array, ARRAYSIZE(array), L"%.*ls", STORE_PATH_CHARS - 60, shared);
    else
        store_path(array, L"array");
    StringFromGUID2(id, name, ARRAYSIZE(name));
    (void)CreateDirectoryW(array, NULL);
    return swprintf(path, STORE_PATH_CHARS, L"%ls\\%ls%ls", array, name, ending) > 0;
}

static BOOL export_one(const struct scenario *scenario, struct copy_info *info)
{
    wchar_t files[STORE_PATH_CHARS], to[STORE_PATH_CHARS], record[STORE_PATH_CHARS];
    copies_directory(files, info->number);
    if (!array_path(scenario, &info->id, L"", to) || !array_path(scenario, &info->id, L".txt", record) ||
        !MoveFileExW(files, to, 0))
        return FALSE;
    if (SUCCEEDED(copies_write(info, record)))
        return TRUE;
    (void)MoveFileExW(to, files, 0);
    return FALSE;
}

static void take_back(const struct scenario *scenario, const struct copy_info *info)
{
    wchar_t files[STORE_PATH_CHARS], to[STORE_PATH_CHARS], record[STORE_PATH_CHARS];
    copies_directory(files, info->number);
    if (array_path(scenario, &info->id, L"", to))
        (void)MoveFileExW(to, files, 0);
    if (array_path(scenario, &info->id, L".txt", record))
        DeleteFileW(record);
}

HRESULT hardware_export(const struct scenario *scenario, struct copy_info *infos, unsigned count)
{
    unsigned done = 0;
    while (done < count && export_one(scenario, &infos[done]))
        done++;
    if (done < count) {
        while (done > 0)
            take_back(scenario, &infos[--done]);
        store_log(0, L"copy", L"failed\tthe array cannot be written to");
        return VSS_E_UNEXPECTED_PROVIDER_ERROR;
    }
    for (unsigned i = 0; i < count; i++) {
        store_log(infos[i].object, L"copy", L"exported\t%u\t%ls", infos[i].number, infos[i].volume);
        copies_forget(&infos[i]);
        infos[i].number = 0;
    }
    return S_OK;
}

BOOL hardware_import(const struct scenario *scenario, const GUID *id, unsigned object)
{
    wchar_t files[STORE_PATH_CHARS], record[STORE_PATH_CHARS];
    struct copy_info info;
    if (!array_path(scenario, id, L"", files) || !array_path(scenario, id, L".txt", record) ||
        !copies_read(record, &info))
        return FALSE;
    info.object = object;
    info.attributes |= VSS_VOLSNAP_ATTR_IMPORTED;
    if (!copies_adopt(&info, files))
        return FALSE;
    DeleteFileW(record);
    store_log(object, L"copy", L"imported\t%u\t%ls", info.number, info.volume);
    return TRUE;
}

static HRESULT break_one(const struct copy_info *info, BOOL masked)
{
    wchar_t files[STORE_PATH_CHARS], to[STORE_PATH_CHARS], name[40], exposed[MAX_PATH];
    BOOL local = info->exposed[0] && !(info->attributes & VSS_VOLSNAP_ATTR_EXPOSED_REMOTELY);
    swprintf(name, ARRAYSIZE(name), L"broken\\%u", info->number);
    store_path(to, name);
    copies_directory(files, info->number);
    if (local)
        exposing_end(info->exposed, info->number);
    if (!MoveFileExW(files, to, 0))
        return VSS_E_UNEXPECTED;
    copies_forget(info);
    store_log(0, L"copy", L"broken\t%u\t%ls\t%ls", info->number, info->volume, to);
    return local && !masked ? exposing_begin(info->exposed, to, info->number, exposed) : S_OK;
}

HRESULT hardware_break(const struct copy_info *infos, unsigned count, BOOL masked)
{
    HRESULT hr = S_OK;
    for (unsigned i = 0; i < count && SUCCEEDED(hr); i++)
        hr = break_one(&infos[i], masked);
    return hr;
}
