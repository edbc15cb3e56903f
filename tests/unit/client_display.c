#include <string.h>

#include "client/cli/display.h"
#include "tests/unit/cmocka_all.h"

static struct text text;

static int forget(void **state)
{
    (void)state;
    text_free(&text);
    return 0;
}

static void has(const char *words)
{
    if (!strstr(text_string(&text), words))
        fail_msg("\"%s\" lacks \"%s\"", text_string(&text), words);
}

static void numbers_have_units(void **state)
{
    (void)state;
    display_duration(&text, 0);
    display_duration(&text, 450);
    display_duration(&text, 9999);
    display_duration(&text, 12345);
    display_duration(&text, 185000);
    display_duration(&text, 7800000);
    assert_string_equal(text_string(&text), "0.0 s0.4 s9.9 s12 s3 min 05 s2 h 10 min");
    text_clear(&text);
    display_size(&text, 1023);
    display_size(&text, 1536);
    display_size(&text, 5ull << 40);
    display_size(&text, UINT64_MAX);
    assert_string_equal(text_string(&text), "1023 B1.5 KiB5.0 TiB15.9 EiB");
}

static void times_are_utc(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } times[] = {{0, "-"},
                 {1, "1970-01-01 00:00:00 UTC"},
                 {951782400000, "2000-02-29 00:00:00 UTC"},
                 {1704067199999, "2023-12-31 23:59:59 UTC"},
                 {4107542400000, "2100-03-01 00:00:00 UTC"}};
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        text_clear(&text);
        display_time(&text, times[i].ms);
        assert_string_equal(text_string(&text), times[i].text);
    }
}

static void progress_is_one_line(void **state)
{
    PB(Progress) progress = SHADOWPIPE__V1__PROGRESS__INIT;
    (void)state;
    progress.phase = PB_PHASE(WAITING_FOR_GATE);
    progress.queue_position = 3;
    progress.waiting_for = PB_VALUE(WAITING_FOR, WAITING_FOR_FOREIGN_PROGRAM);
    progress.expected_wait_ms = 20000;
    progress.elapsed_ms = 1500;
    progress.attempt = 2;
    progress.writer = "SqlServerWriter";
    display_progress(&text, &progress);
    assert_string_equal(text_string(&text),
                        "waiting for its turn, position 3: another program is taking a snapshot, "
                        "SqlServerWriter, about 20 s more, attempt 2 (1.5 s)");
    for (int phase = 0; phase <= (int)PB_PHASE(ENDED) + 1; phase++)
        assert_true(strlen(display_phase((PB(Phase))phase)) > 0);
}

static void errors_say_everything(void **state)
{
    static const struct sp_writer writer = {.writer_id = "",
                                            .instance_id = "",
                                            .name = "SqlServerWriter",
                                            .state_name = "FAILED_AT_FREEZE",
                                            .hresult = 0x800423f2,
                                            .hresult_name = "VSS_E_WRITERERROR_TIMEOUT",
                                            .app_message = "log full",
                                            .advice = "Restart the service MSSQLSERVER."};
    struct sp_error error = {.code = SP_ABORTED,
                             .reason = "WRITER_FAILED",
                             .message = "A writer failed.",
                             .advice = "Do this.",
                             .hresult = 0x80042319,
                             .hresult_name = "VSS_E_WRITER_INFRASTRUCTURE",
                             .method = "DoSnapshotSet",
                             .missing_prerequisite = "GatherWriterMetadata",
                             .phase = "CREATING",
                             .volume = "C:\\",
                             .provider = "p",
                             .limit_name = "l",
                             .field = "f",
                             .retry = SP_RETRY_LATER,
                             .retry_after_ms = 600000,
                             .attempts = 3,
                             .writers = &writer,
                             .writers_count = 1};
    (void)state;
    display_error(&text, &error);
    has("shadowpipe: A writer failed.\n");
    has("VSS says: VSS_E_WRITER_INFRASTRUCTURE (0x80042319) from DoSnapshotSet\n");
    has("Missing before it: GatherWriterMetadata\n");
    has("Phase: CREATING\n");
    has("Volume: C:\\\n");
    has("Provider: p\n");
    has("Limit: l\n");
    has("Field: f\n");
    has("Attempts: 3\n");
    has("  - SqlServerWriter: FAILED_AT_FREEZE, VSS_E_WRITERERROR_TIMEOUT (0x800423F2), \"log full\". "
        "Restart the "
        "service MSSQLSERVER.\n");
    has("What to do: Do this.\n");
    has("Try again in 10 min 00 s.\n");
}

static void snapshots_say_what_is_missing(void **state)
{
    static char *names[] = {"C:\\"};
    static char *warnings[] = {"something"};
    PB(SnapshotReply) reply = SHADOWPIPE__V1__SNAPSHOT_REPLY__INIT;
    PB(Snapshot) volume = SHADOWPIPE__V1__SNAPSHOT__INIT;
    PB(Snapshot) * volumes[] = {&volume};
    PB(Uncovered) uncovered = SHADOWPIPE__V1__UNCOVERED__INIT;
    PB(Uncovered) * left_out[] = {&uncovered};
    PB(WriterStatus) writer = SHADOWPIPE__V1__WRITER_STATUS__INIT;
    PB(WriterStatus) * writers[] = {&writer};
    PB(PhaseTiming) timing = SHADOWPIPE__V1__PHASE_TIMING__INIT;
    PB(PhaseTiming) * phases[] = {&timing};
    (void)state;
    volume.volume_names = names;
    volume.n_volume_names = 1;
    volume.device_root = "\\\\?\\dev\\";
    uncovered.path = "E:\\";
    uncovered.reason = "FAT";
    writer.name = "W";
    writer.failed = true;
    writer.state = PB_VALUE(WRITER_STATE, WRITER_STATE_FAILED_AT_THAW);
    timing.phase = PB_PHASE(CREATING);
    timing.duration_ms = 250;
    reply.set_id = "the-set";
    reply.consistency = PB_VALUE(CONSISTENCY, CONSISTENCY_APPLICATION_PARTIAL);
    reply.simulated = true;
    reply.volumes = volumes;
    reply.n_volumes = 1;
    reply.uncovered = left_out;
    reply.n_uncovered = 1;
    reply.writers = writers;
    reply.n_writers = 1;
    reply.warnings = warnings;
    reply.n_warnings = 1;
    reply.phases = phases;
    reply.n_phases = 1;
    display_snapshot(&text, &reply);
    has("Snapshot set the-set, -, application-consistent in part");
    has("(simulated VSS)");
    has("  C:\\     \\\\?\\dev\\\n");
    has("NOT in the snapshot: E:\\: FAT\n");
    has("  - W: FAILED_AT_THAW\n");
    has("Warning: something\n");
    has("Took creating 0.2 s\n");
}

static void lists_have_columns(void **state)
{
    static char *names[] = {"C:\\", "C:\\\xc3\xa4\\"};
    PB(VolumesReply) volumes = SHADOWPIPE__V1__VOLUMES_REPLY__INIT;
    PB(Volume) volume = SHADOWPIPE__V1__VOLUME__INIT;
    PB(Volume) * all_volumes[] = {&volume};
    PB(ProvidersReply) providers = SHADOWPIPE__V1__PROVIDERS_REPLY__INIT;
    PB(Provider) provider = SHADOWPIPE__V1__PROVIDER__INIT;
    PB(Provider) * all_providers[] = {&provider};
    PB(Writer) writer = SHADOWPIPE__V1__WRITER__INIT;
    PB(WriterStatus) status = SHADOWPIPE__V1__WRITER_STATUS__INIT;
    (void)state;
    volume.names = names;
    volume.n_names = 2;
    volume.file_system = "NTFS";
    volume.reason = "it is FAT";
    volumes.volumes = all_volumes;
    volumes.n_volumes = 1;
    display_volumes(&text, &volumes);
    has("C:\\, C:\\\xc3\xa4\\    NTFS      0 B         0 B         not possible: it is FAT\n");
    provider.type = PB_VALUE(PROVIDER_TYPE, PROVIDER_TYPE_SYSTEM);
    provider.name = "Microsoft";
    provider.version = "1.0";
    provider.provider_id = "id";
    providers.providers = all_providers;
    providers.n_providers = 1;
    display_providers(&text, &providers);
    has("system      1.0         Microsoft");
    display_writer(&text, &writer); /* without a status there is nothing to show */
    writer.status = &status;
    status.state = PB_VALUE(WRITER_STATE, WRITER_STATE_WAITING_FOR_FREEZE);
    status.name = "Registry Writer";
    display_writer(&text, &writer);
    has("waiting for freeze Registry Writer");
}

static void the_status_says_who_waits(void **state)
{
    static char *names[] = {"C:\\"};
    struct sp_server server = {
        .caller_sid = "S-1-5-18", .owner_checked = false, .caller_filtered_admin = true};
    PB(ServiceStatus) status = SHADOWPIPE__V1__SERVICE_STATUS__INIT;
    PB(SetInfo) set = SHADOWPIPE__V1__SET_INFO__INIT;
    PB(SetInfo) * sets[] = {&set};
    PB(MemberInfo) member = SHADOWPIPE__V1__MEMBER_INFO__INIT;
    PB(MemberInfo) * members[] = {&member};
    (void)state;
    status.gate_holder = "restic";
    status.gate_phase = PB_PHASE(CREATING);
    status.queue_length = 2;
    status.stopping = true;
    member.client_name = "restic";
    member.process_id = 42;
    member.purpose = "nightly";
    set.phase = PB_PHASE(CREATING);
    set.volumes = names;
    set.n_volumes = 1;
    set.members = members;
    set.n_members = 1;
    status.sets = sets;
    status.n_sets = 1;
    display_status(&text, &server, &status);
    has("stopping");
    has("at its turn    restic, freezing and copying; 2 waiting");
    has("an administrator who is not elevated");
    has("owner could not be checked");
    has("(no set id yet) creating, 0.0 s: C:\\\n");
    has("restic, process 42, for nightly\n");
}

static void leases_say_how_they_end(void **state)
{
    (void)state;
    char *volumes[] = {"C:\\"};
    PB(LeaseInfo) info = SHADOWPIPE__V1__LEASE_INFO__INIT;
    PB(LeaseInfo) * infos[] = {&info};
    PB(LeasesReply) reply = SHADOWPIPE__V1__LEASES_REPLY__INIT;
    PB(FinishReply) finish = SHADOWPIPE__V1__FINISH_REPLY__INIT;
    display_leases(&text, &reply);
    has("There are no leases.\n");
    info.lease_id = "lease-1";
    info.created_ms = 1000;
    info.client_name = "restic";
    info.purpose = "nightly";
    info.volumes = volumes;
    info.n_volumes = 1;
    reply.leases = infos;
    reply.n_leases = 1;
    display_leases(&text, &reply);
    has("lease-1\n  C:\\ for restic (\"nightly\"), since 1970");
    has(",\n  until its connection ends\n");
    info.mode = PB_VALUE(LEASE_MODE, LEASE_MODE_DETACHED);
    info.expires_ms = 86400000;
    info.persistent = true;
    display_leases(&text, &reply);
    has("detached until 1970-01-02 00:00:00 UTC; the snapshot stays\n");
    display_finish(&text, &finish);
    has("The lease has ended.\n");
    finish.completion = PB_VALUE(COMPLETION, COMPLETION_PENDING);
    display_finish(&text, &finish);
    has("others still read");
    finish.completion = PB_VALUE(COMPLETION, COMPLETION_COMPLETED);
    display_finish(&text, &finish);
    has("The backup is complete");
    finish.completion = PB_VALUE(COMPLETION, COMPLETION_ABORTED);
    display_finish(&text, &finish);
    has("The backup is aborted.\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(numbers_have_units, forget),
        cmocka_unit_test_teardown(times_are_utc, forget),
        cmocka_unit_test_teardown(progress_is_one_line, forget),
        cmocka_unit_test_teardown(errors_say_everything, forget),
        cmocka_unit_test_teardown(snapshots_say_what_is_missing, forget),
        cmocka_unit_test_teardown(lists_have_columns, forget),
        cmocka_unit_test_teardown(the_status_says_who_waits, forget),
        cmocka_unit_test_teardown(leases_say_how_they_end, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
