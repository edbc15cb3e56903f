/* expose, unexpose, break, import, revert: what changes one snapshot or set. */
#include <stdlib.h>

#include "client/cli/command.h"
#include "client/cli/display.h"
#include "client/cli/file.h"
#include "client/lib/error.h"

enum outcome command_expose(struct session *session)
{
    const struct arguments *arguments = session->arguments;
    char id[ID_CHARS] = "";
    char drive[3] = "X:";
    enum outcome outcome;
    struct text text = {0};
    PB(Expose) expose = SHADOWPIPE__V1__EXPOSE__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (!session_connect(session, &outcome))
        return outcome;
    (void)guid_parse(arguments->snapshot, id);
    expose.snapshot_id = id;
    if (arguments->as.count) {
        drive[0] = (char)(arguments->as.items[0][0] & ~0x20);
        expose.as_drive = drive;
    }
    if (arguments->directory)
        expose.as_directory = (char *)arguments->directory;
    if (arguments->share)
        expose.as_share = (char *)arguments->share;
    if (arguments->sub_path)
        expose.sub_path = (char *)arguments->sub_path;
    request.body_case = PB_BODY(EXPOSE);
    request.expose = &expose;
    struct message *reply = session_call(session, &request, PB_BODY(EXPOSE_REPLY), &outcome);
    if (!reply)
        return outcome;
    text_format(&text, "Snapshot %s is %s\n", id, reply->envelope->expose_reply->exposed);
    return session_answer_reply(session, &text, reply, &reply->envelope->expose_reply->base);
}

enum outcome command_unexpose(struct session *session)
{
    char id[ID_CHARS] = "";
    enum outcome outcome;
    struct text text = {0};
    PB(Unexpose) unexpose = SHADOWPIPE__V1__UNEXPOSE__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (!session_connect(session, &outcome))
        return outcome;
    (void)guid_parse(session->arguments->snapshot, id);
    unexpose.snapshot_id = id;
    request.body_case = PB_BODY(UNEXPOSE);
    request.unexpose = &unexpose;
    struct message *reply = session_call(session, &request, PB_BODY(UNEXPOSE_REPLY), &outcome);
    if (!reply)
        return outcome;
    text_format(&text, "Snapshot %s is not exposed any more.\n", id);
    return session_answer_reply(session, &text, reply, &reply->envelope->unexpose_reply->base);
}

enum outcome command_break(struct session *session)
{
    const struct arguments *arguments = session->arguments;
    enum outcome outcome;
    struct text text = {0};
    PB(BreakSet) break_set = SHADOWPIPE__V1__BREAK_SET__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (!session_confirm(session, "The copies of the set stop being snapshots. Go on? [y/N] ", &outcome) ||
        !session_connect(session, &outcome))
        return outcome;
    break_set.set_id = (char *)arguments->set_id;
    break_set.flags = arguments->break_flags;
    request.body_case = PB_BODY(BREAK_SET);
    request.break_set = &break_set;
    struct message *reply = session_call(session, &request, PB_BODY(BREAK_SET_REPLY), &outcome);
    if (!reply)
        return outcome;
    text_format(&text, "The copies of the set %s are volumes now.\n", arguments->set_id);
    return session_answer_reply(session, &text, reply, &reply->envelope->break_set_reply->base);
}

enum outcome command_import(struct session *session)
{
    enum outcome outcome;
    struct text text = {0};
    struct sp_error *error = NULL;
    size_t size;
    PB(ImportSet) import = SHADOWPIPE__V1__IMPORT_SET__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (!session_confirm(session, "Bring the snapshots of this document in? [y/N] ", &outcome))
        return outcome;
    char *bytes = file_read(session->arguments->document, FILE_DOCUMENT_BYTES_MAX, &size, &error);
    if (!bytes)
        return session_fail(session, error);
    if (!session_connect(session, &outcome)) {
        free(bytes);
        return outcome;
    }
    struct sp_document_source source = {.kind = SP_DOCUMENT_BACKUP_COMPONENTS,
                                        .bytes = (const uint8_t *)bytes,
                                        .size = size,
                                        .timeout_ms = session_time_left(session),
                                        .cancel = session->cancel};
    char *id = sp_put_document(session->client, &source, &error);
    free(bytes);
    if (!id)
        return session_fail(session, error);
    import.document_id = id;
    request.body_case = PB_BODY(IMPORT_SET);
    request.import_set = &import;
    struct message *reply = session_call(session, &request, PB_BODY(IMPORT_SET_REPLY), &outcome);
    sp_string_free(id);
    if (!reply)
        return outcome;
    display_imported(&text, reply->envelope->import_set_reply);
    return session_answer_reply(session, &text, reply, &reply->envelope->import_set_reply->base);
}

enum outcome command_revert(struct session *session)
{
    const struct arguments *arguments = session->arguments;
    char id[ID_CHARS] = "";
    enum outcome outcome;
    struct text text = {0};
    PB(RevertVolume) revert = SHADOWPIPE__V1__REVERT_VOLUME__INIT;
    PB(Envelope) request = SHADOWPIPE__V1__ENVELOPE__INIT;
    if (!session_confirm(session,
                         "Everything that was written to the volume since this snapshot will be lost.\n"
                         "Go on? [y/N] ",
                         &outcome) ||
        !session_connect(session, &outcome))
        return outcome;
    (void)guid_parse(arguments->snapshot, id);
    revert.snapshot_id = id;
    revert.force_dismount = arguments->force_dismount;
    request.body_case = PB_BODY(REVERT_VOLUME);
    request.revert_volume = &revert;
    struct message *reply = session_call(session, &request, PB_BODY(REVERT_VOLUME_REPLY), &outcome);
    if (!reply)
        return outcome;
    text_format(&text, "The volume %s is what it was at the snapshot %s.\n",
                reply->envelope->revert_volume_reply->volume, id);
    return session_answer_reply(session, &text, reply, &reply->envelope->revert_volume_reply->base);
}
