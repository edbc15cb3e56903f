"""The service dies, or hands over, while snapshots are read: requester processes keep them, dial in to the next process of
the service, and it goes on with sets and leases as if nothing had been."""
import pytest

from harness import wine, wire
from harness.phases import wait_at_rest, wait_for_set
from harness.wine import wait_until
from test_persistent import records
from test_snapshot import host_path


@pytest.fixture
def connect(new_bridge):
    """A new connection, in a process of its own, to whatever serves the pipe now."""
    return lambda service: wire.Client(new_bridge().connect(service.pipe))


def token_of(reply):
    return {"lease_id": reply.lease_id, "token": reply.token}


def detached(pb, ttl_ms=0):
    return pb.LeaseOptions(mode=pb.LEASE_MODE_DETACHED, ttl_ms=ttl_ms)


def full(pb):
    return {"backup_type": pb.BACKUP_TYPE_FULL, "allow_types_without_components": True}


def calls(machine, method):
    """The requester processes that made the call."""
    return [e[1] for e in machine.events() if e[3:5] == ["call", method]]


def counter(client, name):
    return sum(c.value for c in client.service_status().counters if c.name == name)


def once_adopted(request):
    """The final reply once the requester has come; until then the service says that it is awaited."""
    def answer():
        final = request().wait()
        if not isinstance(final, wire.pb().Status) or final.reason != "ADOPTION_PENDING":
            return final
        assert final.code == wire.pb().CODE_UNAVAILABLE and final.retryable and final.retry_after_ms > 0
        return None
    return wait_until(answer, "the requester dials in again")


def attach(client, reply, pb):
    """The client has lost its connection and comes back to its lease."""
    found = once_adopted(lambda: client.start(pb.AttachLease(**token_of(reply))))
    assert isinstance(found, pb.LeaseReply), found
    return found


def finish(client, reply, pb):
    done = once_adopted(lambda: client.start(pb.FinishBackup(outcome=pb.OUTCOME_SUCCEEDED, **token_of(reply))))
    assert isinstance(done, pb.FinishReply), done
    return done


def assert_goes_on(client, reply, pb):
    """The reply is that of before, and what it names can be read."""
    found = attach(client, reply, pb)
    assert found.lease.lease_id == reply.lease_id
    assert found.snapshot.set_id == reply.set_id and found.snapshot.token == reply.token
    assert found.snapshot.map == reply.map and found.snapshot.volumes == reply.volumes
    assert (host_path(reply.volumes[0].device) / "a" / "plain.txt").read_text() == "plain on S\n"
    return found


def kill(service):
    service.kill()


def hand_over(service):
    assert service.hand_over() == 0, service.output()


ENDS = pytest.mark.parametrize("end", [kill, hand_over])


@ENDS
def test_a_bound_lease_goes_on(prefix, new_service, connect, volumes, machine, pb, end):
    service = new_service().start()
    first = connect(service)
    reply = first.snapshot("S:", purpose="long")
    (volumes["S"] / "a" / "plain.txt").write_text("changed since")
    end(service)
    first.connection.receive_end()
    assert machine.copies()
    second = connect(service.start())
    assert second.hello.boot_id != first.hello.boot_id
    assert_goes_on(second, reply, pb)
    status = second.service_status()
    assert counter(second, "sets_adopted") == 1 and status.leases == 1
    (held,) = status.sets
    assert held.set_id == reply.set_id and held.phase == pb.PHASE_HELD
    assert [m.purpose for m in held.members] == ["long"]
    assert [lease.lease_id for lease in second.call(pb.ListLeases()).leases] == [reply.lease_id]
    assert finish(second, reply, pb).completion == pb.COMPLETION_COMPLETED
    assert calls(machine, "BackupComplete") == calls(machine, "DoSnapshotSet"), "in the process that made it"
    assert not calls(machine, "AbortBackup")
    wait_at_rest(machine)
    wait_until(lambda: not records(prefix, service), "nothing of it stays stored")
    second.finish(second.snapshot("T:"))  # the turn is free


@ENDS
def test_a_detached_lease_goes_on(registry, new_service, connect, volumes, machine, pb, end):
    registry(ReattachMs=1000)
    service = new_service().start()
    first = connect(service)
    reply = first.snapshot("S:", lease=detached(pb, 600_000))
    renewed = first.call(pb.RenewLease(**token_of(reply)))
    first.close()
    end(service)
    second = connect(service.start())
    wait_until(lambda: counter(second, "sets_adopted") == 1, "the set is adopted")
    (lease,) = second.call(pb.ListLeases()).leases
    assert lease.mode == pb.LEASE_MODE_DETACHED and lease.expires_ms == renewed.lease.expires_ms
    assert_goes_on(second, reply, pb)
    second.close()  # it is detached: nobody has to be there
    third = connect(service)
    assert finish(third, reply, pb).completion == pb.COMPLETION_COMPLETED
    wait_at_rest(machine)


@ENDS
def test_a_lease_that_is_attached_ends_with_its_new_connection(new_service, new_bridge, connect, volumes, machine, pb, end):
    service = new_service().start()
    reply = connect(service).snapshot("S:")
    end(service)
    service.start()
    bridge = new_bridge()
    attach(wire.Client(bridge.connect(service.pipe)), reply, pb)
    assert machine.copies()
    bridge.kill()
    wait_at_rest(machine)


@ENDS
@pytest.mark.parametrize("kind", ["COPY", "FULL"])
def test_nobody_comes_back(prefix, registry, new_service, connect, volumes, machine, pb, end, kind):
    """The lease ends as if its client had vanished: after a type that truncates no writer may hear of a success."""
    registry(ReattachMs=2000)
    service = new_service().start()
    reply = connect(service).snapshot("S:", **(full(pb) if kind == "FULL" else {}))
    end(service)
    second = connect(service.start())
    wait_until(lambda: not second.service_status().sets, "the set ends")
    wait_at_rest(machine)
    assert counter(second, "sets_adopted") == 1
    assert len(calls(machine, "BackupComplete")) == (kind == "COPY")
    assert len(calls(machine, "AbortBackup")) == (kind == "FULL")
    assert second.start(pb.AttachLease(**token_of(reply))).status().reason == "UNKNOWN_LEASE"
    wait_until(lambda: not records(prefix, service), "nothing of it stays stored")


@ENDS
def test_a_full_backup_is_completed_by_its_client(new_service, connect, volumes, machine, pb, end):
    service = new_service().start()
    reply = connect(service).snapshot("S:", **full(pb))
    end(service)
    second = connect(service.start())
    attach(second, reply, pb)
    assert not calls(machine, "BackupComplete")
    assert finish(second, reply, pb).completion == pb.COMPLETION_COMPLETED
    assert calls(machine, "BackupComplete") == calls(machine, "DoSnapshotSet")


def test_a_requester_dies_meanwhile(prefix, new_service, connect, volumes, machine, pb):
    service = new_service().start()
    reply = connect(service).snapshot("S:")
    service.kill()
    for pid in wait_until(service.requesters, "the requester holds on"):
        wine.kill(pid)
    second = connect(service.start())
    status = once_adopted(lambda: second.start(pb.AttachLease(**token_of(reply))))
    assert isinstance(status, pb.Status) and status.reason in ("SNAPSHOT_LOST", "UNKNOWN_LEASE"), status
    assert counter(second, "sets_adopted") == 0
    wait_until(lambda: not second.service_status().sets, "the set is given up")
    second.finish(second.snapshot("T:"))  # the simulator cleans up when it is used
    wait_until(lambda: not records(prefix, service), "nothing of it stays stored")


def test_one_crash_after_the_other(new_service, connect, volumes, machine, pb):
    service = new_service().start()
    reply = connect(service).snapshot("S:", "T:")
    for end in (kill, hand_over, kill):
        end(service)
        client = connect(service.start())
        assert_goes_on(client, reply, pb)
        assert counter(client, "sets_adopted") == 1
    assert finish(client, reply, pb).completion == pb.COMPLETION_COMPLETED
    assert calls(machine, "BackupComplete") == calls(machine, "DoSnapshotSet")
    wait_at_rest(machine)


def test_a_crash_before_anybody_has_come_back(new_service, connect, volumes, machine, pb):
    service = new_service().start()
    reply = connect(service).snapshot("S:")
    for _ in range(2):
        service.kill()
        service.start()
    client = connect(service)
    assert_goes_on(client, reply, pb)
    finish(client, reply, pb)


def test_several_sets_and_readers(new_service, new_bridge, connect, volumes, machine, pb):
    service = new_service().start()
    bridge = new_bridge()
    replies = [wire.Client(bridge.connect(service.pipe)).snapshot(f"{letter}:", share=pb.SHARE_NEVER) for letter in "STU"]
    service.kill()
    clients = [connect(service.start())] + [connect(service) for _ in replies[1:]]
    for client, reply in zip(clients, replies):
        found = attach(client, reply, pb)
        assert found.snapshot.map == reply.map
    assert counter(clients[0], "sets_adopted") == 3
    for client, reply in zip(clients, replies):
        finish(client, reply, pb)
    assert len(set(calls(machine, "BackupComplete"))) == 3


def test_a_crash_while_the_backup_is_completed(new_service, connect, volumes, machine, pb):
    """BackupComplete is not cut short, and not called twice."""
    machine.scenario({"timing": {"complete": 2500}})
    service = new_service().start()
    client = connect(service)
    reply = client.snapshot("S:", **full(pb))
    client.start(pb.FinishBackup(outcome=pb.OUTCOME_SUCCEEDED, **token_of(reply)))
    wait_for_set(client, "COMPLETING")
    wait_until(lambda: [e for e in machine.events() if "BackupComplete" in e[4:5]], "the writers are being told")
    service.kill()
    second = connect(service.start())
    assert finish(second, reply, pb).completion == pb.COMPLETION_COMPLETED
    assert len(calls(machine, "BackupComplete")) == 1
    assert not calls(machine, "AbortBackup")
    wait_at_rest(machine)


@pytest.mark.parametrize("phase", ["GATHERING", "PREPARING", "CREATING"])
def test_what_is_being_made_is_not_handed_over(new_service, connect, volumes, machine, pb, phase):
    machine.scenario({"GATHERING": {"timing": {"identify": 2000}}, "PREPARING": {"timing": {"prepare": 2000}},
                      "CREATING": {"timing": {"freeze": 2000}}}[phase])
    service = new_service().start()
    request = connect(service).start_snapshot("T:")
    request.until_phase(phase)
    hand_over(service)
    assert request.status().code == pb.CODE_UNAVAILABLE
    service.wait_no_requesters()
    wait_at_rest(machine)
    machine.scenario({})
    client = connect(service.start())
    client.finish(client.snapshot("T:"))


def test_a_second_service_on_the_name_touches_nothing(new_service, connect, volumes, machine, pb):
    service = new_service().start()
    client = connect(service)
    reply = client.snapshot("S:")
    other = new_service()
    other.pipe = service.pipe
    other.log = service.log.with_name("other.log")
    other.start()
    assert other.wait() == 1 and "is taken" in other.output()
    assert machine.copies() and service.requesters()
    assert client.finish(reply).completion == pb.COMPLETION_COMPLETED


def test_nothing_is_kept_without_a_grace(prefix, registry, new_service, connect, volumes, machine, pb):
    registry(OrphanGraceMs=0)
    service = new_service().start()
    reply = connect(service).snapshot("S:", **full(pb))
    hand_over(service)
    service.wait_no_requesters()
    wait_at_rest(machine)
    client = connect(service.start())
    assert client.start(pb.AttachLease(**token_of(reply))).status().reason == "UNKNOWN_LEASE"
    assert not calls(machine, "BackupComplete")
    assert not records(prefix, service)
