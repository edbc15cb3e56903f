#include "client/cli/places.h"

#include <string.h>

static const char SNAP[] = "snap:";

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Is `path` the directory `prefix`, which ends with a backslash, or something below it? */
static bool lies_below(const char *path, const char *prefix)
{
    size_t length = strlen(prefix);
    if (starts_ignoring_case(path, prefix))
        return true;
    /* The directory itself, without its backslash. */
    return strlen(path) + 1 == length && starts_ignoring_case(prefix, path) && prefix[length - 1] == '\\';
}

static bool same_directory(const char *a, const char *b)
{
    size_t length = strlen(b);
    if (length == 0)
        return false;
    size_t bare = b[length - 1] == '\\' ? length - 1 : length;
    if (strlen(a) < bare || strncmp(a + bare, "\\", strlen(a + bare)) != 0)
        return false;
    for (size_t i = 0; i < bare; i++) {
        char left[2] = {a[i], 0};
        char right[2] = {b[i], 0};
        if (!equal_ignoring_case(left, right))
            return false;
    }
    return true;
}

const PB(Snapshot) * places_find_volume(const PB(SnapshotReply) * reply, const char *name)
{
    for (size_t i = 0; i < reply->n_volumes; i++) {
        const PB(Snapshot) *volume = reply->volumes[i];
        if (same_directory(name, volume->volume_guid_path))
            return volume;
        for (size_t n = 0; n < volume->n_volume_names; n++) {
            if (same_directory(name, volume->volume_names[n]))
                return volume;
        }
    }
    return NULL;
}

/* The path of the original that fits best, and what stands for it in the snapshot. */
struct match {
    const char *original;
    const char *shadow;
};

static void consider(struct match *match, const char *path, const char *original, const char *shadow)
{
    if (*original && lies_below(path, original) &&
        (!match->original || strlen(original) > strlen(match->original))) {
        match->original = original;
        match->shadow = shadow;
    }
}

static struct match find_match(const PB(SnapshotReply) * reply, const char *path)
{
    struct match match = {NULL, NULL};
    for (size_t i = 0; i < reply->n_map; i++)
        consider(&match, path, reply->map[i]->original, reply->map[i]->shadow);
    for (size_t i = 0; i < reply->n_volumes; i++) {
        const PB(Snapshot) *volume = reply->volumes[i];
        consider(&match, path, volume->volume_guid_path, volume->device_root);
        for (size_t n = 0; n < volume->n_volume_names; n++)
            consider(&match, path, volume->volume_names[n], volume->device_root);
    }
    return match;
}

bool places_resolve(const struct places *places, const char *path, struct text *out)
{
    struct match match = find_match(places->reply, path);
    if (!match.original)
        return false;
    const char *root = match.shadow;
    const char *inside = "";
    for (size_t i = 0; i < places->count; i++) {
        const char *device_root = places->items[i].volume->device_root;
        if (starts_ignoring_case(match.shadow, device_root)) {
            root = places->items[i].root;
            inside = match.shadow + strlen(device_root);
            break;
        }
    }
    text_add(out, root);
    text_add(out, inside);
    if (strlen(path) > strlen(match.original))
        text_add(out, path + strlen(match.original));
    return true;
}

void places_shorten(const struct places *places, const char *shadow, struct text *out)
{
    for (size_t i = 0; i < places->count; i++) {
        const char *device_root = places->items[i].volume->device_root;
        if (lies_below(shadow, device_root)) {
            text_add(out, places->items[i].root);
            if (strlen(shadow) > strlen(device_root))
                text_add(out, shadow + strlen(device_root));
            return;
        }
    }
    text_add(out, shadow);
}

/* Does the argument name one of the letters ("X:", not as the end of a word) or links? */
static bool mentions_place(const struct places *places, const char *argument)
{
    for (size_t i = 0; i < places->count; i++) {
        const char *root = places->items[i].root;
        size_t length = strlen(root) - 1; /* "X:" is enough, so is the link without its backslash */
        for (const char *at = argument; *at; at++) {
            bool word = at == argument || !is_letter(at[-1]) || length > 2;
            if (word && strlen(at) >= length) {
                size_t n = 0;
                while (n < length && starts_ignoring_case((char[]){at[n], 0}, (char[]){root[n], 0}))
                    n++;
                if (n == length)
                    return true;
            }
        }
    }
    return false;
}

/* Where "snap:" begins: at the start or behind the first '='. The argument's length: nowhere. */
static size_t find_snap(const char *argument)
{
    size_t behind_equals = strcspn(argument, "=");
    if (starts_ignoring_case(argument, SNAP))
        return 0;
    if (argument[behind_equals] && starts_ignoring_case(argument + behind_equals + 1, SNAP))
        return behind_equals + 1;
    return strlen(argument);
}

bool places_argument(const struct places *places, const char *argument, places_full_path *full_path,
                     struct text *out, bool *refers)
{
    const char *at = argument + find_snap(argument);
    if (!*at) {
        *refers = *refers || mentions_place(places, argument) || strstr(argument, "SHADOWPIPE_") != NULL;
        text_add(out, argument);
        return true;
    }
    const char *path = at + strlen(SNAP);
    struct text full = {0};
    /* "C:" would be the current directory of C:. */
    bool drive = is_letter(path[0]) && path[1] == ':' && !path[2];
    if (drive)
        text_format(&full, "%s\\", path);
    text_add_bytes(out, argument, (size_t)(at - argument));
    bool found =
        *path && (drive || full_path(path, &full)) && places_resolve(places, text_string(&full), out);
    out->failed = out->failed || full.failed;
    text_free(&full);
    *refers = true;
    return found;
}

static const char *place_of(const struct places *places, const PB(Snapshot) * volume)
{
    for (size_t i = 0; i < places->count; i++) {
        if (places->items[i].volume == volume)
            return places->items[i].root;
    }
    return volume->device_root;
}

bool places_environment(const struct places *places,
                        void (*set)(void *context, const char *name, const char *value), void *context)
{
    const PB(SnapshotReply) *reply = places->reply;
    struct text name = {0};
    struct text count = {0};
    set(context, "SHADOWPIPE_SET_ID", reply->set_id);
    text_format(&count, "%u", (unsigned)reply->n_volumes);
    set(context, "SHADOWPIPE_COUNT", text_string(&count));
    for (size_t i = 0; i < reply->n_volumes && !name.failed; i++) {
        const PB(Snapshot) *volume = reply->volumes[i];
        text_clear(&name);
        text_format(&name, "SHADOWPIPE_ORIGINAL_%u", (unsigned)i + 1);
        set(context, text_string(&name),
            volume->n_volume_names ? volume->volume_names[0] : volume->volume_guid_path);
        text_clear(&name);
        text_format(&name, "SHADOWPIPE_PATH_%u", (unsigned)i + 1);
        set(context, text_string(&name), place_of(places, volume));
        for (size_t n = 0; n < volume->n_volume_names; n++) {
            const char *letter = volume->volume_names[n];
            if (!is_letter(letter[0]) || strcmp(letter + 1, ":\\") != 0)
                continue;
            text_clear(&name);
            text_format(&name, "SHADOWPIPE_%c", letter[0] & ~0x20);
            set(context, text_string(&name), volume->device);
        }
    }
    bool ok = !name.failed && !count.failed;
    text_free(&name);
    text_free(&count);
    return ok;
}

void places_list_volumes(const PB(SnapshotReply) * reply, struct text *out)
{
    for (size_t i = 0; i < reply->n_volumes; i++) {
        const PB(Snapshot) *volume = reply->volumes[i];
        text_format(out, "%s%s", i ? ", " : "",
                    volume->n_volume_names ? volume->volume_names[0] : volume->volume_guid_path);
    }
}
