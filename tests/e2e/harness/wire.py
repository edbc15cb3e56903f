"""The protocol, from outside of Wine: frames of protobuf messages through pipe_bridge.exe.

A Connection is raw bytes, for peers that misbehave; a Client is a connection that said Hello and behaves.
"""
import collections
import importlib.util
import itertools
import struct
import subprocess
import sys
import threading
import time

from harness import wine
from harness.wine import LIMIT


def generate(folder):
    """Compiles the schema for Python and returns the module."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["protoc", f"--proto_path={wine.ROOT / 'proto'}", f"--python_out={folder}", "shadowpipe.proto"],
                   check=True)
    spec = importlib.util.spec_from_file_location("shadowpipe_pb2", folder / "shadowpipe_pb2.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["shadowpipe_pb2"] = module
    spec.loader.exec_module(module)
    return module


def pb():
    return sys.modules["shadowpipe_pb2"]


def frame(payload):
    return struct.pack(">I", len(payload)) + payload


def envelope(identifier, body, timeout_ms=0):
    """`body` is the message itself; its type finds the field."""
    made = pb().Envelope(id=identifier, timeout_ms=timeout_ms)
    field = next(f.name for f in pb().Envelope.DESCRIPTOR.oneofs_by_name["body"].fields
                 if f.message_type is body.DESCRIPTOR)
    getattr(made, field).CopyFrom(body)
    return made


class StatusError(Exception):
    """The server's final reply was a Status."""

    def __init__(self, status):
        super().__init__(str(status))
        self.status = status

    @property
    def code(self):
        return pb().Code.Name(self.status.code).removeprefix("CODE_")


class Ended(Exception):
    """The connection ended before the reply came."""


class Bridge:
    """A process inside of Wine that holds any number of connections. Killing it is what a client's crash looks like."""

    def __init__(self, prefix):
        self.process = self._start(prefix)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._connections = {}
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @staticmethod
    def _start(prefix, attempts=3):
        """A bridge that has said that it runs: on a busy machine Wine sometimes loses a process at its start."""
        for _ in range(attempts):
            process = prefix.popen([wine.BRIDGE_EXE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            if process.stdout.read(9)[:1] == b"r":
                return process
            code = process.wait(LIMIT)
            print(f"pipe_bridge ended with {code} before it ran")
        raise AssertionError(f"pipe_bridge did not start, {attempts} times")

    def _command(self, kind, number, payload=b""):
        with self._lock:
            self.process.stdin.write(kind + struct.pack(">II", number, len(payload)) + payload)
            self.process.stdin.flush()

    def _read(self):
        stream = self.process.stdout
        while True:
            header = stream.read(9)
            if len(header) < 9:
                break
            number, size = struct.unpack(">II", header[1:])
            payload = stream.read(size)
            connection = self._connections.get(number)
            if connection:
                connection.event(header[:1], payload)
        for connection in list(self._connections.values()):
            connection.event(b"e", struct.pack(">I", 0xffffffff))

    def connect(self, pipe):
        """A connection, open. ConnectionError (errno = the Win32 error) if it cannot be opened."""
        connection = self.begin(pipe)
        connection.wait(lambda: connection.opened is not None, "the pipe opens")
        if connection.opened:
            raise ConnectionError(connection.opened, f"CreateFile {pipe}: error {connection.opened}")
        return connection

    def begin(self, pipe):
        number = next(self._numbers)
        connection = Connection(self, number)
        self._connections[number] = connection
        self._command(b"O", number, pipe.encode())
        return connection

    def kill(self):
        wine.kill(self.process.pid)
        self.process.wait()
        self._thread.join(LIMIT)  # its connections know of it now

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(LIMIT)
        self._thread.join(LIMIT)


class Connection:
    def __init__(self, bridge, number):
        self._bridge = bridge
        self._number = number
        self.condition = threading.Condition()
        self.opened = None       # the Win32 error, 0 = open
        self.ended = None        # the Win32 error with which it ended, 0 = we closed it
        self.frames = collections.deque()
        self._bytes = bytearray()
        self.take = self.frames.append

    def event(self, kind, payload):
        with self.condition:
            if kind == b"d":
                self._bytes += payload
                self._split()
            elif kind == b"o":
                self.opened = struct.unpack(">I", payload)[0]
                if self.opened:
                    self.ended = self.opened
            elif kind == b"e":
                self.ended = struct.unpack(">I", payload)[0]
                if self.opened is None:
                    self.opened = self.ended
            self.condition.notify_all()

    def _split(self):
        while len(self._bytes) >= 4:
            size = struct.unpack(">I", self._bytes[:4])[0]
            assert 0 < size < 16 << 20, f"the server sent a frame of {size} bytes"
            if len(self._bytes) < 4 + size:
                return
            message = pb().Envelope.FromString(bytes(self._bytes[4:4 + size]))
            del self._bytes[:4 + size]
            self.take(message)

    def wait(self, condition, what, limit=LIMIT):
        """Waits under the lock; the condition's value, or False if the connection ended first."""
        end = time.monotonic() + limit
        with self.condition:
            while not (value := condition()):
                if self.ended is not None:
                    return False
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"waited {limit} s in vain: {what}")
                self.condition.wait(left)
            return value

    def write(self, data):
        self._bridge._command(b"W", self._number, data)

    def send(self, message):
        self.write(frame(message.SerializeToString()))

    def receive(self, limit=LIMIT):
        """The next frame, or None if the connection ended."""
        self.wait(lambda: self.frames, "a frame comes", limit)
        with self.condition:
            return self.frames.popleft() if self.frames else None

    def receive_end(self, limit=LIMIT):
        """All frames up to the end of the connection."""
        self.wait(lambda: False, "the connection ends", limit)
        with self.condition:
            left = list(self.frames)
            self.frames.clear()
            return left

    def pause(self):
        self._bridge._command(b"P", self._number)

    def resume(self):
        self._bridge._command(b"R", self._number)

    def close(self):
        if self.ended is None:
            self._bridge._command(b"C", self._number)
            self.wait(lambda: False, "the connection closes")


class Request:
    """An open request: its streamed replies, then its final one."""

    def __init__(self, client, identifier):
        self._client = client
        self.id = identifier
        self.streamed = []   # messages, in order
        self.final = None
        self.final_s = None  # when that came, by time.monotonic()

    def done(self):
        return self.final is not None

    def wait(self, limit=LIMIT):
        """The final reply, whatever it is."""
        if not self._client.connection.wait(self.done, f"the final reply of request {self.id}; "
                                            f"streamed so far: {self.streamed[-1:]}", limit):
            raise Ended(f"the connection ended before the final reply of request {self.id}")
        return self.final

    def result(self, limit=LIMIT):
        """The final reply; StatusError if it is a Status."""
        final = self.wait(limit)
        if isinstance(final, pb().Status):
            raise StatusError(final)
        return final

    def status(self, limit=LIMIT):
        """The Status that the request must end with."""
        final = self.wait(limit)
        assert isinstance(final, pb().Status), f"expected a Status, got {final}"
        return final

    @property
    def progress(self):
        return [m for m in self.streamed if isinstance(m, pb().Progress)]

    def until(self, condition, what, limit=LIMIT):
        """Waits for a Progress that meets the condition, and returns it."""
        def find():
            found = next((p for p in self.progress if condition(p)), None)
            return found or self.done()
        found = self._client.connection.wait(find, f"{what}; last progress: {self.progress[-1:]}", limit)
        told = [(pb().Phase.Name(p.phase), pb().WaitingFor.Name(p.waiting_for), p.elapsed_ms) for p in self.progress]
        assert isinstance(found, pb().Progress), f"{what}: instead the request ended: {told} {self.final}"
        return found

    def until_phase(self, phase, limit=LIMIT):
        value = pb().Phase.Value(f"PHASE_{phase}")
        return self.until(lambda p: p.phase == value, f"phase {phase}", limit)


class Client:
    """Says Hello, and pairs replies with requests. `faults` lists what a server must never do."""

    def __init__(self, connection, name="e2e", features=()):
        self.connection = connection
        self.faults = []
        self._requests = {}
        self._ids = itertools.count(1)
        with connection.condition:
            connection.take = self._take
        self.hello = self.call(pb().Hello(major=1, minor=0, client_name=name, client_version="1", features=features))

    def _take(self, message):
        body = getattr(message, message.WhichOneof("body"))
        request = self._requests.get(message.id)
        if message.id == 0:
            self.farewell = body
        elif request is None:
            self.faults.append(f"a reply to no request: {message}")
        elif request.final is not None:
            self.faults.append(f"a reply after the final one: {message}")
        elif isinstance(body, (pb().Progress, pb().Writer, pb().LeaseEvent, pb().WatchEvent,
                                   pb().SelectedComponent)) or (
                isinstance(body, pb().DocumentChunk) and not body.last):
            request.streamed.append(body)
        else:
            request.final = body
            request.final_s = time.monotonic()

    def start(self, body, timeout_ms=0):
        request = Request(self, next(self._ids))
        self._requests[request.id] = request
        self.connection.send(envelope(request.id, body, timeout_ms))
        return request

    def call(self, body, timeout_ms=0, limit=LIMIT):
        return self.start(body, timeout_ms).result(limit)

    def snapshot(self, *volumes, limit=LIMIT, **fields):
        return self.call(pb().CreateSnapshot(volumes=volumes, **fields), limit=limit)

    def start_snapshot(self, *volumes, **fields):
        timeout_ms = fields.pop("timeout_ms", 0)
        return self.start(pb().CreateSnapshot(volumes=volumes, **fields), timeout_ms)

    def finish(self, reply, succeeded=True):
        outcome = pb().OUTCOME_SUCCEEDED if succeeded else pb().OUTCOME_FAILED
        return self.call(pb().FinishBackup(lease_id=reply.lease_id, outcome=outcome))

    def service_status(self):
        return self.call(pb().GetServiceStatus())

    def close(self):
        self.connection.close()
        assert not self.faults, self.faults
