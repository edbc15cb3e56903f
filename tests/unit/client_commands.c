/* The commands around documents, manifests and stored snapshots, against a service that does what the test
 * wants. Started with --guard it is the guard. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/command.h"
#include "client/cli/file.h"
#include "client/cli/guard.h"
#include "client/cli/terminal.h"
#include "proto/sha256.h"
#include "tests/unit/client_fake_server.h"
#include "tests/unit/cmocka_all.h"

enum {
    LIMIT_MS = 30000
};

static const char INSTANCE[] = "3808876b-c176-4e48-b7ae-04046e6cc752";

static struct fake_server server;
static char folder[MAX_PATH];
static PB(Outcome) finished; /* how the scene was told that the backup went */

static const char *in_folder(const char *name)
{
    static char paths[4][2 * MAX_PATH];
    static unsigned next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s\\%s", folder, name);
    return path;
}

static int run(struct arguments *arguments, int (*runner)(struct session *session),
               enum outcome (*command)(struct session *session), void (*scene)(struct fake_server *fake))
{
    struct session session = {.arguments = arguments, .deadline = UINT64_MAX};
    if (scene)
        fake_server_start(&server, scene);
    arguments->pipe = scene ? server.pipe : "nobody";
    session.cancel = sp_cancel_create();
    assert_true(terminal_catch_interrupts(session.cancel));
    int code = runner ? runner(&session) : (int)command(&session);
    sp_close(session.client);
    if (scene)
        fake_server_stop(&server);
    return code;
}

static bool has_content(const char *name, const char *content)
{
    size_t size;
    char *bytes = file_read(in_folder(name), 10000, &size, NULL);
    bool same = bytes && strcmp(bytes, content) == 0;
    free(bytes);
    return same;
}

/* ---- documents ---- */

static void send_document(struct fake_server *fake, const char *content)
{
    uint8_t hash[SHA256_BYTES];
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = fake_expect(fake, PB_BODY(READ_DOCUMENT))->id;
    (void)sha256(content, strlen(content), hash);
    chunk.data = (ProtobufCBinaryData){strlen(content), (uint8_t *)content};
    chunk.total_bytes = strlen(content);
    chunk.last = true;
    chunk.sha256 = (ProtobufCBinaryData){sizeof hash, hash};
    reply.body_case = PB_BODY(DOCUMENT_CHUNK);
    reply.document_chunk = &chunk;
    fake_send(fake, &reply);
}

/* Takes the request of a snapshot that is by component, with documents. */
static void send_snapshot(struct fake_server *fake, const char *instance)
{
    static char *names[] = {"C:\\"};
    PB(Snapshot) volume = SHADOWPIPE__V1__SNAPSHOT__INIT;
    PB(Snapshot) * volumes[] = {&volume};
    PB(DocumentInfo) components = SHADOWPIPE__V1__DOCUMENT_INFO__INIT;
    PB(DocumentInfo) metadata = SHADOWPIPE__V1__DOCUMENT_INFO__INIT;
    PB(DocumentInfo) * documents[] = {&components, &metadata};
    PB(SnapshotReply) snapshot = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = fake_expect(fake, PB_BODY(CREATE_SNAPSHOT))->id;
    volume.volume_names = names;
    volume.n_volume_names = 1;
    volume.device = "\\\\?\\C:\\copy";
    volume.device_root = "\\\\?\\C:\\copy\\";
    components.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
    metadata.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_WRITER_METADATA);
    metadata.writer_instance_id = (char *)instance;
    snapshot.lease_id = "lease";
    snapshot.token = "secret";
    snapshot.volumes = volumes;
    snapshot.n_volumes = 1;
    snapshot.documents = documents;
    snapshot.n_documents = 2;
    reply.body_case = PB_BODY(SNAPSHOT_REPLY);
    reply.snapshot_reply = &snapshot;
    fake_send(fake, &reply);
}

static void take_finish(struct fake_server *fake, bool with_document)
{
    PB(DocumentInfo) components = SHADOWPIPE__V1__DOCUMENT_INFO__INIT;
    PB(DocumentInfo) * documents[] = {&components};
    PB(FinishReply) finish = SHADOWPIPE__V1__FINISH_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(FINISH_BACKUP));
    reply.id = request->id;
    finished = request->finish_backup->outcome;
    finish.completion = finished == PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED)
                            ? PB_VALUE(COMPLETION, COMPLETION_COMPLETED)
                            : PB_VALUE(COMPLETION, COMPLETION_ABORTED);
    components.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
    finish.documents = documents;
    finish.n_documents = with_document ? 1 : 0;
    reply.body_case = PB_BODY(FINISH_REPLY);
    reply.finish_reply = &finish;
    fake_send(fake, &reply);
}

static void send_components(struct fake_server *fake, const char *left_out)
{
    PB(ShadowFiles) file = SHADOWPIPE__V1__SHADOW_FILES__INIT;
    PB(ShadowFiles) * files[] = {&file};
    PB(SelectedComponent) selected = SHADOWPIPE__V1__SELECTED_COMPONENT__INIT;
    PB(ComponentsReply) listed = SHADOWPIPE__V1__COMPONENTS_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = fake_expect(fake, PB_BODY(LIST_COMPONENTS))->id;
    file.path = "C:\\Data";
    file.shadow_path = "\\\\?\\C:\\copy\\Data";
    file.filespec = "*";
    selected.writer_name = "W";
    selected.files = files;
    selected.n_files = 1;
    selected.left_out = (char *)left_out;
    reply.body_case = PB_BODY(SELECTED_COMPONENT);
    reply.selected_component = &selected;
    fake_send(fake, &reply);
    reply.body_case = PB_BODY(COMPONENTS_REPLY);
    reply.components_reply = &listed;
    fake_send(fake, &reply);
}

static void scene_whole(struct fake_server *fake)
{
    fake_greet(fake);
    send_snapshot(fake, INSTANCE);
    send_document(fake, "<first/>");
    send_document(fake, "<metadata/>");
    send_components(fake, "");
    take_finish(fake, true);
    send_document(fake, "<completed/>");
    (void)fake_receive(fake);
}

static void scene_not_completed(struct fake_server *fake)
{
    fake_greet(fake);
    send_snapshot(fake, INSTANCE);
    send_document(fake, "<first/>");
    send_document(fake, "<metadata/>");
    send_components(fake, "");
    take_finish(fake, false);
    (void)fake_receive(fake);
}

static void scene_escape(struct fake_server *fake)
{
    fake_greet(fake);
    send_snapshot(fake, "..\\..\\evil");
    send_document(fake, "<first/>");
    take_finish(fake, true);
    (void)fake_receive(fake);
}

static void scene_short_list(struct fake_server *fake)
{
    fake_greet(fake);
    send_snapshot(fake, INSTANCE);
    send_document(fake, "<first/>");
    send_document(fake, "<metadata/>");
    send_components(fake, "files");
    take_finish(fake, true);
    (void)fake_receive(fake);
}

/* The program looks for the documents and the manifest by its environment, and makes a file if they are
 * there. */
static int run_with_documents(void (*scene)(struct fake_server *fake))
{
    static char command[] = "if exist %SHADOWPIPE_DOCUMENTS%\\backup-components.xml if exist "
                            "%SHADOWPIPE_MANIFEST% copy %SHADOWPIPE_DOCUMENTS%\\backup-components.xml "
                            "%SHADOWPIPE_DOCUMENTS%\\seen";
    char *program[] = {"cmd", "/c", command};
    struct arguments arguments = {.command = COMMAND_RUN,
                                  .quiet = true,
                                  .volumes = {{"C:"}, 1},
                                  .selected = {{"W:a"}, 1},
                                  .save_documents = folder,
                                  .manifest = in_folder("manifest"),
                                  .program = program,
                                  .program_count = 3};
    DeleteFileA(in_folder("seen"));
    return run(&arguments, command_run, NULL, scene);
}

static void documents_are_there_before_the_program_and_completed_after_it(void **state)
{
    (void)state;
    assert_int_equal(run_with_documents(scene_whole), 0);
    assert_int_equal(finished, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
    assert_true(has_content("seen", "<first/>"));
    assert_true(has_content("backup-components.xml", "<completed/>"));
    assert_true(has_content("writer-3808876b-c176-4e48-b7ae-04046e6cc752.xml", "<metadata/>"));
    size_t size;
    char *manifest = file_read(in_folder("manifest"), 10000, &size, NULL);
    assert_non_null(manifest);
    assert_non_null(strstr(manifest, "\"shadow\":\"\\\\\\\\?\\\\C:\\\\copy\\\\Data\""));
    free(manifest);
}

static void what_is_not_completed_is_reported(void **state)
{
    (void)state;
    assert_int_equal(run_with_documents(scene_not_completed), OUTCOME_RUN_OFFSET + OUTCOME_FAILED);
    assert_true(has_content("backup-components.xml", "<first/>"));
}

static void a_name_that_leads_away_fails_the_backup(void **state)
{
    (void)state;
    assert_int_equal(run_with_documents(scene_escape), OUTCOME_RUN_OFFSET + OUTCOME_FAILED);
    assert_int_equal(finished, PB_VALUE(OUTCOME, OUTCOME_FAILED));
    assert_false(has_content("seen", "<first/>"));
}

static void a_list_with_gaps_fails_the_backup(void **state)
{
    (void)state;
    assert_int_equal(run_with_documents(scene_short_list), OUTCOME_RUN_OFFSET + OUTCOME_FAILED);
    assert_int_equal(finished, PB_VALUE(OUTCOME, OUTCOME_FAILED));
    assert_false(has_content("seen", "<first/>"));
}

static void a_document_that_cannot_be_written_fails_the_backup(void **state)
{
    (void)state;
    HANDLE held = CreateFileA(in_folder("backup-components.xml"), GENERIC_READ, FILE_SHARE_READ, NULL,
                              OPEN_ALWAYS, 0, NULL);
    assert_true(held != INVALID_HANDLE_VALUE);
    assert_int_equal(run_with_documents(scene_escape), OUTCOME_RUN_OFFSET + OUTCOME_NOT_PERMITTED);
    CloseHandle(held);
    assert_int_equal(finished, PB_VALUE(OUTCOME, OUTCOME_FAILED));
    assert_false(has_content("seen", "<first/>"));
}

static void a_folder_that_cannot_be_made_costs_no_freeze(void **state)
{
    struct arguments arguments = {.command = COMMAND_SNAPSHOT,
                                  .quiet = true,
                                  .volumes = {{"C:"}, 1},
                                  .save_documents = in_folder("no\\such\\folder")};
    (void)state;
    assert_int_equal(run(&arguments, NULL, command_snapshot, NULL), OUTCOME_FAILED);
}

/* ---- stored snapshots ---- */

static void scene_delete(struct fake_server *fake)
{
    static char *ids[] = {"one", "two"};
    PB(DeleteReply) deleted = SHADOWPIPE__V1__DELETE_REPLY__INIT;
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    fake_greet(fake);
    reply.id = fake_expect(fake, PB_BODY(DELETE_SNAPSHOTS))->id;
    deleted.deleted = ids;
    deleted.n_deleted = 1;
    deleted.left = ids + 1;
    deleted.n_left = 1;
    reply.body_case = PB_BODY(DELETE_REPLY);
    reply.delete_reply = &deleted;
    fake_send(fake, &reply);
    (void)fake_receive(fake);
}

static void what_is_left_is_an_exit_code(void **state)
{
    struct arguments arguments = {.command = COMMAND_DELETE, .quiet = true, .all_mine = true, .yes = true};
    (void)state;
    assert_int_equal(run(&arguments, NULL, command_delete, scene_delete), OUTCOME_PARTIAL);
    arguments.yes = false;
    arguments.dry_run = true;
    assert_int_equal(run(&arguments, NULL, command_delete, scene_delete), OUTCOME_PARTIAL);
}

/* Standard input of a test is no console. */
static void nobody_is_asked_where_nobody_is(void **state)
{
    struct arguments arguments = {
        .quiet = true, .all_mine = true, .snapshot = INSTANCE, .document = "missing"};
    (void)state;
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    assert_true(SetStdHandle(STD_INPUT_HANDLE, NULL));
    assert_int_equal(run(&arguments, NULL, command_delete, NULL), OUTCOME_USAGE);
    assert_int_equal(run(&arguments, NULL, command_break, NULL), OUTCOME_USAGE);
    assert_int_equal(run(&arguments, NULL, command_import, NULL), OUTCOME_USAGE);
    assert_int_equal(run(&arguments, NULL, command_revert, NULL), OUTCOME_USAGE);
    arguments.yes = true;
    assert_int_equal(run(&arguments, NULL, command_import, NULL), OUTCOME_FAILED); /* no such file */
    assert_true(SetStdHandle(STD_INPUT_HANDLE, input));
}

static void scene_attach(struct fake_server *fake)
{
    fake_greet(fake);
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(ATTACH_SNAPSHOT));
    bool right =
        strcmp(request->attach_snapshot->snapshot_id, INSTANCE) == 0 && !*request->attach_snapshot->device;
    if (right)
        fake_send_snapshot(fake, request->id, "lease");
    else
        fake_send_status(fake, request->id, PB_CODE(NOT_FOUND), "WRONG_REQUEST");
    take_finish(fake, false);
    (void)fake_receive(fake);
}

static void a_snapshot_that_exists_is_held(void **state)
{
    struct arguments arguments = {.command = COMMAND_ATTACH,
                                  .quiet = true,
                                  .snapshot = "{3808876B-C176-4E48-B7AE-04046E6CC752}",
                                  .hold = "0"};
    (void)state;
    /* The fake snapshot does not cover everything, which is an outcome of its own. */
    assert_int_equal(run(&arguments, NULL, command_attach, scene_attach), OUTCOME_PARTIAL);
    assert_int_equal(finished, PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED));
}

static int make_folder(void **state)
{
    char temp[MAX_PATH];
    (void)state;
    if (!GetTempPathA(sizeof temp, temp))
        return -1;
    (void)snprintf(folder, sizeof folder, "%sshadowpipe-commands-%lu", temp, GetCurrentProcessId());
    /* A test that was ended may have left one; process ids come again. */
    return CreateDirectoryA(folder, NULL) || GetLastError() == ERROR_ALREADY_EXISTS ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {
        "backup-components.xml", "writer-3808876b-c176-4e48-b7ae-04046e6cc752.xml", "manifest", "seen"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        DeleteFileA(in_folder(names[i]));
    return RemoveDirectoryA(folder) ? 0 : -1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_there_before_the_program_and_completed_after_it),
        cmocka_unit_test(what_is_not_completed_is_reported),
        cmocka_unit_test(a_name_that_leads_away_fails_the_backup),
        cmocka_unit_test(a_list_with_gaps_fails_the_backup),
        cmocka_unit_test(a_document_that_cannot_be_written_fails_the_backup),
        cmocka_unit_test(a_folder_that_cannot_be_made_costs_no_freeze),
        cmocka_unit_test(what_is_left_is_an_exit_code),
        cmocka_unit_test(nobody_is_asked_where_nobody_is),
        cmocka_unit_test(a_snapshot_that_exists_is_held),
    };
    if (argc == 2 && strcmp(argv[1], "--guard") == 0)
        return guard_main();
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
