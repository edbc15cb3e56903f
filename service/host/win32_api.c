#include "service/host/win32_api.h"

#include <stdio.h>

static void fail_fast(const char *why)
{
    fprintf(stderr, "shadowpiped: %s; ending at once\n", why);
    RaiseFailFastException(NULL, NULL, FAIL_FAST_GENERATE_EXCEPTION_ADDRESS);
    TerminateProcess(GetCurrentProcess(), ERROR_INTERNAL_ERROR);
}

struct win32_api win32 = {
    .create_named_pipe = CreateNamedPipeW,
    .connect_named_pipe = ConnectNamedPipe,
    .disconnect_named_pipe = DisconnectNamedPipe,
    .wait_named_pipe = WaitNamedPipeW,
    .create_file = CreateFileW,
    .impersonate_named_pipe_client = ImpersonateNamedPipeClient,
    .open_thread_token = OpenThreadToken,
    .revert_to_self = RevertToSelf,
    .create_process = CreateProcessW,
    .open_process = OpenProcess,
    .get_process_times = GetProcessTimes,
    .flush_key = RegFlushKey,
    .fail_fast = fail_fast,
};
