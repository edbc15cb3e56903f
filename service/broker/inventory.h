/* Lists of writers, volumes and providers.
 *
 * Each kind is asked for by one requester process at a time, whatever the number of clients that want to
 * know, for each question reaches every writer of the machine. The answer serves for some seconds; its age
 * is part of every reply. Long lists go out as the reader takes them.
 *
 * The files of a writer may be far more than all of that. They are kept nowhere: a run of their own serves
 * one asker, part by part, and asks for the next part when the reader has room. */
#ifndef SHADOWPIPE_BROKER_INVENTORY_H
#define SHADOWPIPE_BROKER_INVENTORY_H

#include "service/broker/request.h"
#include "service/broker/sequence.h"
#include "service/broker/volumes.h"

enum inventory_kind {
    INVENTORY_WRITERS,
    INVENTORY_VOLUMES,
    INVENTORY_PROVIDERS,
    INVENTORY_FILES, /* of one writer */
    INVENTORY_KINDS
};

/* An answer. Kept as long as somebody reads it. */
struct listing {
    uint32_t references;
    uint64_t made_ms;
    bool with_components;
    struct arena arena;
    ProtobufCMessage **items; /* Writer, Volume or Provider */
    size_t count;
};

struct asker;

struct inventory {
    struct broker *broker;
    enum inventory_kind kind;
    struct list askers;      /* for the answer under way, or being sent one */
    struct listing *listing; /* the latest, or NULL */

    /* The question under way. */
    bool is_running;
    bool is_ending; /* only Release is left */
    struct requester *requester;
    struct sequence sequence;
    struct listing *draft;
    struct volume_wait volume_wait;
    size_t expected; /* calls of the step under way */

    /* INVENTORY_FILES. */
    struct asker *served; /* NULL: it has gone */
    bool part_waits;      /* the next one, for the reader */
    size_t part_writer;   /* where it begins */
    uint32_t part_component;
    uint32_t part_file;
};

void inventory_list_writers(struct connection *connection, const PB(Envelope) * envelope);
void inventory_list_volumes(struct connection *connection, const PB(Envelope) * envelope);
void inventory_list_providers(struct connection *connection, const PB(Envelope) * envelope);
/* The connection has room again. */
void inventory_continue(struct connection *connection);

void inventories_init(struct broker *broker);
void inventories_stop(struct broker *broker); /* answers all with SHUTTING_DOWN */
void inventories_kill(struct broker *broker);
void inventories_free(struct broker *broker);

#endif
