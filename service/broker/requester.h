/* Requester processes, as the broker sees them.
 *
 * One process has one VSS object and one user here: a snapshot set, a session or a listing. It is started,
 * dials in and shows its secret, then gets calls, which it makes in their order and answers one by one. Its
 * user releases the object and lets it leave; killing is the last resort, for COM takes minutes to notice.
 * The struct ends with the process: after `ended` the user must not touch it. */
#ifndef SHADOWPIPE_BROKER_REQUESTER_H
#define SHADOWPIPE_BROKER_REQUESTER_H

#include "proto/decode.h"
#include "service/broker/connection.h"

enum requester_state {
    REQUESTER_STARTING,
    REQUESTER_READY,
    REQUESTER_LEAVING, /* let go, lost or killed: its exit is awaited */
};

struct requester_user {
    void (*ready)(void *subject);
    void (*replied)(void *subject, PB(Call__MethodCase) method, size_t index, const PB(CallReply) * reply);
    /* To requester_send: another message than a CallReply. May be NULL where nothing is sent so. */
    void (*answered)(void *subject, const PB(Envelope) * reply);
    /* The call that the process works on has not been answered in time. */
    void (*overdue)(void *subject, PB(Call__MethodCase) method);
    /* The process has ended. `why` is NULL when it was let go; `left_open`: a snapshot set that it had
     * open may still be open in VSS. */
    void (*ended)(void *subject, PB(Status) * why, bool left_open);
};

struct requester {
    struct list link;
    struct broker *broker;
    uint64_t id;
    uint8_t secret[REQUESTER_SECRET_BYTES];
    enum requester_state state;
    uint32_t process_id; /* 0 until the host has said it */
    uint64_t started;    /* the same; see broker_requester_started */
    bool is_adopted;     /* an earlier process of the service has started it */
    struct connection *connection;
    const struct requester_user *user;
    void *subject;
    struct list calls; /* sent and not answered, in order */
    uint32_t last_call_id;
    struct timer timer;
    bool ready_is_due; /* `ready` is to be called once the present event is over */
    bool let_go;
    bool killed;
    struct arena arena;         /* for the two below */
    PB(RequesterHello) * hello; /* until the host has said the process id */
    uint32_t hello_id;
    PB(Status) * failure; /* why it is of no use, where that is known before it ends */
};

/* A process of its own, or the one that is kept ready. NULL without memory. */
struct requester *requester_start(struct broker *broker, const struct requester_user *user, void *subject);
/* Always a new process. */
struct requester *requester_launch(struct broker *broker, const struct requester_user *user, void *subject);
/* One that an earlier process of the service has started for this set, and that dials in again. */
struct requester *requester_adopt(struct broker *broker, const struct requester_user *user, void *subject,
                                  const PB(HeldSet) * held);
/* `wait_ms` is the requester's limit for an asynchronous call, 0 for others; `limit_ms` ours for any.
 * False: it has no connection any more or there is no memory; `ended` follows. */
bool requester_call(struct requester *requester, PB(Call__MethodCase) method, ProtobufCMessage *parameters,
                    size_t index, uint32_t wait_ms, uint32_t limit_ms);
/* A request that is no call: ReadDocument or PutDocument. Takes its turn among the calls. */
bool requester_send(struct requester *requester, PB(Envelope) * envelope, uint32_t limit_ms);
bool requester_is_busy(const struct requester *requester);
/* Its call has passed its limit, and nothing more will time it. */
bool requester_is_overdue(const struct requester *requester);
/* What it works on, NOT_SET when idle. */
PB(Call__MethodCase) requester_busy_with(const struct requester *requester);
/* IVssAsync::Cancel for what it works on. */
void requester_cancel(struct requester *requester);
/* It has no object any more, or never had one. */
void requester_let_go(struct requester *requester);
void requester_kill(struct requester *requester, PB(Status) * why);
/* One that was to be adopted and has not dialled in. */
void requester_forget(struct requester *requester);

/* From the connection. False: the peer is not what it says. */
bool requester_frame(struct connection *connection, const PB(Envelope) * envelope);
void requester_disconnected(struct requester *requester);
/* Tells those that got a ready one. */
void requesters_attend(struct broker *broker);
void requesters_free(struct broker *broker);

/* "PrepareForBackup" … */
const char *method_name(PB(Call__MethodCase) method);

#endif
