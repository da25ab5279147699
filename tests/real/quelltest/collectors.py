# SPDX-License-Identifier: Apache-2.0
"""Other POP3 clients, unpacked and never installed: mpop, fetchmail, getmail6. For comparing and for trying fixtures.

Each function gives (command, environment) that empties one box once; settings lie in `folder`, mode 0700.
"""
import os
from pathlib import Path

from . import proc


def find_tree():
    for top in (proc.build_dir(), proc.TOP / "build"):
        if (top / "peers/collectors/.complete").exists():
            return (top / "peers/collectors").resolve()
    raise RuntimeError("no collectors: run `bash -c '. tests/setup; setup_collectors'` in the project's top folder")


def _settings(folder, name, text):
    folder = Path(folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return path


def _environment(tree, folder):
    return {**os.environ, "LD_LIBRARY_PATH": str(tree / "usr/lib/x86_64-linux-gnu"), "HOME": str(folder),
            "LANG": "C", "FETCHMAILHOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


def _maildir(folder):
    maildir = Path(folder) / "mail"
    for part in ("cur", "new", "tmp"):
        (maildir / part).mkdir(parents=True, exist_ok=True)
    return maildir


def mpop(folder, port, user, password):
    """To a maildir in the same folder: (command, environment, maildir)."""
    tree = find_tree()
    rc = _settings(folder, "mpoprc", f"account a\nhost 127.0.0.1\nport {port}\nuser {user}\npassword {password}\n"
                   f"auth user\ntls off\nkeep off\nreceived_header off\nuidls_file {folder}/uidls\n"
                   f"delivery maildir {_maildir(folder)}\naccount default : a\n")
    return [tree / "usr/bin/mpop", "-q", "-C", rc], _environment(tree, folder), _maildir(folder)


def fetchmail(folder, port, user, password, lmtp, recipient):
    """To an LMTP server, a port or a unix socket: (command, environment). Ends with 0 (mail) or 1 (none)."""
    tree = find_tree()
    host = f"127.0.0.1/{lmtp}" if isinstance(lmtp, int) else lmtp
    rc = _settings(folder, "fetchmailrc", f'poll 127.0.0.1 protocol pop3 port {port} uidl\n user "{user}" password '
                   f'"{password}" is "{recipient}" here\n lmtp smtphost "{host}" smtpname "{recipient}" '
                   "nokeep fetchall sslproto ''\n")
    command = [tree / "usr/bin/fetchmail", "-f", rc, "--pidfile", f"{folder}/pid", "-i", f"{folder}/ids", "--nodetach",
               "--nosyslog", "-d", "0", "-s"]
    return command, _environment(tree, folder)


def getmail(folder, port, user, password, lmtp_port, recipient):
    """To an LMTP server on TCP: (command, environment)."""
    tree = find_tree()
    _settings(folder, "getmailrc", f"[retriever]\ntype = SimplePOP3Retriever\nserver = 127.0.0.1\nport = {port}\n"
              f"username = {user}\npassword = {password}\n[destination]\ntype = MDA_lmtp\nhost = 127.0.0.1\n"
              f"port = {lmtp_port}\noverride = {recipient}\n[options]\ndelete = true\nverbose = 0\nread_all = true\n"
              "received = false\ndelivered_to = false\n")
    python = {**_environment(tree, folder), "PYTHONPATH": str(tree / "usr/lib/python3/dist-packages")}
    return ["/usr/bin/python3", tree / "usr/bin/getmail", "-g", folder, "-r", "getmailrc"], python
