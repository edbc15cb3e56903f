#include "client/cli/quote.h"

#include <string.h>

void quote_argument(struct text *line, const char *argument)
{
    if (*argument && !strpbrk(argument, " \t\n\v\"")) {
        text_add(line, argument);
        return;
    }
    text_add_char(line, '"');
    size_t backslashes = 0;
    for (; *argument; argument++) {
        if (*argument == '\\') {
            backslashes++;
            continue;
        }
        /* Backslashes count only before a quote; there each needs another one, and the quote one more. */
        size_t needed = *argument == '"' ? 2 * backslashes + 1 : backslashes;
        for (; needed > 0; needed--)
            text_add_char(line, '\\');
        backslashes = 0;
        text_add_char(line, *argument);
    }
    for (backslashes *= 2; backslashes > 0; backslashes--)
        text_add_char(line, '\\');
    text_add_char(line, '"');
}

void quote_for_shell(struct text *line, const char *argument)
{
    bool quotes = !*argument || strpbrk(argument, " \t&|<>^()");
    text_format(line, "%s%s%s", quotes ? "\"" : "", argument, quotes ? "\"" : "");
}

bool quote_for_batch(struct text *line, const char *argument)
{
    if (strpbrk(argument, "\"%\r\n"))
        return false;
    bool quotes = !*argument || strpbrk(argument, " \t&|<>^()@!,;='`~[]{}+");
    text_format(line, "%s%s%s", quotes ? "\"" : "", argument, quotes ? "\"" : "");
    return true;
}
