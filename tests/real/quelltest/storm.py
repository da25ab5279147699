# SPDX-License-Identifier: Apache-2.0
"""The storm of December 2005 as a scenario: firms, mails, who must get what, waves, and the arithmetic without Quell.

Every mail made here carries a line "Reference: KEY" in its body, by which the sink tells mails apart; the Ledger
notes which recipients were promised which key, and its verdict compares that with what arrived. Waves: a mail that
somebody wrote is wave 0; what a connector makes of a mail of wave n is wave n + 1.
"""
import collections
import email.utils
import threading
import time

from .connector import Site

AUTHOR = ("Lexpress Publishing", "offers@lexpress-pub.example")
PLACES = ("Harbour", "Quayside", "Wharf", "Liffey", "Castle", "Custom House", "Merrion", "Green", "Canal", "Abbey",
          "Bridge", "Parliament", "Molesworth", "Fitzwilliam", "Dame", "Ormond", "Arran", "Usher", "Christchurch",
          "Baggot", "Leeson", "Pembroke", "Herbert", "Mount", "Clare", "Nassau", "Duke", "Anne", "Kildare", "Dawson",
          "Grafton", "William", "Exchequer", "Fade", "Aungier", "Kevin", "Camden", "Harcourt", "Adelaide", "Iveagh",
          "Portobello", "Rathmines", "Ranelagh", "Sandford", "Appian", "Waterloo", "Wellington", "Raglan", "Elgin",
          "Clyde")
KINDS = (("Law", "law"), ("& Co", "co"), ("Solicitors", "sol"))
BOXES = ("reception", "post", "info", "office", "mail")

Firm = collections.namedtuple("Firm", "name address domain")


def firms(count):
    """So many solicitors' firms, each with one mailbox."""
    made = []
    for at in range(count):
        place, (kind, short) = PLACES[at % len(PLACES)], KINDS[at // len(PLACES) % len(KINDS)]
        lap = at // (len(PLACES) * len(KINDS))
        domain = f"{place.lower().replace(' ', '')}{short}{lap or ''}.example"
        made.append(Firm(f"{place} {kind}", f"{BOXES[at % len(BOXES)]}@{domain}", domain))
    return made


def faulty_sites(chosen, poll_s, **knobs):
    """Connectors for these firms: KEEP and STRIP builds mixed, each with its own addresses.

    Every fifth also loses unknown X- fields, and so our own stamp: its copies must be known by other marks.
    """
    sites = []
    for at, firm in enumerate(chosen):
        sites.append(Site(firm.address, f"mail.{firm.domain}" if at % 2 else firm.domain,
                          address=f"198.51.100.{10 + 7 * at}", lan_ip=f"192.168.{16 + at}.2",
                          ad_domain=firm.domain.replace(".example", ".local"), poll_s=poll_s,
                          strip_received=at % 2 == 0, keep_x_headers=at % 5 != 2,
                          mimeole_build="181" if at % 3 else "2663", **knobs))
    return sites


# ---- mails

def _address_list(entries):
    return ",\r\n\t".join(f'"{name}" <{address}>' for name, address in entries)


def message(key, sender, to, subject, text, cc=(), extra=(), now_s=None):
    """A mail as an ordinary program writes it: (bytes, Message-ID)."""
    now_s = time.time() if now_s is None else now_s
    message_id = f"<{key.lower()}.{int(now_s * 1000):x}@{sender[1].partition('@')[2]}>"
    head = [f"From: \"{sender[0]}\" <{sender[1]}>", f"To: {_address_list(to)}"]
    head += [f"Cc: {_address_list(cc)}"] if cc else []
    head += [f"Subject: {subject}", f"Date: {email.utils.formatdate(now_s)}", f"Message-ID: {message_id}", *extra,
             "MIME-Version: 1.0", "Content-Type: text/plain; charset=us-ascii", "Content-Transfer-Encoding: 7bit"]
    body = text.strip("\n").replace("\n", "\r\n")
    return ("\r\n".join(head) + f"\r\n\r\n{body}\r\n\r\nReference: {key}\r\n").encode(), message_id


MARKETING = """
Dear Colleague,

The Conveyancing Handbook 2006 is now in print. Order before the end of
the year and the early price of EUR 95 applies, postage included. The new
edition has the stamp duty tables of this year's Finance Act and forty
more precedents, all on the disc as well.

Please order by return of mail or by telephone.

Lexpress Publishing, Dublin
"""

REPLY = """
Please stop sending this. We have had it already and we do not want the
book. Take us off your list at once.

{name}
"""

APOLOGY = """
Dear Colleagues,

Some of you tell us that our mail of this morning reached you more than
once. We sent it once only. Our server has been checked and is not the
source. We are sorry for the trouble and are looking for its cause.

Lexpress Publishing, Dublin
"""

ORDINARY = (
    ("Our client, file {n}", "Dear Sirs,\n\nWe enclose the signed contract in duplicate and look forward to hearing "
     "from you\nabout file {n}.\n\nYours faithfully"),
    ("Lunch on Thursday?", "Hello,\n\nThe usual place at one, table {n}? Bring the crossword.\n"),
    ("Hearing list, court {n}", "The list for court {n} is out: ours is third. Counsel has the papers.\n"),
    ("Search results {n}", "The Registry's search {n} came back clear. Completion can go ahead.\n"),
)


def marketing(key, everybody):
    return message(key, AUTHOR, [(firm.name, firm.address) for firm in everybody],
                   "Conveyancing Handbook 2006 - early order price", MARKETING,
                   extra=["X-Mailer: Microsoft Office Outlook, Build 11.0.6353"])


def reply_all(key, firm, everybody, parent_id):
    """(bytes, id, recipients): a human answers to the author and the whole list."""
    others = [(other.name, other.address) for other in everybody if other != firm]
    mail, own_id = message(key, (firm.name, firm.address), [AUTHOR],
                           "RE: Conveyancing Handbook 2006 - early order price", REPLY.format(name=firm.name),
                           cc=others, extra=[f"In-Reply-To: {parent_id}", f"References: {parent_id}"])
    return mail, own_id, [AUTHOR[1]] + [address for _, address in others]


def apology(key, everybody):
    return message(key, AUTHOR, [(firm.name, firm.address) for firm in everybody],
                   "Our mail of this morning", APOLOGY, extra=["X-Mailer: Microsoft Office Outlook, Build 11.0.6353"])


def ordinary(key, number, sender, receivers):
    subject, text = ORDINARY[number % len(ORDINARY)]
    return message(key, (sender.name, sender.address), [(firm.name, firm.address) for firm in receivers],
                   subject.format(n=number), text.format(n=number))


# ---- bookkeeping

class Ledger:
    """Who must have what: note() each distinct mail, verdict() at the end."""

    def __init__(self):
        self.wanted = {}  # (recipient, key): True
        self._lock = threading.Lock()

    def note(self, key, recipients):
        with self._lock:
            for recipient in recipients:
                self.wanted[(recipient.lower(), key)] = True

    def lost(self, pairs):
        return [pair for pair in self.wanted if not pairs.get(pair)]

    def over(self, pairs, most):
        """Pairs with more copies than `most`, and how many."""
        return {pair: count for pair, count in pairs.items() if count > most}

    def surplus(self, pairs):
        return sum(count - 1 for count in pairs.values())


class Waves:
    """Counts by wave: mails and recipients offered, copies delivered. Told by connectors and by the sink."""

    def __init__(self):
        self.mails = collections.Counter()
        self.offered = collections.Counter()
        self.delivered = collections.Counter()
        self._of = {}  # Message-ID: wave
        self._lock = threading.Lock()

    def seed(self, message_id, recipients):
        with self._lock:
            self._of[message_id] = 0
            self.mails[0] += 1
            self.offered[0] += recipients

    def copied(self, parent_id, message_id, recipients):
        with self._lock:
            wave = self._of[message_id] = self._of.get(parent_id, 0) + 1
            self.mails[wave] += 1
            self.offered[wave] += recipients
        return wave

    def arrived(self, message_id):
        with self._lock:
            wave = self._of.get(message_id)
            if wave is not None:
                self.delivered[wave] += 1

    def rows(self):
        """[(wave, mails, recipients, delivered)] from wave 0 to the last."""
        with self._lock:
            last = max(self.mails, default=0)
            return [(wave, self.mails[wave], self.offered[wave], self.delivered[wave]) for wave in range(last + 1)]


# ---- arithmetic without Quell

def uncontained(recipients, faulty, rounds):
    """[mails delivered in round r]: k(k-1)^(r-1) pickups, each mailed to everybody else on the list."""
    return [faulty * (faulty - 1) ** (r - 1) * (recipients - 1) for r in range(1, rounds + 1)]


def generations(hop_limit, hops_a_generation):
    return (hop_limit - hops_a_generation) // hops_a_generation


def with_hop_limit(recipients, reproduction, hop_limit, hops_a_generation):
    """All mails ever, when servers keep Received and a hop limit ends it: L(R^(G+1)-1)/(R-1)."""
    last = generations(hop_limit, hops_a_generation)
    if reproduction == 1:
        return recipients * (last + 1)
    return recipients * (reproduction ** (last + 1) - 1) // (reproduction - 1)
