#include "client/cli/steps.h"

#include <windows.h>

#include "client/cli/terminal.h"
#include "client/lib/error.h"

enum {
    ASYNC_FINISHED = 0x0004230A
};

static void tick(void *context)
{
    (void)context;
    terminal_tick();
}

/* Keeps the reply. NULL on failure. */
static const PB(Envelope) * call(struct steps *steps, const PB(Envelope) * request,
                                 PB(Envelope__BodyCase) expected, struct sp_error **error)
{
    struct session *session = steps->session;
    struct message_options options = {.on_tick = tick, .timeout_ms = UINT32_MAX};
    if (!steps->owed) {
        uint32_t left = session_time_left(session);
        options.cancel = session->cancel;
        options.timeout_ms = left ? left : UINT32_MAX; /* databases come back in their own time */
    }
    struct message *reply = message_call(session->client, request, expected, &options, error);
    if (!reply)
        return NULL;
    reply->next = steps->kept;
    steps->kept = reply;
    return reply->envelope;
}

bool steps_open(struct steps *steps, PB(SessionMode) mode, const char *purpose, struct sp_error **error)
{
    PB(OpenSession) open = SHADOWPIPE__V1__OPEN_SESSION__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    open.mode = mode;
    open.purpose = (char *)purpose;
    request.body_case = PB_BODY(OPEN_SESSION);
    request.open_session = &open;
    const PB(Envelope) *reply = call(steps, &request, PB_BODY(OPEN_SESSION_REPLY), error);
    if (reply)
        steps->id = reply->open_session_reply->session_id;
    return reply != NULL;
}

bool steps_close(struct steps *steps, struct sp_error **error)
{
    PB(CloseSession) close = SHADOWPIPE__V1__CLOSE_SESSION__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    close.session_id = (char *)steps->id;
    request.body_case = PB_BODY(CLOSE_SESSION);
    request.close_session = &close;
    steps->owed = true;
    bool closed = !steps->id || call(steps, &request, PB_BODY(CLOSE_SESSION_REPLY), error) != NULL;
    while (steps->kept) {
        struct message *message = steps->kept;
        steps->kept = message->next;
        message_free(message);
    }
    steps->id = NULL;
    return closed;
}

static bool is_failure(uint32_t hresult)
{
    return (hresult & 0x80000000u) != 0;
}

/* Every operation that did not finish is a failure, a cancelled one too; its code alone says so. */
static struct sp_error *failure_of(const PB(CallReply) * reply)
{
    bool refused = is_failure(reply->hresult);
    bool unfinished = reply->async_hresult != 0 && reply->async_hresult != ASYNC_FINISHED;
    if (!refused && !unfinished)
        return NULL;
    if (reply->status)
        return error_from_status(reply->status);
    return error_create(SP_ABORTED, "VSS_FAILED", "", "A method of VSS failed with 0x%08lX.",
                        (unsigned long)(refused ? reply->hresult : reply->async_hresult));
}

const PB(CallReply) * steps_call(struct steps *steps, PB(Call__MethodCase) method, const void *parameters,
                                 struct sp_error **error)
{
    PB(Call) step = SHADOWPIPE__V1__CALL__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    step.session_id = (char *)steps->id;
    step.method_case = method;
    step.create_object = (void *)parameters; /* the pointers of a oneof share their place */
    request.body_case = PB_BODY(CALL);
    request.call = &step;
    const PB(Envelope) *reply = call(steps, &request, PB_BODY(CALL_REPLY), error);
    struct sp_error *failure = reply ? failure_of(reply->call_reply) : NULL;
    if (!failure)
        return reply ? reply->call_reply : NULL;
    error_give(error, failure);
    return NULL;
}
