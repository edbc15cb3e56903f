/* The service as the Service Control Manager sees it: running under it, and the verbs install, uninstall,
 * start, stop and hand-over. docs/configuration.md lists the service-specific exit codes (enum host_error).
 */
#ifndef SHADOWPIPE_HOST_SCM_H
#define SHADOWPIPE_HOST_SCM_H

#define SCM_SERVICE_NAME L"Shadowpipe"

enum {
    /* A control of the service's own: it ends, and leaves what clients read to its next process. */
    SCM_CONTROL_HAND_OVER = 128
};

/* Exit codes of the process. */
enum {
    SCM_DONE = 0,
    SCM_FAILED = 1,
    SCM_USAGE = 2
};

/* Serves until the manager stops it. Started by hand, it says what to do instead. */
int scm_run_service(void);

int scm_install(void);
int scm_uninstall(void);
/* These wait until the service is running or stopped. */
int scm_start(void);
int scm_stop(void);
/* Fails where no service runs: then nothing is handed over. */
int scm_hand_over(void);

#endif
