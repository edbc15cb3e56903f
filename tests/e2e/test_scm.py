"""The service role, under Wine's Service Control Manager."""
import contextlib
import shutil
import time

import pytest

from harness import simulator, wine
from harness.wine import wait_until, windows_path

NAME = "Shadowpipe"
KEY = r"HKLM\SOFTWARE\Shadowpipe"


@pytest.fixture
def registered(prefix):
    """The simulator as the VSS library of the installed service. Its store is the default one, in ProgramData."""
    store = prefix.path / "drive_c" / "ProgramData" / "ShadowpipeSimulator"
    assert prefix.run(["reg", "add", KEY, "/v", "VssLibrary", "/d", windows_path(wine.SIMULATOR_DLL), "/f"]).returncode == 0
    yield store
    prefix.run([wine.SERVICE_EXE, "uninstall"])
    prefix.run(["reg", "delete", KEY, "/f"])
    shutil.rmtree(store, ignore_errors=True)


def state(prefix):
    """What the Service Control Manager says: RUNNING, STOPPED, … or None."""
    shown = prefix.run(["sc", "query", NAME]).stdout
    for line in shown.splitlines():
        if "STATE" in line:
            return line.split()[-1]
    return None


def client(prefix, *arguments):
    return prefix.run([wine.CLIENT_EXE, *arguments])


def test_install_start_ask_stop_uninstall(prefix, registered, volumes):
    assert prefix.run([wine.SERVICE_EXE, "install"]).returncode == 0
    started = prefix.run(["net", "start", NAME], stdout=wine.subprocess.DEVNULL, stderr=wine.subprocess.DEVNULL)
    assert started.returncode == 0
    assert wait_until(lambda: state(prefix) == "RUNNING", lambda: f"it runs; state {state(prefix)}")
    done = client(prefix, "status")
    assert done.returncode == 0, done.stderr
    done = client(prefix, "run", "-v", "S:", "--", "cmd", "/c", "type", r"snap:S:\a\plain.txt")
    assert (done.returncode, done.stdout) == (0, "plain on S\n"), done.stderr
    assert prefix.run(["net", "stop", NAME]).returncode == 0
    wait_until(lambda: state(prefix) == "STOPPED", lambda: f"it stops; state {state(prefix)}")
    wait_until(lambda: not prefix.processes("shadowpiped.exe"), "its process ends")
    assert client(prefix, "status").returncode == 3
    assert prefix.run([wine.SERVICE_EXE, "uninstall"]).returncode == 0
    assert state(prefix) is None
    machine = simulator.Machine.__new__(simulator.Machine)
    machine.store = registered
    assert not machine.leftovers()


def test_stop_with_a_snapshot_held(prefix, registered, volumes):
    assert prefix.run([wine.SERVICE_EXE, "install"]).returncode == 0
    prefix.run(["net", "start", NAME], stdout=wine.subprocess.DEVNULL, stderr=wine.subprocess.DEVNULL)
    wait_until(lambda: state(prefix) == "RUNNING", "it runs")
    holder = prefix.popen([wine.CLIENT_EXE, "snapshot", "-v", "S:"], stdin=wine.subprocess.PIPE,
                          stdout=wine.subprocess.PIPE, stderr=wine.subprocess.DEVNULL)
    text = ""
    while "copies" not in text:
        line = holder.stdout.readline().decode()
        assert line, text
        text += line
    assert prefix.run(["net", "stop", NAME]).returncode == 0
    wait_until(lambda: not prefix.processes("shadowpiped.exe"), "all its processes end")
    assert not list((registered / "copies").glob("*.txt"))
    holder.communicate(timeout=wine.LIMIT)
    assert holder.returncode != 0, "it says that the snapshot is gone"


def test_install_twice_and_uninstall_twice(prefix, registered):
    assert prefix.run([wine.SERVICE_EXE, "install"]).returncode == 0
    again = prefix.run([wine.SERVICE_EXE, "install"])
    assert again.returncode in (0, 1) and (again.stdout + again.stderr).strip()
    assert prefix.run([wine.SERVICE_EXE, "uninstall"]).returncode == 0
    gone = prefix.run([wine.SERVICE_EXE, "uninstall"])
    assert gone.returncode != 0 and (gone.stdout + gone.stderr).strip()
