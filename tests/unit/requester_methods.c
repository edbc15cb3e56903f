/* Each method's way from the wire to the vtable and back: against an object whose methods write down what
 * they were given. It has the two tables of IVssWriterComponentsExt as the SDK lays them out. */
#include "cmocka_all.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "proto/status.h"
#include "service/requester/documents.h"
#include "service/requester/methods.h"
#include "service/requester/session.h"

#define assert_hresult(got, expected) assert_int_equal((uint32_t)(got), (uint32_t)(expected))

static char writer_text[] = "11111111-2222-3333-4444-555555555555";
static char instance_text[] = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
static char snapshot_text[] = "12345678-1234-1234-1234-123456789abc";

/* ---- what the object was asked ---- */

static char seen[1024];
static HRESULT answer; /* of every method */
static LONG references;

static HRESULT saw(const char *format, ...) __attribute__((format(printf, 1, 2)));
static HRESULT saw(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(seen, sizeof seen, format, arguments);
    va_end(arguments);
    return answer;
}

static const char *text(const wchar_t *wide)
{
    static char texts[8][128];
    static int next;
    char *to = texts[next++ % 8];
    if (wide == NULL) {
        return "NULL";
    }
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, to, 128, NULL, NULL);
    return to;
}

static unsigned first(VSS_ID id)
{
    return (unsigned)id.Data1;
}

/* ---- asynchronous operations end at once ---- */

static HRESULT STDMETHODCALLTYPE async_query(IVssAsync *This, REFIID iid, void **object)
{
    (void)This;
    (void)iid;
    *object = NULL;
    return E_NOINTERFACE;
}

static ULONG STDMETHODCALLTYPE async_add(IVssAsync *This)
{
    (void)This;
    return (ULONG)++references;
}

static ULONG STDMETHODCALLTYPE async_release(IVssAsync *This)
{
    (void)This;
    return (ULONG)--references;
}

static HRESULT STDMETHODCALLTYPE async_cancel(IVssAsync *This)
{
    (void)This;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE async_wait_for(IVssAsync *This, DWORD ms)
{
    (void)This;
    (void)ms;
    return S_OK;
}

static HRESULT async_outcome_code;

static HRESULT STDMETHODCALLTYPE async_status(IVssAsync *This, HRESULT *outcome, INT *reserved)
{
    (void)This;
    (void)reserved;
    *outcome = async_outcome_code;
    return S_OK;
}

static IVssAsyncVtbl async_table = {async_query,  async_add,      async_release,
                                    async_cancel, async_wait_for, async_status};
static IVssAsync async_object = {&async_table};

static HRESULT give_async(IVssAsync **async)
{
    if (SUCCEEDED(answer)) {
        references++;
        *async = &async_object;
    }
    return answer;
}

/* ---- a component ---- */

static BSTR give_text(const wchar_t *wide)
{
    return SysAllocString(wide);
}

#define THIS_COMPONENT IVssComponent *This
#define COMPONENT_TEXT(name, value)                                  \
    static HRESULT STDMETHODCALLTYPE name(THIS_COMPONENT, BSTR *out) \
    {                                                                \
        (void)This;                                                  \
        *out = give_text(value);                                     \
        return S_OK;                                                 \
    }
#define COMPONENT_COUNT(name, value)                                 \
    static HRESULT STDMETHODCALLTYPE name(THIS_COMPONENT, UINT *out) \
    {                                                                \
        (void)This;                                                  \
        *out = value;                                                \
        return S_OK;                                                 \
    }
#define COMPONENT_BOOL(name, value)                                     \
    static HRESULT STDMETHODCALLTYPE name(THIS_COMPONENT, boolean *out) \
    {                                                                   \
        (void)This;                                                     \
        *out = value;                                                   \
        return S_OK;                                                    \
    }

COMPONENT_TEXT(component_path, L"logical\\path")
COMPONENT_TEXT(component_name, L"database")
COMPONENT_TEXT(component_stamp, L"stamp-2")
COMPONENT_TEXT(component_previous, L"stamp-1")
COMPONENT_TEXT(component_metadata, L"backup metadata")
COMPONENT_TEXT(component_options, L"backup options")
COMPONENT_TEXT(component_restore_metadata, L"restore metadata")
COMPONENT_TEXT(component_restore_options, L"restore options")
COMPONENT_TEXT(component_prepare_message, L"prepare failed")
COMPONENT_TEXT(component_post_message, L"post snapshot failed")
COMPONENT_TEXT(component_new_name, L"restored")
COMPONENT_COUNT(component_one, 1)
COMPONENT_COUNT(component_none, 0)
COMPONENT_BOOL(component_yes, 1)

/* What belongs to another phase. */
static HRESULT STDMETHODCALLTYPE component_other_phase(THIS_COMPONENT, BSTR *out)
{
    (void)This;
    *out = NULL;
    return VSS_E_BAD_STATE;
}

static HRESULT component_type_answer;

static HRESULT STDMETHODCALLTYPE component_type(THIS_COMPONENT, VSS_COMPONENT_TYPE *type)
{
    (void)This;
    *type = VSS_CT_DATABASE;
    return component_type_answer;
}

static HRESULT STDMETHODCALLTYPE component_target(THIS_COMPONENT, VSS_RESTORE_TARGET *target)
{
    (void)This;
    *target = VSS_RT_ALTERNATE;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE component_status(THIS_COMPONENT, VSS_FILE_RESTORE_STATUS *status)
{
    (void)This;
    *status = VSS_RS_ALL;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE component_partial(THIS_COMPONENT, UINT index, BSTR *path, BSTR *file,
                                                   BSTR *ranges, BSTR *metadata)
{
    (void)This;
    assert_int_equal(index, 0);
    *path = give_text(L"C:\\data");
    *file = give_text(L"big.mdf");
    *ranges = give_text(L"1, 0:4096");
    *metadata = NULL;
    return S_OK;
}

static HRESULT partial_answer;

static HRESULT STDMETHODCALLTYPE component_partial_count(THIS_COMPONENT, UINT *count)
{
    (void)This;
    *count = 1;
    return partial_answer;
}

static HRESULT STDMETHODCALLTYPE component_differenced(THIS_COMPONENT, UINT index, BSTR *path, BSTR *filespec,
                                                       WINBOOL *recursive, BSTR *lsn, FILETIME *modified)
{
    (void)This;
    assert_int_equal(index, 0);
    *path = give_text(L"C:\\data");
    *filespec = give_text(L"*.log");
    *recursive = TRUE;
    *lsn = NULL;
    ULONGLONG time = 116444736000000000 + 12345 * 10000;
    *modified = (FILETIME){(DWORD)time, (DWORD)(time >> 32)};
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE component_subcomponent(THIS_COMPONENT, UINT index, BSTR *path, BSTR *name,
                                                        boolean *repair)
{
    (void)This;
    assert_int_equal(index, 0);
    *path = give_text(L"sub");
    *name = give_text(L"part");
    *repair = 0;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE component_directed(THIS_COMPONENT, UINT index, BSTR *a, BSTR *b, BSTR *c,
                                                    BSTR *d, BSTR *e, BSTR *f)
{
    (void)This;
    assert_int_equal(index, 0);
    *a = give_text(L"C:\\from");
    *b = give_text(L"one");
    *c = give_text(L"r1");
    *d = give_text(L"C:\\to");
    *e = give_text(L"two");
    *f = give_text(L"r2");
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE component_roll_forward(IVssComponentEx *This, VSS_ROLLFORWARD_TYPE *type,
                                                        BSTR *point)
{
    (void)This;
    *type = VSS_RF_PARTIAL;
    *point = give_text(L"noon");
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE component_failure(IVssComponentEx2 *This, HRESULT *failure,
                                                   HRESULT *application, BSTR *message, DWORD *reserved)
{
    (void)This;
    assert_null(reserved);
    *failure = VSS_E_WRITERERROR_RETRYABLE;
    *application = 0x1234;
    *message = give_text(L"the disk is full");
    return S_OK;
}

static bool has_later_versions;
static HRESULT STDMETHODCALLTYPE component_query(THIS_COMPONENT, REFIID iid, void **object)
{
    (void)iid;
    *object = has_later_versions ? This : NULL;
    references += has_later_versions;
    return has_later_versions ? S_OK : E_NOINTERFACE;
}

static ULONG STDMETHODCALLTYPE component_release(THIS_COMPONENT)
{
    (void)This;
    return (ULONG)--references;
}

/* The versions' tables begin alike, so that the last one serves for all. */
static IVssComponentEx2Vtbl component_table;
static IVssComponentEx2 component_object = {&component_table};

#define PUT(table, name, function) ((table)->name = (void *)(function))

static void make_component(void)
{
    IVssComponentEx2Vtbl *table = &component_table;
    PUT(table, QueryInterface, component_query);
    PUT(table, Release, component_release);
    PUT(table, GetLogicalPath, component_path);
    PUT(table, GetComponentType, component_type);
    PUT(table, GetComponentName, component_name);
    PUT(table, GetBackupSucceeded, component_yes);
    PUT(table, GetAlternateLocationMappingCount, component_none);
    PUT(table, GetBackupMetadata, component_metadata);
    PUT(table, GetPartialFileCount, component_partial_count);
    PUT(table, GetPartialFile, component_partial);
    PUT(table, IsSelectedForRestore, component_yes);
    PUT(table, GetAdditionalRestores, component_yes);
    PUT(table, GetNewTargetCount, component_none);
    PUT(table, GetDirectedTargetCount, component_one);
    PUT(table, GetDirectedTarget, component_directed);
    PUT(table, GetRestoreMetadata, component_restore_metadata);
    PUT(table, GetRestoreTarget, component_target);
    PUT(table, GetPreRestoreFailureMsg, component_other_phase);
    PUT(table, GetPostRestoreFailureMsg, component_other_phase);
    PUT(table, GetBackupStamp, component_stamp);
    PUT(table, GetPreviousBackupStamp, component_previous);
    PUT(table, GetBackupOptions, component_options);
    PUT(table, GetRestoreOptions, component_restore_options);
    PUT(table, GetRestoreSubcomponentCount, component_one);
    PUT(table, GetRestoreSubcomponent, component_subcomponent);
    PUT(table, GetFileRestoreStatus, component_status);
    PUT(table, GetDifferencedFilesCount, component_one);
    PUT(table, GetDifferencedFile, component_differenced);
    PUT(table, GetPrepareForBackupFailureMsg, component_prepare_message);
    PUT(table, GetPostSnapshotFailureMsg, component_post_message);
    PUT(table, GetAuthoritativeRestore, component_yes);
    PUT(table, GetRollForward, component_roll_forward);
    PUT(table, GetRestoreName, component_new_name);
    PUT(table, GetFailure, component_failure);
}

/* ---- a writer's components: two bases, so two tables ---- */

static HRESULT STDMETHODCALLTYPE writer_count(IVssWriterComponentsExt *This, UINT *count)
{
    (void)This;
    *count = 2;
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE writer_info(IVssWriterComponentsExt *This, VSS_ID *instance, VSS_ID *writer)
{
    (void)This;
    memset(instance, 0xAA, sizeof *instance);
    memset(writer, 0x11, sizeof *writer);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE writer_component(IVssWriterComponentsExt *This, UINT index,
                                                  IVssComponent **component)
{
    (void)This;
    assert_true(index < 2);
    references++;
    *component = (IVssComponent *)&component_object;
    return S_OK;
}

static struct writer_components {
    const IVssWriterComponentsExtVtbl *components;
    const IUnknownVtbl *unknown;
} writer_object;

static ULONG STDMETHODCALLTYPE writer_release(IUnknown *This)
{
    assert_ptr_equal(This, &writer_object.unknown); /* the second base's own address */
    return (ULONG)--references;
}

static const IVssWriterComponentsExtVtbl writer_table = {writer_count, writer_info, writer_component};
static const IUnknownVtbl writer_unknown_table = {NULL, NULL, writer_release};
static struct writer_components writer_object = {&writer_table, &writer_unknown_table};

/* ---- the object ---- */

#define OBJECT_          IVssBackupComponentsEx4 *This
#define COMPONENT_IN     VSS_ID writer, VSS_COMPONENT_TYPE type, LPCWSTR path, LPCWSTR name
#define COMPONENT_FORMAT "%08x %d %s %s "
#define COMPONENT_SEEN   first(writer), (int)type, text(path), text(name)

static HRESULT STDMETHODCALLTYPE query_interface(OBJECT_, REFIID iid, void **object)
{
    (void)iid;
    references++;
    *object = This;
    return S_OK;
}

static ULONG STDMETHODCALLTYPE release(OBJECT_)
{
    (void)This;
    return (ULONG)--references;
}

static HRESULT STDMETHODCALLTYPE writers_count(OBJECT_, UINT *count)
{
    (void)This;
    *count = 7;
    return saw("GetWriterComponentsCount");
}

static HRESULT STDMETHODCALLTYPE writers_get(OBJECT_, UINT index, IVssWriterComponentsExt **writer)
{
    (void)This;
    if (SUCCEEDED(answer)) {
        references++;
        *writer = (IVssWriterComponentsExt *)(void *)&writer_object;
    }
    return saw("GetWriterComponents %u", index);
}

static HRESULT STDMETHODCALLTYPE initialize_backup(OBJECT_, BSTR xml)
{
    (void)This;
    return saw("InitializeForBackup %s", text(xml));
}

static HRESULT STDMETHODCALLTYPE initialize_restore(OBJECT_, BSTR xml)
{
    (void)This;
    return saw("InitializeForRestore %s", text(xml));
}

static HRESULT STDMETHODCALLTYPE restore_state(OBJECT_, VSS_RESTORE_TYPE type)
{
    (void)This;
    return saw("SetRestoreState %d", (int)type);
}

static HRESULT STDMETHODCALLTYPE selected(OBJECT_, COMPONENT_IN, boolean yes)
{
    (void)This;
    return saw("SetSelectedForRestore " COMPONENT_FORMAT "%d", COMPONENT_SEEN, yes);
}

static HRESULT STDMETHODCALLTYPE selected_ex(OBJECT_, COMPONENT_IN, boolean yes, VSS_ID instance)
{
    (void)This;
    return saw("SetSelectedForRestoreEx " COMPONENT_FORMAT "%d %08x", COMPONENT_SEEN, yes, first(instance));
}

static HRESULT STDMETHODCALLTYPE restore_options(OBJECT_, COMPONENT_IN, LPCWSTR options)
{
    (void)This;
    return saw("SetRestoreOptions " COMPONENT_FORMAT "%s", COMPONENT_SEEN, text(options));
}

static HRESULT STDMETHODCALLTYPE additional(OBJECT_, COMPONENT_IN, boolean yes)
{
    (void)This;
    return saw("SetAdditionalRestores " COMPONENT_FORMAT "%d", COMPONENT_SEEN, yes);
}

static HRESULT STDMETHODCALLTYPE mapping(OBJECT_, COMPONENT_IN, LPCWSTR from, LPCWSTR filespec,
                                         boolean recursive, LPCWSTR to)
{
    (void)This;
    return saw("AddAlternativeLocationMapping " COMPONENT_FORMAT "%s %s %d %s", COMPONENT_SEEN, text(from),
               text(filespec), recursive, text(to));
}

static HRESULT STDMETHODCALLTYPE subcomponent(OBJECT_, COMPONENT_IN, LPCWSTR sub_path, LPCWSTR sub_name,
                                              boolean repair)
{
    (void)This;
    return saw("AddRestoreSubcomponent " COMPONENT_FORMAT "%s %s %d", COMPONENT_SEEN, text(sub_path),
               text(sub_name), repair);
}

static HRESULT STDMETHODCALLTYPE file_status(OBJECT_, COMPONENT_IN, VSS_FILE_RESTORE_STATUS status)
{
    (void)This;
    return saw("SetFileRestoreStatus " COMPONENT_FORMAT "%d", COMPONENT_SEEN, (int)status);
}

static HRESULT STDMETHODCALLTYPE new_target(OBJECT_, COMPONENT_IN, LPCWSTR from, LPCWSTR file,
                                            boolean recursive, LPCWSTR to)
{
    (void)This;
    return saw("AddNewTarget " COMPONENT_FORMAT "%s %s %d %s", COMPONENT_SEEN, text(from), text(file),
               recursive, text(to));
}

static HRESULT STDMETHODCALLTYPE ranges(OBJECT_, COMPONENT_IN, UINT index, LPCWSTR file)
{
    (void)This;
    return saw("SetRangesFilePath " COMPONENT_FORMAT "%u %s", COMPONENT_SEEN, index, text(file));
}

static HRESULT STDMETHODCALLTYPE begin_pre_restore(OBJECT_, IVssAsync **async)
{
    (void)This;
    saw("PreRestore");
    return give_async(async);
}

static HRESULT STDMETHODCALLTYPE begin_post_restore(OBJECT_, IVssAsync **async)
{
    (void)This;
    saw("PostRestore");
    return give_async(async);
}

static HRESULT STDMETHODCALLTYPE begin_import(OBJECT_, IVssAsync **async)
{
    (void)This;
    saw("ImportSnapshots");
    return give_async(async);
}

static HRESULT STDMETHODCALLTYPE break_set(OBJECT_, VSS_ID set)
{
    (void)This;
    return saw("BreakSnapshotSet %08x", first(set));
}

static HRESULT STDMETHODCALLTYPE begin_break(OBJECT_, VSS_ID set, DWORD flags, IVssAsync **async)
{
    (void)This;
    saw("BreakSnapshotSetEx %08x %lu", first(set), flags);
    return give_async(async);
}

static HRESULT STDMETHODCALLTYPE expose(OBJECT_, VSS_ID snapshot, VSS_PWSZ path, LONG attributes,
                                        VSS_PWSZ name, VSS_PWSZ *exposed)
{
    (void)This;
    if (SUCCEEDED(answer)) {
        *exposed = CoTaskMemAlloc(sizeof L"X:\\");
        wcscpy(*exposed, L"X:\\");
    }
    return saw("ExposeSnapshot %08x %s %lx %s", first(snapshot), text(path), (unsigned long)attributes,
               text(name));
}

static HRESULT STDMETHODCALLTYPE unexpose(OBJECT_, VSS_ID snapshot)
{
    (void)This;
    return saw("UnexposeSnapshot %08x", first(snapshot));
}

static HRESULT STDMETHODCALLTYPE revert(OBJECT_, VSS_ID snapshot, WINBOOL force)
{
    (void)This;
    return saw("RevertToSnapshot %08x %d", first(snapshot), force);
}

static HRESULT STDMETHODCALLTYPE begin_revert_status(OBJECT_, VSS_PWSZ volume, IVssAsync **async)
{
    (void)This;
    saw("QueryRevertStatus %s", text(volume));
    return give_async(async);
}

static HRESULT STDMETHODCALLTYPE authoritative(OBJECT_, COMPONENT_IN, boolean yes)
{
    (void)This;
    return saw("SetAuthoritativeRestore " COMPONENT_FORMAT "%d", COMPONENT_SEEN, yes);
}

static HRESULT STDMETHODCALLTYPE roll_forward(OBJECT_, COMPONENT_IN, VSS_ROLLFORWARD_TYPE kind, LPCWSTR point)
{
    (void)This;
    return saw("SetRollForward " COMPONENT_FORMAT "%d %s", COMPONENT_SEEN, (int)kind, text(point));
}

static HRESULT STDMETHODCALLTYPE restore_name(OBJECT_, COMPONENT_IN, LPCWSTR new_name)
{
    (void)This;
    return saw("SetRestoreName " COMPONENT_FORMAT "%s", COMPONENT_SEEN, text(new_name));
}

static HRESULT STDMETHODCALLTYPE add_to_recovery(OBJECT_, VSS_ID snapshot, DWORD flags, VSS_PWSZ destination)
{
    (void)This;
    return saw("AddSnapshotToRecoverySet %08x %lu %s", first(snapshot), flags, text(destination));
}

static HRESULT STDMETHODCALLTYPE begin_recover(OBJECT_, DWORD flags, IVssAsync **async)
{
    (void)This;
    saw("RecoverSet %lu", flags);
    return give_async(async);
}

static HRESULT STDMETHODCALLTYPE prefix_paths(OBJECT_, VSS_PWSZ path, VSS_PWSZ *root, VSS_PWSZ *prefix,
                                              WINBOOL normalize)
{
    (void)This;
    if (SUCCEEDED(answer)) {
        *root = CoTaskMemAlloc(sizeof L"C:\\");
        wcscpy(*root, L"C:\\");
        *prefix = NULL;
    }
    return saw("GetRootAndLogicalPrefixPaths %s %d", text(path), normalize);
}

static wchar_t document_text[400000];

static HRESULT STDMETHODCALLTYPE save_xml(OBJECT_, BSTR *xml)
{
    (void)This;
    *xml = SUCCEEDED(answer) ? SysAllocString(document_text) : NULL;
    return saw("SaveAsXML");
}

static IVssBackupComponentsEx4Vtbl object_table;
static IVssBackupComponentsEx4 object = {&object_table};

static void make_object(void)
{
    IVssBackupComponentsEx4Vtbl *table = &object_table;
    PUT(table, QueryInterface, query_interface);
    PUT(table, Release, release);
    PUT(table, GetWriterComponentsCount, writers_count);
    PUT(table, GetWriterComponents, writers_get);
    PUT(table, InitializeForBackup, initialize_backup);
    PUT(table, InitializeForRestore, initialize_restore);
    PUT(table, SetRestoreState, restore_state);
    PUT(table, SetSelectedForRestore, selected);
    PUT(table, SetSelectedForRestoreEx, selected_ex);
    PUT(table, SetRestoreOptions, restore_options);
    PUT(table, SetAdditionalRestores, additional);
    PUT(table, AddAlternativeLocationMapping, mapping);
    PUT(table, AddRestoreSubcomponent, subcomponent);
    PUT(table, SetFileRestoreStatus, file_status);
    PUT(table, AddNewTarget, new_target);
    PUT(table, SetRangesFilePath, ranges);
    PUT(table, PreRestore, begin_pre_restore);
    PUT(table, PostRestore, begin_post_restore);
    PUT(table, ImportSnapshots, begin_import);
    PUT(table, BreakSnapshotSet, break_set);
    PUT(table, BreakSnapshotSetEx, begin_break);
    PUT(table, ExposeSnapshot, expose);
    PUT(table, UnexposeSnapshot, unexpose);
    PUT(table, RevertToSnapshot, revert);
    PUT(table, QueryRevertStatus, begin_revert_status);
    PUT(table, SetAuthoritativeRestore, authoritative);
    PUT(table, SetRollForward, roll_forward);
    PUT(table, SetRestoreName, restore_name);
    PUT(table, AddSnapshotToRecoverySet, add_to_recovery);
    PUT(table, RecoverSet, begin_recover);
    PUT(table, GetRootAndLogicalPrefixPaths, prefix_paths);
    PUT(table, SaveAsXML, save_xml);
}

/* ---- the bench ---- */

static struct bench {
    struct session session;
    struct arena arena;
    struct reply reply;
} bench;

static bool never(void *context)
{
    (void)context;
    return false;
}

static int begin(void **state)
{
    (void)state;
    memset(&bench, 0, sizeof bench);
    arena_init(&bench.arena, 32 * 1024 * 1024);
    make_object();
    make_component();
    bench.session.object = (IVssBackupComponents *)&object;
    bench.session.record.object = OBJECT_NEW;
    bench.session.interrupted = never;
    references = 1;

    seen[0] = '\0';
    answer = component_type_answer = partial_answer = S_OK;
    async_outcome_code = VSS_S_ASYNC_FINISHED;
    has_later_versions = true;
    return 0;
}

static int end(void **state)
{
    (void)state;
    session_release(&bench.session);
    documents_free(&bench.session);
    assert_null(bench.session.documents);
    arena_free(&bench.arena);
    return references; /* none is left: 0 is success */
}

static const PB(CallReply) * run(PB(Call__MethodCase) method, void *parameters)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    call.method_case = method;
    call.prepare_for_backup = parameters;
    arena_reset(&bench.arena);
    memset(&bench.reply, 0, sizeof bench.reply);
    bench.reply.arena = &bench.arena;
    session_call(&bench.session, &call, &bench.reply);
    return &bench.reply.message;
}

/* What clients are told of a code: its name, its meaning, whether to ask again, and advice. */
static void check_status(const PB(Status) * status, const struct vss_code *row)
{
    assert_non_null(status);
    assert_hresult(status->hresult, row->hresult);
    assert_string_equal(status->hresult_name, row->name);
    assert_int_equal(status->code, row->code);
    assert_int_equal(status->retry, row->retry);
    assert_int_equal(status->retry_after_ms, row->retry_after_ms);
    assert_non_null(strstr(status->message, row->meaning));
    assert_string_equal(status->advice, row->advice);
}

/* Made with these parameters, and whatever it fails with comes back as it is. */
static void check(PB(Call__MethodCase) method, void *parameters, const char *expected)
{
    size_t count;
    const struct vss_code *rows = vss_code_table(&count);
    const PB(CallReply) * reply;
    for (size_t i = 0; i < count; i++) {
        answer = (HRESULT)rows[i].hresult;
        if (SUCCEEDED(answer)) {
            continue;
        }
        reply = run(method, parameters);
        assert_hresult(reply->hresult, rows[i].hresult);
        assert_string_equal(reply->hresult_name, rows[i].name);
        check_status(reply->status, &rows[i]);
        assert_int_equal(strncmp(reply->status->method, expected, strlen(reply->status->method)), 0);
        assert_int_equal(reply->out_case, PB_OUT(_NOT_SET));
    }
    answer = S_OK;
    seen[0] = '\0';
    reply = run(method, parameters);
    assert_hresult(reply->hresult, S_OK);
    assert_null(reply->status);
    assert_string_equal(seen, expected);
}

static PB(ComponentRef) component_ref;

static PB(ComponentRef) * ref(void)
{
    static char path[] = "logical";
    static char name[] = "n\xC3\xA4me";
    shadowpipe__v1__component_ref__init(&component_ref);
    component_ref.writer_id = writer_text;
    component_ref.type = PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_FILE_GROUP);
    component_ref.logical_path = path;
    component_ref.name = name;
    component_ref.instance_id = instance_text;
    return &component_ref;
}

#define REF_SEEN "11111111 2 logical n\xC3\xA4me "

/* ---- restore ---- */

static void components_are_chosen(void **state)
{
    (void)state;
    PB(SetSelectedForRestore) chosen = SHADOWPIPE__V1__SET_SELECTED_FOR_RESTORE__INIT;
    chosen.component = ref();
    chosen.selected = true;
    check(PB_METHOD(SET_SELECTED_FOR_RESTORE), &chosen, "SetSelectedForRestore " REF_SEEN "1");
    PB(SetSelectedForRestoreEx) chosen_ex = SHADOWPIPE__V1__SET_SELECTED_FOR_RESTORE_EX__INIT;
    chosen_ex.component = ref();
    check(PB_METHOD(SET_SELECTED_FOR_RESTORE_EX), &chosen_ex,
          "SetSelectedForRestoreEx " REF_SEEN "0 aaaaaaaa");
    PB(SetRestoreOptions) options = SHADOWPIPE__V1__SET_RESTORE_OPTIONS__INIT;
    options.component = ref();
    options.options = snapshot_text;
    check(PB_METHOD(SET_RESTORE_OPTIONS), &options,
          "SetRestoreOptions " REF_SEEN "12345678-1234-1234-1234-123456789abc");
    PB(SetAdditionalRestores) more = SHADOWPIPE__V1__SET_ADDITIONAL_RESTORES__INIT;
    more.component = ref();
    more.additional = true;
    check(PB_METHOD(SET_ADDITIONAL_RESTORES), &more, "SetAdditionalRestores " REF_SEEN "1");
    static char sub_path[] = "sub";
    static char sub_name[] = "part";
    PB(AddRestoreSubcomponent) sub = SHADOWPIPE__V1__ADD_RESTORE_SUBCOMPONENT__INIT;
    sub.component = ref();
    sub.sub_logical_path = sub_path;
    sub.sub_name = sub_name;
    check(PB_METHOD(ADD_RESTORE_SUBCOMPONENT), &sub, "AddRestoreSubcomponent " REF_SEEN "sub part 0");
    PB(SetAuthoritativeRestore) authority = SHADOWPIPE__V1__SET_AUTHORITATIVE_RESTORE__INIT;
    authority.component = ref();
    authority.authoritative = true;
    check(PB_METHOD(SET_AUTHORITATIVE_RESTORE), &authority, "SetAuthoritativeRestore " REF_SEEN "1");
    PB(SetRollForward) roll = SHADOWPIPE__V1__SET_ROLL_FORWARD__INIT;
    roll.component = ref();
    roll.type = 3;
    roll.point = sub_name;
    check(PB_METHOD(SET_ROLL_FORWARD), &roll, "SetRollForward " REF_SEEN "3 part");
    PB(SetRestoreName) name = SHADOWPIPE__V1__SET_RESTORE_NAME__INIT;
    name.component = ref();
    name.name = sub_name;
    check(PB_METHOD(SET_RESTORE_NAME), &name, "SetRestoreName " REF_SEEN "part");
}

static void places_are_told(void **state)
{
    (void)state;
    static char from[] = "C:\\old";
    static char spec[] = "*.db";
    static char to[] = "D:\\new";
    PB(AddNewTarget) target = SHADOWPIPE__V1__ADD_NEW_TARGET__INIT;
    target.component = ref();
    target.path = from;
    target.file_name = spec;
    target.recursive = true;
    target.alternate_path = to;
    check(PB_METHOD(ADD_NEW_TARGET), &target, "AddNewTarget " REF_SEEN "C:\\old *.db 1 D:\\new");
    PB(AddAlternativeLocationMapping) map = SHADOWPIPE__V1__ADD_ALTERNATIVE_LOCATION_MAPPING__INIT;
    map.component = ref();
    map.path = from;
    map.filespec = spec;
    map.destination = to;
    check(PB_METHOD(ADD_ALTERNATIVE_LOCATION_MAPPING), &map,
          "AddAlternativeLocationMapping " REF_SEEN "C:\\old *.db 0 D:\\new");
    PB(SetRangesFilePath) file = SHADOWPIPE__V1__SET_RANGES_FILE_PATH__INIT;
    file.component = ref();
    file.partial_file_index = 4;
    file.ranges_file = to;
    check(PB_METHOD(SET_RANGES_FILE_PATH), &file, "SetRangesFilePath " REF_SEEN "4 D:\\new");
    PB(SetFileRestoreStatus) status = SHADOWPIPE__V1__SET_FILE_RESTORE_STATUS__INIT;
    status.component = ref();
    status.status = 2;
    check(PB_METHOD(SET_FILE_RESTORE_STATUS), &status, "SetFileRestoreStatus " REF_SEEN "2");
}

static void bad_components_are_refused(void **state)
{
    (void)state;
    static char bad[] = "{no guid}";
    PB(SetSelectedForRestore) in = SHADOWPIPE__V1__SET_SELECTED_FOR_RESTORE__INIT;
    const PB(CallReply) *reply = run(PB_METHOD(SET_SELECTED_FOR_RESTORE), &in);
    assert_hresult(reply->hresult, E_INVALIDARG);
    assert_string_equal(reply->status->reason, "INVALID_ARGUMENT");
    in.component = ref();
    component_ref.writer_id = bad;
    reply = run(PB_METHOD(SET_SELECTED_FOR_RESTORE), &in);
    assert_string_equal(reply->status->field, "component.writer_id");
    assert_string_equal(seen, ""); /* it was not called */
    /* No logical path is NULL to VSS. */
    in.component = ref();
    component_ref.logical_path = (char *)(uintptr_t) "";
    run(PB_METHOD(SET_SELECTED_FOR_RESTORE), &in);
    assert_string_equal(seen, "SetSelectedForRestore 11111111 2 NULL n\xC3\xA4me 0");
}

static void restore_runs_in_phases(void **state)
{
    (void)state;
    PB(PreRestore) nothing = SHADOWPIPE__V1__PRE_RESTORE__INIT;
    PB(InitializeForRestore) in = SHADOWPIPE__V1__INITIALIZE_FOR_RESTORE__INIT;
    answer = VSS_E_BAD_STATE;
    const PB(CallReply) *reply = run(PB_METHOD(PRE_RESTORE), &nothing);
    assert_hresult(reply->hresult, VSS_E_BAD_STATE);
    assert_string_equal(reply->missing_prerequisite, "InitializeForRestore");
    answer = S_OK;
    reply = run(PB_METHOD(INITIALIZE_FOR_RESTORE), &in);
    assert_hresult(reply->hresult, S_OK);
    assert_string_equal(seen, "InitializeForRestore ");
    PB(SetRestoreState) restore = SHADOWPIPE__V1__SET_RESTORE_STATE__INIT;
    restore.restore_type = 1;
    check(PB_METHOD(SET_RESTORE_STATE), &restore, "SetRestoreState 1");
    answer = VSS_E_BAD_STATE;
    reply = run(PB_METHOD(POST_RESTORE), &nothing);
    assert_string_equal(reply->missing_prerequisite, "PreRestore");
    answer = S_OK;
    async_outcome_code = VSS_E_OBJECT_NOT_FOUND;
    reply = run(PB_METHOD(PRE_RESTORE), &nothing);
    assert_hresult(reply->hresult, S_OK);
    assert_hresult(reply->async_hresult, VSS_E_OBJECT_NOT_FOUND);
    assert_string_equal(reply->status->method, "PreRestore");
    async_outcome_code = VSS_S_ASYNC_FINISHED;
    reply = run(PB_METHOD(PRE_RESTORE), &nothing);
    assert_hresult(reply->async_hresult, VSS_S_ASYNC_FINISHED);
    assert_int_equal(reply->session_phase, PB_VALUE(SESSION_PHASE, SESSION_PHASE_RESTORING));
    reply = run(PB_METHOD(POST_RESTORE), &nothing);
    assert_hresult(reply->async_hresult, VSS_S_ASYNC_FINISHED);
    assert_int_equal(reply->session_phase, PB_VALUE(SESSION_PHASE, SESSION_PHASE_RESTORED));
    answer = VSS_E_BAD_STATE;
    PB(SetSelectedForRestore) late = SHADOWPIPE__V1__SET_SELECTED_FOR_RESTORE__INIT;
    late.component = ref();
    reply = run(PB_METHOD(SET_SELECTED_FOR_RESTORE), &late);
    assert_string_equal(reply->missing_prerequisite, "a new session: PreRestore was called already");
}

/* ---- snapshots that exist ---- */

static void snapshots_are_managed(void **state)
{
    (void)state;
    static char volume[] = "D:\\";
    static char drive[] = "X:";
    PB(ExposeSnapshot) show = SHADOWPIPE__V1__EXPOSE_SNAPSHOT__INIT;
    show.snapshot_id = snapshot_text;
    show.attributes = 0x100000;
    show.expose = drive;
    check(PB_METHOD(EXPOSE_SNAPSHOT), &show, "ExposeSnapshot 12345678 NULL 100000 X:");
    assert_string_equal(bench.reply.message.expose_snapshot->exposed, "X:\\");
    show.path_from_root = volume;
    show.expose = (char *)(uintptr_t) "";
    check(PB_METHOD(EXPOSE_SNAPSHOT), &show, "ExposeSnapshot 12345678 D:\\ 100000 NULL");
    PB(UnexposeSnapshot) hide = SHADOWPIPE__V1__UNEXPOSE_SNAPSHOT__INIT;
    hide.snapshot_id = snapshot_text;
    check(PB_METHOD(UNEXPOSE_SNAPSHOT), &hide, "UnexposeSnapshot 12345678");
    PB(BreakSnapshotSet) set = SHADOWPIPE__V1__BREAK_SNAPSHOT_SET__INIT;
    set.set_id = snapshot_text;
    check(PB_METHOD(BREAK_SNAPSHOT_SET), &set, "BreakSnapshotSet 12345678");
    PB(BreakSnapshotSetEx) set_ex = SHADOWPIPE__V1__BREAK_SNAPSHOT_SET_EX__INIT;
    set_ex.set_id = snapshot_text;
    set_ex.flags = 5;
    check(PB_METHOD(BREAK_SNAPSHOT_SET_EX), &set_ex, "BreakSnapshotSetEx 12345678 5");
    PB(RevertToSnapshot) back = SHADOWPIPE__V1__REVERT_TO_SNAPSHOT__INIT;
    back.snapshot_id = snapshot_text;
    back.force_dismount = true;
    check(PB_METHOD(REVERT_TO_SNAPSHOT), &back, "RevertToSnapshot 12345678 1");
    PB(QueryRevertStatus) ask = SHADOWPIPE__V1__QUERY_REVERT_STATUS__INIT;
    ask.volume = volume;
    check(PB_METHOD(QUERY_REVERT_STATUS), &ask, "QueryRevertStatus D:\\");
    PB(ImportSnapshots) import = SHADOWPIPE__V1__IMPORT_SNAPSHOTS__INIT;
    check(PB_METHOD(IMPORT_SNAPSHOTS), &import, "ImportSnapshots");
    PB(AddSnapshotToRecoverySet) add = SHADOWPIPE__V1__ADD_SNAPSHOT_TO_RECOVERY_SET__INIT;
    add.snapshot_id = snapshot_text;
    check(PB_METHOD(ADD_SNAPSHOT_TO_RECOVERY_SET), &add, "AddSnapshotToRecoverySet 12345678 0 NULL");
    PB(RecoverSet) recover = SHADOWPIPE__V1__RECOVER_SET__INIT;
    recover.flags = 1;
    check(PB_METHOD(RECOVER_SET), &recover, "RecoverSet 1");
    PB(GetRootAndLogicalPrefixPaths) paths = SHADOWPIPE__V1__GET_ROOT_AND_LOGICAL_PREFIX_PATHS__INIT;
    paths.path = volume;
    paths.normalize = true;
    check(PB_METHOD(GET_ROOT_AND_LOGICAL_PREFIX_PATHS), &paths, "GetRootAndLogicalPrefixPaths D:\\ 1");
    assert_string_equal(bench.reply.message.get_root_and_logical_prefix_paths->root, "C:\\");
    assert_string_equal(bench.reply.message.get_root_and_logical_prefix_paths->logical_prefix, "");
}

/* What only QueryStatus says comes back as it is, too. */
static void outcomes_come_back(void **state)
{
    (void)state;
    static char volume[] = "D:\\";
    PB(QueryRevertStatus) ask = SHADOWPIPE__V1__QUERY_REVERT_STATUS__INIT;
    size_t count;
    const struct vss_code *rows = vss_code_table(&count);
    ask.volume = volume;
    for (size_t i = 0; i < count; i++) {
        async_outcome_code = (HRESULT)rows[i].hresult;
        if (SUCCEEDED(async_outcome_code)) {
            continue;
        }
        const PB(CallReply) *reply = run(PB_METHOD(QUERY_REVERT_STATUS), &ask);
        assert_hresult(reply->hresult, S_OK);
        assert_hresult(reply->async_hresult, rows[i].hresult);
        assert_string_equal(reply->async_hresult_name, rows[i].name);
        check_status(reply->status, &rows[i]);
        assert_string_equal(reply->status->method, "QueryRevertStatus");
    }
}

static void bad_ids_are_refused(void **state)
{
    (void)state;
    static char bad[] = "nonsense";
    PB(ExposeSnapshot) show = SHADOWPIPE__V1__EXPOSE_SNAPSHOT__INIT;
    PB(UnexposeSnapshot) hide = SHADOWPIPE__V1__UNEXPOSE_SNAPSHOT__INIT;
    PB(BreakSnapshotSet) set = SHADOWPIPE__V1__BREAK_SNAPSHOT_SET__INIT;
    PB(BreakSnapshotSetEx) set_ex = SHADOWPIPE__V1__BREAK_SNAPSHOT_SET_EX__INIT;
    PB(RevertToSnapshot) back = SHADOWPIPE__V1__REVERT_TO_SNAPSHOT__INIT;
    PB(AddSnapshotToRecoverySet) add = SHADOWPIPE__V1__ADD_SNAPSHOT_TO_RECOVERY_SET__INIT;
    show.snapshot_id = hide.snapshot_id = back.snapshot_id = add.snapshot_id = bad;
    set.set_id = set_ex.set_id = bad;
    const struct {
        PB(Call__MethodCase) method;
        void *parameters;
    } cases[] = {{PB_METHOD(EXPOSE_SNAPSHOT), &show},    {PB_METHOD(UNEXPOSE_SNAPSHOT), &hide},
                 {PB_METHOD(BREAK_SNAPSHOT_SET), &set},  {PB_METHOD(BREAK_SNAPSHOT_SET_EX), &set_ex},
                 {PB_METHOD(REVERT_TO_SNAPSHOT), &back}, {PB_METHOD(ADD_SNAPSHOT_TO_RECOVERY_SET), &add}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const PB(CallReply) *reply = run(cases[i].method, cases[i].parameters);
        assert_hresult(reply->hresult, E_INVALIDARG);
        assert_string_equal(reply->status->reason, "INVALID_ARGUMENT");
    }
    assert_string_equal(seen, "");
}

static HRESULT STDAPICALLTYPE block_revert(LPCWSTR volume, boolean *block)
{
    *block = 1;
    return saw("ShouldBlockRevert %s", text(volume));
}

static void functions_need_the_library(void **state)
{
    (void)state;
    static char volume[] = "D:\\";
    PB(ShouldBlockRevert) in = SHADOWPIPE__V1__SHOULD_BLOCK_REVERT__INIT;
    in.volume = volume;
    bench.session.ready.hresult = E_ACCESSDENIED;
    snprintf(bench.session.ready.method, sizeof bench.session.ready.method, "LoadLibraryEx");
    const PB(CallReply) *reply = run(PB_METHOD(SHOULD_BLOCK_REVERT), &in);
    assert_hresult(reply->hresult, E_ACCESSDENIED);
    assert_string_equal(reply->status->method, "LoadLibraryEx");
    bench.session.library.module = GetModuleHandleW(NULL);
    bench.session.library.should_block_revert = block_revert;
    check(PB_METHOD(SHOULD_BLOCK_REVERT), &in, "ShouldBlockRevert D:\\");
    assert_true(bench.reply.message.should_block_revert->block);
}

static void reserved_methods_say_so(void **state)
{
    (void)state;
    PB(PreFastRecovery) before = SHADOWPIPE__V1__PRE_FAST_RECOVERY__INIT;
    PB(FastRecovery) recovery = SHADOWPIPE__V1__FAST_RECOVERY__INIT;
    const PB(CallReply) *reply = run(PB_METHOD(PRE_FAST_RECOVERY), &before);
    assert_hresult(reply->hresult, E_NOTIMPL);
    assert_string_equal(reply->status->reason, "UNIMPLEMENTED");
    assert_non_null(strstr(reply->status->message, "reserved"));
    reply = run(PB_METHOD(FAST_RECOVERY), &recovery);
    assert_string_equal(reply->status->reason, "UNIMPLEMENTED");
}

/* No method of the schema is left out. */
static void every_method_has_a_row(void **state)
{
    (void)state;
    const ProtobufCMessageDescriptor *type = &shadowpipe__v1__call__descriptor;
    size_t absent = 0;
    for (unsigned i = 0; i < type->n_fields; i++) {
        if (strcmp(type->fields[i].name, "session_id") == 0 || strcmp(type->fields[i].name, "wait_ms") == 0) {
            continue;
        }
        const struct method *method = method_find((PB(Call__MethodCase))type->fields[i].id);
        assert_non_null(method);
        absent += method->run == NULL && method->start == NULL;
    }
    assert_int_equal(absent, 2); /* the reserved ones */
}

/* ---- components as data ---- */

static void check_component(const PB(BackupComponent) * component)
{
    assert_int_equal(component->type, PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_DATABASE));
    assert_string_equal(component->logical_path, "logical\\path");
    assert_string_equal(component->name, "database");
    assert_true(component->backup_succeeded);
    assert_string_equal(component->backup_stamp, "stamp-2");
    assert_string_equal(component->previous_backup_stamp, "stamp-1");
    assert_string_equal(component->backup_metadata, "backup metadata");
    assert_string_equal(component->backup_options, "backup options");
    assert_string_equal(component->restore_metadata, "restore metadata");
    assert_string_equal(component->restore_options, "restore options");
    assert_string_equal(component->pre_restore_failure_message, "");
    assert_true(component->selected_for_restore);
    assert_true(component->additional_restores);
    assert_int_equal(component->restore_target, VSS_RT_ALTERNATE);
    assert_int_equal(component->file_restore_status, VSS_RS_ALL);
    assert_int_equal(component->n_partial_files, 1);
    assert_string_equal(component->partial_files[0]->file_name, "big.mdf");
    assert_string_equal(component->partial_files[0]->ranges, "1, 0:4096");
    assert_string_equal(component->partial_files[0]->metadata, "");
    assert_int_equal(component->n_differenced_files, 1);
    assert_string_equal(component->differenced_files[0]->filespec, "*.log");
    assert_true(component->differenced_files[0]->recursive);
    assert_int_equal(component->differenced_files[0]->last_modify_ms, 12345);
    assert_int_equal(component->n_restore_subcomponents, 1);
    assert_string_equal(component->restore_subcomponents[0]->name, "part");
    assert_int_equal(component->n_directed_targets, 1);
    assert_string_equal(component->directed_targets[0]->destination_file, "two");
}

static void components_become_data(void **state)
{
    (void)state;
    PB(GetWriterComponents) in = SHADOWPIPE__V1__GET_WRITER_COMPONENTS__INIT;
    PB(GetWriterComponentsCount) count = SHADOWPIPE__V1__GET_WRITER_COMPONENTS_COUNT__INIT;
    in.index = 3;
    check(PB_METHOD(GET_WRITER_COMPONENTS_COUNT), &count, "GetWriterComponentsCount");
    assert_int_equal(bench.reply.message.get_writer_components_count->count, 7);
    check(PB_METHOD(GET_WRITER_COMPONENTS), &in, "GetWriterComponents 3");
    const PB(GetWriterComponentsResult) *out = bench.reply.message.get_writer_components;
    assert_string_equal(out->writer_id, "11111111-1111-1111-1111-111111111111");
    assert_string_equal(out->instance_id, "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa");
    assert_int_equal(out->n_components, 2);
    for (size_t i = 0; i < 2; i++) {
        const PB(BackupComponent) *component = out->components[i];
        check_component(component);
        assert_string_equal(component->prepare_failure_message, "prepare failed");
        assert_string_equal(component->post_snapshot_failure_message, "post snapshot failed");
        assert_true(component->authoritative_restore);
        assert_int_equal(component->roll_forward_type, VSS_RF_PARTIAL);
        assert_string_equal(component->roll_forward_point, "noon");
        assert_string_equal(component->restore_name, "restored");
        assert_hresult(component->failure_hresult, VSS_E_WRITERERROR_RETRYABLE);
        assert_int_equal(component->failure_app_hresult, 0x1234);
        assert_string_equal(component->failure_app_message, "the disk is full");
    }
    /* An older VSS has less to say. */
    has_later_versions = false;
    run(PB_METHOD(GET_WRITER_COMPONENTS), &in);
    check_component(bench.reply.message.get_writer_components->components[0]);
    assert_string_equal(bench.reply.message.get_writer_components->components[0]->restore_name, "");
}

/* A component that cannot be read is none that is empty. */
static void failures_inside_are_told(void **state)
{
    (void)state;
    PB(GetWriterComponents) in = SHADOWPIPE__V1__GET_WRITER_COMPONENTS__INIT;
    component_type_answer = VSS_E_INVALID_XML_DOCUMENT;
    const PB(CallReply) *reply = run(PB_METHOD(GET_WRITER_COMPONENTS), &in);
    assert_hresult(reply->hresult, VSS_E_INVALID_XML_DOCUMENT);
    assert_string_equal(reply->status->method, "IVssComponent::GetComponentName");
    assert_int_equal(reply->out_case, PB_OUT(_NOT_SET));
    component_type_answer = S_OK;
    partial_answer = E_OUTOFMEMORY;
    reply = run(PB_METHOD(GET_WRITER_COMPONENTS), &in);
    assert_hresult(reply->hresult, E_OUTOFMEMORY);
    assert_string_equal(reply->status->method, "IVssComponent::GetPartialFile");
}

/* ---- documents ---- */

static const PB(Envelope) * ask(PB(Envelope) * request)
{
    static PB(Envelope) reply;
    shadowpipe__v1__envelope__init(&reply);
    arena_reset(&bench.arena);
    documents_answer(&bench.session, request, &bench.arena, &reply);
    return &reply;
}

static const PB(Envelope) * put(const char *id, const void *data, size_t size, uint64_t offset,
                                uint64_t total, bool last, const uint8_t *hash)
{
    PB(DocumentChunk) chunk = SHADOWPIPE__V1__DOCUMENT_CHUNK__INIT;
    PB(PutDocument) message = SHADOWPIPE__V1__PUT_DOCUMENT__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    chunk.data = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data};
    chunk.offset = offset;
    chunk.total_bytes = total;
    chunk.last = last;
    chunk.sha256 = (ProtobufCBinaryData){hash != NULL ? 32 : 0, (uint8_t *)(uintptr_t)hash};
    message.document_id = (char *)(uintptr_t)id;
    message.chunk = &chunk;
    envelope.body_case = PB_BODY(PUT_DOCUMENT);
    envelope.put_document = &message;
    return ask(&envelope);
}

static const PB(Envelope) * read_part(PB(DocumentKind) kind, uint64_t offset)
{
    PB(ReadDocument) message = SHADOWPIPE__V1__READ_DOCUMENT__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    message.kind = kind;
    message.offset = offset;
    envelope.body_case = PB_BODY(READ_DOCUMENT);
    envelope.read_document = &message;
    return ask(&envelope);
}

static const PB(CallReply) * initialize(PB(Call__MethodCase) method, const char *id)
{
    PB(InitializeForRestore) restore = SHADOWPIPE__V1__INITIALIZE_FOR_RESTORE__INIT;
    PB(InitializeForBackup) backup = SHADOWPIPE__V1__INITIALIZE_FOR_BACKUP__INIT;
    restore.document_id = backup.document_id = (char *)(uintptr_t)id;
    return method == PB_METHOD(INITIALIZE_FOR_RESTORE) ? run(method, &restore) : run(method, &backup);
}

static HRESULT STDAPICALLTYPE examine(BSTR xml, IVssExamineWriterMetadata **metadata)
{
    *metadata = NULL;
    (void)saw("CreateVssExamineWriterMetadata %s", text(xml));
    return VSS_E_INVALID_XML_DOCUMENT;
}

static void metadata_is_examined_by_the_library(void **state)
{
    (void)state;
    static char id[] = "kept";
    PB(ExamineWriterMetadata) in = SHADOWPIPE__V1__EXAMINE_WRITER_METADATA__INIT;
    const PB(Call__MethodCase) method = PB_METHOD(EXAMINE_WRITER_METADATA);
    bench.session.ready.hresult = E_ACCESSDENIED;
    assert_hresult(run(method, &in)->hresult, E_ACCESSDENIED);
    bench.session.library.module = GetModuleHandleW(NULL);
    bench.session.library.examine_writer_metadata = examine;
    const PB(CallReply) *reply = run(method, &in);
    assert_hresult(reply->hresult, E_INVALIDARG);
    assert_string_equal(reply->status->field, "examine_writer_metadata.document_id");
    in.document_id = id;
    assert_hresult(run(method, &in)->hresult, E_INVALIDARG);
    put(id, "<x/>", 4, 0, 4, true, NULL);
    reply = run(method, &in);
    assert_hresult(reply->hresult, VSS_E_INVALID_XML_DOCUMENT);
    assert_string_equal(seen, "CreateVssExamineWriterMetadata <x/>");
}

static void documents_go_in(void **state)
{
    (void)state;
    static const uint8_t abc_hash[32] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
                                         0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
                                         0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    const PB(Call__MethodCase) restore = PB_METHOD(INITIALIZE_FOR_RESTORE);
    const PB(Call__MethodCase) backup = PB_METHOD(INITIALIZE_FOR_BACKUP);
    assert_int_equal(put("one", "ab", 2, 0, 3, false, NULL)->body_case, PB_BODY(PUT_DOCUMENT_REPLY));
    assert_hresult(initialize(restore, "one")->hresult, E_INVALIDARG); /* not all of it has come */
    const PB(Envelope) *reply = put("one", "c", 1, 2, 3, true, abc_hash);
    assert_int_equal(reply->body_case, PB_BODY(PUT_DOCUMENT_REPLY));
    assert_int_equal(reply->put_document_reply->received_bytes, 3);
    assert_hresult(initialize(restore, "one")->hresult, S_OK);
    assert_string_equal(seen, "InitializeForRestore abc");
    assert_hresult(initialize(restore, "one")->hresult, E_INVALIDARG); /* it serves once */
    put("two", "<\xC3\xA4>", 4, 0, 4, true, NULL);
    assert_hresult(initialize(backup, "two")->hresult, S_OK);
    assert_string_equal(seen, "InitializeForBackup <\xC3\xA4>");
    put("three", "\xEF\xBB\xBFx", 4, 0, 4, true, NULL);
    assert_hresult(initialize(backup, "three")->hresult, S_OK);
    assert_string_equal(seen, "InitializeForBackup x");
    put("four", "\xFF\xFEy\0z\0", 6, 0, 6, true, NULL);
    assert_hresult(initialize(backup, "four")->hresult, S_OK);
    assert_string_equal(seen, "InitializeForBackup yz");
    assert_hresult(initialize(backup, "")->hresult, S_OK);
    assert_string_equal(seen, "InitializeForBackup NULL");
    put("five", "\x80\x81", 2, 0, 2, true, NULL);
    const PB(CallReply) *refusal = initialize(backup, "five");
    assert_string_equal(refusal->status->field, "initialize_for_backup.document_id");
    reply = put("six", "abd", 3, 0, 3, true, abc_hash);
    assert_int_equal(reply->body_case, PB_BODY(STATUS));
    assert_string_equal(reply->status->reason, "DAMAGED_DOCUMENT");
    assert_hresult(initialize(backup, "six")->hresult, E_INVALIDARG);
}

static void bad_parts_are_refused(void **state)
{
    (void)state;
    put("x", "ab", 2, 0, 4, false, NULL);
    /* The replies share one place, so each is looked at before the next. */
#define REFUSED(...) assert_string_equal(put(__VA_ARGS__)->status->reason, "BAD_CHUNK")
    REFUSED("", "a", 1, 0, 1, true, NULL);
    REFUSED("y", "a", 1, 1, 2, true, NULL);
    REFUSED("x", "a", 1, 1, 4, false, NULL);
    REFUSED("x", "abc", 3, 2, 4, true, NULL);
    REFUSED("x", "a", 1, 2, 5, false, NULL);
    REFUSED("z", "a", 1, 0, 0, true, NULL);
    REFUSED("z", "a", 1, 0, DOCUMENTS_PUT_BYTES + 1, false, NULL);
}

static void documents_come_out(void **state)
{
    (void)state;
    const PB(DocumentKind) kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
    PB(SaveAsXML) nothing = SHADOWPIPE__V1__SAVE_AS_XML__INIT;
    const size_t length = sizeof document_text / sizeof document_text[0] - 1;
    assert_string_equal(read_part(kind, 0)->status->reason, "UNKNOWN_DOCUMENT");
    wmemset(document_text, L'x', length);
    document_text[0] = 0x00E4; /* two bytes */
    const PB(CallReply) *reply = run(PB_METHOD(SAVE_AS_XML), &nothing);
    assert_hresult(reply->hresult, S_OK);
    const PB(DocumentInfo) *info = reply->save_as_xml->document;
    assert_int_equal(info->size_bytes, length + 1);
    assert_int_equal(info->sha256.len, 32);
    uint8_t hash[32];
    memcpy(hash, info->sha256.data, sizeof hash);
    size_t got = 0;
    unsigned parts = 0;
    for (bool last = false; !last; parts++) {
        const PB(Envelope) *part = read_part(kind, got);
        assert_int_equal(part->body_case, PB_BODY(DOCUMENT_CHUNK));
        const PB(DocumentChunk) *chunk = part->document_chunk;
        assert_int_equal(chunk->offset, got);
        assert_int_equal(chunk->total_bytes, length + 1);
        assert_true(chunk->data.len <= DOCUMENTS_CHUNK_BYTES);
        assert_int_equal(chunk->data.data[0], got == 0 ? 0xC3 : 'x');
        got += chunk->data.len;
        last = chunk->last;
        assert_int_equal(chunk->sha256.len, last ? 32 : 0);
        if (last) {
            assert_memory_equal(chunk->sha256.data, hash, 32);
        }
    }
    assert_int_equal(got, length + 1);
    assert_int_equal(parts, 2);
    assert_string_equal(read_part(kind, got)->status->reason, "BAD_CHUNK");
    assert_string_equal(read_part(PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_WRITER_METADATA), 0)->status->reason,
                        "UNKNOWN_DOCUMENT");
    /* The next one takes its place. */
    wcscpy(document_text, L"short");
    run(PB_METHOD(SAVE_AS_XML), &nothing);
    assert_int_equal(read_part(kind, 0)->document_chunk->total_bytes, 5);
    document_text[0] = L'\0';
    assert_hresult(run(PB_METHOD(SAVE_AS_XML), &nothing)->hresult, E_UNEXPECTED);
    /* What was kept outlives the object. */
    session_release(&bench.session);
    assert_int_equal(read_part(kind, 0)->document_chunk->total_bytes, 5);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(components_are_chosen),
        TEST(places_are_told),
        TEST(bad_components_are_refused),
        TEST(restore_runs_in_phases),
        TEST(snapshots_are_managed),
        TEST(outcomes_come_back),
        TEST(bad_ids_are_refused),
        TEST(functions_need_the_library),
        TEST(reserved_methods_say_so),
        TEST(every_method_has_a_row),
        TEST(metadata_is_examined_by_the_library),
        TEST(components_become_data),
        TEST(failures_inside_are_told),
        TEST(documents_go_in),
        TEST(bad_parts_are_refused),
        TEST(documents_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
