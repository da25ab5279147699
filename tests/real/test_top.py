# SPDX-License-Identifier: Apache-2.0
"""quell top on a real terminal, beside a real guard: what stands on the screen, and what the keys do."""
import json
import re
import signal

import pytest
from quelltest import fetch, proc, storm
from quelltest.quelld import Quelld
from quelltest.stage import Stage
from quelltest.terminal import Terminal

pytestmark = pytest.mark.usefixtures("quelld_program")

FIRMS = storm.firms(20)


def command(quelld, *words):
    return [proc.build_dir() / "quell", "-c", quelld.config, "top", *words]


def has(*words):
    return lambda lines: all(any(word in line for line in lines) for word in words)


def make_storm(stage):
    """One mail to 20 firms, and 5 copies of it."""
    mail = stage.original("T-1", FIRMS)
    stage.deliver(mail)
    for _ in range(5):
        stage.send(stage.same(mail))
    proc.wait_until(stage.quelld.incidents, 20, lambda: "an incident" + stage.why(), 0.2)


def assert_tidy(terminal):
    assert not terminal.screen.unknown, f"sequences that no terminal text may have: {terminal.screen.unknown}"


def test_a_storm_is_on_the_screen_at_every_size(base):
    with Stage(base) as stage:
        make_storm(stage)
        incident = stage.quelld.incidents()[0]["id"]
        for lines, columns in ((24, 40), (24, 80), (50, 160), (60, 240)):
            with Terminal(command(stage.quelld, "--interval", "1"), lines, columns) as terminal:
                shown = terminal.wait_for(has(incident, "q end", "CLIENT"), 20, "the incident")
                assert max(len(line) for line in shown) <= columns
                assert shown[0].startswith(" quell top") and "q end" in shown[-1]
                assert "reverse" in " ".join(terminal.screen.looks(0))
                assert any("T-1" in line for line in shown) or columns < 80, "the subject"
                assert_tidy(terminal)
                terminal.press("q")
                assert terminal.wait_end(10) == 0


def test_keys_change_what_is_shown(base):
    with Stage(base) as stage:
        make_storm(stage)
        with Terminal(command(stage.quelld), 24, 80) as terminal:
            terminal.wait_for(has("CLIENT", "q end"), 20, "the rates of clients")
            for keys, words in (("\t", "SENDER "), ("\x1b[Z", "CLIENT "), ("\x1b[Z", "SERVER (LOG)"),
                                ("?", "this help"), ("?", "SERVER (LOG)"), ("p", "PAUSED"), ("\t", "CLIENT ")):
                terminal.press(keys)
                terminal.wait_for(has(words), 10, words)
            terminal.press("p")
            terminal.wait_for(lambda lines: "PAUSED" not in lines[0], 10, "that it goes on")
            terminal.resize(30, 60)
            terminal.wait_for(lambda lines: "q end" in lines[29], 10, "the keys in the new last line")
            assert_tidy(terminal)
            terminal.process.send_signal(signal.SIGTERM)
            assert terminal.wait_end(10) == 0


@pytest.mark.parametrize("term, status, shown", [("dumb", 0, "mode guard"), ("", 0, "mode guard"),
                                                 ("no-such-thing", 69, "cannot be drawn on")])
def test_a_terminal_that_has_no_screen_gets_one_snapshot_or_the_reason(base, term, status, shown):
    with Quelld(base / "quell", "none", proc.free_port()) as quelld:
        with Terminal(command(quelld), 24, 80, {"TERM": term}) as terminal:
            assert terminal.wait_end(20) == status
            terminal.read(0.5)
            assert has(shown)(terminal.screen.text())


def test_a_daemon_that_goes_away_is_told_and_found_again(base):
    with Stage(base) as stage:
        make_storm(stage)
        incident = stage.quelld.incidents()[0]["id"]
        with Terminal(command(stage.quelld, "--interval", "1"), 24, 80) as terminal:
            terminal.wait_for(has(incident), 20, "the incident")
            assert stage.quelld.stop() == 0
            terminal.wait_for(has("No answer from the daemon", incident, " old; trying again"), 20, "the trouble")
            stage.quelld.start()
            terminal.wait_for(lambda lines: has(incident)(lines) and not has("No answer")(lines), 20, "an answer")
            assert_tidy(terminal)
            terminal.press("q")
            assert terminal.wait_end(10) == 0


def test_a_hostile_subject_moves_nothing_on_the_screen(base):
    with Stage(base) as stage:
        mail = stage.original("H-1", FIRMS)
        subject = b"Subject: =?utf-8?q?=1B]0;x=07=1B[2J=E6=BC=A2=E5=AD=97=E2=80=AEtxt=C2=9B31m?="
        for old, new in ((b"Subject: About H-1", subject),
                         (b"\r\n\r\n", b"\r\nX-Raw: \xff\r\n\r\n")):
            assert old in mail.data
            mail = mail._replace(data=mail.data.replace(old, new, 1))
        stage.deliver(mail)
        for _ in range(5):
            stage.send(stage.same(mail))
        proc.wait_until(stage.quelld.incidents, 20, lambda: "an incident" + stage.why(), 0.2)
        incident = stage.quelld.incidents()[0]["id"]
        for columns in (60, 80, 200):
            with Terminal(command(stage.quelld), 24, columns) as terminal:
                shown = terminal.wait_for(has(incident, "q end"), 20, "the incident")
                assert shown[0].startswith(" quell top") and "q end" in shown[-1]
                assert columns < 200 or has("\\x1b]0;x\\x07\\x1b[2J\u6f22\u5b57\\u{202e}txt\\u{9b}31m")(shown)
                assert_tidy(terminal)


def test_the_connector_has_a_view_of_its_own(base):
    nobody = fetch.account((proc.free_port(), "anna"))
    with fetch.Fetch(base / "fetch", "lmtp://127.0.0.1:%d" % proc.free_port(), {"anna": nobody}) as connector:
        proc.wait_until(lambda: connector.outer_json("top").get("mode"), 30, lambda: "an answer" + connector.why())
        shown = connector.outer_json("top")
        assert shown["fetch"] == {"waiting": 0, "delivered": 0, "quarantine": 0} and shown["confirm"] == "by delivery"
        words = [fetch.program(), "-c", connector.config, "--fetch", "top"]
        with Terminal(words, 24, 80) as terminal:
            terminal.wait_for(has("connector, ", "waiting 0", "q end"), 20, "the connector's numbers")
            terminal.press("q")
            assert terminal.wait_end(10) == 0


def test_one_snapshot_as_text_and_as_json(base):
    with Stage(base) as stage:
        make_storm(stage)
        incident = stage.quelld.incidents()[0]["id"]
        shown = stage.quelld.json("top", "--once")
        assert shown["mode"] == "guard" and shown["mails"] == 6 and shown["incidents"][0]["id"] == incident
        assert shown["hold"]["copies"] > 0 and shown["breakers_open"] == 1 and shown["incidents_live"] == 1
        assert set(shown["per_second"]) == {"passed", "tagged", "deferred", "held", "suppressed"}
        assert set(shown["rates"]) == {"client", "sender", "user", "recipient", "destination", "server"}
        assert shown["rates"]["sender"][0]["name"] == storm.AUTHOR[1]
        assert shown["rates"]["sender"][0]["usual_per_hour"] is None
        text = stage.quelld.quell("top")  # no terminal: as with --once
        assert text.returncode == 0 and incident in text.stdout and storm.AUTHOR[1] in text.stdout
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text.stdout)
        stage.quelld.stop()
        for words in (["--once"], ["--json"], ["--once", "--json"]):
            done = stage.quelld.quell("top", *words)
            assert done.returncode == 69 and "does not answer" in done.stderr
            assert "--json" not in words or json.loads(done.stdout)["ok"] is False
