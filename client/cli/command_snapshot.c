/* snapshot and attach: take one, or one that exists, say where it is, hold it, finish. check: only say what
 * would be. */
#include <windows.h>

#include "client/cli/artifacts.h"
#include "client/cli/display.h"
#include "client/cli/job.h"
#include "client/cli/json.h"
#include "client/cli/mapping.h"
#include "client/cli/terminal.h"
#include "client/lib/error.h"

enum {
    LOOK_MS = 500
};

/* Waits as long as the snapshot is wanted. False: the connection ended, and with it the snapshot. */
static bool hold(struct session *session)
{
    const struct arguments *arguments = session->arguments;
    HANDLE line = arguments->hold ? NULL : terminal_wait_for_line();
    HANDLE either[2] = {terminal_interrupted(), line};
    uint64_t until = arguments->hold ? GetTickCount64() + arguments->hold_ms : UINT64_MAX;
    if (line && terminal_has_console_input())
        terminal_note("the snapshot is held until you press Enter.");
    for (;;) {
        uint64_t now = GetTickCount64();
        uint64_t left = until > now ? until - now : 0;
        DWORD result =
            WaitForMultipleObjects(line ? 2 : 1, either, FALSE, left < LOOK_MS ? (DWORD)left : LOOK_MS);
        if (!session_is_whole(session))
            return false;
        if (result != WAIT_TIMEOUT || GetTickCount64() >= until)
            return true;
    }
}

static void add_places(struct text *text, const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->count; i++)
        text_format(text, "  %s is %s\n", mapping->items[i].root, mapping->items[i].target);
}

static enum outcome answer(struct session *session, const PB(SnapshotReply) * reply,
                           const struct mapping *mapping)
{
    struct text text = {0};
    struct text json = {0};
    display_snapshot(&text, reply);
    add_places(&text, mapping);
    (void)json_add_message(&json, &reply->base);
    text_add(&json, "\n");
    enum outcome outcome = session_answer(session, &text, &json);
    text_free(&text);
    text_free(&json);
    return outcome;
}

static enum outcome lost(struct session *session)
{
    return session_fail(session,
                        error_create(SP_UNAVAILABLE, "CONNECTION_LOST", "See whether the service runs.",
                                     "The connection to the service broke, and the snapshot is gone."));
}

static enum outcome hold_and_finish(struct session *session, const PB(SnapshotReply) * reply)
{
    struct sp_error *error = NULL;
    struct mapping mapping;
    bool mapped = artifacts_save_documents(session, reply, &error) &&
                  mapping_make(&mapping, reply, session->arguments, &error);
    if (mapped && !artifacts_write_manifest(session, &mapping.places, &error)) {
        (void)mapping_undo(&mapping);
        mapped = false;
    }
    enum outcome outcome = mapped ? answer(session, reply, &mapping) : session_fail(session, error);
    if (mapped && outcome == OUTCOME_DONE && !hold(session))
        outcome = lost(session);
    if (mapped && !mapping_undo(&mapping) && outcome == OUTCOME_DONE)
        outcome = OUTCOME_FAILED;
    if (!session_is_whole(session))
        return outcome == OUTCOME_DONE ? lost(session) : outcome;
    struct message *finish = job_finish(session, reply, outcome == OUTCOME_DONE, &error);
    if (!finish || !artifacts_save_completed(session, reply, finish->envelope->finish_reply, &error))
        outcome = session_fail(session, error);
    message_free(finish);
    return outcome == OUTCOME_DONE && reply->n_uncovered > 0 ? OUTCOME_PARTIAL : outcome;
}

static enum outcome tell_lease(struct session *session, PB(SnapshotReply) * reply)
{
    struct text text = {0};
    display_snapshot(&text, reply);
    text_format(&text, "  Lease: %s\n  Token: %s\n  It lives until ", reply->lease_id, reply->token);
    display_time(&text, reply->expires_ms);
    text_add(&text, ".\n");
    enum outcome outcome = session_answer_message(session, &text, &reply->base);
    text_free(&text);
    return outcome;
}

static bool save(struct session *session, const PB(SnapshotReply) * reply, struct sp_error **error)
{
    struct mapping mapping;
    if (!artifacts_save_documents(session, reply, error) ||
        !mapping_make(&mapping, reply, session->arguments, error))
        return false;
    bool saved = artifacts_write_manifest(session, &mapping.places, error);
    return mapping_undo(&mapping) && saved;
}

/* Its lease is for others: once renewed, it outlives this connection. */
static enum outcome detach(struct session *session, PB(SnapshotReply) * reply)
{
    struct sp_error *error = NULL;
    enum outcome outcome;
    if (!save(session, reply, &error))
        return session_fail(session, error);
    struct message *renewed = job_renew(session, reply->lease_id, reply->token, 0, &outcome);
    if (!renewed)
        return outcome;
    if (renewed->envelope->lease_reply->lease)
        reply->expires_ms = renewed->envelope->lease_reply->lease->expires_ms;
    message_free(renewed);
    outcome = tell_lease(session, reply);
    if (outcome != OUTCOME_DONE) { /* nobody knows of it */
        message_free(job_finish(session, reply, false, &error));
        sp_error_free(error);
    }
    return outcome == OUTCOME_DONE && reply->n_uncovered > 0 ? OUTCOME_PARTIAL : outcome;
}

static enum outcome hold_snapshot(struct session *session, const char *attach)
{
    struct sp_error *error = NULL;
    enum outcome outcome;
    mapping_sweep();
    if (!mapping_check(session->arguments, &error) || !artifacts_prepare(session->arguments, &error))
        return session_fail(session, error);
    struct message *reply = attach ? job_attach(session, attach, &outcome) : job_create(session, &outcome);
    if (!reply)
        return outcome;
    outcome = session->arguments->detach ? detach(session, reply->envelope->snapshot_reply)
                                         : hold_and_finish(session, reply->envelope->snapshot_reply);
    message_free(reply);
    if (session->thaw_failed && (outcome == OUTCOME_DONE || outcome == OUTCOME_PARTIAL))
        outcome = OUTCOME_FAILED;
    return outcome;
}

enum outcome command_snapshot(struct session *session)
{
    return hold_snapshot(session, NULL);
}

enum outcome command_attach(struct session *session)
{
    return hold_snapshot(session, session->arguments->snapshot);
}

enum outcome command_check(struct session *session)
{
    enum outcome outcome;
    struct text text = {0};
    struct message *message = job_check(session, &outcome);
    if (!message)
        return outcome;
    const PB(SnapshotReply) *reply = message->envelope->snapshot_reply;
    display_check(&text, reply);
    outcome = session_answer_message(session, &text, &reply->base);
    if (outcome == OUTCOME_DONE && reply->n_uncovered > 0)
        outcome = OUTCOME_PARTIAL;
    text_free(&text);
    message_free(message);
    return outcome;
}
