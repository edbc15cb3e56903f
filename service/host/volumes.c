#include "service/host/volumes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include "service/host/text.h"

enum {
    GUID_PATH_CHARS = 64,
    MOUNT_POINTS_FIRST_CHARS = 512
};

static char *utf8_copy(const wchar_t *wide)
{
    int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *copy = size > 0 ? malloc((size_t)size) : NULL;
    if (copy != NULL) {
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, copy, size, NULL, NULL);
    }
    return copy;
}

static void fail(struct volume_list *list, const char *method, DWORD error)
{
    char words[192];
    text_of_error(error, words, sizeof words);
    snprintf(list->failure, sizeof list->failure, "%s failed: %s (%lu)", method, words, error);
}

static void fail_memory(struct volume_list *list)
{
    fail(list, "malloc", ERROR_NOT_ENOUGH_MEMORY);
}

static struct host_volume *add_volume(struct volume_list *list, const wchar_t *guid_path)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? list->capacity * 2 : 16;
        struct host_volume *volumes = realloc(list->volumes, capacity * sizeof *volumes);
        if (volumes == NULL) {
            fail_memory(list);
            return NULL;
        }
        list->volumes = volumes;
        list->capacity = capacity;
    }
    struct host_volume *volume = &list->volumes[list->count];
    memset(volume, 0, sizeof *volume);
    volume->guid_path = utf8_copy(guid_path);
    if (volume->guid_path == NULL) {
        fail_memory(list);
        return NULL;
    }
    list->count++;
    return volume;
}

static bool add_name(struct volume_list *list, struct host_volume *volume, const wchar_t *name)
{
    const char **names = realloc((void *)volume->names, (volume->names_count + 1) * sizeof *names);
    if (names != NULL) {
        volume->names = names;
        names[volume->names_count] = utf8_copy(name);
        if (names[volume->names_count] != NULL) {
            volume->names_count++;
            return true;
        }
    }
    fail_memory(list);
    return false;
}

/* The volume's mount points as a list of strings that an empty one ends; for free(). */
static wchar_t *mount_points(const wchar_t *guid_path, DWORD *error)
{
    DWORD chars = MOUNT_POINTS_FIRST_CHARS;
    for (;;) {
        DWORD needed = 0;
        wchar_t *names = malloc(chars * sizeof *names);
        if (names == NULL) {
            *error = ERROR_NOT_ENOUGH_MEMORY;
            return NULL;
        }
        if (GetVolumePathNamesForVolumeNameW(guid_path, names, chars, &needed)) {
            return names;
        }
        *error = GetLastError();
        free(names);
        if (*error != ERROR_MORE_DATA || needed <= chars) {
            return NULL;
        }
        chars = needed;
    }
}

static void add_names(struct volume_list *list, struct host_volume *volume, const wchar_t *guid_path)
{
    DWORD error = ERROR_SUCCESS;
    wchar_t *names = mount_points(guid_path, &error);
    if (names == NULL) {
        /* A volume that went away meanwhile, or that has no mount manager record: it stays without names. */
        if (error == ERROR_NOT_ENOUGH_MEMORY) {
            fail_memory(list);
        }
        return;
    }
    for (const wchar_t *name = names; *name != L'\0'; name += wcslen(name) + 1) {
        if (volume->drive_type == DRIVE_UNKNOWN) {
            volume->drive_type = GetDriveTypeW(name); /* Wine does not know it by the volume's own name */
        }
        if (!add_name(list, volume, name)) {
            break;
        }
    }
    free(names);
}

/* What can be said about it; an empty drive answers nothing of this. */
static void describe(struct volume_list *list, struct host_volume *volume, const wchar_t *root)
{
    wchar_t label[MAX_PATH + 1];
    wchar_t file_system[MAX_PATH + 1];
    ULARGE_INTEGER total;
    ULARGE_INTEGER free_bytes;
    if (GetVolumeInformationW(root, label, ARRAYSIZE(label), NULL, NULL, NULL, file_system,
                              ARRAYSIZE(file_system))) {
        volume->label = utf8_copy(label);
        volume->file_system = utf8_copy(file_system);
        if (volume->label == NULL || volume->file_system == NULL) {
            fail_memory(list);
        }
    }
    if (GetDiskFreeSpaceExW(root, NULL, &total, &free_bytes)) {
        volume->total_bytes = total.QuadPart;
        volume->free_bytes = free_bytes.QuadPart;
    }
}

static void enumerate_by_guid(struct volume_list *list, bool described)
{
    wchar_t guid_path[GUID_PATH_CHARS];
    HANDLE search = FindFirstVolumeW(guid_path, ARRAYSIZE(guid_path));
    if (search == INVALID_HANDLE_VALUE) {
        DWORD error = GetLastError();
        if (error != ERROR_NO_MORE_FILES) {
            fail(list, "FindFirstVolume", error);
        }
        return;
    }
    do {
        struct host_volume *volume = add_volume(list, guid_path);
        if (volume != NULL) {
            add_names(list, volume, guid_path);
            if (volume->drive_type == DRIVE_UNKNOWN) {
                volume->drive_type = GetDriveTypeW(guid_path);
            }
            if (described) {
                describe(list, volume, guid_path);
            }
        }
    } while (list->failure[0] == '\0' && FindNextVolumeW(search, guid_path, ARRAYSIZE(guid_path)));
    DWORD error = GetLastError();
    if (list->failure[0] == '\0' && error != ERROR_NO_MORE_FILES) {
        fail(list, "FindNextVolume", error);
    }
    FindVolumeClose(search);
}

static struct host_volume *find_volume(const struct volume_list *list, const char *guid_path)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->volumes[i].guid_path, guid_path) == 0) {
            return &list->volumes[i];
        }
    }
    return NULL;
}

static bool has_name(const struct host_volume *volume, const char *name)
{
    for (size_t i = 0; i < volume->names_count; i++) {
        if (_stricmp(volume->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_known(const struct volume_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (has_name(&list->volumes[i], name)) {
            return true;
        }
    }
    return false;
}

/* A letter that the enumeration did not give (seen with letters that came after the mount manager started).
 */
static void add_letter(struct volume_list *list, const wchar_t *root, bool described)
{
    wchar_t guid_path[GUID_PATH_CHARS];
    char guid_utf8[4 * GUID_PATH_CHARS];
    char root_utf8[16];
    if (!text_to_utf8(root, root_utf8, sizeof root_utf8) || is_known(list, root_utf8)) {
        return;
    }
    if (!GetVolumeNameForVolumeMountPointW(root, guid_path, ARRAYSIZE(guid_path)) ||
        !text_to_utf8(guid_path, guid_utf8, sizeof guid_utf8)) {
        return; /* a network or substituted letter: no volume */
    }
    struct host_volume *volume = find_volume(list, guid_utf8);
    if (volume == NULL) {
        volume = add_volume(list, guid_path);
        if (volume == NULL) {
            return;
        }
        volume->drive_type = GetDriveTypeW(root);
        if (described) {
            describe(list, volume, root);
        }
    }
    add_name(list, volume, root);
}

static void add_letters(struct volume_list *list, bool described)
{
    DWORD letters = GetLogicalDrives();
    for (wchar_t letter = L'A'; letter <= L'Z' && list->failure[0] == '\0'; letter++) {
        if (letters & 1U << (letter - L'A')) {
            wchar_t root[] = {letter, L':', L'\\', L'\0'};
            add_letter(list, root, described);
        }
    }
}

void host_volumes_enumerate(struct volume_list *list, bool described)
{
    memset(list, 0, sizeof *list);
    enumerate_by_guid(list, described);
    if (list->failure[0] == '\0') {
        add_letters(list, described);
    }
}

void host_volumes_free(struct volume_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct host_volume *volume = &list->volumes[i];
        for (size_t k = 0; k < volume->names_count; k++) {
            free((void *)volume->names[k]);
        }
        free((void *)volume->names);
        free((void *)volume->guid_path);
        free((void *)volume->label);
        free((void *)volume->file_system);
    }
    free(list->volumes);
    memset(list, 0, sizeof *list);
}
