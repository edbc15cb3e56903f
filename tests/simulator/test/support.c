#include "support.h"

#include <stdlib.h>
#include <wchar.h>

static size_t log_mark;

void check_hr(HRESULT expected, HRESULT got, const char *expression, const char *file, int line)
{
    if (expected == got)
        return;
    print_error("%s: 0x%08lx, expected 0x%08lx\n", expression, (unsigned long)got, (unsigned long)expected);
    _fail(file, line);
}

/* ---- backups ---- */

struct backup backup_new(void)
{
    struct backup backup = {0};
    assert_hr(S_OK, machine.create(&backup.object));
    backup.wide = (IVssBackupComponentsEx4 *)backup.object;
    return backup;
}

HRESULT wait_async(IVssAsync *async)
{
    HRESULT result = E_UNEXPECTED;
    assert_non_null(async);
    assert_hr(S_OK, IVssAsync_Wait(async, MACHINE_LIMIT_MS));
    assert_hr(S_OK, IVssAsync_QueryStatus(async, &result, NULL));
    IVssAsync_Release(async);
    return result;
}

HRESULT run_async(struct backup *backup, start_method start)
{
    IVssAsync *async = NULL;
    assert_hr(S_OK, start(backup->object, &async));
    return wait_async(async);
}

HRESULT backup_add(struct backup *backup, unsigned volume)
{
    return IVssBackupComponents_AddToSnapshotSet(backup->object, machine.volumes[volume], GUID_NULL,
                                                 &backup->snapshots[volume]);
}

static void take_step(struct backup *backup, enum stage to)
{
    IVssBackupComponents *object = backup->object;
    switch (to) {
    case STAGE_INITIALIZED:
        assert_hr(S_OK, IVssBackupComponents_InitializeForBackup(object, NULL));
        break;
    case STAGE_STATE_SET:
        assert_hr(S_OK, IVssBackupComponents_SetBackupState(object, 0, 0, VSS_BT_COPY, 0));
        break;
    case STAGE_GATHERED:
        assert_hr(VSS_S_ASYNC_FINISHED, GATHER(backup));
        break;
    case STAGE_STARTED:
        assert_hr(S_OK, IVssBackupComponents_StartSnapshotSet(object, &backup->set));
        break;
    case STAGE_ADDED:
        assert_hr(S_OK, backup_add(backup, 0));
        break;
    case STAGE_PREPARED:
        assert_hr(VSS_S_ASYNC_FINISHED, PREPARE(backup));
        break;
    case STAGE_CREATED:
        assert_hr(VSS_S_ASYNC_FINISHED, SNAPSHOT(backup));
        break;
    case STAGE_COMPLETED:
        assert_hr(VSS_S_ASYNC_FINISHED, COMPLETE(backup));
        break;
    case STAGE_NEW:
    default:
        break;
    }
}

void backup_advance(struct backup *backup, enum stage from, enum stage to)
{
    while (from < to)
        take_step(backup, (enum stage)(++from));
}

struct backup backup_at(enum stage stage)
{
    struct backup backup = backup_new();
    backup_advance(&backup, STAGE_NEW, stage);
    return backup;
}

void backup_release(struct backup *backup)
{
    assert_int_equal(IVssBackupComponents_Release(backup->object), 0);
    backup->object = NULL;
}

int state_of(struct backup *backup, const wchar_t *writer, HRESULT *failure)
{
    UINT count = 0;
    int state = -1;
    assert_hr(VSS_S_ASYNC_FINISHED, STATUS(backup));
    assert_hr(S_OK, IVssBackupComponents_GetWriterStatusCount(backup->object, &count));
    for (UINT i = 0; i < count; i++) {
        GUID instance, class_id;
        BSTR name;
        VSS_WRITER_STATE found;
        HRESULT hr;
        assert_hr(S_OK, IVssBackupComponents_GetWriterStatus(backup->object, i, &instance, &class_id, &name,
                                                             &found, &hr));
        if (wcscmp(name, writer) == 0) {
            state = (int)found;
            if (failure)
                *failure = hr;
        }
        SysFreeString(name);
    }
    assert_hr(S_OK, IVssBackupComponents_FreeWriterStatus(backup->object));
    return state;
}

/* ---- components ---- */

const GUID ledger_class = {0x11111111, 0x2222, 0x3333, {0x44, 0x44, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55}};

const char ledger[] = "[writer:Ledger]\nclass={11111111-2222-3333-4444-555555555555}\ncomponent=Books\n"
                      "logical_path=Accounts\npath=C:\\Ledger\nspec=*.bok\nschema=7\nservice=LedgerSvc\n"
                      "alternate_path=C:\\Elsewhere\npartial=C:\\Ledger\\big.bok\n"
                      "depends_on={afbab4a2-367d-4d15-a586-71dbb18f8485} ;Registry\n"
                      "[component:Ledger:Journal]\ndatabase=1\npath=C:\\Ledger\\db\n"
                      "log_path=C:\\Ledger\\log\n";

struct backup ledger_backup(enum stage stage, VSS_BACKUP_TYPE type, BOOL partial, GUID *instance)
{
    struct backup b = backup_at(STAGE_STATE_SET);
    UINT count;
    assert_hr(S_OK, IVssBackupComponents_SetBackupState(b.object, 1, 0, type, (boolean)partial));
    backup_advance(&b, STAGE_STATE_SET, STAGE_GATHERED);
    *instance = GUID_NULL;
    assert_hr(S_OK, IVssBackupComponents_GetWriterMetadataCount(b.object, &count));
    for (UINT i = 0; i < count; i++) {
        IVssExamineWriterMetadata *metadata;
        GUID id, class_id;
        VSS_USAGE_TYPE usage;
        VSS_SOURCE_TYPE source;
        BSTR name;
        assert_hr(S_OK, IVssBackupComponents_GetWriterMetadata(b.object, i, &id, &metadata));
        assert_hr(S_OK,
                  IVssExamineWriterMetadata_GetIdentity(metadata, &id, &class_id, &name, &usage, &source));
        if (IsEqualGUID(&class_id, &ledger_class))
            *instance = id;
        SysFreeString(name);
        IVssExamineWriterMetadata_Release(metadata);
    }
    assert_hr(S_OK, CALL(b.object, AddComponent, *instance, ledger_class, BOOKS));
    assert_hr(S_OK, CALL(b.object, AddComponent, *instance, ledger_class, JOURNAL));
    backup_advance(&b, STAGE_GATHERED, stage);
    return b;
}

ULONG release_components(IVssWriterComponentsExt *components)
{
    IUnknown *unknown = (IUnknown *)((char *)components + sizeof(void *));
    return IUnknown_Release(unknown);
}

IVssComponentEx2 *component_at(struct backup *backup, UINT writer, UINT index)
{
    IVssWriterComponentsExt *components;
    IVssComponent *component;
    void *wide;
    assert_hr(S_OK, IVssBackupComponents_GetWriterComponents(backup->object, writer, &components));
    assert_hr(S_OK, IVssWriterComponentsExt_GetComponent(components, index, &component));
    assert_int_equal(release_components(components), 0);
    assert_hr(S_OK, IVssComponent_QueryInterface(component, &IID_IVssComponentEx2, &wide));
    assert_int_equal(IVssComponent_Release(component), 1);
    return wide;
}

void check_text(IVssComponentEx2 *component, text_getter get, const wchar_t *expected)
{
    BSTR text = (BSTR)1;
    assert_hr(expected ? S_OK : S_FALSE, get(component, &text));
    if (expected ? wcscmp(text, expected) != 0 : text != NULL)
        fail_msg("\"%ls\", expected \"%ls\"", text, expected);
    SysFreeString(text);
    assert_hr(E_INVALIDARG, get(component, NULL));
}

/* ---- files ---- */

static void store_file(wchar_t *path, const wchar_t *name)
{
    swprintf(path, MAX_PATH, L"%ls\\%ls", machine.store, name);
}

void write_file(const wchar_t *path, const char *text)
{
    FILE *file = _wfopen(path, L"wb");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

void scenario(const char *text)
{
    wchar_t path[MAX_PATH];
    store_file(path, L"scenario.ini");
    if (text)
        write_file(path, text);
    else
        DeleteFileW(path);
}

static char *read_file(const wchar_t *path, size_t *size)
{
    HANDLE file = CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                              NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return NULL;
    DWORD n = 0;
    *size = GetFileSize(file, NULL);
    char *text = calloc(*size + 1, 1);
    if (text && !ReadFile(file, text, (DWORD)*size, &n, NULL))
        n = 0;
    CloseHandle(file);
    return text;
}

unsigned count_logged(const char *text)
{
    wchar_t path[MAX_PATH];
    size_t size = 0;
    unsigned count = 0;
    store_file(path, L"events.log");
    char *log = read_file(path, &size);
    if (log && log_mark <= size)
        for (const char *at = log + log_mark; (at = strstr(at, text)) != NULL; at++)
            count++;
    free(log);
    return count;
}

BOOL logged(const char *text)
{
    return count_logged(text) > 0;
}

BOOL file_exists(const wchar_t *format, ...)
{
    wchar_t path[2 * MAX_PATH];
    va_list arguments;
    va_start(arguments, format);
    vswprintf(path, ARRAYSIZE(path), format, arguments);
    va_end(arguments);
    return GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES;
}

BOOL file_has(const wchar_t *path, const char *text)
{
    size_t size = 0;
    char *found = read_file(path, &size);
    BOOL has = found && strcmp(found, text) == 0;
    free(found);
    return has;
}

unsigned files_in(const wchar_t *folder, const wchar_t *pattern)
{
    wchar_t path[MAX_PATH];
    WIN32_FIND_DATAW found;
    unsigned count = 0;
    swprintf(path, MAX_PATH, L"%ls\\%ls\\%ls", machine.store, folder, pattern);
    HANDLE search = FindFirstFileW(path, &found);
    if (search == INVALID_HANDLE_VALUE)
        return 0;
    do
        count += found.cFileName[0] != L'.';
    while (FindNextFileW(search, &found));
    FindClose(search);
    return count;
}

/* ---- a test's beginning and end ---- */

static void mark_log(void)
{
    wchar_t path[MAX_PATH];
    size_t size = 0;
    store_file(path, L"events.log");
    free(read_file(path, &size));
    log_mark = size;
}

int test_begin(void **state)
{
    (void)state;
    scenario(NULL);
    mark_log();
    return 0;
}

int test_end(void **state)
{
    wchar_t path[MAX_PATH];
    size_t size = 0;
    (void)state;
    scenario(NULL);
    unsigned objects = files_in(L"objects", L"*"), copies = files_in(L"copies", L"*");
    store_file(path, L"creator.txt");
    char *creator = read_file(path, &size);
    BOOL open = creator && strstr(creator, "state=open");
    free(creator);
    if (objects || copies || open)
        print_error("left behind: %u objects, %u copies, creator %s\n", objects, copies,
                    open ? "open" : "closed");
    return objects || copies || open ? -1 : 0;
}

/* ---- other processes ---- */

struct child child_start(const wchar_t *role)
{
    struct child child = {0};
    wchar_t program[MAX_PATH], command[MAX_PATH + 40];
    SECURITY_ATTRIBUTES inherit = {sizeof inherit, NULL, TRUE};
    HANDLE reading, writing;
    GetModuleFileNameW(NULL, program, MAX_PATH);
    swprintf(command, ARRAYSIZE(command), L"\"%ls\" --child %ls", program, role);
    assert_true(CreatePipe(&reading, &writing, &inherit, 0));
    SetHandleInformation(reading, HANDLE_FLAG_INHERIT, 0);
    STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES, .hStdOutput = writing};
    assert_true(CreateProcessW(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &child.process));
    CloseHandle(writing);
    char ready = 0;
    DWORD n = 0;
    BOOL ok = ReadFile(reading, &ready, 1, &n, NULL);
    CloseHandle(reading);
    assert_true(ok && ready == '+');
    return child;
}

void child_kill(struct child *child)
{
    TerminateProcess(child->process.hProcess, 9);
    WaitForSingleObject(child->process.hProcess, INFINITE);
    CloseHandle(child->process.hProcess);
    CloseHandle(child->process.hThread);
}

/* A writer that hangs for ever: AbortBackup gives up after a while, and so does Release. */
static int be_stuck(void)
{
    struct backup backup = backup_at(STAGE_ADDED);
    IVssAsync *async;
    DWORD n;
    mark_log();
    assert_hr(S_OK, IVssBackupComponents_PrepareForBackup(backup.object, &async));
    wait_until(logged("\thangs\tSystem Writer"));
    assert_hr(VSS_E_UNEXPECTED, IVssBackupComponents_AbortBackup(backup.object));
    backup_release(&backup);
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "+", 1, &n, NULL);
    Sleep(INFINITE);
    return 0;
}

/* Before the files are copied, or in the middle of that, as far as one can see from outside. */
static int be_copying(BOOL begun)
{
    struct backup backup = backup_at(STAGE_ADDED);
    IVssAsync *async;
    DWORD n;
    mark_log();
    assert_hr(S_OK, backup_add(&backup, 1));
    backup_advance(&backup, STAGE_ADDED, STAGE_PREPARED);
    assert_hr(S_OK, IVssBackupComponents_DoSnapshotSet(backup.object, &async));
    if (begun)
        wait_until(files_in(L"copies", L"*.making") == 2);
    else
        wait_until(files_in(L"work", L"copy-*.sh") == 1 || logged("copy\tcreated"));
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "+", 1, &n, NULL);
    Sleep(INFINITE);
    return 0;
}

static int be_careless(void)
{
    struct backup backup = backup_at(STAGE_INITIALIZED);
    IVssBackupComponents *object = backup.object;
    DWORD n;
    backup_release(&backup);
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "+", 1, &n, NULL);
    IVssBackupComponents_Release(object);
    return 0;
}

int child_main(const wchar_t *role)
{
    if (wcscmp(role, L"begun") == 0 || wcscmp(role, L"copying") == 0)
        return be_copying(wcscmp(role, L"begun") == 0);
    if (wcscmp(role, L"misuse") == 0)
        return be_careless();
    if (wcscmp(role, L"stuck") == 0)
        return be_stuck();
    struct backup backup = backup_at(wcscmp(role, L"copy") == 0 ? STAGE_CREATED : STAGE_PREPARED);
    DWORD n;
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), "+", 1, &n, NULL);
    Sleep(INFINITE);
    backup_release(&backup);
    return 0;
}
