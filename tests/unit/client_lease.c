/* The library's calls for leases. */
#include <string.h>

#include "client/lib/shadowpipe.h"
#include "proto/wire.h"
#include "tests/unit/client_support.h"
#include "tests/unit/cmocka_all.h"

static void reply(struct fake_server *fake, const PB(Envelope) * request, PB(Envelope__BodyCase) kind,
                  void *message)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.id = request->id;
    envelope.body_case = kind;
    envelope.hello = message; /* all of the union are pointers */
    fake_send(fake, &envelope);
}

static void fill_info(PB(LeaseInfo) * info)
{
    static char *volumes[] = {"C:\\"};
    shadowpipe__v1__lease_info__init(info);
    info->lease_id = "lease-1";
    info->mode = PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED);
    info->expires_ms = 1234;
    info->volumes = volumes;
    info->n_volumes = 1;
    info->persistent = true;
}

static void scene_leases(struct fake_server *fake)
{
    PB(LeaseInfo) info;
    PB(LeaseInfo) * infos[] = {&info};
    PB(LeasesReply) leases = SHADOWPIPE__V1__LEASES_REPLY__INIT;
    PB(LeaseReply) lease = SHADOWPIPE__V1__LEASE_REPLY__INIT;
    PB(SnapshotReply) snapshot = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    fill_info(&info);
    fake_greet(fake);
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(LIST_LEASES));
    leases.leases = infos;
    leases.n_leases = request->list_leases->all_owners ? 1 : 0;
    reply(fake, request, PB_BODY(LEASES_REPLY), &leases);
    request = fake_expect(fake, PB_BODY(RENEW_LEASE));
    bool right = strcmp(request->renew_lease->token, "secret") == 0 && request->renew_lease->ttl_ms == 7;
    lease.lease = right ? &info : NULL;
    reply(fake, request, PB_BODY(LEASE_REPLY), &lease);
    request = fake_expect(fake, PB_BODY(ATTACH_LEASE));
    snapshot.lease_id = request->attach_lease->lease_id;
    snapshot.token = "secret";
    snapshot.expires_ms = 1234;
    lease.snapshot = &snapshot;
    reply(fake, request, PB_BODY(LEASE_REPLY), &lease);
    request = fake_expect(fake, PB_BODY(CREATE_SNAPSHOT));
    const PB(LeaseOptions) *options = request->create_snapshot->lease;
    bool wished =
        options && options->mode == PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED) && options->ttl_ms == 9;
    fake_send_snapshot(fake, request->id, wished ? "detached" : "wrong");
    request = fake_expect(fake, PB_BODY(ATTACH_SNAPSHOT));
    options = request->attach_snapshot->lease;
    wished = options && options->mode == PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED) && options->ttl_ms == 0;
    fake_send_snapshot(fake, request->id, wished ? "detached" : "wrong");
}

static void leases_are_listed_renewed_and_found_again(void **state)
{
    (void)state;
    static const char *const volumes[] = {"C:"};
    struct sp_client *client = connect_to_scene(scene_leases);
    struct sp_leases *leases = sp_list_leases(client, true, 0, &error);
    assert_non_null(leases);
    assert_int_equal(leases->count, 1);
    assert_string_equal(leases->leases[0].lease_id, "lease-1");
    assert_true(leases->leases[0].detached && leases->leases[0].persistent);
    assert_string_equal(leases->leases[0].volumes[0], "C:\\");
    sp_leases_free(leases);
    int64_t expires_ms = 0;
    assert_true(sp_renew_lease(client, "lease-1", "secret", 7, 0, &expires_ms, &error));
    assert_int_equal(expires_ms, 1234);
    struct sp_snapshot *snapshot = sp_attach_lease(client, "lease-1", "secret", 0, &error);
    assert_non_null(snapshot);
    assert_string_equal(snapshot->lease_id, "lease-1");
    assert_int_equal(snapshot->expires_ms, 1234);
    sp_snapshot_free(snapshot);
    struct sp_snapshot_request request = {
        .volumes = volumes, .volumes_count = 1, .detached = true, .ttl_ms = 9};
    snapshot = sp_create_snapshot(client, &request, &error);
    assert_non_null(snapshot);
    assert_string_equal(snapshot->lease_id, "detached");
    sp_snapshot_free(snapshot);
    struct sp_attach_request attach = {.snapshot_id = "1", .detached = true};
    snapshot = sp_attach_snapshot(client, &attach, &error);
    assert_non_null(snapshot);
    assert_string_equal(snapshot->lease_id, "detached");
    sp_snapshot_free(snapshot);
    end(client);
}

static PB(LeaseEventKind) last_kind; /* that the scene sends */
static const char *last_reason;      /* of its final reply */

static void scene_watch(struct fake_server *fake)
{
    PB(LeaseInfo) info;
    PB(LeaseEvent) event = SHADOWPIPE__V1__LEASE_EVENT__INIT;
    fill_info(&info);
    event.lease = &info;
    fake_greet(fake);
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(WATCH_LEASE));
    event.number = 1;
    event.kind = strcmp(request->watch_lease->token, "secret") == 0 && request->timeout_ms == 0
                     ? PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_PRESENT)
                     : PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_LOST);
    reply(fake, request, PB_BODY(LEASE_EVENT), &event);
    event.number = 2;
    event.lost_events = 3;
    event.kind = last_kind;
    reply(fake, request, PB_BODY(LEASE_EVENT), &event);
    fake_send_status(fake, request->id, PB_CODE(NOT_FOUND), last_reason);
}

struct seen {
    unsigned count;
    enum sp_lease_event_kind kinds[2];
    uint64_t lost_events;
};

static void on_event(void *context, const struct sp_lease_event *event)
{
    struct seen *seen = context;
    assert_int_equal(event->number, seen->count + 1);
    assert_string_equal(event->lease.lease_id, "lease-1");
    seen->kinds[seen->count++ % 2] = event->kind;
    seen->lost_events += event->lost_events;
}

static bool watch(PB(LeaseEventKind) kind, const char *reason)
{
    struct seen seen = {0};
    struct sp_lease_watch wish = {
        .lease_id = "lease-1", .token = "secret", .on_event = on_event, .context = &seen};
    last_kind = kind;
    last_reason = reason;
    struct sp_client *client = connect_to_scene(scene_watch);
    bool has_ended = sp_watch_lease(client, &wish, &error);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.kinds[0], SP_LEASE_PRESENT);
    assert_int_equal(seen.kinds[1], kind);
    assert_int_equal(seen.lost_events, 3);
    if (!has_ended)
        expect_error(SP_NOT_FOUND, reason);
    end(client);
    return has_ended;
}

static void watching_ends_well_with_the_lease_only(void **state)
{
    (void)state;
    assert_true(watch(PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_ENDED), "UNKNOWN_LEASE"));
    assert_false(watch(PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_LOST), "UNKNOWN_LEASE"));
    assert_false(watch(PB_VALUE(LEASE_EVENT_KIND, LEASE_EVENT_ENDED), "OTHER"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leases_are_listed_renewed_and_found_again),
        cmocka_unit_test(watching_ends_well_with_the_lease_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
