"""The tools of the tests themselves: a broken tool must not look like a broken product."""
import subprocess

import pytest

from harness import wine, wire
from harness.wine import wait_until, windows_path


def test_drive_letter_appears_and_goes(prefix, folder):
    (folder / "here.txt").write_text("here")
    prefix.map_drive("W", folder)
    assert "W" in prefix.drives()
    assert prefix.run(["cmd", "/c", "type", r"W:\here.txt"]).stdout == "here"
    prefix.unmap_drive("W")
    assert "W" not in prefix.drives()


def test_exit_code_and_unicode_arguments_pass(prefix):
    done = prefix.run([wine.HELPER_EXE, "report", "7", "ä b", 'c"d', ""], {"SHADOWPIPE_X": "ö=ü"})
    assert done.returncode == 7
    assert done.stdout.splitlines()[:3] == ["argument ä b", 'argument c"d', "argument "]
    assert "variable SHADOWPIPE_X=ö=ü" in done.stdout.splitlines()


def test_held_file_is_locked_until_its_holder_is_killed(prefix, volumes):
    holder = prefix.popen([wine.HELPER_EXE, "hold", r"S:\a\plain.txt"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline().strip() == b"ready"
    assert prefix.run(["cmd", "/c", "type", r"S:\a\plain.txt"]).returncode != 0
    wine.kill(holder.pid)
    wait_until(lambda: prefix.run(["cmd", "/c", "type", r"S:\a\plain.txt"]).stdout == "plain on S\n",
               "the file can be read again")


def test_bridge_reports_a_pipe_that_is_not_there(bridge):
    with pytest.raises(ConnectionError) as caught:
        bridge.connect(r"\\.\pipe\shadowpipe-e2e-nobody")
    assert caught.value.errno == 2


def test_framing_of_the_tests_agrees_with_the_schema(pb):
    message = wire.envelope(3, pb.Ping(payload=b"x"), 7)
    assert wire.frame(message.SerializeToString())[:4] == message.ByteSize().to_bytes(4, "big")
    assert (message.id, message.timeout_ms, message.WhichOneof("body")) == (3, 7, "ping")


def test_windows_path_of_a_folder_opens(prefix, folder):
    (folder / "f").write_text("x")
    assert prefix.run(["cmd", "/c", "type", windows_path(folder / "f")]).stdout == "x"
