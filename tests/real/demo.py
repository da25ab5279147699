# SPDX-License-Identifier: Apache-2.0
"""The Dublin storm on one machine: 150 firms, five faulty connectors, Postfix, Quell.

A publisher mails 150 firms with all their addresses in To. Five of the firms collect their mail with the connector
of 2005 (both builds, KEEP and STRIP; its quarter of an hour is three seconds here), and people answer to all, and
ordinary mail goes on. All of it is real SMTP through a private Postfix with quelld as its milter.
Exit status 0: every mailbox got each distinct mail at least once and at most three times. 1: not so, or the demo
could not run.
"""
import argparse
import collections
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from quelltest import proc, screen, storm  # noqa: E402
from quelltest.connector import Connector, fields_of  # noqa: E402
from quelltest.postfix import PrivatePostfix  # noqa: E402
from quelltest.quelld import Quelld  # noqa: E402
from quelltest.sink import Sink  # noqa: E402
from quelltest.smtpclient import Mail, Outbox  # noqa: E402

FIRMS, FAULTY, MOST_COPIES = 150, 5, 3
POLL_S, COMPRESSION = 3.0, 300
WAVES_WITHOUT = 6
MAILS_MAX_WITHOUT, MAILS_MAX = 12, 400  # a connector's fuse, without and with Quell


class Demo:
    """The cast, the ledger and the clock of one run."""

    def __init__(self, options, base, show):
        self.options, self.base, self.show = options, base, show
        self.rng = random.Random(2005)
        self.firms = storm.firms(FIRMS)
        self.faulty = self.firms[2:FAULTY * 30:30]
        self.ledger, self.waves = storm.Ledger(), storm.Waves()
        self.delivered_of = collections.Counter()   # by the sending server's HELO
        self.accepted_of = collections.Counter()
        self.deferred = 0
        self.missing = "on way" if options.without_quell else "withheld"
        self.is_over = threading.Event()
        self._quell_counters = {}
        self._lock = threading.Lock()

    def start(self, stack):
        self.sink = stack(Sink())
        self.sink.on_delivery = self._arrived
        self.postfix = PrivatePostfix(self._folder("postfix"), self.sink.port)
        self.quelld = None
        if not self.options.without_quell:
            self.quelld = Quelld(self._folder("quell"), f"log:{self.postfix.log}", self.postfix.port)
            self.postfix.use_milters(self.quelld.milter)
        stack(self.postfix)
        if self.quelld:
            stack(self.quelld)
        self.outbox = Outbox(self.postfix.address, workers=6, retries=6, retry_s=3, on_result=self._answered)
        sites = storm.faulty_sites(self.faulty, POLL_S)
        self.connectors = [Connector(site, self.sink, self.outbox, phase_s=POLL_S * (1 + at / FAULTY), seed=at,
                                     mails_max=MAILS_MAX_WITHOUT if self.options.without_quell else MAILS_MAX)
                           for at, site in enumerate(sites)]
        for connector in self.connectors:
            connector.on_copy = self._copied
            connector.start()

    def _folder(self, name):
        folder = self.base / name
        folder.mkdir(mode=0o755)
        return folder

    def stop(self):
        self.is_over.set()
        for connector in getattr(self, "connectors", []):
            connector.stop()
        if hasattr(self, "outbox"):
            self.outbox.stop()

    # ---- told by the sink, the connectors and the outbox, in their threads

    def _arrived(self, delivery):
        self.waves.arrived(delivery.message_id)
        with self._lock:
            self.delivered_of[delivery.helo] += 1

    def _copied(self, fetched, copy):
        self.waves.copied(fields_of(fetched).get("message-id", ""), copy.message_id, len(copy.recipients))

    def _answered(self, mail, result):
        with self._lock:
            self.accepted_of[mail.tag] += len(result.accepted)
            self.deferred += sum(1 for text in result.refused.values() if text[0] == "4")

    # ---- what people write

    def post(self, key, mail, message_id, sender, recipients, client, helo):
        self.ledger.note(key, recipients)
        self.waves.seed(message_id, len(recipients))
        self.outbox.put(Mail(sender, recipients, mail, client=client, helo=helo, tag="people"))

    def publisher(self, key, make):
        mail, message_id = make(key, self.firms)
        self.post(key, mail, message_id, storm.AUTHOR[1], [firm.address for firm in self.firms], "192.0.2.25",
                  "mail.lexpress-pub.example")
        return message_id

    def reply(self, key, firm, parent_id):
        mail, message_id, recipients = storm.reply_all(key, firm, self.firms, parent_id)
        self.post(key, mail, message_id, firm.address, recipients, self._address_of(firm), f"mx.{firm.domain}")

    def small_talk(self, number):
        sender, *receivers = self.rng.sample(self.firms, self.rng.randint(2, 4))
        key = f"ORD-{number:04d}"
        mail, message_id = storm.ordinary(key, number, sender, receivers)
        self.post(key, mail, message_id, sender.address, [firm.address for firm in receivers],
                  self._address_of(sender), f"mx.{sender.domain}")

    def _address_of(self, firm):
        return f"203.0.113.{1 + self.firms.index(firm)}"

    def play(self):
        """Everything that people do, on the demo's clock."""
        innocent = [firm for firm in self.firms if firm not in self.faulty]
        length = self.options.seconds
        first = []

        def storyline():
            yield 0.02, "a publisher mails 150 firms, all addresses in To", \
                lambda: first.append(self.publisher("LP-2005-1", storm.marketing))
            yield 0.30, f"{innocent[7].name} answers to all: please stop sending this", \
                lambda: self.reply("RE-0001", innocent[7], first[0])
            yield 0.52, f"{innocent[40].name} answers to all: please stop sending this", \
                lambda: self.reply("RE-0002", innocent[40], first[0])
            yield 0.74, "the publisher writes to all: we sent it once", \
                lambda: self.publisher("LP-2005-2", storm.apology)

        number = 0
        scenes = collections.deque(storyline())
        begin = self.show.elapsed_s()
        while (now := self.show.elapsed_s() - begin) < length:
            if scenes and now >= scenes[0][0] * length:
                _, words, action = scenes.popleft()
                self.show.event(words)
                action()
            self.small_talk(number)
            number += 1
            self.draw()
            time.sleep(0.35)
        self.show.event(f"people have stopped writing; {number} ordinary mails went out")

    def settle(self):
        """Until nothing is on its way: two polls without a new copy, nothing queued."""
        quiet_since, seen, end = time.monotonic(), None, time.monotonic() + 75
        while time.monotonic() < end:
            now = (sum(one.transactions for one in self.connectors), self.sink.total(), self.outbox.open())
            if now != seen or now[2] or self.sink.waiting():
                seen, quiet_since = now, time.monotonic()
            if time.monotonic() - quiet_since > 2 * POLL_S and not self.postfix.queue_length():
                return True
            self.draw()
            time.sleep(0.25)
        return False

    # ---- what is shown

    def ask_quell(self):
        """Quell's own counters, asked in a thread of their own so that the view never waits."""
        while not self.is_over.wait(1.0):
            self._quell_counters = self.quelld.counters() or self._quell_counters

    def draw(self, is_last=False):
        offered = sum(one.offered for one in self.connectors)
        withheld = sum(max(0, self.accepted_of[one.site.host] - self.delivered_of[one.site.host])
                       for one in self.connectors)
        line = (f"{self.show.elapsed_s():5.0f} s  delivered {self.sink.total():,}; "
                f"copies: offered {offered:,}, {self.missing} {withheld:,}")
        if self.deferred:
            line += f", deferred {self.deferred:,}"
        self.show.draw(line, [self._wave_table(), self._connector_table(), self._quell_line()], is_last)

    def _wave_table(self):
        rows = []
        for wave, mails, offered, delivered in self.waves.rows():
            label = "0 written" if wave == 0 else f"{wave} copies"
            rows.append((label, mails, offered, delivered, max(0, offered - delivered)))
        return screen.Table(("wave", "mails", "recipients", "delivered", self.missing), (10, 7, 11, 10, 10), rows)

    def _connector_table(self):
        rows = []
        for one in self.connectors:
            host, delivered = one.site.host, self.delivered_of[one.site.host]
            rows.append((host, "STRIP" if one.site.strip_received else "KEEP", one.fetched, one.converted,
                         one.offered, delivered, max(0, self.accepted_of[host] - delivered)))
        return screen.Table(("faulty server", "build", "fetched", "re-sent", "recipients", "delivered", self.missing),
                            (27, 6, 8, 8, 11, 10, 9), rows, drop=("fetched", "build", "recipients"))

    def _quell_line(self):
        if not self._quell_counters:
            return ""
        words = ", ".join(f"{name} {self._quell_counters[name]:,}" for name in
                          ("passed", "tagged", "deferred", "held", "suppressed") if name in self._quell_counters)
        return "Quell's own count of recipients: " + words

    # ---- the end

    def report(self):
        """The incident in words, the arithmetic without Quell, the verdict; True when all is well."""
        self.show.end()
        if self.quelld:
            self._report_incidents()
        self._report_arithmetic()
        return self._report_verdict()

    def _report_incidents(self):
        self.show.head("What Quell says: quell incidents")
        self._show_quell("incidents", lines_max=30)
        incidents = self.quelld.incidents()
        if not incidents:
            return
        worst = max(reversed(incidents), key=lambda one: one.get("surplus", 0))
        self.show.head(f"and of the worst: quell incident {worst.get('id', '?')}")
        self._show_quell("incident", worst.get("id", ""), lines_max=60)

    def _show_quell(self, *words, lines_max):
        self.show.laid_out(self.quelld.on_terminal(*words, columns=self.show.width(), has_colour=self.show.has_colour),
                           lines_max)

    def _report_arithmetic(self):
        self.show.head("The same storm without Quell (arithmetic)")
        rows, total = [], FIRMS
        for wave, mails in enumerate(storm.uncontained(FIRMS, FAULTY, WAVES_WITHOUT), 1):
            total += mails
            rows.append((f"poll {wave}", f"{wave * POLL_S * COMPRESSION / 60:.0f} min", mails, total, total // FIRMS))
        self.show.table(screen.Table(("", "after", "new copies", "all mails", "a mailbox"), (8, 9, 12, 12, 11), rows))
        self.show.text(f"That is of one mail: {FAULTY} faulty servers among {FIRMS} firms, each re-sending what the "
                       f"other {FAULTY - 1} sent. Each answer to all, and the apology, would start it anew.")
        copies = sum(one.offered for one in self.connectors)
        self.show.text(f"Here: {copies:,} copies were offered, "
                       f"{self.ledger.surplus(self.sink.pairs()):,} reached a mailbox.")

    def _report_verdict(self):
        pairs = self.sink.pairs()
        lost, over = self.ledger.lost(pairs), self.ledger.over(pairs, MOST_COPIES)
        wanted, most = len(self.ledger.wanted), max(pairs.values(), default=0)
        has_stormed = sum(one.converted for one in self.connectors) >= FAULTY
        self.show.head("Verdict")
        self.show.text(f"{wanted:,} mails for {len({name for name, _ in self.ledger.wanted}):,} mailboxes: "
                       f"{wanted - len(lost):,} arrived, {len(lost):,} lost; most copies of one mail in one mailbox: "
                       f"{most}; more than {MOST_COPIES}: {len(over):,}.")
        for recipient, key in lost[:5]:
            self.show.text(f"lost: {key} for {recipient}")
        for (recipient, key), count in list(over.items())[:5]:
            self.show.text(f"too many: {count} copies of {key} for {recipient}")
        if not has_stormed:
            self.show.text("No storm came about, so this run shows nothing.")
        is_good = not lost and not over and has_stormed
        self.show.verdict(is_good, "PASS: every mailbox got every mail, and none more than three times." if is_good
                          else "FAIL: see above.")
        return is_good


def parse(words):
    parser = argparse.ArgumentParser(prog="./demo", description="Plays the Dublin mail storm of December 2005 "
                                     "against Quell, on this machine alone.")
    parser.add_argument("--seconds", type=float, default=45, metavar="N", help="how long people write (default 45)")
    parser.add_argument("--keep", action="store_true", help="leave the folder with settings, logs and the hold")
    parser.add_argument("--without-quell", action="store_true", help="no quelld, to see the storm itself; each "
                        f"faulty server then stops by itself after {MAILS_MAX_WITHOUT} mails, and the end is FAIL")
    return parser.parse_args(words)


class Stopped(Exception):
    """A signal asked us to end."""


def _on_signal(number, _):
    raise Stopped(number)


def run(options, base, show):
    import contextlib
    with contextlib.ExitStack() as stack:
        demo = Demo(options, base, show)
        show.event("starting the mailboxes, Postfix" + ("" if options.without_quell else " and Quell"))
        try:
            demo.start(stack.enter_context)
            if demo.quelld:
                threading.Thread(target=demo.ask_quell, daemon=True).start()
            show.event(f"five of {FIRMS} firms have the connector of 2005; a quarter of an hour is "
                       f"{POLL_S:.0f} s here")
            demo.play()
            if not demo.settle():
                show.event("it has not become quiet; counting now")
            demo.draw(is_last=True)
            return 0 if demo.report() else 1
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # the clean-up is short, and must not be cut
            show.end()
            demo.stop()


def main():
    options = parse(sys.argv[1:])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _on_signal)
    show = screen.Screen(sys.stdout)
    base = Path(tempfile.mkdtemp(prefix="quell-demo-"))
    os.chmod(base, 0o755)
    status = 1
    try:
        status = run(options, base, show)
    except Stopped as stopped:
        status = 128 + stopped.args[0]
        print("demo: stopped; everything it started has ended", file=sys.stderr)
    except (OSError, RuntimeError, proc.Timeout) as problem:
        print(f"demo: {problem}", file=sys.stderr)
    finally:
        if options.keep:
            print(f"kept: {base}", file=sys.stderr)
        else:
            shutil.rmtree(base, ignore_errors=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
