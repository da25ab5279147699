# SPDX-License-Identifier: Apache-2.0
"""An OpenSMTPD of its own: it speaks to syslog, expands aliases of isp.example and relays all else to the sink.

Its users, its spool and its empty folder have fixed names, which only its own namespace has (jail.py). Nobody can
authenticate: it offers that behind TLS only, and Debian 12's OpenSMTPD (6.8 with OpenSSL 3) ended every handshake
with "EVP lib", with keys of either kind.
"""
from .jail import JailedServer

CONF = """
table aliases file:/etc/aliases
queue ttl 5m
listen on 127.0.0.1 port {port} hostname {hostname}
action "aliased" expand-only virtual <aliases>
action "out" relay host smtp://127.0.0.1:{sink_port}
match from any for domain isp.example action "aliased"
match from any for any action "out"
"""


class OpenSMTPD(JailedServer):
    NAME, PROGRAM = "opensmtpd", "usr/sbin/smtpd"
    USERS = (("opensmtpd", 61011), ("opensmtpq", 61012))
    HOLLOW = ("/run", "/var/spool", "/var/lib")

    def _settings(self):
        aliases = "".join(f"{name}: {', '.join(targets)}\n" for name, targets in self.aliases.items())
        return {"smtpd.conf": CONF.format(port=self.port, sink_port=self.sink_port, hostname=self.hostname),
                "aliases": aliases}

    def _binds(self):
        return ((self.base / "spool", "/var/spool/smtpd"), (self.base / "empty", "/var/lib/opensmtpd/empty"))

    def _prepare(self):
        self.folder("spool", 0o711)
        self.folder("empty")

    def _command(self):
        return ["/usr/sbin/smtpd", "-F"]

    def retry(self):
        """Its own first pause is 400 s."""
        self.control("schedule", "all")

    def control(self, *words):
        """smtpctl, which wants to be of its group."""
        return self.run("setpriv", "--regid", self.USERS[1][1], "--clear-groups", "/usr/sbin/smtpctl", *words)
