#include "service/requester/roots.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

void roots_init(struct roots *roots, struct reply *reply)
{
    *roots = (struct roots){.reply = reply};
}

wchar_t *roots_expand(struct reply *reply, const wchar_t *path)
{
    DWORD size = ExpandEnvironmentStringsW(path, NULL, 0);
    wchar_t *expanded = size > 0 ? reply_alloc(reply, (size + 1) * sizeof *expanded) : NULL;
    if (expanded == NULL || ExpandEnvironmentStringsW(path, expanded, size) == 0) {
        return NULL;
    }
    size_t length = wcslen(expanded);
    /* "C:\" keeps its backslash: "C:" is something else. */
    while (length > 3 && expanded[length - 1] == L'\\') {
        expanded[--length] = L'\0';
    }
    return expanded;
}

static int compare(const wchar_t *a, const wchar_t *b)
{
    return CompareStringOrdinal(a, -1, b, -1, TRUE) - CSTR_EQUAL;
}

static int compare_items(const void *a, const void *b)
{
    return compare(*(wchar_t *const *)a, *(wchar_t *const *)b);
}

void roots_add(struct roots *roots, const wchar_t *path)
{
    if (path == NULL || path[0] == L'\0') {
        return;
    }
    wchar_t *expanded = roots_expand(roots->reply, path);
    if (expanded == NULL || (roots->count > 0 && compare(expanded, roots->paths[roots->count - 1]) == 0)) {
        return; /* file lists name the same directory many times in a row */
    }
    if (roots->count == roots->capacity) {
        size_t capacity = roots->capacity == 0 ? 8 : roots->capacity * 2;
        wchar_t **paths = reply_alloc(roots->reply, capacity * sizeof *paths);
        if (paths == NULL) {
            return;
        }
        if (roots->count > 0) {
            memcpy(paths, roots->paths, roots->count * sizeof *paths);
        }
        roots->paths = paths;
        roots->capacity = capacity;
    }
    roots->paths[roots->count++] = expanded;
}

char **roots_take(struct roots *roots, size_t *count)
{
    *count = 0;
    if (roots->count == 0) {
        return NULL;
    }
    qsort(roots->paths, roots->count, sizeof *roots->paths, compare_items);
    char **texts = reply_alloc(roots->reply, roots->count * sizeof *texts);
    for (size_t i = 0; i < roots->count && texts != NULL; i++) {
        if (i == 0 || compare(roots->paths[i], roots->paths[i - 1]) != 0) {
            texts[(*count)++] = reply_text(roots->reply, roots->paths[i]);
        }
    }
    return texts;
}
