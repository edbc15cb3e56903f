/* e2e_inspector: looks at what only Windows knows, again and again without the start of a process. Each line
 * of stdin is a question, answered by a line on stdout; the first line of all is "ready".
 *
 * - handles IMAGE: how many handles the processes of this program have in all; then TYPE:COUNT for each type.
 * - values KEY: all binary values below HKLM/KEY, in its subkeys: SUBKEY/NAME, with tabs between.
 * - plant IMAGE: makes the first process of this program have one handle more; "planted".
 * - uproot IMAGE: closes that handle in it; "uprooted".
 *
 * Under Wine GetProcessHandleCount says 0, and the handle count in the list of processes is the room that
 * each has for handles; the list of all handles is true. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>
#include <winternl.h>

enum {
    LINE_CHARS = 1024,
    NAME_CHARS = 256,
    DEEPEST = 8,
    FAMILY = 64,
    TYPES = 256
};

#define SYSTEM_EXTENDED_HANDLES ((SYSTEM_INFORMATION_CLASS)64)

static HANDLE planted; /* its value in the other process */

/* free() it. */
static void *query(SYSTEM_INFORMATION_CLASS what)
{
    for (ULONG size = 256 * 1024; size <= 64 * 1024 * 1024; size *= 2) {
        void *answer = malloc(size);
        if (!answer || NtQuerySystemInformation(what, answer, size, NULL) == 0)
            return answer;
        free(answer);
    }
    return NULL;
}

static BOOL has_image(const SYSTEM_PROCESS_INFORMATION *process, const wchar_t *image)
{
    size_t length = wcslen(image);
    return process->ImageName.Length == length * sizeof *image &&
           _wcsnicmp(process->ImageName.Buffer, image, length) == 0;
}

struct family {
    unsigned count;
    DWORD ids[FAMILY];
};

/* All processes of the program. */
static BOOL find(const wchar_t *image, struct family *family)
{
    SYSTEM_PROCESS_INFORMATION *list = query(SystemProcessInformation);
    *family = (struct family){0};
    for (SYSTEM_PROCESS_INFORMATION *process = list; process && family->count < FAMILY;) {
        if (has_image(process, image))
            family->ids[family->count++] = (DWORD)(ULONG_PTR)process->UniqueProcessId;
        process = process->NextEntryOffset
                      ? (SYSTEM_PROCESS_INFORMATION *)(void *)((char *)process + process->NextEntryOffset)
                      : NULL;
    }
    free(list);
    return list != NULL;
}

/* SYSTEM_HANDLE_INFORMATION_EX, which the headers do not have. */
struct handle_list {
    ULONG_PTR count, reserved;
    struct {
        void *object;
        ULONG_PTR process, value;
        ULONG access;
        USHORT back_trace, type;
        ULONG attributes, reserved;
    } handles[];
};

static BOOL belongs_to(ULONG_PTR process, const struct family *family)
{
    for (unsigned i = 0; i < family->count; i++)
        if (family->ids[i] == process)
            return TRUE;
    return FALSE;
}

static void tell_handles(const wchar_t *image)
{
    struct family family;
    unsigned total = 0, of_type[TYPES] = {0};
    struct handle_list *list = find(image, &family) ? query(SYSTEM_EXTENDED_HANDLES) : NULL;
    for (ULONG_PTR i = 0; list && i < list->count; i++) {
        if (belongs_to(list->handles[i].process, &family)) {
            total++;
            of_type[list->handles[i].type % TYPES]++;
        }
    }
    if (!list) {
        puts("refused");
        return;
    }
    printf("%u", total);
    for (unsigned i = 0; i < TYPES; i++)
        if (of_type[i])
            printf(" %u:%u", i, of_type[i]);
    puts("");
    free(list);
}

static HANDLE open_first(const wchar_t *image)
{
    struct family family;
    return find(image, &family) && family.count ? OpenProcess(PROCESS_DUP_HANDLE, FALSE, family.ids[0])
                                                : NULL;
}

static void plant(const wchar_t *image)
{
    HANDLE process = open_first(image), event = CreateEventW(NULL, TRUE, FALSE, NULL);
    BOOL done =
        process && event && !planted &&
        DuplicateHandle(GetCurrentProcess(), event, process, &planted, 0, FALSE, DUPLICATE_SAME_ACCESS);
    puts(done ? "planted" : "refused");
    if (process)
        CloseHandle(process);
    if (event)
        CloseHandle(event);
}

static void uproot(const wchar_t *image)
{
    HANDLE process = open_first(image), copy = NULL;
    BOOL done = process && planted &&
                DuplicateHandle(process, planted, GetCurrentProcess(), &copy, 0, FALSE,
                                DUPLICATE_CLOSE_SOURCE | DUPLICATE_SAME_ACCESS);
    if (copy)
        CloseHandle(copy);
    puts(done ? "uprooted" : "refused");
    planted = NULL;
    if (process)
        CloseHandle(process);
}

static void tell_values_of(HKEY key, const wchar_t *key_name)
{
    wchar_t name[NAME_CHARS];
    DWORD chars = NAME_CHARS, type;
    for (DWORD i = 0; RegEnumValueW(key, i, name, &chars, NULL, &type, NULL, NULL) == ERROR_SUCCESS; i++) {
        if (type == REG_BINARY)
            printf("%ls/%ls\t", key_name, name);
        chars = NAME_CHARS;
    }
}

/* Depth first, with the open keys on a stack of its own. */
static void tell_values(const wchar_t *path)
{
    struct {
        HKEY key;
        DWORD next;
    } stack[DEEPEST];
    int depth = RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, &stack[0].key) == ERROR_SUCCESS;
    if (depth)
        stack[0].next = 0;
    while (depth > 0) {
        wchar_t name[NAME_CHARS];
        HKEY parent = stack[depth - 1].key;
        if (RegEnumKeyW(parent, stack[depth - 1].next++, name, NAME_CHARS) != ERROR_SUCCESS) {
            RegCloseKey(parent);
            depth--;
        } else if (depth < DEEPEST &&
                   RegOpenKeyExW(parent, name, 0, KEY_READ, &stack[depth].key) == ERROR_SUCCESS) {
            stack[depth].next = 0;
            tell_values_of(stack[depth++].key, name);
        }
    }
    puts("");
}

static void answer(const wchar_t *verb, const wchar_t *argument)
{
    if (wcscmp(verb, L"handles") == 0)
        tell_handles(argument);
    else if (wcscmp(verb, L"values") == 0)
        tell_values(argument);
    else if (wcscmp(verb, L"plant") == 0)
        plant(argument);
    else if (wcscmp(verb, L"uproot") == 0)
        uproot(argument);
    else
        puts("unknown");
}

int main(void)
{
    wchar_t line[LINE_CHARS];
    setvbuf(stdout, NULL, _IOFBF, 64 * 1024);
    puts("ready");
    (void)fflush(stdout);
    while (fgetws(line, LINE_CHARS, stdin)) {
        line[wcscspn(line, L"\r\n")] = L'\0';
        wchar_t *space = wcschr(line, L' ');
        if (space)
            *space++ = L'\0';
        answer(line, space ? space : L"");
        (void)fflush(stdout);
    }
    return 0;
}
