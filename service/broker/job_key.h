/* job_key: the same request of the same owner, sent again, makes no second snapshot.
 *
 * While the first one runs, later ones follow it: they get its Progress, and its reply under their own ids.
 * When its client leaves, the first follower's request takes its place. After it, as long as the lease lives,
 * they get the reply again; the lease then belongs to the connection that asked last. */
#ifndef SHADOWPIPE_BROKER_JOB_KEY_H
#define SHADOWPIPE_BROKER_JOB_KEY_H

#include "service/broker/job.h"

struct lease;

/* True: the request is answered, or follows another. */
bool job_key_answer(struct connection *connection, const PB(Envelope) * envelope);
/* The job's own request is answered: the first follower's takes its place. */
void job_key_take_over(struct job *job);
void job_key_progress(struct job *job, PB(Progress) * progress);
void job_key_succeed(struct job *job, struct lease *lease);
void job_key_fail(struct job *job, PB(Status) * status);

#endif
