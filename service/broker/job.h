/* A CreateSnapshot request on its way: checked, its volumes resolved, queued, then member of a set.
 *
 * It ends with its one reply; what stays is the lease. When its client has gone it ends at once, and the
 * set does what is owed. job.c has its life, job_check.c what is refused, job_reply.c what is answered. */
#ifndef SHADOWPIPE_BROKER_JOB_H
#define SHADOWPIPE_BROKER_JOB_H

#include "service/broker/request.h"
#include "service/broker/volumes.h"

enum {
    MAX_VOLUMES = 64 /* VSS's limit for one set */
};

enum job_state {
    JOB_RESOLVING, /* the table of volumes is awaited */
    JOB_QUEUED,
    JOB_IN_SET
};

struct set;

struct job_volume {
    char *guid_path;
    char **names;
    size_t names_count;
};

struct job {
    struct request request; /* first: they are cast */
    struct list link;       /* among the resolving, in the queue, or in the set's members */
    struct list followers;  /* requests with the same job_key; see job_key.h */
    struct volume_wait volume_wait;
    struct timer queue_timer; /* the limit for the wait alone */
    enum job_state state;
    struct owner *owner;
    struct arena arena;
    PB(CreateSnapshot) * wish;
    struct job_volume *volumes;
    size_t volumes_count;
    PB(Uncovered) * *uncovered; /* so far */
    size_t uncovered_count;
    char **excluded; /* ids of writers that their names were found to mean */
    size_t excluded_count;
    PB(WriterStatus) * *left_out; /* tolerated writers that failed in an attempt before */
    size_t left_out_count;
    char **warnings;
    size_t warnings_count;
    struct set *set;
    bool is_leaving;        /* cancelled: the reply waits for the set's duties */
    PB(Status) * failure;   /* the same */
    uint32_t told_position; /* in the last Progress */
    uint32_t round;         /* scratch of gate.c */
    uint64_t queued_end_ms; /* when a set took it */
    uint32_t attempts;
    struct timer resume_timer;
    uint64_t resume_ms; /* it waits for another attempt until then; 0 = it does not */
    uint32_t later_count;
    bool was_repeated;    /* after a freeze that VSS could not say of why it failed */
    PB(Status) * retried; /* why */
    struct lease *lease;  /* which it is given as soon as that is stored */
    bool is_split;        /* shared a set that failed, and now shares with those of the same volumes only */
};

/* ---- from dispatch ---- */
void job_create(struct connection *connection, const PB(Envelope) * envelope);

/* ---- from gate and set ---- */
void job_dequeue(struct job *job);
/* Back from a set that failed, for another attempt: not before `resume_ms`. */
void job_requeue(struct job *job, uint64_t resume_ms);
bool job_waits_to_retry(const struct job *job);
/* Those in the queue, and those that will be. */
size_t jobs_waiting(const struct broker *broker);
/* Answers and frees it. It must be in no list of a set any more, or leaves it here. */
void job_fail(struct job *job, PB(Status) * status);
/* It has neither left nor failed. */
bool job_is_wanted(const struct job *job);
/* This volume is one of its own. */
bool job_wants(const struct job *job, const char *guid_path);
/* Keeps the first reason; job_send_failure answers once the duties are done. */
void job_note_failure(struct job *job, const PB(Status) * status);
void job_send_failure(struct job *job);
/* The snapshots exist: makes its lease. Without memory it fails, and is freed. */
void job_take_lease(struct job *job);
/* Lease and reply go out; frees it. */
void job_succeed(struct job *job);
void job_progress(struct job *job);
/* To all who wait, and to members of sets. */
void jobs_progress(struct broker *broker, bool only_changed_positions);
/* The service stops: those without a set. */
void jobs_stop(struct broker *broker);
void job_warn(struct job *job, const char *format, ...) PRINTF_LIKE(2, 3);

/* ---- job_check.c ---- */
/* NULL, or why the wish cannot be granted as such. */
PB(Status) * job_check(struct broker *broker, const PB(CreateSnapshot) * wish);
/* The same for its volumes; fills volumes and uncovered. */
PB(Status) * job_resolve(struct job *job);
/* Volumes that no provider supports leave the job, or fail it. */
PB(Status) * job_check_support(struct job *job);
uint32_t job_context(const PB(CreateSnapshot) * wish);
/* By the bits, some of which may have come as attributes. */
PB(Context) job_context_kind(const PB(CreateSnapshot) * wish);
bool job_is_persistent(const PB(CreateSnapshot) * wish);
bool job_is_copy(const PB(CreateSnapshot) * wish); /* as it is when nothing is said */
bool job_has_writers(const PB(CreateSnapshot) * wish);
bool job_adds_uncovered(struct job *job, const char *path, const char *reason);
/* False: no memory. At most MAX_VOLUMES. */
bool job_adds_volume(struct job *job, const struct volume *from);

/* ---- job_reply.c ---- */
struct lease;
/* `lease` is NULL for a dry run. */
PB(SnapshotReply) * job_reply(struct job *job, const struct lease *lease);

#endif
