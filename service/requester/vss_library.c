#define INITGUID
#include "service/requester/vss_library.h"

#include <stdio.h>
#include <string.h>

static void set_failure(struct ready_failure *failure, HRESULT hresult, const char *method,
                        const char *message)
{
    failure->hresult = hresult;
    snprintf(failure->method, sizeof failure->method, "%s", method);
    snprintf(failure->message, sizeof failure->message, "%s", message);
}

static void load_failed(struct ready_failure *failure, const wchar_t *path, DWORD error)
{
    char message[sizeof failure->message];
    char name[300];
    if (WideCharToMultiByte(CP_UTF8, 0, path, -1, name, sizeof name, NULL, NULL) == 0) {
        snprintf(name, sizeof name, "the library");
    }
    const char *reason = "Windows refused to load it";
    if (error == ERROR_MOD_NOT_FOUND || error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND) {
        reason = "it, or a library that it needs, is missing";
    } else if (error == ERROR_BAD_EXE_FORMAT) {
        reason = "it is not a library for this kind of processor";
    }
    snprintf(message, sizeof message, "%s cannot be loaded: %s (error %lu)", name, reason, error);
    set_failure(failure, HRESULT_FROM_WIN32(error), "LoadLibraryEx", message);
}

static HMODULE load(const wchar_t *path, struct ready_failure *failure)
{
    wchar_t system_path[MAX_PATH + 16];
    DWORD flags = LOAD_LIBRARY_SEARCH_SYSTEM32;
    if (path[0] == L'\0') {
        UINT length = GetSystemDirectoryW(system_path, MAX_PATH);
        if (length == 0 || length >= MAX_PATH) {
            set_failure(failure, HRESULT_FROM_WIN32(GetLastError()), "GetSystemDirectory",
                        "the system directory has no name");
            return NULL;
        }
        wcscat(system_path, L"\\vssapi.dll");
        path = system_path;
    } else {
        flags |= LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR;
    }
    HMODULE module = LoadLibraryExW(path, NULL, flags);
    if (module == NULL) {
        load_failed(failure, path, GetLastError());
    }
    return module;
}

/* The first of two names that the module exports. */
static FARPROC find(HMODULE module, const char *name, const char *other_name, struct ready_failure *failure)
{
    FARPROC function = GetProcAddress(module, name);
    if (function == NULL) {
        function = GetProcAddress(module, other_name);
    }
    if (function == NULL && SUCCEEDED(failure->hresult)) {
        char message[sizeof failure->message];
        snprintf(message, sizeof message, "the library has no function %s: it is not vssapi.dll", name);
        set_failure(failure, HRESULT_FROM_WIN32(ERROR_PROC_NOT_FOUND), "GetProcAddress", message);
    }
    return function;
}

/* FARPROC to a typed pointer, by way of bytes: C has no cast for it. */
static void assign(void *pointer, FARPROC function)
{
    memcpy(pointer, &function, sizeof function);
}

bool vss_library_load(struct vss_library *library, const wchar_t *path, bool must_be_simulator,
                      struct ready_failure *failure)
{
    memset(library, 0, sizeof *library);
    memset(failure, 0, sizeof *failure);
    HMODULE module = load(path, failure);
    if (module == NULL) {
        return false;
    }
#ifdef _WIN64
    const char *mangled = "?CreateVssBackupComponents@@YAJPEAPEAVIVssBackupComponents@@@Z";
    const char *mangled_examine =
        "?CreateVssExamineWriterMetadata@@YAJPEAGPEAPEAVIVssExamineWriterMetadata@@@Z";
#else
    const char *mangled = "?CreateVssBackupComponents@@YGJPAPAVIVssBackupComponents@@@Z";
    const char *mangled_examine = "?CreateVssExamineWriterMetadata@@YGJPAGPAPAVIVssExamineWriterMetadata@@@Z";
#endif
    assign(&library->create_backup_components,
           find(module, "CreateVssBackupComponentsInternal", mangled, failure));
    assign(&library->free_snapshot_properties,
           find(module, "VssFreeSnapshotPropertiesInternal", "VssFreeSnapshotProperties", failure));
    assign(&library->is_volume_snapshotted,
           find(module, "IsVolumeSnapshottedInternal", "IsVolumeSnapshotted", failure));
    assign(&library->should_block_revert,
           find(module, "ShouldBlockRevertInternal", "ShouldBlockRevert", failure));
    assign(&library->examine_writer_metadata,
           find(module, "CreateVssExamineWriterMetadataInternal", mangled_examine, failure));
    struct ready_failure absent = {0};
    assign(&library->get_provider_management,
           find(module, "GetProviderMgmtInterfaceInternal", "GetProviderMgmtInterface", &absent));
    library->simulated = GetProcAddress(module, "ShadowpipeSimulatorVersion") != NULL;
    if (SUCCEEDED(failure->hresult) && must_be_simulator && !library->simulated) {
        set_failure(failure, E_ACCESSDENIED, "LoadLibraryEx",
                    "the service was told to use the simulator, and this library is another one");
    }
    if (FAILED(failure->hresult)) {
        memset(library, 0, sizeof *library);
        FreeLibrary(module);
        return false;
    }
    library->module = module;
    return true;
}
