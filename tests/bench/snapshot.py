"""One snapshot when VSS answers at once: what is left is the product's own time, and Wine's.

The simulator has no delays and the volume is small: a frame in, some twenty COM calls forwarded one by one, a frame out;
and, right after another snapshot, the start of a requester process.
"""
import time

GOAL_MS = 250
PINGS = 200


def measure(world, report, runs):
    rested, at_once, finishes = [], [], []
    with world.service({}) as service:
        client = world.client(service)
        one(world, client)  # fills the caches
        for _ in range(2 * runs):
            world.rest()
            for results in (rested, at_once):
                result, finish = one(world, client)
                results.append(result)
                finishes.append(finish)
        pings = [timed(lambda: client.call(world.pb.Ping()))[0] for _ in range(PINGS)]
        client.close()
    report.add("snapshot", "ms", [result["wall"] for result in rested], ("<", GOAL_MS))
    for name in rested[0]:
        if name != "wall":
            report.add(f"snapshot_{name}", "ms", [result[name] for result in rested])
    report.add("snapshot_at_once", "ms", [result["wall"] for result in at_once])
    report.add("snapshot_at_once_starting", "ms", [result["starting"] for result in at_once])
    report.add("finish", "ms", finishes)
    report.add("ping", "ms", pings)  # the way through the test's bridge into Wine, for comparison


def one(world, client):
    """The milliseconds of a snapshot: as the client sees it, and by phase; and of its end."""
    wall, reply = timed(lambda: client.snapshot("S:"))
    finish, _ = timed(lambda: client.finish(reply))
    phases = {world.pb.Phase.Name(p.phase).removeprefix("PHASE_").lower(): p.duration_ms for p in reply.phases}
    return {"wall": wall, **phases}, finish


def timed(call):
    began = time.monotonic()
    result = call()
    return (time.monotonic() - began) * 1000, result
