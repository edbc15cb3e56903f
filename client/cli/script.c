#include "client/cli/script.h"

#include <stdlib.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static const char *skip_blanks(const char *at)
{
    while (is_blank(*at))
        at++;
    return at;
}

static bool is_comment(const char *line)
{
    return *line == '#' || (starts_ignoring_case(line, "rem") && (!line[3] || is_blank(line[3])));
}

/* Takes one word off, as it is written but for its quotes. False: a quote is not closed. */
static bool take_word(const char **cursor, struct text *word)
{
    const char *at = *cursor;
    bool quoted = false;
    text_add(word, "");
    for (; *at && (quoted || !is_blank(*at)); at++) {
        if (*at != '"') {
            text_add_char(word, *at);
        } else if (quoted && at[1] == '"') {
            text_add_char(word, '"');
            at++;
        } else {
            quoted = !quoted;
        }
    }
    *cursor = at;
    return !quoted;
}

static bool add_word(const struct aliases *aliases, const struct text *word, struct words *words,
                     struct text *problem)
{
    struct text expanded = {0};
    if (words->count == WORDS_MAX) {
        text_format(problem, "The line has more than %d words.", WORDS_MAX);
        return false;
    }
    text_add(&expanded, "");
    bool ok = aliases_expand(aliases, text_string(word), &expanded, problem);
    if (ok && (word->failed || expanded.failed)) {
        text_add(problem, "There is not enough memory.");
        ok = false;
    }
    if (ok)
        words->items[words->count++] = expanded.data;
    else
        text_free(&expanded);
    return ok;
}

bool script_split(const char *line, const struct aliases *aliases, struct words *words, struct text *problem)
{
    memset(words, 0, sizeof *words);
    line = skip_blanks(line);
    if (*line == '-') {
        words->may_fail = true;
        line = skip_blanks(line + 1);
    }
    if (is_comment(line))
        return true;
    for (; *line; line = skip_blanks(line)) {
        struct text word = {0};
        bool ok = take_word(&line, &word);
        if (!ok)
            text_add(problem, "A quote is not closed.");
        ok = ok && add_word(aliases, &word, words, problem);
        text_free(&word);
        if (!ok) {
            words_free(words);
            return false;
        }
    }
    return true;
}

void words_free(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->items[i]);
    words->count = 0;
}

void words_join(char *const *words, size_t count, struct text *out)
{
    for (size_t i = 0; i < count; i++)
        text_format(out, "%s%s", i ? " " : "", words[i]);
}

/* How many bytes follow the first one of a character; -1: it is no first one. */
static int following(unsigned char first)
{
    if (first < 0x80)
        return 0;
    if (first >= 0xC2 && first < 0xE0)
        return 1;
    if (first >= 0xE0 && first < 0xF0)
        return 2;
    return first >= 0xF0 && first < 0xF5 ? 3 : -1;
}

bool script_is_text(const char *bytes, size_t size)
{
    const unsigned char *at = (const unsigned char *)bytes;
    for (size_t i = 0; i < size;) {
        int more = following(at[i]);
        if (at[i] == 0 || more < 0 || (size_t)more >= size - i)
            return false;
        for (int n = 1; n <= more; n++) {
            if ((at[i + (size_t)n] & 0xC0) != 0x80)
                return false;
        }
        /* Not the longest form, no surrogate, nothing behind the last plane. */
        unsigned char second = more > 0 ? at[i + 1] : 0;
        if ((at[i] == 0xE0 && second < 0xA0) || (at[i] == 0xED && second > 0x9F) ||
            (at[i] == 0xF0 && second < 0x90) || (at[i] == 0xF4 && second > 0x8F))
            return false;
        i += (size_t)more + 1;
    }
    return true;
}
