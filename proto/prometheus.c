#include "proto/prometheus.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct output {
    char *buffer;
    size_t size;
    size_t length;
};

static void put(struct output *output, const char *format, ...) PRINTF_LIKE(2, 3);

static void put(struct output *output, const char *format, ...)
{
    bool fits = output->length < output->size;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(fits ? output->buffer + output->length : NULL,
                            fits ? output->size - output->length : 0, format, arguments);
    va_end(arguments);
    output->length += written > 0 ? (size_t)written : 0;
}

static const char *help_of(const char *name)
{
    static const struct {
        const char *name;
        const char *help;
    } helps[] = {
        {"connections", "Client and requester connections."},
        {"requests", "Requests of clients."},
        {"malformed_frames", "Frames that could not be understood."},
        {"received_bytes", "Bytes from clients and requesters."},
        {"sent_bytes", "Bytes to clients and requesters."},
        {"snapshots_created", "Snapshot requests that succeeded."},
        {"snapshots_failed", "Snapshot requests that failed."},
        {"sets_created", "Snapshot sets."},
        {"set_members", "Snapshot requests that those sets served."},
        {"gate_waits", "Snapshot requests that came to their turn."},
        {"gate_wait_ms", "How long they waited for it, from their arrival."},
        {"gate_holds", "Turns at creating a set."},
        {"gate_hold_ms", "How long those took, from StartSnapshotSet."},
        {"freezes", "Calls of DoSnapshotSet."},
        {"freeze_ms", "How long those took."},
        {"attempts_repeated", "Attempts with a fresh VSS object."},
        {"sets_adopted", "Sets taken over from a service that had ended."},
        {"requesters_started", "Requester processes."},
        {"requesters_killed", "Requester processes that had to be killed."},
        {"snapshot_failures", "Failed snapshot requests by reason, HRESULT and writer."},
    };
    for (size_t i = 0; i < sizeof helps / sizeof helps[0]; i++) {
        if (strcmp(helps[i].name, name) == 0)
            return helps[i].help;
    }
    return NULL;
}

static void put_gauge(struct output *output, const char *name, const char *help, double value)
{
    put(output, "# HELP shadowpipe_%s %s\n# TYPE shadowpipe_%s gauge\nshadowpipe_%s %.15g\n", name, help,
        name, name, value);
}

/* Backslash, quote and line feed are escaped in a label's value. */
static void put_value(struct output *output, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n')
            put(output, "\\n");
        else if (*value == '"' || *value == '\\')
            put(output, "\\%c", *value);
        else
            put(output, "%c", *value);
    }
}

static void put_labels(struct output *output, const PB(Counter) * counter)
{
    size_t count = 0;
    for (size_t i = 0; i < counter->n_labels; i++) {
        const char *value = strchr(counter->labels[i], '=');
        if (value == NULL)
            continue;
        put(output, "%s%.*s=\"", count++ == 0 ? "{" : ",", (int)(value - counter->labels[i]),
            counter->labels[i]);
        put_value(output, value + 1);
        put(output, "\"");
    }
    if (count > 0)
        put(output, "}");
}

static void put_counter(struct output *output, const PB(Counter) * counter, bool is_first)
{
    static const char unit[] = "_ms";
    size_t length = strlen(counter->name);
    size_t tail = sizeof unit - 1;
    bool is_time = length > tail && strcmp(counter->name + length - tail, unit) == 0;
    const char *ending = is_time ? "_seconds_total" : "_total";
    int stem = (int)(is_time ? length - tail : length);
    const char *help = help_of(counter->name);
    if (is_first && help != NULL)
        put(output, "# HELP shadowpipe_%.*s%s %s\n", stem, counter->name, ending, help);
    if (is_first)
        put(output, "# TYPE shadowpipe_%.*s%s counter\n", stem, counter->name, ending);
    put(output, "shadowpipe_%.*s%s", stem, counter->name, ending);
    put_labels(output, counter);
    if (is_time)
        put(output, " %" PRIu64 ".%03u\n", counter->value / 1000, (unsigned)(counter->value % 1000));
    else
        put(output, " %" PRIu64 "\n", counter->value);
}

size_t prometheus_write(const PB(ServiceStatus) * status, char *buffer, size_t size)
{
    struct output output = {.buffer = buffer, .size = size};
    put(&output, "# HELP shadowpipe_info The service that runs.\n# TYPE shadowpipe_info gauge\n"
                 "shadowpipe_info{version=\"");
    put_value(&output, status->server_version);
    put(&output, "\",simulated=\"%s\"} 1\n", status->simulated ? "true" : "false");
    put_gauge(&output, "start_time_seconds", "When the service was started, unix time.",
              (double)status->started_ms / 1000);
    put_gauge(&output, "clients", "Clients that are connected.", status->connections);
    put_gauge(&output, "queue_length", "Snapshot requests that wait.", status->queue_length);
    put_gauge(&output, "gate_held", "1 while a snapshot set is being created.",
              status->gate_holder[0] != '\0');
    put_gauge(&output, "sets", "Snapshot sets at any stage.", (double)status->n_sets);
    put_gauge(&output, "leases", "Rights to read a snapshot.", status->leases);
    put_gauge(&output, "requesters", "Requester processes at work.", status->requesters);
    put_gauge(&output, "stopping", "1 while the service stops.", status->stopping);
    for (size_t i = 0; i < status->n_counters; i++) {
        bool is_first = i == 0 || strcmp(status->counters[i]->name, status->counters[i - 1]->name) != 0;
        put_counter(&output, status->counters[i], is_first);
    }
    return output.length;
}
