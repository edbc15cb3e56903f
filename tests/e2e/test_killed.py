"""Deaths: of the client, the requester and the service, in each phase."""
import os
import time

import pytest

from harness import service as services
from harness import wine, wire
from harness.simulator import Machine
from harness.wine import wait_until

SLOW = 2500  # ms: a phase is stretched this much, so that the kill falls into it
# phase of the job: what stretches it
STRETCHED = {
    "GATHERING": {"timing": {"identify": SLOW}},
    "ADDING_VOLUMES": {"method:AddToSnapshotSet": {"delay": SLOW}},
    "PREPARING": {"timing": {"prepare": SLOW}},
    "CREATING": {"timing": {"freeze": SLOW}},
    "HELD": {},
    "COMPLETING": {"timing": {"complete": SLOW}},
}
IN_THE_GATE = ["ADDING_VOLUMES", "PREPARING", "CREATING"]
SERVED_WITHIN = 5  # seconds: what the product promises the next client


def scenario(phase, rundown_ms=0):
    return {**STRETCHED[phase], "machine": {"rundown_ms": rundown_ms}}


def reach(client, phase, pb, volume="S:"):
    """Brings a snapshot of the client to the phase and returns the request that is in it."""
    request = client.start_snapshot(volume)
    if phase in ("HELD", "COMPLETING"):
        reply = request.result()
        if phase == "COMPLETING":
            request = client.start(pb.FinishBackup(lease_id=reply.lease_id, outcome=pb.OUTCOME_SUCCEEDED))
            wait_for_set(client, "COMPLETING", pb)
    else:
        request.until_phase(phase)
    return request


def wait_for_set(client, phase, pb):
    value = pb.Phase.Value(f"PHASE_{phase}")
    wait_until(lambda: value in [s.phase for s in client.service_status().sets], f"a set is in phase {phase}")


def wait_at_rest(machine):
    wait_until(lambda: not machine.leftovers(), lambda: f"nothing is left: {machine.leftovers()}")


@pytest.mark.parametrize("phase", STRETCHED)
def test_client_killed(service, new_bridge, new_client, volumes, machine, pb, phase):
    machine.scenario(scenario(phase))
    bridge = new_bridge()
    reach(wire.Client(bridge.connect(service.pipe), "victim"), phase, pb)
    bridge.kill()
    wait_at_rest(machine)
    service.wait_no_requesters()
    machine.scenario({})
    survivor = new_client("survivor")
    survivor.finish(survivor.snapshot("S:"))


def test_client_killed_while_it_waits_for_the_gate(service, new_bridge, new_client, volumes, machine, pb):
    machine.scenario(scenario("CREATING"))
    holder = new_client("holder").start_snapshot("S:")
    holder.until_phase("CREATING")
    bridge = new_bridge()
    victim = wire.Client(bridge.connect(service.pipe), "victim").start_snapshot("T:")
    victim.until_phase("WAITING_FOR_GATE")
    bridge.kill()
    assert len(holder.result().volumes) == 1
    machine.scenario({})
    survivor = new_client("survivor")
    survivor.finish(survivor.snapshot("S:"))


def kill_requester(service):
    found = wait_until(service.requesters, "the requester runs")
    assert len(found) <= 2  # one that is kept ready may be among them
    for pid in found:
        wine.kill(pid)


@pytest.mark.parametrize("phase", STRETCHED)
def test_requester_killed(service, new_client, volumes, machine, pb, phase):
    machine.scenario(scenario(phase))
    victim = new_client("victim")
    request = reach(victim, phase, pb)
    machine.scenario({})
    kill_requester(service)
    began = time.monotonic()
    survivor = new_client("survivor")
    reply = survivor.snapshot("T:")
    assert time.monotonic() - began < SERVED_WITHIN
    survivor.finish(reply)
    if phase != "HELD":  # there the request had succeeded before
        status = request.status()
        assert status.code in (pb.CODE_ABORTED, pb.CODE_UNAVAILABLE, pb.CODE_INTERNAL), status
        assert status.message and status.phase == pb.Phase.Value(f"PHASE_{phase}")


def test_requester_killed_and_windows_takes_its_time(prefix, new_service, new_bridge, volumes, folder, pb):
    """COM notices a dead requester after minutes (here 20 s); until then every new set is refused. The next client is
    told what it waits for, and is served when it is over. One machine for each phase, all at the same time."""
    rundown_ms = 20000
    waiting = []
    for phase in IN_THE_GATE:
        (folder / phase).mkdir()
        machine = Machine(folder / phase)
        machine.scenario(scenario(phase, rundown_ms))
        service = services.Service(prefix, folder / phase, machine, f"rundown-{phase}-{os.getpid()}").start()
        bridge = new_bridge()
        victim = wire.Client(bridge.connect(service.pipe), "victim")
        reach(victim, phase, pb)
        wait_until(machine.creator_is_open, "the set is open")
        machine.scenario({"machine": {"rundown_ms": rundown_ms}})
        kill_requester(service)
        began = time.monotonic()
        survivor = wire.Client(bridge.connect(service.pipe), "survivor")
        waiting.append((service, machine, survivor, survivor.start_snapshot("T:"), began))
    try:
        for service, machine, survivor, request, began in waiting:
            told = request.until(lambda p: p.waiting_for == pb.WAITING_FOR_RUNDOWN, "it is told what it waits for")
            assert told.phase == pb.PHASE_WAITING_FOR_GATE
            assert machine.creator_is_open()
        for service, machine, survivor, request, began in waiting:
            reply = request.result()
            assert time.monotonic() - began >= rundown_ms / 1000 - 1
            survivor.finish(reply)
            wait_at_rest(machine)
            survivor.close()
            assert service.stop() == 0
            service.wait_no_requesters()
    finally:
        for service, *_ in waiting:
            if service.is_running():
                service.kill()


@pytest.mark.parametrize("phase", ["GATHERING", "HELD"])
def test_slow_rundown_hinders_nobody_outside_of_the_gate(service, new_client, volumes, machine, pb, phase):
    machine.scenario(scenario(phase, 20000))
    victim = new_client("victim")
    reach(victim, phase, pb)
    machine.scenario({"machine": {"rundown_ms": 20000}})
    kill_requester(service)
    survivor = new_client("survivor")
    began = time.monotonic()
    reply = survivor.snapshot("T:")
    assert time.monotonic() - began < SERVED_WITHIN
    survivor.finish(reply)
    machine.scenario({})
    survivor.finish(survivor.snapshot("T:"))  # the simulator cleans up when it is used


def test_waiter_behind_a_rundown_keeps_its_own_deadline(service, new_client, volumes, machine, pb):
    machine.scenario(scenario("PREPARING", 60000))
    reach(new_client("victim"), "PREPARING", pb)
    machine.scenario({"machine": {"rundown_ms": 60000}})
    kill_requester(service)
    status = new_client("hasty").start_snapshot("T:", timeout_ms=3000).status()
    assert status.code in (pb.CODE_UNAVAILABLE, pb.CODE_DEADLINE_EXCEEDED)
    assert status.retryable and status.retry_after_ms > 0
    machine.scenario({})
    survivor = new_client("survivor")
    survivor.finish(survivor.snapshot("T:"))


@pytest.mark.parametrize("phase", ["GATHERING", *IN_THE_GATE])
def test_service_killed_before_the_snapshots_exist(new_service, new_bridge, volumes, machine, pb, phase):
    """The requester cleans up by itself and goes; the machine is free for others."""
    service = new_service().start()
    machine.scenario(scenario(phase, 600_000))  # a requester that dies without its duties would block for long
    reach(wire.Client(new_bridge().connect(service.pipe)), phase, pb)
    service.kill()
    service.wait_no_requesters()
    wait_at_rest(machine)
    machine.scenario({})
    service.start()
    client = wire.Client(new_bridge().connect(service.pipe))
    client.finish(client.snapshot("S:"))


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
