/* The values that options take: durations ("90", "30s", "1h30m") and lists of exit codes ("0-7,16"). */
#ifndef SHADOWPIPE_CLIENT_CLI_VALUES_H
#define SHADOWPIPE_CLIENT_CLI_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers with the units ms, s, m, h, d, the larger ones first; a number alone is seconds. At most 49 days.
 */
bool duration_parse(const char *text, uint32_t *duration_ms);
/* The same, at most 100 years. */
bool long_duration_parse(const char *text, uint64_t *duration_ms);

/* "{3808876B-C176-4E48-B7AE-04046E6CC752}", with or without braces, in any case: 36 lower-case characters
 * into `guid`, which has room for 37. False: it is none. */
bool guid_parse(const char *text, char *guid);

enum {
    CODE_RANGES_MAX = 64
};

struct code_range {
    uint32_t first;
    uint32_t last;
};

struct code_list {
    struct code_range ranges[CODE_RANGES_MAX];
    size_t count;
};

/* Codes and ranges, separated by commas; decimal, hexadecimal with 0x, or negative (-1 is 0xFFFFFFFF). */
bool codes_parse(const char *text, struct code_list *codes);
bool codes_contain(const struct code_list *codes, uint32_t code);

#endif
