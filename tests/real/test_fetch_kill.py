# SPDX-License-Identifier: Apache-2.0
"""`quell fetch` and each of its neighbours killed at any moment, then run again to the end: nothing lost, nothing twice.

What counts is what the local server took: a mail that it took and whose answer was lost is in doubt, and may be in
quarantine as well, but is never given again unasked. A mail is lost when it is in no mailbox, not in quarantine, and
no longer at the provider.
"""
import collections
import random
import re
import time

import pytest
from quelltest import proc
from quelltest.dovecot import PrivateDovecot
from quelltest.fetch import Fetch, account, multidrop
from quelltest.lmtp_fake import LmtpFake
from quelltest.pop3_fake import BREAK, Pop3Fake

pytestmark = pytest.mark.usefixtures("fetch_program")

COUNT = 400
PEOPLE = ["anna@firm.example", "bob@firm.example", "cara@firm.example"]
KEY = re.compile(rb"Reference: (M-[0-9]+)")
WORDS = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november".split()


def mails(count=COUNT, seed=7):
    """{key: (owner, mail with CRLF)}: different texts, as the storm's engine must not think them one."""
    chance = random.Random(seed)
    made = {}
    for number in range(1, count + 1):
        key, owner = f"M-{number:04d}", PEOPLE[number % len(PEOPLE)]
        text = "\r\n".join(" ".join(chance.choice(WORDS) for _ in range(9)) for _ in range(12))
        made[key] = (owner, (
            f"Return-Path: <s{number}@outside.example>\r\nX-Original-To: {owner}\r\n"
            f"Received: from out.outside.example ([192.0.2.7]) by mx1.isp.example with ESMTP id {number:06X};\r\n"
            f"\tTue, 6 Jan 2026 10:00:00 +0000\r\nFrom: s{number}@outside.example\r\nTo: {owner}\r\n"
            f"Subject: {chance.choice(WORDS)} {number}\r\nMessage-ID: <{number}.{chance.random()}@outside.example>\r\n"
            f"Date: Tue, 6 Jan 2026 10:00:00 +0000\r\n\r\n{text}\r\nReference: {key}\r\n").encode())
    return made


def key_of(mail):
    return KEY.search(mail).group(1).decode()


class Scene:
    """A fake provider and a fake local server with COUNT mails between them."""

    def __init__(self, closing, base, count=COUNT, **settings):
        self.mails = mails(count)
        self.pop = closing.enter_context(Pop3Fake([mail for _, mail in self.mails.values()]))
        self.store = closing.enter_context(LmtpFake(base / "store.sock"))
        self.fetch = Fetch(base / "fetch", self.store.url, {"firm": multidrop(self.pop, PEOPLE)}, **settings)

    def counts(self):
        """{(key, mailbox): acceptances}"""
        return collections.Counter((key_of(data), owner) for owner, boxed in self.store.boxes().items()
                                   for data in boxed)

    def finish(self, tries=6):
        """Run to the end: until nothing waits, nor is at the provider but what a person has to decide first."""
        for _ in range(tries):
            done = self.fetch.once(wanted=None, timeout_s=180)
            doubtful = len(self.fetch.quarantine()) if self.fetch.accounts["firm"]["delete"] == "after-delivery" else 0
            if done.returncode in (0, 1) and self.pop.waiting() <= doubtful:
                return
            time.sleep(1)
        raise AssertionError(f"not finished after {tries} runs; {self.pop.waiting()} at the provider{self.fetch.why()}")

    def assert_nothing_lost_and_nothing_twice(self, doubts=0):
        counts, rows = self.counts(), self.fetch.quarantine()
        twice = {pair: count for pair, count in counts.items() if count > 1}
        assert not twice, f"taken more than once: {list(twice.items())[:5]}{self.fetch.why()}"
        astray = [pair for pair in counts if self.mails[pair[0]][0] != pair[1]]
        assert not astray, f"in a wrong mailbox: {astray[:5]}"
        missing = [key for key, (owner, _) in self.mails.items() if not counts[(key, owner)]]
        assert len(missing) <= len(rows), (f"{len(missing)} lost, such as {missing[:5]}; {len(rows)} in "
                                           f"quarantine{self.fetch.why()}")
        assert len(rows) <= doubts, f"{len(rows)} in quarantine, {doubts} could be in doubt{self.fetch.why()}"


def poked(scene, at_s, poke):
    """Start one pass, poke after so long; was it still running?"""
    scene.fetch.begin("--once")
    time.sleep(at_s)
    return poke()


@pytest.mark.parametrize("delete", ["after-spool", "after-delivery"])
def test_the_client_killed_ten_times_loses_nothing_and_doubles_nothing(base, closing, delete):
    scene = Scene(closing, base, links=4)
    scene.fetch.accounts["firm"]["delete"] = delete
    scene.fetch.write()
    scene.pop.slow_s, scene.store.slow_s = 0.002, 0.004
    kills, chance = 0, random.Random(3)
    for _ in range(10):
        kills += poked(scene, chance.uniform(0.02, 0.5), scene.fetch.kill9)
    scene.pop.slow_s = scene.store.slow_s = 0.0
    scene.finish()
    assert kills >= 3, "the connector was killed at work"
    scene.assert_nothing_lost_and_nothing_twice(doubts=4 * kills)  # one a link


def test_killed_while_it_collects_it_collects_again_and_delivers_once(base, closing):
    scene = Scene(closing, base)
    reached = []

    def slow_mail(session, argument):
        reached.append(argument)
        time.sleep(0.3 if argument == "150" else 0)
    scene.pop.answer["RETR"] = slow_mail
    scene.fetch.begin("--once")
    proc.wait_until(lambda: "150" in reached, 60, lambda: f"mail 150 is asked for{scene.fetch.why()}")
    assert scene.fetch.kill9()
    assert scene.pop.waiting() + len(scene.pop.gone) == COUNT
    scene.finish()
    scene.assert_nothing_lost_and_nothing_twice(doubts=8)


def test_the_pop3_server_killed_at_work_costs_nothing(base, closing):
    scene = Scene(closing, base)
    for after in (40, 130):
        base_count = len(scene.pop.asked("RETR"))
        scene.pop.slow_s = 0.003
        scene.fetch.begin("--once")
        proc.wait_until(lambda: len(scene.pop.asked("RETR")) >= base_count + after, 60, scene.fetch.why)
        scene.pop.stop()
        assert scene.fetch.wait(60) in (69, 75), scene.fetch.why()
        scene.pop.start()
    scene.pop.slow_s = 0.0
    scene.finish()
    scene.assert_nothing_lost_and_nothing_twice()


def test_the_local_server_killed_at_work_costs_nothing_but_doubts(base, closing):
    scene = Scene(closing, base, links=4)
    scene.store.slow_s = 0.01
    for taken in (30, 90, 200):
        scene.fetch.begin("--once")
        proc.wait_until(lambda: scene.store.count() >= taken, 60, scene.fetch.why)
        scene.store.stop()
        assert scene.fetch.wait(60) in (0, 1, 69, 75), scene.fetch.why()
        scene.store.start()
    scene.store.slow_s = 0.0
    scene.finish()
    scene.assert_nothing_lost_and_nothing_twice(doubts=3 * 4)


def test_a_daemon_whose_local_server_comes_back_goes_on_by_itself(base, closing):
    scene = Scene(closing, base, count=60)
    scene.store.stop()
    with scene.fetch as fetch:
        proc.wait_until(lambda: scene.pop.waiting() == 0, 60, lambda: f"all is in the spool{fetch.why()}")
        assert scene.store.count() == 0
        scene.store.start()
        proc.wait_until(lambda: scene.store.count() >= 60, 180, lambda: f"all is delivered{fetch.why()}")
    scene.assert_nothing_lost_and_nothing_twice()


def write_search(path, store):
    """The administrator's program that looks for a mail in a mailbox; the running Dovecot's namespace is in it."""
    words = store.doveadm("search", "-u", '"$1"', "HEADER", "X-Quell-Fetch", '"$2"')
    path.write_text(f"#!/bin/sh\nexec {' '.join(words)}\n")
    path.chmod(0o755)


def test_a_killed_dovecot_store_and_a_search_settle_every_doubt(base, closing, unpacked_dovecot):
    """With in_doubt: search each mail is in its mailbox once at the end, and none waits for a person."""
    made = mails()
    pop = closing.enter_context(Pop3Fake([mail for _, mail in made.values()]))
    store = closing.enter_context(PrivateDovecot(base / "store"))
    search = base / "search"
    fetch = Fetch(base / "fetch", f"lmtp:unix:{store.lmtp_path}", {"firm": multidrop(pop, PEOPLE)}, links=4,
                  in_doubt="search", in_doubt_search=[str(search), "%u", "%i"])
    write_search(search, store)
    for taken in (40, 120, 250):
        fetch.begin("--once")
        proc.wait_until(lambda: sum(store.users().values()) >= taken, 60, fetch.why)
        if taken == 120:
            fetch.kill9()
        store.kill9()
        if fetch.process:
            fetch.wait(90)
        store.start()
        write_search(search, store)
    for _ in range(4):
        if fetch.once(wanted=None, timeout_s=180).returncode == 0 and not pop.waiting():
            break
    counts = collections.Counter((key_of(mail), user) for user in store.users() for mail in store.mails(user))
    assert not fetch.quarantine(), fetch.why()
    assert counts == {(key, owner): 1 for key, (owner, _) in made.items()}, (
        f"{len(counts)} of {COUNT}; twice {[pair for pair, count in counts.items() if count > 1][:5]}{fetch.why()}")


def test_the_last_word_of_the_session_lost_deletes_at_the_next_poll_and_delivers_once(base, closing):
    scene = Scene(closing, base, count=30)
    scene.pop.answer["QUIT"] = lambda *_: BREAK
    scene.fetch.once(wanted=None)
    assert scene.pop.waiting() == 30 and scene.store.count() == 30, scene.fetch.why()
    del scene.pop.answer["QUIT"]
    scene.finish()
    scene.assert_nothing_lost_and_nothing_twice()
    assert len(scene.pop.asked("RETR")) == 30, "what is in the spool is not asked for again"


def test_a_single_owner_account_survives_the_same(base, closing):
    scene = Scene(closing, base, count=120)
    owned = {key: ("anna@firm.example", mail) for key, (_, mail) in scene.mails.items()}
    scene.mails = owned
    scene.fetch.accounts["firm"] = {**account(scene.pop), "password_file": scene.fetch.accounts["firm"]["password_file"]}
    scene.fetch.write()
    scene.store.slow_s = 0.005
    kills = sum(poked(scene, at_s, scene.fetch.kill9) for at_s in (0.1, 0.15, 0.2, 0.3))
    scene.store.slow_s = 0.0
    scene.finish()
    scene.assert_nothing_lost_and_nothing_twice(doubts=8 * kills)
