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
    LIST_MAX = 64,
    ID_CHARS = 37
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
    COMMAND_SESSION,
    COMMAND_CHECK,
    COMMAND_ATTACH,
    COMMAND_LIST,
    COMMAND_DELETE,
    COMMAND_EXPOSE,
    COMMAND_UNEXPOSE,
    COMMAND_BREAK,
    COMMAND_IMPORT,
    COMMAND_REVERT,
    COMMAND_RESTORE,
    COMMAND_LEASES,
    COMMAND_RENEW,
    COMMAND_FINISH
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
    struct string_list writers; /* also restore */
    /* snapshot, run, check; some of it attach and restore */
    struct string_list volumes;
    struct string_list paths;
    const char *name;
    struct string_list required;
    struct string_list excluded;
    struct string_list tolerated;
    uint32_t on_unsupported; /* OnUnsupported of the protocol; so with all that are named like its enums */
    bool include_mounted;
    bool no_writers;
    bool no_share;
    uint32_t max_age_ms;
    uint32_t queue_timeout_ms;
    uint32_t backup_type;
    bool without_components; /* --allow-without-components */
    bool bootable;
    bool partial_files;
    struct string_list selected; /* --component */
    struct string_list stamps;   /* --previous-stamp */
    bool add_needed_volumes;
    struct string_list providers;
    uint32_t context;
    bool persistent;
    uint32_t attributes;
    uint64_t keep_ms;
    bool retry_without_failed;
    uint32_t complete_within_ms;
    struct string_list phase_timeouts;
    const char *save_documents;
    const char *manifest;
    struct string_list as;
    struct string_list mounts;
    const char *attach;    /* of run: an id or a device */
    const char *reconnect; /* also attach */
    uint32_t reconnect_ms;
    const char *before_freeze;
    const char *after_thaw;
    /* snapshot, attach */
    const char *hold;
    uint32_t hold_ms;
    bool detach;         /* snapshot */
    uint32_t ttl_ms;     /* snapshot, renew; 0 = as the service has it */
    const char *job_key; /* snapshot, run */
    /* renew, finish; leases */
    const char *lease_id;
    const char *token;
    bool failed;
    bool all;
    /* restore */
    struct string_list metadata;
    struct string_list accepted;
    bool skip_missing;
    bool rehearse;
    const char *to;
    const char *restore_options;
    const char *roll_forward; /* "none", "all", or a point */
    const char *restore_name;
    bool authoritative;
    bool more;
    /* run, restore */
    const char *ok_codes;
    struct code_list ok;
    const char *warn_codes;
    struct code_list warn;
    /* list, delete, expose, unexpose, break, import, revert, restore (document); `volumes` has at most one
     * there */
    const char *snapshot;  /* an id in any form; of attach also a device */
    char set_id[ID_CHARS]; /* "" = not given */
    uint64_t older_than_ms;
    const char *owner;
    const char *purpose;
    bool oldest;
    bool all_mine;
    bool dry_run;
    bool force;
    bool yes;
    const char *directory;
    const char *share;
    const char *sub_path;
    uint32_t break_flags;
    const char *document;
    bool force_dismount;
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

/* "VOLUME=TARGET" of --as and --mount, split at its last '='. Without a volume it gives an empty one.
 * False without memory: both are then NULL, else they are the caller's to free. */
bool args_split_target(const char *value, bool is_mount, char **volume, char **target);

#endif
