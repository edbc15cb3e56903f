#include "client/cli/options.h"

#define ON_LISTS (ON(WRITERS) | ON(VOLUMES) | ON(PROVIDERS))
#define ON_JOBS  (ON(SNAPSHOT) | ON(RUN))
#define ON_ALL   (ON(STATUS) | ON_LISTS | ON_JOBS | ON(WATCH) | ON(SESSION) | ON(NONE))

#define AT(field) offsetof(struct arguments, field)

/* The values are those of the protocol's enums, or of VSS. */
static const struct choice on_unsupported_choices[] = {{"fail", 1}, {"skip", 2}, {NULL, 0}};

#define FLAG(name, letter, on, field, help)                         \
    {                                                               \
        name, letter, KIND_FLAG, on, AT(field), 0, NULL, help, NULL \
    }
#define TEXT(name, letter, on, field, value, help)                   \
    {                                                                \
        name, letter, KIND_TEXT, on, AT(field), 0, value, help, NULL \
    }
#define LIST(name, letter, on, field, value, help)                   \
    {                                                                \
        name, letter, KIND_LIST, on, AT(field), 0, value, help, NULL \
    }
#define TIME(name, on, field, help)                                  \
    {                                                                \
        name, 0, KIND_DURATION, on, 0, AT(field), "TIME", help, NULL \
    }
#define CODES(name, on, field, parsed, help)                               \
    {                                                                      \
        name, 0, KIND_CODES, on, AT(field), AT(parsed), "LIST", help, NULL \
    }
#define CHOICE(name, on, field, value, help, choices)                \
    {                                                                \
        name, 0, KIND_CHOICE, on, 0, AT(field), value, help, choices \
    }

const struct option options[] = {
    LIST("volume", 'v', ON_JOBS, volumes, "VOLUME",
         "a volume to snapshot: C:, a mounted folder, a GUID path; may be repeated"),
    LIST("path", 0, ON_JOBS, paths, "PATH", "the volume that holds this path; may be repeated"),
    FLAG("include-mounted", 0, ON_JOBS, include_mounted, "also the volumes that are mounted below"),
    CHOICE("on-unsupported", ON_JOBS, on_unsupported, "fail|skip",
           "what to do with volumes that cannot be copied (fail)", on_unsupported_choices),
    TEXT("name", 'n', ON_JOBS | ON(SESSION), name, "NAME", "what it is for, for lists and logs"),
    LIST("require", 0, ON_JOBS, required, "WRITER", "fail without this writer (name or id)"),
    LIST("exclude-writer", 0, ON_JOBS, excluded, "WRITER", "leave this writer out"),
    LIST("tolerate", 0, ON_JOBS, tolerated, "WRITER", "go on when this writer fails"),
    FLAG("no-writers", 0, ON_JOBS, no_writers, "ask no application: the copy is as after a power cut"),
    TIME("queue-timeout", ON_JOBS, queue_timeout_ms, "wait in the queue no longer"),
    LIST("as", 0, ON_JOBS, as,
         "VOLUME=X:", "give the snapshot of VOLUME the drive letter X:, or with VOLUME=* a free one"),
    LIST("mount", 0, ON_JOBS, mounts, "[VOLUME=]DIR",
         "make DIR a link to the snapshot; DIR must not exist, its folder must"),
    {"hold", 0, KIND_HOLD, ON(SNAPSHOT), AT(hold), AT(hold_ms), "TIME", "keep the snapshot this long", NULL},
    CODES("ok-codes", ON(RUN), ok_codes, ok, "exit codes of CMD that mean success (0; with robocopy 0-7)"),
    CODES("warn-codes", ON(RUN), warn_codes, warn, "exit codes of CMD that mean success with a warning"),
    FLAG("prometheus", 0, ON(STATUS), prometheus, "print Prometheus metrics"),
    TEXT("script", 's', ON(SESSION), script, "FILE", "read the commands from FILE; - is standard input"),
    TEXT("log", 'l', ON(SESSION), log, "FILE", "write what is shown to FILE as well"),
    FLAG("components", 0, ON(WRITERS), components, "also what each writer looks after"),
    TEXT("writer", 0, ON(WRITERS), writer, "WRITER", "only this one (name or id)"),
    FLAG("refresh", 0, ON_LISTS, refresh, "ask again instead of a recent answer"),
    FLAG("json", 0, ON_ALL, json, "print one JSON value on standard output"),
    TIME("timeout", ON_ALL, timeout_ms, "give up after this long: 30s, 5m, 1h30m"),
    TEXT("pipe", 0, ON_ALL, pipe, "NAME", "talk to the service at this pipe (or SHADOWPIPE_PIPE)"),
    FLAG("quiet", 'q', ON_ALL, quiet, "no progress and no notes, only results and errors"),
    FLAG("help", 'h', ON_ALL, help, "show this"),
    FLAG("version", 0, ON_ALL, version, "show the version"),
};

const size_t options_count = sizeof options / sizeof *options;
_Static_assert(sizeof options / sizeof *options <= OPTIONS_MAX, "args.c counts them in an array");

const struct command commands[] = {
    {COMMAND_STATUS, "status", "what the service is doing", "shadowpipe status [--prometheus]", "", false,
     check_status},
    {COMMAND_WATCH, "watch", "the same, as it changes", "shadowpipe watch",
     "Shows the queue, whose turn it is, the snapshot sets with their members, and the leases, until Ctrl-C "
     "or\n"
     "for the time of --timeout: on a console as a table, else a line for each change, with --json a "
     "value.\n",
     false, NULL},
    {COMMAND_WRITERS, "writers", "the applications that take part in snapshots, and their state",
     "shadowpipe writers [--components] [--writer WRITER]", "", false, NULL},
    {COMMAND_VOLUMES, "volumes", "the volumes, and which of them can be copied", "shadowpipe volumes", "",
     false, NULL},
    {COMMAND_PROVIDERS, "providers", "what makes the copies", "shadowpipe providers", "", false, NULL},
    {COMMAND_SNAPSHOT, "snapshot", "take a snapshot and hold it",
     "shadowpipe snapshot -v VOLUME ... [--hold TIME]",
     "Takes one snapshot of all the volumes at the same moment, prints where to read it, and holds it until\n"
     "Enter, Ctrl-C, or the end of standard input; with --hold for that time or until Ctrl-C.\n",
     false, check_job},
    {COMMAND_RUN, "run", "run a program on a snapshot",
     "shadowpipe run -v VOLUME ... [--as VOLUME=X:] -- CMD ...",
     "Takes one snapshot of all the volumes, runs CMD, and finishes the backup by CMD's exit code.\n"
     "CMD finds the snapshot\n"
     "  at the drive letters of --as and the folders of --mount,\n"
     "  in arguments: snap:C:\\Data (also behind a '=') becomes the path of C:\\Data in the snapshot,\n"
     "  in its environment: SHADOWPIPE_C (device of C:, without a backslash at the end), SHADOWPIPE_COUNT,\n"
     "  SHADOWPIPE_ORIGINAL_1 .. and SHADOWPIPE_PATH_1 .. (root directories, with one), SHADOWPIPE_SET_ID.\n"
     "With --json what CMD prints goes to standard error.\n",
     true, check_job},
    {COMMAND_SESSION, "session", "VSS step by step: a prompt, or a script in the manner of diskshadow",
     "shadowpipe session [-s FILE] [-l FILE] [-- PARAMETER ...]",
     "Reads commands, one a line: from FILE, else from standard input; \"help\" lists them. A script stops "
     "at the\n"
     "first command that fails, unless there is a - before it; what is open then is aborted. PARAMETERs are\n"
     "%DISKSH_PARAM_1% and so on. With --json each command is answered by one JSON value on a line of its "
     "own.\n",
     true, NULL},
};

const size_t commands_count = sizeof commands / sizeof *commands;

const struct command *command_find(enum command_id id)
{
    for (size_t i = 0; i < commands_count; i++) {
        if (commands[i].id == id)
            return &commands[i];
    }
    return NULL;
}

const char *args_command_name(enum command_id command)
{
    const struct command *found = command_find(command);
    return found ? found->name : "";
}
