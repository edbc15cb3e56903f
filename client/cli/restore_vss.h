/* A restore as VSS sees it: the calls of a step session, in the documented order. */
#ifndef SHADOWPIPE_CLIENT_CLI_RESTORE_VSS_H
#define SHADOWPIPE_CLIENT_CLI_RESTORE_VSS_H

#include "client/cli/restore_plan.h"
#include "client/cli/steps.h"

/* VSS_FILE_RESTORE_STATUS */
enum file_status {
    FILES_NONE = 1, /* none was touched */
    FILES_ALL = 2,
    FILES_FAILED = 3 /* what is on the disk may be neither the old nor the new */
};

struct restore {
    struct steps steps;
    struct restore_plan plan;
    bool is_told; /* PreRestore was called, so PostRestore has to be */
};

/* Reads documents and asks the writers, up to what a plan is made from. */
bool restore_read(struct restore *restore, const struct arguments *arguments, struct sp_error **error);

/* Tells VSS what is chosen, and calls PreRestore. A writer that fails, or a component of one, is an error. */
bool restore_begin(struct restore *restore, const struct arguments *arguments, struct sp_error **error);

/* Tells VSS what became of the files, and calls PostRestore. */
bool restore_end(struct restore *restore, enum file_status status, struct sp_error **error);

#endif
