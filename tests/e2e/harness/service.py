"""The service in its console role: start it, talk to it, stop it, kill it."""
import itertools
import signal
import subprocess

from harness import wine, wire
from harness.wine import LIMIT, wait_until, windows_path

_names = itertools.count(1)


class Service:
    def __init__(self, prefix, folder, machine, tag):
        self.prefix = prefix
        self.machine = machine
        self.pipe_name = f"shadowpipe-e2e-{tag}-{next(_names)}"
        self.pipe = rf"\\.\pipe\{self.pipe_name}"
        self.log = folder / "service.log"
        self.process = None

    def start(self, *more, library=wine.SIMULATOR_DLL, environment=None, program=wine.SERVICE_EXE):
        """Starts it and waits until it listens. A service that ends instead is the caller's to look at."""
        with open(self.log, "ab") as log:
            begin = log.tell()
            self.process = self.prefix.popen(
                [program, "--console", "--pipe", self.pipe,
                 *(["--vss-library", windows_path(library)] if library else []), *more],
                environment={**self.machine.environment, **(environment or {})},
                stdout=log, stderr=subprocess.STDOUT)
        wait_until(lambda: b"listening" in self.log.read_bytes()[begin:] or self.process.poll() is not None,
                   lambda: f"the service listens; it says: {self.output()}")
        return self

    def output(self):
        return self.log.read_text("utf-8", "replace") if self.log.exists() else ""

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def begin_stop(self):
        """Ctrl-C, as Wine delivers it."""
        self.process.send_signal(signal.SIGINT)

    def wait(self, limit=LIMIT):
        return self.process.wait(limit)

    def stop(self, limit=LIMIT):
        self.begin_stop()
        return self.wait(limit)

    def hand_over(self, limit=LIMIT):
        """Ctrl-Break: it ends and leaves what clients read to the next one."""
        self.prefix.helper("break", self.pipe)
        return self.wait(limit)

    def kill(self):
        wine.kill(self.process.pid)
        self.process.wait()

    def requesters(self):
        """Unix ids of the requester processes of this test's services."""
        mine = f"SHADOWSIM_STORE={self.machine.environment['SHADOWSIM_STORE']}".encode()
        return [pid for pid in self.prefix.processes("shadowpiped.exe", "--requester")
                if mine in wine.process_environment(pid)]

    def wait_no_requesters(self, limit=LIMIT):
        """A running service keeps one ready, which holds nothing."""
        wait_until(lambda: len(self.requesters()) <= self.is_running(), "the requesters end", limit)


def client_environment(service):
    return {"SHADOWPIPE_PIPE": service.pipe, **service.machine.environment}


def run_client(prefix, service, *arguments, environment=None, limit=LIMIT, **options):
    """Runs shadowpipe.exe against the service, to its end."""
    return prefix.run([wine.CLIENT_EXE, *arguments], {**client_environment(service), **(environment or {})}, limit,
                      **options)


def start_client(prefix, service, *arguments, **options):
    """Starts it; the caller waits."""
    return prefix.popen([wine.CLIENT_EXE, *arguments], client_environment(service), **options)


def new_client(bridge, service, name="e2e"):
    return wire.Client(bridge.connect(service.pipe), name)
