"""Limits of time and of number, with the values that the registry gives them, and what is tried again."""
import pytest

from harness import service as services
from harness.wine import wait_until

WRITER = "WMI Writer"


@pytest.mark.parametrize("at,method,phase", [("prepare", "PrepareForBackup", "PREPARING"),
                                             ("freeze", "DoSnapshotSet", "CREATING")])
def test_writer_that_hangs_is_named_with_its_service(client, volumes, machine, pb, at, method, phase):
    machine.scenario({f"writer:{WRITER}": {"hang_at": at}})
    limit = pb.PhaseTimeout(phase=f"PHASE_{phase}", timeout_ms=1500)
    status = client.start_snapshot("S:", phase_timeouts=[limit]).status()
    assert (status.code, status.reason) == (pb.CODE_DEADLINE_EXCEEDED, "PHASE_TIMEOUT"), status
    assert status.method == method
    assert [w.name for w in status.writers] == [WRITER] and WRITER in status.message
    assert "Winmgmt" in status.advice
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert not machine.creator_is_open()
    machine.scenario({})
    client.finish(client.snapshot("S:"))


def test_call_that_cannot_be_cancelled_costs_the_process(registry, new_service, new_bridge, volumes, machine, pb):
    registry(CallMs=5000)
    service = new_service().start()
    client = services.new_client(new_bridge(), service)
    machine.scenario({"method:AddToSnapshotSet": {"delay": 60000}})
    status = client.start_snapshot("S:").status()
    assert (status.reason, status.method) == ("PHASE_TIMEOUT", "AddToSnapshotSet"), status
    assert "swprv" in status.advice and "CallMs" in status.advice
    machine.scenario({})
    client.finish(client.snapshot("S:", limit=60))


def test_hold_timeout_is_tried_again(registry, new_service, new_bridge, volumes, machine, pb):
    """Microsoft's ten minutes, made short."""
    registry(RetryLaterMs=1000, FreezePauseMs=2000)
    service = new_service().start()
    client = services.new_client(new_bridge(), service)
    machine.scenario({"method:DoSnapshotSet": {"async_result": "0x80042314", "call": 1}})
    request = client.start_snapshot("S:")
    waiting = request.until(lambda p: p.waiting_for == pb.WAITING_FOR_RETRY, "it waits for another attempt")
    assert waiting.attempt == 2 and 0 < waiting.expected_wait_ms <= 2000
    reply = request.result(60)
    assert reply.attempts == 2 and any("VSS_E_HOLD_WRITES_TIMEOUT" in w or "attempt 1" in w for w in reply.warnings)
    client.finish(reply)


def test_no_more_attempts_than_there_may_be(registry, new_service, new_bridge, volumes, machine, pb):
    registry(RetryLaterMs=1000, FreezePauseMs=1000, MaxRetriesLater=1)
    service = new_service().start()
    client = services.new_client(new_bridge(), service)
    machine.scenario({"method:DoSnapshotSet": {"async_result": "0x80042314"}})
    status = client.start_snapshot("S:").status(60)
    assert status.attempts == 2 and status.retry == pb.RETRY_LATER and status.retry_after_ms == 1000


def test_component_of_a_writer_that_was_left_out_is_not_covered(client, volumes, machine, pb):
    machine.scenario({"writer:Acme Server": {"component": "one", "path": "S:\\a", "spec": "*"},
                      "writer:Other Server": {"component": "two", "path": "S:\\a", "spec": "*", "fail_at": "prepare"}})
    wish = dict(components=[pb.ComponentSelection(writer="Acme Server", name="one"),
                            pb.ComponentSelection(writer="Other Server", name="two")],
                writers_tolerated=["Other Server"], retry_without_failed=True)
    reply = client.snapshot("S:", **wish)
    assert reply.attempts == 2 and reply.components == 1
    assert reply.consistency == pb.CONSISTENCY_APPLICATION_PARTIAL
    assert [u.path for u in reply.uncovered] == ["Other Server: two"]
    client.finish(reply)


def over_limit(status, name):
    assert status.code == 8 and status.reason == "LIMIT" and status.limit_name == name, status
    assert name in status.message and status.advice and status.retryable


def test_leases_sessions_and_watchers(registry, new_service, new_bridge, volumes, machine, pb):
    """So many are there, one more is refused, and taken once another has ended; each is announced to clients."""
    registry(MaxLeases=2, MaxSessions=1, MaxWatchers=1)
    service = new_service().start()
    bridge = new_bridge()
    client, other = services.new_client(bridge, service), services.new_client(bridge, service)
    assert (client.hello.limits.max_leases, client.hello.limits.max_sessions) == (2, 1)
    first, _ = client.snapshot("S:"), other.snapshot("S:")
    over_limit(client.start_snapshot("S:").status(), "max_leases")
    assert client.finish(first) and other.snapshot("S:").lease_id

    session = client.call(pb.OpenSession(mode=pb.SESSION_MODE_QUERY)).session_id
    over_limit(other.start(pb.OpenSession(mode=pb.SESSION_MODE_QUERY)).status(), "max_sessions")
    client.call(pb.CloseSession(session_id=session))
    query = pb.OpenSession(mode=pb.SESSION_MODE_QUERY)
    wait_until(lambda: not isinstance(other.start(query).wait(), pb.Status), "the session's process has ended")

    watch = watching(client, pb)
    over_limit(other.start(pb.Watch()).status(), "max_watchers")
    assert client.call(pb.Cancel(id=watch.id)).found and watch.status().code == pb.CODE_CANCELLED
    watching(other, pb)


def watching(client, pb):
    request = client.start(pb.Watch())
    client.connection.wait(lambda: request.streamed or request.done(), "the state is told")
    assert not request.done(), request.final
    return request


def test_sets(registry, new_service, new_bridge, volumes, machine, pb):
    registry(MaxSets=1)
    service = new_service().start()
    client = services.new_client(new_bridge(), service)
    first = client.snapshot("S:")
    over_limit(client.start_snapshot("T:", queue_timeout_ms=500).status(), "max_sets")
    waiting = client.start_snapshot("T:")
    client.finish(first)
    client.finish(waiting.result())
