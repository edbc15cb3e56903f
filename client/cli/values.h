/* The values that options take: durations ("90", "30s", "1h30m") and lists of exit codes ("0-7,16"). */
#ifndef SHADOWPIPE_CLIENT_CLI_VALUES_H
#define SHADOWPIPE_CLIENT_CLI_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers with the units ms, s, m, h, d, the larger ones first; a number alone is seconds. At most 49 days.
 */
bool duration_parse(const char *text, uint32_t *duration_ms);

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
