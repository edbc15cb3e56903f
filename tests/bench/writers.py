"""ListWriters on a machine with 200 more writers of 50 components each: how long, how much the loop stalls, what stays.

The reader counts frames and decodes none but the last: what is measured is the service, not Python.
"""
import struct
import time

from harness import wire
from harness.wine import LIMIT
from worlds import counters

GOAL_MS = 300
GOAL_GROWTH_BYTES = 1 << 20  # less than two of the lists
WRITERS, COMPONENTS = 200, 50
KEPT_CALLS = 1000


class Counter(wire.Connection):
    """A connection that splits its stream into frames without decoding them; `last` is the latest."""

    def __init__(self, connection):
        super().__init__(connection._bridge, connection._number)
        self.opened, self.frames_seen, self.bytes_seen, self.last = 0, 0, 0, b""
        self._bridge._connections[self._number] = self
        self._left = bytearray()

    def _split(self):
        self._left += self._bytes
        self.bytes_seen += len(self._bytes)
        self._bytes.clear()
        at = 0
        while len(self._left) - at >= 4:
            size = struct.unpack_from(">I", self._left, at)[0]
            if len(self._left) - at < 4 + size:
                break
            self.last = bytes(self._left[at + 4:at + 4 + size])
            self.frames_seen += 1
            at += 4 + size
        del self._left[:at]

    def final(self, identifier):
        """The final reply of this request, once it is there."""
        if len(self.last) > 512:  # a Writer; the final reply is small
            return None
        message = wire.pb().Envelope.FromString(self.last)
        return message if message.id == identifier and message.WhichOneof("body") != "writer" else None


class Asker:
    def __init__(self, bridge, service):
        self.connection = Counter(bridge.connect(service.pipe))
        self._id = 0
        self.ask(wire.pb().Hello(major=1, client_name="bench", client_version="1"))

    def ask(self, body):
        self._id += 1
        identifier = self._id
        self.connection.send(wire.envelope(identifier, body))
        return self.connection.wait(lambda: self.connection.final(identifier), f"the reply to {body}", LIMIT)


def list_writers(asker, refresh):
    """Milliseconds of one list, from request to final reply."""
    began = time.monotonic()
    reply = asker.ask(wire.pb().ListWriters(with_components=True, refresh=refresh))
    took = (time.monotonic() - began) * 1000
    count = reply.writers_reply.count
    assert count >= WRITERS, f"{count} writers, {reply}"
    return took


def measure(world, report, runs):
    with world.service({"machine": {"extra_writers": WRITERS, "extra_components": COMPONENTS}}) as service:
        client = world.client(service)
        asker = Asker(world.bridge, service)
        list_writers(asker, True)  # fills the caches
        before = counters(client)
        fresh = []
        for _ in range(2 * runs):
            world.rest()
            fresh.append(list_writers(asker, True))
        after = counters(client)
        cached = [list_writers(asker, False) for _ in range(2 * runs)]
        for _ in range(KEPT_CALLS // 10):
            list_writers(asker, False)  # whatever grows once has grown
        early = counters(client)
        for number in range(KEPT_CALLS):
            list_writers(asker, number % 100 == 0)
        late = counters(client)
        asker.connection.close()
        client.close()
    report.add("list_writers_200x50", "ms", fresh, ("<", GOAL_MS))
    report.add("list_writers_200x50_cached", "ms", cached)
    report.add("list_writers_slow_events", "events", [after["loop_slow_events"] - before["loop_slow_events"]], ("≤", 0))
    report.add("list_writers_loop_longest", "us", [late["loop_longest_us"]])
    report.add("list_writers_1000_slow_events", "events", [late["loop_slow_events"] - early["loop_slow_events"]])
    report.add("list_writers_1000_memory_growth", "bytes", [late["memory_bytes"] - early["memory_bytes"]],
               ("<", GOAL_GROWTH_BYTES))
    report.add("list_writers_memory", "bytes", [late["memory_bytes"]])
