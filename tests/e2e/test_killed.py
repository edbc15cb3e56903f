"""What the kill matrix does not show of deaths: who waits for whom, and for how long."""
import time

import pytest

from harness import wine, wire
from harness.phases import STRETCHED, reach, wait_at_rest
from harness.wine import wait_until


def kill_requester(service):
    found = wait_until(service.requesters, "the requester runs")
    assert len(found) <= 2  # one that is kept ready may be among them
    for pid in found:
        wine.kill(pid)


@pytest.mark.parametrize("phase", ["GATHERING", "HELD"])
def test_slow_rundown_hinders_nobody_outside_of_the_gate(service, new_client, volumes, machine, pb, phase):
    slow = {"machine": {"rundown_ms": 600_000}}
    machine.scenario({**slow, **STRETCHED[phase]})
    reach(new_client("victim"), phase)
    machine.scenario(slow)
    kill_requester(service)
    survivor = new_client("survivor")
    survivor.finish(survivor.snapshot("T:"))
    machine.scenario({})
    survivor.finish(survivor.snapshot("T:"))  # the simulator cleans up when it is used


def test_waiter_behind_a_rundown_keeps_its_own_deadline(service, new_client, volumes, machine, pb):
    slow = {"machine": {"rundown_ms": 60000}}
    machine.scenario({**slow, **STRETCHED["PREPARING"]})
    reach(new_client("victim"), "PREPARING")
    machine.scenario(slow)
    kill_requester(service)
    status = new_client("hasty").start_snapshot("T:", timeout_ms=3000).status()
    assert status.code in (pb.CODE_UNAVAILABLE, pb.CODE_DEADLINE_EXCEEDED)
    assert status.retryable and status.retry_after_ms > 0
    machine.scenario({})
    survivor = new_client("survivor")
    survivor.finish(survivor.snapshot("T:"))


def test_requester_that_is_kept_ready_is_killed(service, new_client, volumes, machine):
    kill_requester(service)
    client = new_client()
    client.finish(client.snapshot("S:"))


def test_service_is_killed_while_a_requester_is_kept_ready(new_service, new_bridge, volumes, machine):
    service = new_service().start()
    wait_until(service.requesters, "it is there")
    service.kill()
    service.wait_no_requesters()


def test_service_killed_while_a_snapshot_is_held(registry, new_service, new_bridge, volumes, machine, pb):
    """The requester holds the snapshot for the orphan grace (here 4 s), so that a long backup survives a crash of the
    service; then it cleans up by itself."""
    grace_ms = 4000
    registry(OrphanGraceMs=grace_ms)
    service = new_service().start()
    client = wire.Client(new_bridge().connect(service.pipe))
    client.snapshot("S:")
    began = time.monotonic()
    service.kill()
    assert service.requesters() and machine.copies()
    service.wait_no_requesters()
    assert time.monotonic() - began >= grace_ms / 1000 - 0.5, "it held on"
    wait_at_rest(machine)


def test_snapshot_of_an_orphan_hinders_nobody(new_service, new_bridge, volumes, machine, pb):
    service = new_service().start()
    client = wire.Client(new_bridge().connect(service.pipe))
    client.snapshot("S:")
    service.kill()
    other = new_service().start()  # on a pipe of its own: nobody for the orphan to dial in to
    second = wire.Client(new_bridge().connect(other.pipe))
    second.finish(second.snapshot("T:"))
    assert machine.copies(), "the orphan still holds its snapshot"
    for pid in service.requesters():
        wine.kill(pid)
    second.finish(second.snapshot("T:"))  # the simulator cleans up when it is used
