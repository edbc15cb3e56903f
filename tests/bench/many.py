"""Many clients at once: what sharing, the queue, and gathering ahead of one's turn are worth."""
import time

from harness import wine
from harness.wine import windows_path
from worlds import ONE_SECOND, counters

CLIENTS = 64
SETS = 8
PROGRAMS = 16
GIVE_UP_S = 120


def timed(requests):
    """All are sent, then all replies awaited. (replies, milliseconds)"""
    began = time.monotonic()
    open_requests = [start() for start in requests]
    replies = [request.result() for request in open_requests]
    return replies, (time.monotonic() - began) * 1000


def finish(clients, replies):
    for client, reply in zip(clients, replies):
        client.finish(reply)


def sharing(world, report, runs):
    """64 clients want the same volume: against one client, in each run."""
    cycles, ratios, alone_ms = [], [], []
    with world.service(ONE_SECOND) as service:
        clients = [world.client(service) for _ in range(CLIENTS)]
        for _ in range(runs):
            world.rest()
            replies, alone = timed([lambda: clients[0].start_snapshot("S:")])
            finish(clients, replies)
            world.rest()
            replies, together = timed([lambda c=c: c.start_snapshot("S:") for c in clients])
            finish(clients, replies)
            cycles.append(len({r.set_id for r in replies}))
            ratios.append(together / alone)
            alone_ms.append(alone)
        for client in clients:
            client.close()
    report.add("share_cycles_64", "sets", cycles, ("≤", 2))
    report.add("share_wall_64", "ratio", ratios, ("≤", 2.3))
    report.add("share_alone", "ms", alone_ms)


def pipeline(world, report, runs):
    """Eight sets of which none may be shared: the whole against what VSS cannot do at the same time."""
    ratios, walls = [], []
    with world.service(ONE_SECOND) as service:
        clients = [world.client(service) for _ in range(SETS)]
        for _ in range(runs):
            world.rest()
            before = counters(clients[0])
            replies, wall = timed([lambda c=c: c.start_snapshot("S:", share=world.pb.SHARE_NEVER) for c in clients])
            after = counters(clients[0])
            finish(clients, replies)
            assert len({r.set_id for r in replies}) == SETS == after["gate_holds"] - before["gate_holds"]
            ratios.append(wall / (after["gate_hold_ms"] - before["gate_hold_ms"]))
            walls.append(wall)
        for client in clients:
            client.close()
    report.add("pipeline_8", "ratio", ratios, ("≤", 1.15))
    report.add("pipeline_8_wall", "ms", walls)


def direct_and_service(world, count, service):
    """The same programs' errand, without and with the service: ([(exit code, ms)], ms of all) of each."""
    direct = world.race(count, "direct.exe", windows_path(wine.SIMULATOR_DLL), "S:", GIVE_UP_S)
    world.rest()
    through = world.race(count, "through_service.exe", "S:", environment={"SHADOWPIPE_PIPE": service.pipe})
    return direct, through


def failures(results):
    return sum(code != 0 for code, _ in results)


def direct_vs_service(world, report, runs):
    """16 programs that know nothing of each other."""
    ratios, failed_direct, failed_service, walls_direct, walls_service = [], [], [], [], []
    with world.service(ONE_SECOND) as service:
        world.rest()
        for _ in range(runs):
            (direct, direct_ms), (through, through_ms) = direct_and_service(world, PROGRAMS, service)
            failed_direct.append(failures(direct))
            failed_service.append(failures(through))
            walls_direct.append(direct_ms)
            walls_service.append(through_ms)
            ratios.append(through_ms / direct_ms)
    name = "direct_vs_service_16"
    report.add(f"{name}_wall_ratio", "ratio", ratios)
    report.add(f"{name}_failures_direct", "programs", failed_direct)
    report.add(f"{name}_failures_service", "programs", failed_service, ("≤", 0))
    report.add(f"{name}_wall_direct", "ms", walls_direct)
    report.add(f"{name}_wall_service", "ms", walls_service)


def overhead(world, report, runs):
    """One program, one snapshot."""
    ratios, direct_ms, service_ms = [], [], []
    with world.service(ONE_SECOND) as service:
        world.rest()
        direct_and_service(world, 1, service)  # fills the caches
        for _ in range(2 * runs):
            world.rest()
            (direct, _), (through, _) = direct_and_service(world, 1, service)
            assert failures(direct) == failures(through) == 0
            direct_ms.append(direct[0][1])
            service_ms.append(through[0][1])
            ratios.append(service_ms[-1] / direct_ms[-1])
    report.add("overhead_single", "ratio", ratios, ("≤", 1.05))
    report.add("overhead_single_direct", "ms", direct_ms)
    report.add("overhead_single_service", "ms", service_ms)
