"""What nobody's death may leave behind: a process, an object or a copy of VSS, an open set, a record of the service, a
drive letter, a handle in the service, a writer that is not STABLE. test_kill_matrix.py first lets it see one of each."""
import collections
import subprocess

from harness import wine
from harness.wine import LIMIT, wait_until

SERVICE_IMAGE = wine.SERVICE_EXE.name
PROGRAMS = [p.name for p in (wine.SERVICE_EXE, wine.CLIENT_EXE, wine.HELPER_EXE, wine.BRIDGE_EXE)]


class Inspector:
    """e2e_inspector.exe: it answers what only Windows knows."""

    def __init__(self, prefix):
        self.process = prefix.popen([wine.INSPECTOR_EXE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._line() == "ready"

    def _line(self):
        return self.process.stdout.readline().decode("utf-8", "replace").rstrip("\r\n")

    def ask(self, *words):
        self.process.stdin.write((" ".join(words) + "\n").encode("ascii"))
        self.process.stdin.flush()
        answer = self._line()
        assert answer not in ("refused", "unknown"), words
        return answer

    def handles(self):
        """Of all processes of the service's program together, by type."""
        words = self.ask("handles", SERVICE_IMAGE).split()
        return collections.Counter({int(w.split(":")[0]): int(w.split(":")[1]) for w in words[1:]})

    def records(self):
        """Of persistent sets, leases: whatever services store below the product's key, as PIPE/NAME."""
        return [name for name in self.ask("values", wine.PRODUCT_KEY.removeprefix("HKLM\\")).split("\t") if name]

    def close(self):
        self.process.stdin.close()
        self.process.wait(LIMIT)


class Leaks:
    """Measures against the moment when it was made."""

    def __init__(self, prefix, service, inspector):
        self._prefix, self._service, self.inspector = prefix, service, inspector
        self._drives = prefix.drives()
        self._forgiven = set()

    def found(self, processes, handles=None):
        """In words; [] = nothing. `processes`: Unix ids of those that may run, None: any. `handles`: what the service may
        have."""
        found = self._service.machine.leftovers()
        # Each VSS object has its own view of the simulator's writers; also those that died must have left them so.
        found += [f"writer: {name}" for name in self._service.machine.unsettled_writers()]
        found += [f"record: {name}" for name in self.records()]
        found += [f"letter: {letter}:" for letter in sorted(self._prefix.drives() - self._drives)]
        if processes is not None:
            found += [f"process {pid}: {line}" for pid, line in self._strangers(processes)]
        if handles is not None and (more := self.inspector.handles() - handles):
            found.append(f"handles: {more.total()} more, by their types' numbers {dict(more)}")
        return found

    def records(self):
        """The service's own."""
        mine = self._service.pipe_name + "/"
        return [name for name in self.inspector.records() if name.startswith(mine) and name not in self._forgiven]

    def forgive_record(self, name):
        self._forgiven.add(name)

    def wait_none(self, processes, handles=None):
        wait_until(lambda: not self.found(processes, handles),
                   lambda: f"nothing is left: {self.found(processes, handles)}")

    def _strangers(self, known):
        for program in PROGRAMS:
            for pid in self._prefix.processes(program):
                if pid not in known:
                    yield pid, " ".join(wine.process_arguments(pid))
