/* Linked into the service, counts what it really does: every allocation of memory, by whatever part of the
 * process, and every operation on a file or pipe.
 *
 * All of these end in a few functions of ntdll.dll, which the other libraries reach through their import
 * tables. Before main each table entry that holds such a function's address gets that of a stub, which counts
 * and goes on to it. The numbers lie in the file that SHADOWPIPE_COUNTS names, as 64-bit integers, so that
 * they can be read from outside while the service runs, without asking it. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>
#include <psapi.h>

enum {
    MOST_MODULES = 256
};

struct counts {
    volatile int64_t allocations;
    volatile int64_t operations; /* on files and pipes */
    volatile int64_t patched;    /* table entries */
};

static struct counts before; /* until the file is there */
static_assert(offsetof(struct counts, operations) == 8, "the stubs know it");
/* Used by the stubs only, which the compiler does not see into. */
struct counts *counted_counts __attribute__((used)) = &before;

/* r11 is free at any call. */
#define STUB(function, offset)                    \
    void *real_##function __attribute__((used));  \
    void stub_##function(void);                   \
    __asm__(".text\n"                             \
            ".globl stub_" #function "\n"         \
            "stub_" #function ":\n"               \
            "  movq counted_counts(%rip), %r11\n" \
            "  lock incq " offset "(%r11)\n"      \
            "  jmp *real_" #function "(%rip)\n");

#define ALLOCATIONS(DO)   \
    DO(RtlAllocateHeap)   \
    DO(RtlReAllocateHeap) \
    DO(NtAllocateVirtualMemory)
#define OPERATIONS(DO)               \
    DO(NtReadFile)                   \
    DO(NtReadFileScatter)            \
    DO(NtWriteFile)                  \
    DO(NtWriteFileGather)            \
    DO(NtFsControlFile)              \
    DO(NtDeviceIoControlFile)        \
    DO(NtQueryInformationFile)       \
    DO(NtQueryVolumeInformationFile) \
    DO(NtSetInformationFile)         \
    DO(NtFlushBuffersFile)           \
    DO(NtCancelIoFile)               \
    DO(NtCancelIoFileEx)             \
    DO(NtCancelSynchronousIoFile)

#define ALLOCATION_STUB(function) STUB(function, "0")
#define OPERATION_STUB(function)  STUB(function, "8")
ALLOCATIONS(ALLOCATION_STUB)
OPERATIONS(OPERATION_STUB)

#define ROW(function) {#function, &real_##function, stub_##function},
static const struct hook {
    const char *name;
    void **real;
    void (*stub)(void);
} hooks[] = {ALLOCATIONS(ROW) OPERATIONS(ROW)};

/* Function pointers and addresses, by way of bytes: C has no cast for it. */
static void *address_of(void (*function)(void))
{
    void *address;
    memcpy(&address, &function, sizeof address);
    return address;
}

static void complain(const char *what)
{
    fprintf(stderr, "counted: %s (%lu)\n", what, GetLastError());
    ExitProcess(1);
}

static void patch_entry(void **entry)
{
    DWORD protection;
    for (size_t i = 0; i < ARRAYSIZE(hooks); i++) {
        if (*entry != *hooks[i].real || *entry == NULL)
            continue;
        if (!VirtualProtect(entry, sizeof *entry, PAGE_READWRITE, &protection))
            complain("an import table cannot be written");
        *entry = address_of(hooks[i].stub);
        VirtualProtect(entry, sizeof *entry, protection, &protection);
        counted_counts->patched++;
        return;
    }
}

static void patch_module(uint8_t *base)
{
    const IMAGE_DOS_HEADER *dos = (const void *)base;
    const IMAGE_NT_HEADERS *headers = (const void *)(base + dos->e_lfanew);
    IMAGE_DATA_DIRECTORY imports = headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT];
    if (imports.VirtualAddress == 0)
        return;
    const IMAGE_IMPORT_DESCRIPTOR *import = (const void *)(base + imports.VirtualAddress);
    for (; import->FirstThunk != 0; import++) {
        for (void **entry = (void **)(void *)(base + import->FirstThunk); *entry != NULL; entry++)
            patch_entry(entry);
    }
}

static void patch_all(void)
{
    HMODULE modules[MOST_MODULES];
    DWORD bytes = 0;
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    for (size_t i = 0; i < ARRAYSIZE(hooks); i++) {
        FARPROC function = GetProcAddress(ntdll, hooks[i].name);
        memcpy(hooks[i].real, &function, sizeof function);
    }
    if (!EnumProcessModules(GetCurrentProcess(), modules, sizeof modules, &bytes) || bytes > sizeof modules)
        complain("the process's libraries cannot be listed");
    for (size_t i = 0; i < bytes / sizeof *modules; i++)
        patch_module((uint8_t *)modules[i]);
}

static struct counts *map_counts(const wchar_t *path)
{
    HANDLE file = CreateFileW(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                              OPEN_ALWAYS, 0, NULL);
    HANDLE mapping = CreateFileMappingW(file, NULL, PAGE_READWRITE, 0, sizeof(struct counts), NULL);
    struct counts *counts = mapping != NULL ? MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, 0) : NULL;
    if (counts == NULL)
        complain("the file of SHADOWPIPE_COUNTS cannot be mapped");
    return counts;
}

/* Requesters are processes of the same program, and not what is measured. */
static void __attribute__((constructor)) begin(void)
{
    wchar_t path[MAX_PATH];
    DWORD length = GetEnvironmentVariableW(L"SHADOWPIPE_COUNTS", path, ARRAYSIZE(path));
    if (length == 0 || length >= ARRAYSIZE(path) || wcsstr(GetCommandLineW(), L"--requester") != NULL)
        return;
    counted_counts = map_counts(path);
    patch_all();
}
