#include "proto/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A row that can be retried says when: SOON after seconds, LATER after ten minutes and three times at
 * most, which is what Microsoft's documentation asks of requesters for writer and provider trouble. */
enum {
    SECONDS = 1000,
    MINUTES = 60 * SECONDS
};

/* clang-format off */
#define NO                    PB_VALUE(RETRY, RETRY_NO), 0
#define SOON(milliseconds)    PB_VALUE(RETRY, RETRY_SOON), milliseconds
#define LATER                 PB_VALUE(RETRY, RETRY_LATER), 10 * MINUTES
#define CHANGE                PB_VALUE(RETRY, RETRY_AFTER_CHANGE), 0

static const char ask_log[] = "Look into the Application event log for errors of VSS and of the program concerned.";
static const char less_load[] = "Reduce the disk load, and take the snapshot at a quieter time if it happens again.";
static const char restore_tool[] = "This concerns disaster recovery of a whole machine; see the recovery tool's documentation.";
static const char check_vss[] = "Check that the services Volume Shadow Copy and COM+ Event System can start, and that the machine "
                                "is not in safe mode.";
static const char check_disks[] = "Compare the machine's disks and volumes with those it had when the snapshot was taken.";
static const char our_defect[] = "Please report this as a defect of the program that made the call.";

/* Ordered as vsserror.h orders its values, then the codes that any COM call can return. */
static const struct vss_code table[] = {
    {0x00000000, "S_OK", PB_CODE(UNSPECIFIED), NO, "it succeeded", ""},
    {0x00000001, "S_FALSE", PB_CODE(UNSPECIFIED), NO, "it succeeded, with nothing to give", ""},

    {0x80042301, "VSS_E_BAD_STATE", PB_CODE(FAILED_PRECONDITION), NO,
     "the call came out of order, or the backup was aborted before",
     "Make the call that is missing first; after an abort, begin a new session."},
    {0x80042302, "VSS_E_UNEXPECTED", PB_CODE(INTERNAL), SOON(5 * SECONDS),
     "VSS met an error that it does not explain", ask_log},
    {0x80042303, "VSS_E_PROVIDER_ALREADY_REGISTERED", PB_CODE(ALREADY_EXISTS), NO,
     "a provider with this id is registered already", "Unregister the old provider first, or leave it as it is."},
    {0x80042304, "VSS_E_PROVIDER_NOT_REGISTERED", PB_CODE(NOT_FOUND), CHANGE,
     "no provider with this id is registered",
     "List the providers and use one of their ids, or none to let VSS choose."},
    {0x80042306, "VSS_E_PROVIDER_VETO", PB_CODE(UNAVAILABLE), LATER,
     "the provider refused, or failed while it made the shadow copy",
     "Look into the event log for the provider's own message, and for errors of the disk."},
    {0x80042307, "VSS_E_PROVIDER_IN_USE", PB_CODE(UNAVAILABLE), SOON(30 * SECONDS),
     "the provider is in use", "Wait until the snapshots that it makes are done."},
    {0x80042308, "VSS_E_OBJECT_NOT_FOUND", PB_CODE(NOT_FOUND), CHANGE,
     "the volume, snapshot, component or writer does not exist",
     "Check the name or id; a snapshot may have been deleted meanwhile."},
    {0x00042309, "VSS_S_ASYNC_PENDING", PB_CODE(DEADLINE_EXCEEDED), SOON(30 * SECONDS),
     "the operation was still running when the wait for it ended", "Allow more time for this phase."},
    {0x0004230A, "VSS_S_ASYNC_FINISHED", PB_CODE(UNSPECIFIED), NO, "the operation finished", ""},
    {0x0004230B, "VSS_S_ASYNC_CANCELLED", PB_CODE(CANCELLED), CHANGE,
     "the operation was cancelled before it finished", "Ask again, with more time if a deadline ended it."},
    {0x8004230C, "VSS_E_VOLUME_NOT_SUPPORTED", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "no provider can make shadow copies of this volume",
     "Leave the volume out: FAT, network and removable volumes cannot be snapshotted."},
    {0x8004230D, "VSS_E_OBJECT_ALREADY_EXISTS", PB_CODE(ALREADY_EXISTS), CHANGE,
     "the volume or component is in the set already", "Name each volume and each component once."},
    {0x8004230E, "VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "the chosen provider cannot make shadow copies of this volume", "Name no provider, so that VSS chooses one."},
    {0x8004230F, "VSS_E_UNEXPECTED_PROVIDER_ERROR", PB_CODE(INTERNAL), LATER,
     "the provider failed with an error that VSS does not know",
     "Look into the event log for the provider's own message, and update the provider if it is not Microsoft's."},
    {0x80042310, "VSS_E_CORRUPT_XML_DOCUMENT", PB_CODE(DATA_LOSS), NO,
     "a metadata document is damaged", "Use an undamaged copy of the document."},
    {0x80042311, "VSS_E_INVALID_XML_DOCUMENT", PB_CODE(INVALID_ARGUMENT), NO,
     "a metadata document is not valid", "Use the document exactly as it was saved at the backup."},
    {0x80042312, "VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED", PB_CODE(RESOURCE_EXHAUSTED), CHANGE,
     "a snapshot set can hold no more volumes", "Split the volumes over several requests of at most 64."},
    {0x80042313, "VSS_E_FLUSH_WRITES_TIMEOUT", PB_CODE(UNAVAILABLE), LATER,
     "the volume's pending writes could not be flushed in time", less_load},
    {0x80042314, "VSS_E_HOLD_WRITES_TIMEOUT", PB_CODE(UNAVAILABLE), LATER,
     "writes to the volume could not be held long enough for the copy", less_load},
    {0x80042315, "VSS_E_UNEXPECTED_WRITER_ERROR", PB_CODE(UNAVAILABLE), LATER,
     "VSS could not talk to the writers", ask_log},
    {0x80042316, "VSS_E_SNAPSHOT_SET_IN_PROGRESS", PB_CODE(UNAVAILABLE), SOON(5 * SECONDS),
     "another program is creating a snapshot set, and Windows allows one at a time",
     "Wait for the other backup program, or move one of the two to another time."},
    {0x80042317, "VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED", PB_CODE(RESOURCE_EXHAUSTED), CHANGE,
     "the volume has as many shadow copies as it can have", "Delete old shadow copies of this volume."},
    {0x80042318, "VSS_E_WRITER_INFRASTRUCTURE", PB_CODE(UNAVAILABLE), CHANGE,
     "the writer infrastructure does not work", check_vss},
    {0x80042319, "VSS_E_WRITER_NOT_RESPONDING", PB_CODE(UNAVAILABLE), CHANGE,
     "the writer does not answer", "Restart the Windows service that hosts the writer."},
    {0x8004231A, "VSS_E_WRITER_ALREADY_SUBSCRIBED", PB_CODE(ALREADY_EXISTS), NO,
     "the writer has subscribed to VSS already", our_defect},
    {0x8004231B, "VSS_E_UNSUPPORTED_CONTEXT", PB_CODE(INVALID_ARGUMENT), CHANGE,
     "the call or the provider does not support this context", "Choose another snapshot context or another provider."},
    {0x8004231D, "VSS_E_VOLUME_IN_USE", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "the volume is in use", "Close the programs that use the volume, or force the dismount."},
    {0x8004231E, "VSS_E_MAXIMUM_DIFFAREA_ASSOCIATIONS_REACHED", PB_CODE(RESOURCE_EXHAUSTED), CHANGE,
     "there can be no more shadow copy storage associations",
     "Remove an association with `vssadmin delete shadowstorage`."},
    {0x8004231F, "VSS_E_INSUFFICIENT_STORAGE", PB_CODE(RESOURCE_EXHAUSTED), CHANGE,
     "there is not enough shadow copy storage",
     "Free space on the volume, delete old shadow copies, or enlarge the storage with `vssadmin resize shadowstorage`."},
    {0x80042320, "VSS_E_NO_SNAPSHOTS_IMPORTED", PB_CODE(NOT_FOUND), CHANGE,
     "no shadow copy could be imported", "Check that the storage array shows this machine the copies' disks."},
    {0x00042321, "VSS_S_SOME_SNAPSHOTS_NOT_IMPORTED", PB_CODE(UNSPECIFIED), NO,
     "some of the shadow copies could not be imported",
     "Check that the storage array shows this machine the disks of all copies."},
    {0x80042321, "VSS_E_SOME_SNAPSHOTS_NOT_IMPORTED", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "some of the shadow copies could not be imported",
     "Check that the storage array shows this machine the disks of all copies."},
    {0x80042322, "VSS_E_MAXIMUM_NUMBER_OF_REMOTE_MACHINES_REACHED", PB_CODE(RESOURCE_EXHAUSTED), CHANGE,
     "the set spans as many remote machines as it can", "Split the file shares over several requests."},
    {0x80042323, "VSS_E_REMOTE_SERVER_UNAVAILABLE", PB_CODE(UNAVAILABLE), SOON(60 * SECONDS),
     "the file server does not answer", "Check that the file server is up and its VSS agent service is installed."},
    {0x80042324, "VSS_E_REMOTE_SERVER_UNSUPPORTED", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "the file server cannot make shadow copies of its shares", "Back this share up on the file server itself."},
    {0x80042325, "VSS_E_REVERT_IN_PROGRESS", PB_CODE(UNAVAILABLE), SOON(60 * SECONDS),
     "the volume is being reverted to a shadow copy", "Wait until the revert is done."},
    {0x80042326, "VSS_E_REVERT_VOLUME_LOST", PB_CODE(DATA_LOSS), NO,
     "the volume vanished while it was being reverted", "Check the disk, bring the volume back online, and see the event log."},
    {0x80042327, "VSS_E_REBOOT_REQUIRED", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "the machine must be restarted first", "Restart the machine."},
    {0x80042328, "VSS_E_TRANSACTION_FREEZE_TIMEOUT", PB_CODE(UNAVAILABLE), LATER,
     "the transaction managers could not be frozen in time", less_load},
    {0x80042329, "VSS_E_TRANSACTION_THAW_TIMEOUT", PB_CODE(UNAVAILABLE), LATER,
     "the transaction managers could not be thawed in time", less_load},
    {0x8004232A, "VSS_E_UNSELECTED_VOLUME", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "the recovery would overwrite a volume that was not selected", "Select every volume that lies on the disks concerned."},
    {0x8004232B, "VSS_E_SNAPSHOT_NOT_IN_SET", PB_CODE(INVALID_ARGUMENT), CHANGE,
     "the shadow copy is not part of the set", "Name shadow copies of one set only."},
    {0x8004232C, "VSS_E_NESTED_VOLUME_LIMIT", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "the volume lies in a virtual disk that is nested too deep", "Leave this volume out."},
    {0x8004232D, "VSS_E_VOLUME_NOT_LOCAL", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "the volume belongs to another node of the cluster", "Take the snapshot on the node that owns the volume."},
    {0x8004232E, "VSS_E_CLUSTER_TIMEOUT", PB_CODE(UNAVAILABLE), LATER,
     "the cluster did not answer in time", "Check the cluster's health and event log."},
    {0x8004232F, "VSS_E_NOT_SUPPORTED", PB_CODE(UNIMPLEMENTED), NO,
     "this machine or provider does not support the call", "Do without this function here."},
    {0x80042336, "VSS_E_WRITERERROR_PARTIAL_FAILURE", PB_CODE(ABORTED), CHANGE,
     "the writer failed for some of its components", "See which components failed, and the writer's own messages for them."},
    {0x800423F0, "VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "the set lacks a volume that the writer's data lies on", "Add the volumes that hold the writer's files."},
    {0x800423F1, "VSS_E_WRITERERROR_OUTOFRESOURCES", PB_CODE(RESOURCE_EXHAUSTED), LATER,
     "the writer ran out of memory or another resource", "Free memory, or restart the Windows service that hosts the writer."},
    {0x800423F2, "VSS_E_WRITERERROR_TIMEOUT", PB_CODE(UNAVAILABLE), LATER,
     "more time passed between freeze and thaw than the writer allows", less_load},
    {0x800423F3, "VSS_E_WRITERERROR_RETRYABLE", PB_CODE(UNAVAILABLE), LATER,
     "the writer failed for a reason that may pass",
     "If it fails again, restart the Windows service that hosts the writer."},
    {0x800423F4, "VSS_E_WRITERERROR_NONRETRYABLE", PB_CODE(ABORTED), NO,
     "the writer failed for a reason that will not pass by itself",
     "Look into the event log for the writer's own message; restarting its Windows service may help."},
    {0x800423F5, "VSS_E_WRITERERROR_RECOVERY_FAILED", PB_CODE(ABORTED), NO,
     "the writer could not recover its data in the new shadow copy", ask_log},
    {0x800423F6, "VSS_E_BREAK_REVERT_ID_FAILED", PB_CODE(INTERNAL), NO,
     "the original disk's identity could not be given back", check_disks},
    {0x800423F7, "VSS_E_LEGACY_PROVIDER", PB_CODE(UNIMPLEMENTED), NO,
     "the hardware provider is too old for this call", "Ask the storage array's maker for a newer provider."},
    {0x800423F8, "VSS_E_MISSING_DISK", PB_CODE(NOT_FOUND), CHANGE,
     "a disk of the shadow copy is missing", check_disks},
    {0x800423F9, "VSS_E_MISSING_HIDDEN_VOLUME", PB_CODE(NOT_FOUND), CHANGE,
     "a hidden volume of the shadow copy is missing", check_disks},
    {0x800423FA, "VSS_E_MISSING_VOLUME", PB_CODE(NOT_FOUND), CHANGE,
     "a volume of the shadow copy is missing", check_disks},
    {0x800423FB, "VSS_E_AUTORECOVERY_FAILED", PB_CODE(INTERNAL), NO,
     "the file system or the applications could not be recovered in the shadow copy", ask_log},
    {0x800423FC, "VSS_E_DYNAMIC_DISK_ERROR", PB_CODE(FAILED_PRECONDITION), NO,
     "a dynamic disk is in the way", "Leave volumes on dynamic disks out."},
    {0x800423FD, "VSS_E_NONTRANSPORTABLE_BCD", PB_CODE(INVALID_ARGUMENT), NO,
     "the Backup Components Document is not that of a transportable set", "Import the document of a set made as transportable."},
    {0x800423FE, "VSS_E_CANNOT_REVERT_DISKID", PB_CODE(INTERNAL), NO,
     "a disk's identity could not be set back", check_disks},
    {0x800423FF, "VSS_E_RESYNC_IN_PROGRESS", PB_CODE(UNAVAILABLE), SOON(60 * SECONDS),
     "the disks are still being resynchronized", "Wait until the resynchronization is done."},
    {0x80042400, "VSS_E_CLUSTER_ERROR", PB_CODE(UNAVAILABLE), LATER,
     "the cluster service failed", "Check the cluster's health and event log."},
    {0x80042401, "VSS_E_ASRERROR_DISK_ASSIGNMENT_FAILED", PB_CODE(FAILED_PRECONDITION), NO,
     "the saved disks could not be assigned to disks of this machine", restore_tool},
    {0x80042402, "VSS_E_ASRERROR_DISK_RECREATION_FAILED", PB_CODE(INTERNAL), NO,
     "a disk could not be laid out as it was", restore_tool},
    {0x80042403, "VSS_E_ASRERROR_NO_ARCPATH", PB_CODE(FAILED_PRECONDITION), NO,
     "a disk has no firmware path", restore_tool},
    {0x80042404, "VSS_E_ASRERROR_MISSING_DYNDISK", PB_CODE(NOT_FOUND), NO,
     "a dynamic disk is missing", restore_tool},
    {0x80042405, "VSS_E_ASRERROR_SHARED_CRIDISK", PB_CODE(FAILED_PRECONDITION), NO,
     "a disk that the system needs is shared by a cluster", restore_tool},
    {0x80042406, "VSS_E_ASRERROR_DATADISK_RDISK0", PB_CODE(FAILED_PRECONDITION), NO,
     "a data disk stands where the system disk has to be", restore_tool},
    {0x80042407, "VSS_E_ASRERROR_RDISK0_TOOSMALL", PB_CODE(FAILED_PRECONDITION), NO,
     "the disk for the system is too small", restore_tool},
    {0x80042408, "VSS_E_ASRERROR_CRITICAL_DISKS_TOO_SMALL", PB_CODE(FAILED_PRECONDITION), NO,
     "the disks that the system needs are too small", restore_tool},
    {0x80042409, "VSS_E_WRITER_STATUS_NOT_AVAILABLE", PB_CODE(UNAVAILABLE), LATER,
     "the writer keeps too many unfinished backups in mind to tell its state",
     "Let other backups finish, or restart the Windows service that hosts the writer."},
    {0x8004240A, "VSS_E_ASRERROR_DYNAMIC_VHD_NOT_SUPPORTED", PB_CODE(UNIMPLEMENTED), NO,
     "dynamic disks in virtual hard disks cannot be recovered", restore_tool},
    {0x80042411, "VSS_E_CRITICAL_VOLUME_ON_INVALID_DISK", PB_CODE(FAILED_PRECONDITION), NO,
     "a volume that the system needs lies on a disk that recovery cannot use", restore_tool},
    {0x80042412, "VSS_E_ASRERROR_RDISK_FOR_SYSTEM_DISK_NOT_FOUND", PB_CODE(NOT_FOUND), NO,
     "no disk of this machine can take the system disk's place", restore_tool},
    {0x80042413, "VSS_E_ASRERROR_NO_PHYSICAL_DISK_AVAILABLE", PB_CODE(NOT_FOUND), NO,
     "this machine has no disk to recover to", restore_tool},
    {0x80042414, "VSS_E_ASRERROR_FIXED_PHYSICAL_DISK_AVAILABLE_AFTER_DISK_EXCLUSION", PB_CODE(FAILED_PRECONDITION),
     NO, "after the excluded disks no fixed disk is left to recover to", restore_tool},
    {0x80042415, "VSS_E_ASRERROR_CRITICAL_DISK_CANNOT_BE_EXCLUDED", PB_CODE(FAILED_PRECONDITION), NO,
     "a disk that the system needs was excluded", restore_tool},
    {0x80042416, "VSS_E_ASRERROR_SYSTEM_PARTITION_HIDDEN", PB_CODE(FAILED_PRECONDITION), NO,
     "the system partition is hidden", restore_tool},
    {0x80042417, "VSS_E_FSS_TIMEOUT", PB_CODE(UNAVAILABLE), LATER,
     "the file server's shadow copy agent did not answer in time", "Check the file server and the network to it."},

    {0x80004001, "E_NOTIMPL", PB_CODE(UNIMPLEMENTED), NO,
     "VSS does not implement this call", "Do without this function here."},
    {0x80004002, "E_NOINTERFACE", PB_CODE(UNIMPLEMENTED), NO,
     "this version of Windows does not have the interface", "Use a function that this version of Windows has."},
    {0x80004003, "E_POINTER", PB_CODE(INTERNAL), NO, "a pointer was not valid", our_defect},
    {0x80004004, "E_ABORT", PB_CODE(ABORTED), CHANGE, "the operation was aborted", "Ask again once the cause of the abort is gone."},
    {0x80004005, "E_FAIL", PB_CODE(INTERNAL), NO, "VSS failed and does not say why", ask_log},
    {0x8000FFFF, "E_UNEXPECTED", PB_CODE(INTERNAL), SOON(5 * SECONDS),
     "something failed in an unforeseen way", ask_log},
    {0x80070002, "ERROR_FILE_NOT_FOUND", PB_CODE(NOT_FOUND), CHANGE, "the file does not exist", "Check the name."},
    {0x80070003, "ERROR_PATH_NOT_FOUND", PB_CODE(NOT_FOUND), CHANGE, "the path does not exist", "Check the path."},
    {0x80070005, "E_ACCESSDENIED", PB_CODE(PERMISSION_DENIED), CHANGE,
     "access was denied", "Check that the service runs as LocalSystem and that policies let it use VSS."},
    {0x8007000E, "E_OUTOFMEMORY", PB_CODE(RESOURCE_EXHAUSTED), SOON(60 * SECONDS),
     "there was not enough memory", "Free memory on the machine."},
    {0x80070015, "ERROR_NOT_READY", PB_CODE(UNAVAILABLE), CHANGE,
     "the device is not ready", "Insert the medium or bring the volume online."},
    {0x8007001F, "ERROR_GEN_FAILURE", PB_CODE(INTERNAL), NO,
     "a device does not work", "Check the disk and the System event log."},
    {0x80070020, "ERROR_SHARING_VIOLATION", PB_CODE(UNAVAILABLE), SOON(5 * SECONDS),
     "another program has the file open", "Close the other program."},
    {0x80070057, "E_INVALIDARG", PB_CODE(INVALID_ARGUMENT), NO,
     "an argument was not valid", "Check the request against the documentation of this call."},
    {0x80070070, "ERROR_DISK_FULL", PB_CODE(RESOURCE_EXHAUSTED), CHANGE, "the disk is full", "Free space on the disk."},
    {0x8007007E, "ERROR_MOD_NOT_FOUND", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "a library was not found", "Check that vssapi.dll is where it should be, together with what it needs."},
    {0x8007007F, "ERROR_PROC_NOT_FOUND", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "the library lacks a function", "Use the vssapi.dll that belongs to this version of Windows."},
    {0x800700C1, "ERROR_BAD_EXE_FORMAT", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "the file is not a library or program for this kind of machine", "Use the build for this machine's processor."},
    {0x8007041D, "ERROR_SERVICE_REQUEST_TIMEOUT", PB_CODE(UNAVAILABLE), SOON(30 * SECONDS),
     "a Windows service did not start in time", check_vss},
    {0x80070422, "ERROR_SERVICE_DISABLED", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "a Windows service that is needed is disabled", check_vss},
    {0x8007045B, "ERROR_SHUTDOWN_IN_PROGRESS", PB_CODE(UNAVAILABLE), NO, "the machine is shutting down", "Ask again after the restart."},
    {0x800705AA, "ERROR_NO_SYSTEM_RESOURCES", PB_CODE(RESOURCE_EXHAUSTED), SOON(60 * SECONDS),
     "the system has not enough resources", "Free memory, or restart the machine if this stays."},
    {0x800705B4, "ERROR_TIMEOUT", PB_CODE(DEADLINE_EXCEEDED), SOON(30 * SECONDS),
     "the time for the operation ran out", "Allow more time, or ask at a quieter time."},
    {0x800706BA, "RPC_S_SERVER_UNAVAILABLE", PB_CODE(UNAVAILABLE), SOON(30 * SECONDS),
     "the Volume Shadow Copy service cannot be reached", check_vss},
    {0x800706BE, "RPC_S_CALL_FAILED", PB_CODE(UNAVAILABLE), SOON(30 * SECONDS),
     "the Volume Shadow Copy service ended during the call", ask_log},
    {0x800706BF, "RPC_S_CALL_FAILED_DNE", PB_CODE(UNAVAILABLE), SOON(30 * SECONDS),
     "the call did not reach the Volume Shadow Copy service", check_vss},
    {0x80010106, "RPC_E_CHANGED_MODE", PB_CODE(INTERNAL), NO,
     "COM is in another threading mode already", our_defect},
    {0x80010108, "RPC_E_DISCONNECTED", PB_CODE(UNAVAILABLE), SOON(30 * SECONDS),
     "the Volume Shadow Copy service went away", ask_log},
    {0x80010119, "RPC_E_TOO_LATE", PB_CODE(FAILED_PRECONDITION), NO,
     "COM security was set before, and can be set only once", our_defect},
    {0x800401F0, "CO_E_NOTINITIALIZED", PB_CODE(INTERNAL), NO, "COM was not initialized", our_defect},
    {0x80040154, "REGDB_E_CLASSNOTREG", PB_CODE(FAILED_PRECONDITION), CHANGE,
     "the Volume Shadow Copy service is not registered or is disabled", check_vss},
    {0x80080005, "CO_E_SERVER_EXEC_FAILURE", PB_CODE(UNAVAILABLE), CHANGE,
     "the Volume Shadow Copy service could not be started", check_vss},
};
/* clang-format on */

const struct vss_code *vss_code_table(size_t *count)
{
    *count = sizeof table / sizeof table[0];
    return table;
}

const struct vss_code *vss_code_find(uint32_t hresult)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].hresult == hresult)
            return &table[i];
    }
    return NULL;
}

const char *vss_code_name(uint32_t hresult, char scratch[11])
{
    const struct vss_code *code = vss_code_find(hresult);
    if (code != NULL)
        return code->name;
    (void)snprintf(scratch, 11, "0x%08X", (unsigned)hresult);
    return scratch;
}

static char *format_in(struct arena *arena, const char *format, va_list arguments) PRINTF_LIKE(2, 0);

static char *format_in(struct arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = length < 0 ? NULL : arena_alloc(arena, (size_t)length + 1);
    if (text != NULL)
        (void)vsnprintf(text, (size_t)length + 1, format, arguments);
    return text;
}

static PB(Status) * new_status(struct arena *arena)
{
    PB(Status) *status = arena_alloc(arena, sizeof *status);
    if (status != NULL)
        shadowpipe__v1__status__init(status);
    return status;
}

PB(Status) * status_make(struct arena *arena, PB(Code) code, const char *reason, const char *format, ...)
{
    PB(Status) *status = new_status(arena);
    if (status == NULL)
        return NULL;
    va_list arguments;
    va_start(arguments, format);
    status->message = format_in(arena, format, arguments);
    va_end(arguments);
    status->code = code;
    status->reason = arena_strdup(arena, reason);
    status->retry = PB_VALUE(RETRY, RETRY_NO);
    return status->message != NULL && status->reason != NULL ? status : NULL;
}

PB(Status) * status_from_hresult(struct arena *arena, const char *method, uint32_t hresult)
{
    char scratch[11];
    const struct vss_code *known = vss_code_find(hresult);
    const char *meaning =
        known != NULL ? known->meaning : "it returned a code that is not documented for VSS";
    PB(Code) code = known != NULL ? known->code : PB_CODE(UNKNOWN);
    if (code == PB_CODE(UNSPECIFIED)) /* a success that the caller does not take for one */
        code = PB_CODE(INTERNAL);
    PB(Status) *status = status_make(arena, code, "VSS_FAILED", "%s failed: %s", method, meaning);
    if (status == NULL)
        return NULL;
    status->hresult = hresult;
    status->hresult_name = arena_strdup(arena, vss_code_name(hresult, scratch));
    status->method = arena_strdup(arena, method);
    status->advice = arena_strdup(arena, known != NULL ? known->advice : ask_log);
    if (known != NULL) {
        status->retry = known->retry;
        status->retry_after_ms = known->retry_after_ms;
    }
    status->retryable =
        status->retry == PB_VALUE(RETRY, RETRY_SOON) || status->retry == PB_VALUE(RETRY, RETRY_LATER);
    bool complete = status->hresult_name != NULL && status->method != NULL && status->advice != NULL;
    return complete ? status : NULL;
}

const char *writer_state_name(uint32_t state_value)
{
    static const char *const names[] = {
        "UNKNOWN",
        "STABLE",
        "WAITING_FOR_FREEZE",
        "WAITING_FOR_THAW",
        "WAITING_FOR_POST_SNAPSHOT",
        "WAITING_FOR_BACKUP_COMPLETE",
        "FAILED_AT_IDENTIFY",
        "FAILED_AT_PREPARE_BACKUP",
        "FAILED_AT_PREPARE_SNAPSHOT",
        "FAILED_AT_FREEZE",
        "FAILED_AT_THAW",
        "FAILED_AT_POST_SNAPSHOT",
        "FAILED_AT_BACKUP_COMPLETE",
        "FAILED_AT_PRE_RESTORE",
        "FAILED_AT_POST_RESTORE",
        "FAILED_AT_BACKUPSHUTDOWN",
    };
    return state_value < sizeof names / sizeof names[0] ? names[state_value] : names[0];
}
