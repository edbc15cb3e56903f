#include "volumes.h"
#include "unix.h"

#include <stdlib.h>
#include <string.h>
#include <vss.h>
#include <wchar.h>

#define GUID_PATH_CHARS 49 /* the volume name with its braces and backslashes */

/* Fills in the shortest mount point. FALSE: there is no such volume. */
static BOOL find_root(struct volume *volume)
{
    wchar_t paths[4 * MAX_PATH];
    DWORD n = 0;
    if (!GetVolumePathNamesForVolumeNameW(volume->name, paths, ARRAYSIZE(paths), &n))
        return FALSE;
    size_t best = 0;
    for (const wchar_t *path = paths; *path; path += wcslen(path) + 1)
        if (wcslen(path) < ARRAYSIZE(volume->root) && (best == 0 || wcslen(path) < best)) {
            wcscpy(volume->root, path);
            best = wcslen(path);
        }
    /* A volume without a mount point has no path that opens under Wine; on Windows its own name is one. */
    if (best == 0)
        wcscpy(volume->root, volume->name);
    return TRUE;
}

/* Windows takes a volume's own name for a mount point, Wine does not. */
static BOOL find_name(const wchar_t *name, struct volume *volume)
{
    static const wchar_t prefix[] = L"\\\\?\\Volume{";
    if (GetVolumeNameForVolumeMountPointW(name, volume->name, ARRAYSIZE(volume->name)))
        return TRUE;
    if (_wcsnicmp(name, prefix, ARRAYSIZE(prefix) - 1) != 0 || wcslen(name) >= ARRAYSIZE(volume->name))
        return FALSE;
    wcscpy(volume->name, name);
    return TRUE;
}

HRESULT volume_find(const wchar_t *name, struct volume *volume)
{
    size_t n = wcslen(name);
    memset(volume, 0, sizeof *volume);
    if (n < 3 || n >= MAX_PATH || name[n - 1] != L'\\' || !find_name(name, volume) || !find_root(volume))
        return VSS_E_OBJECT_NOT_FOUND;
    _wcslwr(volume->name);
    volume->name[4] = L'V';
    /* Wine answers for every letter that its mount manager remembers, also when nothing is behind it any
     * more. */
    return GetFileAttributesW(volume->root) == INVALID_FILE_ATTRIBUTES ? VSS_E_OBJECT_NOT_FOUND : S_OK;
}

BOOL volume_is_supported(const struct scenario *scenario, const struct volume *volume)
{
    UINT type = GetDriveTypeW(volume->root);
    if (type != DRIVE_FIXED && type != DRIVE_REMOVABLE)
        return FALSE;
    char *directory = unix_name(volume->root);
    BOOL whole = directory && strcmp(directory, "/") == 0;
    unix_name_free(directory);
    const wchar_t *excluded = scenario_string(scenario, L"volumes", L"unsupported", L"");
    return !whole && !scenario_lists(excluded, volume->root) && !scenario_lists(excluded, volume->name);
}
