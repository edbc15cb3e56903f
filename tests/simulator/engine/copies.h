/* Shadow copies: for each, <store>\copies\<n>\ with the volume's files and <store>\copies\<n>.txt, its
 * record. A copy exists, for everybody, from the moment its record does. The device path handed out is
 * "\\?\<store>\copies\<n>". Files are copied under Wine by the host's cp, which does not care who has locked
 * them there; on Windows by plain reads, so that a locked file fails the copy. The store itself is left out
 * if it lies on the volume. */
#pragma once
#include <windows.h>
#include <vss.h>
#include "volumes.h"

struct copy_info {
    unsigned number;
    unsigned object; /* by which it was made */
    GUID id, set;
    LONG set_size, attributes;
    LONGLONG created; /* FILETIME */
    wchar_t volume[64];
    wchar_t device[640];
    unsigned long long release_at; /* unix ms; 0: not released */
};

extern const GUID copies_provider; /* the only one: the system provider */

/* Makes count copies at one moment: volumes[i] as infos[i], whose id, set, object, set_size, attributes are
 * given. All or none. S_OK, VSS_S_ASYNC_CANCELLED, VSS_E_INSUFFICIENT_STORAGE,
 * VSS_E_UNEXPECTED_PROVIDER_ERROR. */
HRESULT copies_make(const struct volume *volumes, struct copy_info *infos, unsigned count, HANDLE cancel);

/* Calls visit for each live copy, in the order of their numbers, until it returns FALSE. Holds the store's
 * lock. */
void copies_visit(BOOL (*visit)(const struct copy_info *info, void *context), void *context);
HRESULT copies_find(const GUID *id, struct copy_info *info);
HRESULT copies_delete(const struct copy_info *info);

/* The object is gone: its auto-release copies go too, at once or, by a later sweep, after delay_ms. */
void copies_release(unsigned object, unsigned long delay_ms);
void copies_sweep(void);
