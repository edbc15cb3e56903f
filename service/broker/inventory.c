#include "service/broker/inventory.h"

#include <stdlib.h>
#include <string.h>

#include "service/broker/error.h"
#include "service/broker/inventory_steps.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/overdue.h"
#include "service/broker/state.h"
#include "service/broker/writers.h"

enum {
    WRITER_CHARS = 257
};

/* A request for one of the lists. */
struct asker {
    struct request request; /* first: they are cast */
    struct list link;
    struct inventory *inventory;
    struct listing *listing; /* being sent; NULL = still awaited */
    size_t next;
    uint32_t sent;
    bool with_components;
    char writer[WRITER_CHARS];
};

/* ---- listings ---- */

static void listing_release(struct listing *listing)
{
    if (listing == NULL || --listing->references > 0)
        return;
    arena_free(&listing->arena);
    free(listing);
}

/* ---- answers ---- */

static void asker_free(struct asker *asker)
{
    if (asker->inventory->served == asker)
        asker->inventory->served = NULL;
    list_remove(&asker->link);
    listing_release(asker->listing);
    free(asker);
}

static bool is_asked_for(const struct asker *asker, const PB(Writer) * writer)
{
    return asker->writer[0] == '\0' ||
           (writer->status != NULL && writer_is_named(writer->status, asker->writer));
}

enum sending {
    SENT,
    SENT_PARTLY, /* the rest has to wait */
    NOT_SENT
};

/* One writer per frame, as the reader takes them. */
static enum sending send_writers(struct asker *asker)
{
    for (; asker->next < asker->listing->count; asker->next++) {
        PB(Writer) writer = *(const PB(Writer) *)asker->listing->items[asker->next];
        if (!is_asked_for(asker, &writer))
            continue;
        if (!connection_has_room(asker->request.connection))
            return SENT_PARTLY;
        if (!asker->with_components)
            writer.n_components = 0;
        PB(Envelope) envelope = ENVELOPE(WRITER, .writer = &writer);
        if (!request_stream(&asker->request, &envelope))
            return NOT_SENT;
        asker->sent++;
    }
    return SENT;
}

static void asker_continue(struct inventory *inventory, struct asker *asker)
{
    struct broker *broker = inventory->broker;
    const struct listing *listing = asker->listing;
    uint32_t age_ms = (uint32_t)(broker->now_ms - listing->made_ms);
    PB(Envelope) envelope = ENVELOPE(_NOT_SET, .id = 0);
    PB(WritersReply) writers = SHADOWPIPE__V1__WRITERS_REPLY__INIT;
    PB(VolumesReply) volumes = SHADOWPIPE__V1__VOLUMES_REPLY__INIT;
    PB(ProvidersReply) providers = SHADOWPIPE__V1__PROVIDERS_REPLY__INIT;
    enum sending sending = inventory->kind == INVENTORY_WRITERS ? send_writers(asker) : SENT;
    if (sending == SENT_PARTLY)
        return;
    if (sending == NOT_SENT) { /* a list with a gap would look whole */
        request_fail(&asker->request, NULL);
        asker_free(asker);
        return;
    }
    switch (inventory->kind) {
    case INVENTORY_WRITERS:
        writers.count = asker->sent;
        writers.age_ms = age_ms;
        envelope.body_case = PB_BODY(WRITERS_REPLY);
        envelope.writers_reply = &writers;
        break;
    case INVENTORY_VOLUMES:
        volumes.volumes = (PB(Volume) **)(void *)listing->items;
        volumes.n_volumes = listing->count;
        volumes.age_ms = age_ms;
        envelope.body_case = PB_BODY(VOLUMES_REPLY);
        envelope.volumes_reply = &volumes;
        break;
    default:
        providers.providers = (PB(Provider) **)(void *)listing->items;
        providers.n_providers = listing->count;
        providers.age_ms = age_ms;
        envelope.body_case = PB_BODY(PROVIDERS_REPLY);
        envelope.providers_reply = &providers;
        break;
    }
    request_reply(&asker->request, &envelope);
    asker_free(asker);
}

static void serve(struct inventory *inventory, struct asker *asker)
{
    asker->listing = inventory->listing;
    asker->listing->references++;
    asker_continue(inventory, asker);
}

/* The reader has room again, or never was without. */
static void ask_for_part(struct inventory *inventory, struct connection *connection)
{
    if (!inventory->part_waits || inventory->served == NULL ||
        inventory->served->request.connection != connection || !connection_has_room(connection))
        return;
    inventory->part_waits = false;
    sequence_repeat(&inventory->sequence);
}

void inventory_continue(struct connection *connection)
{
    ask_for_part(&connection->broker->inventories[INVENTORY_FILES], connection);
    for (int kind = 0; kind < INVENTORY_KINDS; kind++) {
        struct inventory *inventory = &connection->broker->inventories[kind];
        LIST_EACH(struct asker, asker, &inventory->askers, link)
        {
            if (asker->request.connection == connection && asker->listing != NULL)
                asker_continue(inventory, asker);
        }
    }
}

/* Those whom the run under way is for, or all. */
static void fail_askers(struct inventory *inventory, PB(Status) * status, bool also_others)
{
    LIST_EACH(struct asker, asker, &inventory->askers, link)
    {
        bool is_other =
            inventory->kind == INVENTORY_FILES ? asker != inventory->served : asker->listing != NULL;
        if (is_other && !also_others)
            continue;
        request_fail(&asker->request, status);
        asker_free(asker);
    }
}

/* ---- the question under way ---- */

static void run_forget(struct inventory *inventory)
{
    listing_release(inventory->draft);
    inventory->draft = NULL;
    inventory->requester = NULL;
    inventory->is_running = inventory->is_ending = inventory->part_waits = false;
    sequence_stop(&inventory->sequence);
    list_remove(&inventory->volume_wait.link);
}

/* Release, then the process may go; nothing else is owed for questions. */
static void run_end(struct inventory *inventory)
{
    struct requester *requester = inventory->requester;
    inventory->is_ending = true;
    sequence_stop(&inventory->sequence);
    if (requester == NULL)
        return;
    if (requester->state != REQUESTER_READY) {
        requester_let_go(requester);
    } else if (!requester_is_busy(requester)) {
        (void)requester_call(requester, PB_METHOD(RELEASE_OBJECT),
                             MESSAGE_NEW(&inventory->broker->arena, release_object), 0, 0,
                             inventory->broker->config.release_ms);
    } else if (method_is_asynchronous(requester_busy_with(requester))) {
        requester_cancel(requester);
    }
}

static void run_failed(void *subject, PB(Call__MethodCase) method, size_t index, PB(Status) * status)
{
    struct inventory *inventory = subject;
    (void)method;
    (void)index;
    fail_askers(inventory, status, false);
    listing_release(inventory->draft); /* who asks from now on gets a run of their own */
    inventory->draft = NULL;
    run_end(inventory);
}

void inventory_run_failed(struct inventory *inventory, PB(Status) * status)
{
    run_failed(inventory, PB_METHOD(_NOT_SET), 0, status);
}

bool inventory_is_asked_for(const struct inventory *inventory, const PB(Writer) * writer)
{
    return inventory->served != NULL && is_asked_for(inventory->served, writer);
}

bool inventory_send_part(struct inventory *inventory, PB(Writer) * part)
{
    struct asker *asker = inventory->served;
    PB(Envelope) envelope = ENVELOPE(WRITER, .writer = part);
    if (!request_stream(&asker->request, &envelope)) {
        inventory_run_failed(inventory, NULL);
        return false;
    }
    asker->sent++;
    inventory->part_waits = true;
    connection_attend(asker->request.connection);
    return true;
}

static void files_done(struct inventory *inventory)
{
    struct asker *asker = inventory->served;
    PB(WritersReply) writers = SHADOWPIPE__V1__WRITERS_REPLY__INIT;
    PB(Envelope) envelope = ENVELOPE(WRITERS_REPLY, .writers_reply = &writers);
    writers.count = asker->sent;
    listing_release(inventory->draft);
    inventory->draft = NULL;
    request_reply(&asker->request, &envelope);
    asker_free(asker);
    run_end(inventory);
}

static bool is_served_by(const struct asker *asker, const struct listing *listing)
{
    return listing->with_components || !asker->with_components;
}

static void run_done(void *subject)
{
    struct inventory *inventory = subject;
    if (inventory->kind == INVENTORY_FILES) {
        files_done(inventory);
        return;
    }
    listing_release(inventory->listing);
    inventory->listing = inventory->draft;
    inventory->draft = NULL;
    inventory->listing->made_ms = inventory->broker->now_ms;
    LIST_EACH(struct asker, asker, &inventory->askers, link)
    {
        if (asker->listing == NULL && is_served_by(asker, inventory->listing))
            serve(inventory, asker);
    }
    run_end(inventory);
}

static uint32_t run_limit_ms(void *subject, enum limit limit)
{
    return limit_default_ms(&((const struct inventory *)subject)->broker->config, limit);
}

static const struct sequence_user sequence_user = {
    .phase = NULL, .limit_ms = run_limit_ms, .failed = run_failed, .done = run_done};

static void on_ready(void *subject)
{
    struct inventory *inventory = subject;
    sequence_start(&inventory->sequence, inventory->requester, inventory_steps(inventory->kind),
                   &sequence_user, inventory);
}

static void on_replied(void *subject, PB(Call__MethodCase) method, size_t index, const PB(CallReply) * reply)
{
    struct inventory *inventory = subject;
    if (!inventory->is_ending)
        sequence_replied(&inventory->sequence, index, reply);
    else if (method == PB_METHOD(RELEASE_OBJECT))
        requester_let_go(inventory->requester);
    else if (!requester_is_busy(inventory->requester))
        run_end(inventory);
}

static void on_overdue(void *subject, PB(Call__MethodCase) method)
{
    struct inventory *inventory = subject;
    PB(Status) *status = error_no_return(inventory->broker, method);
    fail_askers(inventory, status, false);
    requester_kill(inventory->requester, status);
}

static void run_start(struct inventory *inventory);

static bool somebody_waits(const struct inventory *inventory)
{
    LIST_EACH(struct asker, asker, &inventory->askers, link)
    {
        if (asker->listing == NULL)
            return true;
    }
    return false;
}

static void on_ended(void *subject, PB(Status) * why, bool left_open)
{
    struct inventory *inventory = subject;
    struct broker *broker = inventory->broker;
    (void)left_open; /* it never opens a set */
    bool was_answered = inventory->draft == NULL;
    run_forget(inventory);
    if (broker->stopping)
        fail_askers(inventory, error_stopping(broker), false);
    else if (!was_answered)
        fail_askers(inventory, why, false);
    /* Who came too late for that answer gets the next one. */
    if (somebody_waits(inventory))
        run_start(inventory);
}

static const struct requester_user requester_user = {
    .ready = on_ready, .replied = on_replied, .overdue = on_overdue, .ended = on_ended};

static void start_requester(struct inventory *inventory)
{
    inventory->requester = requester_start(inventory->broker, &requester_user, inventory);
    if (inventory->requester != NULL)
        return;
    run_forget(inventory);
    fail_askers(inventory, NULL, inventory->kind == INVENTORY_FILES);
}

static void on_volumes(struct volume_wait *wait, const char *failure)
{
    struct inventory *inventory = LIST_ITEM(wait, struct inventory, volume_wait);
    struct broker *broker = inventory->broker;
    if (failure != NULL || !inventory_draft_volumes(inventory)) {
        run_forget(inventory);
        fail_askers(inventory, failure != NULL ? error_volumes_unknown(broker, failure) : NULL, false);
    } else {
        start_requester(inventory);
    }
}

static void run_start(struct inventory *inventory)
{
    struct listing *draft = calloc(1, sizeof *draft);
    if (draft == NULL) {
        fail_askers(inventory, NULL, inventory->kind == INVENTORY_FILES);
        return;
    }
    arena_init(&draft->arena, LISTING_BYTES);
    draft->references = 1;
    LIST_EACH(struct asker, asker, &inventory->askers, link)
    draft->with_components |= asker->listing == NULL && asker->with_components;
    inventory->draft = draft;
    inventory->is_running = true;
    inventory->is_ending = false;
    if (inventory->kind == INVENTORY_FILES) {
        inventory->served = LIST_FIRST(&inventory->askers, struct asker, link);
        inventory->part_writer = 0;
        inventory->part_component = inventory->part_file = 0;
    }
    inventory->volume_wait.wants_description = true;
    if (inventory->kind == INVENTORY_VOLUMES)
        volumes_ask(inventory->broker, &inventory->volume_wait);
    else
        start_requester(inventory);
}

/* ---- requests ---- */

static void on_stop(struct request *request, enum request_stop_reason reason)
{
    struct asker *asker = (struct asker *)request;
    if (reason == STOP_CANCELLED)
        request_fail(request, error_cancelled(request->broker));
    else if (reason == STOP_EXPIRED)
        request_fail(request, error_deadline(request->broker, request->broker->now_ms - request->arrived_ms,
                                             "the list was being made"));
    struct inventory *inventory = asker->inventory;
    bool was_served = inventory->served == asker;
    asker_free(asker);
    if (was_served) { /* nobody else has use for that run */
        listing_release(inventory->draft);
        inventory->draft = NULL;
        run_end(inventory);
    }
}

static void ask(struct connection *connection, const PB(Envelope) * envelope, enum inventory_kind kind,
                bool refresh, const PB(ListWriters) * wish)
{
    struct broker *broker = connection->broker;
    struct inventory *inventory = &broker->inventories[kind];
    struct asker *asker = calloc(1, sizeof *asker);
    if (asker == NULL) {
        fail_now(connection, envelope->id, NULL);
        return;
    }
    asker->inventory = inventory;
    if (wish != NULL) {
        asker->with_components = wish->with_components && !wish->with_files;
        /* The decoder has bounded it. */
        memcpy(asker->writer, wish->writer, strnlen(wish->writer, WRITER_CHARS - 1));
    }
    request_open(&asker->request, connection, envelope, on_stop);
    list_append(&inventory->askers, &asker->link);
    const struct listing *listing = inventory->listing;
    if (!refresh && listing != NULL && is_served_by(asker, listing) &&
        broker->now_ms - listing->made_ms <= broker->config.cache_ms)
        serve(inventory, asker);
    else if (!inventory->is_running)
        run_start(inventory);
}

void inventory_list_writers(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    const PB(ListWriters) *wish = envelope->list_writers;
    if (wish->with_files && wish->writer[0] == '\0') {
        PB(Status) *status = status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "EMPTY_NAME",
                                         "files are listed for one writer, and none is named");
        error_advise(status, "Name a writer by name, class id or instance id.");
        fail_now(connection, envelope->id, error_field(status, "list_writers.writer"));
        return;
    }
    ask(connection, envelope, wish->with_files ? INVENTORY_FILES : INVENTORY_WRITERS, wish->refresh, wish);
}

void inventory_list_volumes(struct connection *connection, const PB(Envelope) * envelope)
{
    ask(connection, envelope, INVENTORY_VOLUMES, envelope->list_volumes->refresh, NULL);
}

void inventory_list_providers(struct connection *connection, const PB(Envelope) * envelope)
{
    ask(connection, envelope, INVENTORY_PROVIDERS, envelope->list_providers->refresh, NULL);
}

/* ---- all of them ---- */

void inventories_init(struct broker *broker)
{
    for (int kind = 0; kind < INVENTORY_KINDS; kind++) {
        struct inventory *inventory = &broker->inventories[kind];
        inventory->broker = broker;
        inventory->kind = (enum inventory_kind)kind;
        list_init(&inventory->askers);
        list_init(&inventory->volume_wait.link);
        inventory->volume_wait.ready = on_volumes;
    }
}

void inventories_stop(struct broker *broker)
{
    for (int kind = 0; kind < INVENTORY_KINDS; kind++) {
        struct inventory *inventory = &broker->inventories[kind];
        fail_askers(inventory, error_stopping(broker), true);
        if (inventory->is_running && !inventory->is_ending && inventory->requester != NULL)
            run_end(inventory);
        else if (inventory->is_running && inventory->requester == NULL)
            run_forget(inventory);
    }
}

void inventories_kill(struct broker *broker)
{
    for (int kind = 0; kind < INVENTORY_KINDS; kind++) {
        if (broker->inventories[kind].requester != NULL)
            requester_kill(broker->inventories[kind].requester, error_stopping(broker));
    }
}

void inventories_free(struct broker *broker)
{
    for (int kind = 0; kind < INVENTORY_KINDS; kind++) {
        struct inventory *inventory = &broker->inventories[kind];
        run_forget(inventory);
        listing_release(inventory->listing);
        inventory->listing = NULL;
    }
}
