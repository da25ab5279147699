# SPDX-License-Identifier: Apache-2.0
"""The faulty connector of 2005, as a program: Small Business Server 2003's POP3 connector before its two fixes.

It empties a firm's POP box, edits the headers of what it fetched, and hands each mail to a pickup folder that has
no envelope: recipients are read from To and Cc. Addresses that are not the firm's own are thereby mailed again.
convert() is that editing and recipient-reading alone, a function of bytes, settings and time; Connector polls a
mailbox of the sink and sends the copies by SMTP. What re-sent specimens in public archives show is followed
closely; what is known only from descriptions is a knob of Site.
It does not imitate MIME conversion (text bodies came through unchanged) or delivery inside the firm.
"""
import base64
import collections
import dataclasses
import datetime
import email.utils
import functools
import hashlib
import ipaddress
import random
import re
import threading
import time

from .smtpclient import Mail

PREFIX = "mspop3connector."
EPOCH_GAP_S = 11644473600  # from 1601 to 1970

Copy = collections.namedtuple("Copy", "sender recipients data message_id")

# The order in which CDO writes what it knows; unknown fields keep their own order, To and the rest come near the end.
FIRST = ("from", "cc", "reply-to", "subject", "date", "mime-version", "message-id", "references", "content-type",
         "content-transfer-encoding", "user-agent", "x-mailer", "x-mimeole", "thread-index", "in-reply-to")
LAST = ("to", "sender", "x-mailing-list")
DROPPED = {"return-path", "received", "content-class", "importance", "priority", "x-originalarrivaltime"}
SPELLING = {"mime-version": "MIME-Version", "message-id": "Message-ID", "cc": "Cc", "to": "To"}


@dataclasses.dataclass
class Site:
    """One firm with the connector. mailbox is its address at the provider, host its server's name to the world."""

    mailbox: str
    host: str
    address: str = "198.51.100.7"          # as the world sees the server
    lan_ip: str = "192.168.16.2"
    ad_domain: str = "firm.local"
    poll_s: float = 900.0
    trigger: str = "rcpts"                 # always, rcpts (more than rcpts_over), group_syntax
    rcpts_over: int = 20
    prefix: str = "inplace"                # inplace, append
    accumulate_prefix: bool = False        # other firms' prefixes stay in the list, and become recipients
    strip_received: bool = True
    new_msgid: bool = True
    new_date: bool = True
    fill_xmailer: bool = True
    fill_thread_index: bool = True
    keep_x_headers: bool = True
    mailfrom: str = "sender"               # Sender if there, else From; or always "from"
    local_domains: tuple = ()              # besides the mailbox's own
    shared_domain: bool = False            # provider and firm share the domain: its own copy goes out too
    mimeole_build: str = "181"
    utc_offset: str = "-0000"
    rcpts_per_transaction: int = 0         # 0: all in one
    patched: bool = False

    @property
    def domains(self):
        return {self.mailbox.rpartition("@")[2].lower(), *(name.lower() for name in self.local_domains)}


# ---- Microsoft's numbers

def filetime(unix_s):
    return int((unix_s + EPOCH_GAP_S) * 10_000_000)


def ms_message_id(sequence, unix_s, lan_ip, domain):
    """<SSSSHHHHHHHH$LLLLLLLL$IIIIIIII@domain>: sequence, FILETIME, LAN address in little-endian hex."""
    stamp = filetime(unix_s)
    address = ipaddress.IPv4Address(lan_ip).packed[::-1].hex()
    return f"<{sequence & 0xffff:04x}{stamp >> 32:08x}${stamp & 0xffffffff:08x}${address}@{domain}>"


def arrival_time(unix_s):
    """The value of X-OriginalArrivalTime."""
    stamp = filetime(unix_s)
    day = time.strftime("%d %b %Y %H:%M:%S", time.gmtime(unix_s))
    return (f"{day}.0{int(unix_s * 1000) % 1000:03d} (UTC) "
            f"FILETIME=[{stamp & 0xffffffff:08X}:{stamp >> 32:08X}]")


def thread_index(unix_s, seed):
    top = (filetime(unix_s) >> 16).to_bytes(6, "big")
    return base64.b64encode(top + hashlib.md5(seed.encode("utf-8", "replace")).digest()).decode()


def rfc_date(unix_s, offset="-0000"):
    seconds = (int(offset[1:3]) * 3600 + int(offset[3:5]) * 60) * (-1 if offset[0] == "-" else 1)
    local = datetime.datetime(*time.gmtime(int(unix_s) + seconds)[:6])
    return f"{email.utils.format_datetime(local)[:-6]} {offset}"


# ---- the header

def split(mail):
    """(fields, body): fields are [name, value] with the value unfolded, body starts after the empty line."""
    mail = re.sub(rb"(?<!\r)\n", b"\r\n", mail)
    head, _, body = mail.partition(b"\r\n\r\n")
    fields = []
    for line in head.decode("latin-1").split("\r\n"):
        if line[:1] in (" ", "\t") and fields:
            fields[-1][1] += "\r\n" + line
        elif ":" in line:
            name, _, value = line.partition(":")
            fields.append([name, value.strip(" \t")])
    return fields, body


def fields_of(mail):
    """{lower-case name: value} of a mail, the topmost of each name."""
    return {name.lower(): value for name, value in reversed(split(mail)[0])}


def _unfold(value):
    return re.sub(r"\r\n[ \t]+", " ", value)


@functools.lru_cache(maxsize=256)
def parse_list(value):
    """The address list as the connector reads it: ((name, address), ...), groups and comments taken for addresses."""
    value = _unfold(value)
    group = re.match(r"^\s*([^\",:<>@]+):\s*;\s*(?:\(([^)]*)\))?\s*$", value)
    if group:
        debris = [("", group.group(1).strip() + ":")]
        return tuple(debris + ([("", group.group(2))] if group.group(2) else []))
    return tuple((name, address) for name, address in email.utils.getaddresses([value]) if address)


def has_group(value):
    return bool(re.match(r"^\s*[^\",:<>@]+:\s*;", _unfold(value)))


def write_list(entries):
    return ",\r\n\t".join(f'"{_quote(name)}" <{address}>' if name else f"<{address}>" for name, address in entries)


def _quote(text):
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _parameters(value):
    """Content-Type and the like: parameters quoted, folded with TAB."""
    first, *rest = [part.strip() for part in re.split(r";(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", _unfold(value))]
    words = [first]
    for part in rest:
        name, equals, content = part.partition("=")
        words.append(f'{name}="{content}"' if equals and not content.startswith('"') else part)
    return ";\r\n\t".join(word for word in words if word)


# ---- one mail

def _lists(fields):
    return {name: [entry for key, value in fields if key.lower() == name for entry in parse_list(value)]
            for name in ("to", "cc")}


def is_triggered(fields, site):
    if site.patched:
        return False
    if site.trigger == "always":
        return True
    if site.trigger == "group_syntax":
        return any(key.lower() in ("to", "cc") and has_group(value) for key, value in fields)
    return sum(len(entries) for entries in _lists(fields).values()) > site.rcpts_over


def _without_prefix(entry):
    name, address = entry
    return name, address[len(PREFIX):] if address.lower().startswith(PREFIX) else address


def _point_home(lists, site):
    """Edit To and Cc so that they name the local mailbox: the connector's one good intention."""
    home = site.mailbox.lower()
    found = False
    for entries in lists.values():
        for at, entry in enumerate(entries):
            if not site.accumulate_prefix:
                entry = _without_prefix(entry)
            if site.prefix == "inplace" and _without_prefix(entry)[1].lower() == home:
                entry = (entry[0], PREFIX + site.mailbox)
                found = True
            entries[at] = entry
    if not found:
        lists["to"].append(("IMB Recipient 1", PREFIX + site.mailbox))


def _recipients(lists, site):
    """What the pickup folder makes of the header: everybody who is not local."""
    seen = {}
    for _, address in lists["to"] + lists["cc"]:
        local, at, domain = address.rpartition("@")
        if not at or not local or " " in address:
            continue  # debris
        if domain.lower() in site.domains:
            if not site.shared_domain:
                continue
            address = _without_prefix(("", address))[1]
        seen.setdefault(address.lower(), address)
    return list(seen.values())


def _sender(values, site):
    chosen = values.get("sender") if site.mailfrom == "sender" else None
    entries = parse_list(chosen or values.get("from", ""))
    return entries[0][1] if entries else ""


def convert(mail, site, now_s, sequence=0, rng=random):
    """What leaves the firm's server for one fetched mail: a Copy, or None when it is only delivered inside."""
    fields, body = split(mail)
    if not is_triggered(fields, site):
        return None
    values = {key.lower(): value for key, value in reversed(fields)}
    lists = _lists(fields)
    _point_home(lists, site)
    recipients = _recipients(lists, site)
    if not recipients:
        return None
    saved_s = now_s
    arrived_s = now_s + rng.uniform(0.016, 0.5)
    message_id = values.get("message-id", "")
    if site.new_msgid or not message_id:
        message_id = ms_message_id(sequence, saved_s, site.lan_ip, site.ad_domain)
    out = _head(fields, values, site, saved_s, arrived_s)
    known = _known(values, site, message_id, saved_s)
    out += [(SPELLING.get(name, _name(fields, name)), known[name]) for name in FIRST if name in known]
    if lists["cc"]:
        at = next((i for i, (name, _) in enumerate(out) if name.lower() == "from"), len(out) - 1)
        out.insert(at + 1, ("Cc", write_list(lists["cc"])))
    skip = set(FIRST) | set(LAST) | DROPPED
    out += [(key, value) for key, value in fields if key.lower() not in skip and not _is_dropped_x(key, site)]
    out.append(("To", write_list(lists["to"])))
    out += [(_name(fields, name), values[name]) for name in LAST[1:] if name in values]
    out += _tail(arrived_s)
    text = "".join(f"{name}: {value}\r\n" for name, value in out)
    return Copy(_sender(values, site), recipients, text.encode("latin-1", "replace") + b"\r\n" + body, message_id)


def _is_dropped_x(key, site):
    return not site.keep_x_headers and key.lower().startswith("x-")


def _name(fields, name):
    return next((key for key, _ in fields if key.lower() == name), name.title())


def _head(fields, values, site, saved_s, arrived_s):
    stamp = rfc_date(arrived_s, site.utc_offset)
    out = [("Received", f"from mail pickup service by {site.host} with Microsoft SMTPSVC;\r\n\t {stamp}")]
    if not site.strip_received:
        out += [(key, value) for key, value in fields if key.lower() == "received"]
    if site.fill_thread_index and "thread-index" not in values:
        out.append(("thread-index", thread_index(saved_s, values.get("subject", ""))))
    return out


def _known(values, site, message_id, saved_s):
    known = {name: value for name, value in values.items() if name in FIRST and name != "cc"}
    known["message-id"] = message_id
    if site.new_date or "date" not in known:
        known["date"] = rfc_date(saved_s, site.utc_offset)
    for name in ("from", "reply-to"):
        if name in known:
            known[name] = write_list(parse_list(known[name])) or known[name]
    if "content-type" in known:
        known["content-type"] = _parameters(known["content-type"])
    if site.fill_xmailer:
        known.setdefault("x-mailer", "Microsoft CDO for Exchange 2000")
    known["x-mimeole"] = f"Produced By Microsoft MimeOLE V6.00.3790.{site.mimeole_build}"
    return known


def _tail(arrived_s):
    return [("Content-Class", "urn:content-classes:message"), ("Importance", "normal"), ("Priority", "normal"),
            ("X-OriginalArrivalTime", arrival_time(arrived_s))]


# ---- the service

class Connector:
    """Polls one mailbox of the sink and sends what convert() makes; step() is one poll, start() polls by itself.

    outbox takes Mails (smtpclient.Outbox); counters may be read at any time. mails_max is a fuse for tests.
    """

    def __init__(self, site, sink, outbox, phase_s=0.0, seed=1, mails_max=100000, clock=time.time):
        self.site = site
        self.fetched = self.converted = self.transactions = self.offered = 0
        self.message_ids = set()
        self.polls = 0
        self.is_off = False                # somebody pulled the plug
        self.on_copy = None                # called with (fetched mail, Copy) before the copy is sent
        self._sink, self._outbox, self._clock = sink, outbox, clock
        self._phase_s, self._mails_max = phase_s, mails_max
        self._rng = random.Random(seed)
        self._stop = threading.Event()
        self._thread = None
        sink.keep(site.mailbox)

    def step(self):
        """Fetch all, then convert and send each; returns the copies made."""
        copies = []
        fetched = self._sink.fetch(self.site.mailbox)
        self.polls += 1
        self.fetched += len(fetched)
        for mail in fetched:
            copy = convert(mail, self.site, self._clock(), len(copies), self._rng)
            if copy and self.transactions < self._mails_max:
                if self.on_copy:
                    self.on_copy(mail, copy)
                self._send(copy)
                copies.append(copy)
        self.converted += len(copies)
        return copies

    def _send(self, copy):
        size = self.site.rcpts_per_transaction or len(copy.recipients)
        self.message_ids.add(copy.message_id)
        for at in range(0, len(copy.recipients), size):
            part = copy.recipients[at:at + size]
            self.transactions += 1
            self.offered += len(part)
            self._outbox.put(Mail(copy.sender, part, copy.data, client=self.site.address, helo=self.site.host,
                                  tag=self.site.host))

    def start(self):
        self._thread = threading.Thread(target=self._run, name=self.site.host, daemon=True)
        self._thread.start()
        return self

    def _run(self):
        if self._stop.wait(self._phase_s):
            return
        while not self.is_off:
            self.step()
            if self._stop.wait(self.site.poll_s):
                return

    def stop(self):
        self._stop.set()
        if self._thread:
            self._thread.join(10)
