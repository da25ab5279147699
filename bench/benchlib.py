# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: yardsticks, processes and their CPU, rounds, ratios, goals.

Method (these machines are noisy): the sides of a ratio run in turn in one run, the order
rotates, the first round is thrown away, a ratio is taken inside each round and the median
of the rounds counts. One yardstick runs twice under two names: when it differs from itself
by more than 10 %, or others used more than half a core, the run is void, not failed.
A benchmark is not a test: it prints ok or short and ends with 0, unless it could not measure.
Python's standard library only.
"""
import argparse
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tests" / "real"))
sys.dont_write_bytecode = True
from quelltest import proc  # noqa: E402  (the real tests' way to start and stop)

SCRATCH = TOP / "build" / "bench"
SELF_OFF_MAX = 0.10
OTHERS_CORES_MAX = 0.5


class Absent(Exception):
    """Something optional is not here; the text says what."""


def arguments(text, rounds=5, extra=None):
    parser = argparse.ArgumentParser(description=text)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"counted rounds, one more runs first ({rounds})")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: to see that it runs, not to quote")
    if extra:
        extra(parser)
    args = parser.parse_args()
    SCRATCH.mkdir(parents=True, exist_ok=True)
    return args


# ---- yardsticks

def shared_folder():
    for folder in (os.environ.get("QUELL_SHARED"), TOP.parent / "shared"):
        if folder and (pathlib.Path(folder) / "yardstick").is_dir():
            return pathlib.Path(folder)
    raise Absent("the yardsticks are not here (set QUELL_SHARED to the folder that holds yardstick/)")


def yardstick(name, *words):
    """The compiled yardstick; made when it is missing or older than its source."""
    source = shared_folder() / "yardstick" / f"{name}.c"
    program = SCRATCH / name
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        run = subprocess.run(["cc", "-O2", "-w", "-o", str(program), str(source), *words],
                             capture_output=True, text=True, check=False)
        if run.returncode:
            raise Absent(f"{name} does not compile: {run.stderr.strip().splitlines()[:1]}")
    return program


def quelld():
    program = proc.build_dir() / "quelld"
    if not program.exists():
        raise Absent("build/quelld is not built")
    return program


def unpacked(name, packages):
    """A folder with these Debian packages unpacked, never installed; fetched once by apt."""
    folder = TOP / "build" / "peers" / name
    if (folder / ".complete").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "debs").mkdir(parents=True)
    got = subprocess.run(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", *packages], cwd=folder / "debs",
                         capture_output=True, text=True, check=False)
    if got.returncode:
        raise Absent(f"{name} cannot be fetched: {got.stderr.strip().splitlines()[-1:]}")
    for deb in (folder / "debs").glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(deb), str(folder)], check=True)
    (folder / ".complete").touch()
    return folder


def library_path(*folders):
    """An environment in which programs of unpacked packages find their libraries."""
    places = [str(place) for folder in folders
              for place in (folder / "usr/lib/x86_64-linux-gnu", folder / "usr/lib", folder / "usr/lib/rspamd")]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(places)}


class Redis:
    """A private Redis on a unix socket, nothing saved; from unpacked packages."""

    PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1", "libatomic1")

    def __init__(self, core=None):
        self.tree = unpacked("redis", self.PACKAGES)
        self.folder, self.core = fresh_folder("redis", 0o755), core
        self.path, self.process = self.folder / "redis.sock", None

    def __enter__(self):
        self.process = proc.start(
            pinned(self.core) + [self.tree / "usr/bin/redis-server", "--port", "0", "--unixsocket", self.path,
                                 "--unixsocketperm", "777", "--save", "", "--dir", self.folder],
            self.folder / "log", env=library_path(self.tree))
        wait_for_unix(self.path, self.process, self.folder / "log")
        return self

    def __exit__(self, *_):
        proc.stop(self.process)


# ---- processes

def cpu_s(pid):
    """CPU seconds of a process, all its threads, dead ones too; nanoseconds exact."""
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


def children_of(pid):
    """All descendants."""
    found, parents = [], {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    queue = [pid]
    while queue:
        below = parents.get(queue.pop(), [])
        found += below
        queue += below
    return found


def waited_s(pid):
    """CPU seconds of children that ended and were waited for."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def tree_cpu_s(pid):
    return sum(cpu_s(p) + waited_s(p) for p in [pid, *children_of(pid)])


def machine_busy_s():
    """CPU seconds that the whole machine has spent, idle and waiting apart."""
    fields = [int(x) for x in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    return (sum(fields[:8]) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def wait_for_unix(path, process, log, timeout_s=20):
    proc.wait_until(lambda: process.poll() is not None or _answers(path), timeout_s, f"{path} answers")
    if process.poll() is not None:
        raise Absent(f"it ended at once: {proc.tail(log, 3)}")


def _answers(path):
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


def pinned(core):
    return ["taskset", "-c", str(core)] if core is not None else []


def fresh_folder(name, mode=0o700):
    folder = SCRATCH / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=mode)
    return folder


class Milter:
    """One milter process on a unix socket, started for one run. core: pinned to it; maillog: what quelld
    confirms from, an empty file without it."""

    def __init__(self, name, core=None, maillog=None):
        self.name, self.core, self.maillog = name, core, maillog
        self.folder = fresh_folder(f"milter-{name.replace('#', '')}", 0o755)
        self.path, self.log = self.folder / "milter.sock", self.folder / "log"
        self.process = None

    def command(self):
        kind = self.name.split("#")[0]
        if kind in ("plain", "nr"):
            return [yardstick("noop_milter", "-lmilter", "-lpthread"), f"unix:{self.path}", kind]
        if kind in ("em", "emmin"):
            return [yardstick("emilter"), self.path] + (["min"] if kind == "emmin" else [])
        if kind == "quell":
            return [quelld(), "-c", self.settings()]
        raise Absent(f"no milter called {self.name}")

    def settings(self):
        """Full policy, a log to confirm from; everything else as delivered."""
        state = self.folder / "state"
        state.mkdir(mode=0o700)
        maillog = self.maillog or self.folder / "mail.log"
        if not self.maillog:
            maillog.touch()
        path = self.folder / "quell.yaml"
        path.write_text(f"state: {state}\nmode: guard\nour_hosts: [mx.example.org]\nconfirm: log:{maillog}\n"
                        f'milter: {{listen: "unix:{self.path}", socket_mode: "0666"}}\n')
        return path

    def __enter__(self):
        self.process = proc.start(pinned(self.core) + self.command(), self.log, umask=0)
        wait_for_unix(self.path, self.process, self.log)
        return self

    def __exit__(self, *_):
        # libmilter takes up to five seconds to stop; nothing of it is wanted
        proc.stop(self.process, 5 if self.name.startswith("quell") else 0)

    def cpu_s(self):
        return cpu_s(self.process.pid)

    def held(self):
        """Mails that a quelld put into its hold."""
        return sum(1 for p in (self.folder / "state" / "hold" / "mails").rglob("*") if p.is_file())


# ---- rounds, ratios, goals

class Rounds:
    """results[side] is a list of dicts, one a round; a side that is absent is left out and named."""

    def __init__(self, sides, measure, count):
        self.results = {}
        self.absent = {}
        sides = list(sides)
        for number in range(count + 1):
            order = sides[number % len(sides):] + sides[:number % len(sides)]
            for side in order:
                if side in self.absent:
                    continue
                show(f"round {number}/{count}: {side}")
                try:
                    got = measure(side)
                except Absent as why:
                    self.absent[side] = str(why)
                    self.results.pop(side, None)
                    continue
                if number > 0 or count == 0:
                    self.results.setdefault(side, []).append(got)
        show("")
        for side, why in self.absent.items():
            print(f"skipped {side}: {why}")

    def median(self, side, key):
        return statistics.median(r[key] for r in self.results[side])

    def ratios(self, side, other, key):
        return [a[key] / b[key] for a, b in zip(self.results[side], self.results[other]) if b[key]]

    def ratio(self, side, other, key):
        """Median of the per-round ratios, or None."""
        if side not in self.results or other not in self.results:
            return None
        return statistics.median(self.ratios(side, other, key) or [float("nan")])

    def table(self, columns):
        """columns: (head, key, format)."""
        print("".join(f"{head:>14}" for head in ["side", *(c[0] for c in columns)]))
        for side in self.results:
            print(f"{side:>14}" + "".join(f"{self.median(side, key):>14{form}}" for _, key, form in columns))

    def why_void(self, pairs):
        """pairs: (side, the same side's second name, key)."""
        reasons = []
        for side, twin, key in pairs:
            got = self.ratio(twin, side, key)
            if got is not None and abs(got - 1) > SELF_OFF_MAX:
                reasons.append(f"{side} against itself ({key}) is {got:.2f}")
        others = [r["others"] for rows in self.results.values() for r in rows if "others" in r]
        if others and statistics.median(others) > OTHERS_CORES_MAX:
            reasons.append(f"others used {statistics.median(others):.1f} cores")
        return "; ".join(reasons)


def goal(name, what, got, gate, stretch, is_least, void=""):
    """One line: the ratio against its gate and its stretch."""
    sign = ">=" if is_least else "<="
    if got is None or got != got:
        word = "not measured"
        value = "-"
    else:
        word = "ok" if (got >= gate if is_least else got <= gate) else "SHORT"
        if word == "ok" and (got >= stretch if is_least else got <= stretch):
            word = "ok, stretch too"
        value = f"{got:.3g}"
        if void:
            word = f"VOID ({word})"
    print(f"{name:<3} {what:<62} {value:>8}   {sign} {gate:<7g} stretch {stretch:<7g} {word}")


def show(text):
    """Where we are, on a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def machine():
    model = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), "unknown processor")
    return f"{time.strftime('%Y-%m-%d', time.gmtime())}, {os.cpu_count()} x {model}, Linux {os.uname().release}"
