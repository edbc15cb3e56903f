"""The main job: a snapshot through service, requester and VSS."""
import pathlib
import subprocess

import pytest

from harness import simulator, wine, wire
from harness.wine import wait_until


def tree(folder):
    """Every file below the folder and what is in it."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def host_path(device):
    """A device path of the simulator, from outside of Wine."""
    assert device.startswith("\\\\?\\Z:\\") and not device.endswith("\\"), device
    return pathlib.Path(device[6:].replace("\\", "/"))


def test_three_volumes_at_one_moment(client, volumes, machine, prefix, hold_file, pb):
    """Content is of the moment of the freeze, files locked inside Windows and Unicode names included."""
    hold_file(r"T:\a\plain.txt")
    before = {letter: tree(folder) for letter, folder in volumes.items()}
    reply = client.snapshot("S:", "T:\\", volumes_guid(client, "U"), purpose="three volumes")
    # From now on the live volumes change; the snapshot must not.
    for folder in volumes.values():
        (folder / "big.bin").write_bytes(b"changed")
        (folder / "later.txt").write_text("later")
        (folder / "a" / "nested" / "empty.bin").unlink()
    assert len(reply.volumes) == 3
    for snapshot, letter in zip(reply.volumes, "STU"):
        assert f"{letter}:\\" in list(snapshot.volume_names)
        assert snapshot.device_root == snapshot.device + "\\"
        assert snapshot.set_id == reply.set_id and snapshot.snapshots_count == 3
        assert tree(host_path(snapshot.device)) == before[letter]
        shown = prefix.run([wine.HELPER_EXE, "wait", snapshot.device_root + "a\\nested\\folder\\Größe – 大きさ.txt"])
        assert shown.returncode == 0, "a Windows program finds the file by the device path"
    assert len({s.snapshot_id for s in reply.volumes}) == 3
    assert pb.Consistency.Name(reply.consistency) == "CONSISTENCY_APPLICATION"
    assert sorted(w.name for w in reply.writers) == sorted(simulator.WRITERS)
    assert not any(w.failed for w in reply.writers)
    assert reply.simulated and reply.attempts == 1 and not reply.warnings and not reply.uncovered
    originals = {m.original.upper(): m.shadow for m in reply.map}
    assert {originals[f"{letter}:\\"] for letter in "STU"} == {s.device_root for s in reply.volumes}
    finished = client.finish(reply)
    assert pb.Completion.Name(finished.completion) == "COMPLETION_COMPLETED"
    wait_until(lambda: not machine.copies(), "the copies go with their lease")


def volumes_guid(client, letter):
    reply = client.call(wire.pb().ListVolumes())
    return next(v.guid_path for v in reply.volumes if f"{letter}:\\" in list(v.names))



def test_writers_hear_every_event_once_and_in_order(client, volumes, machine):
    client.finish(client.snapshot("S:"))
    wait_until(lambda: ("BackupShutdown", "System Writer") in [e[:2] for e in machine.writer_events()],
               "the last event arrives")
    heard = [e[0] for e in machine.writer_events("System Writer")]
    assert heard == ["Identify", "PrepareBackup", "PrepareSnapshot", "Freeze", "Thaw", "PostSnapshot", "BackupComplete",
                     "BackupShutdown"]


def test_phases_are_told_in_order_and_accounted_for(client, volumes, machine, pb):
    machine.scenario({"timing": {"identify": 200, "prepare": 200, "freeze": 200}})
    request = client.start_snapshot("S:")
    reply = request.result()
    told = [p.phase for p in request.progress]
    assert told == sorted(told), "phases never go back"
    for name in ("GATHERING", "PREPARING", "CREATING"):
        assert pb.Phase.Value(f"PHASE_{name}") in told
    durations = {pb.Phase.Name(t.phase).removeprefix("PHASE_"): t.duration_ms for t in reply.phases}
    for name in ("GATHERING", "PREPARING", "CREATING"):
        assert durations[name] >= 200, durations
    starts = [t.start_ms for t in reply.phases]
    assert starts == sorted(starts)
    client.finish(reply)


def test_lease_ends_with_its_connection(new_client, volumes, machine):
    client = new_client()
    client.snapshot("S:")
    assert len(machine.copies()) == 1
    client.close()
    wait_until(lambda: not machine.copies(), "the copy goes with the connection")
    wait_until(lambda: not machine.objects(), "the VSS object is released")


def test_failed_outcome_is_accepted(client, volumes, pb):
    reply = client.snapshot("S:")
    finished = client.finish(reply, succeeded=False)
    assert pb.Completion.Name(finished.completion) in ("COMPLETION_COMPLETED", "COMPLETION_ABORTED")


def test_second_finish_finds_no_lease(client, volumes, pb):
    reply = client.snapshot("S:")
    client.finish(reply)
    with pytest.raises(wire.StatusError) as caught:
        client.finish(reply)
    assert caught.value.code == "NOT_FOUND"


def test_token_opens_a_lease_from_another_connection(new_client, volumes, pb):
    maker, other = new_client("maker"), new_client("other")
    reply = maker.snapshot("S:")
    finished = other.call(pb.FinishBackup(lease_id=reply.lease_id, token=reply.token, outcome=pb.OUTCOME_SUCCEEDED))
    assert finished.completion == pb.COMPLETION_COMPLETED


def test_manager_ends_the_lease_of_another_without_its_token(new_client, volumes, pb):
    """The tests' own account has every right in the console role; the unit tests of the broker take rights away."""
    maker, manager = new_client("maker"), new_client("manager")
    reply = maker.snapshot("S:")
    manager.call(pb.FinishBackup(lease_id=reply.lease_id, outcome=pb.OUTCOME_SUCCEEDED))
    assert maker.start(pb.FinishBackup(lease_id=reply.lease_id, outcome=pb.OUTCOME_SUCCEEDED)).status().code == \
        pb.CODE_NOT_FOUND


def test_paths_choose_their_volumes(client, volumes, pb):
    reply = client.snapshot(paths=[r"S:\a\plain.txt", r"S:\a", r"T:\a\nested"])
    assert sorted(n for v in reply.volumes for n in v.volume_names) == ["S:\\", "T:\\"]
    client.finish(reply)


def test_cancel_before_the_freeze_aborts(client, volumes, machine, pb):
    machine.scenario({"timing": {"prepare": 30000}})
    request = client.start_snapshot("S:")
    request.until_phase("PREPARING")
    assert client.call(pb.Cancel(id=request.id)).found
    assert request.status().code == pb.CODE_CANCELLED
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert "Freeze" not in [e[0] for e in machine.writer_events()]


def test_cancel_inside_the_freeze_waits_for_its_end(client, volumes, machine, pb):
    machine.scenario({"timing": {"freeze": 1500}})
    request = client.start_snapshot("S:")
    request.until_phase("CREATING")
    assert client.call(pb.Cancel(id=request.id)).found
    assert request.status().code == pb.CODE_CANCELLED
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    heard = [e[0] for e in machine.writer_events("System Writer")]
    assert "Thaw" in heard and "BackupComplete" in heard or "Abort" in heard


def test_writer_that_hangs_costs_its_own_request_only(new_client, volumes, machine, pb):
    machine.scenario({"writer:WMI Writer": {"hang_at": "prepare"}})
    status = new_client().start_snapshot("S:", timeout_ms=1500).status()
    assert status.code == pb.CODE_DEADLINE_EXCEEDED
    machine.scenario({})
    other = new_client()
    other.finish(other.snapshot("T:"))


def test_cancel_of_what_is_not_there_does_nothing(client, pb):
    assert not client.call(pb.Cancel(id=4711)).found


def test_half_duplex_client_cancels_from_a_second_connection(new_client, volumes, machine, pb):
    machine.scenario({"timing": {"identify": 30000}})
    first, second = new_client(), new_client()
    request = first.start_snapshot("S:")
    request.until_phase("GATHERING")
    assert second.call(pb.Cancel(connection_id=first.hello.connection_id, id=request.id)).found
    assert request.status().code == pb.CODE_CANCELLED


def test_deadline_ends_the_request_and_what_it_started(client, volumes, machine, pb):
    machine.scenario({"timing": {"identify": 30000}})
    status = client.start_snapshot("S:", timeout_ms=1000).status()
    assert status.code == pb.CODE_DEADLINE_EXCEEDED
    wait_until(lambda: not machine.objects(), "the VSS object is released")


def test_context_without_writers(client, volumes, machine, pb):
    reply = client.snapshot("S:", context=pb.CONTEXT_FILE_SHARE_BACKUP)
    assert reply.consistency == pb.CONSISTENCY_CRASH
    assert "Freeze" not in [e[0] for e in machine.writer_events()]
    assert tree(host_path(reply.volumes[0].device))
    assert client.finish(reply).completion == pb.COMPLETION_NOT_NEEDED


def test_truncating_backup_of_a_vanished_client_is_never_completed(service, new_bridge, volumes, machine, pb):
    """BackupComplete would let writers truncate their logs."""
    bridge = new_bridge()
    victim = wire.Client(bridge.connect(service.pipe))
    victim.snapshot("S:", backup_type=pb.BACKUP_TYPE_FULL, allow_types_without_components=True)
    bridge.kill()
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert "BackupComplete" not in [e[0] for e in machine.writer_events()]


def test_truncating_backup_is_completed_on_success(client, volumes, machine, pb):
    reply = client.snapshot("S:", backup_type=pb.BACKUP_TYPE_FULL, allow_types_without_components=True)
    assert client.finish(reply).completion == pb.COMPLETION_COMPLETED
    assert "BackupComplete" in [e[0] for e in machine.writer_events()]


def test_truncating_backup_is_aborted_on_failure(client, volumes, machine, pb):
    reply = client.snapshot("S:", backup_type=pb.BACKUP_TYPE_FULL, allow_types_without_components=True)
    assert client.finish(reply, succeeded=False).completion == pb.COMPLETION_ABORTED
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert "BackupComplete" not in [e[0] for e in machine.writer_events()]


def test_busy_program_that_takes_part_is_consistent_in_the_snapshot(client, volumes, machine, prefix, folder):
    """churn rewrites two files that must always agree, and stops while it is frozen as a writer."""
    machine.scenario({"writer:Ledger Writer": {"hook": "e2e"}})
    manifest = folder / "manifest.txt"
    (volumes["S"] / "ledger").mkdir()
    churn = prefix.popen([wine.CHURN_EXE, r"S:\ledger", "--hook", "e2e", "--lock", r"S:\a\plain.txt", "--manifest",
                          wine.windows_path(manifest), "--tree", "S:\\"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    assert b"ready" in churn.stdout.readline()
    reply = client.snapshot("S:")
    device = reply.volumes[0].device
    assert "Ledger Writer" in [w.name for w in reply.writers]
    checked = prefix.run([wine.CHURN_EXE, "--verify", wine.windows_path(manifest), device])
    assert checked.returncode == 0, checked.stdout
    checked = prefix.run([wine.CHURN_EXE, "--check", device + "\\ledger"])
    assert checked.returncode == 0, checked.stdout
    churn.communicate(timeout=wine.LIMIT)
    assert churn.returncode == 0
    client.finish(reply)


def test_writer_whose_program_dies_fails_the_job(client, volumes, machine, prefix, pb):
    machine.scenario({"writer:Ledger Writer": {"hook": "e2e-dies"}, "timing": {"prepare": 1500}})
    (volumes["S"] / "ledger").mkdir()
    churn = prefix.popen([wine.CHURN_EXE, r"S:\ledger", "--hook", "e2e-dies"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    assert b"ready" in churn.stdout.readline()
    request = client.start_snapshot("S:")
    request.until_phase("PREPARING")
    wine.kill(churn.pid)
    churn.communicate()
    status = request.status()
    assert [w.name for w in status.writers] == ["Ledger Writer"]
    assert status.writers[0].hresult_name == "VSS_E_WRITER_NOT_RESPONDING"
