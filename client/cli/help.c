/* The help texts, from the tables. */
#include "client/cli/options.h"

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
    for (size_t i = 0; i < options_count; i++) {
        const struct option *option = &options[i];
        if (!(option->commands & UINT32_C(1) << command))
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
    const struct command *found = command_find(command);
    if (found) {
        text_format(text, "shadowpipe %s: %s\n\nUsage: %s\n", found->name, found->summary, found->usage);
        if (*found->more)
            text_format(text, "\n%s", found->more);
    } else {
        text_add(text,
                 "shadowpipe: snapshots of live volumes, through the Shadowpipe service\n\n"
                 "Usage: shadowpipe COMMAND [OPTIONS]; shadowpipe COMMAND --help says more\n\nCommands:\n");
        for (size_t i = 0; i < commands_count; i++) {
            size_t start = text->size;
            text_format(text, "  %s", commands[i].name);
            text_pad(text, start, 14);
            text_format(text, "%s\n", commands[i].summary);
        }
    }
    add_options(command, text);
    text_format(text, "\n%s",
                command == COMMAND_RUN || command == COMMAND_RESTORE ? run_exit_codes_help : exit_codes_help);
}
