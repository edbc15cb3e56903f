/* The names that a session gives to ids and paths: %NAME% in its lines stands for the value.
 *
 * Names are case-insensitive, as variables of the system are, which come second: what is no alias may be one
 * of those. Pure translation of strings. */
#ifndef SHADOWPIPE_CLIENT_CLI_ALIAS_H
#define SHADOWPIPE_CLIENT_CLI_ALIAS_H

#include "client/cli/text.h"

struct alias {
    char *name;
    char *value;
};

/* Adds the value of a variable of the system. False: there is none of this name. */
typedef bool alias_lookup(const char *name, struct text *value);

struct aliases {
    struct alias *items;
    size_t count;
    size_t capacity;
    alias_lookup *lookup; /* NULL: nothing but aliases */
};

/* Letters, digits, and the marks _ . - are a name. */
bool alias_is_name(const char *name);

/* Replaces one of the same name. False without memory. */
bool aliases_set(struct aliases *aliases, const char *name, const char *value);
/* NULL: there is none. */
const char *aliases_get(const struct aliases *aliases, const char *name);
/* The name of an alias with this value, for lists; NULL: there is none. */
const char *aliases_name_of(const struct aliases *aliases, const char *value);
void aliases_clear(struct aliases *aliases); /* keeps the lookup */

/* Adds `string` with each %NAME% replaced and each %% made one. False: `problem` names what stands for
 * nothing. */
bool aliases_expand(const struct aliases *aliases, const char *string, struct text *out,
                    struct text *problem);

#endif
