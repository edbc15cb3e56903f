/* One IVssBackupComponents, its later interfaces, and the record of what was called on it.
 *
 * Lives on the worker thread, which alone makes COM calls. session_call runs one Call and fills one
 * CallReply; the functions behind the methods are in methods_*.c, the table that lists them in methods.c. */
#ifndef SHADOWPIPE_REQUESTER_SESSION_H
#define SHADOWPIPE_REQUESTER_SESSION_H

#include <stdbool.h>

#include "proto/decode.h"
#include "service/requester/async.h"
#include "service/requester/record.h"
#include "service/requester/vss_library.h"

struct kept_document;

struct session {
    struct vss_library library;
    struct ready_failure ready; /* why the library is not there */
    DWORD cancel_grace_ms;
    bool (*interrupted)(void *context); /* shall the asynchronous call under way be cancelled? */
    void *interrupted_context;

    IVssBackupComponents *object;
    IVssBackupComponentsEx *object_ex; /* got when first needed */
    IVssBackupComponentsEx2 *object_ex2;
    IVssBackupComponentsEx3 *object_ex3;
    IVssBackupComponentsEx4 *object_ex4;
    IVssAsync *unfinished;           /* an operation that did not end even after Cancel */
    struct kept_document *documents; /* documents.h */
    struct record record;
};

/* The answer under construction. The message's strings and parts live in the arena. */
struct reply {
    struct arena *arena;
    PB(CallReply) message;
    bool no_memory;
    const char *failed_method; /* where the failure came from a call inside of the method */
};

/* `reply->message` is complete after it, whatever happened. */
void session_call(struct session *session, const PB(Call) * call, struct reply *reply);

/* Release of all interfaces, the object's last. */
void session_release(struct session *session);

/* For RequesterHello of a requester that dials in again: phase, set id and the snapshots. */
void session_describe(struct session *session, struct arena *arena, PB(RequesterHello) * hello);

/* The later interfaces; what QueryInterface said where VSS does not have them. */
HRESULT session_ex(struct session *session, IVssBackupComponentsEx **object);
HRESULT session_ex2(struct session *session, IVssBackupComponentsEx2 **object);
HRESULT session_ex3(struct session *session, IVssBackupComponentsEx3 **object);
HRESULT session_ex4(struct session *session, IVssBackupComponentsEx4 **object);

/* ---- For the functions behind the methods. ---- */

/* Zeroed memory in the arena; NULL marks the reply, which then says so. */
void *reply_alloc(struct reply *reply, size_t size);
/* The same, initialised as a message. */
void *reply_message(struct reply *reply, const ProtobufCMessageDescriptor *descriptor);
char *reply_text(struct reply *reply, const wchar_t *wide);
char *reply_guid(struct reply *reply, const GUID *guid);
/* For arguments: NULL without memory. */
wchar_t *reply_wide(struct reply *reply, const char *text);
/* The same, but "" becomes NULL: so VSS takes an absent logical path. */
wchar_t *reply_wide_or_null(struct reply *reply, const char *text);

/* The result cannot go out: all strings and parts are dropped, the codes stay, a status says why. */
void reply_drop_result(struct reply *reply, const char *limit_name, const char *why);

/* The same for a result whose better part can: it loses its details, one kind each time, and says so.
 * False: nothing is left to leave out. */
bool reply_leave_out(struct reply *reply);

/* The argument cannot be passed on: no call is made. Returns E_INVALIDARG. */
HRESULT reply_refuse(struct reply *reply, const char *field, const char *what);
/* False: refused. */
bool reply_parse_guid(struct reply *reply, const char *field, const char *text, GUID *guid);

/* Makes room for the result whose oneof member is `member`, and points to it there; NULL without memory. */
#define REPLY_OUT(reply, CASE, member, type)                                                        \
    ((reply)->message.member = reply_message(reply, &shadowpipe__v1__##type##__descriptor),         \
     (reply)->message.out_case = (reply)->message.member != NULL ? PB_OUT(CASE) : PB_OUT(_NOT_SET), \
     (reply)->message.member)

#endif
