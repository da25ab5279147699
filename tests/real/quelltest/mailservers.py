# SPDX-License-Identifier: Apache-2.0
"""The four mail servers whose logs Quell reads, each ready for logscene.play(); by the name of its log's grammar.

Postfix writes its own log here, the others go through a syslog daemon of ours or (Exim) write their own.
"""
import subprocess

import pytest

from . import proc
from .dovecot import PrivateDovecot
from .exim import Exim
from .jail import Devlog
from .logscene import ALIASES, REFUSED
from .opensmtpd import OpenSMTPD
from .postfix import PrivatePostfix
from .sendmail import Sendmail

POSTFIX_MORE = f"""
virtual_alias_maps = inline:{{ {", ".join(f"{{ {name} = {' '.join(to)} }}" for name, to in ALIASES.items())} }}
smtpd_sender_restrictions = check_recipient_access inline:{{ {{ {REFUSED} = 550 5.1.1 User unknown }} }}
"""


class Postfix(PrivatePostfix):
    NAME = "postfix"

    def __init__(self, base, sink_port, more="", transport="smtp"):
        base.mkdir(exist_ok=True)
        super().__init__(base, sink_port, transport=transport, more=POSTFIX_MORE + more)

    @staticmethod
    def why_not():
        return ""

    def retry(self):
        self.flush()


class SyslogDovecot(PrivateDovecot):
    """A Dovecot that speaks to syslog, as most do; its lines are in base/mail.log.

    submission_port: where its Sieve sends answers and redirected mail by SMTP (without it Dovecot would hand them
    to the machine's own sendmail, which is never wanted here).
    """

    UNDER = ('mount -t overlay overlay -o "lowerdir=$0/usr:/usr" /usr && '
             'mount -t overlay overlay -o "lowerdir=$1/dev:/dev" /dev && shift && exec "$@"')

    def __init__(self, base, submission_port, more="", **words):
        settings = f"log_path = syslog\nsubmission_host = 127.0.0.1:{submission_port}\n"
        super().__init__(base, more=settings + more, **words)
        self._devlog = None
        self.log = self.base / "mail.log"

    def _enter(self):
        return ["unshare", "-m", "sh", "-c", self.UNDER, self.tree, self.base]

    def start(self):
        self._devlog = Devlog(self.base, "store.firm.example")
        return super().start()

    def stop(self):
        super().stop()
        devlog, self._devlog = self._devlog, None
        if devlog:
            devlog.stop()


def make(kind, base, sink_port, **words):
    if kind is not Postfix:
        words["aliases"] = ALIASES
    return kind(base, sink_port, **words)


ALL = {"postfix": Postfix, "exim": Exim, "opensmtpd": OpenSMTPD, "sendmail": Sendmail}


def prepare(name):
    """Unpack the server if nobody has done so yet (its setup function does nothing then); skip where it cannot run."""
    subprocess.run(["bash", "-c", f". tests/setup && setup_{name}"], cwd=proc.TOP, check=True, timeout=600)
    reason = ALL[name].why_not()
    if reason:
        pytest.skip(reason)
