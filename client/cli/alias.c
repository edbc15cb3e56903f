#include "client/cli/alias.h"

#include <stdlib.h>
#include <string.h>

bool alias_is_name(const char *name)
{
    static const char marks[] = "_.-";
    if (!*name)
        return false;
    for (; *name; name++) {
        bool letter = (*name >= 'A' && *name <= 'Z') || (*name >= 'a' && *name <= 'z');
        if (!letter && !(*name >= '0' && *name <= '9') && !strchr(marks, *name))
            return false;
    }
    return true;
}

static struct alias *find(const struct aliases *aliases, const char *name)
{
    for (size_t i = 0; i < aliases->count; i++) {
        if (equal_ignoring_case(aliases->items[i].name, name))
            return &aliases->items[i];
    }
    return NULL;
}

static bool make_room(struct aliases *aliases)
{
    if (aliases->count < aliases->capacity)
        return true;
    size_t capacity = aliases->capacity ? 2 * aliases->capacity : 16;
    struct alias *items = realloc(aliases->items, capacity * sizeof *items);
    if (!items)
        return false;
    aliases->items = items;
    aliases->capacity = capacity;
    return true;
}

bool aliases_set(struct aliases *aliases, const char *name, const char *value)
{
    struct alias *alias = find(aliases, name);
    char *new_value = strdup(value);
    char *new_name = alias ? NULL : strdup(name);
    if (!new_value || (!alias && (!new_name || !make_room(aliases)))) {
        free(new_value);
        free(new_name);
        return false;
    }
    if (alias) {
        free(alias->value);
        alias->value = new_value;
    } else {
        aliases->items[aliases->count++] = (struct alias){.name = new_name, .value = new_value};
    }
    return true;
}

const char *aliases_get(const struct aliases *aliases, const char *name)
{
    const struct alias *alias = find(aliases, name);
    return alias ? alias->value : NULL;
}

const char *aliases_name_of(const struct aliases *aliases, const char *value)
{
    for (size_t i = 0; i < aliases->count; i++) {
        if (equal_ignoring_case(aliases->items[i].value, value))
            return aliases->items[i].name;
    }
    return NULL;
}

void aliases_clear(struct aliases *aliases)
{
    for (size_t i = 0; i < aliases->count; i++) {
        free(aliases->items[i].name);
        free(aliases->items[i].value);
    }
    free(aliases->items);
    aliases->items = NULL;
    aliases->count = 0;
    aliases->capacity = 0;
}

static bool expand_name(const struct aliases *aliases, const char *name, struct text *out,
                        struct text *problem)
{
    const char *value = aliases_get(aliases, name);
    if (value) {
        text_add(out, value);
        return true;
    }
    if (aliases->lookup && *name && aliases->lookup(name, out))
        return true;
    text_format(problem, "There is no alias or variable %%%s%%.", name);
    return false;
}

bool aliases_expand(const struct aliases *aliases, const char *string, struct text *out, struct text *problem)
{
    while (*string) {
        size_t plain = strcspn(string, "%");
        text_add_bytes(out, string, plain);
        string += plain;
        if (!*string)
            break;
        if (string[1] == '%') {
            text_add_char(out, '%');
            string += 2;
            continue;
        }
        const char *end = strchr(string + 1, '%');
        struct text name = {0};
        if (!end) {
            text_format(problem, "\"%s\" lacks the second %%; write %%%% for one that stands for itself.",
                        string);
            return false;
        }
        text_add_bytes(&name, string + 1, (size_t)(end - string - 1));
        bool known = expand_name(aliases, text_string(&name), out, problem);
        text_free(&name);
        if (!known)
            return false;
        string = end + 1;
    }
    return true;
}
