/* Leases: the right to read a snapshot set, until FinishBackup, the end of its connection, or its expiry.
 *
 * Used on the connection that made it, or with its token; everybody else needs MANAGE. A lease whose
 * snapshots vanished (the requester ended) stays as `lost` until its holder lets go, to be told. lease_term.c
 * has the time to live of detached ones. */
#ifndef SHADOWPIPE_BROKER_LEASE_H
#define SHADOWPIPE_BROKER_LEASE_H

#include "proto/decode.h"
#include "service/broker/request.h"

struct set;
struct record;
struct job;

enum {
    GUID_CHARS = 37,
    TOKEN_CHARS = 33
};

struct lease {
    struct list link; /* of all */
    struct list set_link;
    struct list record_link;
    struct list connection_link;
    struct broker *broker;
    /* What it reads: a set, a record, or a record whose set still holds its VSS object; or a snapshot that it
     * was attached to. None: lost. */
    struct set *set;
    struct record *record;
    char *snapshot_id;
    uint64_t attached_ms;          /* when that was known to exist */
    struct job *job;               /* that it is about to be given to */
    struct connection *connection; /* that made it, or asked for it last by its job_key; NULL: it has ended */
    uint32_t process_id;           /* of its client */
    struct owner *owner;
    /* Of its owner, as far as a process of the service that comes later cannot know it. */
    char *service_sid;
    char *process_name;
    bool is_stored;     /* for that one: see held.h */
    bool awaits_client; /* it comes from an earlier one, and nobody has attached to it yet */
    char id[GUID_CHARS];
    char token[TOKEN_CHARS];
    int64_t created_unix_ms;
    struct arena arena;
    PB(LeaseInfo) * info;
    PB(SnapshotReply) * reply; /* as it was given out */
    char *lost_reason;
    /* Detached ones. */
    uint32_t ttl_ms;      /* 0 = it ends with its connection */
    bool is_acknowledged; /* else it does, too: its client may never have heard of it */
    bool is_expiring;     /* those who watch it know */
    uint64_t expires_at_ms;
    struct timer term;
    PB(CreateSnapshot) * wish; /* where it had a job_key, by which the same finds the lease again */
    bool is_changed;           /* for those who watch */
};

/* For a member of a held set. NULL without memory. */
struct lease *lease_create(struct job *job);
/* As the store has it, for adoption.c to link; what it is of may be gone. NULL without memory. */
struct lease *lease_adopt(struct broker *broker, const PB(HeldLease) * held);
/* For a snapshot that exists by itself, as snapshot_describe gives it. NULL without memory. */
struct lease *lease_attach(struct connection *connection, const PB(Snapshot) * snapshot,
                           const PB(AttachSnapshot) * wish);
/* What AttachLease and the same job_key get again. False: no memory. */
bool lease_keep_reply(struct lease *lease, const PB(SnapshotReply) * reply);
/* It ends with this connection from now on, where it ends with one. */
void lease_bind(struct lease *lease, struct connection *connection);
/* As if its client had vanished; what it read is told. */
void lease_end(struct lease *lease);
bool lease_is_lost(const struct lease *lease);
/* It was never given out, or its end needs nothing of VSS. */
void lease_discard(struct lease *lease);
/* One that this connection may use, and that has not lost its snapshots; it may have no set any more. NULL:
 * *status is why. */
struct lease *lease_find(struct connection *connection, const char *id, const char *token,
                         PB(Status) * *status);
/* Takes the same time wherever they differ. */
bool tokens_equal(const char *one, const char *other);
/* NULL, or why this connection may not finish the lease, which is gone if it was lost. */
PB(Status) *
    lease_check_finish(struct connection *connection, const PB(FinishBackup) * finish, struct lease **lease);
void leases_list(struct connection *connection, const PB(Envelope) * envelope);
/* The connection ends. */
void leases_abandon(struct connection *connection);
/* The set ends, and its copies with it. */
void leases_lose(struct set *set, const char *reason);
void lease_lose(struct lease *lease, const char *reason);
/* The service stops: nobody can be told of them any more. */
void leases_forget_lost(struct broker *broker);
/* Those that were attached to this snapshot. */
void leases_lose_snapshot(struct broker *broker, const char *snapshot_id, const char *reason);
/* What VSS showed of all snapshots when it was asked at that time: who is attached to another has lost it. */
void leases_compare(struct broker *broker, PB(Snapshot) *const *snapshots, size_t count, uint64_t asked_ms);
/* The record's snapshots are gone. */
void leases_lose_record(struct record *record, const char *reason);
void leases_free(struct broker *broker);

#endif
