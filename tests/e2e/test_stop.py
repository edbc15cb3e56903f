"""A service that is stopped, in each phase: it refuses new work, aborts what is not yet frozen, ends with 0."""
import pytest

from harness import wire
from harness.phases import STRETCHED, reach, wait_at_rest
from harness.wine import wait_until

PHASES = ["GATHERING", "ADDING_VOLUMES", "PREPARING", "CREATING", "HELD", "COMPLETING"]


@pytest.mark.parametrize("phase", PHASES)
def test_stop_in_phase(service, new_bridge, volumes, machine, pb, phase):
    machine.scenario(STRETCHED[phase])
    client = wire.Client(new_bridge().connect(service.pipe))
    request = reach(client, phase)
    service.begin_stop()
    frames = client.connection.receive_end()
    assert service.wait() == 0
    service.wait_no_requesters()
    wait_at_rest(machine)
    assert not client.faults, frames
    if phase in ("GATHERING", "ADDING_VOLUMES", "PREPARING"):
        assert request.final is not None, "exactly one final reply"
        assert request.status().code == pb.CODE_UNAVAILABLE
        assert "Freeze" not in [e[0] for e in machine.writer_events()]
    if phase == "CREATING":
        assert request.final is not None
        heard = [e[0] for e in machine.writer_events("System Writer")]
        assert "Freeze" in heard


def test_stop_when_idle(service, new_bridge, pb):
    silent = new_bridge().connect(service.pipe)
    half = new_bridge().connect(service.pipe)
    half.write(b"\0\0")
    greeted = wire.Client(new_bridge().connect(service.pipe))
    assert service.stop() == 0
    for connection in (silent, half, greeted.connection):
        connection.receive_end()


def test_stop_with_a_queue(service, new_bridge, volumes, machine, pb):
    machine.scenario({"timing": {"freeze": 2000}})
    bridge = new_bridge()
    clients = [wire.Client(bridge.connect(service.pipe)) for _ in range(5)]
    requests = [c.start_snapshot("S:", share=pb.SHARE_NEVER) for c in clients]
    wait_until(lambda: any(p.phase == pb.PHASE_CREATING for r in requests for p in r.progress), "one is being created")
    service.begin_stop()
    finals = [r.wait() for r in requests]
    waiting = [f for f in finals if isinstance(f, pb.Status)]
    assert len(waiting) >= 4 and {s.code for s in waiting} == {pb.CODE_UNAVAILABLE}
    assert service.wait() == 0


def test_stop_with_a_reader_that_does_not_read(service, new_bridge, pb):
    bridge = new_bridge()
    connection = bridge.connect(service.pipe)
    connection.send(wire.envelope(1, pb.Hello(major=1, client_name="deaf")))
    assert connection.receive()
    connection.pause()
    ping = wire.frame(wire.envelope(2, pb.Ping(payload=b"p" * 1000)).SerializeToString())
    connection.write(ping * 3000)
    assert service.stop() == 0


def test_restart_on_the_same_name(new_service, new_bridge, volumes, pb):
    service = new_service().start()
    boots = []
    for _ in range(3):
        client = wire.Client(new_bridge().connect(service.pipe))
        boots.append(client.hello.boot_id)
        client.finish(client.snapshot("S:"))
        client.close()
        assert service.stop() == 0
        service.start()
    assert len(set(boots)) == 3
