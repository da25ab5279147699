# SPDX-License-Identifier: Apache-2.0
"""The connector emulator does what the connector of 2005 did, and without Quell it multiplies.

Sites, addresses and times are invented; the shapes are those of re-sent mails in public archives.
"""
import random
import time

import pytest
from quelltest import connector, proc, smtpclient, storm
from quelltest.connector import Site, convert, fields_of, split
from quelltest.postfix import PrivatePostfix

E1 = b"""\
Return-Path: <offers@lexpress-pub.example>
Received: from mail.lexpress-pub.example (mail.lexpress-pub.example [192.0.2.25])
\tby mx1.isp.example (Postfix) with ESMTP id 5F1A23; Tue,  6 Dec 2005 09:20:03 +0000 (GMT)
From: "Lexpress Publishing" <offers@lexpress-pub.example>
To: "Reception" <reception@harbourlaw.example>, <post@quayside.example>, <info@wharf.example>,
 <a@firm4.example>
Subject: Conveyancing Handbook 2006 - early order price
Date: Tue, 6 Dec 2005 09:19:58 -0000
Message-ID: <001a01c5fa46$3b0f2c10$1e01a8c0@lexpress-pub.example>
Mime-Version: 1.0
Content-Type: text/plain; charset=us-ascii
X-Mailer: Microsoft Office Outlook, Build 11.0.6353
X-Quell-Trace: 1; k=a; t=1

Order now.  


"""
E1_LIST = b"""\
Received: from vger.example (vger.example [192.0.2.1]) by mx.wharf.example; Tue, 6 Dec 2005 09:55:00 +0000
From: Ann Dev <ann@dev.example>
To: unlisted-recipients:; (no To-header on input)
Cc: talk@lists.example
Subject: [patch] one
Date: Tue, 6 Dec 2005 09:50:00 +0000
Message-ID: <20051206.2@dev.example>
References: <20051206.1@dev.example>
User-Agent: Mutt/1.4.2.1i
Sender: talk-owner@lists.example
X-Mailing-List: talk@lists.example

text
"""
SECONDS = 1133861472.09  # 6 Dec 2005 09:31:12 UTC
HARBOUR = Site("reception@harbourlaw.example", "harbourlaw.example", address="198.51.100.7", lan_ip="192.168.16.2",
               ad_domain="harbourlaw.local", rcpts_over=3)
QUAYSIDE = Site("post@quayside.example", "mail.quayside.example", address="203.0.113.40", lan_ip="10.0.0.2",
                ad_domain="quayside.local", rcpts_over=3, strip_received=False, accumulate_prefix=True)
WHARF = Site("info@wharf.example", "wharf.example", lan_ip="192.168.1.10", ad_domain="wharf.local",
             trigger="group_syntax", prefix="append")


def converted(mail, site, now_s=SECONDS, sequence=3):
    return convert(mail, site, now_s, sequence, random.Random(7))


def test_first_pass_has_prefix_in_place_new_id_and_no_history():
    copy = converted(E1, HARBOUR)
    fields = fields_of(copy.data)
    received = [value for name, value in split(copy.data)[0] if name == "Received"]
    assert received == ["from mail pickup service by harbourlaw.example with Microsoft SMTPSVC;\r\n\t "
                        "Tue, 06 Dec 2005 09:31:12 -0000"]
    assert fields["to"].startswith('"Reception" <mspop3connector.reception@harbourlaw.example>,\r\n\t<post@quayside')
    assert fields["message-id"] == copy.message_id
    assert copy.message_id.startswith("<000301c5fa47$") and copy.message_id.endswith("$0210a8c0@harbourlaw.local>")
    assert fields["date"] == "Tue, 06 Dec 2005 09:31:12 -0000"
    assert fields["x-mailer"] == "Microsoft Office Outlook, Build 11.0.6353"
    assert fields["x-mimeole"] == "Produced By Microsoft MimeOLE V6.00.3790.181"
    assert fields["content-type"] == 'text/plain;\r\n\tcharset="us-ascii"'
    assert fields["content-class"] == "urn:content-classes:message"
    assert fields["x-quell-trace"] == "1; k=a; t=1", "unknown X- fields survive"
    assert "return-path" not in fields


def test_the_copy_goes_to_everybody_but_the_firm_itself_in_the_authors_name():
    copy = converted(E1, HARBOUR)
    assert copy.sender == "offers@lexpress-pub.example"
    assert copy.recipients == ["post@quayside.example", "info@wharf.example", "a@firm4.example"]


def test_the_body_is_untouched_to_the_last_blank():
    assert split(converted(E1, HARBOUR).data)[1] == b"Order now.  \r\n\r\n\r\n"


def test_arrival_time_follows_the_id_within_half_a_second():
    for seed in range(20):
        copy = convert(E1, HARBOUR, SECONDS, 0, random.Random(seed))
        arrival = fields_of(copy.data)["x-originalarrivaltime"]
        assert arrival.startswith("06 Dec 2005 09:31:12.0")
        low, high = arrival[arrival.index("[") + 1:-1].split(":")
        minted = copy.message_id[5:13] + copy.message_id[14:22]
        lag = int(high + low, 16) - int(minted, 16)
        assert 0.016e7 <= lag <= 0.5e7


def test_second_pass_of_a_keeping_build_accumulates_prefixes_and_hops():
    first = converted(E1, HARBOUR).data
    delivered = b"Received: from harbourlaw.example ([198.51.100.7]) by pop.isp2.example with ESMTP; Tue\r\n" + first
    copy = converted(delivered, QUAYSIDE, SECONDS + 908)
    fields = fields_of(copy.data)
    received = [value for name, value in split(copy.data)[0] if name == "Received"]
    assert len(received) == 3 and "mail.quayside.example" in received[0] and "harbourlaw.example" in received[2]
    assert "<mspop3connector.reception@harbourlaw.example>" in fields["to"]
    assert "<mspop3connector.post@quayside.example>" in fields["to"]
    assert "mspop3connector.reception@harbourlaw.example" in copy.recipients


def test_without_accumulation_only_the_own_prefix_stands_in_the_list():
    first = converted(E1, HARBOUR).data
    site = Site("post@quayside.example", "mail.quayside.example", rcpts_over=3)
    copy = converted(first, site)
    assert copy.recipients[0] == "reception@harbourlaw.example"
    assert copy.data.count(b"mspop3connector.") == 1


def test_a_list_mail_with_an_empty_group_gets_debris_and_an_appended_recipient():
    copy = converted(E1_LIST, WHARF, sequence=5)
    fields = fields_of(copy.data)
    assert fields["to"] == ('<unlisted-recipients:>,\r\n\t<no To-header on input>,\r\n\t'
                            '"IMB Recipient 1" <mspop3connector.info@wharf.example>')
    assert fields["cc"] == "<talk@lists.example>"
    assert fields["from"] == '"Ann Dev" <ann@dev.example>'
    assert fields["x-mailer"] == "Microsoft CDO for Exchange 2000", "User-Agent does not count"
    assert fields["user-agent"] == "Mutt/1.4.2.1i"
    assert len(fields["thread-index"]) == 32
    assert fields["references"] == "<20051206.1@dev.example>"
    assert copy.sender == "talk-owner@lists.example" and copy.recipients == ["talk@lists.example"]


@pytest.mark.parametrize("change, expect", [
    ({"patched": True}, None),
    ({"trigger": "group_syntax"}, None),
    ({"rcpts_over": 4}, None),
    ({"trigger": "always", "rcpts_over": 4}, 3),
    ({"shared_domain": True}, 4),
    ({"local_domains": ("firm4.example",)}, 2),
])
def test_knobs_decide_who_gets_a_copy(change, expect):
    copy = converted(E1, connector.dataclasses.replace(HARBOUR, **change))
    assert (copy and len(copy.recipients)) == expect


def test_a_build_that_keeps_id_and_date_makes_a_copy_of_the_same_instance():
    site = connector.dataclasses.replace(HARBOUR, new_msgid=False, new_date=False)
    fields, before = fields_of(converted(E1, site).data), fields_of(E1)
    assert fields["message-id"] == before["message-id"] and fields["date"] == before["date"]


def test_the_arithmetic_gives_the_figures_of_dublin():
    assert storm.uncontained(150, 5, 6) == [745, 2980, 11920, 47680, 190720, 762880]
    assert storm.uncontained(6, 2, 3) == [10, 10, 10]
    assert storm.with_hop_limit(26, 5, 30, 4) == 507806


@pytest.mark.parametrize("transport", ["lmtp", "smtp"])
def test_a_refused_recipient_gets_the_mail_later_and_once(sink, base, transport):
    sink.fail("b@b.example", "451 4.3.0 later", times=2)
    with PrivatePostfix(base, sink.port, transport=transport) as postfix:
        mail, _ = storm.message("K-1", ("A", "a@a.example"), [("B", "b@b.example")], "x", ".leading dot\n\n.")
        result = smtpclient.send(postfix.address, smtpclient.Mail("a@a.example", ["b@b.example", "c@c.example"], mail))
        assert sorted(result.accepted) == ["b@b.example", "c@c.example"]
        proc.wait_until(lambda: sink.total() == 2, 30, lambda: f"both copies\n{postfix.log_tail()}")
        assert sink.pairs() == {("b@b.example", "K-1"): 1, ("c@c.example", "K-1"): 1}


def test_two_faulty_servers_without_quell_multiply_for_as_long_as_they_poll(sink, base):
    firms = storm.firms(6)
    with PrivatePostfix(base, sink.port) as postfix:
        outbox = smtpclient.Outbox(postfix.address, workers=4)
        sites = storm.faulty_sites(firms[:2], poll_s=1, rcpts_over=3)
        connectors = [connector.Connector(site, sink, outbox, seed=at, mails_max=20) for at, site in enumerate(sites)]
        mail, _ = storm.marketing("LP-1", firms)
        outbox.put(smtpclient.Mail(storm.AUTHOR[1], [firm.address for firm in firms], mail, client="192.0.2.25",
                                   helo="mail.lexpress-pub.example"))
        total = 6
        proc.wait_until(lambda: sink.total() == total, 20, "the first copies")
        for round_mails in storm.uncontained(6, 2, 5):
            for one in connectors:
                one.step()
            total += round_mails
            proc.wait_until(lambda: sink.total() >= total, 20, lambda: f"{sink.total()} of {total} copies")
        time.sleep(0.3)
        outbox.stop()
        assert sink.total() == total == 56, "k = 2 holds its rate: 10 mails a poll"
        assert sink.count(firms[5].address, "LP-1") == 11, "each bystander: the mail and two copies a poll"
        assert {delivery.client for delivery in sink.deliveries} == {"192.0.2.25", sites[0].address, sites[1].address}
        hosts = {delivery.helo for delivery in sink.deliveries}
        assert hosts == {"mail.lexpress-pub.example", sites[0].host, sites[1].host}


def test_the_ledger_finds_what_is_lost_and_what_is_too_much():
    ledger = storm.Ledger()
    ledger.note("K", ["a@a.example", "B@b.example"])
    pairs = {("a@a.example", "K"): 4}
    assert ledger.lost(pairs) == [("b@b.example", "K")]
    assert ledger.over(pairs, 3) == {("a@a.example", "K"): 4} and ledger.surplus(pairs) == 3
