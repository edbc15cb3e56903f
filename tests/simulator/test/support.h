/* What the simulator's tests share. They use the DLL as a requester does: loaded by name, through its exports
 * and vtables only. The store lies on the second test volume, so that leaving it out of copies is tested all
 * the time. Under Wine the two volumes are directories with drive letters from its mount manager; on Windows
 * the environment variable SIM_TEST_VOLUMES names two small volumes that may be written to ("X:\;Y:\"). */
#pragma once
#define COBJMACROS
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <windows.h>
#include <objbase.h>
#include <cguid.h>
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>
#include <cmocka.h>

#define MACHINE_LIMIT_MS 30000

struct machine {
    HMODULE library;
    HRESULT(STDAPICALLTYPE *create)(IVssBackupComponents **);
    HRESULT(STDAPICALLTYPE *is_snapshotted)(VSS_PWSZ, WINBOOL *, LONG *);
    void(STDAPICALLTYPE *free_properties)(VSS_SNAPSHOT_PROP *);
    HRESULT(STDAPICALLTYPE *create_metadata)(BSTR, IVssExamineWriterMetadata **);
    HRESULT(STDAPICALLTYPE *should_block_revert)(LPCWSTR, boolean *);
    HRESULT(STDAPICALLTYPE *management)(VSS_ID, IID, IUnknown **);
    wchar_t volumes[2][8];
    wchar_t store[MAX_PATH];
};
extern struct machine machine;

#define assert_hr(expected, expression) check_hr((expected), (expression), #expression, __FILE__, __LINE__)
void check_hr(HRESULT expected, HRESULT got, const char *expression, const char *file, int line);

/* A new object, and how far it has come: each stage includes the ones before it. */
enum stage {
    STAGE_NEW,
    STAGE_INITIALIZED,
    STAGE_STATE_SET,
    STAGE_GATHERED,
    STAGE_STARTED,
    STAGE_ADDED, /* the first volume */
    STAGE_PREPARED,
    STAGE_CREATED,
    STAGE_COMPLETED
};
struct backup {
    IVssBackupComponents *object;
    IVssBackupComponentsEx4 *wide; /* the same, without a reference */
    GUID set, snapshots[2];
};
struct backup backup_new(void);
struct backup backup_at(enum stage stage);
void backup_advance(struct backup *backup, enum stage from, enum stage to);
void backup_release(struct backup *backup);
/* Adds a test volume. */
HRESULT backup_add(struct backup *backup, unsigned volume);

typedef HRESULT(STDMETHODCALLTYPE *start_method)(IVssBackupComponents *, IVssAsync **);
/* Starts, which must succeed, waits, and gives what QueryStatus says. */
HRESULT run_async(struct backup *backup, start_method start);
HRESULT wait_async(IVssAsync *async);
#define PREPARE(b)  run_async((b), (b)->object->lpVtbl->PrepareForBackup)
#define SNAPSHOT(b) run_async((b), (b)->object->lpVtbl->DoSnapshotSet)
#define COMPLETE(b) run_async((b), (b)->object->lpVtbl->BackupComplete)
#define GATHER(b)   run_async((b), (b)->object->lpVtbl->GatherWriterMetadata)
#define STATUS(b)   run_async((b), (b)->object->lpVtbl->GatherWriterStatus)

/* The writer's state after a fresh GatherWriterStatus; -1 if it is not in the list. */
int state_of(struct backup *backup, const wchar_t *writer, HRESULT *failure);

/* Writes the scenario file; NULL removes it. */
void scenario(const char *text);

/* The event log since the test began. */
BOOL logged(const char *text);
unsigned count_logged(const char *text);

/* Takes back a drive letter that the simulator has given to a volume that is no copy any more. */
void take_letter(wchar_t letter);

BOOL file_exists(const wchar_t *format, ...);
void write_file(const wchar_t *path, const char *text);
BOOL file_has(const wchar_t *path, const char *text);
unsigned files_in(const wchar_t *folder_of_store, const wchar_t *pattern);

/* Repeats a condition until it holds; it is evaluated no more after that. */
#define wait_until(condition)                                      \
    do {                                                           \
        ULONGLONG end_ = GetTickCount64() + MACHINE_LIMIT_MS;      \
        BOOL holds_;                                               \
        while (!(holds_ = (condition)) && GetTickCount64() < end_) \
            Sleep(10);                                             \
        assert_true(holds_);                                       \
    } while (0)

/* Every test begins with no scenario, and ends with no object, no copy and no open creator left. */
int test_begin(void **state);
int test_end(void **state);

/* A second process that plays the requester: "hold" has a set open, "copy" has made a copy,
 * "begun" and "copying" are making two, "stuck" has released an object whose operation will never end. */
struct child {
    PROCESS_INFORMATION process;
};
struct child child_start(const wchar_t *role);
void child_kill(struct child *child);
int child_main(const wchar_t *role);

BOOL machine_open(void);
/* FALSE: files stay behind. */
BOOL machine_close(void);

int run_abi_tests(void);
int run_sequence_tests(void);
int run_async_tests(void);
int run_writer_tests(void);
int run_writer_state_tests(void);
int run_hook_tests(void);
int run_snapshot_tests(void);
int run_machine_tests(void);
int run_component_tests(void);
int run_restore_tests(void);
int run_administration_tests(void);
int run_slot_tests(void);
int run_accident_tests(void);
int run_storage_tests(void);
int run_hardware_tests(void);
int run_revert_tests(void);

/* A writer of the scenario, "Ledger", with a component "Books" (files) and one "Journal" (database), and the
 * id of its instance; for backups by component. */
extern const char ledger[];
extern const GUID ledger_class;
/* For calls with parameters that are macros of several. */
#define CALL(object, method, ...) (object)->lpVtbl->method((object), __VA_ARGS__)
#define BOOKS                     VSS_CT_FILEGROUP, L"Accounts", L"Books"
#define JOURNAL                   VSS_CT_DATABASE, NULL, L"Journal"
struct backup ledger_backup(enum stage stage, VSS_BACKUP_TYPE type, BOOL partial, GUID *instance);
/* A component of the object's document; IVssComponent_Release. */
IVssComponentEx2 *component_at(struct backup *backup, UINT writer, UINT index);
/* The second half of its two vtables has the Release. */
ULONG release_components(IVssWriterComponentsExt *components);
/* What a getter gives equals text; NULL: S_FALSE, nothing is set. */
typedef HRESULT(STDMETHODCALLTYPE *text_getter)(IVssComponentEx2 *, BSTR *);
void check_text(IVssComponentEx2 *component, text_getter get, const wchar_t *expected);
