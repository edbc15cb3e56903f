/* The requester as a process, on the simulator: what each call answers. */
#include "cmocka_all.h"
#include "requester_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/requester/com.h"

enum {
    CREATE = PB_METHOD(CREATE_OBJECT),
    RELEASE = PB_METHOD(RELEASE_OBJECT),
    INITIALIZE = PB_METHOD(INITIALIZE_FOR_BACKUP),
    STATE = PB_METHOD(SET_BACKUP_STATE),
    GATHER = PB_METHOD(GATHER_WRITER_METADATA),
    START = PB_METHOD(START_SNAPSHOT_SET),
    PREPARE = PB_METHOD(PREPARE_FOR_BACKUP),
    DO_SET = PB_METHOD(DO_SNAPSHOT_SET),
    STATUS = PB_METHOD(GATHER_WRITER_STATUS),
    FREE_STATUS = PB_METHOD(FREE_WRITER_STATUS),
    COMPLETE = PB_METHOD(BACKUP_COMPLETE),
    ABORT_IT = PB_METHOD(ABORT_BACKUP)
};

static void call_all(struct service *service, const int *methods)
{
    for (; *methods != 0; methods++) {
        service_good(service, (PB(Call__MethodCase)) * methods);
    }
}

#define CALL_ALL(service, ...) call_all(service, (const int[]){__VA_ARGS__, 0})

static PB(CallReply) * set_context(struct service *service, uint32_t context)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(SetContext) in = SHADOWPIPE__V1__SET_CONTEXT__INIT;
    in.context = context;
    call.method_case = PB_METHOD(SET_CONTEXT);
    call.set_context = &in;
    return service_call(service, &call);
}

static void says_who_it_is(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_start(&service);
    PB(Envelope) *envelope = service_receive(&service);
    assert_non_null(envelope);
    assert_int_equal(envelope->body_case, PB_BODY(REQUESTER_HELLO));
    assert_int_equal(envelope->id, 1);
    const PB(RequesterHello) *hello = envelope->requester_hello;
    assert_int_equal(hello->secret.len, HANDOFF_SECRET_BYTES);
    assert_memory_equal(hello->secret.data, service.arguments.secret, HANDOFF_SECRET_BYTES);
    assert_int_equal(hello->process_id, service.process_id);
    assert_hresult(hello->ready_hresult, S_OK);
    assert_string_equal(hello->ready_method, "");
    assert_true(hello->simulated);
    assert_int_equal(hello->session_phase, PB_VALUE(SESSION_PHASE, SESSION_PHASE_UNSPECIFIED));
    service_welcome(&service);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

/* ---- A whole backup. ---- */

static void check_writers(struct service *service, unsigned expected_state)
{
    PB(CallReply) *reply = service_simple(service, PB_METHOD(GET_WRITER_STATUS_COUNT));
    uint32_t count = reply->get_writer_status_count->count;
    assert_int_equal(count, 10);
    for (uint32_t i = 0; i < count; i++) {
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        PB(GetWriterStatusEx) in = SHADOWPIPE__V1__GET_WRITER_STATUS_EX__INIT;
        in.index = i;
        call.method_case = PB_METHOD(GET_WRITER_STATUS_EX);
        call.get_writer_status_ex = &in;
        reply = service_call(service, &call);
        assert_hresult(reply->hresult, S_OK);
        assert_int_equal(reply->out_case, PB_OUT(GET_WRITER_STATUS_EX));
        const PB(WriterStatus) *writer = reply->get_writer_status_ex->writer;
        assert_int_equal(strlen(writer->writer_id), 36);
        assert_int_equal(strlen(writer->instance_id), 36);
        assert_true(strlen(writer->name) > 0);
        assert_int_equal(reply->get_writer_status_ex->state_value, expected_state);
        assert_int_equal(writer->state, expected_state + 1);
        assert_false(writer->failed);
    }
}

static void check_metadata(struct service *service)
{
    PB(CallReply) *reply = service_simple(service, PB_METHOD(GET_WRITER_METADATA_COUNT));
    uint32_t count = reply->get_writer_metadata_count->count;
    assert_int_equal(count, 10);
    bool roots = false, expanded = false;
    for (uint32_t i = 0; i < count; i++) {
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        PB(GetWriterMetadata) in = SHADOWPIPE__V1__GET_WRITER_METADATA__INIT;
        in.index = i;
        in.with_components = true;
        in.with_files = true;
        call.method_case = PB_METHOD(GET_WRITER_METADATA);
        call.get_writer_metadata = &in;
        reply = service_call(service, &call);
        assert_hresult(reply->hresult, S_OK);
        const PB(Writer) *writer = reply->get_writer_metadata->writer;
        assert_int_equal(strlen(writer->status->writer_id), 36);
        assert_int_equal(writer->status->components, writer->n_components);
        for (size_t c = 0; c < writer->n_components; c++) {
            const PB(Component) *component = writer->components[c];
            assert_true(strlen(component->name) > 0);
            for (size_t r = 0; r < component->n_roots; r++) {
                assert_null(strchr(component->roots[r], '%'));
                roots = true;
            }
            for (size_t f = 0; f < component->n_files; f++) {
                const PB(FileDescriptor) *file = component->files[f];
                assert_null(strchr(file->expanded_path, '%'));
                assert_int_equal(strchr(file->path, '%') != NULL, file->expanded_path[0] != '\0');
                expanded |= file->expanded_path[0] != '\0';
            }
        }
    }
    assert_true(roots && expanded);
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(GetWriterMetadata) past = SHADOWPIPE__V1__GET_WRITER_METADATA__INIT;
    past.index = count;
    call.method_case = PB_METHOD(GET_WRITER_METADATA);
    call.get_writer_metadata = &past;
    reply = service_call(service, &call);
    assert_hresult(reply->hresult, VSS_E_OBJECT_NOT_FOUND);
    assert_string_equal(reply->hresult_name, "VSS_E_OBJECT_NOT_FOUND");
    assert_string_equal(reply->status->method, "GetWriterMetadata");
}

static const PB(GetWriterMetadataResult) *
    describe(struct service *service, uint32_t index, uint32_t part_bytes, const uint32_t from[2])
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(GetWriterMetadata) in = SHADOWPIPE__V1__GET_WRITER_METADATA__INIT;
    in.index = index;
    in.with_components = in.with_files = true;
    in.part_bytes = part_bytes;
    in.component = from[0];
    in.file = from[1];
    call.method_case = PB_METHOD(GET_WRITER_METADATA);
    call.get_writer_metadata = &in;
    const PB(CallReply) *reply = service_call(service, &call);
    assert_hresult(reply->hresult, S_OK);
    return reply->get_writer_metadata;
}

struct totals {
    size_t components;
    size_t files[6];
    char names[1024]; /* of all components, in their order */
};

static void add_part(struct totals *totals, const PB(Writer) * writer, bool is_continued)
{
    for (size_t i = 0; i < writer->n_components; i++) {
        const PB(Component) *component = writer->components[i];
        totals->files[0] += component->n_files;
        totals->files[1] += component->n_database_files;
        totals->files[2] += component->n_log_files;
        if (is_continued && i == 0) {
            continue;
        }
        totals->components++;
        strncat(totals->names, component->name, sizeof totals->names - strlen(totals->names) - 1);
    }
    totals->files[3] += writer->n_include_files;
    totals->files[4] += writer->n_exclude_files;
    totals->files[5] += writer->restore_method != NULL ? writer->restore_method->n_alternate_locations : 0;
}

/* However small the parts, together they are the whole, and each brings something. */
static void parts_are_the_whole(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_scenario(&service, "[writer:Store]\r\ncomponent=One\r\npath=C:\\One\r\nspec=*\r\ncomponents=2\r\n"
                               "alternate_path=C:\\Other\r\n[component:Store:Base]\r\ndatabase=1\r\n"
                               "path=C:\\Two\r\nspec=*.mdb\r\nlog_path=C:\\Logs\r\n");
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE, STATE, GATHER);
    uint32_t count =
        service_simple(&service, PB_METHOD(GET_WRITER_METADATA_COUNT))->get_writer_metadata_count->count;
    size_t files = 0;
    for (uint32_t index = 0; index < count; index++) {
        struct totals whole = {0};
        add_part(&whole, describe(&service, index, 0, (const uint32_t[2]){0, 0})->writer, false);
        struct totals parts = {0};
        uint32_t from[2] = {0, 0};
        for (bool more = true; more;) {
            const PB(GetWriterMetadataResult) *part = describe(&service, index, 1, from);
            add_part(&parts, part->writer, from[1] > 0);
            more = part->more;
            if (more) {
                assert_true(part->next_component > from[0] ||
                            (part->next_component == from[0] && part->next_file > from[1]));
                from[0] = part->next_component;
                from[1] = part->next_file;
            }
        }
        assert_int_equal(parts.components, whole.components);
        assert_string_equal(parts.names, whole.names);
        for (size_t i = 0; i < 6; i++) {
            assert_int_equal(parts.files[i], whole.files[i]);
            files += whole.files[i] > 0;
        }
    }
    assert_true(files > 5);
    CALL_ALL(&service, RELEASE);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

static void backs_up(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE, STATE, GATHER);
    check_metadata(&service);
    service_good(&service, PB_METHOD(FREE_WRITER_METADATA));
    PB(CallReply) *reply = service_simple(&service, PB_METHOD(START_SNAPSHOT_SET));
    assert_hresult(reply->hresult, S_OK);
    assert_int_equal(strlen(reply->start_snapshot_set->set_id), 36);
    assert_int_equal(reply->session_phase, PB_VALUE(SESSION_PHASE, SESSION_PHASE_SET_OPEN));
    reply = service_simple(&service, PB_METHOD(PREPARE_FOR_BACKUP));
    assert_hresult(reply->hresult, S_OK);
    assert_hresult(reply->async_hresult, VSS_S_ASYNC_FINISHED);
    assert_string_equal(reply->async_hresult_name, "VSS_S_ASYNC_FINISHED");
    assert_null(reply->status);
    service_good(&service, PB_METHOD(GATHER_WRITER_STATUS));
    check_writers(&service, VSS_WS_STABLE);
    CALL_ALL(&service, FREE_STATUS, DO_SET, STATUS);
    check_writers(&service, VSS_WS_WAITING_FOR_BACKUP_COMPLETE);
    CALL_ALL(&service, FREE_STATUS, COMPLETE, STATUS);
    check_writers(&service, VSS_WS_STABLE);
    CALL_ALL(&service, FREE_STATUS);
    reply = service_simple(&service, PB_METHOD(RELEASE_OBJECT));
    assert_hresult(reply->hresult, S_OK);
    assert_int_equal(reply->session_phase, PB_VALUE(SESSION_PHASE, SESSION_PHASE_UNSPECIFIED));
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    assert_int_equal(service_logged(&service, "AbortBackup"), 0);
    assert_int_equal(service_logged(&service, "object\treleased"), 1);
    service_end(&service);
}

/* ---- PrepareForBackup. ---- */

struct refusal {
    int before[8];
    uint32_t context;
    const char *missing; /* what the answer has to begin with */
};

static void prepare_says_which_call_is_missing(void **state)
{
    (void)state;
    static const struct refusal refusals[] = {
        {{0}, 0, "CreateObject"},
        {{CREATE}, 0, "InitializeForBackup"},
        {{CREATE, INITIALIZE}, 0, "SetBackupState"},
        {{CREATE, INITIALIZE, GATHER, START}, 0, "SetBackupState"},
        {{CREATE, INITIALIZE, STATE}, 0, "GatherWriterMetadata"},
        {{CREATE, INITIALIZE, STATE, START}, 0, "GatherWriterMetadata"},
        {{CREATE, INITIALIZE, STATE, GATHER}, 0, "StartSnapshotSet"},
        {{CREATE, INITIALIZE, STATE, GATHER, START, PREPARE},
         0,
         "a new session: PrepareForBackup was called"},
        {{CREATE, INITIALIZE, STATE, GATHER, START, ABORT_IT}, 0, "a new session: AbortBackup has ended"},
        {{CREATE, INITIALIZE, STATE, GATHER, START}, VSS_CTX_FILE_SHARE_BACKUP, "a context with writers"},
    };
    struct service service;
    service_init(&service);
    service_start_welcomed(&service);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *refusal = &refusals[i];
        for (const int *method = refusal->before; *method != 0; method++) {
            service_good(&service, (PB(Call__MethodCase)) * method);
            if (*method == INITIALIZE && refusal->context != 0) {
                assert_hresult(set_context(&service, refusal->context)->hresult, S_OK);
            }
        }
        PB(CallReply) *reply = service_simple(&service, PB_METHOD(PREPARE_FOR_BACKUP));
        assert_hresult(reply->hresult, VSS_E_BAD_STATE);
        assert_string_equal(reply->hresult_name, "VSS_E_BAD_STATE");
        assert_hresult(reply->async_hresult, 0);
        if (strncmp(reply->missing_prerequisite, refusal->missing, strlen(refusal->missing)) != 0) {
            fail_msg("%s: \"%s\"", refusal->missing, reply->missing_prerequisite);
        }
        assert_non_null(reply->status);
        assert_string_equal(reply->status->missing_prerequisite, reply->missing_prerequisite);
        assert_string_equal(reply->status->method, "PrepareForBackup");
        if (refusal->before[0] != 0) {
            service_good(&service, PB_METHOD(RELEASE_OBJECT));
        }
    }
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    /* The call was made each time there was an object to make it on. */
    assert_int_equal(service_logged(&service, "PrepareForBackup\thr=0x80042301"), 9);
    service_end(&service);
}

/* E_INVALIDARG has one cause, a NULL out pointer, which this caller cannot have: it needs a fault. */
static void prepare_hands_on_each_code_unchanged(void **state)
{
    (void)state;
    static const struct {
        const char *scenario;
        HRESULT hresult;
        const char *name;
    } codes[] = {
        {"[method:PrepareForBackup]\r\nresult=0x80070057\r\n", E_INVALIDARG, "E_INVALIDARG"},
        {"[method:PrepareForBackup]\r\nresult=0x8007000E\r\n", E_OUTOFMEMORY, "E_OUTOFMEMORY"},
        {"[method:PrepareForBackup]\r\nresult=0x80042301\r\n", VSS_E_BAD_STATE, "VSS_E_BAD_STATE"},
        {"[method:PrepareForBackup]\r\nresult=0x80042302\r\n", VSS_E_UNEXPECTED, "VSS_E_UNEXPECTED"},
        {"[method:PrepareForBackup]\r\nresult=0x8000FFFF\r\n", E_UNEXPECTED, "E_UNEXPECTED"},
    };
    struct service service;
    service_init(&service);
    service_start_welcomed(&service);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        service_scenario(&service, codes[i].scenario);
        CALL_ALL(&service, CREATE, INITIALIZE, STATE, GATHER, START);
        PB(CallReply) *reply = service_simple(&service, PB_METHOD(PREPARE_FOR_BACKUP));
        assert_hresult(reply->hresult, codes[i].hresult);
        assert_string_equal(reply->hresult_name, codes[i].name);
        assert_string_equal(reply->missing_prerequisite, "");
        assert_hresult(reply->status->hresult, codes[i].hresult);
        CALL_ALL(&service, ABORT_IT, RELEASE);
    }
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

/* ---- Asynchronous failures. ---- */

static void a_failure_through_query_status(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_scenario(&service, "[method:DoSnapshotSet]\r\nasync_result=0x8004231F\r\n");
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE, STATE, GATHER, START, PREPARE);
    PB(CallReply) *reply = service_simple(&service, PB_METHOD(DO_SNAPSHOT_SET));
    assert_hresult(reply->hresult, S_OK);
    assert_hresult(reply->async_hresult, VSS_E_INSUFFICIENT_STORAGE);
    assert_hresult(reply->wait_hresult, 0);
    assert_string_equal(reply->status->hresult_name, "VSS_E_INSUFFICIENT_STORAGE");
    assert_string_equal(reply->status->method, "DoSnapshotSet");
    reply = service_simple(&service, PB_METHOD(BACKUP_COMPLETE));
    assert_hresult(reply->hresult, VSS_E_BAD_STATE);
    assert_non_null(strstr(reply->missing_prerequisite, "DoSnapshotSet failed"));
    CALL_ALL(&service, ABORT_IT, RELEASE);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

static void the_other_form_of_a_failed_wait(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_scenario(&service, "[machine]\r\nwait_returns_error=1\r\n"
                               "[method:DoSnapshotSet]\r\nasync_result=0x8004231F\r\n");
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE, STATE, GATHER, START, PREPARE);
    PB(CallReply) *reply = service_simple(&service, PB_METHOD(DO_SNAPSHOT_SET));
    assert_hresult(reply->wait_hresult, VSS_E_INSUFFICIENT_STORAGE);
    assert_hresult(reply->async_hresult, VSS_E_INSUFFICIENT_STORAGE);
    assert_non_null(reply->status);
    CALL_ALL(&service, ABORT_IT, RELEASE);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

/* A veto leaves the operation FINISHED: only the writer's status tells. */
static void a_veto_shows_in_the_status_only(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_scenario(&service, "[writer:Registry Writer]\r\nfail_at=prepare\r\nfailure=0x800423F3\r\n");
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE, STATE, GATHER, START, PREPARE, STATUS);
    unsigned failed = 0;
    for (uint32_t i = 0; i < 10; i++) {
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        PB(GetWriterStatus) in = SHADOWPIPE__V1__GET_WRITER_STATUS__INIT;
        in.index = i;
        call.method_case = PB_METHOD(GET_WRITER_STATUS);
        call.get_writer_status = &in;
        const PB(WriterStatus) *writer = service_call(&service, &call)->get_writer_status->writer;
        if (writer->failed) {
            failed++;
            assert_string_equal(writer->name, "Registry Writer");
            assert_int_equal(writer->state, PB_VALUE(WRITER_STATE, WRITER_STATE_FAILED_AT_PREPARE_BACKUP));
            assert_hresult(writer->hresult, VSS_E_WRITERERROR_RETRYABLE);
            assert_string_equal(writer->hresult_name, "VSS_E_WRITERERROR_RETRYABLE");
        }
    }
    assert_int_equal(failed, 1);
    CALL_ALL(&service, ABORT_IT, RELEASE);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

/* ---- Cancelling. ---- */

static void send_cancel(struct service *service, uint32_t target, uint32_t *id)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Cancel) cancel = SHADOWPIPE__V1__CANCEL__INIT;
    cancel.id = target;
    *id = envelope.id = ++service->last_id;
    envelope.body_case = PB_BODY(CANCEL);
    envelope.cancel = &cancel;
    service_send(service, &envelope);
}

static uint32_t begin_simple(struct service *service, PB(Call__MethodCase) method, uint32_t wait_ms)
{
    PB(Call) call;
    service_method(&call, method);
    call.wait_ms = wait_ms;
    uint32_t id = service_begin(service, &call);
    free(call.prepare_for_backup);
    return id;
}

static void cancel_reaches_a_running_call(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_scenario(&service, "[writer:System Writer]\r\nhang_at=identify\r\nhang=cancel\r\n");
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE, STATE);
    uint32_t gather = begin_simple(&service, PB_METHOD(GATHER_WRITER_METADATA), 0);
    uint32_t queued = begin_simple(&service, PB_METHOD(GET_WRITER_METADATA_COUNT), 0);
    service_await_log(&service, "hangs\tSystem Writer");
    uint32_t first;
    uint32_t second;
    uint32_t unknown;
    send_cancel(&service, queued, &second);
    PB(Envelope) *envelope = service_receive(&service);
    assert_int_equal(envelope->body_case, PB_BODY(CANCEL_REPLY));
    assert_int_equal(envelope->id, second);
    assert_true(envelope->cancel_reply->found);
    send_cancel(&service, gather, &first);
    envelope = service_receive(&service);
    assert_int_equal(envelope->id, first);
    assert_true(envelope->cancel_reply->found);
    PB(CallReply) *reply = service_receive_reply(&service, gather);
    assert_hresult(reply->hresult, S_OK);
    assert_hresult(reply->async_hresult, VSS_S_ASYNC_CANCELLED);
    assert_int_equal(reply->status->code, PB_CODE(CANCELLED));
    reply = service_receive_reply(&service, queued);
    assert_hresult(reply->hresult, E_ABORT);
    assert_int_equal(reply->status->code, PB_CODE(CANCELLED));
    send_cancel(&service, gather, &unknown);
    envelope = service_receive(&service);
    assert_false(envelope->cancel_reply->found);
    CALL_ALL(&service, RELEASE);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

static void the_limit_of_time_cancels(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_scenario(&service, "[writer:System Writer]\r\nhang_at=freeze\r\nhang=cancel\r\n");
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE, STATE, GATHER, START, PREPARE);
    PB(CallReply) *reply =
        service_receive_reply(&service, begin_simple(&service, PB_METHOD(DO_SNAPSHOT_SET), 200));
    assert_hresult(reply->async_hresult, VSS_S_ASYNC_CANCELLED);
    assert_int_equal(reply->status->code, PB_CODE(DEADLINE_EXCEEDED));
    assert_string_equal(reply->status->reason, "CALL_TIMEOUT");
    CALL_ALL(&service, ABORT_IT, RELEASE);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

static void what_does_not_end_is_answered_as_pending(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service.limits.cancel_grace_ms = 200;
    service_scenario(&service, "[writer:System Writer]\r\nhang_at=identify\r\nhang=forever\r\n");
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE, STATE);
    PB(CallReply) *reply =
        service_receive_reply(&service, begin_simple(&service, PB_METHOD(GATHER_WRITER_METADATA), 100));
    assert_hresult(reply->async_hresult, VSS_S_ASYNC_PENDING);
    assert_int_equal(reply->status->code, PB_CODE(DEADLINE_EXCEEDED));
    reply = service_simple(&service, PB_METHOD(GET_WRITER_METADATA_COUNT));
    assert_hresult(reply->hresult, VSS_E_BAD_STATE);
    assert_string_equal(reply->missing_prerequisite, "the end of GatherWriterMetadata");
    assert_true(TerminateProcess(service.process, 77));
    service_exit_code(&service);
    service_end(&service);
}

static void abort_cancels_what_runs(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_scenario(&service, "[writer:System Writer]\r\nhang_at=freeze\r\nhang=cancel\r\n");
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE, STATE, GATHER, START, PREPARE);
    uint32_t creation = begin_simple(&service, PB_METHOD(DO_SNAPSHOT_SET), 0);
    service_await_log(&service, "hangs\tSystem Writer");
    uint32_t end = begin_simple(&service, PB_METHOD(ABORT_BACKUP), 0);
    PB(CallReply) *reply = service_receive_reply(&service, creation);
    assert_hresult(reply->async_hresult, VSS_S_ASYNC_CANCELLED);
    reply = service_receive_reply(&service, end);
    assert_hresult(reply->hresult, S_OK);
    assert_int_equal(reply->session_phase, PB_VALUE(SESSION_PHASE, SESSION_PHASE_ABORTED));
    CALL_ALL(&service, RELEASE);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

/* ---- Many writers. ---- */

static void many_writers_are_read_one_by_one(void **state)
{
    (void)state;
    enum {
        EXTRA = 200
    };
    static char scenario[EXTRA * 300];
    struct service service;
    size_t used = 0;
    for (unsigned i = 0; i < EXTRA; i++) {
        used +=
            (size_t)snprintf(scenario + used, sizeof scenario - used,
                             "[writer:Extra %u]\r\nclass={7a5c0000-0000-4000-8000-%012u}\r\n"
                             "component=Data %u\r\nlogical_path=some\\path\r\npath=%%ProgramData%%\\x%u\r\n",
                             i, i + 1, i, i);
    }
    service_init(&service);
    service_scenario(&service, scenario);
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE, STATE, GATHER);
    uint32_t count =
        service_simple(&service, PB_METHOD(GET_WRITER_METADATA_COUNT))->get_writer_metadata_count->count;
    assert_int_equal(count, 10 + EXTRA);
    unsigned extra = 0;
    for (uint32_t i = 0; i < count; i++) {
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        PB(GetWriterMetadataEx) in = SHADOWPIPE__V1__GET_WRITER_METADATA_EX__INIT;
        in.index = i;
        in.with_components = true;
        call.method_case = PB_METHOD(GET_WRITER_METADATA_EX);
        call.get_writer_metadata_ex = &in;
        PB(CallReply) *reply = service_call(&service, &call);
        assert_int_equal(reply->hresult, S_OK);
        const PB(Writer) *writer = reply->get_writer_metadata_ex->writer;
        if (strncmp(writer->status->name, "Extra ", 6) == 0) {
            extra++;
            assert_int_equal(writer->n_components, 1);
            assert_string_equal(writer->components[0]->logical_path, "some\\path");
            assert_int_equal(writer->components[0]->n_roots, 1);
            assert_null(strchr(writer->components[0]->roots[0], '%'));
            assert_int_equal(writer->components[0]->n_files, 0); /* not asked for */
        }
    }
    assert_int_equal(extra, EXTRA);
    CALL_ALL(&service, RELEASE);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

/* ---- Queries and refusals. ---- */

static void providers_and_volumes_are_asked(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE);
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(Query) query = SHADOWPIPE__V1__QUERY__INIT;
    query.object_type = VSS_OBJECT_PROVIDER;
    call.method_case = PB_METHOD(QUERY);
    call.query = &query;
    PB(CallReply) *reply = service_call(&service, &call);
    assert_hresult(reply->hresult, S_OK);
    assert_int_equal(reply->query->n_providers, 1);
    assert_string_equal(reply->query->providers[0]->provider_id, "b5946137-7b9f-4925-af80-51abd60b20d5");
    assert_int_equal(reply->query->providers[0]->type, PB_VALUE(PROVIDER_TYPE, PROVIDER_TYPE_SYSTEM));
    PB(IsVolumeSupported) volume = SHADOWPIPE__V1__IS_VOLUME_SUPPORTED__INIT;
    volume.volume = "C:\\";
    call.method_case = PB_METHOD(IS_VOLUME_SUPPORTED);
    call.is_volume_supported = &volume;
    reply = service_call(&service, &call);
    assert_hresult(reply->hresult, S_OK);
    assert_true(reply->is_volume_supported->supported);
    volume.volume = "C:";
    reply = service_call(&service, &call);
    assert_hresult(reply->hresult, VSS_E_OBJECT_NOT_FOUND);
    volume.provider_id = "not a guid";
    reply = service_call(&service, &call);
    assert_hresult(reply->hresult, E_INVALIDARG);
    assert_string_equal(reply->status->reason, "INVALID_ARGUMENT");
    assert_string_equal(reply->status->field, "is_volume_supported.provider_id");
    CALL_ALL(&service, RELEASE);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    assert_int_equal(service_logged(&service, "IsVolumeSupported"), 2);
    service_end(&service);
}

static void what_is_not_there_yet_says_so(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_start_welcomed(&service);
    CALL_ALL(&service, CREATE, INITIALIZE);
    PB(CallReply) *reply = service_simple(&service, PB_METHOD(PRE_FAST_RECOVERY));
    assert_hresult(reply->hresult, E_NOTIMPL);
    assert_int_equal(reply->status->code, PB_CODE(UNIMPLEMENTED));
    assert_string_equal(reply->status->method, "PreFastRecovery");
    assert_non_null(strstr(reply->status->message, "reserved"));
    PB(Ping) ping = SHADOWPIPE__V1__PING__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.id = ++service.last_id;
    envelope.body_case = PB_BODY(PING);
    envelope.ping = &ping;
    service_send(&service, &envelope);
    PB(Envelope) *answer = service_receive(&service);
    assert_int_equal(answer->body_case, PB_BODY(STATUS));
    assert_int_equal(answer->id, service.last_id);
    assert_int_equal(answer->status->code, PB_CODE(UNIMPLEMENTED));
    /* Envelope{id 99, field 500 (unknown) = ""}: refused, and the connection stays. */
    service_send_bytes(&service, "\0\0\0\x05\x08\x63\xA2\x1F\0", 9);
    answer = service_receive(&service);
    assert_int_equal(answer->id, 99);
    assert_int_equal(answer->status->code, PB_CODE(INVALID_ARGUMENT));
    reply = service_simple(&service, PB_METHOD(CREATE_OBJECT));
    assert_hresult(reply->hresult, VSS_E_BAD_STATE);
    assert_string_equal(reply->status->reason, "OBJECT_EXISTS");
    CALL_ALL(&service, RELEASE);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

int main(int count, char **arguments)
{
    service_run_as_requester(count, arguments);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_who_it_is),
        cmocka_unit_test(backs_up),
        cmocka_unit_test(parts_are_the_whole),
        cmocka_unit_test(prepare_says_which_call_is_missing),
        cmocka_unit_test(prepare_hands_on_each_code_unchanged),
        cmocka_unit_test(a_failure_through_query_status),
        cmocka_unit_test(the_other_form_of_a_failed_wait),
        cmocka_unit_test(a_veto_shows_in_the_status_only),
        cmocka_unit_test(cancel_reaches_a_running_call),
        cmocka_unit_test(the_limit_of_time_cancels),
        cmocka_unit_test(what_does_not_end_is_answered_as_pending),
        cmocka_unit_test(abort_cancels_what_runs),
        cmocka_unit_test(many_writers_are_read_one_by_one),
        cmocka_unit_test(providers_and_volumes_are_asked),
        cmocka_unit_test(what_is_not_there_yet_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
