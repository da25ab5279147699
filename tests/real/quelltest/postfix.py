# SPDX-License-Identifier: Apache-2.0
"""A Postfix of its own: unpacked binaries, own configuration, queue and log, one SMTP door on 127.0.0.1.

Takes mail for every domain and relays all of it to the mailboxes (sink.py), so that its log, its milter calls
and its queue are the real thing while nothing leaves the machine. Runs `master` directly, without the wrapper
scripts that look for /etc/postfix, and so needs root; its daemons drop to base-system users.
XCLIENT is allowed from 127.0.0.1, so that a sender can come from any address, as seen by a milter.
Fails with the end of Postfix's log when it does not come up.
"""
import os
import shutil
import signal
import smtplib
from pathlib import Path

from . import proc

OWNER, PRIVS, SETGID = "daemon", "nobody", "mail"  # in every Debian base system; Postfix wants three different ones

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {base}/queue
data_directory = {base}/data
command_directory = {tree}/usr/sbin
daemon_directory = {tree}/usr/lib/postfix/sbin
shlib_directory = {tree}/usr/lib/postfix
meta_directory = {base}/etc
sendmail_path = {tree}/usr/sbin/sendmail
mailq_path = {tree}/usr/sbin/sendmail
newaliases_path = {tree}/usr/sbin/sendmail
mail_owner = {owner}
default_privs = {privs}
setgid_group = {setgid}
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH POSTLOG_SERVICE POSTLOG_HOSTNAME
maillog_file = {log}
maillog_file_prefixes = {base}
myhostname = {hostname}
mydomain = {hostname}
myorigin = {hostname}
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtputf8_enable = no
smtp_tls_security_level =
smtpd_tls_security_level =
disable_dns_lookups = yes
smtpd_peername_lookup = no
relay_domains = static:all
relay_recipient_maps =
relay_transport = {nexthop}
smtpd_relay_restrictions = reject_unauth_destination, permit
smtpd_recipient_restrictions = permit
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_recipient_limit = 5000
smtpd_recipient_overshoot_limit = 5000
smtpd_client_connection_count_limit = 0
smtpd_client_event_limit_exceptions = static:all
smtpd_hard_error_limit = 10000
smtpd_soft_error_limit = 10000
smtpd_timeout = 60s
default_process_limit = 60
in_flow_delay = 0
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 5s
default_transport = {nexthop}
default_destination_recipient_limit = 500
default_destination_concurrency_limit = 20
initial_destination_concurrency = 10
default_destination_concurrency_failed_cohort_limit = 0
transport_retry_time = 2s
lmtp_connection_cache_time_limit = 5s
lmtp_connection_cache_destinations = 127.0.0.1
smtp_connection_cache_destinations = 127.0.0.1
notify_classes =
bounce_queue_lifetime = 5m
maximal_queue_lifetime = 5m
message_size_limit = 30000000
mailbox_size_limit = 0
milter_protocol = 6
milter_default_action = {default_action}
milter_connect_timeout = 5s
milter_command_timeout = 10s
milter_content_timeout = 20s
smtpd_milters = {milters}
{more}
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

QUEUE_DIRS = ("incoming", "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "saved", "trace",
              "private")


def find_tree():
    """Where the unpacked Postfix is: $QUELL_POSTFIX, the build folder's peers/postfix, or the machine's own files."""
    for tree in (os.environ.get("QUELL_POSTFIX"), proc.build_dir() / "peers/postfix",
                 proc.TOP / "build/peers/postfix", "/"):
        if tree and (Path(tree) / "usr/lib/postfix/sbin/master").exists():
            return Path(tree).resolve()
    raise RuntimeError("no Postfix: run `bash -c '. tests/setup; setup_postfix'` in the project's top folder")


def last_of_each(text):
    """main.cf with each setting once, the last: Postfix warns of the others, each daemon for itself, and its logger,
    which warns to its own full socket, then waits for itself for ever."""
    entries = {}
    for line in text.splitlines():
        name = line.partition("=")[0].strip()
        if name:
            entries.pop(name, None)
            entries[name] = line
    return "\n".join(entries.values()) + "\n"


class PrivatePostfix:
    """One instance; `with PrivatePostfix(...) as postfix` or start() and stop().

    base: an empty folder that other users may enter; sink_port: where all mail goes; milters: as smtpd_milters
    wants them ("unix:/path", "inet:127.0.0.1:port"); more: extra lines of main.cf.
    """

    def __init__(self, base, sink_port, milters=(), transport="lmtp", hostname="mx.isp.example",
                 default_action="accept", more=""):
        self.base = Path(base)
        self.tree = find_tree()
        self.port = proc.free_port()
        self.log = self.base / "mail.log"
        self.process = None
        self._words = {
            "base": self.base, "tree": str(self.tree).rstrip("/"), "log": self.log, "port": self.port,
            "owner": OWNER, "privs": PRIVS, "setgid": SETGID, "hostname": hostname,
            "nexthop": f"lmtp:inet:127.0.0.1:{sink_port}" if transport == "lmtp" else f"smtp:[127.0.0.1]:{sink_port}",
            "default_action": default_action, "milters": ", ".join(milters), "more": more}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def use_milters(self, *milters):
        """Before start(): for milters whose own settings need this Postfix's port or log first."""
        self._words["milters"] = ", ".join(milters)

    def add_settings(self, more):
        """Before start(): lines of main.cf about servers whose own settings need this Postfix's port first."""
        self._words["more"] += more

    @property
    def address(self):
        return ("127.0.0.1", self.port)

    def _lay_out(self):
        os.chmod(self.base, 0o755)
        etc, queue, data = self.base / "etc", self.base / "queue", self.base / "data"
        for folder in (etc, queue, queue / "pid", data):
            folder.mkdir(mode=0o755, exist_ok=True)
        shutil.chown(data, OWNER)
        for name in QUEUE_DIRS:
            (queue / name).mkdir(mode=0o700, exist_ok=True)
            shutil.chown(queue / name, OWNER)
        for name, mode in (("public", 0o710), ("maildrop", 0o730)):
            (queue / name).mkdir(exist_ok=True)
            shutil.chown(queue / name, OWNER, SETGID)
            os.chmod(queue / name, mode)
        (etc / "main.cf").write_text(last_of_each(MAIN_CF.format(**self._words)))
        (etc / "master.cf").write_text(MASTER_CF.format(**self._words))
        (etc / "dynamicmaps.cf").write_text("")

    def environment(self):
        libs = self.tree / "usr/lib/postfix"
        zone = {"TZ": os.environ["TZ"]} if "TZ" in os.environ else {}
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LD_LIBRARY_PATH": str(libs), "LANG": "C",
                "MAIL_CONFIG": str(self.base / "etc"), **zone}

    def start(self):
        if os.geteuid() != 0:
            raise RuntimeError("Postfix's master needs root")
        closed = [folder for folder in self.base.parents if not folder.stat().st_mode & 0o001]
        if closed:
            raise RuntimeError(f"Postfix's daemons are other users and cannot enter {closed[0]}")
        self._lay_out()
        command = [self.tree / "usr/lib/postfix/sbin/master", "-d", "-c", self.base / "etc"]
        self.process = proc.start(command, self.base / "master.out", env=self.environment())
        try:
            proc.wait_until(self._is_ready, 20, lambda: "Postfix is ready; its log ends:\n" + self.log_tail())
        except BaseException:
            self.stop()
            raise
        return self

    def _is_ready(self):
        if self.process.poll() is not None:
            raise RuntimeError("Postfix's master ended:\n" + self.log_tail())
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=5) as probe:
                return probe.noop()[0] == 250
        except (OSError, smtplib.SMTPException):
            return False

    def log_tail(self, lines=15):
        return proc.tail(self.base / "master.out", lines) + "\n" + proc.tail(self.log, lines)

    def rotate_log(self):
        """What `postfix logrotate` does: rename the file, then HUP so that the logger opens a new one."""
        old = self.log.with_name("mail.log.1")
        os.rename(self.log, old)
        self.process.send_signal(signal.SIGHUP)
        return old

    def queue_length(self):
        """Mails that Postfix owns and has not delivered (incoming, active, deferred)."""
        return sum(1 for name in ("incoming", "active", "deferred")
                   for path in (self.base / "queue" / name).rglob("*") if path.is_file())

    def flush(self):
        """Try the deferred mails now: wake the queue manager as `postqueue -f` does."""
        try:
            with open(self.base / "queue/public/qmgr", "wb", buffering=0) as trigger:
                trigger.write(b"DFA")
        except OSError:
            pass

    def stop(self):
        process, self.process = self.process, None
        proc.stop(process)
