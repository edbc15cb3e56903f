#!/usr/bin/env python3
"""Makes the golden vectors: messages.json and sessions.json. README.md says what is in them.

    generate.py           write both files
    generate.py --check   fail if they differ from what would be written
    generate.py --corpus FOLDER   write the bytes of each vector to a file of its own, for the fuzzer

Needs protoc and the Python package protobuf: the sound vectors come from Google's own encoder, not from the
one that the service uses. The unsound ones are put together by hand.
"""
import importlib
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def load_schema():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", f"--proto_path={HERE.parent}", f"--python_out={folder}", "shadowpipe.proto"],
                       check=True)
        sys.path.insert(0, folder)
        sys.dont_write_bytecode = True
        return importlib.import_module("shadowpipe_pb2")


pb = load_schema()
from google.protobuf import json_format  # noqa: E402  (only after the schema: both need the package)

# ---- wire bytes by hand --------------------------------------------------------------------------------------------


def varint(value):
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def data(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def frame(payload):
    return struct.pack(">I", len(payload)) + payload


ENVELOPE = {f.name: f.number for f in pb.Envelope.DESCRIPTOR.fields}
CREATE = {f.name: f.number for f in pb.CreateSnapshot.DESCRIPTOR.fields}


def create(content, identifier=2):
    """A CreateSnapshot request with hand-made content."""
    return number(1, identifier) + data(ENVELOPE["create_snapshot"], content)


def nest(levels):
    """Field 2 within field 2 within …"""
    content = b""
    for _ in range(levels):
        content = data(2, content)
    return content


# ---- messages ------------------------------------------------------------------------------------------------------

SET_ID = "4f3c0f6e-9a55-4a0e-8e53-6d6f1b6c2a01"
SNAPSHOT_ID = "b0a1c2d3-0001-4000-8000-00805f9b34fb"
PROVIDER_ID = "b5946137-7b9f-4925-af80-51abd60b20d5"
WRITER_ID = "e8132975-6f93-4464-a53e-1050253ae220"
INSTANCE_ID = "0d1b7f8a-4a8f-4f0b-9e0a-1f6f0f3c9a11"
VOLUME = "\\\\?\\Volume{6f1c1b1e-0000-0000-0000-100000000000}\\"
DEVICE = "\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy7"

VALID = [
    ("hello", "client", "The first frame of a connection.",
     dict(id=1, hello=dict(major=1, minor=0, client_name="example", client_version="1.0"))),
    ("hello_with_features", "client", "Features that the server does not know are left out of its answer.",
     dict(id=1, hello=dict(major=1, minor=3, client_name="Größe €", features=["sharing", "x"]))),
    ("hello_reply", "server", "The answer, with the limits that hold for this connection.",
     dict(id=1, hello_reply=dict(
         major=1, server_version="0.1.0", connection_id=42, boot_id="5be7c9d2", os_build="10.0.20348",
         limits=dict(max_request_bytes=1048576, max_reply_bytes=16777215, max_in_flight=16, max_volumes=64,
                     default_timeout_ms=1800000, max_timeout_ms=86400000, max_leases=128, max_sessions=16,
                     max_lease_ttl_ms=604800000),
         caller=dict(sid="S-1-5-21-1-2-3-1001", process_id=4711, process_name="backup.exe", elevated=True,
                     rights=["RIGHT_READ", "RIGHT_SNAPSHOT"])))),
    ("ping", "client", "Bytes that come back.", dict(id=7, ping=dict(payload="AAH/"))),
    ("ping_empty", "client", "A message without fields still needs its tag and a length of 0.",
     dict(id=8, ping={})),
    ("largest_id", "client", "An id can be any 32-bit number but 0.", dict(id=0xffffffff, ping={})),
    ("cancel", "client", "Cancels request 3 of connection 42, with an id of its own.",
     dict(id=9, cancel=dict(connection_id=42, id=3))),
    ("create_snapshot_small", "client", "All that most programs need.",
     dict(id=2, create_snapshot=dict(purpose="nightly", volumes=["C:\\"]))),
    ("create_snapshot_large", "client", "Most fields of CreateSnapshot.",
     dict(id=3, timeout_ms=600000, create_snapshot=dict(
         job_key="job-2024-05-01", purpose="Sicherung der Datenbank", volumes=["C:", VOLUME], paths=["D:\\Daten\\é"],
         include_mounted=True, on_unsupported="ON_UNSUPPORTED_SKIP", context="CONTEXT_BACKUP",
         providers=[PROVIDER_ID], backup_type="BACKUP_TYPE_COPY",
         components=[dict(writer="SqlServerWriter", type="COMPONENT_TYPE_DATABASE", logical_path="SRV", name="master")],
         writers_required=["SqlServerWriter"], writers_excluded=[WRITER_ID], writers_tolerated=["WMI Writer"],
         share="SHARE_NEVER", queue_timeout_ms=60000,
         phase_timeouts=[dict(phase="PHASE_PREPARING", timeout_ms=120000)],
         lease=dict(mode="LEASE_MODE_DETACHED", ttl_ms=600000)))),
    ("progress", "server", "Streamed before the final reply.",
     dict(id=3, progress=dict(phase="PHASE_WAITING_FOR_GATE", queue_position=2,
                              waiting_for="WAITING_FOR_FOREIGN_PROGRAM", elapsed_ms=5100, attempt=1))),
    ("snapshot_reply", "server", "The final reply of CreateSnapshot.",
     dict(id=2, snapshot_reply=dict(
         lease_id="lease-1", token="00112233445566778899aabbccddeeff", set_id=SET_ID, created_ms=1714550400123,
         consistency="CONSISTENCY_APPLICATION", context="CONTEXT_BACKUP",
         volumes=[dict(snapshot_id=SNAPSHOT_ID, set_id=SET_ID, volume_guid_path=VOLUME, volume_names=["C:\\"],
                       device=DEVICE, device_root=DEVICE + "\\", provider_id=PROVIDER_ID,
                       created_ms=1714550400123, attributes=0x00420009, snapshots_count=1)],
         map=[dict(original="C:\\", shadow=DEVICE + "\\")],
         writers=[dict(writer_id=WRITER_ID, instance_id=INSTANCE_ID, name="System Writer",
                       state="WRITER_STATE_WAITING_FOR_BACKUP_COMPLETE", took_part=True, components=1)],
         phases=[dict(phase="PHASE_CREATING", start_ms=420, duration_ms=950)], attempts=1))),
    ("status_vss", "server", "VSS refused: an HRESULT is a fixed32, little-endian on the wire.",
     dict(id=3, status=dict(
         code="CODE_UNAVAILABLE", reason="VSS_FAILED", hresult=0x80042316,
         hresult_name="VSS_E_SNAPSHOT_SET_IN_PROGRESS", method="StartSnapshotSet", phase="PHASE_WAITING_FOR_GATE",
         message="StartSnapshotSet failed: another program is creating a snapshot set", retry="RETRY_SOON",
         retryable=True, retry_after_ms=5000))),
    ("farewell", "server", "A Status with id 0 is the connection's last frame.",
     dict(status=dict(code="CODE_INVALID_ARGUMENT", reason="BAD_LENGTH", message="a frame is too long"))),
    ("finish_backup", "client", "Ends the reading; on the connection that made the lease without the token.",
     dict(id=4, finish_backup=dict(lease_id="lease-1", outcome="OUTCOME_SUCCEEDED"))),
    ("finish_reply", "server", "BackupComplete was called.",
     dict(id=4, finish_reply=dict(completion="COMPLETION_COMPLETED"))),
    ("list_writers", "client", "The writers come one per frame before WritersReply.",
     dict(id=5, list_writers=dict(with_components=True))),
    ("writer", "server", "One of them.",
     dict(id=5, writer=dict(
         status=dict(writer_id=WRITER_ID, instance_id=INSTANCE_ID, name="System Writer", state="WRITER_STATE_STABLE"),
         usage="USAGE_TYPE_BOOTABLE_SYSTEM_STATE", source="SOURCE_TYPE_OTHER",
         restore_method=dict(method="RESTORE_METHOD_AT_REBOOT", reboot_required=True),
         components=[dict(type="COMPONENT_TYPE_FILE_GROUP", name="System Files", caption="System Files")]))),
    ("writers_reply", "server", "Their end.", dict(id=5, writers_reply=dict(count=1, age_ms=1200))),
    ("open_session", "client", "Steps: one COM method per message.",
     dict(id=10, open_session=dict(mode="SESSION_MODE_BACKUP", purpose="steps"))),
    ("call_set_context", "client", "IVssBackupComponents::SetContext(VSS_CTX_APP_ROLLBACK): VSS's own numbers.",
     dict(id=11, call=dict(session_id="s1", set_context=dict(context=9)))),
    ("call_add_to_snapshot_set", "client", "IVssBackupComponents::AddToSnapshotSet.",
     dict(id=12, call=dict(session_id="s1", add_to_snapshot_set=dict(volume=VOLUME)))),
    ("call_reply_async", "server", "The call succeeded, and its asynchronous operation did not.",
     dict(id=13, call_reply=dict(
         async_hresult=0x8004231F, async_hresult_name="VSS_E_INSUFFICIENT_STORAGE", hresult_name="S_OK",
         session_phase="SESSION_PHASE_SET_OPEN", elapsed_ms=8123))),
    ("document_chunk_last", "server", "The chunk with `last` is the final reply of ReadDocument.",
     dict(id=14, document_chunk=dict(offset="262144", data="PC9CQ0Q+", total_bytes="262150", last=True))),
]

# Payloads (without length) that a server refuses: name, meaning, bytes, reason, field, id.
INVALID = [
    ("unknown_field", "A field that the server does not know, in a request.",
     create(data(CREATE["volumes"], b"C:\\") + number(77, 1)), "UNKNOWN_FIELD", "create_snapshot.#77", 2),
    ("unknown_field_nested", "The same, two messages deep.",
     create(data(CREATE["components"], data(99, b"x"))), "UNKNOWN_FIELD", "create_snapshot.components.#99", 2),
    ("unknown_request", "A body that the server does not know.",
     number(1, 2) + data(9999, b""), "UNKNOWN_FIELD", "#9999", 2),
    ("unknown_enum_value", "An enum value that the server does not know, in a request.",
     create(number(CREATE["context"], 99)), "UNKNOWN_VALUE", "create_snapshot.context", 2),
    ("enum_above_32_bits", "Would be CONTEXT_BACKUP if it were cut to 32 bits.",
     create(number(CREATE["context"], 1 << 32 | 1)), "UNKNOWN_VALUE", "create_snapshot.context", 2),
    ("uint32_above_32_bits", "Would be 1 if it were cut to 32 bits.",
     create(number(CREATE["max_age_ms"], 1 << 32 | 1)), "MALFORMED", "create_snapshot.max_age_ms", 2),
    ("string_with_nul", "A string ends where its length says, and may not hold a NUL.",
     create(data(CREATE["volumes"], b"C:\\\0D:\\")), "BAD_STRING", "create_snapshot.volumes", 2),
    ("string_not_utf8", "Latin-1 is not UTF-8.",
     create(data(CREATE["purpose"], b"Gr\xf6\xdfe")), "BAD_STRING", "create_snapshot.purpose", 2),
    ("string_overlong_utf8", "An overlong form of the slash.",
     create(data(CREATE["purpose"], b"\xc0\xaf")), "BAD_STRING", "create_snapshot.purpose", 2),
    ("string_surrogate", "Half a surrogate pair, as some UTF-16 programs write it.",
     create(data(CREATE["purpose"], b"\xed\xa0\xbd")), "BAD_STRING", "create_snapshot.purpose", 2),
    ("truncated_string", "A string that is longer than its message.",
     create(varint(CREATE["purpose"] << 3 | 2) + b"\x05abc"), "MALFORMED", "create_snapshot.purpose", 2),
    ("truncated_varint", "The last byte says that another one follows.",
     number(1, 2) + varint(2 << 3) + b"\xff", "MALFORMED", "timeout_ms", 2),
    ("overlong_varint", "Eleven bytes.",
     number(1, 2) + varint(2 << 3) + b"\x80" * 10 + b"\x00", "MALFORMED", "timeout_ms", 2),
    ("wrong_wire_type", "The id as a string.", data(1, b"2"), "MALFORMED", "id", 0),
    ("group", "A group, which this protocol does not use.",
     number(1, 2) + varint(ENVELOPE["ping"] << 3 | 3) + varint(ENVELOPE["ping"] << 3 | 4), "MALFORMED", "ping", 2),
    ("field_number_zero", "There is no field 0.", number(1, 2) + b"\x00\x00", "MALFORMED", "", 2),
    ("field_twice", "A singular field that is there twice is not merged.",
     number(1, 2) + number(1, 3), "MALFORMED", "id", 3),
    ("request_twice", "Nor is a message.",
     create(b"") + data(ENVELOPE["create_snapshot"], b""), "MALFORMED", "create_snapshot", 2),
    ("two_requests", "Nor is there a last one that counts.",
     create(b"") + data(ENVELOPE["ping"], b""), "MALFORMED", "ping", 2),
    ("id_after_the_fault", "The id is found wherever it is, so that the answer can name it.",
     data(ENVELOPE["create_snapshot"], number(77, 1)) + number(1, 2), "UNKNOWN_FIELD", "create_snapshot.#77", 2),
    ("name_too_long", "client_name has at most 64 bytes.",
     number(1, 1) + data(ENVELOPE["hello"], data(3, b"x" * 65)), "TOO_LARGE", "hello.client_name", 1),
    ("deep", "Messages nested where the schema has a number: read by a program that guesses, a stack overflow.",
     (create(b"")[:2] + nest(200)), "MALFORMED", "timeout_ms", 2),
    ("amplification", "Empty messages that cost two bytes each on the wire and far more in memory.",
     (number(1, 2) + varint(ENVELOPE["create_snapshot"] << 3 | 2) + varint(2 * 32768),
      varint(CREATE["components"] << 3 | 2) + b"\x00", 32768), "TOO_MANY", "create_snapshot.components", 2),
    ("amplification_top", "64 KiB of 0A 00.", (b"", b"\x0a\x00", 32768), "MALFORMED", "id", 0),
]

# ---- sessions ------------------------------------------------------------------------------------------------------


def envelope(**fields):
    return json_format.ParseDict(fields, pb.Envelope()).SerializeToString()


HELLO = frame(envelope(id=1, hello=dict(major=1, client_name="vectors", client_version="1")))
HELLO_REPLY = dict(id=1, body="hello_reply")


def ping(identifier, payload=""):
    return frame(envelope(id=identifier, ping=dict(payload=payload)))


def pong(identifier):
    return dict(id=identifier, body="ping_reply")


def refused(identifier, code, reason, field=None):
    status = dict(id=identifier, body="status", code=code, reason=reason)
    return status if field is None else dict(status, field=field)


def farewell(reason, code="CODE_INVALID_ARGUMENT"):
    return refused(0, code, reason)


def invalid_frame(name):
    content = next(bytes_of(v[2]) for v in INVALID if v[0] == name)
    return frame(content)


def bytes_of(pieces):
    return pieces if isinstance(pieces, bytes) else pieces[0] + pieces[1] * pieces[2]


def answered(name, code="CODE_INVALID_ARGUMENT", reason=None):
    """A frame that is refused while the connection stays: the ping behind it is answered."""
    _, meaning, _, own_reason, field, identifier = next(v for v in INVALID if v[0] == name)
    return (name, meaning, HELLO + invalid_frame(name) + ping(9),
            [HELLO_REPLY, refused(identifier, code, reason or own_reason, field), pong(9)], False)


def closing(name):
    """A frame that cannot be answered by id, so that the connection ends."""
    _, meaning, _, reason, field, _ = next(v for v in INVALID if v[0] == name)
    return (name, meaning, HELLO + invalid_frame(name) + ping(9),
            [HELLO_REPLY, refused(0, "CODE_INVALID_ARGUMENT", reason, field)], True)


def bad_start(name, meaning, start):
    return name, meaning, start + HELLO, [farewell("BAD_LENGTH")], True


def bad_length(name, meaning, length):
    return name, meaning, HELLO + struct.pack(">I", length) + ping(9), [HELLO_REPLY, farewell("BAD_LENGTH")], True


# Name, meaning, all bytes that the client sends, the frames it gets (the named values count), whether the server then
# ends the connection.
SESSIONS = [
    ("hello_only", "The least that a connection can be.", HELLO, [HELLO_REPLY], False),
    ("ping", "One request.", HELLO + ping(2, "AAH/"), [HELLO_REPLY, dict(pong(2), payload="AAH/")], False),
    ("pipelined", "Requests need not wait for replies, not even for that of Hello.",
     HELLO + ping(2) + ping(3) + ping(0xffffffff), [HELLO_REPLY, pong(2), pong(3), pong(0xffffffff)], False),
    ("id_again", "An id is free again once its final reply has come; these replies come at once and in order.",
     HELLO + ping(2) + ping(2), [HELLO_REPLY, pong(2), pong(2)], False),
    ("service_status", "What the service is doing.",
     HELLO + frame(envelope(id=2, get_service_status={})), [HELLO_REPLY, dict(id=2, body="service_status")], False),
    ("cancel_nothing", "Cancelling what is not there does nothing.",
     HELLO + frame(envelope(id=2, cancel=dict(id=77))), [HELLO_REPLY, dict(id=2, body="cancel_reply", found=False)],
     False),
    ("newer_minor", "A newer client gets the older version and asks for no more.",
     frame(envelope(id=1, hello=dict(major=1, minor=99, features=["from_the_future"]))) + ping(2),
     [dict(id=1, body="hello_reply", major=1, minor=0), pong(2)], False),
    ("wrong_major", "Another major version is another protocol.",
     frame(envelope(id=1, hello=dict(major=2))) + ping(2), [farewell("VERSION", "CODE_FAILED_PRECONDITION")], True),
    ("no_hello", "Anything but Hello as the first frame.",
     ping(1) + HELLO, [farewell("HELLO_FIRST", "CODE_FAILED_PRECONDITION")], True),
    ("hello_without_id", "Hello carries an id too.",
     frame(envelope(hello=dict(major=1))) + ping(2), [farewell("NO_ID")], True),
    ("hello_twice", "The second one is refused and changes nothing.",
     HELLO + frame(envelope(id=2, hello=dict(major=1))) + ping(3),
     [HELLO_REPLY, refused(2, "CODE_FAILED_PRECONDITION", "HELLO_TWICE"), pong(3)], False),
    ("id_zero", "Nobody could tell what a reply answers.",
     HELLO + frame(envelope(ping={})) + ping(3), [HELLO_REPLY, farewell("NO_ID")], True),
    ("duplicate_id", "An id that is still in use.",
     HELLO + 2 * frame(envelope(id=2, list_writers=dict(refresh=True))), [HELLO_REPLY, farewell("DUPLICATE_ID")], True),
    ("no_body", "An envelope without a request.",
     HELLO + frame(envelope(id=2)) + ping(3),
     [HELLO_REPLY, refused(2, "CODE_INVALID_ARGUMENT", "NO_BODY"), pong(3)], False),
    ("reply_as_request", "A message that only servers send.",
     HELLO + frame(envelope(id=2, ping_reply={})) + ping(3),
     [HELLO_REPLY, refused(2, "CODE_INVALID_ARGUMENT", "NOT_A_REQUEST"), pong(3)], False),
    ("requester_hello", "What the service's own processes say.",
     HELLO + frame(envelope(id=2, requester_hello=dict(secret="AAAA"))) + ping(3),
     [HELLO_REPLY, refused(2, "CODE_PERMISSION_DENIED", "NOT_FOR_CLIENTS"), pong(3)], False),
    ("recovery", "A method that VSS only reserves: part of the schema, never available.",
     HELLO + frame(envelope(id=2, call=dict(session_id="none", fast_recovery={}))) + ping(3),
     [HELLO_REPLY, dict(id=2, body="status"), pong(3)], False),
    bad_length("length_zero", "A frame has at least one byte.", 0),
    bad_length("length_limit_plus_1", "1 MiB is the limit once Hello was answered.", 1024 * 1024 + 1),
    bad_length("length_ffffffff", "The largest number.", 0xffffffff),
    bad_length("little_endian", "The length of a ping in the wrong byte order.", 0x04000000),
    bad_start("hello_too_long", "4 KiB is the limit before Hello.", struct.pack(">I", 4097)),
    bad_start("http", "Somebody else's protocol.", b"GET / HTTP/1.1\r\n\r\n"),
    bad_start("tls", "And another one's.", bytes.fromhex("16030100c8010000c40303")),
    answered("unknown_request", "CODE_UNIMPLEMENTED", "UNKNOWN_REQUEST"),
    closing("wrong_wire_type"),
    closing("amplification_top"),
] + [answered(name) for name in (
    "unknown_field", "unknown_field_nested", "unknown_enum_value", "enum_above_32_bits", "uint32_above_32_bits",
    "string_with_nul", "string_not_utf8", "string_overlong_utf8", "truncated_string", "truncated_varint",
    "overlong_varint", "group", "field_number_zero", "request_twice", "two_requests", "id_after_the_fault", "deep")
] + [answered("amplification", "CODE_RESOURCE_EXHAUSTED")]

# ---- output --------------------------------------------------------------------------------------------------------


def hex_fields(pieces):
    if isinstance(pieces, bytes):
        return dict(hex=pieces.hex())
    return dict(hex=pieces[0].hex(), repeat_hex=pieces[1].hex(), repeat_times=pieces[2])


def message_vectors():
    for name, sender, meaning, content in VALID:
        message = json_format.ParseDict(content, pb.Envelope())
        as_json = json_format.MessageToDict(message, preserving_proto_field_name=True)
        yield dict(name=name, meaning=meaning, sender=sender, hex=message.SerializeToString(deterministic=True).hex(),
                   message=as_json)
    for name, meaning, pieces, reason, field, identifier in INVALID:
        yield dict(name=name, meaning=meaning, sender="client", **hex_fields(pieces),
                   refused=dict(reason=reason, field=field, id=identifier))


def split_points(content):
    """Within the first header, between header and payload, at every frame's start and in each one's middle."""
    points, at = {1, 4, 5}, 0
    while at + 4 <= len(content):
        length = struct.unpack(">I", content[at:at + 4])[0]
        points |= {at, at + 2, at + 4 + length // 2}
        at += 4 + length
    return sorted(p for p in points if 0 < p < len(content))[:16]


def session_vectors():
    for name, meaning, content, replies, ends in SESSIONS:
        pieces = content
        if len(content) > 8192:
            pattern = next(v[2] for v in INVALID if v[0] == name)
            head, _, tail = content.partition(pattern[1] * pattern[2])
            pieces = (head, pattern[1], pattern[2])
            assert bytes_of(pieces) + tail == content
            yield dict(name=name, meaning=meaning, **hex_fields(pieces), then_hex=tail.hex(),
                       splits=split_points(content), replies=replies, ends=ends)
        else:
            yield dict(name=name, meaning=meaning, **hex_fields(pieces), splits=split_points(content),
                       replies=replies, ends=ends)


def render(vectors):
    return json.dumps(list(vectors), indent=2, ensure_ascii=False) + "\n"


def write_corpus(folder):
    """Each file opens with the byte from which fuzz_decode.c takes the mode: strict, in one piece."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, _, _, content in VALID:
        payload = json_format.ParseDict(content, pb.Envelope()).SerializeToString(deterministic=True)
        (folder / f"valid_{name}").write_bytes(b"\0" + frame(payload))
    for name, _, pieces, *_ in INVALID:
        (folder / f"invalid_{name}").write_bytes(b"\0" + frame(bytes_of(pieces)))
    for name, _, content, *_ in SESSIONS:
        (folder / f"session_{name}").write_bytes(b"\0" + content)


def main():
    if sys.argv[1:2] == ["--corpus"]:
        write_corpus(pathlib.Path(sys.argv[2]))
        return 0
    stale = []
    for name, vectors in (("messages.json", message_vectors()), ("sessions.json", session_vectors())):
        path, text = HERE / name, render(vectors)
        if sys.argv[1:] == ["--check"]:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"{', '.join(stale)}: not what generate.py makes; run it", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
