/* The requester's parts that need no VSS: texts, directories, and the record of calls. */
#include "cmocka_all.h"

#include <string.h>
#include <wchar.h>

#include "service/requester/record.h"
#include "service/requester/requester.h"
#include "service/requester/roots.h"
#include "service/requester/text.h"

static void utf16_becomes_utf8(void **state)
{
    (void)state;
    static const wchar_t text[] = {'C', ':', '\\', 0x00E4, 0x20AC, 0xD83D, 0xDCBE, 0};
    static const wchar_t unpaired[] = {'a', 0xD83D, 'b', 0xDCBE, 0};
    struct arena arena;
    arena_init(&arena, 4096);
    assert_string_equal(text_from_wide(&arena, text), "C:\\\xC3\xA4\xE2\x82\xAC\xF0\x9F\x92\xBE");
    assert_string_equal(text_from_wide(&arena, unpaired), "a\xEF\xBF\xBD"
                                                          "b\xEF\xBF\xBD");
    assert_string_equal(text_from_wide(&arena, NULL), "");
    wchar_t *back = text_to_wide(&arena, "C:\\\xC3\xA4\xE2\x82\xAC\xF0\x9F\x92\xBE");
    assert_int_equal(wcscmp(back, text), 0);
    arena_free(&arena);
}

static void text_without_memory_is_null(void **state)
{
    (void)state;
    struct arena arena;
    wchar_t large[4000];
    wmemset(large, L'x', 3999);
    large[3999] = L'\0';
    arena_init(&arena, 1000);
    assert_null(text_from_wide(&arena, large));
    arena_free(&arena);
}

static void guids_become_text_and_back(void **state)
{
    (void)state;
    static const GUID guid = {0xb5946137, 0x7b9f, 0x4925, {0xaf, 0x80, 0x51, 0xab, 0xd6, 0x0b, 0x20, 0xd5}};
    static const GUID zero;
    char text[GUID_TEXT_CHARS];
    GUID parsed;
    text_from_guid(text, &guid);
    assert_string_equal(text, "b5946137-7b9f-4925-af80-51abd60b20d5");
    assert_true(text_to_guid(text, &parsed));
    assert_memory_equal(&parsed, &guid, sizeof guid);
    assert_true(text_to_guid("B5946137-7B9F-4925-AF80-51ABD60B20D5", &parsed));
    assert_memory_equal(&parsed, &guid, sizeof guid);
    text_from_guid(text, &zero);
    assert_string_equal(text, "");
    assert_true(text_to_guid("", &parsed));
    assert_memory_equal(&parsed, &zero, sizeof zero);
}

static void bad_guids_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"x",
                                      "{b5946137-7b9f-4925-af80-51abd60b20d5}",
                                      "b5946137-7b9f-4925-af80-51abd60b20d",
                                      "b5946137-7b9f-4925-af80-51abd60b20d55",
                                      "b594613777b9f-4925-af80-51abd60b20d5",
                                      "b5946137-7b9f-4925-af80-51abd60b20g5",
                                      "b5946137-7b9f-4925-af80-51abd60b20d5 "};
    GUID guid;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(text_to_guid(bad[i], &guid));
    }
}

static void file_times_become_unix_times(void **state)
{
    (void)state;
    assert_int_equal(text_unix_ms(0), 0);
    assert_int_equal(text_unix_ms(116444736000000000), 0);
    assert_int_equal(text_unix_ms(116444736000000000 + 12345678), 1234);
}

static void roots_are_expanded_and_distinct(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 65536);
    struct reply reply = {.arena = &arena};
    struct roots roots;
    size_t count;
    SetEnvironmentVariableW(L"ROOTS_TEST", L"D:\\data");
    roots_init(&roots, &reply);
    static const wchar_t *const paths[] = {L"%ROOTS_TEST%\\db", L"d:\\DATA\\DB\\", L"C:\\", L"", NULL,
                                           L"D:\\data\\db",     L"C:\\x\\\\",      L"c:\\"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        roots_add(&roots, paths[i]);
    }
    char **texts = roots_take(&roots, &count);
    assert_int_equal(count, 3);
    assert_string_equal(texts[1], "C:\\x");
    assert_int_equal(_stricmp(texts[0], "C:\\"), 0);
    assert_int_equal(_stricmp(texts[2], "D:\\data\\db"), 0);
    roots_init(&roots, &reply);
    assert_null(roots_take(&roots, &count));
    assert_int_equal(count, 0);
    assert_false(reply.no_memory);
    arena_free(&arena);
}

/* A result that cannot go out takes nothing of what VSS said with it. */
static void a_dropped_result_keeps_the_codes(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 65536);
    struct reply reply = {.arena = &arena};
    shadowpipe__v1__call_reply__init(&reply.message);
    reply.message.hresult = 1;
    reply.message.async_hresult = 2;
    reply.message.wait_hresult = 3;
    reply.message.elapsed_ms = 4;
    reply.message.session_phase = PB_VALUE(SESSION_PHASE, SESSION_PHASE_GATHERED);
    assert_non_null(REPLY_OUT(&reply, QUERY, query, query_result));
    while (reply_alloc(&reply, 1000) != NULL) {
    }
    assert_true(reply.no_memory);
    reply_drop_result(&reply, "requester_memory", "the requester has no memory for it");
    assert_int_equal(reply.message.out_case, PB_OUT(_NOT_SET));
    assert_int_equal(reply.message.hresult, 1);
    assert_int_equal(reply.message.async_hresult, 2);
    assert_int_equal(reply.message.wait_hresult, 3);
    assert_int_equal(reply.message.elapsed_ms, 4);
    assert_int_equal(reply.message.session_phase, PB_VALUE(SESSION_PHASE, SESSION_PHASE_GATHERED));
    assert_int_equal(reply.message.status->code, PB_CODE(RESOURCE_EXHAUSTED));
    assert_string_equal(reply.message.status->limit_name, "requester_memory");
    assert_false(reply.no_memory);
    arena_free(&arena);
}

/* ---- The record. ---- */

static struct record backup_record(void)
{
    return (struct record){.object = OBJECT_BACKUP};
}

static void prepare_names_what_is_missing(void **state)
{
    (void)state;
    struct record record = {.object = OBJECT_NONE};
    assert_string_equal(record_missing_prepare(&record), "CreateObject");
    record.object = OBJECT_NEW;
    assert_string_equal(record_missing_prepare(&record), "InitializeForBackup");
    record.object = OBJECT_RESTORE;
    assert_non_null(strstr(record_missing_prepare(&record), "InitializeForRestore was called"));
    record = backup_record();
    assert_string_equal(record_missing_prepare(&record), "SetBackupState");
    record.state_set = true;
    assert_string_equal(record_missing_prepare(&record), "GatherWriterMetadata");
    record.metadata = STEP_RUNNING;
    assert_string_equal(record_missing_prepare(&record), "the end of GatherWriterMetadata");
    record.metadata = STEP_FAILED;
    assert_non_null(strstr(record_missing_prepare(&record), "GatherWriterMetadata failed"));
    record.metadata = STEP_DONE;
    assert_string_equal(record_missing_prepare(&record), "StartSnapshotSet");
    record.set = SET_OPEN;
    assert_string_equal(record_missing_prepare(&record), "");
    record.context = VSS_CTX_FILE_SHARE_BACKUP;
    assert_non_null(strstr(record_missing_prepare(&record), "a context with writers"));
    record.context = VSS_CTX_BACKUP;
    record.prepare = STEP_DONE;
    assert_non_null(strstr(record_missing_prepare(&record), "PrepareForBackup was called already"));
    record.prepare = STEP_NONE;
    record.set = SET_CREATED;
    assert_non_null(strstr(record_missing_prepare(&record), "DoSnapshotSet has been called"));
    record.aborted = true;
    assert_non_null(strstr(record_missing_prepare(&record), "AbortBackup has ended"));
}

static void other_methods_name_what_is_missing(void **state)
{
    (void)state;
    struct record record = backup_record();
    assert_string_equal(record_missing_open_set(&record), "StartSnapshotSet");
    assert_string_equal(record_missing_do_set(&record), "StartSnapshotSet");
    assert_string_equal(record_missing_complete(&record), "PrepareForBackup");
    assert_string_equal(record_missing_created(&record), "StartSnapshotSet");
    assert_string_equal(record_missing_status(&record), "GatherWriterStatus");
    assert_string_equal(record_missing_metadata(&record), "GatherWriterMetadata");
    assert_string_equal(record_missing_document(&record), "PrepareForBackup");
    assert_string_equal(record_missing_component(&record), "GatherWriterMetadata");
    assert_string_equal(record_missing_restore(&record),
                        "a restore session: InitializeForBackup was called on this object");
    record.metadata = STEP_DONE;
    assert_string_equal(record_missing_component(&record), "SetBackupState with select_components");
    assert_non_null(strstr(record_missing_gather(&record), "called already"));
    record.metadata_freed = true;
    assert_non_null(strstr(record_missing_metadata(&record), "FreeWriterMetadata was called"));
    record.set = SET_OPEN;
    assert_string_equal(record_missing_do_set(&record), "PrepareForBackup");
    assert_string_equal(record_missing_created(&record), "DoSnapshotSet");
    assert_non_null(strstr(record_missing_start_set(&record), "called already"));
    assert_non_null(strstr(record_missing_context(&record), "before StartSnapshotSet"));
    record.prepare = STEP_RUNNING;
    assert_string_equal(record_missing_do_set(&record), "the end of PrepareForBackup");
    record.prepare = STEP_FAILED;
    assert_non_null(strstr(record_missing_do_set(&record), "PrepareForBackup failed"));
    record.prepare = STEP_DONE;
    assert_string_equal(record_missing_do_set(&record), "");
    assert_non_null(strstr(record_missing_state(&record), "before PrepareForBackup"));
    assert_string_equal(record_missing_complete(&record), "DoSnapshotSet");
    record.set = SET_FAILED;
    assert_non_null(strstr(record_missing_complete(&record), "DoSnapshotSet failed"));
    record.set = SET_CREATED;
    assert_string_equal(record_missing_complete(&record), "");
    assert_string_equal(record_missing_succeeded(&record), "SetBackupState with select_components");
    record.complete = STEP_DONE;
    assert_non_null(strstr(record_missing_complete(&record), "called already"));
    record.context_set = true;
    assert_non_null(strstr(record_missing_context(&record), "called already"));
    assert_non_null(strstr(record_missing_new_object(&record), "initialized already"));
    record = backup_record();
    record.context = (LONG)VSS_CTX_ALL;
    assert_non_null(strstr(record_missing_start_set(&record), "VSS_CTX_ALL"));
    record.context = VSS_CTX_NAS_ROLLBACK;
    record.set = SET_OPEN;
    assert_string_equal(record_missing_do_set(&record), "");
    assert_non_null(strstr(record_missing_complete(&record), "a context with writers"));
    assert_non_null(strstr(record_missing_component(&record), "a context with writers"));
    record = (struct record){.object = OBJECT_NONE};
    assert_string_equal(record_missing_restore(&record), "CreateObject");
    assert_string_equal(record_missing_new_object(&record), "CreateObject");
    record.object = OBJECT_NEW;
    assert_string_equal(record_missing_restore(&record), "InitializeForRestore");
}

/* AbortBackup raises Abort in every writer: it is owed when a set is open or PrepareForBackup was reached,
 * and never otherwise. */
static void abort_is_owed_exactly_when_it_has_to_be(void **state)
{
    (void)state;
    struct record record = {.object = OBJECT_NEW};
    assert_false(record_owes_abort(&record));
    record = backup_record();
    record.metadata = STEP_DONE;
    assert_false(record_owes_abort(&record));
    record.prepare = STEP_RUNNING;
    assert_true(record_owes_abort(&record));
    record.prepare = STEP_NONE;
    static const enum set_state owing[] = {SET_OPEN, SET_CREATING, SET_FAILED};
    for (size_t i = 0; i < sizeof owing / sizeof *owing; i++) {
        record.set = owing[i];
        assert_true(record_owes_abort(&record));
        assert_false(record_holds_snapshots(&record));
    }
    record.set = SET_CREATED;
    record.prepare = STEP_DONE;
    assert_true(record_holds_snapshots(&record));
    assert_false(record_owes_abort(&record)); /* its writers are past PostSnapshot; others may not be */
    record.aborted = true;
    assert_false(record_holds_snapshots(&record));
    record.set = SET_OPEN;
    assert_false(record_owes_abort(&record));
}

static void phases_follow_the_calls(void **state)
{
    (void)state;
    struct record record = {.object = OBJECT_NONE};
    assert_int_equal(record_phase(&record), PB_VALUE(SESSION_PHASE, SESSION_PHASE_UNSPECIFIED));
    record.object = OBJECT_NEW;
    assert_int_equal(record_phase(&record), PB_VALUE(SESSION_PHASE, SESSION_PHASE_NEW));
    record.object = OBJECT_BACKUP;
    assert_int_equal(record_phase(&record), PB_VALUE(SESSION_PHASE, SESSION_PHASE_INITIALIZED));
    record.metadata = STEP_DONE;
    assert_int_equal(record_phase(&record), PB_VALUE(SESSION_PHASE, SESSION_PHASE_GATHERED));
    record.set = SET_OPEN;
    assert_int_equal(record_phase(&record), PB_VALUE(SESSION_PHASE, SESSION_PHASE_SET_OPEN));
    record.prepare = STEP_DONE;
    assert_int_equal(record_phase(&record), PB_VALUE(SESSION_PHASE, SESSION_PHASE_PREPARED));
    record.set = SET_CREATED;
    assert_int_equal(record_phase(&record), PB_VALUE(SESSION_PHASE, SESSION_PHASE_CREATED));
    record.complete = STEP_DONE;
    assert_int_equal(record_phase(&record), PB_VALUE(SESSION_PHASE, SESSION_PHASE_COMPLETED));
    record.aborted = true;
    assert_int_equal(record_phase(&record), PB_VALUE(SESSION_PHASE, SESSION_PHASE_ABORTED));
    record = (struct record){.object = OBJECT_RESTORE, .pre_restore = STEP_DONE};
    assert_int_equal(record_phase(&record), PB_VALUE(SESSION_PHASE, SESSION_PHASE_RESTORING));
    record.post_restore = STEP_DONE;
    assert_int_equal(record_phase(&record), PB_VALUE(SESSION_PHASE, SESSION_PHASE_RESTORED));
}

/* What does not fit goes, one kind after the other, and what is left says so. */
static void a_writer_loses_its_details_first(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct reply reply = {.arena = &arena};
    shadowpipe__v1__call_reply__init(&reply.message);
    assert_false(reply_leave_out(&reply)); /* no writer */
    char *roots[] = {(char *)"C:\\a", (char *)"C:\\b"};
    PB(Component) component = SHADOWPIPE__V1__COMPONENT__INIT;
    PB(Component) * components[] = {&component};
    PB(Writer) writer = SHADOWPIPE__V1__WRITER__INIT;
    PB(RestoreMethod) method = SHADOWPIPE__V1__RESTORE_METHOD__INIT;
    PB(GetWriterMetadataResult) out = SHADOWPIPE__V1__GET_WRITER_METADATA_RESULT__INIT;
    component.roots = roots;
    component.n_roots = 2;
    writer.components = components;
    writer.n_components = 1;
    writer.restore_method = &method;
    out.writer = &writer;
    reply.message.out_case = PB_OUT(GET_WRITER_METADATA);
    reply.message.get_writer_metadata = &out;
    assert_true(reply_leave_out(&reply));
    assert_int_equal(component.n_roots, 0);
    assert_int_equal(writer.n_components, 1);
    assert_string_equal(writer.left_out, "the components' directories");
    assert_true(reply_leave_out(&reply));
    assert_int_equal(writer.n_components, 0);
    assert_string_equal(writer.left_out, "the components and files");
    assert_false(reply_leave_out(&reply));
    reply.message.out_case = PB_OUT(GET_WRITER_METADATA_EX);
    writer.n_exclude_files = 1;
    assert_true(reply_leave_out(&reply));
    assert_int_equal(writer.n_exclude_files, 0);
    arena_free(&arena);
}

static void the_services_limits_count(void **state)
{
    (void)state;
    struct requester_limits limits;
    struct requester_arguments arguments = {.start_ms = 3000,
                                            .call_ms = 1000,
                                            .complete_ms = 2000,
                                            .cancel_grace_ms = 100,
                                            .abort_ms = 300,
                                            .release_ms = 0xFFFFFFFF};
    requester_limits_init(&limits);
    requester_limits_take(&limits, &arguments);
    assert_true(limits.connect_ms + limits.ready_ms < 3000);
    assert_int_equal(limits.finish_ms, 1100);
    assert_int_equal(limits.finish_held_ms, 62000);
    assert_int_equal(limits.cancel_grace_ms, 100);
    assert_int_equal(limits.abort_ms, 300);
    assert_int_equal(limits.release_ms, MAXLONG); /* not INFINITE: the watchdog still ends it */
    struct requester_limits defaults;
    requester_limits_init(&defaults);
    requester_limits_init(&limits);
    arguments = (struct requester_arguments){0};
    requester_limits_take(&limits, &arguments);
    assert_memory_equal(&limits, &defaults, sizeof limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf16_becomes_utf8),
        cmocka_unit_test(text_without_memory_is_null),
        cmocka_unit_test(guids_become_text_and_back),
        cmocka_unit_test(bad_guids_are_refused),
        cmocka_unit_test(file_times_become_unix_times),
        cmocka_unit_test(roots_are_expanded_and_distinct),
        cmocka_unit_test(a_dropped_result_keeps_the_codes),
        cmocka_unit_test(a_writer_loses_its_details_first),
        cmocka_unit_test(the_services_limits_count),
        cmocka_unit_test(prepare_names_what_is_missing),
        cmocka_unit_test(other_methods_name_what_is_missing),
        cmocka_unit_test(abort_is_owed_exactly_when_it_has_to_be),
        cmocka_unit_test(phases_follow_the_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
