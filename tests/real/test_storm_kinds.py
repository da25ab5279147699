# SPDX-License-Identifier: Apache-2.0
"""Storms of other kinds than copies, made with live servers before quelld: ping-pong, rings, reply-all, bounces.

A private Postfix with quelld as its milter carries all of it, so that each direction passes Quell. Each scene has an
end of its own (so many answers, so many seconds) and prints what happened: how many mails, how fast, what Quell says.
Without Quell the robots answer until they may no more (30 answers each), and all answers to all arrive.
"""
import collections
import contextlib
import time

import pytest
from quelltest import mailservers, proc, robots, smtpclient
from quelltest.dovecot import why_not as dovecot_why_not
from quelltest.exim import Exim
from quelltest.robots import TicketRobot
from quelltest.stage import Stage

pytestmark = pytest.mark.usefixtures("quelld_program")

MOST = 30     # answers of one robot
MOST_S = 25   # of one scene
HELP, SHOP, DEPOT = "help@desk.example", "tickets@shop.example", "orders@depot.example"
AWAY = "away@office.example"

Happened = collections.namedtuple("Happened", "mails took_s incidents counters refused")


def begin(stage, sender, to, subject="Where is my order?", client="192.0.2.77"):
    """The one mail of a human being with which it all begins."""
    data = (f"From: <{sender}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nMessage-ID: <first.1@{sender.split('@')[1]}>\r\n"
            f"Date: Tue, 24 Nov 2026 10:00:00 +0100\r\n\r\nI have waited for two weeks.\r\n").encode()
    result = smtpclient.send(stage.postfix.address, smtpclient.Mail(sender, [to], data, client=client,
                                                                    helo=f"mail.{sender.split('@')[1]}"))
    assert not result.refused, result


def wait_still(count, quiet_s=3.0, most_s=MOST_S):
    """Until the number has not changed for quiet_s, or the scene's time is over; how long it was moving."""
    start = moved = time.monotonic()
    last = count()
    while time.monotonic() - start < most_s and time.monotonic() - moved < quiet_s:
        time.sleep(0.1)
        if count() != last:
            last, moved = count(), time.monotonic()
    return moved - start


def happened(stage, title, mails, took_s, people=()):
    refused = [reply for robot in people for reply in robot.refused]
    result = Happened(mails, took_s, stage.quelld.incidents(), stage.quelld.counters(), refused)
    print(f"\n{title}: {mails} mails in {took_s:.1f} s; {len(refused)} refused {sorted(set(refused))[:3]}; "
          f"counters {result.counters}")
    for incident in result.incidents:
        print(f"  incident {incident}")
    return result


def only_incident(result, stage, cls):
    """The one incident, of this class, open; nobody is named for it."""
    assert [one["class"] for one in result.incidents] == [cls], f"{result.incidents}{stage.why()}"
    assert result.incidents[0]["state"] == "open" and not result.incidents[0].get("guilty")
    assert result.counters["suppressed"] == 0, "only surplus is put away, and nothing here is"
    return result.incidents[0]


@pytest.fixture
def stage(base):
    """Not started, so that a test can still add to Postfix's settings."""
    return Stage(base, record=True)


@contextlib.contextmanager
def away_exim(stage, base):
    """An Exim whose users are all away, behind the stage's Postfix for office.example."""
    words = {"routers": robots.EXIM_ROUTER.format(domain="office.example"), "transports": robots.EXIM_TRANSPORT}
    server = Exim(base / "exim", stage.postfix.port, source="127.0.0.3", hostname="mail.office.example", **words)
    stage.postfix.add_settings(f"\ntransport_maps = inline:{{ office.example=smtp:[127.0.0.1]:{server.port} }}\n")
    with stage, server:
        yield server


@pytest.fixture
def needs_exim():
    mailservers.prepare("exim")


def test_a_ticket_robot_and_an_exim_that_is_away(base, stage, needs_exim):
    with away_exim(stage, base) as exim, TicketRobot(stage, HELP, "192.0.2.10", most=MOST) as robot:
        begin(stage, AWAY, HELP)
        took_s = wait_still(lambda: robot.answers)
        answers = exim.log_text().count("T=answer")
        result = happened(stage, "robot and Exim", robot.answers + answers, took_s, [robot])
    assert 9 <= result.mails < 16, f"stopped after four rounds; {exim.log_tail()}{stage.why()}"
    only_incident(result, stage, "ping-pong")
    assert result.counters["deferred"] >= 1


def test_a_ticket_robot_and_a_sieve_that_is_away(base, stage, unpacked_dovecot):
    if dovecot_why_not():
        pytest.skip(dovecot_why_not())
    store = mailservers.SyslogDovecot(base / "dovecot", stage.postfix.port, more=robots.SIEVE_SETTINGS,
                                      sieve=robots.SIEVE.format(address=AWAY))
    lmtp = f"lmtp:inet:127.0.0.1:{store.lmtp_port}"
    stage.postfix.add_settings(f"\ntransport_maps = inline:{{ office.example={lmtp} }}\n")
    with stage, store, TicketRobot(stage, HELP, "192.0.2.10", most=MOST) as robot:
        begin(stage, AWAY, HELP)
        took_s = wait_still(lambda: robot.answers)
        answers = store.log.read_text().count("sent vacation response")
        result = happened(stage, "robot and Sieve", robot.answers + answers, took_s, [robot])
    assert 9 <= result.mails < 16, f"stopped after four rounds; {store.log_tail()}{stage.why()}"
    only_incident(result, stage, "ping-pong")
    assert result.counters["deferred"] >= 1


@pytest.mark.parametrize("threads", [False, True], ids=["new_threads", "one_thread"])
def test_two_ticket_robots(stage, threads):
    with stage, TicketRobot(stage, HELP, "192.0.2.10", threads=threads, most=MOST) as desk, \
            TicketRobot(stage, SHOP, "192.0.2.20", name="Shop", threads=threads, most=MOST) as shop:
        begin(stage, SHOP, HELP)
        took_s = wait_still(lambda: desk.answers + shop.answers)
        result = happened(stage, f"two robots, threads {threads}", desk.answers + shop.answers, took_s, [desk, shop])
    assert 20 <= result.mails < 40, f"without any mark it takes twelve rounds{stage.why()}"
    only_incident(result, stage, "ping-pong")
    assert result.counters["deferred"] >= 1


def test_a_ring_of_three(stage):
    """Each passes on what it gets to the next, as its own: no pair of addresses ever writes both ways."""
    with stage, TicketRobot(stage, HELP, "192.0.2.10", answers_to=SHOP, most=MOST) as desk, \
            TicketRobot(stage, SHOP, "192.0.2.20", name="Shop", answers_to=DEPOT, most=MOST) as shop, \
            TicketRobot(stage, DEPOT, "192.0.2.30", name="Depot", answers_to=HELP, most=MOST) as depot:
        begin(stage, "anna@customer.example", HELP)
        ring = (desk, shop, depot)
        took_s = wait_still(lambda: sum(robot.answers for robot in ring))
        result = happened(stage, "a ring of three", sum(robot.answers for robot in ring), took_s, ring)
    assert 36 <= result.mails < 3 * MOST, f"stopped before the robots were tired{stage.why()}"
    # No mail tells that it belongs to a ring: each of its members can be an incident.
    assert 1 <= len(result.incidents) <= 3 and {one["class"] for one in result.incidents} == {"ping-pong"}
    assert result.counters["deferred"] >= 1


# ---- many people

CROWD, VOICES = 150, 14


def to_all(sender, number, answers):
    """A mail of one person to everybody, all in To; or its answer to all."""
    to = ", ".join(f"p{at:03d}@firm.example" for at in range(CROWD))
    more = "In-Reply-To: <all.0@firm.example>\r\nReferences: <all.0@firm.example>\r\n" if answers else ""
    wish = "please take me off this list" if number % 2 else "please do not answer to all"
    text = f"Number {number} here: {wish}! " * 3
    return (f"From: <{sender}>\r\nTo: {to}\r\nSubject: {'Re: ' if answers else ''}Test of the new list\r\n"
            f"Message-ID: <all.{number}@firm.example>\r\n{more}Date: Tue, 24 Nov 2026 10:{number:02d}:00 +0100\r\n\r\n"
            f"{text}\r\n").encode()


def test_everybody_answers_to_all(stage):
    people = [f"p{at:03d}@firm.example" for at in range(CROWD)]
    refused = []
    with stage:
        begin_s = time.monotonic()
        for number in range(VOICES + 1):
            sender = people[number]
            mail = smtpclient.Mail(sender, people, to_all(sender, number, number > 0), helo="client.firm.example",
                                   client=f"192.0.2.{100 + number}")
            refused += list(stage.send(mail).refused.values())
        wait_still(stage.sink.total)
        copies = stage.sink.total()
        result = happened(stage, f"reply-all: {VOICES} answers to {CROWD}, {copies} copies, {len(refused)} deferred",
                          VOICES + 1, time.monotonic() - begin_s)
    # The first mail and four answers; the others are to come again. Each mail is three transactions of 50.
    assert copies == 5 * CROWD, f"{copies} copies{stage.why()}"
    assert len(refused) == (VOICES - 4) * CROWD and result.counters["deferred"] == (VOICES - 4) * CROWD
    only_incident(result, stage, "reply-all")


# ---- bounces

INNOCENT, FORGED = "info@innocent.example", 70


def test_bounces_of_a_forged_mailing(base, stage, needs_exim):
    """A spammer writes in the name of INNOCENT to users whom Exim takes and the next server refuses."""
    server = Exim(base / "exim", stage.postfix.port, source="127.0.0.3", hostname="mail.office.example")
    # So slow that a machine under load holds some of them as well.
    stage.quelld.write_settings(policy__bounces_per_minute=1)
    stage.postfix.add_settings("\nsmtpd_sender_restrictions = check_recipient_access "
                               "inline:{ { nobody.example=550 5.1.1 User unknown } }\n")
    with stage, server:
        begin_s = time.monotonic()
        outbox = smtpclient.Outbox(server.address, workers=4)
        for number in range(FORGED):
            to = f"u{number:03d}@nobody.example"
            data = (f"From: <{INNOCENT}>\r\nTo: <{to}>\r\nSubject: Buy now\r\nDate: Tue, 24 Nov 2026 10:00:00 +0100\r\n"
                    f"Message-ID: <forged.{number}@evil.example>\r\n\r\nOffer number {number}.\r\n").encode()
            outbox.put(smtpclient.Mail(INNOCENT, [to], data, source="127.0.0.2"))
        assert outbox.wait(60), server.log_tail()
        outbox.stop()
        wait_still(stage.sink.total, quiet_s=5.0, most_s=60)
        # What is stored of an incident follows within seconds.
        proc.wait_until(lambda: [one["copies"] for one in stage.quelld.incidents()] == [FORGED], 30,
                        lambda: f"{stage.quelld.incidents()}{stage.why()}", 0.5)
        bounces = sum(1 for delivery in stage.sink.deliveries if delivery.recipient == INNOCENT)
        result = happened(stage, f"bounces: {FORGED} forged, {bounces} bounces arrived", bounces,
                          time.monotonic() - begin_s)
    incident = only_incident(result, stage, "bounce-storm")
    # All were taken (a refusal makes more bounces): those that did not pass lie in the hold, and drip.
    assert result.counters["held"] >= 10 and result.counters["deferred"] == 0, result.counters
    assert bounces + result.counters["held"] >= FORGED and incident["copies"] == FORGED, f"{bounces}{stage.why()}"
