#include "service/requester/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

static void write_line(const char *format, va_list values)
{
    char line[600];
    int used = snprintf(line, sizeof line, "requester %lu: ", GetCurrentProcessId());
    if (used < 0) {
        return;
    }
    vsnprintf(line + used, sizeof line - (size_t)used - 1, format, values);
    strcat(line, "\n");
    OutputDebugStringA(line);
    HANDLE output = GetStdHandle(STD_ERROR_HANDLE);
    DWORD written;
    if (output != NULL && output != INVALID_HANDLE_VALUE) {
        /* One write, so that lines of several processes do not mix. Where it fails there is nobody to tell.
         */
        WriteFile(output, line, (DWORD)strlen(line), &written, NULL);
    }
}

void log_failure(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    write_line(format, values);
    va_end(values);
}

void log_trace(const char *format, ...)
{
    static LONG tracing = -1;
    if (tracing < 0) {
        tracing = GetEnvironmentVariableW(L"SHADOWPIPE_TRACE", NULL, 0) > 0;
    }
    if (tracing == 0) {
        return;
    }
    va_list values;
    va_start(values, format);
    write_line(format, values);
    va_end(values);
}
