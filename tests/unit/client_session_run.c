/* `session` against a service that does what the test wants. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/command.h"
#include "client/cli/terminal.h"
#include "tests/unit/client_fake_server.h"
#include "tests/unit/cmocka_all.h"

enum {
    BAD_STATE = 0x80042301u,
    CALLS_MAX = 64,
    DOCUMENT_BYTES = 300 * 1024
};

static struct fake_server server;
static char folder[MAX_PATH];
static char output[1 << 16]; /* what the command has written to standard output */

/* What came in. */
static PB(Call__MethodCase) calls[CALLS_MAX];
static size_t calls_count;
static size_t closed;
static size_t cancels;
static size_t put_bytes;
/* The call that fails, and how. */
static PB(Call__MethodCase) failing;
static void (*fail_call)(struct fake_server *fake, uint32_t id);

/* ---- the service ---- */

static void send_call_reply(struct fake_server *fake, uint32_t id, const PB(CallReply) * call_reply)
{
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    reply.id = id;
    reply.body_case = PB_BODY(CALL_REPLY);
    reply.call_reply = (PB(CallReply) *)call_reply;
    fake_send(fake, &reply);
}

static void refuse_call(struct fake_server *fake, uint32_t id)
{
    PB(CallReply) reply = SHADOWPIPE__V1__CALL_REPLY__INIT;
    reply.hresult = BAD_STATE;
    reply.hresult_name = "VSS_E_BAD_STATE";
    reply.missing_prerequisite = "SetBackupState";
    send_call_reply(fake, id, &reply);
}

static void end_async_badly(struct fake_server *fake, uint32_t id)
{
    PB(CallReply) reply = SHADOWPIPE__V1__CALL_REPLY__INIT;
    reply.async_hresult = 0x8004231F;
    reply.async_hresult_name = "VSS_E_INSUFFICIENT_STORAGE";
    send_call_reply(fake, id, &reply);
}

static void idle_at_the_gate(struct fake_server *fake, uint32_t id)
{
    fake_send_status(fake, id, PB_CODE(ABORTED), "GATE_IDLE");
}

/* An interrupt comes while the call runs; it is cancelled, and says so. */
static void wait_for_cancel(struct fake_server *fake, uint32_t id)
{
    SetEvent(terminal_interrupted());
    SetEvent(fake->go); /* the test's thread cancels, as the handler of an interrupt does */
    const PB(Envelope) *cancel = fake_receive(fake);
    if (cancel && cancel->body_case == PB_BODY(CANCEL) && cancel->cancel->id == id)
        cancels++;
    fake_send_status(fake, id, PB_CODE(CANCELLED), "CANCELLED");
}

static void answer_call(struct fake_server *fake, const PB(Envelope) * request)
{
    PB(CallReply) reply = SHADOWPIPE__V1__CALL_REPLY__INIT;
    PB(SaveAsXMLResult) saved = SHADOWPIPE__V1__SAVE_AS_XMLRESULT__INIT;
    uint32_t id = request->id;
    PB(Call__MethodCase) method = request->call->method_case;
    assert_true(calls_count < CALLS_MAX);
    calls[calls_count++] = method;
    if (method == failing) {
        fail_call(fake, id);
        return;
    }
    if (method == PB_METHOD(SAVE_AS_XML)) {
        reply.out_case = PB_OUT(SAVE_AS_XML);
        reply.save_as_xml = &saved;
    }
    send_call_reply(fake, id, &reply);
}

static void answer_read(struct fake_server *fake, uint32_t id)
{
    static uint8_t wrong_hash[32];
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    reply.id = id;
    reply.body_case = PB_BODY(DOCUMENT_CHUNK);
    reply.document_chunk = &chunk;
    chunk.data.data = (uint8_t *)"<bcd/>";
    chunk.data.len = 6;
    chunk.total_bytes = 6;
    chunk.last = true;
    chunk.sha256.data = wrong_hash;
    chunk.sha256.len = sizeof wrong_hash;
    fake_send(fake, &reply);
}

static void answer_other(struct fake_server *fake, const PB(Envelope) * request)
{
    PB(Envelope) reply = SHADOWPIPE__V1__ENVELOPE__INIT;
    PB(OpenSessionReply) open = SHADOWPIPE__V1__OPEN_SESSION_REPLY__INIT;
    PB(CloseSessionReply) close = SHADOWPIPE__V1__CLOSE_SESSION_REPLY__INIT;
    PB(PutDocumentReply) put = SHADOWPIPE__V1__PUT_DOCUMENT_REPLY__INIT;
    reply.id = request->id;
    switch (request->body_case) {
    case PB_BODY(OPEN_SESSION):
        open.session_id = "session-1";
        if (put_bytes > 0)
            assert_string_equal(request->open_session->document_id, "document-1");
        reply.body_case = PB_BODY(OPEN_SESSION_REPLY);
        reply.open_session_reply = &open;
        break;
    case PB_BODY(PUT_DOCUMENT):
        assert_string_equal(request->put_document->document_id, put_bytes ? "document-1" : "");
        assert_int_equal(request->put_document->chunk->offset, put_bytes);
        put_bytes += request->put_document->chunk->data.len;
        assert_int_equal(request->put_document->chunk->last, put_bytes == DOCUMENT_BYTES);
        put.document_id = "document-1";
        reply.body_case = PB_BODY(PUT_DOCUMENT_REPLY);
        reply.put_document_reply = &put;
        break;
    case PB_BODY(CLOSE_SESSION):
        closed++;
        reply.body_case = PB_BODY(CLOSE_SESSION_REPLY);
        reply.close_session_reply = &close;
        break;
    default:
        fake_send_status(fake, request->id, PB_CODE(UNIMPLEMENTED), "UNIMPLEMENTED");
        return;
    }
    fake_send(fake, &reply);
}

static void scene(struct fake_server *fake)
{
    const PB(Envelope) * request;
    fake_greet(fake);
    while ((request = fake_receive(fake))) {
        if (request->body_case == PB_BODY(CALL))
            answer_call(fake, request);
        else if (request->body_case == PB_BODY(READ_DOCUMENT))
            answer_read(fake, request->id);
        else
            answer_other(fake, request);
    }
}

/* ---- the command ---- */

static void path_in_folder(char path[MAX_PATH], const char *name)
{
    (void)snprintf(path, MAX_PATH, "%s\\%s", folder, name);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    (void)fclose(file);
}

static DWORD WINAPI cancel_when_told(void *cancel)
{
    WaitForSingleObject(server.go, INFINITE);
    sp_cancel_now(cancel);
    return 0;
}

/* Runs the script and gives its exit code. */
static int run_bytes(const void *script, size_t size)
{
    char path[MAX_PATH];
    char output_path[MAX_PATH];
    path_in_folder(path, "script");
    path_in_folder(output_path, "output");
    write_file(path, script, size);
    struct arguments arguments = {.command = COMMAND_SESSION, .quiet = true, .json = true, .script = path};
    struct session session = {.arguments = &arguments, .deadline = UINT64_MAX};
    calls_count = 0;
    closed = 0;
    put_bytes = 0;
    HANDLE standard = GetStdHandle(STD_OUTPUT_HANDLE);
    HANDLE file = CreateFileA(output_path, GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, 0, NULL);
    SetStdHandle(STD_OUTPUT_HANDLE, file);
    fake_server_start(&server, scene);
    arguments.pipe = server.pipe;
    session.cancel = sp_cancel_create();
    assert_true(terminal_catch_interrupts(session.cancel));
    HANDLE thread = CreateThread(NULL, 0, cancel_when_told, session.cancel, 0, NULL);
    int code = (int)command_session(&session);
    sp_close(session.client);
    SetEvent(server.go);
    WaitForSingleObject(thread, INFINITE);
    CloseHandle(thread);
    fake_server_stop(&server);
    SetStdHandle(STD_OUTPUT_HANDLE, standard);
    CloseHandle(file);
    FILE *read = fopen(output_path, "rb");
    assert_non_null(read);
    output[fread(output, 1, sizeof output - 1, read)] = 0;
    (void)fclose(read);
    return code;
}

static int run(const char *script)
{
    return run_bytes(script, strlen(script));
}

static size_t lines_of_output(void)
{
    size_t count = 0;
    for (const char *at = output; (at = strchr(at, '\n')); at++)
        count++;
    return count;
}

static void expect_output(const char *part)
{
    if (!strstr(output, part))
        fail_msg("\"%s\" lacks \"%s\"", output, part);
}

static int forget(void **state)
{
    (void)state;
    failing = PB_METHOD(_NOT_SET);
    cancels = 0;
    return 0;
}

/* ---- tests ---- */

static void each_command_has_its_line(void **state)
{
    (void)state;
    assert_int_equal(
        run("\xEF\xBB\xBF# a comment\r\n\r\nadd alias a b\r\ncall GetSessionId\r\nexit\r\nno such thing\r\n"),
        OUTCOME_DONE);
    assert_int_equal(lines_of_output(), 3);
    expect_output("{\"line\":3,\"command\":\"add alias a b\",\"ok\":true}\n");
    expect_output("{\"line\":4,\"command\":\"call GetSessionId\",\"ok\":true,\"reply\":{}}\n");
    assert_int_equal(closed, 1);
}

static void a_script_stops_at_what_fails(void **state)
{
    (void)state;
    failing = PB_METHOD(PREPARE_FOR_BACKUP);
    fail_call = refuse_call;
    assert_int_equal(run("call InitializeForBackup\ncall PrepareForBackup\ncall DoSnapshotSet\n"),
                     OUTCOME_VSS_FAILED);
    assert_int_equal(calls_count, 2);
    assert_int_equal(closed, 1);
    assert_int_equal(lines_of_output(), 2);
    expect_output("\"ok\":false,\"reply\":{\"hresult\":2147754753,");
    expect_output("\"missingPrerequisite\":\"SetBackupState\"");
    expect_output("\"hresultName\":\"VSS_E_BAD_STATE\"");
}

static void unless_it_may_fail(void **state)
{
    (void)state;
    failing = PB_METHOD(PREPARE_FOR_BACKUP);
    fail_call = end_async_badly;
    assert_int_equal(
        run("- call PrepareForBackup\ncall GetSessionId\nset onerror continue\ncall PrepareForBackup\n"
            "nonsense\ncall GetSessionId"),
        OUTCOME_DONE);
    assert_int_equal(calls_count, 4);
    expect_output("VSS_E_INSUFFICIENT_STORAGE");
    assert_int_equal(lines_of_output(), 6);
}

static void a_set_that_the_service_aborted(void **state)
{
    (void)state;
    failing = PB_METHOD(PREPARE_FOR_BACKUP);
    fail_call = idle_at_the_gate;
    assert_int_equal(run("call StartSnapshotSet\ncall PrepareForBackup"), OUTCOME_FAILED);
    expect_output("\"reason\":\"GATE_IDLE\"");
    assert_int_equal(closed, 1);
}

static void an_interrupt_cancels_and_ends_a_script(void **state)
{
    (void)state;
    failing = PB_METHOD(DO_SNAPSHOT_SET);
    fail_call = wait_for_cancel;
    assert_int_equal(run("set onerror continue\n-call DoSnapshotSet\ncall GetSessionId\n"), OUTCOME_FAILED);
    assert_int_equal(cancels, 1);
    assert_int_equal(calls_count, 1);
    assert_int_equal(closed, 1); /* which is not cancelled */
}

static void wrong_lines(void **state)
{
    static const struct {
        const char *line;
        const char *part;
    } wrong[] = {
        {"create", "no volume"},
        {"end backup", "no backup"},
        {"begin restore", "no document"},
        {"simulate restore", "no document"},
        {"import", "no document"},
        {"resync", "not said which"},
        {"pre restore", "No restore"},
        {"post restore", "No restore"},
        {"end restore", "No restore"},
        {"select component W:\\C", "No restore"},
        {"set file status all W:\\C", "No restore"},
        {"set file status some W:\\C", "not understood"},
        {"save document x", "No backup or restore"},
        {"revert 1", "cannot be undone"},
        {"revert 1 --no", "not understood"},
        {"break loudly 1", "not understood"},
        {"resync loudly", "not understood"},
        {"set context", "too few"},
        {"set context eternal", "no context"},
        {"set context volatile writers", "no context"},
        {"set option plex differential", "contradict"},
        {"set option noautorecover txfrecover", "contradict"},
        {"set option fast", "no option"},
        {"set backup type hourly", "no such backup type"},
        {"set backup type full twice", "no such backup type"},
        {"set restore type fast", "no restore type"},
        {"set verbose maybe", "not understood"},
        {"set onerror maybe", "not understood"},
        {"add alias a%%b c", "cannot be the name"},
        {"add horse", "cannot be added"},
        {"add component Writer", "does not name a component"},
        {"delete shadows", "not said which"},
        {"delete shadows some 1", "not understood"},
        {"list writers some", "not understood"},
        {"list shadows some", "not understood"},
        {"expose 1 C:\\x path", "Only a share"},
        {"load metadata Z:\\no\\such\\file", "read Z:"},
        {"exec no-such-program-anywhere", "no program"},
        {"call Nothing", "no method"},
        {"create now", "too many"},
        {"fly", "no command"},
        {"say \"x", "quote"},
        {"exec %no_such_alias%", "%no_such_alias%"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_not_equal(run(wrong[i].line), OUTCOME_DONE);
        expect_output("\"ok\":false");
        expect_output(wrong[i].part);
    }
}

static void files_that_are_no_scripts(void **state)
{
    static char long_line[128 * 1024];
    (void)state;
    assert_int_equal(run_bytes("exec gr\xFC\xDF\n", 9), OUTCOME_USAGE);
    assert_int_equal(run_bytes("\xFF\xFE"
                               "e\0x\0",
                               6),
                     OUTCOME_USAGE);
    memset(long_line, 'x', sizeof long_line);
    assert_int_equal(run_bytes(long_line, sizeof long_line), OUTCOME_USAGE);
    assert_int_equal(lines_of_output(), 0);
}

static void a_document_goes_in_by_chunks(void **state)
{
    static char bytes[DOCUMENT_BYTES];
    char path[MAX_PATH];
    char aliases[MAX_PATH];
    char script[3 * MAX_PATH];
    (void)state;
    path_in_folder(path, "bcd");
    path_in_folder(aliases, "bcd.aliases");
    memset(bytes, 'x', sizeof bytes);
    write_file(path, bytes, sizeof bytes);
    write_file(aliases, "add alias Method \"GetSessionId\"\r\nexec format\n", 46);
    (void)snprintf(script, sizeof script, "load metadata %s\ncall InitializeForRestore\ncall %%Method%%\n",
                   path);
    assert_int_equal(run(script), OUTCOME_DONE);
    assert_int_equal(put_bytes, DOCUMENT_BYTES);
    assert_int_equal(calls_count, 2);
    assert_int_equal(calls[0], PB_METHOD(INITIALIZE_FOR_RESTORE));
    assert_int_equal(calls[1], PB_METHOD(GET_SESSION_ID));
}

static void a_damaged_document_is_not_saved(void **state)
{
    char path[MAX_PATH];
    char script[2 * MAX_PATH];
    (void)state;
    path_in_folder(path, "damaged");
    (void)snprintf(script, sizeof script, "call InitializeForBackup\nsave document %s\n", path);
    assert_int_equal(run(script), OUTCOME_FAILED);
    expect_output("DAMAGED_DOCUMENT");
    assert_int_equal(GetFileAttributesA(path), INVALID_FILE_ATTRIBUTES);
}

static int make_folder(void **state)
{
    char temp[MAX_PATH];
    (void)state;
    if (!GetTempPathA(sizeof temp, temp))
        return -1;
    (void)snprintf(folder, sizeof folder, "%sshadowpipe-session-%lu", temp, GetCurrentProcessId());
    return CreateDirectoryA(folder, NULL) ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"script", "output", "bcd", "bcd.aliases", "damaged"};
    char path[MAX_PATH];
    (void)state;
    for (size_t i = 0; i < ARRAYSIZE(names); i++) {
        path_in_folder(path, names[i]);
        DeleteFileA(path);
    }
    RemoveDirectoryA(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(each_command_has_its_line, forget),
        cmocka_unit_test_teardown(a_script_stops_at_what_fails, forget),
        cmocka_unit_test_teardown(unless_it_may_fail, forget),
        cmocka_unit_test_teardown(a_set_that_the_service_aborted, forget),
        cmocka_unit_test_teardown(an_interrupt_cancels_and_ends_a_script, forget),
        cmocka_unit_test_teardown(wrong_lines, forget),
        cmocka_unit_test_teardown(files_that_are_no_scripts, forget),
        cmocka_unit_test_teardown(a_document_goes_in_by_chunks, forget),
        cmocka_unit_test_teardown(a_damaged_document_is_not_saved, forget),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
