"""What a connection costs: the round trip of a Ping, what the service does for one, and the memory of an idle one."""
import os
import struct
import subprocess

from harness import wine
from harness.wine import windows_path
from worlds import COUNTED_EXE, FOLDER, PROGRAMS, Told, counters

BLOCK_PINGS = 200
BLOCKS_A_RUN = 12
COUNTED_PINGS = 2000
IDLE = 500
CONNECTIONS_LIMIT = IDLE + 50


def start_echo(world, kind):
    pipe = rf"\\.\pipe\shadowpipe-bench-{kind}-{os.getpid()}-{len(os.listdir('/proc'))}"
    process = world.popen("echo.exe", kind, pipe, stdout=subprocess.PIPE)
    assert process.stdout.readline().strip() == b"ready"
    return pipe, process


def round_trip(world, report, runs):
    """A run has an echo server and a client of its own, because the luck of a process's start lasts as long as it."""
    ratios, blocking_ratios, pings, echoes = [], [], [], []
    with world.service({}) as service:
        world.rest()
        for _ in range(runs):
            port, port_process = start_echo(world, "port")
            blocking, blocking_process = start_echo(world, "blocking")
            done = world.prefix.run([PROGRAMS / "clients.exe", "compare", BLOCKS_A_RUN, BLOCK_PINGS, service.pipe, port,
                                     blocking])
            assert done.returncode == 0, done
            for line in done.stdout.split("\n")[:-1]:
                ping, echo, blocking_echo = map(float, line.split())
                ratios.append(ping / echo)
                blocking_ratios.append(ping / blocking_echo)
                pings.append(ping)
                echoes.append(echo)
            for process in (port_process, blocking_process):
                assert process.wait(wine.LIMIT) == 0
    report.add("ping_ratio", "ratio", ratios, ("≤", 1.3))
    report.add("ping_ratio_blocking", "ratio", blocking_ratios)
    report.add("ping_p50", "us", pings)
    report.add("ping_echo_p50", "us", echoes)


class Counts:
    """What counted.c has counted."""

    def __init__(self, path):
        self._path = path

    def read(self):
        """(allocations, operations on files and pipes)"""
        allocations, operations, patched = struct.unpack("<3q", self._path.read_bytes())
        assert patched > 0
        return allocations, operations


def counted(world, report, runs):
    """The service itself, with an eye on what it asks of the system."""
    path = FOLDER / "counts"
    path.write_bytes(bytes(24))
    allocations, operations = [], []
    environment = {"SHADOWPIPE_COUNTS": windows_path(path)}
    with world.service({}, program=COUNTED_EXE, environment=environment) as service:
        counts = Counts(path)
        before = counts.read()
        pinger = Told(world, "clients.exe", "ping", service.pipe)
        after = counts.read()
        assert after[0] > before[0] and after[1] > before[1], "a new connection costs something: it must be seen"
        pinger.tell(COUNTED_PINGS)  # whatever grows once has grown
        for _ in range(runs):
            before = counts.read()
            pinger.tell(COUNTED_PINGS)
            after = counts.read()
            allocations.append((after[0] - before[0]) / COUNTED_PINGS)
            operations.append((after[1] - before[1]) / COUNTED_PINGS)
        pinger.close()
    report.add("ping_alloc", "per Ping", allocations, ("≤", 0))
    report.add("ping_io", "per Ping", operations, ("≤", 4))


def idle(world, report, runs):
    """Each time a fresh service: one that has had the connections before has the memory too."""
    samples = []
    world.prefix.set_registry(wine.PRODUCT_KEY, "MaxConnections", CONNECTIONS_LIMIT)
    for _ in range(runs):
        with world.service({}) as service:
            world.rest()
            client = world.client(service)
            idlers = Told(world, "clients.exe", "idle", service.pipe)
            idlers.tell(1)
            before = counters(client)
            idlers.tell(IDLE + 1)
            after = counters(client)
            assert after["connections"] - before["connections"] == IDLE
            samples.append((after["memory_bytes"] - before["memory_bytes"]) / IDLE)
            idlers.close()
            client.close()
    world.prefix.delete_registry(wine.PRODUCT_KEY)
    report.add("idle_client_bytes", "bytes", samples, ("≤", 8192))
