# SPDX-License-Identifier: Apache-2.0
"""The Dublin storm once more, with `quell fetch` where the faulty connectors stood: nothing leaves any firm.

Five firms with a POP box each; in each box the original, two copies that faulty connectors had made, a re-sent list
mail and a person's answer. Each firm's local server takes mail for anybody and writes down for whom: as open as the
pickup folder of 2005 was. The same boxes read by that connector show what the test would see.
"""
import contextlib
import random

import pytest
from quelltest import connector, dublin, proc, realmail
from quelltest.fetch import Fetch, account, multidrop
from quelltest.lmtp_fake import LmtpFake
from quelltest.pop3_fake import Pop3Fake
from quelltest.relay import FirmPostfix

pytestmark = pytest.mark.usefixtures("fetch_program")

NUMBERS = range(1, len(dublin.MAILS) + 1)


class Firms:
    """Five POP boxes, five local servers, five connectors with a settings file each."""

    def __init__(self, base, stack, is_multidrop, local=None):
        self.pops = {firm: stack.enter_context(Pop3Fake([dublin.as_boxed(firm, number) for number in NUMBERS],
                                                        user=firm)) for firm in dublin.FIRMS}
        self.stores = {firm: stack.enter_context(LmtpFake()) for firm in dublin.FIRMS}
        self.fetches = {}
        for firm, pop in self.pops.items():
            box = multidrop(pop, [firm]) if is_multidrop else account(pop, firm)
            deliver = local(firm, self.stores[firm]) if local else self.stores[firm].url
            self.fetches[firm] = Fetch(base / firm.partition("@")[2], deliver, {"box": box},
                                       our_host=f"mail.{firm.partition('@')[2]}")

    def poll(self):
        for fetch in self.fetches.values():
            fetch.once()

    def assert_each_owner_has_each_once(self):
        for firm, store in self.stores.items():
            why = self.fetches[firm].why()
            others = [address for address in store.offered if address != firm]
            assert not others, f"{firm}'s server was asked to mail {others[:5]}{why}"
            mails = store.boxes().get(firm, [])
            for number in NUMBERS:
                found = sum(realmail.is_same_below(mail, dublin.as_boxed(firm, number)) for mail in mails)
                assert found == 1, f"{firm} has mail {number} {found} times{why}"
            assert len(mails) == len(NUMBERS) and self.pops[firm].waiting() == 0, why


@pytest.mark.parametrize("is_multidrop", [False, True], ids=["single", "multidrop"])
def test_five_firms_collect_the_dublin_mail_and_nothing_leaves_them(base, is_multidrop):
    with contextlib.ExitStack() as stack:
        firms = Firms(base, stack, is_multidrop)
        firms.poll()
        firms.assert_each_owner_has_each_once()
        firms.poll()
        firms.assert_each_owner_has_each_once()


def test_through_postfix_too_nothing_leaves_a_firm(base, sink):
    with contextlib.ExitStack() as stack:
        def local(firm, store):
            domain = firm.partition("@")[2]
            return stack.enter_context(FirmPostfix(base / f"postfix-{domain}", f"inet:127.0.0.1:{store.port}",
                                                   sink.port, domains=[domain])).url
        firms = Firms(base, stack, False, local)
        firms.poll()
        for firm, store in firms.stores.items():  # Postfix delivers in its own time
            proc.wait_until(lambda: len(store.boxes().get(firm, [])) >= len(NUMBERS), 30, f"{firm} has its mails")
        firms.assert_each_owner_has_each_once()
        assert sink.total() == 0, f"left a firm: {list(sink.pairs())[:5]}"


def test_the_connector_of_2005_mails_the_same_boxes_to_everybody():
    mailed = 0
    for at, firm in enumerate(dublin.FIRMS):
        site = connector.Site(firm, firm.partition("@")[2], trigger="always")
        for number in NUMBERS:
            copy = connector.convert(dublin.as_boxed(firm, number), site, 1133861400.0, at, random.Random(at))
            mailed += len(copy.recipients) if copy else 0
    assert mailed >= 5 * 4 * 3, "each firm mails the list's other four, for the original and both copies at least"


def test_a_thousand_copies_in_one_box_do_not_become_a_thousand_in_the_mailbox(base):
    firm = dublin.FIRMS[3]
    copies = [dublin.as_boxed(firm, 2).replace(b"000301c5fa47$cc229e50", b"%04x01c5fa47$%08x" % (at, at * 977))
              for at in range(1000)]
    with Pop3Fake(copies, user=firm) as pop, LmtpFake() as store:
        fetch = Fetch(base / "fetch", store.url, {"box": account(pop, firm)})
        fetch.once(wanted=None)
        assert set(store.offered) == {firm}, fetch.why()
        assert 1 <= len(store.boxes()[firm]) <= 10, f"{len(store.boxes()[firm])} copies delivered{fetch.why()}"
        fetch.once(wanted=None)
        assert 1 <= len(store.boxes()[firm]) <= 10, fetch.why()
        assert len(store.boxes()[firm]) + kept(fetch) >= 1000, f"a copy is neither delivered nor kept{fetch.why()}"


def kept(fetch):
    """Copies that the hold or the quarantine keeps."""
    return len(fetch.outer_json("held", "--limit", "0").get("held", [])) + len(fetch.quarantine())
