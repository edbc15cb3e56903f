"""Requests for the same kind of snapshot share one set; each sees its own volumes, and its own troubles."""


def test_sixteen_at_once(service, new_client, volumes, machine, pb):
    machine.scenario({"timing": {"freeze": 300}})
    clients = [new_client(f"client {i}") for i in range(16)]
    requests = [client.start_snapshot("S:") for client in clients]
    replies = [request.result() for request in requests]
    sets = {reply.set_id for reply in replies}
    assert len(sets) <= 2, sets
    assert len({reply.lease_id for reply in replies}) == 16
    completions = [client.finish(reply).completion for client, reply in zip(clients, replies)]
    assert completions.count(pb.COMPLETION_PENDING) == 16 - len(sets)
    assert completions.count(pb.COMPLETION_COMPLETED) == len(sets)


def behind_another(new_client, machine, pb):
    """One that holds the turn for a while, so that those who come now wait together."""
    machine.scenario({"timing": {"freeze": 1500}})
    first = new_client("first")
    request = first.start_snapshot("U:", share=pb.SHARE_NEVER)
    request.until_phase("CREATING")
    return first, request


def test_each_sees_its_own_volumes(service, new_client, volumes, machine, pb):
    first, holding = behind_another(new_client, machine, pb)
    clients = [new_client(letter) for letter in "ST"]
    requests = [client.start_snapshot(client_volume) for client, client_volume in zip(clients, ("S:", "T:"))]
    first.finish(holding.result())
    replies = [request.result() for request in requests]
    assert replies[0].set_id == replies[1].set_id and all(reply.shared for reply in replies)
    assert [[list(v.volume_names) for v in reply.volumes] for reply in replies] == [[["S:\\"]], [["T:\\"]]]
    for client, reply in zip(clients, replies):
        client.finish(reply)


def test_a_volume_that_cannot_be_copied_is_one_members_trouble(service, new_client, volumes, machine, pb):
    machine.scenario({"timing": {"freeze": 1500}, "volumes": {"unsupported": "T:\\"}})
    first = new_client("first")
    holding = first.start_snapshot("U:", share=pb.SHARE_NEVER)
    holding.until_phase("CREATING")
    good, bad = new_client("good"), new_client("bad")
    requests = [good.start_snapshot("S:"), bad.start_snapshot("T:")]
    assert requests[1].status().reason == "VOLUME_NOT_SUPPORTED"
    first.finish(holding.result())
    good.finish(requests[0].result())


def test_a_snapshot_that_exists_serves_who_accepts_its_age(service, new_client, volumes, machine, pb):
    one, two, three = new_client("one"), new_client("two"), new_client("three")
    first = one.snapshot("S:")
    second = two.snapshot("S:", max_age_ms=3600 * 1000)
    third = three.snapshot("S:")
    assert first.set_id == second.set_id and third.set_id != first.set_id
    one.finish(first)
    assert machine.copies(), "the second one still reads"
    two.finish(second)
    three.finish(third)
