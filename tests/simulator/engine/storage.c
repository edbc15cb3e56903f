#include "storage.h"
#include "copies.h"
#include "providers.h"
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <vsserror.h>
#include <wchar.h>

/* Of a volume below 500 MB, the least that Windows keeps copies in; here what each of them costs. */
#define COPY_BYTES    (32LL << 20)
#define MINIMUM_BYTES (320LL << 20) /* of AddDiffArea, by its page */
#define GUID_CHARS    38
#define GUID_OFFSET   10 /* in \\?\Volume{guid}\ */

struct copies_of {
    const wchar_t *volume;
    unsigned count;
    struct copy_info oldest;
};

static BOOL visit_copies(const struct copy_info *info, void *context)
{
    struct copies_of *copies = context;
    if (!copy_is_hardware(info) && _wcsicmp(info->volume, copies->volume) == 0 && copies->count++ == 0)
        copies->oldest = *info;
    return TRUE;
}

static void record_path(wchar_t *path, const struct volume *volume)
{
    wchar_t name[80];
    swprintf(name, ARRAYSIZE(name), L"storage\\%.*ls.txt", GUID_CHARS, volume->name + GUID_OFFSET);
    store_path(path, name);
}

static HRESULT write_record(const struct storage_area *area, const struct volume *volume)
{
    wchar_t path[STORE_PATH_CHARS], text[200];
    record_path(path, volume);
    swprintf(text, ARRAYSIZE(text), L"volume=%ls\non=%ls\nmaximum=%lld\n", area->volume, area->on,
             area->maximum);
    return store_write(path, text);
}

static LONGLONG number(const wchar_t *text, LONGLONG otherwise)
{
    return text && *text ? _wcstoi64(text, NULL, 0) : otherwise;
}

static void section_of(const struct scenario *scenario, const struct volume *volume, wchar_t section[300])
{
    swprintf(section, 300, L"storage:%ls", volume->root);
    if (!scenario_has(scenario, section))
        swprintf(section, 300, L"storage:%ls", volume->name);
}

static void read_scenario(const struct scenario *scenario, const struct volume *volume,
                          struct storage_area *area, BOOL *exists)
{
    wchar_t section[300];
    struct volume on;
    section_of(scenario, volume, section);
    *exists = scenario_has(scenario, section);
    const wchar_t *elsewhere = scenario_string(scenario, section, L"on", NULL);
    if (elsewhere && SUCCEEDED(volume_find(elsewhere, &on)))
        wcscpy(area->on, on.name);
    else if (elsewhere)
        store_log(0, L"scenario", L"[%ls] is on \"%ls\", which is no volume", section, elsewhere);
    area->copy = number(scenario_string(scenario, section, L"copy", NULL), COPY_BYTES);
    area->used = number(scenario_string(scenario, section, L"used", NULL), 0);
    area->allocated = number(scenario_string(scenario, section, L"allocated", NULL), area->used);
    unsigned long copies = scenario_number(scenario, L"volumes", L"storage_copies", MAXDWORD);
    area->maximum = STORAGE_NO_LIMIT;
    if (copies != MAXDWORD) { /* and half a copy, because 0 would be no area at all */
        area->maximum = area->used + copies * area->copy + area->copy / 2;
        *exists = TRUE;
    }
    area->maximum = number(scenario_string(scenario, section, L"maximum", NULL), area->maximum);
}

/* FALSE: the volume has none. */
static BOOL read_area(const struct scenario *scenario, const struct volume *volume, struct storage_area *area,
                      struct copies_of *copies)
{
    wchar_t path[STORE_PATH_CHARS];
    BOOL exists;
    memset(area, 0, sizeof *area);
    wcscpy(area->volume, volume->name);
    wcscpy(area->on, volume->name);
    read_scenario(scenario, volume, area, &exists);
    record_path(path, volume);
    wchar_t *text = store_read(path);
    if (text) {
        wchar_t maximum[32];
        record_get(text, L"maximum", maximum, ARRAYSIZE(maximum));
        area->maximum = number(maximum, STORAGE_NO_LIMIT);
        exists = area->maximum != 0;
        if (exists)
            record_get(text, L"on", area->on, ARRAYSIZE(area->on));
        else
            area->maximum = STORAGE_NO_LIMIT;
    }
    free(text);
    *copies = (struct copies_of){.volume = volume->name};
    copies_visit(visit_copies, copies);
    area->used += copies->count * area->copy;
    if (area->allocated < area->used)
        area->allocated = area->used;
    return exists || copies->count > 0;
}

/* Lets the oldest copies go until so much more fits; FALSE if it never does. */
static BOOL shrink(const struct scenario *scenario, const struct volume *volume, LONGLONG more)
{
    struct storage_area area;
    struct copies_of copies;
    for (;;) {
        (void)read_area(scenario, volume, &area, &copies);
        if (area.maximum == STORAGE_NO_LIMIT || area.used + more <= area.maximum)
            return TRUE;
        if (copies.count == 0)
            return FALSE;
        store_log(0, L"scenario", L"no room for copy %u any more", copies.oldest.number);
        copies_delete(&copies.oldest, 1);
    }
}

HRESULT storage_make_room(const struct scenario *scenario, const struct volume *volumes, unsigned count)
{
    struct storage_area area;
    struct copies_of copies;
    HRESULT hr = S_OK;
    for (unsigned i = 0; i < count && SUCCEEDED(hr); i++) {
        (void)read_area(scenario, &volumes[i], &area, &copies);
        LONGLONG least = area.used - copies.count * area.copy + area.copy;
        /* No copy goes for one that would not fit all the same. */
        BOOL never = area.maximum != STORAGE_NO_LIMIT && least > area.maximum;
        if (never || !shrink(scenario, &volumes[i], area.copy))
            hr = VSS_E_INSUFFICIENT_STORAGE;
    }
    return hr;
}

/* ---- changing ---- */

static HRESULT keep(const struct scenario *scenario, const struct volume *volume, struct storage_area *area,
                    const struct volume *on, LONGLONG maximum)
{
    wcscpy(area->on, on->name);
    area->maximum = maximum;
    store_lock();
    HRESULT hr = write_record(area, volume);
    store_unlock();
    if (FAILED(hr))
        return VSS_E_UNEXPECTED;
    store_log(0, L"storage", L"%ls\ton\t%ls\tmaximum\t%lld", area->volume, area->on, maximum);
    if (maximum != 0)
        (void)shrink(scenario, volume, 0);
    return S_OK;
}

HRESULT storage_add(const struct scenario *scenario, const wchar_t *name, const wchar_t *on_name,
                    LONGLONG maximum)
{
    struct volume volume, on;
    struct storage_area area;
    struct copies_of copies;
    if (maximum < MINIMUM_BYTES && maximum != STORAGE_NO_LIMIT)
        return E_INVALIDARG;
    HRESULT hr = volume_find(name, &volume);
    if (SUCCEEDED(hr))
        hr = volume_find(on_name, &on);
    if (FAILED(hr))
        return hr;
    if (!volume_is_supported(scenario, &volume) || !volume_is_supported(scenario, &on))
        return VSS_E_VOLUME_NOT_SUPPORTED;
    if (read_area(scenario, &volume, &area, &copies))
        return _wcsicmp(area.on, on.name) == 0 ? VSS_E_OBJECT_ALREADY_EXISTS
                                               : VSS_E_MAXIMUM_DIFFAREA_ASSOCIATIONS_REACHED;
    return keep(scenario, &volume, &area, &on, maximum);
}

HRESULT storage_change(const struct scenario *scenario, const wchar_t *name, const wchar_t *on_name,
                       LONGLONG maximum)
{
    struct volume volume, on;
    struct storage_area area;
    struct copies_of copies;
    if (maximum < STORAGE_NO_LIMIT)
        return E_INVALIDARG;
    HRESULT hr = volume_find(name, &volume);
    if (SUCCEEDED(hr))
        hr = volume_find(on_name, &on);
    if (FAILED(hr))
        return hr;
    BOOL exists = read_area(scenario, &volume, &area, &copies);
    if (exists ? _wcsicmp(area.on, on.name) != 0 : maximum == 0)
        return VSS_E_OBJECT_NOT_FOUND;
    if (maximum == 0 && copies.count > 0)
        return VSS_E_VOLUME_IN_USE;
    if (maximum > 0 && maximum < area.copy)
        return VSS_E_INSUFFICIENT_STORAGE;
    if (!exists && (!volume_is_supported(scenario, &volume) || !volume_is_supported(scenario, &on)))
        return VSS_E_VOLUME_NOT_SUPPORTED;
    return keep(scenario, &volume, &area, &on, maximum);
}

/* ---- asking ---- */

static HRESULT append(struct storage_entry **list, unsigned *count, const struct storage_entry *entry)
{
    struct storage_entry *more = realloc(*list, (*count + 1) * sizeof *more);
    if (!more)
        return E_OUTOFMEMORY;
    *list = more;
    more[(*count)++] = *entry;
    return S_OK;
}

static HRESULT add_area(const struct scenario *scenario, const struct volume *volume, const wchar_t *only_on,
                        struct storage_entry **list, unsigned *count)
{
    struct storage_entry entry = {.is_area = TRUE};
    struct copies_of copies;
    if (!read_area(scenario, volume, &entry.area, &copies))
        return S_OK;
    if (only_on && _wcsicmp(entry.area.on, only_on) != 0)
        return S_OK;
    return append(list, count, &entry);
}

static HRESULT add_volume(const struct volume *volume, struct storage_entry **list, unsigned *count)
{
    struct storage_entry entry = {.is_area = FALSE};
    ULARGE_INTEGER total = {.QuadPart = 0}, free_bytes = {.QuadPart = 0};
    wcscpy(entry.volume.name, volume->name);
    wcscpy(entry.volume.root, volume->root);
    if (!GetDiskFreeSpaceExW(volume->root, NULL, &total, &free_bytes))
        return S_OK; /* it has just gone */
    entry.volume.free = (LONGLONG)free_bytes.QuadPart;
    entry.volume.total = (LONGLONG)total.QuadPart;
    return append(list, count, &entry);
}

/* The volumes that can have an area, or keep one. Letters, then what has none. */
struct volume_walk {
    struct volume *volumes;
    unsigned count;
    HRESULT hr;
};

static void walk_one(const struct scenario *scenario, struct volume_walk *walk, const wchar_t *name)
{
    struct volume volume;
    if (FAILED(walk->hr) || FAILED(volume_find(name, &volume)) || !volume_is_supported(scenario, &volume))
        return;
    for (unsigned i = 0; i < walk->count; i++)
        if (_wcsicmp(walk->volumes[i].name, volume.name) == 0)
            return;
    struct volume *more = realloc(walk->volumes, (walk->count + 1) * sizeof *more);
    if (!more) {
        walk->hr = E_OUTOFMEMORY;
        return;
    }
    walk->volumes = more;
    more[walk->count++] = volume;
}

static struct volume_walk walk_volumes(const struct scenario *scenario)
{
    struct volume_walk walk = {.hr = S_OK};
    wchar_t name[64];
    DWORD letters = GetLogicalDrives();
    for (wchar_t letter = L'A'; letter <= L'Z'; letter++) {
        const wchar_t root[] = {letter, L':', L'\\', 0};
        if (letters >> (letter - L'A') & 1)
            walk_one(scenario, &walk, root);
    }
    HANDLE search = FindFirstVolumeW(name, ARRAYSIZE(name));
    if (search == INVALID_HANDLE_VALUE)
        return walk;
    do
        walk_one(scenario, &walk, name);
    while (FindNextVolumeW(search, name, ARRAYSIZE(name)));
    FindVolumeClose(search);
    return walk;
}

static HRESULT give_up(HRESULT hr, struct storage_entry **list, unsigned *count)
{
    if (FAILED(hr)) {
        free(*list);
        *list = NULL;
        *count = 0;
    }
    return hr;
}

HRESULT storage_volumes(const struct scenario *scenario, const wchar_t *name, struct storage_entry **list,
                        unsigned *count)
{
    struct volume volume;
    HRESULT hr = volume_find(name, &volume);
    if (FAILED(hr))
        return hr;
    struct volume_walk walk = walk_volumes(scenario);
    hr = walk.hr;
    for (unsigned i = 0; i < walk.count && SUCCEEDED(hr); i++)
        hr = add_volume(&walk.volumes[i], list, count);
    free(walk.volumes);
    return give_up(hr, list, count);
}

HRESULT storage_for_volume(const struct scenario *scenario, const wchar_t *name, struct storage_entry **list,
                           unsigned *count)
{
    struct volume volume;
    HRESULT hr = volume_find(name, &volume);
    return SUCCEEDED(hr) ? give_up(add_area(scenario, &volume, NULL, list, count), list, count) : hr;
}

HRESULT storage_on_volume(const struct scenario *scenario, const wchar_t *name, struct storage_entry **list,
                          unsigned *count)
{
    struct volume volume;
    HRESULT hr = volume_find(name, &volume);
    if (FAILED(hr))
        return hr;
    struct volume_walk walk = walk_volumes(scenario);
    hr = walk.hr;
    for (unsigned i = 0; i < walk.count && SUCCEEDED(hr); i++)
        hr = add_area(scenario, &walk.volumes[i], volume.name, list, count);
    free(walk.volumes);
    return give_up(hr, list, count);
}

HRESULT storage_for_snapshot(const struct scenario *scenario, const GUID *snapshot,
                             struct storage_entry **list, unsigned *count)
{
    struct copy_info info;
    HRESULT hr = copies_find(snapshot, &info);
    return SUCCEEDED(hr) ? storage_for_volume(scenario, info.volume, list, count) : hr;
}
