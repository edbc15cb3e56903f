/* Shadow storage: for each volume the area in which its copies are kept, on the same or another volume, with
 * a maximum. What stands in <store>\storage\{guid}.txt comes first, where AddDiffArea and
 * ChangeDiffAreaMaximumSize put it; then "[storage:VOLUME]" and "[volumes] storage_copies" of the scenario. A
 * volume of which none of them says anything has an area without limit as long as it has copies, as on
 * Windows. Every copy uses the same space, so how many fit is known beforehand. */
#pragma once
#include "scenario.h"
#include "volumes.h"

#define STORAGE_NO_LIMIT (-1LL)

struct storage_area {
    wchar_t volume[64], on[64]; /* volume names */
    LONGLONG maximum, allocated, used, copy;
};
struct storage_volume {
    wchar_t name[64], root[MAX_PATH];
    LONGLONG free, total;
};
/* One of many that a query gives. */
struct storage_entry {
    BOOL is_area;
    struct storage_area area;
    struct storage_volume volume;
};

/* Makes room for one copy more of each volume: the oldest go, whoever reads them. Where there is room for
 * none, VSS_E_INSUFFICIENT_STORAGE. */
HRESULT storage_make_room(const struct scenario *scenario, const struct volume *volumes, unsigned count);

/* The functions of IVssDifferentialSoftwareSnapshotMgmt. Lists are to be freed by free(). */
HRESULT storage_add(const struct scenario *scenario, const wchar_t *volume, const wchar_t *on,
                    LONGLONG maximum);
HRESULT storage_change(const struct scenario *scenario, const wchar_t *volume, const wchar_t *on,
                       LONGLONG maximum);
HRESULT storage_volumes(const struct scenario *scenario, const wchar_t *volume, struct storage_entry **list,
                        unsigned *count);
HRESULT storage_for_volume(const struct scenario *scenario, const wchar_t *volume,
                           struct storage_entry **list, unsigned *count);
HRESULT storage_on_volume(const struct scenario *scenario, const wchar_t *volume, struct storage_entry **list,
                          unsigned *count);
HRESULT storage_for_snapshot(const struct scenario *scenario, const GUID *snapshot,
                             struct storage_entry **list, unsigned *count);
