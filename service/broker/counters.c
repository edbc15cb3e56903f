#include "service/broker/counters.h"

#include <stdio.h>
#include <string.h>

#include "proto/status.h"
#include "service/broker/message.h"

static struct failure_count *find_failure(struct counters *counters, const char *reason, uint32_t hresult,
                                          const char *writer)
{
    for (size_t i = 0; i < FAILURE_KINDS; i++) {
        struct failure_count *failure = &counters->failures[i];
        if (failure->count == 0) {
            (void)snprintf(failure->reason, sizeof failure->reason, "%s", reason);
            (void)snprintf(failure->writer, sizeof failure->writer, "%s", writer);
            failure->hresult = hresult;
            return failure;
        }
        if (failure->hresult == hresult &&
            strncmp(failure->reason, reason, sizeof failure->reason - 1) == 0 &&
            strncmp(failure->writer, writer, sizeof failure->writer - 1) == 0)
            return failure;
    }
    return NULL;
}

static void count_failure(struct counters *counters, const char *reason, uint32_t hresult, const char *writer)
{
    struct failure_count *failure = find_failure(counters, reason, hresult, writer);
    if (failure != NULL)
        failure->count++;
    else
        counters->failures_other++;
}

void counters_failed(struct counters *counters, const PB(Status) * status)
{
    for (size_t i = 0; i < status->n_writers; i++)
        count_failure(counters, status->reason, status->writers[i]->hresult, status->writers[i]->name);
    if (status->n_writers == 0)
        count_failure(counters, status->reason, status->hresult, "");
}

static PB(Counter) * add(struct arena *arena, PB(ServiceStatus) * status, const char *name, uint64_t value)
{
    PB(Counter) *counter = MESSAGE_NEW(arena, counter);
    if (counter == NULL)
        return NULL;
    counter->name = text_constant(name);
    counter->value = value;
    status->counters[status->n_counters++] = counter;
    return counter;
}

enum {
    FAILURE_LABELS = 3
};

static bool add_failure(struct arena *arena, PB(ServiceStatus) * status, const struct failure_count *failure)
{
    PB(Counter) *counter = add(arena, status, "snapshot_failures", failure->count);
    if (counter != NULL)
        counter->labels = arena_alloc(arena, FAILURE_LABELS * sizeof *counter->labels);
    if (counter == NULL || counter->labels == NULL)
        return false;
    char scratch[11];
    counter->labels[counter->n_labels++] = text_format(arena, "reason=%s", failure->reason);
    if (failure->hresult != 0)
        counter->labels[counter->n_labels++] =
            text_format(arena, "hresult=%s", vss_code_name(failure->hresult, scratch));
    if (failure->writer[0] != '\0')
        counter->labels[counter->n_labels++] = text_format(arena, "writer=%s", failure->writer);
    for (size_t i = 0; i < counter->n_labels; i++) {
        if (counter->labels[i] == NULL)
            return false;
    }
    return true;
}

static bool add_failures(const struct counters *counters, struct arena *arena, PB(ServiceStatus) * status)
{
    for (size_t i = 0; i < FAILURE_KINDS && counters->failures[i].count > 0; i++) {
        if (!add_failure(arena, status, &counters->failures[i]))
            return false;
    }
    const struct failure_count other = {.reason = "other", .count = counters->failures_other};
    return other.count == 0 || add_failure(arena, status, &other);
}

bool counters_report(const struct counters *counters, const struct host_load *load, struct arena *arena,
                     PB(ServiceStatus) * status)
{
    const struct {
        const char *name;
        uint64_t value;
    } plain[] = {
        {"connections", counters->connections},
        {"requests", counters->requests},
        {"malformed_frames", counters->malformed},
        {"received_bytes", counters->bytes_received},
        {"sent_bytes", counters->bytes_sent},
        {"snapshots_created", counters->snapshots_created},
        {"snapshots_failed", counters->snapshots_failed},
        {"sets_created", counters->sets_created},
        {"set_members", counters->set_members},
        {"gate_waits", counters->gate_waits},
        {"gate_wait_ms", counters->gate_wait_ms},
        {"gate_holds", counters->gate_holds},
        {"gate_hold_ms", counters->gate_hold_ms},
        {"freezes", counters->freezes},
        {"freeze_ms", counters->freeze_ms},
        {"attempts_repeated", counters->attempts_repeated},
        {"sets_adopted", counters->sets_adopted},
        {"requesters_started", counters->requesters_started},
        {"requesters_killed", counters->requesters_killed},
        {"loop_events", load->events},
        {"loop_slow_events", load->slow_events},
        {"loop_longest_us", load->longest_us},
        {"memory_bytes", load->memory_bytes},
    };
    enum {
        PLAIN = sizeof plain / sizeof plain[0]
    };
    status->counters = arena_alloc(arena, (PLAIN + FAILURE_KINDS + 1) * sizeof(*status->counters));
    for (size_t i = 0; i < PLAIN && status->counters != NULL; i++) {
        if (add(arena, status, plain[i].name, plain[i].value) == NULL)
            return false;
    }
    return status->counters != NULL && add_failures(counters, arena, status);
}
