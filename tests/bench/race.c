/* race: starts so many processes of a program at once and waits for them all.
 *
 *     race COUNT PROGRAM [ARGUMENT]...
 *
 * Prints one line for each, "exit code, milliseconds from the beginning to its end", then "all MILLISECONDS".
 * So nothing that is not Windows, such as Wine's way from a shell to a program, is in the numbers. */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

enum {
    MOST = 64, /* WaitForMultipleObjects's limit */
    COMMAND_CHARS = 4096,
    USAGE = 64
};

static LONGLONG ticks(void)
{
    LARGE_INTEGER now;
    QueryPerformanceCounter(&now);
    return now.QuadPart;
}

static double ms_since(LONGLONG begin)
{
    LARGE_INTEGER frequency;
    QueryPerformanceFrequency(&frequency);
    return (double)(ticks() - begin) * 1000 / (double)frequency.QuadPart;
}

/* None of the arguments has quotes in it. */
static BOOL build_command(wchar_t *command, int count, wchar_t **arguments)
{
    size_t length = 0;
    for (int i = 0; i < count; i++) {
        int added = swprintf(command + length, COMMAND_CHARS - length, L"\"%ls\" ", arguments[i]);
        if (added < 0)
            return FALSE;
        length += (size_t)added;
    }
    return TRUE;
}

static BOOL start(const wchar_t *command, HANDLE *process)
{
    wchar_t copy[COMMAND_CHARS]; /* CreateProcess writes to it */
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION started;
    wcscpy(copy, command);
    if (!CreateProcessW(NULL, copy, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &started))
        return FALSE;
    CloseHandle(started.hThread);
    *process = started.hProcess;
    return TRUE;
}

int wmain(int count, wchar_t **arguments);

int wmain(int count, wchar_t **arguments)
{
    wchar_t command[COMMAND_CHARS];
    HANDLE processes[MOST];
    int runners = count > 2 ? _wtoi(arguments[1]) : 0;
    if (runners < 1 || runners > MOST || !build_command(command, count - 2, arguments + 2)) {
        fprintf(stderr, "usage: race COUNT PROGRAM [ARGUMENT]...\n");
        return USAGE;
    }
    LONGLONG begin = ticks();
    for (int i = 0; i < runners; i++) {
        if (!start(command, &processes[i])) {
            fprintf(stderr, "race: a process cannot be started (%lu)\n", GetLastError());
            return 1;
        }
    }
    for (int left = runners; left > 0; left--) {
        DWORD index = WaitForMultipleObjects((DWORD)left, processes, FALSE, INFINITE) - WAIT_OBJECT_0;
        DWORD code = 0;
        if (index >= (DWORD)left || !GetExitCodeProcess(processes[index], &code))
            return 1;
        printf("%lu %.3f\n", code, ms_since(begin));
        CloseHandle(processes[index]);
        processes[index] = processes[left - 1];
    }
    printf("all %.3f\n", ms_since(begin));
    return 0;
}
