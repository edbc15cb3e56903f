"""--before-freeze and --after-thaw: commands around the freeze, and that the second is run whatever becomes of it."""
import signal
import subprocess

import pytest

from harness import wine
from harness.service import run_client, start_client
from harness.wine import wait_until, windows_path

HELPER = str(wine.HELPER_EXE)
FREEZE_FAILS = {"method:DoSnapshotSet": {"async_result": "0x8004231f"}}
SLOW_FREEZE = {"timing": {"freeze": 20_000}}


def variables(report):
    return dict(line.split(" ", 1)[1].split("=", 1) for line in report.splitlines() if line.startswith("variable "))


class Hooks:
    """Two commands that write down what had happened when they ran, and what they were told."""

    def __init__(self, folder, machine):
        self.folder = folder
        self.log = windows_path(machine.store / "events.log")

    def command(self, name, then=""):
        base = windows_path(self.folder / name)
        return f"copy {self.log} {base}.log >nul & echo ran>>{base}.count & {HELPER} report 0 >{base}.vars{then}"

    def options(self, before="", after=""):
        return ["--before-freeze", self.command("before", before), "--after-thaw", self.command("after", after)]

    def runs(self, name):
        count = self.folder / f"{name}.count"
        return len(count.read_text().split()) if count.exists() else 0

    def had_happened(self, name):
        lines = (self.folder / f"{name}.log").read_text("utf-8", "replace").splitlines()
        return {line.split("\t")[4] for line in lines if line.split("\t")[3:4] == ["writer"]}

    def variables(self, name):
        return variables((self.folder / f"{name}.vars").read_text("utf-8", "replace"))

    def wait_for(self, name):
        report = self.folder / f"{name}.vars"
        wait_until(lambda: report.exists() and "SHADOWPIPE_HOOK" in report.read_text("utf-8", "replace"),
                   f"the command {name} runs")
        assert self.runs(name) == 1


@pytest.fixture
def hooks(folder, machine):
    return Hooks(folder, machine)


def waiting(folder):
    """Behind a command: it does not end by itself."""
    return f" & {HELPER} wait {windows_path(folder / 'never')}"


def start(prefix, service, hooks, before="", *more):
    return start_client(prefix, service, "snapshot", "-v", "S:", *hooks.options(before), *more,
                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_order_and_environment(run, volumes, hooks):
    done = run("run", "--name", "nightly", "-v", "S:", *hooks.options(" & echo heard"), "--", HELPER, "report", "0")
    assert done.returncode == 0, done.stderr
    assert "heard" in done.stderr and "heard" not in done.stdout
    before, after = hooks.variables("before"), hooks.variables("after")
    assert "PrepareBackup" in hooks.had_happened("before") and "Freeze" not in hooks.had_happened("before")
    assert {"Freeze", "Thaw"} <= hooks.had_happened("after")
    assert "BackupComplete" not in hooks.had_happened("after")
    assert before["SHADOWPIPE_HOOK"] == "before-freeze" and after["SHADOWPIPE_HOOK"] == "after-thaw"
    assert before["SHADOWPIPE_NAME"] == after["SHADOWPIPE_NAME"] == "nightly"
    assert "SHADOWPIPE_OUTCOME" not in before and after["SHADOWPIPE_OUTCOME"] == "created"
    told = variables(done.stdout)
    assert after["SHADOWPIPE_S"] == told["SHADOWPIPE_S"] and "SHADOWPIPE_HOOK" not in told
    assert hooks.runs("before") == hooks.runs("after") == 1


def test_a_command_that_fails_stops_the_snapshot(run, volumes, machine, hooks):
    done = run("run", "-v", "S:", *hooks.options(" & exit 3"), "--", HELPER, "report", "0")
    assert done.returncode == 120 and "code 3" in done.stderr and "exit 3" in done.stderr
    assert "variable" not in done.stdout, "the program was not started"
    assert "Freeze" not in [e[0] for e in machine.writer_events()]
    assert hooks.runs("after") == 1 and hooks.variables("after")["SHADOWPIPE_OUTCOME"] == "failed"


def test_a_command_that_takes_too_long_is_ended(registry, prefix, new_service, volumes, machine, folder, hooks):
    registry(HoldPointMs=1000)
    done = run_client(prefix, new_service().start(), "snapshot", "-v", "S:", *hooks.options(waiting(folder)))
    assert done.returncode == 6 and "did not end within" in done.stderr
    assert not prefix.processes("e2e_helper.exe", "wait"), "all that it started was ended"
    assert "Freeze" not in [e[0] for e in machine.writer_events()]
    assert hooks.runs("after") == 1


def test_a_snapshot_that_fails_is_thawed(run, volumes, machine, hooks):
    machine.scenario(FREEZE_FAILS)
    done = run("snapshot", "-v", "S:", *hooks.options())
    assert done.returncode == 5 and "VSS_E_INSUFFICIENT_STORAGE" in done.stderr
    assert hooks.runs("after") == 1 and hooks.variables("after")["SHADOWPIPE_OUTCOME"] == "failed"


def test_a_job_that_never_gets_there_runs_neither(run, volumes, machine, hooks):
    machine.scenario({"method:PrepareForBackup": {"async_result": "0x80042301"}})
    assert run("snapshot", "-v", "S:", *hooks.options()).returncode == 5
    assert hooks.runs("before") == hooks.runs("after") == 0


def test_a_thaw_that_fails_is_no_success(run, volumes, hooks):
    done = run("run", "-v", "S:", *hooks.options("", " & exit 4"), "--", HELPER, "report", "0")
    assert done.returncode == 120 and "--after-thaw ended with code 4" in done.stderr
    assert "variable" in done.stdout, "the backup goes on"


def test_the_deadline(prefix, service, volumes, machine, hooks):
    machine.scenario(SLOW_FREEZE)
    process = start(prefix, service, hooks, "", "--timeout", "3s")
    assert process.wait(wine.LIMIT) == 6, process.stderr.read()
    assert hooks.runs("before") == hooks.runs("after") == 1


def test_ctrl_c(prefix, service, volumes, machine, folder, hooks):
    process = start(prefix, service, hooks, waiting(folder))
    hooks.wait_for("before")
    process.send_signal(signal.SIGINT)
    assert process.wait(wine.LIMIT) == 1, process.stderr.read()
    assert not prefix.processes("e2e_helper.exe", "wait")
    assert hooks.runs("after") == 1


@pytest.mark.parametrize("phase", ["before-freeze", "CREATING"])
def test_killed(prefix, service, volumes, machine, folder, hooks, client, pb, phase):
    machine.scenario(SLOW_FREEZE)
    process = start(prefix, service, hooks, waiting(folder) if phase == "before-freeze" else "")
    hooks.wait_for("before")
    if phase == "CREATING":
        wait_until(lambda: [s.phase for s in client.service_status().sets] == [pb.PHASE_CREATING], "it is frozen")
    wine.kill(process.pid)
    hooks.wait_for("after")
    wait_until(lambda: not prefix.processes("shadowpipe.exe"), "nobody is left")
    assert hooks.variables("after")["SHADOWPIPE_OUTCOME"] == "failed"
    wait_until(lambda: not prefix.processes("e2e_helper.exe", "wait"), "the other command has ended")


def test_lost_connection(registry, prefix, new_service, volumes, machine, hooks):
    registry(OrphanGraceMs=1000)
    service = new_service().start()
    machine.scenario({"timing": {"freeze": 5000}})
    process = start(prefix, service, hooks)
    wait_until(lambda: "Freeze" in [e[0] for e in machine.writer_events()], "it is frozen")
    service.kill()
    assert process.wait(wine.LIMIT) == 3, process.stderr.read()
    hooks.wait_for("after")
