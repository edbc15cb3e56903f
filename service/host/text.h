/* UTF-8 inside, UTF-16 at the Win32 call: the conversions, into buffers of the caller's. */
#ifndef SHADOWPIPE_HOST_TEXT_H
#define SHADOWPIPE_HOST_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <windows.h>

/* False, and an empty string, when it does not fit or is no sound text. */
bool text_to_utf8(const wchar_t *wide, char *utf8, size_t size);
bool text_wide_of(const char *utf8, wchar_t *wide, size_t chars);

/* The system's words for a Win32 code, without line end; "Win32 error N" where it has none. */
void text_of_error(DWORD error, char *text, size_t size);

#endif
