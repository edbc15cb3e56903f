// A backup by burp's own VSS client: takes a snapshot of the drives, copies a folder from it, ends the
// backup. usage: burp_vss DRIVES FOLDER TO
#include "burp.h"
#include "vss.h"

#include <string>

// A volume's own name is a mount point of it on Windows, which Wine 8 does not know.
static BOOL WINAPI volume_name(LPCWSTR mount_point, LPWSTR name, DWORD room)
{
    if (wcsncmp(mount_point, L"\\\\?\\Volume{", 11) != 0)
        return GetVolumeNameForVolumeMountPointW(mount_point, name, room);
    wcsncpy(name, mount_point, room);
    return TRUE;
}

get_volume_path_name p_GetVolumePathNameW = GetVolumePathNameW;
get_volume_name p_GetVolumeNameForVolumeMountPointW = volume_name;
DWORD g_MajorVersion = 10, g_MinorVersion = 0;

int logw(struct asfd *, struct cntr *, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    return 0;
}

int wchar_2_UTF8(char *utf8, const WCHAR *wide, int room)
{
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, utf8, room, nullptr, nullptr);
}

static bool copy(const std::wstring &from, const std::wstring &to)
{
    WIN32_FIND_DATAW found;
    if (!CreateDirectoryW(to.c_str(), nullptr))
        return false;
    HANDLE search = FindFirstFileW((from + L"\\*").c_str(), &found);
    bool ok = search != INVALID_HANDLE_VALUE;
    while (ok) {
        std::wstring name = found.cFileName, source = from + L"\\" + name, target = to + L"\\" + name;
        if (!(found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY))
            ok = CopyFileW(source.c_str(), target.c_str(), TRUE);
        else if (name != L"." && name != L"..")
            ok = copy(source, target);
        if (ok && !FindNextFileW(search, &found))
            break;
    }
    if (search != INVALID_HANDLE_VALUE)
        FindClose(search);
    return ok;
}

static int fail(const char *what)
{
    fprintf(stderr, "%s failed\n", what);
    return 1;
}

static int writers(const char *when)
{
    int bad = 0;
    for (size_t i = 0; i < g_pVSSClient->GetWriterCount(); i++) {
        printf("%s: %s\n", when, g_pVSSClient->GetWriterInfo((int)i));
        bad += g_pVSSClient->GetWriterState((int)i) < 1;
    }
    return bad;
}

static int backup(char *drives, const wchar_t *folder, const wchar_t *to)
{
    wchar_t shadow[1024];
    if (!g_pVSSClient->CreateSnapshots(drives))
        return fail("CreateSnapshots");
    for (const char *drive = drives; *drive; drive++)
        if (islower(*drive)) /* so it says which one has none */
            fprintf(stderr, "no snapshot of drive %c\n", *drive);
    int result = writers("prepared") ? fail("a writer") : 0;
    if (!g_pVSSClient->GetShadowPathW(folder, shadow, ARRAYSIZE(shadow)))
        result = fail("GetShadowPath");
    else if (!copy(shadow, to))
        result = fail("copying");
    return g_pVSSClient->CloseBackup() && !writers("completed") ? result : fail("CloseBackup");
}

extern "C" int wmain(int argc, wchar_t **argv)
{
    char drives[27];
    if (argc != 4)
        return 2;
    WideCharToMultiByte(CP_ACP, 0, argv[1], -1, drives, sizeof drives, nullptr, nullptr);
    if (VSSInit() != 0)
        return fail("VSSInit");
    if (!g_pVSSClient->InitializeForBackup(nullptr, nullptr))
        return fail("InitializeForBackup");
    return backup(drives, argv[2], argv[3]);
}
