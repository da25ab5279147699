# SPDX-License-Identifier: Apache-2.0
"""A Sendmail of its own: sendmail.cf made by m4 from the package's files, one daemon that also runs the queue.

It speaks to syslog as "sm-mta", as on Debian. Its own domain is isp.example, where only aliases (and the users of
the machine) exist: others get 550. Everything else goes to the sink, which is its smart host.
"""
from .jail import JailedServer

PROGRAM = "/usr/libexec/sendmail/sendmail"

MC = r"""divert(0)dnl
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
VERSIONID(`a private one')dnl
OSTYPE(`debian')dnl
define(`confDOMAIN_NAME', `{hostname}')dnl
define(`QUEUE_DIR', `{base}/queue')dnl
define(`ALIAS_FILE', `{base}/maps/aliases')dnl
define(`STATUS_FILE', `{base}/statistics')dnl
define(`confPID_FILE', `{base}/sendmail.pid')dnl
define(`confRUN_AS_USER', `smmsp:smmsp')dnl
define(`confTRUSTED_USER', `smmsp')dnl
define(`confDONT_BLAME_SENDMAIL', `TrustStickyBit,GroupWritableDirPathSafe,NonRootSafeAddr')dnl
undefine(`confHOST_STATUS_DIRECTORY')dnl
define(`confDEAD_LETTER_DROP', `{base}/dead.letter')dnl
define(`confLOG_LEVEL', `9')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confTO_IDENT', `0s')dnl
define(`confMIN_QUEUE_AGE', `0s')dnl
define(`confTO_QUEUERETURN', `5m')dnl
define(`confTO_QUEUEWARN', `')dnl
define(`confTO_HOSTSTATUS', `0s')dnl
define(`confQUEUE_LA', `100')dnl
define(`confREFUSE_LA', `200')dnl
define(`confCONNECTION_RATE_THROTTLE', `0')dnl
define(`confDOUBLE_BOUNCE_ADDRESS', `')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {sink_port}')dnl
define(`SMART_HOST', `relay:[127.0.0.1]')dnl
define(`confFALLBACK_SMARTHOST', `')dnl
FEATURE(`no_default_msa')dnl
LOCAL_DOMAIN(`isp.example')dnl
FEATURE(`nocanonify')dnl
FEATURE(`promiscuous_relay')dnl
FEATURE(`accept_unresolvable_domains')dnl
FEATURE(`accept_unqualified_senders')dnl
DAEMON_OPTIONS(`Family=inet, Name=MTA, Addr=127.0.0.1, Port={port}')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


class Sendmail(JailedServer):
    NAME, PROGRAM = "sendmail", PROGRAM[1:]
    USERS = (("smmta", 61021), ("smmsp", 61022))

    def _settings(self):
        aliases = "".join(f"{name.split('@')[0]}: {', '.join(to)}\n" for name, to in self.aliases.items())
        self._aliases = f"postmaster: root@elsewhere.example\n{aliases}"
        words = {"hostname": self.hostname, "base": self.base, "port": self.port, "sink_port": self.sink_port}
        mc = MC
        for name, value in words.items():
            mc = mc.replace("{%s}" % name, str(value))
        return {"mail/sendmail.mc": mc, "mail/service.switch": "hosts files\naliases files\n"}

    def _prepare(self):
        self.folder("queue", 0o700, self.USERS[1][1])
        (self.base / "statistics").touch()
        maps = self.folder("maps", 0o755, self.USERS[1][1])
        (maps / "aliases").write_text(self._aliases)
        made = self.run("sh", "-c", "cd /usr/share/sendmail/cf/cf && m4 /etc/mail/sendmail.mc")
        (self.base / "etc/mail/sendmail.cf").write_text(made)
        self.run(PROGRAM, "-bi")

    def _command(self):
        return [PROGRAM, "-L", "sm-mta", "-bD", "-q2s"]
