/* The documents of a session: those that VSS wrote and the service may read, and those that came from it.
 *
 * Kept in UTF-8 until there is another object, so that they outlive the one that they are of: the Backup
 * Components Document as the last SaveAsXML gave it, and the metadata of each writer that was asked for with
 * its document. Reading takes one chunk at a time. Runs on the worker thread. */
#ifndef SHADOWPIPE_REQUESTER_DOCUMENTS_H
#define SHADOWPIPE_REQUESTER_DOCUMENTS_H

#include "service/requester/session.h"

enum {
    DOCUMENTS_CHUNK_BYTES = 256 * 1024,
    DOCUMENTS_PUT_BYTES = 32 * 1024 * 1024 /* of one that comes in */
};

/* Takes over nothing; replaces what was kept for this writer (NULL: the Backup Components Document). */
HRESULT documents_keep(struct session *session, const VSS_ID *instance_id, BSTR xml);
/* NULL: nothing is kept, or there is no memory, which the reply then says. */
PB(DocumentInfo) *
    documents_describe(struct session *session, struct reply *reply, const VSS_ID *instance_id);

/* Answers ReadDocument and PutDocument; `reply` has a body then, whose parts live in the arena or here. */
void documents_answer(struct session *session, const PB(Envelope) * request, struct arena *arena,
                      PB(Envelope) * reply);

/* For Initialize…: what came under this id, which is forgotten. S_FALSE: no id, *xml is NULL. A failure is
 * refused in the reply. The caller frees *xml. */
HRESULT documents_take(struct session *session, struct reply *reply, const char *field, const char *id,
                       BSTR *xml);

void documents_free(struct session *session);

#endif
