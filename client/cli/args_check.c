/* What belongs together on the command line, by command. */
#include <stdlib.h>
#include <string.h>

#include "client/cli/options.h"
#include "client/cli/request.h"

static bool is_letter(const char *target)
{
    bool letter = (target[0] >= 'A' && target[0] <= 'Z') || (target[0] >= 'a' && target[0] <= 'z');
    return letter && (!target[1] || strcmp(target + 1, ":") == 0);
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
        bool right = is_mount ? *target && target[strlen(target) - 1] != '='
                              : list->items[i][0] != '=' && (strcmp(target, "*") == 0 || is_letter(target));
        free(volume);
        free(target);
        if (!right) {
            text_format(problem, "--%s does not take \"%s\": %s.", is_mount ? "mount" : "as", list->items[i],
                        is_mount ? "write DIR or VOLUME=DIR" : "write X:, VOLUME=X: or VOLUME=*");
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

/* False, with the sentence. */
static bool refuse(struct text *problem, const char *sentence)
{
    text_add(problem, sentence);
    return false;
}

static bool is_persistent(PB(Context) context)
{
    return context == PB_VALUE(CONTEXT, CONTEXT_NAS_ROLLBACK) ||
           context == PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK) ||
           context == PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE) ||
           context == PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE_WRITERS);
}

static bool asks_writers(PB(Context) context)
{
    return context == PB_VALUE(CONTEXT, CONTEXT_UNSPECIFIED) ||
           context == PB_VALUE(CONTEXT, CONTEXT_BACKUP) ||
           context == PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK) ||
           context == PB_VALUE(CONTEXT, CONTEXT_CLIENT_ACCESSIBLE_WRITERS);
}

static bool check_contexts(const struct arguments *arguments, struct text *problem)
{
    PB(Context) context = request_context(arguments);
    if (arguments->context && (arguments->persistent || arguments->no_writers))
        return refuse(problem, "--context says by itself what --persistent and --no-writers would say.");
    if (arguments->keep_ms && !is_persistent(context))
        return refuse(problem,
                      "--keep is for snapshots that stay: add --persistent, or a persistent --context.");
    if (asks_writers(context))
        return true;
    if (arguments->required.count + arguments->excluded.count + arguments->tolerated.count > 0)
        return refuse(
            problem, "--require, --exclude-writer and --tolerate do not go with --no-writers, or a --context "
                     "without writers.");
    if (arguments->selected.count > 0)
        return refuse(problem, "--component does not go with --no-writers, or a --context without writers.");
    return true;
}

static bool check_request(const struct arguments *arguments, struct text *problem)
{
    struct arena arena;
    if (arguments->volumes.count + arguments->paths.count == 0) {
        text_format(problem, "\"%s\" needs a volume: -v C:, or a path: --path C:\\Data.",
                    args_command_name(arguments->command));
        return false;
    }
    if (arguments->manifest && arguments->selected.count == 0)
        return refuse(problem, "--manifest lists the files of components: add --component.");
    arena_init(&arena, DECODE_LIMIT_REQUEST_BYTES);
    bool made = request_make(arguments, &arena, problem);
    arena_free(&arena);
    return made && check_contexts(arguments, problem);
}

static bool check_hooks(const struct arguments *arguments, struct text *problem)
{
    const char *hooks[] = {arguments->before_freeze, arguments->after_thaw};
    for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++) {
        if (hooks[i] && (!*hooks[i] || strpbrk(hooks[i], "\r\n")))
            return refuse(problem, "--before-freeze and --after-thaw take one line for the command prompt.");
    }
    return true;
}

bool check_job(const struct arguments *arguments, struct text *problem)
{
    if (arguments->command == COMMAND_RUN && arguments->program_count == 0)
        return refuse(problem, "\"run\" needs a program behind --, as in: shadowpipe run -v C: -- CMD.");
    if (!check_targets(&arguments->as, false, problem) || !check_targets(&arguments->mounts, true, problem))
        return false;
    if (!check_hooks(arguments, problem))
        return false;
    if (arguments->ttl_ms && !arguments->detach)
        return refuse(problem, "--ttl is for --detach: else the lease ends with this command.");
    if (arguments->detach && (arguments->hold || arguments->as.count + arguments->mounts.count > 0))
        return refuse(problem,
                      "--detach does not go with --hold, --as and --mount, which end with the command.");
    if (arguments->command == COMMAND_ATTACH)
        return arguments->snapshot || refuse(problem, "\"attach\" needs a snapshot: --snapshot ID.");
    return arguments->attach || check_request(arguments, problem);
}

bool check_lease(const struct arguments *arguments, struct text *problem)
{
    if (arguments->lease_id && arguments->token)
        return true;
    text_format(problem, "\"%s\" needs --lease ID and --token TOKEN, as \"snapshot --detach\" printed them.",
                args_command_name(arguments->command));
    return false;
}

/* ---- snapshots that exist ---- */

static bool check_id(const struct arguments *arguments, struct text *problem)
{
    char id[ID_CHARS];
    if (!arguments->snapshot || guid_parse(arguments->snapshot, id))
        return true;
    text_format(problem, "--snapshot does not take \"%s\": write an id as \"shadowpipe list\" shows it.",
                arguments->snapshot);
    return false;
}

bool check_list(const struct arguments *arguments, struct text *problem)
{
    if (arguments->volumes.count > 1)
        return refuse(problem, "--volume is given twice.");
    return check_id(arguments, problem);
}

bool check_delete(const struct arguments *arguments, struct text *problem)
{
    size_t ways = (arguments->snapshot ? 1u : 0u) + (arguments->set_id[0] ? 1u : 0u) +
                  arguments->volumes.count + (arguments->all_mine ? 1u : 0u);
    if (ways != 1)
        return refuse(problem, "\"delete\" needs exactly one of --snapshot, --set, --volume and --all-mine.");
    if (arguments->oldest && arguments->volumes.count == 0)
        return refuse(problem, "--oldest is for --volume.");
    return check_id(arguments, problem);
}

bool check_expose(const struct arguments *arguments, struct text *problem)
{
    size_t ways = arguments->as.count + (arguments->directory ? 1u : 0u) + (arguments->share ? 1u : 0u);
    if (!arguments->snapshot)
        return refuse(problem, "\"expose\" needs a snapshot: --snapshot ID.");
    if (ways != 1)
        return refuse(problem, "\"expose\" needs exactly one of --as, --directory and --share.");
    if (arguments->sub_path && !arguments->share)
        return refuse(problem, "--sub-path is for --share.");
    if (arguments->as.count && !is_letter(arguments->as.items[0])) {
        text_format(problem, "--as does not take \"%s\": write X:.", arguments->as.items[0]);
        return false;
    }
    return check_id(arguments, problem);
}

bool check_object(const struct arguments *arguments, struct text *problem)
{
    switch (arguments->command) {
    case COMMAND_BREAK:
        return arguments->set_id[0] || refuse(problem, "\"break\" needs a snapshot set: --set ID.");
    case COMMAND_IMPORT:
        return arguments->document || refuse(problem, "\"import\" needs a document: --document FILE.");
    default:
        if (arguments->snapshot)
            return check_id(arguments, problem);
        text_format(problem, "\"%s\" needs a snapshot: --snapshot ID.",
                    args_command_name(arguments->command));
        return false;
    }
}

bool check_writers(const struct arguments *arguments, struct text *problem)
{
    if (arguments->writers.count <= 1)
        return true;
    text_add(problem, "--writer is given twice.");
    return false;
}

bool check_restore(const struct arguments *arguments, struct text *problem)
{
    if (!arguments->document)
        text_add(problem, "\"restore\" needs the backup's document: --document FILE.");
    else if (!arguments->rehearse && arguments->program_count == 0)
        text_add(problem, "\"restore\" needs a program behind -- that copies the files, or --rehearse.");
    else if (arguments->rehearse && arguments->manifest)
        text_add(problem,
                 "--rehearse does not go with --manifest: where files go is known after PreRestore.");
    return problem->size == 0;
}
