#include "client/cli/args.h"

#include <stdlib.h>
#include <string.h>

enum option_kind {
    KIND_FLAG,
    KIND_TEXT,
    KIND_LIST,
    KIND_DURATION,
    KIND_CODES,
    KIND_HOLD
};

/* Sets of commands. */
enum {
    ON_STATUS = 1 << COMMAND_STATUS,
    ON_WRITERS = 1 << COMMAND_WRITERS,
    ON_VOLUMES = 1 << COMMAND_VOLUMES,
    ON_PROVIDERS = 1 << COMMAND_PROVIDERS,
    ON_SNAPSHOT = 1 << COMMAND_SNAPSHOT,
    ON_RUN = 1 << COMMAND_RUN,
    ON_LISTS = ON_WRITERS | ON_VOLUMES | ON_PROVIDERS,
    ON_JOBS = ON_SNAPSHOT | ON_RUN,
    ON_ALL = ON_STATUS | ON_LISTS | ON_JOBS | 1 << COMMAND_NONE
};

struct option {
    const char *name;
    char letter; /* 0 = none */
    enum option_kind kind;
    unsigned commands;
    size_t offset;     /* of the value in struct arguments */
    size_t parsed;     /* of what the value means: the duration, the codes */
    const char *value; /* its name in the help */
    const char *help;
};

#define AT(field) offsetof(struct arguments, field)

static const struct option options[] = {
    {"volume", 'v', KIND_LIST, ON_JOBS, AT(volumes), 0, "VOLUME",
     "a volume to snapshot: C:, a mounted folder, a GUID path; may be repeated"},
    {"path", 0, KIND_LIST, ON_JOBS, AT(paths), 0, "PATH", "the volume that holds this path; may be repeated"},
    {"include-mounted", 0, KIND_FLAG, ON_JOBS, AT(include_mounted), 0, NULL,
     "also the volumes that are mounted below"},
    {"on-unsupported", 0, KIND_TEXT, ON_JOBS, AT(on_unsupported), 0, "fail|skip",
     "what to do with volumes that cannot be copied (fail)"},
    {"name", 'n', KIND_TEXT, ON_JOBS, AT(name), 0, "NAME", "what it is for, for lists and logs"},
    {"require", 0, KIND_LIST, ON_JOBS, AT(required), 0, "WRITER", "fail without this writer (name or id)"},
    {"exclude-writer", 0, KIND_LIST, ON_JOBS, AT(excluded), 0, "WRITER", "leave this writer out"},
    {"tolerate", 0, KIND_LIST, ON_JOBS, AT(tolerated), 0, "WRITER", "go on when this writer fails"},
    {"no-writers", 0, KIND_FLAG, ON_JOBS, AT(no_writers), 0, NULL,
     "ask no application: the copy is as after a power cut"},
    {"queue-timeout", 0, KIND_DURATION, ON_JOBS, 0, AT(queue_timeout_ms), "TIME",
     "wait in the queue no longer"},
    {"as", 0, KIND_LIST, ON_JOBS, AT(as), 0,
     "VOLUME=X:", "give the snapshot of VOLUME the drive letter X:, or with VOLUME=* a free one"},
    {"mount", 0, KIND_LIST, ON_JOBS, AT(mounts), 0, "[VOLUME=]DIR",
     "make DIR a link to the snapshot; DIR must not exist, its folder must"},
    {"hold", 0, KIND_HOLD, ON_SNAPSHOT, AT(hold), AT(hold_ms), "TIME", "keep the snapshot this long"},
    {"ok-codes", 0, KIND_CODES, ON_RUN, AT(ok_codes), AT(ok), "LIST",
     "exit codes of CMD that mean success (0; with robocopy 0-7)"},
    {"warn-codes", 0, KIND_CODES, ON_RUN, AT(warn_codes), AT(warn), "LIST",
     "exit codes of CMD that mean success with a warning"},
    {"components", 0, KIND_FLAG, ON_WRITERS, AT(components), 0, NULL, "also what each writer looks after"},
    {"writer", 0, KIND_TEXT, ON_WRITERS, AT(writer), 0, "WRITER", "only this one (name or id)"},
    {"refresh", 0, KIND_FLAG, ON_LISTS, AT(refresh), 0, NULL, "ask again instead of a recent answer"},
    {"json", 0, KIND_FLAG, ON_ALL, AT(json), 0, NULL, "print one JSON value on standard output"},
    {"timeout", 0, KIND_DURATION, ON_ALL, 0, AT(timeout_ms), "TIME",
     "give up after this long: 30s, 5m, 1h30m"},
    {"pipe", 0, KIND_TEXT, ON_ALL, AT(pipe), 0, "NAME",
     "talk to the service at this pipe (or SHADOWPIPE_PIPE)"},
    {"quiet", 'q', KIND_FLAG, ON_ALL, AT(quiet), 0, NULL,
     "no progress and no notes, only results and errors"},
    {"help", 'h', KIND_FLAG, ON_ALL, AT(help), 0, NULL, "show this"},
    {"version", 0, KIND_FLAG, ON_ALL, AT(version), 0, NULL, "show the version"},
};

enum {
    OPTIONS_COUNT = sizeof options / sizeof *options
};

struct command {
    enum command_id id;
    const char *name;
    const char *summary;
    const char *usage;
    const char *more; /* paragraphs for its help */
};

static const struct command commands[] = {
    {COMMAND_STATUS, "status", "what the service is doing", "shadowpipe status", ""},
    {COMMAND_WRITERS, "writers", "the applications that take part in snapshots, and their state",
     "shadowpipe writers [--components] [--writer WRITER]", ""},
    {COMMAND_VOLUMES, "volumes", "the volumes, and which of them can be copied", "shadowpipe volumes", ""},
    {COMMAND_PROVIDERS, "providers", "what makes the copies", "shadowpipe providers", ""},
    {COMMAND_SNAPSHOT, "snapshot", "take a snapshot and hold it",
     "shadowpipe snapshot -v VOLUME ... [--hold TIME]",
     "Takes one snapshot of all the volumes at the same moment, prints where to read it, and holds it until\n"
     "Enter, Ctrl-C, or the end of standard input; with --hold for that time or until Ctrl-C.\n"},
    {COMMAND_RUN, "run", "run a program on a snapshot",
     "shadowpipe run -v VOLUME ... [--as VOLUME=X:] -- CMD ...",
     "Takes one snapshot of all the volumes, runs CMD, and finishes the backup by CMD's exit code.\n"
     "CMD finds the snapshot\n"
     "  at the drive letters of --as and the folders of --mount,\n"
     "  in arguments: snap:C:\\Data (also behind a '=') becomes the path of C:\\Data in the snapshot,\n"
     "  in its environment: SHADOWPIPE_C (device of C:, without a backslash at the end), SHADOWPIPE_COUNT,\n"
     "  SHADOWPIPE_ORIGINAL_1 .. and SHADOWPIPE_PATH_1 .. (root directories, with one), SHADOWPIPE_SET_ID.\n"
     "With --json what CMD prints goes to standard error.\n"},
};

enum {
    COMMANDS_COUNT = sizeof commands / sizeof *commands
};

static const struct command *find_command(enum command_id id)
{
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (commands[i].id == id)
            return &commands[i];
    }
    return NULL;
}

const char *args_command_name(enum command_id command)
{
    const struct command *found = find_command(command);
    return found ? found->name : "";
}

/* ---- parsing ---- */

struct parser {
    size_t argc;
    char **argv;
    size_t next;
    struct arguments *arguments;
    struct text *problem;
    bool given[OPTIONS_COUNT];
};

static bool takes_value(const struct option *option)
{
    return option->kind != KIND_FLAG;
}

static bool refuse_value(struct parser *parser, const struct option *option, const char *value,
                         const char *wanted)
{
    text_format(parser->problem, "--%s does not take \"%s\": %s.", option->name, value, wanted);
    return false;
}

static bool store_value(struct parser *parser, const struct option *option, const char *value)
{
    static const char not_a_time[] = "write a time such as 30s, 5m or 1h30m";
    char *base = (char *)parser->arguments;
    void *place = base + option->offset;
    void *parsed = base + option->parsed;
    switch (option->kind) {
    case KIND_FLAG:
        *(bool *)place = true;
        return true;
    case KIND_TEXT:
        *(const char **)place = value;
        return true;
    case KIND_LIST: {
        struct string_list *list = place;
        if (list->count == LIST_MAX) {
            text_format(parser->problem, "--%s is given more than %d times.", option->name, LIST_MAX);
            return false;
        }
        list->items[list->count++] = value;
        return true;
    }
    case KIND_DURATION:
        if (duration_parse(value, parsed) && *(uint32_t *)parsed > 0)
            return true;
        return refuse_value(parser, option, value, not_a_time);
    case KIND_HOLD:
        *(const char **)place = value;
        return duration_parse(value, parsed) || refuse_value(parser, option, value, not_a_time);
    case KIND_CODES:
    default:
        *(const char **)place = value;
        return codes_parse(value, parsed) ||
               refuse_value(parser, option, value, "write exit codes and ranges such as 0,2-7");
    }
}

/* `value` is what stood behind '=' or the letter, else NULL. */
static bool take_option(struct parser *parser, const struct option *option, const char *value)
{
    size_t index = (size_t)(option - options);
    if (parser->given[index] && option->kind != KIND_LIST && option->kind != KIND_FLAG) {
        text_format(parser->problem, "--%s is given twice.", option->name);
        return false;
    }
    parser->given[index] = true;
    if (!takes_value(option)) {
        if (value) {
            text_format(parser->problem, "--%s takes no value.", option->name);
            return false;
        }
        return store_value(parser, option, NULL);
    }
    if (!value) {
        if (parser->next == parser->argc || strcmp(parser->argv[parser->next], "--") == 0) {
            text_format(parser->problem, "--%s needs a value (%s).", option->name, option->value);
            return false;
        }
        value = parser->argv[parser->next++];
    }
    if (!*value) {
        text_format(parser->problem, "--%s has an empty value.", option->name);
        return false;
    }
    return store_value(parser, option, value);
}

static const struct option *find_option(const char *name, size_t length, char letter)
{
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        bool same = letter ? options[i].letter == letter
                           : strlen(options[i].name) == length && strncmp(options[i].name, name, length) == 0;
        if (same)
            return &options[i];
    }
    return NULL;
}

static bool parse_option(struct parser *parser, const char *argument)
{
    const struct option *option;
    const char *value = NULL;
    if (argument[1] == '-') {
        const char *name = argument + 2;
        size_t length = strcspn(name, "=");
        option = find_option(name, length, 0);
        if (name[length] == '=')
            value = name + length + 1;
    } else {
        option = argument[1] ? find_option(NULL, 0, argument[1]) : NULL;
        if (argument[1] && argument[2])
            value = argument + 2;
    }
    if (!option) {
        text_format(parser->problem, "There is no option \"%s\".", argument);
        return false;
    }
    return take_option(parser, option, value);
}

static bool parse_command(struct parser *parser, const char *argument)
{
    if (parser->arguments->command != COMMAND_NONE) {
        text_format(parser->problem, "\"%s\" is one argument too many%s.", argument,
                    parser->arguments->command == COMMAND_RUN ? "; the program to run comes behind --" : "");
        return false;
    }
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        if (strcmp(commands[i].name, argument) == 0) {
            parser->arguments->command = commands[i].id;
            return true;
        }
    }
    text_format(parser->problem, "There is no command \"%s\".", argument);
    return false;
}

/* ---- checking what belongs together ---- */

static bool check_options_fit(const struct parser *parser)
{
    unsigned bit = 1u << parser->arguments->command;
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        if (parser->given[i] && !(options[i].commands & bit)) {
            text_format(parser->problem, "\"%s\" has no option --%s.",
                        args_command_name(parser->arguments->command), options[i].name);
            return false;
        }
    }
    return true;
}

static bool check_targets(const struct string_list *list, bool is_mount, struct text *problem)
{
    for (size_t i = 0; i < list->count; i++) {
        char *volume;
        char *target;
        if (!args_split_target(list->items[i], is_mount, &volume, &target)) {
            text_add(problem, "There is not enough memory.");
            return false;
        }
        bool letter = (target[0] >= 'A' && target[0] <= 'Z') || (target[0] >= 'a' && target[0] <= 'z');
        bool right = is_mount ? *target && target[strlen(target) - 1] != '='
                              : *volume && (strcmp(target, "*") == 0 ||
                                            (letter && (!target[1] || strcmp(target + 1, ":") == 0)));
        free(volume);
        free(target);
        if (!right) {
            text_format(problem, "--%s does not take \"%s\": %s.", is_mount ? "mount" : "as", list->items[i],
                        is_mount ? "write DIR or VOLUME=DIR" : "write VOLUME=X: or VOLUME=*");
            return false;
        }
    }
    return true;
}

static bool check_job(const struct arguments *arguments, struct text *problem)
{
    const char *on = arguments->on_unsupported;
    if (arguments->volumes.count + arguments->paths.count == 0) {
        text_format(problem, "\"%s\" needs a volume: -v C:, or a path: --path C:\\Data.",
                    args_command_name(arguments->command));
        return false;
    }
    if (on && strcmp(on, "fail") != 0 && strcmp(on, "skip") != 0) {
        text_format(problem, "--on-unsupported does not take \"%s\": write fail or skip.", on);
        return false;
    }
    if (arguments->no_writers &&
        arguments->required.count + arguments->excluded.count + arguments->tolerated.count > 0) {
        text_add(problem, "--no-writers does not go with --require, --exclude-writer or --tolerate.");
        return false;
    }
    if (arguments->command == COMMAND_RUN && arguments->program_count == 0) {
        text_add(problem, "\"run\" needs a program behind --, as in: shadowpipe run -v C: -- CMD.");
        return false;
    }
    return check_targets(&arguments->as, false, problem) && check_targets(&arguments->mounts, true, problem);
}

static bool check(const struct parser *parser)
{
    struct arguments *arguments = parser->arguments;
    if (!check_options_fit(parser))
        return false;
    if (arguments->help || arguments->version)
        return true;
    if (arguments->program && arguments->command != COMMAND_RUN) {
        text_add(parser->problem, "Only \"run\" takes a program behind --.");
        return false;
    }
    if (arguments->command == COMMAND_NONE) {
        text_add(parser->problem, "Say what to do.");
        return false;
    }
    if (arguments->command == COMMAND_SNAPSHOT || arguments->command == COMMAND_RUN)
        return check_job(arguments, parser->problem);
    return true;
}

bool args_parse(size_t argc, char **argv, struct arguments *arguments, struct text *problem)
{
    struct parser parser = {.argc = argc, .argv = argv, .arguments = arguments, .problem = problem};
    memset(arguments, 0, sizeof *arguments);
    while (parser.next < argc) {
        char *argument = argv[parser.next++];
        if (strcmp(argument, "--") == 0) {
            arguments->program = argv + parser.next;
            arguments->program_count = argc - parser.next;
            break;
        }
        bool taken = argument[0] == '-' ? parse_option(&parser, argument) : parse_command(&parser, argument);
        if (!taken)
            return false;
    }
    return check(&parser);
}

static char *copy_part(const char *from, size_t length)
{
    char *copy = malloc(length + 1);
    if (copy) {
        memcpy(copy, from, length);
        copy[length] = 0;
    }
    return copy;
}

bool args_split_target(const char *value, bool is_mount, char **volume, char **target)
{
    const char *equals = strrchr(value, '=');
    /* A folder may have a '=' in its name; what stands behind a volume's is a full path. */
    bool absolute = equals && ((equals[1] && equals[2] == ':') || equals[1] == '\\');
    if (is_mount && !absolute)
        equals = NULL;
    const char *second = equals ? equals + 1 : value;
    *volume = copy_part(value, equals ? (size_t)(equals - value) : 0);
    *target = copy_part(second, strlen(second));
    if (*volume && *target)
        return true;
    free(*volume);
    free(*target);
    *volume = NULL;
    *target = NULL;
    return false;
}

/* ---- help ---- */

static const char exit_codes_help[] =
    "Exit codes: 0 done, 1 failed, 2 wrong usage or bad request, 3 no service, 4 not permitted, 5 VSS or a "
    "writer\n"
    "failed, 6 out of time, 7 only part of what was asked for is covered.\n";

static const char run_exit_codes_help[] = "Exit code: CMD's own. If CMD could not run, or ended well but "
                                          "something else did not: 120 failed, 121 wrong\n"
                                          "usage or bad request, 122 no service, 123 not permitted, 124 VSS "
                                          "or a writer failed, 125 out of time, 126 only\n"
                                          "part of what was asked for is covered.\n";

static void add_options(enum command_id command, struct text *text)
{
    text_add(text, "\nOptions:\n");
    for (size_t i = 0; i < OPTIONS_COUNT; i++) {
        const struct option *option = &options[i];
        if (!(option->commands & 1u << command))
            continue;
        size_t start = text->size;
        if (option->letter)
            text_format(text, "  -%c, --%s", option->letter, option->name);
        else
            text_format(text, "      --%s", option->name);
        if (option->value)
            text_format(text, " %s", option->value);
        text_pad(text, start, 34);
        text_add(text, option->help);
        text_add_char(text, '\n');
    }
}

void args_help(enum command_id command, struct text *text)
{
    const struct command *found = find_command(command);
    if (found) {
        text_format(text, "shadowpipe %s: %s\n\nUsage: %s\n", found->name, found->summary, found->usage);
        if (*found->more)
            text_format(text, "\n%s", found->more);
    } else {
        text_add(text,
                 "shadowpipe: snapshots of live volumes, through the Shadowpipe service\n\n"
                 "Usage: shadowpipe COMMAND [OPTIONS]; shadowpipe COMMAND --help says more\n\nCommands:\n");
        for (size_t i = 0; i < COMMANDS_COUNT; i++) {
            size_t start = text->size;
            text_format(text, "  %s", commands[i].name);
            text_pad(text, start, 14);
            text_format(text, "%s\n", commands[i].summary);
        }
    }
    add_options(command, text);
    text_format(text, "\n%s", command == COMMAND_RUN ? run_exit_codes_help : exit_codes_help);
}
