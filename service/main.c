/* shadowpiped.exe: one program, whose first argument picks its role. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

#include "service/host/console.h"
#include "service/host/scm.h"
#include "service/requester/requester.h"

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2
};

static const char usage_text[] =
    "usage: shadowpiped VERB | --console [options]\n"
    "\n"
    "  install     registers the Windows service (or brings its registration up to date)\n"
    "  uninstall   stops and removes it\n"
    "  start       starts it and waits until it listens\n"
    "  stop        stops it and waits until it has ended\n"
    "  hand-over   the same, but what clients read is kept until it runs again: before an upgrade\n"
    "\n"
    "  --console   serves at this prompt until Ctrl-C, or hands over at Ctrl-Break\n"
    "    --pipe NAME          listens on \\\\.\\pipe\\NAME\n"
    "    --vss-library PATH   loads this library in place of the system's vssapi.dll\n"
    "    --simulate           uses the VSS simulator and refuses to work on the real VSS\n"
    "    --verbose            says more on stderr\n"
    "\n"
    "  --version, --help\n"
    "\n"
    "Without arguments it is the service itself, which only the service manager can start.\n"
    "Configuration: HKLM\\SOFTWARE\\Shadowpipe, see docs/configuration.md.\n";

static int usage(const char *complaint, const wchar_t *argument)
{
    fprintf(stderr, "shadowpiped: %s", complaint);
    if (argument != NULL) {
        fprintf(stderr, ": %ls", argument);
    }
    fprintf(stderr, "\nTry: shadowpiped --help\n");
    return EXIT_USAGE;
}

/* Before anything else runs: no library may come from the current directory or the PATH, and no message box
 * may stop a process that nobody looks at. */
static void harden_process(void)
{
    SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
    HeapSetInformation(NULL, HeapEnableTerminationOnCorruption, NULL, 0);
}

static int run_console(int count, wchar_t **arguments)
{
    struct console_options options = {0};
    for (int i = 0; i < count; i++) {
        const wchar_t *argument = arguments[i];
        const wchar_t **value = NULL;
        if (wcscmp(argument, L"--simulate") == 0) {
            options.simulate = true;
        } else if (wcscmp(argument, L"--verbose") == 0) {
            options.verbose = true;
        } else if (wcscmp(argument, L"--pipe") == 0) {
            value = &options.pipe;
        } else if (wcscmp(argument, L"--vss-library") == 0) {
            value = &options.vss_library;
        } else {
            return usage("unknown option", argument);
        }
        if (value != NULL && i + 1 == count) {
            return usage("this option needs a value", argument);
        }
        if (value != NULL) {
            *value = arguments[++i];
        }
    }
    return console_run(&options);
}

static int run_requester(int count, wchar_t **arguments)
{
    struct requester_arguments handoff;
    wchar_t *end = NULL;
    if (count != 1) {
        return usage("--requester is for the service's own use", NULL);
    }
    unsigned long long value = wcstoull(arguments[0], &end, 10);
    if (*end != L'\0' || value == 0 || value > UINTPTR_MAX) {
        return usage("--requester is for the service's own use", NULL);
    }
    DWORD error = handoff_read((HANDLE)(uintptr_t)value, &handoff); // NOLINT(performance-no-int-to-ptr)
    if (error != ERROR_SUCCESS) {
        fprintf(stderr, "shadowpiped: the hand-off from the service cannot be read (%lu)\n", error);
        return EXIT_FAILED;
    }
    int result = requester_main(&handoff);
    SecureZeroMemory(&handoff, sizeof handoff);
    return result;
}

static int run_verb(const wchar_t *verb)
{
    static const struct {
        const wchar_t *name;
        int (*run)(void);
    } verbs[] = {{L"install", scm_install},
                 {L"uninstall", scm_uninstall},
                 {L"start", scm_start},
                 {L"stop", scm_stop},
                 {L"hand-over", scm_hand_over}};
    for (size_t i = 0; i < ARRAYSIZE(verbs); i++) {
        if (wcscmp(verb, verbs[i].name) == 0) {
            return verbs[i].run();
        }
    }
    return usage("unknown argument", verb);
}

int wmain(int count, wchar_t **arguments);

int wmain(int count, wchar_t **arguments)
{
    harden_process();
    if (count == 1) {
        return scm_run_service();
    }
    if (wcscmp(arguments[1], L"--console") == 0) {
        return run_console(count - 2, arguments + 2);
    }
    if (wcscmp(arguments[1], L"--requester") == 0) {
        return run_requester(count - 2, arguments + 2);
    }
    if (count > 2) {
        return usage("too many arguments", arguments[2]);
    }
    if (wcscmp(arguments[1], L"--version") == 0) {
        printf("shadowpiped %s\n", SHADOWPIPE_VERSION);
        return EXIT_DONE;
    }
    if (wcscmp(arguments[1], L"--help") == 0) {
        fputs(usage_text, stdout);
        return EXIT_DONE;
    }
    return run_verb(arguments[1]);
}
