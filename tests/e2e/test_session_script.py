"""`shadowpipe session`: scripts in the manner of diskshadow, through the running service."""
import json

import pytest

from harness import wine
from harness.wine import wait_until


@pytest.fixture
def script(run, folder):
    """Runs a script: its lines, and parameters behind "--"."""
    def run_script(*lines, options=(), parameters=()):
        path = folder / "script.txt"
        path.write_text("\r\n".join(lines) + "\r\n", "utf-8")
        behind = ["--", *parameters] if parameters else []
        return run("session", "-s", wine.windows_path(path), *options, *behind)
    return run_script


def answers(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


DATABASE = {"writer:Database": {"component": "Main", "path": r"S:\a", "spec": "*.txt", "metadata": "kept"}}


def test_a_backup_from_begin_to_end(script, folder, volumes, machine, prefix):
    machine.scenario(DATABASE)
    bcd = folder / "backup.xml"
    log = folder / "log.txt"
    done = script("# as diskshadow's own example",
                  "SET CONTEXT persistent",
                  f"set metadata {wine.windows_path(bcd)}",
                  "writer exclude WMI Writer",
                  "writer verify Database:\\Main",
                  "begin backup",
                  "add volume S: alias SystemVol",
                  "add volume T:\\ alias DataVol",
                  "",
                  "create",
                  "expose %SystemVol% x:",
                  r'exec cmd /c "copy X:\a\plain.txt %DISKSH_PARAM_1%"',
                  "exec cmd /c echo %%SHADOWPIPE_T%% %%datavol%%",
                  "end backup",
                  "unexpose x:",
                  "delete shadows set %VSS_SHADOW_SET%",
                  options=["-l", wine.windows_path(log)], parameters=[wine.windows_path(folder / "copy.txt")])
    assert done.returncode == 0, done.stderr
    assert (folder / "copy.txt").read_text() == "plain on S\n"
    assert r"\\?" in done.stdout and "%DataVol%" in log.read_text()
    assert bcd.read_bytes() and "add alias SystemVol" in (folder / "backup.xml.aliases").read_text()
    assert not machine.copies() and "X" not in prefix.drives()
    assert {"Freeze", "BackupComplete"} <= {e[0] for e in machine.writer_events("Database")}
    assert "PrepareBackup" not in {e[0] for e in machine.writer_events("WMI Writer")}


def test_what_fails_leaves_nothing(script, folder, volumes, machine):
    done = script("add volume S:", "create", "exec cmd /c exit 3", "end backup", options=["--json"])
    assert done.returncode == 1 and "Line 3" in done.stderr
    lines = answers(done)
    assert [(a["line"], a["ok"]) for a in lines] == [(1, True), (2, True), (3, False)]
    assert lines[2]["error"]["reason"] == "PROGRAM_FAILED"
    wait_until(lambda: not machine.copies() and not machine.objects(), "the copy goes")
    assert not machine.creator_is_open()


def test_a_failed_writer_fails_create(script, volumes, machine):
    machine.scenario({"writer:WMI Writer": {"fail_at": "freeze"}})
    done = script("add volume S:", "- create", "list shadows")
    assert done.returncode == 0 and "WMI Writer" in done.stderr
    assert "0 shadow copies." in done.stdout
    machine.scenario({"writer:WMI Writer": {"fail_at": "prepare"}})
    assert script("add volume S:", "create").returncode == 5


def test_any_method_can_be_called(script, volumes, machine):
    done = script("call InitializeForBackup",
                  "call SetContext context=0x10",
                  "call set_backup_state backup_type=5 select_components=no",
                  "call StartSnapshotSet",
                  "call AddToSnapshotSet volume=S:\\",
                  "call DoSnapshotSet wait_ms=60000",
                  "call Query object_type=3",
                  "-call PrepareForBackup",
                  "call GetSessionId",
                  "-call PreFastRecovery set_id={00000000-0000-0000-0000-000000000001}",
                  "call IsVolumeSnapshotted volume=S:\\",
                  options=["--json"])
    assert done.returncode == 0, done.stderr
    replies = {a["command"].split()[1]: a for a in answers(done)}
    assert len(replies["Query"]["reply"]["query"]["snapshots"]) == 1
    assert replies["DoSnapshotSet"]["reply"]["sessionPhase"] == "SESSION_PHASE_CREATED"
    assert replies["PrepareForBackup"]["error"]["hresultName"] == "VSS_E_BAD_STATE"
    assert replies["GetSessionId"]["reply"]["getSessionId"]["sessionId"]
    assert not replies["PreFastRecovery"]["ok"]
    assert replies["IsVolumeSnapshotted"]["reply"]["isVolumeSnapshotted"]["snapshotted"]
    wait_until(lambda: not machine.objects(), "the session is closed")


def test_a_restore_by_script(script, folder, volumes, machine):
    machine.scenario(DATABASE)
    (folder / "saved.txt").write_text("restored")
    bcd = wine.windows_path(folder / "backup.xml")
    saved = script(f"set metadata {bcd}", "add volume S:", r'add component Database:\Main', "create", "end backup",
                   parameters=["not that of the restore"])
    assert saved.returncode == 0, saved.stderr
    simulated = script(f"load metadata {bcd}", "simulate restore")
    assert r"Database:\Main" in simulated.stdout, simulated.stderr
    assert "PreRestore" not in {e[0] for e in machine.writer_events()}
    done = script(f"load metadata {bcd}", "writer verify Database", "begin restore",
                  r'exec cmd /c "copy /y %DISKSH_PARAM_1% S:\a\plain.txt"', r"set file status all Database:\Main", "end restore",
                  parameters=[wine.windows_path(folder / "saved.txt")])
    assert done.returncode == 0, done.stderr
    assert (volumes["S"] / "a" / "plain.txt").read_text() == "restored"
    assert {"PreRestore", "PostRestore"} <= {e[0] for e in machine.writer_events("Database")}
    by_hand = script(f"load metadata {bcd}", "set restore type bycopy", "begin restore manual", "- post restore",
                     r"- select component Database:\Nothing", r"select component Database:\Main",
                     r"- set file status none Database:\Nothing", "pre restore", "- pre restore",
                     "- select component all", r"set file status none Database:\Main", "post restore", "end restore",
                     "- resync", options=["--json"])
    assert by_hand.returncode == 0, by_hand.stderr
    assert [a["line"] for a in answers(by_hand) if not a["ok"]] == [4, 5, 7, 9, 10, 14]
    missing = script(f"load metadata {bcd}", "writer verify Nobody", "begin restore")
    assert missing.returncode == 1 and "Nobody" in missing.stderr


def test_standard_input_and_its_end(run, prefix, service, volumes, machine):
    done = run("session", "--json", "-s", "-", input="add volume S:\ncreate\nlist shadows\nlist providers\nlist writers status\n")
    assert done.returncode == 0, done.stderr
    lines = answers(done)
    assert len(lines) == 5 and len(lines[2]["snapshots"]) == 1
    assert lines[2]["snapshots"][0]["snapshotId"] == lines[1]["snapshots"][0]["snapshotId"]
    wait_until(lambda: not machine.copies() and not machine.objects(), "the volatile copy goes with its session")


def test_administration(script, folder, volumes, machine, prefix):
    machine.scenario({"volumes": {"unsupported": "T:\\"}})
    bcd = wine.windows_path(folder / "backup.xml")
    make = ["set context persistent nowriters", "add volume S:", "create", "reset"]
    done = script("- add volume T:", "- add volume Q:",
                  f"set metadata {bcd}", *make[:2], "- add volume S:\\", "create", "- create",
                  f"save variables {wine.windows_path(folder / 'set.cmd')}",
                  "- unexpose x:", "expose %VSS_SHADOW_1% x:", "list shadows id %VSS_SHADOW_1%",
                  "- break %VSS_SHADOW_SET%", "- break writable %VSS_SHADOW_SET%", "- mask %VSS_SHADOW_SET%",
                  "- revert %VSS_SHADOW_1% --yes", "end backup", "delete shadows exposed X:", "reset",
                  *make, *make, "list shadows", "delete shadows oldest S:", "delete shadows volume s:\\",
                  "- delete shadows volume Q:", "- delete shadows id {00000000-0000-0000-0000-000000000001}",
                  "list shadows", f"load metadata {bcd}", "- import", options=["--json"])
    assert done.returncode == 0, done.stderr
    lines = {a["line"]: a for a in answers(done)}
    problems = [a["error"].get("hresultName") or a["error"]["message"] for a in lines.values() if not a["ok"]]
    expected = ["cannot be copied", "no volume", "in the set already", "created already", "is exposed as",
                "VSS_E_PROVIDER_VETO", "VSS_E_PROVIDER_VETO", "VSS_E_PROVIDER_VETO", "E_NOTIMPL", "no volume",
                "VSS_E_OBJECT_NOT_FOUND", "VSS_E_NO_SNAPSHOTS_IMPORTED"]
    assert len(problems) == len(expected) and all(e in p for e, p in zip(expected, problems)), problems
    assert [a["deleted"] for a in lines.values() if a["ok"] and "deleted" in a] == [1, 1, 1]
    listed = [a["snapshots"] for a in lines.values() if a["command"].startswith("list shadows")]
    assert [len(snapshots) for snapshots in listed] == [1, 2, 0]
    assert listed[0][0]["exposedName"].upper().startswith("X:")
    assert f"SET \"SHADOW_ID_1={listed[0][0]['snapshotId']}\"" in (folder / "set.cmd").read_text()
    assert not machine.copies() and "X" not in prefix.drives()


@pytest.mark.parametrize("revert_ms", [0, 500])
def test_revert(script, volumes, machine, revert_ms):
    machine.scenario({"machine": {"server": 1, "revert_ms": revert_ms}})
    done = script("set context clientaccessible", "add volume S:", "create",
                  r'exec cmd /c "echo changed> S:\a\plain.txt"', "- revert %VSS_SHADOW_1%",
                  "revert %VSS_SHADOW_1% --yes", "delete shadows all")
    assert done.returncode == 0 and "cannot be undone" in done.stderr
    assert (volumes["S"] / "a" / "plain.txt").read_text() == "plain on S\n"


def test_transportable_copies(script, folder, volumes, machine):
    machine.scenario({"machine": {"hardware_provider": 1}})
    bcd = wine.windows_path(folder / "transport.xml")
    made = script("set context persistent", "set option transportable", f"set metadata {bcd}",
                  "add volume S: alias Moved", "create", "end backup", "list shadows")
    assert made.returncode == 0, made.stderr
    assert "0 shadow copies." in made.stdout and "import" in made.stdout
    done = script("set context persistent", f"load metadata {bcd}", "import", "list shadows id %Moved%",
                  "break writable %VSS_SHADOW_SET%", "list shadows", options=["--json"])
    assert done.returncode == 0, done.stderr
    lines = answers(done)
    assert len(lines[3]["snapshots"]) == 1 and not lines[5]["snapshots"]
