/* The command line: which commands there are, which options each takes, and their values.
 *
 * The tables of options.h say all of it; parsing and the help texts come from them. Nothing here does
 * anything: the result is a struct of plain values that point into argv. */
#ifndef SHADOWPIPE_CLIENT_CLI_ARGS_H
#define SHADOWPIPE_CLIENT_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cli/text.h"
#include "client/cli/values.h"

enum {
    LIST_MAX = 64
};

struct string_list {
    const char *items[LIST_MAX];
    size_t count;
};

enum command_id {
    COMMAND_NONE,
    COMMAND_STATUS,
    COMMAND_WRITERS,
    COMMAND_VOLUMES,
    COMMAND_PROVIDERS,
    COMMAND_SNAPSHOT,
    COMMAND_RUN,
    COMMAND_WATCH,
    COMMAND_SESSION
};

struct arguments {
    enum command_id command;
    /* Every command. */
    bool help;
    bool version;
    bool json;
    bool quiet;
    const char *pipe;
    uint32_t timeout_ms; /* 0 = not given */
    /* status */
    bool prometheus;
    /* writers, volumes, providers */
    bool refresh;
    bool components;
    const char *writer;
    /* snapshot, run */
    struct string_list volumes;
    struct string_list paths;
    const char *name;
    struct string_list required;
    struct string_list excluded;
    struct string_list tolerated;
    uint32_t on_unsupported; /* OnUnsupported of the protocol; so with all that are named like its enums */
    bool include_mounted;
    bool no_writers;
    uint32_t queue_timeout_ms;
    struct string_list as;
    struct string_list mounts;
    /* snapshot */
    const char *hold;
    uint32_t hold_ms;
    /* run */
    const char *ok_codes;
    struct code_list ok;
    const char *warn_codes;
    struct code_list warn;
    /* session */
    const char *script;
    const char *log;
    /* run: the program; session: the script's parameters */
    char **program; /* behind "--" */
    size_t program_count;
};

/* False: `problem` says what is wrong, in one sentence. argv is UTF-8, without the program's own name. */
bool args_parse(size_t argc, char **argv, struct arguments *arguments, struct text *problem);

/* The help of a command; of the program for COMMAND_NONE. */
void args_help(enum command_id command, struct text *text);
const char *args_command_name(enum command_id command);

/* "VOLUME=TARGET" of --as and --mount, split at its last '='. A --mount without a volume gives an empty one.
 * False without memory: both are then NULL, else they are the caller's to free. */
bool args_split_target(const char *value, bool is_mount, char **volume, char **target);

#endif
