# SPDX-License-Identifier: Apache-2.0
"""`quell fetch` between real servers: a provider's Dovecot by POP3, the firm's Dovecot by LMTP or Postfix before it.

Real mails (2,000 the plain way, else 300), whose To and Cc name hundreds of outsiders: each arrives once, in its mailbox and in no other, its
bytes as they were but for known fields on top. Counted in the maildirs.
"""
import collections
import re

import pytest
from quelltest import proc, realmail
from quelltest.dovecot import PrivateDovecot
from quelltest.fetch import Fetch, account, fetch_id, multidrop, stamp_of
from quelltest.relay import FirmPostfix

pytestmark = pytest.mark.usefixtures("fetch_program", "unpacked_dovecot")

BOX = "collect@isp.example"
PEOPLE = [f"{name}@firm.example" for name in ("anna", "bob", "cara", "dan", "eve", "finn", "gail", "hugh", "ida", "jan")]
NUMBER = re.compile(rb"\(Postfix\) with ESMTPS\s+id ([0-9A-F]{8})\n\tfor <")
ARRIVED_S = 120
FEW = 7  # one in so many: about 300 of 2,000, from all sets

# Written by whoever sent the mail, so below the provider's own lines: names that must mean nothing.
DECOYS = (b"X-Original-To: victim@outside.example\nDelivered-To: victim@outside.example\n"
          b"Resent-To: victim@outside.example, ida@firm.example\nResent-Cc: other@outside.example\n"
          b"Bcc: hidden@outside.example\nApparently-To: jan@firm.example\n"
          b"X-Envelope-To: victim@outside.example\n")


class Scene:
    """A provider's box with real mails in it, the firm's store, and what must arrive where."""

    def __init__(self, closing, base):
        self.provider = closing.enter_context(PrivateDovecot(base / "provider"))
        self.store = closing.enter_context(PrivateDovecot(base / "store"))
        self.stored, self.owner = {}, {}

    def fill(self, mails, owner_of):
        for number, mail in enumerate(mails, 1):
            if number % 5 == 0:
                mail = DECOYS + mail
            self.owner[number] = owner_of(number)
            self.stored[number] = realmail.as_stored(mail, number, self.owner[number])
        self.provider.put(BOX, self.stored.values())

    def wait_arrived(self):
        """Postfix has its own time; by LMTP everything has arrived already."""
        proc.wait_until(lambda: sum(self.store.users().values()) >= len(self.stored), ARRIVED_S,
                        lambda: f"{self.store.users()} of {len(self.stored)} mails")

    def assert_all_arrived_once(self, why):
        assert set(self.store.users()) == set(self.owner.values()), f"mailboxes {self.store.users()}{why()}"
        seen, changed, astray = collections.Counter(), [], []
        for user in self.store.users():
            for mail in self.store.mails(user):
                number = int(NUMBER.search(mail).group(1), 16)
                seen[number] += 1
                if self.owner[number] != user:
                    astray.append((number, user))
                if not realmail.is_same_below(mail, self.stored[number]):
                    changed.append(number)
                assert stamp_of(mail) and fetch_id(mail), "our stamp and our hop are on top"
        missing = [number for number in self.stored if not seen[number]]
        twice = {number: count for number, count in seen.items() if count > 1}
        assert not missing, f"{len(missing)} lost, such as {missing[:5]}{why()}"
        assert not twice, f"more than once: {list(twice.items())[:5]}{why()}"
        assert not astray, f"in the wrong mailbox: {astray[:5]}"
        assert not changed, f"{len(changed)} changed, such as {changed[:5]}"


@pytest.fixture
def scene(closing, base):
    return Scene(closing, base)


def way(scene, kind):
    """Settings of one of the three ways to the provider."""
    if kind == "none":
        return {"port": scene.provider.pop3}
    return {"host": "localhost", "tls": kind, "ca_file": str(scene.provider.ca),
            "port": scene.provider.pop3s if kind == "implicit" else scene.provider.pop3}


def assert_second_poll_is_quiet(scene, fetch):
    before = scene.store.users()
    fetch.once()
    assert scene.store.users() == before, f"mail came again{fetch.why()}"


@pytest.mark.parametrize("tls, delete, socket", [("none", "after-spool", "unix"), ("implicit", "after-delivery", "tcp"),
                                                 ("starttls-required", "never", "unix")],
                         ids=["plain_to_unix_socket", "pop3s_to_tcp", "stls_to_unix_socket"])
def test_the_mails_of_one_owner_arrive_once(base, scene, real_mails, tls, delete, socket):
    scene.fill(real_mails if tls == "none" else real_mails[::FEW], lambda _: PEOPLE[0])
    store = f"lmtp:unix:{scene.store.lmtp_path}" if socket == "unix" else f"lmtp://127.0.0.1:{scene.store.lmtp_port}"
    box = account((0, BOX), PEOPLE[0], delete=delete, **{**way(scene, tls)})
    fetch = Fetch(base / "fetch", store, {"anna": box})
    fetch.once(timeout_s=300)
    scene.assert_all_arrived_once(fetch.why)
    assert_second_poll_is_quiet(scene, fetch)
    left = scene.provider.count(BOX)
    assert left == (len(scene.stored) if delete == "never" else 0), f"{left} mails at the provider{fetch.why()}"
    scene.assert_all_arrived_once(fetch.why)
    if tls != "none":
        assert "TLS," in scene.provider.log.read_text() and "secured, session" not in _logins(scene.provider)


def _logins(provider):
    return "\n".join(line for line in provider.log.read_text().splitlines() if f"Login: user=<{BOX}>" in line)


@pytest.mark.parametrize("tls, delete", [("none", "after-delivery"), ("implicit", "after-spool")], ids=["plain", "pop3s"])
def test_the_mails_of_ten_people_arrive_once_each_at_its_own(base, scene, real_mails, tls, delete):
    scene.fill(real_mails if tls == "none" else real_mails[::FEW], lambda number: PEOPLE[number * 7 % len(PEOPLE)])
    box = multidrop((0, BOX), PEOPLE, delete=delete, **way(scene, tls))
    fetch = Fetch(base / "fetch", f"lmtp:unix:{scene.store.lmtp_path}", {"firm": box})
    fetch.once(timeout_s=300)
    scene.assert_all_arrived_once(fetch.why)
    assert_second_poll_is_quiet(scene, fetch)
    assert scene.provider.count(BOX) == 0


@pytest.mark.parametrize("is_multidrop", [False, True], ids=["single", "multidrop"])
def test_through_postfix_all_arrive_once_and_nothing_leaves_the_firm(base, closing, scene, sink, real_mails,
                                                                     is_multidrop):
    scene.fill(real_mails[::FEW], lambda number: PEOPLE[number % len(PEOPLE) if is_multidrop else 0])
    postfix = closing.enter_context(FirmPostfix(base / "postfix", f"unix:{scene.store.lmtp_path}", sink.port))
    words = {"delete": "after-spool", **way(scene, "none")}
    box = multidrop((0, BOX), PEOPLE, **words) if is_multidrop else account((0, BOX), PEOPLE[0], **words)
    fetch = Fetch(base / "fetch", postfix.url, {"firm": box})
    fetch.once(timeout_s=300)
    scene.wait_arrived()
    scene.assert_all_arrived_once(fetch.why)
    assert_second_poll_is_quiet(scene, fetch)
    proc.wait_until(lambda: not postfix.queue_length(), 20, "Postfix's queue is empty")
    assert scene.provider.count(BOX) == 0
    assert sink.total() == 0, f"left the firm: {list(sink.pairs())[:5]}"


def test_mail_that_comes_between_two_polls_comes_with_the_second_only(base, scene, real_mails):
    scene.fill(real_mails[:50], lambda _: PEOPLE[0])
    box = account((scene.provider.pop3, BOX), PEOPLE[0], delete="never")
    fetch = Fetch(base / "fetch", f"lmtp:unix:{scene.store.lmtp_path}", {"anna": box})
    fetch.once()
    more = {number: realmail.as_stored(mail, number, PEOPLE[0]) for number, mail in enumerate(real_mails[50:80], 51)}
    scene.stored.update(more)
    scene.owner.update({number: PEOPLE[0] for number in more})
    scene.provider.put(BOX, more.values())
    fetch.once()
    scene.assert_all_arrived_once(fetch.why)
    assert scene.provider.count(BOX) == 80


def test_a_daemon_collects_and_ends_at_sigterm(base, scene, real_mails):
    scene.fill(real_mails[:100], lambda _: PEOPLE[0])
    box = account((scene.provider.pop3, BOX), PEOPLE[0])
    with Fetch(base / "fetch", f"lmtp:unix:{scene.store.lmtp_path}", {"anna": box}) as fetch:
        proc.wait_until(lambda: scene.store.count(PEOPLE[0]) >= 100, 60, lambda: f"all arrived{fetch.why()}")
        assert fetch.stop() == 0, fetch.why()
    scene.assert_all_arrived_once(fetch.why)
    assert scene.provider.count(BOX) == 0


@pytest.mark.parametrize("word", ["--dry-run", "--check"])
def test_looking_changes_nothing_anywhere(base, scene, real_mails, word):
    scene.fill(real_mails[:20], lambda _: PEOPLE[0])
    box = account((scene.provider.pop3, BOX), PEOPLE[0])
    fetch = Fetch(base / "fetch", f"lmtp:unix:{scene.store.lmtp_path}", {"anna": box})
    assert fetch.run(word).returncode == 0, fetch.why()
    assert scene.provider.count(BOX) == 20 and not scene.store.users(), fetch.why()
    fetch.once()
    scene.assert_all_arrived_once(fetch.why)
