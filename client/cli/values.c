#include "client/cli/values.h"

#include <string.h>

static bool read_number(const char **cursor, uint64_t limit, uint64_t *number)
{
    const char *at = *cursor;
    *number = 0;
    if (*at < '0' || *at > '9')
        return false;
    for (; *at >= '0' && *at <= '9'; at++) {
        *number = *number * 10 + (uint64_t)(*at - '0');
        if (*number > limit)
            return false;
    }
    *cursor = at;
    return true;
}

struct unit {
    const char *name;
    uint64_t ms;
};

/* Those that begin like another one come first. */
static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

static const struct unit *read_unit(const char **cursor)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t length = strlen(units[i].name);
        if (strncmp(*cursor, units[i].name, length) == 0) {
            *cursor += length;
            return &units[i];
        }
    }
    return NULL;
}

static bool parse_duration(const char *text, uint64_t limit_ms, uint64_t *total)
{
    uint64_t last_unit = UINT64_MAX;
    *total = 0;
    do {
        uint64_t number;
        if (!read_number(&text, UINT32_MAX, &number))
            return false;
        const struct unit *unit = read_unit(&text);
        uint64_t ms = unit ? unit->ms : 1000;
        if ((!unit && (*text || last_unit != UINT64_MAX)) || ms >= last_unit)
            return false;
        last_unit = ms;
        *total += number * ms;
        if (*total > limit_ms)
            return false;
    } while (*text);
    return true;
}

bool duration_parse(const char *text, uint32_t *duration_ms)
{
    uint64_t total;
    bool ok = parse_duration(text, UINT32_MAX, &total);
    *duration_ms = ok ? (uint32_t)total : 0;
    return ok;
}

bool long_duration_parse(const char *text, uint64_t *duration_ms)
{
    static const uint64_t limit_ms = UINT64_C(36525) * 86400000;
    bool ok = parse_duration(text, limit_ms, duration_ms);
    if (!ok)
        *duration_ms = 0;
    return ok;
}

bool guid_parse(const char *text, char *guid)
{
    size_t length = strlen(text);
    if (length == 38 && text[0] == '{' && text[37] == '}')
        text++;
    else if (length != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool digit = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f') ||
                     (text[i] >= 'A' && text[i] <= 'F');
        if (dash ? text[i] != '-' : !digit)
            return false;
        guid[i] = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a') : text[i];
    }
    guid[36] = 0;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool read_code(const char **cursor, uint32_t *code)
{
    const char *at = *cursor;
    uint64_t number = 0;
    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        const char *start = at += 2;
        for (; hex_digit(*at) >= 0; at++) {
            number = number * 16 + (uint64_t)hex_digit(*at);
            if (number > UINT32_MAX)
                return false;
        }
        if (at == start)
            return false;
    } else if (*at == '-') {
        at++;
        if (!read_number(&at, (uint64_t)INT32_MAX + 1, &number))
            return false;
        number = (uint64_t)UINT32_MAX + 1 - number;
        if (number > UINT32_MAX)
            number = 0;
    } else if (!read_number(&at, UINT32_MAX, &number)) {
        return false;
    }
    *code = (uint32_t)number;
    *cursor = at;
    return true;
}

bool codes_parse(const char *text, struct code_list *codes)
{
    memset(codes, 0, sizeof *codes);
    for (;;) {
        struct code_range range;
        if (codes->count == CODE_RANGES_MAX || !read_code(&text, &range.first))
            return false;
        range.last = range.first;
        if (*text == '-') {
            text++;
            if (!read_code(&text, &range.last) || range.last < range.first)
                return false;
        }
        codes->ranges[codes->count++] = range;
        if (!*text)
            return true;
        if (*text++ != ',')
            return false;
    }
}

bool codes_contain(const struct code_list *codes, uint32_t code)
{
    for (size_t i = 0; i < codes->count; i++) {
        if (code >= codes->ranges[i].first && code <= codes->ranges[i].last)
            return true;
    }
    return false;
}
