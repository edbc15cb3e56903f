"""Backups by component, through the running service, with the simulator's writers and documents."""
import hashlib
import re
import xml.etree.ElementTree

from harness.wine import wait_until

CLASS = "a0a0a0a0-0000-0000-0000-000000000001"
SERVER = {
    "writer:Acme Server": {"class": f"{{{CLASS}}}", "schema": 3, "component": "one", "database": 1, "path": "S:\\data",
                           "spec": "one.*", "partial": "S:\\data\\one.db"},
    "component:Acme Server:two": {"database": 1, "path": "S:\\data", "spec": "two.*"},
    "component:Acme Server:far": {"path": "T:\\far", "spec": "*"},
}


def selection(pb, *names, **fields):
    return [pb.ComponentSelection(writer="Acme Server", name=name, **fields) for name in names]


def listed(client, pb, reply):
    request = client.start(pb.ListComponents(lease_id=reply.lease_id))
    assert request.result().count == reply.components == len(request.streamed)
    return {item.component.name: item for item in request.streamed}


def read(client, pb, reply, kind="BACKUP_COMPONENTS", instance=""):
    request = client.start(pb.ReadDocument(lease_id=reply.lease_id, token=reply.token, writer_instance_id=instance,
                                           kind=pb.DocumentKind.Value(f"DOCUMENT_KIND_{kind}")))
    last = request.result()
    data = b"".join(chunk.data for chunk in request.streamed) + last.data
    assert hashlib.sha256(data).digest() == last.sha256 and len(data) == last.total_bytes
    return data


def components_in(document):
    """Attributes of each component of a Backup Components Document, by its name."""
    root = xml.etree.ElementTree.fromstring(re.sub(r"^[^<]*<\?xml[^>]*\?>", "", document.decode("utf-8")))
    return {e.get("componentName"): e.attrib for e in root.iter() if e.get("componentName")}


def events_of(machine, writer="Acme Server"):
    return [e[0] for e in machine.writer_events(writer)]


def test_full_and_incremental(client, volumes, machine, pb):
    machine.scenario(SERVER)
    full = client.snapshot("S:", components=selection(pb, "one", "two"), backup_type=pb.BACKUP_TYPE_FULL)
    assert full.components == 2 and full.consistency == pb.CONSISTENCY_APPLICATION
    took_part = {w.name for w in full.writers if w.took_part}
    assert took_part == {"Acme Server"}, "the others hear of nothing"
    components = listed(client, pb, full)
    one = components["one"]
    assert one.writer_id == CLASS and one.state.backup_stamp and one.state.backup_metadata == "Acme Server"
    assert one.files[0].path == "S:\\data" and one.files[0].filespec == "one.*"
    assert one.files[0].shadow_path == full.volumes[0].device_root + "data"
    assert one.files[0].role == pb.FILE_ROLE_DATABASE
    # The documents, before BackupComplete and after it.
    assert {d.kind for d in full.documents} == {pb.DOCUMENT_KIND_BACKUP_COMPONENTS, pb.DOCUMENT_KIND_WRITER_METADATA}
    described = read(client, pb, full, "WRITER_METADATA", one.instance_id)
    assert b"WRITER_METADATA" in described
    before = components_in(read(client, pb, full))
    assert before["one"]["backupStamp"] == one.state.backup_stamp
    finished = client.call(pb.FinishBackup(
        lease_id=full.lease_id, outcome=pb.OUTCOME_SUCCEEDED, with_documents=True,
        components=[pb.ComponentOutcome(writer_instance_id=one.instance_id, name="two", ok=False)]))
    assert finished.completion == pb.COMPLETION_COMPLETED
    after = components_in(read(client, pb, full))
    assert (after["one"]["backupSucceeded"], after["two"]["backupSucceeded"]) == ("yes", "no")
    assert after["one"]["backupStamp"] == one.state.backup_stamp
    assert read(client, pb, full, "WRITER_METADATA", one.instance_id) == described
    assert "BackupComplete" in events_of(machine) and "Abort" not in events_of(machine)
    wait_until(lambda: not machine.objects(), "the VSS object is released though documents are kept")

    increment = client.snapshot("S:", backup_type=pb.BACKUP_TYPE_INCREMENTAL, partial_files=True,
                                components=selection(pb, "one", previous_stamp=one.state.backup_stamp))
    state = listed(client, pb, increment)["one"].state
    assert state.previous_backup_stamp == one.state.backup_stamp != state.backup_stamp
    assert [(f.path, f.file_name, f.ranges) for f in state.partial_files] == [("S:\\data", "one.db", "1,0:4096")]
    assert [f.path for f in state.differenced_files] == ["S:\\data"]
    client.finish(increment)


def test_a_component_fails(client, volumes, machine, pb):
    machine.scenario({**SERVER, "component:Acme Server:two": {
        **SERVER["component:Acme Server:two"], "fail_at": "post_snapshot", "failure": "0x800423f4",
        "application_message": "the log is full"}})
    status = client.start_snapshot("S:", components=selection(pb, "one", "two")).status()
    assert status.reason == "WRITER_FAILED" and status.hresult_name == "VSS_E_WRITERERROR_PARTIAL_FAILURE"
    assert '"two" failed (VSS_E_WRITERERROR_NONRETRYABLE: the log is full)' in status.message
    reply = client.snapshot("S:", components=selection(pb, "one", "two"), writers_tolerated=["Acme Server"])
    assert reply.consistency == pb.CONSISTENCY_APPLICATION_PARTIAL
    components = listed(client, pb, reply)
    assert components["two"].state.failure_hresult == 0x800423F4 and not components["one"].state.failure_hresult
    finished = client.call(pb.FinishBackup(lease_id=reply.lease_id, outcome=pb.OUTCOME_SUCCEEDED, with_documents=True))
    assert any('"two"' in warning for warning in finished.warnings)
    document = components_in(read(client, pb, reply))
    assert (document["one"]["backupSucceeded"], document["two"]["backupSucceeded"]) == ("yes", "no")


def test_a_volume_is_missing(client, volumes, machine, pb):
    machine.scenario(SERVER)
    status = client.start_snapshot("S:", components=selection(pb, "one", "far")).status()
    assert (status.reason, status.volume) == ("VOLUMES_MISSING", "T:\\")
    assert not machine.creator_is_open() and "PrepareBackup" not in events_of(machine)
    reply = client.snapshot("S:", components=selection(pb, "one", "far"), add_needed_volumes=True)
    assert len(reply.volumes) == 2
    far = listed(client, pb, reply)["far"].files[0]
    assert far.shadow_path in [v.device_root + "far" for v in reply.volumes]
    client.finish(reply)
    # And in VSS's own words, where no component is selected.
    machine.scenario({**SERVER, "writer:Acme Server": {**SERVER["writer:Acme Server"], "fail_at": "prepare",
                                                       "failure": "0x800423f0"}})
    status = client.start_snapshot("S:").status()
    assert status.hresult_name == "VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT" and status.volume == "T:\\"


def test_a_client_of_a_full_backup_vanishes(new_client, volumes, machine, pb):
    machine.scenario(SERVER)
    client = new_client("gone")
    client.snapshot("S:", components=selection(pb, "one"), backup_type=pb.BACKUP_TYPE_FULL)
    client.close()
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert "BackupComplete" not in events_of(machine)
    called = [e[4] for e in machine.events() if e[3] == "call"]
    assert "AbortBackup" in called and "BackupComplete" not in called
