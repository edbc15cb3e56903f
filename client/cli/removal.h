/* How an attempt ends to take a drive letter or a link to a snapshot away. */
#ifndef SHADOWPIPE_CLIENT_CLI_REMOVAL_H
#define SHADOWPIPE_CLIENT_CLI_REMOVAL_H

enum removal {
    REMOVAL_FAILED = 0,
    REMOVAL_DONE,
    REMOVAL_NOT_THERE /* nothing of that name, or it leads somewhere else: not ours */
};

#endif
