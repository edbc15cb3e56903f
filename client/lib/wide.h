/* UTF-8 and UTF-16. The results are the caller's to free; NULL without memory. Invalid parts become U+FFFD.
 */
#ifndef SHADOWPIPE_CLIENT_LIB_WIDE_H
#define SHADOWPIPE_CLIENT_LIB_WIDE_H

#include <wchar.h>

wchar_t *wide_from_utf8(const char *string);
char *utf8_from_wide(const wchar_t *string);

#endif
