#define COBJMACROS
#include "component.h"
#include "engine/document.h"
#include "metadata_parts.h"
#include "ownership.h"

#include <oleauto.h>
#include <stdlib.h>
#include <wchar.h>

struct component {
    IVssComponentEx2 base;
    LONG references;
    struct tree *tree;
    const struct xml *element;
};

#define This_t IVssComponentEx2

static struct component *component_of(This_t *This)
{
    return CONTAINING_RECORD(This, struct component, base);
}

static HRESULT STDMETHODCALLTYPE component_query_interface(This_t *This, REFIID riid, void **object)
{
    if (!object)
        return E_POINTER;
    *object = NULL;
    if (!IsEqualIID(riid, &IID_IUnknown) && !IsEqualIID(riid, &IID_IVssComponent) &&
        !IsEqualIID(riid, &IID_IVssComponentEx) && !IsEqualIID(riid, &IID_IVssComponentEx2))
        return E_NOINTERFACE;
    *object = This;
    IVssComponentEx2_AddRef(This);
    return S_OK;
}

static ULONG STDMETHODCALLTYPE component_add_ref(This_t *This)
{
    return (ULONG)InterlockedIncrement(&component_of(This)->references);
}

static ULONG STDMETHODCALLTYPE component_release(This_t *This)
{
    struct component *component = component_of(This);
    LONG left = InterlockedDecrement(&component->references);
    if (left == 0) {
        tree_drop(component->tree);
        ownership_end(component, (const void **)&component->base.lpVtbl, 1);
    }
    return (ULONG)left;
}

/* S_FALSE and NULL for what nobody has set. */
static HRESULT get_text(This_t *This, const wchar_t *attribute, BSTR *out)
{
    if (!out)
        return E_INVALIDARG;
    const wchar_t *value = xml_get(component_of(This)->element, attribute);
    HRESULT hr = bstr_copy(value, out);
    return SUCCEEDED(hr) && !value ? S_FALSE : hr;
}

static HRESULT get_flag(This_t *This, const wchar_t *attribute, boolean *out)
{
    if (!out)
        return E_INVALIDARG;
    *out = xml_get_flag(component_of(This)->element, attribute, FALSE) != FALSE;
    return S_OK;
}

static HRESULT get_count(This_t *This, const wchar_t *child, UINT *out)
{
    if (!out)
        return E_INVALIDARG;
    *out = xml_count(component_of(This)->element, child);
    return S_OK;
}

/* The attributes of one child as so many strings, all or none. */
struct wanted {
    const wchar_t *attribute;
    BSTR *out;
};

static HRESULT get_strings(This_t *This, const wchar_t *name, UINT index, const struct wanted *wanted,
                           size_t count, const struct xml **found)
{
    BOOL good = TRUE;
    for (size_t i = 0; i < count; i++) {
        good = good && wanted[i].out;
        if (wanted[i].out)
            *wanted[i].out = NULL;
    }
    if (!good)
        return E_INVALIDARG;
    const struct xml *child = xml_child(component_of(This)->element, name, index);
    if (!child)
        return VSS_E_OBJECT_NOT_FOUND;
    HRESULT hr = S_OK;
    for (size_t i = 0; i < count && SUCCEEDED(hr); i++)
        hr = bstr_copy(xml_get(child, wanted[i].attribute), wanted[i].out);
    for (size_t i = 0; i < count && FAILED(hr); i++) {
        SysFreeString(*wanted[i].out);
        *wanted[i].out = NULL;
    }
    if (found)
        *found = child;
    return hr;
}

static HRESULT get_files(This_t *This, const wchar_t *name, UINT index, IVssWMFiledesc **out)
{
    if (!out)
        return E_INVALIDARG;
    *out = NULL;
    const struct xml *child = xml_child(component_of(This)->element, name, index);
    if (!child)
        return VSS_E_OBJECT_NOT_FOUND;
    struct writer_list *list = writer_list_create(NULL, 0);
    struct writer_files *files = list ? writer_list_allocate(list, sizeof *files) : NULL;
    HRESULT hr = E_OUTOFMEMORY;
    if (files) {
        files->path = writer_list_text(list, xml_get(child, L"path"));
        files->spec = writer_list_text(list, xml_get(child, L"filespec"));
        files->recursive = xml_get_flag(child, L"recursive", FALSE);
        files->alternate = writer_list_text(list, xml_get(child, L"alternatePath"));
        hr = filedesc_create(list, files, out);
    }
    writer_list_drop(list);
    return hr;
}

static HRESULT STDMETHODCALLTYPE get_logical_path(This_t *This, BSTR *out)
{
    return get_text(This, L"logicalPath", out);
}

static HRESULT STDMETHODCALLTYPE get_name(This_t *This, BSTR *out)
{
    return get_text(This, L"componentName", out);
}

static HRESULT STDMETHODCALLTYPE get_backup_metadata(This_t *This, BSTR *out)
{
    return get_text(This, L"backupMetadata", out);
}

static HRESULT STDMETHODCALLTYPE get_restore_metadata(This_t *This, BSTR *out)
{
    return get_text(This, L"restoreMetadata", out);
}

static HRESULT STDMETHODCALLTYPE get_pre_restore_message(This_t *This, BSTR *out)
{
    return get_text(This, L"preRestoreFailureMsg", out);
}

static HRESULT STDMETHODCALLTYPE get_post_restore_message(This_t *This, BSTR *out)
{
    return get_text(This, L"postRestoreFailureMsg", out);
}

static HRESULT STDMETHODCALLTYPE get_backup_stamp(This_t *This, BSTR *out)
{
    return get_text(This, L"backupStamp", out);
}

static HRESULT STDMETHODCALLTYPE get_previous_stamp(This_t *This, BSTR *out)
{
    return get_text(This, L"previousBackupStamp", out);
}

static HRESULT STDMETHODCALLTYPE get_backup_options(This_t *This, BSTR *out)
{
    return get_text(This, L"backupOptions", out);
}

static HRESULT STDMETHODCALLTYPE get_restore_options(This_t *This, BSTR *out)
{
    return get_text(This, L"restoreOptions", out);
}

static HRESULT STDMETHODCALLTYPE get_prepare_message(This_t *This, BSTR *out)
{
    return get_text(This, L"prepareForBackupFailureMsg", out);
}

static HRESULT STDMETHODCALLTYPE get_post_snapshot_message(This_t *This, BSTR *out)
{
    return get_text(This, L"postSnapshotFailureMsg", out);
}

static HRESULT STDMETHODCALLTYPE get_restore_name(This_t *This, BSTR *out)
{
    return get_text(This, L"restoreName", out);
}

static HRESULT STDMETHODCALLTYPE get_succeeded(This_t *This, boolean *out)
{
    return get_flag(This, L"backupSucceeded", out);
}

static HRESULT STDMETHODCALLTYPE is_selected(This_t *This, boolean *out)
{
    return get_flag(This, L"selectedForRestore", out);
}

static HRESULT STDMETHODCALLTYPE get_additional(This_t *This, boolean *out)
{
    return get_flag(This, L"additionalRestores", out);
}

static HRESULT STDMETHODCALLTYPE get_authoritative(This_t *This, boolean *out)
{
    return get_flag(This, L"authoritativeRestore", out);
}

static HRESULT STDMETHODCALLTYPE get_mapping_count(This_t *This, UINT *out)
{
    return get_count(This, BCD_MAPPING, out);
}

static HRESULT STDMETHODCALLTYPE get_partial_count(This_t *This, UINT *out)
{
    return get_count(This, BCD_PARTIAL_FILE, out);
}

static HRESULT STDMETHODCALLTYPE get_new_target_count(This_t *This, UINT *out)
{
    return get_count(This, BCD_NEW_TARGET, out);
}

static HRESULT STDMETHODCALLTYPE get_directed_count(This_t *This, UINT *out)
{
    return get_count(This, BCD_DIRECTED_TARGET, out);
}

static HRESULT STDMETHODCALLTYPE get_subcomponent_count(This_t *This, UINT *out)
{
    return get_count(This, BCD_SUBCOMPONENT, out);
}

static HRESULT STDMETHODCALLTYPE get_differenced_count(This_t *This, UINT *out)
{
    return get_count(This, BCD_DIFFERENCED, out);
}

static HRESULT STDMETHODCALLTYPE get_mapping(This_t *This, UINT index, IVssWMFiledesc **out)
{
    return get_files(This, BCD_MAPPING, index, out);
}

static HRESULT STDMETHODCALLTYPE get_new_target(This_t *This, UINT index, IVssWMFiledesc **out)
{
    return get_files(This, BCD_NEW_TARGET, index, out);
}

static HRESULT STDMETHODCALLTYPE get_type(This_t *This, VSS_COMPONENT_TYPE *out)
{
    if (!out)
        return E_INVALIDARG;
    *out = bcd_component_type(component_of(This)->element);
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE get_partial(This_t *This, UINT index, BSTR *path, BSTR *name, BSTR *ranges,
                                             BSTR *metadata)
{
    const struct wanted wanted[] = {
        {L"path", path}, {L"filespec", name}, {L"ranges", ranges}, {L"metadata", metadata}};
    return get_strings(This, BCD_PARTIAL_FILE, index, wanted, ARRAYSIZE(wanted), NULL);
}

static HRESULT STDMETHODCALLTYPE get_directed(This_t *This, UINT index, BSTR *path, BSTR *name, BSTR *ranges,
                                              BSTR *to_path, BSTR *to_name, BSTR *to_ranges)
{
    const struct wanted wanted[] = {
        {L"sourcePath", path},         {L"sourceFilespec", name},         {L"sourceRanges", ranges},
        {L"destinationPath", to_path}, {L"destinationFilespec", to_name}, {L"destinationRanges", to_ranges}};
    return get_strings(This, BCD_DIRECTED_TARGET, index, wanted, ARRAYSIZE(wanted), NULL);
}

static HRESULT STDMETHODCALLTYPE get_restore_target(This_t *This, VSS_RESTORE_TARGET *out)
{
    static const wchar_t *const words[] = {L"undefined", L"original", L"alternate", L"directed",
                                           L"originalLocation"};
    if (!out)
        return E_INVALIDARG;
    *out = (VSS_RESTORE_TARGET)xml_get_word(component_of(This)->element, L"restoreTarget", words,
                                            ARRAYSIZE(words));
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE get_subcomponent(This_t *This, UINT index, BSTR *path, BSTR *name,
                                                  boolean *repair)
{
    const struct wanted wanted[] = {{L"logicalPath", path}, {L"componentName", name}};
    if (repair)
        *repair = 0;
    HRESULT hr = get_strings(This, BCD_SUBCOMPONENT, index, wanted, ARRAYSIZE(wanted), NULL);
    return repair || FAILED(hr) ? hr : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE get_file_status(This_t *This, VSS_FILE_RESTORE_STATUS *out)
{
    static const wchar_t *const words[] = {L"undefined", L"none", L"all", L"failed"};
    if (!out)
        return E_INVALIDARG;
    *out = (VSS_FILE_RESTORE_STATUS)xml_get_word(component_of(This)->element, L"fileRestoreStatus", words,
                                                 ARRAYSIZE(words));
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE get_differenced(This_t *This, UINT index, BSTR *path, BSTR *spec,
                                                 WINBOOL *recursive, BSTR *lsn, FILETIME *time)
{
    const struct wanted wanted[] = {{L"path", path}, {L"filespec", spec}, {L"lsn", lsn}};
    const struct xml *child = NULL;
    if (!recursive || !time)
        return E_INVALIDARG;
    *recursive = FALSE;
    *time = (FILETIME){0};
    HRESULT hr = get_strings(This, BCD_DIFFERENCED, index, wanted, ARRAYSIZE(wanted), &child);
    if (FAILED(hr))
        return hr;
    const wchar_t *text = xml_get(child, L"lastModifyTime");
    unsigned long long ticks = text ? wcstoull(text, NULL, 10) : 0;
    *recursive = xml_get_flag(child, L"recursive", FALSE);
    *time = (FILETIME){(DWORD)ticks, (DWORD)(ticks >> 32)};
    return S_OK;
}

static HRESULT STDMETHODCALLTYPE get_roll_forward(This_t *This, VSS_ROLLFORWARD_TYPE *type, BSTR *point)
{
    static const wchar_t *const words[] = {L"undefined", L"none", L"all", L"partial"};
    if (!type || !point)
        return E_INVALIDARG;
    *type = (VSS_ROLLFORWARD_TYPE)xml_get_word(component_of(This)->element, L"rollForward", words,
                                               ARRAYSIZE(words));
    return bstr_copy(xml_get(component_of(This)->element, L"rollForwardPoint"), point);
}

static HRESULT STDMETHODCALLTYPE get_failure(This_t *This, HRESULT *failure, HRESULT *application,
                                             BSTR *message, DWORD *reserved)
{
    const struct xml *element = component_of(This)->element;
    if (!failure || !application || !message)
        return E_INVALIDARG;
    if (reserved)
        *reserved = 0;
    *failure = (HRESULT)xml_get_number(element, L"failure", 0);
    *application = (HRESULT)xml_get_number(element, L"applicationFailure", 0);
    return bstr_copy(xml_get(element, L"applicationMessage"), message);
}

/* ---- what only a writer may do, in its own events ---- */

static HRESULT writers_only(BOOL arguments_are_good)
{
    return arguments_are_good ? VSS_E_BAD_STATE : E_INVALIDARG;
}

static HRESULT STDMETHODCALLTYPE set_text(This_t *This, LPCWSTR text)
{
    (void)This;
    return writers_only(text != NULL);
}

static HRESULT STDMETHODCALLTYPE add_partial(This_t *This, LPCWSTR path, LPCWSTR name, LPCWSTR ranges,
                                             LPCWSTR metadata)
{
    (void)This, (void)metadata;
    return writers_only(path && name && ranges);
}

static HRESULT STDMETHODCALLTYPE add_directed(This_t *This, LPCWSTR path, LPCWSTR name, LPCWSTR ranges,
                                              LPCWSTR to_path, LPCWSTR to_name, LPCWSTR to_ranges)
{
    (void)This;
    return writers_only(path && name && ranges && to_path && to_name && to_ranges);
}

static HRESULT STDMETHODCALLTYPE set_restore_target(This_t *This, VSS_RESTORE_TARGET target)
{
    (void)This;
    return writers_only(target > VSS_RT_UNDEFINED && target <= VSS_RT_ORIGINAL_LOCATION);
}

static HRESULT STDMETHODCALLTYPE add_differenced_by_time(This_t *This, LPCWSTR path, LPCWSTR spec,
                                                         WINBOOL recursive, FILETIME time)
{
    (void)This, (void)recursive, (void)time;
    return writers_only(path && spec);
}

static HRESULT STDMETHODCALLTYPE add_differenced_by_lsn(This_t *This, LPCWSTR path, LPCWSTR spec,
                                                        WINBOOL recursive, BSTR lsn)
{
    (void)This, (void)recursive;
    return writers_only(path && spec && lsn);
}

static HRESULT STDMETHODCALLTYPE set_failure(This_t *This, HRESULT failure, HRESULT application,
                                             LPCWSTR message, DWORD reserved)
{
    (void)This, (void)failure, (void)application, (void)message;
    return writers_only(reserved == 0);
}

static CONST_VTBL IVssComponentEx2Vtbl component_vtbl = {
    .QueryInterface = component_query_interface,
    .AddRef = component_add_ref,
    .Release = component_release,
    .GetLogicalPath = get_logical_path,
    .GetComponentType = get_type,
    .GetComponentName = get_name,
    .GetBackupSucceeded = get_succeeded,
    .GetAlternateLocationMappingCount = get_mapping_count,
    .GetAlternateLocationMapping = get_mapping,
    .SetBackupMetadata = set_text,
    .GetBackupMetadata = get_backup_metadata,
    .AddPartialFile = add_partial,
    .GetPartialFileCount = get_partial_count,
    .GetPartialFile = get_partial,
    .IsSelectedForRestore = is_selected,
    .GetAdditionalRestores = get_additional,
    .GetNewTargetCount = get_new_target_count,
    .GetNewTarget = get_new_target,
    .AddDirectedTarget = add_directed,
    .GetDirectedTargetCount = get_directed_count,
    .GetDirectedTarget = get_directed,
    .SetRestoreMetadata = set_text,
    .GetRestoreMetadata = get_restore_metadata,
    .SetRestoreTarget = set_restore_target,
    .GetRestoreTarget = get_restore_target,
    .SetPreRestoreFailureMsg = set_text,
    .GetPreRestoreFailureMsg = get_pre_restore_message,
    .SetPostRestoreFailureMsg = set_text,
    .GetPostRestoreFailureMsg = get_post_restore_message,
    .SetBackupStamp = set_text,
    .GetBackupStamp = get_backup_stamp,
    .GetPreviousBackupStamp = get_previous_stamp,
    .GetBackupOptions = get_backup_options,
    .GetRestoreOptions = get_restore_options,
    .GetRestoreSubcomponentCount = get_subcomponent_count,
    .GetRestoreSubcomponent = get_subcomponent,
    .GetFileRestoreStatus = get_file_status,
    .AddDifferencedFilesByLastModifyTime = add_differenced_by_time,
    .AddDifferencedFilesByLastModifyLSN = add_differenced_by_lsn,
    .GetDifferencedFilesCount = get_differenced_count,
    .GetDifferencedFile = get_differenced,
    .SetPrepareForBackupFailureMsg = set_text,
    .SetPostSnapshotFailureMsg = set_text,
    .GetPrepareForBackupFailureMsg = get_prepare_message,
    .GetPostSnapshotFailureMsg = get_post_snapshot_message,
    .GetAuthoritativeRestore = get_authoritative,
    .GetRollForward = get_roll_forward,
    .GetRestoreName = get_restore_name,
    .SetFailure = set_failure,
    .GetFailure = get_failure,
};

HRESULT component_create_at(struct tree *tree, UINT index, IVssComponent **out)
{
    const struct xml *element = xml_child(tree->root, BCD_COMPONENT, index);
    if (!element)
        return VSS_E_OBJECT_NOT_FOUND;
    struct component *component = calloc(1, sizeof *component);
    if (!component)
        return E_OUTOFMEMORY;
    component->base.lpVtbl = &component_vtbl;
    component->references = 1;
    component->tree = tree_hold(tree);
    component->element = element;
    *out = (IVssComponent *)&component->base;
    return S_OK;
}
