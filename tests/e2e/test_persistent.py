"""Persistent snapshot sets: they outlive client and service, and go when their time is over."""
import pathlib

import pytest

from harness import wine, wire
from harness.wine import wait_until

UNSUPPORTED_CONTEXT = 0x8004231B


@pytest.fixture
def connect(new_bridge):
    """A new connection to whatever serves the pipe now."""
    return lambda service: wire.Client(new_bridge().connect(service.pipe))


def records(prefix, service):
    """What the service has stored: lines of the registry."""
    name = service.pipe.removeprefix("\\\\.\\pipe\\")
    found = prefix.run(["reg", "query", rf"HKLM\SOFTWARE\Shadowpipe\SetsOfVssLibrary\{name}"])
    assert found.returncode == 0, found.stderr
    return [line for line in found.stdout.splitlines() if "REG_BINARY" in line]


def delete_all(client, reply, pb):
    """Step by step, as an administrator would."""
    session = client.call(pb.OpenSession(mode=pb.SESSION_MODE_QUERY)).session_id

    def call(**method):
        answer = client.call(pb.Call(session_id=session, **method))
        assert answer.hresult == 0, answer
        return answer

    call(initialize_for_backup=pb.InitializeForBackup())
    call(set_context=pb.SetContext(context=0xFFFFFFFF))
    call(delete_snapshots=pb.DeleteSnapshotsCall(object_id=reply.set_id, object_type=2))
    client.call(pb.CloseSession(session_id=session))


def wait_until_gone(prefix, service, machine):
    wait_until(lambda: not machine.copies(), "the copies are deleted")
    wait_until(lambda: not records(prefix, service), "the record is forgotten")


def test_app_rollback_outlives_client_and_service(new_service, connect, prefix, volumes, machine, pb):
    service = new_service().start()
    client = connect(service)
    reply = client.snapshot("S:", context=pb.CONTEXT_APP_ROLLBACK, purpose="rollback")
    assert reply.context == pb.CONTEXT_APP_ROLLBACK and reply.consistency == pb.CONSISTENCY_APPLICATION
    wait_until(lambda: "BackupShutdown" in [e[0] for e in machine.writer_events()], "it is complete and released")
    wait_until(lambda: [s.requester_pid for s in client.service_status().sets] == [0], "no process holds it")
    (lease,) = client.call(pb.ListLeases()).leases
    assert lease.persistent and lease.set_id == reply.set_id
    assert client.service_status().sets[0].set_id == reply.set_id
    client.close()
    assert service.stop() == 0
    service.start()
    (record,) = records(prefix, service)
    assert reply.set_id in record
    device = pathlib.Path(reply.volumes[0].device[6:].replace("\\", "/"))
    assert (device / "a" / "plain.txt").read_text() == "plain on S\n"
    delete_all(connect(service), reply, pb)
    assert service.stop() == 0
    service.start()  # which finds a record of what is gone
    wait_until_gone(prefix, service, machine)


def test_keep_ms_is_kept_over_a_kill(new_service, connect, prefix, registry, volumes, machine, pb):
    registry(ReattachMs=1000)  # so long the client that was reading may come back
    service = new_service().start()
    client = connect(service)
    client.snapshot("S:", "T:", context=pb.CONTEXT_CLIENT_ACCESSIBLE_WRITERS, keep_ms=1000)
    client.snapshot("S:", context=pb.CONTEXT_BACKUP)  # this one goes with its requester
    service.kill()
    assert len(machine.copies()) == 3
    for pid in service.requesters():
        wine.kill(pid)
    service.start()
    wait_until_gone(prefix, service, machine)


def test_what_cannot_be_deleted_is_deleted_later(new_service, connect, prefix, volumes, machine, pb):
    machine.scenario({"volumes": {"undeletable": "T:\\"}})
    service = new_service().start()
    client = connect(service)
    client.finish(client.snapshot("T:", "S:", context=pb.CONTEXT_APP_ROLLBACK, keep_ms=1))
    wait_until(lambda: "could not be deleted, again in 60 s" in service.output(), "the service says so")
    assert len(machine.copies()) == 1 and len(records(prefix, service)) == 1
    service.kill()
    machine.scenario({})
    service.start()
    wait_until_gone(prefix, service, machine)


def test_nas_rollback_has_no_writers(service, client, volumes, machine, pb):
    reply = client.snapshot("S:", context=pb.CONTEXT_NAS_ROLLBACK)
    assert reply.consistency == pb.CONSISTENCY_CRASH
    assert client.finish(reply).completion == pb.COMPLETION_NOT_NEEDED
    assert not machine.writer_events()
    assert len(machine.copies()) == 1
    delete_all(client, reply, pb)


def test_a_context_that_vss_refuses(service, client, volumes, machine, pb):
    machine.scenario({"method:SetContext": {"result": hex(UNSUPPORTED_CONTEXT)}})
    status = client.start_snapshot("S:", context=pb.CONTEXT_CLIENT_ACCESSIBLE, attributes=0x20).status()
    assert status.reason == "VSS_FAILED" and status.hresult == UNSUPPORTED_CONTEXT
    assert status.hresult_name == "VSS_E_UNSUPPORTED_CONTEXT" and status.method == "SetContext"
