/* What the typed calls of shadowpipe.h give out: one block with the struct itself, the message that came, and
 * an arena for what had to be made of it. The ..._free functions are result_free. */
#ifndef SHADOWPIPE_CLIENT_LIB_RESULT_H
#define SHADOWPIPE_CLIENT_LIB_RESULT_H

#include "client/lib/message.h"

struct result {
    union {
        struct sp_snapshot snapshot;
        struct sp_volumes volumes;
        struct sp_writers writers;
        struct sp_providers providers;
        struct sp_document document;
        struct sp_finished finished;
        struct sp_stored_snapshots stored;
        struct sp_deleted deleted;
        struct sp_leases leases;
    } u; /* first: the ..._free functions get a pointer to it */
    struct message *reply;
    struct arena arena;
};

/* Takes the reply, which may be NULL, over. NULL with *error. */
struct result *result_create(struct message *reply, struct sp_error **error);
/* NULL is allowed. */
void result_free(void *result);
/* Frees it and gives the error of too little memory: always NULL. */
void *result_fail(struct result *result, struct sp_error **error);

/* An array in the result's arena. With count 0 there is still something to point to. */
void *result_array(struct result *result, size_t count, size_t size);
/* Takes the message over, whose this is. NULL with *error. */
struct sp_snapshot *result_snapshot(struct message *message, const PB(SnapshotReply) * reply,
                                    struct sp_error **error);
/* NULL without memory. */
const struct sp_writer *result_writers(struct result *result, PB(WriterStatus) * *from, size_t count);
const struct sp_document_info *result_documents(struct result *result, PB(DocumentInfo) * *from,
                                                size_t count);
/* It points into the message. */
struct sp_volume_snapshot result_volume_snapshot(const PB(Snapshot) * from);

/* For message_options: gives Progress to a caller of the library, who may not want it. */
struct progress_forward {
    void (*on_progress)(void *context, const struct sp_progress *progress);
    void *context;
};
void progress_forward(void *forward, const PB(Envelope) * envelope);

#endif
