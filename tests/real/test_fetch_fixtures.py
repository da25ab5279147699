# SPDX-License-Identifier: Apache-2.0
"""What the tests of `quell fetch` stand on is itself tried with other programs: poplib, smtplib, mpop, fetchmail.

A fixture that is wrong makes tests pass or fail for nothing, so each fake must be ordinary to an ordinary client,
and each fault must be seen by one.
"""
import poplib
import smtplib
import socket
import ssl
import subprocess

import pytest
from quelltest import certificates, collectors, dovecot, proc, realmail
from quelltest.lmtp_fake import LmtpFake
from quelltest.pop3_fake import BODIES, MODES, Pop3Fake, simple_mail, stuff

USER = "anna@firm.example"
MAILS = [simple_mail(number, b"line one\r\n.dot\r\n..two\r\n") for number in range(1, 21)]


def sign_in(port, password=dovecot.PASSWORD, client=None):
    client = client or poplib.POP3("127.0.0.1", port, timeout=10)
    client.user(USER)
    client.pass_(password)
    return client


def bytes_of(client, number):
    return b"".join(line + b"\r\n" for line in client.retr(number)[1])


@pytest.fixture
def unpacked_collectors():
    try:
        collectors.find_tree()
    except RuntimeError:
        subprocess.run(["bash", "-c", ". tests/setup && setup_collectors"], cwd=proc.TOP, check=True, timeout=300)


# ---- the POP3 fake

def test_the_pop3_fake_is_an_ordinary_server_to_an_ordinary_client():
    with Pop3Fake(MAILS) as pop:
        client = sign_in(pop.port)
        assert client.stat() == (20, sum(len(mail) for mail in MAILS))
        assert client.uidl()[1][:2] == [b"1 u1", b"2 u2"] and client.list(2).startswith(b"+OK 2 ")
        assert [bytes_of(client, number) for number in (1, 20)] == [MAILS[0], MAILS[19]]
        assert client.top(3, 1)[1][-1] == b"line one"
        client.dele(1)
        with pytest.raises(poplib.error_proto):
            client.retr(1)
        client.close()
        assert pop.waiting() == 20, "without QUIT nothing is deleted"
        client = sign_in(pop.port)
        client.dele(1)
        client.quit()
        proc.wait_until(lambda: pop.waiting() == 19, 5, "the mail is gone")
        assert pop.gone == [MAILS[0]] and pop.asked("RETR") == ["1", "20", "1"]


def test_the_pop3_fake_refuses_a_wrong_password():
    with Pop3Fake(MAILS) as pop, pytest.raises(poplib.error_proto, match="AUTH"):
        sign_in(pop.port, "wrong")


@pytest.mark.parametrize("implicit", [True, False], ids=["pop3s", "stls"])
def test_the_pop3_fake_speaks_tls_with_our_own_authority(tmp_path, implicit):
    authority = certificates.authority(tmp_path)
    pair = certificates.issue(tmp_path, "pop", ["localhost", "127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    believing = ssl.create_default_context(cafile=authority)
    with Pop3Fake(MAILS, tls=context, implicit=implicit) as pop:
        if implicit:
            client = poplib.POP3_SSL("127.0.0.1", pop.port, context=believing, timeout=10)
        else:
            client = poplib.POP3("127.0.0.1", pop.port, timeout=10)
            assert "STLS" in client.capa()
            client.stls(believing)
        assert bytes_of(sign_in(pop.port, client=client), 2) == MAILS[1]
        client.quit()
    wrong = certificates.issue(tmp_path, "other", ["pop.other.example"])
    context.load_cert_chain(*wrong)
    with Pop3Fake(MAILS, tls=context, implicit=True) as pop, pytest.raises(ssl.SSLCertVerificationError):
        poplib.POP3_SSL("127.0.0.1", pop.port, context=believing, timeout=10)


@pytest.mark.parametrize("name", MODES)
def test_each_fault_of_the_pop3_fake_is_seen_by_a_client(name):
    with Pop3Fake().mode(name) as pop:
        client = sign_in(pop.port)
        if name == "drop":
            with pytest.raises((poplib.error_proto, OSError)):
                client.retr(2)
        elif name == "err":
            with pytest.raises(poplib.error_proto, match="cannot read"):
                client.retr(2)
            assert bytes_of(client, 3) == simple_mail(3)
        elif name == "nouidl":
            with pytest.raises(poplib.error_proto):
                client.uidl()
        elif name in ("dupuidl", "newuidl"):
            assert client.uidl()[1][0] == (b"1 same" if name == "dupuidl" else b"1 reset0")
        else:
            assert ("PIPELINING" in client.capa()) == (name == "pipe")
            assert pop.box[1][1].endswith(BODIES.get(name, b"line one\r\n"))


def test_mails_go_over_the_wire_with_their_dots_doubled_once():
    assert stuff(b".a\r\n..b\r\nc.\r\n") == b"..a\r\n...b\r\nc.\r\n.\r\n"
    assert stuff(b"x") == b"x\r\n.\r\n"


# ---- the LMTP fake

def talk(store, recipients=("anna@firm.example", "bob@firm.example")):
    """One mail by LMTP: {recipient: reply} of those refused."""
    client = smtplib.LMTP("127.0.0.1", store.port, timeout=5)
    try:
        return client.sendmail("s@outside.example", list(recipients), MAILS[0])
    finally:
        client.close()


def test_the_lmtp_fake_takes_mail_for_each_recipient_and_keeps_its_bytes():
    with LmtpFake() as store:
        assert not talk(store)
        assert store.boxes() == {"anna@firm.example": [MAILS[0]], "bob@firm.example": [MAILS[0]]}
        assert store.accepted[0].sender == "s@outside.example"


@pytest.mark.parametrize("step", ["rcpt4", "rcpt5", "data4", "data5"])
def test_the_lmtp_fake_refuses_one_recipient_and_no_other(step):
    with LmtpFake() as store:
        store.fault(step, "bob@firm.example", times=1)
        with LmtpTalk(store) as lmtp:
            replies = lmtp.mail(["anna@firm.example", "bob@firm.example"])
            assert [reply[:1] for reply in replies] == [b"2", b"4" if step.endswith("4") else b"5"]
            assert lmtp.mail(["bob@firm.example"]) == [b"250 2.1.5 taken"], "once only"
        assert [one.recipient for one in store.accepted] == ["anna@firm.example", "bob@firm.example"]


@pytest.mark.parametrize("step, is_taken", [("drop_before_dot", False), ("drop_after_dot", True),
                                            ("lose_after_dot", False), ("no_reply", True), ("few_replies", True)])
def test_the_lmtp_fake_breaks_off_where_it_is_told(step, is_taken):
    with LmtpFake() as store:
        store.fault(step, times=1)
        with LmtpTalk(store, timeout_s=1) as lmtp, pytest.raises((OSError, EOFError)):
            lmtp.mail(["anna@firm.example"])
        assert store.count() == (1 if is_taken else 0)


def test_the_lmtp_fake_as_smtp_server_relays_for_its_domains_only():
    with LmtpFake(domains=["firm.example"]) as store:
        with smtplib.SMTP("127.0.0.1", store.port, timeout=5) as client:
            refused = client.sendmail("s@outside.example", ["anna@firm.example", "x@outside.example"], MAILS[0])
        assert list(refused) == ["x@outside.example"] and list(store.boxes()) == ["anna@firm.example"]
        assert store.offered == ["anna@firm.example", "x@outside.example"]


class LmtpTalk:
    """A little LMTP client that shows each reply: smtplib hides those after the dot."""

    def __init__(self, store, timeout_s=5):
        self.sock = socket.create_connection(("127.0.0.1", store.port), timeout_s)
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        self._reply()
        self._ask(b"LHLO tester.example")
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def _reply(self):
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError
            if line[3:4] != b"-":
                return line.rstrip()

    def _ask(self, line):
        self.sock.sendall(line + b"\r\n")
        return self._reply()

    def mail(self, recipients, data=MAILS[0]):
        """The last word on each recipient."""
        self._ask(b"MAIL FROM:<s@outside.example>")
        words = [self._ask(b"RCPT TO:<" + name.encode() + b">") for name in recipients]
        taken = [at for at, word in enumerate(words) if word.startswith(b"2")]
        if taken and self._ask(b"DATA").startswith(b"354"):
            self.sock.sendall(stuff(data))
            for at in taken:
                words[at] = self._reply()
        return words


# ---- Dovecot, and other clients at all of them

@pytest.fixture
def store(base, unpacked_dovecot):
    with dovecot.PrivateDovecot(base / "dovecot") as server:
        yield server


def test_dovecot_gives_by_pop3_pop3s_and_stls_and_takes_by_lmtp(store):
    store.put(USER, [mail.replace(b"\r\n", b"\n") for mail in MAILS])
    believing = ssl.create_default_context(cafile=store.ca)
    plain = sign_in(store.pop3)
    assert bytes_of(plain, 3) == MAILS[2]
    plain.dele(1)
    plain.quit()
    implicit = sign_in(0, client=poplib.POP3_SSL("localhost", store.pop3s, context=believing, timeout=10))
    assert implicit.stat()[0] == 19
    implicit.quit()
    later = poplib.POP3("localhost", store.pop3, timeout=10)
    later.stls(believing)
    assert bytes_of(sign_in(0, client=later), 1) == MAILS[1]
    later.quit()
    with pytest.raises(poplib.error_proto, match="AUTH"):
        sign_in(store.pop3, "wrong")
    for address in (str(store.lmtp_path), "127.0.0.1"):
        client = smtplib.LMTP(address, store.lmtp_port if address[0] != "/" else 0, timeout=10)
        client.sendmail("s@outside.example", ["bob@firm.example"], MAILS[4])
        client.quit()
    assert store.users() == {USER: 19, "bob@firm.example": 2}
    assert all(realmail.is_same_below(mail, MAILS[4]) for mail in store.mails("bob@firm.example"))
    found = subprocess.run(store.doveadm("search", "-u", "bob@firm.example", "HEADER", "Subject", "5"),
                           capture_output=True, text=True, timeout=20)
    assert len(found.stdout.splitlines()) == 2, found.stderr


def test_dovecot_with_known_users_refuses_all_others(base, unpacked_dovecot):
    with dovecot.PrivateDovecot(base / "dovecot", known=["bob@firm.example"]) as server:
        client = smtplib.LMTP(str(server.lmtp_path), timeout=10)
        refused = client.sendmail("s@outside.example", ["bob@firm.example", "eve@firm.example"], MAILS[0])
        client.quit()
        assert list(refused) == ["eve@firm.example"] and server.users() == {"bob@firm.example": 1}


def test_mpop_empties_dovecots_box_and_the_fakes(base, store, unpacked_collectors):
    store.put(USER, [mail.replace(b"\r\n", b"\n") for mail in MAILS])
    with Pop3Fake(MAILS) as pop:
        for name, port in (("real", store.pop3), ("fake", pop.port)):
            command, environment, maildir = collectors.mpop(base / name, port, USER, dovecot.PASSWORD)
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            found = sorted(path.read_bytes().replace(b"\r\n", b"\n") for path in (maildir / "new").iterdir())
            assert found == sorted(mail.replace(b"\r\n", b"\n") for mail in MAILS)
        assert pop.waiting() == 0 and store.count(USER) == 0


def test_fetchmail_and_getmail_deliver_to_the_lmtp_fake(base, unpacked_collectors):
    with LmtpFake() as lmtp:
        for make in (collectors.fetchmail, collectors.getmail):
            before = lmtp.count()
            with Pop3Fake(MAILS[:5]) as pop:
                command, environment = make(base / make.__name__, pop.port, USER, dovecot.PASSWORD, lmtp.port,
                                            "anna@firm.example")
                done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
                assert done.returncode == 0, done.stdout + done.stderr
                assert lmtp.count() == before + 5 and pop.waiting() == 0
        assert set(lmtp.boxes()) == {"anna@firm.example"}


@pytest.mark.parametrize("delivered, is_same", [
    (b"Received: a\r\n\tb\r\nX-Quell-Fetch: i=1\r\nA: 1\r\n\r\nx\r\n", True), (b"A: 1\n\nx\n", True),
    (b"Cc: evil\nA: 1\n\nx\n", False), (b"Received: a\n\nA: 1\n\nx\n", False), (b"A: 1\n\nx\n\n", False),
    (b"A: 1\n\ny\n", False), (b"", False)])
def test_only_known_fields_may_stand_above_a_collected_mail(delivered, is_same):
    assert realmail.is_same_below(delivered, b"A: 1\r\n\r\nx\r\n") == is_same


def test_the_ordinary_mails_are_many_and_all_different(real_mails):
    assert len(set(real_mails)) == len(real_mails) == 2000
    assert not any(mail.startswith(b"From ") for mail in real_mails)
