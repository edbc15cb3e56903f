/* What the broker knows about VSS writers, and how it judges their state.
 *
 * A failed writer fails the job unless the job tolerates it. Writers are named by class id, instance id or
 * name. */
#ifndef SHADOWPIPE_BROKER_WRITERS_H
#define SHADOWPIPE_BROKER_WRITERS_H

#include "proto/decode.h"
#include "proto/wire.h"
#include "proto/writers.h"

struct broker;

bool writer_is_named(const PB(WriterStatus) * writer, const char *name_or_id);
bool writer_is_in(const PB(WriterStatus) * writer, char *const *names, size_t count);
bool text_is_guid(const char *text);

/* A copy in the arena of what GetWriterStatusEx said, with failed, host_service and advice filled. */
PB(WriterStatus) * writer_status_make(struct arena *arena, const PB(GetWriterStatusResult) * result);
/* "writer NAME is in state FAILED_AT_FREEZE (VSS_E_…), and others failed too". NULL without memory. */
char *writers_describe(struct arena *arena, PB(WriterStatus) *const *failed, size_t count);
/* The Status of a job that these failed writers end, `method` having been called last. */
PB(Status) * writers_failure(struct broker *broker, PB(WriterStatus) *const *failed, size_t count,
                             const char *method, PB(Phase) phase);

#endif
