/* The metrics file: the broker's numbers in Prometheus' text format, for the textfile collector of a monitor.
 *
 * Written every 15 seconds, to a temporary file that then takes the other's place, so that a reader never
 * sees half of one. The helper thread writes; the loop's thread makes the text. Removed when the service
 * stops. */
#ifndef SHADOWPIPE_HOST_METRICS_H
#define SHADOWPIPE_HOST_METRICS_H

#include "service/host/helper.h"

enum {
    METRICS_PATH_CHARS = 260,
    METRICS_EVERY_MS = 15 * 1000
};

struct metrics {
    struct loop *loop;
    struct helper *helper;
    /* Like snprintf. */
    size_t (*write)(void *context, char *buffer, size_t size);
    void *context;
    const wchar_t *path; /* "" = no file */

    struct loop_timer timer;
    struct helper_job job;
    bool is_busy; /* the helper has the job */
    char *text;
    size_t size;
    DWORD failure;  /* of the job; a Win32 code */
    DWORD reported; /* the last one that was logged, so that it is logged once */
};

/* The first five fields are set. */
void metrics_start(struct metrics *metrics);
/* Once the helper has stopped. */
void metrics_stop(struct metrics *metrics);

#endif
