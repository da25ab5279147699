# SPDX-License-Identifier: Apache-2.0
"""The 49 hazards of a POP3 connector, one by one, each shown from outside; ELSEWHERE (at the end) names other places.

A test is the scene that some other collector got wrong: what a provider, a sender or the firm's own server can do to
it. The fakes write down all that was asked of them, so that "never" can be asserted too.
"""
import base64
import re
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from quelltest import certificates, proc, realmail
from quelltest.fetch import Fetch, account, multidrop, stamp_of
from quelltest.lmtp_fake import LmtpFake
from quelltest.pop3_fake import BREAK, HANG, Pop3Fake, stuff
from quelltest.relay import FirmPostfix

pytestmark = pytest.mark.usefixtures("fetch_program")

ANNA, BOB, CARA = "anna@firm.example", "bob@firm.example", "cara@firm.example"
OUTSIDER = "victim@outside.example"

def mail(number, to=ANNA, header="", body=None, top="", received=True, envelope=ANNA, sender=None):
    """Mail `number` as it lies at the provider. header: more lines from its author; top: lines of the provider."""
    hop = (f"Received: from out.outside.example ([192.0.2.7]) by mx1.isp.example with ESMTP id {number:06X};\r\n"
           f"\tTue, 6 Jan 2026 10:00:00 +0000\r\n") if received else ""
    path = f"Return-Path: <{'s%d@outside.example' % number if sender is None else sender}>\r\n" if sender != "" else ""
    name = f"X-Original-To: {envelope}\r\n" if envelope else ""
    return (f"{path}{top}{name}{hop}From: s{number}@outside.example\r\nTo: {to}\r\n"
            f"Subject: number {number}\r\nMessage-ID: <{number}@outside.example>\r\n{header}\r\n").encode() + (
                body if body is not None else f"This is mail {number}, and no other is like it.\r\n".encode())


def number_of(data):
    return int(re.search(rb"(?m)^Subject: number ([0-9]+)\r$", data).group(1))


class Scene:
    """One box at a fake provider, a fake local server, the connector. multi: addresses of a multidrop box."""

    def __init__(self, closing, base, mails=(), multi=None, store=None, box=None, pop=None, **settings):
        self.pop = pop or closing.enter_context(Pop3Fake(mails))
        self.store = store or closing.enter_context(LmtpFake())
        words = multidrop(self.pop, multi) if multi else account(self.pop)
        self.fetch = Fetch(base / "fetch", self.store.url, {"firm": {**words, **(box or {})}}, **settings)

    def once(self, wanted=0, **more):
        return self.fetch.once(wanted=wanted, **more)

    def delivered(self):
        """{mailbox: numbers of its mails, sorted}"""
        return {owner: sorted(map(number_of, mails)) for owner, mails in self.store.boxes().items()}

    def waiting(self):
        return len(self.fetch.quarantine())

    def assert_whole(self, *mails):
        """Exactly these mails were delivered, their bytes as they were."""
        found = [one.data for one in self.store.accepted]
        assert len(found) == len(mails), f"{len(found)} delivered, not {len(mails)}{self.fetch.why()}"
        for one in mails:
            subject = re.search(rb"(?m)^Subject: [^\r]*\r$", one).group(0)
            same = [data for data in found if subject in data and realmail.is_same_below(data, one)]
            assert len(same) == 1, f"mail {number_of(one)} is there {len(same)} times{self.fetch.why()}"


# ---- recipients and loops

def test_hazard_01_addresses_in_the_header_are_no_recipients(base, closing):
    header = f"Cc: {OUTSIDER}, {BOB}\r\nBcc: {OUTSIDER}\r\nApparently-To: {OUTSIDER}\r\n"
    mails = [mail(1, to=f"{OUTSIDER}, {BOB}", header=header),
             mail(2, to="unlisted-recipients:; (no To-header on input)", header=header)]
    scene = Scene(closing, base, mails)
    scene.once()
    scene.assert_whole(*mails)
    assert set(scene.store.offered) == {ANNA}


def test_hazard_02_an_alias_that_leads_out_is_not_followed_by_the_listener_for_us(base, closing, sink):
    store = closing.enter_context(LmtpFake())
    alias = f"virtual_alias_maps = inline:{{ {{ {ANNA} = {OUTSIDER} }} }}\n"
    postfix = closing.enter_context(FirmPostfix(base / "postfix", f"inet:127.0.0.1:{store.port}", sink.port, more=alias))
    pop = closing.enter_context(Pop3Fake([mail(1)]))
    Fetch(base / "fetch", postfix.url, {"firm": account(pop)}).once()
    proc.wait_until(lambda: store.count() == 1, 30, postfix.log_tail)
    assert set(store.boxes()) == {ANNA} and sink.total() == 0, "the mail left the firm"


def test_hazard_03_bcc_and_list_mail_without_an_envelope_header_waits_for_a_person(base, closing):
    mails = [mail(1, to="list@lists.example", envelope=None), mail(2, to="list@lists.example", envelope=BOB)]
    scene = Scene(closing, base, mails, [ANNA, BOB])
    scene.once(wanted=1)
    assert scene.delivered() == {BOB: [2]} and scene.waiting() == 1
    number = scene.fetch.quarantine()[0]["id"]
    assert scene.fetch.run("quarantine", "release", number, "--to", ANNA).returncode == 0, scene.fetch.why()
    scene.once()
    scene.assert_whole(*mails)
    assert scene.delivered() == {ANNA: [1], BOB: [2]}


def test_hazard_04_a_missing_envelope_header_stops_nobody_else(base, closing):
    mails = [mail(number, envelope=None if number in (2, 5, 6) else ANNA) for number in range(1, 9)]
    scene = Scene(closing, base, mails, [ANNA])
    done = scene.once(wanted=1)
    assert scene.delivered() == {ANNA: [1, 3, 4, 7, 8]} and scene.waiting() == 3
    assert "quarantine" in (done.stdout + done.stderr).lower()
    scene.pop.put([mail(9)])
    scene.once()
    assert scene.delivered() == {ANNA: [1, 3, 4, 7, 8, 9]}


def test_hazard_05_five_copies_for_five_people_are_five_deliveries(base, closing):
    people = [f"p{at}@firm.example" for at in range(5)]
    mails = [mail(1, to=", ".join(people), envelope=name) for name in people]
    scene = Scene(closing, base, mails, people)
    scene.once()
    assert scene.delivered() == {name: [1] for name in people}, scene.fetch.why()


def test_hazard_06_delivered_to_of_the_own_address_is_neither_stripped_nor_a_bounce(base, closing):
    mails = [mail(1, top=f"Delivered-To: {ANNA}\r\n"), mail(2)]
    scene = Scene(closing, base, mails)
    scene.once()
    scene.assert_whole(*mails)
    scene.pop.put([mail(3, top=f"Delivered-To: {ANNA}\r\n")])
    scene.store.fault("data5", times=1)  # as a server that sees a loop
    scene.once(wanted=1)
    assert scene.waiting() == 1 and set(scene.store.offered) == {ANNA}


def test_hazard_07_what_we_delivered_and_comes_back_is_kept_in_quarantine(base, closing):
    scene = Scene(closing, base, [mail(1)])
    scene.once()
    ours = scene.store.accepted[0].data
    assert stamp_of(ours)
    resent = b"Received: from mail pickup service by firm.example with Microsoft SMTPSVC;\r\n\t now\r\n" + ours.replace(
        b"Message-ID: <1@", b"Message-ID: <1.again@")
    forged = resent.replace(b"<1.again@", b"<1.forged@").replace(b"number 1", b"number 2")
    forged = re.sub(rb"k=[0-9a-f]+", b"k=" + b"0" * 24, forged)
    scene.pop.put([resent, forged])
    scene.once(wanted=1)
    assert scene.delivered() == {ANNA: [1, 2]} and scene.waiting() == 1, scene.fetch.why()


def test_hazard_08_resent_fields_pass_through_and_mean_nothing(base, closing):
    header = f"Resent-To: {OUTSIDER}\r\nResent-From: x@outside.example\r\nResent-Cc: {BOB}\r\nResent-Date: now\r\n"
    scene = Scene(closing, base, [mail(1, header=header)], [ANNA, BOB])
    scene.once()
    scene.assert_whole(mail(1, header=header))
    assert scene.delivered() == {ANNA: [1]} and scene.store.accepted[0].data.count(b"Resent-To:") == 1


def test_hazard_09_our_received_is_one_line_without_for_and_a_hundred_are_a_loop(base, closing):
    hops = "".join(f"Received: from h{at}.outside.example by h{at + 1}.outside.example; now\r\n" for at in range(101))
    ours = "Received: from x.outside.example by mx.firm.example with ESMTP id 1; now\r\n"
    mails = [mail(1), mail(2, header=hops), mail(3, header=ours * 3), mail(4, header=ours * 2)]
    scene = Scene(closing, base, mails)
    scene.once(wanted=1)
    assert scene.delivered() == {ANNA: [1, 4]} and scene.waiting() == 2, scene.fetch.why()
    first = next(one.data for one in scene.store.accepted if number_of(one.data) == 1)
    top = first[:first.index(b"Return-Path: ")]
    found = re.findall(rb"(?m)^Received: ((?:[^\r]|\r\n[ \t])*)", top)
    assert len(found) == 1 and b" for " not in found[0] and b"@" not in found[0], top
    assert re.match(rb"from 127\.0\.0\.1 by mx\.firm\.example with POP3S? id \S+\s+\(account firm\); ", found[0]), top


def test_hazard_10_the_mark_of_the_faulty_connector_is_said(base, closing):
    scene = Scene(closing, base, [mail(1, to=f'"IMB Recipient 1" <mspop3connector.anna@firm.example>, {OUTSIDER}')])
    done = scene.once(wanted=None)
    assert set(scene.store.offered) <= {ANNA}
    assert "mspop3connector" in done.stdout + done.stderr + proc.tail(scene.fetch.log, 100), scene.fetch.why()


def test_hazard_11_text_of_the_server_cannot_enter_headers_or_logs(base, closing):
    pop = closing.enter_context(Pop3Fake([mail(1), mail(2)]))
    pop.greeting = b"+OK \x1b[31mred\x07 \x9b2J\r\n"
    pop.rename(lambda at, uid: f"u{at}\x1b[2J\x7f")
    pop.refuse(2, b"-ERR \x1b]0;title\x07 no\r\n")
    scene = Scene(closing, base, pop=pop)
    for _ in range(2):
        done = scene.once(wanted=None)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.stdout + done.stderr), repr(done.stderr)
    assert scene.delivered() == {ANNA: [1]}
    top = scene.store.accepted[0].data.split(b"Return-Path:")[0]
    assert not re.search(rb"[^\x20-\x7e\r\n\t]", top), top


# ---- exactly once

def test_hazard_12_what_was_taken_before_the_session_broke_is_deleted_later_and_not_given_twice(base, closing):
    scene = Scene(closing, base, [mail(number) for number in range(1, 21)])
    scene.pop.answer["DELE"] = lambda *_: BREAK
    scene.once(wanted=None)
    assert scene.pop.waiting() == 20
    del scene.pop.answer["DELE"]
    scene.once()
    scene.assert_whole(*[mail(number) for number in range(1, 21)])
    assert scene.pop.waiting() == 0 and len(scene.pop.asked("RETR")) == 20


@pytest.mark.parametrize("fault", ["drop_after_dot", "lose_after_dot"])
def test_hazard_13_in_doubt_waits_for_a_person(base, closing, fault):
    scene = Scene(closing, base, [mail(number) for number in range(1, 6)], links=1)
    scene.store.fault(fault, times=1)
    scene.once(wanted=None)
    for _ in range(2):
        scene.once(wanted=None)
    taken = 1 if fault == "drop_after_dot" else 0
    assert scene.waiting() == 1 and scene.store.count() == 4 + taken, scene.fetch.why()
    assert len(set(map(number_of, (one.data for one in scene.store.accepted)))) == scene.store.count()


def test_hazard_13_in_doubt_may_be_sent_again_when_the_operator_says_so(base, closing):
    scene = Scene(closing, base, [mail(number) for number in range(1, 6)], links=1, in_doubt="resend")
    scene.store.fault("lose_after_dot", times=1)
    for _ in range(3):
        scene.once(wanted=None)
    scene.assert_whole(*[mail(number) for number in range(1, 6)])
    assert scene.waiting() == 0


@pytest.mark.parametrize("is_there", [True, False], ids=["found", "not_found"])
def test_hazard_13_in_doubt_is_settled_by_looking(base, closing, is_there):
    program, asked = base / "search", base / "asked"
    program.write_text(f'#!/bin/sh\necho "$1|$2" >>{asked}\n' + ("echo found\n" if is_there else ""))
    program.chmod(0o755)
    scene = Scene(closing, base, [mail(number) for number in range(1, 6)], links=1, in_doubt="search",
                  in_doubt_search=[str(program), "%u", "%i"])
    scene.store.fault("drop_after_dot" if is_there else "lose_after_dot", times=1)
    for _ in range(3):
        scene.once(wanted=None)
    scene.assert_whole(*[mail(number) for number in range(1, 6)])
    user, _, what = asked.read_text().splitlines()[0].partition("|")
    assert user == ANNA and scene.waiting() == 0
    if is_there:
        assert any(what in stamp_of(one.data) for one in scene.store.accepted), what


def test_hazard_14_new_uidls_for_old_mail_bring_nothing_again(base, closing):
    old = [mail(number) for number in range(1, 61)]
    scene = Scene(closing, base, old, box={"delete": "never"})
    scene.once()
    scene.pop.rename(lambda at, uid: f"migrated-{at}")
    scene.pop.put([mail(61), mail(62)])
    scene.once()
    scene.assert_whole(*old, mail(61), mail(62))
    scene.once()
    assert scene.store.count() == 62


def test_hazard_15_two_mails_with_one_uidl_are_both_collected_once(base, closing):
    mails = [mail(number) for number in range(1, 5)]
    scene = Scene(closing, base, mails, box={"delete": "after-delivery"})
    scene.pop.rename(lambda at, uid: "same" if at in (1, 2) else uid)
    scene.once(wanted=None)
    scene.once(wanted=None)
    scene.assert_whole(*mails)


@pytest.mark.parametrize("uid", ["x" * 200, "with space", "caf\xe9", "", "a\x01b"],
                         ids=["long", "space", "8bit", "empty", "control"])
def test_hazard_16_odd_uidls_are_taken_as_they_are(base, closing, uid):
    scene = Scene(closing, base, [mail(1), mail(2), mail(3)], box={"delete": "never"})
    scene.pop.rename(lambda at, old: uid if at == 1 else old)
    for _ in range(3):
        scene.once(wanted=None)
    numbers = scene.delivered().get(ANNA, [])
    assert len(numbers) == len(set(numbers)), f"twice{scene.fetch.why()}"
    assert numbers == [1, 2, 3] or uid in ("with space", "", "a\x01b"), scene.fetch.why()
    assert scene.pop.waiting() == 3


def test_hazard_17_without_uidl_mail_is_collected_to_be_deleted_and_never_left(base, closing):
    pop = closing.enter_context(Pop3Fake(user=ANNA).mode("nouidl"))
    scene = Scene(closing, base, pop=pop, box={"delete": "never"})
    done = scene.once(wanted=(65, 69, 75))
    assert "UIDL" in done.stdout + done.stderr and scene.store.count() == 0 and not pop.gone, scene.fetch.why()
    scene.fetch.accounts["firm"]["delete"] = "after-spool"
    scene.fetch.write()
    scene.once()
    scene.once()
    assert scene.store.count() == 3 and pop.waiting() == 0


def test_hazard_18_without_top_mail_is_collected_and_top_is_never_a_retr(base, closing):
    scene = Scene(closing, base, [mail(1), mail(2)])
    scene.pop.capabilities.remove("TOP")
    scene.once()
    scene.assert_whole(mail(1), mail(2))
    assert not [words for words in scene.pop.asked("TOP") if not words.endswith(" 0")]


def test_hazard_19_a_full_box_at_the_first_poll_asks_first(base, closing):
    scene = Scene(closing, base, [mail(number) for number in range(1, 11)], first_max=5)
    done = scene.once(wanted=None)
    assert done.returncode != 0 and "adopt" in done.stdout + done.stderr, scene.fetch.why()
    assert scene.store.count() == 0 and scene.pop.waiting() == 10
    assert scene.fetch.run("adopt", "firm", "--deliver").returncode == 0, scene.fetch.why()
    scene.once()
    scene.assert_whole(*[mail(number) for number in range(1, 11)])
    assert set(scene.store.senders) == {""}, "old mail has no sender whom a vacation program could answer"


def test_hazard_19_a_box_marked_as_seen_gives_only_what_comes_later(base, closing):
    scene = Scene(closing, base, [mail(number) for number in range(1, 11)], first_max=5, box={"delete": "never"})
    scene.once(wanted=None)
    assert scene.fetch.run("adopt", "firm", "--mark-seen").returncode == 0, scene.fetch.why()
    scene.once()
    scene.pop.put([mail(11)])
    scene.once()
    scene.assert_whole(mail(11))
    assert scene.pop.waiting() == 11


def test_hazard_19_a_lost_ledger_stops_the_account_and_asks(base, closing):
    scene = Scene(closing, base, [mail(number) for number in range(1, 11)], box={"delete": "never"})
    scene.once()
    lost = list(scene.fetch.state.rglob("fetch.db*"))
    assert lost, "the ledger is fetch.db"
    for path in lost:
        path.unlink()
    done = scene.once(wanted=None)
    assert done.returncode != 0 and "adopt" in done.stdout + done.stderr, scene.fetch.why()
    assert scene.store.count() == 10, "nothing comes again"
    assert scene.fetch.run("adopt", "firm", "--mark-seen").returncode == 0, scene.fetch.why()
    scene.once()
    assert scene.store.count() == 10


def test_hazard_20_a_second_connector_at_the_same_state_does_not_start(base, closing):
    scene = Scene(closing, base, [mail(1)])
    scene.pop.answer["RETR"] = lambda *_: HANG
    scene.fetch.begin()
    proc.wait_until(lambda: scene.pop.asked("RETR"), 30, scene.fetch.why)
    second = scene.fetch.run("--once", timeout_s=30)
    assert second.returncode in (69, 75), scene.fetch.why()
    assert len(scene.pop.sessions) == 1 and scene.store.count() == 0
    scene.fetch.stop()


def test_hazard_21_a_server_that_drops_what_was_read_loses_nothing(base, closing):
    """Gmail's POP server: what was RETRieved in a session that ended well is not listed again."""
    scene = Scene(closing, base, [mail(number) for number in range(1, 21)], box={"delete": "never"})
    scene.store.stop()

    def forget(session, _):
        session.deleted |= {int(number) for number in session.asked("RETR")}
        return None
    scene.pop.answer["QUIT"] = forget
    scene.once(wanted=None)
    assert scene.pop.waiting() == 0
    scene.store.start()
    for _ in range(3):
        scene.once(wanted=None)
        time.sleep(0 if scene.store.count() == 20 else 1)
    scene.assert_whole(*[mail(number) for number in range(1, 21)])


def test_hazard_22_a_mail_that_cannot_be_read_holds_up_no_other(base, closing):
    scene = Scene(closing, base, [mail(number) for number in range(1, 8)])
    scene.pop.answer["RETR"] = lambda session, words: (
        b"-ERR broken\r\n" if number_of(session.box[int(words) - 1][1]) == 3 else None)
    for at in range(6):
        scene.once(wanted=None)
        scene.pop.put([mail(20 + at)])
    assert scene.delivered() == {ANNA: [1, 2, 4, 5, 6, 7, 20, 21, 22, 23, 24]}, scene.fetch.why()
    assert mail(3) in [data for _, data in scene.pop.box]
    scene.pop.answer.clear()


@pytest.mark.parametrize("answer", [b"-ERR some messages were not deleted\r\n", BREAK], ids=["err", "none"])
def test_hazard_23_a_quit_without_ok_is_not_a_deletion(base, closing, answer):
    scene = Scene(closing, base, [mail(number) for number in range(1, 6)])
    scene.pop.answer["QUIT"] = lambda *_: answer
    scene.once(wanted=None)
    assert scene.pop.waiting() == 5
    scene.pop.answer.clear()
    scene.once()
    scene.assert_whole(*[mail(number) for number in range(1, 6)])
    assert scene.pop.waiting() == 0 and len(scene.pop.asked("RETR")) == 5 and len(scene.pop.asked("DELE")) == 10


def test_hazard_16_a_uidl_that_a_server_gives_to_another_mail_hides_none(base, closing):
    scene = Scene(closing, base, [mail(1)])
    scene.once()
    scene.pop.rename(lambda at, uid: "used-again")
    for number in (2, 3, 3):  # each under the UIDL of a mail that is gone; the last one is the same mail again
        scene.pop.put([mail(number)])
        scene.pop.rename(lambda at, uid: "used-again")
        scene.once()
        assert scene.pop.waiting() == 0
    scene.assert_whole(mail(1), mail(2), mail(3))
    assert scene.store.count() == 3


# ---- protocol and content

@pytest.mark.parametrize("cut", [1, 40, -1, -3, -4], ids=str)
def test_hazard_24_half_a_mail_is_no_mail(base, closing, cut):
    scene = Scene(closing, base, [mail(number) for number in range(1, 6)])
    whole = stuff(mail(3))
    scene.pop.cut[3] = cut if cut > 0 else len(whole) + cut
    scene.once(wanted=None)
    assert scene.pop.waiting() >= 3, "what was not complete, and all behind it, is still there"
    scene.pop.cut.clear()
    for _ in range(2):
        scene.once(wanted=None)
    scene.assert_whole(*[mail(number) for number in range(1, 6)])


@pytest.mark.parametrize("size", [b"1", b"99999999"], ids=["small", "large"])
def test_hazard_24_the_size_that_a_server_names_is_a_hint(base, closing, size):
    scene = Scene(closing, base, [mail(1), mail(2)])
    scene.pop.answer["LIST"] = lambda *_: b"+OK\r\n1 %s\r\n2 %s\r\n.\r\n" % (size, size)
    scene.once()
    scene.assert_whole(mail(1), mail(2))


def test_hazard_25_only_crlf_dot_crlf_ends_a_mail(base, closing):
    bodies = [b"a\r\n.\nQUIT\nb\r\n", b"a\n.\r\nb\r\n", b"a\n.\nb\r\n", b"a\r.\r\nb\r\n"]
    mails = [mail(number, body=body) for number, body in enumerate(bodies[:3], 1)] + [mail(5)]
    scene = Scene(closing, base, mails)
    scene.once(wanted=None)
    assert scene.delivered() == {ANNA: [1, 2, 3, 5]}, scene.fetch.why()
    for one in scene.store.accepted:
        original = mails[[1, 2, 3, 5].index(number_of(one.data))]
        assert realmail.is_same_below(one.data, original), one.data
        assert b"\n" not in one.data.replace(b"\r\n", b""), "the local server sees whole line ends only"


def test_hazard_26_dots_survive_every_split_of_the_input(base, closing):
    body = b".\r\n..\r\n...x\r\n.x\r\nx.\r\n\r\n.\r\n"
    whole = stuff(mail(1, body=body))
    tail = len(stuff(body)) + 2
    mails = [mail(number, body=body) for number in range(1, tail + 1)]
    scene = Scene(closing, base, mails)

    def in_two(session, argument):
        number = int(argument)
        wire = stuff(session.box[number - 1][1])
        at = len(wire) - number
        session.sock.sendall(b"+OK\r\n" + wire[:at])
        time.sleep(0.01)
        return wire[at:]
    scene.pop.answer["RETR"] = in_two
    scene.once()
    assert len(whole) > tail
    scene.assert_whole(*mails)


def test_hazard_27_a_bare_line_feed_becomes_a_line_end_or_waits(base, closing):
    bare = mail(1, body=b"one\ntwo\r\nthree\r\n")
    scene = Scene(closing, base, [bare])
    scene.once()
    assert scene.store.accepted[0].data.endswith(b"one\r\ntwo\r\nthree\r\n")
    for name in ("other", "cr"):
        (base / name).mkdir()
    other = Scene(closing, base / "other", [bare], bare_newline="quarantine")
    other.once(wanted=1)
    assert other.store.count() == 0 and other.waiting() == 1
    carriage = Scene(closing, base / "cr", [mail(2, body=b"one\rtwo\r\n")])
    carriage.once(wanted=1)
    assert carriage.store.count() == 0 and carriage.waiting() == 1


def test_hazard_28_nul_eight_bits_and_long_lines_pass_as_they_are(base, closing):
    mails = [mail(1, body=b"a\0b\r\n"), mail(2, body=bytes(range(128, 256)) + b"\r\n"),
             mail(3, body=b"x" * 900000 + b"\r\n"), mail(4, body=b"y" * 1100000 + b"\r\n")]
    store = closing.enter_context(LmtpFake(extensions=["PIPELINING"]))
    scene = Scene(closing, base, mails, store=store)
    scene.once(wanted=1)
    scene.assert_whole(*mails[:3])
    assert scene.waiting() == 1, "a line of more than 1 MiB"


def test_hazard_28_a_mail_that_the_local_server_rejects_waits(base, closing):
    scene = Scene(closing, base, [mail(1, body=b"a\0b\r\n"), mail(2)], links=1)
    scene.store.fault("data5", times=1)
    scene.once(wanted=1)
    assert scene.store.count() == 1 and scene.waiting() == 1 and set(scene.store.offered) == {ANNA}


def memory_kib(fetch):
    """The most memory that the running connector ever had."""
    found = re.search(r"VmHWM:\s+([0-9]+) kB", Path(f"/proc/{fetch.process.pid}/status").read_text())
    return int(found.group(1)) if found else 0


def test_hazard_29_a_huge_mail_costs_no_memory_and_one_over_the_limit_stays(base, closing):
    huge = mail(1, body=(b"z" * 998 + b"\r\n") * 60000)
    over = mail(2, body=(b"w" * 998 + b"\r\n") * 2000)
    scene = Scene(closing, base, [huge, mail(3)])
    scene.store.slow_s = 0.5
    most, samples = 0, 0
    scene.fetch.begin("--once")
    while scene.fetch.process.poll() is None:
        try:
            most, samples = max(most, memory_kib(scene.fetch)), samples + 1
        except OSError:
            break
        time.sleep(0.01)
    assert scene.fetch.wait() == 0, scene.fetch.why()
    scene.assert_whole(huge, mail(3))
    assert samples > 5 and most < 48 * 1024, f"{most} KiB for a mail of 60 MB"
    (base / "limit").mkdir()
    small = Scene(closing, base / "limit", [over, mail(4)], mail_bytes_max=1048576)
    done = small.once(wanted=None)
    assert small.delivered() == {ANNA: [4]} and small.pop.waiting() == 1
    assert not [words for words in small.pop.asked("RETR") if words == "1"]
    assert "mail_bytes_max" in done.stdout + done.stderr, small.fetch.why()


def test_hazard_29_a_mail_without_end_is_given_up(base, closing):
    """The listing says 300 bytes; the server goes on and on."""
    scene = Scene(closing, base, [mail(1), mail(2)], mail_bytes_max=1048576)
    scene.pop.wire[1] = stuff(mail(1, body=b"endless\r\n" * 500000))
    for _ in range(4):
        scene.once(wanted=None)
    assert scene.delivered() == {ANNA: [2]} and scene.pop.waiting() == 1, scene.fetch.why()


@pytest.fixture
def small_disk(base):
    """A file system of 24 MiB for the connector's state."""
    folder = base / "fetch" / "state"
    folder.mkdir(parents=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "quell-test", folder],
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a full disk cannot be made here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=False)


def test_hazard_30_a_full_disk_stops_the_collecting_and_deletes_nothing(base, closing, small_disk):
    mails = [mail(number, body=(b"%04d" % number + b"d" * 900 + b"\r\n") * 1100) for number in range(1, 41)]
    scene = Scene(closing, base, mails, free_bytes_min=0)
    scene.store.stop()
    done = scene.once(wanted=None)
    assert done.returncode in (69, 75), scene.fetch.why()
    assert scene.pop.asked("RETR"), scene.fetch.why()
    assert scene.pop.waiting() == 40, "a session that met a full disk deletes nothing more"
    assert "disk" in done.stdout + done.stderr
    scene.store.start()
    for _ in range(8):
        scene.once(wanted=None)
        if scene.store.count() == 40:
            break
        time.sleep(1)
    scene.assert_whole(*mails)
    assert scene.pop.waiting() == 0, scene.fetch.why()


LIES = {
    "two_answers_to_retr": ("RETR", b"+OK\r\nSubject: number 9\r\n\r\nx\r\n.\r\n+OK\r\n"),
    "neither_ok_nor_err": ("RETR", b"* OK here it is\r\n"),
    "ok_and_no_body": ("RETR", b"+OK\r\n"),
    "a_number_nobody_has": ("UIDL", b"+OK\r\n1 a\r\n3 c\r\n.\r\n"),
    "a_number_that_is_none": ("LIST", b"+OK\r\n1 100\r\nx 100\r\n.\r\n"),
    "numbers_beyond_count": ("LIST", b"+OK\r\n4294967297 100\r\n.\r\n"),
    "one_named_twice": ("UIDL", b"+OK\r\n1 a\r\n1 b\r\n.\r\n"),
    "a_line_without_end": ("CAPA", b"+OK " + b"x" * 200000),
}


@pytest.mark.parametrize("verb, answer", LIES.values(), ids=LIES)
def test_hazard_31_a_server_that_lies_is_left_and_nothing_is_deleted(base, closing, verb, answer):
    scene = Scene(closing, base, [mail(1), mail(2)])
    if verb == "RETR":
        scene.pop.capabilities.remove("PIPELINING")  # or the second answer is the next command's
    lied = []

    def lie(session, _):
        lied.append(verb)
        if verb == "RETR" and answer == b"+OK\r\n" or verb == "CAPA":
            session.sock.sendall(answer)
            return BREAK
        return answer
    scene.pop.answer[verb] = lie
    done = scene.once(wanted=None)
    assert lied and done.returncode in (1, 69, 75), scene.fetch.why()
    assert not [one for one in scene.store.accepted if not realmail.is_same_below(one.data, mail(1))
                and not realmail.is_same_below(one.data, mail(2))], scene.store.accepted
    scene.pop.answer.clear()
    for _ in range(2):
        scene.once(wanted=None)
    scene.assert_whole(mail(1), mail(2))


def test_hazard_31_a_listing_in_another_order_is_no_lie(base, closing):
    scene = Scene(closing, base, [mail(1), mail(2)])
    scene.pop.answer["UIDL"] = lambda session, _: b"+OK\r\n2 b\r\n1 a\r\n.\r\n" if len(session.box) == 2 else None
    scene.once()
    scene.assert_whole(mail(1), mail(2))
    assert scene.pop.waiting() == 0


def test_hazard_31_a_mail_whose_dots_are_not_doubled_is_not_delivered_by_half(base, closing):
    """What comes behind its first dot looks like an answer; the mail before and those behind are well."""
    scene = Scene(closing, base, [mail(1), mail(2, body=b"one\r\n.\r\ntwo\r\n"), mail(3), mail(4)])
    scene.pop.wire[2] = scene.pop.box[1][1] + b".\r\n"
    for _ in range(6):
        scene.once(wanted=None)
        scene.pop.wire.clear()
        at = next(at for at, entry in enumerate(scene.pop.box, 1) if entry[1].startswith(b"Return-Path: <s2@"))
        scene.pop.wire[at] = scene.pop.box[at - 1][1] + b".\r\n"
    assert scene.delivered() == {ANNA: [1, 3, 4]} and scene.pop.waiting() == 1, scene.fetch.why(60)


# ---- answers of the local server

def test_hazard_32_each_recipient_has_an_answer_of_its_own(base, closing):
    mails = [mail(1), mail(2, envelope=BOB), mail(3, envelope=CARA)]
    scene = Scene(closing, base, mails, [ANNA, BOB, CARA], box={"delete": "after-delivery"})
    scene.store.fault("rcpt4", BOB)
    scene.store.fault("data5", CARA)
    scene.once(wanted=(1, 75))
    assert scene.delivered() == {ANNA: [1]} and scene.waiting() == 1
    scene.store.mend()
    assert mail(2, envelope=BOB) in [data for _, data in scene.pop.box], "what was put off stays at the provider"
    assert set(scene.store.offered) <= {ANNA, BOB, CARA}
    assert scene.store.senders.count("s1@outside.example") == 1, "what was taken is not given again"


def test_hazard_33_a_connection_lost_after_the_dot_is_a_doubt_about_one_mail(base, closing):
    mails = [mail(number, envelope=(ANNA, BOB)[number % 2]) for number in range(1, 11)]
    scene = Scene(closing, base, mails, [ANNA, BOB], links=1)
    scene.store.fault("no_reply", BOB, times=1)
    scene.fetch.write(deliver_timeout="3s")
    for _ in range(3):
        scene.once(wanted=None)
    assert scene.waiting() == 1 and scene.store.count() == 10, scene.fetch.why()
    scene.assert_whole(*mails)


def test_hazard_34_each_transaction_has_one_recipient(base, closing):
    people = [f"p{at}@firm.example" for at in range(6)]
    scene = Scene(closing, base, [mail(1, to=", ".join(people), envelope=name) for name in people], people, links=1)
    scene.once()
    verbs = "".join(line[0].upper() for line in scene.store.commands if line[:4].upper() in ("MAIL", "RCPT", "DATA"))
    assert verbs == "MRD" * 6, verbs


def test_hazard_35_while_the_local_server_is_away_the_spool_has_a_mark(base, closing):
    mails = [mail(number, body=(b"%04d" % number + b"d" * 900 + b"\r\n") * 300) for number in range(1, 21)]
    scene = Scene(closing, base, mails, spool_bytes_max=2 << 20)
    scene.store.stop()
    for _ in range(2):
        scene.once(wanted=(69, 75))
    assert 12 <= scene.pop.waiting() <= 17, f"{scene.pop.waiting()} at the provider{scene.fetch.why()}"
    scene.store.start()
    for _ in range(8):
        scene.once(wanted=None)
        if scene.store.count() == 20:
            break
        time.sleep(1)
    scene.assert_whole(*mails)


def test_hazard_36_the_return_path_is_the_sender_for_a_store_and_hidden_from_a_relay(base, closing):
    mails = [mail(1), mail(2, sender=""), mail(3, sender="two@a.example> <b@c.example"), mail(4, sender="x" * 400 + "@y.example")]
    scene = Scene(closing, base, mails)
    scene.once()
    assert sorted(scene.store.senders) == ["", "", "", "s1@outside.example"]
    plain = closing.enter_context(LmtpFake(domains=["firm.example"]))
    dsn = closing.enter_context(LmtpFake(domains=["firm.example"], extensions=["DSN", "8BITMIME"]))
    for at, server in enumerate((plain, dsn)):
        pop = closing.enter_context(Pop3Fake([mail(1)]))
        Fetch(base / f"smtp{at}", server.smtp_url, {"firm": account(pop)}).once()
    assert plain.accepted[0].sender == "" and b"X-Quell-Return-Path: <s1@outside.example>" in plain.accepted[0].data
    assert dsn.accepted[0].sender == "s1@outside.example"
    assert [line for line in dsn.commands if "NOTIFY=NEVER" in line.upper()], dsn.commands


def test_hazard_37_no_refusal_makes_a_mail_to_anybody(base, closing):
    mails = [mail(number, sender=OUTSIDER) for number in range(1, 6)]
    scene = Scene(closing, base, mails)
    for step in ("rcpt5", "data5", "rcpt4", "data4", "mail4"):
        scene.store.fault(step, times=1)
    for _ in range(3):
        scene.once(wanted=None)
    assert set(scene.store.offered) == {ANNA}
    assert scene.store.count() + scene.waiting() <= 5
    assert all(number_of(one.data) for one in scene.store.accepted), "no mail of its own"


# ---- TLS, authentication, secrets

def tls_pop(closing, folder, mails, implicit, hosts=("localhost", "127.0.0.1")):
    certificates.authority(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.issue(folder, "pop", list(hosts)))
    return closing.enter_context(Pop3Fake(mails, tls=context, implicit=implicit))


def tls_box(folder, kind, **more):
    return {"tls": kind, "host": "localhost", "ca_file": str(folder / "ca.pem"), **more}


def test_hazard_38_the_name_is_checked_and_a_pin_counts(base, closing, tmp_path):
    pop = tls_pop(closing, tmp_path, [mail(1)], True, ["pop.other.example"])
    scene = Scene(closing, base, pop=pop, box=tls_box(tmp_path, "implicit"))
    scene.once(wanted=(69, 75))
    assert not pop.asked("PASS") and not pop.asked("AUTH") and scene.store.count() == 0
    scene.fetch.accounts["firm"]["pin"] = "0" * 64
    scene.fetch.write()
    scene.once(wanted=(69, 75))
    assert not pop.asked("PASS") and not pop.asked("AUTH")


@pytest.mark.parametrize("injected", [b"+OK\r\nPIPELINING\r\n.\r\n", b"-ERR gotcha\r\n", b"+OK\r\n+OK\r\n+OK\r\n"])
def test_hazard_39_plain_text_behind_stls_is_not_believed(base, closing, tmp_path, injected):
    pop = tls_pop(closing, tmp_path, [mail(1)], False)
    scene = Scene(closing, base, pop=pop, box=tls_box(tmp_path, "starttls-required"))
    pop.behind_stls = injected
    scene.once(wanted=None)
    plain = [line for session in pop.sessions if not session.is_tls for line in session.commands]
    assert not [line for line in plain if line.split()[0].upper() in ("USER", "PASS", "AUTH")], plain
    pop.behind_stls = b""
    scene.once()
    last = [line.split()[0].upper() for line in pop.sessions[-1].commands]
    assert "CAPA" in last[last.index("STLS"):], "what can be done is asked again inside TLS"
    scene.assert_whole(mail(1))


def test_hazard_40_the_weak_ways_to_sign_in_are_not_known(base, closing):
    scene = Scene(closing, base, [mail(1)])
    scene.pop.greeting = b"+OK ready <1896.697170952@pop.isp.example>\r\n"
    scene.pop.capabilities += ["SASL CRAM-MD5 NTLM DIGEST-MD5"]
    scene.once()
    scene.assert_whole(mail(1))
    said = [line.upper() for session in scene.pop.sessions for line in session.commands]
    assert not [line for line in said if line.startswith(("APOP", "AUTH"))], said


@pytest.mark.parametrize("auth", ["xoauth2", "oauthbearer"])
def test_hazard_41_a_token_is_given_in_two_steps(base, closing, auth):
    token = "ya29.token-of-anna"
    program = base / "token"
    program.write_text(f"#!/bin/sh\necho {token}\n")
    program.chmod(0o755)
    pop = closing.enter_context(Pop3Fake([mail(1)], capabilities=["UIDL", "TOP", "SASL XOAUTH2 OAUTHBEARER"]))
    said = []

    def sign_in(session, argument):
        said.append(argument)
        session.sock.sendall(b"+ \r\n")
        said.append(base64.b64decode(session.line()).decode())
        return pop.log_in(session)
    pop.answer["AUTH"] = sign_in
    scene = Scene(closing, base, pop=pop, box={"auth": auth, "token_command": [str(program)]})
    scene.fetch.accounts["firm"].pop("password_file")
    scene.fetch.write()
    done = scene.once()
    scene.assert_whole(mail(1))
    assert said[0].upper() == auth.upper(), "the token is not in the AUTH line"
    assert f"auth=Bearer {token}\x01" in said[1] and ("user=anna@" in said[1] or "a=anna@" in said[1]), said
    assert token not in done.stdout + done.stderr


def test_hazard_42_a_password_is_in_no_command_line_environment_or_log(base, closing):
    scene = Scene(closing, base, [mail(1)], links=1)
    scene.pop.answer["RETR"] = lambda *_: HANG
    secret = scene.pop.password
    scene.fetch.begin()
    proc.wait_until(lambda: scene.pop.asked("RETR"), 30, scene.fetch.why)
    for name in ("cmdline", "environ"):
        assert secret.encode() not in Path(f"/proc/{scene.fetch.process.pid}/{name}").read_bytes()
    scene.fetch.stop()
    assert secret not in scene.fetch.log.read_text()
    kept = [path for path in scene.fetch.state.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert not kept, kept


def test_hazard_43_a_wrong_password_is_tried_once(base, closing):
    scene = Scene(closing, base, [mail(1)])
    scene.pop.password = "another"
    scene.fetch.begin()
    proc.wait_until(lambda: scene.pop.asked("PASS"), 30, scene.fetch.why)
    time.sleep(5)
    assert len(scene.pop.asked("PASS")) == 1, "providers lock accounts"
    scene.fetch.stop()


def test_hazard_43_trouble_of_the_server_is_no_wrong_password(base, closing):
    scene = Scene(closing, base, [mail(1)])
    scene.pop.answer["PASS"] = lambda *_: b"-ERR [SYS/TEMP] try again later\r\n"
    scene.once(wanted=75)
    scene.pop.answer.clear()
    scene.once()
    scene.assert_whole(mail(1))


# ---- schedule

@pytest.mark.parametrize("answer", [b"-ERR [IN-USE] mailbox locked\r\n", b"-ERR maildrop already locked\r\n",
                                    b"-ERR lock busy! Is another session active?\r\n"], ids=["code", "locked", "busy"])
def test_hazard_44_a_busy_box_is_no_wrong_password(base, closing, answer):
    scene = Scene(closing, base, [mail(1)])
    scene.pop.answer["PASS"] = lambda *_: answer
    scene.once(wanted=75)
    scene.pop.answer.clear()
    scene.once()
    scene.assert_whole(mail(1))


def test_hazard_45_login_delay_is_obeyed(base, closing):
    scene = Scene(closing, base, [mail(1)])
    scene.pop.capabilities += ["LOGIN-DELAY 900"]
    with scene.fetch:
        proc.wait_until(lambda: scene.store.count() == 1, 30, scene.fetch.why)
        sessions = len(scene.pop.sessions)
        time.sleep(3)
        assert len(scene.pop.sessions) == sessions


def test_hazard_46_a_host_that_hangs_delays_no_other(base, closing):
    store = closing.enter_context(LmtpFake())
    hanging = closing.enter_context(Pop3Fake(user="slow@firm.example"))
    hanging.answer["CAPA"] = hanging.answer["USER"] = lambda *_: HANG
    boxes = {"a-slow": account(hanging, "slow@firm.example")}
    for at in range(6):
        pop = closing.enter_context(Pop3Fake([mail(at + 1)], user=f"p{at}@firm.example", address=f"127.0.0.{at + 2}"))
        boxes[f"box{at}"] = account(pop, f"p{at}@firm.example", host=f"127.0.0.{at + 2}")
    with Fetch(base / "fetch", store.url, boxes) as fetch:
        proc.wait_until(lambda: store.count() == 6, 30, lambda: f"{store.count()} of 6{fetch.why()}")
        assert hanging.sessions, "the hanging host was asked too"


def test_hazard_46_a_host_has_few_sessions_at_a_time(base, closing):
    store = closing.enter_context(LmtpFake())
    pops, boxes, most = [], {}, [0]
    for at in range(6):
        pop = closing.enter_context(Pop3Fake([mail(at + 1)], user=f"p{at}@firm.example"))
        pop.slow_s = 0.05
        pops.append(pop)
        boxes[f"box{at}"] = account(pop, f"p{at}@firm.example")

    def count(*_):
        most[0] = max(most[0], sum(1 for pop in pops for session in pop.sessions if not session.end))
    for pop in pops:
        pop.answer["RETR"] = pop.answer["UIDL"] = count
    Fetch(base / "fetch", store.url, boxes, per_host=2).once()
    assert store.count() == 6 and most[0] <= 2, f"{most[0]} sessions at once"


def test_hazard_47_mail_that_is_kept_stays_and_a_large_box_is_emptied_in_several_sessions(base, closing):
    mails = [mail(number) for number in range(1, 36)]
    scene = Scene(closing, base, mails, session_mails=10)
    scene.once()
    scene.assert_whole(*mails)
    assert scene.pop.waiting() == 0 and 4 <= len(scene.pop.sessions) <= 5
    (base / "days").mkdir()
    kept = Scene(closing, base / "days", mails[:5], box={"delete": "after-days", "delete_after": "30d"})
    kept.once()
    kept.once()
    kept.assert_whole(*mails[:5])
    assert kept.pop.waiting() == 5 and not kept.pop.asked("DELE")


def test_hazard_48_a_burst_is_spooled_and_not_delivered_until_a_person_looked(base, closing):
    scene = Scene(closing, base, [mail(1), mail(2)], burst_min=20)
    scene.once()
    scene.pop.put([mail(number) for number in range(3, 63)])
    done = scene.once(wanted=None)
    assert done.returncode != 0 and "adopt" in done.stdout + done.stderr, scene.fetch.why()
    assert scene.store.count() == 2, "deliveries wait"
    scene.once(wanted=None)
    assert scene.store.count() == 2
    assert scene.fetch.run("adopt", "firm", "--deliver").returncode == 0, scene.fetch.why()
    scene.once()
    scene.assert_whole(*[mail(number) for number in range(1, 63)])


def test_hazard_48_many_mails_of_one_content_open_the_breaker(base, closing):
    same = b"The very same text.\r\n"
    scene = Scene(closing, base, [mail(1, body=same), mail(2)], same_max=5)
    scene.once()
    scene.pop.put([mail(number, body=same).replace(b"number %d\r" % number, b"number 3\r") for number in range(3, 40)])
    scene.once(wanted=None)
    assert 2 <= scene.store.count() <= 2 + 5, f"{scene.store.count()} delivered{scene.fetch.why()}"


def test_hazard_49_no_program_is_run_for_a_mail(base, closing):
    scene = Scene(closing, base, [mail(number) for number in range(1, 40)])
    scene.store.slow_s = 0.02
    scene.fetch.begin("--once")
    children = set()
    while scene.fetch.process.poll() is None:
        try:
            tasks = Path(f"/proc/{scene.fetch.process.pid}/task").iterdir()
            children |= {word for task in tasks for word in (task / "children").read_text().split()}
        except OSError:
            break
        time.sleep(0.002)
    assert scene.fetch.wait() == 0 and scene.store.count() == 39 and not children, f"{children}{scene.fetch.why()}"


# Hazards, or sides of them, that cannot be shown from outside in a short time: who shows them.
ELSEWHERE = {
    12: "tests/real/test_fetch_kill.py::test_the_client_killed_ten_times_loses_nothing_and_doubles_nothing",
}


def test_every_hazard_is_here_or_named_with_its_test():
    for number, where in ELSEWHERE.items():
        path, _, name = where.partition("::")
        assert name in (Path(__file__).parents[2] / path).read_text(), f"hazard {number}: no {name} in {path}"
    here = {int(number) for number in re.findall(r"(?m)^def test_hazard_([0-9]{2})_", Path(__file__).read_text())}
    assert here | set(ELSEWHERE) == set(range(1, 50)), sorted(set(range(1, 50)) - here - set(ELSEWHERE))
