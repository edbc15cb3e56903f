#include "service/broker/adoption.h"

#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/held.h"
#include "service/broker/holding.h"
#include "service/broker/lease_term.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/requester.h"
#include "service/broker/rights.h"
#include "service/broker/selection.h"
#include "service/broker/set.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    ARENA_BYTES = 8 * 1024 * 1024,
    RETRY_MS = 1000
};

/* A value of the store. */
struct keepsake {
    struct list link;
    struct arena arena;
    PB(HeldSet) * set; /* one of the two */
    PB(HeldLease) * lease;
};

static void keepsake_free(struct keepsake *keepsake)
{
    list_remove(&keepsake->link);
    arena_free(&keepsake->arena);
    free(keepsake);
}

void adoption_free(struct broker *broker)
{
    while (!list_is_empty(&broker->keepsakes))
        keepsake_free(LIST_FIRST(&broker->keepsakes, struct keepsake, link));
}

/* ---- what is read ---- */

/* NULL, or why this is nothing that the service has written. */
static const char *damage_of_set(const PB(HeldSet) * held, const char *id)
{
    if (!text_is_guid(held->set_id) || !text_equal(held->set_id, id))
        return "it is about another set";
    if (held->secret.len != REQUESTER_SECRET_BYTES || held->process_id == 0)
        return "it does not name its requester";
    if (held->n_snapshots == 0)
        return "it names no snapshot";
    for (size_t i = 0; i < held->n_components; i++) {
        const PB(HeldComponent) *component = held->components[i];
        if (component->writer >= held->n_writers || component->component == NULL)
            return "a component in it is nobody's";
    }
    return NULL;
}

static const char *damage_of_lease(const PB(HeldLease) * held, const char *id)
{
    if (held->info == NULL || !text_is_guid(held->info->lease_id) || !text_equal(held->info->lease_id, id))
        return "it is about another lease";
    if (strlen(held->token) != TOKEN_CHARS - 1 || held->reply == NULL)
        return "it lacks what its client was given";
    return NULL;
}

static const char *decode(struct keepsake *keepsake, const char *key, const uint8_t *bytes, size_t size)
{
    bool is_set = held_is_set(key);
    const ProtobufCMessageDescriptor *descriptor =
        is_set ? &shadowpipe__v1__held_set__descriptor : &shadowpipe__v1__held_lease__descriptor;
    struct decode_error error;
    if (!decode_check(descriptor, bytes, size, DECODE_LENIENT, &error))
        return "it is damaged";
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &keepsake->arena.allocator, size, bytes);
    if (message == NULL)
        return "there is no memory";
    const char *id = strchr(key, '-') + 1;
    if (is_set) {
        keepsake->set = (PB(HeldSet) *)message;
        return damage_of_set(keepsake->set, id);
    }
    keepsake->lease = (PB(HeldLease) *)message;
    return damage_of_lease(keepsake->lease, id);
}

void adoption_add(struct broker *broker, const char *key, const uint8_t *bytes, size_t size)
{
    struct keepsake *keepsake = calloc(1, sizeof *keepsake);
    const char *why = "there is no memory";
    if (keepsake != NULL) {
        arena_init(&keepsake->arena, ARENA_BYTES);
        list_append(&broker->keepsakes, &keepsake->link);
        why = decode(keepsake, key, bytes, size);
    }
    if (why == NULL)
        return;
    /* It would be the same at each start; and its requester ends by itself when nobody knows it. */
    broker_log(broker, BROKER_LOG_WARNING, "what was stored as %s cannot be used, and is deleted: %s", key,
               why);
    broker->host.store_delete(broker->host.context, key);
    if (keepsake != NULL)
        keepsake_free(keepsake);
}

/* ---- sets ---- */

static bool take_volume(struct set *set, const PB(Snapshot) * kept)
{
    struct arena *arena = &set->arena;
    struct set_volume *volume = &set->volumes[set->volumes_count++];
    PB(Snapshot) *snapshot = MESSAGE_COPY(arena, kept);
    if (snapshot == NULL)
        return false;
    *volume = (struct set_volume){.guid_path = snapshot->volume_guid_path,
                                  .names = snapshot->volume_names,
                                  .names_count = snapshot->n_volume_names,
                                  .supported = true,
                                  .provider_id = snapshot->provider_id,
                                  .snapshot_id = snapshot->snapshot_id,
                                  .snapshot = snapshot};
    return true;
}

static bool take_volumes(struct set *set, const PB(HeldSet) * held)
{
    set->volumes = arena_alloc(&set->arena, held->n_snapshots * sizeof *set->volumes);
    for (size_t i = 0; i < held->n_snapshots && set->volumes != NULL; i++) {
        if (!take_volume(set, held->snapshots[i]))
            return false;
    }
    set->asked = set->added = set->volumes_count;
    return set->volumes != NULL;
}

static bool take_writers(struct set *set, const PB(HeldSet) * held)
{
    struct arena *arena = &set->arena;
    set->writers.items = arena_alloc(arena, (held->n_writers + 1) * sizeof(*set->writers.items));
    set->writers.expected = held->n_writers;
    for (size_t i = 0; i < held->n_writers && set->writers.items != NULL; i++) {
        PB(WriterStatus) *writer = MESSAGE_NEW(arena, writer_status);
        if (writer == NULL)
            return false;
        writer->writer_id = arena_strdup(arena, held->writers[i]->writer_id);
        writer->instance_id = arena_strdup(arena, held->writers[i]->instance_id);
        writer->name = arena_strdup(arena, held->writers[i]->name);
        if (writer->writer_id == NULL || writer->instance_id == NULL || writer->name == NULL)
            return false;
        set->writers.items[set->writers.count++] = writer;
    }
    return set->writers.items != NULL;
}

static bool take_documents(struct set *set, const PB(HeldSet) * held)
{
    struct document_list *list = &set->documents;
    set->has_documents = held->with_documents;
    set->all_documents = held->all_documents;
    /* As many as set_keep_document counts on. */
    size_t most = held->n_writers + 1 > held->n_documents ? held->n_writers + 1 : held->n_documents;
    list->items = arena_alloc(&set->arena, most * sizeof(*list->items));
    for (size_t i = 0; i < held->n_documents && list->items != NULL; i++) {
        list->items[list->count] = MESSAGE_COPY(&set->arena, held->documents[i]);
        if (list->items[list->count++] == NULL)
            return false;
    }
    return list->items != NULL;
}

static bool take_lists(struct set *set, const PB(HeldSet) * held)
{
    struct arena *arena = &set->arena;
    struct selection *selection = set->selection;
    size_t most = held->n_components + 1;
    selection->writers_count = held->n_writers;
    selection->writers = arena_alloc(arena, (held->n_writers + 1) * sizeof *selection->writers);
    selection->all.items = arena_alloc(arena, most * sizeof *selection->all.items);
    selection->explicit.items = arena_alloc(arena, most * sizeof *selection->explicit.items);
    if (selection->writers == NULL || selection->all.items == NULL || selection->explicit.items == NULL)
        return false;
    for (size_t i = 0; i < held->n_writers; i++)
        selection->writers[i].takes_part = held->writers[i]->takes_part;
    for (size_t i = 0; i < held->n_components; i++)
        selection->writers[held->components[i]->writer].parts_capacity++;
    for (size_t i = 0; i < held->n_writers; i++) {
        struct chosen_writer *writer = &selection->writers[i];
        writer->parts = arena_alloc(arena, (writer->parts_capacity + 1) * sizeof *writer->parts);
        if (writer->parts == NULL)
            return false;
    }
    return true;
}

static bool take_component(struct set *set, const PB(HeldComponent) * held)
{
    struct selection *selection = set->selection;
    struct chosen_writer *writer = &selection->writers[held->writer];
    const struct part_ref ref = {held->writer, writer->parts_count};
    const PB(Component) *declared = MESSAGE_COPY(&set->arena, held->component);
    const PB(BackupComponent) *stored = held->stored != NULL ? MESSAGE_COPY(&set->arena, held->stored) : NULL;
    if (declared == NULL || (stored == NULL) != (held->stored == NULL))
        return false;
    writer->parts[writer->parts_count++] =
        (struct chosen_part){.declared = declared,
                             .state = held->part_of_another ? PART_BELOW : PART_EXPLICIT,
                             .hash = name_hash(declared->name),
                             .above = NO_PART,
                             .is_followed = true,
                             .stored = stored};
    selection->all.items[selection->all.count++] = ref;
    if (!held->part_of_another)
        selection->explicit.items[selection->explicit.count++] = ref;
    return true;
}

static bool take_selection(struct set *set, const PB(HeldSet) * held)
{
    if (!held->by_component)
        return true;
    set->selection = arena_alloc(&set->arena, sizeof *set->selection);
    if (set->selection == NULL || !take_lists(set, held))
        return false;
    for (size_t i = 0; i < held->n_components; i++) {
        if (!take_component(set, held->components[i]))
            return false;
    }
    return true;
}

static void adopt_set(struct broker *broker, const PB(HeldSet) * held)
{
    struct set *set = set_adopt(broker, held);
    bool is_whole = set != NULL && take_volumes(set, held) && take_writers(set, held) &&
                    take_documents(set, held) && take_selection(set, held);
    if (!is_whole) {
        /* Unknown, its requester ends it by itself. */
        broker_log(broker, BROKER_LOG_ERROR, "there is no memory to go on with set %s", held->set_id);
        if (set != NULL)
            set_forget(set);
        return;
    }
    memcpy(set->set_id, held->set_id, GUID_CHARS);
    set->context = held->context;
    set->has_writers = (held->context & ATTRIBUTE_NO_WRITERS) == 0;
    set->backup_type = held->backup_type;
    set->created_unix_ms = held->created_ms;
    set->complete_unix_ms = held->complete_ms;
    set->attempt = 1;
    set->is_closed = set->opened = set->freeze_begun = set->freeze_ended = set->created = true;
    set->prepared = set->has_writers;
    set->record = record_find_set(broker, held->set_id);
    set->is_persistent = set->record != NULL;
    if (set->record != NULL)
        set->record->set = set;
    set_enter_phase(set, PB_PHASE(HELD));
    broker_log(broker, BROKER_LOG_INFO, "waiting for requester process %u, which holds set %s",
               (unsigned)held->process_id, set->set_id);
}

/* ---- leases ---- */

static struct set *find_set(struct broker *broker, const char *set_id)
{
    LIST_EACH(struct set, set, &broker->sets, link)
    {
        if (set->stage == SET_ADOPTING && text_equal(set->set_id, set_id))
            return set;
    }
    return NULL;
}

static void adopt_lease(struct broker *broker, const PB(HeldLease) * held)
{
    struct lease *lease = lease_adopt(broker, held);
    if (lease == NULL || lease->snapshot_id != NULL)
        return;
    lease->set = find_set(broker, held->info->set_id);
    lease->record = record_find_set(broker, held->info->set_id);
    if (lease->set != NULL)
        list_append(&lease->set->leases, &lease->set_link);
    if (lease->record != NULL)
        list_append(&lease->record->leases, &lease->record_link);
    if (lease_is_lost(lease))
        lease_lose(lease, "the service ended while it was being read, and could not go on with it");
}

void adoption_begin(struct broker *broker)
{
    LIST_EACH(struct keepsake, keepsake, &broker->keepsakes, link)
    {
        if (keepsake->set != NULL)
            adopt_set(broker, keepsake->set);
    }
    LIST_EACH(struct keepsake, keepsake, &broker->keepsakes, link)
    {
        if (keepsake->lease != NULL)
            adopt_lease(broker, keepsake->lease);
    }
    adoption_free(broker);
}

PB(Status) * adoption_pending(const struct lease *lease)
{
    struct broker *broker = lease->broker;
    if (lease->set == NULL || lease->set->stage != SET_ADOPTING)
        return NULL;
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(UNAVAILABLE), "ADOPTION_PENDING",
                    "the service was restarted, and the process that holds the snapshots has not come yet");
    error_retry(status, PB_VALUE(RETRY, RETRY_SOON), RETRY_MS);
    error_advise(status, "Ask again; what is read from the snapshots meanwhile is sound.");
    return status != NULL ? status : error_no_memory();
}

/* ---- its requester comes ---- */

static bool has_snapshot(const PB(RequesterHello) * hello, const char *snapshot_id)
{
    for (size_t i = 0; i < hello->n_snapshots; i++) {
        if (text_equal(hello->snapshots[i]->snapshot_id, snapshot_id))
            return true;
    }
    return false;
}

/* False: it does not hold the set any more. */
static bool take_phase(struct set *set, const PB(RequesterHello) * hello)
{
    set->aborted = hello->session_phase == PB_VALUE(SESSION_PHASE, SESSION_PHASE_ABORTED);
    if (hello->session_phase == PB_VALUE(SESSION_PHASE, SESSION_PHASE_COMPLETED) && set->has_writers) {
        set->complete_done = set->completed = true;
        set->succeeded = true; /* else it would not have been called */
    }
    return text_equal(hello->set_id, set->set_id) &&
           (hello->session_phase == PB_VALUE(SESSION_PHASE, SESSION_PHASE_CREATED) ||
            hello->session_phase == PB_VALUE(SESSION_PHASE, SESSION_PHASE_COMPLETED));
}

static void time_completion(struct set *set)
{
    struct broker *broker = set->broker;
    if (set->complete_unix_ms == 0 || set->completed)
        return;
    int64_t left_ms = set->complete_unix_ms - broker->unix_ms;
    int64_t most_ms = broker->config.complete_within_ms; /* the wall clock may have been set */
    left_ms = left_ms < 0 ? 0 : left_ms > most_ms ? most_ms : left_ms;
    timer_set(broker, &set->complete_timer, (uint64_t)left_ms);
}

/* Those that were deleted while nobody looked. */
static void look_for_snapshots(struct set *set, const PB(RequesterHello) * hello)
{
    if ((set->context & ATTRIBUTE_TRANSPORTABLE) != 0) /* on no machine before its import */
        return;
    for (size_t i = 0; i < set->volumes_count && set->stage == SET_HELD; i++) {
        if (!has_snapshot(hello, set->volumes[i].snapshot_id))
            holding_deleted(set->broker, set->volumes[i].snapshot_id, "VSS has the snapshot no more");
    }
}

void adoption_ready(struct set *set)
{
    struct broker *broker = set->broker;
    const PB(RequesterHello) *hello = set->requester->hello;
    bool is_held = take_phase(set, hello);
    set->stage = SET_HELD;
    broker->is_dirty = true;
    if (!is_held) {
        leases_lose(set, "the process that held the snapshots came back without them");
        set_end(set);
        return;
    }
    broker->counters.sets_adopted++;
    broker_log(broker, BROKER_LOG_INFO, "requester process %u is back with set %s, which goes on",
               (unsigned)set->requester->process_id, set->set_id);
    LIST_EACH(struct lease, lease, &set->leases, set_link)
    lease_term_adopted(lease);
    time_completion(set);
    look_for_snapshots(set, hello);
    set_lease_ended(set);
}
