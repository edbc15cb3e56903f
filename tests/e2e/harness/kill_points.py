"""How the kill matrix reaches each of its points. Every function here takes the stage to one, and returns when it is
there: told by the simulator, which then waits as long as the stage holds it, or by the service."""
import os
import signal
import subprocess

from harness import service as services
from harness import wine
from harness.wine import wait_until
from test_sessions import Session

KEEP_MS = 3000
HANGING_WRITER = "WMI Writer"  # has files on S:, as all of the simulator's do


# ---- what the victim asks for

def snapshot(stage, **fields):
    stage.request = stage.connect().start_snapshot("S:", share=stage.pb.SHARE_NEVER, **fields)


def hold_snapshot(stage, **fields):
    snapshot(stage, **fields)
    stage.reply = stage.request.result()
    stage.request = None


def finish(stage):
    hold_snapshot(stage)
    stage.request = stage.client.start(stage.pb.FinishBackup(lease_id=stage.reply.lease_id,
                                                             outcome=stage.pb.OUTCOME_SUCCEEDED))


def persistent_snapshot(stage):
    snapshot(stage, context=stage.pb.CONTEXT_APP_ROLLBACK, keep_ms=KEEP_MS)


# ---- in VSS

def in_call(method, call=1, ask=snapshot):
    """The requester has made the call, and VSS has not begun with it."""
    def reach(stage):
        stage.scenario({f"method:{method}": {"hold": stage.hold(), "call": call}})
        ask(stage)
        stage.until_logged(f"held in {method}")
    return reach


def hanging_at(stage, event, name="victim"):
    return {f"writer:{HANGING_WRITER}": {"hang_at": event, "hang": "file", "hang_file": stage.hold(name)}}


def in_event(event, ask=snapshot):
    """A writer has got the event, and has not answered."""
    def reach(stage):
        stage.scenario(hanging_at(stage, event))
        ask(stage)
        stage.until_logged("hangs")
    return reach


def in_abort(stage):
    stage.scenario({**hanging_at(stage, "prepare"), "method:AbortBackup": {"hold": stage.hold()}})
    snapshot(stage)
    stage.until_logged("hangs")
    stage.client.call(stage.pb.Cancel(id=stage.request.id))
    stage.until_logged("held in AbortBackup")


def record_is_written(stage):
    in_call("DoSnapshotSet", ask=persistent_snapshot)(stage)
    (stage.record,) = stage.site.leaks.records()


def at_hold_point(kind):
    def reach(stage):
        point = stage.pb.HoldPoint(kind=stage.pb.HoldPointKind.Value(f"HOLD_POINT_{kind}"))
        stage.scenario({})
        snapshot(stage, hold_points=[point])
        stage.request.until(lambda p: p.hold_token, "it is held")
    return reach


# ---- before VSS

def connected(stage):
    stage.connect_raw()


def greeted(stage):
    stage.connect()


def holder_in_the_gate(stage, name="holder"):
    stage.scenario(hanging_at(stage, "freeze", name))
    client = stage.bystander(name)
    request = client.start_snapshot("U:", share=stage.pb.SHARE_NEVER)
    stage.until_logged("hangs")
    stage.scenario({})
    return client, request


def queued(stage):
    """One is in the gate, and one ahead has gathered: this one has no process yet, so it is the holder's that dies."""
    holder = holder_in_the_gate(stage)
    (stage.requester,) = stage.new_requesters()
    client = stage.bystander("ahead")
    ahead = client.start_snapshot("T:", share=stage.pb.SHARE_NEVER)
    ahead.until_phase("WAITING_FOR_GATE")
    snapshot(stage)
    stage.request.until_phase("QUEUED")
    stage.leave_alone((client, ahead))
    if stage.victim == "requester":
        stage.leave_alone((stage.client, stage.request))
        stage.request = holder[1]
    else:
        stage.leave_alone(holder)


def waiting_for_the_gate(stage):
    stage.leave_alone(holder_in_the_gate(stage))
    snapshot(stage)
    stage.request.until_phase("WAITING_FOR_GATE")


def requester_starts(stage):
    """It is stopped before it can say a word; its creator waits for that."""
    stage.scenario({})
    snapshot(stage)
    (stage.stopped,) = wait_until(stage.new_requesters, "the process is there")
    os.kill(stage.stopped, signal.SIGSTOP)


# ---- the snapshot exists

def reply_unread(stage):
    stage.scenario({})
    stage.connect().connection.pause()
    stage.reply_comes = True
    stage.request = stage.client.start_snapshot("S:", share=stage.pb.SHARE_NEVER)
    watcher = stage.bystander("watcher")
    wait_until(lambda: [s.phase for s in watcher.service_status().sets] == [stage.pb.PHASE_HELD], "it is held")


def held(stage):
    stage.scenario({})
    hold_snapshot(stage)


def held_detached(stage):
    stage.scenario({})
    hold_snapshot(stage, lease=stage.pb.LeaseOptions(mode=stage.pb.LEASE_MODE_DETACHED))
    stage.is_detached = True
    stage.client.call(stage.pb.RenewLease(lease_id=stage.reply.lease_id, token=stage.reply.token))


def kept(stage):
    """The persistent set is complete, and no process holds it; it goes when it is due."""
    stage.scenario({})
    persistent_snapshot(stage)
    stage.reply = stage.request.result()
    stage.request = None
    wait_until(lambda: not stage.new_requesters(), "its requester ends")


def being_read(stage):
    """By a program under `shadowpipe run`, through a letter."""
    stage.scenario({})
    stage.program = services.start_client(
        stage.site.prefix, stage.service, "run", "-v", "S:", "--as", "S:=X:", "--", wine.HELPER_EXE, "read",
        r"X:\big.bin", stage.hold("reader"), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    wait_for_line(stage.program, b"ready")


def wait_for_line(process, text):
    while text not in (line := process.stdout.readline()):
        assert line, "the program did not start"


def shared_by_two(stage):
    """They have waited behind another one, and are frozen now."""
    first, request = holder_in_the_gate(stage, "first")
    stage.leave_alone()
    stage.scenario(hanging_at(stage, "freeze"))
    other = stage.bystander("other")
    stage.request = stage.connect().start_snapshot("S:")
    beside = other.start_snapshot("S:")
    wait_until(lambda: 2 in [len(s.members) for s in other.service_status().sets], "they share a set")
    stage.let_go("first")
    first.finish(request.result())
    stage.until_logged("hangs")
    if stage.victim == "client":
        stage.bystanders.append((other, beside))
    elif stage.victim == "requester":
        stage.losers.append(beside)


# ---- a session

def session_in_the_gate(stage):
    stage.scenario({})
    Session(stage.connect(), stage.pb).open_set()


def session_preparing(stage):
    def ask(stage):
        session = Session(stage.connect(), stage.pb)
        session.open_set()
        stage.request = session.start("prepare_for_backup")
    in_event("prepare", ask)(stage)
