"""Writers that fail: VSS itself reports success, so only the writers' status tells."""
import pytest

from harness.wine import wait_until

WRITER = "WMI Writer"
# key of the scenario: the state that the status shows, and whether the snapshot was frozen by then
FAILURES = [
    ("prepare", "FAILED_AT_PREPARE_BACKUP", "PREPARING"),
    ("prepare_snapshot", "FAILED_AT_PREPARE_SNAPSHOT", "CREATING"),
    ("freeze", "FAILED_AT_FREEZE", "CREATING"),
    ("thaw", "FAILED_AT_THAW", "CREATING"),
    ("post_snapshot", "FAILED_AT_POST_SNAPSHOT", "CREATING"),
]
NONRETRYABLE = 0x800423F4


def failing(phase, **more):
    return {f"writer:{WRITER}": {"fail_at": phase, "failure": f"0x{NONRETRYABLE:08x}", **more}}


@pytest.mark.parametrize("phase,state,job_phase", FAILURES, ids=[f[0] for f in FAILURES])
def test_failed_writer_fails_the_job(client, volumes, machine, pb, phase, state, job_phase):
    machine.scenario(failing(phase, application_failure="0x00000005", application_message="the disk of the database"))
    status = client.start_snapshot("S:").status()
    assert status.reason == "WRITER_FAILED"
    assert pb.Phase.Name(status.phase) == f"PHASE_{job_phase}"
    assert [w.name for w in status.writers] == [WRITER]
    writer = status.writers[0]
    assert pb.WriterState.Name(writer.state) == f"WRITER_STATE_{state}"
    assert (writer.hresult, writer.hresult_name) == (NONRETRYABLE, "VSS_E_WRITERERROR_NONRETRYABLE")
    assert (writer.app_hresult, writer.app_message) == (5, "the disk of the database")
    assert writer.failed and not writer.tolerated
    assert WRITER in status.message and status.advice
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert not machine.copies() and not machine.creator_is_open()


@pytest.mark.parametrize("phase,state", [f[:2] for f in FAILURES], ids=[f[0] for f in FAILURES])
def test_tolerated_writer_is_a_warning(client, volumes, machine, pb, phase, state):
    machine.scenario(failing(phase))
    reply = client.snapshot("S:", writers_tolerated=[WRITER])
    assert reply.consistency == pb.CONSISTENCY_APPLICATION_PARTIAL
    failed = [w for w in reply.writers if w.failed]
    assert [w.name for w in failed] == [WRITER] and failed[0].tolerated
    assert pb.WriterState.Name(failed[0].state) == f"WRITER_STATE_{state}"
    assert any(WRITER in w for w in reply.warnings)
    client.finish(reply)


def test_writer_that_fails_at_backup_complete_is_told_at_the_end(client, volumes, machine, pb):
    machine.scenario(failing("complete"))
    reply = client.snapshot("S:")
    request = client.start(pb.FinishBackup(lease_id=reply.lease_id, outcome=pb.OUTCOME_SUCCEEDED))
    final = request.wait()
    assert [w.name for w in final.writers if w.failed] == [WRITER]
    failed = next(w for w in final.writers if w.failed)
    assert failed.state == pb.WRITER_STATE_FAILED_AT_BACKUP_COMPLETE
    wait_until(lambda: not machine.copies(), "the snapshot goes all the same")


def test_excluded_writer_is_not_frozen(client, volumes, machine, pb):
    machine.scenario(failing("freeze"))
    reply = client.snapshot("S:", writers_excluded=[WRITER])
    assert WRITER not in [e[1] for e in machine.writer_events() if e[0] == "Freeze"]
    assert reply.consistency == pb.CONSISTENCY_APPLICATION_PARTIAL
    client.finish(reply)


def test_required_writer_that_is_absent_fails_the_job(client, volumes, machine, pb):
    machine.scenario({f"writer:{WRITER}": {"absent": 1}})
    status = client.start_snapshot("S:", writers_required=[WRITER]).status()
    assert status.code in (pb.CODE_FAILED_PRECONDITION, pb.CODE_NOT_FOUND)
    assert WRITER in status.message
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert "Freeze" not in [e[0] for e in machine.writer_events()]


def test_retryable_writer_is_told_when_to_come_again(client, volumes, machine, pb):
    """The deadline leaves no room for Microsoft's ten minutes: the client is told to come again."""
    machine.scenario({f"writer:{WRITER}": {"fail_at": "freeze", "failure": "0x800423f3"}})
    status = client.start_snapshot("S:", timeout_ms=60000).status()
    assert status.retry == pb.RETRY_LATER and status.retryable
    assert status.retry_after_ms == 600_000


def test_insufficient_storage_comes_through_query_status(client, volumes, machine, pb):
    machine.scenario({"method:DoSnapshotSet": {"async_result": "0x8004231f"}})
    status = client.start_snapshot("S:").status()
    assert (status.hresult, status.hresult_name) == (0x8004231F, "VSS_E_INSUFFICIENT_STORAGE")
    assert (status.method, status.phase) == ("DoSnapshotSet", pb.PHASE_CREATING)
    assert status.code == pb.CODE_RESOURCE_EXHAUSTED
    assert status.retry == pb.RETRY_AFTER_CHANGE and status.advice
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert not machine.creator_is_open(), "a failed DoSnapshotSet is followed by AbortBackup"
    assert "BackupComplete" not in [e[0] for e in machine.writer_events()]


# Every other COM method on the way, failing once: the error names it, nothing is left, the next client is served.
METHODS = [
    ("InitializeForBackup", 0x80070005, "E_ACCESSDENIED"),
    ("SetContext", 0x8004231B, "VSS_E_UNSUPPORTED_CONTEXT"),
    ("SetBackupState", 0x80042301, "VSS_E_BAD_STATE"),
    ("GatherWriterMetadata", 0x80042318, "VSS_E_WRITER_INFRASTRUCTURE"),
    ("StartSnapshotSet", 0x80042302, "VSS_E_UNEXPECTED"),
    ("AddToSnapshotSet", 0x80042306, "VSS_E_PROVIDER_VETO"),
    ("DoSnapshotSet", 0x80042314, "VSS_E_HOLD_WRITES_TIMEOUT"),
    ("GetSnapshotProperties", 0x80042308, "VSS_E_OBJECT_NOT_FOUND"),
    ("GatherWriterStatus", 0x80042318, "VSS_E_WRITER_INFRASTRUCTURE"),
]


@pytest.mark.parametrize("method,code,name", METHODS, ids=[m[0] for m in METHODS])
def test_failing_method_is_named(client, volumes, machine, pb, method, code, name):
    machine.scenario({f"method:{method}": {"result": f"0x{code:08x}"}})
    status = client.start_snapshot("S:", timeout_ms=60000).status()
    assert (status.method, status.hresult, status.hresult_name) == (method, code, name)
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert not machine.creator_is_open() and not machine.copies()
    machine.scenario({})
    client.finish(client.snapshot("S:"))


def test_library_that_gives_no_object(client, volumes, machine, pb):
    machine.scenario({"method:CreateVssBackupComponents": {"result": "0x80070005"}})
    status = client.start_snapshot("S:").status()
    assert (status.hresult, status.method) == (0x80070005, "CreateVssBackupComponents")
    assert status.code == pb.CODE_PERMISSION_DENIED


def test_requester_that_crashes_in_a_call(client, volumes, machine, pb):
    """A provider or writer that takes its process down costs one process and one request."""
    machine.scenario({"method:DoSnapshotSet": {"exit": "async"}})
    status = client.start_snapshot("S:").status()
    assert status.phase == pb.PHASE_CREATING
    machine.scenario({})
    client.finish(client.snapshot("S:"))
