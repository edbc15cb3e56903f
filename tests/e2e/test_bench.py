"""The programs of the benchmark do what they are said to, with numbers so small that they measure nothing."""
import struct
import subprocess

import pytest

from harness import wine
from harness.wine import LIMIT, wait_until, windows_path

PROGRAMS = wine.WIN64 / "tests" / "bench"


@pytest.fixture
def bench(prefix, machine):
    def run(program, *arguments, **environment):
        done = prefix.run([PROGRAMS / program, *arguments], environment={**machine.environment, **environment})
        assert done.returncode == 0, done
        return [line.split() for line in done.stdout.splitlines()]
    return run


def test_a_race_of_both_ways_to_a_snapshot(bench, service, volumes, machine):
    direct = bench("race.exe", 1, windows_path(PROGRAMS / "direct.exe"), windows_path(wine.SIMULATOR_DLL), "S:")
    through = bench("race.exe", 2, windows_path(PROGRAMS / "through_service.exe"), "S:", SHADOWPIPE_PIPE=service.pipe)
    assert [line[0] for line in direct] == ["0", "all"] and [line[0] for line in through] == ["0", "0", "all"]
    assert len([e for e in machine.events() if e[3:5] == ["copy", "created"]]) == 3
    assert len([e for e in machine.writer_events("System Writer") if e[0] == "BackupComplete"]) == 3


def test_a_program_that_never_has_its_turn_says_so(bench, service, volumes, machine):
    machine.scenario({"method:StartSnapshotSet": {"result": "0x80042316"}})
    direct = bench("race.exe", 1, windows_path(PROGRAMS / "direct.exe"), windows_path(wine.SIMULATOR_DLL), "S:", 0)
    assert direct[0][0] == "2"


def test_round_trips_to_the_service_and_to_echoes(bench, prefix, service):
    pipes, echoes = [], []
    for kind in ("port", "blocking"):
        pipes.append(rf"{service.pipe}-{kind}")
        echoes.append(prefix.popen([PROGRAMS / "echo.exe", kind, pipes[-1]], stdout=subprocess.PIPE))
        assert echoes[-1].stdout.readline().strip() == b"ready"
    blocks = bench("clients.exe", "compare", 2, 3, service.pipe, *pipes)
    assert [len(block) for block in blocks] == [3, 3] and all(float(us) > 0 for block in blocks for us in block)
    assert [echo.wait(LIMIT) for echo in echoes] == [0, 0]


def test_what_the_service_does_for_a_ping_is_counted(prefix, new_service, folder):
    counts = folder / "counts"
    counts.write_bytes(bytes(24))
    service = new_service().start(program=PROGRAMS / "shadowpiped_counted.exe",
                                  environment={"SHADOWPIPE_COUNTS": windows_path(counts)})
    client = prefix.popen([PROGRAMS / "clients.exe", "ping", service.pipe], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          bufsize=0)
    assert client.stdout.readline().strip() == b"ready"
    allocations, operations, patched = struct.unpack("<3q", counts.read_bytes())
    assert allocations > 0 and operations > 0 and patched > 0
    client.stdin.write(b"5\n")
    assert client.stdout.readline().strip() == b"ready"
    # One to read and one to write for each at least.
    wait_until(lambda: struct.unpack("<3q", counts.read_bytes())[1] >= operations + 10, "ten operations more")
    client.stdin.close()
    assert client.wait(LIMIT) == 0


def test_idle_clients_are_counted_by_the_service(prefix, service, client):
    idle = prefix.popen([PROGRAMS / "clients.exe", "idle", service.pipe], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        bufsize=0)
    assert idle.stdout.readline().strip() == b"ready"
    before = client.service_status().connections
    idle.stdin.write(b"3\n")
    assert idle.stdout.readline().strip() == b"ready"
    assert client.service_status().connections == before + 3
    idle.stdin.close()
    assert idle.wait(LIMIT) == 0
