/* The tables that the command line is made of: the commands, and the options that each takes.
 *
 * Parsing (args.c) and the help (help.c) read them, and nobody else. A new command is a row in `commands`,
 * its options rows in `options`, and what it does a row in main.c. */
#ifndef SHADOWPIPE_CLIENT_CLI_OPTIONS_H
#define SHADOWPIPE_CLIENT_CLI_OPTIONS_H

#include "client/cli/args.h"

enum option_kind {
    KIND_FLAG,
    KIND_TEXT,
    KIND_LIST,
    KIND_DURATION, /* a uint32_t, in ms, not 0 */
    KIND_CODES,
    KIND_HOLD,   /* a duration that may be 0 */
    KIND_CHOICE, /* one of `choices`, its value in a uint32_t */
    KIND_BITS,   /* any of `choices`, the option repeated: their values, or-ed, in a uint32_t */
    KIND_LONG,   /* a uint64_t, in ms, not 0 */
    KIND_GUID    /* into an array of ID_CHARS */
};

/* Commands as bits: ON(RUN). */
#define ON(command) (UINT32_C(1) << COMMAND_##command)

struct choice {
    const char *word; /* NULL ends the array */
    uint32_t value;
};

/* Several rows may have one name, for commands that mean different things by it: they have the same kind and
 * the same places, and no command in common. */
struct option {
    const char *name;
    char letter; /* 0 = none */
    enum option_kind kind;
    uint32_t commands;
    size_t offset;     /* of the value in struct arguments */
    size_t parsed;     /* of what the value means: the duration, the codes, the choice */
    const char *value; /* its name in the help */
    const char *help;
    const struct choice *choices;
};

struct command {
    enum command_id id;
    const char *name;
    const char *summary;
    const char *usage;
    const char *more;   /* paragraphs for its help */
    bool takes_program; /* behind "--" */
    /* What belongs together: false and a sentence in `problem`. May be NULL. */
    bool (*check)(const struct arguments *arguments, struct text *problem);
};

extern const struct option options[];
extern const size_t options_count;
extern const struct command commands[];
extern const size_t commands_count;

enum {
    OPTIONS_MAX = 128 /* options_count is not more */
};

const struct command *command_find(enum command_id id); /* NULL for COMMAND_NONE */

/* For the rows of `commands`, in args_check.c. */
bool check_status(const struct arguments *arguments, struct text *problem);
bool check_job(const struct arguments *arguments, struct text *problem);   /* snapshot, run, check, attach */
bool check_lease(const struct arguments *arguments, struct text *problem); /* renew, finish */
bool check_list(const struct arguments *arguments, struct text *problem);
bool check_delete(const struct arguments *arguments, struct text *problem);
bool check_expose(const struct arguments *arguments, struct text *problem);
bool check_object(const struct arguments *arguments,
                  struct text *problem); /* what names one thing by its id */
bool check_writers(const struct arguments *arguments, struct text *problem);
bool check_restore(const struct arguments *arguments, struct text *problem);

#endif
