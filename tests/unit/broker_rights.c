/* Which right each step needs: all of them, with the parameters that matter; and that the broker asks for it.
 */
#include <stdio.h>
#include <string.h>

#include "service/broker/rights.h"
#include "service/broker/rights_steps.h"
#include "tests/unit/broker_harness.h"

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
    {63, READ},       {64, READ},    {70, READ},       {71, READ},       {74, READ},     {75, READ},
    {76, READ},
};

/* Without parameters: an unknown backup type may be any, and no id is the caller's. */
static uint32_t by_default(int slot)
{
    switch (slot) {
    case 6:
        return SNAPSHOT | RIGHT_BIT_TRUNCATE;
    case 39:
    case 42:
        return MANAGE;
    default:
        return READ; /* SetContext(VSS_CTX_BACKUP) */
    }
}

union parameters {
    uint8_t bytes[256];
    ProtobufCMessage base;
};

/* The call of a method, with its parameters as they are by default, and a component. */
static PB(Call) make_call(const ProtobufCFieldDescriptor *method, union parameters *parameters)
{
    static PB(ComponentRef) component;
    const ProtobufCMessageDescriptor *type = method->descriptor;
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    shadowpipe__v1__component_ref__init(&component);
    component.writer_id = (char *)(uintptr_t)writer_classes[0];
    component.name = (char *)(uintptr_t) "one";
    assert_true(type->sizeof_message <= sizeof *parameters);
    memset(parameters, 0, sizeof *parameters);
    protobuf_c_message_init(type, parameters);
    const ProtobufCFieldDescriptor *named =
        protobuf_c_message_descriptor_get_field_by_name(type, "component");
    if (named != NULL && named->type == PROTOBUF_C_TYPE_MESSAGE)
        *(PB(ComponentRef) **)(void *)(parameters->bytes + named->offset) = &component;
    call.method_case = (PB(Call__MethodCase))method->id;
    call.create_object = (PB(CreateObject) *)(void *)parameters;
    return call;
}

/* The call's own method; NULL for what is none. */
static const ProtobufCFieldDescriptor *method_of(unsigned index)
{
    const ProtobufCFieldDescriptor *field = &shadowpipe__v1__call__descriptor.fields[index];
    return field->type == PROTOBUF_C_TYPE_MESSAGE ? field : NULL;
}

/* Each method of the schema is in the table above, or is the service's own. */
static void test_every_method(void **state)
{
    (void)state;
    size_t seen = 0;
    for (unsigned i = 0; i < shadowpipe__v1__call__descriptor.n_fields; i++) {
        const ProtobufCFieldDescriptor *method = method_of(i);
        if (method == NULL)
            continue;
        union parameters parameters;
        PB(Call) call = make_call(method, &parameters);
        uint32_t rights;
        bool is_known = rights_for_step(&call, &subject, &rights);
        bool is_own = method->id == PB_METHOD(CREATE_OBJECT) || method->id == PB_METHOD(RELEASE_OBJECT);
        assert_int_equal(is_known, !is_own);
        bool is_expected = false;
        for (size_t j = 0; j < sizeof expected / sizeof expected[0]; j++) {
            if (expected[j].slot != (int)method->id)
                continue;
            is_expected = true;
            assert_int_equal(rights, expected[j].rights != PARAMETERS ? expected[j].rights
                                                                      : by_default(expected[j].slot));
        }
        if (is_expected == is_own)
            fail_msg("%s is in one of the two tables only", method->name);
        seen += is_expected;
        assert_true(!is_known || rights != 0); /* no call is free */
    }
    assert_int_equal(seen, sizeof expected / sizeof expected[0]);
    assert_int_equal(seen, 64 - 3 + 1 + 5); /* slots 3 to 64, and what is no method of the object */
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

/* Whatever names a snapshot or a set: with another's id it needs MANAGE. */
static void test_ids_of_others(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (unsigned i = 0; i < shadowpipe__v1__call__descriptor.n_fields; i++) {
        const ProtobufCFieldDescriptor *method = method_of(i);
        if (method == NULL)
            continue;
        const ProtobufCMessageDescriptor *type = method->descriptor;
        for (unsigned j = 0; j < type->n_fields; j++) {
            const char *name = type->fields[j].name;
            if (strcmp(name, "snapshot_id") != 0 && strcmp(name, "set_id") != 0 &&
                strcmp(name, "object_id") != 0)
                continue;
            union parameters parameters;
            PB(Call) call = make_call(method, &parameters);
            char **id = (char **)(void *)(parameters.bytes + type->fields[j].offset);
            uint32_t own_rights, rights;
            *id = (char *)(uintptr_t)own_id;
            assert_true(rights_for_step(&call, &subject, &own_rights));
            *id = (char *)(uintptr_t)other_id;
            assert_true(rights_for_step(&call, &subject, &rights));
            if ((rights & MANAGE) == 0)
                fail_msg("%s reaches snapshots of others", method->name);
            bool is_asked =
                method->id == PB_METHOD(DELETE_SNAPSHOTS) || method->id == PB_METHOD(GET_SNAPSHOT_PROPERTIES);
            assert_int_equal((own_rights & MANAGE) != 0, !is_asked);
            seen++;
        }
    }
    assert_int_equal(seen, 10);
}

/* ---- the broker asks ---- */

static const char *open_session(struct world *world, struct peer *client, uint32_t rights)
{
    PB(OpenSession) open = SHADOWPIPE__V1__OPEN_SESSION__INIT;
    open.mode = (rights & READ) != 0 ? PB_VALUE(SESSION_MODE, SESSION_MODE_QUERY)
                                     : PB_VALUE(SESSION_MODE, SESSION_MODE_BACKUP);
    PB(Envelope) envelope = ENVELOPE_OF(OPEN_SESSION, open_session, &open);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    assert_int_equal(client_final(client, id)->body_case, PB_BODY(OPEN_SESSION_REPLY));
    return client_final(client, id)->open_session_reply->session_id;
}

/* The right that it is refused for; "" if it was made. */
static const char *refused_for(struct world *world, uint32_t rights, const ProtobufCFieldDescriptor *method)
{
    static char message[256];
    struct peer *client = client_connect(world, NULL, rights);
    union parameters parameters;
    PB(Call) call = make_call(method, &parameters);
    call.session_id = (char *)(uintptr_t)open_session(world, client, rights);
    PB(Envelope) envelope = ENVELOPE_OF(CALL, call, &call);
    uint32_t id = client_send(world, client, &envelope);
    world_run(world);
    const PB(Envelope) *reply = client_final(client, id);
    assert_non_null(reply);
    const char *word = "";
    if (reply->body_case == PB_BODY(STATUS)) {
        assert_string_equal(reply->status->reason, "RIGHT_MISSING");
        (void)snprintf(message, sizeof message, "%s", reply->status->message);
        word = message;
    }
    peer_close(world, client);
    world_run(world);
    return word;
}

/* All slots, each without each of the rights: refused for one that it needs, and for no other. */
static void test_slots_and_rights(void **state)
{
    (void)state;
    for (size_t j = 0; j < sizeof expected / sizeof expected[0]; j++) {
        struct world *world = world_new();
        const ProtobufCFieldDescriptor *method = protobuf_c_message_descriptor_get_field(
            &shadowpipe__v1__call__descriptor, (unsigned)expected[j].slot);
        uint32_t needed =
            expected[j].rights != PARAMETERS ? expected[j].rights : by_default(expected[j].slot);
        /* What is not refused here VSS refuses: most come out of order. */
        world_rule(world, (PB(Call__MethodCase))method->id, 0, ACT_FAIL, 0x80042301u);
        for (int right = 1; right <= RIGHTS_COUNT; right++) {
            uint32_t bit = 1u << right;
            const char *why = refused_for(world, (uint32_t)ALL_RIGHTS & ~bit, method);
            bool is_right = (needed & bit) != 0 ? strstr(why, right_name(bit)) != NULL : why[0] == '\0';
            if (!is_right)
                fail_msg("%s without %s: \"%s\"", method->name, right_name(bit), why);
        }
        world_end(world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_method),  cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_backup_types),  cmocka_unit_test(test_whose_snapshot),
        cmocka_unit_test(test_ids_of_others), cmocka_unit_test(test_slots_and_rights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
