#include "client/cli/text.h"

#include <stdlib.h>
#include <string.h>

static bool reserve(struct text *text, size_t more)
{
    if (text->failed)
        return false;
    size_t needed = text->size + more + 1;
    if (needed <= text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_add_bytes(struct text *text, const char *bytes, size_t size)
{
    if (!reserve(text, size))
        return;
    if (size > 0)
        memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = 0;
}

void text_add(struct text *text, const char *string)
{
    text_add_bytes(text, string, strlen(string));
}

void text_add_char(struct text *text, char c)
{
    text_add_bytes(text, &c, 1);
}

void text_format_list(struct text *text, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) {
        text->failed = true;
        return;
    }
    if (!reserve(text, (size_t)length))
        return;
    (void)vsnprintf(text->data + text->size, (size_t)length + 1, format, arguments);
    text->size += (size_t)length;
}

void text_format(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text_format_list(text, format, arguments);
    va_end(arguments);
}

size_t utf8_length(const char *string)
{
    size_t length = 0;
    for (; *string; string++) {
        if (((unsigned char)*string & 0xC0) != 0x80)
            length++;
    }
    return length;
}

void text_pad(struct text *text, size_t line_start, size_t column)
{
    size_t used = text->size > line_start ? utf8_length(text->data + line_start) : 0;
    do {
        text_add_char(text, ' ');
    } while (++used < column && !text->failed);
}

void text_clear(struct text *text)
{
    text->size = 0;
    text->failed = false;
    if (text->data)
        text->data[0] = 0;
}

void text_free(struct text *text)
{
    free(text->data);
    memset(text, 0, sizeof *text);
}

const char *text_string(const struct text *text)
{
    return text->data ? text->data : "";
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool starts_ignoring_case(const char *string, const char *prefix)
{
    for (; *prefix; string++, prefix++) {
        if (lower(*string) != lower(*prefix))
            return false;
    }
    return true;
}

bool equal_ignoring_case(const char *a, const char *b)
{
    return starts_ignoring_case(a, b) && strlen(a) == strlen(b);
}
