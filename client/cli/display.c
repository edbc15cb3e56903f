#include "client/cli/display.h"

#include <inttypes.h>
#include <string.h>

void display_duration(struct text *text, uint64_t ms)
{
    uint64_t seconds = ms / 1000;
    if (ms < 10000)
        text_format(text, "%" PRIu64 ".%" PRIu64 " s", seconds, ms % 1000 / 100);
    else if (seconds < 60)
        text_format(text, "%" PRIu64 " s", seconds);
    else if (seconds < 3600)
        text_format(text, "%" PRIu64 " min %02" PRIu64 " s", seconds / 60, seconds % 60);
    else
        text_format(text, "%" PRIu64 " h %02" PRIu64 " min", seconds / 3600, seconds / 60 % 60);
}

void display_size(struct text *text, uint64_t bytes)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    uint64_t tenths = 0;
    if (bytes < 1024) {
        text_format(text, "%" PRIu64 " B", bytes);
        return;
    }
    while (bytes >= 1024) {
        tenths = bytes % 1024 * 10 / 1024;
        bytes /= 1024;
        unit++;
    }
    text_format(text, "%" PRIu64 ".%" PRIu64 " %s", bytes, tenths, names[unit]);
}

void display_time(struct text *text, int64_t unix_ms)
{
    if (unix_ms <= 0) {
        text_add(text, "-");
        return;
    }
    int64_t seconds = unix_ms / 1000;
    int64_t days = seconds / 86400;
    int64_t left = seconds % 86400;
    /* Days to a date: years begin in March, so that the leap day is the last of its year. */
    int64_t shifted = days + 719468;
    int64_t era = shifted / 146097;
    int64_t day_of_era = shifted % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted_month = (5 * day_of_year + 2) / 153;
    int64_t day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
    text_format(text,
                "%04" PRId64 "-%02" PRId64 "-%02" PRId64 " %02" PRId64 ":%02" PRId64 ":%02" PRId64 " UTC",
                year, month, day, left / 3600, left / 60 % 60, left % 60);
}

const char *display_phase(PB(Phase) phase)
{
    switch (phase) {
    case PB_PHASE(QUEUED):
        return "waiting in the queue";
    case PB_PHASE(STARTING):
        return "starting";
    case PB_PHASE(INITIALIZING):
        return "opening VSS";
    case PB_PHASE(GATHERING):
        return "asking the writers what they have";
    case PB_PHASE(WAITING_FOR_GATE):
        return "waiting for its turn";
    case PB_PHASE(ADDING_VOLUMES):
        return "adding the volumes";
    case PB_PHASE(PREPARING):
        return "the writers prepare";
    case PB_PHASE(CREATING):
        return "freezing and copying";
    case PB_PHASE(HELD):
        return "the snapshot exists";
    case PB_PHASE(COMPLETING):
        return "telling the writers of the end";
    case PB_PHASE(ABORTING):
        return "cleaning up";
    case PB_PHASE(ENDED):
        return "ended";
    case PB_PHASE(REVERTING):
        return "putting the volume back";
    case PB_PHASE(DELETING):
        return "deleting";
    case PB_PHASE(CHANGING):
        return "changing it";
    default:
        return "working";
    }
}

const char *display_waiting(PB(WaitingFor) waiting_for)
{
    switch (waiting_for) {
    case PB_VALUE(WAITING_FOR, WAITING_FOR_OWN_SET):
        return "another snapshot is being taken";
    case PB_VALUE(WAITING_FOR, WAITING_FOR_RUNDOWN):
        return "Windows has not yet cleaned up after a requester that died";
    case PB_VALUE(WAITING_FOR, WAITING_FOR_FOREIGN_PROGRAM):
        return "another program is taking a snapshot";
    case PB_VALUE(WAITING_FOR, WAITING_FOR_RETRY):
        return "a failure that may pass by itself; another attempt follows";
    case PB_VALUE(WAITING_FOR, WAITING_FOR_HOLD):
        return "held by its client";
    default:
        return NULL;
    }
}

void display_progress(struct text *text, const PB(Progress) * progress)
{
    const char *waiting = display_waiting(progress->waiting_for);
    text_add(text, display_phase(progress->phase));
    if (progress->queue_position)
        text_format(text, ", position %" PRIu32, progress->queue_position);
    if (waiting)
        text_format(text, ": %s", waiting);
    if (progress->writer && *progress->writer)
        text_format(text, ", %s", progress->writer);
    if (progress->expected_wait_ms) {
        text_add(text, ", about ");
        display_duration(text, progress->expected_wait_ms);
        text_add(text, " more");
    }
    if (progress->total)
        text_format(text, ", %" PRIu32 " of %" PRIu32, progress->done, progress->total);
    if (progress->attempt > 1)
        text_format(text, ", attempt %" PRIu32, progress->attempt);
    text_add(text, " (");
    display_duration(text, progress->elapsed_ms);
    text_add(text, ")");
}

static const char *or_dash(const char *string)
{
    return string && *string ? string : "-";
}

static void add_failure(struct text *text, const char *name, const char *state, uint32_t hresult,
                        const char *hresult_name, const char *app_message, const char *advice)
{
    text_format(text, "  - %s: %s", or_dash(name), state);
    if (hresult)
        text_format(text, ", %s (0x%08" PRIX32 ")", or_dash(hresult_name), hresult);
    if (app_message && *app_message)
        text_format(text, ", \"%s\"", app_message);
    if (advice && *advice)
        text_format(text, ". %s", advice);
    text_add(text, "\n");
}

static const char *state_name(PB(WriterState) state)
{
    static const char prefix[] = "WRITER_STATE_";
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&shadowpipe__v1__writer_state__descriptor, (int)state);
    return value && state != 0 ? value->name + strlen(prefix) : "UNKNOWN";
}

void display_writer_failure(struct text *text, const PB(WriterStatus) * writer)
{
    add_failure(text, writer->name, state_name(writer->state), writer->hresult, writer->hresult_name,
                writer->app_message, writer->advice);
}

static void add_labelled(struct text *text, const char *label, const char *value)
{
    if (*value)
        text_format(text, "  %s: %s\n", label, value);
}

void display_error(struct text *text, const struct sp_error *error)
{
    text_format(text, "shadowpipe: %s\n", error->message);
    if (error->hresult)
        text_format(text, "  VSS says: %s (0x%08" PRIX32 ")%s%s\n", or_dash(error->hresult_name),
                    error->hresult, *error->method ? " from " : "", error->method);
    add_labelled(text, "Missing before it", error->missing_prerequisite);
    add_labelled(text, "Phase", error->phase);
    add_labelled(text, "Volume", error->volume);
    add_labelled(text, "Provider", error->provider);
    add_labelled(text, "Limit", error->limit_name);
    add_labelled(text, "Field", error->field);
    if (error->attempts > 1)
        text_format(text, "  Attempts: %" PRIu32 "\n", error->attempts);
    for (size_t i = 0; i < error->writers_count; i++) {
        const struct sp_writer *writer = &error->writers[i];
        add_failure(text, writer->name, writer->state_name, writer->hresult, writer->hresult_name,
                    writer->app_message, writer->advice);
    }
    add_labelled(text, "What to do", error->advice);
    if (error->retry_after_ms && (error->retry == SP_RETRY_SOON || error->retry == SP_RETRY_LATER)) {
        text_add(text, "  Try again in ");
        display_duration(text, error->retry_after_ms);
        text_add(text, ".\n");
    }
}
