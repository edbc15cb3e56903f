#include "client/cli/child.h"

#include <stdlib.h>
#include <string.h>

#include "client/lib/error.h"

static bool set_kill_on_close(HANDLE job, bool kill)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    limits.BasicLimitInformation.LimitFlags = kill ? JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE : 0;
    return SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
}

/* A standard handle that the child may inherit. Handles of a console need no such mark, and refuse it. */
static HANDLE inheritable(DWORD which)
{
    HANDLE handle = GetStdHandle(which);
    if (handle && handle != INVALID_HANDLE_VALUE)
        (void)SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    return handle;
}

static struct sp_error *cannot_start(DWORD failure)
{
    if (failure == ERROR_BAD_EXE_FORMAT || failure == ERROR_EXE_MACHINE_TYPE_MISMATCH)
        return error_create(SP_INVALID_ARGUMENT, "BAD_ARGUMENT",
                            "Name the program that runs it, for example: powershell -File SCRIPT.",
                            "The file is not a program that Windows can start.");
    return error_from_win32(failure, "CreateProcessW", "start the program");
}

static HANDLE open_nothing(void)
{
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    return CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0,
                       NULL);
}

bool child_start(struct child *child, const struct program *program, unsigned how, struct sp_error **error)
{
    STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION process = {0};
    DWORD flags = CREATE_SUSPENDED | (how & CHILD_ON_ITS_OWN ? CREATE_NO_WINDOW : 0);
    memset(child, 0, sizeof *child);
    startup.hStdInput = how & CHILD_WITHOUT_INPUT ? open_nothing() : inheritable(STD_INPUT_HANDLE);
    startup.hStdError = inheritable(STD_ERROR_HANDLE);
    startup.hStdOutput = how & CHILD_OUTPUT_TO_ERROR ? startup.hStdError : inheritable(STD_OUTPUT_HANDLE);
    bool started = CreateProcessW(program->path, program->command_line, NULL, NULL, TRUE, flags, NULL, NULL,
                                  &startup, &process);
    DWORD failure = GetLastError();
    if (how & CHILD_WITHOUT_INPUT && startup.hStdInput != INVALID_HANDLE_VALUE)
        CloseHandle(startup.hStdInput);
    if (!started) {
        error_give(error, cannot_start(failure));
        return false;
    }
    child->process = process.hProcess;
    child->job = how & CHILD_ON_ITS_OWN ? NULL : CreateJobObjectW(NULL, NULL);
    if (child->job &&
        !(set_kill_on_close(child->job, true) && AssignProcessToJobObject(child->job, child->process))) {
        /* Inside of a job that allows no other: it runs all the same. */
        CloseHandle(child->job);
        child->job = NULL;
    }
    ResumeThread(process.hThread);
    CloseHandle(process.hThread);
    return true;
}

bool child_wait(const struct child *child, DWORD wait_ms, uint32_t *exit_code)
{
    DWORD code;
    if (WaitForSingleObject(child->process, wait_ms) != WAIT_OBJECT_0 ||
        !GetExitCodeProcess(child->process, &code))
        return false;
    *exit_code = code;
    return true;
}

void child_kill(const struct child *child)
{
    if (child->job)
        TerminateJobObject(child->job, ERROR_PROCESS_ABORTED);
    else
        TerminateProcess(child->process, ERROR_PROCESS_ABORTED);
    WaitForSingleObject(child->process, INFINITE);
}

void child_free(struct child *child)
{
    if (child->job) {
        (void)set_kill_on_close(child->job, false);
        CloseHandle(child->job);
    }
    if (child->process)
        CloseHandle(child->process);
    memset(child, 0, sizeof *child);
}
