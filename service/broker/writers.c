#include "service/broker/writers.h"

#include <string.h>

#include "proto/status.h"
#include "proto/writers.h"
#include "service/broker/error.h"
#include "service/broker/message.h"
#include "service/broker/state.h"

enum {
    STATE_UNKNOWN = 0,
    STATE_WAITING_FOR_BACKUP_COMPLETE = 5,
    STATE_FIRST_FAILED = 6,
    STATE_COUNT = 16
};

/* Ids come with or without braces. */
static bool ids_equal(const char *id, const char *given)
{
    size_t length = strlen(given);
    if (length != 38 || given[0] != '{' || given[37] != '}')
        return text_equal(id, given);
    char bare[37] = {0};
    memcpy(bare, given + 1, sizeof bare - 1);
    return text_equal(id, bare);
}

bool writer_is_named(const PB(WriterStatus) * writer, const char *name_or_id)
{
    return name_or_id[0] != '\0' &&
           (text_equal(writer->name, name_or_id) || ids_equal(writer->writer_id, name_or_id) ||
            ids_equal(writer->instance_id, name_or_id));
}

bool writer_is_in(const PB(WriterStatus) * writer, char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (writer_is_named(writer, names[i]))
            return true;
    }
    return false;
}

bool text_is_guid(const char *text)
{
    size_t length = strlen(text);
    if (length == 38 && text[0] == '{' && text[37] == '}') {
        text++;
        length = 36;
    }
    if (length != 36)
        return false;
    for (size_t i = 0; i < length; i++) {
        bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (is_dash ? text[i] != '-' : strchr("0123456789abcdefABCDEF", text[i]) == NULL)
            return false;
    }
    return true;
}

static char *make_advice(struct arena *arena, const PB(WriterStatus) * writer)
{
    const struct vss_code *code = vss_code_find(writer->hresult);
    if (writer->host_service[0] != '\0')
        return text_format(arena, "Restart the Windows service %s, which hosts this writer; then ask again.",
                           writer->host_service);
    if (code != NULL && code->advice[0] != '\0')
        return text_constant(code->advice);
    return text_constant(
        "Restart the service that hosts this writer, and look into the Application event log.");
}

PB(WriterStatus) * writer_status_make(struct arena *arena, const PB(GetWriterStatusResult) * result)
{
    if (result == NULL || result->writer == NULL)
        return NULL;
    PB(WriterStatus) *writer = MESSAGE_COPY(arena, result->writer);
    if (writer == NULL)
        return NULL;
    uint32_t state = result->state_value;
    bool is_failure = (writer->hresult & 0x80000000u) != 0;
    writer->state =
        state < STATE_COUNT ? (PB(WriterState))(state + 1) : PB_VALUE(WRITER_STATE, WRITER_STATE_UNKNOWN);
    writer->failed = is_failure || state == STATE_UNKNOWN || state >= STATE_FIRST_FAILED;
    writer->tolerated = false;
    writer->took_part = state == STATE_WAITING_FOR_BACKUP_COMPLETE;
    writer->host_service = text_constant(writer_known_service(writer->writer_id));
    char scratch[11];
    writer->hresult_name = arena_strdup(arena, vss_code_name(writer->hresult, scratch));
    writer->advice = writer->failed ? make_advice(arena, writer) : text_constant("");
    return writer->hresult_name != NULL && writer->advice != NULL ? writer : NULL;
}

char *writers_describe(struct arena *arena, PB(WriterStatus) *const *failed, size_t count)
{
    const PB(WriterStatus) *first = failed[0];
    uint32_t state = first->state > 0 ? (uint32_t)first->state - 1 : 0;
    return text_format(arena, "writer %s is in state %s (%s)%s", first->name, writer_state_name(state),
                       first->hresult_name[0] != '\0' ? first->hresult_name : "no code",
                       count > 1 ? ", and others failed too" : "");
}

PB(Status) * writers_failure(struct broker *broker, PB(WriterStatus) *const *failed, size_t count,
                             const char *method, PB(Phase) phase)
{
    struct arena *arena = &broker->arena;
    const PB(WriterStatus) *first = failed[0];
    const struct vss_code *code = vss_code_find(first->hresult);
    bool has_code = code != NULL && code->hresult != 0;
    const char *text = writers_describe(arena, failed, count);
    PB(Status) *status = text != NULL ? status_make(arena, has_code ? code->code : PB_CODE(ABORTED),
                                                    "WRITER_FAILED", "%s", text)
                                      : NULL;
    if (status == NULL)
        return NULL;
    if (status->code == PB_CODE(UNSPECIFIED))
        status->code = PB_CODE(ABORTED);
    status->hresult = first->hresult;
    status->hresult_name = first->hresult_name;
    status->method = text_constant(method);
    status->phase = phase;
    status->advice = first->advice;
    status->writers = arena_alloc(arena, count * sizeof(*status->writers));
    if (status->writers != NULL) {
        memcpy(status->writers, failed, count * sizeof(*status->writers));
        status->n_writers = count;
    }
    if (has_code)
        error_retry(status, code->retry, code->retry_after_ms);
    return status;
}
