"""Leases that outlive their client: found again, renewed, finished by others, expired, lost."""
import json

import pytest

from harness import wire
from harness.service import run_client
from harness.wine import wait_until


@pytest.fixture
def connect(new_bridge):
    """A new connection, in a process of its own."""
    return lambda service: wire.Client(new_bridge().connect(service.pipe))


def detached(pb, ttl_ms=0):
    return pb.LeaseOptions(mode=pb.LEASE_MODE_DETACHED, ttl_ms=ttl_ms)


def token_of(reply):
    return {"lease_id": reply.lease_id, "token": reply.token}


def events(machine, name):
    return [e for e in machine.writer_events() if e[0] == name]


def test_a_client_restarts_and_reads_on(service, new_bridge, connect, volumes, machine, pb):
    bridge = new_bridge()
    first = wire.Client(bridge.connect(service.pipe))
    reply = first.snapshot("S:", lease=detached(pb), purpose="long")
    first.call(pb.RenewLease(**token_of(reply)))
    bridge.kill()
    second = connect(service)
    wait_until(lambda: second.service_status().connections == 1, "the first client is gone")
    found = second.call(pb.AttachLease(**token_of(reply)))
    assert found.lease.purpose == "long" and found.snapshot.map == reply.map
    assert machine.copies()
    second.call(pb.FinishBackup(outcome=pb.OUTCOME_SUCCEEDED, **token_of(reply)))
    assert events(machine, "BackupComplete")


def test_a_client_dies_before_it_has_acknowledged(service, new_bridge, volumes, machine, pb):
    bridge = new_bridge()
    wire.Client(bridge.connect(service.pipe)).snapshot("S:", lease=detached(pb))
    bridge.kill()
    wait_until(lambda: not machine.copies(), "the copy is gone")


def test_what_is_not_renewed_ends(service, connect, volumes, machine, pb):
    client = connect(service)
    reply = client.snapshot("S:", lease=detached(pb, 500), backup_type=pb.BACKUP_TYPE_FULL,
                            allow_types_without_components=True)
    client.call(pb.RenewLease(**token_of(reply)))
    wait_until(lambda: not machine.copies(), "the copy is gone")
    assert not events(machine, "BackupComplete"), "no writer may truncate its logs"
    status = client.start(pb.AttachLease(**token_of(reply))).status()
    assert status.reason == "UNKNOWN_LEASE"


def test_a_loss_is_noticed(registry, new_service, connect, volumes, machine, pb):
    registry(LeaseCheckMs=200)
    machine.scenario({"volumes": {"vanish_ms": 300}})
    client = connect(new_service().start())
    reply = client.snapshot("S:")
    watch = client.start(pb.WatchLease(lease_id=reply.lease_id))
    kinds = [pb.LEASE_EVENT_PRESENT, pb.LEASE_EVENT_LOST]
    wait_until(lambda: [e.kind for e in watch.streamed] == kinds, "the loss is told")
    status = client.start(pb.FinishBackup(lease_id=reply.lease_id, outcome=pb.OUTCOME_SUCCEEDED)).status()
    assert status.reason == "SNAPSHOT_LOST"
    assert watch.status().reason == "UNKNOWN_LEASE"


def test_the_same_job_key_gets_the_same_snapshot(service, connect, volumes, machine, pb):
    machine.scenario({"timing": {"freeze": 300}})
    first, second = connect(service), connect(service)
    request = first.start_snapshot("S:", job_key="nightly")
    request.until_phase("CREATING")
    again = second.start_snapshot("S:", job_key="nightly")
    reply = request.result()
    assert again.result().lease_id == reply.lease_id
    assert second.snapshot("S:", job_key="nightly").token == reply.token
    assert second.start_snapshot("T:", job_key="nightly").status().reason == "KEY_MISMATCH"
    assert len(machine.copies()) == 1
    second.finish(reply)


def test_command_line(prefix, service, volumes, machine):
    def run(*arguments, code=0):
        done = run_client(prefix, service, *arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    command = ("snapshot", "-v", "S:", "--detach", "--ttl", "5m", "--job-key", "k", "--name", "nightly")
    made = run(*command)
    lease = ("--lease", made["leaseId"], "--token", made["token"])
    assert machine.copies()
    (listed,) = run("leases")["leases"]
    assert listed["purpose"] == "nightly" and listed["mode"] == "LEASE_MODE_DETACHED"
    assert listed["expiresMs"] == made["expiresMs"]
    renewed = run("renew", *lease, "--ttl", "1h")
    assert int(renewed["lease"]["expiresMs"]) > int(made["expiresMs"])
    again = run(*command)
    assert again["token"] == made["token"]
    assert run("finish", *lease)["completion"] == "COMPLETION_COMPLETED"
    wait_until(lambda: not machine.copies(), "the copy is gone")
    assert run("renew", *lease, code=2)["error"]["reason"] == "UNKNOWN_LEASE"
    text = run_client(prefix, service, "leases")
    assert "no leases" in text.stdout
