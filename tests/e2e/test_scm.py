"""The service role, under Wine's Service Control Manager."""
import json
import shutil
import subprocess

import pytest

from harness import simulator, wine
from harness.wine import wait_until, windows_path

NAME = "Shadowpipe"


@pytest.fixture
def machine(prefix, folder):
    """The simulator is the VSS library of the installed service, on a machine of the test's own."""
    made = simulator.Machine(folder)
    prefix.set_system_variables(made.environment)
    prefix.set_registry(wine.PRODUCT_KEY, "VssLibrary", windows_path(wine.SIMULATOR_DLL))
    yield made
    prefix.run([wine.SERVICE_EXE, "uninstall"])
    prefix.delete_registry(wine.PRODUCT_KEY)
    prefix.clear_system_variables(made.environment)
    assert not made.leftovers()


def state(prefix):
    """What the Service Control Manager says: RUNNING, STOPPED, … or None."""
    shown = prefix.run(["sc", "query", NAME]).stdout
    for line in shown.splitlines():
        if "STATE" in line:
            return line.split()[-1]
    return None


def client(prefix, *arguments):
    return prefix.run([wine.CLIENT_EXE, *arguments])


def test_install_start_ask_stop_uninstall(prefix, machine, volumes):
    assert prefix.run([wine.SERVICE_EXE, "install"]).returncode == 0
    started = prefix.run(["net", "start", NAME], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert started.returncode == 0
    assert wait_until(lambda: state(prefix) == "RUNNING", lambda: f"it runs; state {state(prefix)}")
    done = client(prefix, "status")
    assert done.returncode == 0, done.stderr
    done = client(prefix, "run", "-v", "S:", "--", "cmd", "/c", "type", r"snap:S:\a\plain.txt")
    assert (done.returncode, done.stdout) == (0, "plain on S\n"), done.stderr
    assert "BackupComplete" in [e[0] for e in machine.writer_events()], "it worked on this machine"
    assert prefix.run(["net", "stop", NAME]).returncode == 0
    wait_until(lambda: state(prefix) == "STOPPED", lambda: f"it stops; state {state(prefix)}")
    wait_until(lambda: not prefix.processes("shadowpiped.exe"), "its process ends")
    assert client(prefix, "status").returncode == 3
    assert prefix.run([wine.SERVICE_EXE, "uninstall"]).returncode == 0
    assert state(prefix) is None


def test_stop_with_a_snapshot_held(prefix, machine, volumes):
    assert prefix.run([wine.SERVICE_EXE, "install"]).returncode == 0
    prefix.run(["net", "start", NAME], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: state(prefix) == "RUNNING", "it runs")
    # It does not wait for a service that may come again.
    holder = prefix.popen([wine.CLIENT_EXE, "snapshot", "-v", "S:", "--reconnect", "0"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    text = ""
    while "copies" not in text:
        line = holder.stdout.readline().decode()
        assert line, text
        text += line
    assert machine.copies()
    assert prefix.run(["net", "stop", NAME]).returncode == 0
    wait_until(lambda: not prefix.processes("shadowpiped.exe"), "all its processes end")
    assert not machine.copies()
    holder.communicate(timeout=wine.LIMIT)
    assert holder.returncode != 0, "it says that the snapshot is gone"


@pytest.fixture
def own_program(folder):
    """A copy of the program, which a hand-over may rename; the one of the build is everybody's."""
    made = folder / "program" / "shadowpiped.exe"
    made.parent.mkdir()
    shutil.copy(wine.SERVICE_EXE, made)
    return made


def test_hand_over_to_the_next_process(prefix, machine, volumes, own_program):
    def files():
        return sorted(p.name for p in own_program.parent.iterdir())

    def client_json(*arguments):
        done = client(prefix, *arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    program = windows_path(own_program)
    assert prefix.run([program, "install"]).returncode == 0
    none = prefix.run([program, "hand-over"])
    assert none.returncode == 1 and "not running" in none.stderr
    prefix.run([program, "start"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: state(prefix) == "RUNNING", lambda: f"it runs; state {state(prefix)}")
    made = client_json("snapshot", "-v", "S:", "--detach")
    lease = ("--lease", made["leaseId"], "--token", made["token"])

    done = prefix.run([program, "hand-over"])
    assert done.returncode == 0, done.stderr
    assert state(prefix) == "STOPPED"
    held = prefix.processes("shadowpiped.exe", "--requester")
    assert len(held) == 1 and machine.copies()
    assert files() == ["shadowpiped.exe", "shadowpiped.exe.old-1"], "its file is free for an installer"

    prefix.run([program, "start"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until(lambda: client_json("leases").get("leases"), "the lease is there again")
    wait_until(lambda: client(prefix, "renew", *lease).returncode == 0, "its requester has come")
    assert held[0] in prefix.processes("shadowpiped.exe", "--requester")
    assert client_json("finish", *lease)["completion"] == "COMPLETION_COMPLETED"
    wait_until(lambda: not machine.copies(), "the copy is gone")
    assert prefix.run([program, "stop"]).returncode == 0
    assert files() == ["shadowpiped.exe"], "nobody runs the other one any more"


def test_install_twice_and_uninstall_twice(prefix, machine):
    assert prefix.run([wine.SERVICE_EXE, "install"]).returncode == 0
    again = prefix.run([wine.SERVICE_EXE, "install"])
    assert again.returncode in (0, 1) and (again.stdout + again.stderr).strip()
    assert prefix.run([wine.SERVICE_EXE, "uninstall"]).returncode == 0
    gone = prefix.run([wine.SERVICE_EXE, "uninstall"])
    assert gone.returncode != 0 and (gone.stdout + gone.stderr).strip()
