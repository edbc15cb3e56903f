#!/usr/bin/env python3
"""Measures: `./dev bench [--runs N] [PART…]`. docs/performance.md says what, and how.

All numbers go to build/bench.json with their samples, a table with the bounds to stdout. Exit code 1: a bound is missed.
"""
import argparse
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import wine  # noqa: E402
import broker  # noqa: E402
import connections  # noqa: E402
import many  # noqa: E402
import report as reports  # noqa: E402
import snapshot  # noqa: E402
import worlds  # noqa: E402
import writers  # noqa: E402

PARTS = {
    "broker": lambda world, report, runs: broker.operations(report, runs),
    "ping": connections.round_trip,
    "counted": connections.counted,
    "idle": connections.idle,
    "snapshot": snapshot.measure,
    "writers": writers.measure,
    "overhead": many.overhead,
    "sharing": many.sharing,
    "pipeline": many.pipeline,
    "direct": many.direct_vs_service,
}


def main():
    arguments = argparse.ArgumentParser(prog="./dev bench")
    arguments.add_argument("--runs", type=int, default=5, help="of each side (5)")
    arguments.add_argument("parts", nargs="*", metavar="PART", help=f"all, or some of: {' '.join(PARTS)}")
    chosen = arguments.parse_args()
    unknown = [part for part in chosen.parts if part not in PARTS]
    if unknown:
        arguments.error(f"there is no part {' '.join(unknown)}")
    report = reports.Report()
    world = worlds.World()
    try:
        for part in chosen.parts or PARTS:
            began = time.monotonic()
            PARTS[part](world, report, chosen.runs)
            print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    finally:
        world.close()
    report.save(wine.BUILD / "bench.json")
    print(report.table())
    missed = report.missed()
    print(f"\n{'all bounds are met' if not missed else 'MISSED: ' + ' '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
