"""Snapshots in a phase, which the simulator stretches so that something can happen in it."""
from harness import wire
from harness.wine import wait_until

SLOW = 2500  # ms
# phase of the job: what stretches it
STRETCHED = {
    "GATHERING": {"timing": {"identify": SLOW}},
    "ADDING_VOLUMES": {"method:AddToSnapshotSet": {"delay": SLOW}},
    "PREPARING": {"timing": {"prepare": SLOW}},
    "CREATING": {"timing": {"freeze": SLOW}},
    "HELD": {},
    "COMPLETING": {"timing": {"complete": SLOW}},
}


def reach(client, phase, volume="S:"):
    """Brings a snapshot of the client to the phase and returns the request that is in it."""
    pb = wire.pb()
    request = client.start_snapshot(volume)
    if phase in ("HELD", "COMPLETING"):
        reply = request.result()
        if phase == "COMPLETING":
            request = client.start(pb.FinishBackup(lease_id=reply.lease_id, outcome=pb.OUTCOME_SUCCEEDED))
            wait_for_set(client, "COMPLETING")
    else:
        request.until_phase(phase)
    return request


def wait_for_set(client, phase):
    value = wire.pb().Phase.Value(f"PHASE_{phase}")
    wait_until(lambda: value in [s.phase for s in client.service_status().sets], f"a set is in phase {phase}")


def wait_at_rest(machine):
    wait_until(lambda: not machine.leftovers(), lambda: f"nothing is left: {machine.leftovers()}")
