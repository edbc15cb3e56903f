#include <string.h>

#include "client/cli/json.h"
#include "proto/wire.h"
#include "tests/unit/cmocka_all.h"

static struct text text;

static int forget(void **state)
{
    (void)state;
    text_free(&text);
    return 0;
}

static const char *as_json(const ProtobufCMessage *message)
{
    text_clear(&text);
    assert_true(json_add_message(&text, message));
    assert_false(text.failed);
    return text_string(&text);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    json_add_string(&text, "\\\\?\\C:\\ \"x\"\n\r\t\x01\x7f \xc3\xa4");
    assert_string_equal(text_string(&text),
                        "\"\\\\\\\\?\\\\C:\\\\ \\\"x\\\"\\n\\r\\t\\u0001\\u007f \xc3\xa4\"");
}

static void defaults_are_left_out(void **state)
{
    PB(SnapshotReply) reply = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    (void)state;
    assert_string_equal(as_json(&reply.base), "{}");
}

static void names_enums_and_numbers(void **state)
{
    PB(SnapshotReply) reply = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    PB(PathMapping) mapping = SHADOWPIPE__V1__PATH_MAPPING__INIT;
    PB(PathMapping) * map[] = {&mapping, &mapping};
    char *warnings[] = {"one", ""};
    (void)state;
    reply.set_id = "s";
    reply.created_ms = 1764407227123;
    reply.expires_ms = -5;
    reply.attempts = 4294967295u;
    reply.shared = true;
    reply.consistency = PB_VALUE(CONSISTENCY, CONSISTENCY_CRASH);
    mapping.original = "C:\\";
    reply.map = map;
    reply.n_map = 2;
    reply.warnings = warnings;
    reply.n_warnings = 2;
    assert_string_equal(
        as_json(&reply.base),
        "{\"expiresMs\":\"-5\",\"setId\":\"s\",\"shared\":true,\"createdMs\":\"1764407227123\","
        "\"consistency\":\"CONSISTENCY_CRASH\",\"map\":[{\"original\":\"C:\\\\\"},"
        "{\"original\":\"C:\\\\\"}],\"attempts\":4294967295,\"warnings\":[\"one\",\"\"]}");
}

static void unknown_enum_values_are_numbers(void **state)
{
    PB(Progress) progress = SHADOWPIPE__V1__PROGRESS__INIT;
    (void)state;
    progress.phase = (PB(Phase))77;
    assert_string_equal(as_json(&progress.base), "{\"phase\":77}");
}

static void bytes_are_base64(void **state)
{
    static const char *const expected[] = {"{}", "{\"data\":\"AA==\"}", "{\"data\":\"AP8=\"}",
                                           "{\"data\":\"AP8Q\"}", "{\"data\":\"AP8Q+w==\"}"};
    uint8_t data[] = {0x00, 0xff, 0x10, 0xfb};
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    (void)state;
    for (size_t size = 0; size <= sizeof data; size++) {
        chunk.data = (ProtobufCBinaryData){size, data};
        assert_string_equal(as_json(&chunk.base), expected[size]);
    }
}

static void one_of_is_written_even_when_empty(void **state)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(Ping) ping = SHADOWPIPE__V1__PING__INIT;
    (void)state;
    envelope.id = 7;
    envelope.body_case = PB_BODY(PING);
    envelope.ping = &ping;
    assert_string_equal(as_json(&envelope.base), "{\"id\":7,\"ping\":{}}");
}

static void fixed32_is_a_number(void **state)
{
    PB(Status) status = SHADOWPIPE__V1__STATUS__INIT;
    PB(WriterStatus) writer = SHADOWPIPE__V1__WRITER_STATUS__INIT;
    PB(WriterStatus) * writers[] = {&writer};
    (void)state;
    status.hresult = 0x80042316u;
    status.writers = writers;
    status.n_writers = 1;
    assert_string_equal(as_json(&status.base), "{\"hresult\":2147754774,\"writers\":[{}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(strings_are_escaped, forget),
        cmocka_unit_test_teardown(defaults_are_left_out, forget),
        cmocka_unit_test_teardown(names_enums_and_numbers, forget),
        cmocka_unit_test_teardown(unknown_enum_values_are_numbers, forget),
        cmocka_unit_test_teardown(bytes_are_base64, forget),
        cmocka_unit_test_teardown(one_of_is_written_even_when_empty, forget),
        cmocka_unit_test_teardown(fixed32_is_a_number, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
