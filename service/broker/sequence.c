#include "service/broker/sequence.h"

#include "service/broker/error.h"
#include "service/broker/message.h"
#include "service/broker/overdue.h"
#include "service/broker/state.h"

enum {
    WINDOW = 32,     /* and again when half of it is answered: calls that go together cost one write */
    ANSWER_MS = 5000 /* however short the grace: a slice of waiting, and the way to us on a busy machine */
};

bool method_is_asynchronous(PB(Call__MethodCase) method)
{
    switch (method) {
    case PB_METHOD(GATHER_WRITER_METADATA):
    case PB_METHOD(PREPARE_FOR_BACKUP):
    case PB_METHOD(GATHER_WRITER_STATUS):
    case PB_METHOD(DO_SNAPSHOT_SET):
    case PB_METHOD(BACKUP_COMPLETE):
    case PB_METHOD(PRE_RESTORE):
    case PB_METHOD(POST_RESTORE):
    case PB_METHOD(IMPORT_SNAPSHOTS):
    case PB_METHOD(QUERY_REVERT_STATUS):
    case PB_METHOD(BREAK_SNAPSHOT_SET_EX):
    case PB_METHOD(RECOVER_SET):
        return true;
    default:
        return false;
    }
}

bool method_changes_snapshots(PB(Call__MethodCase) method)
{
    switch (method) {
    case PB_METHOD(DELETE_SNAPSHOTS):
    case PB_METHOD(IMPORT_SNAPSHOTS):
    case PB_METHOD(BREAK_SNAPSHOT_SET):
    case PB_METHOD(BREAK_SNAPSHOT_SET_EX):
    case PB_METHOD(EXPOSE_SNAPSHOT):
    case PB_METHOD(UNEXPOSE_SNAPSHOT):
    case PB_METHOD(REVERT_TO_SNAPSHOT):
        return true;
    default:
        return false;
    }
}

uint32_t cancel_limit_ms(const struct broker_config *config)
{
    uint32_t grace_ms = config->cancel_grace_ms;
    return grace_ms + (grace_ms > ANSWER_MS ? grace_ms : ANSWER_MS);
}

uint32_t limit_default_ms(const struct broker_config *config, enum limit limit)
{
    switch (limit) {
    case LIMIT_GATHER:
        return config->gather_ms;
    case LIMIT_PREPARE:
        return config->prepare_ms;
    case LIMIT_CREATE:
        return config->create_ms;
    case LIMIT_STATUS:
        return config->status_ms;
    case LIMIT_COMPLETE:
        return config->complete_ms;
    case LIMIT_ABORT:
        return config->abort_ms;
    case LIMIT_RELEASE:
        return config->release_ms;
    case LIMIT_CALL:
    case LIMITS:
        break;
    }
    return config->call_ms;
}

static bool is_failure(uint32_t hresult)
{
    return (hresult & 0x80000000u) != 0;
}

static PB(Status) * not_finished(struct broker *broker, PB(Call__MethodCase) method, uint32_t outcome)
{
    PB(Status) *status =
        error_overdue(broker, method,
                      outcome == ASYNC_CANCELLED ? "took longer than its limit and was cancelled"
                                                 : "took longer than its limit and could not be cancelled");
    if (status == NULL)
        return NULL;
    status->hresult = outcome;
    status->hresult_name = text_constant(vss_code_name(outcome, (char[11]){0}));
    return status;
}

/* QueryStatus said something that is neither the end nor a failure. */
static PB(Status) * not_ended(struct broker *broker, const char *name, uint32_t outcome)
{
    char scratch[11];
    PB(Status) *status = status_make(&broker->arena, PB_CODE(INTERNAL), "VSS_FAILED",
                                     "%s ended without saying that it has finished", name);
    if (status == NULL)
        return NULL;
    status->hresult = outcome;
    status->hresult_name = arena_strdup(&broker->arena, vss_code_name(outcome, scratch));
    status->method = text_constant(name);
    if (status->hresult_name == NULL)
        return NULL;
    return error_advise(status, "See the VSS and VolSnap entries of the Application and System event logs.");
}

/* The call went well, but what it gave did not reach us. */
static PB(Status) * result_lost(struct broker *broker, const char *name, const PB(Status) * why)
{
    PB(Status) *status = status_make(&broker->arena, why->code, why->reason, "%s: %s", name, why->message);
    if (status == NULL)
        return NULL;
    status->method = text_constant(name);
    status->limit_name = why->limit_name;
    return error_advise(status, "See the service's log; free memory on the machine if that is what lacks.");
}

static PB(Status) *
    failed(struct broker *broker, const char *name, const PB(CallReply) * reply, uint32_t hresult)
{
    PB(Status) *status = status_from_hresult(&broker->arena, name, hresult);
    if (status == NULL)
        return NULL;
    status->missing_prerequisite = arena_strdup(&broker->arena, reply->missing_prerequisite);
    return status->missing_prerequisite != NULL ? status : NULL;
}

PB(Status) * reply_failure(struct broker *broker, PB(Call__MethodCase) method, const PB(CallReply) * reply)
{
    const char *name = method_name(method);
    bool is_async = method_is_asynchronous(method);
    uint32_t outcome = reply->async_hresult;
    PB(Status) * status;
    if (is_failure(reply->hresult))
        status = failed(broker, name, reply, reply->hresult);
    else if (is_async && is_failure(outcome))
        status = failed(broker, name, reply, outcome);
    else if (is_async && (outcome == ASYNC_PENDING || outcome == ASYNC_CANCELLED))
        status = not_finished(broker, method, outcome);
    else if (is_async && outcome != ASYNC_FINISHED)
        status = not_ended(broker, name, outcome);
    else if (is_async && is_failure(reply->wait_hresult)) /* it counts although QueryStatus saw none */
        status = failed(broker, name, reply, reply->wait_hresult);
    else if (reply->status != NULL && reply->status->code != PB_CODE(UNSPECIFIED))
        status = result_lost(broker, name, reply->status);
    else
        return NULL;
    return status != NULL ? status : error_no_memory();
}

/* DeleteSnapshots is made one after the other: whether the next one follows depends on the one before. */
static size_t window(PB(Call__MethodCase) method)
{
    return method == PB_METHOD(DELETE_SNAPSHOTS) ? 1 : WINDOW;
}

static void send_more(struct sequence *sequence)
{
    const struct step *step = sequence->step;
    struct broker *broker = sequence->requester->broker;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&shadowpipe__v1__call__descriptor, (unsigned)step->method);
    uint32_t limit_ms = sequence->user->limit_ms(sequence->subject, step->limit);
    bool is_async = method_is_asynchronous(step->method);
    /* The requester cancels at its limit and answers a grace later; ours comes after both. */
    uint32_t ours_ms = is_async ? limit_ms + cancel_limit_ms(&broker->config) : limit_ms;
    while (sequence->running && sequence->sent < sequence->total &&
           sequence->sent - sequence->answered < window(step->method)) {
        ProtobufCMessage *parameters = message_new(&broker->arena, field->descriptor);
        if (parameters != NULL && step->fill != NULL)
            step->fill(sequence->subject, sequence->sent, parameters);
        if (!requester_call(sequence->requester, step->method, parameters, sequence->sent,
                            is_async ? limit_ms : 0, ours_ms)) {
            sequence->running = false; /* the requester's end follows */
            return;
        }
        sequence->sent++;
    }
}

/* From the present step to the first that has something to do. */
static void begin_step(struct sequence *sequence)
{
    for (;; sequence->step++) {
        const struct step *step = sequence->step;
        if (step->method == PB_METHOD(_NOT_SET)) {
            sequence->running = false;
            sequence->user->done(sequence->subject);
            return;
        }
        sequence->total = step->count != NULL ? step->count(sequence->subject) : 1;
        sequence->sent = sequence->answered = 0;
        if (sequence->total > 0)
            break;
    }
    if (sequence->user->phase != NULL)
        sequence->user->phase(sequence->subject, sequence->step->phase);
    send_more(sequence);
}

void sequence_start(struct sequence *sequence, struct requester *requester, const struct step *steps,
                    const struct sequence_user *user, void *subject)
{
    *sequence = (struct sequence){
        .requester = requester, .step = steps, .user = user, .subject = subject, .running = true};
    begin_step(sequence);
}

/* The subject may have started another run meanwhile: that one goes on. */
static bool stopped_by_hook(struct sequence *sequence, const struct step *step)
{
    if (sequence->step == step)
        sequence->running = false;
    return true;
}

bool sequence_replied(struct sequence *sequence, size_t index, const PB(CallReply) * reply)
{
    if (!sequence->running)
        return false;
    const struct step *step = sequence->step;
    sequence->answered++;
    PB(Status) *failure = reply_failure(sequence->requester->broker, step->method, reply);
    if (failure != NULL && !step->failure_is_reply) {
        sequence->running = false;
        sequence->user->failed(sequence->subject, step->method, index, failure);
        return true;
    }
    if (step->reply != NULL && !step->reply(sequence->subject, index, reply))
        return stopped_by_hook(sequence, step);
    if (step->count != NULL && step->count(sequence->subject) > sequence->total)
        sequence->total = step->count(sequence->subject); /* what it said asks for more */
    if (sequence->answered < sequence->total) {
        if (sequence->sent - sequence->answered <= WINDOW / 2)
            send_more(sequence);
        return true;
    }
    if (step->done != NULL && !step->done(sequence->subject))
        return stopped_by_hook(sequence, step);
    if (sequence->running) {
        const struct step *next =
            sequence->user->next != NULL ? sequence->user->next(sequence->subject, step) : NULL;
        sequence->step = next != NULL ? next : step + 1;
        begin_step(sequence);
    }
    return true;
}

void sequence_repeat(struct sequence *sequence)
{
    sequence->running = true;
    begin_step(sequence);
}

void sequence_stop(struct sequence *sequence)
{
    sequence->running = false;
}
