# SPDX-License-Identifier: Apache-2.0
"""Real mail for the tests: the ordinary sets beside the project, and what a provider's server puts on top of it.

The sets are looked for as the other tests do: $QUELL_DATA, then the folder that ../shared/data/unpack fills. They
hold real addresses: read from files, moved on loopback only. mbox files there are mboxrd, whose quoting is undone.
"""
import os
import re
import subprocess
from pathlib import Path

from . import proc

ORDINARY = ("spamassassin-dev/easy-ham-2", "spamassassin-dev/hard-ham-1", "linux-mips-2010-dev",
            "openbmc-2020h1-dev", "cip-notifications-2019-dev", "enron-ordinary-dev")
_from_line = re.compile(rb"(?m)^From [^\n]*\n")
_quoted = re.compile(rb"(?m)^>(>*From )")


def folder():
    """The unpacked sets, or None."""
    named = os.environ.get("QUELL_DATA")
    home = Path.home() / ".cache/quell-data"
    for place in (named, home):
        if place and (Path(place) / ".complete").exists():
            return Path(place)
    unpack = Path(os.environ.get("QUELL_SHARED", proc.TOP.parent / "shared")) / "data/unpack"
    if unpack.exists():
        done = subprocess.run([str(unpack)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return Path(done.stdout.strip().splitlines()[-1])
    return None


def _mails_of_set(path):
    """All mails of a set, in the order of their files: mbox, or one mail a file."""
    for file in sorted(entry for entry in path.rglob("*") if entry.is_file()):
        data = file.read_bytes()
        if file.suffix == ".mbox":
            for mail in _from_line.split(data)[1:]:
                yield _quoted.sub(rb"\1", mail[:-1] if mail.endswith(b"\n\n") else mail)
        elif file.suffix == ".txt":
            yield re.sub(rb"\AFrom [^\n]*\n", b"", data)


def _is_plain(mail):
    """Has a header and lines that a strict server takes; what is broken has tests of its own."""
    return (re.match(rb"[!-9;-~]+:", mail) and b"\0" not in mail and b"\r" not in mail.replace(b"\r\n", b"")
            and len(max(mail.split(b"\n"), key=len)) <= 990)


def ordinary(count):
    """So many different mails with LF line ends, the same number from each set as far as it goes, or None."""
    top = folder()
    if not top:
        return None
    sets = [path for path in (top / name for name in ORDINARY) if path.is_dir()]
    chosen, seen = [], set()
    for at, path in enumerate(sets):
        wanted = (count - len(chosen)) // (len(sets) - at)
        pool = [mail for mail in (one.replace(b"\r\n", b"\n") for one in _mails_of_set(path)) if _is_plain(mail)]
        step = max(1, len(pool) // max(1, wanted))
        for mail in pool[::step] + pool:
            if wanted > 0 and mail not in seen:
                seen.add(mail)
                chosen.append(mail)
                wanted -= 1
    return chosen if len(chosen) == count else None


def as_stored(mail, number, recipient, header="X-Original-To", sender="list@outside.example",
              isp="mx1.isp.example"):
    """The mail as the provider's server writes it into a POP box: return path, this copy's recipient, its hop."""
    return (f"Return-Path: <{sender}>\n{header}: {recipient}\n"
            f"Received: from out.outside.example (out.outside.example [192.0.2.7])\n\tby {isp} (Postfix) with ESMTPS "
            f"id {number:08X}\n\tfor <{recipient}>; Mon,  6 Jan 2025 10:00:00 +0000 (UTC)\n").encode() + mail


# What Quell and a local server may write above a collected mail.
ADDED = {b"return-path", b"delivered-to", b"received", b"x-quell-fetch", b"x-quell-trace", b"x-quell-return-path",
         b"x-original-to", b"x-quell-verdict"}


def is_same_below(delivered, original):
    """Is the delivered mail the original with nothing but known fields on top? Line ends do not count."""
    delivered, original = delivered.replace(b"\r\n", b"\n"), original.replace(b"\r\n", b"\n")
    original, delivered = original.removesuffix(b"\n") + b"\n", delivered.removesuffix(b"\n") + b"\n"
    if not delivered.endswith(original):
        return False
    top = delivered[:len(delivered) - len(original)]
    names = {line.partition(b":")[0].lower() for line in top.split(b"\n") if line and line[:1] not in b" \t"}
    return names <= ADDED and (not top or top.endswith(b"\n")) and b"\n\n" not in b"\n" + top
