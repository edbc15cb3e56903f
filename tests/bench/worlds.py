"""What the measurements run in: a Wine prefix of their own, one small volume S:, a simulated machine, services."""
import contextlib
import os
import pathlib
import shutil
import subprocess
import time

from harness import service as services
from harness import simulator, wine, wire
from harness.wine import windows_path

FOLDER = wine.BUILD / "bench"
PROGRAMS = wine.WIN64 / "tests" / "bench"
COUNTED_EXE = PROGRAMS / "shadowpiped_counted.exe"
BROKER_OPS = wine.BUILD / "native-release" / "tests" / "bench" / "broker_ops"

# A snapshot in one second from the first question to the writers until the copy exists (900 ms, and twice the writers'
# status), a quick one for real writers and disks. BackupComplete and another status come after it.
ONE_SECOND = {"timing": {"identify": 150, "prepare": 100, "prepare_snapshot": 100, "freeze": 250, "commit": 200, "thaw": 50,
                         "post_snapshot": 50, "status": 50, "complete": 50}}
REQUESTER_UP_S = 1.5  # five times what its start takes under Wine


class World:
    def __init__(self):
        shutil.rmtree(FOLDER, ignore_errors=True)
        volume = FOLDER / "volume"
        volume.mkdir(parents=True)
        for number in range(10):
            (volume / f"file {number}.txt").write_text("a small file\n")
        self.pb = wire.generate(FOLDER / "python")
        self.machine = simulator.Machine(FOLDER)
        self.prefix = wine.Prefix(wine.BUILD / "wine-bench")
        self.prefix.create()
        self.prefix.start()
        self.prefix.map_drive("S", volume)
        self.bridge = wire.Bridge(self.prefix)

    def close(self):
        self.bridge.close()
        self.prefix.stop()
        shutil.rmtree(self.prefix.path, ignore_errors=True)

    @contextlib.contextmanager
    def service(self, scenario, **options):
        """A fresh one, with a requester ready, for one measurement."""
        self.machine.scenario(scenario)
        service = services.Service(self.prefix, FOLDER, self.machine, "bench").start(**options)
        assert service.is_running(), service.output()
        self._watcher = self.client(service, "bench: watcher")
        self.rest()
        yield service
        self._watcher.close()
        assert service.stop() == 0, service.output()
        self.machine.scenario({})

    def client(self, service, name="bench"):
        return services.new_client(self.bridge, service, name)

    def rest(self):
        """Until nothing is left of what was before, and a requester is ready: the next one is started two seconds after
        the last one was taken, and has to have come up."""
        def is_ready():
            if self._watcher.service_status().requesters > 0:
                return False
            found = self.prefix.processes("shadowpiped", "--requester")
            return len(found) == 1 and age_s(found[0]) > REQUESTER_UP_S
        wine.wait_until(is_ready, "one requester process, ready")

    def popen(self, program, *arguments, **options):
        return self.prefix.popen([PROGRAMS / program, *arguments], environment=self.machine.environment, **options)

    def race(self, count, program, *arguments, environment=None):
        """So many processes at once: [(exit code, milliseconds)], and the time of all."""
        done = self.prefix.run([PROGRAMS / "race.exe", count, windows_path(PROGRAMS / program), *arguments],
                               environment={**self.machine.environment, **(environment or {})}, limit=600)
        assert done.returncode == 0, done
        *lines, last = done.stdout.split("\n")[:-1]
        return [(int(code), float(ms)) for code, ms in (line.split() for line in lines)], float(last.split()[1])


def age_s(pid):
    """Of a process; 0 if it has ended."""
    with contextlib.suppress(OSError):
        began = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - began / os.sysconf("SC_CLK_TCK")
    return 0


def counters(client):
    return {c.name: c.value for c in client.service_status().counters}


class Told:
    """A program that says "ready" and then does what a line on its stdin says, again and again."""

    def __init__(self, world, program, *arguments):
        self.process = world.popen(program, *arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self._await()

    def _await(self):
        assert self.process.stdout.readline().strip() == b"ready", self.process.wait()

    def tell(self, number):
        self.process.stdin.write(f"{number}\n".encode())
        self._await()

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(wine.LIMIT) == 0
