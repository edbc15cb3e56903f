/* What Wine has instead of drive letters and links that can be made like Windows's: the system below. */
#ifndef SHADOWPIPE_CLIENT_LIB_WINE_H
#define SHADOWPIPE_CLIENT_LIB_WINE_H

#include <stdbool.h>

bool running_under_wine(void);

/* The path on the system below; of its last part only the name matters. NULL on failure, else wine_free it.
 */
char *wine_unix_path(const char *path);
void wine_free(char *unix_path);

/* Do both open, and are they one directory? */
bool wine_same_directory(const char *one, const char *other);

#endif
