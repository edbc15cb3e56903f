/* Documents through the library: in chunks, both ways, and what is damaged on the way. */
#include <stdlib.h>
#include <string.h>

#include "client/lib/shadowpipe.h"
#include "proto/sha256.h"
#include "proto/wire.h"
#include "tests/unit/client_support.h"
#include "tests/unit/cmocka_all.h"

enum {
    PART = 256 * 1024,
    WHOLE = PART + 100
};

static uint8_t content[WHOLE];

/* ---- reading ---- */

struct chunk_plan {
    uint64_t second_offset;
    uint64_t total;
    bool wrong_hash;
    bool no_hash;
};

static struct chunk_plan plan;

static void send_chunk(struct fake_server *fake, uint32_t id, PB(DocumentChunk) * chunk)
{
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = id;
    reply.body_case = PB_BODY(DOCUMENT_CHUNK);
    reply.document_chunk = chunk;
    fake_send(fake, &reply);
}

static void scene_read(struct fake_server *fake)
{
    uint8_t hash[SHA256_BYTES];
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    fake_greet(fake);
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(READ_DOCUMENT));
    const PB(ReadDocument) *read = request->read_document;
    uint32_t id = request->id;
    if (strcmp(read->lease_id, "lease") != 0 || strcmp(read->token, "secret") != 0 ||
        read->kind != PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_WRITER_METADATA) ||
        strcmp(read->writer_instance_id, "instance") != 0)
        fake_send_status(fake, id, PB_CODE(INVALID_ARGUMENT), "WRONG_REQUEST");
    chunk.data = (ProtobufCBinaryData){PART, content};
    chunk.total_bytes = WHOLE;
    send_chunk(fake, id, &chunk);
    (void)sha256(content, WHOLE, hash);
    hash[0] ^= plan.wrong_hash;
    chunk.offset = plan.second_offset;
    chunk.data = (ProtobufCBinaryData){WHOLE - PART, content + PART};
    chunk.total_bytes = plan.total;
    chunk.last = true;
    if (!plan.no_hash)
        chunk.sha256 = (ProtobufCBinaryData){sizeof hash, hash};
    send_chunk(fake, id, &chunk);
    (void)fake_receive(fake);
}

static struct sp_document *read_by_plan(struct chunk_plan wanted)
{
    struct sp_document_request request = {.lease_id = "lease",
                                          .token = "secret",
                                          .kind = SP_DOCUMENT_WRITER_METADATA,
                                          .writer_instance_id = "instance"};
    plan = wanted;
    struct sp_client *client = connect_to_scene(scene_read);
    struct sp_document *document = sp_read_document(client, &request, &error);
    sp_close(client);
    fake_server_stop(&server);
    return document;
}

static void a_document_is_put_together(void **state)
{
    uint8_t hash[SHA256_BYTES];
    (void)state;
    struct sp_document *document = read_by_plan((struct chunk_plan){PART, WHOLE, false, false});
    assert_non_null(document);
    assert_int_equal(document->size, WHOLE);
    assert_memory_equal(document->bytes, content, WHOLE);
    assert_int_equal(document->bytes[WHOLE], 0);
    assert_true(sha256(content, WHOLE, hash));
    assert_memory_equal(document->sha256, hash, sizeof hash);
    sp_document_free(document);
    sp_document_free(NULL);
    assert_null(error);
}

static void damage_is_found(void **state)
{
    static const struct chunk_plan damages[] = {{PART + 1, WHOLE, false, false},
                                                {PART, WHOLE + 1, false, false},
                                                {PART, WHOLE, true, false},
                                                {PART, WHOLE, false, true}};
    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        assert_null(read_by_plan(damages[i]));
        expect_error(SP_DATA_LOSS, "DAMAGED_DOCUMENT");
    }
}

static void scene_unknown(struct fake_server *fake)
{
    fake_greet(fake);
    fake_send_status(fake, fake_expect(fake, PB_BODY(READ_DOCUMENT))->id, PB_CODE(NOT_FOUND),
                     "UNKNOWN_DOCUMENT");
    (void)fake_receive(fake);
}

static void a_document_may_be_unknown(void **state)
{
    struct sp_document_request request = {.kind = SP_DOCUMENT_BACKUP_COMPONENTS};
    (void)state;
    struct sp_client *client = connect_to_scene(scene_unknown);
    assert_null(sp_read_document(client, &request, &error));
    expect_error(SP_NOT_FOUND, "UNKNOWN_DOCUMENT");
    end(client);
}

/* ---- sending ---- */

static void scene_put(struct fake_server *fake)
{
    uint8_t hash[SHA256_BYTES];
    size_t have = 0;
    bool right = sha256(content, WHOLE, hash);
    fake_greet(fake);
    while (have < WHOLE) {
        const PB(Envelope) *request = fake_expect(fake, PB_BODY(PUT_DOCUMENT));
        const PB(PutDocument) *put = request->put_document;
        const PB(DocumentChunk) *chunk = put->chunk;
        bool last = have + chunk->data.len == WHOLE;
        right = right && strcmp(put->document_id, have ? "the-id" : "") == 0 && chunk->offset == have &&
                chunk->total_bytes == WHOLE && chunk->last == last && chunk->data.len <= PART &&
                memcmp(chunk->data.data, content + have, chunk->data.len) == 0 &&
                chunk->sha256.len == (last ? SHA256_BYTES : 0) &&
                (!last || memcmp(chunk->sha256.data, hash, SHA256_BYTES) == 0);
        have += chunk->data.len;
        PB(PutDocumentReply) put_reply = SHADOWPIPE__V1__PUT_DOCUMENT_REPLY__INIT;
        PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
        reply.id = request->id;
        put_reply.document_id = "the-id";
        put_reply.received_bytes = have;
        reply.body_case = PB_BODY(PUT_DOCUMENT_REPLY);
        reply.put_document_reply = &put_reply;
        if (right)
            fake_send(fake, &reply);
        else
            fake_send_status(fake, request->id, PB_CODE(INVALID_ARGUMENT), "WRONG_REQUEST");
    }
    const PB(Envelope) *again = fake_receive(fake);
    if (again)
        fake_send_status(fake, again->id, PB_CODE(INVALID_ARGUMENT), "BAD_KIND");
}

static void a_document_goes_in_chunks(void **state)
{
    struct sp_document_source source = {
        .kind = SP_DOCUMENT_BACKUP_COMPONENTS, .bytes = content, .size = WHOLE};
    (void)state;
    struct sp_client *client = connect_to_scene(scene_put);
    char *id = sp_put_document(client, &source, &error);
    assert_non_null(id);
    assert_string_equal(id, "the-id");
    sp_string_free(id);
    assert_null(sp_put_document(client, &source, &error));
    expect_error(SP_INVALID_ARGUMENT, "BAD_KIND");
    source.size = 0;
    assert_null(sp_put_document(client, &source, &error));
    expect_error(SP_INVALID_ARGUMENT, "BAD_ARGUMENT");
    end(client);
}

static int fill(void **state)
{
    (void)state;
    for (size_t i = 0; i < WHOLE; i++)
        content[i] = (uint8_t)(i * 7 + i / 251);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_is_put_together),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(a_document_may_be_unknown),
        cmocka_unit_test(a_document_goes_in_chunks),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
