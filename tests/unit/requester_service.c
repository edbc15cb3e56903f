#include "cmocka_all.h"
#include "requester_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static unsigned stores;

/* ---- The process. ---- */

static DWORD WINAPI leak(void *unused)
{
    (void)unused;
    for (;;) {
        void *memory = malloc(64 * 1024);
        if (memory != NULL) {
            memset(memory, 1, 64 * 1024);
        }
        Sleep(10);
    }
    return 0;
}

void service_run_as_requester(int count, char **arguments)
{
    static struct requester_arguments handoff;
    static struct requester_limits limits;
    DWORD got = 0;
    if (count != 4 || strcmp(arguments[1], "--requester") != 0) {
        return;
    }
    HANDLE pipe = (HANDLE)(uintptr_t)strtoull(arguments[2], NULL, 10);
    if (!ReadFile(pipe, &limits, sizeof limits, &got, NULL) || got != sizeof limits ||
        handoff_read(pipe, &handoff) != ERROR_SUCCESS) {
        exit(90);
    }
    if (strcmp(arguments[3], "leaks") == 0) {
        CreateThread(NULL, 0, leak, NULL, 0, NULL);
    }
    exit(requester_run(&handoff, &limits));
}

static void remove_tree(const wchar_t *directory)
{
    wchar_t path[MAX_PATH * 2];
    WIN32_FIND_DATAW found;
    swprintf(path, MAX_PATH * 2, L"%ls\\*", directory);
    HANDLE search = FindFirstFileW(path, &found);
    if (search != INVALID_HANDLE_VALUE) {
        do {
            if (wcscmp(found.cFileName, L".") == 0 || wcscmp(found.cFileName, L"..") == 0) {
                continue;
            }
            swprintf(path, MAX_PATH * 2, L"%ls\\%ls", directory, found.cFileName);
            if ((found.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
                remove_tree(path);
            } else {
                DeleteFileW(path);
            }
        } while (FindNextFileW(search, &found));
        FindClose(search);
    }
    RemoveDirectoryW(directory);
}

/* The build says where the simulator is in the words of the machine that built it. */
static void find_simulator(wchar_t *path)
{
    swprintf(path, HANDOFF_LIBRARY_CHARS, L"%ls%hs", SIMULATOR_PATH[0] == '/' ? L"Z:" : L"", SIMULATOR_PATH);
    for (wchar_t *at = path; *at != L'\0'; at++) {
        if (*at == L'/') {
            *at = L'\\';
        }
    }
}

void service_init(struct service *service)
{
    wchar_t temp[MAX_PATH];
    memset(service, 0, sizeof *service);
    service->limits = (struct requester_limits){
        .connect_ms = 10000,
        .welcome_ms = 10000,
        .ready_ms = 30000,
        .cancel_grace_ms = 10000,
        .finish_ms = 20000,
        .finish_held_ms = 20000,
        .abort_ms = 20000,
        .release_ms = 20000,
        .redial_ms = 50,
    };
    struct requester_arguments *arguments = &service->arguments;
    arguments->magic = HANDOFF_MAGIC;
    arguments->must_be_simulator = 1;
    arguments->orphan_grace_ms = 10000;
    for (unsigned i = 0; i < HANDOFF_SECRET_BYTES; i++) {
        arguments->secret[i] = (uint8_t)(i * 7 + 1);
    }
    find_simulator(arguments->vss_library);
    unsigned number = ++stores;
    swprintf(arguments->pipe_name, HANDOFF_PIPE_CHARS, L"\\\\.\\pipe\\shadowpipe-test-%lu-%u",
             GetCurrentProcessId(), number);
    assert_true(GetTempPathW(MAX_PATH - 60, temp) > 0);
    swprintf(service->store, MAX_PATH, L"%lsshadowpipe-test-%lu-%u", temp, GetCurrentProcessId(), number);
    remove_tree(service->store);
    assert_true(CreateDirectoryW(service->store, NULL));
    assert_true(SetEnvironmentVariableW(L"SHADOWSIM_STORE", service->store));
    SetEnvironmentVariableW(L"SHADOWSIM_SCENARIO", NULL);
    arena_init(&service->arena, DECODE_LIMIT_REPLY_BYTES);
}

void service_scenario(struct service *service, const char *text)
{
    wchar_t path[MAX_PATH + 20];
    swprintf(path, MAX_PATH + 20, L"%ls\\scenario.ini", service->store);
    FILE *file = _wfopen(path, L"wb");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void start_process(struct service *service)
{
    wchar_t path[MAX_PATH];
    wchar_t command[MAX_PATH + 100];
    HANDLE read_end;
    HANDLE write_end;
    DWORD written;
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION information;
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    assert_true(CreatePipe(&read_end, &write_end, &inherited, 16384));
    assert_true(SetHandleInformation(write_end, HANDLE_FLAG_INHERIT, 0));
    assert_true(WriteFile(write_end, &service->limits, sizeof service->limits, &written, NULL));
    assert_int_equal(handoff_write(write_end, &service->arguments), ERROR_SUCCESS);
    assert_true(GetModuleFileNameW(NULL, path, MAX_PATH) > 0);
    swprintf(command, MAX_PATH + 100, L"\"%ls\" --requester %llu %ls", path,
             (unsigned long long)(uintptr_t)read_end, service->leaks ? L"leaks" : L"sound");
    assert_true(CreateProcessW(path, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &information));
    CloseHandle(information.hThread);
    CloseHandle(read_end);
    CloseHandle(write_end);
    service->process = information.hProcess;
    service->process_id = information.dwProcessId;
}

/* ---- The pipe. ---- */

static DWORD finish(struct service *service, OVERLAPPED *overlapped, BOOL started)
{
    DWORD moved = 0;
    if (!started && GetLastError() != ERROR_IO_PENDING) {
        return 0;
    }
    if (WaitForSingleObject(service->event, TEST_LIMIT_MS) != WAIT_OBJECT_0) {
        CancelIoEx(service->pipe, overlapped);
        GetOverlappedResult(service->pipe, overlapped, &moved, TRUE);
        fail_msg("the requester does not answer");
    }
    return GetOverlappedResult(service->pipe, overlapped, &moved, FALSE) ? moved : 0;
}

static void create_pipe(struct service *service)
{
    service->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    service->pipe = CreateNamedPipeW(service->arguments.pipe_name, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED,
                                     PIPE_TYPE_BYTE | PIPE_WAIT, 1, 65536, 65536, 0, NULL);
    assert_true(service->pipe != INVALID_HANDLE_VALUE);
    frame_reader_init(&service->reader, FRAME_LIMIT_REQUEST_BYTES);
    service->input_left = 0;
}

static void await_client(struct service *service)
{
    OVERLAPPED overlapped = {.hEvent = service->event};
    BOOL connected = ConnectNamedPipe(service->pipe, &overlapped);
    if (!connected && GetLastError() == ERROR_PIPE_CONNECTED) {
        return;
    }
    finish(service, &overlapped, connected);
}

void service_start(struct service *service)
{
    create_pipe(service);
    start_process(service);
    await_client(service);
}

void service_start_without_pipe(struct service *service)
{
    start_process(service);
}

void service_listen(struct service *service)
{
    create_pipe(service);
    await_client(service);
}

void service_send_bytes(struct service *service, const void *bytes, size_t size)
{
    OVERLAPPED overlapped = {.hEvent = service->event};
    BOOL written = WriteFile(service->pipe, bytes, (DWORD)size, NULL, &overlapped);
    assert_int_equal(finish(service, &overlapped, written), size);
}

void service_send(struct service *service, PB(Envelope) * envelope)
{
    struct frame_buffer frame = {0};
    assert_true(frame_encode(&frame, envelope, FRAME_LIMIT_REPLY_BYTES));
    service_send_bytes(service, frame.data, frame.size);
    frame_buffer_free(&frame);
}

/* NULL: the requester has closed the pipe. */
PB(Envelope) * service_receive(struct service *service)
{
    const uint8_t *payload;
    size_t size;
    for (;;) {
        if (service->input_left == 0) {
            OVERLAPPED overlapped = {.hEvent = service->event};
            BOOL read = ReadFile(service->pipe, service->input, sizeof service->input, NULL, &overlapped);
            service->input_at = service->input;
            service->input_left = finish(service, &overlapped, read);
            if (service->input_left == 0) {
                return NULL;
            }
        }
        enum frame_result result =
            frame_reader_take(&service->reader, &service->input_at, &service->input_left, &payload, &size);
        assert_true(result == FRAME_READY || result == FRAME_NEED_MORE);
        if (result == FRAME_READY) {
            break;
        }
    }
    struct decode_error error;
    arena_reset(&service->arena);
    PB(Envelope) *envelope = decode_envelope(&service->arena, payload, size, DECODE_STRICT, &error);
    if (envelope == NULL) {
        fail_msg("the requester's frame is not sound: %s %s", error.field, error.message);
    }
    return envelope;
}

PB(CallReply) * service_receive_reply(struct service *service, uint32_t id)
{
    PB(Envelope) *envelope = service_receive(service);
    assert_non_null(envelope);
    assert_int_equal(envelope->body_case, PB_BODY(CALL_REPLY));
    assert_int_equal(envelope->id, id);
    return envelope->call_reply;
}

void service_welcome(struct service *service)
{
    PB(RequesterWelcome) welcome = SHADOWPIPE__V1__REQUESTER_WELCOME__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    welcome.orphan_grace_ms = service->arguments.orphan_grace_ms;
    envelope.id = 1;
    envelope.body_case = PB_BODY(REQUESTER_WELCOME);
    envelope.requester_welcome = &welcome;
    service_send(service, &envelope);
    service->last_id = 1;
}

void service_start_welcomed(struct service *service)
{
    service_start(service);
    PB(Envelope) *envelope = service_receive(service);
    assert_non_null(envelope);
    assert_int_equal(envelope->body_case, PB_BODY(REQUESTER_HELLO));
    assert_int_equal(envelope->id, 1);
    service_welcome(service);
}

void service_break(struct service *service)
{
    CloseHandle(service->pipe);
    CloseHandle(service->event);
    frame_reader_free(&service->reader);
    service->pipe = NULL;
}

DWORD service_exit_code(struct service *service)
{
    DWORD code = STILL_ACTIVE;
    if (service->pipe != NULL) {
        service_break(service);
    }
    assert_int_equal(WaitForSingleObject(service->process, TEST_LIMIT_MS), WAIT_OBJECT_0);
    assert_true(GetExitCodeProcess(service->process, &code));
    return code;
}

void service_end(struct service *service)
{
    CloseHandle(service->process);
    arena_free(&service->arena);
    remove_tree(service->store);
}

/* ---- Calls. ---- */

uint32_t service_begin(struct service *service, PB(Call) * call)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.id = ++service->last_id;
    envelope.body_case = PB_BODY(CALL);
    envelope.call = call;
    service_send(service, &envelope);
    return envelope.id;
}

PB(CallReply) * service_call(struct service *service, PB(Call) * call)
{
    return service_receive_reply(service, service_begin(service, call));
}

/* The caller frees the message, whichever it is. */
void service_method(PB(Call) * call, PB(Call__MethodCase) method)
{
    shadowpipe__v1__call__init(call);
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&shadowpipe__v1__call__descriptor, (unsigned)method);
    assert_non_null(field);
    ProtobufCMessage *message =
        malloc(((const ProtobufCMessageDescriptor *)field->descriptor)->sizeof_message);
    assert_non_null(message);
    protobuf_c_message_init(field->descriptor, message);
    call->method_case = method;
    call->prepare_for_backup = (void *)message;
}

PB(CallReply) * service_simple(struct service *service, PB(Call__MethodCase) method)
{
    PB(Call) call;
    service_method(&call, method);
    PB(CallReply) *reply = service_call(service, &call);
    free(call.prepare_for_backup);
    return reply;
}

PB(CallReply) * service_set_state(struct service *service)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(SetBackupState) state = SHADOWPIPE__V1__SET_BACKUP_STATE__INIT;
    state.backup_type = 5; /* VSS_BT_COPY */
    call.method_case = PB_METHOD(SET_BACKUP_STATE);
    call.set_backup_state = &state;
    return service_call(service, &call);
}

void service_good(struct service *service, PB(Call__MethodCase) method)
{
    PB(CallReply) *reply =
        method == PB_METHOD(SET_BACKUP_STATE) ? service_set_state(service) : service_simple(service, method);
    if (reply->hresult != 0 || (reply->async_hresult != 0 && reply->async_hresult != 0x0004230A)) {
        fail_msg("method %d answers 0x%08x, 0x%08x", method, reply->hresult, reply->async_hresult);
    }
    assert_null(reply->status);
}

/* ---- The simulator's log. ---- */

unsigned service_logged(const struct service *service, const char *text)
{
    wchar_t path[MAX_PATH + 20];
    char line[1024];
    unsigned count = 0;
    swprintf(path, MAX_PATH + 20, L"%ls\\events.log", service->store);
    HANDLE handle = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                NULL, OPEN_EXISTING, 0, NULL);
    if (handle == INVALID_HANDLE_VALUE) {
        return 0;
    }
    size_t used = 0;
    DWORD got;
    while (used < sizeof line && ReadFile(handle, line + used, 1, &got, NULL) && got == 1) {
        if (line[used] != '\n' && used < sizeof line - 2) {
            used++;
            continue;
        }
        line[used] = '\0';
        count += strstr(line, text) != NULL;
        used = 0;
    }
    CloseHandle(handle);
    return count;
}

void service_await_log(const struct service *service, const char *text)
{
    for (DWORD start = GetTickCount(); service_logged(service, text) == 0; Sleep(20)) {
        if (GetTickCount() - start > TEST_LIMIT_MS) {
            fail_msg("the simulator does not log \"%s\"", text);
        }
    }
}
