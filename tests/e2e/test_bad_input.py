"""Bad input gets a clear error and loses nothing."""
import subprocess

import pytest

from harness import wine, wire
from harness.service import run_client

# what is asked for: the code, and a word that the message must hold
BAD = {
    "unknown volume": ({"volumes": ["Q:"]}, "NOT_FOUND", "Q:"),
    "unknown GUID": ({"volumes": ["\\\\?\\Volume{01234567-89ab-cdef-0123-456789abcdef}\\"]}, "NOT_FOUND", "01234567"),
    "path on no local volume": ({"paths": [r"Q:\data\x"]}, "NOT_FOUND", r"Q:\data"),
    "UNC path": ({"paths": [r"\\server\share\x"]}, "INVALID_ARGUMENT", "server"),
    "UNC volume": ({"volumes": [r"\\server\share"]}, "INVALID_ARGUMENT", "server"),
    "empty list": ({}, "INVALID_ARGUMENT", "volume"),
    "empty name": ({"volumes": [""]}, "INVALID_ARGUMENT", "volume"),
    "duplicate": ({"volumes": ["S:", "s:\\"]}, "INVALID_ARGUMENT", "S:"),
    "more than 64": ({"volumes": [f"C:\\mount{i}\\" for i in range(65)]}, "RESOURCE_EXHAUSTED", "64"),
    "relative path": ({"paths": [r"data\x"]}, "INVALID_ARGUMENT", "data"),
    "not a volume": ({"volumes": ["nonsense"]}, "INVALID_ARGUMENT", "nonsense"),
    "purpose too long": ({"volumes": ["S:"], "purpose": "p" * 257}, "RESOURCE_EXHAUSTED", "purpose"),
    "types that truncate": ({"volumes": ["S:"], "backup_type": 1}, "INVALID_ARGUMENT", "truncate"),
    "writer required and excluded": ({"volumes": ["S:"], "writers_required": ["WMI Writer"],
                                      "writers_excluded": ["WMI Writer"]}, "INVALID_ARGUMENT", "excluded"),
    "writers without writers": ({"volumes": ["S:"], "context": 2, "writers_required": ["WMI Writer"]},
                                "INVALID_ARGUMENT", "writers"),
    "keep what goes by itself": ({"volumes": ["S:"], "keep_ms": 1000}, "INVALID_ARGUMENT", "keep_ms"),
    "hold point without a place": ({"volumes": ["S:"], "hold_points": [{}]}, "INVALID_ARGUMENT", "hold_points"),
}


@pytest.mark.parametrize("fields,code,word", BAD.values(), ids=BAD.keys())
def test_bad_request(client, volumes, machine, pb, fields, code, word):
    status = client.start(pb.CreateSnapshot(**fields)).status()
    assert pb.Code.Name(status.code) == f"CODE_{code}", status
    assert word.lower() in (status.message + status.field + status.volume).lower(), status
    assert status.reason and status.message
    assert not machine.writer_events(), "nobody was bothered"


def test_good_volume_among_bad_ones_is_not_taken_alone(client, volumes, machine, pb):
    status = client.start(pb.CreateSnapshot(volumes=["S:", "Q:"])).status()
    assert status.code == pb.CODE_NOT_FOUND and not machine.copies()


def test_unsupported_volume_fails_unless_told_to_skip(client, volumes, machine, pb):
    machine.scenario({"volumes": {"unsupported": "T:\\"}})
    status = client.start_snapshot("S:", "T:").status()
    assert "T:" in status.volume + status.message
    reply = client.snapshot("S:", "T:", on_unsupported=pb.ON_UNSUPPORTED_SKIP)
    assert [list(v.volume_names) for v in reply.volumes] == [["S:\\"]]
    assert len(reply.uncovered) == 1 and "T:" in reply.uncovered[0].path and reply.uncovered[0].reason
    client.finish(reply)


@pytest.mark.parametrize("volume", ["Q:", r"\\server\share"])
def test_command_line_says_what_is_wrong(run, volumes, volume):
    done = run("snapshot", "-v", volume, "--hold", "0")
    assert done.returncode in (1, 2, 5)
    assert volume.lower() in done.stderr.lower() and "Traceback" not in done.stderr


def test_no_service(prefix, new_service):
    service = new_service()  # never started
    done = run_client(prefix, service, "status")
    assert done.returncode == 3
    assert "service" in done.stderr.lower()


def test_pipe_name_is_taken(prefix, new_service):
    service = new_service()
    squatter = prefix.popen([wine.HELPER_EXE, "squat", service.pipe], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert squatter.stdout.readline().strip() == b"ready"
    service.start()
    assert service.wait() != 0
    assert service.pipe.rpartition("\\")[2] in service.output()
    squatter.communicate(timeout=wine.LIMIT)
    service.start()
    assert service.stop() == 0


def test_second_service_on_the_same_pipe_ends(service, new_service, new_client, volumes):
    second = new_service()
    second.pipe = service.pipe
    second.start()
    assert second.wait() != 0
    client = new_client()
    client.finish(client.snapshot("S:"))


def library(name):
    """A program that refuses, and a DLL without the exports: Wine's own version.dll."""
    return {"missing": wine.BUILD / "e2e" / "nowhere" / "vssapi.dll",
            "no library": wine.ROOT / "LICENSE",
            "without exports": wine.BUILD / "wine" / "drive_c" / "windows" / "system32" / "version.dll"}[name]


@pytest.mark.parametrize("kind", ["missing", "no library", "without exports"])
def test_vss_library_that_does_not_work(new_service, new_bridge, volumes, pb, kind):
    """The service either refuses to start or answers each request with the reason; never does it hang."""
    service = new_service().start(library=library(kind))
    if not service.is_running():
        assert service.wait() != 0 and "vss" in service.output().lower()
        return
    client = wire.Client(new_bridge().connect(service.pipe))
    status = client.start_snapshot("S:").status()
    assert library(kind).name.lower() in (status.message + status.method + status.advice).lower() or \
        "vssapi" in status.message.lower(), status
    assert status.message and status.advice
    client.service_status()


def test_relative_vss_library_is_refused(new_service):
    """A name without a path would be searched for, and found in the wrong place."""
    service = new_service().start("--vss-library", "vssapi.dll", library=None)
    assert not service.is_running() and service.wait() != 0
    assert "vssapi.dll" in service.output()


@pytest.mark.parametrize("arguments", [["--nonsense"], ["--console", "--pipe"], ["frobnicate"]])
def test_bad_arguments_of_the_service(prefix, arguments):
    done = prefix.run([wine.SERVICE_EXE, *arguments])
    assert done.returncode == 2
    assert "--help" in done.stderr


def test_help_of_the_service(prefix):
    done = prefix.run([wine.SERVICE_EXE, "--help"])
    assert done.returncode == 0 and "--console" in done.stdout
