#include <stdio.h>
#include <string.h>

#include "service/broker/connection.h"
#include "service/broker/error.h"
#include "service/broker/job.h"
#include "service/broker/log.h"
#include "service/broker/message.h"
#include "service/broker/request.h"
#include "service/broker/state.h"

/* NULL, or why the connection is one too many. */
static PB(Status) * check_limits(struct connection *connection)
{
    static const char advice[] = "Close connections that are not needed, or raise the limit.";
    struct broker *broker = connection->broker;
    const struct broker_config *config = &broker->config;
    bool manages = (connection->caller.rights & RIGHT_BIT_MANAGE) != 0;
    uint32_t most = manages || config->max_connections <= config->reserved_connections
                        ? config->max_connections
                        : config->max_connections - config->reserved_connections;
    if (broker->clients >= most)
        return error_over_limit(broker, "max_connections", most, "connections", advice);
    if (!manages && connection->owner->connections >= config->max_connections_per_owner)
        return error_over_limit(broker, "max_connections_per_owner", config->max_connections_per_owner,
                                "connections of one owner", advice);
    return NULL;
}

void hello_identified(struct connection *connection, const struct caller *caller, const char *failure)
{
    struct broker *broker = connection->broker;
    if (failure != NULL || caller == NULL) {
        PB(Status) *status = status_make(&broker->arena, PB_CODE(UNAUTHENTICATED), "NO_IDENTITY",
                                         "the service could not find out who the client is: %s",
                                         failure != NULL ? failure : "no caller");
        connection_refuse(connection, error_advise(status, "Open the pipe at identification level."));
        return;
    }
    connection->caller = *caller;
    connection->caller.sid[sizeof caller->sid - 1] = '\0';
    connection->caller.service_sid[sizeof caller->service_sid - 1] = '\0';
    connection->caller.process_name[sizeof caller->process_name - 1] = '\0';
    struct owner *owner = owner_get(broker, &connection->caller);
    if (owner == NULL) {
        connection_refuse(connection, NULL);
        return;
    }
    connection->owner = owner;
    PB(Status) *refusal = check_limits(connection);
    owner->connections++;
    broker->clients++;
    connection->state = CONNECTION_GREETING;
    if (refusal != NULL) {
        broker_log(broker, BROKER_LOG_WARNING, "%s (%s, process %u) refused: %s", caller->process_name,
                   caller->sid, (unsigned)caller->process_id, refusal->message);
        connection_refuse(connection, refusal);
    }
}

void broker_identified(struct broker *broker, uint64_t id, const struct caller *caller, const char *failure)
{
    struct connection *connection = connection_find(broker, id);
    if (connection == NULL || connection->kind != CONNECTION_CLIENT || connection->state != CONNECTION_NEW)
        return;
    broker_begin(broker);
    hello_identified(connection, caller, failure);
    broker_settle(broker);
}

static PB(Status) * check_hello(struct broker *broker, const PB(Envelope) * envelope)
{
    if (envelope->body_case != PB_BODY(HELLO))
        return error_advise(status_make(&broker->arena, PB_CODE(FAILED_PRECONDITION), "HELLO_FIRST",
                                        "the first frame of a connection has to be Hello"),
                            "Send Hello and wait for its reply.");
    if (envelope->id == 0) {
        PB(Status) *status = status_make(&broker->arena, PB_CODE(INVALID_ARGUMENT), "NO_ID",
                                         "Hello has to carry a nonzero id");
        return error_field(error_advise(status, "Give each request a nonzero id."), "id");
    }
    if (envelope->hello->major != PROTOCOL_MAJOR)
        return error_advise(status_make(&broker->arena, PB_CODE(FAILED_PRECONDITION), "VERSION",
                                        "the client speaks protocol version %u and the service version %d",
                                        (unsigned)envelope->hello->major, PROTOCOL_MAJOR),
                            "Use a client and a service of the same major version.");
    return broker->stopping ? error_stopping(broker) : NULL;
}

static size_t list_rights(uint32_t bits, PB(Right) rights[RIGHTS_COUNT])
{
    size_t count = 0;
    for (int right = PB_VALUE(RIGHT, RIGHT_READ); right <= PB_VALUE(RIGHT, RIGHT_MANAGE); right++) {
        if ((bits & 1u << right) != 0)
            rights[count++] = (PB(Right))right;
    }
    return count;
}

static void send_hello_reply(struct connection *connection, const PB(Envelope) * envelope)
{
    struct broker *broker = connection->broker;
    const struct broker_config *config = &broker->config;
    PB(Right) rights[RIGHTS_COUNT];
    PB(Limits) limits = SHADOWPIPE__V1__LIMITS__INIT;
    limits.max_request_bytes = FRAME_LIMIT_REQUEST_BYTES;
    limits.max_reply_bytes = FRAME_LIMIT_REPLY_BYTES;
    limits.max_in_flight = config->max_in_flight;
    limits.max_volumes = MAX_VOLUMES;
    limits.default_timeout_ms = config->default_timeout_ms;
    limits.max_timeout_ms = config->max_timeout_ms;
    limits.max_leases =
        config->max_leases_per_owner < config->max_leases ? config->max_leases_per_owner : config->max_leases;
    limits.max_sessions = config->max_sessions;
    limits.max_lease_ttl_ms = config->max_lease_ttl_ms;
    PB(Caller) caller = SHADOWPIPE__V1__CALLER__INIT;
    caller.sid = connection->caller.sid;
    caller.service_sid = connection->caller.service_sid;
    caller.process_id = connection->caller.process_id;
    caller.process_name = connection->caller.process_name;
    caller.elevated = connection->caller.elevated;
    caller.filtered_admin = connection->caller.filtered_admin;
    caller.n_rights = list_rights(connection->caller.rights, rights);
    caller.rights = rights;
    PB(HelloReply) reply = SHADOWPIPE__V1__HELLO_REPLY__INIT;
    reply.major = PROTOCOL_MAJOR;
    uint32_t newest = PROTOCOL_MINOR;
    reply.minor = newest < envelope->hello->minor ? newest : envelope->hello->minor;
    reply.server_version = text_constant(config->server_version);
    reply.limits = &limits;
    reply.connection_id = connection->id;
    reply.boot_id = broker->boot_id;
    reply.os_build = text_constant(config->os_build);
    reply.simulated = broker->simulated;
    reply.caller = &caller;
    PB(Envelope) answer = ENVELOPE(HELLO_REPLY, .hello_reply = &reply);
    reply_now(connection, envelope->id, &answer);
}

void hello_received(struct connection *connection, const PB(Envelope) * envelope)
{
    PB(Status) *refusal = check_hello(connection->broker, envelope);
    if (refusal != NULL) {
        connection_refuse(connection, refusal);
        return;
    }
    /* The decoder has bounded both names. */
    (void)snprintf(connection->client_name, sizeof connection->client_name, "%s",
                   envelope->hello->client_name);
    (void)snprintf(connection->client_version, sizeof connection->client_version, "%s",
                   envelope->hello->client_version);
    connection->state = CONNECTION_OPEN;
    timer_stop(&connection->timer);
    connection->reader.limit_bytes = FRAME_LIMIT_REQUEST_BYTES;
    send_hello_reply(connection, envelope);
}
