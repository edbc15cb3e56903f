"""Several clients at once: one set is created at a time, everybody is served."""
from harness import wire


def test_ten_clients_at_once(service, new_client, volumes, machine, pb):
    """All succeed, each with a snapshot set of its own, never two in the gate, in the order in which they came."""
    machine.scenario({"timing": {"freeze": 100}})
    clients = [new_client(f"client {i}") for i in range(10)]
    requests = []
    for number, client in enumerate(clients):
        requests.append(client.start_snapshot("STU"[number % 3] + ":", share=pb.SHARE_NEVER))
        # The next one comes when this one has been taken in: "in order" needs an order.
        requests[-1].until(lambda p: True, "the request is in the queue")
    replies = [r.result() for r in requests]
    assert len({r.set_id for r in replies}) == 10
    assert [r.created_ms for r in replies] == sorted(r.created_ms for r in replies)
    told = [p.queue_position for p in requests[-1].progress]
    assert max(told) >= 2 and min(told) == 0
    for client, reply in zip(clients, replies):
        assert client.finish(reply).completion == pb.COMPLETION_COMPLETED
    assert one_creator_at_a_time(machine) == 10


def one_creator_at_a_time(machine):
    states = [e[4] for e in machine.events() if e[3] == "creator"]
    assert states[::2] == ["open"] * (len(states) // 2) and states[1::2] == ["closed"] * (len(states) // 2), states
    return len(states) // 2


def test_clients_that_come_at_the_same_moment(service, new_client, volumes, machine, pb):
    clients = [new_client(f"client {i}") for i in range(6)]
    requests = [client.start_snapshot("S:") for client in clients]
    for client, request in zip(clients, requests):
        client.finish(request.result())
    assert one_creator_at_a_time(machine) >= 1


def test_many_requests_on_one_connection(client, volumes, machine, pb):
    requests = [client.start_snapshot("S:") for _ in range(4)]
    replies = [r.result() for r in requests]
    assert len({r.lease_id for r in replies}) == 4
    for reply in replies:
        client.finish(reply)


def test_at_most_one_set_gathers_ahead_of_the_gate(service, new_client, volumes, machine, pb):
    """Ten waiting requests must not mean ten processes."""
    machine.scenario({"timing": {"freeze": 1500}})
    clients = [new_client() for _ in range(8)]
    requests = [c.start_snapshot("S:", share=pb.SHARE_NEVER) for c in clients]
    requests[0].until_phase("CREATING")
    assert clients[0].service_status().requesters <= 3
    machine.scenario({})
    for client, request in zip(clients, requests):
        client.finish(request.result())


def test_queue_timeout_ends_only_the_wait(service, new_client, volumes, machine, pb):
    machine.scenario({"timing": {"freeze": 4000}})
    first, second = new_client(), new_client()
    holder = first.start_snapshot("S:", share=pb.SHARE_NEVER)
    holder.until_phase("CREATING")
    status = second.start_snapshot("T:", share=pb.SHARE_NEVER, queue_timeout_ms=500).status()
    assert status.code in (pb.CODE_UNAVAILABLE, pb.CODE_DEADLINE_EXCEEDED) and status.retryable
    first.finish(holder.result())


def test_status_tells_who_holds_the_gate(service, new_client, volumes, machine, pb):
    machine.scenario({"timing": {"prepare": 3000}})
    holder, watcher = new_client("the holder"), new_client("watcher")
    request = holder.start_snapshot("S:", purpose="to be seen")
    request.until_phase("PREPARING")
    status = watcher.service_status()
    assert status.gate_holder == "the holder" and status.gate_phase == pb.PHASE_PREPARING
    shown = [s for s in status.sets if s.phase == pb.PHASE_PREPARING]
    assert len(shown) == 1 and shown[0].requester_pid and shown[0].members[0].purpose == "to be seen"
    assert status.simulated and status.vss_library.endswith("shadowsim.dll") and status.requesters >= 1
    machine.scenario({})
    holder.finish(request.result())


def test_foreign_creator_is_waited_for(service, new_client, new_service, new_bridge, volumes, machine, pb):
    """A program outside of this service (here: another service on the same machine) creates a set."""
    machine.scenario({"timing": {"prepare": 4000}})
    other = new_service().start()
    foreign = wire.Client(new_bridge().connect(other.pipe), "foreign")
    holder = foreign.start_snapshot("S:")
    holder.until_phase("PREPARING")
    machine.scenario({})
    client = new_client()
    request = client.start_snapshot("T:")
    request.until(lambda p: p.waiting_for == pb.WAITING_FOR_FOREIGN_PROGRAM, "it is told what it waits for")
    client.finish(request.result())
    foreign.finish(holder.result())
