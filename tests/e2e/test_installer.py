"""The MSI, silently, as an administrator's deployment tool runs it: install, use, stop, remove, nothing left.

Wine's Windows Installer and service manager carry it out. The service is the installed one, under the service manager
and at its real pipe; the simulator comes in through the service's configuration.
"""
import json
import shutil
import subprocess
import uuid

import pytest

from harness import wine
from harness.wine import wait_until, windows_path

PACKAGE_FOLDER = wine.BUILD / "package"
CONFIGURATION = r"HKLM\SOFTWARE\Shadowpipe"
SERVICE_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\Shadowpipe"
EVENT_KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\Shadowpipe"
WINDOWS_KEY = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
STOP_MS = (180 + 35) * 1000  # StopAllMs and what the service may take after it
ENVIRONMENT_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
UNINSTALL_KEY = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
PROGRAM_FOLDER = "drive_c/Program Files/Shadowpipe"
INSTALLED_CLIENT = r"C:\Program Files\Shadowpipe\shadowpipe.exe"
FILES = ["LICENSE.txt", "sdk/libshadowpipe.dll.a", "sdk/shadowpipe.dll", "sdk/shadowpipe.h", "sdk/shadowpipe.proto",
         "shadowpipe.exe", "shadowpiped.exe"]


def msiexec(prefix, *arguments):
    return prefix.run(["msiexec", *arguments, "/qn"], limit=180).returncode


def registry(prefix, key, *arguments):
    """What reg.exe prints of a key; None if there is no such key or value."""
    done = prefix.run(["reg", "query", key, *arguments])
    return done.stdout if done.returncode == 0 else None


def service_state(prefix):
    """RUNNING, STOPPED …; None if there is no such service."""
    done = prefix.run(["sc", "query", "Shadowpipe"])
    states = [line.split()[-1] for line in done.stdout.splitlines() if "STATE" in line]
    return states[0] if done.returncode == 0 and states else None


def status(prefix, program=INSTALLED_CLIENT):
    return prefix.run([program, "status", "--json"])


@pytest.fixture
def package_file():
    found = sorted(PACKAGE_FOLDER.glob("shadowpipe-*-x64.msi"), key=lambda p: p.stat().st_mtime)
    assert found, f"there is no package in {PACKAGE_FOLDER}: run ./dev package"
    return found[-1]


@pytest.fixture
def package(package_file):
    return windows_path(package_file)


@pytest.fixture
def installed(prefix, package):
    """The installed product, with the simulator for VSS. A test may remove it itself."""
    done = prefix.run(["reg", "add", CONFIGURATION, "/v", "VssLibrary", "/d", windows_path(wine.SIMULATOR_DLL), "/f"])
    assert done.returncode == 0, done.stderr
    try:
        assert msiexec(prefix, "/i", package) == 0
        yield package
    finally:
        if service_state(prefix) is not None:
            msiexec(prefix, "/x", package)
        prefix.run(["reg", "delete", CONFIGURATION, "/f"])


def test_installed_service_answers_and_is_described(prefix, installed):
    wait_until(lambda: service_state(prefix) == "RUNNING", "the installer starts the service")
    assert sorted(str(p.relative_to(prefix.path / PROGRAM_FOLDER))
                  for p in (prefix.path / PROGRAM_FOLDER).rglob("*") if p.is_file()) == FILES
    answer = status(prefix)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)

    described = registry(prefix, SERVICE_KEY)
    assert r"C:\Program Files\Shadowpipe\shadowpiped.exe" in described
    assert "LocalSystem" in described
    uninstall = registry(prefix, UNINSTALL_KEY, "/s")
    assert "Shadowpipe" in uninstall and "The Shadowpipe authors" in uninstall


def test_installed_service_has_its_event_source_and_completes_its_registration(prefix, installed):
    source = registry(prefix, EVENT_KEY)
    assert r"C:\Program Files\Shadowpipe\shadowpiped.exe" in source and "TypesSupported" in source
    wait_until(lambda: f"PreshutdownTimeout    REG_DWORD    {STOP_MS:#x}" in registry(prefix, SERVICE_KEY),
               lambda: f"the running service sets its limit at a shutdown: {registry(prefix, SERVICE_KEY)}")


def test_windows_before_10_is_refused(prefix, package):
    value = "CurrentMajorVersionNumber"
    assert prefix.run(["reg", "delete", WINDOWS_KEY, "/v", value, "/f"]).returncode == 0
    try:
        assert msiexec(prefix, "/i", package) != 0
        assert service_state(prefix) is None
    finally:
        prefix.run(["reg", "add", WINDOWS_KEY, "/v", value, "/t", "REG_DWORD", "/d", "10", "/f"])


def test_command_line_is_found_on_the_path(prefix, installed):
    path = registry(prefix, ENVIRONMENT_KEY, "/v", "PATH")
    assert path.rstrip().endswith("C:\\Program Files\\Shadowpipe\\")


def test_stop_is_noticed_by_clients_and_start_serves_again(prefix, installed):
    wait_until(lambda: service_state(prefix) == "RUNNING", "the installer starts the service")
    assert prefix.run(["sc", "stop", "Shadowpipe"]).returncode == 0
    wait_until(lambda: service_state(prefix) == "STOPPED", "the service stops")
    wait_until(lambda: not prefix.processes("shadowpiped.exe"), "its processes end")
    answer = status(prefix)
    assert answer.returncode == 3, answer.stdout + answer.stderr
    assert "shadowpipe" in (answer.stdout + answer.stderr).lower()

    assert prefix.run(["sc", "start", "Shadowpipe"]).returncode == 0
    wait_until(lambda: service_state(prefix) == "RUNNING", "the service starts")
    assert status(prefix).returncode == 0


def read_table(package, name):
    """As a text with three lines of heading."""
    return subprocess.run(["msiinfo", "export", package, name], capture_output=True, check=True).stdout.decode()


def rows(package, name):
    return [line.split("\t") for line in read_table(package, name).splitlines()[3:]]


def guid():
    return f"{{{uuid.uuid4()}}}".upper()



@pytest.fixture
def next_package(package_file, folder):
    """The same product in its next version."""
    made = folder / "next.msi"
    shutil.copy(package_file, made)
    subprocess.run(["msibuild", made, "-s", "Shadowpipe", "", "x64;1033", guid()], check=True)
    properties = dict(rows(package_file, "Property"))
    changed = {properties["ProductCode"]: guid(), properties["ProductVersion"]: "99.0.0"}
    for name in ("Property", "Upgrade"):
        text = read_table(package_file, name)
        for old, new in changed.items():
            text = text.replace(f"\t{old}", f"\t{new}")
        (folder / f"{name}.idt").write_bytes(text.encode())
        subprocess.run(["msibuild", made, "-i", folder / f"{name}.idt"], check=True)
    return windows_path(made)


def test_an_upgrade_hands_over(prefix, installed, next_package, volumes):
    """Windows removes the old version with UPGRADINGPRODUCTCODE, before it installs the new one; Wine's own
    RemoveExistingProducts leaves that property out, so the two steps are made here."""
    def client_json(*arguments):
        done = prefix.run([INSTALLED_CLIENT, *arguments, "--json"])
        return json.loads(done.stdout) if done.returncode == 0 else None

    wait_until(lambda: service_state(prefix) == "RUNNING", "the installer starts the service")
    made = client_json("snapshot", "-v", "S:", "--detach")
    lease = ("--lease", made["leaseId"], "--token", made["token"])
    assert msiexec(prefix, "/x", installed, f"UPGRADINGPRODUCTCODE={guid()}") == 0
    assert service_state(prefix) is None
    held = prefix.processes("shadowpiped.exe", "--requester")
    assert len(held) == 1, "it reads on"
    left = [p.name for p in (prefix.path / PROGRAM_FOLDER).rglob("*") if p.is_file()]
    assert left == ["shadowpiped.exe.old-1"], "which no installer knows of"

    assert msiexec(prefix, "/i", next_package) == 0
    try:
        wait_until(lambda: service_state(prefix) == "RUNNING", "the installer starts the service")
        wait_until(lambda: client_json("renew", *lease), "the requester has come")
        assert held[0] in prefix.processes("shadowpiped.exe", "--requester")
        assert client_json("finish", *lease)["completion"] == "COMPLETION_COMPLETED"
        wait_until(lambda: held[0] not in prefix.processes("shadowpiped.exe"), "the requester ends")
    finally:
        assert msiexec(prefix, "/x", next_package) == 0
    assert not (prefix.path / PROGRAM_FOLDER).exists()


def test_the_old_version_is_removed_first(package_file):
    """By its own package, which is why the hand-over stands there: before that one stops the service and removes its
    files, as the system and not as the person who started the installer, and without being able to fail it."""
    sequence = {action: (condition, int(number))
                for action, condition, number in rows(package_file, "InstallExecuteSequence")}
    assert sequence["InstallValidate"][1] < sequence["RemoveExistingProducts"][1] < sequence["InstallInitialize"][1]
    for action, condition in (("HandOver", "UPGRADINGPRODUCTCODE"),
                              ("EndService", "Installed AND NOT UPGRADINGPRODUCTCODE")):
        assert sequence[action][0] == condition
        assert sequence["InstallInitialize"][1] < sequence[action][1] < sequence["StopServices"][1]
    in_file, goes_on, deferred, as_system = 18, 64, 1024, 2048
    kind = in_file + goes_on + deferred + as_system
    assert sorted(r[:4] for r in rows(package_file, "CustomAction")) == [
        ["EndService", str(kind), "shadowpiped.exe", "stop"], ["HandOver", str(kind), "shadowpiped.exe", "hand-over"]]


def test_removal_of_the_running_service_leaves_nothing(prefix, installed):
    wait_until(lambda: service_state(prefix) == "RUNNING", "the installer starts the service")
    assert msiexec(prefix, "/x", installed) == 0
    wait_until(lambda: service_state(prefix) is None, "the service is gone")
    wait_until(lambda: not prefix.processes("shadowpiped.exe"), "its processes end")
    assert not (prefix.path / PROGRAM_FOLDER).exists()
    assert registry(prefix, SERVICE_KEY) is None
    assert registry(prefix, EVENT_KEY) is None
    assert "Shadowpipe" not in registry(prefix, ENVIRONMENT_KEY, "/v", "PATH")
    assert "Shadowpipe" not in (registry(prefix, UNINSTALL_KEY, "/s") or "")
