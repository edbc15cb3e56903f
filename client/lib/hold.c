#include "client/lib/hold.h"

#include <string.h>

#include "client/lib/client.h"

static void thaw(struct holding *holding, bool created)
{
    if (!holding->owes_thaw)
        return;
    holding->owes_thaw = false;
    if (holding->on_thaw)
        holding->on_thaw(holding->context, created);
}

static void proceed(struct holding *holding, uint32_t request_id, bool abort)
{
    PB(Proceed) body = SHADOWPIPE__V1__PROCEED__INIT;
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    body.request_id = request_id;
    body.hold_token = holding->token;
    body.abort = abort;
    envelope.body_case = PB_BODY(PROCEED);
    envelope.proceed = &body;
    /* Its reply tells nothing that the request's own does not. */
    client_send_unattended(holding->client, &envelope);
}

static void hold(struct holding *holding, uint32_t request_id, const PB(Progress) * progress)
{
    struct sp_hold now = {.kind = progress->phase == PB_PHASE(PREPARING) ? SP_HOLD_PREPARED
                                                                         : SP_HOLD_GATE_GRANTED,
                          .left_ms = progress->hold_left_ms,
                          .attempt = progress->attempt};
    if (now.kind == holding->kind) /* once more, so what came after the last time has failed */
        thaw(holding, false);
    strcpy(holding->token, progress->hold_token);
    holding->kind = now.kind;
    holding->attempt = progress->attempt;
    holding->owes_thaw = true;
    bool goes_on = !holding->on_hold || holding->on_hold(holding->context, &now);
    proceed(holding, request_id, !goes_on);
}

void holding_look(void *context, const PB(Envelope) * envelope)
{
    struct holding *holding = context;
    if (envelope->body_case != PB_BODY(PROGRESS))
        return;
    const PB(Progress) *progress = envelope->progress;
    bool waits_to_retry = progress->waiting_for == PB_VALUE(WAITING_FOR, WAITING_FOR_RETRY);
    if (waits_to_retry || progress->attempt != holding->attempt)
        thaw(holding, false);
    size_t length = strlen(progress->hold_token);
    if (length > 0 && length < sizeof holding->token && strcmp(progress->hold_token, holding->token) != 0)
        hold(holding, envelope->id, progress);
}

void holding_end(struct holding *holding, bool created)
{
    thaw(holding, created);
}
