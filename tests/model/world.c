#include "tests/model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EVENTS_MAX = 200000,
    QUIET_LIMIT_MS = 4 * 3600 * 1000,
    STOP_SLACK_MS = 20 * 1000,
    SPLIT_TIMEOUT_MS = 300 * 1000
};

static const int64_t epoch_ms = 1700000000000;

const char *const volume_names[VOLUMES] = {"C:\\", "D:\\", "E:\\", "F:\\"};

/* ---- events ---- */

static void tell_volumes(struct model *model)
{
    if (!model->enumerates)
        return; /* the service that asked has crashed */
    struct host_volume volumes[VOLUMES];
    char guids[VOLUMES][64];
    memset(volumes, 0, sizeof volumes);
    for (size_t i = 0; i < VOLUMES; i++) {
        (void)snprintf(guids[i], sizeof guids[i], "\\\\?\\Volume{00000000-0000-0000-0000-00000000000%c}\\",
                       "cdef"[i]);
        volumes[i] = (struct host_volume){.guid_path = guids[i],
                                          .names = &volume_names[i],
                                          .names_count = 1,
                                          .label = "",
                                          .file_system = "NTFS",
                                          .drive_type = 3};
    }
    bool fails = !model->is_quiet && model->fault_permille > 0 && model_chance(model, 3);
    model->enumerates = false;
    broker_volumes_enumerated(model->broker, fails ? NULL : volumes, fails ? 0 : VOLUMES,
                              fails ? "no answer" : NULL);
}

static void go_home(struct model *model)
{
    model->is_quiet = true;
    model_say(model, "everybody goes home");
    for (size_t i = 0; i < model->links_count; i++) {
        if (model->links[i]->kind == CONNECTION_CLIENT && !model->links[i]->is_closed)
            link_hang_up(model, model->links[i]);
    }
}

static void stop(struct model *model)
{
    model->is_stopping = true;
    model->hands_over = model->config.orphan_grace_ms > 0 && model_chance(model, 50);
    model_say(model, "the service %s", model->hands_over ? "hands over" : "stops");
    if (!model->hands_over)
        leases_lost(model, 0);
    broker_stop(model->broker, model->hands_over ? BROKER_STOP_HAND_OVER : BROKER_STOP_END);
    model_schedule(model, model->config.stop_all_ms + STOP_SLACK_MS, EVENT_STOP_OVERDUE, model->services, 0);
}

static void tell_time(struct model *model)
{
    int64_t wall_ms = epoch_ms + (int64_t)model->now_ms + model->wall_ms;
    model->told_wall_ms = wall_ms;
    if (wall_ms > model->latest_wall_ms)
        model->latest_wall_ms = wall_ms;
    broker_set_time(model->broker, model->now_ms, wall_ms);
}

static void create_broker(struct model *model)
{
    struct broker_host host = host_actions;
    host.context = model;
    model->services++;
    model->service_ms = model->services > 1 ? model->now_ms : 0;
    model->broker = broker_create(&model->config, &host);
    if (model->broker == NULL)
        abort();
    tell_time(model);
    store_is_read(model);
}

/* The service dies with all that it holds, and is started again. */
static void restart(struct model *model, bool is_orderly)
{
    store_note_untold(model);
    model->is_dead = true;
    broker_destroy(model->broker);
    model->is_dead = false;
    for (size_t i = 0; i < model->links_count; i++) {
        struct link *link = model->links[i];
        link->is_gone = true;
        if (link->client != 0 && model->clients[link->client - 1].link == link_index(model, link))
            model->clients[link->client - 1].link = 0;
    }
    for (size_t i = 0; i < model->processes_count; i++)
        orphan_left(model, model->processes[i]);
    if (is_orderly)
        store_drains(model);
    else
        store_crashes(model);
    leases_drift(model);
    model->leases_untold = store_count_untold(model);
    model->enumerates = false;
    create_broker(model);
}

static void crash(struct model *model)
{
    if (model->is_stopping || model->has_stopped || model->is_quiet)
        return;
    model_say(model, "the service crashes");
    restart(model, false);
}

/* False: it is about no connection. */
static bool handle_link(struct model *model, const struct event *event)
{
    bool is_link = (event->kind >= EVENT_IDENTIFIED && event->kind <= EVENT_GONE) ||
                   event->kind == EVENT_PROCEED || event->kind == EVENT_HOLD_DUE;
    struct link *link = is_link ? link_at(model, event->index) : NULL;
    switch (event->kind) {
    case EVENT_IDENTIFIED:
        client_identified(model, link);
        break;
    case EVENT_DELIVER:
        link_deliver(model, link);
        break;
    case EVENT_READ:
        link_reads(model, link);
        break;
    case EVENT_DEADLINE:
        request_due(model, link, (uint32_t)event->detail);
        break;
    case EVENT_GONE:
        link_let_go(model, link);
        break;
    case EVENT_PROCEED:
        hold_script_ends(model, link, (uint32_t)event->detail);
        break;
    case EVENT_HOLD_DUE:
        hold_is_due(model, link, (uint32_t)event->detail);
        break;
    default:
        break;
    }
    return is_link;
}

/* False: it is about no requester. */
static bool handle_process(struct model *model, const struct event *event)
{
    switch (event->kind) {
    case EVENT_STARTED:
        process_started(model, event->index);
        break;
    case EVENT_DIAL:
        process_dials(model, event->index);
        break;
    case EVENT_WORK:
        process_works(model, event->index);
        break;
    case EVENT_DONE:
        process_done(model, event->index, event->detail);
        break;
    case EVENT_EXIT:
        process_exited(model, event->index);
        break;
    case EVENT_GRACE:
        orphan_grace_ends(model, event->index, event->detail);
        break;
    case EVENT_IMPOSTOR:
        orphan_impersonated(model, event->index);
        break;
    case EVENT_NOT_THERE:
        orphan_is_not_there(model, event->index, event->detail);
        break;
    default:
        return false;
    }
    return true;
}

static void handle(struct model *model, const struct event *event)
{
    if (handle_link(model, event) || handle_process(model, event))
        return;
    switch (event->kind) {
    case EVENT_CLIENT:
        client_act(model, event->index);
        break;
    case EVENT_VOLUMES:
        tell_volumes(model);
        break;
    case EVENT_FOREIGN:
        model_foreign(model);
        break;
    case EVENT_VANISH:
        lease_copy_vanishes(model);
        break;
    case EVENT_LOST_DUE:
        lease_loss_is_due(model, event->index);
        break;
    case EVENT_STORED:
        store_works(model);
        break;
    case EVENT_CRASH:
        crash(model);
        break;
    case EVENT_CLOCK:
        model->wall_ms += (int64_t)model_random(model, 40000000) - 20000000;
        break;
    case EVENT_STOP:
        stop(model);
        break;
    case EVENT_STOP_OVERDUE:
        REQUIRE(model, event->index != model->services, "the broker has not stopped in time");
        break;
    case EVENT_QUIET:
        go_home(model);
        break;
    default:
        break;
    }
}

void model_foreign(struct model *model)
{
    bool is_free = model->creator == 0 && model->foreign_end_ms <= model->now_ms;
    if (is_free && !model->is_quiet) {
        model->foreign_end_ms = model->now_ms + model_between(model, 500, 40000);
        model_say(model, "a foreign program creates a snapshot set until %llu",
                  (unsigned long long)model->foreign_end_ms);
    }
    if (!model->is_quiet)
        model_schedule(model, model_between(model, 5000, 200000), EVENT_FOREIGN, 0, 0);
}

/* ---- a run ---- */

/* One limit of time: mostly much shorter than the default, so that a run meets it. */
static void vary(struct model *model, uint32_t *limit_ms, uint32_t divisor)
{
    *limit_ms = *limit_ms / divisor + (uint32_t)model_random(model, 1000);
}

static void choose_config(struct model *model)
{
    struct broker_config *config = &model->config;
    static const uint32_t divisors[] = {1, 8, 30};
    uint32_t divisor = divisors[model_random(model, 3)];
    broker_config_init(config);
    config->orphan_grace_ms = model_chance(model, 30) ? 0 : (uint32_t)model_between(model, 5000, 60000);
    config->reattach_ms = (uint32_t)model_between(model, 1000, 30000);
    config->server_version = config->os_build = "model";
    config->max_connections = (uint32_t)model_between(model, 4, 30);
    config->max_connections_per_owner = (uint32_t)model_between(model, 2, 8);
    config->reserved_connections = (uint32_t)model_random(model, 4);
    config->max_sets = (uint32_t)model_between(model, 1, 8);
    config->max_queue = (uint32_t)model_between(model, 1, 24);
    config->max_in_flight = (uint32_t)model_between(model, 1, 12);
    config->max_shared_volumes = model_chance(model, 25) ? 0 : (uint32_t)model_between(model, 1, 6);
    config->max_sessions = (uint32_t)model_between(model, 1, 8);
    config->max_leases = (uint32_t)model_between(model, 2, 40);
    config->max_leases_per_owner = (uint32_t)model_between(model, 1, 20);
    config->max_records = (uint32_t)model_between(model, 1, 20);
    config->max_watchers = (uint32_t)model_between(model, 1, 6);
    config->lease_ttl_ms = (uint32_t)model_between(model, 1000, 60000);
    config->max_lease_ttl_ms = (uint32_t)model_between(model, 30000, 120000);
    config->warm_requesters = (uint32_t)model_random(model, 2);
    config->output_soft_limit_bytes = (uint32_t)model_between(model, 500, 8000);
    config->output_hard_limit_bytes = config->output_soft_limit_bytes * (uint32_t)model_between(model, 2, 9);
    uint32_t *limits[] = {&config->default_timeout_ms, &config->gather_ms,     &config->call_ms,
                          &config->prepare_ms,         &config->create_ms,     &config->status_ms,
                          &config->complete_ms,        &config->abort_ms,      &config->release_ms,
                          &config->gate_hold_ms,       &config->stop_all_ms,   &config->stop_create_ms,
                          &config->complete_within_ms, &config->hold_point_ms, &config->gate_idle_ms};
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        vary(model, limits[i], divisor);
}

static void start(struct model *model)
{
    static const unsigned faults[] = {0, 0, 4, 12, 40};
    model->now_ms = 1000;
    choose_config(model);
    model->fault_permille = faults[model_random(model, sizeof faults / sizeof faults[0])];
    requesters_init(model);
    model->rundown_ms = model_chance(model, 50) ? 0 : model_random(model, 120000);
    model->unsupported = model_chance(model, 20) ? 1u << model_random(model, VOLUMES) : 0;
    model->refused = model_chance(model, 15) ? 1u << model_random(model, VOLUMES) : 0;
    model->shares_much = model->config.max_shared_volumes > 0 && model_chance(model, 50);
    model->splits = model->shares_much && model_chance(model, 15);
    if (model->splits)
        model->config.default_timeout_ms += SPLIT_TIMEOUT_MS;
    create_broker(model);
    clients_init(model);
    uint64_t end_ms = model_between(model, 10000, model->splits || model_chance(model, 8) ? 400000 : 75000);
    model_schedule(model, end_ms, EVENT_QUIET, 0, 0);
    if (model_chance(model, 30))
        model_schedule(model, model_random(model, end_ms + 30000), EVENT_STOP, 0, 0);
    if (model_chance(model, 40))
        model_schedule(model, model_random(model, 60000), EVENT_FOREIGN, 0, 0);
    if (model_chance(model, 25))
        model_schedule(model, model_random(model, 60000), EVENT_VANISH, 0, 0);
    for (unsigned i = 0; i < 3; i++)
        model_schedule(model, model_random(model, end_ms), EVENT_CLOCK, 0, 0);
    for (unsigned i = 0; i < 2; i++) {
        if (model_chance(model, 25))
            model_schedule(model, model_random(model, end_ms), EVENT_CRASH, 0, 0);
    }
    model->is_torn_down = model_chance(model, 8);
}

static bool is_over(struct model *model)
{
    if (model->has_stopped)
        return true;
    if (!model->is_quiet || model->is_stopping)
        return false;
    struct broker_counts counts;
    broker_counts(model->broker, &counts);
    size_t running = 0;
    for (size_t i = 0; i < model->processes_count; i++)
        running += model->processes[i]->is_alive || !model->processes[i]->is_reported;
    if (running > model->config.warm_requesters)
        return false;
    return counts.connections + counts.sets + counts.leases + counts.requesters + counts.queue_length == 0 &&
           !copies_are_owed(model);
}

static void check(struct model *model)
{
    struct broker_counts counts;
    inside_check(model);
    broker_counts(model->broker, &counts);
    REQUIRE(model, counts.queue_length <= model->config.max_queue, "the queue is longer than its limit");
    REQUIRE(model, counts.connections <= model->config.max_connections, "there are too many connections");
    REQUIRE(model, counts.leases <= model->config.max_leases, "there are too many leases");
    leases_check(model, counts.leases);
    vss_check_held(model);
    sessions_check_idle(model);
    store_check(model);
}

_Noreturn static void fail_of_rest(struct model *model, const char *what)
{
    struct broker_counts counts;
    size_t alive = 0;
    broker_counts(model->broker, &counts);
    for (size_t i = 0; i < model->processes_count; i++)
        alive += model->processes[i]->is_alive;
    model_fail(model,
               "%s: %u connections, %u requests that wait, %u sets, %u leases, %u requesters (%zu alive)%s",
               what, (unsigned)counts.connections, (unsigned)counts.queue_length, (unsigned)counts.sets,
               (unsigned)counts.leases, (unsigned)counts.requesters, alive,
               copies_are_owed(model) ? ", snapshots to be deleted" : "");
}

static void step(struct model *model)
{
    uint64_t timer_ms = broker_next_timer_ms(model->broker);
    uint64_t event_ms = model->heap_size > 0 ? model->heap[0].when_ms : UINT64_MAX;
    bool is_timer = timer_ms <= event_ms;
    if (timer_ms == UINT64_MAX && event_ms == UINT64_MAX)
        fail_of_rest(model, "nothing will ever happen again");
    if (is_timer) {
        if (model_chance(model, 10))
            timer_ms += model_random(model, LATE_MS);
        model->now_ms = timer_ms > model->now_ms ? timer_ms : model->now_ms;
    } else {
        model->now_ms = event_ms > model->now_ms ? event_ms : model->now_ms;
    }
    tell_time(model);
    leases_expire(model);
    model->events_done++;
    if (is_timer) {
        broker_timer(model->broker);
    } else {
        struct event event = model_take(model);
        handle(model, &event);
    }
    if (model->has_stopped && model->hands_over) {
        model->has_stopped = model->is_stopping = model->hands_over = false;
        restart(model, true);
    }
    check(model);
}

static void free_all(struct model *model)
{
    model->is_dead = true;
    broker_destroy(model->broker);
    store_free(model);
    for (size_t i = 0; i < model->links_count; i++) {
        frame_buffer_free(&model->links[i]->outbox);
        frame_reader_free(&model->links[i]->reader);
        free(model->links[i]);
    }
    for (size_t i = 0; i < model->processes_count; i++) {
        process_forgets_inbox(model->processes[i]);
        free(model->processes[i]);
    }
    free(model->heap);
    model->heap = NULL;
}

uint64_t model_run(uint64_t seed, bool is_verbose)
{
    long before = model_allocations;
    struct model *model = calloc(1, sizeof *model);
    if (model == NULL)
        abort();
    model->seed = model->random = seed;
    model->is_verbose = is_verbose;
    start(model);
    uint64_t tear_down = model->is_torn_down ? 1 + model_random(model, 3000) : UINT64_MAX;
    uint64_t quiet_ms = 0;
    while (!is_over(model) && model->events_done < tear_down) {
        step(model);
        quiet_ms = model->is_quiet ? quiet_ms : model->now_ms;
        REQUIRE(model, model->events_done < EVENTS_MAX, "the events do not end");
        if (model->now_ms >= quiet_ms + QUIET_LIMIT_MS)
            fail_of_rest(model, "everybody has gone, and something is still there");
    }
    uint64_t events = model->events_done;
    model_say(model, "over after %llu events", (unsigned long long)events);
    free_all(model);
    REQUIRE(model, model_allocations == before + 1, "%ld allocations were not freed",
            model_allocations - before - 1);
    free(model);
    return events;
}
