#include "service/requester/handoff.h"

DWORD handoff_write(HANDLE pipe, const struct requester_arguments *arguments)
{
    DWORD written = 0;
    if (!WriteFile(pipe, arguments, sizeof *arguments, &written, NULL)) {
        return GetLastError();
    }
    return written == sizeof *arguments ? ERROR_SUCCESS : ERROR_WRITE_FAULT;
}

static DWORD read_all(HANDLE pipe, uint8_t *bytes, DWORD size)
{
    while (size > 0) {
        DWORD got = 0;
        if (!ReadFile(pipe, bytes, size, &got, NULL)) {
            return GetLastError();
        }
        if (got == 0) {
            return ERROR_HANDLE_EOF;
        }
        bytes += got;
        size -= got;
    }
    return ERROR_SUCCESS;
}

DWORD handoff_read(HANDLE pipe, struct requester_arguments *arguments)
{
    DWORD error = read_all(pipe, (uint8_t *)arguments, sizeof *arguments);
    CloseHandle(pipe);
    if (error == ERROR_SUCCESS &&
        (arguments->magic != HANDOFF_MAGIC || arguments->pipe_name[HANDOFF_PIPE_CHARS - 1] != L'\0' ||
         arguments->vss_library[HANDOFF_LIBRARY_CHARS - 1] != L'\0')) {
        error = ERROR_INVALID_DATA;
    }
    if (error != ERROR_SUCCESS) {
        SecureZeroMemory(arguments, sizeof *arguments);
    }
    return error;
}
