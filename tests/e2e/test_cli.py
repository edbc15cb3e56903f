"""The commands that show what there is, and `snapshot`; `run` has a file of its own."""
import json
import re
import signal
import subprocess

import pytest

from harness import service as services
from harness import simulator, wine
from harness.wine import wait_until


def test_status(run):
    done = run("status")
    assert done.returncode == 0, done.stderr
    assert "simulat" in done.stdout.lower(), "nobody takes the simulator for the real thing"
    shown = json.loads(run("status", "--json").stdout)
    assert shown["simulated"] is True and shown["connections"] == 1


def test_writers(run):
    done = run("writers")
    assert done.returncode == 0, done.stderr
    for name in simulator.WRITERS:
        assert name in done.stdout
    shown = json.loads(run("writers", "--json").stdout)
    names = [w["status"]["name"] if "status" in w else w["name"] for w in shown["writers"]]
    assert sorted(names) == sorted(simulator.WRITERS)


def test_failed_writer_is_shown_as_such(run, machine, client, volumes):
    machine.scenario({"writer:WMI Writer": {"absent": 1}})
    shown = run("writers", "--json").stdout
    assert "WMI Writer" not in shown and "System Writer" in shown


def test_volumes(run, volumes):
    done = run("volumes")
    assert done.returncode == 0, done.stderr
    for letter in "STU":
        assert f"{letter}:\\" in done.stdout
    shown = json.loads(run("volumes", "--json").stdout)["volumes"]
    mine = next(v for v in shown if "S:\\" in v["names"])
    assert mine["supported"] is True and mine["guidPath"].startswith("\\\\?\\Volume{")


def test_providers(run):
    done = run("providers")
    assert done.returncode == 0, done.stderr
    shown = json.loads(run("providers", "--json").stdout)["providers"]
    assert [p["providerId"] for p in shown] == ["b5946137-7b9f-4925-af80-51abd60b20d5"]


def test_lists_are_asked_for_once_and_then_remembered(client, machine, pb):
    """Each Identify reaches every writer of the machine."""
    for _ in range(5):
        request = client.start(pb.ListWriters())
        reply = request.result()
        assert reply.count == len(request.streamed) == len(simulator.WRITERS)
    assert [e[0] for e in machine.writer_events("System Writer")].count("Identify") == 1
    client.call(pb.ListWriters(refresh=True))
    assert [e[0] for e in machine.writer_events("System Writer")].count("Identify") == 2


def test_list_of_one_writer_with_its_components(client, pb):
    request = client.start(pb.ListWriters(writer="System Writer", with_components=True))
    assert request.result().count == 1
    writer = request.streamed[0]
    assert writer.status.name == "System Writer" and writer.components and writer.status.components


@pytest.mark.parametrize("arguments", [["frobnicate"], ["snapshot"], ["snapshot", "--frobnicate"], ["run", "-v", "S:"],
                                       ["run", "--", "cmd"], ["status", "--timeout", "soon"]])
def test_wrong_usage_is_2(run, arguments):
    done = run(*arguments)
    expected = (2,) if arguments[0] != "run" else range(120, 127)
    assert done.returncode in expected, done.stderr
    assert done.stderr


@pytest.mark.parametrize("arguments", [["snapshot", "--json"], ["snapshot", "--frobnicate", "--json"]])
def test_wrong_usage_as_json(run, arguments):
    done = run(*arguments)
    assert done.returncode == 2 and json.loads(done.stdout)["error"]["code"] == "CODE_INVALID_ARGUMENT"


def test_help(run):
    done = run("--help")
    assert done.returncode == 0
    for command in ("status", "writers", "volumes", "providers", "snapshot", "run"):
        assert command in done.stdout
        assert run(command, "--help").returncode == 0


def device_in(text):
    found = re.search(r"\\\\\?\\Z:\\\S*copies\\\d+", text)
    return found and found.group()


def start_snapshot(prefix, service, *arguments):
    process = services.start_client(prefix, service, "snapshot", "-v", "S:", *arguments, stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    text = ""
    while not device_in(text):
        line = process.stdout.readline().decode()
        assert line, f"no device path: {text}"
        text += line
    return process


def test_snapshot_is_held_until_enter(prefix, service, volumes, machine):
    process = start_snapshot(prefix, service)
    assert len(machine.copies()) == 1
    process.communicate(b"\r\n", timeout=wine.LIMIT)
    assert process.returncode == 0
    assert "BackupComplete" in [e[0] for e in machine.writer_events()]
    wait_until(lambda: not machine.copies(), "the copy goes")


def test_snapshot_is_held_until_ctrl_c(prefix, service, volumes, machine):
    process = start_snapshot(prefix, service)
    process.send_signal(signal.SIGINT)
    process.wait(wine.LIMIT)
    process.communicate()
    wait_until(lambda: not machine.copies(), "the copy goes")
    wait_until(lambda: not machine.objects(), "the VSS object is released")


def test_snapshot_is_held_for_a_time(run, volumes, machine):
    done = run("snapshot", "-v", "S:", "-v", "T:", "--hold", "1s")
    assert done.returncode == 0, done.stderr
    assert device_in(done.stdout)
    assert [e[0] for e in machine.writer_events("System Writer")].count("BackupComplete") == 1


def test_snapshot_as_json(run, volumes):
    done = run("snapshot", "-v", "S:", "--hold", "0", "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[0]) if done.stdout.count("\n") > 1 and \
        done.stdout.startswith("{\"") else json.loads(done.stdout)
    assert shown["volumes"][0]["volumeNames"] == ["S:\\"] and device_in(shown["volumes"][0]["device"])
    assert shown["consistency"] == "CONSISTENCY_APPLICATION"


def test_vss_failure_is_5_and_tells_all(run, volumes, machine):
    machine.scenario({"method:DoSnapshotSet": {"async_result": "0x8004231f"}})
    done = run("snapshot", "-v", "S:", "--hold", "0")
    assert done.returncode == 5
    assert "VSS_E_INSUFFICIENT_STORAGE" in done.stderr
    shown = run("snapshot", "-v", "S:", "--hold", "0", "--json")
    assert shown.returncode == 5
    assert "VSS_E_INSUFFICIENT_STORAGE" in shown.stdout + shown.stderr


def test_failed_writer_is_named(run, volumes, machine):
    machine.scenario({"writer:WMI Writer": {"fail_at": "freeze"}})
    done = run("snapshot", "-v", "S:", "--hold", "0")
    assert done.returncode == 5 and "WMI Writer" in done.stderr


def test_deadline_is_6(run, volumes, machine):
    machine.scenario({"timing": {"identify": 30000}})
    done = run("snapshot", "-v", "S:", "--hold", "0", "--timeout", "1s")
    assert done.returncode == 6, done.stderr
