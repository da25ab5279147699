# SPDX-License-Identifier: Apache-2.0
"""quelld under test: a settings file, the daemon, kill -9 and restart, and the quell command beside it.

What it relies on is DESIGN.md's words for settings and commands, and: `-c FILE` for both programs; SIGTERM ends
the daemon; the milter socket answers once it is ready; `quell incidents --json` has "counters" and "incidents",
`quell held --json` has "held". A missing field reads as nothing, so an older daemon fails a test, not the harness.
"""
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

from . import proc


def _read_terminal(master, timeout_s):
    """All that a program wrote, until it closed the terminal."""
    data, end = b"", time.monotonic() + timeout_s
    while select.select([master], [], [], max(0, end - time.monotonic()))[0]:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # how Linux says end of file here
            break
        if not chunk:
            break
        data += chunk
    return data.decode(errors="replace")


class Quelld:
    """One daemon with its own folder `base` (state, sockets, log). Settings are given as {"section.name": value}."""

    def __init__(self, base, confirm, relay_port, tcp=False, settings=None):
        self.base = Path(base)
        self.base.mkdir(exist_ok=True)
        os.chmod(self.base, 0o755)
        self.state = self.base / "state"
        self.control = self.base / "control.sock"
        self.config = self.base / "quell.yaml"
        self.log = self.base / "quelld.log"
        self.process = None
        self.kills = 0
        port = proc.free_port() if tcp else 0
        self._milter = ("127.0.0.1", port) if tcp else str(self.base / "milter.sock")
        self.milter = f"inet:127.0.0.1:{port}" if tcp else f"unix:{self._milter}"  # as Postfix writes it
        listen = f"inet:{port}@127.0.0.1" if tcp else f"unix:{self._milter}"
        self._settings = {
            "state": str(self.state), "mode": "guard", "our_hosts": ["mx.isp.example"], "confirm": confirm,
            "milter.listen": [listen], "milter.socket_mode": "0666", "control.socket": str(self.control),
            "release.relay": f"smtp://127.0.0.1:{relay_port}", **(settings or {})}

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def write_settings(self, **changes):
        """The YAML file; JSON values are YAML values."""
        self._settings.update({name.replace("__", "."): value for name, value in changes.items()})
        sections = {}
        for name, value in self._settings.items():
            section, dot, key = name.rpartition(".")
            sections.setdefault(section, {})[key] = value
        lines = [f"{key}: {json.dumps(value)}" for key, value in sections.pop("", {}).items()]
        for section, values in sections.items():
            lines.append(f"{section}:")
            lines += [f"  {key}: {json.dumps(value)}" for key, value in values.items()]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self, timeout_s=10):
        self.state.mkdir(exist_ok=True)
        if not self.config.exists():
            self.write_settings()
        self._spawn()
        try:
            self.wait_ready(timeout_s)
        except BaseException:
            self.stop()
            raise
        return self

    def _spawn(self):
        command = [proc.build_dir() / "quelld", "-c", self.config]
        self.process = proc.start(command, self.log, umask=0)

    def wait_ready(self, timeout_s=10):
        """Until the milter door takes connections; returns how long that took."""
        begin = time.monotonic()

        def ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"quelld ended with {self.process.returncode}:\n{proc.tail(self.log)}")
            return proc.can_connect(self._milter)
        proc.wait_until(ready, timeout_s, lambda: "quelld's milter door; its log ends:\n" + proc.tail(self.log), 0.01)
        return time.monotonic() - begin

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def kill9(self):
        """kill -9, and nothing else: no restart."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        proc.forget(self.process)
        self.kills += 1

    def restart_after_kill(self):
        """As a supervisor does; returns the seconds until the door is open again."""
        self._spawn()
        return self.wait_ready(60)

    def cpu_s(self):
        """CPU seconds the running daemon has used: what a busy machine does not stretch."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        process, self.process = self.process, None
        return proc.stop(process, grace_s=10)

    # ---- the quell command

    def quell(self, *words, timeout_s=30):
        command = [str(proc.build_dir() / "quell"), "-c", str(self.config), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL)

    def on_terminal(self, *words, columns, has_colour=False):
        """What the quell command shows on a terminal of that width."""
        command = [str(proc.build_dir() / "quell"), "-c", str(self.config), *map(str, words)]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
        if not has_colour:
            environment["NO_COLOR"] = "1"
        try:
            master, slave = pty.openpty()
        except OSError:
            return self.quell(*words).stdout
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 1000, columns, 0, 0))
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                              env=environment) as process:
            os.close(slave)
            try:
                return _read_terminal(master, 30).replace("\r\n", "\n")
            finally:
                process.kill()
                os.close(master)

    def json(self, *words):
        done = self.quell(*words, "--json")
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"quell {' '.join(map(str, words))} --json printed no JSON (status "
                                 f"{done.returncode}): {done.stdout[:300]!r} {done.stderr[:300]!r}") from None

    def incidents(self):
        return self.json("incidents").get("incidents", [])

    def counters(self):
        """{"mails", "passed", "tagged", "deferred", "held", "suppressed"}; empty when the daemon cannot be asked."""
        try:
            return self.json("incidents").get("counters", {})
        except (AssertionError, OSError, subprocess.TimeoutExpired):
            return {}

    def held(self):
        return self.json("held").get("held", [])
