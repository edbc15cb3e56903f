/* IVssBackupComponents, Ex to Ex4: one object, one vtable of 65 slots. This half checks arguments, before the
 * engine checks the state; owns what it hands out until the caller does; and logs each call. The slots'
 * functions are named for their methods; they stand in backup.c (the backup itself), writers.c, snapshots.c,
 * restore.c (with components), and administration.c (copies that exist). */
#pragma once
#include "engine/engine.h"

#include <vsbackup.h>

/* The first parameter of every slot: the widest interface. */
#define BACKUP IVssBackupComponentsEx4

struct backup {
    BACKUP base;
    LONG references;
    struct session *session;
};

HRESULT backup_create(BACKUP **out);

/* One method call, from entry to exit. call_begin() is TRUE if the call is to be carried out; else hr says
 * why not: the arguments are bad (E_INVALIDARG), or the scenario wants it to fail. */
struct call {
    struct session *session;
    const wchar_t *method;
    struct fault fault;
    HRESULT hr;
};
BOOL call_begin(struct call *call, BACKUP *This, const wchar_t *method, BOOL arguments_are_good);
HRESULT call_end(struct call *call);
/* A whole call that starts an asynchronous operation. */
HRESULT call_start(BACKUP *This, const wchar_t *method, enum operation operation, IVssAsync **out);

#define SLOT(name, ...) HRESULT STDMETHODCALLTYPE slot_##name(BACKUP *This, __VA_ARGS__)
#define SLOT0(name)     HRESULT STDMETHODCALLTYPE slot_##name(BACKUP *This)
/* Parameters that name a component, and that many methods share. */
#define WITH_COMPONENT VSS_ID writer, VSS_COMPONENT_TYPE type, LPCWSTR path, LPCWSTR name

SLOT(GetWriterComponentsCount, UINT *count);
SLOT(GetWriterComponents, UINT index, IVssWriterComponentsExt **out);
SLOT(InitializeForBackup, BSTR xml);
SLOT(SetBackupState, boolean select, boolean bootable, VSS_BACKUP_TYPE type, boolean partial);
SLOT(InitializeForRestore, BSTR xml);
SLOT(SetRestoreState, VSS_RESTORE_TYPE type);
SLOT(GatherWriterMetadata, IVssAsync **out);
SLOT(GetWriterMetadataCount, UINT *count);
SLOT(GetWriterMetadata, UINT index, VSS_ID *instance, IVssExamineWriterMetadata **out);
SLOT0(FreeWriterMetadata);
SLOT(AddComponent, VSS_ID instance, WITH_COMPONENT);
SLOT(PrepareForBackup, IVssAsync **out);
SLOT0(AbortBackup);
SLOT(GatherWriterStatus, IVssAsync **out);
SLOT(GetWriterStatusCount, UINT *count);
SLOT0(FreeWriterStatus);
SLOT(GetWriterStatus, UINT index, VSS_ID *instance, VSS_ID *writer, BSTR *name, VSS_WRITER_STATE *state,
     HRESULT *failure);
SLOT(SetBackupSucceeded, VSS_ID instance, WITH_COMPONENT, boolean succeeded);
SLOT(SetBackupOptions, WITH_COMPONENT, LPCWSTR options);
SLOT(SetSelectedForRestore, WITH_COMPONENT, boolean selected);
SLOT(SetRestoreOptions, WITH_COMPONENT, LPCWSTR options);
SLOT(SetAdditionalRestores, WITH_COMPONENT, boolean additional);
SLOT(SetPreviousBackupStamp, WITH_COMPONENT, LPCWSTR stamp);
SLOT(SaveAsXML, BSTR *xml);
SLOT(BackupComplete, IVssAsync **out);
SLOT(AddAlternativeLocationMapping, WITH_COMPONENT, LPCWSTR from, LPCWSTR spec, boolean recursive,
     LPCWSTR to);
SLOT(AddRestoreSubcomponent, WITH_COMPONENT, LPCWSTR sub_path, LPCWSTR sub_name, boolean repair);
SLOT(SetFileRestoreStatus, WITH_COMPONENT, VSS_FILE_RESTORE_STATUS status);
SLOT(AddNewTarget, WITH_COMPONENT, LPCWSTR from, LPCWSTR file, boolean recursive, LPCWSTR to);
SLOT(SetRangesFilePath, WITH_COMPONENT, UINT index, LPCWSTR file);
SLOT(PreRestore, IVssAsync **out);
SLOT(PostRestore, IVssAsync **out);
SLOT(SetContext, LONG context);
SLOT(StartSnapshotSet, VSS_ID *set);
SLOT(AddToSnapshotSet, VSS_PWSZ volume, VSS_ID provider, VSS_ID *snapshot);
SLOT(DoSnapshotSet, IVssAsync **out);
SLOT(DeleteSnapshots, VSS_ID id, VSS_OBJECT_TYPE type, WINBOOL force, LONG *deleted, VSS_ID *failed);
SLOT(ImportSnapshots, IVssAsync **out);
SLOT(BreakSnapshotSet, VSS_ID set);
SLOT(GetSnapshotProperties, VSS_ID id, VSS_SNAPSHOT_PROP *prop);
SLOT(Query, VSS_ID id, VSS_OBJECT_TYPE of, VSS_OBJECT_TYPE wanted, IVssEnumObject **out);
SLOT(IsVolumeSupported, VSS_ID provider, VSS_PWSZ volume, WINBOOL *supported);
SLOT(DisableWriterClasses, const VSS_ID *ids, UINT count);
SLOT(EnableWriterClasses, const VSS_ID *ids, UINT count);
SLOT(DisableWriterInstances, const VSS_ID *ids, UINT count);
SLOT(ExposeSnapshot, VSS_ID id, VSS_PWSZ path, LONG attributes, VSS_PWSZ as, VSS_PWSZ *exposed);
SLOT(RevertToSnapshot, VSS_ID id, WINBOOL force);
SLOT(QueryRevertStatus, VSS_PWSZ volume, IVssAsync **out);
SLOT(GetWriterMetadataEx, UINT index, VSS_ID *instance, IVssExamineWriterMetadataEx **out);
SLOT(SetSelectedForRestoreEx, WITH_COMPONENT, boolean selected, VSS_ID instance);
SLOT(UnexposeSnapshot, VSS_ID id);
SLOT(SetAuthoritativeRestore, WITH_COMPONENT, boolean authoritative);
SLOT(SetRollForward, WITH_COMPONENT, VSS_ROLLFORWARD_TYPE roll, LPCWSTR point);
SLOT(SetRestoreName, WITH_COMPONENT, LPCWSTR as);
SLOT(BreakSnapshotSetEx, VSS_ID set, DWORD flags, IVssAsync **out);
SLOT(PreFastRecovery, VSS_ID set, DWORD flags, IVssAsync **out);
SLOT(FastRecovery, VSS_ID set, DWORD flags, IVssAsync **out);
SLOT(GetWriterStatusEx, UINT index, VSS_ID *instance, VSS_ID *writer, BSTR *name, VSS_WRITER_STATE *state,
     HRESULT *failure, HRESULT *application, BSTR *message);
SLOT(AddSnapshotToRecoverySet, VSS_ID id, DWORD flags, VSS_PWSZ destination);
SLOT(RecoverSet, DWORD flags, IVssAsync **out);
SLOT(GetSessionId, VSS_ID *id);
SLOT(GetRootAndLogicalPrefixPaths, VSS_PWSZ path, VSS_PWSZ *root, VSS_PWSZ *prefix, WINBOOL normalize);
