#!/usr/bin/env python3
"""How long things take through the service when VSS answers at once: `./dev bench [RUNS]`.

A snapshot: the simulator has no delays and the volume is small, so what is left is the product's own time (and Wine's):
a frame in, a requester process started, some twenty COM calls forwarded one by one, a frame out. A long list of writers:
writers.py. What was measured also goes to build/bench.json.
"""
import json
import pathlib
import shutil
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import service as services  # noqa: E402
from harness import simulator, wine, wire  # noqa: E402
import writers  # noqa: E402

GOAL_MS = 250
FOLDER = wine.BUILD / "bench"


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    shutil.rmtree(FOLDER, ignore_errors=True)
    volume = FOLDER / "volume"
    volume.mkdir(parents=True)
    for number in range(10):
        (volume / f"file {number}.txt").write_text("a small file\n")
    pb = wire.generate(FOLDER / "python")
    prefix = wine.Prefix(wine.BUILD / "wine-bench")
    prefix.create()
    prefix.start()
    try:
        prefix.map_drive("S", volume)
        machine = simulator.Machine(FOLDER)
        service = services.Service(prefix, FOLDER, machine, "bench").start()
        bridge = wire.Bridge(prefix)
        client = services.new_client(bridge, service, "bench")
        results = [measure(client, pb) for _ in range(runs + 1)][1:]  # the first one fills the caches
        status = [measure_ping(client, pb) for _ in range(200)]
        lists = writers.measure(bridge, service, client, machine, max(5, runs // 3))
        client.close()
        bridge.close()
        assert service.stop() == 0, service.output()
    finally:
        prefix.stop()
        shutil.rmtree(prefix.path, ignore_errors=True)
    save({"snapshot": ("ms", [r[0] for r in results]), "ping": ("ms", status), **lists})
    good = show(results, status, runs)
    return 0 if show_lists(lists) and good else 1


def save(measured):
    values = {name: {"value": statistics.median(samples), "unit": unit, "samples": samples}
              for name, (unit, samples) in measured.items()}
    (wine.BUILD / "bench.json").write_text(json.dumps(values, indent=1) + "\n")


def measure(client, pb):
    """Milliseconds: as the client sees it, as the service counts it, and by phase."""
    began = time.monotonic()
    reply = client.snapshot("S:")
    wall = (time.monotonic() - began) * 1000
    phases = {pb.Phase.Name(p.phase).removeprefix("PHASE_"): p.duration_ms for p in reply.phases}
    inside = max(p.start_ms + p.duration_ms for p in reply.phases)
    began = time.monotonic()
    client.finish(reply)
    return wall, inside, phases, (time.monotonic() - began) * 1000


def measure_ping(client, pb):
    began = time.monotonic()
    client.call(pb.Ping())
    return (time.monotonic() - began) * 1000


def show(results, pings, runs):
    wall = sorted(r[0] for r in results)
    print(f"snapshot of one small volume, VSS simulated and without delays, {runs} runs under Wine\n")
    row("client: request to reply", wall)
    row("service: the phases in all", sorted(r[1] for r in results))
    for phase in results[0][2]:
        row(f"    {phase.lower().replace('_', ' ')}", sorted(r[2].get(phase, 0) for r in results))
    row("client: finish, BackupComplete", sorted(r[3] for r in results))
    row("client: ping (the test's own overhead)", sorted(pings))
    return judge(statistics.median(wall), GOAL_MS)


def show_lists(lists):
    print(f"\nlist of {writers.WRITERS} writers with {writers.COMPONENTS} components each\n")
    row("client: request to last reply, asked anew", sorted(lists["list_writers_200x50"][1]))
    row("client: the same from the cache", sorted(lists["list_writers_200x50_cached"][1]))
    for name, (unit, samples) in lists.items():
        if unit != "ms":
            print(f"  {name:42}        {statistics.median(samples):14.0f} {unit}")
    stalls, growth = (lists[name][1][0] for name in ("list_writers_slow_events", "list_writers_1000_memory_growth"))
    good = judge(statistics.median(lists["list_writers_200x50"][1]), writers.GOAL_MS)
    for what, met in (("loop held up for more than 5 ms by them: never", stalls == 0),
                      (f"memory over {writers.KEPT_CALLS} lists: flat", growth < writers.GOAL_GROWTH_BYTES)):
        print(f"{what}: {'met' if met else 'MISSED'}")
        good = good and met
    return good


def judge(median, goal):
    good = median < goal
    print(f"\nmedian {median:.0f} ms, goal below {goal} ms: {'met' if good else 'MISSED'}")
    return good


def row(name, values):
    worst = values[min(len(values) - 1, int(len(values) * 0.9))]
    print(f"  {name:42} median {statistics.median(values):7.1f} ms   90 % {worst:7.1f} ms")


if __name__ == "__main__":
    sys.exit(main())
