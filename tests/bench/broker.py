"""The broker alone, natively: see broker_ops.c."""
import subprocess

from worlds import BROKER_OPS

SECONDS = 1


def operations(report, runs):
    done = subprocess.run(["taskset", "-c", "0", BROKER_OPS, str(SECONDS), str(runs)], stdout=subprocess.PIPE, check=True,
                          encoding="ascii")
    report.add("broker_ops", "1/s", [float(line) for line in done.stdout.split()], ("≥", 300_000))
