#include "service/requester/backup_component.h"

#include "service/requester/text.h"

/* A component has what its phase and its writer gave it: these say that there is nothing, not that reading
 * failed. */
static bool is_absent(HRESULT hresult)
{
    return hresult == E_NOTIMPL || hresult == VSS_E_OBJECT_NOT_FOUND || hresult == VSS_E_BAD_STATE;
}

static HRESULT judge(struct reply *reply, const char *method, HRESULT hresult)
{
    if (SUCCEEDED(hresult) || is_absent(hresult)) {
        return S_OK;
    }
    reply->failed_method = method;
    return hresult;
}

/* Moves a BSTR onto the wire. */
static char *take_text(struct reply *reply, BSTR text)
{
    char *result = reply_text(reply, text);
    SysFreeString(text);
    return result;
}

/* ---- single values ---- */

typedef HRESULT(STDMETHODCALLTYPE *get_text)(void *object, BSTR *text);
typedef HRESULT(STDMETHODCALLTYPE *get_bool)(void *object, boolean *value);

struct text_row {
    const char *method;
    get_text get;
    char **to;
};

struct bool_row {
    const char *method;
    get_bool get;
    protobuf_c_boolean *to;
};

static HRESULT read_texts(struct reply *reply, void *object, const struct text_row *rows, size_t count)
{
    HRESULT hresult = S_OK;
    for (size_t i = 0; i < count && SUCCEEDED(hresult); i++) {
        BSTR text = NULL;
        hresult = judge(reply, rows[i].method, rows[i].get(object, &text));
        *rows[i].to = take_text(reply, text);
    }
    return hresult;
}

static HRESULT read_bools(struct reply *reply, void *object, const struct bool_row *rows, size_t count)
{
    HRESULT hresult = S_OK;
    for (size_t i = 0; i < count && SUCCEEDED(hresult); i++) {
        boolean value = 0;
        hresult = judge(reply, rows[i].method, rows[i].get(object, &value));
        *rows[i].to = value != 0;
    }
    return hresult;
}

/* The name is what a component is known by: without it there is none. */
static HRESULT read_identity(struct reply *reply, IVssComponent *component, PB(BackupComponent) * out)
{
    VSS_COMPONENT_TYPE type = VSS_CT_UNDEFINED;
    BSTR path = NULL;
    BSTR name = NULL;
    HRESULT hresult = IVssComponent_GetComponentType(component, &type);
    if (SUCCEEDED(hresult)) {
        hresult = IVssComponent_GetLogicalPath(component, &path);
    }
    if (SUCCEEDED(hresult)) {
        hresult = IVssComponent_GetComponentName(component, &name);
    }
    out->type = type == VSS_CT_DATABASE || type == VSS_CT_FILEGROUP
                    ? (PB(ComponentType))type
                    : PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_UNSPECIFIED);
    out->logical_path = take_text(reply, path);
    out->name = take_text(reply, name);
    if (FAILED(hresult)) {
        reply->failed_method = "IVssComponent::GetComponentName";
    }
    return hresult;
}

#define TEXT_ROW(name, field)                                                           \
    {                                                                                   \
        "IVssComponent::" #name, (get_text)(void *)component->lpVtbl->name, &out->field \
    }
#define BOOLEAN_ROW(name, field)                                                        \
    {                                                                                   \
        "IVssComponent::" #name, (get_bool)(void *)component->lpVtbl->name, &out->field \
    }

static HRESULT read_values(struct reply *reply, IVssComponent *component, PB(BackupComponent) * out)
{
    const struct text_row texts[] = {
        TEXT_ROW(GetBackupStamp, backup_stamp),
        TEXT_ROW(GetPreviousBackupStamp, previous_backup_stamp),
        TEXT_ROW(GetBackupMetadata, backup_metadata),
        TEXT_ROW(GetBackupOptions, backup_options),
        TEXT_ROW(GetRestoreMetadata, restore_metadata),
        TEXT_ROW(GetRestoreOptions, restore_options),
        TEXT_ROW(GetPreRestoreFailureMsg, pre_restore_failure_message),
        TEXT_ROW(GetPostRestoreFailureMsg, post_restore_failure_message),
    };
    const struct bool_row bools[] = {
        BOOLEAN_ROW(GetBackupSucceeded, backup_succeeded),
        BOOLEAN_ROW(IsSelectedForRestore, selected_for_restore),
        BOOLEAN_ROW(GetAdditionalRestores, additional_restores),
    };
    VSS_RESTORE_TARGET target = VSS_RT_UNDEFINED;
    VSS_FILE_RESTORE_STATUS status = VSS_RS_UNDEFINED;
    HRESULT hresult = read_texts(reply, component, texts, sizeof texts / sizeof texts[0]);
    if (SUCCEEDED(hresult)) {
        hresult = read_bools(reply, component, bools, sizeof bools / sizeof bools[0]);
    }
    if (SUCCEEDED(hresult)) {
        hresult = judge(reply, "IVssComponent::GetRestoreTarget",
                        IVssComponent_GetRestoreTarget(component, &target));
    }
    if (SUCCEEDED(hresult)) {
        hresult = judge(reply, "IVssComponent::GetFileRestoreStatus",
                        IVssComponent_GetFileRestoreStatus(component, &status));
    }
    out->restore_target = (uint32_t)target;
    out->file_restore_status = (uint32_t)status;
    return hresult;
}

/* ---- later versions ---- */

static HRESULT read_ex(struct reply *reply, IVssComponent *object, PB(BackupComponent) * out)
{
    IVssComponentEx *component = NULL;
    if (FAILED(IVssComponent_QueryInterface(object, &IID_IVssComponentEx, (void **)&component))) {
        return S_OK; /* VSS is older than these */
    }
    const struct text_row texts[] = {
        TEXT_ROW(GetPrepareForBackupFailureMsg, prepare_failure_message),
        TEXT_ROW(GetPostSnapshotFailureMsg, post_snapshot_failure_message),
        TEXT_ROW(GetRestoreName, restore_name),
    };
    const struct bool_row bools[] = {BOOLEAN_ROW(GetAuthoritativeRestore, authoritative_restore)};
    VSS_ROLLFORWARD_TYPE type = VSS_RF_UNDEFINED;
    BSTR point = NULL;
    HRESULT hresult = read_texts(reply, component, texts, sizeof texts / sizeof texts[0]);
    if (SUCCEEDED(hresult)) {
        hresult = read_bools(reply, component, bools, sizeof bools / sizeof bools[0]);
    }
    if (SUCCEEDED(hresult)) {
        hresult = judge(reply, "IVssComponentEx::GetRollForward",
                        IVssComponentEx_GetRollForward(component, &type, &point));
    }
    out->roll_forward_type = (uint32_t)type;
    out->roll_forward_point = take_text(reply, point);
    IVssComponentEx_Release(component);
    return hresult;
}

static HRESULT read_failure(struct reply *reply, IVssComponent *object, PB(BackupComponent) * out)
{
    IVssComponentEx2 *component = NULL;
    if (FAILED(IVssComponent_QueryInterface(object, &IID_IVssComponentEx2, (void **)&component))) {
        return S_OK;
    }
    HRESULT failure = S_OK;
    HRESULT application = S_OK;
    BSTR message = NULL;
    HRESULT hresult = judge(reply, "IVssComponentEx2::GetFailure",
                            IVssComponentEx2_GetFailure(component, &failure, &application, &message, NULL));
    out->failure_hresult = (uint32_t)failure;
    out->failure_app_hresult = (uint32_t)application;
    out->failure_app_message = take_text(reply, message);
    IVssComponentEx2_Release(component);
    return hresult;
}

/* ---- lists ---- */

static HRESULT read_file(struct reply *reply, IVssWMFiledesc *file, PB(FileDescriptor) * out)
{
    BSTR path = NULL;
    BSTR filespec = NULL;
    BSTR alternate = NULL;
    boolean recursive = 0;
    DWORD mask = 0;
    HRESULT hresult = IVssWMFiledesc_GetPath(file, &path);
    if (SUCCEEDED(hresult)) {
        hresult = IVssWMFiledesc_GetFilespec(file, &filespec);
    }
    if (SUCCEEDED(hresult)) {
        hresult = IVssWMFiledesc_GetRecursive(file, &recursive);
    }
    if (SUCCEEDED(hresult)) {
        hresult = IVssWMFiledesc_GetAlternateLocation(file, &alternate);
    }
    if (SUCCEEDED(hresult)) {
        HRESULT has_mask = IVssWMFiledesc_GetBackupTypeMask(file, &mask);
        hresult = has_mask == E_NOTIMPL ? S_OK : has_mask;
    }
    out->path = take_text(reply, path);
    out->filespec = take_text(reply, filespec);
    out->alternate_location = take_text(reply, alternate);
    out->recursive = recursive != 0;
    out->backup_type_mask = mask;
    if (FAILED(hresult)) {
        reply->failed_method = "IVssWMFiledesc";
    }
    return hresult;
}

/* One kind of list: how many there are, the message that each becomes, and how it is filled. */
struct list {
    const char *method;
    HRESULT(STDMETHODCALLTYPE *count)(IVssComponent *component, UINT *count);
    const ProtobufCMessageDescriptor *descriptor;
    HRESULT (*fill)(struct reply *reply, IVssComponent *component, UINT index, void *message);
};

static HRESULT fill_alternate(struct reply *reply, IVssComponent *component, UINT index, void *message)
{
    IVssWMFiledesc *file = NULL;
    HRESULT hresult = IVssComponent_GetAlternateLocationMapping(component, index, &file);
    if (FAILED(hresult) || file == NULL) {
        return FAILED(hresult) ? hresult : E_POINTER;
    }
    hresult = read_file(reply, file, message);
    IVssWMFiledesc_Release(file);
    return hresult;
}

static HRESULT fill_target(struct reply *reply, IVssComponent *component, UINT index, void *message)
{
    IVssWMFiledesc *file = NULL;
    HRESULT hresult = IVssComponent_GetNewTarget(component, index, &file);
    if (FAILED(hresult) || file == NULL) {
        return FAILED(hresult) ? hresult : E_POINTER;
    }
    hresult = read_file(reply, file, message);
    IVssWMFiledesc_Release(file);
    return hresult;
}

static HRESULT fill_partial(struct reply *reply, IVssComponent *component, UINT index, void *message)
{
    PB(PartialFile) *out = message;
    BSTR texts[4] = {NULL, NULL, NULL, NULL};
    HRESULT hresult =
        IVssComponent_GetPartialFile(component, index, &texts[0], &texts[1], &texts[2], &texts[3]);
    out->path = take_text(reply, texts[0]);
    out->file_name = take_text(reply, texts[1]);
    out->ranges = take_text(reply, texts[2]);
    out->metadata = take_text(reply, texts[3]);
    return hresult;
}

static HRESULT fill_differenced(struct reply *reply, IVssComponent *component, UINT index, void *message)
{
    PB(DifferencedFile) *out = message;
    BSTR path = NULL;
    BSTR filespec = NULL;
    BSTR lsn = NULL;
    BOOL recursive = FALSE; /* a BOOL here, unlike elsewhere */
    FILETIME modified = {0, 0};
    HRESULT hresult =
        IVssComponent_GetDifferencedFile(component, index, &path, &filespec, &recursive, &lsn, &modified);
    out->path = take_text(reply, path);
    out->filespec = take_text(reply, filespec);
    out->recursive = recursive != FALSE;
    out->lsn = take_text(reply, lsn);
    out->last_modify_ms =
        text_unix_ms((LONGLONG)((ULONGLONG)modified.dwHighDateTime << 32 | modified.dwLowDateTime));
    return hresult;
}

static HRESULT fill_subcomponent(struct reply *reply, IVssComponent *component, UINT index, void *message)
{
    PB(RestoreSubcomponent) *out = message;
    BSTR path = NULL;
    BSTR name = NULL;
    boolean repair = 0;
    HRESULT hresult = IVssComponent_GetRestoreSubcomponent(component, index, &path, &name, &repair);
    out->logical_path = take_text(reply, path);
    out->name = take_text(reply, name);
    out->repair = repair != 0;
    return hresult;
}

static HRESULT fill_directed(struct reply *reply, IVssComponent *component, UINT index, void *message)
{
    PB(DirectedTarget) *out = message;
    BSTR texts[6] = {NULL, NULL, NULL, NULL, NULL, NULL};
    HRESULT hresult = IVssComponent_GetDirectedTarget(component, index, &texts[0], &texts[1], &texts[2],
                                                      &texts[3], &texts[4], &texts[5]);
    out->source_path = take_text(reply, texts[0]);
    out->source_file = take_text(reply, texts[1]);
    out->source_ranges = take_text(reply, texts[2]);
    out->destination_path = take_text(reply, texts[3]);
    out->destination_file = take_text(reply, texts[4]);
    out->destination_ranges = take_text(reply, texts[5]);
    return hresult;
}

static HRESULT read_list(struct reply *reply, IVssComponent *component, const struct list *list,
                         void ***items, size_t *items_count)
{
    UINT count = 0;
    HRESULT hresult = judge(reply, list->method, list->count(component, &count));
    if (FAILED(hresult) || count == 0) {
        return hresult;
    }
    *items = reply_alloc(reply, count * sizeof **items);
    for (UINT i = 0; i < count && !reply->no_memory; i++) {
        void *message = reply_message(reply, list->descriptor);
        if (message == NULL) {
            break;
        }
        hresult = list->fill(reply, component, i, message);
        if (FAILED(hresult)) {
            if (reply->failed_method == NULL) {
                reply->failed_method = list->method;
            }
            return hresult;
        }
        (*items)[(*items_count)++] = message;
    }
    return S_OK;
}

static HRESULT read_lists(struct reply *reply, IVssComponent *component, PB(BackupComponent) * out)
{
    const IVssComponentVtbl *methods = component->lpVtbl;
    const struct list lists[] = {
        {"IVssComponent::GetAlternateLocationMapping", methods->GetAlternateLocationMappingCount,
         &shadowpipe__v1__file_descriptor__descriptor, fill_alternate},
        {"IVssComponent::GetNewTarget", methods->GetNewTargetCount,
         &shadowpipe__v1__file_descriptor__descriptor, fill_target},
        {"IVssComponent::GetPartialFile", methods->GetPartialFileCount,
         &shadowpipe__v1__partial_file__descriptor, fill_partial},
        {"IVssComponent::GetDifferencedFile", methods->GetDifferencedFilesCount,
         &shadowpipe__v1__differenced_file__descriptor, fill_differenced},
        {"IVssComponent::GetRestoreSubcomponent", methods->GetRestoreSubcomponentCount,
         &shadowpipe__v1__restore_subcomponent__descriptor, fill_subcomponent},
        {"IVssComponent::GetDirectedTarget", methods->GetDirectedTargetCount,
         &shadowpipe__v1__directed_target__descriptor, fill_directed},
    };
    void ***const items[] = {(void ***)&out->alternate_locations,   (void ***)&out->new_targets,
                             (void ***)&out->partial_files,         (void ***)&out->differenced_files,
                             (void ***)&out->restore_subcomponents, (void ***)&out->directed_targets};
    size_t *const counts[] = {&out->n_alternate_locations,   &out->n_new_targets,
                              &out->n_partial_files,         &out->n_differenced_files,
                              &out->n_restore_subcomponents, &out->n_directed_targets};
    HRESULT hresult = S_OK;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0] && SUCCEEDED(hresult); i++) {
        hresult = read_list(reply, component, &lists[i], items[i], counts[i]);
    }
    return hresult;
}

HRESULT backup_component_fill(struct reply *reply, IVssComponent *component, PB(BackupComponent) * out)
{
    HRESULT hresult = read_identity(reply, component, out);
    if (SUCCEEDED(hresult)) {
        hresult = read_values(reply, component, out);
    }
    if (SUCCEEDED(hresult)) {
        hresult = read_ex(reply, component, out);
    }
    if (SUCCEEDED(hresult)) {
        hresult = read_failure(reply, component, out);
    }
    if (SUCCEEDED(hresult)) {
        hresult = read_lists(reply, component, out);
    }
    return hresult;
}
