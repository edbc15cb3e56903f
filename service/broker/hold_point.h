/* Hold points: a set stands still while its client runs a script of its own.
 *
 * At a point that a request names, Progress carries a token, and the set goes on with Proceed. It waits no
 * longer than the point's limit, for it keeps the gate meanwhile; then, or when the client says that its
 * script failed, the request fails. Requests with hold points share no set. */
#ifndef SHADOWPIPE_BROKER_HOLD_POINT_H
#define SHADOWPIPE_BROKER_HOLD_POINT_H

#include "service/broker/lease.h"

struct set;
struct job;

struct hold_point {
    PB(HoldPointKind) kind; /* UNSPECIFIED: it is not held */
    char token[TOKEN_CHARS];
    uint64_t end_ms;
    struct timer timer;
};

void hold_point_init(struct hold_point *hold_point);
/* False: nobody wants to be held there. True: set_held_goes_on follows, or the set's end. */
bool hold_point_reached(struct set *set, PB(HoldPointKind) kind);
/* The set ends. */
void hold_point_leave(struct set *set);
/* Into the Progress of its member. */
void hold_point_tell(const struct job *job, PB(Progress) * progress);
/* NULL, or what is wrong with the points of a request. */
PB(Status) * hold_points_check(struct broker *broker, const PB(CreateSnapshot) * wish);
/* The request Proceed. */
void hold_point_proceed(struct connection *connection, const PB(Envelope) * envelope);

#endif
