# SPDX-License-Identifier: Apache-2.0
"""A Dovecot of its own: POP3 (plain, with STLS, with TLS from the start), LMTP on a unix socket and on TCP.

The binaries are unpacked, never installed; paths that are compiled into them are met by a mount namespace in
which the unpacked files lie over /usr, and which nobody else sees. So it needs root and a kernel with overlayfs.
Mailboxes are maildirs in `store`, one a user, and belong to a user of the base system; the user is the whole
address. Any user exists unless `known` names them. Fails with the end of Dovecot's log when it does not come up.
"""
import os
import poplib
import shutil
import socket
import subprocess
from pathlib import Path

from . import certificates, proc

OWNER, LOGIN, INTERNAL = "games", "nobody", "daemon"  # in every Debian base system
PASSWORD = "correct-horse"

CONF = """
base_dir = {base}/run
state_dir = {base}/state
log_path = {log}
import_environment = TZ LANG=C
protocols = pop3 lmtp
listen = 127.0.0.1
hostname = {hostname}
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
auth_username_format = %Lu
auth_failure_delay = 0
auth_verbose = yes
mail_location = maildir:{store}/%u
mail_fsync = never
mail_uid = {owner}
mail_gid = {owner}
first_valid_uid = 1
mail_max_userip_connections = 100
default_login_user = {login}
default_internal_user = {internal}
default_internal_group = {internal}
default_process_limit = 200
pop3_uidl_format = %08Xu%08Xv
pop3_no_flag_updates = yes
service pop3-login {{
  chroot =
  service_count = 0
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service lmtp {{
  unix_listener {lmtp_path} {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = {userdb}
  args = {userdb_args}
}}
lmtp_save_to_detail_mailbox = no
lmtp_add_received_header = no
protocol lmtp {{
  mail_plugins = $mail_plugins {plugins}
}}
plugin {{
  sieve_before = {base}/sieve/before.sieve
}}
{more}
"""

# What the program sees as /usr is the unpacked tree over the real one, in its own mount namespace.
UNDER_TREE = 'mount -t overlay overlay -o "lowerdir=$0/usr:/usr" /usr && exec "$@"'


def find_tree():
    """Where the unpacked Dovecot is: $QUELL_DOVECOT, or the build folder's peers/dovecot."""
    for tree in (os.environ.get("QUELL_DOVECOT"), proc.build_dir() / "peers/dovecot", proc.TOP / "build/peers/dovecot"):
        if tree and (Path(tree) / "usr/lib/dovecot/lmtp").exists() and (Path(tree) / ".complete").exists():
            return Path(tree).resolve()
    raise RuntimeError("no Dovecot: run `bash -c '. tests/setup; setup_dovecot'` in the project's top folder")


def why_not():
    """Why no Dovecot can run here, in words; "" when it can."""
    if os.geteuid() != 0:
        return "an unpacked Dovecot needs root"
    done = subprocess.run(["unshare", "-m", "sh", "-c", UNDER_TREE, find_tree(), "true"], capture_output=True, text=True)
    return f"the unpacked Dovecot cannot be laid over /usr: {done.stderr.strip()}" if done.returncode else ""


def _file_name(number, mail):
    """With both sizes in it, as Dovecot writes them: so it need not read a mail to list it."""
    wide = len(mail) + mail.count(b"\n") - mail.count(b"\r\n")
    return f"1136000000.M{number:09d}P1.provider,S={len(mail)},W={wide}"


class PrivateDovecot:
    """One instance; `with PrivateDovecot(base) as dovecot` or start() and stop().

    base: a folder that other users may enter; store: where the maildirs are (base/mail; give a folder in RAM for
    measurements); hosts: names in its certificate; known: only these users exist; sieve: a script run on all that
    comes by LMTP; more: lines at the end of the settings.
    """

    def __init__(self, base, store=None, hosts=("localhost", "127.0.0.1"), known=None, sieve=None,
                 mechanisms="plain login", more="", hostname="store.firm.example"):
        self.base = Path(base)
        self.base.mkdir(exist_ok=True)
        os.chmod(self.base, 0o755)
        self.tree = find_tree()
        self.store = Path(store or self.base / "mail")
        self.pop3, self.pop3s, self.lmtp_port = proc.free_port(), proc.free_port(), proc.free_port()
        self.lmtp_path = self.base / "lmtp.sock"
        self.log = self.base / "dovecot.log"
        self.config = self.base / "dovecot.conf"
        self.ca = self.base / "ca.pem"
        self.process = None
        self._hosts, self._known, self._sieve = list(hosts), known, sieve
        self._words = {"hostname": hostname, "mechanisms": mechanisms, "more": more}
        self._sequence = 0

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    # ---- mailboxes

    def put(self, user, mails):
        """Lay mails (bytes) into a mailbox, as a server of the provider does; in this order."""
        folder = self._maildir(user)
        for mail in mails:
            self._sequence += 1
            path = folder / "new" / _file_name(self._sequence, mail)
            path.write_bytes(mail)
            shutil.chown(path, OWNER, OWNER)

    def link(self, user, files):
        """The same by hard links to files that put() made, for another user: fast, and nothing is written."""
        folder = self._maildir(user)
        for path in files:
            os.link(path, folder / "new" / path.name)

    def remove(self, user):
        """The mailbox is gone, with its indexes."""
        shutil.rmtree(self.store / user.lower(), ignore_errors=True)

    def _maildir(self, user):
        if not self.store.exists():
            self.store.mkdir(mode=0o700)
            shutil.chown(self.store, OWNER, OWNER)
        folder = self.store / user.lower()
        for part in (folder, folder / "new", folder / "cur", folder / "tmp"):
            if not part.exists():
                part.mkdir(mode=0o700)
                shutil.chown(part, OWNER, OWNER)
        return folder

    def files(self, user):
        return [entry for part in ("new", "cur") for entry in sorted((self.store / user.lower() / part).glob("*"))]

    def mails(self, user):
        """The bytes of all mails of a user, as they lie in the maildir (line ends are LF there)."""
        return [path.read_bytes() for path in self.files(user)]

    def count(self, user):
        return len(self.files(user))

    def users(self):
        """Everybody who has mail: {user: how many}."""
        found = {entry.name: self.count(entry.name) for entry in self.store.glob("*") if (entry / "new").is_dir()}
        return {user: count for user, count in found.items() if count}

    # ---- the server

    @property
    def lmtp(self):
        return ("127.0.0.1", self.lmtp_port)

    def _lay_out(self):
        for name in ("run", "state"):
            (self.base / name).mkdir(mode=0o755, exist_ok=True)
        self._maildir("nobody-yet@firm.example")
        if not self.ca.exists():
            certificates.authority(self.base)
            certificates.issue(self.base, "server", self._hosts)
        userdb = ("static", f"uid={OWNER} gid={OWNER} home={self.base}/home/%u allow_all_users=yes")
        if self._known is not None:
            users = self.base / "users"
            users.write_text("".join(f"{user}:::::{self.base}/home/{user}::\n" for user in self._known))
            userdb = ("passwd-file", f"username_format=%Lu {users}")
        home = self.base / "home"
        home.mkdir(exist_ok=True)
        shutil.chown(home, OWNER, OWNER)
        if self._sieve:
            folder = self.base / "sieve"  # where Dovecot also keeps what it made of the script
            folder.mkdir(exist_ok=True)
            shutil.chown(folder, OWNER, OWNER)
            (folder / "before.sieve").write_text(self._sieve)
        self.config.write_text(CONF.format(
            base=self.base, log=self.log, store=self.store, owner=OWNER, login=LOGIN, internal=INTERNAL,
            cert=self.base / "server.pem", key=self.base / "server.key", pop3=self.pop3, pop3s=self.pop3s,
            lmtp_port=self.lmtp_port, lmtp_path=self.lmtp_path, password=PASSWORD, userdb=userdb[0],
            userdb_args=userdb[1], plugins="sieve" if self._sieve else "", **self._words))

    def _enter(self):
        """The command line that runs another one under the tree."""
        return ["unshare", "-m", "sh", "-c", UNDER_TREE, self.tree]

    def start(self):
        closed = [folder for folder in self.base.resolve().parents if not folder.stat().st_mode & 0o001]
        if closed:
            raise RuntimeError(f"Dovecot's processes are other users and cannot enter {closed[0]}")
        self._lay_out()
        self.process = proc.start([*self._enter(), "/usr/sbin/dovecot", "-F", "-c", self.config],
                                  self.base / "dovecot.out")
        try:
            proc.wait_until(self._is_ready, 20, lambda: "Dovecot is ready; its log ends:\n" + self.log_tail())
        except BaseException:
            self.stop()
            raise
        return self

    def _is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError("Dovecot ended:\n" + self.log_tail())
        try:
            poplib.POP3("127.0.0.1", self.pop3, timeout=5).quit()
            with socket.create_connection(self.lmtp, 5) as lmtp:
                return lmtp.recv(100).startswith(b"220")
        except (OSError, poplib.error_proto):
            return False

    def log_tail(self, lines=15):
        return proc.tail(self.base / "dovecot.out", lines) + "\n" + proc.tail(self.log, lines)

    def under_tree(self, *words):
        """A command line that sees what this Dovecot sees, while it runs."""
        return ["nsenter", "-t", str(self.process.pid), "-m", *map(str, words)]

    def doveadm(self, *words):
        """A doveadm command line; join it with what it shall do."""
        return self.under_tree("/usr/bin/doveadm", "-c", self.config, *words)

    def kill9(self):
        """kill -9 to the master and all its children: the machine is gone."""
        process, self.process = self.process, None
        proc.stop(process, grace_s=0)

    def stop(self):
        process, self.process = self.process, None
        proc.stop(process)
