"""PrepareForBackup: each of its return codes reaches the client, with its name, the phase and the method.

A job makes its calls in the right order, so a call that is missing can only be shown in the requester's own unit tests
(tests/unit/requester_calls.c), which also see the name of the missing call in the reply.
"""
import pytest

from harness.wine import wait_until

# What the call itself may return, by its documentation. E_INVALIDARG means a NULL pointer for the IVssAsync, which
# the requester never passes: here it can only come from the simulator's scenario, like the others.
CALL_CODES = [
    (0x80070057, "E_INVALIDARG"),
    (0x8007000E, "E_OUTOFMEMORY"),
    (0x80042301, "VSS_E_BAD_STATE"),
    (0x80042302, "VSS_E_UNEXPECTED"),
    (0x8000FFFF, "E_UNEXPECTED"),
]
# What QueryStatus may report although the call succeeded.
ASYNC_CODES = [
    (0x80042302, "VSS_E_UNEXPECTED"),
    (0x80042318, "VSS_E_WRITER_INFRASTRUCTURE"),
    (0x8007000E, "E_OUTOFMEMORY"),
]


def fail_prepare(client, machine, pb, key, code):
    machine.scenario({"method:PrepareForBackup": {key: f"0x{code:08x}"}})
    status = client.start_snapshot("S:").status()
    wait_until(lambda: not machine.objects(), "the VSS object is released")
    assert not machine.creator_is_open(), "the set was aborted"
    return status


@pytest.mark.parametrize("code,name", CALL_CODES, ids=[n for _, n in CALL_CODES])
def test_code_of_the_call(client, volumes, machine, pb, code, name):
    status = fail_prepare(client, machine, pb, "result", code)
    assert (status.hresult, status.hresult_name, status.method) == (code, name, "PrepareForBackup")
    assert status.phase == pb.PHASE_PREPARING
    assert status.message and status.code != pb.CODE_UNSPECIFIED
    machine.scenario({})
    client.finish(client.snapshot("S:"))


@pytest.mark.parametrize("code,name", ASYNC_CODES, ids=[n for _, n in ASYNC_CODES])
def test_code_of_query_status(client, volumes, machine, pb, code, name):
    status = fail_prepare(client, machine, pb, "async_result", code)
    assert (status.hresult, status.hresult_name, status.method) == (code, name, "PrepareForBackup")
    assert status.phase == pb.PHASE_PREPARING
