/* Expose, Unexpose, BreakSet, ImportSet and RevertVolume. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/existing.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

static const uint32_t provider_veto = 0x80042306u, object_not_found = 0x80042308u;

static struct peer *begin(struct world **world, struct existing *existing)
{
    *world = world_new();
    existing_begin(*world, existing);
    existing_add(existing, SNAPSHOT_ID(01), SET_ID(01), VOLUME_C, 1000);
    existing_add(existing, SNAPSHOT_ID(02), SET_ID(01), VOLUME_D, 1000);
    return client_connect(*world, NULL, ALL_RIGHTS);
}

static uint32_t ask(struct world *world, struct peer *peer, PB(Envelope__BodyCase) kind, void *message,
                    uint32_t timeout_ms)
{
    PB(Envelope) envelope = ENVELOPE_OF(PING, ping, NULL);
    envelope.body_case = kind;
    envelope.ping = message; /* any member: all are one pointer */
    envelope.timeout_ms = timeout_ms;
    uint32_t id = client_send(world, peer, &envelope);
    world_run(world);
    return id;
}

static void check_refusal(struct world *world, struct peer *peer, PB(Envelope__BodyCase) kind, void *message,
                          const char *reason, const char *field)
{
    uint32_t id = ask(world, peer, kind, message, 0);
    assert_string_equal(client_status(peer, id)->reason, reason);
    assert_string_equal(client_status(peer, id)->field, field);
}

/* What VSS answers comes through as it is. */
static void check_vss_failure(struct world *world, struct peer *peer, PB(Envelope__BodyCase) kind,
                              void *message, PB(Call__MethodCase) method, uint32_t hresult)
{
    world_rule(world, method, 0, ACT_FAIL, hresult);
    uint32_t id = ask(world, peer, kind, message, 0);
    const PB(Status) *status = client_status(peer, id);
    assert_string_equal(status->reason, "VSS_FAILED");
    assert_int_equal(status->hresult, hresult);
    assert_string_equal(status->method, method_name(method));
    assert_int_equal(world_alive(world), 0);
    world_clear_rules(world);
}

static PB(Envelope__BodyCase) answered_by(struct peer *peer, uint32_t id)
{
    const PB(Envelope) * final = client_final(peer, id);
    assert_non_null(final);
    if (final->body_case == PB_BODY(STATUS))
        print_error("%s: %s\n", final->status->reason, final->status->message);
    return final->body_case;
}

/* ---- Expose and Unexpose ---- */

static void test_expose(void **state)
{
    (void)state;
    static const struct {
        const char *drive, *directory, *share, *sub_path;
        const char *shown, *root;
        uint32_t attributes;
    } cases[] = {
        {"X:", "", "", "", "X:", "", 0x100000},
        {"y:\\", "", "", "", "y:", "", 0x100000},
        {"", "C:\\mnt\\shown", "", "", "C:\\mnt\\shown", "", 0x100000},
        {"", "", "copy", "", "copy", "", 0x200000},
        {"", "", "copy", "Users\\Public", "copy", "Users\\Public", 0x200000},
    };
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PB(Expose) wish = SHADOWPIPE__V1__EXPOSE__INIT;
        wish.snapshot_id = TEXT(SNAPSHOT_ID(01));
        wish.as_drive = TEXT(cases[i].drive);
        wish.as_directory = TEXT(cases[i].directory);
        wish.as_share = TEXT(cases[i].share);
        wish.sub_path = TEXT(cases[i].sub_path);
        uint32_t id = ask(world, peer, PB_BODY(EXPOSE), &wish, 0);
        assert_int_equal(answered_by(peer, id), PB_BODY(EXPOSE_REPLY));
        assert_string_equal(client_final(peer, id)->expose_reply->exposed, cases[i].shown);
        assert_string_equal(existing.text[0], SNAPSHOT_ID(01));
        assert_string_equal(existing.text[1], cases[i].root);
        assert_string_equal(existing.text[2], cases[i].shown);
        assert_int_equal(existing.number, cases[i].attributes);
        assert_int_equal(existing.context, 0xFFFFFFFFu);
        assert_int_equal(client_progress(peer, id)->phase, PB_PHASE(CHANGING));
    }
    PB(Unexpose) back = SHADOWPIPE__V1__UNEXPOSE__INIT;
    back.snapshot_id = TEXT(SNAPSHOT_ID(02));
    uint32_t id = ask(world, peer, PB_BODY(UNEXPOSE), &back, 0);
    assert_int_equal(answered_by(peer, id), PB_BODY(UNEXPOSE_REPLY));
    assert_string_equal(existing.text[0], SNAPSHOT_ID(02));
    check_vss_failure(world, peer, PB_BODY(UNEXPOSE), &back, PB_METHOD(UNEXPOSE_SNAPSHOT), object_not_found);
    world_end(world);
}

static void test_expose_refused(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    PB(Expose) wish = SHADOWPIPE__V1__EXPOSE__INIT;
    PB(Unexpose) back = SHADOWPIPE__V1__UNEXPOSE__INIT;
    check_refusal(world, peer, PB_BODY(EXPOSE), &wish, "BAD_ID", "expose.snapshot_id");
    check_refusal(world, peer, PB_BODY(UNEXPOSE), &back, "BAD_ID", "unexpose.snapshot_id");
    wish.snapshot_id = back.snapshot_id = TEXT(SNAPSHOT_ID(01));
    check_refusal(world, peer, PB_BODY(EXPOSE), &wish, "ONE_OF", "expose");
    wish.as_drive = TEXT("X:");
    wish.as_share = TEXT("copy");
    check_refusal(world, peer, PB_BODY(EXPOSE), &wish, "ONE_OF", "expose");
    wish.as_share = TEXT("");
    wish.sub_path = TEXT("Users");
    check_refusal(world, peer, PB_BODY(EXPOSE), &wish, "BAD_PATH", "expose.sub_path");
    wish.sub_path = TEXT("");
    static const char *const bad[] = {"X", "XY:", "X:\\folder", "5:", "X:\\\\"};
    for (int i = 0; i < 5; i++) {
        wish.as_drive = TEXT(bad[i]);
        check_refusal(world, peer, PB_BODY(EXPOSE), &wish, "BAD_PATH", "expose.as_drive");
    }
    wish.as_drive = TEXT("");
    wish.as_directory = TEXT("folder");
    check_refusal(world, peer, PB_BODY(EXPOSE), &wish, "NOT_ABSOLUTE", "expose.as_directory");
    wish.as_directory = TEXT("Z:\\folder");
    check_refusal(world, peer, PB_BODY(EXPOSE), &wish, "NOT_LOCAL", "expose.as_directory");
    world->enumeration_failure = "the disks are asleep";
    check_refusal(world, peer, PB_BODY(EXPOSE), &wish, "VOLUMES_UNKNOWN", "");
    assert_int_equal(world->requesters_count, 0);
    wish.as_directory = TEXT("");
    wish.as_drive = TEXT("X:"); /* for which no table is needed */
    check_vss_failure(world, peer, PB_BODY(EXPOSE), &wish, PB_METHOD(EXPOSE_SNAPSHOT), 0x80070057u);
    struct peer *weak = client_connect(world, NULL, ALL_RIGHTS & ~RIGHT_BIT_MANAGE);
    check_refusal(world, weak, PB_BODY(EXPOSE), &wish, "RIGHT_MISSING", "");
    check_refusal(world, weak, PB_BODY(UNEXPOSE), &back, "RIGHT_MISSING", "");
    world_end(world);
}

/* Cancelled while VSS works on it: what comes of it is the answer. */
static void test_expose_cancelled(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    PB(Expose) wish = SHADOWPIPE__V1__EXPOSE__INIT;
    wish.snapshot_id = TEXT(SNAPSHOT_ID(01));
    wish.as_drive = TEXT("X:");
    world_rule(world, PB_METHOD(EXPOSE_SNAPSHOT), 1, ACT_HANG, 0);
    world_rule(world, PB_METHOD(CREATE_OBJECT), 2, ACT_HANG, 0);
    uint32_t id = ask(world, peer, PB_BODY(EXPOSE), &wish, 0);
    client_cancel(world, peer, id);
    world_run(world);
    assert_null(client_final(peer, id));
    requester_resume(world, world_hanging(world, PB_METHOD(EXPOSE_SNAPSHOT)));
    assert_int_equal(answered_by(peer, id), PB_BODY(EXPOSE_REPLY));
    id = ask(world, peer, PB_BODY(EXPOSE), &wish, 0);
    client_cancel(world, peer, id);
    world_run(world);
    assert_string_equal(client_status(peer, id)->reason, "CANCELLED"); /* nothing has begun */
    requester_resume(world, world_hanging(world, PB_METHOD(CREATE_OBJECT)));
    assert_int_equal(world_calls(world, PB_METHOD(EXPOSE_SNAPSHOT)), 1);
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* ---- BreakSet ---- */

static void test_break(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    PB(BreakSet) wish = SHADOWPIPE__V1__BREAK_SET__INIT;
    check_refusal(world, peer, PB_BODY(BREAK_SET), &wish, "BAD_ID", "break_set.set_id");
    wish.set_id = TEXT(SET_ID(01));
    uint32_t id = ask(world, peer, PB_BODY(BREAK_SET), &wish, 0);
    assert_int_equal(answered_by(peer, id), PB_BODY(BREAK_SET_REPLY));
    assert_string_equal(existing.text[0], SET_ID(01));
    assert_int_equal(world_calls(world, PB_METHOD(BREAK_SNAPSHOT_SET)), 1);
    check_vss_failure(world, peer, PB_BODY(BREAK_SET), &wish, PB_METHOD(BREAK_SNAPSHOT_SET), provider_veto);
    wish.flags = 0x300;
    id = ask(world, peer, PB_BODY(BREAK_SET), &wish, 0);
    assert_int_equal(answered_by(peer, id), PB_BODY(BREAK_SET_REPLY));
    assert_int_equal(existing.number, 0x300);
    assert_int_equal(world_calls(world, PB_METHOD(BREAK_SNAPSHOT_SET_EX)), 1);
    world_rule(world, PB_METHOD(BREAK_SNAPSHOT_SET_EX), 1, ACT_FAIL_ASYNC, 0x800423F6u);
    id = ask(world, peer, PB_BODY(BREAK_SET), &wish, 0);
    assert_string_equal(client_status(peer, id)->hresult_name, "VSS_E_BREAK_REVERT_ID_FAILED");
    struct peer *weak = client_connect(world, NULL, ALL_RIGHTS & ~RIGHT_BIT_MANAGE);
    check_refusal(world, weak, PB_BODY(BREAK_SET), &wish, "RIGHT_MISSING", "");
    world_end(world);
}

/* An asynchronous one is cancelled; if it will not end, its process is killed. */
static void test_break_cancelled(void **state)
{
    (void)state;
    static const enum action actions[] = {ACT_HANG, ACT_STUCK};
    for (int i = 0; i < 2; i++) {
        struct world *world;
        struct existing existing;
        struct peer *peer = begin(&world, &existing);
        PB(BreakSet) wish = SHADOWPIPE__V1__BREAK_SET__INIT;
        wish.set_id = TEXT(SET_ID(01));
        wish.flags = 1;
        world_rule(world, PB_METHOD(BREAK_SNAPSHOT_SET_EX), 1, actions[i], 0);
        uint32_t id = ask(world, peer, PB_BODY(BREAK_SET), &wish, 0);
        client_cancel(world, peer, id);
        world_advance(world, cancel_limit_ms(&world->config));
        assert_string_equal(client_status(peer, id)->reason, i == 0 ? "CANCELLED" : "PHASE_TIMEOUT");
        assert_int_equal(world->broker->counters.requesters_killed, i);
        assert_int_equal(world_alive(world), 0);
        world_end(world);
    }
}

/* ---- ImportSet ---- */

static char document_id[64];

static void put(struct world *world, struct peer *peer, size_t size, size_t sent)
{
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    size_t offset = 0;
    document_id[0] = '\0';
    while (offset < sent) {
        PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
        PB(PutDocument) message = SHADOWPIPE__V1__PUT_DOCUMENT__INIT;
        size_t left = sent - offset;
        chunk.offset = offset;
        chunk.data = (ProtobufCBinaryData){left < 256 * 1024 ? left : 256 * 1024, bytes};
        chunk.total_bytes = size;
        chunk.last = offset + chunk.data.len == size;
        message.chunk = &chunk;
        message.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
        message.document_id = document_id;
        uint32_t id = ask(world, peer, PB_BODY(PUT_DOCUMENT), &message, 0);
        assert_int_equal(answered_by(peer, id), PB_BODY(PUT_DOCUMENT_REPLY));
        strcpy(document_id, client_final(peer, id)->put_document_reply->document_id);
        offset += chunk.data.len;
    }
    free(bytes);
}

static void test_import(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    PB(ImportSet) wish = SHADOWPIPE__V1__IMPORT_SET__INIT;
    wish.document_id = document_id;
    put(world, peer, 600 * 1024, 600 * 1024);
    uint32_t id = ask(world, peer, PB_BODY(IMPORT_SET), &wish, 0);
    assert_int_equal(answered_by(peer, id), PB_BODY(IMPORT_SET_REPLY));
    const PB(ImportSetReply) *reply = client_final(peer, id)->import_set_reply;
    assert_int_equal(reply->n_snapshots, 2); /* those that were not there before */
    assert_string_equal(reply->snapshots[0]->snapshot_id, SNAPSHOT_ID(91));
    assert_string_equal(reply->snapshots[1]->snapshot_id, SNAPSHOT_ID(92));
    assert_int_equal(world->requesters[0].document_bytes, 600 * 1024);
    assert_true(world->requesters[0].document_is_whole);
    assert_string_equal(requester_history(world, 1),
                        "CreateVssBackupComponents InitializeForBackup SetContext Query*2 ImportSnapshots "
                        "Query*2 Release");
    /* Each document serves once. */
    check_refusal(world, peer, PB_BODY(IMPORT_SET), &wish, "UNKNOWN_DOCUMENT", "import_set.document_id");
    assert_int_equal(world->broker->documents_bytes, 0);
    world_end(world);
}

static void test_import_refused(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    PB(ImportSet) wish = SHADOWPIPE__V1__IMPORT_SET__INIT;
    wish.document_id = document_id;
    put(world, peer, 1000 * 1024, 256 * 1024);
    check_refusal(world, peer, PB_BODY(IMPORT_SET), &wish, "INCOMPLETE_DOCUMENT", "import_set.document_id");
    struct peer *weak = client_connect(world, NULL, ALL_RIGHTS & ~RIGHT_BIT_MANAGE);
    check_refusal(world, weak, PB_BODY(IMPORT_SET), &wish, "RIGHT_MISSING", "");
    put(world, peer, 10, 10);
    check_vss_failure(world, peer, PB_BODY(IMPORT_SET), &wish, PB_METHOD(INITIALIZE_FOR_BACKUP), 0x80042311u);
    put(world, peer, 10, 10);
    world_rule(world, PB_METHOD(IMPORT_SNAPSHOTS), 1, ACT_FAIL_ASYNC, 0x80042321u);
    uint32_t id = ask(world, peer, PB_BODY(IMPORT_SET), &wish, 0);
    assert_string_equal(client_status(peer, id)->hresult_name, "VSS_E_SOME_SNAPSHOTS_NOT_IMPORTED");
    world->document_refusal = "DAMAGED_DOCUMENT";
    put(world, peer, 10, 10);
    id = ask(world, peer, PB_BODY(IMPORT_SET), &wish, 0);
    assert_string_equal(client_status(peer, id)->reason, "DAMAGED_DOCUMENT");
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

/* The client goes: the import is cancelled, and the object released. */
static void test_import_abandoned(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    PB(ImportSet) wish = SHADOWPIPE__V1__IMPORT_SET__INIT;
    wish.document_id = document_id;
    put(world, peer, 10, 10);
    world_rule(world, PB_METHOD(IMPORT_SNAPSHOTS), 1, ACT_HANG, 0);
    ask(world, peer, PB_BODY(IMPORT_SET), &wish, 0);
    peer_close(world, peer);
    world_run(world);
    assert_int_equal(world_alive(world), 0);
    assert_int_equal(world_calls(world, PB_METHOD(RELEASE_OBJECT)), 1);
    assert_int_equal(world->broker->counters.requesters_killed, 0);
    world_end(world);
}

/* ---- RevertVolume ---- */

static void test_revert(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    PB(RevertVolume) wish = SHADOWPIPE__V1__REVERT_VOLUME__INIT;
    check_refusal(world, peer, PB_BODY(REVERT_VOLUME), &wish, "BAD_ID", "revert_volume.snapshot_id");
    wish.snapshot_id = TEXT(SNAPSHOT_ID(02));
    wish.force_dismount = true;
    for (int i = 0; i < 2; i++) {
        uint32_t id = ask(world, peer, PB_BODY(REVERT_VOLUME), &wish, 0);
        assert_int_equal(answered_by(peer, id), PB_BODY(REVERT_VOLUME_REPLY));
        assert_string_equal(client_final(peer, id)->revert_volume_reply->volume, VOLUME_D);
        assert_string_equal(existing.text[0], SNAPSHOT_ID(02));
        assert_int_equal(existing.number, 1);
        assert_int_equal(client_progress(peer, id)->phase, PB_PHASE(REVERTING));
        /* The second time it has ended before it is asked about. */
        world_rule(world, PB_METHOD(QUERY_REVERT_STATUS), 1, ACT_FAIL, object_not_found);
    }
    assert_string_equal(existing.text[1], "");
    world_clear_rules(world);
    check_vss_failure(world, peer, PB_BODY(REVERT_VOLUME), &wish, PB_METHOD(GET_SNAPSHOT_PROPERTIES),
                      object_not_found);
    check_vss_failure(world, peer, PB_BODY(REVERT_VOLUME), &wish, PB_METHOD(REVERT_TO_SNAPSHOT), 0x8004231Du);
    world_rule(world, PB_METHOD(QUERY_REVERT_STATUS), 1, ACT_FAIL_ASYNC, 0x80042326u);
    uint32_t id = ask(world, peer, PB_BODY(REVERT_VOLUME), &wish, 0);
    assert_string_equal(client_status(peer, id)->hresult_name, "VSS_E_REVERT_VOLUME_LOST");
    assert_string_equal(client_status(peer, id)->volume, VOLUME_D);
    struct peer *weak = client_connect(world, NULL, ALL_RIGHTS & ~RIGHT_BIT_MANAGE);
    check_refusal(world, weak, PB_BODY(REVERT_VOLUME), &wish, "RIGHT_MISSING", "");
    world_end(world);
}

/* Once it runs nothing ends it: no Cancel, no deadline, no client that goes. Others do not wait for it. */
static void test_revert_goes_on(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    struct peer *other = client_connect(world, NULL, ALL_RIGHTS);
    PB(RevertVolume) wish = SHADOWPIPE__V1__REVERT_VOLUME__INIT;
    wish.snapshot_id = TEXT(SNAPSHOT_ID(02));
    world_rule(world, PB_METHOD(QUERY_REVERT_STATUS), 0, ACT_HANG, 0);
    uint32_t id = ask(world, peer, PB_BODY(REVERT_VOLUME), &wish, 0);
    client_cancel(world, peer, id);
    world_advance(world, 100 * 1000);
    assert_null(client_final(peer, id));
    PB(Unexpose) back = SHADOWPIPE__V1__UNEXPOSE__INIT;
    back.snapshot_id = TEXT(SNAPSHOT_ID(01));
    assert_int_equal(answered_by(other, ask(world, other, PB_BODY(UNEXPOSE), &back, 0)),
                     PB_BODY(UNEXPOSE_REPLY));
    requester_resume(world, world_hanging(world, PB_METHOD(QUERY_REVERT_STATUS)));
    assert_int_equal(answered_by(peer, id), PB_BODY(REVERT_VOLUME_REPLY));

    id = ask(world, peer, PB_BODY(REVERT_VOLUME), &wish, 5000);
    world_advance(world, 5000);
    assert_string_equal(client_status(peer, id)->reason, "DEADLINE");
    assert_non_null(strstr(client_status(peer, id)->message, "that goes on"));
    world_advance(world, 3600 * 1000);
    assert_int_equal(world_alive(world), 1);
    requester_resume(world, world_hanging(world, PB_METHOD(QUERY_REVERT_STATUS)));
    assert_int_equal(world_alive(world), 0);
    assert_non_null(strstr(world->log, "was reverted"));

    ask(world, peer, PB_BODY(REVERT_VOLUME), &wish, 0);
    peer_close(world, peer);
    world_advance(world, 3600 * 1000);
    requester_resume(world, world_hanging(world, PB_METHOD(QUERY_REVERT_STATUS)));
    assert_non_null(strstr(world->log, "was reverted"));
    assert_int_equal(world->broker->counters.requesters_killed, 0);
    world_end(world);
}

/* The service stops: the client is told, and only the wait ends. Likewise before anything has begun. */
static void test_revert_and_stop(void **state)
{
    (void)state;
    static const PB(Call__MethodCase) methods[] = {PB_METHOD(QUERY_REVERT_STATUS), PB_METHOD(CREATE_OBJECT)};
    for (int i = 0; i < 2; i++) {
        struct world *world;
        struct existing existing;
        struct peer *peer = begin(&world, &existing);
        PB(RevertVolume) wish = SHADOWPIPE__V1__REVERT_VOLUME__INIT;
        wish.snapshot_id = TEXT(SNAPSHOT_ID(02));
        world_rule(world, methods[i], 0, ACT_HANG, 0);
        uint32_t id = ask(world, peer, PB_BODY(REVERT_VOLUME), &wish, 0);
        uint32_t waits = i == 1 ? ask(world, peer, PB_BODY(REVERT_VOLUME), &wish, 0) : 0;
        INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
        world_run(world);
        assert_string_equal(client_status(peer, id)->reason, "SHUTTING_DOWN");
        if (i == 1)
            assert_string_equal(client_status(peer, waits)->reason, "SHUTTING_DOWN");
        world_end(world);
    }
}

/* Stuck at the service's stop: killed when the time to stop is over. */
static void test_stop_kills(void **state)
{
    (void)state;
    struct world *world;
    struct existing existing;
    struct peer *peer = begin(&world, &existing);
    PB(Unexpose) wish = SHADOWPIPE__V1__UNEXPOSE__INIT;
    wish.snapshot_id = TEXT(SNAPSHOT_ID(01));
    world_rule(world, PB_METHOD(UNEXPOSE_SNAPSHOT), 1, ACT_STUCK, 0);
    uint32_t id = ask(world, peer, PB_BODY(UNEXPOSE), &wish, 0);
    INTO_BROKER(broker_stop(world->broker, BROKER_STOP_END));
    world_advance(world, world->config.stop_all_ms);
    assert_string_equal(client_status(peer, id)->reason, "SHUTTING_DOWN");
    assert_int_equal(world_alive(world), 0);
    world_end(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expose),           cmocka_unit_test(test_expose_refused),
        cmocka_unit_test(test_expose_cancelled), cmocka_unit_test(test_break),
        cmocka_unit_test(test_break_cancelled),  cmocka_unit_test(test_import),
        cmocka_unit_test(test_import_refused),   cmocka_unit_test(test_import_abandoned),
        cmocka_unit_test(test_revert),           cmocka_unit_test(test_revert_goes_on),
        cmocka_unit_test(test_revert_and_stop),  cmocka_unit_test(test_stop_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
