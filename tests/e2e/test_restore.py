"""`shadowpipe restore`: a backup by components, its files destroyed, and the way back."""
import hashlib
import json
import shutil

import pytest

from harness import service as services
from harness import wine
from harness.wine import wait_until, windows_path
from test_sessions import COPY, Session

HELPER = str(wine.HELPER_EXE)
LEDGER_ID = "11111111-2222-3333-4444-555555555555"
BOOKS = "Ledger:Accounts\\Books"
LEDGER = {"class": f"{{{LEDGER_ID}}}", "component": "Books", "logical_path": "Accounts", "path": r"S:\Ledger",
          "spec": "*.bok", "recursive": 1, "metadata": "how it was", "stamp": "stamp-1", "schema": 0x100}
JOURNAL = {"database": 1, "path": r"S:\Ledger\db", "log_path": r"S:\Ledger\log"}


def world(writer=None, **sections):
    return {"writer:Ledger": {**LEDGER, **(writer or {})}, "component:Ledger:Journal": JOURNAL, **sections}


def hashes(folder):
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def ledger(volumes):
    """The application's files, on S:."""
    root = volumes["S"] / "Ledger"
    for name in ("2025.bok", "deep/er/Größe.bok", "db/main.db", "log/main.log", "db/unlike.txt"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 1000)
    return root


@pytest.fixture
def backup(client, ledger, machine, pb, folder):
    """A backup by components: the copied files in backup/S, the document in backup.xml."""
    machine.scenario(world())
    session = Session(client, pb)
    session.good("initialize_for_backup")
    session.good("set_backup_state", select_components=True, backup_type=COPY)
    session.good("gather_writer_metadata")
    count = session.good("get_writer_metadata_count").get_writer_metadata_count.count
    found = [session.good("get_writer_metadata", index=i).get_writer_metadata.writer for i in range(count)]
    (writer,) = [w for w in found if w.status.writer_id == LEDGER_ID]
    components = [pb.ComponentRef(writer_id=LEDGER_ID, instance_id=writer.status.instance_id, type=kind, name=name,
                                  logical_path=path)
                  for kind, path, name in ((pb.COMPONENT_TYPE_FILE_GROUP, "Accounts", "Books"),
                                           (pb.COMPONENT_TYPE_DATABASE, "", "Journal"))]
    for component in components:
        session.good("add_component", component=component)
    session.good("start_snapshot_set")
    session.good("add_to_snapshot_set", volume="S:\\")
    session.good("prepare_for_backup")
    session.good("do_snapshot_set")
    session.good("get_writer_metadata", index=found.index(writer), with_document=True)
    (copy,) = machine.copies()
    shutil.copytree(copy, folder / "backup" / "S")
    for component in components:
        session.good("set_backup_succeeded", component=component, succeeded=True)
    session.good("backup_complete")
    session.good("save_as_xml")
    (folder / "backup.xml").write_bytes(session.read("BACKUP_COMPONENTS"))
    (folder / "ledger.xml").write_bytes(session.read("WRITER_METADATA", writer.status.instance_id))
    session.close()
    return folder


def restore(run, backup, *options, command=None):
    command = command or [HELPER, "restore", windows_path(backup / "backup")]
    return run("restore", "-d", windows_path(backup / "backup.xml"), *options, "--", *command)


def rehearse(run, backup, *options):
    done = run("restore", "-d", windows_path(backup / "backup.xml"), "--rehearse", "--json", *options)
    return done.returncode, json.loads(done.stdout)["rehearsal"]


def restore_events(machine):
    return [e[0] for e in machine.writer_events("Ledger") if "Restore" in e[0]]


def statuses(machine):
    """How often SetFileRestoreStatus was called, and PostRestore after it."""
    return [e[4] for e in machine.events() if e[3] == "call" and e[4] in ("SetFileRestoreStatus", "PostRestore")]


def test_the_round_trip(run, backup, ledger, machine):
    before = hashes(ledger)
    shutil.rmtree(ledger)
    manifest = backup / "manifest.json"
    done = restore(run, backup, "--manifest", windows_path(manifest))
    assert done.returncode == 0, done.stderr
    after = hashes(ledger)
    assert after == before
    assert restore_events(machine) == ["PreRestore", "PostRestore"]
    assert statuses(machine) == ["SetFileRestoreStatus", "SetFileRestoreStatus", "PostRestore"]
    told = json.loads(manifest.read_text("utf-8"))
    books, journal = told["components"]
    assert told["version"] == 1 and told["simulated"]
    assert (books["writer"], books["writerId"], books["logicalPath"], books["name"]) == (
        "Ledger", LEDGER_ID, "Accounts", "Books")
    assert (books["backupMetadata"], books["backupStamp"], books["backupSucceeded"]) == ("how it was", "stamp-1", True)
    assert books["restoreMethod"] == "IF_CAN_REPLACE"
    assert [(f["path"], f["filespec"], f["recursive"], f["targetPath"]) for f in books["files"]] == [
        (r"S:\Ledger", "*.bok", True, r"S:\Ledger")]
    assert [(f["role"], f["path"]) for f in journal["files"]] == [
        ("DATABASE", r"S:\Ledger\db"), ("LOG", r"S:\Ledger\log")]


def test_the_round_trip_from_the_command_line(run, ledger, machine, folder):
    machine.scenario(world())
    before = hashes(ledger)
    documents = folder / "documents"
    done = run("run", "-v", "S:", "--as", "S:=X:", "--component", BOOKS, "--component", "Ledger:Journal",
               "--save-documents", windows_path(documents), "--",
               "xcopy", "/S", "/I", "/Q", r"X:\Ledger", windows_path(folder / "backup" / "S" / "Ledger"))
    assert done.returncode == 0, done.stderr
    shutil.rmtree(ledger)
    metadata = [option for path in documents.glob("writer-*.xml") for option in ("--metadata", windows_path(path))]
    done = run("restore", "-d", windows_path(documents / "backup-components.xml"), *metadata, "--",
               HELPER, "restore", windows_path(folder / "backup"))
    assert done.returncode == 0, done.stderr
    assert hashes(ledger) == before


def test_to_another_place_and_one_component(run, backup, ledger, volumes, machine):
    before = hashes(ledger)
    done = restore(run, backup, "--component", BOOKS, "--to", r"T:\new", "--json")
    assert done.returncode == 0, done.stderr
    assert {n for n in hashes(volumes["T"] / "new" / "S" / "Ledger")} == {n for n in before if n.endswith(".bok")}
    (item,) = json.loads(done.stdout)["restore"]["components"]
    assert item["name"] == "Books" and item["files"][0]["targetPath"] == r"T:\new\S\Ledger"
    assert any(e[3:5] == ["call", "AddNewTarget"] for e in machine.events())


def test_a_writer_is_missing(run, backup, ledger, machine):
    machine.scenario({})
    done = restore(run, backup)
    assert done.returncode == 124 and LEDGER_ID in done.stderr and "does not run" in done.stderr
    assert not statuses(machine)
    code, told = rehearse(run, backup)
    assert code == 5 and not told["possible"] and not told["components"][0]["writerRuns"]
    code, told = rehearse(run, backup, "--skip-missing-writers")
    assert code == 5 and told["components"][0]["leftOut"]


def test_a_writer_refuses(run, backup, ledger, machine):
    machine.scenario(world({"fail_at": "pre_restore", "failure": "0x800423f4"}))
    marker = backup / "ran"
    done = restore(run, backup, command=["cmd", "/c", f"echo x>{windows_path(marker)}"])
    assert done.returncode == 124, done.stderr
    assert "Ledger" in done.stderr and "FAILED_AT_PRE_RESTORE" in done.stderr
    assert not marker.exists(), "CMD was not started"
    assert statuses(machine)[-1] == "PostRestore", "those that did not fail are told that it is over"


def test_a_component_refuses(run, backup, ledger, machine):
    machine.scenario(world(**{"component:Ledger:Journal": {
        **JOURNAL, "fail_at": "pre_restore", "application_failure": "0x80070005", "application_message": "in use"}}))
    done = restore(run, backup)
    assert done.returncode == 124, done.stderr
    assert "Journal" in done.stderr and "in use" in done.stderr


def test_a_writer_wants_another_place(run, backup, ledger, volumes, machine):
    machine.scenario(world({"restore_target": "alternate", "alternate_path": r"U:\other"}))
    done = restore(run, backup, "--component", BOOKS)
    assert done.returncode == 0, done.stderr
    assert sorted(hashes(volumes["U"] / "other")) == ["2025.bok", "deep/er/Größe.bok"]
    assert any(e[3:5] == ["call", "AddAlternativeLocationMapping"] for e in machine.events())
    done = restore(run, backup)
    assert done.returncode == 124 and "does not give one for each" in done.stderr, "none is for the journal"


def test_a_writer_directs_its_files(run, backup, ledger, machine):
    machine.scenario(world({"restore_target": "directed"}))
    manifest = backup / "manifest.json"
    done = restore(run, backup, "--component", BOOKS, "--manifest", windows_path(manifest), command=[HELPER, "report", "0"])
    assert done.returncode == 0, done.stderr
    (item,) = json.loads(manifest.read_text("utf-8"))["components"]
    assert item["restoreTarget"] == "DIRECTED"
    assert item["directedTargets"][0]["destinationPath"] == r"S:\Ledger.restored"


def test_the_end_fails(run, backup, ledger, machine):
    machine.scenario(world({"fail_at": "post_restore"}))
    done = restore(run, backup)
    assert done.returncode == 124 and "FAILED_AT_POST_RESTORE" in done.stderr, done.stderr
    machine.scenario({**world(), "method:SetFileRestoreStatus": {"result": "0x80042311"}})
    done = restore(run, backup)
    assert done.returncode == 124 and "VSS_E_INVALID_XML_DOCUMENT" in done.stderr, done.stderr
    assert restore_events(machine)[-1] == "PostRestore", "who went offline hears the end all the same"


def test_the_program_fails(run, backup, ledger, machine):
    done = restore(run, backup, command=[HELPER, "report", "17"])
    assert done.returncode == 17, done.stderr
    assert "variable SHADOWPIPE_RESTORE_MANIFEST=" in done.stdout
    assert statuses(machine)[-1] == "PostRestore"
    done = restore(run, backup, command=["no-such-program-anywhere"])
    assert done.returncode in range(120, 127)


def test_files_in_the_way(run, backup, ledger, machine, hold_file):
    machine.scenario(world({"restore_method": 1}))  # VSS_RME_RESTORE_IF_NOT_THERE
    done = restore(run, backup, "--component", BOOKS)
    assert done.returncode == 124 and r"S:\Ledger\2025.bok" in done.stderr
    machine.scenario(world())
    hold_file(r"S:\Ledger\deep\er\Größe.bok")
    done = restore(run, backup, "--component", BOOKS)
    assert done.returncode == 124 and "Größe.bok is in the way" in done.stderr
    code, told = rehearse(run, backup)
    assert code == 0 and "Größe.bok is in the way" in "".join(told["components"][0]["notes"])


def test_a_service_has_to_be_stopped(run, backup, ledger, machine):
    machine.scenario(world({"restore_method": 3, "service": "LedgerSvc"}))  # VSS_RME_STOP_RESTORE_START
    done = restore(run, backup)
    assert done.returncode == 124 and "LedgerSvc" in done.stderr and not statuses(machine)
    assert restore(run, backup, "--accept", "Ledger").returncode == 0


def test_rehearsal(run, backup, ledger, machine):
    before = hashes(ledger)
    code, told = rehearse(run, backup)
    assert code == 0 and told["possible"] and [c["name"] for c in told["components"]] == ["Books", "Journal"]
    machine.scenario({"writer:Ledger": LEDGER})
    code, told = rehearse(run, backup)
    assert code == 7 and [c["possible"] for c in told["components"]] == [True, False]
    assert "--metadata" in told["components"][1]["problems"][0]
    code, told = rehearse(run, backup, "--metadata", windows_path(backup / "ledger.xml"))
    assert code == 0 and [f["path"] for f in told["components"][1]["files"]] == [r"S:\Ledger\db", r"S:\Ledger\log"]
    assert hashes(ledger) == before and not restore_events(machine)


def test_documents_that_are_none(run, backup, machine, folder):
    done = restore(run, backup, "--metadata", windows_path(backup / "backup.xml"))
    assert done.returncode == 124 and "CreateVssExamineWriterMetadata" in done.stderr, done.stderr
    (backup / "backup.xml").write_bytes(b"<not a document>")
    done = restore(run, backup)
    assert done.returncode == 124 and "VSS_E_INVALID_XML_DOCUMENT" in done.stderr, done.stderr
    (backup / "backup.xml").unlink()
    assert restore(run, backup).returncode in range(120, 127)


def test_components_that_are_none(run, backup, machine):
    done = restore(run, backup, "--component", "Ledger:Nothing")
    assert done.returncode == 121 and "Ledger:Nothing" in done.stderr


def test_the_client_vanishes(prefix, service, backup, machine):
    marker = backup / "ran"
    client = services.start_client(prefix, service, "restore", "-d", windows_path(backup / "backup.xml"), "--",
                                   "cmd", "/c", f"echo x>{windows_path(marker)}&{HELPER} wait {windows_path(backup / 'go')}")
    wait_until(marker.exists, "CMD runs")
    wine.kill(client.pid)
    client.wait()
    (backup / "go").touch()
    wait_until(lambda: not machine.objects(), "the VSS object is released")
