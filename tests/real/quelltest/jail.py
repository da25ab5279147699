# SPDX-License-Identifier: Apache-2.0
"""Mail servers with paths and users compiled into them, run from an unpacked tree without installing anything.

Each runs in a mount namespace of its own: over /usr lie the unpacked files, over /etc the server's own folder (its
settings, its passwd with the users that it wants, name lookup from files only), and /dev/log is a socket of ours
(Devlog), so that what a server says to syslog becomes the lines that rsyslog would write. Nobody else sees any of
it, and it ends with the server. Needs root and a kernel with overlayfs; why_not() says what is missing.
A server's start fails with the end of its log when it does not come up.
"""
import datetime
import os
import re
import smtplib
import socket
import subprocess
import threading
from pathlib import Path

from . import proc

HOSTNAME = "mx.isp.example"

# Arguments: tree, room, folders that shall be empty and writable, "--", pairs of folders to bind, "--", the command.
ENTER = r"""set -e
tree=$1 room=$2
shift 2
mount -t overlay overlay -o "lowerdir=$tree/usr:/usr" /usr
mount -t overlay overlay -o "lowerdir=$room/etc:/etc" /etc
mount -t overlay overlay -o "lowerdir=$room/dev:/dev" /dev
while [ "$1" != -- ]; do mount -t tmpfs -o mode=0755 quell-test "$1"; shift; done
shift
while [ "$1" != -- ]; do mkdir -p "$2"; mount --bind "$1" "$2"; shift 2; done
shift
exec "$@"
"""

ETC = {
    "hosts": "127.0.0.1 localhost\n127.0.0.1 {hostname}\n127.0.0.2 office.customer.example\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\n",
    "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    "host.conf": "multi on\n",
    "mailname": "{hostname}\n",
}


def find_tree(name, program):
    """Where the unpacked server is: $QUELL_EXIM and so on, or the build folder's peers/exim and so on."""
    for tree in (os.environ.get(f"QUELL_{name.upper()}"), proc.build_dir() / "peers" / name,
                 proc.TOP / "build/peers" / name):
        if tree and (Path(tree) / program).exists() and (Path(tree) / ".complete").exists():
            return Path(tree).resolve()
    raise RuntimeError(f"no {name}: run `bash -c '. tests/setup; setup_{name}'` in the project's top folder")


TRY = r"""set -e
for folder in usr etc dev; do mount -t overlay overlay -o "lowerdir=$0/usr:/$folder" "/$folder"; done
: >/dev/null
mount -t tmpfs quell-test /run
"""


def why_not(tree):
    """Why no server can run in a namespace here, in words; "" when it can."""
    if os.geteuid() != 0:
        return "an unpacked mail server needs root"
    done = subprocess.run(["unshare", "-m", "sh", "-c", TRY, tree], capture_output=True, text=True, check=False)
    return f"unpacked files cannot be laid over the system's own here: {done.stderr.strip()}" if done.returncode else ""


class Devlog:
    """A syslog daemon for one server: what comes to its /dev/log becomes lines of base/mail.log, as rsyslog writes
    them. The folder base/dev holds the link to the socket, and is laid over /dev in the server's namespace.

    With the traditional time ("Nov 24 18:26:42") or, with is_precise, as Debian 12 has it by default
    ("2026-11-24T18:26:42.123456+00:00").
    """

    PRIORITY = re.compile(rb"^<\d+>")
    TIME = re.compile(rb"^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ")

    def __init__(self, base, hostname, is_precise=False):
        self._log, self._host, self._is_precise = base / "mail.log", hostname.split(".")[0].encode(), is_precise
        path = base / "log.sock"
        for old in (path, base / "dev/log"):
            old.unlink(missing_ok=True)
        (base / "dev").mkdir(exist_ok=True)
        os.symlink(path, base / "dev/log")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(0.2)
        os.chmod(path, 0o666)
        self._is_stopping = False
        self._thread = threading.Thread(target=self._loop, name="devlog", daemon=True)
        self._thread.start()

    def _loop(self):
        with open(self._log, "ab", buffering=0) as log:
            while not self._is_stopping:
                try:
                    datagram = self._socket.recv(65536)
                except TimeoutError:
                    continue
                except OSError:
                    break
                log.write(self.line(datagram))

    def line(self, datagram):
        """Without the priority, with the host's name, control characters as #012."""
        text = self.PRIORITY.sub(b"", datagram).rstrip(b"\0\n")
        found = self.TIME.match(text)
        if found:
            now = datetime.datetime.now().astimezone().isoformat(timespec="microseconds").encode() + b" "
            text = (now if self._is_precise else found.group()) + self._host + b" " + text[found.end():]
        return re.sub(rb"[\0-\x1f\x7f]", lambda found: b"#%03o" % found.group()[0], text) + b"\n"

    def stop(self):
        self._is_stopping = True
        self._thread.join(5)
        self._socket.close()


class JailedServer:
    """What Exim, OpenSMTPD and Sendmail have in common; `with Exim(base, sink.port) as server` or start(), stop().

    base: an empty folder that other users may enter; sink_port: where all mail goes by SMTP; aliases: {address:
    addresses}, all of isp.example; is_precise: the form of times (Devlog). A subclass names its tree and its users,
    and gives _settings() (files below etc) and _command().
    """

    NAME = PROGRAM = ""
    USERS = ()          # (name, number): users and groups that the server wants and Debian's base system lacks
    HOLLOW = ("/run",)  # folders of the machine that it shall see empty
    LOG = "mail.log"
    GRACE_S = 5.0

    def __init__(self, base, sink_port, aliases=None, hostname=HOSTNAME, is_precise=False):
        self.base = Path(base).resolve()
        self.base.mkdir(exist_ok=True)
        os.chmod(self.base, 0o755)
        self.tree = find_tree(self.NAME, self.PROGRAM)
        self.port, self.sink_port = proc.free_port(), sink_port
        self.hostname, self.aliases = hostname, aliases or {}
        self.log = self.base / self.LOG
        self.process = self._devlog = None
        self._is_precise = is_precise

    @classmethod
    def why_not(cls):
        return why_not(find_tree(cls.NAME, cls.PROGRAM))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    # ---- for the subclasses

    def _settings(self):
        """{path below etc: text}."""
        raise NotImplementedError

    def _command(self):
        raise NotImplementedError

    def _binds(self):
        """Pairs (folder of ours, where the server sees it)."""
        return ()

    def _prepare(self):
        """Whatever must be done before the start, when the settings are there."""

    def folder(self, name, mode=0o755, owner=None):
        folder = self.base / name
        folder.mkdir(parents=True, exist_ok=True)
        os.chmod(folder, mode)
        if owner is not None:
            os.chown(folder, owner, owner)
        return folder

    def inside(self, *words):
        """A command line that sees what the server sees."""
        binds = [str(path) for pair in self._binds() for path in pair]
        return ["unshare", "-m", "sh", "-c", ENTER, "jail", str(self.tree), str(self.base), *self.HOLLOW, "--", *binds,
                "--", *map(str, words)]

    def beside(self, *words):
        """A command line in the namespace of the running server."""
        return ["nsenter", "-t", str(self.process.pid), "-m", *map(str, words)]

    # ---- the server

    def _lay_out(self):
        closed = [folder for folder in self.base.parents if not folder.stat().st_mode & 0o001]
        if closed:
            raise RuntimeError(f"{self.NAME}'s processes are other users and cannot enter {closed[0]}")
        etc = self.folder("etc")
        users = "".join(f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n" for name, number in self.USERS)
        groups = "".join(f"{name}:x:{number}:\n" for name, number in self.USERS)
        (etc / "passwd").write_text(Path("/etc/passwd").read_text() + users)
        (etc / "group").write_text(Path("/etc/group").read_text() + groups)
        for name, text in {**ETC, **self._settings()}.items():
            (etc / name).parent.mkdir(parents=True, exist_ok=True)
            (etc / name).write_text(text.format(hostname=self.hostname) if name in ETC else text)
            os.chmod(etc / name, 0o600 if name.endswith(".key") else 0o644)

    def start(self):
        self._lay_out()
        self._devlog = Devlog(self.base, self.hostname, self._is_precise)
        try:
            self._prepare()
            self.process = proc.start(self.inside(*self._command()), self.base / "server.out", env=self._environment())
            proc.wait_until(self._is_ready, 30, lambda: f"{self.NAME} is ready; its log ends:\n" + self.log_tail())
        except BaseException:
            self.stop()
            raise
        return self

    @staticmethod
    def _environment():
        zone = {"TZ": os.environ["TZ"]} if "TZ" in os.environ else {}
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C", **zone}

    def run(self, *words, timeout_s=60):
        """A command of the server's own package; its output, or an error with it."""
        command = self.beside(*words) if self.process else self.inside(*words)
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False,
                              env=self._environment(), stdin=subprocess.DEVNULL)
        if done.returncode:
            raise RuntimeError(f"{words[0]} ended with {done.returncode}: {done.stdout[-1500:]} {done.stderr[-1500:]}")
        return done.stdout

    def _is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.NAME} ended:\n" + self.log_tail())
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=5) as probe:
                return probe.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def log_tail(self, lines=15):
        return proc.tail(self.base / "server.out", lines) + "\n" + proc.tail(self.log, lines)

    def retry(self):
        """Try now what waits; a server that looks often by itself need do nothing."""

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def stop(self):
        process, self.process = self.process, None
        proc.stop(process, self.GRACE_S)
        devlog, self._devlog = self._devlog, None
        if devlog:
            devlog.stop()
