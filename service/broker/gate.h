/* The gate: VSS lets one program at a time create a snapshot set.
 *
 * One set holds it, from before StartSnapshotSet until DoSnapshotSet has ended and the writers were judged
 * after it, or the set was aborted; or one step session, as long as a set of its is being created.
 * Ahead of it at most one more set gathers its writers' metadata; all other jobs are entries of a queue,
 * without a process. The queue gives owners turns, and each owner's jobs first come first served. */
#ifndef SHADOWPIPE_BROKER_GATE_H
#define SHADOWPIPE_BROKER_GATE_H

#include "service/broker/session.h"
#include "service/broker/set.h"

struct gate {
    struct set *holder;
    struct session *session; /* that holds it in a set's place */
    struct list waiting;     /* sets that have gathered */
    struct list sessions;    /* that wait, in the order in which they came */
    struct timer timer;      /* the whole time */
    uint64_t opened_ms;
    uint64_t average_ms; /* of recent holders, for the expected wait; 0 = not known */
    uint64_t rundown_ms; /* when a requester of ours ended with an open set; 0 = none that matters */
    uint64_t turns;
};

struct job;

void gate_init(struct gate *gate);
void gate_wait(struct set *set);
/* Holder, waiting or neither. */
void gate_leave(struct set *set);
bool gate_is_held_by(const struct set *set);
/* StartSnapshotSet succeeded: the holder's time begins, and nobody else holds VSS. */
void gate_opened(struct set *set);

/* For sessions: twice does no harm. */
void gate_session_wait(struct session *session);
bool gate_session_waits(const struct session *session);
bool gate_is_held_by_session(const struct session *session);
void gate_session_opened(struct session *session);
void gate_session_leave(struct session *session);

/* What is left of the holder's time. */
uint32_t gate_left_ms(const struct broker *broker);
/* A requester ended without closing its set. */
void gate_run_down(struct broker *broker);

/* The head's reason to wait. */
PB(WaitingFor) gate_waiting_for(const struct broker *broker);

/* Starts and admits what may; called after each event. */
void gate_advance(struct broker *broker);
/* 1 = the next; among all who wait. */
uint32_t gate_position(struct broker *broker, const struct job *job);

#endif
