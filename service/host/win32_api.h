/* The Win32 calls on which the security of the pipe and what outlives the service hang, as a table of
 * pointers.
 *
 * The host makes these calls through `win32` only, so that a test can see the exact flags and descriptors
 * that are passed, and can make each call fail. Nothing else may change the table. */
#ifndef SHADOWPIPE_HOST_WIN32_API_H
#define SHADOWPIPE_HOST_WIN32_API_H

#include <windows.h>

struct win32_api {
    HANDLE(WINAPI *create_named_pipe)
    (LPCWSTR name, DWORD open_mode, DWORD pipe_mode, DWORD max_instances, DWORD out_bytes, DWORD in_bytes,
     DWORD default_timeout_ms, LPSECURITY_ATTRIBUTES security);
    BOOL(WINAPI *connect_named_pipe)(HANDLE pipe, LPOVERLAPPED overlapped);
    BOOL(WINAPI *disconnect_named_pipe)(HANDLE pipe);
    BOOL(WINAPI *wait_named_pipe)(LPCWSTR name, DWORD timeout_ms);
    HANDLE(WINAPI *create_file)
    (LPCWSTR name, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES security, DWORD disposition, DWORD flags,
     HANDLE template_file);
    BOOL(WINAPI *impersonate_named_pipe_client)(HANDLE pipe);
    BOOL(WINAPI *open_thread_token)(HANDLE thread, DWORD access, BOOL as_self, PHANDLE token);
    BOOL(WINAPI *revert_to_self)(void);
    BOOL(WINAPI *create_process)
    (LPCWSTR application, LPWSTR command_line, LPSECURITY_ATTRIBUTES process, LPSECURITY_ATTRIBUTES thread,
     BOOL inherit, DWORD flags, LPVOID environment, LPCWSTR directory, LPSTARTUPINFOW startup,
     LPPROCESS_INFORMATION information);
    HANDLE(WINAPI *open_process)(DWORD access, BOOL inherit, DWORD process_id);
    BOOL(WINAPI *get_process_times)
    (HANDLE process, LPFILETIME created, LPFILETIME exited, LPFILETIME kernel, LPFILETIME user);
    LSTATUS(WINAPI *flush_key)(HKEY key);
    /* Ends the process without running anything more of it; does not return. */
    void (*fail_fast)(const char *why);
};

extern struct win32_api win32;

#endif
