"""Step sessions: a client makes the calls of IVssBackupComponents itself, through the running service."""
import hashlib

import pytest

from harness import wire
from harness.wine import wait_until

FINISHED = 0x0004230A
BAD_STATE = 0x80042301
COPY = 5


class Session:
    """OpenSession, and each method by its name."""

    def __init__(self, client, pb, mode="BACKUP", **fields):
        self.client, self.pb = client, pb
        self.id = client.call(pb.OpenSession(mode=pb.SessionMode.Value(f"SESSION_MODE_{mode}"), **fields)).session_id

    def start(self, method, wait_ms=0, timeout_ms=0, **parameters):
        call = self.pb.Call(session_id=self.id, wait_ms=wait_ms)
        getattr(call, method).SetInParent()
        for name, value in parameters.items():
            field = getattr(call, method)
            if hasattr(value, "DESCRIPTOR"):
                getattr(field, name).CopyFrom(value)
            else:
                setattr(field, name, value)
        return self.client.start(call, timeout_ms)

    def call(self, method, **parameters):
        return self.start(method, **parameters).result()

    def good(self, method, **parameters):
        reply = self.call(method, **parameters)
        assert reply.hresult == 0 and reply.async_hresult in (0, FINISHED), reply
        return reply

    def open_set(self, volume="S:\\"):
        self.good("initialize_for_backup")
        self.good("set_backup_state", backup_type=COPY)
        self.good("gather_writer_metadata")
        set_id = self.good("start_snapshot_set").start_snapshot_set.set_id
        snapshot_id = self.good("add_to_snapshot_set", volume=volume).add_to_snapshot_set.snapshot_id
        return set_id, snapshot_id

    def create(self, volume="S:\\"):
        ids = self.open_set(volume)
        self.good("prepare_for_backup")
        self.good("do_snapshot_set")
        return ids

    def close(self):
        return self.client.call(self.pb.CloseSession(session_id=self.id))

    def read(self, kind, instance=""):
        request = self.client.start(self.pb.ReadDocument(session_id=self.id, writer_instance_id=instance,
                                                         kind=self.pb.DocumentKind.Value(f"DOCUMENT_KIND_{kind}")))
        last = request.result()
        data = b"".join(chunk.data for chunk in request.streamed) + last.data
        assert len(data) == last.total_bytes
        assert hashlib.sha256(data).digest() == last.sha256
        return data


def put(client, pb, data, sha256=None):
    chunk = pb.DocumentChunk(data=data, total_bytes=len(data), last=True,
                             sha256=sha256 or hashlib.sha256(data).digest())
    return client.call(pb.PutDocument(kind=pb.DOCUMENT_KIND_BACKUP_COMPONENTS, chunk=chunk)).document_id


def test_a_whole_backup(client, volumes, machine, pb):
    session = Session(client, pb)
    set_id, snapshot_id = session.create()
    snapshot = session.good("get_snapshot_properties", snapshot_id=snapshot_id).get_snapshot_properties.snapshot
    assert (snapshot.snapshot_id, snapshot.set_id) == (snapshot_id, set_id)
    assert not machine.creator_is_open()
    session.good("gather_writer_status")
    assert session.good("get_writer_status_count").get_writer_status_count.count > 0
    document = session.good("save_as_xml").save_as_xml.document
    assert len(session.read("BACKUP_COMPONENTS")) == document.size_bytes
    reply = session.good("backup_complete")
    assert reply.session_phase == pb.SESSION_PHASE_COMPLETED
    assert session.close().completion == pb.COMPLETION_COMPLETED
    wait_until(lambda: not machine.objects(), "the VSS object is released")


def test_order_is_explained(client, volumes, machine, pb):
    session = Session(client, pb)
    session.good("initialize_for_backup")
    reply = session.call("prepare_for_backup")
    assert (reply.hresult, reply.missing_prerequisite) == (BAD_STATE, "SetBackupState")
    assert reply.status.hresult_name == "VSS_E_BAD_STATE" and reply.status.advice
    reply = session.call("initialize_for_backup")
    assert reply.hresult == BAD_STATE
    session.close()


def test_sessions_and_jobs_take_turns(new_client, volumes, machine, pb):
    one, other = new_client("one"), new_client("other")
    session = Session(one, pb)
    session.open_set()
    job = other.start_snapshot("T:")
    job.until_phase("WAITING_FOR_GATE")
    second = Session(other, pb)
    second.good("initialize_for_backup")
    waits = second.start("start_snapshot_set")
    assert not waits.done() and not job.done()
    session.good("prepare_for_backup")
    session.good("do_snapshot_set")
    other.finish(job.result())
    assert waits.result().hresult == 0
    for open_session in (session, second):
        open_session.close()


@pytest.mark.parametrize("created", [False, True])
def test_a_client_that_vanishes(new_client, volumes, machine, pb, created):
    client = new_client("gone")
    session = Session(client, pb)
    (session.create if created else session.open_set)()
    client.close()
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert not machine.creator_is_open()


def test_cancel_reaches_the_operation(client, volumes, machine, pb):
    machine.scenario({"writer:WMI Writer": {"hang_at": "prepare"}})  # read when the object is made
    session = Session(client, pb)
    session.open_set()
    running = session.start("prepare_for_backup")
    client.call(pb.GetServiceStatus())
    assert client.call(pb.Cancel(id=running.id)).found
    reply = running.result()
    assert reply.async_hresult != FINISHED and reply.status.message
    machine.scenario({})
    assert session.close().completion == pb.COMPLETION_ABORTED


def test_documents(client, volumes, machine, pb):
    session = Session(client, pb, "RESTORE", document_id=put(client, pb, b"<not a document>"))
    reply = session.call("initialize_for_restore")
    assert reply.hresult & 0x80000000, "whatever VSS says of it"
    assert reply.status.method == "InitializeForRestore"
    session.close()
    damaged = put(client, pb, b"<document/>", sha256=bytes(32))
    session = Session(client, pb, "RESTORE")
    with pytest.raises(wire.StatusError) as error:
        session.call("initialize_for_restore", document_id=damaged)
    assert error.value.status.reason == "DAMAGED_DOCUMENT"
    session.close()


def test_writers_documents(client, volumes, machine, pb):
    session = Session(client, pb)
    session.good("initialize_for_backup")
    session.good("gather_writer_metadata")
    reply = session.call("get_writer_metadata", index=0, with_document=True)
    if reply.hresult == 0:
        result = reply.get_writer_metadata
        session.good("free_writer_metadata")
        data = session.read("WRITER_METADATA", result.writer.status.instance_id)
        assert len(data) == result.document.size_bytes and b"<" in data
    else:
        assert reply.status.method == "IVssExamineWriterMetadata::SaveAsXML"
    session.close()
