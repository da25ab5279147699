# SPDX-License-Identifier: Apache-2.0
"""A storm through a real Postfix and quelld: who is told of it, how often, and what a way that hangs holds up.

The webhook, the program and the second relay are real ones on this machine; mails and names are invented.
"""
import email
import email.policy
import json
import os
import time

import pytest
from quelltest import certificates, proc, storm
from quelltest.hook import Hook
from quelltest.sink import Sink
from quelltest.stage import Stage

pytestmark = pytest.mark.usefixtures("quelld_program")

OPERATOR = "operator@noc.example"
COPIES = 40


def program(path, script='cat >>"$1"'):
    return ["/bin/sh", "-c", script, "sh", str(path)]


def told(path):
    """The alerts a program wrote down."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run_storm(stage, firms, key="M-1"):
    """One mail to all firms, then copies of it by a server that pushes them; returns the mail."""
    mail = stage.original(key, firms)
    stage.deliver(mail)
    time.sleep(1)  # the log's lines reach the daemon
    for _ in range(COPIES):
        stage.send(stage.same(mail))
    stage.wait_withheld()
    return mail


def wait_for(condition, stage, what, timeout_s=30):
    proc.wait_until(condition, timeout_s, lambda: what + stage.why(), 0.1)


def test_every_way_tells_of_a_storm_once_and_in_the_same_words(base, closing):
    certificates.authority(base)
    hook = closing.enter_context(Hook(*certificates.issue(base, "hook", ["127.0.0.1"])))
    relay = closing.enter_context(Sink(keep=[OPERATOR]))
    secret, file = base / "secret", base / "told"
    secret.write_text("open-sesame\n")
    os.chmod(secret, 0o600)
    settings = {"alert.webhook": hook.url, "alert.webhook_secret_file": str(secret),
                "alert.webhook_ca_file": str(base / "ca.pem"), "alert.command": program(file), "alert.syslog": True,
                "alert.mail_to": OPERATOR, "alert.mail_relay": f"smtp://127.0.0.1:{relay.port}",
                "alert.mail_from_name": "Wächter, \"der\""}
    with Stage(base, settings=settings) as stage:
        run_storm(stage, storm.firms(5))
        wait_for(lambda: hook.posts and told(file) and relay.total(), stage, "an alert by each way")
        for _ in range(COPIES):
            stage.send(stage.same(stage.original("M-1", storm.firms(5))))
        time.sleep(2)
        assert hook.events() == ["begin"] and [one["event"] for one in told(file)] == ["begin"]
        assert relay.total() == 1
        path, headers, post = hook.posts[0]
        assert path == "/hooks/key" and headers["Authorization"] == "Bearer open-sesame"
        assert headers["Content-Type"] == "application/json" and post == told(file)[0]
        assert post["quell"] == "alert" and post["class"] == "duplicate-flood" and post["surplus"] > 0
        assert post["incident"] in [one["id"] for one in stage.quelld.json("incidents")["incidents"]]
        assert f"Incident {post['incident']}" in post["text"]
        mail = email.message_from_bytes(relay.fetch(OPERATOR)[0], policy=email.policy.default)
        assert mail["Subject"] == post["subject"] and mail["To"] == OPERATOR
        assert mail["Auto-Submitted"] == "auto-generated" and len(mail["X-Quell-Alert"]) == 32
        assert mail["From"].addresses[0].display_name == "Wächter, \"der\"" and mail["Date"].datetime
        assert mail["Message-ID"] and mail.get_content().split() == (
            post["text"] + "-- Made by Quell on mx.isp.example. It cannot be answered.").split()
        log = stage.quelld.log.read_text()
        assert log.count("alert event=begin") == 1 and "open-sesame" not in log and "/hooks/key" not in log
        assert hook.url not in str(stage.quelld.quell("config", "show"))


def test_an_alert_to_an_address_inside_the_storm_does_not_grow_it(base):
    firms = storm.firms(5)
    stage = Stage(base, record=True)
    # The worst of relays: the one that the storm goes through, with Quell's own milter.
    stage.quelld.write_settings(alert__mail_to=firms[2].address,
                                alert__mail_relay=f"smtp://127.0.0.1:{stage.postfix.port}")
    with stage:
        stage.sink.keep(firms[2].address)
        run_storm(stage, firms)

        def alerts():
            return [mail for mail in stage.sink._boxes[firms[2].address] if b"X-Quell-Alert: " in mail]
        wait_for(alerts, stage, "the alert in the mailbox")
        stage.sink.wait_quiet(2, 30)
        assert len(alerts()) == 1
        assert b"X-Quell-Trace:" not in alerts()[0], "it was judged"
        proc.wait_until(lambda: stage.quelld.counters().get("mails", 0) >= COPIES + 1, 10,
                        lambda: f"{stage.quelld.counters()}{stage.why()}", 0.2)
        time.sleep(1.5)
        assert stage.quelld.counters()["mails"] == COPIES + 1, "the alert counted as a mail"
        assert len(stage.quelld.json("incidents")["incidents"]) == 1
        assert not stage.ledger.lost(stage.sink.pairs())


def test_ways_that_hang_hold_up_no_mail_and_no_other_way(base, closing):
    hook = closing.enter_context(Hook(answer=None))
    relay = closing.enter_context(Sink())
    relay.slow(OPERATOR, 600)
    file = base / "told"
    settings = {"alert.webhook": hook.url, "alert.mail_to": OPERATOR,
                "alert.mail_relay": f"smtp://127.0.0.1:{relay.port}", "alert.command": program(file)}
    firms = storm.firms(6)
    with Stage(base, settings=settings) as stage:
        run_storm(stage, firms[:5])
        wait_for(lambda: hook.posts and told(file), stage, "the webhook is asked, the program told")
        for number in range(20):
            stage.deliver(stage.original(f"O-{number}", firms), 20)
        assert [one["event"] for one in told(file)] == ["begin"] and len(hook.posts) == 1
        assert not stage.ledger.lost(stage.sink.pairs())
        assert stage.quelld.stop() == 0, "it ends by itself, though two ways still wait"


@pytest.mark.parametrize("trouble", ["foreign authority", "other host", "redirect", "status", "open secret"])
def test_a_webhook_that_cannot_be_used_is_said_once_and_gets_nothing_it_should_not(base, closing, trouble):
    certificates.authority(base)
    certificates.authority(base, "foreign")
    host = "192.0.2.1" if trouble == "other host" else "127.0.0.1"
    issued = certificates.issue(base, "hook", [host], by="foreign" if trouble == "foreign authority" else "ca")
    target = closing.enter_context(Hook())
    hook = closing.enter_context(Hook(*issued, answer={"redirect": 307, "status": 500}.get(trouble, 200),
                                      location=target.url if trouble == "redirect" else None))
    secret, file = base / "secret", base / "told"
    secret.write_text("open-sesame\n")
    os.chmod(secret, 0o644 if trouble == "open secret" else 0o600)
    settings = {"alert.webhook": hook.url, "alert.webhook_secret_file": str(secret),
                "alert.webhook_ca_file": str(base / "ca.pem"), "alert.command": program(file)}
    with Stage(base, settings=settings) as stage:
        run_storm(stage, storm.firms(5))
        wait_for(lambda: told(file) and "way=webhook state=failing" in stage.quelld.log.read_text(), stage,
                 "the trouble in the log")
        if trouble in ("redirect", "status"):
            wait_for(lambda: len(hook.posts) > 1, stage, "a second try")
        else:
            time.sleep(1)
            assert not hook.posts
        log = stage.quelld.log.read_text()
        assert log.count("way=webhook state=failing") == 1 and "open-sesame" not in log
        assert not target.posts and len(told(file)) == 1
