/* `run` against a service that does what the test wants. Started with --guard it is the guard. */
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

static int run_to_make_marker(void (*scene)(struct fake_server *fake))
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
    int code = command_run(&session);
    sp_close(session.client);
    return code;
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
    };
    if (argc == 2 && strcmp(argv[1], "--guard") == 0)
        return guard_main();
    return cmocka_run_group_tests(tests, name_marker, remove_marker);
}
