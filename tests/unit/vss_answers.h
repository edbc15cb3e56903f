/* What VSS answers when all goes well: the reply to one call of a requester, from a view of the machine.
 *
 * Used by every requester process that tests pretend to be. It keeps no state: who writes and how they fare,
 * and which object asks, is in the view. A reply points into its struct and into the call. */
#ifndef SHADOWPIPE_TESTS_VSS_ANSWERS_H
#define SHADOWPIPE_TESTS_VSS_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

enum {
    WRITERS = 3,
    S_ASYNC_PENDING = 0x00042309,
    S_ASYNC_FINISHED = 0x0004230A,
    S_ASYNC_CANCELLED = 0x0004230B
};

extern const char *const writer_names[WRITERS];
extern const char *const writer_classes[WRITERS];
extern const char *const writer_instances[WRITERS];

struct vss_view {
    unsigned object;           /* goes into the ids that it gives: at most 5 digits */
    unsigned added;            /* volumes of its set, with the one that this call adds */
    unsigned present[WRITERS]; /* writers, by index */
    unsigned present_count;
    uint32_t states[WRITERS]; /* of GatherWriterStatus, by writer */
    uint32_t hresults[WRITERS];
    bool all_one_name; /* all writers have the name of the last */
    bool supports;     /* the volume that is asked about */
    /* Of each volume; `counted` 0 = nothing is known. */
    unsigned counted;
    unsigned client_accessible;
    uint64_t area_maximum; /* 0 = nothing is known */
    uint64_t area_used;
};

struct vss_answer {
    PB(CallReply) reply;
    PB(GetWriterMetadataCountResult) metadata_count;
    PB(GetWriterStatusCountResult) status_count;
    PB(GetWriterMetadataResult) metadata;
    PB(GetWriterStatusResult) status_result;
    PB(Writer) writer;
    PB(WriterStatus) status;
    PB(Component) component;
    PB(Component) * components[2];
    PB(FileDescriptor) file;
    PB(FileDescriptor) * files[1];
    PB(StartSnapshotSetResult) started;
    PB(AddToSnapshotSetResult) added;
    PB(IsVolumeSupportedResult) supported;
    PB(GetSnapshotPropertiesResult) properties;
    PB(Snapshot) snapshot;
    PB(CountSnapshotsResult) counts;
    PB(SnapshotCount) count;
    PB(SnapshotCount) * count_list[1];
    PB(QueryDiffAreasResult) areas;
    PB(DiffArea) area;
    PB(DiffArea) * area_list[1];
    PB(QueryResult) query;
    PB(DeleteSnapshotsResult) deleted;
    PB(Provider) provider;
    PB(Provider) * providers[1];
    PB(Snapshot) own, foreign;
    PB(Snapshot) * snapshots[2];
    char text[64];
};

void vss_answer(struct vss_answer *answer, const struct vss_view *view, const PB(Call) * call);
/* The object of a set id or snapshot id that vss_answer gave. */
unsigned vss_object_of_set(const char *set_id);

#endif
