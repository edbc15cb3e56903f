/* A string that grows. After a failed allocation it stays as it was, `failed` is set, and further additions
 * do nothing: the one who uses the whole asks once. */
#ifndef SHADOWPIPE_CLIENT_CLI_TEXT_H
#define SHADOWPIPE_CLIENT_CLI_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#ifdef __MINGW_PRINTF_FORMAT
#define TEXT_PRINTF(string, first) __attribute__((format(__MINGW_PRINTF_FORMAT, string, first)))
#else
#define TEXT_PRINTF(string, first) __attribute__((format(printf, string, first)))
#endif

struct text {
    char *data; /* NULL while empty; else ends with NUL */
    size_t size;
    size_t capacity;
    bool failed;
};

void text_add_bytes(struct text *text, const char *bytes, size_t size);
void text_add(struct text *text, const char *string);
void text_add_char(struct text *text, char c);
void text_format(struct text *text, const char *format, ...) TEXT_PRINTF(2, 3);
void text_format_list(struct text *text, const char *format, va_list arguments) TEXT_PRINTF(2, 0);
/* Adds spaces until the text has `column` characters (not bytes) since `line_start`, and one more at least.
 */
void text_pad(struct text *text, size_t line_start, size_t column);
void text_clear(struct text *text); /* keeps the memory */
void text_free(struct text *text);
/* Never NULL. */
const char *text_string(const struct text *text);

/* How many characters a UTF-8 string has. */
size_t utf8_length(const char *string);
/* ASCII only, as names of options and drive letters are. */
bool equal_ignoring_case(const char *a, const char *b);
bool starts_ignoring_case(const char *string, const char *prefix);

#endif
