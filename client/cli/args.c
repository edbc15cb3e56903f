/* Reading the command line by the tables of options.h. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/options.h"

struct parser {
    size_t argc;
    char **argv;
    size_t next;
    struct arguments *arguments;
    struct text *problem;
    bool given[OPTIONS_MAX]; /* by the first row of the name */
};

static bool refuse_value(struct parser *parser, const struct option *option, const char *value,
                         const char *wanted)
{
    text_format(parser->problem, "--%s does not take \"%s\": %s.", option->name, value, wanted);
    return false;
}

static bool store_choice(struct parser *parser, const struct option *option, const char *value,
                         uint32_t *place)
{
    for (const struct choice *choice = option->choices; choice->word; choice++) {
        if (strcmp(choice->word, value) == 0) {
            *place |= choice->value; /* 0 before, unless they are bits */
            return true;
        }
    }
    struct text wanted = {0};
    text_add(&wanted, "write ");
    for (const struct choice *choice = option->choices; choice->word; choice++)
        text_format(&wanted, "%s%s",
                    choice == option->choices ? ""
                    : choice[1].word          ? ", "
                                              : " or ",
                    choice->word);
    (void)refuse_value(parser, option, value, text_string(&wanted));
    text_free(&wanted);
    return false;
}

static bool store_value(struct parser *parser, const struct option *option, const char *value)
{
    static const char not_a_time[] = "write a time such as 30s, 5m, 1h30m or 7d";
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
    case KIND_CHOICE:
    case KIND_BITS:
        return store_choice(parser, option, value, parsed);
    case KIND_LONG:
        if (long_duration_parse(value, parsed) && *(uint64_t *)parsed > 0)
            return true;
        return refuse_value(parser, option, value, not_a_time);
    case KIND_GUID:
        return guid_parse(value, parsed) ||
               refuse_value(parser, option, value,
                            "write an id such as 3808876b-c176-4e48-b7ae-04046e6cc752");
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
    bool repeatable = option->kind == KIND_LIST || option->kind == KIND_FLAG || option->kind == KIND_BITS;
    if (parser->given[index] && !repeatable) {
        text_format(parser->problem, "--%s is given twice.", option->name);
        return false;
    }
    parser->given[index] = true;
    if (option->kind == KIND_FLAG) {
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

/* The first row of the name or letter. */
static const struct option *find_option(const char *name, size_t length, char letter)
{
    for (size_t i = 0; i < options_count; i++) {
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
    for (size_t i = 0; i < commands_count; i++) {
        if (strcmp(commands[i].name, argument) == 0) {
            parser->arguments->command = commands[i].id;
            return true;
        }
    }
    text_format(parser->problem, "There is no command \"%s\".", argument);
    return false;
}

/* Does the command have this option? Any of the rows with its name counts. */
static bool option_fits(const struct option *option, enum command_id command)
{
    for (size_t i = 0; i < options_count; i++) {
        if (options[i].commands & UINT32_C(1) << command && strcmp(options[i].name, option->name) == 0)
            return true;
    }
    return false;
}

static bool check(const struct parser *parser)
{
    const struct arguments *arguments = parser->arguments;
    const struct command *command = command_find(arguments->command);
    for (size_t i = 0; i < options_count; i++) {
        if (parser->given[i] && !option_fits(&options[i], arguments->command)) {
            text_format(parser->problem, "\"%s\" has no option --%s.", args_command_name(arguments->command),
                        options[i].name);
            return false;
        }
    }
    for (size_t i = 0; arguments->attach && i < options_count; i++) {
        /* The snapshot exists: what `snapshot` would take to make one cannot go with it. */
        if (parser->given[i] && !option_fits(&options[i], COMMAND_ATTACH) &&
            options[i].commands & ON(SNAPSHOT)) {
            text_format(parser->problem, "--%s does not go with --attach: the snapshot exists.",
                        options[i].name);
            return false;
        }
    }
    if (arguments->help || arguments->version)
        return true;
    if (arguments->program && (!command || !command->takes_program)) {
        text_add(parser->problem, "Only a command that runs a program takes one behind --.");
        return false;
    }
    if (!command) {
        text_add(parser->problem, "Say what to do.");
        return false;
    }
    return !command->check || command->check(arguments, parser->problem);
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
