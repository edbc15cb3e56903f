#include "copies.h"
#include "copying.h"
#include "store.h"

#include <objbase.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

const GUID copies_provider = {0xb5946137, 0x7b9f, 0x4925, {0xaf, 0x80, 0x51, 0xab, 0xd6, 0x0b, 0x20, 0xd5}};

static void record_path(wchar_t *path, unsigned number)
{
    wchar_t name[40];
    swprintf(name, ARRAYSIZE(name), L"copies\\%u.txt", number);
    store_path(path, name);
}

static void files_path(wchar_t *path, unsigned number)
{
    wchar_t name[40];
    swprintf(name, ARRAYSIZE(name), L"copies\\%u", number);
    store_path(path, name);
}

static HRESULT write_record(const struct copy_info *info)
{
    wchar_t path[STORE_PATH_CHARS], text[600], id[40], set[40];
    record_path(path, info->number);
    StringFromGUID2(&info->id, id, ARRAYSIZE(id));
    StringFromGUID2(&info->set, set, ARRAYSIZE(set));
    swprintf(text, ARRAYSIZE(text),
             L"id=%ls\nset=%ls\nobject=%u\nset_size=%ld\nattributes=0x%08lx\ncreated=%lld\nvolume=%ls\n"
             L"release_at=%llu\n",
             id, set, info->object, info->set_size, info->attributes, info->created, info->volume,
             info->release_at);
    return store_write(path, text);
}

static BOOL read_record(unsigned number, struct copy_info *info)
{
    wchar_t path[STORE_PATH_CHARS], value[64];
    *info = (struct copy_info){.number = number};
    record_path(path, number);
    wchar_t *text = store_read(path);
    if (!text)
        return FALSE;
    BOOL ok =
        record_get(text, L"id", value, ARRAYSIZE(value)) && SUCCEEDED(CLSIDFromString(value, &info->id)) &&
        record_get(text, L"set", value, ARRAYSIZE(value)) && SUCCEEDED(CLSIDFromString(value, &info->set)) &&
        record_get(text, L"volume", info->volume, ARRAYSIZE(info->volume));
    info->object = (unsigned)record_number(text, L"object");
    info->set_size = (LONG)record_number(text, L"set_size");
    info->attributes = (LONG)record_number(text, L"attributes");
    info->created = (LONGLONG)record_number(text, L"created");
    info->release_at = record_number(text, L"release_at");
    free(text);
    files_path(path, number);
    swprintf(info->device, ARRAYSIZE(info->device), L"\\\\?\\%ls", path);
    return ok;
}

static void forget(const struct copy_info *infos, unsigned count)
{
    wchar_t path[STORE_PATH_CHARS];
    for (unsigned i = 0; i < count; i++) {
        record_path(path, infos[i].number);
        DeleteFileW(path);
        files_path(path, infos[i].number);
        copying_remove(path, infos[i].number);
    }
}

HRESULT copies_make(const struct volume *volumes, struct copy_info *infos, unsigned count, HANDLE cancel)
{
    struct copying_pair *pairs = calloc(count + 1, sizeof *pairs);
    HRESULT hr = pairs ? S_OK : E_OUTOFMEMORY;
    FILETIME now;
    unsigned numbered = 0;
    GetSystemTimeAsFileTime(&now);
    for (; numbered < count && SUCCEEDED(hr); numbered++) {
        struct copy_info *info = &infos[numbered];
        info->number = store_next_number(L"copies");
        info->created = (LONGLONG)(((unsigned long long)now.dwHighDateTime << 32) | now.dwLowDateTime);
        wcscpy(info->volume, volumes[numbered].name);
        wcscpy(pairs[numbered].from, volumes[numbered].root);
        files_path(pairs[numbered].to, info->number);
        if (info->number == 0 || !CreateDirectoryW(pairs[numbered].to, NULL))
            hr = VSS_E_UNEXPECTED_PROVIDER_ERROR;
    }
    if (hr == S_OK && count)
        hr = copying_run(pairs, count, infos[0].number, cancel);
    if (hr == S_OK) {
        store_lock();
        for (unsigned i = 0; i < count && SUCCEEDED(hr); i++) {
            hr = write_record(&infos[i]);
            store_log(infos[i].object, L"copy", L"created\t%u\t%ls", infos[i].number, infos[i].volume);
        }
        store_unlock();
    }
    if (hr != S_OK)
        forget(infos, numbered);
    free(pairs);
    return hr;
}

static int by_number(const void *a, const void *b)
{
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

/* Numbers first, files later: deleting while a search is open would disturb it. */
static unsigned *list_numbers(size_t *count)
{
    wchar_t pattern[STORE_PATH_CHARS];
    WIN32_FIND_DATAW found;
    unsigned *numbers = NULL;
    size_t room = 0;
    *count = 0;
    store_path(pattern, L"copies\\*.txt");
    HANDLE search = FindFirstFileW(pattern, &found);
    if (search == INVALID_HANDLE_VALUE)
        return NULL;
    do {
        if (*count == room) {
            room = room ? room * 2 : 16;
            unsigned *more = realloc(numbers, room * sizeof *numbers);
            if (!more)
                break;
            numbers = more;
        }
        numbers[(*count)++] = (unsigned)wcstoul(found.cFileName, NULL, 10);
    } while (FindNextFileW(search, &found));
    FindClose(search);
    qsort(numbers, *count, sizeof *numbers, by_number);
    return numbers;
}

void copies_visit(BOOL (*visit)(const struct copy_info *info, void *context), void *context)
{
    size_t count;
    store_lock();
    unsigned *numbers = list_numbers(&count);
    for (size_t i = 0; i < count; i++) {
        struct copy_info info;
        if (read_record(numbers[i], &info) && !visit(&info, context))
            break;
    }
    free(numbers);
    store_unlock();
}

struct find {
    const GUID *id;
    struct copy_info *info;
    BOOL found;
};

static BOOL visit_find(const struct copy_info *info, void *context)
{
    struct find *find = context;
    if (!IsEqualGUID(&info->id, find->id))
        return TRUE;
    *find->info = *info;
    find->found = TRUE;
    return FALSE;
}

HRESULT copies_find(const GUID *id, struct copy_info *info)
{
    struct find find = {id, info, FALSE};
    copies_visit(visit_find, &find);
    return find.found ? S_OK : VSS_E_OBJECT_NOT_FOUND;
}

HRESULT copies_delete(const struct copy_info *info)
{
    store_log(info->object, L"copy", L"deleted\t%u\t%ls", info->number, info->volume);
    forget(info, 1);
    return S_OK;
}

struct release {
    unsigned object;
    unsigned long delay_ms;
};

static BOOL visit_release(const struct copy_info *info, void *context)
{
    const struct release *release = context;
    if (info->object != release->object || info->attributes & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE)
        return TRUE;
    if (release->delay_ms == 0) {
        copies_delete(info);
    } else {
        struct copy_info changed = *info;
        changed.release_at = store_now_ms() + release->delay_ms;
        if (FAILED(write_record(&changed)))
            store_log(info->object, L"store", L"the record of copy %u cannot be kept", info->number);
    }
    return TRUE;
}

void copies_release(unsigned object, unsigned long delay_ms)
{
    struct release release = {object, delay_ms};
    copies_visit(visit_release, &release);
}

static BOOL visit_sweep(const struct copy_info *info, void *context)
{
    (void)context;
    if (info->release_at && store_now_ms() >= info->release_at)
        copies_delete(info);
    return TRUE;
}

void copies_sweep(void)
{
    copies_visit(visit_sweep, NULL);
}
