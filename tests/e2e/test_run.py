"""`shadowpipe run`: one snapshot set, a program that reads it, an end by the program's exit code."""
import signal
import subprocess

import pytest

from harness import service as services
from harness import wine
from harness.wine import wait_until

HELPER = str(wine.HELPER_EXE)
OWN_CODES = range(120, 127)  # 119 + the exit code that another command would have


def report(code=0, *arguments):
    return ["--", HELPER, "report", str(code), *arguments]


def lines(done, kind):
    return [line.split(" ", 1)[1] for line in done.stdout.splitlines() if line.startswith(kind + " ")]


def variables(done):
    return dict(v.split("=", 1) for v in lines(done, "variable"))


@pytest.mark.parametrize("code", [0, 1, 3, 119, 255])
def test_exit_code_passes_through(run, volumes, machine, code):
    done = run("run", "-v", "S:", *report(code))
    assert done.returncode == code, done.stderr
    wait_until(lambda: not machine.copies(), "the copy goes")


def test_environment(run, volumes):
    done = run("run", "--name", "nightly", "-v", "S:", "-v", "T:", *report())
    shown = variables(done)
    assert shown["SHADOWPIPE_COUNT"] == "2"
    paths = {shown[f"SHADOWPIPE_ORIGINAL_{n}"]: shown[f"SHADOWPIPE_PATH_{n}"] for n in (1, 2)}
    assert paths == {"S:\\": shown["SHADOWPIPE_S"] + "\\", "T:\\": shown["SHADOWPIPE_T"] + "\\"}
    assert shown["SHADOWPIPE_S"].startswith("\\\\?\\") and shown["SHADOWPIPE_S"] != shown["SHADOWPIPE_T"]


def test_arguments_with_snap_become_paths(run, prefix, volumes):
    done = run("run", "-v", "S:", *report(0, r"snap:S:\a\plain.txt", "plain", "a b", 'q"q', ""))
    shown = lines(done, "argument")
    assert shown[0].startswith("\\\\?\\") and shown[0].endswith(r"\a\plain.txt")
    assert shown[1:] == ["plain", "a b", 'q"q', ""]


def test_program_reads_the_snapshot_not_the_live_disk(run, volumes, machine):
    done = run("run", "-v", "S:", "--", "cmd", "/c", "type", r"snap:S:\a\plain.txt")
    assert done.returncode == 0 and done.stdout == "plain on S\n"


def test_snap_argument_on_another_volume_is_an_error(run, volumes, machine):
    done = run("run", "-v", "S:", *report(0, r"snap:T:\a"))
    assert done.returncode in OWN_CODES and "T:" in done.stderr
    assert "argument" not in done.stdout, "the program was not started"


def test_letter_is_mapped_while_the_program_runs(run, prefix, volumes):
    before = prefix.drives()
    done = run("run", "-v", "S:", "--as", "S:=X:", "--", "cmd", "/c", "type", r"X:\a\plain.txt")
    assert done.returncode == 0 and done.stdout == "plain on S\n", done.stderr
    assert prefix.drives() == before


def test_snap_arguments_use_the_letter(run, volumes):
    done = run("run", "-v", "S:", "--as", "S:=X:", *report(0, r"snap:S:\a"))
    assert lines(done, "argument") == [r"X:\a"]


def test_two_letters_and_a_free_one(run, prefix, volumes):
    before = prefix.drives()
    done = run("run", "-v", "S:", "-v", "T:", "--as", "S:=X:", "--as", "T:=*", *report(0, r"snap:S:\a", r"snap:T:\a"))
    first, second = lines(done, "argument")
    assert first == r"X:\a" and second[1:] == r":\a" and second[0].upper() not in {"X", *before}
    assert prefix.drives() == before


@pytest.mark.parametrize("spec", ["S:=C:", "S:=T:"])
def test_letter_in_use_is_refused(run, volumes, machine, prefix, spec):
    before = prefix.drives()
    done = run("run", "-v", "S:", "--as", spec, *report())
    assert done.returncode in OWN_CODES and spec[-2:] in done.stderr
    assert prefix.drives() == before and not lines(done, "variable")


def test_letter_for_a_volume_that_is_not_in_the_set(run, volumes):
    done = run("run", "-v", "S:", "--as", "T:=X:", *report())
    assert done.returncode in OWN_CODES and "T:" in done.stderr


def test_ok_codes(run, volumes, service):
    assert run("run", "-v", "S:", "--ok-codes", "0-3,7", *report(3)).returncode in (0, 3)
    assert run("run", "-v", "S:", "--ok-codes", "0-3,7", *report(7)).returncode in (0, 7)
    assert run("run", "-v", "S:", "--ok-codes", "0-3", *report(4)).returncode == 4


def test_warn_codes(run, volumes):
    done = run("run", "-v", "S:", "--warn-codes", "5", *report(5))
    assert done.returncode == 5
    assert "warn" in done.stderr.lower()


def test_warning_when_nothing_refers_to_the_snapshot(run, volumes):
    quiet = run("run", "-v", "S:", "--as", "S:=X:", "--", "cmd", "/c", "type", r"X:\a\plain.txt")
    loud = run("run", "-v", "S:", "--", "cmd", "/c", "type", r"S:\a\plain.txt")
    assert "live" in loud.stderr.lower() and "live" not in quiet.stderr.lower()


OWN_FAILURES = {
    "no such program": ["-v", "S:", "--", "no-such-program-anywhere"],
    "no such volume": ["-v", "Q:", *report()],
}


@pytest.mark.parametrize("arguments", OWN_FAILURES.values(), ids=OWN_FAILURES.keys())
def test_own_failures_are_120_to_126(run, volumes, machine, arguments):
    done = run("run", *arguments)
    assert done.returncode in OWN_CODES, done.stderr
    assert done.stderr
    wait_until(lambda: not machine.copies(), "the copy goes")


def test_vss_failure_is_an_own_failure(run, volumes, machine):
    machine.scenario({"method:DoSnapshotSet": {"async_result": "0x8004231f"}})
    done = run("run", "-v", "S:", *report())
    assert done.returncode in OWN_CODES and "VSS_E_INSUFFICIENT_STORAGE" in done.stderr
    assert not lines(done, "variable"), "the program was not started"


def test_without_a_service(prefix, new_service):
    done = services.run_client(prefix, new_service(), "run", "-v", "S:", *report())
    assert done.returncode in OWN_CODES


def start_run(prefix, service, folder, *options, stderr=subprocess.DEVNULL):
    """A run whose program waits for a file; returns when the program is ready."""
    process = services.start_client(prefix, service, "run", "-v", "S:", *options, "--", HELPER, "wait",
                                    wine.windows_path(folder / "go"), stdout=subprocess.PIPE, stderr=stderr)
    while b"ready" not in (line := process.stdout.readline()):
        assert line, "the program did not start"
    return process


def test_killed_cli_leaves_no_letter_and_no_snapshot(prefix, service, folder, volumes, machine):
    before = prefix.drives()
    process = start_run(prefix, service, folder, "--as", "S:=X:")
    assert prefix.drives() == {"X", *before}
    wine.kill(process.pid)
    wait_until(lambda: prefix.drives() == before, "the letter is taken away")
    wait_until(lambda: not machine.copies(), "the snapshot goes")
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    (folder / "go").touch()  # ends the program, if it was left running
    wait_until(lambda: not prefix.processes("e2e_helper.exe", "wait"), "the program ends")


def test_ctrl_c_ends_the_program_and_cleans_up(prefix, service, folder, volumes, machine):
    before = prefix.drives()
    process = start_run(prefix, service, folder, "--as", "S:=X:")
    process.send_signal(signal.SIGINT)
    (folder / "go").touch()
    process.wait(wine.LIMIT)
    wait_until(lambda: prefix.drives() == before, "the letter is taken away")
    wait_until(lambda: not machine.copies(), "the snapshot goes")


def test_service_that_dies_and_does_not_come_back_is_reported(prefix, service, folder, volumes, machine):
    process = start_run(prefix, service, folder, "--reconnect", "1s")
    service.kill()
    (folder / "go").touch()
    process.wait(wine.LIMIT)
    assert process.returncode != 0, "the snapshot may be gone: that is no good backup"
    for pid in service.requesters():  # it holds the snapshot for the orphan grace
        wine.kill(pid)
    service.start()
    done = services.run_client(prefix, service, "run", "-v", "S:", *report())
    assert done.returncode == 0


def read_until(stream, words):
    while words not in (line := stream.readline()):
        assert line, f"{words} never came"


def test_service_that_dies_under_a_run_and_comes_back(prefix, service, folder, volumes, machine):
    process = start_run(prefix, service, folder, "--as", "S:=X:", stderr=subprocess.PIPE)
    for _ in range(2):
        service.kill()
        read_until(process.stderr, b"connection to the service was lost")
        service.start()
        read_until(process.stderr, b"connected again")
    assert "X" in prefix.drives()
    (folder / "go").touch()
    _, stderr = process.communicate(timeout=wine.LIMIT)
    assert process.returncode == 0, stderr
    assert "BackupComplete" in [e[0] for e in machine.writer_events()]
    wait_until(lambda: not machine.copies(), "the snapshot goes")


def test_snapshot_is_held_over_a_restart(prefix, service, volumes, machine):
    process = services.start_client(prefix, service, "snapshot", "-v", "S:", stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert b"Snapshot set" in process.stdout.readline()
    service.kill()
    service.start()
    _, stderr = process.communicate(b"\r\n", timeout=wine.LIMIT)
    assert process.returncode == 0, stderr
    assert "BackupComplete" in [e[0] for e in machine.writer_events()]
    wait_until(lambda: not machine.copies(), "the snapshot goes")
