#include "client/cli/companion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/text.h"

enum {
    LINE_CHARS = 64
};

static bool make_inheritable(HANDLE handle)
{
    return SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
}

/* handles: its standard input and, where there are two, its output. */
static bool start(const wchar_t *role, HANDLE *handles, size_t count, PROCESS_INFORMATION *process)
{
    wchar_t program[MAX_PATH];
    wchar_t line[LINE_CHARS];
    STARTUPINFOEXW startup = {.StartupInfo = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES}};
    DWORD length = GetModuleFileNameW(NULL, program, ARRAYSIZE(program));
    SIZE_T size = 0;
    if (length == 0 || length >= ARRAYSIZE(program) ||
        _snwprintf(line, LINE_CHARS, L"shadowpipe %ls", role) < 0)
        return false;
    startup.StartupInfo.hStdInput = handles[0];
    if (count > 1)
        startup.StartupInfo.hStdOutput = startup.StartupInfo.hStdError = handles[1];
    InitializeProcThreadAttributeList(NULL, 1, 0, &size);
    startup.lpAttributeList = malloc(size);
    if (!startup.lpAttributeList)
        return false;
    DWORD flags = DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP | EXTENDED_STARTUPINFO_PRESENT;
    bool ok = false;
    if (InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &size)) {
        ok = UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles,
                                       count * sizeof *handles, NULL, NULL) &&
             (CreateProcessW(program, line, NULL, NULL, TRUE, flags | CREATE_BREAKAWAY_FROM_JOB, NULL, NULL,
                             &startup.StartupInfo, process) ||
              CreateProcessW(program, line, NULL, NULL, TRUE, flags, NULL, NULL, &startup.StartupInfo,
                             process));
        DeleteProcThreadAttributeList(startup.lpAttributeList);
    }
    free(startup.lpAttributeList);
    return ok;
}

bool companion_start(struct companion *companion, const wchar_t *role, bool listen)
{
    HANDLE theirs[2] = {NULL, NULL};
    PROCESS_INFORMATION process = {0};
    memset(companion, 0, sizeof *companion);
    bool ok =
        CreatePipe(&theirs[0], &companion->input, NULL, 0) && make_inheritable(theirs[0]) &&
        (!listen || (CreatePipe(&companion->output, &theirs[1], NULL, 0) && make_inheritable(theirs[1]))) &&
        start(role, theirs, listen ? 2 : 1, &process);
    DWORD failure = GetLastError();
    for (size_t i = 0; i < 2; i++) {
        if (theirs[i])
            CloseHandle(theirs[i]);
    }
    if (ok) {
        CloseHandle(process.hThread);
        companion->process = process.hProcess;
        return true;
    }
    companion_free(companion);
    SetLastError(failure);
    return false;
}

void companion_release(struct companion *companion)
{
    if (companion->input)
        CloseHandle(companion->input);
    companion->input = NULL;
}

void companion_free(struct companion *companion)
{
    companion_release(companion);
    if (companion->output)
        CloseHandle(companion->output);
    if (companion->process)
        CloseHandle(companion->process);
    memset(companion, 0, sizeof *companion);
}

void companion_obey(void (*obey)(void *context, char *line), void *context)
{
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    struct text line = {0};
    char c;
    DWORD read;
    while (ReadFile(input, &c, 1, &read, NULL) && read == 1) {
        if (c != '\n') {
            text_add_char(&line, c);
            continue;
        }
        if (line.data && !line.failed)
            obey(context, line.data);
        text_clear(&line);
    }
    text_free(&line);
}
