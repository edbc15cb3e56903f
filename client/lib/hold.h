/* Hold points of one CreateSnapshot: calls the program once for each, tells the service how to go on, and
 * sees to it that what the program did is undone once, whatever becomes of the request. */
#ifndef SHADOWPIPE_CLIENT_LIB_HOLD_H
#define SHADOWPIPE_CLIENT_LIB_HOLD_H

#include "client/lib/message.h"

struct holding {
    struct sp_client *client;
    bool (*on_hold)(void *context, const struct sp_hold *hold); /* NULL: goes on */
    void (*on_thaw)(void *context, bool created);               /* may be NULL */
    void *context;
    /* Its own: zero at the start. */
    char token[64];         /* of the hold point that was dealt with last */
    enum sp_hold_kind kind; /* that one's */
    uint32_t attempt;
    bool owes_thaw;
};

/* For message_options.on_message: frames that are no Progress pass. */
void holding_look(void *holding, const PB(Envelope) * envelope);
/* The request has ended. */
void holding_end(struct holding *holding, bool created);

#endif
