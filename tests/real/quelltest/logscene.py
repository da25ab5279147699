# SPDX-License-Identifier: Apache-2.0
"""The same few mails through any mail server, so that its log holds every fate a recipient can have.

play() sends them and waits until the server has nothing left to do; what was sent comes back by name, with all that
a log could say about it. The next hop is the sink: it refuses BAD always, LATER once. Bounces go there too.
"""
import collections
import smtplib
import time

from . import proc

SENDER, SOURCE, HELO = "anna@customer.example", "127.0.0.2", "office.customer.example"
PERSON = "piet@customer.example"
PAUL, PETRA, PIA = "paul@other.example", "petra@other.example", "pia@other.example"
BAD, LATER = "bad@other.example", "later@other.example"
LIST, REFUSED = "all@isp.example", "refused-here@isp.example"
ALIASES = {LIST: [PAUL, PETRA]}

# recipients: {address: "sent" or "bounced"}, after aliases; orig: {address: the alias it came from};
# refused: what the server itself did not take
Sent = collections.namedtuple("Sent", "message_id sender recipients orig refused bytes tries")

SCENES = {
    "single": ((PAUL,), SENDER),
    "three": ((PAUL, PETRA, PIA), SENDER),
    "alias": ((LIST,), SENDER),
    "partly": ((PAUL, BAD), SENDER),
    "later": ((LATER,), SENDER),
    "door": ((REFUSED, PIA), SENDER),
    "null": ((PETRA,), ""),
}


def message(name, to):
    text = f"This is the mail called {name}.\r\n" * 20
    return (f"From: Anna <{SENDER}>\r\nTo: {', '.join(to)}\r\nSubject: About {name}\r\n"
            f"Message-ID: <{name}.1@customer.example>\r\nDate: Tue, 24 Nov 2026 10:00:00 +0100\r\n\r\n{text}").encode()


def arm(sink):
    sink.fail(BAD, "550 5.1.1 no such user")
    sink.fail(LATER, "451 4.3.0 come again later", 1)


def send(server, name):
    to, sender = SCENES[name]
    data = message(name, to)
    with smtplib.SMTP(*server.address, source_address=(SOURCE, 0), local_hostname=HELO, timeout=20) as smtp:
        refused = smtp.sendmail(sender, list(to), data)
    recipients = {}
    orig = {}
    for address in (address for address in to if address not in refused):
        for target in ALIASES.get(address, [address]):
            recipients[target] = "bounced" if target == BAD else "sent"
            if target != address:
                orig[target] = address
    return Sent(f"{name}.1@customer.example", sender, recipients, orig, list(refused), len(data),
                {LATER: 2} if LATER in to else {})


def submit(server, user, password, secure=None):
    """One mail by a person who has logged in; secure: an SSL context for STARTTLS."""
    to = (PAUL,)
    data = message("person", to)
    with smtplib.SMTP(*server.address, source_address=(SOURCE, 0), local_hostname="laptop.example", timeout=20) as smtp:
        if secure:
            smtp.starttls(context=secure)
        smtp.login(user, password)
        smtp.sendmail(PERSON, list(to), data)
    return Sent("person.1@customer.example", PERSON, {PAUL: "sent"}, {}, [], len(data), {})


def wait_done(server, sink, sent, quiet_s=1.0, timeout_s=60):
    """Until every copy and every bounce has arrived, and the log has not grown for a while."""
    def arrived():
        missing = [(address, name) for name, mail in sent.items() for address, fate in mail.recipients.items()
                   if fate == "sent" and not sink.count(address, f"<{mail.message_id}>")]
        if missing and time.monotonic() > again[0]:
            again[0] = time.monotonic() + 2
            server.retry()
        want = sum("bounced" in mail.recipients.values() and bool(mail.sender) for mail in sent.values())
        got = sum(1 for address, _ in sink.pairs() if address == SENDER)
        return not missing and got >= want
    again = [time.monotonic() + 2]
    proc.wait_until(arrived, timeout_s, lambda: f"all mails went through {type(server).__name__}; it has delivered "
                    f"{sorted(sink.pairs())}; its log ends:\n{server.log_tail(30)}", 0.1)
    last = [server.log.stat().st_size, time.monotonic()]

    def quiet():
        size = server.log.stat().st_size
        if size != last[0]:
            last[:] = size, time.monotonic()
        return time.monotonic() - last[1] >= quiet_s
    proc.wait_until(quiet, timeout_s, "the log is quiet", 0.1)


def play(server, sink, names=tuple(SCENES)):
    """{name: Sent}."""
    arm(sink)
    sent = {name: send(server, name) for name in names}
    wait_done(server, sink, sent)
    return sent
