# SPDX-License-Identifier: Apache-2.0
"""`quell fetch` at faulty POP3 servers: each fault of the yardstick's badpop.py, and of our own fake, which keeps a diary.

For each fault the same question: which of its three mails are in the mailbox after five polls, and how often. Other
clients cut a mail short, gave the first one again at each poll, hung, or never came to the third.
"""
import collections
import os
import re
import sys
from pathlib import Path

import pytest
from quelltest import proc
from quelltest.fetch import Fetch, account
from quelltest.lmtp_fake import LmtpFake
from quelltest.pop3_fake import BODIES, MODES, Pop3Fake, simple_mail

pytestmark = pytest.mark.usefixtures("fetch_program")

OWNER = "user1@corp.example"
ALL_MODES = ("plain", *MODES)
WHOLE = {1: 1, 2: 1, 3: 1}
WANTED = {"drop": {1: 1, 3: 1}, "err": {1: 1, 3: 1}, "barecr": {}}  # mails: how often delivered
SUBJECT = re.compile(rb"(?m)^Subject: ([0-9]+)\r$")


def badpop_py():
    path = Path(os.environ.get("QUELL_SHARED", proc.TOP.parent / "shared")) / "yardstick/pop3/badpop.py"
    return path if path.exists() else None


class BadPop:
    """The yardstick's server as a process."""

    def __init__(self, base, name):
        self.port, self.user = proc.free_port(), OWNER
        self.process = proc.start([sys.executable, badpop_py(), self.port, name], base / "badpop.log")
        proc.wait_until(lambda: proc.can_connect(("127.0.0.1", self.port)), 10, "badpop.py listens")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        proc.stop(self.process, 0)


def our_server(base, name):
    server = Pop3Fake(user=OWNER)
    return server.mode(name) if name in MODES else server.mode("pipe")


@pytest.fixture(params=["badpop", "fake"])
def server(request):
    """make(base, mode): a server with this fault."""
    if request.param == "badpop" and not badpop_py():
        pytest.skip("badpop.py is not here (../shared/yardstick/pop3)")
    return BadPop if request.param == "badpop" else our_server


def normal(mail):
    return re.sub(rb"\r?\n", b"\n", mail)


@pytest.mark.parametrize("name", ALL_MODES)
def test_five_polls_of_a_faulty_server_deliver_whole_mails_once(base, closing, server, name):
    pop = closing.enter_context(server(base, name))
    store = closing.enter_context(LmtpFake())
    fetch = Fetch(base / "fetch", store.url, {"box": account(pop, OWNER)}, per_host=2)
    for _ in range(5):
        fetch.once(wanted=None, timeout_s=100)
    mails = store.boxes().get(OWNER, [])
    counts = collections.Counter(int(SUBJECT.search(mail).group(1)) for mail in mails)
    assert counts == WANTED.get(name, WHOLE), f"delivered {dict(counts)}{fetch.why(40)}"
    assert set(store.offered) <= {OWNER}, store.offered
    body = BODIES.get(name, b"line one\r\n")
    for mail in mails:
        number = int(SUBJECT.search(mail).group(1))
        assert normal(mail).endswith(normal(simple_mail(number, body))), f"{name}: mail {number} is changed"
        if name not in ("barelf", "smuggle"):
            assert mail.endswith(simple_mail(number, body)), f"{name}: line ends of mail {number} are changed"
    waiting = len(fetch.quarantine())
    assert waiting == (3 if name == "barecr" else 0), f"{waiting} in quarantine{fetch.why()}"


def test_a_dropped_mail_is_neither_delivered_nor_deleted(base, closing):
    pop = closing.enter_context(our_server(base, "drop"))
    store = closing.enter_context(LmtpFake())
    fetch = Fetch(base / "fetch", store.url, {"box": account(pop, OWNER)})
    for _ in range(5):
        fetch.once(wanted=None)
    assert [mail for _, mail in pop.box] == [simple_mail(2)], fetch.why()
    pop.cut.clear()
    fetch.once(wanted=None)
    assert pop.waiting() in (0, 1) and store.count() <= 3, fetch.why()


def test_a_refused_mail_is_asked_for_a_few_times_only_and_stays_at_the_provider(base, closing):
    pop = closing.enter_context(our_server(base, "err"))
    store = closing.enter_context(LmtpFake())
    fetch = Fetch(base / "fetch", store.url, {"box": account(pop, OWNER)})
    for _ in range(8):
        fetch.once(wanted=None)
    asked = collections.Counter(pop.asked("RETR"))
    assert [mail for _, mail in pop.box] == [simple_mail(2)], fetch.why()
    assert 2 <= asked["2"] + asked["1"] - 1 <= 6, f"{asked}{fetch.why()}"


def test_the_yardsticks_server_and_ours_have_the_same_faults():
    source = badpop_py()
    if not source:
        pytest.skip("badpop.py is not here (../shared/yardstick/pop3)")
    named = set(re.findall(r"mode==?'([a-z0-9]+)'", source.read_text()))
    assert named == set(MODES)
