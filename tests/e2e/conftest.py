"""Fixtures of the end-to-end tests; docs/testing.md says how to write one.

Whatever a test does, afterwards its service must stop cleanly and nothing may be left: no VSS object, copy or open
creator record, no requester process, no drive letter. The fixtures below check that for every test.
"""
import contextlib
import fcntl
import itertools
import os
import shutil
import subprocess

import pytest

from harness import service as services
from harness import simulator, wine, wire

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
FOLDER = wine.BUILD / "e2e" / WORKER
LETTERS = "STU"
_numbers = itertools.count(1)


def pytest_xdist_auto_num_workers(config):
    # The tests wait more than they compute.
    return max(2, min(4, 2 * (os.cpu_count() or 1)))


def pytest_sessionstart(session):
    if hasattr(session.config, "workerinput"):
        return
    needed = (wine.SERVICE_EXE, wine.CLIENT_EXE, wine.SIMULATOR_DLL, wine.CHURN_EXE, wine.BRIDGE_EXE, wine.HELPER_EXE,
              wine.INSPECTOR_EXE)
    missing = [str(p) for p in needed if not p.exists()]
    if missing:
        pytest.exit(f"not built: {', '.join(missing)}; run ./dev build", returncode=1)
    # Two runs would end each other's wineservers. The lock goes with this process.
    session.config.e2e_lock = open(wine.BUILD / "e2e.lock", "w")
    fcntl.flock(session.config.e2e_lock, fcntl.LOCK_EX)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for service in getattr(item, "services", []):
            report.sections.append((f"service {service.pipe}", service.output()[-6000:]))
        machine = item.funcargs.get("machine") if hasattr(item, "funcargs") else None
        if machine:
            events = "\n".join("\t".join(e) for e in machine.events()[-60:])
            report.sections.append((f"simulator {machine.store}", events))


@pytest.fixture(scope="session")
def pb():
    """The generated protobuf module."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    return wire.generate(FOLDER / "python")


@pytest.fixture(scope="session")
def prefix(pb):
    """This worker's own Wine prefix, with a wineserver that stays."""
    made = wine.Prefix(wine.BUILD / f"wine-{WORKER}")
    made.create()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def volume_folders(prefix):
    """Three volumes, S: T: U:, as the folders behind them."""
    folders = {}
    for letter in LETTERS:
        folders[letter] = FOLDER / "volumes" / letter
        folders[letter].mkdir(parents=True)
        prefix.map_drive(letter, folders[letter])
    return folders


def fill(folder, letter):
    (folder / "a" / "nested" / "folder").mkdir(parents=True)
    (folder / "a" / "plain.txt").write_text(f"plain on {letter}\n")
    (folder / "a" / "nested" / "folder" / "Größe – 大きさ.txt").write_text(f"unicode on {letter}\n", "utf-8")
    (folder / "a" / "nested" / "empty.bin").write_bytes(b"")
    (folder / "big.bin").write_bytes(bytes(range(256)) * 512)


@pytest.fixture
def volumes(volume_folders):
    """The three volumes, freshly filled with a few files each."""
    for letter, folder in volume_folders.items():
        for entry in folder.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        fill(folder, letter)
    return volume_folders


@pytest.fixture
def folder():
    """A folder for this test alone."""
    made = FOLDER / "tests" / str(next(_numbers))
    made.mkdir(parents=True)
    return made


@pytest.fixture
def machine(folder):
    """A simulated machine of this test's own: scenario and store."""
    return simulator.Machine(folder)


@pytest.fixture
def new_service(prefix, folder, machine, request):
    """Makes services that are not started yet. At the end each is stopped, and the machine must be at rest."""
    made = request.node.services = []
    before = prefix.drives()

    def make():
        made.append(services.Service(prefix, folder, machine, f"{WORKER}-{os.getpid()}"))
        return made[-1]

    yield make
    try:
        for service in made:
            if service.is_running():
                assert service.stop() == 0, f"the service stopped with {service.process.returncode}: {service.output()}"
        for service in made:
            service.wait_no_requesters()
        wine.wait_until(lambda: not machine.leftovers(), lambda: f"nothing is left: {machine.leftovers()}", 20)
        assert prefix.drives() == before, "a drive letter was left"
    finally:
        for service in made:
            if service.is_running():
                service.kill()
            for pid in service.requesters():
                wine.kill(pid)
        for letter in prefix.drives() - before:
            with contextlib.suppress(AssertionError):
                prefix.unmap_drive(letter)


@pytest.fixture
def registry(prefix):
    """Sets REG_DWORDs of the service's configuration, for services started after that."""
    def set_values(**values):
        for name, value in values.items():
            prefix.set_registry(wine.PRODUCT_KEY, name, value)

    yield set_values
    prefix.delete_registry(wine.PRODUCT_KEY)


@pytest.fixture
def hold_file(prefix):
    """Opens a file without sharing, as a database does; until the end of the test."""
    holders = []

    def hold(path):
        holders.append(prefix.popen([wine.HELPER_EXE, "hold", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        assert holders[-1].stdout.readline().strip() == b"ready"
        return holders[-1]

    yield hold
    for holder in holders:
        holder.communicate(timeout=wine.LIMIT)


@pytest.fixture
def service(new_service):
    """A running service, in its console role, on the simulated machine."""
    return new_service().start()


@pytest.fixture
def new_bridge(prefix):
    """Makes processes that hold connections; see wire.Bridge."""
    made = []

    def make():
        made.append(wire.Bridge(prefix))
        return made[-1]

    yield make
    for bridge in made:
        bridge.close()


@pytest.fixture
def bridge(new_bridge):
    return new_bridge()


@pytest.fixture
def new_client(bridge, service):
    """Makes clients that have said Hello. The server must not have sent them anything that it must not."""
    made = []

    def make(name="e2e"):
        made.append(services.new_client(bridge, service, name))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def client(new_client):
    return new_client()


@pytest.fixture
def run(prefix, service):
    """Runs shadowpipe.exe to its end: run("status", "--json")."""
    def run_client(*arguments, **options):
        return services.run_client(prefix, service, *arguments, **options)
    return run_client
