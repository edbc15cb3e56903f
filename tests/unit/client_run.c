/* `run` against a service that does what the test wants. Started with --guard it is the guard. */
#include <process.h>
#include <stdio.h>
#include <string.h>

#include <windows.h>

#include "client/cli/command.h"
#include "client/cli/guard.h"
#include "client/cli/terminal.h"
#include "tests/unit/client_fake_server.h"
#include "tests/unit/cmocka_all.h"

enum {
    LIMIT_MS = 30000
};

static struct fake_server server;
static char marker[MAX_PATH]; /* the program makes this file */

/* The interrupt comes when the snapshot is made already, and nothing is left to cancel. */
static void scene_interrupted(struct fake_server *fake)
{
    fake_greet(fake);
    uint32_t id = fake_expect(fake, PB_BODY(CREATE_SNAPSHOT))->id;
    SetEvent(terminal_interrupted());
    fake_send_snapshot(fake, id, "lease");
    const PB(Envelope) *finish = fake_expect(fake, PB_BODY(FINISH_BACKUP));
    if (finish->finish_backup->outcome == PB_VALUE(OUTCOME, OUTCOME_FAILED))
        SetEvent(fake->reached);
    fake_send_finish(fake, finish->id);
    (void)fake_receive(fake);
}

static unsigned __stdcall play_again(void *scene)
{
    fake_server_again(&server, (void (*)(struct fake_server *))scene);
    return 0;
}

/* `again`: what a second service plays, after the first has gone; NULL: there is none. */
static int run_in_scenes(void (*scene)(struct fake_server *fake), void (*again)(struct fake_server *fake))
{
    char command[2 * MAX_PATH];
    char *program[] = {"cmd", "/c", command};
    struct arguments arguments = {.command = COMMAND_RUN,
                                  .quiet = true,
                                  .volumes = {{"C:"}, 1},
                                  .program = program,
                                  .program_count = 3};
    struct session session = {.arguments = &arguments, .deadline = UINT64_MAX};
    (void)snprintf(command, sizeof command, "echo x>%s", marker);
    fake_server_start(&server, scene);
    arguments.pipe = server.pipe;
    session.cancel = sp_cancel_create();
    assert_true(terminal_catch_interrupts(session.cancel));
    HANDLE other = again ? (HANDLE)_beginthreadex(NULL, 0, play_again, (void *)again, 0, NULL) : NULL;
    int code = command_run(&session);
    sp_close(session.client);
    if (other) {
        assert_int_equal(WaitForSingleObject(other, LIMIT_MS), WAIT_OBJECT_0);
        CloseHandle(other);
    }
    return code;
}

static int run_to_make_marker(void (*scene)(struct fake_server *fake))
{
    return run_in_scenes(scene, NULL);
}

static bool marker_exists(void)
{
    return GetFileAttributesA(marker) != INVALID_FILE_ATTRIBUTES;
}

static void an_interrupted_run_starts_no_program(void **state)
{
    (void)state;
    assert_int_equal(run_to_make_marker(scene_interrupted), OUTCOME_RUN_OFFSET + OUTCOME_FAILED);
    assert_false(marker_exists());
    assert_int_equal(WaitForSingleObject(server.reached, LIMIT_MS), WAIT_OBJECT_0);
    fake_server_stop(&server);
}

static void scene_good(struct fake_server *fake)
{
    fake_greet(fake);
    fake_send_snapshot(fake, fake_expect(fake, PB_BODY(CREATE_SNAPSHOT))->id, "lease");
    fake_send_finish(fake, fake_expect(fake, PB_BODY(FINISH_BACKUP))->id);
    (void)fake_receive(fake);
}

static void otherwise_the_program_runs(void **state)
{
    (void)state;
    /* The fake snapshot does not cover everything, which is an outcome of its own. */
    assert_int_equal(run_to_make_marker(scene_good), OUTCOME_RUN_OFFSET + OUTCOME_PARTIAL);
    assert_true(marker_exists());
    fake_server_stop(&server);
}

/* ---- the service dies under it ---- */

static void scene_dies(struct fake_server *fake)
{
    fake_greet(fake);
    fake_send_snapshot(fake, fake_expect(fake, PB_BODY(CREATE_SNAPSHOT))->id, "lease");
    FlushFileBuffers(fake->handle);
    fake->boot_id = "another boot";
}

static void scene_adopts(struct fake_server *fake)
{
    PB(SnapshotReply) snapshot = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    PB(LeaseReply) lease = SHADOWPIPE__V1__LEASE_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    fake_greet(fake);
    reply.id = fake_expect(fake, PB_BODY(ATTACH_LEASE))->id;
    snapshot.lease_id = "lease";
    snapshot.token = "secret";
    lease.snapshot = &snapshot;
    reply.body_case = PB_BODY(LEASE_REPLY);
    reply.lease_reply = &lease;
    fake_send(fake, &reply);
    const PB(Envelope) *finish = fake_expect(fake, PB_BODY(FINISH_BACKUP));
    if (finish->finish_backup->outcome == PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED))
        SetEvent(fake->reached);
    fake_send_finish(fake, finish->id);
    (void)fake_receive(fake);
}

static void scene_knows_nothing(struct fake_server *fake)
{
    fake_greet(fake);
    fake_send_status(fake, fake_expect(fake, PB_BODY(ATTACH_LEASE))->id, PB_CODE(NOT_FOUND), "UNKNOWN_LEASE");
    (void)fake_receive(fake);
}

static void a_run_outlives_its_service(void **state)
{
    (void)state;
    DeleteFileA(marker);
    assert_int_equal(run_in_scenes(scene_dies, scene_adopts), OUTCOME_RUN_OFFSET + OUTCOME_PARTIAL);
    assert_true(marker_exists());
    assert_int_equal(WaitForSingleObject(server.reached, LIMIT_MS), WAIT_OBJECT_0);
    fake_server_stop(&server);
}

static void a_snapshot_that_was_lost_fails_the_run(void **state)
{
    (void)state;
    assert_int_equal(run_in_scenes(scene_dies, scene_knows_nothing), OUTCOME_RUN_OFFSET + OUTCOME_FAILED);
    fake_server_stop(&server);
}

static int name_marker(void **state)
{
    char temp[MAX_PATH];
    (void)state;
    if (!GetTempPathA(sizeof temp, temp))
        return -1;
    (void)snprintf(marker, sizeof marker, "%sshadowpipe-run-%lu", temp, GetCurrentProcessId());
    return 0;
}

static int remove_marker(void **state)
{
    (void)state;
    DeleteFileA(marker);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interrupted_run_starts_no_program),
        cmocka_unit_test(otherwise_the_program_runs),
        cmocka_unit_test(a_run_outlives_its_service),
        cmocka_unit_test(a_snapshot_that_was_lost_fails_the_run),
    };
    if (argc == 2 && strcmp(argv[1], "--guard") == 0)
        return guard_main();
    return cmocka_run_group_tests(tests, name_marker, remove_marker);
}
