/* The configuration: HKLM\SOFTWARE\Shadowpipe, overruled by HKLM\SOFTWARE\Policies\Shadowpipe, overruled by
 * the console program's command line. docs/configuration.md describes every value.
 *
 * A value that cannot be used is reported and its default taken; the service never starts with a weaker
 * descriptor than the default because of a mistake in the registry. */
#ifndef SHADOWPIPE_HOST_CONFIG_H
#define SHADOWPIPE_HOST_CONFIG_H

#include <stdbool.h>
#include <windows.h>

#include "service/broker/broker.h"
#include "service/host/access.h"
#include "service/host/metrics.h"
#include "service/requester/handoff.h"

#define CONFIG_PIPE_PREFIX  L"\\\\.\\pipe\\"
#define CONFIG_DEFAULT_PIPE L"ProtectedPrefix\\Administrators\\Shadowpipe\\api"

enum {
    CONFIG_PROBLEMS = 16,
    CONFIG_PROBLEM_CHARS = 256,
    CONFIG_MAX_CONNECTIONS = 4096,
    /* A pipe has at most 254 counted instances: the connections, what waits, the holder, and some being
     * refused. For more connections than this they are not counted. */
    CONFIG_COUNTED_CONNECTIONS = 240,
    CONFIG_PIPE_INSTANCES = 254
};

struct service_config {
    struct broker_config broker; /* its strings point into this struct */
    wchar_t pipe_name[HANDOFF_PIPE_CHARS];
    wchar_t requester_pipe_name[HANDOFF_PIPE_CHARS];
    wchar_t vss_library[HANDOFF_LIBRARY_CHARS]; /* "" = the system's */
    char vss_library_utf8[3 * HANDOFF_LIBRARY_CHARS];
    wchar_t access_sddl[ACCESS_SDDL_CHARS];
    bool access_configured;                   /* it is not the default */
    wchar_t metrics_file[METRICS_PATH_CHARS]; /* "" = none */
    char os_build[32];
    char machine_name[256];
    bool must_be_simulator;
    bool is_console; /* run by a person, not by the Service Control Manager */
    bool grant_self; /* the account that runs this has all rights */
    DWORD log_level; /* enum broker_log_level */

    char problems[CONFIG_PROBLEMS][CONFIG_PROBLEM_CHARS];
    size_t problems_count; /* may exceed what was kept */
};

/* Defaults. The struct must not move afterwards. */
void config_init(struct service_config *config);
/* Reads what there is below the two keys of `root` (HKEY_LOCAL_MACHINE outside of tests). */
void config_read_registry(struct service_config *config, HKEY root);

/* With or without the prefix "\\.\pipe\". False: no name for a pipe. */
bool config_set_pipe(struct service_config *config, const wchar_t *name);
/* An absolute path on a local drive. False: it is not. */
bool config_set_library(struct service_config *config, const wchar_t *path);

#endif
