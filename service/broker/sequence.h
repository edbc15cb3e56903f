/* Runs a table of steps on a requester: each step one method, called once or once per item.
 *
 * The calls of one step are sent ahead of their replies, up to a window; a step begins when the one before
 * has ended. A failure, a hook that says so, or sequence_stop ends the run; replies that still come then
 * are the caller's to look at. Used by sets and by listings. */
#ifndef SHADOWPIPE_BROKER_SEQUENCE_H
#define SHADOWPIPE_BROKER_SEQUENCE_H

#include "service/broker/requester.h"

/* What IVssAsync::QueryStatus says of an operation. */
enum {
    ASYNC_PENDING = 0x00042309,
    ASYNC_FINISHED = 0x0004230A,
    ASYNC_CANCELLED = 0x0004230B
};

enum limit {
    LIMIT_CALL, /* any synchronous call but the last two */
    LIMIT_GATHER,
    LIMIT_PREPARE,
    LIMIT_CREATE,
    LIMIT_STATUS,
    LIMIT_COMPLETE,
    LIMIT_ABORT,
    LIMIT_RELEASE,
    LIMITS
};

struct step {
    PB(Call__MethodCase) method; /* NOT_SET ends the table */
    PB(Phase) phase;
    enum limit limit;
    size_t (*count)(void *subject); /* NULL = once. A reply may make it rise */
    void (*fill)(void *subject, size_t index, ProtobufCMessage *parameters); /* NULL = no parameters */
    /* NULL = only success counts. False: the subject has taken over. */
    bool (*reply)(void *subject, size_t index, const PB(CallReply) * reply);
    bool (*done)(void *subject); /* after the last reply; the same */
    bool failure_is_reply;       /* `reply` gets failures too */
};

struct sequence_user {
    void (*phase)(void *subject, PB(Phase) phase); /* may be NULL */
    uint32_t (*limit_ms)(void *subject, enum limit limit);
    void (*failed)(void *subject, PB(Call__MethodCase) method, size_t index, PB(Status) * status);
    void (*done)(void *subject);
    /* After this step: another one of the table than the one behind it; NULL = that one. May be NULL. */
    const struct step *(*next)(void *subject, const struct step *step);
};

struct sequence {
    struct requester *requester;
    const struct step *step;
    const struct sequence_user *user;
    void *subject;
    size_t total; /* calls of this step */
    size_t sent;
    size_t answered;
    bool running;
};

void sequence_start(struct sequence *sequence, struct requester *requester, const struct step *steps,
                    const struct sequence_user *user, void *subject);
/* False: it does not run, the reply is not its. */
bool sequence_replied(struct sequence *sequence, size_t index, const PB(CallReply) * reply);
/* The same step again, e.g. later. */
void sequence_repeat(struct sequence *sequence);
void sequence_stop(struct sequence *sequence);

/* Its end is told by an IVssAsync, so it can be cancelled. */
bool method_is_asynchronous(PB(Call__MethodCase) method);
/* Of those that exist: made one at a time, see lane.h. */
bool method_changes_snapshots(PB(Call__MethodCase) method);
/* From IVssAsync::Cancel until an answer has to be there, the requester's own grace included. */
uint32_t cancel_limit_ms(const struct broker_config *config);
uint32_t limit_default_ms(const struct broker_config *config, enum limit limit);

/* NULL when the call succeeded, an asynchronous one to its end. */
PB(Status) * reply_failure(struct broker *broker, PB(Call__MethodCase) method, const PB(CallReply) * reply);

#endif
