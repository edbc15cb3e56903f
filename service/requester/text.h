/* UTF-16 and GUIDs of VSS to the UTF-8 of the wire and back. Results live in the arena of the call. */
#ifndef SHADOWPIPE_REQUESTER_TEXT_H
#define SHADOWPIPE_REQUESTER_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <windows.h>

#include "proto/decode.h"

enum {
    GUID_TEXT_CHARS = 37
};

/* Unpaired surrogates become U+FFFD. A NULL pointer gives "". NULL without memory, which goes on the wire as
 * "". */
char *text_from_wide(struct arena *arena, const wchar_t *wide);
/* NULL without memory. */
wchar_t *text_to_wide(struct arena *arena, const char *text);

/* Lower case, no braces; "" for the zero GUID. */
void text_from_guid(char text[GUID_TEXT_CHARS], const GUID *guid);
/* NULL without memory. */
char *text_guid(struct arena *arena, const GUID *guid);
/* "" gives the zero GUID; anything but 36 hexadecimal digits and hyphens in their places is refused. */
bool text_to_guid(const char *text, GUID *guid);

/* FILETIME in one number to unix milliseconds; 0 for 0. */
int64_t text_unix_ms(LONGLONG filetime);

#endif
