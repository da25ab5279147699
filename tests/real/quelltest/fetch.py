# SPDX-License-Identifier: Apache-2.0
"""`quell fetch` under test: its settings file, one pass or the daemon, kill -9, and what it says about itself.

What it relies on is the contract of the command: settings `state`, `our_hosts`, section `fetch`, section `accounts`;
`quell fetch -c FILE --once [ACCOUNT...]` with exit 0, 1 (new in quarantine), 65, 69, 75; SIGTERM ends the daemon;
`quell fetch quarantine`, `quell fetch adopt`. Breakers are wide open unless a test closes them.
"""
import json
import re
import signal
import subprocess
import time
from pathlib import Path

from . import proc

PASSWORD = "correct-horse"
STAMP = re.compile(rb"(?im)^X-Quell-Fetch: (i=[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)")
HOP = re.compile(rb"(?im)^Received: from \S+ by \S+ with POP3S? id (\S+)")


def program():
    return proc.build_dir() / "quell"


def why_not():
    """Why there is no `quell fetch` to test; "" when there is."""
    if not program().exists():
        return f"{program()} is not built"
    done = subprocess.run([program(), "fetch", "--help"], capture_output=True, text=True, timeout=30)
    is_there = done.returncode == 0 and "not in this version" not in done.stdout
    return "" if is_there else f"{program()} has no command fetch yet"


def account(pop, mailbox="anna@firm.example", **more):
    """Settings of one account at a fake (has .port and .user) or at (port, user); plain text, on loopback."""
    port, user = (pop.port, pop.user) if hasattr(pop, "port") else pop
    words = {"host": "127.0.0.1", "port": port, "tls": "none", "user": user, "delete": "after-spool"}
    if mailbox:
        words["mailbox"] = mailbox
    return {**words, **more}


def multidrop(pop, addresses, header="X-Original-To", isp_hosts=("mx1.isp.example",), **more):
    """The same for a box with many recipients' mail: each address has the mailbox of its own name."""
    table = addresses if isinstance(addresses, dict) else {address: address for address in addresses}
    return account(pop, None, envelope_header=header, isp_hosts=list(isp_hosts), map=table, **more)


class Fetch:
    """One connector with its own folder `base`. accounts: {label: settings}; settings: of section fetch."""

    def __init__(self, base, deliver, accounts, password=PASSWORD, our_host="mx.firm.example", top=None, **settings):
        self.base = Path(base)
        self.base.mkdir(exist_ok=True)
        self.state = self.base / "state"
        self.config = self.base / "quell.yaml"
        self.log = self.base / "fetch.log"
        self.process = None
        self.settings = {"deliver": deliver, "links": 8, "in_doubt": "quarantine", "burst_min": 100000,
                         "same_max": 100000, "first_max": 100000, "every": "60s", **settings}
        self.accounts = accounts
        self.top = {"state": str(self.state), "our_hosts": [our_host], **(top or {})}
        for label, words in accounts.items():
            if "password_file" not in words:
                words["password_file"] = str(self.write_password(label, password))
        self.write()

    def write_password(self, label, password, mode=0o600):
        path = self.base / f"{label}.pw"
        path.write_text(password + "\n")
        path.chmod(mode)
        return path

    def write(self, **changes):
        """The settings file; values of JSON are values of YAML. changes: of section fetch."""
        self.settings.update(changes)
        self.state.mkdir(mode=0o700, exist_ok=True)
        lines = [f"{name}: {json.dumps(value)}" for name, value in self.top.items()]
        lines += ["fetch:"] + [f"  {name}: {json.dumps(value)}" for name, value in self.settings.items()]
        lines.append("accounts:")
        for label, words in self.accounts.items():
            lines += [f"  {label}:"] + [f"    {name}: {json.dumps(value)}" for name, value in words.items()]
        self.config.write_text("\n".join(lines) + "\n")
        self.config.chmod(0o600)

    def run(self, *words, timeout_s=120):
        """`quell fetch -c FILE WORDS`; verbs (quarantine, adopt) stand before -c."""
        verb = [word for word in words[:1] if not str(word).startswith("-")]
        command = [str(program()), "fetch", *verb, "-c", str(self.config), *map(str, words[len(verb):])]
        began_s = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL)
        took_s = time.monotonic() - began_s
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}[status {done.returncode}, {took_s:.1f} s]\n")
        return done

    def once(self, *accounts, wanted=0, timeout_s=120):
        """One poll of each account and all deliveries; wanted: the exit status, or a tuple of them, or None."""
        done = self.run("--once", *accounts, timeout_s=timeout_s)
        wanted = (wanted,) if isinstance(wanted, int) else wanted
        assert wanted is None or done.returncode in wanted, f"status {done.returncode}, not {wanted}{self.why()}"
        return done

    def json(self, *words):
        done = self.run(*words, "--json")
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"quell fetch {' '.join(map(str, words))} --json printed no JSON{self.why()}") from None

    def outer_json(self, *words):
        """`quell --fetch WORDS --json`: held, incidents, of the connector's own state."""
        command = [str(program()), "-c", str(self.config), "--fetch", *map(str, words), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise AssertionError(f"{' '.join(command)} printed no JSON: {done.stderr.strip()[:300]}") from None

    def quarantine(self):
        """Rows of the quarantine, each with at least an id."""
        found = self.json("quarantine")
        return found if isinstance(found, list) else found.get("quarantine", [])

    def why(self, lines=25):
        return f"\nthe connector said:\n{proc.tail(self.log, lines)}"

    # ---- as a process

    def begin(self, *words):
        """Start it and do not wait; without words as a daemon."""
        self.process = proc.start([program(), "fetch", "-c", self.config, *words], self.log)
        return self

    def kill9(self):
        """kill -9, wherever it is; returns whether it was still running."""
        process, self.process = self.process, None
        was_running = process.poll() is None
        if was_running:
            process.send_signal(signal.SIGKILL)
        process.wait()
        proc.forget(process)
        return was_running

    def wait(self, timeout_s=120):
        """The exit status of what begin() started."""
        process, self.process = self.process, None
        try:
            process.wait(timeout_s)
        finally:
            status = proc.stop(process)
        return status

    def stop(self):
        """SIGTERM; the exit status. Safe to call twice."""
        process, self.process = self.process, None
        return proc.stop(process, grace_s=15)

    def __enter__(self):
        return self.begin()

    def __exit__(self, *_):
        self.stop()

    # ---- what is on disk

    def spool_bytes(self):
        return sum(path.stat().st_size for path in self.state.rglob("*") if path.is_file())


def stamp_of(mail):
    """The value of our stamp, unfolded, or ""."""
    found = STAMP.search(mail)
    return re.sub(rb"\r?\n[ \t]+", b" ", found.group(1)).decode("latin-1") if found else ""


def fetch_id(mail):
    """The id in our Received field, or ""."""
    found = HOP.search(re.sub(rb"\r?\n[ \t]+", b" ", mail))
    return found.group(1).decode("latin-1").rstrip(";") if found else ""

