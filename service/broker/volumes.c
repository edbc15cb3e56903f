#include "service/broker/volumes.h"

#include <string.h>

#include "service/broker/state.h"

enum {
    TABLE_BYTES = 8 * 1024 * 1024,
    DRIVE_REMOTE = 4
};

void volumes_init(struct volume_table *table)
{
    arena_init(&table->arena, TABLE_BYTES);
    list_init(&table->waiting);
}

void volumes_free(struct volume_table *table)
{
    arena_free(&table->arena);
}

/* For all who wait. */
static void enumerate(struct broker *broker)
{
    struct volume_table *table = &broker->volumes;
    table->is_asked = true;
    table->is_described = false;
    LIST_EACH(struct volume_wait, wait, &table->waiting, link)
    table->is_described |= wait->wants_description;
    broker->host.enumerate_volumes(broker->host.context, table->is_described);
}

void volumes_ask(struct broker *broker, struct volume_wait *wait)
{
    list_init(&wait->link);
    list_append(&broker->volumes.waiting, &wait->link);
    if (!broker->volumes.is_asked)
        enumerate(broker);
}

static bool copy_volume(struct arena *arena, struct volume *to, const struct host_volume *from)
{
    to->guid_path = arena_strdup(arena, from->guid_path);
    to->label = arena_strdup(arena, from->label != NULL ? from->label : "");
    to->file_system = arena_strdup(arena, from->file_system != NULL ? from->file_system : "");
    to->names = arena_alloc(arena, (from->names_count + 1) * sizeof *to->names);
    if (to->guid_path == NULL || to->label == NULL || to->file_system == NULL || to->names == NULL)
        return false;
    for (size_t i = 0; i < from->names_count; i++) {
        to->names[i] = arena_strdup(arena, from->names[i]);
        if (to->names[i] == NULL)
            return false;
        to->names_count++;
    }
    to->total_bytes = from->total_bytes;
    to->free_bytes = from->free_bytes;
    to->drive_type = from->drive_type;
    return true;
}

static const char *read_table(struct volume_table *table, const struct host_volume *volumes, size_t count)
{
    arena_reset(&table->arena);
    table->count = 0;
    table->volumes = arena_alloc(&table->arena, (count + 1) * sizeof *table->volumes);
    if (table->volumes == NULL)
        return "there is no memory for the list of volumes";
    for (size_t i = 0; i < count; i++) {
        if (!copy_volume(&table->arena, &table->volumes[i], &volumes[i]))
            return "there is no memory for the list of volumes";
        table->count++;
    }
    return NULL;
}

void broker_volumes_enumerated(struct broker *broker, const struct host_volume *volumes, size_t count,
                               const char *failure)
{
    struct volume_table *table = &broker->volumes;
    broker_begin(broker);
    table->is_asked = false;
    table->read_ms = broker->now_ms;
    if (failure == NULL)
        failure = read_table(table, volumes, count);
    /* Whoever asks again in its callback waits for the next table, as does who came with a wish for more. */
    struct list present;
    list_init(&present);
    LIST_EACH(struct volume_wait, asked, &table->waiting, link)
    {
        if (failure == NULL && asked->wants_description && !table->is_described)
            continue;
        list_remove(&asked->link);
        list_append(&present, &asked->link);
    }
    if (!list_is_empty(&table->waiting))
        enumerate(broker);
    while (!list_is_empty(&present)) {
        struct volume_wait *wait = LIST_FIRST(&present, struct volume_wait, link);
        list_remove(&wait->link);
        wait->ready(wait, failure);
    }
    broker_settle(broker);
}

/* ---- names ---- */

/* One code point; malformed UTF-8 gives its bytes. */
static uint32_t next_point(const char **text)
{
    const unsigned char *at = (const unsigned char *)*text;
    size_t length = at[0] < 0xc0 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    uint32_t point = length == 1 ? at[0] : at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            *text += 1;
            return at[0];
        }
        point = point << 6 | (at[i] & 0x3fu);
    }
    *text += length;
    return point;
}

/* Simple upper case of the scripts that have it in a regular form: enough for names of mount points,
 * which Windows itself compares by a table of this kind. */
static uint32_t fold(uint32_t point)
{
    if (point == '/')
        return '\\';
    if ((point >= 'a' && point <= 'z') || (point >= 0xe0 && point <= 0xfe && point != 0xf7) ||
        (point >= 0x3b1 && point <= 0x3c9 && point != 0x3c2) || (point >= 0x430 && point <= 0x44f))
        return point - 0x20;
    if (point >= 0x450 && point <= 0x45f)
        return point - 0x50;
    if ((point >= 0x100 && point <= 0x137) || (point >= 0x14a && point <= 0x177))
        return point & ~1u;
    return point;
}

/* The rest of `path` behind `root`, both with and without the root's trailing backslash; NULL if it is not
 * below. */
static const char *behind_root(const char *path, const char *root)
{
    while (*root != '\0') {
        if (*path == '\0')
            return strcmp(root, "\\") == 0 ? path : NULL;
        if (fold(next_point(&path)) != fold(next_point(&root)))
            return NULL;
    }
    return path;
}

static bool is_slash(char c)
{
    return c == '\\' || c == '/';
}

bool path_is_below(const char *path, const char *root)
{
    const char *behind = behind_root(path, root);
    if (behind == NULL || root[0] == '\0')
        return false;
    return is_slash(root[strlen(root) - 1]) || *behind == '\0' || is_slash(*behind);
}

const char *path_behind(const char *path, const char *root)
{
    return path_is_below(path, root) ? behind_root(path, root) : NULL;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool starts_with_folded(const char *text, const char *prefix)
{
    while (*prefix != '\0') {
        if (*text == '\0' || fold(next_point(&text)) != fold(next_point(&prefix)))
            return false;
    }
    return true;
}

/* "." and ".." would have to be worked out on the disk; a colon behind the drive's is a stream. */
static bool has_odd_part(const char *rest)
{
    if (strchr(rest, ':') != NULL)
        return true;
    for (const char *at = rest; *at != '\0';) {
        size_t length = strcspn(at, "\\/");
        if ((length == 1 && at[0] == '.') || (length == 2 && at[0] == '.' && at[1] == '.'))
            return true;
        at += length;
        if (*at != '\0')
            at++;
    }
    return false;
}

/* NULL, or what is wrong with the form of the name. *name moves past a prefix that changes nothing. */
static const char *check_form(const char **name, const char **message)
{
    const char *text = *name;
    if (starts_with_folded(text, "\\\\?\\UNC\\") ||
        (is_slash(text[0]) && is_slash(text[1]) && text[2] != '?' && text[2] != '.')) {
        *message = "it is on another machine; shadow copies are made of local volumes";
        return "UNC_PATH";
    }
    if (starts_with_folded(text, "\\\\?\\Volume{")) {
        *message = "it holds . or .. or a colon";
        return has_odd_part(text + strlen("\\\\?\\Volume{")) ? "BAD_PATH" : NULL;
    }
    if (starts_with_folded(text, "\\\\?\\") && is_letter(text[4]) && text[5] == ':')
        text += 4;
    if (is_slash(text[0]) && is_slash(text[1])) {
        *message = "it is a device path";
        return "DEVICE_PATH";
    }
    if (!is_letter(text[0]) || text[1] != ':' || (text[2] != '\0' && !is_slash(text[2]))) {
        *message = "it is not absolute: a drive letter with a colon has to come first";
        return "NOT_ABSOLUTE";
    }
    *name = text;
    if (!has_odd_part(text + 2))
        return NULL;
    *message = "it holds . or .. or a second colon";
    return "BAD_PATH";
}

/* The volume whose mount point is the longest prefix. *rest is what comes behind it. */
static const struct volume *find_longest(const struct volume_table *table, const char *name,
                                         const char **rest)
{
    const struct volume *found = NULL;
    size_t longest = 0;
    for (size_t i = 0; i < table->count; i++) {
        const struct volume *volume = &table->volumes[i];
        for (size_t j = 0; j <= volume->names_count; j++) {
            const char *root = j < volume->names_count ? volume->names[j] : volume->guid_path;
            const char *behind = behind_root(name, root);
            if (behind != NULL && strlen(root) > longest) {
                longest = strlen(root);
                found = volume;
                *rest = behind;
            }
        }
    }
    return found;
}

const struct volume *volumes_resolve(const struct volume_table *table, const char *name,
                                     enum volume_name_kind kind, const char **reason, const char **message)
{
    *reason = check_form(&name, message);
    if (*reason != NULL)
        return NULL;
    const char *rest = "";
    const struct volume *volume = find_longest(table, name, &rest);
    if (volume == NULL || (kind == NAME_OF_VOLUME && rest[strspn(rest, "\\/")] != '\0')) {
        *reason = kind == NAME_OF_VOLUME ? "UNKNOWN_VOLUME" : "NOT_LOCAL";
        *message = kind == NAME_OF_VOLUME ? "it is no volume of this machine"
                                          : "it is on no local volume that the service can see";
        return NULL;
    }
    if (volume->drive_type == DRIVE_REMOTE) {
        *reason = "NOT_LOCAL";
        *message = "it is on another machine; shadow copies are made of local volumes";
        return NULL;
    }
    return volume;
}
