"""VSS requesters that others wrote for the real vssapi.dll, unmodified, on the simulator; see tests/foreign.

They find it where they look on Windows: in System32.
"""
import shutil

import pytest

from harness import wine

REQUESTERS = wine.WIN64 / "tests" / "foreign"
NATIVE = {"WINEDLLOVERRIDES": "mscoree=;mshtml=;winemenubuilder.exe=;vssapi=n"}
FILES = ["a", "a/nested", "a/nested/empty.bin", "a/nested/folder", "a/nested/folder/Größe – 大きさ.txt", "a/plain.txt",
         "big.bin"]


@pytest.fixture
def system32(prefix):
    """The simulator as the machine's own vssapi.dll. The folder is hard-linked with other prefixes."""
    dll = prefix.path / "drive_c" / "windows" / "system32" / "vssapi.dll"
    kept = dll.with_suffix(".kept")
    dll.rename(kept)
    shutil.copy(wine.WIN64 / "tests" / "simulator" / "vssapi.dll", dll)
    yield
    dll.unlink()
    kept.rename(dll)


def run(prefix, machine, name, *arguments):
    program = REQUESTERS / name
    assert program.exists(), f"{program} is not built: run ./dev setup and ./dev build"
    return prefix.run([program, *arguments], {**machine.environment, **NATIVE})


def tree(folder):
    return {str(p.relative_to(folder)): None if p.is_dir() else p.read_bytes() for p in folder.rglob("*")}


def calls(machine):
    """(method, HRESULT) of each call, in order."""
    return [(e[4], e[5]) for e in machine.events() if e[3] == "call"]


def methods(machine):
    return [method for method, _ in calls(machine)]


def check_backup(machine, volumes, to):
    assert sorted(tree(to)) == FILES
    assert tree(to) == tree(volumes["S"])
    assert {hr for _, hr in calls(machine)} == {"hr=0x00000000"}
    events = [e[0] for e in machine.writer_events("System Writer")]
    assert events == ["Identify", "PrepareBackup", "PrepareSnapshot", "Freeze", "Thaw", "PostSnapshot",
                      "BackupComplete", "BackupShutdown"]
    assert not machine.leftovers()
    assert machine.creator()["state"] == "closed"


def test_restic(prefix, machine, volumes, folder, system32):
    """Go, without any header: the slots of the vtables are counted by hand."""
    to = folder / "copied"
    done = run(prefix, machine, "restic_vss.exe", "S:\\", wine.windows_path(to))
    assert done.returncode == 0, done.stderr
    assert "successfully created snapshot for [s:\\]" in done.stdout
    check_backup(machine, volumes, to)
    assert methods(machine) == [
        "CreateVssBackupComponents", "CreateVssBackupComponents", "InitializeForBackup", "SetContext", "SetBackupState",
        "GatherWriterMetadata", "IsVolumeSupported", "StartSnapshotSet", "AddToSnapshotSet", "PrepareForBackup",
        "DoSnapshotSet", "GetSnapshotProperties", "BackupComplete", "DeleteSnapshots"]


def test_restic_reports_what_vss_says(prefix, machine, volumes, folder, system32):
    """It aborts, and goes on without a snapshot."""
    machine.scenario({"method:DoSnapshotSet": {"async_result": "0x8004231f"}})
    to = folder / "copied"
    done = run(prefix, machine, "restic_vss.exe", "S:\\", wine.windows_path(to))
    assert done.returncode == 1
    assert "VSS_E_INSUFFICIENT_STORAGE" in done.stderr
    assert tree(to) == tree(volumes["S"])
    assert methods(machine)[-2:] == ["DoSnapshotSet", "AbortBackup"]
    assert not machine.leftovers()


def test_burp(prefix, machine, volumes, folder, system32):
    """C++ against the SDK of 2003, in the line of Bacula and Bareos: Query, and the writers' states twice."""
    to = folder / "copied"
    done = run(prefix, machine, "burp_vss.exe", "ST", "S:\\a", wine.windows_path(to))
    assert done.returncode == 0, done.stderr
    assert tree(to) == tree(volumes["S"] / "a")
    assert 'prepared: "System Writer"' in done.stdout and "VSS_WS_STABLE" in done.stdout
    assert done.stdout.count("completed: ") == 10
    assert {hr for _, hr in calls(machine)} == {"hr=0x00000000"}
    assert [m for m in methods(machine) if m != "GetWriterStatus"] == [
        "CreateVssBackupComponents", "InitializeForBackup", "SetBackupState", "GatherWriterMetadata",
        "StartSnapshotSet", "AddToSnapshotSet", "AddToSnapshotSet", "PrepareForBackup", "GatherWriterStatus",
        "GetWriterStatusCount", "FreeWriterStatus", "DoSnapshotSet", "Query", "BackupComplete", "GatherWriterStatus",
        "GetWriterStatusCount", "FreeWriterStatus", "DeleteSnapshots"]
    assert not machine.leftovers()
