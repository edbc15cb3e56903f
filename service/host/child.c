#include "service/host/child.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "service/host/log.h"
#include "service/host/text.h"
#include "service/host/win32_api.h"

struct child {
    struct helper_job job;
    struct loop_operation refused; /* the helper did not take the job */
    struct loop_operation ended;
    struct children *children;
    struct child *next;
    uint64_t requester;
    struct requester_arguments arguments;
    HANDLE process;
    HANDLE wait;
    DWORD process_id;
    uint64_t created;
    bool starting; /* the helper has it */
    bool kill;
    char failure[CHILD_FAILURE_CHARS];
};

static void set_failure(struct child *child, const char *method, DWORD error)
{
    char words[192];
    text_of_error(error, words, sizeof words);
    snprintf(child->failure, sizeof child->failure, "%s failed: %s (%lu)", method, words, error);
}

/* On the helper's thread. */

static bool own_path(wchar_t *path, DWORD chars)
{
    DWORD length = GetModuleFileNameW(NULL, path, chars);
    return length > 0 && length < chars;
}

/* Of the process that it has; 0: the system does not say. */
static uint64_t creation_time(const struct child *child)
{
    FILETIME created_at;
    FILETIME unused;
    if (!win32.get_process_times(child->process, &created_at, &unused, &unused, &unused)) {
        return 0;
    }
    return (uint64_t)created_at.dwHighDateTime << 32 | created_at.dwLowDateTime;
}

static void close_process(struct child *child)
{
    CloseHandle(child->process);
    child->process = NULL;
}

static bool create_process(struct child *child, HANDLE handoff, LPPROC_THREAD_ATTRIBUTE_LIST attributes)
{
    enum {
        PATH_CHARS = 1024
    };
    wchar_t path[PATH_CHARS];
    wchar_t command[PATH_CHARS + 64];
    wchar_t directory[MAX_PATH];
    STARTUPINFOEXW startup = {.StartupInfo = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES},
                              .lpAttributeList = attributes};
    PROCESS_INFORMATION information;
    if (!own_path(path, PATH_CHARS)) {
        set_failure(child, "GetModuleFileName", GetLastError());
        return false;
    }
    swprintf(command, ARRAYSIZE(command), L"\"%ls\" --requester %llu", path,
             (unsigned long long)(uintptr_t)handoff);
    /* The current directory of a process cannot be removed; System32 bothers nobody. */
    UINT length = GetSystemDirectoryW(directory, ARRAYSIZE(directory));
    /* Detached: it needs no console, and Ctrl-C in the service's is none of its business. */
    if (!win32.create_process(path, command, NULL, NULL, TRUE,
                              EXTENDED_STARTUPINFO_PRESENT | DETACHED_PROCESS, NULL,
                              length > 0 && length < ARRAYSIZE(directory) ? directory : NULL,
                              &startup.StartupInfo, &information)) {
        set_failure(child, "CreateProcess", GetLastError());
        return false;
    }
    CloseHandle(information.hThread);
    child->process = information.hProcess;
    child->process_id = information.dwProcessId;
    child->created = creation_time(child);
    if (child->created == 0) {
        /* No later process of the service could tell it from another one. */
        set_failure(child, "GetProcessTimes", GetLastError());
        TerminateProcess(child->process, CHILD_KILLED_EXIT_CODE);
        close_process(child);
        return false;
    }
    return true;
}

/* Without the list every inheritable handle of this process would go to the child. */
static bool create_with_attributes(struct child *child, HANDLE handoff, HANDLE job)
{
    SIZE_T size = 0;
    HANDLE inherited[] = {handoff};
    HANDLE jobs[] = {job};
    InitializeProcThreadAttributeList(NULL, 2, 0, &size);
    LPPROC_THREAD_ATTRIBUTE_LIST attributes = malloc(size);
    if (attributes == NULL) {
        set_failure(child, "malloc", ERROR_NOT_ENOUGH_MEMORY);
        return false;
    }
    bool created = false;
    if (!InitializeProcThreadAttributeList(attributes, 2, 0, &size)) {
        set_failure(child, "InitializeProcThreadAttributeList", GetLastError());
        free(attributes);
        return false;
    }
    if (UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, inherited,
                                  sizeof inherited, NULL, NULL) &&
        UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST, jobs, sizeof jobs, NULL,
                                  NULL)) {
        created = create_process(child, handoff, attributes);
    } else {
        set_failure(child, "UpdateProcThreadAttribute", GetLastError());
    }
    DeleteProcThreadAttributeList(attributes);
    free(attributes);
    return created;
}

static BOOL set_ends_with_job(HANDLE job, bool ends)
{
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {.BasicLimitInformation.LimitFlags =
                                                       ends ? JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE : 0};
    return SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
}

/* CreateProcess makes the process, then lets its thread run. If this process dies in between, nobody does,
 * and the other would stay for ever: so the job's only handle, which goes with this process, ends it till
 * then. */
static void create_in_job(struct child *child, HANDLE handoff)
{
    HANDLE job = CreateJobObjectW(NULL, NULL);
    if (job == NULL || !set_ends_with_job(job, true)) {
        set_failure(child, "CreateJobObject", GetLastError());
    } else if (create_with_attributes(child, handoff, job) && !set_ends_with_job(job, false)) {
        log_error(BROKER_LOG_ERROR, GetLastError(), "process %lu cannot be let out of its job and is ended",
                  child->process_id);
    }
    if (job != NULL) {
        CloseHandle(job);
    }
}

static void start_work(struct helper_job *job)
{
    struct child *child = LOOP_OWNER(job, struct child, job);
    HANDLE read_end = NULL;
    HANDLE write_end = NULL;
    /* The buffer holds the whole block, so writing it before there is a reader does not wait. */
    if (!CreatePipe(&read_end, &write_end, NULL, 2 * sizeof child->arguments)) {
        set_failure(child, "CreatePipe", GetLastError());
        return;
    }
    DWORD error = handoff_write(write_end, &child->arguments);
    SecureZeroMemory(&child->arguments, sizeof child->arguments);
    CloseHandle(write_end);
    if (error != ERROR_SUCCESS) {
        set_failure(child, "writing the hand-off", error);
    } else if (!SetHandleInformation(read_end, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)) {
        set_failure(child, "SetHandleInformation", GetLastError());
    } else {
        create_in_job(child, read_end);
    }
    CloseHandle(read_end);
}

static void adopt_work(struct helper_job *job)
{
    struct child *child = LOOP_OWNER(job, struct child, job);
    child->process = win32.open_process(SYNCHRONIZE | PROCESS_TERMINATE | PROCESS_QUERY_LIMITED_INFORMATION,
                                        FALSE, child->process_id);
    if (child->process == NULL) {
        set_failure(child, "OpenProcess", GetLastError());
        return;
    }
    uint64_t found = creation_time(child);
    if (found == 0) {
        set_failure(child, "GetProcessTimes", GetLastError());
    } else if (found != child->created) {
        snprintf(child->failure, sizeof child->failure, "process %lu is another one now", child->process_id);
    } else if (WaitForSingleObject(child->process, 0) != WAIT_TIMEOUT) {
        snprintf(child->failure, sizeof child->failure, "process %lu has ended", child->process_id);
    } else {
        return;
    }
    close_process(child);
}

/* On the loop's thread. */

static void forget(struct children *children, struct child *child)
{
    struct child **link = &children->first;
    while (*link != child) {
        link = &(*link)->next;
    }
    *link = child->next;
    if (child->process != NULL) {
        CloseHandle(child->process);
    }
    SecureZeroMemory(&child->arguments, sizeof child->arguments);
    free(child);
}

static void ended_done(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)error;
    (void)bytes;
    struct child *child = LOOP_OWNER(operation, struct child, ended);
    struct children *children = child->children;
    DWORD exit_code = 0;
    if (child->wait != NULL) {
        UnregisterWait(child->wait); /* pending at most for the few instructions after its post */
    }
    GetExitCodeProcess(child->process, &exit_code);
    children->exited(children->context, child->requester, exit_code, NULL);
    forget(children, child);
}

/* On a thread of the system's pool. */
static VOID CALLBACK process_ended(PVOID parameter, BOOLEAN timed_out)
{
    (void)timed_out;
    struct child *child = parameter;
    loop_post(child->children->loop, &child->ended);
}

static void start_done(struct helper_job *job)
{
    struct child *child = LOOP_OWNER(job, struct child, job);
    struct children *children = child->children;
    child->starting = false;
    if (child->process == NULL) {
        children->exited(children->context, child->requester, 0, child->failure);
        forget(children, child);
        return;
    }
    if (child->kill) {
        TerminateProcess(child->process, CHILD_KILLED_EXIT_CODE);
    }
    children->started(children->context, child->requester, child->process_id, child->created);
    loop_prepare(&child->ended, ended_done);
    if (!RegisterWaitForSingleObject(&child->wait, child->process, process_ended, child, INFINITE,
                                     WT_EXECUTEONLYONCE)) {
        /* A process that nobody watches would keep its set for ever. */
        log_error(BROKER_LOG_ERROR, GetLastError(), "process %lu cannot be watched and is ended",
                  child->process_id);
        child->wait = NULL;
        TerminateProcess(child->process, CHILD_KILLED_EXIT_CODE);
        loop_defer(children->loop, &child->ended, ERROR_SUCCESS);
    }
}

static void refused_done(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)error;
    (void)bytes;
    struct child *child = LOOP_OWNER(operation, struct child, refused);
    struct children *children = child->children;
    children->exited(children->context, child->requester, 0,
                     "the service is too busy to start or look for a process");
    forget(children, child);
}

static struct child *find(const struct children *children, uint64_t requester)
{
    struct child *child = children->first;
    while (child != NULL && child->requester != requester) {
        child = child->next;
    }
    return child;
}

static void refusal_done(struct loop_operation *operation, DWORD error, DWORD bytes)
{
    (void)error;
    (void)bytes;
    struct children *children = LOOP_OWNER(operation, struct children, refusal);
    uint64_t refused[CHILD_REFUSED];
    size_t count = children->refused_count;
    /* What is told may start others, which are refused in their turn. */
    memcpy(refused, children->refused, count * sizeof *refused);
    children->refused_count = 0;
    for (size_t i = 0; i < count; i++) {
        children->exited(children->context, refused[i], 0,
                         "the service has no memory to start or look for a process");
    }
}

static void refuse(struct children *children, uint64_t requester)
{
    if (children->refused_count == CHILD_REFUSED) {
        win32.fail_fast("no memory for a requester");
        return;
    }
    if (children->refused_count == 0) {
        loop_prepare(&children->refusal, refusal_done);
        loop_defer(children->loop, &children->refusal, ERROR_SUCCESS);
    }
    children->refused[children->refused_count++] = requester;
}

/* NULL: there is no memory, which is told later. */
static struct child *add(struct children *children, uint64_t requester)
{
    struct child *child = calloc(1, sizeof *child);
    if (child == NULL) {
        refuse(children, requester);
        return NULL;
    }
    child->children = children;
    child->requester = requester;
    child->next = children->first;
    children->first = child;
    return child;
}

static void submit(struct child *child, void (*work)(struct helper_job *job))
{
    child->job.work = work;
    child->job.done = start_done;
    child->starting = helper_submit(child->children->helper, &child->job);
    if (!child->starting) {
        loop_prepare(&child->refused, refused_done);
        loop_defer(child->children->loop, &child->refused, ERROR_SUCCESS);
    }
}

void child_start(struct children *children, uint64_t requester, const struct requester_arguments *arguments)
{
    struct child *child = add(children, requester);
    if (child != NULL) {
        child->arguments = *arguments;
        submit(child, start_work);
    }
}

void child_adopt(struct children *children, uint64_t requester, uint32_t process_id, uint64_t created_at)
{
    struct child *child = add(children, requester);
    if (child != NULL) {
        child->process_id = process_id;
        child->created = created_at;
        submit(child, adopt_work);
    }
}

void child_kill(struct children *children, uint64_t requester)
{
    struct child *child = find(children, requester);
    if (child == NULL) {
        return;
    }
    child->kill = true;
    if (!child->starting && child->process != NULL &&
        !TerminateProcess(child->process, CHILD_KILLED_EXIT_CODE)) {
        DWORD error = GetLastError();
        DWORD exit_code = 0;
        /* Access is denied for one that is ending already. */
        if (!GetExitCodeProcess(child->process, &exit_code) || exit_code == STILL_ACTIVE) {
            log_error(BROKER_LOG_WARNING, error, "process %lu could not be ended", child->process_id);
        }
    }
}

void children_free(struct children *children)
{
    while (children->first != NULL) {
        struct child *child = children->first;
        if (child->wait != NULL) {
            UnregisterWaitEx(child->wait, INVALID_HANDLE_VALUE);
        }
        forget(children, child);
    }
}
