#include "copies.h"
#include "copying.h"
#include "exposing.h"
#include "store.h"

#include <objbase.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

/* The ending of its record says whether a copy exists, or is still being made. */
#define LIVE   L"txt"
#define MAKING L"making"

static void record_path(wchar_t *path, unsigned number, const wchar_t *ending)
{
    wchar_t name[40];
    swprintf(name, ARRAYSIZE(name), L"copies\\%u.%ls", number, ending);
    store_path(path, name);
}

void copies_directory(wchar_t *path, unsigned number)
{
    wchar_t name[40];
    swprintf(name, ARRAYSIZE(name), L"copies\\%u", number);
    store_path(path, name);
}

HRESULT copies_write(const struct copy_info *info, const wchar_t *path)
{
    wchar_t text[600 + 2 * MAX_PATH], id[40], set[40];
    StringFromGUID2(&info->id, id, ARRAYSIZE(id));
    StringFromGUID2(&info->set, set, ARRAYSIZE(set));
    swprintf(text, ARRAYSIZE(text),
             L"id=%ls\nset=%ls\nobject=%u\nset_size=%ld\nattributes=0x%08lx\ncreated=%lld\nvolume=%ls\n"
             L"release_at=%llu\nexposed=%ls\nexposed_path=%ls\n",
             id, set, info->object, info->set_size, info->attributes, info->created, info->volume,
             info->release_at, info->exposed, info->exposed_path);
    return store_write(path, text);
}

static HRESULT write_record(const struct copy_info *info, const wchar_t *ending)
{
    wchar_t path[STORE_PATH_CHARS];
    record_path(path, info->number, ending);
    return copies_write(info, path);
}

BOOL copies_read(const wchar_t *path, struct copy_info *info)
{
    wchar_t value[64];
    *info = (struct copy_info){.number = 0};
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
    record_get(text, L"exposed", info->exposed, ARRAYSIZE(info->exposed));
    record_get(text, L"exposed_path", info->exposed_path, ARRAYSIZE(info->exposed_path));
    free(text);
    return ok;
}

static BOOL read_record(unsigned number, const wchar_t *ending, struct copy_info *info)
{
    wchar_t path[STORE_PATH_CHARS];
    record_path(path, number, ending);
    BOOL ok = copies_read(path, info);
    info->number = number;
    copies_directory(path, number);
    swprintf(info->device, ARRAYSIZE(info->device), L"\\\\?\\%ls", path);
    return ok;
}

void copies_forget(const struct copy_info *info)
{
    wchar_t path[STORE_PATH_CHARS];
    record_path(path, info->number, LIVE);
    DeleteFileW(path);
    record_path(path, info->number, MAKING);
    DeleteFileW(path);
}

BOOL copies_adopt(struct copy_info *info, const wchar_t *directory)
{
    wchar_t path[STORE_PATH_CHARS];
    info->number = store_next_number(L"copies");
    copies_directory(path, info->number);
    if (!info->number || !MoveFileExW(directory, path, 0))
        return FALSE;
    store_lock();
    BOOL ok = SUCCEEDED(write_record(info, LIVE));
    store_unlock();
    if (!ok)
        (void)MoveFileExW(path, directory, 0);
    return ok;
}

/* One call for many, because each costs a program of the host. */
static void forget(const struct copy_info *infos, unsigned count)
{
    struct copying_doomed *doomed = calloc(count + 1, sizeof *doomed);
    unsigned listed = 0;
    for (unsigned i = 0; i < count; i++) {
        if (infos[i].number == 0)
            continue;
        copies_forget(&infos[i]);
        if (doomed) {
            doomed[listed].number = infos[i].number;
            copies_directory(doomed[listed++].directory, infos[i].number);
        }
    }
    if (doomed)
        copying_remove(doomed, listed);
    else
        store_log(0, L"copy", L"files stay behind: out of memory");
    free(doomed);
}

static HRESULT begin_one(const struct volume *volume, struct copy_info *info)
{
    wchar_t path[STORE_PATH_CHARS];
    FILETIME now;
    GetSystemTimeAsFileTime(&now);
    info->number = store_next_number(L"copies");
    info->created = (LONGLONG)(((unsigned long long)now.dwHighDateTime << 32) | now.dwLowDateTime);
    wcscpy(info->volume, volume->name);
    if (info->number == 0 || FAILED(write_record(info, MAKING)))
        return VSS_E_UNEXPECTED_PROVIDER_ERROR;
    copies_directory(path, info->number);
    return CreateDirectoryW(path, NULL) ? S_OK : VSS_E_UNEXPECTED_PROVIDER_ERROR;
}

HRESULT copies_begin(const struct volume *volumes, struct copy_info *infos, unsigned count)
{
    HRESULT hr = S_OK;
    for (unsigned i = 0; i < count && SUCCEEDED(hr); i++)
        hr = begin_one(&volumes[i], &infos[i]);
    return hr;
}

HRESULT copies_fill(const struct volume *volumes, const struct copy_info *infos, unsigned count,
                    HANDLE cancel)
{
    struct copying_pair *pairs = calloc(count + 1, sizeof *pairs);
    if (!pairs)
        return E_OUTOFMEMORY;
    for (unsigned i = 0; i < count; i++) {
        wcscpy(pairs[i].from, volumes[i].root);
        copies_directory(pairs[i].to, infos[i].number);
    }
    HRESULT hr = count ? copying_run(pairs, count, infos[0].number, cancel) : S_OK;
    free(pairs);
    for (unsigned i = 0; i < count && hr == S_OK; i++)
        store_log(infos[i].object, L"copy", L"created\t%u\t%ls", infos[i].number, infos[i].volume);
    return hr;
}

HRESULT copies_publish(const struct copy_info *infos, unsigned count)
{
    wchar_t from[STORE_PATH_CHARS], to[STORE_PATH_CHARS];
    HRESULT hr = S_OK;
    store_lock();
    for (unsigned i = 0; i < count && SUCCEEDED(hr); i++) {
        record_path(from, infos[i].number, MAKING);
        record_path(to, infos[i].number, LIVE);
        if (!MoveFileExW(from, to, 0))
            hr = VSS_E_UNEXPECTED_PROVIDER_ERROR;
    }
    store_unlock();
    return hr;
}

static void visit_records(const wchar_t *ending, BOOL (*visit)(const struct copy_info *info, void *context),
                          void *context)
{
    wchar_t pattern[40];
    size_t count;
    swprintf(pattern, ARRAYSIZE(pattern), L"copies\\*.%ls", ending);
    store_lock();
    unsigned *numbers = store_list(pattern, &count);
    for (size_t i = 0; i < count; i++) {
        struct copy_info info;
        if (read_record(numbers[i], ending, &info) && !visit(&info, context))
            break;
    }
    free(numbers);
    store_unlock();
}

void copies_visit(BOOL (*visit)(const struct copy_info *info, void *context), void *context)
{
    visit_records(LIVE, visit, context);
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

HRESULT copies_change(const struct copy_info *info)
{
    store_lock();
    HRESULT hr = write_record(info, LIVE);
    store_unlock();
    return hr;
}

void copies_delete(const struct copy_info *infos, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (infos[i].exposed[0] && !(infos[i].attributes & VSS_VOLSNAP_ATTR_EXPOSED_REMOTELY))
            exposing_end(infos[i].exposed, infos[i].number);
        if (infos[i].number)
            store_log(infos[i].object, L"copy", L"deleted\t%u\t%ls", infos[i].number, infos[i].volume);
    }
    forget(infos, count);
}

/* The copies that go, found in one walk and deleted after it. */
struct release {
    unsigned object;
    unsigned long delay_ms;
    struct copy_info *gone;
    unsigned count;
};

static BOOL add_gone(struct release *release, const struct copy_info *info)
{
    struct copy_info *more = realloc(release->gone, (release->count + 1) * sizeof *more);
    if (!more) {
        store_log(info->object, L"store", L"copy %u stays behind: out of memory", info->number);
        return FALSE;
    }
    release->gone = more;
    release->gone[release->count++] = *info;
    return TRUE;
}

static void delete_gone(struct release *release)
{
    copies_delete(release->gone, release->count);
    free(release->gone);
    release->gone = NULL;
    release->count = 0;
}

static BOOL visit_release(const struct copy_info *info, void *context)
{
    struct release *release = context;
    if (info->object != release->object || info->attributes & VSS_VOLSNAP_ATTR_NO_AUTO_RELEASE)
        return TRUE;
    if (release->delay_ms == 0)
        return add_gone(release, info);
    struct copy_info changed = *info;
    changed.release_at = store_now_ms() + release->delay_ms;
    if (FAILED(write_record(&changed, LIVE)))
        store_log(info->object, L"store", L"the record of copy %u cannot be kept", info->number);
    return TRUE;
}

static BOOL visit_unfinished(const struct copy_info *info, void *context)
{
    struct release *release = context;
    if (info->object != release->object)
        return TRUE;
    copying_abandon(info->number);
    return add_gone(release, info);
}

void copies_release(unsigned object, unsigned long delay_ms)
{
    struct release release = {.object = object, .delay_ms = delay_ms};
    store_lock();
    copies_visit(visit_release, &release);
    visit_records(MAKING, visit_unfinished, &release);
    delete_gone(&release);
    store_unlock();
}

static BOOL visit_sweep(const struct copy_info *info, void *context)
{
    if (info->release_at && store_now_ms() >= info->release_at)
        return add_gone(context, info);
    return TRUE;
}

void copies_sweep(void)
{
    struct release release = {.object = 0};
    store_lock();
    copies_visit(visit_sweep, &release);
    delete_gone(&release);
    store_unlock();
}
