#include "client/cli/mapping.h"

#include <stdlib.h>
#include <string.h>

#include "client/cli/display.h"
#include "client/cli/drive_letter.h"
#include "client/cli/link.h"
#include "client/cli/record.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"
#include "client/lib/token.h"
#include "client/lib/wide.h"

#define LETTER_MUTEX L"Local\\ShadowpipeLetters"

enum {
    LETTER_WAIT_MS = 30000
};

static bool sweep_place(const char *name, const char *target)
{
    enum removal removal = guard_remove_place(name, target);
    if (removal == REMOVAL_DONE)
        terminal_note("took away %s, which a command that was killed had left.", name);
    return removal != REMOVAL_FAILED;
}

void mapping_sweep(void)
{
    record_sweep(sweep_place);
}

static void item_free(struct mapped *item)
{
    free(item->name);
    free(item->root);
    memset(item, 0, sizeof *item);
}

/* Takes `name` and `root` over, which text_free would have freed. */
static bool add_item(struct mapping *mapping, const PB(Snapshot) * volume, struct text *name,
                     struct text *root)
{
    if (name->failed || root->failed || !name->data || !root->data) {
        text_free(name);
        text_free(root);
        return false;
    }
    mapping->items[mapping->count++] = (struct mapped){name->data, root->data, volume->device};
    mapping->places.items[mapping->places.count++] = (struct place){volume, root->data};
    return true;
}

/* The last item was not made after all. */
static void drop_last(struct mapping *mapping)
{
    struct mapped *item = &mapping->items[--mapping->count];
    mapping->places.count--;
    guard_forget(&mapping->guard, item->name);
    record_erase(item->name);
    item_free(item);
}

/* Writes down what is about to be mapped, for the guard and for later commands. */
static bool announce(struct mapping *mapping, struct sp_error **error)
{
    const struct mapped *item = &mapping->items[mapping->count - 1];
    if (!mapping->guard.companion.process && !guard_start(&mapping->guard, error))
        return false;
    if (!guard_add(&mapping->guard, item->name, item->target)) {
        error_give(error, error_from_win32(GetLastError(), "WriteFile", "tell the guard what is mapped"));
        return false;
    }
    DWORD failure = record_write(item->name, item->target);
    if (failure != ERROR_SUCCESS)
        error_give(error, error_from_win32(failure, "RegSetValueExW", "write down what is mapped"));
    return failure == ERROR_SUCCESS;
}

static const PB(Snapshot) * find_volume(const PB(SnapshotReply) * reply, const char *name, const char *option,
                                        struct sp_error **error)
{
    const PB(Snapshot) *volume = places_find_volume(reply, name);
    if (!volume) {
        struct text all = {0};
        places_list_volumes(reply, &all);
        error_give(error, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "Add the volume with -v.",
                                       "--%s names %s, which is not in the snapshot (of %s).", option, name,
                                       text_string(&all)));
        text_free(&all);
    }
    return volume;
}

static struct sp_error *letter_in_use(char letter)
{
    if (!letter)
        return error_create(SP_RESOURCE_EXHAUSTED, "BAD_ARGUMENT",
                            "Take a drive letter away, or use --mount.", "No drive letter is free.");
    return error_create(SP_ALREADY_EXISTS, "BAD_ARGUMENT", "Use another letter, or VOLUME=*.",
                        "The drive letter %c: is in use.", letter);
}

/* The full path without a backslash at the end. */
static bool full_directory(const char *path, struct text *full)
{
    wchar_t buffer[2048];
    wchar_t *wide = wide_from_utf8(path);
    DWORD length = wide ? GetFullPathNameW(wide, ARRAYSIZE(buffer), buffer, NULL) : 0;
    free(wide);
    if (length == 0 || length >= ARRAYSIZE(buffer))
        return false;
    while (length > 3 && buffer[length - 1] == L'\\')
        buffer[--length] = 0;
    char *utf8 = utf8_from_wide(buffer);
    if (utf8)
        text_add(full, utf8);
    free(utf8);
    return utf8 != NULL;
}

static struct sp_error *no_path(const char *target)
{
    return error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "", "%s is not a path.", target);
}

static struct sp_error *given_twice(const char *option, const char *target)
{
    return error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT", "Use each letter and each folder once.",
                        "--%s names %s a second time.", option, target);
}

/* Letters that are asked for must be free, and enough be left for the "*"s. */
static bool check_letters(const struct string_list *as, struct sp_error **error)
{
    uint32_t free_letters = 0;
    uint32_t named = 0;
    size_t any = 0;
    for (int letter = 'A'; letter <= 'Z'; letter++)
        free_letters |= (uint32_t)drive_letter_is_free((char)letter) << (letter - 'A');
    for (size_t i = 0; i < as->count; i++) {
        const char *equals = strrchr(as->items[i], '=');
        const char *target = equals ? equals + 1 : as->items[i];
        if (*target == '*') {
            any++;
            continue;
        }
        char letter = (char)(*target & ~0x20);
        uint32_t bit = UINT32_C(1) << (letter - 'A');
        if (named & bit || !(free_letters & bit)) {
            error_give(error, named & bit ? given_twice("as", target) : letter_in_use(letter));
            return false;
        }
        named |= bit;
    }
    for (int letter = 'D'; letter <= 'Z' && any > 0; letter++)
        any -= (free_letters & ~named) >> (letter - 'A') & 1;
    if (any > 0)
        error_give(error, letter_in_use(0));
    return any == 0;
}

/* Nothing may stand where a link goes: not now, and not from the same command line. */
static bool check_link(const struct string_list *mounts, size_t index, struct text *paths,
                       struct sp_error **error)
{
    char *volume;
    char *target;
    if (!args_split_target(mounts->items[index], true, &volume, &target)) {
        error_give(error, error_no_memory());
        return false;
    }
    bool ok = full_directory(target, &paths[index]);
    if (!ok)
        error_give(error, no_path(target));
    for (size_t i = 0; ok && i < index; i++) {
        ok = !equal_ignoring_case(text_string(&paths[i]), text_string(&paths[index]));
        if (!ok)
            error_give(error, given_twice("mount", target));
    }
    free(volume);
    free(target);
    return ok && link_check(text_string(&paths[index]), error);
}

bool mapping_check(const struct arguments *arguments, struct sp_error **error)
{
    struct text paths[LIST_MAX] = {0};
    bool ok = check_letters(&arguments->as, error);
    for (size_t i = 0; ok && i < arguments->mounts.count; i++)
        ok = check_link(&arguments->mounts, i, paths, error);
    for (size_t i = 0; i < arguments->mounts.count; i++)
        text_free(&paths[i]);
    return ok;
}

static bool map_letter(struct mapping *mapping, const PB(Snapshot) * volume, const char *target,
                       struct sp_error **error)
{
    char letter = *target == '*' ? drive_letter_find_free() : (char)(*target & ~0x20);
    if (!letter || !drive_letter_is_free(letter)) {
        error_give(error, letter_in_use(letter));
        return false;
    }
    struct text name = {0};
    struct text root = {0};
    text_format(&name, "%c:", letter);
    text_format(&root, "%c:\\", letter);
    if (!add_item(mapping, volume, &name, &root)) {
        error_give(error, error_no_memory());
        return false;
    }
    if (announce(mapping, error) && drive_letter_map(letter, volume->device, error))
        return true;
    drop_last(mapping);
    return false;
}

/* Nobody else may take the letter between the look and the definition. */
static bool map_letter_alone(struct mapping *mapping, const PB(Snapshot) * volume, const char *target,
                             struct sp_error **error)
{
    HANDLE mutex = CreateMutexW(NULL, FALSE, LETTER_MUTEX);
    if (mutex)
        WaitForSingleObject(mutex, LETTER_WAIT_MS);
    bool ok = map_letter(mapping, volume, target, error);
    if (mutex) {
        ReleaseMutex(mutex);
        CloseHandle(mutex);
    }
    return ok;
}

static bool map_link(struct mapping *mapping, const PB(Snapshot) * volume, const char *target,
                     struct sp_error **error)
{
    struct text name = {0};
    struct text root = {0};
    bool ok = full_directory(target, &name);
    text_format(&root, "%s\\", text_string(&name));
    if (!ok || !add_item(mapping, volume, &name, &root)) {
        if (!ok) {
            text_free(&name);
            text_free(&root);
        }
        error_give(error, no_path(target));
        return false;
    }
    const char *path = mapping->items[mapping->count - 1].name;
    /* Looked at first: what is announced is taken away by others, if this process dies. */
    if (link_check(path, error) && announce(mapping, error) && link_create(path, volume->device_root, error))
        return true;
    drop_last(mapping);
    return false;
}

static bool map_one(struct mapping *mapping, const char *value, bool is_mount, struct sp_error **error)
{
    const PB(SnapshotReply) *reply = mapping->places.reply;
    const PB(Snapshot) *volume = NULL;
    char *name;
    char *target;
    if (!args_split_target(value, is_mount, &name, &target)) {
        error_give(error, error_no_memory());
        return false;
    }
    if (*name)
        volume = find_volume(reply, name, is_mount ? "mount" : "as", error);
    else if (reply->n_volumes == 1)
        volume = reply->volumes[0];
    else
        error_give(error, error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT",
                                       is_mount ? "Write --mount C:=DIR." : "Write --as C:=X:.",
                                       "--%s %s does not say which of the volumes is meant.",
                                       is_mount ? "mount" : "as", value));
    bool ok = volume && (is_mount ? map_link(mapping, volume, target, error)
                                  : map_letter_alone(mapping, volume, target, error));
    free(name);
    free(target);
    return ok;
}

bool mapping_make(struct mapping *mapping, const PB(SnapshotReply) * reply, const struct arguments *arguments,
                  struct sp_error **error)
{
    memset(mapping, 0, sizeof *mapping);
    mapping->places.reply = reply;
    bool ok = true;
    for (size_t i = 0; ok && i < arguments->as.count; i++)
        ok = map_one(mapping, arguments->as.items[i], false, error);
    for (size_t i = 0; ok && i < arguments->mounts.count; i++)
        ok = map_one(mapping, arguments->mounts.items[i], true, error);
    if (!ok)
        (void)mapping_undo(mapping);
    else if (arguments->as.count > 0 && token_user_is_system())
        terminal_note("this runs as SYSTEM, whose drive letters everybody on the machine sees.");
    return ok;
}

bool mapping_undo(struct mapping *mapping)
{
    bool all = true;
    while (mapping->count > 0) {
        struct mapped *item = &mapping->items[--mapping->count];
        struct sp_error *error = NULL;
        bool is_letter = strlen(item->name) == 2;
        enum removal removal = is_letter ? drive_letter_unmap(item->name[0], item->target, &error)
                                         : link_remove(item->name, item->target, &error);
        if (removal != REMOVAL_FAILED) {
            record_erase(item->name);
            guard_forget(&mapping->guard, item->name);
        } else {
            struct text text = {0};
            display_error(&text, error);
            terminal_complain(text_string(&text));
            text_free(&text);
            sp_error_free(error);
            all = false;
        }
        item_free(item);
    }
    mapping->places.count = 0;
    guard_stop(&mapping->guard);
    return all;
}
