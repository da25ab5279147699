# SPDX-License-Identifier: Apache-2.0
"""Processes, ports and waiting, shared by everything that starts something.

A process is started in a session of its own and stopped with its whole group, by id; every wait has an end
and says what it waited for. It cannot stop what a child detached into another session (nothing here does).
"""
import os
import random
import signal
import socket
import subprocess
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]


class Timeout(AssertionError):
    """Something did not happen in time; the text says what."""


def build_dir():
    """Where quell and quelld are: $QUELL_BUILD or the folder build at the top."""
    return Path(os.environ.get("QUELL_BUILD", TOP / "build")).resolve()


def wait_until(condition, timeout_s, what, step_s=0.02):
    """The condition's first true value, or Timeout with `what` in its text."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Timeout(f"not within {timeout_s} s: {what() if callable(what) else what}")
        time.sleep(step_s)


_handed_out = set()


def free_port():
    """A TCP port of 127.0.0.1 that nothing uses now, below the range that outgoing connections draw from."""
    for _ in range(1000):
        port = random.randrange(20000, 32000)  # at random, since other test runs look for ports too
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _handed_out.add(port)
        return port
    raise RuntimeError("no free port on 127.0.0.1")


def can_connect(address):
    """Does somebody listen at (host, port) or at the unix socket of that path?"""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True


# Waits for a word; when there is none because we are gone, it ends the group that we could not end.
GUARD = 'read -r word || { kill -TERM "$1"; sleep 3; kill -KILL "-$1"; } 2>/dev/null'


def start(command, log, env=None, umask=0o022):
    """Start a command as leader of its own session, both outputs appended to the file `log`.

    A guard beside it ends it too when we are killed without a chance to do so (setpriv --pdeathsig would be
    simpler, but Postfix changes its user, which clears that).
    """
    with open(log, "ab") as out:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=out, env=env, start_new_session=True, umask=umask)
    process.guard = subprocess.Popen(["sh", "-c", GUARD, "guard", str(process.pid)], stdin=subprocess.PIPE,
                                     start_new_session=True)
    return process


def forget(process):
    """The process has ended: its guard may go. Safe to call twice."""
    guard, process.guard = process.guard, None
    if guard:
        guard.communicate(b"ended\n")


def _signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def stop(process, grace_s=5.0):
    """TERM to the process, then KILL to its whole group; returns its exit status. Safe to call twice."""
    if process is None:
        return None
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            pass
    _signal_group(process, signal.SIGKILL)
    process.wait()
    forget(process)
    return process.returncode


def tail(path, lines=15):
    """The end of a text file, for messages about something that failed."""
    try:
        return "\n".join(Path(path).read_text(errors="replace").splitlines()[-lines:])
    except OSError as problem:
        return f"({problem})"
