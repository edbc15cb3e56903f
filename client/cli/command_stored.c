/* list, delete: snapshots that exist, by what they have in common. */
#include "client/cli/command.h"
#include "client/cli/display.h"
#include "client/cli/terminal.h"

enum outcome command_stored(struct session *session)
{
    const struct arguments *arguments = session->arguments;
    char id[ID_CHARS] = "";
    enum outcome outcome;
    struct text text = {0};
    PB(ListSnapshots) list = SHADOWPIPE__V1__LIST_SNAPSHOTS__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (!session_connect(session, &outcome))
        return outcome;
    if (arguments->snapshot && guid_parse(arguments->snapshot, id))
        list.snapshot_id = id;
    list.set_id = (char *)arguments->set_id;
    if (arguments->volumes.count)
        list.volume = (char *)arguments->volumes.items[0];
    list.min_age_ms = arguments->older_than_ms;
    if (arguments->owner)
        list.owner_sid = (char *)arguments->owner;
    if (arguments->purpose)
        list.purpose = (char *)arguments->purpose;
    request.body_case = PB_BODY(LIST_SNAPSHOTS);
    request.list_snapshots = &list;
    struct message *reply = session_call(session, &request, PB_BODY(SNAPSHOTS_REPLY), &outcome);
    if (!reply)
        return outcome;
    display_stored(&text, reply->envelope->snapshots_reply);
    return session_answer_reply(session, &text, reply, &reply->envelope->snapshots_reply->base);
}

/* ---- delete ---- */

static struct message *send_delete(struct session *session, bool dry_run, enum outcome *outcome)
{
    const struct arguments *arguments = session->arguments;
    char id[ID_CHARS] = "";
    PB(DeleteSnapshots) delete = SHADOWPIPE__V1__DELETE_SNAPSHOTS__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (arguments->snapshot && guid_parse(arguments->snapshot, id))
        delete.snapshot_id = id;
    delete.set_id = (char *)arguments->set_id;
    if (arguments->volumes.count)
        delete.volume = (char *)arguments->volumes.items[0];
    delete.oldest = arguments->oldest;
    delete.all_mine = arguments->all_mine;
    delete.force = arguments->force;
    delete.dry_run = dry_run;
    request.body_case = PB_BODY(DELETE_SNAPSHOTS);
    request.delete_snapshots = &delete;
    return session_call(session, &request, PB_BODY(DELETE_REPLY), outcome);
}

/* Shows what would go, and asks. Where nothing would, *dry_run becomes true: nothing was agreed to. */
static bool confirm(struct session *session, bool *dry_run, enum outcome *outcome)
{
    if (session->arguments->yes || *dry_run)
        return true;
    struct message *plan = send_delete(session, true, outcome);
    if (!plan)
        return false;
    struct text text = {0};
    *dry_run = plan->envelope->delete_reply->n_deleted == 0;
    display_deleted(&text, plan->envelope->delete_reply, true);
    message_free(plan);
    if (!*dry_run)
        terminal_complain(text_string(&text));
    text_free(&text);
    return *dry_run || session_confirm(session, "Delete them? [y/N] ", outcome);
}

enum outcome command_delete(struct session *session)
{
    bool dry_run = session->arguments->dry_run;
    enum outcome outcome;
    struct text text = {0};
    if ((!dry_run && !session_confirm(session, NULL, &outcome)) || !session_connect(session, &outcome) ||
        !confirm(session, &dry_run, &outcome))
        return outcome;
    struct message *message = send_delete(session, dry_run, &outcome);
    if (!message)
        return outcome;
    const PB(DeleteReply) *reply = message->envelope->delete_reply;
    display_deleted(&text, reply, dry_run);
    outcome = session_answer_message(session, &text, &reply->base);
    if (outcome == OUTCOME_DONE && (reply->n_left > 0 || reply->failure))
        outcome = OUTCOME_PARTIAL;
    text_free(&text);
    message_free(message);
    return outcome;
}
