/* The displays of snapshots that exist, and of those that would. */
#include <inttypes.h>
#include <string.h>

#include "client/cli/display.h"

/* ---- check ---- */

static void add_storage(struct text *text, const PB(SnapshotReply) * reply, const PB(Snapshot) * volume)
{
    for (size_t i = 0; i < reply->n_storage; i++) {
        const PB(VolumeStorage) *storage = reply->storage[i];
        if (strcmp(storage->volume_guid_path, volume->volume_guid_path) != 0)
            continue;
        text_format(text, "    %" PRIu32 " snapshots", storage->snapshots);
        if (storage->max_snapshots)
            text_format(text, " of at most %" PRIu32, storage->max_snapshots);
        text_add_char(text, '\n');
        for (size_t n = 0; n < storage->n_diff_areas; n++) {
            const PB(DiffArea) *area = storage->diff_areas[n];
            text_format(text, "    copies on %s: ", area->diff_volume);
            display_size(text, area->used_bytes);
            text_add(text, " used, ");
            display_size(text, area->allocated_bytes);
            text_add(text, " allocated, ");
            if (area->maximum_bytes == UINT64_MAX)
                text_add(text, "no limit\n");
            else {
                text_add(text, "at most ");
                display_size(text, area->maximum_bytes);
                text_add_char(text, '\n');
            }
        }
    }
}

static void add_volume_name(struct text *text, const PB(Snapshot) * volume)
{
    for (size_t i = 0; i < volume->n_volume_names; i++)
        text_format(text, "%s%s", i ? ", " : "", volume->volume_names[i]);
    if (volume->n_volume_names == 0)
        text_add(text, volume->volume_guid_path);
}

void display_check(struct text *text, const PB(SnapshotReply) * reply)
{
    size_t failed = 0;
    text_format(text, "The snapshot would %s%s.\n", reply->n_uncovered ? "succeed in part" : "succeed",
                reply->simulated ? " (simulated VSS)" : "");
    for (size_t i = 0; i < reply->n_volumes; i++) {
        text_add(text, "  ");
        add_volume_name(text, reply->volumes[i]);
        text_add_char(text, '\n');
        add_storage(text, reply, reply->volumes[i]);
    }
    for (size_t i = 0; i < reply->n_uncovered; i++)
        text_format(text, "  NOT in the snapshot: %s: %s\n", reply->uncovered[i]->path,
                    reply->uncovered[i]->reason);
    for (size_t i = 0; i < reply->n_writers; i++)
        failed += reply->writers[i]->failed ? 1 : 0;
    if (reply->n_writers)
        text_format(text, "  %zu writers, %zu of them failed\n", reply->n_writers, failed);
    for (size_t i = 0; i < reply->n_writers; i++) {
        if (reply->writers[i]->failed)
            display_writer_failure(text, reply->writers[i]);
        else if (reply->writers[i]->took_part)
            text_format(text, "  - %s takes part\n", reply->writers[i]->name);
    }
    if (reply->components)
        text_format(text, "  %" PRIu32 " components\n", reply->components);
    for (size_t i = 0; i < reply->n_warnings; i++)
        text_format(text, "  Warning: %s\n", reply->warnings[i]);
}

/* ---- list ---- */

static const char *origin_word(PB(Origin) origin)
{
    switch (origin) {
    case PB_VALUE(ORIGIN, ORIGIN_OURS):
        return "Shadowpipe";
    case PB_VALUE(ORIGIN, ORIGIN_FOREIGN):
        return "other program";
    case PB_VALUE(ORIGIN, ORIGIN_UNKNOWN):
        return "unknown";
    default:
        return "-";
    }
}

static void add_detail(struct text *text, const char *label, const char *value)
{
    if (*value)
        text_format(text, "    %s %s\n", label, value);
}

static void add_snapshot(struct text *text, const PB(Snapshot) * snapshot, const char *origin)
{
    size_t start = text->size;
    display_time(text, snapshot->created_ms);
    text_pad(text, start, 24);
    add_volume_name(text, snapshot);
    text_pad(text, start, 36);
    text_add(text, origin);
    text_pad(text, start, 50);
    text_format(text, "%s\n", snapshot->snapshot_id);
    add_detail(text, "set", snapshot->set_id);
    add_detail(text, "read at", snapshot->device_root);
    add_detail(text, "exposed as", snapshot->exposed_name);
    add_detail(text, "shared from", snapshot->exposed_path);
}

static void add_head(struct text *text)
{
    size_t start = text->size;
    text_add(text, "CREATED");
    text_pad(text, start, 24);
    text_add(text, "VOLUME");
    text_pad(text, start, 36);
    text_add(text, "MADE BY");
    text_pad(text, start, 50);
    text_add(text, "SNAPSHOT\n");
}

void display_stored(struct text *text, const PB(SnapshotsReply) * reply)
{
    if (reply->n_snapshots == 0) {
        text_add(text, "There is no such snapshot.\n");
        return;
    }
    add_head(text);
    for (size_t i = 0; i < reply->n_snapshots; i++) {
        const PB(SnapshotRecord) *record = reply->snapshots[i];
        if (!record->snapshot)
            continue;
        add_snapshot(text, record->snapshot, origin_word(record->origin));
        add_detail(text, "for", record->purpose);
        add_detail(text, "owner", record->owner_sid);
        add_detail(text, "read by lease", record->lease_id);
    }
}

void display_imported(struct text *text, const PB(ImportSetReply) * reply)
{
    add_head(text);
    for (size_t i = 0; i < reply->n_snapshots; i++)
        add_snapshot(text, reply->snapshots[i], "-");
}

/* ---- delete ---- */

static void add_ids(struct text *text, const char *what, char **ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        text_format(text, "%s %s\n", what, ids[i]);
}

void display_deleted(struct text *text, const PB(DeleteReply) * reply, bool dry_run)
{
    add_ids(text, dry_run ? "would go:" : "deleted:", reply->deleted, reply->n_deleted);
    add_ids(text, dry_run ? "would stay:" : "LEFT:", reply->left, reply->n_left);
    if (reply->n_deleted + reply->n_left == 0)
        text_add(text, "There is no such snapshot.\n");
    if (reply->failure && reply->n_left) {
        text_format(text, "  Why: %s\n", reply->failure->message);
        if (*reply->failure->advice)
            text_format(text, "  What to do: %s\n", reply->failure->advice);
    }
}
