"""Peers that misbehave: the service answers what can be answered, ends what cannot go on, and serves the others."""
import struct

import pytest

from harness import wire
from harness.wine import wait_until

MIB = 1 << 20


def hello(pb, **fields):
    return pb.Hello(**{"major": 1, "client_name": "peer", **fields})


def greet(connection, pb, identifier=1):
    connection.send(wire.envelope(identifier, hello(pb)))
    reply = connection.receive()
    assert reply.WhichOneof("body") == "hello_reply" and reply.id == identifier
    return reply.hello_reply


def statuses(frames):
    return [f for f in frames if f.WhichOneof("body") == "status"]


@pytest.fixture
def honest(new_client):
    """A client that must be served in spite of all; it is, after the test too."""
    client = new_client("honest")
    yield client
    assert client.service_status().connections >= 1


LENGTHS = [b"\0\0\0\0", struct.pack(">I", 4097), struct.pack(">I", MIB + 1), b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff",
           b"GET / HTTP/1.1\r\n\r\n"]


@pytest.mark.parametrize("data", LENGTHS, ids=[d[:4].hex() for d in LENGTHS])
def test_bad_length_before_hello_ends_the_connection_with_a_status(service, bridge, honest, pb, data):
    connection = bridge.connect(service.pipe)
    connection.write(data)
    frames = connection.receive_end()
    assert [f.id for f in frames] == [0]
    assert statuses(frames)[0].status.code == pb.CODE_INVALID_ARGUMENT


@pytest.mark.parametrize("length", [0, MIB + 1, 0xffffffff])
def test_bad_length_after_hello_ends_the_connection_with_a_status(service, bridge, honest, pb, length):
    connection = bridge.connect(service.pipe)
    greet(connection, pb)
    connection.write(struct.pack(">I", length))
    frames = connection.receive_end()
    assert [f.id for f in frames] == [0]
    assert frames[0].status.message


def test_largest_request_is_taken(service, bridge, pb):
    """1 MiB exactly, by a purpose that is too long: refused for that field, and the connection goes on."""
    connection = bridge.connect(service.pipe)
    greet(connection, pb)
    request = wire.envelope(5, pb.CreateSnapshot(volumes=["S:"], purpose="x" * (MIB - 50)))
    payload = request.SerializeToString()
    request.create_snapshot.purpose += "x" * (MIB - len(payload))
    assert request.ByteSize() == MIB
    connection.send(request)
    reply = connection.receive()
    assert (reply.id, reply.status.field) == (5, "create_snapshot.purpose")
    connection.send(wire.envelope(6, pb.Ping()))
    assert connection.receive().WhichOneof("body") == "ping_reply"
    connection.close()


GARBAGE = {
    "wire type": b"\x0f\x01\x02",
    "truncated varint": b"\x08\xff",
    "overlong varint": b"\x08" + b"\xff" * 11,
    "length beyond the end": b"\x52\x7f\x08\x01",
    "nothing asked": b"\x08\x01",
    "field zero": b"\x02\x00",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_malformed_message_is_refused(service, bridge, honest, pb, garbage):
    """After Hello; a status is owed, then the connection goes on or ends, but never stalls."""
    connection = bridge.connect(service.pipe)
    greet(connection, pb)
    connection.write(wire.frame(garbage))
    reply = connection.receive()
    assert reply.WhichOneof("body") == "status"
    assert reply.status.code in (pb.CODE_INVALID_ARGUMENT, pb.CODE_UNIMPLEMENTED)
    connection.close()


def test_first_frame_must_be_hello(service, bridge, honest, pb):
    connection = bridge.connect(service.pipe)
    connection.send(wire.envelope(1, pb.Ping()))
    frames = connection.receive_end()
    assert statuses(frames)[0].status.code in (pb.CODE_FAILED_PRECONDITION, pb.CODE_INVALID_ARGUMENT)


def test_other_major_version_is_refused(service, bridge, honest, pb):
    connection = bridge.connect(service.pipe)
    connection.send(wire.envelope(1, hello(pb, major=2)))
    frames = connection.receive_end()
    assert statuses(frames)[0].status.code in (pb.CODE_UNIMPLEMENTED, pb.CODE_FAILED_PRECONDITION,
                                               pb.CODE_INVALID_ARGUMENT)


def test_second_hello_is_refused(client, pb):
    status = client.start(hello(pb)).status()
    assert status.code in (pb.CODE_FAILED_PRECONDITION, pb.CODE_INVALID_ARGUMENT)


def test_id_zero_ends_the_connection(service, bridge, honest, pb):
    """There is no id under which a Status could be sent and told from the others."""
    connection = bridge.connect(service.pipe)
    greet(connection, pb)
    connection.send(wire.envelope(0, pb.Ping()))
    frames = connection.receive_end()
    assert [(f.id, f.status.reason) for f in frames] == [(0, "NO_ID")]


def test_id_in_use_ends_the_connection_and_what_it_had_open(service, bridge, honest, volumes, machine, pb):
    machine.scenario({"timing": {"identify": 30000}})
    connection = bridge.connect(service.pipe)
    greet(connection, pb)
    connection.send(wire.envelope(9, pb.CreateSnapshot(volumes=["S:"])))
    connection.send(wire.envelope(9, pb.Ping()))
    refused = statuses(connection.receive_end())
    assert "DUPLICATE_ID" in [f.status.reason for f in refused]
    wait_until(lambda: not machine.objects(), "the VSS object is released")


def test_unknown_field_is_refused_by_name(service, bridge, pb):
    """An old server must not silently ignore what a newer client relies on."""
    connection = bridge.connect(service.pipe)
    greet(connection, pb)
    create = pb.CreateSnapshot(volumes=["S:"]).SerializeToString() + b"\x92\x3f\x01x"  # field 1010
    message = b"\x08\x07" + b"\xf2\x01" + bytes([len(create)]) + create  # id 7, create_snapshot = 30
    connection.write(wire.frame(message))
    reply = connection.receive()
    assert reply.id == 7 and reply.status.code == pb.CODE_INVALID_ARGUMENT
    assert "1010" in reply.status.field + reply.status.message
    connection.send(wire.envelope(8, pb.Ping(payload=b"still here")))
    assert connection.receive().ping_reply.payload == b"still here"
    connection.close()


def test_unknown_enum_value_is_refused_by_name(client, pb):
    request = pb.CreateSnapshot(volumes=["S:"])
    request.backup_type = 77
    status = client.start(request).status()
    assert status.code == pb.CODE_INVALID_ARGUMENT and "backup_type" in status.field + status.message


def test_unknown_request_leaves_the_connection(service, bridge, pb):
    connection = bridge.connect(service.pipe)
    greet(connection, pb)
    connection.write(wire.frame(b"\x08\x07" + b"\xda\x3f\x00"))  # body 1019
    reply = connection.receive()
    assert reply.id == 7 and reply.status.code in (pb.CODE_UNIMPLEMENTED, pb.CODE_INVALID_ARGUMENT)
    connection.send(wire.envelope(8, pb.Ping()))
    assert connection.receive().WhichOneof("body") == "ping_reply"
    connection.close()


@pytest.mark.parametrize("text", [b"S:\0x", b"S:\xff"], ids=["NUL", "no UTF-8"])
def test_bad_string_is_refused(service, bridge, pb, text):
    connection = bridge.connect(service.pipe)
    greet(connection, pb)
    create = b"\x1a" + bytes([len(text)]) + text  # volumes = 3
    connection.write(wire.frame(b"\x08\x07" + b"\xf2\x01" + bytes([len(create)]) + create))
    reply = connection.receive()
    assert reply.status.code == pb.CODE_INVALID_ARGUMENT
    connection.close()


def test_requests_of_later_versions_are_unimplemented(client, pb):
    for body in (pb.History(), pb.OpenSession(mode=pb.SESSION_MODE_RESTORE)):
        final = client.start(body).wait()
        if isinstance(final, pb.Status):
            assert final.code == pb.CODE_UNIMPLEMENTED, f"{type(body).__name__}: {final}"


def test_requester_messages_are_refused_from_clients(client, pb):
    for body in (pb.RequesterHello(secret=b"x" * 32, process_id=1), pb.RequesterWelcome()):
        status = client.start(body).status()
        assert status.code in (pb.CODE_PERMISSION_DENIED, pb.CODE_INVALID_ARGUMENT, pb.CODE_UNIMPLEMENTED)
    client.service_status()


def test_stranger_on_the_requesters_pipe_is_turned_away(service, bridge, honest, pb):
    """The private pipe asks for a secret; without it the connection ends and nothing else happens."""
    name = requester_pipe(service)
    connection = bridge.connect(name)
    connection.send(wire.envelope(1, pb.RequesterHello(secret=b"x" * 32, process_id=4)))
    assert not [f for f in connection.receive_end() if f.WhichOneof("body") == "requester_welcome"]


def requester_pipe(service):
    return service.pipe + "-requester"


def test_truncated_frames_and_vanishing_peers(service, bridge, honest, volumes, pb):
    whole = wire.frame(wire.envelope(1, hello(pb)).SerializeToString())
    for cut in range(len(whole)):
        connection = bridge.connect(service.pipe)
        connection.write(whole[:cut])
        connection.close()
    for body in (pb.CreateSnapshot(volumes=["S:"]), pb.ListWriters(), pb.GetServiceStatus()):
        connection = bridge.connect(service.pipe)
        greet(connection, pb)
        data = wire.frame(wire.envelope(2, body).SerializeToString())
        connection.write(data[:len(data) // 2])
        connection.close()
    wait_until(lambda: honest.service_status().connections == 1, "the connections are forgotten")


def test_bytes_one_at_a_time_make_the_same_frames(service, bridge, pb):
    connection = bridge.connect(service.pipe)
    for byte in wire.frame(wire.envelope(1, hello(pb)).SerializeToString()):
        connection.write(bytes([byte]))
    assert connection.receive().WhichOneof("body") == "hello_reply"
    both = wire.frame(wire.envelope(2, pb.Ping()).SerializeToString())
    both += wire.frame(wire.envelope(3, pb.Ping()).SerializeToString())
    connection.write(both)
    assert [connection.receive().id, connection.receive().id] == [2, 3]
    connection.close()


def test_silent_peers_are_closed_and_hinder_nobody(service, bridge, new_client, volumes, pb):
    silent = [bridge.connect(service.pipe) for _ in range(12)]
    half = bridge.connect(service.pipe)
    half.write(wire.frame(wire.envelope(1, hello(pb)).SerializeToString())[:-1])
    honest = new_client("honest")
    honest.finish(honest.snapshot("S:"))
    for connection in [*silent, half]:
        connection.receive_end()
    assert honest.service_status().connections == 1


def test_half_a_frame_after_hello_is_closed_in_time(registry, new_service, bridge, pb):
    registry(FrameTimeoutMs=1500)
    service = new_service().start()
    connection = bridge.connect(service.pipe)
    greet(connection, pb)
    idle = bridge.connect(service.pipe)
    greet(idle, pb)
    connection.write(b"\0\0\0\x10half")
    connection.receive_end()
    idle.send(wire.envelope(2, pb.Ping()))
    assert idle.receive().WhichOneof("body") == "ping_reply", "a connection that is between frames may be silent"
    idle.close()


def test_reader_that_does_not_read_hinders_nobody(service, bridge, honest, volumes, pb):
    """It asks ten thousand times and reads nothing. The service stops reading from it; when it reads at last, every
    answer is there, in order for each id."""
    connection = bridge.connect(service.pipe)
    greet(connection, pb)
    connection.pause()
    count = 10000
    ping = pb.Ping(payload=b"p" * 1000)
    connection.write(b"".join(wire.frame(wire.envelope(i + 2, ping).SerializeToString()) for i in range(count)))
    honest.finish(honest.snapshot("S:"))
    connection.resume()
    connection.wait(lambda: len(connection.frames) == count, "all answers come")
    assert sorted(f.id for f in connection.frames) == list(range(2, count + 2))
    connection.close()


def test_last_words_reach_a_reader_that_is_late(service, bridge, honest, pb):
    """Disconnecting a pipe throws away what was not read; the service lets the client read first."""
    connection = bridge.connect(service.pipe)
    greet(connection, pb)
    connection.pause()
    connection.write(wire.frame(wire.envelope(2, pb.Ping(payload=b"first")).SerializeToString()) + b"\xff\xff\xff\xff")
    honest.call(pb.ListWriters(refresh=True))
    connection.resume()
    frames = connection.receive_end()
    assert frames[0].ping_reply.payload == b"first"
    assert frames[1].status.reason == "BAD_LENGTH"


def test_storm_of_connects(service, bridge, honest, volumes, pb):
    """Programs that list or probe pipes open them and vanish."""
    for _ in range(10):
        storm = [bridge.begin(service.pipe) for _ in range(50)]
        for connection in storm:
            connection.wait(lambda: connection.opened is not None, "the pipe answers")
        assert not [c.opened for c in storm if c.opened not in (0, 231)]
        for connection in storm:
            connection.close()
    honest.finish(honest.snapshot("S:"))
    wait_until(lambda: honest.service_status().connections == 1, "the connections are forgotten")


def test_too_many_connections_are_refused(registry, new_service, bridge, pb):
    """Past the limit a connection is answered RESOURCE_EXHAUSTED, with the limit's name, and ended."""
    registry(MaxConnections=8, ReservedConnections=0)
    service = new_service().start()
    refused = None
    held = []
    for _ in range(20):
        connection = bridge.connect(service.pipe)
        connection.send(wire.envelope(1, hello(pb)))
        reply = connection.receive()
        if reply is None or reply.WhichOneof("body") == "status":
            refused = reply
            break
        held.append(connection)
    assert refused is not None and refused.status.code == pb.CODE_RESOURCE_EXHAUSTED
    assert refused.status.limit_name == "max_connections" and len(held) == 8
    held[0].send(wire.envelope(2, pb.Ping()))
    assert held[0].receive().WhichOneof("body") == "ping_reply"
    for connection in held:
        connection.close()
