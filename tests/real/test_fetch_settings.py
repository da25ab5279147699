# SPDX-License-Identifier: Apache-2.0
"""What `quell fetch` says when something is set wrong or not there: one clear line, the right exit status, no mail lost.

Statuses: 65 settings that must be mended, 69 the local server is away, 75 an account could not be polled (a wrong
password too), 1 something new in quarantine.
"""
import os
import ssl
import time

import pytest
from quelltest import certificates, proc
from quelltest.fetch import Fetch, account, multidrop
from quelltest.lmtp_fake import LmtpFake
from quelltest.pop3_fake import Pop3Fake, simple_mail

pytestmark = pytest.mark.usefixtures("fetch_program")

OWNER = "anna@firm.example"
MAILS = [simple_mail(number) for number in range(1, 6)]


@pytest.fixture
def pop():
    with Pop3Fake(MAILS) as server:
        yield server


@pytest.fixture
def store():
    with LmtpFake() as server:
        yield server


def assert_one_clear_line(done, *words):
    """Among what it printed is a line with all these words, and nothing like a crash."""
    text = done.stdout + done.stderr
    lines = [line for line in text.splitlines() if all(word.lower() in line.lower() for word in words)]
    assert lines, f"no line has {words}:\n{text}"
    assert "Sanitizer" not in text and "Assertion" not in text
    return lines


def assert_untouched(pop, store):
    assert pop.waiting() == len(MAILS) and store.count() == 0


# ---- refused before anything is asked

@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_password_file_that_others_may_read_is_refused_with_the_mend(base, pop, store, mode):
    fetch = Fetch(base / "fetch", store.url, {"anna": account(pop)})
    path = fetch.write_password("anna", pop.password, mode)
    done = fetch.once(wanted=75)
    assert_one_clear_line(done, "chmod 600", path.name)
    assert not pop.asked("PASS") and pop.password not in done.stdout + done.stderr
    assert_untouched(pop, store)
    path.chmod(0o600)
    fetch.once()
    assert store.count() == len(MAILS)


def test_a_password_in_an_open_settings_file_is_refused(base, pop, store):
    fetch = Fetch(base / "fetch", store.url, {"anna": {**account(pop), "password_file": ""}})
    fetch.accounts["anna"].pop("password_file")
    fetch.accounts["anna"]["password"] = pop.password
    fetch.write()
    fetch.config.chmod(0o644)
    done = fetch.once(wanted=65)
    assert_one_clear_line(done, "chmod 600")
    assert pop.password not in done.stdout + done.stderr and not pop.sessions
    fetch.config.chmod(0o600)
    fetch.once()
    assert store.count() == len(MAILS)


REFUSED = [
    ("tls_none_to_a_stranger", {"host": "192.0.2.1"}, ["tls"]),
    ("neither_mailbox_nor_multidrop", {"mailbox": None}, ["mailbox"]),
    ("to_as_envelope_header", {"mailbox": None, "envelope_header": "To", "isp_hosts": ["mx1.isp.example"],
                               "map": {OWNER: OWNER}}, ["To", "refused"]),
    ("received_as_envelope_header", {"mailbox": None, "envelope_header": "Received", "map": {OWNER: OWNER}},
     ["Received"]),
    ("resent_to_as_envelope_header", {"mailbox": None, "envelope_header": "Resent-To", "map": {OWNER: OWNER}},
     ["Resent-To"]),
    ("wildcard_in_the_map", {"mailbox": None, "envelope_header": "X-Original-To", "map": {"*@firm.example": OWNER}},
     ["wildcard"]),
    ("domain_in_the_map", {"mailbox": None, "envelope_header": "X-Original-To", "map": {"@firm.example": OWNER}},
     ["@firm.example"]),
    ("unknown_way_to_sign_in", {"auth": "apop"}, ["auth"]),
    ("too_often", {"every": "10s"}, ["every"]),
    ("unknown_setting", {"sslcertck": False}, ["sslcertck"]),
    ("a_program_as_delivery", {"mda": "/usr/sbin/sendmail -t"}, ["mda"]),
]


@pytest.mark.parametrize("changes, words", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_dangerous_account_settings_are_refused_by_name(base, pop, store, changes, words):
    box = {name: value for name, value in {**account(pop), **changes}.items() if value is not None}
    fetch = Fetch(base / "fetch", store.url, {"anna": box})
    assert_one_clear_line(fetch.once(wanted=65), *words)
    assert not pop.sessions
    assert_untouched(pop, store)


@pytest.mark.parametrize("deliver", ["|/usr/bin/procmail", "mda:/usr/bin/procmail", "smtp://relay.outside.example:25x",
                                     "sendmail -t", "maildir:/var/mail", ""])
def test_delivery_is_to_a_mail_server_and_to_nothing_else(base, pop, store, deliver):
    done = Fetch(base / "fetch", deliver, {"anna": account(pop)}).once(wanted=65)
    assert_one_clear_line(done, "deliver")
    assert not pop.sessions


def test_one_box_may_stand_under_one_label_only(base, pop, store):
    fetch = Fetch(base / "fetch", store.url, {"anna": account(pop), "again": account(pop)})
    assert_one_clear_line(fetch.once(wanted=65), "again")
    assert not pop.sessions


def test_an_account_that_is_not_there_is_a_wrong_word(base, pop, store):
    fetch = Fetch(base / "fetch", store.url, {"anna": account(pop)})
    assert_one_clear_line(fetch.once("nobody", wanted=(2, 65)), "nobody")
    assert not pop.sessions


def test_only_the_accounts_named_are_polled(base, pop, store):
    with Pop3Fake(MAILS, user="bob@firm.example") as other:
        fetch = Fetch(base / "fetch", store.url, {"anna": account(pop), "bob": account(other, "bob@firm.example")})
        fetch.once("bob")
        assert not pop.sessions and set(store.boxes()) == {"bob@firm.example"}


# ---- refused by others

def test_a_wrong_password_is_said_once_and_asked_once(base, pop, store):
    fetch = Fetch(base / "fetch", store.url, {"anna": account(pop)}, password="wrong-horse")
    done = fetch.once(wanted=75)
    assert_one_clear_line(done, "anna", "password")
    assert "wrong-horse" not in done.stdout + done.stderr
    assert len(pop.asked("PASS")) == 1
    assert_untouched(pop, store)


def tls_pop(folder, hosts, implicit=True, **more):
    certificates.authority(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.issue(folder, "pop", hosts, **more))
    return Pop3Fake(MAILS, tls=context, implicit=implicit)


@pytest.mark.parametrize("tls", ["implicit", "starttls-required"])
@pytest.mark.parametrize("fault", ["wrong_name", "unknown_authority", "expired"])
def test_a_certificate_that_does_not_hold_is_refused_before_the_password(base, store, tmp_path, tls, fault):
    hosts = ["pop.other.example"] if fault == "wrong_name" else ["localhost", "127.0.0.1"]
    more = {"days": -1} if fault == "expired" else {}
    with tls_pop(tmp_path, hosts, tls == "implicit", **more) as pop:
        words = {"tls": tls, "host": "localhost"}
        if fault != "unknown_authority":
            words["ca_file"] = str(tmp_path / "ca.pem")
        done = Fetch(base / "fetch", store.url, {"anna": account(pop, **words)}).once(wanted=(69, 75))
        assert_one_clear_line(done, "anna", "certificate")
        assert not pop.asked("USER") and not pop.asked("PASS") and not pop.asked("AUTH")
        assert_untouched(pop, store)


@pytest.mark.parametrize("tls", ["implicit", "starttls-required"])
def test_a_certificate_that_holds_is_believed(base, store, tmp_path, tls):
    with tls_pop(tmp_path, ["localhost"], tls == "implicit") as pop:
        box = account(pop, tls=tls, host="localhost", ca_file=str(tmp_path / "ca.pem"))
        Fetch(base / "fetch", store.url, {"anna": box}).once()
        assert store.count() == len(MAILS) and all(session.is_tls for session in pop.sessions)


def test_without_stls_nothing_is_said_in_the_clear(base, pop, store, tmp_path):
    ca = certificates.authority(tmp_path)
    box = account(pop, tls="starttls-required", host="localhost", ca_file=str(ca))
    assert_one_clear_line(Fetch(base / "fetch", store.url, {"anna": box}).once(wanted=75), "STLS")
    assert not pop.asked("USER") and not pop.asked("AUTH")


# ---- not there

def test_a_local_server_that_is_away_is_said_and_no_mail_is_lost(base, pop):
    with LmtpFake() as store:
        store.stop()
        fetch = Fetch(base / "fetch", store.url, {"anna": account(pop, delete="after-delivery")})
        done = fetch.once(wanted=(69, 75))
        assert_one_clear_line(done, str(store.port))
        assert pop.waiting() == len(MAILS), "after-delivery: it stays at the provider"
        store.start()
        for _ in range(3):
            fetch.once(wanted=None)
            if not pop.waiting():
                break
            time.sleep(1)
        assert store.count() == len(MAILS) and pop.waiting() == 0, fetch.why()


def test_a_provider_that_is_away_is_said_and_others_are_polled(base, pop, store):
    away = ("127.0.0.1", proc.free_port())
    boxes = {"anna": account(pop), "gone": account((away[1], "gone@firm.example"), "gone@firm.example")}
    done = Fetch(base / "fetch", store.url, boxes).once(wanted=(69, 75))
    assert_one_clear_line(done, "gone")
    assert store.count() == len(MAILS)


def test_one_line_is_printed_for_each_account(base, pop, store):
    with Pop3Fake([], user="bob@firm.example") as other:
        boxes = {"anna": account(pop), "bob": account(other, "bob@firm.example")}
        done = Fetch(base / "fetch", store.url, boxes).once()
        lines = [line for line in done.stdout.splitlines() if line[:1] not in ("", " ")]
        assert len(lines) == 2 and "anna" in lines[0] + lines[1] and "bob" in lines[0] + lines[1], done.stdout


def test_json_is_one_object_and_nothing_else(base, pop, store):
    fetch = Fetch(base / "fetch", store.url, {"anna": account(pop)})
    assert isinstance(fetch.json("--once"), dict)
    assert store.count() == len(MAILS)


def test_a_relay_that_is_open_is_refused_as_local_server(base, pop):
    with LmtpFake(domains=None) as relay:
        done = Fetch(base / "fetch", relay.smtp_url, {"anna": account(pop)}).once(wanted=(65, 69))
        assert_one_clear_line(done, "relay")
        assert relay.count() == 0 and pop.waiting() == len(MAILS)
    with LmtpFake(domains=["firm.example"]) as closed:
        fetch = Fetch(base / "again", closed.smtp_url, {"anna": account(pop)})
        fetch.once()
        assert set(closed.boxes()) == {OWNER} and closed.count() == len(MAILS)
        assert [name for name in closed.offered if not name.endswith("@firm.example")], "it was asked as a stranger"


def test_the_quarantine_can_be_listed_released_and_sent_elsewhere(base, store):
    lost = simple_mail(9).replace(b"X-Original-To: user1@corp.example", b"X-Original-To: nobody@firm.example")
    with Pop3Fake([lost, simple_mail(8).replace(b"user1@corp.example", OWNER.encode())]) as pop:
        fetch = Fetch(base / "fetch", store.url, {"firm": multidrop(pop, [OWNER])})
        fetch.once(wanted=1)
        rows = fetch.quarantine()
        assert len(rows) == 1 and "nobody@firm.example" in str(rows[0]), rows
        assert "nobody@firm.example" in fetch.run("quarantine").stdout
        number = rows[0]["id"]
        assert fetch.run("quarantine", "release", number, "--to", "eve@outside.example").returncode != 0, fetch.why()
        assert fetch.run("quarantine", "release", number, "--to", OWNER).returncode == 0, fetch.why()
        fetch.once()
        assert set(store.offered) == {OWNER} and store.count() == 2 and not fetch.quarantine()


def test_the_state_is_closed_to_others(base, pop, store):
    fetch = Fetch(base / "fetch", store.url, {"anna": account(pop)})
    store.stop()
    fetch.once(wanted=None)
    open_ones = [str(path) for path in fetch.state.rglob("*") if os.stat(path).st_mode & 0o007]
    assert not open_ones, f"mail lies open: {open_ones}"
