/* The smallest useful client: takes a snapshot of one volume, lists its root directory from the snapshot, and
 * finishes.
 *
 *     take_snapshot C: */
#include <stdio.h>

#include <windows.h>

#include "client/lib/shadowpipe.h"

static int fail(struct sp_error *error)
{
    fprintf(stderr, "%s\n%s\n", error->message, error->advice);
    sp_error_free(error);
    return 1;
}

static void show_progress(void *context, const struct sp_progress *progress)
{
    (void)context;
    fprintf(stderr, "%s (%u ms)\n", progress->phase, (unsigned)progress->elapsed_ms);
}

static bool list_directory(const char *root)
{
    char pattern[1024];
    wchar_t wide[1024];
    WIN32_FIND_DATAW entry;
    (void)snprintf(pattern, sizeof pattern, "%s*", root);
    if (MultiByteToWideChar(CP_UTF8, 0, pattern, -1, wide, 1024) <= 0)
        return false;
    HANDLE find = FindFirstFileW(wide, &entry);
    if (find == INVALID_HANDLE_VALUE)
        return false;
    do {
        char name[3 * MAX_PATH];
        if (WideCharToMultiByte(CP_UTF8, 0, entry.cFileName, -1, name, sizeof name, NULL, NULL) > 0)
            printf("%s\n", name);
    } while (FindNextFileW(find, &entry));
    return FindClose(find);
}

int main(int argc, char **argv)
{
    struct sp_error *error = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: take_snapshot C:\n");
        return 2;
    }
    struct sp_client *client = sp_connect(NULL, &error);
    if (!client)
        return fail(error);

    const char *volumes[] = {argv[1]};
    struct sp_snapshot_request request = {
        .volumes = volumes, .volumes_count = 1, .purpose = "example", .on_progress = show_progress};
    struct sp_snapshot *snapshot = sp_create_snapshot(client, &request, &error);
    if (!snapshot) {
        sp_close(client);
        return fail(error);
    }
    bool listed = list_directory(snapshot->volumes[0].device_root);
    bool finished = sp_finish(client, snapshot->lease_id, snapshot->token, listed, 0, NULL, &error);
    sp_snapshot_free(snapshot);
    sp_close(client);
    if (!finished)
        return fail(error);
    return listed ? 0 : 1;
}
