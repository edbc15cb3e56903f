/* From a decoded frame to the module that answers it. */
#include <string.h>

#include "service/broker/component_list.h"
#include "service/broker/connection.h"
#include "service/broker/document.h"
#include "service/broker/error.h"
#include "service/broker/hold_point.h"
#include "service/broker/inventory.h"
#include "service/broker/job.h"
#include "service/broker/finish.h"
#include "service/broker/lease.h"
#include "service/broker/lease_term.h"
#include "service/broker/lease_watch.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/operation.h"
#include "service/broker/request.h"
#include "service/broker/rights.h"
#include "service/broker/service_status.h"
#include "service/broker/session.h"
#include "service/broker/state.h"
#include "service/broker/watch.h"

static void answer_ping(struct connection *connection, const PB(Envelope) * envelope)
{
    PB(PingReply) reply = SHADOWPIPE__V1__PING_REPLY__INIT;
    reply.payload = envelope->ping->payload;
    PB(Envelope) answer = ENVELOPE(PING_REPLY, .ping_reply = &reply);
    reply_now(connection, envelope->id, &answer);
}

static void answer_second_hello(struct connection *connection, const PB(Envelope) * envelope)
{
    PB(Status) *status = status_make(&connection->broker->arena, PB_CODE(FAILED_PRECONDITION), "HELLO_TWICE",
                                     "this connection has said Hello already");
    fail_now(connection, envelope->id, error_advise(status, "Send Hello once, first."));
}

static void answer_cancel(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    const PB(Cancel) *cancel = envelope->cancel;
    struct connection *target =
        cancel->connection_id == 0 ? connection : connection_find(broker, cancel->connection_id);
    if (target != NULL && (target->state != CONNECTION_OPEN || target->owner != connection->owner))
        target = NULL;
    struct request *request = target != NULL ? request_find(target, cancel->id) : NULL;
    PB(CancelReply) reply = SHADOWPIPE__V1__CANCEL_REPLY__INIT;
    reply.found = request != NULL;
    PB(Envelope) answer = ENVELOPE(CANCEL_REPLY, .cancel_reply = &reply);
    reply_now(connection, envelope->id, &answer);
    if (request != NULL)
        request->stop(request, STOP_CANCELLED);
}

static const struct request_type {
    PB(Envelope__BodyCase) request;
    bool takes_slot;     /* it may stay open */
    bool while_stopping; /* it does not begin new work */
    void (*handle)(struct connection *connection, const PB(Envelope) * envelope);
} types[] = {
    {PB_BODY(PING), false, true, answer_ping},
    {PB_BODY(HELLO), false, true, answer_second_hello},
    {PB_BODY(CANCEL), false, true, answer_cancel},
    {PB_BODY(GET_SERVICE_STATUS), false, true, service_status_answer},
    {PB_BODY(LIST_LEASES), false, true, leases_list},
    {PB_BODY(LIST_WRITERS), true, false, inventory_list_writers},
    {PB_BODY(LIST_VOLUMES), true, false, inventory_list_volumes},
    {PB_BODY(LIST_PROVIDERS), true, false, inventory_list_providers},
    {PB_BODY(CREATE_SNAPSHOT), true, false, job_create},
    {PB_BODY(ATTACH_SNAPSHOT), true, false, attach_begin},
    {PB_BODY(LIST_SNAPSHOTS), true, false, snapshots_list},
    {PB_BODY(DELETE_SNAPSHOTS), true, false, deletion_begin},
    {PB_BODY(EXPOSE), true, false, administration_expose},
    {PB_BODY(UNEXPOSE), true, false, administration_unexpose},
    {PB_BODY(BREAK_SET), true, false, administration_break},
    {PB_BODY(IMPORT_SET), true, false, administration_import},
    {PB_BODY(REVERT_VOLUME), true, false, administration_revert},
    {PB_BODY(PROCEED), false, true, hold_point_proceed},
    {PB_BODY(FINISH_BACKUP), true, true, lease_finish},
    {PB_BODY(ATTACH_LEASE), false, false, lease_attach_again},
    {PB_BODY(RENEW_LEASE), false, false, lease_renew},
    {PB_BODY(WATCH_LEASE), true, false, lease_watch_begin},
    {PB_BODY(LIST_COMPONENTS), true, false, component_list_answer},
    {PB_BODY(PUT_DOCUMENT), false, false, document_put},
    {PB_BODY(READ_DOCUMENT), true, false, step_read_document},
    {PB_BODY(OPEN_SESSION), true, false, session_open},
    {PB_BODY(CALL), true, false, step_call},
    {PB_BODY(CLOSE_SESSION), true, true, step_close},
    {PB_BODY(WATCH), true, false, watch_begin},
};

static const struct request_type *find_type(PB(Envelope__BodyCase) request)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (types[i].request == request)
            return &types[i];
    }
    return NULL;
}

static const char *request_name(const PB(Envelope) * envelope)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(
        &shadowpipe__v1__envelope__descriptor, (unsigned)envelope->body_case);
    return field != NULL ? ((const ProtobufCMessageDescriptor *)field->descriptor)->short_name : "nothing";
}

static PB(Status) * check_rights(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    uint32_t rights;
    if (envelope->body_case == PB_BODY(_NOT_SET))
        return error_advise(
            status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "NO_BODY", "the frame holds no request"),
            "Set one of the requests of shadowpipe.proto.");
    if (!rights_needed(envelope, &rights)) {
        if (envelope->body_case == PB_BODY(REQUESTER_HELLO))
            return error_advise(status_make(&broker->arena, PB_CODE(PERMISSION_DENIED), "NOT_FOR_CLIENTS",
                                            "only requester processes send %s", request_name(envelope)),
                                "Use this pipe for requests.");
        return error_advise(status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "NOT_A_REQUEST",
                                        "%s is not a request", request_name(envelope)),
                            "Send one of the requests of shadowpipe.proto.");
    }
    uint32_t missing = rights & ~connection->caller.rights;
    if (missing == 0)
        return NULL;
    broker_log(broker, BROKER_LOG_WARNING, "%s (%s, process %u) may not send %s: it lacks the right %s",
               connection->client_name, connection->caller.sid, (unsigned)connection->caller.process_id,
               request_name(envelope), right_name(missing));
    PB(Status) *status = status_make(&broker->arena, PB_CODE(PERMISSION_DENIED), "RIGHT_MISSING",
                                     "%s needs the right %s, which the caller does not have",
                                     request_name(envelope), right_name(missing));
    return error_advise(status, connection->caller.filtered_admin
                                    ? "Run the program elevated, or ask an administrator for this right."
                                    : "Ask an administrator for this right.");
}

static PB(Status) * unimplemented(struct broker *broker, const PB(Envelope) * envelope)
{
    return error_advise(status_make(&broker->arena, PB_CODE(UNIMPLEMENTED), "UNIMPLEMENTED",
                                    "this version of the service does not implement %s",
                                    request_name(envelope)),
                        "Update Shadowpipe.");
}

/* Ends the connection when the frame breaks the rules that keep requests apart. */
static bool check_id(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    const char *reason = NULL;
    if (envelope->id == 0)
        reason = "NO_ID";
    else if (request_find(connection, envelope->id) != NULL)
        reason = "DUPLICATE_ID";
    if (reason == NULL)
        return true;
    broker->counters.malformed++;
    PB(Status) *status =
        status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), reason, "a request has the id %u, which is %s",
                    (unsigned)envelope->id, envelope->id == 0 ? "reserved" : "that of an open request");
    error_advise(status, "Give each open request a nonzero id of its own.");
    connection_refuse(connection, error_field(status, "id"));
    return false;
}

bool dispatch_request(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    if (!check_id(connection, envelope))
        return true;
    const struct request_type *type = find_type(envelope->body_case);
    if (type != NULL && type->takes_slot && connection->in_flight >= broker->config.max_in_flight)
        return false;
    broker->counters.requests++;
    PB(Status) *refusal = check_rights(connection, envelope);
    if (refusal == NULL && type == NULL)
        refusal = unimplemented(broker, envelope);
    if (refusal == NULL && broker->stopping && type != NULL && !type->while_stopping)
        refusal = error_stopping(broker);
    if (refusal == NULL && type != NULL)
        type->handle(connection, envelope);
    else
        fail_now(connection, envelope->id, refusal);
    return true;
}
