/* Snapshots through a requester: a small volume is added, copied, described, found and deleted. */
#include "cmocka_all.h"
#include "requester_service.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "client/cli/drive_letter.h"
#include "service/requester/com.h"

/* A directory with one file, under a drive letter: what the simulator takes for a volume. */
struct volume {
    wchar_t directory[MAX_PATH];
    char directory_utf8[MAX_PATH * 3];
    char root[4];
};

static void write_file(const wchar_t *directory)
{
    wchar_t path[MAX_PATH * 2];
    swprintf(path, MAX_PATH * 2, L"%ls\\file.txt", directory);
    FILE *file = _wfopen(path, L"wb");
    assert_non_null(file);
    assert_true(fputs("as it was", file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void volume_create(struct volume *volume)
{
    wchar_t temp[MAX_PATH];
    struct sp_error *error = NULL;
    assert_true(GetTempPathW(MAX_PATH - 60, temp) > 0);
    swprintf(volume->directory, MAX_PATH, L"%lsshadowpipe-volume-%lu", temp, GetCurrentProcessId());
    assert_true(CreateDirectoryW(volume->directory, NULL));
    write_file(volume->directory);
    assert_true(WideCharToMultiByte(CP_UTF8, 0, volume->directory, -1, volume->directory_utf8,
                                    sizeof volume->directory_utf8, NULL, NULL) > 0);
    char letter = drive_letter_find_free();
    assert_true(letter != 0);
    snprintf(volume->root, sizeof volume->root, "%c:\\", letter);
    assert_true(drive_letter_map(letter, volume->directory_utf8, &error));
}

static void volume_remove(struct volume *volume)
{
    wchar_t path[MAX_PATH * 2];
    struct sp_error *error = NULL;
    assert_true(drive_letter_unmap(volume->root[0], volume->directory_utf8, &error));
    swprintf(path, MAX_PATH * 2, L"%ls\\file.txt", volume->directory);
    DeleteFileW(path);
    RemoveDirectoryW(volume->directory);
}

static bool is_windows(void)
{
    return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") == NULL;
}

/* ---- Calls with parameters. ---- */

static PB(CallReply) * add_volume(struct service *service, const char *volume, const char *provider)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(AddToSnapshotSet) in = SHADOWPIPE__V1__ADD_TO_SNAPSHOT_SET__INIT;
    in.volume = (char *)volume;
    in.provider_id = (char *)provider;
    call.method_case = PB_METHOD(ADD_TO_SNAPSHOT_SET);
    call.add_to_snapshot_set = &in;
    return service_call(service, &call);
}

static PB(CallReply) * get_properties(struct service *service, const char *snapshot_id)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(GetSnapshotProperties) in = SHADOWPIPE__V1__GET_SNAPSHOT_PROPERTIES__INIT;
    in.snapshot_id = (char *)snapshot_id;
    call.method_case = PB_METHOD(GET_SNAPSHOT_PROPERTIES);
    call.get_snapshot_properties = &in;
    return service_call(service, &call);
}

static PB(CallReply) * query_snapshots(struct service *service)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(Query) in = SHADOWPIPE__V1__QUERY__INIT;
    in.object_type = VSS_OBJECT_SNAPSHOT;
    call.method_case = PB_METHOD(QUERY);
    call.query = &in;
    return service_call(service, &call);
}

static PB(CallReply) * delete_snapshot(struct service *service, const char *snapshot_id)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(DeleteSnapshotsCall) in = SHADOWPIPE__V1__DELETE_SNAPSHOTS_CALL__INIT;
    in.object_id = (char *)snapshot_id;
    in.object_type = VSS_OBJECT_SNAPSHOT;
    in.force = true;
    call.method_case = PB_METHOD(DELETE_SNAPSHOTS);
    call.delete_snapshots = &in;
    return service_call(service, &call);
}

static bool is_snapshotted(struct service *service, const char *volume)
{
    PB(Call) call = SHADOWPIPE__V1__CALL__INIT;
    PB(IsVolumeSnapshotted) in = SHADOWPIPE__V1__IS_VOLUME_SNAPSHOTTED__INIT;
    in.volume = (char *)volume;
    call.method_case = PB_METHOD(IS_VOLUME_SNAPSHOTTED);
    call.is_volume_snapshotted = &in;
    PB(CallReply) *reply = service_call(service, &call);
    assert_int_equal(reply->hresult, S_OK);
    return reply->is_volume_snapshotted->snapshotted;
}

static void start_set(struct service *service)
{
    service_good(service, PB_METHOD(CREATE_OBJECT));
    service_good(service, PB_METHOD(INITIALIZE_FOR_BACKUP));
    service_good(service, PB_METHOD(SET_BACKUP_STATE));
    service_good(service, PB_METHOD(GATHER_WRITER_METADATA));
    service_good(service, PB_METHOD(START_SNAPSHOT_SET));
}

static void create_set(struct service *service, const struct volume *volume, char snapshot_id[40])
{
    start_set(service);
    PB(CallReply) *reply = add_volume(service, volume->root, "");
    assert_int_equal(reply->hresult, S_OK);
    snprintf(snapshot_id, 40, "%s", reply->add_to_snapshot_set->snapshot_id);
    assert_int_equal(strlen(snapshot_id), 36);
    service_good(service, PB_METHOD(PREPARE_FOR_BACKUP));
    service_good(service, PB_METHOD(DO_SNAPSHOT_SET));
}

/* ---- Tests. ---- */

static void check_snapshot(const PB(Snapshot) * snapshot, const char *snapshot_id)
{
    char path[1200];
    char content[20] = "";
    assert_string_equal(snapshot->snapshot_id, snapshot_id);
    assert_int_equal(strlen(snapshot->set_id), 36);
    assert_string_equal(snapshot->provider_id, "b5946137-7b9f-4925-af80-51abd60b20d5");
    assert_int_equal(snapshot->snapshots_count, 1);
    assert_int_equal(snapshot->status, VSS_SS_CREATED);
    assert_int_equal(strncmp(snapshot->volume_guid_path, "\\\\?\\Volume{", 11), 0);
    assert_int_equal(snapshot->volume_guid_path[strlen(snapshot->volume_guid_path) - 1], '\\');
    assert_true(snapshot->created_ms > 1600000000000);
    size_t length = strlen(snapshot->device);
    assert_true(length > 0 && snapshot->device[length - 1] != '\\');
    snprintf(path, sizeof path, "%s\\", snapshot->device);
    assert_string_equal(snapshot->device_root, path);
    snprintf(path, sizeof path, "%sfile.txt", snapshot->device_root);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_non_null(fgets(content, sizeof content, file));
    fclose(file);
    assert_string_equal(content, "as it was");
}

static void a_snapshot_is_described_found_and_deleted(void **state)
{
    struct volume *volume = *state;
    struct service service;
    char snapshot_id[40];
    service_init(&service);
    service_start_welcomed(&service);
    create_set(&service, volume, snapshot_id);
    PB(CallReply) *reply = get_properties(&service, snapshot_id);
    assert_int_equal(reply->hresult, S_OK);
    check_snapshot(reply->get_snapshot_properties->snapshot, snapshot_id);
    assert_true(is_snapshotted(&service, volume->root));
    reply = query_snapshots(&service);
    assert_true(SUCCEEDED((HRESULT)reply->hresult));
    assert_int_equal(reply->query->n_snapshots, 1);
    check_snapshot(reply->query->snapshots[0], snapshot_id);
    service_good(&service, PB_METHOD(BACKUP_COMPLETE));
    reply = delete_snapshot(&service, "11111111-2222-3333-4444-555555555555");
    assert_hresult(reply->hresult, VSS_E_OBJECT_NOT_FOUND);
    assert_int_equal(reply->delete_snapshots->deleted, 0);
    reply = delete_snapshot(&service, snapshot_id);
    assert_int_equal(reply->hresult, S_OK);
    assert_int_equal(reply->delete_snapshots->deleted, 1);
    assert_string_equal(reply->delete_snapshots->non_deleted_id, "");
    reply = get_properties(&service, snapshot_id);
    assert_hresult(reply->hresult, VSS_E_OBJECT_NOT_FOUND);
    assert_int_equal(reply->out_case, PB_OUT(_NOT_SET));
    assert_false(is_snapshotted(&service, volume->root));
    service_good(&service, PB_METHOD(RELEASE_OBJECT));
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

static void wrong_volumes_are_refused_by_vss(void **state)
{
    struct volume *volume = *state;
    struct service service;
    char bare[3] = {volume->root[0], ':', '\0'};
    service_init(&service);
    service_start_welcomed(&service);
    start_set(&service);
    assert_hresult(add_volume(&service, bare, "")->hresult, VSS_E_OBJECT_NOT_FOUND);
    assert_hresult(add_volume(&service, volume->root, "11111111-2222-3333-4444-555555555555")->hresult,
                   VSS_E_PROVIDER_NOT_REGISTERED);
    PB(CallReply) *reply = add_volume(&service, volume->root, "no guid");
    assert_hresult(reply->hresult, E_INVALIDARG);
    assert_string_equal(reply->status->field, "add_to_snapshot_set.provider_id");
    service_good(&service, PB_METHOD(ABORT_BACKUP));
    reply = add_volume(&service, volume->root, "");
    assert_hresult(reply->hresult, VSS_E_BAD_STATE);
    assert_non_null(strstr(reply->missing_prerequisite, "AbortBackup has ended"));
    service_good(&service, PB_METHOD(RELEASE_OBJECT));
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_DONE);
    service_end(&service);
}

static void a_requester_that_dials_in_again_tells_of_its_snapshots(void **state)
{
    struct volume *volume = *state;
    struct service service;
    char snapshot_id[40];
    service_init(&service);
    service_start_welcomed(&service);
    create_set(&service, volume, snapshot_id);
    service_break(&service);
    service_listen(&service);
    const PB(RequesterHello) *hello = service_receive(&service)->requester_hello;
    assert_int_equal(hello->n_snapshots, 1);
    check_snapshot(hello->snapshots[0], snapshot_id);
    assert_string_equal(hello->snapshots[0]->set_id, hello->set_id);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_ORPHAN_ENDED);
    service_end(&service);
}

/* VSS is asked about them before it dials in: where that never returns, nothing else would end it. */
static void the_watchdog_ends_a_description_that_hangs(void **state)
{
    struct service service;
    char snapshot_id[40];
    service_init(&service);
    service.limits.abort_ms = 200;
    service_scenario(&service, "[method:GetSnapshotProperties]\r\ndelay=600000\r\n");
    service_start_welcomed(&service);
    create_set(&service, *state, snapshot_id);
    assert_int_equal(service_exit_code(&service), REQUESTER_EXIT_WATCHDOG);
    service_end(&service);
}

static int set_up(void **state)
{
    static struct volume volume;
    volume_create(&volume);
    *state = &volume;
    return 0;
}

static int tear_down(void **state)
{
    volume_remove(*state);
    return 0;
}

int main(int count, char **arguments)
{
    service_run_as_requester(count, arguments);
    if (is_windows()) {
        printf("skipped: a directory with a drive letter is a volume under Wine only\n");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_snapshot_is_described_found_and_deleted),
        cmocka_unit_test(wrong_volumes_are_refused_by_vss),
        cmocka_unit_test(a_requester_that_dials_in_again_tells_of_its_snapshots),
        cmocka_unit_test(the_watchdog_ends_a_description_that_hangs),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
