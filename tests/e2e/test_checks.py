"""What is asked without freezing anybody: long lists, files of a writer, dry runs, room for copies."""
from harness.wine import wait_until

MIB = 1 << 20


def writers_of(request):
    return [m for m in request.streamed if m.DESCRIPTOR.name == "Writer"]


def test_files_of_one_writer(client, machine, pb):
    machine.scenario({"writer:Store": {"component": "Base", "path": r"C:\Store", "spec": "*.db", "recursive": 1,
                                       "components": 2000, "alternate_path": r"C:\Other"}})
    request = client.start(pb.ListWriters(writer="Store", with_files=True))
    assert request.result().count == len(writers_of(request))
    parts = writers_of(request)
    assert len(parts) > 1, "it does not fit into one"
    assert [p.more for p in parts] == [True] * (len(parts) - 1) + [False]
    assert {p.status.name for p in parts} == {"Store"} and parts[0].status.state == pb.WRITER_STATE_STABLE
    names = []
    for part in parts:
        names += [c.name for c in part.components if c.name not in names[-1:]]
    assert len(names) == len(set(names)) == parts[0].status.components == 2001
    files = [f for p in parts for c in p.components for f in c.files]
    assert len(files) == 2001
    assert {(f.path, f.filespec, f.recursive) for f in files} == {(r"C:\Store", "*.db", True)}
    assert [f.alternate_location for p in parts for f in p.restore_method.alternate_locations] == [r"C:\Other"]


def test_lists_leave_nothing(client, pb):
    """The measure sees what stays, and a thousand lists leave nothing of that order."""
    def memory():
        return next(c.value for c in client.service_status().counters if c.name == "memory_bytes")

    def list_writers(count):
        for _ in range(count):
            client.call(pb.ListWriters(with_components=True))

    list_writers(100)
    before = memory()
    list_writers(1000)
    assert memory() - before < 2 << 20
    before = memory()
    chunk = pb.DocumentChunk(data=b"x" * (256 << 10), total_bytes=16 << 20)
    document = client.call(pb.PutDocument(chunk=chunk, kind=pb.DOCUMENT_KIND_BACKUP_COMPONENTS)).document_id
    for number in range(1, 32):
        chunk.offset = number * len(chunk.data)
        client.call(pb.PutDocument(document_id=document, chunk=chunk, kind=pb.DOCUMENT_KIND_BACKUP_COMPONENTS))
    assert memory() - before > 6 << 20


def test_dry_run_freezes_nobody(client, volumes, machine, pb):
    machine.scenario({"volumes": {"unsupported": "T:\\"}})
    assert client.start_snapshot("S:", "T:", dry_run=True).status().reason == "VOLUME_NOT_SUPPORTED"
    reply = client.snapshot("S:", "T:", dry_run=True, on_unsupported=pb.ON_UNSUPPORTED_SKIP)
    assert not reply.lease_id and not reply.token and not reply.set_id
    assert [list(v.volume_names) for v in reply.volumes] == [["S:\\"]] and not reply.volumes[0].device
    assert "T:" in reply.uncovered[0].path
    assert len(reply.writers) == 10 and not any(w.failed for w in reply.writers)
    assert [s.snapshots for s in reply.storage] == [0] and reply.storage[0].max_snapshots == 512
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert not {"PrepareBackup", "Freeze", "Abort"} & {e[0] for e in machine.writer_events()}
    assert "StartSnapshotSet" not in [e[4] for e in machine.events() if e[3] == "call"]


def test_storage_is_told(client, volumes, machine, pb):
    machine.scenario({"storage:S:\\": {"on": "T:\\", "maximum": 4000 * MIB, "used": 3900 * MIB}})
    reply = client.snapshot("S:")
    assert any("shadow storage of S:" in w for w in reply.warnings), reply.warnings
    again = client.snapshot("S:", dry_run=True).storage[0]
    assert again.snapshots == 1 and again.volume_guid_path == reply.volumes[0].volume_guid_path
    area = again.diff_areas[0]
    assert area.maximum_bytes == 4000 * MIB and area.used_bytes >= 3900 * MIB
    assert area.volume == again.volume_guid_path != area.diff_volume
    client.finish(reply)
