"""The running service answers each session of proto/vectors/sessions.json as it says there."""
import base64
import json

from harness import wine, wire

VECTORS = json.loads((wine.ROOT / "proto" / "vectors" / "sessions.json").read_text("utf-8"))


def bytes_of(vector):
    repeated = bytes.fromhex(vector.get("repeat_hex", "")) * vector.get("repeat_times", 0)
    return bytes.fromhex(vector["hex"]) + repeated + bytes.fromhex(vector.get("then_hex", ""))


def value_of(body, field):
    value = getattr(body, field)
    kind = body.DESCRIPTOR.fields_by_name[field]
    if kind.enum_type:
        return kind.enum_type.values_by_number[value].name
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def assert_reply(envelope, expected):
    assert envelope is not None, f"the connection ended, {expected} was due"
    assert envelope.id == expected["id"] and envelope.WhichOneof("body") == expected["body"], envelope
    body = getattr(envelope, expected["body"])
    for field, value in expected.items():
        if field not in ("id", "body"):
            assert value_of(body, field) == value, f"{field} of {envelope}"
    if expected["body"] == "status":
        assert body.message and body.advice and body.retry, f"a Status says what to do: {envelope}"


def play(connection, pieces, vector):
    for piece in pieces:
        connection.write(piece)
    for expected in vector["replies"]:
        assert_reply(connection.receive(), expected)
    if vector["ends"]:
        assert connection.receive_end() == [], "nothing comes after the last reply"
    else:
        connection.send(wire.envelope(0x7ffffff0, wire.pb().Ping()))
        assert connection.receive().WhichOneof("body") == "ping_reply", "the connection stays usable"
        connection.close()


def cut(content, points):
    edges = [0, *points, len(content)]
    return [content[a:b] for a, b in zip(edges, edges[1:])]


def test_sessions(bridge, service):
    """All of them against one service: whatever one peer sends must not matter to the next."""
    failures = []
    for vector in VECTORS:
        content = bytes_of(vector)
        for pieces in ([content], cut(content, vector["splits"])):
            try:
                play(bridge.connect(service.pipe), pieces, vector)
            except AssertionError as error:
                failures.append(f"{vector['name']} in {len(pieces)} pieces: {error}")
    assert not failures, "\n".join(failures)
