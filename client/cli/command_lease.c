/* leases, renew, finish: what has a lease of its own life, also from another process than the one that made
 * it. */
#include "client/cli/display.h"
#include "client/cli/job.h"

enum outcome command_leases(struct session *session)
{
    enum outcome outcome;
    struct text text = {0};
    PB(ListLeases) list = SHADOWPIPE__V1__LIST_LEASES__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (!session_connect(session, &outcome))
        return outcome;
    list.all_owners = session->arguments->all;
    request.body_case = PB_BODY(LIST_LEASES);
    request.list_leases = &list;
    struct message *reply = session_call(session, &request, PB_BODY(LEASES_REPLY), &outcome);
    if (!reply)
        return outcome;
    display_leases(&text, reply->envelope->leases_reply);
    return session_answer_reply(session, &text, reply, &reply->envelope->leases_reply->base);
}

enum outcome command_renew(struct session *session)
{
    enum outcome outcome;
    struct text text = {0};
    const struct arguments *arguments = session->arguments;
    if (!session_connect(session, &outcome))
        return outcome;
    struct message *reply =
        job_renew(session, arguments->lease_id, arguments->token, arguments->ttl_ms, &outcome);
    if (!reply)
        return outcome;
    const PB(LeaseReply) *renewed = reply->envelope->lease_reply;
    text_format(&text, "The lease %s lives until ", arguments->lease_id);
    display_time(&text, renewed->lease ? renewed->lease->expires_ms : 0);
    text_add(&text, ".\n");
    return session_answer_reply(session, &text, reply, &renewed->base);
}

enum outcome command_finish(struct session *session)
{
    enum outcome outcome;
    struct text text = {0};
    struct sp_error *error = NULL;
    const struct arguments *arguments = session->arguments;
    PB(SnapshotReply) lease = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    if (!session_connect(session, &outcome))
        return outcome;
    lease.lease_id = (char *)arguments->lease_id;
    lease.token = (char *)arguments->token;
    struct message *reply = job_finish(session, &lease, !arguments->failed, &error);
    if (!reply)
        return session_fail(session, error);
    display_finish(&text, reply->envelope->finish_reply);
    return session_answer_reply(session, &text, reply, &reply->envelope->finish_reply->base);
}
