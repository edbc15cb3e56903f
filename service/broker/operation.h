/* Operations: requests about snapshots that exist, each carried out by a requester process of its own.
 *
 * Its VSS object has the context VSS_CTX_ALL, so it sees every snapshot of the machine. Operations that only
 * ask share one question among all who wait; those that change something go through the lane, one at a time.
 * None uses the gate. An answer may come before the process has ended: what runs in VSS is awaited, then the
 * object is released. A change that runs decides what its request answers, even after Cancel; only the
 * request's deadline is not kept waiting. */
#ifndef SHADOWPIPE_BROKER_OPERATION_H
#define SHADOWPIPE_BROKER_OPERATION_H

#include "service/broker/document.h"
#include "service/broker/lane.h"
#include "service/broker/request.h"
#include "service/broker/sequence.h"
#include "service/broker/volumes.h"

enum operation_stage {
    OPERATION_RESOLVING, /* the table of volumes is awaited */
    OPERATION_WAITING,   /* for the lane, or for the question under way to end */
    OPERATION_RUNNING,
    OPERATION_ENDING /* answered, or given up: what its process owes is awaited */
};

struct operation;

/* What the machine has: the reply to the question that is shared. Lives as long as the event. */
struct finding {
    PB(Snapshot) * *snapshots;
    size_t count;
    char **providers; /* ids of those that are registered */
    size_t providers_count;
};

struct operation_type {
    const char *doing; /* "the snapshots were being listed": what a deadline interrupts */
    const struct step *steps;
    bool asks;          /* it changes nothing */
    bool wants_volumes; /* the table of volumes is read anew */
    /* Before it waits; `failure` says why there is no table. NULL: it goes on. May be NULL. */
    PB(Status) * (*prepare)(struct operation *operation, const char *failure);
    /* To operation_query. False: the operation has been answered or has failed. */
    bool (*found)(struct operation *operation, const struct finding *finding);
    /* All steps have ended: replies. NULL: it has done so. */
    void (*succeed)(struct operation *operation);
    /* Replies to what failed or was stopped. NULL: the Status is the reply. */
    void (*fail)(struct operation *operation, PB(Status) * status);
    /* Every reply of VSS, also one that nobody waits for any more. May be NULL. */
    void (*note)(struct operation *operation, PB(Call__MethodCase) method, const PB(CallReply) * reply);
};

struct deletion;

struct operation {
    struct request request; /* first: they are cast */
    struct list link;       /* of all */
    const struct operation_type *type;
    enum operation_stage stage;
    struct volume_wait volume_wait;
    struct lane_place place;
    struct requester *requester;
    struct sequence sequence;
    struct timer timer; /* the end of a wait while it ends */
    struct arena arena;
    PB(Envelope) * envelope;
    char *client_name;
    PB(Phase) phase;
    uint64_t phase_ms;
    bool has_volumes;
    bool shares;      /* the question under way will answer it */
    bool is_stopping; /* cancelled, or the service stops: the change under way is the last */
    bool cannot_be_stopped;
    char *volume;      /* GUID path of the volume concerned */
    uint64_t asked_ms; /* when the question for snapshots was sent */
    char **providers;  /* that the question has found so far */
    size_t providers_count;
    /* Each type's own. */
    struct deletion *deletion;
    struct document *document;
    uint64_t document_sent;
    char **known; /* ids of the snapshots before an import */
    size_t known_count;
    PB(Snapshot) * *imported;
    size_t imported_count;
};

/* Takes the request, and the document (or NULL) that is sent once the object is there; the steps come after.
 */
void operation_begin_with(struct connection *connection, const PB(Envelope) * envelope,
                          const struct operation_type *type, struct document *document);
static inline void operation_begin(struct connection *connection, const PB(Envelope) * envelope,
                                   const struct operation_type *type)
{
    operation_begin_with(connection, envelope, type, NULL);
}
/* Answered, or not to be answered any more. */
void operation_end(struct operation *operation);
/* Answers by the type's rule, and ends. NULL: no memory. */
void operation_fail(struct operation *operation, PB(Status) * status);
/* The same from a step that lacks memory or was answered badly. Always false. */
bool operation_refuse(struct operation *operation, PB(Status) * status);
void operation_progress(struct operation *operation);

/* For tables of steps: the object with VSS_CTX_ALL, and the question for providers and snapshots. */
void operation_fill_context(void *subject, size_t index, ProtobufCMessage *parameters);
size_t operation_count_query(void *subject);
void operation_fill_query(void *subject, size_t index, ProtobufCMessage *parameters);
bool operation_query(void *subject, size_t index, const PB(CallReply) * reply);

#define OPERATION_STEP(method, phase, count, fill, reply, failure_is_reply)                        \
    {                                                                                              \
        PB_METHOD(method), PB_PHASE(phase), LIMIT_CALL, count, fill, reply, NULL, failure_is_reply \
    }
#define OPERATION_OPENS                                                               \
    OPERATION_STEP(CREATE_OBJECT, STARTING, NULL, NULL, NULL, false),                 \
        OPERATION_STEP(INITIALIZE_FOR_BACKUP, INITIALIZING, NULL, NULL, NULL, false), \
        OPERATION_STEP(SET_CONTEXT, INITIALIZING, NULL, operation_fill_context, NULL, false)
#define OPERATION_ASKS \
    OPERATION_STEP(QUERY, UNSPECIFIED, operation_count_query, operation_fill_query, operation_query, true)
#define OPERATION_ENDS OPERATION_STEP(_NOT_SET, UNSPECIFIED, NULL, NULL, NULL, false)

/* All of them. */
void operations_progress(struct broker *broker);
bool operations_wait(const struct broker *broker); /* some request is open */
void operations_stop(struct broker *broker);
void operations_kill(struct broker *broker);
void operations_free(struct broker *broker);
uint32_t operations_count(const struct broker *broker); /* with a process */

/* ---- The requests: snapshots.c, deletion.c, attach.c, administration.c. ---- */
void snapshots_list(struct connection *connection, const PB(Envelope) * envelope);
void deletion_begin(struct connection *connection, const PB(Envelope) * envelope);
/* For Progress. */
void deletion_count(const struct deletion *deletion, uint32_t *done, uint32_t *total);
void attach_begin(struct connection *connection, const PB(Envelope) * envelope);
/* Those that will have a lease, if all goes well. */
void attach_count(const struct broker *broker, const struct owner *owner, uint32_t *all, uint32_t *own);
/* FinishBackup of an attached lease. */
void attach_finish(struct connection *connection, const PB(Envelope) * envelope);
void administration_expose(struct connection *connection, const PB(Envelope) * envelope);
void administration_unexpose(struct connection *connection, const PB(Envelope) * envelope);
void administration_break(struct connection *connection, const PB(Envelope) * envelope);
void administration_import(struct connection *connection, const PB(Envelope) * envelope);
void administration_revert(struct connection *connection, const PB(Envelope) * envelope);

#endif
