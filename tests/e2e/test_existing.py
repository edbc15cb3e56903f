"""Snapshots that exist: listed, deleted, exposed, whoever made them, through the running service."""
import contextlib

import pytest

from harness import wine, wire
from harness.wine import wait_until
from test_sessions import Session, put

APP_ROLLBACK, TRANSPORTABLE, IMPORTED = 0x9, 0x20, 0x80000
VETO, NOT_FOUND = 0x80042306, 0x80042308


def make_persistent(client, pb, volume="S:\\", attributes=0):
    """A snapshot that stays, by a session that is closed: its id, and its Backup Components Document."""
    session = Session(client, pb)
    session.good("initialize_for_backup")
    session.good("set_context", context=APP_ROLLBACK | attributes)
    session.good("set_backup_state", backup_type=5)
    session.good("gather_writer_metadata")
    session.good("start_snapshot_set")
    snapshot_id = session.good("add_to_snapshot_set", volume=volume).add_to_snapshot_set.snapshot_id
    session.good("prepare_for_backup")
    session.good("do_snapshot_set")
    session.good("backup_complete")
    session.good("save_as_xml")
    document = session.read("BACKUP_COMPONENTS")
    session.close()
    return snapshot_id, document


@pytest.fixture
def keeper(client, pb, machine):
    """Makes persistent snapshots; none of them outlives the test."""
    made = []

    def keep(volume="S:\\"):
        made.append(make_persistent(client, pb, volume)[0])
        return made[-1]

    yield keep
    machine.scenario({})
    for snapshot_id in made:
        with contextlib.suppress(wire.StatusError):
            client.call(pb.DeleteSnapshots(snapshot_id=snapshot_id, force=True))


def ids(client, pb, **filters):
    return [record.snapshot.snapshot_id for record in client.call(pb.ListSnapshots(**filters)).snapshots]


def test_what_there_is(client, new_client, volumes, machine, pb, keeper):
    stays = keeper("S:\\")
    held = client.snapshot("T:", purpose="nightly")
    other = new_client("other")
    reply = other.call(pb.ListSnapshots())
    assert [r.snapshot.snapshot_id for r in reply.snapshots] == [stays, held.volumes[0].snapshot_id]
    kept, ours = reply.snapshots
    assert kept.snapshot.volume_names[:] == ["S:\\"] and not kept.purpose
    assert kept.origin == pb.ORIGIN_OURS, "what a session made stays its owner's"
    assert (ours.origin, ours.purpose, ours.lease_id) == (pb.ORIGIN_OURS, "nightly", held.lease_id)
    assert ours.snapshot.device_root == held.volumes[0].device_root
    assert ids(other, pb, volume="T:") == [held.volumes[0].snapshot_id]
    assert ids(other, pb, set_id=held.set_id) == [held.volumes[0].snapshot_id]
    assert ids(other, pb, min_age_ms=3600_000) == []
    client.finish(held)
    wait_until(lambda: ids(other, pb) == [stays], "the auto-release copy is gone")


def test_delete(client, volumes, machine, pb, keeper):
    first, second, third = keeper("S:\\"), keeper("T:\\"), keeper("S:\\")
    would = client.call(pb.DeleteSnapshots(volume="S:", dry_run=True))
    assert would.deleted[:] == [first, third] and len(ids(client, pb)) == 3
    assert client.call(pb.DeleteSnapshots(volume="S:", oldest=True)).deleted[:] == [first]
    assert ids(client, pb) == [second, third]
    set_id = client.call(pb.ListSnapshots(snapshot_id=second)).snapshots[0].snapshot.set_id
    assert client.call(pb.DeleteSnapshots(set_id=set_id)).deleted[:] == [second]
    held = client.snapshot("S:")
    reply = client.call(pb.DeleteSnapshots(volume="S:"))
    assert reply.deleted[:] == [third] and reply.left[:] == [held.volumes[0].snapshot_id]
    assert reply.failure.reason == "SNAPSHOT_IN_USE"
    client.finish(held)


def test_delete_goes_on(client, volumes, machine, pb, keeper):
    first, second = keeper("S:\\"), keeper("T:\\")
    machine.scenario({"volumes": {"undeletable": "S:\\"}})
    reply = client.call(pb.DeleteSnapshots(snapshot_id=first))
    assert not reply.deleted and reply.left[:] == [first]
    assert (reply.failure.hresult, reply.failure.volume) == (VETO, "S:\\") and reply.failure.advice
    machine.scenario({})
    assert client.call(pb.DeleteSnapshots(snapshot_id=first)).deleted[:] == [first]
    assert ids(client, pb) == [second]
    with pytest.raises(wire.StatusError) as error:
        client.call(pb.DeleteSnapshots(snapshot_id=first))
    assert error.value.status.reason == "UNKNOWN_SNAPSHOT"


def test_expose(client, volumes, machine, prefix, pb, keeper):
    snapshot_id = keeper("S:\\")
    folder = volumes["T"] / "shown"
    folder.mkdir()
    for wish in ({"as_drive": "X:"}, {"as_directory": "T:\\shown"}):
        shown = client.call(pb.Expose(snapshot_id=snapshot_id, **wish)).exposed
        record = client.call(pb.ListSnapshots(snapshot_id=snapshot_id)).snapshots[0]
        assert record.snapshot.exposed_name.rstrip("\\").lower() == shown.rstrip("\\").lower()
        assert ("x" in {letter.lower() for letter in prefix.drives()}) == ("as_drive" in wish)
        if "as_directory" in wish:
            assert (folder / "a" / "plain.txt").read_text() == "plain on S\n"
        client.call(pb.Unexpose(snapshot_id=snapshot_id))
    assert not list(folder.iterdir())
    with pytest.raises(wire.StatusError) as error:
        client.call(pb.Unexpose(snapshot_id=snapshot_id))
    assert error.value.status.hresult == NOT_FOUND
    assert error.value.status.method == "UnexposeSnapshot"


def test_share(client, volumes, machine, pb, keeper):
    snapshot_id = keeper("S:\\")
    assert client.call(pb.Expose(snapshot_id=snapshot_id, as_share="copy", sub_path="a")).exposed == "copy"
    snapshot = client.call(pb.ListSnapshots(snapshot_id=snapshot_id)).snapshots[0].snapshot
    assert (snapshot.exposed_name, snapshot.exposed_path.strip("\\")) == ("copy", "a")
    client.call(pb.Unexpose(snapshot_id=snapshot_id))


def test_import_and_break(client, volumes, machine, pb):
    machine.scenario({"machine": {"hardware_provider": 1}})
    snapshot_id, xml = make_persistent(client, pb, attributes=TRANSPORTABLE)
    assert ids(client, pb) == []
    imported = client.call(pb.ImportSet(document_id=put(client, pb, xml))).snapshots
    assert [s.snapshot_id for s in imported] == [snapshot_id] and imported[0].attributes & IMPORTED
    record = client.call(pb.ListSnapshots()).snapshots[0]
    assert (record.snapshot.snapshot_id, record.origin) == (snapshot_id, pb.ORIGIN_UNKNOWN)
    client.call(pb.BreakSet(set_id=imported[0].set_id))
    assert ids(client, pb) == []
    with pytest.raises(wire.StatusError) as error:
        client.call(pb.ImportSet(document_id=put(client, pb, xml)))
    assert error.value.status.hresult_name == "VSS_E_NO_SNAPSHOTS_IMPORTED"


def test_revert(client, volumes, machine, pb, keeper):
    machine.scenario({"machine": {"server": 1, "revert_ms": 1500}, "volumes": {"busy": "S:\\"}})
    snapshot_id = keeper("S:\\")
    (volumes["S"] / "a" / "plain.txt").write_text("later")
    with pytest.raises(wire.StatusError) as error:
        client.call(pb.RevertVolume(snapshot_id=snapshot_id))
    assert error.value.status.hresult_name == "VSS_E_VOLUME_IN_USE"
    revert = client.start(pb.RevertVolume(snapshot_id=snapshot_id, force_dismount=True))
    revert.until_phase("REVERTING")
    client.call(pb.Cancel(id=revert.id))
    volume = client.call(pb.ListSnapshots(snapshot_id=snapshot_id)).snapshots[0].snapshot.volume_guid_path
    assert revert.result().volume == volume
    assert (volumes["S"] / "a" / "plain.txt").read_text() == "plain on S\n"


def test_attach(client, new_client, volumes, machine, prefix, pb, keeper):
    snapshot_id = keeper("S:\\")
    device = client.call(pb.ListSnapshots(snapshot_id=snapshot_id)).snapshots[0].snapshot.device_root
    other = new_client("reader")
    lease = other.call(pb.AttachSnapshot(device=device, purpose="look"))
    assert lease.volumes[0].snapshot_id == snapshot_id and lease.context == pb.CONTEXT_APP_ROLLBACK
    assert [(m.original, m.shadow) for m in lease.map] == [("S:\\", device)]
    assert other.call(pb.ListLeases()).leases[0].purpose == "look"
    assert client.call(pb.DeleteSnapshots(snapshot_id=snapshot_id)).failure.reason == "SNAPSHOT_IN_USE"
    # What lies below the device can be read, and is left when the lease ends.
    shown = prefix.run([wine.HELPER_EXE, "wait", device + "a\\plain.txt"])
    assert shown.returncode == 0, shown.stderr
    assert other.finish(lease).completion == pb.COMPLETION_NOT_NEEDED
    lease = other.call(pb.AttachSnapshot(snapshot_id=snapshot_id))
    assert client.call(pb.DeleteSnapshots(snapshot_id=snapshot_id, force=True)).deleted[:] == [snapshot_id]
    with pytest.raises(wire.StatusError) as error:
        other.finish(lease)
    assert error.value.status.reason == "SNAPSHOT_LOST"


def test_refusals_of_vss(client, volumes, machine, pb, keeper):
    snapshot_id = keeper("S:\\")
    set_id = client.call(pb.ListSnapshots()).snapshots[0].snapshot.set_id
    document = put(client, pb, b"<not a document>")
    nobody = "11111111-2222-3333-4444-555555555555"
    for request, method, name in (
            (pb.BreakSet(set_id=set_id), "BreakSnapshotSet", "VSS_E_PROVIDER_VETO"),
            (pb.ImportSet(document_id=document), "InitializeForBackup", "VSS_E_INVALID_XML_DOCUMENT"),
            (pb.RevertVolume(snapshot_id=nobody), "GetSnapshotProperties", "VSS_E_OBJECT_NOT_FOUND")):
        with pytest.raises(wire.StatusError) as error:
            client.call(request)
        status = error.value.status
        assert (status.method, status.hresult_name) == (method, name) and status.advice
    assert ids(client, pb) == [snapshot_id]
