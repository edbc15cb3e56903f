#include "client/cli/artifacts.h"

#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "client/cli/file.h"
#include "client/cli/manifest.h"
#include "client/lib/error.h"
#include "client/lib/wide.h"

bool artifacts_prepare(const struct arguments *arguments, struct sp_error **error)
{
    if (!arguments->save_documents)
        return true;
    wchar_t *wide = wide_from_utf8(arguments->save_documents);
    DWORD failure = ERROR_OUTOFMEMORY;
    bool ok = wide && CreateDirectoryW(wide, NULL);
    if (wide && !ok) {
        failure = GetLastError();
        DWORD attributes = GetFileAttributesW(wide);
        ok = attributes != INVALID_FILE_ATTRIBUTES && attributes & FILE_ATTRIBUTE_DIRECTORY;
    }
    free(wide);
    if (!ok)
        error_give(error,
                   error_from_win32(failure, "CreateDirectoryW", "make the folder of --save-documents"));
    return ok;
}

/* ---- documents ---- */

/* The name of a document's file, which must not lead anywhere else. */
static bool document_path(const char *folder, const PB(DocumentInfo) * info, struct text *path,
                          struct sp_error **error)
{
    char instance[ID_CHARS];
    if (info->kind == PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS)) {
        text_format(path, "%s\\backup-components.xml", folder);
        return true;
    }
    if (info->kind == PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_WRITER_METADATA) &&
        guid_parse(info->writer_instance_id, instance)) {
        text_format(path, "%s\\writer-%s.xml", folder, instance);
        return true;
    }
    error_give(error, error_create(SP_INTERNAL, "UNEXPECTED_REPLY", "",
                                   "The service names a document that has no sound name (\"%s\").",
                                   info->writer_instance_id));
    return false;
}

static bool save_document(struct session *session, const PB(SnapshotReply) * snapshot,
                          const PB(DocumentInfo) * info, struct sp_error **error)
{
    struct text path = {0};
    struct sp_document_request request = {.lease_id = snapshot->lease_id,
                                          .token = snapshot->token,
                                          .kind = (enum sp_document_kind)info->kind,
                                          .writer_instance_id = info->writer_instance_id,
                                          .timeout_ms = session_time_left(session)};
    bool ok = document_path(session->arguments->save_documents, info, &path, error);
    struct sp_document *document = ok ? sp_read_document(session->client, &request, error) : NULL;
    ok = document && !path.failed && file_write(text_string(&path), document->bytes, document->size, error);
    if (document && path.failed)
        error_give(error, error_no_memory());
    sp_document_free(document);
    text_free(&path);
    return ok;
}

static bool is_backup_components(const PB(DocumentInfo) * info)
{
    return info->kind == PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
}

static bool no_document(struct sp_error **error)
{
    error_give(error, error_create(SP_INTERNAL, "UNEXPECTED_REPLY", "See the service's log.",
                                   "The service has no Backup Components Document of this backup."));
    return false;
}

bool artifacts_save_documents(struct session *session, const PB(SnapshotReply) * snapshot,
                              struct sp_error **error)
{
    bool found = false;
    if (!session->arguments->save_documents)
        return true;
    for (size_t i = 0; i < snapshot->n_documents; i++) {
        if (!save_document(session, snapshot, snapshot->documents[i], error))
            return false;
        found = found || is_backup_components(snapshot->documents[i]);
    }
    return found || no_document(error);
}

bool artifacts_save_completed(struct session *session, const PB(SnapshotReply) * snapshot,
                              const PB(FinishReply) * finish, struct sp_error **error)
{
    if (!session->arguments->save_documents ||
        finish->completion != PB_VALUE(COMPLETION, COMPLETION_COMPLETED))
        return true;
    for (size_t i = 0; i < finish->n_documents; i++) {
        if (is_backup_components(finish->documents[i]))
            return save_document(session, snapshot, finish->documents[i], error);
    }
    return no_document(error);
}

/* ---- the manifest ---- */

bool artifacts_write_manifest(struct session *session, const struct places *places, struct sp_error **error)
{
    struct manifest manifest = {.places = places};
    if (!session->arguments->manifest)
        return true;
    bool ok = sp_list_components(session->client, places->reply->lease_id, places->reply->token, manifest_add,
                                 &manifest, session_time_left(session), session->cancel, error);
    if (ok && manifest.text.failed) {
        error_give(error, error_no_memory());
        ok = false;
    } else if (ok && manifest.incomplete.size) {
        error_give(error, error_create(SP_RESOURCE_EXHAUSTED, "TOO_LARGE", "Select smaller components.",
                                       "The service cannot list all files of %s.",
                                       text_string(&manifest.incomplete)));
        ok = false;
    }
    ok = ok &&
         file_write(session->arguments->manifest, text_string(&manifest.text), manifest.text.size, error);
    text_free(&manifest.text);
    text_free(&manifest.incomplete);
    return ok;
}

bool artifacts_environment(const struct arguments *arguments,
                           void (*set)(void *context, const char *name, const char *value), void *context)
{
    const char *const names[] = {"SHADOWPIPE_MANIFEST", "SHADOWPIPE_DOCUMENTS"};
    const char *const paths[] = {arguments->manifest, arguments->save_documents};
    bool ok = true;
    for (size_t i = 0; i < ARRAYSIZE(names); i++) {
        struct text full = {0};
        if (paths[i]) {
            ok = ok && file_full_path(paths[i], &full) && !full.failed;
            set(context, names[i], text_string(&full));
        }
        text_free(&full);
    }
    return ok;
}
