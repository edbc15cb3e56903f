#!/usr/bin/env python3
"""`./dev demo`: a busy volume is copied twice, plainly and from an application-consistent snapshot. Both are checked.

Volume S: is filled with real files of this machine. A program holds one file open without sharing, another (churn)
keeps rewriting two files that must always agree, and takes part in VSS as a writer. Then, while that goes on:

  * xcopy of S:, as without Shadowpipe: it fails on the locked file, and the pair it copies does not agree;
  * shadowpipe run -v S: --as S:=X: -- xcopy X:\\* ..., through the installed service: complete and consistent.

Each file of the second copy is compared with a checksum taken at the freeze. Ends with 0 only if all is as claimed.
"""
import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import simulator, wine  # noqa: E402
from harness.wine import wait_until, windows_path  # noqa: E402

PREFIX = wine.BUILD / "wine-demo"
FILES = 400
LARGEST = 200_000
SOURCES = ["/usr/include", "/usr/share/doc", "/usr/share/perl", "/usr/lib/python3", "/etc"]
UNICODE = {
    "Büro/Jahresabschluss – größer als gedacht.txt": "Umsatz: 1 234 567 €\n",
    "日本語/見積書.txt": "御見積書\n",
    "Ελληνικά/αρχείο.txt": "περιεχόμενο\n",
    "Русский/отчёт за год.txt": "отчёт\n",
    "emoji/🎉 party.txt": "🎉\n",
}
LOCKED = "Mail/mailbox.pst"
HOOK, WRITER = "demo", "Ledger Writer"
XCOPY = ["/E", "/I", "/H", "/Y", "/C"]


class Failure(Exception):
    pass


def claim(condition, what):
    """Something that this demonstration says; it is not allowed to say more than is true."""
    if not condition:
        raise Failure(what)
    return condition


# ---- the volume ----------------------------------------------------------------------------------------------------

def is_possible(path):
    """Readable, of modest size, and with a name that Windows can have."""
    if any(c in '<>:"|?*\\' or ord(c) < 32 for c in str(path)) or str(path).endswith((".", " ")):
        return False
    return path.is_file() and not path.is_symlink() and os.access(path, os.R_OK) and path.stat().st_size <= LARGEST


def real_files():
    for source in SOURCES:
        for folder, folders, names in os.walk(source):
            folders.sort()
            seen = set()
            for name in sorted(names):
                path = pathlib.Path(folder, name)
                if name.lower() not in seen and is_possible(path):
                    seen.add(name.lower())
                    yield path


def choose(files, count):
    """Spread over all there is, not just the first folder."""
    files = list(files)
    step = max(1, len(files) // count)
    return files[::step][:count]


def fill(volume):
    for source in choose(real_files(), FILES):
        target = volume / "Files" / str(source).lstrip("/")
        with contextlib.suppress(OSError):  # the machine may change under us; what counts is what got here
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    for name, text in UNICODE.items():
        (volume / name).parent.mkdir(parents=True, exist_ok=True)
        (volume / name).write_text(text, "utf-8")
    (volume / "Ledger").mkdir()
    (volume / LOCKED).parent.mkdir()
    (volume / LOCKED).write_bytes(os.urandom(300_000))


def checksum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files_below(folder):
    return {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}


def read_manifest(path):
    """churn's list of what the volume held at the freeze: file to checksum."""
    entries = {}
    for line in path.read_text("utf-8").splitlines():
        digest, _, name = line.split(" ", 2)
        entries[name.replace("\\", "/")] = digest
    return entries


# ---- the parts -----------------------------------------------------------------------------------------------------

class Demo:
    def __init__(self):
        self.prefix = wine.Prefix(PREFIX)
        self.volume = PREFIX / "drive_s"
        self.copies = PREFIX / "drive_c" / "copies"
        self.machine = None
        self.helpers = []

    def __enter__(self):
        self.prefix.create()
        self.prefix.start()
        self.volume.mkdir()
        self.copies.mkdir()
        fill(self.volume)
        self.prefix.map_drive("S", self.volume)
        return self

    def __exit__(self, *_):
        for helper in self.helpers:
            if helper.poll() is None:
                wine.kill(helper.pid)
        self.prefix.stop()
        shutil.rmtree(PREFIX, ignore_errors=True)

    def run(self, *command, what, **options):
        done = self.prefix.run(command, limit=120, **options)
        claim(done.returncode == 0, f"{what}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def install_service(self):
        """As an administrator does it, but for the library: the simulator stands in for Windows' own."""
        self.machine = simulator.Machine(PREFIX / "drive_c" / "simulator")
        self.prefix.set_system_variables(self.machine.environment)
        self.prefix.set_registry(wine.PRODUCT_KEY, "VssLibrary", windows_path(wine.SIMULATOR_DLL))
        self.run(wine.SERVICE_EXE, "install", what="shadowpiped install")
        self.run(wine.SERVICE_EXE, "start", what="shadowpiped start", stdout=subprocess.DEVNULL,
                 stderr=subprocess.DEVNULL)
        status = json.loads(self.run(wine.CLIENT_EXE, "status", "--json", what="shadowpipe status").stdout)
        claim(status["simulated"] is True, "the service says that VSS is simulated")

    def remove_service(self):
        self.run(wine.SERVICE_EXE, "stop", what="shadowpiped stop")
        self.run(wine.SERVICE_EXE, "uninstall", what="shadowpiped uninstall")
        wait_until(lambda: not self.prefix.processes("shadowpiped.exe"), "the service's processes end")
        claim(not self.machine.leftovers(), f"nothing is left: {self.machine.leftovers()}")
        claim("X" not in self.prefix.drives(), "no drive letter is left")

    def start_churn(self):
        """Rewrites a pair of files without a pause, holds the mailbox, and at a freeze lists what the volume holds."""
        self.machine.scenario({f"writer:{WRITER}": {"hook": HOOK}})
        churn = self.prefix.popen(
            [wine.CHURN_EXE, r"S:\Ledger", "--hook", HOOK, "--lock", "S:\\" + LOCKED.replace("/", "\\"),
             "--manifest", r"C:\copies\at-freeze.txt", "--tree", "S:\\"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.helpers.append(churn)
        claim(b"ready" in churn.stdout.readline(), "churn is ready")

    def pair_agrees(self, folder):
        done = self.prefix.run([wine.CHURN_EXE, "--check", windows_path(folder / "Ledger")])
        return done.returncode == 0, " ".join(done.stdout.split())

    def plain_copy(self):
        began = time.monotonic()
        done = self.prefix.run(["xcopy", "S:\\*", r"C:\copies\plain", *XCOPY], limit=120)
        return Copy(self, "plain", done.returncode, time.monotonic() - began, done.stdout + done.stderr)

    def snapshot_copy(self):
        """What the user types, with --json for the phases; xcopy's own output then goes to stderr."""
        began = time.monotonic()
        done = self.prefix.run([wine.CLIENT_EXE, "run", "--json", "--name", "demo", "-v", "S:", "--as", "S:=X:", "--",
                                "xcopy", "X:\\*", r"C:\copies\snapshot", *XCOPY], limit=120)
        claim(done.returncode == 0, f"shadowpipe run: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        copy = Copy(self, "snapshot", done.returncode, time.monotonic() - began, done.stderr)
        return copy, json.loads(done.stdout)


class Copy:
    """One of the two copies, and how it compares with what was there at the freeze."""

    def __init__(self, demo, name, exit_code, seconds, output):
        self.exit_code, self.seconds, self.output = exit_code, seconds, output
        self.folder = demo.copies / name
        self.files = files_below(self.folder)
        self.pair_agrees, self.pair_says = demo.pair_agrees(self.folder)

    def compare(self, manifest):
        self.missing = sorted(set(manifest) - set(self.files))
        self.extra = sorted(set(self.files) - set(manifest))
        self.different = sorted(n for n in set(manifest) & set(self.files) if checksum(self.files[n]) != manifest[n])
        self.equal = len(manifest) - len(self.missing) - len(self.different)
        self.unicode = sum(name in self.files for name in UNICODE)


# ---- what is shown -------------------------------------------------------------------------------------------------

def say(text=""):
    print(text, flush=True)


def show_volume(volume):
    files = files_below(volume)
    size = sum(p.stat().st_size for p in files.values())
    folders = sum(p.is_dir() for p in volume.rglob("*"))
    say(f"Volume S: {len(files)} files of this machine in {folders} folders, {size / 1e6:.1f} MB. churn holds {LOCKED}")
    say("without sharing and keeps rewriting Ledger/ledger-a.bin and ledger-b.bin, which must always agree.")
    say()


def show_phases(reply):
    """A time line: where each phase begins and how long it takes."""
    phases = [(p["phase"].removeprefix("PHASE_").lower().replace("_", " "), p.get("startMs", 0), p.get("durationMs", 0))
              for p in reply["phases"]]
    total = max(start + duration for _, start, duration in phases)
    scale = 50 / max(total, 1)
    say("The snapshot, phase by phase:")
    for name, start, duration in phases:
        bar = " " * round(start * scale) + ("█" * max(1, round(duration * scale)) if duration else "")
        say(f"  {name:18}{duration:6} ms  {bar}")
    say(f"  {'in all':18}{total:6} ms, of which the writers were frozen during the copy only")
    say()


def show_copies(plain, snapshot, manifest):
    rows = [
        ("", "xcopy S:", "shadowpipe run, xcopy X:"),
        ("files that arrived", f"{len(plain.files)} of {len(manifest)}", f"{len(snapshot.files)} of {len(manifest)}"),
        ("the locked mailbox", *("there" if LOCKED in c.files else "MISSING" for c in (plain, snapshot))),
        ("the pair of ledgers", *("agrees" if c.pair_agrees else "TORN" for c in (plain, snapshot))),
        ("Unicode names", *(f"{c.unicode} of {len(UNICODE)}" for c in (plain, snapshot))),
        ("equal to the freeze", "-", f"{snapshot.equal} of {len(manifest)}, by SHA-256"),
        ("exit code", str(plain.exit_code), str(snapshot.exit_code)),
        ("took", *(f"{c.seconds:.1f} s" for c in (plain, snapshot))),
    ]
    for name, first, second in rows:
        say(f"  {name:22}{first:22}{second}")
    say()


def check(plain, snapshot, manifest):
    claim(len(manifest) > 200, f"a few hundred files were at stake, not {len(manifest)}")
    claim(LOCKED in plain.missing, "the plain copy fails on the locked file")
    claim(not plain.pair_agrees, f"the plain copy tears the pair: {plain.pair_says}")
    claim(not snapshot.missing, f"the copy of the snapshot is complete; missing: {snapshot.missing[:5]}")
    claim(not snapshot.extra, f"the copy of the snapshot has nothing else: {snapshot.extra[:5]}")
    claim(not snapshot.different, f"each file is as it was at the freeze; different: {snapshot.different[:5]}")
    claim(snapshot.pair_agrees, f"the pair agrees in the snapshot: {snapshot.pair_says}")
    claim(snapshot.unicode == len(UNICODE), "files with Unicode names are there")


def demonstrate(demo):
    demo.install_service()
    demo.start_churn()
    show_volume(demo.volume)
    plain = demo.plain_copy()
    snapshot, result = demo.snapshot_copy()
    manifest = read_manifest(demo.copies / "at-freeze.txt")
    plain.compare(manifest)
    snapshot.compare(manifest)
    show_phases(result["snapshot"])
    show_copies(plain, snapshot, manifest)
    check(plain, snapshot, manifest)
    demo.remove_service()


def main():
    began = time.monotonic()
    say("Shadowpipe: an application-consistent snapshot through the whole product, next to a plain copy.")
    say("The .exe files are the real ones, and the service is installed. VSS is SIMULATED here, because this is Wine and not")
    say("Windows; on Windows the same files use the real VSS.")
    say()
    try:
        with Demo() as demo:
            demonstrate(demo)
    except Failure as failure:
        say(f"NOT AS CLAIMED: {failure}")
        return 1
    say(f"All as claimed, in {time.monotonic() - began:.0f} s. The service was stopped and removed, and nothing is left.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
