/* Which right each step needs: all of them, with the parameters that matter. */
#include <string.h>

#include "service/broker/broker.h"
#include "service/broker/rights_steps.h"
#include "tests/unit/cmocka_all.h"

static const char own_id[] = "11111111-0000-0000-0000-000000000001";
static const char other_id[] = "22222222-0000-0000-0000-000000000002";

static bool owns(const void *session, const char *id)
{
    (void)session;
    return strcmp(id, own_id) == 0;
}

static const struct rights_subject subject = {owns, NULL};

enum {
    READ = RIGHT_BIT_READ,
    SNAPSHOT = RIGHT_BIT_SNAPSHOT,
    RESTORE = RIGHT_BIT_RESTORE,
    MANAGE = RIGHT_BIT_MANAGE,
    PARAMETERS = 0x1000 /* see the tests below */
};

/* By slot of IVssBackupComponents and its later versions; then the free functions. */
static const struct {
    int slot;
    uint32_t rights;
} expected[] = {
    {3, READ},        {4, READ},     {5, READ},        {6, PARAMETERS},  {7, RESTORE},   {8, RESTORE},
    {9, READ},        {10, READ},    {11, READ},       {12, READ},       {13, SNAPSHOT}, {14, SNAPSHOT},
    {15, SNAPSHOT},   {16, READ},    {17, READ},       {18, READ},       {19, READ},     {20, SNAPSHOT},
    {21, SNAPSHOT},   {22, RESTORE}, {23, RESTORE},    {24, RESTORE},    {25, SNAPSHOT}, {26, READ},
    {27, SNAPSHOT},   {28, RESTORE}, {29, RESTORE},    {30, RESTORE},    {31, RESTORE},  {32, RESTORE},
    {33, RESTORE},    {34, RESTORE}, {35, PARAMETERS}, {36, SNAPSHOT},   {37, SNAPSHOT}, {38, SNAPSHOT},
    {39, PARAMETERS}, {40, MANAGE},  {41, MANAGE},     {42, PARAMETERS}, {43, READ},     {44, READ},
    {45, READ},       {46, READ},    {47, READ},       {48, MANAGE},     {49, MANAGE},   {50, READ},
    {51, READ},       {52, RESTORE}, {53, MANAGE},     {54, RESTORE},    {55, RESTORE},  {56, RESTORE},
    {57, MANAGE},     {58, MANAGE},  {59, MANAGE},     {60, READ},       {61, MANAGE},   {62, MANAGE},
    {63, READ},       {64, READ},    {70, READ},       {71, READ},
};

/* Each method of the schema is in the table above, or is the service's own. */
static void test_every_method(void **state)
{
    (void)state;
    const ProtobufCMessageDescriptor *call_type = &shadowpipe__v1__call__descriptor;
    size_t seen = 0;
    for (unsigned i = 0; i < call_type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &call_type->fields[i];
        if (strcmp(field->name, "session_id") == 0 || strcmp(field->name, "wait_ms") == 0)
            continue;
        uint8_t parameters[256] = {0};
        const ProtobufCMessageDescriptor *type = field->descriptor;
        assert_true(type->sizeof_message <= sizeof parameters);
        protobuf_c_message_init(type, parameters);
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        call.method_case = (PB(Call__MethodCase))field->id;
        call.create_object = (PB(CreateObject) *)(void *)parameters;
        uint32_t rights;
        bool is_known = rights_for_step(&call, &subject, &rights);
        bool is_own = field->id == PB_METHOD(CREATE_OBJECT) || field->id == PB_METHOD(RELEASE_OBJECT);
        assert_int_equal(is_known, !is_own);
        for (size_t j = 0; j < sizeof expected / sizeof expected[0]; j++) {
            if (expected[j].slot != (int)field->id)
                continue;
            seen++;
            if (expected[j].rights != PARAMETERS)
                assert_int_equal(rights, expected[j].rights);
        }
        assert_true(!is_known || rights != 0); /* no call is free */
    }
    assert_int_equal(seen, sizeof expected / sizeof expected[0]);
    assert_int_equal(seen, 64 - 3 + 1 + 2); /* slots 3 to 64, and two functions */
    PB(Call) empty = SHADOWPIPE__V1__CALL__INIT;
    uint32_t rights;
    assert_false(rights_for_step(&empty, &subject, &rights));
}

static uint32_t for_context(uint32_t context)
{
    PB(SetContext) in = SHADOWPIPE__V1__SET_CONTEXT__INIT;
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    uint32_t rights = 0;
    in.context = context;
    call.method_case = PB_METHOD(SET_CONTEXT);
    call.set_context = &in;
    assert_true(rights_for_step(&call, &subject, &rights));
    return rights;
}

static void test_contexts(void **state)
{
    (void)state;
    assert_int_equal(for_context(0x00), READ);              /* BACKUP */
    assert_int_equal(for_context(0x10), READ);              /* FILE_SHARE_BACKUP */
    assert_int_equal(for_context(0x20), READ);              /* BACKUP, transportable */
    assert_int_equal(for_context(0x19), RIGHT_BIT_PERSIST); /* NAS_ROLLBACK */
    assert_int_equal(for_context(0x09), RIGHT_BIT_PERSIST); /* APP_ROLLBACK */
    assert_int_equal(for_context(0x1D), RIGHT_BIT_PERSIST); /* CLIENT_ACCESSIBLE */
    assert_int_equal(for_context(0x0D), RIGHT_BIT_PERSIST); /* CLIENT_ACCESSIBLE_WRITERS */
    assert_int_equal(for_context(0x01), RIGHT_BIT_PERSIST); /* each bit alone */
    assert_int_equal(for_context(0x04), RIGHT_BIT_PERSIST);
    assert_int_equal(for_context(0x08), RIGHT_BIT_PERSIST);
    assert_int_equal(for_context(0xFFFFFFFFu), MANAGE); /* ALL */
    assert_int_equal(for_context(0xFFFFFFFEu), RIGHT_BIT_PERSIST);
}

static void test_backup_types(void **state)
{
    (void)state;
    for (uint32_t type = 0; type <= 7; type++) {
        PB(SetBackupState) in = SHADOWPIPE__V1__SET_BACKUP_STATE__INIT;
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        uint32_t rights = 0;
        in.backup_type = type;
        call.method_case = PB_METHOD(SET_BACKUP_STATE);
        call.set_backup_state = &in;
        assert_true(rights_for_step(&call, &subject, &rights));
        assert_int_equal(rights, type == 5 ? SNAPSHOT : SNAPSHOT | RIGHT_BIT_TRUNCATE);
    }
}

static void test_whose_snapshot(void **state)
{
    (void)state;
    const char *const ids[] = {own_id, other_id, ""};
    for (size_t i = 0; i < 3; i++) {
        PB(DeleteSnapshotsCall) deletion = SHADOWPIPE__V1__DELETE_SNAPSHOTS_CALL__INIT;
        PB(GetSnapshotProperties) properties = SHADOWPIPE__V1__GET_SNAPSHOT_PROPERTIES__INIT;
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        uint32_t rights = 0;
        deletion.object_id = properties.snapshot_id = (char *)(uintptr_t)ids[i];
        call.method_case = PB_METHOD(DELETE_SNAPSHOTS);
        call.delete_snapshots = &deletion;
        assert_true(rights_for_step(&call, &subject, &rights));
        assert_int_equal(rights, i == 0 ? SNAPSHOT : MANAGE);
        call.method_case = PB_METHOD(GET_SNAPSHOT_PROPERTIES);
        call.get_snapshot_properties = &properties;
        assert_true(rights_for_step(&call, &subject, &rights));
        assert_int_equal(rights, i == 0 ? READ : MANAGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_method),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_backup_types),
        cmocka_unit_test(test_whose_snapshot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
