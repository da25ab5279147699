# SPDX-License-Identifier: Apache-2.0
"""A whole scene for one test: mailboxes, a private Postfix, quelld as its milter; and mails with their copies."""
import contextlib
import random
import time

from . import proc, smtpclient, storm
from .connector import Site, convert
from .postfix import PrivatePostfix
from .quelld import Quelld
from .sink import Sink
from .smtpclient import Mail

PUSHER = dict(client="198.51.100.200", helo="relay.pushy.example")  # re-sends what it has, unchanged
AUTHORS = dict(client="192.0.2.25", helo="mail.lexpress-pub.example")


class Stage:
    """start() in order; close() (or `with`) stops all. confirm: "log" or "none"."""

    def __init__(self, base, tcp=False, confirm="log", settings=None, postfix_more="", record=False):
        self.base = base
        self.sink = Sink(record=record)
        (base / "postfix").mkdir()
        self.postfix = PrivatePostfix(base / "postfix", self.sink.port, more=postfix_more)
        source = f"log:{self.postfix.log}" if confirm == "log" else confirm
        self.quelld = Quelld(base / "quell", source, self.postfix.port, tcp=tcp, settings=settings)
        self.postfix.use_milters(self.quelld.milter)
        self.ledger = storm.Ledger()
        self.sequence = 0
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            for part in (self.sink, self.postfix, self.quelld):
                self._stack.enter_context(part)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_):
        self._stack.close()

    def why(self):
        return (f"\nquelld's log ends:\n{proc.tail(self.quelld.log, 20)}\nPostfix's log ends:\n"
                f"{proc.tail(self.postfix.log, 10)}")

    def send(self, mail, timeout_s=30):
        return smtpclient.send(self.postfix.address, mail, timeout_s)

    def wait_total(self, total, timeout_s=30):
        proc.wait_until(lambda: self.sink.total() >= total, timeout_s,
                        lambda: f"{self.sink.total()} of {total} copies delivered{self.why()}")

    def original(self, key, recipients, text="A first copy, which nobody may withhold.\n"):
        """A Mail from its author to firms; noted in the ledger."""
        to = [(firm.name, firm.address) for firm in recipients]
        data, _ = storm.message(key, storm.AUTHOR, to, f"About {key}", f"{text}\nThis one is number {key}.\n")
        addresses = [firm.address for firm in recipients]
        self.ledger.note(key, addresses)
        return Mail(storm.AUTHOR[1], addresses, data, tag=key, **AUTHORS)

    def deliver(self, mail, timeout_s=30):
        """Send an original and wait until all of it is in the mailboxes."""
        before = self.sink.total()
        result = self.send(mail)
        assert not result.refused, f"{result.refused}{self.why()}"
        self.wait_total(before + len(mail.recipients), timeout_s)

    def same(self, mail):
        """A copy of the same instance: the mail again, id and all, from a server that is not the author's."""
        return mail._replace(tag="T1", **PUSHER)

    def remade(self, mail, firm, at=0, keep=False):
        """What the faulty connector of this firm makes of the mail (new id and date)."""
        site = Site(firm.address, firm.domain, address=f"198.51.100.{10 + at}", lan_ip=f"192.168.{16 + at}.2",
                    ad_domain=firm.domain.replace(".example", ".local"), trigger="always", strip_received=not keep)
        self.sequence += 1
        copy = convert(mail.data, site, time.time(), self.sequence, random.Random(self.sequence))
        return Mail(copy.sender, copy.recipients, copy.data, client=site.address, helo=site.host, tag="T2")

    def withheld(self):
        """Recipients withheld since the daemon's start, by its own count, which it writes down now and then."""
        counters = self.quelld.counters()
        return counters.get("held", 0) + counters.get("suppressed", 0)

    def wait_withheld(self, most_s=10):
        """Until the daemon says that it withheld something: otherwise the test saw no storm at all."""
        proc.wait_until(self.withheld, most_s, lambda: "Quell withheld something" + self.why(), 0.2)
