/* What a requester does when its pipe breaks, when VSS cannot be had, and when the service is none. */
#include "cmocka_all.h"
#include "requester_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "service/requester/com.h"

enum {
    CREATE = PB_METHOD(CREATE_OBJECT),
    INITIALIZE = PB_METHOD(INITIALIZE_FOR_BACKUP),
    STATE = PB_METHOD(SET_BACKUP_STATE),
    GATHER = PB_METHOD(GATHER_WRITER_METADATA),
    START = PB_METHOD(START_SNAPSHOT_SET),
    PREPARE = PB_METHOD(PREPARE_FOR_BACKUP),
    DO_SET = PB_METHOD(DO_SNAPSHOT_SET),
    COMPLETE = PB_METHOD(BACKUP_COMPLETE)
};

static const int whole_backup[] = {CREATE, INITIALIZE, STATE, GATHER, START, PREPARE, DO_SET, COMPLETE};

static void call_first(struct service *service, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        service_good(service, (PB(Call__MethodCase))whole_backup[i]);
    }
}

static void begin(struct service *service, PB(Call__MethodCase) method)
{
    PB(Call) call;
    service_method(&call, method);
    service_begin(service, &call);
    free(call.prepare_for_backup);
}

/* ---- A broken pipe, at each phase. ---- */

static void cleans_up_in_each_phase(void **state)
{
    (void)state;
    static const struct {
        size_t calls;
        DWORD exit_code;
        unsigned aborts;
    } phases[] = {
        {1, REQUESTER_EXIT_CLEANED_UP, 0},   /* an object */
        {2, REQUESTER_EXIT_CLEANED_UP, 0},   /* initialized */
        {4, REQUESTER_EXIT_CLEANED_UP, 0},   /* gathered: an Abort would only disturb others */
        {5, REQUESTER_EXIT_CLEANED_UP, 1},   /* the set is open */
        {6, REQUESTER_EXIT_CLEANED_UP, 1},   /* prepared */
        {7, REQUESTER_EXIT_ORPHAN_ENDED, 0}, /* the snapshots exist, and nobody wants them */
        {8, REQUESTER_EXIT_ORPHAN_ENDED, 0}, /* completed */
    };
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        struct service service;
        service_init(&service);
        service.arguments.orphan_grace_ms = 100;
        service_start_welcomed(&service);
        call_first(&service, phases[i].calls);
        assert_int_equal(service_exit_code(&service), phases[i].exit_code);
        assert_int_equal(service_logged(&service, "AbortBackup\thr=0x00000000"), phases[i].aborts);
        assert_int_equal(service_logged(&service, "object\treleased"), 1);
        service_end(&service);
    }
}

/* What runs is cancelled, then aborted. */
static void cleans_up_after_a_running_call(void **state)
{
    (void)state;
    static const struct {
        size_t calls;
        PB(Call__MethodCase) running;
        const char *phase;
        unsigned aborts;
    } cases[] = {
        {3, PB_METHOD(GATHER_WRITER_METADATA), "identify", 0},
        {5, PB_METHOD(PREPARE_FOR_BACKUP), "prepare", 1},
        {6, PB_METHOD(DO_SNAPSHOT_SET), "freeze", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char scenario[120];
        struct service service;
        snprintf(scenario, sizeof scenario, "[writer:System Writer]\r\nhang_at=%s\r\nhang=cancel\r\n",
                 cases[i].phase);
        service_init(&service);
        service_scenario(&service, scenario);
        service_start_welcomed(&service);
        call_first(&service, cases[i].calls);
        begin(&service, cases[i].running);
        begin(&service, PB_METHOD(GET_WRITER_METADATA_COUNT)); /* queued behind it, and dropped */
        service_await_log(&service, "hangs\tSystem Writer");
        assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_CLEANED_UP);
        assert_int_equal(service_logged(&service, "AbortBackup\thr=0x00000000"), cases[i].aborts);
        assert_int_equal(service_logged(&service, "GetWriterMetadataCount"), 0);
        assert_int_equal(service_logged(&service, "object\treleased"), 1);
        service_end(&service);
    }
}

static void no_second_abort_after_the_first(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_start_welcomed(&service);
    call_first(&service, 6);
    service_good(&service, PB_METHOD(ABORT_BACKUP));
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_CLEANED_UP);
    assert_int_equal(service_logged(&service, "AbortBackup"), 1);
    service_end(&service);
}

static void a_failed_abort_is_told(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_scenario(&service, "[method:AbortBackup]\r\nresult=0x80042302\r\n");
    service_start_welcomed(&service);
    call_first(&service, 5);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_ABORT_FAILED);
    assert_int_equal(service_logged(&service, "object\treleased"), 1);
    service_end(&service);
}

/* ---- Once the snapshots exist. ---- */

static void is_adopted(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_start_welcomed(&service);
    call_first(&service, 7);
    service_break(&service);
    service_listen(&service);
    PB(Envelope) *envelope = service_receive(&service);
    assert_non_null(envelope);
    assert_int_equal(envelope->body_case, PB_BODY(REQUESTER_HELLO));
    const PB(RequesterHello) *hello = envelope->requester_hello;
    assert_memory_equal(hello->secret.data, service.arguments.secret, HANDOFF_SECRET_BYTES);
    assert_int_equal(hello->session_phase, PB_VALUE(SESSION_PHASE, SESSION_PHASE_CREATED));
    assert_int_equal(strlen(hello->set_id), 36);
    service_welcome(&service);
    service_good(&service, PB_METHOD(BACKUP_COMPLETE));
    service_good(&service, PB_METHOD(RELEASE_OBJECT));
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    assert_int_equal(service_logged(&service, "AbortBackup"), 0);
    service_end(&service);
}

static const PB(RequesterHello) * await_hello(struct service *service)
{
    service_listen(service);
    PB(Envelope) *envelope = service_receive(service);
    assert_non_null(envelope);
    assert_int_equal(envelope->body_case, PB_BODY(REQUESTER_HELLO));
    return envelope->requester_hello;
}

/* Every service may crash, also one that has adopted it. */
static void is_adopted_again_and_again(void **state)
{
    (void)state;
    struct service service;
    char set_id[37];
    service_init(&service);
    service_start_welcomed(&service);
    call_first(&service, 7);
    for (int i = 0; i < 3; i++) {
        service_break(&service);
        const PB(RequesterHello) *hello = await_hello(&service);
        assert_int_equal(hello->session_phase, PB_VALUE(SESSION_PHASE, SESSION_PHASE_CREATED));
        assert_int_equal(strlen(hello->set_id), 36);
        if (i == 0) {
            strcpy(set_id, hello->set_id);
        }
        assert_string_equal(hello->set_id, set_id);
        service_welcome(&service);
        service_good(&service, PB_METHOD(GATHER_WRITER_STATUS)); /* it works for the new one */
    }
    service_good(&service, PB_METHOD(BACKUP_COMPLETE));
    service_good(&service, PB_METHOD(RELEASE_OBJECT));
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    assert_int_equal(service_logged(&service, "DoSnapshotSet\thr=0x00000000"), 1);
    assert_int_equal(service_logged(&service, "AbortBackup"), 0);
    service_end(&service);
}

/* Each service says anew how long it is to be waited for. */
static void the_last_service_says_how_long_it_holds(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service.arguments.orphan_grace_ms = 60 * 60 * 1000;
    service_start_welcomed(&service);
    call_first(&service, 7);
    service_break(&service);
    await_hello(&service);
    service.arguments.orphan_grace_ms = 100;
    service_welcome(&service);
    service_good(&service, PB_METHOD(GATHER_WRITER_STATUS));
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_ORPHAN_ENDED);
    assert_int_equal(service_logged(&service, "object\treleased"), 1);
    service_end(&service);
}

static void holds_nothing_where_there_is_no_grace(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service.arguments.orphan_grace_ms = 0;
    service_start_welcomed(&service);
    call_first(&service, 7);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_ORPHAN_ENDED);
    assert_int_equal(service_logged(&service, "object\treleased"), 1);
    service_end(&service);
}

/* A service that knows nothing of it says so: then there is nothing to hold the snapshots for, and the grace
 * is not waited for. */
static void releases_when_it_is_refused(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service.arguments.orphan_grace_ms = 60 * 60 * 1000;
    service_start_welcomed(&service);
    call_first(&service, 7);
    service_break(&service);
    service_listen(&service);
    assert_non_null(service_receive(&service));
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    PB(Envelope) refusal = SHADOWPIPE__V1__ENVELOPE__INIT;
    refusal.body_case = PB_BODY(STATUS);
    refusal.status = &status;
    service_send(&service, &refusal);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_ORPHAN_ENDED);
    assert_int_equal(service_logged(&service, "object\treleased"), 1);
    assert_int_equal(service_logged(&service, "BackupComplete"), 0);
    assert_int_equal(service_logged(&service, "AbortBackup"), 0); /* it would reach the writers of others */
    service_end(&service);
}

/* A service that ends while a requester dials in has refused nothing: the next one is dialled in to, within
 * the same grace. */
static void a_service_that_ends_before_its_welcome(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_start_welcomed(&service);
    call_first(&service, 7);
    for (int i = 0; i < 3; i++) {
        service_break(&service);
        service_listen(&service);
        const PB(Envelope) *hello = service_receive(&service);
        assert_non_null(hello);
        assert_int_equal(hello->requester_hello->session_phase,
                         PB_VALUE(SESSION_PHASE, SESSION_PHASE_CREATED));
    }
    assert_int_equal(service_logged(&service, "object\treleased"), 0);
    service_welcome(&service);
    service_good(&service, PB_METHOD(BACKUP_COMPLETE));
    service_good(&service, PB_METHOD(RELEASE_OBJECT));
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

static void the_grace_is_no_longer_for_that(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service.arguments.orphan_grace_ms = 1500;
    service_start_welcomed(&service);
    call_first(&service, 7);
    service_break(&service);
    service_listen(&service);
    assert_non_null(service_receive(&service));
    service_break(&service); /* and nobody comes any more */
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_ORPHAN_ENDED);
    assert_int_equal(service_logged(&service, "object\treleased"), 1);
    service_end(&service);
}

/* BackupComplete is not cut short: its end is what the backup was for. */
static void completes_before_it_dials_in_again(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_scenario(&service, "[timing]\r\ncomplete=300\r\n");
    service_start_welcomed(&service);
    call_first(&service, 7);
    begin(&service, PB_METHOD(BACKUP_COMPLETE));
    service_await_log(&service, "call\tBackupComplete");
    service_break(&service);
    service_listen(&service);
    PB(Envelope) *envelope = service_receive(&service);
    assert_int_equal(envelope->requester_hello->session_phase,
                     PB_VALUE(SESSION_PHASE, SESSION_PHASE_COMPLETED));
    service_welcome(&service);
    service_good(&service, PB_METHOD(RELEASE_OBJECT));
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

/* ---- The watchdog. ---- */

static void the_watchdog_ends_a_duty_that_hangs(void **state)
{
    (void)state;
    static const struct {
        const char *scenario;
        size_t calls;
    } hangs[] = {
        {"[method:AbortBackup]\r\ndelay=600000\r\n", 5},
        {"[timing]\r\nrelease=600000\r\n", 4},
    };
    for (size_t i = 0; i < sizeof hangs / sizeof *hangs; i++) {
        struct service service;
        service_init(&service);
        service.limits.abort_ms = 200;
        service.limits.release_ms = 200;
        service_scenario(&service, hangs[i].scenario);
        service_start_welcomed(&service);
        call_first(&service, hangs[i].calls);
        assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_WATCHDOG);
        service_end(&service);
    }
}

static void the_watchdog_ends_a_call_that_never_returns(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service.limits.finish_ms = 200;
    service_scenario(&service, "[method:StartSnapshotSet]\r\ndelay=600000\r\n");
    service_start_welcomed(&service);
    call_first(&service, 4);
    begin(&service, PB_METHOD(START_SNAPSHOT_SET));
    service_await_log(&service, "delay in StartSnapshotSet");
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_WATCHDOG);
    service_end(&service);
}

/* An operation that even Cancel does not end, and that AbortBackup waits for: only the end of the process is
 * left. */
static void a_hang_that_cannot_be_cancelled(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service.limits.cancel_grace_ms = 100;
    service.limits.release_ms = 300;
    service.limits.abort_ms = 300;
    service_scenario(&service, "[writer:System Writer]\r\nhang_at=freeze\r\nhang=forever\r\n");
    service_start_welcomed(&service);
    call_first(&service, 6);
    begin(&service, PB_METHOD(DO_SNAPSHOT_SET));
    service_await_log(&service, "hangs\tSystem Writer");
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_WATCHDOG);
    service_end(&service);
}

/* ---- Without VSS. ---- */

static void expect_not_ready(struct service *service, const char *method, const char *message)
{
    service_start(service);
    PB(Envelope) *envelope = service_receive(service);
    assert_non_null(envelope);
    const PB(RequesterHello) *hello = envelope->requester_hello;
    assert_true(FAILED((HRESULT)hello->ready_hresult));
    uint32_t hresult = hello->ready_hresult;
    assert_string_equal(hello->ready_method, method);
    if (strstr(hello->ready_message, message) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", hello->ready_message, message);
    }
    assert_false(hello->simulated);
    service_welcome(service);
    PB(CallReply) *reply = service_simple(service, PB_METHOD(CREATE_OBJECT));
    assert_hresult(reply->hresult, hresult);
    assert_string_equal(reply->status->method, method);
    reply = service_simple(service, PB_METHOD(IS_VOLUME_SNAPSHOTTED));
    assert_hresult(reply->hresult, hresult);
    assert_int_equal(service_exit_code(service), REQUESTER_EXIT_DONE);
    service_end(service);
}

static void a_missing_library_is_told(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    wcscpy(service.arguments.vss_library, L"C:\\no such folder\\vssapi.dll");
    expect_not_ready(&service, "LoadLibraryEx", "missing");
}

static void a_file_that_is_no_library_is_told(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_scenario(&service, "this is no library\r\n");
    swprintf(service.arguments.vss_library, HANDOFF_LIBRARY_CHARS, L"%ls\\scenario.ini", service.store);
    expect_not_ready(&service, "LoadLibraryEx", "cannot be loaded");
}

static void a_library_without_the_functions_is_told(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    wcscpy(service.arguments.vss_library, L"C:\\windows\\system32\\version.dll");
    expect_not_ready(&service, "GetProcAddress", "CreateVssBackupComponentsInternal");
}

static void what_is_not_the_simulator_is_refused_where_it_has_to_be(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service.arguments.vss_library[0] = L'\0'; /* the system's own */
    service_start(&service);
    PB(Envelope) *envelope = service_receive(&service);
    assert_non_null(envelope);
    assert_true(FAILED((HRESULT)envelope->requester_hello->ready_hresult));
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_NO_SERVICE);
    service_end(&service);
}

/* ---- Without a service. ---- */

static void a_service_that_does_not_welcome(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_start(&service);
    assert_non_null(service_receive(&service));
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_NO_SERVICE);
    service_end(&service);
}

static void a_service_that_is_not_there(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service_start_without_pipe(&service);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_NO_SERVICE);
    service_end(&service);
}

static void a_service_that_is_silent(void **state)
{
    (void)state;
    struct service service;
    service_init(&service);
    service.limits.welcome_ms = 200;
    service_start(&service);
    assert_non_null(service_receive(&service));
    assert_null(service_receive(&service)); /* it hangs up */
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_NO_SERVICE);
    service_end(&service);
}

static void bad_frames_break_the_pipe(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } frames[] = {
        {"\0\0\0\0", 4},               /* no length */
        {"\xFF\0\0\0", 4},             /* too long */
        {"\0\0\0\x03\x08\x01\xFF", 7}, /* not protobuf */
        {"\0\0\0\x02\x08\x01", 6},     /* nothing in it: UNIMPLEMENTED, see below */
        {"\0\0\0\x03\xA2\x06\0", 7},   /* a hello of a requester, without an id */
    };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct service service;
        service_init(&service);
        service_start_welcomed(&service);
        call_first(&service, 5);
        service_send_bytes(&service, frames[i].bytes, frames[i].size);
        PB(Envelope) *envelope = service_receive(&service);
        if (i == 3) {
            assert_int_equal(envelope->status->code, PB_CODE(UNIMPLEMENTED));
        } else {
            assert_null(envelope);
        }
        assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_CLEANED_UP);
        assert_int_equal(service_logged(&service, "AbortBackup\thr=0x00000000"), 1);
        service_end(&service);
    }
}

int main(int count, char **arguments)
{
    service_run_as_requester(count, arguments);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleans_up_in_each_phase),
        cmocka_unit_test(cleans_up_after_a_running_call),
        cmocka_unit_test(no_second_abort_after_the_first),
        cmocka_unit_test(a_failed_abort_is_told),
        cmocka_unit_test(is_adopted),
        cmocka_unit_test(is_adopted_again_and_again),
        cmocka_unit_test(the_last_service_says_how_long_it_holds),
        cmocka_unit_test(holds_nothing_where_there_is_no_grace),
        cmocka_unit_test(releases_when_it_is_refused),
        cmocka_unit_test(a_service_that_ends_before_its_welcome),
        cmocka_unit_test(the_grace_is_no_longer_for_that),
        cmocka_unit_test(completes_before_it_dials_in_again),
        cmocka_unit_test(the_watchdog_ends_a_duty_that_hangs),
        cmocka_unit_test(the_watchdog_ends_a_call_that_never_returns),
        cmocka_unit_test(a_hang_that_cannot_be_cancelled),
        cmocka_unit_test(a_missing_library_is_told),
        cmocka_unit_test(a_file_that_is_no_library_is_told),
        cmocka_unit_test(a_library_without_the_functions_is_told),
        cmocka_unit_test(what_is_not_the_simulator_is_refused_where_it_has_to_be),
        cmocka_unit_test(a_service_that_does_not_welcome),
        cmocka_unit_test(a_service_that_is_not_there),
        cmocka_unit_test(a_service_that_is_silent),
        cmocka_unit_test(bad_frames_break_the_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
