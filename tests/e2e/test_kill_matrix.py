"""The kill matrix: at each point of the life of a set the client, the requester and the service die in turn. Whoever it
was, the next client is served soon, and nothing is left."""
import collections
import contextlib
import os
import time

import pytest

from harness import kill_points as at
from harness import wine, wire
from harness.kill_site import Site, Stage
from harness.leaks import SERVICE_IMAGE, Inspector
from harness.wine import PRODUCT_KEY
from test_adoption import attach, finish

VICTIMS = ["client", "requester", "service"]
CLIENT_OR_SERVICE = ["client", "service"]  # no requester is there
RETURN = ["service, its client returns"]   # to the lease, when the service was started anew
SLOW_MS = 20_000  # until Windows notices that a requester is dead (there it is minutes)
REATTACH_MS = 1000  # ReattachMs: how long leases wait for their clients to return
LONG_MS = 60_000    # the same where they do
SERVED_WITHIN = 5  # seconds: what the product promises the next client, beyond the run-down
HEADROOM = 10  # more for a busy machine, or five times what a snapshot takes there when nobody dies

# `phase`: what a request that fails there says.
Point = collections.namedtuple("Point", "name reach phase in_gate victims", defaults=["", False, VICTIMS])
GATE = True

POINTS = [
    Point("connection made", at.connected, victims=CLIENT_OR_SERVICE),
    Point("Hello answered", at.greeted, victims=CLIENT_OR_SERVICE),
    Point("queued behind the gate", at.queued, "CREATING"),
    Point("requester starting", at.requester_starts, "STARTING"),
    Point("CreateVssBackupComponents", at.in_call("CreateVssBackupComponents"), "INITIALIZING"),
    Point("InitializeForBackup", at.in_call("InitializeForBackup"), "INITIALIZING"),
    Point("GatherWriterMetadata pending", at.in_event("identify"), "GATHERING"),
    Point("waiting for the gate", at.waiting_for_the_gate, "WAITING_FOR_GATE"),
    Point("hold point before the set", at.at_hold_point("GATE_GRANTED"), "WAITING_FOR_GATE", GATE),
    Point("StartSnapshotSet", at.in_call("StartSnapshotSet"), "ADDING_VOLUMES", GATE),
    Point("AddToSnapshotSet", at.in_call("AddToSnapshotSet"), "ADDING_VOLUMES", GATE),
    Point("PrepareForBackup pending", at.in_event("prepare"), "PREPARING", GATE),
    Point("PrepareForBackup done", at.in_call("GatherWriterStatus", 1), "PREPARING", GATE),
    Point("hold point before the freeze", at.at_hold_point("PREPARED"), "PREPARING", GATE),
    Point("AbortBackup", at.in_abort, "PREPARING", GATE),
    Point("DoSnapshotSet", at.in_call("DoSnapshotSet"), "CREATING", GATE),
    Point("DoSnapshotSet pending, freeze", at.in_event("freeze"), "CREATING", GATE),
    Point("DoSnapshotSet pending, two members", at.shared_by_two, "CREATING", GATE),
    Point("DoSnapshotSet pending, copies made", at.in_event("post_snapshot"), "CREATING", GATE),
    Point("DoSnapshotSet done, status pending", at.in_call("GatherWriterStatus", 2), "CREATING"),
    Point("reply sent, not read", at.reply_unread),
    Point("lease held", at.held, victims=VICTIMS + RETURN),
    Point("lease held, detached", at.held_detached),
    Point("reading from the copy", at.being_read, victims=VICTIMS + RETURN),
    Point("BackupComplete pending", at.in_event("complete", at.finish), "COMPLETING", victims=VICTIMS + RETURN),
    Point("status pending after completion", at.in_call("GatherWriterStatus", 3, at.finish), "COMPLETING",
          victims=VICTIMS + RETURN),
    Point("Release", at.in_call("Release", 2, at.finish)),
    Point("persistent, record written", at.record_is_written, "CREATING", GATE),
    Point("persistent, kept", at.kept, victims=CLIENT_OR_SERVICE + RETURN),
    Point("session in the gate", at.session_in_the_gate, in_gate=GATE),
    Point("session, PrepareForBackup pending", at.session_preparing, in_gate=GATE),
]
RUNDOWNS = {True: [0, SLOW_MS], False: [0]}  # by Point.in_gate
WAIT = ("requester", SLOW_MS)  # the next client has to wait then; all these are one test
CASES = [(p, v, r) for p in POINTS for v in p.victims for r in RUNDOWNS[p.in_gate] if (v, r) != WAIT]


def name_of(case):
    point, victim, rundown_ms = case
    return f"{point.name}, {victim}{', slow run-down' if rundown_ms else ''}"


# ---- the place

@pytest.fixture(scope="module")
def place(prefix):
    """A site that the cases of this worker share, by its name, as long as they leave nothing behind."""
    prefix.set_registry(PRODUCT_KEY, "WarmRequesters", 0)  # then each set's requester is its own, and at rest is none
    made = {}
    yield made
    for site in made.values():
        site.close()
    prefix.delete_registry(PRODUCT_KEY)


@pytest.fixture
def site(place, prefix, folder, volumes, request):
    if not place:
        prefix.set_registry(PRODUCT_KEY, "ReattachMs", REATTACH_MS)
        place["site"] = Site(prefix, folder / "site", f"kills-{os.getpid()}")
        place["site"].warm_up()
    site = place["site"]
    request.node.services = [site.service]
    site.is_clean = False
    yield site
    if not site.is_clean:
        place.clear()
        site.destroy()


@pytest.fixture
def machine(site):
    return site.machine


# ---- the matrix

@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_nothing_is_left(site, prefix, new_bridge, case, record_property):
    point, victim, rundown_ms = case
    stage = Stage(site, victim, rundown_ms, new_bridge)
    point.reach(stage)
    if victim in RETURN:
        prefix.set_registry(PRODUCT_KEY, "ReattachMs", LONG_MS)
    began = kill(stage)
    survivor = site.connect("survivor") if site.service.is_running() else restart(site)
    reply = survivor.snapshot("T:")
    served_s = time.monotonic() - began
    writers_are_stable(survivor.finish(reply))
    part(stage, point)
    if victim in RETURN:
        prefix.set_registry(PRODUCT_KEY, "ReattachMs", REATTACH_MS)
    survivor.close()
    stage.close()
    if stays_uncertain(stage):
        site.leaks.forgive_record(stage.record)
        site.wait_clean()
    else:
        site.wait_clean()
        site.is_clean = True
    record_property("served_s", round(served_s, 2))
    assert served_s < SERVED_WITHIN + headroom(site)


def headroom(site):
    return max(HEADROOM, 5 * site.idle_s)


def kill(stage):
    """The moment from which on the next client can be served."""
    stage.kill()
    began = time.monotonic()
    stage.let_go()
    return began


def restart(site):
    site.service.start()
    return site.connect("survivor")


def come_back(stage):
    """The service knows the lease still, and the backup comes to its end."""
    client = stage.site.connect("victim again")
    found = attach(client, stage.reply, stage.pb)
    assert found.snapshot.volumes == stage.reply.volumes and found.snapshot.map == stage.reply.map
    finish(client, stage.reply, stage.pb)
    client.close()


def part(stage, point):
    """All that were there get what is theirs."""
    pb = stage.pb
    for client, request in stage.bystanders:
        client.finish(request.result())
    if stage.reply_comes and stage.victim != "client":
        stage.client.connection.resume()
    for request in [*stage.losers, *([stage.request] if stage.request else [])]:
        final = request.wait()
        if isinstance(final, pb.Status):
            assert final.code in (pb.CODE_ABORTED, pb.CODE_UNAVAILABLE, pb.CODE_CANCELLED), final
            assert final.message and pb.Phase.Name(final.phase) == f"PHASE_{point.phase or 'UNSPECIFIED'}", final
        else:
            assert stage.reply or stage.reply_comes, f"nothing can have come of it: {final}"
    if stage.program:
        code = stage.program.wait(wine.LIMIT)
        if stage.victim != "service":  # then it may be there again in time, or not
            assert (code == 0) == (stage.victim in RETURN), code
    elif stage.victim in RETURN or (stage.is_detached and stage.victim != "requester"):
        come_back(stage)


def stays_uncertain(stage):
    """Nobody knows whether VSS will still make the set, or how it went: its record stays until that is out of the
    question (half an hour), and this service looks for the snapshots now and then."""
    if not stage.record or stage.victim == "client":
        return False
    wine.wait_until(lambda: "it is not known yet whether VSS has made it" in stage.service.output(), "it says so")
    assert stage.record in stage.site.leaks.records()
    return True


def writers_are_stable(completion):
    states = {writer.name: writer.state for writer in completion.writers}
    assert set(states.values()) == {wire.pb().WRITER_STATE_STABLE}, states


def test_the_next_one_waits_for_a_slow_rundown(place, prefix, folder, volumes, new_bridge, request):
    """The requester dies with a set open, and Windows takes its time to notice: until then every new set is refused.
    All points at the same time, each on a machine of its own."""
    request.node.services = []
    bridge = new_bridge()
    inspector = Inspector(prefix)
    with contextlib.ExitStack() as sites:
        sites.callback(inspector.close)
        waiting = []
        for number, point in enumerate(p for p in POINTS if p.in_gate):
            site = Site(prefix, folder / str(number), f"slow-{os.getpid()}", bridge, inspector)
            sites.callback(site.destroy)
            request.node.services.append(site.service)
            waiting.append(begin_to_wait(site, point))
        for wait in waiting:
            end_to_wait(wait)


def begin_to_wait(site, point):
    stage = Stage(site, "requester", SLOW_MS)
    point.reach(stage)
    is_open = site.machine.creator_is_open()
    began = kill(stage)
    survivor = site.connect("survivor")
    return point, stage, survivor, survivor.start_snapshot("T:"), began, is_open


def end_to_wait(wait):
    point, stage, survivor, request, began, is_open = wait
    pb, site = stage.pb, stage.site
    reply = request.result()
    served_s = request.final_s - began
    if is_open:
        told = [p.waiting_for for p in request.progress]
        assert pb.WAITING_FOR_RUNDOWN in told, (point.name, told)
        assert served_s >= SLOW_MS / 1000 - 1, point.name
    writers_are_stable(survivor.finish(reply))
    part(stage, point)
    if not is_open:  # nobody had to wait for the dead one
        site.machine.scenario({})
        survivor.finish(survivor.snapshot("T:"))  # the simulator cleans up when it is used
    survivor.close()
    stage.close()
    if stays_uncertain(stage):
        site.leaks.forgive_record(stage.record)
    assert site.service.stop() == 0
    site.service.wait_no_requesters()
    found = site.leaks.found(None)
    assert not found, f"{point.name}: {found}"
    assert served_s < SLOW_MS / 1000 + SERVED_WITHIN + 2 * HEADROOM, point.name  # with all of them at the same time


# ---- what is measured with

def test_the_measure_sees_each_kind_of_leak(site, prefix, folder):
    def seen(kind):
        wine.wait_until(lambda: any(w.startswith(kind) for w in site.leaks.found(site.processes(), site.handles)),
                        f"a leak is seen: {kind}")

    assert not site.leaks.found(site.processes(), site.handles)

    (folder / "go").unlink(missing_ok=True)
    helper = prefix.popen([wine.HELPER_EXE, "wait", wine.windows_path(folder / "go")])
    seen(f"process {helper.pid}")
    (folder / "go").touch()
    helper.wait(wine.LIMIT)

    client = site.connect("first")
    reply = client.snapshot("S:")
    for kind in ("process", "VSS object", "copy", "writer"):
        seen(kind)
    client.finish(reply)

    stage = Stage(site, "requester")
    at.in_event("freeze")(stage)
    kill(stage)
    seen("creator record open")
    client.finish(client.snapshot("S:"))  # the simulator cleans up when it is used
    stage.close()
    client.close()

    key = rf"{PRODUCT_KEY}\SetsOfVssLibrary\{site.service.pipe_name}"
    assert prefix.run(["reg", "add", key, "/v", "left", "/t", "REG_BINARY", "/d", "00", "/f"]).returncode == 0
    seen("record")
    prefix.run(["reg", "delete", key, "/v", "left", "/f"])

    prefix.map_drive("V", folder)
    seen("letter: V:")
    prefix.unmap_drive("V")

    site.leaks.wait_none(site.processes())
    site.handles = site.leaks.inspector.handles()
    assert site.leaks.inspector.ask("plant", SERVICE_IMAGE) == "planted"
    seen("handles: 1 more")
    assert site.leaks.inspector.ask("uproot", SERVICE_IMAGE) == "uprooted"
    site.wait_clean()
    site.is_clean = True
