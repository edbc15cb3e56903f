#include "service/broker/writers.h"

#include <string.h>

#include "proto/status.h"
#include "service/broker/error.h"
#include "service/broker/message.h"
#include "service/broker/state.h"

enum {
    STATE_UNKNOWN = 0,
    STATE_WAITING_FOR_BACKUP_COMPLETE = 5,
    STATE_FIRST_FAILED = 6,
    STATE_COUNT = 16
};

/* Sorted by what people ask about most. */
static const struct known_writer {
    const char *class_id;
    const char *name;
    const char *service;
} known_writers[] = {
    {"e8132975-6f93-4464-a53e-1050253ae220", "System Writer", "CryptSvc"},
    {"a65faa63-5ea8-4ebc-9dbd-a0c4db26912a", "SqlServerWriter", "SQLWriter"},
    {"66841cd4-6ded-4f4b-8f17-fd23f8ddc3de", "Microsoft Hyper-V VSS Writer", "vmms"},
    {"76fe1ac4-15f7-4bcd-987e-8e1acb462fb7", "Microsoft Exchange Writer", "MSExchangeIS"},
    {"b2014c9e-8711-4c5c-a5a9-3cf384484757", "NTDS", "NTDS"},
    {"afbab4a2-367d-4d15-a586-71dbb18f8485", "Registry Writer", "VSS"},
    {"542da469-d3e1-473c-9f4f-7847f01fc64f", "COM+ REGDB Writer", "VSS"},
    {"be000cbe-11fe-4426-9c58-531aa6355fc4", "ASR Writer", "VSS"},
    {"4dc3bdd4-ab48-4d07-adb0-3bee2926fd7f", "Shadow Copy Optimization Writer", "VSS"},
    {"75dfb225-e2e4-4d39-9ac9-ffaff65ddf06", "VSS Metadata Store Writer", "VSS"},
    {"a6ad56c2-b509-4e6c-bb19-49d8f43532f0", "WMI Writer", "Winmgmt"},
    {"d61d61c8-d73a-4eee-8cdd-f6f9786b7124", "Task Scheduler Writer", "Schedule"},
    {"0bada1de-01a9-4625-8278-69e735f39dd2", "Performance Counters Writer", ""},
    {"cd3f2362-8bef-46c7-9181-d62844cdc0b2", "MSSearch Service Writer", "WSearch"},
    {"4969d978-be47-48b0-b100-f328f07ac1e0", "BITS Writer", "BITS"},
    {"2a40fd15-dfca-4aa8-a654-1f8c654603f6", "IIS Config Writer", "AppHostSvc"},
    {"59b1f0cf-90ef-465f-9609-6ca8b2938366", "IIS Metabase Writer", "IISADMIN"},
    {"be9ac81e-3619-421f-920f-4c6fea9e93ad", "Dhcp Jet Writer", "DHCPServer"},
    {"2707761b-2324-473d-88eb-eb007a359533", "DFS Replication service writer", "DFSR"},
    {"d76f5a28-3092-4589-ba48-2958fb88ce29", "FRS Writer", "NtFrs"},
    {"6f5b15b5-da24-4d88-b737-63063e3a1f86", "Certificate Authority", "CertSvc"},
    {"41e12264-35d8-479b-8e5c-9b23d1dad37e", "Cluster Database", "ClusSvc"},
    {"7e47b561-971a-46e6-96b9-696eeaa53b2a", "MSMQ Writer (MSMQ)", "MSMQ"},
    {"5382579c-98df-47a7-ac6c-98a6d7106e09", "TermServLicensing", "TermServLicensing"},
};

const char *writer_known_class(const char *name)
{
    for (size_t i = 0; i < sizeof known_writers / sizeof known_writers[0]; i++) {
        if (text_equal(known_writers[i].name, name))
            return known_writers[i].class_id;
    }
    return NULL;
}

const char *writer_host_service(const char *class_id)
{
    for (size_t i = 0; i < sizeof known_writers / sizeof known_writers[0]; i++) {
        if (text_equal(known_writers[i].class_id, class_id))
            return known_writers[i].service;
    }
    return "";
}

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
    writer->host_service = text_constant(writer_host_service(writer->writer_id));
    char scratch[11];
    writer->hresult_name = arena_strdup(arena, vss_code_name(writer->hresult, scratch));
    writer->advice = writer->failed ? make_advice(arena, writer) : text_constant("");
    return writer->hresult_name != NULL && writer->advice != NULL ? writer : NULL;
}

PB(Status) * writers_failure(struct broker *broker, PB(WriterStatus) *const *failed, size_t count,
                             const char *method, PB(Phase) phase)
{
    struct arena *arena = &broker->arena;
    const PB(WriterStatus) *first = failed[0];
    uint32_t state = first->state > 0 ? (uint32_t)first->state - 1 : 0;
    const struct vss_code *code = vss_code_find(first->hresult);
    bool has_code = code != NULL && code->hresult != 0;
    PB(Status) *status = status_make(arena, has_code ? code->code : PB_CODE(ABORTED), "WRITER_FAILED",
                                     "writer %s is in state %s (%s)%s", first->name, writer_state_name(state),
                                     first->hresult_name[0] != '\0' ? first->hresult_name : "no code",
                                     count > 1 ? ", and others failed too" : "");
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
