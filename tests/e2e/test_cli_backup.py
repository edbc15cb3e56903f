"""The commands for backups by component and for snapshots that exist, from end to end."""
import json
import re
import xml.etree.ElementTree

from harness import wine

CLASS = "11111111-2222-3333-4444-555555555555"
SERVER = {"writer:Acme Server": {"class": f"{{{CLASS}}}", "schema": 3, "component": "one", "database": 1,
                                 "path": "S:\\a", "spec": "*.txt"}}


def backup(run, folder, *arguments):
    return run("run", "-v", "S:", "--as", "S:=X:", "--component", "Acme Server:one",
               "--save-documents", wine.windows_path(folder / "documents"),
               "--manifest", wine.windows_path(folder / "files"), *arguments)


def stamp_in(folder):
    document = (folder / "documents" / "backup-components.xml").read_text("utf-8")
    root = xml.etree.ElementTree.fromstring(re.sub(r"^[^<]*<\?xml[^>]*\?>", "", document))
    return next(e.get("backupStamp") for e in root.iter() if e.get("componentName") == "one")


def test_backup_by_component_with_its_documents_and_list(run, folder, volumes, machine):
    machine.scenario(SERVER)
    done = backup(run, folder, "--type", "full", "--", "cmd", "/c", "type", r"X:\a\plain.txt")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "plain on S\n"
    files = [json.loads(line) for line in (folder / "files").read_text("utf-8").splitlines()]
    assert [(f["original"], f["shadow"], f["filespec"], f["role"]) for f in files] == [
        ("S:\\a", "X:\\a", "*.txt", "database")]
    names = {path.name for path in (folder / "documents").iterdir()}
    assert "backup-components.xml" in names and any(name.startswith("writer-") for name in names)
    assert not any(name.endswith(".partial") for name in names)
    stamp = stamp_in(folder)
    assert stamp
    done = backup(run, folder, "--type", "incremental", "--previous-stamp", f"Acme Server:one={stamp}",
                  "--", "cmd", "/c", "type", r"X:\a\plain.txt")
    assert done.returncode == 0, done.stderr


def test_a_failed_program_is_a_failed_backup_for_its_component(run, folder, volumes, machine):
    machine.scenario(SERVER)
    done = backup(run, folder, "--type", "full", "--", "cmd", "/c", "exit", "9")
    assert done.returncode == 9, done.stderr
    assert "BackupComplete" not in [e[0] for e in machine.writer_events("Acme Server")]


def test_a_snapshot_that_stays_is_listed_read_and_deleted(run, volumes, machine):
    assert run("snapshot", "-v", "S:", "--persistent", "--keep", "7d", "--name", "n", "--hold", "0").returncode == 0
    shown = json.loads(run("list", "-v", "S:", "--purpose", "n", "--json").stdout)["snapshots"]
    assert len(shown) == 1 and shown[0]["origin"] == "ORIGIN_OURS"
    snapshot = shown[0]["snapshot"]["snapshotId"]
    done = run("run", "--attach", snapshot, "--as", "X:", "--", "cmd", "/c", "type", r"X:\a\plain.txt")
    assert done.returncode == 0 and done.stdout == "plain on S\n", done.stderr
    assert run("delete", "--snapshot", snapshot, "--dry-run").stdout == f"would go: {snapshot}\n"
    assert run("delete", "--snapshot", snapshot).returncode == 2, "nobody can be asked here"
    assert len(machine.copies()) == 1
    done = run("delete", "--snapshot", f"{{{snapshot.upper()}}}", "--yes")
    assert done.returncode == 0 and done.stdout == f"deleted: {snapshot}\n", done.stderr
    assert not machine.copies()
