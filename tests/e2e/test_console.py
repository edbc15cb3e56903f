"""shadowpiped at a prompt, as a developer starts it."""
from harness import wire


def test_simulate_finds_the_simulator_of_the_build(new_service, bridge, volumes):
    service = new_service().start("--simulate", library=None)
    assert service.is_running(), service.output()
    client = wire.Client(bridge.connect(service.pipe))
    reply = client.snapshot("S:")
    assert reply.simulated
    client.finish(reply)
