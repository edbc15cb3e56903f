/* What belongs together on the command line, by command. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/options.h"

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

bool check_status(const struct arguments *arguments, struct text *problem)
{
    if (!arguments->prometheus || !arguments->json)
        return true;
    text_add(problem, "--prometheus does not go with --json.");
    return false;
}

bool check_job(const struct arguments *arguments, struct text *problem)
{
    if (arguments->volumes.count + arguments->paths.count == 0) {
        text_format(problem, "\"%s\" needs a volume: -v C:, or a path: --path C:\\Data.",
                    args_command_name(arguments->command));
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
