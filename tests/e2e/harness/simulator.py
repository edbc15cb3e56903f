"""The simulated machine: its scenario, and what its store says has happened. docs/simulator.md describes both."""
import contextlib
import os
import pathlib
import time

from harness.wine import windows_path

WRITERS = ["System Writer", "Registry Writer", "COM+ REGDB Writer", "ASR Writer", "Shadow Copy Optimization Writer",
           "WMI Writer", "Task Scheduler Writer", "VSS Metadata Store Writer", "Performance Counters Writer",
           "MSSearch Service Writer"]


def read_record(path):
    """A record's keys and values; {} if there is none (it may vanish while we look)."""
    with contextlib.suppress(FileNotFoundError):
        text = path.read_text("utf-8")
        return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {}


class Machine:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.store = folder / "store"
        self.scenario_file = folder / "scenario.ini"
        self.store.mkdir(parents=True, exist_ok=True)
        self.environment = {"SHADOWSIM_STORE": windows_path(self.store),
                            "SHADOWSIM_SCENARIO": windows_path(self.scenario_file)}
        self._stamp = time.time_ns()
        self.scenario({})

    def scenario(self, sections):
        """Holds for VSS objects made from now on: {"timing": {"freeze": 500}, "writer:WMI Writer": {…}}."""
        text = "".join(f"[{name}]\r\n" + "".join(f"{k}={v}\r\n" for k, v in keys.items())
                       for name, keys in sections.items())
        new = self.scenario_file.with_suffix(".new")
        new.write_bytes(text.encode("ascii"))
        # The simulator starts its counts afresh when the file's time changes: it must, however fast we are.
        self._stamp = max(self._stamp + 100_000_000, time.time_ns())
        os.utime(new, ns=(self._stamp, self._stamp))
        new.replace(self.scenario_file)

    def events(self):
        """(unix ms, pid, object, event, detail…) of each line of the log."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.store / "events.log").read_text("utf-8", "replace").splitlines()
            return [line.split("\t") for line in lines if line.count("\t") >= 3]
        return []

    def writer_events(self, writer=None):
        """("Freeze", "System Writer", …) in the order in which they happened."""
        found = [tuple(e[4:]) for e in self.events() if e[3] == "writer" and len(e) > 5]
        return [e for e in found if writer is None or e[1] == writer]

    def unsettled_writers(self):
        """What VSS objects have left the writers in, where that is not STABLE."""
        states = {(e[2], e[5]): e[7] for e in self.events() if e[3] == "writer" and len(e) > 7}
        return {key: state for key, state in states.items() if state != "state=1"}

    def creator(self):
        return read_record(self.store / "creator.txt")

    def creator_is_open(self):
        return self.creator().get("state") == "open"

    def objects(self):
        return [read_record(p) for p in sorted((self.store / "objects").glob("*.txt"))]

    def copies(self):
        """Folders of the copies that exist."""
        return [p.with_suffix("") for p in sorted((self.store / "copies").glob("*.txt"))]

    def leftovers(self):
        """What a machine at rest does not have. Empty = all was released."""
        found = []
        if self.creator_is_open():
            found.append(f"creator record open: {self.creator()}")
        found += [f"VSS object: {o}" for o in self.objects()]
        with contextlib.suppress(FileNotFoundError):
            found += [f"copy: {p.name}" for p in (self.store / "copies").iterdir()]
        # The test misspelt something.
        found += [f"scenario: {e[4:]}" for e in self.events() if e[3] == "scenario" and "unknown" in e[4]]
        return found
