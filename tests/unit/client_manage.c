/* The library's calls for checks, components, ends of backups, and snapshots that exist. */
#include <string.h>

#include "client/lib/shadowpipe.h"
#include "proto/wire.h"
#include "tests/unit/client_support.h"
#include "tests/unit/cmocka_all.h"

/* A reply with the body; false sends the status WRONG_REQUEST instead. */
static void answer(struct fake_server *fake, const PB(Envelope) * request, bool right, PB(Envelope) reply)
{
    reply.id = request->id;
    if (right)
        fake_send(fake, &reply);
    else
        fake_send_status(fake, request->id, PB_CODE(INVALID_ARGUMENT), "WRONG_REQUEST");
}

static PB(Envelope) body(PB(Envelope__BodyCase) kind, void *message)
{
    PB(Envelope) envelope = SHADOWPIPE__V1__ENVELOPE__INIT;
    envelope.body_case = kind;
    envelope.hello = message; /* all of the union are pointers */
    return envelope;
}

/* ---- checks and attached snapshots ---- */

static void scene_check(struct fake_server *fake)
{
    PB(DiffArea) area = SHADOWPIPE__V1__DIFF_AREA__INIT;
    PB(DiffArea) * areas[] = {&area};
    PB(VolumeStorage) room = SHADOWPIPE__V1__VOLUME_STORAGE__INIT;
    PB(VolumeStorage) * storage[] = {&room};
    PB(DocumentInfo) document = SHADOWPIPE__V1__DOCUMENT_INFO__INIT;
    PB(DocumentInfo) * documents[] = {&document};
    PB(SnapshotReply) snapshot = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    fake_greet(fake);
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(CREATE_SNAPSHOT));
    const PB(CreateSnapshot) *create = request->create_snapshot;
    bool right =
        create->dry_run && create->n_components == 2 && create->n_phase_timeouts == 1 &&
        create->phase_timeouts[0]->phase == PB_PHASE(PREPARING) &&
        create->phase_timeouts[0]->timeout_ms == 5 && strcmp(create->components[1]->name, "b") == 0 &&
        strcmp(create->components[1]->previous_stamp, "stamp") == 0 &&
        create->context == PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK) && create->keep_ms == 1ull << 40 &&
        create->backup_type == PB_VALUE(BACKUP_TYPE, BACKUP_TYPE_LOG) && create->attributes == 0x20 &&
        create->allow_types_without_components && create->bootable && create->partial_files &&
        create->add_needed_volumes && create->with_documents && create->n_providers == 1 &&
        create->retry_without_failed && create->complete_within_ms == 7;
    room.volume_guid_path = "guid";
    room.max_snapshots = 512;
    room.diff_areas = areas;
    room.n_diff_areas = 1;
    area.diff_volume = "D:\\";
    area.maximum_bytes = UINT64_MAX;
    document.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_WRITER_METADATA);
    document.writer_instance_id = "instance";
    document.size_bytes = 5;
    snapshot.storage = storage;
    snapshot.n_storage = 1;
    snapshot.documents = documents;
    snapshot.n_documents = 1;
    snapshot.components = 2;
    snapshot.context = PB_VALUE(CONTEXT, CONTEXT_APP_ROLLBACK);
    answer(fake, request, right, body(PB_BODY(SNAPSHOT_REPLY), &snapshot));
    request = fake_expect(fake, PB_BODY(ATTACH_SNAPSHOT));
    right = strcmp(request->attach_snapshot->device, "dev") == 0 &&
            strcmp(request->attach_snapshot->purpose, "p") == 0;
    answer(fake, request, right, body(PB_BODY(SNAPSHOT_REPLY), &snapshot));
    (void)fake_receive(fake);
}

static void a_check_has_every_wish_and_tells_the_room(void **state)
{
    static const char *const providers[] = {"id"};
    static const char *const volumes[] = {"C:"};
    const struct sp_component_selection components[] = {
        {.writer = "W", .name = "a"}, {.writer = "W", .name = "b", .previous_stamp = "stamp"}};
    struct sp_phase_timeout timeout = {"PREPARING", 5};
    struct sp_snapshot_request request = {.volumes = volumes,
                                          .volumes_count = 1,
                                          .vss_context = SP_CONTEXT_APP_ROLLBACK,
                                          .attributes = 0x20,
                                          .keep_ms = 1ull << 40,
                                          .backup_type = SP_BACKUP_LOG,
                                          .allow_without_components = true,
                                          .bootable = true,
                                          .partial_files = true,
                                          .components = components,
                                          .components_count = 2,
                                          .add_needed_volumes = true,
                                          .with_documents = true,
                                          .providers = providers,
                                          .providers_count = 1,
                                          .retry_without_failed = true,
                                          .complete_within_ms = 7,
                                          .phase_timeouts = &timeout,
                                          .phase_timeouts_count = 1};
    struct sp_attach_request attach = {.device = "dev", .purpose = "p"};
    (void)state;
    struct sp_client *client = connect_to_scene(scene_check);
    struct sp_snapshot *snapshot = sp_check_snapshot(client, &request, &error);
    assert_non_null(snapshot);
    assert_int_equal(snapshot->vss_context, SP_CONTEXT_APP_ROLLBACK);
    assert_int_equal(snapshot->components_count, 2);
    assert_int_equal(snapshot->storage_count, 1);
    assert_int_equal(snapshot->storage[0].max_snapshots, 512);
    assert_string_equal(snapshot->storage[0].diff_areas[0].diff_volume, "D:\\");
    assert_true(snapshot->storage[0].diff_areas[0].maximum_bytes == UINT64_MAX);
    assert_int_equal(snapshot->documents[0].kind, SP_DOCUMENT_WRITER_METADATA);
    assert_string_equal(snapshot->documents[0].writer_instance_id, "instance");
    sp_snapshot_free(snapshot);
    snapshot = sp_attach_snapshot(client, &attach, &error);
    assert_non_null(snapshot);
    sp_snapshot_free(snapshot);
    timeout.phase = "RESTING";
    assert_null(sp_check_snapshot(client, &request, &error));
    expect_error(SP_INVALID_ARGUMENT, "BAD_ARGUMENT");
    end(client);
}

/* ---- components and the end ---- */

static void scene_components(struct fake_server *fake)
{
    PB(ShadowFiles) file = SHADOWPIPE__V1__SHADOW_FILES__INIT;
    PB(ShadowFiles) * files[] = {&file};
    PB(Component) component = SHADOWPIPE__V1__COMPONENT__INIT;
    PB(BackupComponent) in_document = SHADOWPIPE__V1__BACKUP_COMPONENT__INIT;
    PB(SelectedComponent) selected = SHADOWPIPE__V1__SELECTED_COMPONENT__INIT;
    PB(ComponentsReply) listed = SHADOWPIPE__V1__COMPONENTS_REPLY__INIT;
    PB(DocumentInfo) document = SHADOWPIPE__V1__DOCUMENT_INFO__INIT;
    PB(DocumentInfo) * documents[] = {&document};
    PB(FinishReply) finish = SHADOWPIPE__V1__FINISH_REPLY__INIT;
    fake_greet(fake);
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(LIST_COMPONENTS));
    bool right = strcmp(request->list_components->lease_id, "lease") == 0 &&
                 strcmp(request->list_components->token, "secret") == 0;
    uint32_t id = request->id;
    file.path = "C:\\Data";
    file.shadow_path = "\\\\?\\dev\\Data";
    file.role = PB_VALUE(FILE_ROLE, FILE_ROLE_LOG);
    component.name = "db";
    component.type = PB_VALUE(COMPONENT_TYPE, COMPONENT_TYPE_DATABASE);
    in_document.backup_stamp = "new";
    in_document.post_snapshot_failure_message = "torn";
    selected.writer_name = "W";
    selected.component = &component;
    selected.state = &in_document;
    selected.files = files;
    selected.n_files = 1;
    PB(Envelope) streamed = body(PB_BODY(SELECTED_COMPONENT), &selected);
    streamed.id = id;
    fake_send(fake, &streamed);
    selected.state = NULL;
    selected.implied = true;
    selected.n_files = 0;
    fake_send(fake, &streamed);
    answer(fake, request, right, body(PB_BODY(COMPONENTS_REPLY), &listed));
    request = fake_expect(fake, PB_BODY(FINISH_BACKUP));
    const PB(FinishBackup) *asked = request->finish_backup;
    right = asked->with_documents && asked->n_components == 1 && !asked->components[0]->ok &&
            strcmp(asked->components[0]->writer_instance_id, "i") == 0 &&
            strcmp(asked->components[0]->name, "db") == 0 &&
            asked->outcome == PB_VALUE(OUTCOME, OUTCOME_SUCCEEDED);
    finish.completion = PB_VALUE(COMPLETION, COMPLETION_COMPLETED);
    document.kind = PB_VALUE(DOCUMENT_KIND, DOCUMENT_KIND_BACKUP_COMPONENTS);
    finish.documents = documents;
    finish.n_documents = 1;
    answer(fake, request, right, body(PB_BODY(FINISH_REPLY), &finish));
    (void)fake_receive(fake);
}

static void note_component(void *context, const struct sp_component *component)
{
    int *count = context;
    assert_string_equal(component->writer_name, "W");
    assert_string_equal(component->name, "db");
    assert_int_equal(component->type, 1);
    if ((*count)++ == 0) {
        assert_string_equal(component->backup_stamp, "new");
        assert_string_equal(component->failure, "torn");
        assert_int_equal(component->files_count, 1);
        assert_string_equal(component->files[0].shadow_path, "\\\\?\\dev\\Data");
        assert_int_equal(component->files[0].role, SP_FILE_LOG);
        assert_false(component->implied);
    } else {
        assert_string_equal(component->backup_stamp, "");
        assert_int_equal(component->files_count, 0);
        assert_true(component->implied);
    }
}

static void components_are_told_and_finished(void **state)
{
    int count = 0;
    struct sp_component_outcome outcome = {"i", "", "db", false};
    struct sp_finish_request request = {.lease_id = "lease",
                                        .succeeded = true,
                                        .components = &outcome,
                                        .components_count = 1,
                                        .with_documents = true};
    (void)state;
    struct sp_client *client = connect_to_scene(scene_components);
    assert_true(sp_list_components(client, "lease", "secret", note_component, &count, 0, NULL, &error));
    assert_int_equal(count, 2);
    struct sp_finished *finished = sp_finish_backup(client, &request, &error);
    assert_non_null(finished);
    assert_int_equal(finished->completion, SP_COMPLETION_COMPLETED);
    assert_int_equal(finished->documents_count, 1);
    assert_int_equal(finished->documents[0].kind, SP_DOCUMENT_BACKUP_COMPONENTS);
    sp_finished_free(finished);
    end(client);
}

/* ---- snapshots that exist ---- */

static void scene_stored(struct fake_server *fake)
{
    static char *ids[] = {"one", "two"};
    PB(Snapshot) snapshot = SHADOWPIPE__V1__SNAPSHOT__INIT;
    PB(Snapshot) * plain[] = {&snapshot};
    PB(SnapshotRecord) record = SHADOWPIPE__V1__SNAPSHOT_RECORD__INIT;
    PB(SnapshotRecord) bare = SHADOWPIPE__V1__SNAPSHOT_RECORD__INIT;
    PB(SnapshotRecord) * records[] = {&record, &bare};
    PB(SnapshotsReply) list = SHADOWPIPE__V1__SNAPSHOTS_REPLY__INIT;
    PB(Status) failure = SHADOWPIPE__V1__STATUS__INIT;
    PB(DeleteReply) deleted = SHADOWPIPE__V1__DELETE_REPLY__INIT;
    PB(ImportSetReply) import = SHADOWPIPE__V1__IMPORT_SET_REPLY__INIT;
    fake_greet(fake);
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(LIST_SNAPSHOTS));
    const PB(ListSnapshots) *filter = request->list_snapshots;
    bool right = strcmp(filter->volume, "C:") == 0 && filter->min_age_ms == 9 &&
                 strcmp(filter->owner_sid, "o") == 0 && strcmp(filter->purpose, "p") == 0 &&
                 strcmp(filter->set_id, "s") == 0;
    snapshot.snapshot_id = "one";
    snapshot.exposed_name = "X:";
    snapshot.attributes = 9;
    record.snapshot = &snapshot;
    record.origin = PB_VALUE(ORIGIN, ORIGIN_OURS);
    record.purpose = "p";
    list.snapshots = records;
    list.n_snapshots = 2;
    answer(fake, request, right, body(PB_BODY(SNAPSHOTS_REPLY), &list));
    request = fake_expect(fake, PB_BODY(DELETE_SNAPSHOTS));
    fake_send_progress(fake, request->id, PB_PHASE(DELETING), 0);
    right = request->delete_snapshots->all_mine && request->delete_snapshots->force &&
            !request->delete_snapshots->dry_run;
    failure.reason = "SNAPSHOT_IN_USE";
    failure.message = "it is read";
    deleted.deleted = ids;
    deleted.n_deleted = 1;
    deleted.left = ids + 1;
    deleted.n_left = 1;
    deleted.failure = &failure;
    answer(fake, request, right, body(PB_BODY(DELETE_REPLY), &deleted));
    request = fake_expect(fake, PB_BODY(IMPORT_SET));
    import.snapshots = plain;
    import.n_snapshots = 1;
    answer(fake, request, strcmp(request->import_set->document_id, "d") == 0,
           body(PB_BODY(IMPORT_SET_REPLY), &import));
    (void)fake_receive(fake);
}

static void note_phase(void *context, const struct sp_progress *progress)
{
    *(bool *)context = strcmp(progress->phase, "DELETING") == 0;
}

static void snapshots_are_listed_deleted_and_imported(void **state)
{
    bool seen = false;
    struct sp_snapshot_filter filter = {
        .set_id = "s", .volume = "C:", .min_age_ms = 9, .owner_sid = "o", .purpose = "p"};
    struct sp_delete_request request = {
        .all_mine = true, .force = true, .on_progress = note_phase, .context = &seen};
    (void)state;
    struct sp_client *client = connect_to_scene(scene_stored);
    struct sp_stored_snapshots *list = sp_list_snapshots(client, &filter, 0, &error);
    assert_non_null(list);
    assert_int_equal(list->snapshots_count, 2);
    assert_string_equal(list->snapshots[0].snapshot.snapshot_id, "one");
    assert_string_equal(list->snapshots[0].exposed_name, "X:");
    assert_int_equal(list->snapshots[0].attributes, 9);
    assert_int_equal(list->snapshots[0].origin, SP_ORIGIN_OURS);
    assert_string_equal(list->snapshots[0].purpose, "p");
    assert_string_equal(list->snapshots[1].snapshot.snapshot_id, "");
    sp_stored_snapshots_free(list);
    struct sp_deleted *deleted = sp_delete_snapshots(client, &request, &error);
    assert_non_null(deleted);
    assert_true(seen);
    assert_string_equal(deleted->deleted[0], "one");
    assert_string_equal(deleted->left[0], "two");
    assert_string_equal(deleted->failure->reason, "SNAPSHOT_IN_USE");
    sp_deleted_free(deleted);
    sp_deleted_free(NULL);
    list = sp_import_set(client, "d", 0, &error);
    assert_non_null(list);
    assert_string_equal(list->snapshots[0].snapshot.snapshot_id, "one");
    sp_stored_snapshots_free(list);
    end(client);
}

static void scene_changes(struct fake_server *fake)
{
    PB(ExposeReply) exposed = SHADOWPIPE__V1__EXPOSE_REPLY__INIT;
    PB(UnexposeReply) unexposed = SHADOWPIPE__V1__UNEXPOSE_REPLY__INIT;
    PB(BreakSetReply) broken = SHADOWPIPE__V1__BREAK_SET_REPLY__INIT;
    PB(RevertVolumeReply) reverted = SHADOWPIPE__V1__REVERT_VOLUME_REPLY__INIT;
    fake_greet(fake);
    const PB(Envelope) *request = fake_expect(fake, PB_BODY(EXPOSE));
    bool right = strcmp(request->expose->snapshot_id, "id") == 0 &&
                 strcmp(request->expose->as_share, "s") == 0 && strcmp(request->expose->sub_path, "a") == 0;
    exposed.exposed = "\\\\host\\s";
    answer(fake, request, right, body(PB_BODY(EXPOSE_REPLY), &exposed));
    request = fake_expect(fake, PB_BODY(UNEXPOSE));
    answer(fake, request, strcmp(request->unexpose->snapshot_id, "id") == 0,
           body(PB_BODY(UNEXPOSE_REPLY), &unexposed));
    request = fake_expect(fake, PB_BODY(BREAK_SET));
    answer(fake, request, strcmp(request->break_set->set_id, "set") == 0 && request->break_set->flags == 2,
           body(PB_BODY(BREAK_SET_REPLY), &broken));
    request = fake_expect(fake, PB_BODY(REVERT_VOLUME));
    reverted.volume = "guid";
    answer(fake, request,
           strcmp(request->revert_volume->snapshot_id, "id") == 0 && request->revert_volume->force_dismount,
           body(PB_BODY(REVERT_VOLUME_REPLY), &reverted));
    request = fake_expect(fake, PB_BODY(UNEXPOSE));
    fake_send_status(fake, request->id, PB_CODE(PERMISSION_DENIED), "RIGHT_MISSING");
    (void)fake_receive(fake);
}

static void snapshots_are_changed(void **state)
{
    struct sp_expose_request expose = {.snapshot_id = "id", .as_share = "s", .sub_path = "a"};
    struct sp_revert_request revert = {.snapshot_id = "id", .force_dismount = true};
    (void)state;
    struct sp_client *client = connect_to_scene(scene_changes);
    char *exposed = sp_expose_snapshot(client, &expose, &error);
    assert_non_null(exposed);
    assert_string_equal(exposed, "\\\\host\\s");
    sp_string_free(exposed);
    assert_true(sp_unexpose_snapshot(client, "id", 0, &error));
    assert_true(sp_break_set(client, "set", 2, 0, &error));
    char *volume = sp_revert_volume(client, &revert, &error);
    assert_non_null(volume);
    assert_string_equal(volume, "guid");
    sp_string_free(volume);
    assert_false(sp_unexpose_snapshot(client, "id", 0, &error));
    expect_error(SP_PERMISSION_DENIED, "RIGHT_MISSING");
    end(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_check_has_every_wish_and_tells_the_room),
        cmocka_unit_test(components_are_told_and_finished),
        cmocka_unit_test(snapshots_are_listed_deleted_and_imported),
        cmocka_unit_test(snapshots_are_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
