#include "client/cli/options.h"

#define ON_LISTS    (ON(WRITERS) | ON(VOLUMES) | ON(PROVIDERS))
#define ON_REQUESTS (ON(SNAPSHOT) | ON(RUN) | ON(CHECK))
#define ON_JOBS     (ON(SNAPSHOT) | ON(RUN))
#define ON_READERS  (ON_JOBS | ON(ATTACH))
#define ON_PROGRAM  (ON(RUN) | ON(RESTORE))
#define ON_CHANGES  (ON(DELETE) | ON(BREAK) | ON(IMPORT) | ON(REVERT))
#define ON_ALL      UINT32_MAX

#define AT(field) offsetof(struct arguments, field)

/* The values are those of the protocol's enums, or of VSS. */
static const struct choice on_unsupported_choices[] = {{"fail", 1}, {"skip", 2}, {NULL, 0}};

static const struct choice type_choices[] = {
    {"full", 1}, {"incremental", 2}, {"differential", 3}, {"log", 4}, {"copy", 5}, {"other", 6}, {NULL, 0}};

static const struct choice context_choices[] = {{"backup", 1},
                                                {"file-share", 2},
                                                {"nas-rollback", 3},
                                                {"app-rollback", 4},
                                                {"client-accessible", 5},
                                                {"client-accessible-writers", 6},
                                                {NULL, 0}};

/* VSS_VOLSNAP_ATTR_..., without what VSS sets by itself. */
static const struct choice attribute_choices[] = {{"persistent", 0x1},
                                                  {"no-autorecovery", 0x2},
                                                  {"client-accessible", 0x4},
                                                  {"no-auto-release", 0x8},
                                                  {"no-writers", 0x10},
                                                  {"transportable", 0x20},
                                                  {"not-surfaced", 0x40},
                                                  {"not-transacted", 0x80},
                                                  {"differential", 0x20000},
                                                  {"plex", 0x40000},
                                                  {"rollback-recovery", 0x800000},
                                                  {"delayed-postsnapshot", 0x1000000},
                                                  {"txf-recovery", 0x2000000},
                                                  {NULL, 0}};

/* VSS_HARDWARE_OPTIONS. */
static const struct choice break_choices[] = {{"mask-luns", 0x1},
                                              {"make-read-write", 0x2},
                                              {"revert-identity-all", 0x4},
                                              {"revert-identity-none", 0x8},
                                              {NULL, 0}};

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
#define LONG(name, on, field, help)                              \
    {                                                            \
        name, 0, KIND_LONG, on, 0, AT(field), "TIME", help, NULL \
    }
#define GUID(name, on, field, help)                            \
    {                                                          \
        name, 0, KIND_GUID, on, 0, AT(field), "ID", help, NULL \
    }
#define BITS(name, on, field, value, help, choices)                \
    {                                                              \
        name, 0, KIND_BITS, on, 0, AT(field), value, help, choices \
    }
#define CHOICE(name, on, field, value, help, choices)                \
    {                                                                \
        name, 0, KIND_CHOICE, on, 0, AT(field), value, help, choices \
    }

const struct option options[] = {
    LIST("volume", 'v', ON_REQUESTS, volumes, "VOLUME",
         "a volume to snapshot: C:, a mounted folder, a GUID path; may be repeated"),
    LIST("volume", 'v', ON(LIST) | ON(DELETE), volumes, "VOLUME", "the snapshots of this volume"),
    LIST("path", 0, ON_REQUESTS, paths, "PATH", "the volume that holds this path; may be repeated"),
    FLAG("include-mounted", 0, ON_REQUESTS, include_mounted, "also the volumes that are mounted below"),
    CHOICE("on-unsupported", ON_REQUESTS, on_unsupported, "fail|skip",
           "what to do with volumes that cannot be copied (fail)", on_unsupported_choices),
    TEXT("name", 'n', ON_REQUESTS | ON(ATTACH) | ON(SESSION), name, "NAME",
         "what it is for, for lists and logs"),
    LIST("require", 0, ON_REQUESTS, required, "WRITER", "fail without this writer (name or id)"),
    LIST("exclude-writer", 0, ON_REQUESTS, excluded, "WRITER", "leave this writer out"),
    LIST("tolerate", 0, ON_REQUESTS, tolerated, "WRITER", "go on when this writer fails"),
    FLAG("retry-without-failed", 0, ON_REQUESTS, retry_without_failed,
         "try once more without tolerated writers that failed"),
    FLAG("no-writers", 0, ON_REQUESTS, no_writers, "ask no application: the copy is as after a power cut"),
    CHOICE("type", ON_REQUESTS, backup_type, "TYPE",
           "full, incremental, differential, log, copy or other (copy)", type_choices),
    FLAG("allow-without-components", 0, ON_REQUESTS, without_components,
         "a --type other than copy without --component"),
    LIST("component", 0, ON_REQUESTS, selected, "WRITER:PATH\\NAME",
         "back this component up; may be repeated"),
    LIST("previous-stamp", 0, ON_REQUESTS, stamps, "COMPONENT=STAMP",
         "of the backup that this one builds on"),
    FLAG("add-needed-volumes", 0, ON_REQUESTS, add_needed_volumes,
         "volumes that the components need join by themselves"),
    FLAG("bootable", 0, ON_REQUESTS, bootable, "the bootable system state is backed up"),
    FLAG("partial-files", 0, ON_REQUESTS, partial_files, "CMD can back up parts of files"),
    CHOICE("context", ON_REQUESTS, context, "CONTEXT",
           "backup, file-share, nas-rollback, app-rollback, client-accessible or client-accessible-writers",
           context_choices),
    FLAG("persistent", 0, ON_REQUESTS, persistent,
         "keep the snapshot: short for --context app-rollback, with --no-writers nas-rollback"),
    LONG("keep", ON_REQUESTS, keep_ms, "with a persistent one: delete it after this time, as in 7d"),
    BITS("attribute", ON_REQUESTS, attributes, "NAME",
         "a further VSS attribute, such as transportable; may be repeated", attribute_choices),
    LIST("provider", 0, ON_REQUESTS, providers, "ID",
         "what makes the copies; repeated: the next one is tried when it cannot"),
    FLAG("no-share", 0, ON_REQUESTS, no_share, "a snapshot of its own, shared with no other request"),
    TIME("max-age", ON_REQUESTS, max_age_ms, "accept a snapshot that exists and is not older than this"),
    TIME("queue-timeout", ON_REQUESTS, queue_timeout_ms, "wait in the queue no longer"),
    LIST("phase-timeout", 0, ON_REQUESTS, phase_timeouts, "PHASE=TIME",
         "shorten the service's limit for a phase: preparing=2m"),
    TIME("complete-within", ON_REQUESTS, complete_within_ms,
         "tell the writers of the backup's end at the latest after this time"),
    TEXT("save-documents", 0, ON_JOBS, save_documents, "DIR",
         "write VSS's documents there; what cannot be written fails the backup"),
    TEXT("manifest", 0, ON_JOBS, manifest, "FILE", "write the list of files to back up there, for CMD"),
    {"reconnect", 0, KIND_HOLD, ON_READERS, AT(reconnect), AT(reconnect_ms), "TIME",
     "when the connection breaks wait so long for the service (10m); 0: not at all", NULL},
    TEXT("before-freeze", 0, ON_JOBS, before_freeze, "CMD",
         "run this when the writers are prepared, right before the freeze; if it fails, nothing is frozen"),
    TEXT("after-thaw", 0, ON_JOBS, after_thaw, "CMD",
         "run this afterwards, also when the snapshot, or this program, has failed"),
    TEXT("attach", 0, ON(RUN), attach, "ID|DEVICE",
         "use this snapshot, which exists already, instead of a new one"),
    TEXT("snapshot", 0, ON(ATTACH), snapshot, "ID|DEVICE",
         "the snapshot: its id, or the device to read it from"),
    TEXT("snapshot", 0, ON(LIST) | ON(DELETE) | ON(EXPOSE) | ON(UNEXPOSE) | ON(REVERT), snapshot, "ID",
         "this snapshot"),
    LIST("as", 0, ON_READERS, as,
         "[VOLUME=]X:", "give the snapshot (of VOLUME) the drive letter X:, or with * a free one"),
    LIST("mount", 0, ON_READERS, mounts, "[VOLUME=]DIR",
         "make DIR a link to the snapshot; DIR must not exist, its folder must"),
    {"hold", 0, KIND_HOLD, ON(SNAPSHOT) | ON(ATTACH), AT(hold), AT(hold_ms), "TIME",
     "keep the snapshot this long", NULL},
    TEXT("document", 'd', ON(RESTORE), document, "FILE", "the Backup Components Document of the backup"),
    LIST("metadata", 0, ON(RESTORE), metadata, "FILE",
         "a Writer Metadata Document of the backup; without it today's counts"),
    LIST("component", 0, ON(RESTORE), selected, "WRITER:PATH\\NAME",
         "only this component, or this part of one; may be repeated"),
    LIST("accept", 0, ON(RESTORE), accepted, "WRITER",
         "restore it although it wants more than files in place: CMD sees to that"),
    FLAG("skip-missing-writers", 0, ON(RESTORE), skip_missing,
         "leave out components whose writer does not run"),
    FLAG("rehearse", 0, ON(RESTORE), rehearse,
         "say what would be restored and what is in the way; change nothing"),
    TEXT("to", 0, ON(RESTORE), to, "DIR", "restore below DIR instead of where the files were"),
    TEXT("manifest", 0, ON(RESTORE), manifest, "FILE", "write what CMD has to do to FILE, and keep it"),
    TEXT("restore-options", 0, ON(RESTORE), restore_options, "TEXT",
         "for the writers, as their maker describes"),
    FLAG("authoritative", 0, ON(RESTORE), authoritative, "what is restored prevails over its replicas"),
    TEXT("roll-forward", 0, ON(RESTORE), roll_forward, "none|all|POINT",
         "how far logs are replayed afterwards"),
    TEXT("restore-name", 0, ON(RESTORE), restore_name, "NAME",
         "restore the one component under another name"),
    FLAG("more", 0, ON(RESTORE), more, "more restores follow: databases stay ready for them"),
    FLAG("detach", 0, ON(SNAPSHOT), detach,
         "do not hold it: print its lease and token, which live on until --ttl is over, and end"),
    TIME("ttl", ON(SNAPSHOT) | ON(RENEW), ttl_ms, "the lease ends so long after it was last renewed"),
    TEXT("job-key", 0, ON_JOBS, job_key, "KEY",
         "the same command with the same KEY gets the same snapshot, as long as its lease lives"),
    TEXT("lease", 0, ON(RENEW) | ON(FINISH), lease_id, "ID", "the lease"),
    TEXT("token", 0, ON(RENEW) | ON(FINISH), token, "TOKEN", "its token"),
    FLAG("failed", 0, ON(FINISH), failed, "what was backed up is of no use"),
    FLAG("all", 0, ON(LEASES), all, "also those of others"),
    CODES("ok-codes", ON_PROGRAM, ok_codes, ok, "exit codes of CMD that mean success (0; with robocopy 0-7)"),
    CODES("warn-codes", ON_PROGRAM, warn_codes, warn, "exit codes of CMD that mean success with a warning"),
    FLAG("prometheus", 0, ON(STATUS), prometheus, "print Prometheus metrics"),
    TEXT("script", 's', ON(SESSION), script, "FILE", "read the commands from FILE; - is standard input"),
    TEXT("log", 'l', ON(SESSION), log, "FILE", "write what is shown to FILE as well"),
    FLAG("components", 0, ON(WRITERS), components, "also what each writer looks after"),
    LIST("writer", 0, ON(WRITERS) | ON(RESTORE), writers, "WRITER", "only this one (name or id)"),
    FLAG("refresh", 0, ON_LISTS, refresh, "ask again instead of a recent answer"),
    GUID("set", ON(LIST) | ON(DELETE) | ON(BREAK), set_id, "this snapshot set"),
    LONG("older-than", ON(LIST), older_than_ms, "only those that are older than this, as in 7d"),
    TEXT("owner", 0, ON(LIST), owner, "SID", "only those that this account made through Shadowpipe"),
    TEXT("purpose", 0, ON(LIST), purpose, "NAME", "only those that were made with this --name"),
    FLAG("oldest", 0, ON(DELETE), oldest, "with --volume: only its oldest one"),
    FLAG("all-mine", 0, ON(DELETE), all_mine, "all that this account made through Shadowpipe"),
    FLAG("dry-run", 0, ON(DELETE), dry_run, "only say what would go"),
    FLAG("force", 0, ON(DELETE), force, "also what is being read"),
    LIST("as", 0, ON(EXPOSE), as, "X:", "as this drive letter"),
    TEXT("directory", 0, ON(EXPOSE), directory, "DIR", "as this folder, which must be empty"),
    TEXT("share", 0, ON(EXPOSE), share, "NAME", "as this share"),
    TEXT("sub-path", 0, ON(EXPOSE), sub_path, "PATH", "with --share: share this folder of it only"),
    BITS("flag", ON(BREAK), break_flags, "NAME",
         "mask-luns, make-read-write, revert-identity-all or revert-identity-none; may be repeated",
         break_choices),
    TEXT("document", 0, ON(IMPORT), document, "FILE", "the Backup Components Document of the set"),
    FLAG("force-dismount", 0, ON(REVERT), force_dismount, "also when files of the volume are open"),
    FLAG("yes", 'y', ON_CHANGES, yes, "do not ask; needed where nobody can be asked"),
    FLAG("json", 0, ON_ALL, json, "print one JSON value on standard output"),
    TIME("timeout", ON_ALL, timeout_ms, "give up after this long: 30s, 5m, 1h30m"),
    TEXT("pipe", 0, ON_ALL, pipe, "NAME", "talk to the service at this pipe (or SHADOWPIPE_PIPE)"),
    FLAG("quiet", 'q', ON_ALL, quiet, "no progress and no notes, only results and errors"),
    FLAG("help", 'h', ON_ALL, help, "show this"),
    FLAG("version", 0, ON_ALL, version, "show the version"),
};

const size_t options_count = sizeof options / sizeof *options;
_Static_assert(sizeof options / sizeof *options <= OPTIONS_MAX, "args.c counts them in an array");

#define COMPONENT_HELP                                                                                    \
    "A component is WRITER:PATH\\NAME, with a name or id as WRITER, or WRITER:NAME if it has no logical " \
    "path, as\n"                                                                                          \
    "`writers --components` shows it; a '\\' inside of NAME is written twice.\n"

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
     "shadowpipe writers [--components] [--writer WRITER]", "", false, check_writers},
    {COMMAND_VOLUMES, "volumes", "the volumes, and which of them can be copied", "shadowpipe volumes", "",
     false, NULL},
    {COMMAND_PROVIDERS, "providers", "what makes the copies", "shadowpipe providers", "", false, NULL},
    {COMMAND_SNAPSHOT, "snapshot", "take a snapshot and hold it",
     "shadowpipe snapshot -v VOLUME ... [--hold TIME]",
     "Takes one snapshot of all the volumes at the same moment, prints where to read it, and holds it until\n"
     "Enter, Ctrl-C, or the end of standard input; with --hold for that time or until "
     "Ctrl-C. With --detach it is for other programs, which `renew` and `finish` its lease.\n" COMPONENT_HELP,
     false, check_job},
    {COMMAND_LEASES, "leases", "the leases by which snapshots are read", "shadowpipe leases [--all]", "",
     false, NULL},
    {COMMAND_RENEW, "renew", "keep a detached lease",
     "shadowpipe renew --lease ID --token TOKEN [--ttl TIME]",
     "It lives for TIME from now, else as long as it was given before.\n", false, check_lease},
    {COMMAND_FINISH, "finish", "end the backup of a detached lease",
     "shadowpipe finish --lease ID --token TOKEN [--failed]",
     "The writers are told that the backup is complete; with --failed, where they would truncate their logs, "
     "that "
     "it\nwas aborted. The snapshot goes, unless it is persistent or read by others.\n",
     false, check_lease},
    {COMMAND_RUN, "run", "run a program on a snapshot",
     "shadowpipe run -v VOLUME ... [--as VOLUME=X:] -- CMD ...",
     "Takes one snapshot of all the volumes, runs CMD, and finishes the backup by CMD's exit code.\n"
     "CMD finds the snapshot\n"
     "  at the drive letters of --as and the folders of --mount,\n"
     "  in arguments: snap:C:\\Data (also behind a '=') becomes the path of C:\\Data in the snapshot,\n"
     "  in its environment: SHADOWPIPE_C (device of C:, without a backslash at the end), SHADOWPIPE_COUNT,\n"
     "  SHADOWPIPE_ORIGINAL_1 .. and SHADOWPIPE_PATH_1 .. (root directories, with one), SHADOWPIPE_SET_ID,\n"
     "  SHADOWPIPE_MANIFEST (the file of --manifest) and SHADOWPIPE_DOCUMENTS (the folder of "
     "--save-documents).\n"
     "With --attach it runs on a snapshot that exists already and stays.\n"
     "The commands of --before-freeze and --after-thaw go to the command processor as they are, and what "
     "they "
     "print\n"
     "to standard error.\n"
     "With --json what CMD prints goes to standard error.\n" COMPONENT_HELP,
     true, check_job},
    {COMMAND_SESSION, "session", "VSS step by step: a prompt, or a script in the manner of diskshadow",
     "shadowpipe session [-s FILE] [-l FILE] [-- PARAMETER ...]",
     "Reads commands, one a line: from FILE, else from standard input; \"help\" lists them. A script stops "
     "at the\n"
     "first command that fails, unless there is a - before it; what is open then is aborted. PARAMETERs are\n"
     "%DISKSH_PARAM_1% and so on. With --json each command is answered by one JSON value on a line of its "
     "own.\n",
     true, NULL},
    {COMMAND_CHECK, "check", "say whether a snapshot would succeed", "shadowpipe check -v VOLUME ...",
     "Takes the options of `snapshot`, asks the writers, and looks at volumes, components and room. No "
     "writer is\n"
     "frozen. Exit code 0: the snapshot would succeed.\n" COMPONENT_HELP,
     false, check_job},
    {COMMAND_ATTACH, "attach", "hold a snapshot that exists already",
     "shadowpipe attach --snapshot ID|DEVICE [--as X:] [--hold TIME]",
     "Holds it as `snapshot` does, with the same ends. The snapshot stays afterwards.\n", false, check_job},
    {COMMAND_LIST, "list", "the snapshots that exist", "shadowpipe list [-v VOLUME] [--older-than TIME] ...",
     "Lists all of the machine, the oldest first, whoever made them. What several options say has to be "
     "true\n"
     "together.\n",
     false, check_list},
    {COMMAND_DELETE, "delete", "delete snapshots",
     "shadowpipe delete --snapshot ID | --set ID | -v VOLUME [--oldest] | --all-mine",
     "Shows what would go and asks, unless --yes is given. They go one by one, the oldest first; what is "
     "being\n"
     "read stays unless --force is given. Exit code 7: some are left.\n",
     false, check_delete},
    {COMMAND_EXPOSE, "expose", "give a snapshot a drive letter, folder or share for everybody",
     "shadowpipe expose --snapshot ID --as X: | --directory DIR | --share NAME [--sub-path PATH]",
     "For persistent snapshots; it lasts until `unexpose`, across restarts.\n", false, check_expose},
    {COMMAND_UNEXPOSE, "unexpose", "take that away", "shadowpipe unexpose --snapshot ID", "", false,
     check_object},
    {COMMAND_BREAK, "break", "make the copies of a set volumes of their own",
     "shadowpipe break --set ID [--flag NAME ...] --yes",
     "Only with hardware providers. Asks unless --yes is given.\n", false, check_object},
    {COMMAND_IMPORT, "import", "bring in a set that was made to be transported",
     "shadowpipe import --document FILE --yes", "Asks unless --yes is given.\n", false, check_object},
    {COMMAND_REVERT, "revert", "put a volume back to a snapshot",
     "shadowpipe revert --snapshot ID [--force-dismount] --yes",
     "EVERYTHING that was written to the volume since then is lost, with the snapshots that are younger. It\n"
     "cannot be stopped once it runs. Asks unless --yes is given.\n",
     false, check_object},
    {COMMAND_RESTORE, "restore", "put back what a backup by components saved, with the writers",
     "shadowpipe restore -d FILE [--component WRITER:PATH\\NAME] ... -- CMD ...",
     "Tells the writers of a restore, runs CMD, which copies the files back, and tells them how it ended. "
     "CMD\n"
     "finds what to copy, and where to, in the JSON file that the variable SHADOWPIPE_RESTORE_MANIFEST "
     "names.\n"
     "A writer that fails before CMD stops the restore, and nothing is touched. With --json what CMD prints "
     "goes\n"
     "to standard error.\n",
     true, check_restore},
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
