#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "proto/status.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/failing_malloc.h"

static bool is_success(uint32_t hresult)
{
    return (hresult & 0x80000000) == 0;
}

static void check_row(const struct vss_code *row)
{
    assert_non_null(protobuf_c_enum_descriptor_get_value(&shadowpipe__v1__code__descriptor, (int)row->code));
    assert_non_null(
        protobuf_c_enum_descriptor_get_value(&shadowpipe__v1__retry__descriptor, (int)row->retry));
    assert_int_not_equal(row->retry, PB_VALUE(RETRY, RETRY_UNSPECIFIED));
    bool timed = row->retry == PB_VALUE(RETRY, RETRY_SOON) || row->retry == PB_VALUE(RETRY, RETRY_LATER);
    assert_int_equal(timed, row->retry_after_ms > 0);
    for (const char *at = row->name; *at != '\0'; at++)
        assert_true(isupper((unsigned char)*at) || isdigit((unsigned char)*at) || *at == '_');
    size_t meaning = strlen(row->meaning);
    assert_true(meaning > 10 && row->meaning[meaning - 1] != '.');
    assert_true(islower((unsigned char)row->meaning[0]) || strncmp(row->meaning, "VSS", 3) == 0 ||
                strncmp(row->meaning, "COM", 3) == 0);
    size_t advice = strlen(row->advice);
    if (!is_success(row->hresult)) {
        assert_int_not_equal(row->code, PB_CODE(UNSPECIFIED));
        assert_true(advice > 10 && row->advice[advice - 1] == '.' && isupper((unsigned char)row->advice[0]));
    }
}

static void test_table_is_complete(void **state)
{
    (void)state;
    size_t count;
    const struct vss_code *table = vss_code_table(&count);
    assert_true(count > 100);
    for (size_t i = 0; i < count; i++) {
        check_row(&table[i]);
        assert_ptr_equal(vss_code_find(table[i].hresult), &table[i]); /* hence no value twice */
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(table[i].name, table[j].name);
    }
    assert_null(vss_code_find(0x80042305));
}

/* What clients build on. */
static void test_mapping(void **state)
{
    (void)state;
    static const struct {
        uint32_t hresult;
        PB(Code) code;
        PB(Retry) retry;
    } expected[] = {
        {0x80042301, PB_CODE(FAILED_PRECONDITION), PB_VALUE(RETRY, RETRY_NO)},
        {0x80042306, PB_CODE(UNAVAILABLE), PB_VALUE(RETRY, RETRY_LATER)},
        {0x80042308, PB_CODE(NOT_FOUND), PB_VALUE(RETRY, RETRY_AFTER_CHANGE)},
        {0x80042312, PB_CODE(RESOURCE_EXHAUSTED), PB_VALUE(RETRY, RETRY_AFTER_CHANGE)},
        {0x80042316, PB_CODE(UNAVAILABLE), PB_VALUE(RETRY, RETRY_SOON)},
        {0x80042317, PB_CODE(RESOURCE_EXHAUSTED), PB_VALUE(RETRY, RETRY_AFTER_CHANGE)},
        {0x8004231F, PB_CODE(RESOURCE_EXHAUSTED), PB_VALUE(RETRY, RETRY_AFTER_CHANGE)},
        {0x800423F0, PB_CODE(FAILED_PRECONDITION), PB_VALUE(RETRY, RETRY_AFTER_CHANGE)},
        {0x800423F2, PB_CODE(UNAVAILABLE), PB_VALUE(RETRY, RETRY_LATER)},
        {0x800423F4, PB_CODE(ABORTED), PB_VALUE(RETRY, RETRY_NO)},
        {0x80070005, PB_CODE(PERMISSION_DENIED), PB_VALUE(RETRY, RETRY_AFTER_CHANGE)},
        {0x80070057, PB_CODE(INVALID_ARGUMENT), PB_VALUE(RETRY, RETRY_NO)},
        {0x80004001, PB_CODE(UNIMPLEMENTED), PB_VALUE(RETRY, RETRY_NO)},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct vss_code *row = vss_code_find(expected[i].hresult);
        assert_non_null(row);
        assert_int_equal(row->code, expected[i].code);
        assert_int_equal(row->retry, expected[i].retry);
    }
}

static void test_names(void **state)
{
    (void)state;
    char scratch[11];
    assert_string_equal(vss_code_name(0x80042316, scratch), "VSS_E_SNAPSHOT_SET_IN_PROGRESS");
    assert_string_equal(vss_code_name(0, scratch), "S_OK");
    assert_string_equal(vss_code_name(0x8004FFFF, scratch), "0x8004FFFF");
    assert_string_equal(vss_code_name(1234, scratch), "0x000004D2");
}

static void test_status_from_hresult(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 64 * 1024);
    PB(Status) *status = status_from_hresult(&arena, "StartSnapshotSet", 0x80042316);
    assert_non_null(status);
    assert_int_equal(status->code, PB_CODE(UNAVAILABLE));
    assert_string_equal(status->reason, "VSS_FAILED");
    assert_int_equal(status->hresult, 0x80042316);
    assert_string_equal(status->hresult_name, "VSS_E_SNAPSHOT_SET_IN_PROGRESS");
    assert_string_equal(status->method, "StartSnapshotSet");
    assert_true(status->retryable);
    assert_int_equal(status->retry_after_ms, 5000);
    assert_memory_equal(status->message, "StartSnapshotSet failed: another program", 40);
    assert_true(strlen(status->advice) > 10);

    status = status_from_hresult(&arena, "PrepareForBackup", 0x80042301);
    assert_non_null(status);
    assert_false(status->retryable);
    assert_int_equal(status->retry, PB_VALUE(RETRY, RETRY_NO));

    status = status_from_hresult(&arena, "DoSnapshotSet", 0x8765CDEF);
    assert_non_null(status);
    assert_int_equal(status->code, PB_CODE(UNKNOWN));
    assert_string_equal(status->hresult_name, "0x8765CDEF");
    assert_false(status->retryable);

    /* a success where the caller needed another one */
    status = status_from_hresult(&arena, "GatherWriterStatus", 1);
    assert_non_null(status);
    assert_int_equal(status->code, PB_CODE(INTERNAL));
    status = status_from_hresult(&arena, "PrepareForBackup", 0x0004230B);
    assert_non_null(status);
    assert_int_equal(status->code, PB_CODE(CANCELLED));
    arena_free(&arena);
}

static void test_status_make(void **state)
{
    (void)state;
    struct arena arena;
    char reason[] = "UNKNOWN_VOLUME";
    arena_init(&arena, 64 * 1024);
    PB(Status) *status =
        status_make(&arena, PB_CODE(NOT_FOUND), reason, "there is no volume %s of %d", "Q:", 3);
    memset(reason, 'x', sizeof reason - 1);
    assert_non_null(status);
    assert_string_equal(status->reason, "UNKNOWN_VOLUME");
    assert_string_equal(status->message, "there is no volume Q: of 3");
    assert_int_equal(status->retry, PB_VALUE(RETRY, RETRY_NO));
    assert_ptr_equal(status->base.descriptor, &shadowpipe__v1__status__descriptor);
    arena_free(&arena);
}

/* Every cap, from nothing to enough: NULL or a whole Status, never half a one. */
static void test_status_without_memory(void **state)
{
    (void)state;
    bool succeeded = false;
    for (size_t cap = 0; cap < 2048; cap += 8) {
        struct arena arena;
        arena_init(&arena, cap);
        const PB(Status) *status = status_from_hresult(&arena, "DoSnapshotSet", 0x8004231F);
        if (status != NULL) {
            succeeded = true;
            assert_non_null(status->message);
            assert_non_null(status->advice);
            assert_string_equal(status->hresult_name, "VSS_E_INSUFFICIENT_STORAGE");
        } else {
            assert_false(succeeded);
        }
        arena_free(&arena);
    }
    assert_true(succeeded);

    struct arena arena;
    arena_init(&arena, 4096);
    allocations_until_failure = 0;
    assert_null(status_make(&arena, PB_CODE(INTERNAL), "X", "y"));
    allocations_until_failure = -1;
    arena_free(&arena);
}

static void test_writer_states(void **state)
{
    (void)state;
    assert_string_equal(writer_state_name(0), "UNKNOWN");
    assert_string_equal(writer_state_name(1), "STABLE");
    assert_string_equal(writer_state_name(9), "FAILED_AT_FREEZE");
    assert_string_equal(writer_state_name(15), "FAILED_AT_BACKUPSHUTDOWN");
    assert_string_equal(writer_state_name(16), "UNKNOWN");
    assert_string_equal(writer_state_name(UINT32_MAX), "UNKNOWN");
    /* the enum of the wire is the raw number plus one */
    for (uint32_t value = 0; value < 16; value++) {
        const ProtobufCEnumValue *wire =
            protobuf_c_enum_descriptor_get_value(&shadowpipe__v1__writer_state__descriptor, (int)value + 1);
        assert_non_null(wire);
        assert_string_equal(wire->name + strlen("WRITER_STATE_"), writer_state_name(value));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_is_complete),
        cmocka_unit_test(test_mapping),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_status_from_hresult),
        cmocka_unit_test(test_status_make),
        cmocka_unit_test(test_status_without_memory),
        cmocka_unit_test(test_writer_states),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
