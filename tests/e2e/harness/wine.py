"""A Wine prefix of one's own, and the programs that run in it.

Each pytest worker gets a copy of the prefix that `./dev setup` made: drive letters, services and the registry of one
worker are then nobody else's, and no wineserver serves two workers. Windows' own folder is shared by hard links.
"""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = ROOT / "build"
WIN64 = pathlib.Path(os.environ.get("SHADOWPIPE_BINARIES", BUILD / "win64"))
LIMIT = 60  # seconds for whatever must happen; long, because it only decides when a broken product is given up

PRODUCT_KEY = r"HKLM\SOFTWARE\Shadowpipe"
SYSTEM_VARIABLES = r"HKLM\System\CurrentControlSet\Control\Session Manager\Environment"

SERVICE_EXE = WIN64 / "service" / "shadowpiped.exe"
CLIENT_EXE = WIN64 / "client" / "cli" / "shadowpipe.exe"
SIMULATOR_DLL = WIN64 / "tests" / "simulator" / "shadowsim.dll"  # vssapi.dll by a name of which Wine has none itself
CHURN_EXE = WIN64 / "tests" / "demo" / "churn.exe"
BRIDGE_EXE = WIN64 / "tests" / "e2e" / "pipe_bridge.exe"
HELPER_EXE = WIN64 / "tests" / "e2e" / "e2e_helper.exe"
INSPECTOR_EXE = WIN64 / "tests" / "e2e" / "e2e_inspector.exe"


def wait_until(condition, what, limit=LIMIT):
    """Returns the condition's first true value. `what` is for the person who reads why it never came."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {limit} s in vain: {what() if callable(what) else what}")
        time.sleep(0.02)


def windows_path(path):
    return "Z:" + str(path).replace("/", "\\")


def process_environment(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return []


def process_arguments(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0 ").split("\0")
    return []


def is_running(pid):
    """False also for a process that has ended and waits for its parent (Wine's are nobody's children)."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    return False


def kill(pid):
    """Ends a process without a chance to clean up, and waits until Wine's server has noticed."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not is_running(pid), f"process {pid} ends when killed")


class Prefix:
    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._mapped = {}
        self.environment = {
            **os.environ,
            "WINEPREFIX": str(self.path),
            "WINEARCH": "win64",
            "WINEDEBUG": os.environ.get("WINEDEBUG", "-all"),
            "WINEDLLOVERRIDES": "mscoree=;mshtml=;winemenubuilder.exe=;vssapi=n,b",
            "HOME": str(BUILD / "home"),
            "LC_ALL": "C.UTF-8",
        }
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            self.environment.pop(name, None)

    def create(self, template=BUILD / "wine"):
        """Copies the template; a prefix that an earlier run left behind is ended and replaced."""
        if not any(template.glob(".ok-*")):
            sys.exit(f"{template} is not there: run ./dev setup")
        if self.path.exists():
            self._wineserver("-k")
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)
        windows = template / "drive_c" / "windows"
        (self.path / "drive_c").mkdir()
        subprocess.run(["cp", "-al", windows, self.path / "drive_c"], check=True)
        # What Wine rewrites in place must not be shared.
        others = [p for p in template.iterdir() if p.name not in ("drive_c", "wineserver")]
        subprocess.run(["cp", "-a", *others, self.path], check=True)
        others = [p for p in (template / "drive_c").iterdir() if p != windows]
        subprocess.run(["cp", "-a", *others, self.path / "drive_c"], check=True)

    def _wineserver(self, option):
        subprocess.run(["wineserver", option], env=self.environment, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def start(self):
        (BUILD / "home").mkdir(parents=True, exist_ok=True)
        # Persistent, but not for ever: should this process be killed, the server goes by itself.
        self._wineserver("-p60")
        # Wine's own services start with the first program, and keep its stdout.
        self.run(["cmd", "/c", "exit"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self._wineserver("-k")

    def restart(self):
        self.stop()
        self.start()
        for letter, directory in self._mapped.items():
            self.map_drive(letter, directory)

    def popen(self, command, environment=None, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(["wine", *map(str, command)], env={**self.environment, **(environment or {})},
                                **options)

    def run(self, command, environment=None, limit=LIMIT, **options):
        """Runs a program to its end; stdout and stderr come back as text."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        if "input" not in options:
            options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(["wine", *map(str, command)], env={**self.environment, **(environment or {})},
                              timeout=limit, encoding="utf-8", errors="replace", check=False, **options)

    def set_registry(self, key, name, value):
        kind = "REG_DWORD" if isinstance(value, int) else "REG_SZ"
        assert self.run(["reg", "add", key, "/v", name, "/t", kind, "/d", value, "/f"]).returncode == 0

    def delete_registry(self, key):
        self.run(["reg", "delete", key, "/f"])

    def set_system_variables(self, variables):
        """For what the Service Control Manager starts. It looks once, so Windows has to start anew."""
        for name, value in variables.items():
            self.set_registry(SYSTEM_VARIABLES, name, value)
        self.restart()

    def clear_system_variables(self, names):
        for name in names:
            assert self.run(["reg", "delete", SYSTEM_VARIABLES, "/v", name, "/f"]).returncode == 0
        self.restart()

    def helper(self, *arguments):
        done = self.run([HELPER_EXE, *arguments])
        assert done.returncode == 0, f"e2e_helper {arguments}: {done.returncode} {done.stderr}"
        return done.stdout

    def map_drive(self, letter, directory):
        self._mapped[letter] = directory
        self.helper("map", letter, windows_path(directory))

    def unmap_drive(self, letter):
        self._mapped.pop(letter, None)
        self.helper("unmap", letter)

    def drives(self):
        """The letters that are in use now, by Wine's own account."""
        return {p.name[0].upper() for p in (self.path / "dosdevices").iterdir() if len(p.name) == 2}

    def processes(self, *words):
        """Unix ids of this prefix's processes whose command line has all the words."""
        mine = f"WINEPREFIX={self.path}".encode()
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            line = " ".join(process_arguments(entry.name))
            if all(w in line for w in words) and mine in process_environment(entry.name) and is_running(entry.name):
                found.append(int(entry.name))
        return found
