#include "service/host/machine.h"

#include <stdio.h>

#if defined(__x86_64__)
#define BUILT_FOR IMAGE_FILE_MACHINE_AMD64
#elif defined(__aarch64__)
#define BUILT_FOR IMAGE_FILE_MACHINE_ARM64
#else
#define BUILT_FOR IMAGE_FILE_MACHINE_I386
#endif

bool machine_matches(USHORT process, USHORT native)
{
    /* An x64 program on an ARM64 system is not reported as WOW64, so the native machine is compared, too. */
    return process == IMAGE_FILE_MACHINE_UNKNOWN && native == BUILT_FOR;
}

bool machine_is_native(char *error, size_t size)
{
    USHORT process = IMAGE_FILE_MACHINE_UNKNOWN;
    USHORT native = IMAGE_FILE_MACHINE_UNKNOWN;
    if (!IsWow64Process2(GetCurrentProcess(), &process, &native)) {
        snprintf(error, size, "IsWow64Process2 failed (%lu)", GetLastError());
        return false;
    }
    if (!machine_matches(process, native)) {
        snprintf(error, size,
                 "This program is built for processor type 0x%04x, Windows runs on 0x%04x; install the "
                 "package for "
                 "this machine",
                 BUILT_FOR, native);
        return false;
    }
    return true;
}
