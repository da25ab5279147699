# SPDX-License-Identifier: Apache-2.0
"""`quell watch` reads what live mail servers wrote: each mail through each of them is one fact, and complete.

Postfix, Exim, OpenSMTPD, Sendmail and Dovecot's LMTP run privately (quelltest/jail.py) and take the same few mails
(quelltest/logscene.py): one recipient, three, an alias, one that the next hop refuses, one that it takes later, one
that is refused at the door, one from nobody. What a server never writes is in LACKS, and must then be empty, not
made up. Skipped by name where no mount namespace can be made.
"""
import collections
import contextlib
import datetime
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from quelltest import logscene, mailservers, proc
from quelltest.dovecot import PASSWORD, why_not as dovecot_why_not
from quelltest.exim import PASSWORD as EXIM_PASSWORD
from quelltest.sink import Sink

# name: server and its settings
RUNS = {
    "postfix": ("postfix", {}),
    "postfix_long_ids": ("postfix", {"more": "enable_long_queue_ids = yes\n", "transport": "lmtp"}),
    "exim": ("exim", {}),
    "exim_all": ("exim", {"more": "log_selector = +all"}),
    "exim_syslog": ("exim", {"to_syslog": True, "more": "syslog_timestamp = false"}),
    "opensmtpd": ("opensmtpd", {}),
    "opensmtpd_precise": ("opensmtpd", {"is_precise": True}),
    "sendmail": ("sendmail", {}),
    "sendmail_precise": ("sendmail", {"is_precise": True}),
}
LACKS = {  # what these logs do not have at all
    "postfix": {"subject"},
    "exim": {"delay_s", "subject"},  # delays and subjects with log_selector only
    "opensmtpd": {"message_id", "subject"},
    "sendmail": {"orig", "subject"},
}
HAS = {"exim_all": {"delay_s", "subject"}}

Played = collections.namedtuple("Played", "name kind log sent begin_s end_s")


def watch(*logs):
    """The object that `quell watch --once --json --facts` prints."""
    done = subprocess.run([proc.build_dir() / "quell", "watch", "--once", "--json", "--facts", *map(str, logs)],
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode in (0, 1), f"status {done.returncode}: {done.stderr[-800:]}"
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def has_watch():
    done = subprocess.run([proc.build_dir() / "quell", "watch", "--help"], capture_output=True, text=True, timeout=30,
                          check=False)
    if done.returncode or "--facts" not in done.stdout:
        pytest.skip("this quell has no `watch --facts` yet")


@contextlib.contextmanager
def scene():
    """A folder that other users may enter, and the sink."""
    folder = tempfile.mkdtemp(prefix="quell-real-")
    os.chmod(folder, 0o755)
    try:
        with Sink() as sink:
            yield Path(folder), sink
    finally:
        if not os.environ.get("QUELL_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=list(RUNS))
def played(request, tmp_path_factory):
    """The log of one server through which all the mails went; the server has ended."""
    kind, words = RUNS[request.param]
    mailservers.prepare(kind)
    log = tmp_path_factory.mktemp(request.param) / "log"
    begin_s = time.time()
    with scene() as (base, sink):
        with mailservers.make(mailservers.ALL[kind], base / kind, sink.port, **words) as server:
            sent = logscene.play(server, sink)
            shutil.copy(server.log, log)
    return Played(request.param, kind, log, sent, begin_s, time.time())


def lacks(played):
    return LACKS[played.kind] - HAS.get(played.name, set())


# ---- what the facts shall say

def addresses(fact):
    return {recipient["address"] for recipient in fact["recipients"]}


def find(facts, played, mail):
    """The one fact of this mail: by Message-ID, and where the log has none by sender and recipients."""
    if "message_id" in lacks(played):
        found = [fact for fact in facts if fact["from"] == mail.sender and addresses(fact) == set(mail.recipients)]
    else:
        found = [fact for fact in facts if fact["message_id"] == mail.message_id]
    assert len(found) == 1, f"{len(found)} facts of {mail.message_id} in {json.dumps(facts, indent=1)[:6000]}"
    return found[0]


def seconds(value):
    """Unix time, of a number of seconds or milliseconds or of RFC 3339."""
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    return value / 1000 if value > 1e11 else value


def assert_mail(played, mail, fact):
    assert fact["format"] == played.kind
    assert re.fullmatch(r"[\w-]{8,}", fact["queue_id"]), fact["queue_id"]
    if "message_id" in lacks(played):
        assert not fact["message_id"]
    assert fact["from"] == mail.sender
    # Received added or the body's line ends counted as one, as the server likes
    assert mail.bytes * 0.8 < fact["size"] < mail.bytes + 500, f"{fact['size']} of {mail.bytes} bytes"
    assert fact["client_ip"] == logscene.SOURCE
    if played.kind in ("opensmtpd", "sendmail"):  # Postfix was told to ask for no names; Exim knows a claim only
        assert fact["client_name"] == logscene.HELO
    assert played.begin_s - 2 <= seconds(fact["first"]) <= seconds(fact["last"]) <= played.end_s + 2
    if played.name == "exim_all":
        assert fact["subject"] == f"About {mail.message_id.split('.')[0]}"


def assert_recipients(played, mail, fact):
    assert addresses(fact) == set(mail.recipients)
    for recipient in fact["recipients"]:
        address, what = recipient["address"], f"{json.dumps(recipient)} of {mail.message_id}"
        fate = mail.recipients[address]
        assert recipient["status"] == fate, what
        assert "127.0.0.1" in recipient["relay"], what
        assert (recipient["dsn"] or {"sent": "2", "bounced": "5"}[fate])[0] == {"sent": "2", "bounced": "5"}[fate], what
        if "orig" not in lacks(played) and address in mail.orig:
            assert recipient["orig"] == mail.orig[address], what
        elif address not in mail.orig:
            assert not recipient["orig"] or recipient["orig"] == address, what
        assert recipient["tries"] >= mail.tries.get(address, 1), what
        if "delay_s" not in lacks(played) and not (played.kind == "exim" and fate == "bounced"):
            assert 0 <= recipient["delay_s"] <= played.end_s - played.begin_s + 1, what


def test_the_log_itself_holds_every_mail_and_recipient(played):
    """No test of Quell: that the scene is what the others take it for."""
    text = played.log.read_text(errors="replace")
    for mail in played.sent.values():
        assert mail.message_id in text or "message_id" in lacks(played)
        assert all(address in text for address in mail.recipients), f"{mail} in {text}"
    assert logscene.REFUSED in text


@pytest.mark.parametrize("name", list(logscene.SCENES))
def test_a_mail_is_one_fact_and_complete(has_watch, played, name):
    mail = played.sent[name]
    fact = find(watch(played.log)["facts"], played, mail)
    assert_mail(played, mail, fact)
    assert_recipients(played, mail, fact)


def test_a_bounce_is_a_mail_of_its_own_from_nobody(has_watch, played):
    facts = watch(played.log)["facts"]
    notices = [fact for fact in facts if addresses(fact) == {logscene.SENDER}]
    assert len(notices) == 1, json.dumps(facts, indent=1)[:6000]
    assert not notices[0]["from"] and notices[0]["recipients"][0]["status"] == "sent"


def test_nothing_is_made_up(has_watch, played):
    facts = watch(played.log)["facts"]
    taken = [fact for fact in facts if addresses(fact) != {logscene.REFUSED}]
    ids = [fact["queue_id"] for fact in taken]
    assert len(set(ids)) == len(ids), f"an id twice: {sorted(ids)}"
    assert len(taken) == len(played.sent) + 1, f"the mails and one bounce, not {json.dumps(taken, indent=1)[:6000]}"
    assert not any(recipient["address"] == logscene.REFUSED and recipient["status"] == "sent"
                   for fact in facts for recipient in fact["recipients"])


# ---- people who log in, and mailboxes

def test_exim_names_the_user_who_logged_in(has_watch):
    mailservers.prepare("exim")
    with scene() as (base, sink):
        with mailservers.make(mailservers.ALL["exim"], base / "exim", sink.port) as server:
            mail = logscene.submit(server, "anna", EXIM_PASSWORD)
            logscene.wait_done(server, sink, {"person": mail})
            fact, = (fact for fact in watch(server.log)["facts"] if fact["message_id"] == mail.message_id)
    assert fact["auth_user"] in ("anna", "plain:anna") and fact["from"] == logscene.PERSON


AUTH_LISTENER = """
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""

SASL = """
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth}
transport_maps = inline:{{ other.example=lmtp:inet:127.0.0.1:{lmtp} }}
"""


def test_postfix_and_dovecot_tell_of_the_same_mail(has_watch, unpacked_dovecot):
    reason = dovecot_why_not()
    if reason:
        pytest.skip(reason)
    auth = proc.free_port()
    with scene() as (base, sink), mailservers.SyslogDovecot(
            base / "dovecot", sink.port, more=AUTH_LISTENER.format(port=auth)) as store:
        more = SASL.format(auth=auth, lmtp=store.lmtp_port)
        with mailservers.make(mailservers.Postfix, base / "postfix", sink.port, more=more) as server:
            mail = logscene.submit(server, logscene.PAUL, PASSWORD)
            proc.wait_until(lambda: store.count(logscene.PAUL) and "removed" in server.log.read_text(), 30,
                            lambda: f"the mail is in its mailbox; {server.log_tail()}")
            proc.wait_until(lambda: f"<{mail.message_id}>" in store.log.read_text(), 10, store.log_tail)
            facts = [fact for fact in watch(server.log, store.log)["facts"] if fact["message_id"] == mail.message_id]
    by_format = {fact["format"]: fact for fact in facts}
    assert set(by_format) == {"postfix", "dovecot"}, facts
    assert by_format["postfix"]["auth_user"] == logscene.PAUL
    assert addresses(by_format["postfix"]) == addresses(by_format["dovecot"]) == {logscene.PAUL}
    assert by_format["dovecot"]["recipients"][0]["status"] == "sent"
    assert by_format["postfix"]["server"] == "mx" and by_format["dovecot"]["server"] == "store"
