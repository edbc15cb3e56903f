/* A line of a session's script, split into words.
 *
 * Words are separated by blanks; between quotes a blank is part of the word, and "" is a quote. A backslash
 * is a backslash: paths are Windows paths. %NAME% is replaced inside of its word, which does not become two
 * by it. A line that begins with # or REM says nothing. A "-" before the first word means that the script
 * goes on if the command fails. */
#ifndef SHADOWPIPE_CLIENT_CLI_SCRIPT_H
#define SHADOWPIPE_CLIENT_CLI_SCRIPT_H

#include "client/cli/alias.h"

enum {
    WORDS_MAX = 512,
    LINE_BYTES_MAX = 64 * 1024
};

struct words {
    char *items[WORDS_MAX];
    size_t count; /* 0: an empty line or a comment */
    bool may_fail;
};

/* False: `problem` says what is wrong with the line. */
bool script_split(const char *line, const struct aliases *aliases, struct words *words, struct text *problem);
void words_free(struct words *words);

/* The words from the first on as one, with single blanks: names of writers need no quotes. */
void words_join(char *const *words, size_t count, struct text *out);

/* Is it UTF-8, and free of NUL? Anything else could not be sent. */
bool script_is_text(const char *bytes, size_t size);

#endif
