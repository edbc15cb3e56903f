#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/decode.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/unit/cmocka_all.h"
#include "tests/unit/failing_malloc.h"
#include "tests/unit/proto_bytes.h"

/* Field numbers that the tests write by hand. */
enum {
    ID = 1,
    TIMEOUT_MS = 2,
    HELLO = 10,
    HELLO_REPLY = 11,
    PING = 12,
    LIST_WRITERS = 20,
    CREATE_SNAPSHOT = 30,
    CALL_REPLY = 83,
    JOB_KEY = 1,
    PURPOSE = 2,
    VOLUMES = 3,
    CONTEXT = 7,
    COMPONENTS = 13,
    PHASE_TIMEOUTS = 20,
    QUERY = 43
};

static struct arena arena;
static struct bytes wire;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, DECODE_LIMIT_REQUEST_BYTES);
    memset(&wire, 0, sizeof wire);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    bytes_free(&wire);
    return 0;
}

/* Decodes what is in `wire`, from memory of exactly that size so that the sanitizer sees every read past it.
 */
static PB(Envelope) * decode(enum decode_mode mode, struct decode_error *error)
{
    uint8_t *exact = malloc(wire.size > 0 ? wire.size : 1);
    assert_non_null(exact);
    if (wire.size > 0)
        memcpy(exact, wire.data, wire.size);
    PB(Envelope) *envelope = decode_envelope(&arena, exact, wire.size, mode, error);
    free(exact);
    return envelope;
}

static void expect_refused(enum decode_mode mode, const char *reason, const char *field, uint32_t id)
{
    struct decode_error error;
    assert_null(decode(mode, &error));
    assert_string_equal(error.reason, reason);
    assert_string_equal(error.field, field);
    assert_int_equal(error.id, id);
    assert_true(strlen(error.message) > 10);
    bytes_free(&wire);
    arena_reset(&arena);
}

static const PB(Envelope) * expect_good(enum decode_mode mode)
{
    struct decode_error error;
    const PB(Envelope) *envelope = decode(mode, &error);
    if (envelope == NULL)
        fail_msg("%s: %s", error.reason, error.message);
    bytes_free(&wire);
    return envelope;
}

/* ---- what is sound ---- */

/* Gives every field of a message a value, by its descriptor; of a oneof the member number `chosen`. */
static void fill(ProtobufCMessage *message, unsigned chosen)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    unsigned member = 0;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        uint8_t *at = (uint8_t *)message + field->offset;
        if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
            if (member++ != chosen)
                continue;
            memcpy((uint8_t *)message + field->quantifier_offset, &field->id, sizeof(uint32_t));
        }
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t two = 2;
            memcpy((uint8_t *)message + field->quantifier_offset, &two, sizeof two);
            void *elements = arena_alloc(&arena, 2 * sizeof(uint64_t));
            memcpy(at, &elements, sizeof elements);
            at = elements;
        }
        size_t step = field->type == PROTOBUF_C_TYPE_ENUM ? sizeof(int) : sizeof(void *);
        for (unsigned j = 0; j < (field->label == PROTOBUF_C_LABEL_REPEATED ? 2u : 1u); j++, at += step) {
            switch (field->type) {
            case PROTOBUF_C_TYPE_MESSAGE: {
                const ProtobufCMessageDescriptor *type = field->descriptor;
                ProtobufCMessage *child = arena_alloc(&arena, type->sizeof_message);
                protobuf_c_message_init(type, child);
                fill(child, chosen);
                memcpy(at, &child, sizeof child);
                break;
            }
            case PROTOBUF_C_TYPE_STRING: {
                char *text = arena_strdup(&arena, "D\xc3\xa4t\xe2\x82\xac \xf0\x9f\x92\xbe");
                memcpy(at, &text, sizeof text);
                break;
            }
            case PROTOBUF_C_TYPE_BYTES: {
                ProtobufCBinaryData data = {3, (uint8_t *)arena_strdup(&arena, "\xff\x80\x01")};
                memcpy(at, &data, sizeof data);
                break;
            }
            case PROTOBUF_C_TYPE_ENUM: {
                const ProtobufCEnumDescriptor *type = field->descriptor;
                memcpy(at, &type->values[type->n_values - 1].value, sizeof(int));
                break;
            }
            case PROTOBUF_C_TYPE_INT64:
            case PROTOBUF_C_TYPE_UINT64:
                memcpy(at, &(uint64_t){0xfedcba9876543210}, sizeof(uint64_t));
                break;
            case PROTOBUF_C_TYPE_BOOL:
                memcpy(at, &(protobuf_c_boolean){1}, sizeof(protobuf_c_boolean));
                break;
            default:
                memcpy(at, &(uint32_t){0x80042316}, sizeof(uint32_t));
                break;
            }
        }
    }
}

/* Every message with every field set comes back as it went, through the strict walk. */
static void test_round_trip_of_every_message(void **state)
{
    (void)state;
    struct frame_buffer first = {0}, second = {0};
    for (unsigned chosen = 0; chosen < DECODE_LIMIT_FIELDS; chosen++) {
        PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
        fill(&envelope.base, chosen);
        assert_true(frame_encode(&first, &envelope, FRAME_LIMIT_REPLY_BYTES));
        bytes_raw(&wire, first.data + FRAME_HEADER_BYTES, first.size - FRAME_HEADER_BYTES);
        const PB(Envelope) *decoded = expect_good(DECODE_STRICT);
        assert_int_equal(decoded->body_case, envelope.body_case);
        assert_true(frame_encode(&second, decoded, FRAME_LIMIT_REPLY_BYTES));
        assert_int_equal(second.size, first.size);
        assert_memory_equal(second.data, first.data, first.size);
        arena_reset(&arena);
    }
    frame_buffer_free(&first);
    frame_buffer_free(&second);
}

/* Calls and their replies have more members than the envelope; each of them in turn. */
static void test_every_call_fits_the_walk(void **state)
{
    (void)state;
    assert_true(shadowpipe__v1__call__descriptor.n_fields <= DECODE_LIMIT_FIELDS);
    assert_true(shadowpipe__v1__envelope__descriptor.n_fields <= DECODE_LIMIT_FIELDS);
    for (unsigned chosen = 0; chosen < DECODE_LIMIT_FIELDS; chosen++) {
        PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
        PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
        struct frame_buffer buffer = {0};
        fill(&call.base, chosen);
        envelope.id = chosen + 1;
        envelope.body_case = PB_BODY(CALL);
        envelope.call = &call;
        assert_true(frame_encode(&buffer, &envelope, FRAME_LIMIT_REQUEST_BYTES));
        bytes_raw(&wire, buffer.data + FRAME_HEADER_BYTES, buffer.size - FRAME_HEADER_BYTES);
        assert_int_equal(expect_good(DECODE_STRICT)->call->method_case, call.method_case);
        frame_buffer_free(&buffer);
        arena_reset(&arena);
    }
}

static unsigned schema_depth(const ProtobufCMessageDescriptor *message)
{
    unsigned deepest = 0;
    for (unsigned i = 0; i < message->n_fields; i++) {
        if (message->fields[i].type == PROTOBUF_C_TYPE_MESSAGE) {
            unsigned depth = schema_depth(message->fields[i].descriptor);
            deepest = depth > deepest ? depth : deepest;
        }
    }
    return deepest + 1;
}

/* A recursive type would never come back from here; a deep one could not be decoded. */
static void test_schema_is_shallow(void **state)
{
    (void)state;
    assert_true(schema_depth(&shadowpipe__v1__envelope__descriptor) < DECODE_LIMIT_DEPTH);
}

static void test_empty_payload_and_empty_body(void **state)
{
    (void)state;
    const PB(Envelope) *envelope = expect_good(DECODE_STRICT);
    assert_int_equal(envelope->id, 0);
    assert_int_equal(envelope->body_case, PB_BODY(_NOT_SET));
    bytes_data(&wire, LIST_WRITERS, NULL, 0);
    bytes_number(&wire, ID, UINT32_MAX); /* the order is free */
    envelope = expect_good(DECODE_STRICT);
    assert_int_equal(envelope->id, UINT32_MAX);
    assert_non_null(envelope->list_writers);
}

static void test_packed_and_single_enums(void **state)
{
    (void)state;
    enum {
        CALLER = 10,
        RIGHTS = 7
    };
    struct bytes caller = {0}, hello_reply = {0};
    bytes_data(&caller, RIGHTS, "\x01\x02", 2);
    bytes_number(&caller, RIGHTS, 3);
    bytes_message(&hello_reply, CALLER, &caller);
    bytes_message(&wire, HELLO_REPLY, &hello_reply);
    const PB(Envelope) *envelope = expect_good(DECODE_STRICT);
    assert_int_equal(envelope->hello_reply->caller->n_rights, 3);
    assert_int_equal(envelope->hello_reply->caller->rights[2], PB_VALUE(RIGHT, RIGHT_TRUNCATE));

    bytes_data(&caller, RIGHTS, "\x01\x63", 2);
    bytes_message(&hello_reply, CALLER, &caller);
    bytes_message(&wire, HELLO_REPLY, &hello_reply);
    expect_refused(DECODE_STRICT, "UNKNOWN_VALUE", "hello_reply.caller.rights", 0);

    bytes_data(&caller, RIGHTS, "\x01\x80", 2);
    bytes_message(&hello_reply, CALLER, &caller);
    bytes_message(&wire, HELLO_REPLY, &hello_reply);
    expect_refused(DECODE_LENIENT, "MALFORMED", "hello_reply.caller.rights", 0);
}

/* ---- what is refused ---- */

static void test_broken_numbers(void **state)
{
    (void)state;
    bytes_raw(&wire, "\x08", 1); /* a tag alone */
    expect_refused(DECODE_STRICT, "MALFORMED", "id", 0);
    bytes_raw(&wire, "\x08\xff\xff", 3);
    expect_refused(DECODE_LENIENT, "MALFORMED", "id", 0);
    bytes_raw(&wire, "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12); /* eleven bytes */
    expect_refused(DECODE_STRICT, "MALFORMED", "id", 0);
    bytes_raw(&wire, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11); /* more than 64 bits */
    expect_refused(DECODE_STRICT, "MALFORMED", "id", 0);
    bytes_raw(&wire, "\x80", 1); /* half a tag */
    expect_refused(DECODE_STRICT, "MALFORMED", "", 0);
    bytes_raw(&wire, "\xff\xff\xff\xff\xff\x01\x00", 7); /* a tag above 32 bits */
    expect_refused(DECODE_LENIENT, "MALFORMED", "", 0);
    bytes_number(&wire, ID, 1ULL << 32 | 5); /* would be cut to 5 */
    expect_refused(DECODE_STRICT, "MALFORMED", "id", 0);
}

static void test_field_number_zero(void **state)
{
    (void)state;
    bytes_number(&wire, ID, 9);
    bytes_raw(&wire, "\x00\x01", 2);
    expect_refused(DECODE_LENIENT, "MALFORMED", "", 9);
}

static void test_groups_and_unused_wire_types(void **state)
{
    (void)state;
    for (unsigned wire_type = 3; wire_type < 8; wire_type++) {
        if (wire_type == 5)
            continue;
        bytes_number(&wire, ID, 3);
        bytes_tag(&wire, 500, wire_type);
        expect_refused(DECODE_LENIENT, "MALFORMED", "", 3);
        bytes_number(&wire, ID, 3);
        bytes_tag(&wire, CREATE_SNAPSHOT, wire_type);
        expect_refused(DECODE_STRICT, "MALFORMED", "create_snapshot", 3);
    }
}

static void test_wrong_wire_types(void **state)
{
    (void)state;
    bytes_text(&wire, ID, "x");
    expect_refused(DECODE_STRICT, "MALFORMED", "id", 0);
    bytes_number(&wire, CREATE_SNAPSHOT, 1);
    expect_refused(DECODE_LENIENT, "MALFORMED", "create_snapshot", 0);
    bytes_fixed32(&wire, TIMEOUT_MS, 1);
    expect_refused(DECODE_STRICT, "MALFORMED", "timeout_ms", 0);

    enum {
        HRESULT = 1
    };
    struct bytes reply = {0};
    bytes_number(&reply, HRESULT, 5); /* a fixed32 as a varint */
    bytes_message(&wire, CALL_REPLY, &reply);
    expect_refused(DECODE_STRICT, "MALFORMED", "call_reply.hresult", 0);
}

static void test_truncated_everywhere(void **state)
{
    (void)state;
    struct bytes create = {0}, component = {0}, whole = {0};
    bytes_text(&component, 1, "System Writer");
    bytes_text(&create, VOLUMES, "C:\\");
    bytes_message(&create, COMPONENTS, &component);
    bytes_message(&whole, CREATE_SNAPSHOT, &create);
    for (size_t size = 1; size < whole.size; size++) {
        struct decode_error error;
        bytes_raw(&wire, whole.data, size);
        assert_null(decode(DECODE_LENIENT, &error));
        assert_string_equal(error.reason, "MALFORMED");
        bytes_free(&wire);
    }
    /* and an inner length that goes past its message, though not past the frame */
    bytes_tag(&create, VOLUMES, 2);
    bytes_varint(&create, 4);
    bytes_raw(&create, "C:", 2);
    bytes_message(&wire, CREATE_SNAPSHOT, &create);
    bytes_number(&wire, ID, 1);
    bytes_number(&wire, TIMEOUT_MS, 1);
    expect_refused(DECODE_STRICT, "MALFORMED", "create_snapshot.volumes", 1);
    bytes_tag(&wire, CREATE_SNAPSHOT, 2);
    bytes_varint(&wire, UINT64_MAX);
    expect_refused(DECODE_STRICT, "MALFORMED", "create_snapshot", 0);
    bytes_tag(&wire, 900, 1); /* eight bytes that are not there */
    bytes_raw(&wire, "1234567", 7);
    expect_refused(DECODE_LENIENT, "MALFORMED", "", 0);
    bytes_free(&whole);
}

static void create_with_text(const char *text, size_t size)
{
    struct bytes create = {0};
    bytes_data(&create, PURPOSE, text, size);
    bytes_message(&wire, CREATE_SNAPSHOT, &create);
    bytes_number(&wire, ID, 77);
}

static void test_strings(void **state)
{
    (void)state;
#define TEXT(literal)               \
    {                               \
        literal, sizeof literal - 1 \
    }
    static const struct {
        const char *text;
        size_t size;
    } good[] = {TEXT(""),
                TEXT("plain"),
                TEXT("\x01\x7f"),
                TEXT("\xc2\x80"),
                TEXT("\xdf\xbf"),
                TEXT("\xe0\xa0\x80"),
                TEXT("\xed\x9f\xbf"),
                TEXT("\xee\x80\x80"),
                TEXT("\xef\xbf\xbf"),
                TEXT("\xf0\x90\x80\x80"),
                TEXT("\xf4\x8f\xbf\xbf")},
      bad[] = {TEXT("a\0b"),
               TEXT("\0"),
               TEXT("\x80"),
               TEXT("\xbf"),
               TEXT("\xc0\x80"),
               TEXT("\xc1\xbf"),
               TEXT("\xc2"),
               TEXT("\xc2 "),
               TEXT("\xe0\x9f\xbf"),
               TEXT("\xe2\x82"),
               TEXT("\xed\xa0\x80"),
               TEXT("\xed\xbf\xbf"),
               TEXT("\xf0\x8f\xbf\xbf"),
               TEXT("\xf4\x90\x80\x80"),
               TEXT("\xf5\x80\x80\x80"),
               TEXT("\xff"),
               TEXT("\xfe"),
               TEXT("a\xf0\x9f\x92")};
#undef TEXT
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        create_with_text(good[i].text, good[i].size);
        assert_string_equal(expect_good(DECODE_STRICT)->create_snapshot->purpose, good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        create_with_text(bad[i].text, bad[i].size);
        expect_refused(DECODE_STRICT, "BAD_STRING", "create_snapshot.purpose", 77);
        create_with_text(bad[i].text, bad[i].size);
        expect_refused(DECODE_LENIENT, "BAD_STRING", "create_snapshot.purpose", 77);
    }
}

static void test_unknown_fields(void **state)
{
    (void)state;
    struct bytes create = {0}, component = {0};
    bytes_number(&wire, ID, 5);
    bytes_number(&wire, 999, 1);
    expect_refused(DECODE_STRICT, "UNKNOWN_FIELD", "#999", 5);

    bytes_text(&component, 200, "new");
    bytes_message(&create, COMPONENTS, &component);
    bytes_message(&wire, CREATE_SNAPSHOT, &create);
    bytes_number(&wire, ID, 5); /* after what is wrong */
    expect_refused(DECODE_STRICT, "UNKNOWN_FIELD", "create_snapshot.components.#200", 5);

    /* replies may grow */
    bytes_number(&wire, ID, 5);
    bytes_number(&wire, 999, 1);
    bytes_fixed32(&wire, 1000, 1);
    bytes_tag(&wire, 1001, 1);
    bytes_raw(&wire, "12345678", 8);
    bytes_text(&wire, 1002, "\xff is not text as far as anybody knows");
    assert_int_equal(expect_good(DECODE_LENIENT)->id, 5);
}

static void create_with_context(uint64_t value)
{
    struct bytes create = {0};
    bytes_number(&create, CONTEXT, value);
    bytes_message(&wire, CREATE_SNAPSHOT, &create);
}

static void test_unknown_values(void **state)
{
    (void)state;
    create_with_context(6);
    assert_int_equal(expect_good(DECODE_STRICT)->create_snapshot->context, 6);
    create_with_context(7);
    expect_refused(DECODE_STRICT, "UNKNOWN_VALUE", "create_snapshot.context", 0);
    create_with_context(UINT64_MAX);
    expect_refused(DECODE_STRICT, "UNKNOWN_VALUE", "create_snapshot.context", 0);
    create_with_context(1ULL << 32 | 1); /* would be cut to BACKUP */
    expect_refused(DECODE_STRICT, "UNKNOWN_VALUE", "create_snapshot.context", 0);
    create_with_context(7);
    assert_int_equal(expect_good(DECODE_LENIENT)->create_snapshot->context, 7);
}

static void test_nothing_is_merged(void **state)
{
    (void)state;
    bytes_number(&wire, ID, 1);
    bytes_number(&wire, ID, 2);
    expect_refused(DECODE_STRICT, "MALFORMED", "id", 2);
    create_with_context(1);
    create_with_context(1);
    expect_refused(DECODE_STRICT, "MALFORMED", "create_snapshot", 0);
    bytes_data(&wire, LIST_WRITERS, NULL, 0);
    create_with_context(1);
    expect_refused(DECODE_STRICT, "MALFORMED", "create_snapshot", 0);
    bytes_data(&wire, PING, NULL, 0);
    bytes_data(&wire, PING, NULL, 0);
    expect_refused(DECODE_LENIENT, "MALFORMED", "ping", 0);
}

/* `count` elements of a repeated field of CreateSnapshot. */
static void create_with_elements(uint32_t number, size_t count, const char *text)
{
    struct bytes create = {0};
    for (size_t i = 0; i < count; i++)
        bytes_text(&create, number, text);
    bytes_message(&wire, CREATE_SNAPSHOT, &create);
}

static void test_counts(void **state)
{
    (void)state;
    static const struct {
        uint32_t number;
        size_t most;
        const char *field;
    } bounds[] = {
        {VOLUMES, 1024, "create_snapshot.volumes"},
        {4, 1024, "create_snapshot.paths"},
        {9, 1024, "create_snapshot.providers"},
        {COMPONENTS, 4096, "create_snapshot.components"},
        {14, 256, "create_snapshot.writers_required"},
        {15, 256, "create_snapshot.writers_excluded"},
        {16, 256, "create_snapshot.writers_tolerated"},
        {PHASE_TIMEOUTS, 32, "create_snapshot.phase_timeouts"},
        {21, 8, "create_snapshot.hold_points"},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        create_with_elements(bounds[i].number, bounds[i].most, "");
        (void)expect_good(DECODE_STRICT);
        arena_reset(&arena);
        create_with_elements(bounds[i].number, bounds[i].most + 1, "");
        expect_refused(DECODE_STRICT, "TOO_MANY", bounds[i].field, 0);
    }
    struct bytes hello = {0};
    for (int i = 0; i < 33; i++)
        bytes_text(&hello, 5, "feature");
    bytes_message(&wire, HELLO, &hello);
    expect_refused(DECODE_STRICT, "TOO_MANY", "hello.features", 0);
}

static void test_lengths(void **state)
{
    (void)state;
    static const struct {
        uint32_t message, number;
        size_t most;
        const char *field;
    } bounds[] = {
        {HELLO, 3, 64, "hello.client_name"},
        {HELLO, 4, 64, "hello.client_version"},
        {HELLO, 5, 64, "hello.features"},
        {PING, 1, 1024, "ping.payload"},
        {LIST_WRITERS, 3, 256, "list_writers.writer"},
        {CREATE_SNAPSHOT, JOB_KEY, 128, "create_snapshot.job_key"},
        {CREATE_SNAPSHOT, PURPOSE, 256, "create_snapshot.purpose"},
        {CREATE_SNAPSHOT, 4, 131072, "create_snapshot.paths"},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        for (size_t more = 0; more < 2; more++) {
            struct bytes content = {0};
            char *text = malloc(bounds[i].most + more);
            assert_non_null(text);
            memset(text, 'x', bounds[i].most + more);
            bytes_data(&content, bounds[i].number, text, bounds[i].most + more);
            free(text);
            bytes_message(&wire, bounds[i].message, &content);
            if (more == 0)
                (void)expect_good(DECODE_STRICT);
            else
                expect_refused(DECODE_STRICT, "TOO_LARGE", bounds[i].field, 0);
            arena_reset(&arena);
        }
    }
}

/* The bounds that the tests above do not walk into: a misspelt field would silently have none. */
static void test_other_bounds(void **state)
{
    (void)state;
#define MESSAGE(name) &shadowpipe__v1__##name##__descriptor
    static const struct {
        const ProtobufCMessageDescriptor *message;
        const char *field;
        uint32_t elements, bytes;
    } bounds[] = {
        {MESSAGE(component_selection), "writer", 1, 256},
        {MESSAGE(finish_backup), "components", 4096, 0},
        {MESSAGE(open_session), "purpose", 1, 256},
        {MESSAGE(list_snapshots), "purpose", 1, 256},
        {MESSAGE(document_chunk), "data", 1, 256 * 1024},
        {MESSAGE(document_chunk), "sha256", 1, 32},
        {MESSAGE(disable_writer_classes), "writer_ids", 256, 64},
        {MESSAGE(enable_writer_classes), "writer_ids", 256, 64},
        {MESSAGE(disable_writer_instances), "instance_ids", 256, 64},
        {MESSAGE(requester_hello), "secret", 1, 32},
        {MESSAGE(requester_hello), "snapshots", 1024, 0},
    };
#undef MESSAGE
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(bounds[i].message, bounds[i].field);
        assert_non_null(field);
        assert_int_equal(limits_of(bounds[i].message, field)->elements, bounds[i].elements);
        assert_int_equal(limits_of(bounds[i].message, field)->bytes, bounds[i].bytes);
    }
}

/* 64 KiB of empty submessages become megabytes once unpacked. */
static void test_amplification(void **state)
{
    (void)state;
    create_with_elements(COMPONENTS, 32 * 1024, "");
    expect_refused(DECODE_STRICT, "TOO_MANY", "create_snapshot.components", 0);

    struct bytes query = {0}, reply = {0};
    for (size_t i = 0; i < DECODE_LIMIT_REPEATED; i++)
        bytes_raw(&query, "\x0a\x00", 2);
    bytes_message(&reply, QUERY, &query);
    bytes_message(&wire, CALL_REPLY, &reply);
    bytes_number(&wire, ID, 6);
    expect_refused(DECODE_STRICT, "TOO_LARGE", "", 6);
    assert_int_equal(arena.used_bytes, 0);

    for (size_t i = 0; i < DECODE_LIMIT_REPEATED + 1; i++)
        bytes_raw(&query, "\x0a\x00", 2);
    bytes_message(&reply, QUERY, &query);
    bytes_message(&wire, CALL_REPLY, &reply);
    expect_refused(DECODE_LENIENT, "TOO_MANY", "call_reply.query.snapshots", 0);

    /* the bytes of the vector itself, at the top */
    for (size_t i = 0; i < 32 * 1024; i++)
        bytes_raw(&wire, "\x0a\x00", 2);
    expect_refused(DECODE_STRICT, "MALFORMED", "id", 0);
    for (size_t i = 0; i < 32 * 1024; i++)
        bytes_raw(&wire, "\xf2\x01\x00", 3);
    expect_refused(DECODE_STRICT, "MALFORMED", "create_snapshot", 0);
}

/* The schema has no recursive type, so this one is made here: Node { Node n = 1; }. */
static void test_depth(void **state)
{
    (void)state;
    struct node {
        ProtobufCMessage base;
        struct node *child;
    };
    static ProtobufCMessageDescriptor descriptor;
    static const ProtobufCFieldDescriptor fields[] = {{.name = "n",
                                                       .id = 1,
                                                       .label = PROTOBUF_C_LABEL_NONE,
                                                       .type = PROTOBUF_C_TYPE_MESSAGE,
                                                       .offset = offsetof(struct node, child),
                                                       .descriptor = &descriptor}};
    static const ProtobufCIntRange ranges[] = {{1, 0}, {0, 1}};
    descriptor.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC;
    descriptor.name = "Node";
    descriptor.sizeof_message = sizeof(struct node);
    descriptor.n_fields = 1;
    descriptor.fields = fields;
    descriptor.n_field_ranges = 1;
    descriptor.field_ranges = ranges;

    struct bytes nested = {0};
    struct decode_error error;
    for (unsigned levels = 1; levels < 3000; levels++) {
        bool accepted = decode_check(&descriptor, nested.data, nested.size, DECODE_STRICT, &error);
        assert_int_equal(accepted, levels <= DECODE_LIMIT_DEPTH);
        struct bytes outer = {0};
        bytes_message(&outer, 1, &nested);
        nested = outer;
    }
    bytes_free(&nested);
    assert_string_equal(error.reason, "MALFORMED");
    assert_memory_equal(error.field, "n.n.n.n", 7);
}

/* A reason and a message whatever allocation fails, and nothing left behind. */
static void test_without_memory(void **state)
{
    (void)state;
    struct decode_error error;
    const PB(Envelope) *envelope = NULL;
    create_with_elements(COMPONENTS, 1000, "\x0a\x04name");
    bytes_number(&wire, ID, 8);
    for (int failing = 0; envelope == NULL; failing++) {
        assert_true(failing < 1000);
        arena_free(&arena);
        arena_init(&arena, DECODE_LIMIT_REQUEST_BYTES);
        allocations_until_failure = failing;
        envelope = decode_envelope(&arena, wire.data, wire.size, DECODE_STRICT, &error);
        allocations_until_failure = -1;
        if (envelope == NULL) {
            assert_string_equal(error.reason, "NO_MEMORY");
            assert_int_equal(error.id, 8);
        }
    }
    assert_int_equal(envelope->create_snapshot->n_components, 1000);
}

/* The path and the message are cut, never overrun, whatever the input. */
static void test_random_bytes(void **state)
{
    (void)state;
    uint32_t random = 12345;
    for (int round = 0; round < 20000; round++) {
        struct decode_error error;
        size_t size = (size_t)round % 60;
        for (size_t i = 0; i < size; i++) {
            random = random * 1664525 + 1013904223;
            uint8_t byte = (uint8_t)(random >> 24);
            bytes_raw(&wire, &byte, 1);
        }
        enum decode_mode mode = round % 2 == 0 ? DECODE_STRICT : DECODE_LENIENT;
        if (decode(mode, &error) == NULL)
            assert_true(error.reason != NULL && error.message[0] != '\0');
        bytes_free(&wire);
        arena_reset(&arena);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip_of_every_message),
        TEST(test_every_call_fits_the_walk),
        TEST(test_schema_is_shallow),
        TEST(test_empty_payload_and_empty_body),
        TEST(test_packed_and_single_enums),
        TEST(test_broken_numbers),
        TEST(test_field_number_zero),
        TEST(test_groups_and_unused_wire_types),
        TEST(test_wrong_wire_types),
        TEST(test_truncated_everywhere),
        TEST(test_strings),
        TEST(test_unknown_fields),
        TEST(test_unknown_values),
        TEST(test_nothing_is_merged),
        TEST(test_counts),
        TEST(test_lengths),
        TEST(test_other_bounds),
        TEST(test_amplification),
        TEST(test_depth),
        TEST(test_without_memory),
        TEST(test_random_bytes),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
