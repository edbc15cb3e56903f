/* Volume names: "X:\", a mounted folder with its trailing backslash, "\\?\Volume{guid}\". The volume
 * functions of Windows decide; they serve Wine's drives too (links in dosdevices and drives of its mount
 * manager alike), but there a volume GUID path itself cannot be opened, so a volume is known by its GUID and
 * read through a mount point. */
#pragma once
#include <windows.h>
#include "scenario.h"

struct volume {
    wchar_t name[64];       /* \\?\Volume{guid}\, for which two names of one volume are equal */
    wchar_t root[MAX_PATH]; /* a path that opens: S:\ */
};

/* S_OK, or VSS_E_OBJECT_NOT_FOUND for whatever is not the root of a local volume or lacks the trailing
 * backslash. */
HRESULT volume_find(const wchar_t *name, struct volume *volume);

/* Would the system provider take a snapshot of it? Not of a network drive, a CD, the host's whole file system
 * (Wine's Z:), or what the scenario excludes. */
BOOL volume_is_supported(const struct scenario *scenario, const struct volume *volume);
