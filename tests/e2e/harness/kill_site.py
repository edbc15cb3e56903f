"""Where the kill matrix plays: a service on a machine of its own, used again as long as nothing is left there."""
import contextlib
import os
import signal
import time

from harness import service as services
from harness import wine, wire
from harness.leaks import Inspector, Leaks
from harness.simulator import Machine


class Site:
    def __init__(self, prefix, folder, tag, bridge=None, inspector=None):
        folder.mkdir(parents=True)
        self.prefix, self.folder = prefix, folder
        self.machine = Machine(folder)
        self.service = services.Service(prefix, folder, self.machine, tag)
        self._close = contextlib.ExitStack()
        self.bridge = bridge or self._made(wire.Bridge(prefix))
        self.leaks = Leaks(prefix, self.service, inspector or self._made(Inspector(prefix)))
        self.handles = None
        self.idle_s = 0  # that a snapshot takes when nobody dies
        self.service.start()

    def _made(self, tool):
        self._close.callback(tool.close)
        return tool

    def connect(self, name):
        return services.new_client(self.bridge, self.service, name)

    def warm_up(self):
        """Everything has been done once; what the service has after that is what it may have."""
        client = self.connect("first")
        began = time.monotonic()
        client.finish(client.snapshot("S:"))
        self.idle_s = time.monotonic() - began
        client.close()
        self.leaks.wait_none(self.processes())
        self.handles = self.leaks.inspector.handles()

    def processes(self):
        """That may run here."""
        return {p.process.pid for p in (self.service, self.bridge, self.leaks.inspector)}

    def wait_clean(self):
        self.leaks.wait_none(self.processes(), self.handles)

    def close(self):
        """With the promises of an orderly stop."""
        try:
            assert self.service.stop() == 0, self.service.output()
            self.service.wait_no_requesters()
        finally:
            self.destroy()

    def destroy(self):
        if self.service.is_running():
            self.service.kill()
        for pid in self.service.requesters():
            wine.kill(pid)
        self._close.close()


class Stage:
    """One case: the victim, and who is there beside it, up to the point where it dies."""

    def __init__(self, site, victim, rundown_ms=0, new_bridge=None):
        self.site, self.machine, self.service, self.victim = site, site.machine, site.service, victim
        self.pb = wire.pb()
        self.client = None     # the one that may have to die
        self.request = None    # its open request, at the point
        self.reply = None      # to CreateSnapshot, where that has come
        self.program = None    # a process that is the client, in place of all this
        self.reply_comes = False  # to the request, when its connection is read again
        self.is_detached = False  # the lease
        self.record = None     # of a set of which nobody may know for a while whether VSS has made it
        self.requester = None  # the process that may have to die; where nobody says, the only one that is new
        self.stopped = None    # a process that goes on when the victim is dead
        self.bystanders = []   # (client, request) that are served whatever happens
        self.losers = []       # requests beside the victim's that have to fail with it
        self._new_bridge = new_bridge if victim == "client" else lambda: site.bridge
        self._bridge = None    # the client's process
        self._rundown_ms = rundown_ms
        self._mark = 0
        self._connections = []
        self._others = set()   # requesters that are not the victim's

    # ---- on the way there

    def scenario(self, sections):
        """For VSS objects made from now on."""
        self._mark = len(self.machine.events())
        self.machine.scenario({**sections, "machine": {"rundown_ms": self._rundown_ms}})

    def hold(self, name="victim"):
        """A file; whoever looks for it waits until the victim is dead."""
        file = self.site.folder / f"hold-{name}"
        file.touch()
        return wine.windows_path(file)

    def let_go(self, name="*"):
        for file in self.site.folder.glob(f"hold-{name}"):
            file.unlink()
        if self.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.stopped, signal.SIGCONT)

    def until_logged(self, text):
        wine.wait_until(lambda: any(text in "\t".join(e[3:]) for e in self.machine.events()[self._mark:]),
                        lambda: f"the simulator says: {text}. {self.service.output()[-2000:]}")

    def connect_raw(self):
        self._bridge = self._new_bridge()
        self._connections.append(self._bridge.connect(self.service.pipe))
        return self._connections[-1]

    def connect(self):
        self.client = wire.Client(self.connect_raw(), "victim")
        return self.client

    def bystander(self, name):
        client = self.site.connect(name)
        self._connections.append(client)
        return client

    def leave_alone(self, *bystanders):
        """Them, and all requesters that run by now."""
        self.bystanders += bystanders
        self._others = set(self.service.requesters())

    def new_requesters(self):
        return set(self.service.requesters()) - self._others

    # ---- there

    def kill(self):
        self.scenario({})
        if self.victim == "requester":
            (requester,) = {self.requester} if self.requester else self.new_requesters()
            wine.kill(requester)
            return
        self.request = None
        if self.victim != "client":
            self.service.kill()
            self.bystanders = []
        elif self.program:
            wine.kill(self.program.pid)
        else:
            self._bridge.kill()

    def close(self):
        for connection in self._connections:
            connection.close()
