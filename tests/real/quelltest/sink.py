# SPDX-License-Identifier: Apache-2.0
"""The mailboxes: one epoll thread that speaks LMTP (and SMTP), takes everything, remembers who got what.

A mail is told from another by its key: what KEY finds in the body ("Reference: ..."), which every sender here
writes and no connector changes. For each (recipient, key) the sink counts copies; for recipients that somebody
collects from (a connector's POP box) it keeps the whole mail until it is fetched.

Faults on demand, per recipient: fail(recipient, "451 4.3.0 later", times=2) and slow(recipient, seconds).
Answers before the mail is recorded are refusals, so "accepted" here is what the peer was told.
It is light: about 0.1 ms of CPU for a mail with 20 recipients.
"""
import collections
import re
import select
import socket
import threading
import time

from . import proc

KEY = re.compile(rb"^Reference: ([!-~]+)", re.MULTILINE)
MESSAGE_ID = re.compile(rb"^Message-I[Dd]:[ \t\r\n]*(<[^>\r\n]*>)", re.MULTILINE)
RECEIVED_BY_US = re.compile(rb"^Received: from (\S+) \((\S+) \[([0-9a-fA-F:.]+)\]\)", re.MULTILINE)
PATH = re.compile(rb"^RCPT TO:\s*<([^>]*)>", re.IGNORECASE)

Delivery = collections.namedtuple("Delivery", "recipient key message_id time_s bytes helo client")


def _first(pattern, data, group=1):
    found = pattern.search(data)
    return found.group(group).decode("latin-1") if found else ""


class _Session:
    __slots__ = ("sock", "buffer", "scanned", "out", "recipients", "is_lmtp", "is_in_data", "wait_until_s")

    def __init__(self, sock):
        self.sock = sock
        self.buffer = bytearray()
        self.scanned = 0
        self.out = []
        self.recipients = []
        self.is_lmtp = True
        self.is_in_data = False
        self.wait_until_s = 0.0


class Sink:
    """Start it with `with Sink() as sink` or start() / stop(); read its counters at any time from any thread."""

    def __init__(self, keep=(), canonical=str.lower, record=True):
        self.port = proc.free_port()
        self.lock = threading.Lock()
        self.copies = collections.Counter()      # (recipient, key): accepted copies
        self.deliveries = []                     # a Delivery for each of them, when record
        self.mails = 0                           # transactions with at least one accepted recipient
        self.on_delivery = None                  # called with each Delivery, in the sink's thread
        self.last_s = 0.0                        # time.monotonic() of the last accepted copy
        self._canonical = canonical
        self._record = record
        self._boxes = {self._canonical(name): [] for name in keep}
        self._fail = {}
        self._slow = {}
        self._sessions = {}
        self._listener = None
        self._thread = None
        self._is_stopping = False

    # ---- for the tests

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self._listener.setblocking(False)
        self._thread = threading.Thread(target=self._loop, name="sink", daemon=True)
        self._thread.start()
        return self

    def stop(self):
        self._is_stopping = True
        if self._thread:
            self._thread.join(5)
            self._thread = None
        for session in list(self._sessions.values()):
            session.sock.close()
        self._sessions.clear()
        if self._listener:
            self._listener.close()

    def keep(self, recipient):
        """From now on hold whole mails for this recipient until fetch() takes them."""
        with self.lock:
            self._boxes.setdefault(self._canonical(recipient), [])

    def fetch(self, recipient):
        """All mails of a kept mailbox, as bytes with CRLF; the mailbox is empty afterwards (RETR*, DELE*, QUIT)."""
        name = self._canonical(recipient)
        with self.lock:
            mails, self._boxes[name] = self._boxes.get(name, []), []
        return mails

    def waiting(self):
        """Mails in all kept mailboxes that nobody fetched yet."""
        with self.lock:
            return sum(len(box) for box in self._boxes.values())

    def fail(self, recipient, reply, times=None):
        """Answer this recipient with `reply` so many times (always when None) instead of taking the mail."""
        with self.lock:
            self._fail[self._canonical(recipient)] = [reply.encode(), times]

    def slow(self, recipient, seconds):
        """Wait so long before the answers to a mail for this recipient."""
        with self.lock:
            self._slow[self._canonical(recipient)] = seconds

    def total(self):
        with self.lock:
            return sum(self.copies.values())

    def pairs(self):
        with self.lock:
            return dict(self.copies)

    def count(self, recipient, key):
        with self.lock:
            return self.copies[(self._canonical(recipient), key)]

    def wait_quiet(self, quiet_s, timeout_s):
        """Until nothing has arrived for quiet_s."""
        begin = time.monotonic()
        proc.wait_until(lambda: time.monotonic() - max(self.last_s, begin) >= quiet_s, timeout_s,
                        "the mailboxes are quiet", 0.05)

    # ---- the loop

    def _loop(self):
        poll = select.epoll()
        poll.register(self._listener.fileno(), select.EPOLLIN)
        with poll:
            while not self._is_stopping:
                for number, _ in poll.poll(0.05 if self._has_waiting() else 0.2):
                    if number == self._listener.fileno():
                        self._accept(poll)
                    else:
                        self._serve(number)
                self._wake_slow()

    def _has_waiting(self):
        return any(session.wait_until_s for session in self._sessions.values()) if self._slow else False

    def _accept(self, poll):
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = self._sessions[sock.fileno()] = _Session(sock)
        poll.register(sock.fileno(), select.EPOLLIN)
        session.out.append(b"220 sink.example LMTP\r\n")
        self._flush(session)

    def _close(self, session):
        self._sessions.pop(session.sock.fileno(), None)
        session.sock.close()  # which takes it out of the epoll set

    def _serve(self, number):
        session = self._sessions.get(number)
        if session is None:
            return
        try:
            chunk = session.sock.recv(262144)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._close(session)
            return
        session.buffer += chunk
        while session.sock.fileno() >= 0 and (self._take_data if session.is_in_data else self._take_line)(session):
            pass
        if not session.wait_until_s:
            self._flush(session)

    def _wake_slow(self):
        if not self._slow:
            return
        now = time.monotonic()
        for session in list(self._sessions.values()):
            if session.wait_until_s and now >= session.wait_until_s:
                session.wait_until_s = 0.0
                self._flush(session)

    def _flush(self, session):
        if not session.out or session.sock.fileno() < 0:
            return
        data, session.out = b"".join(session.out), []
        try:
            session.sock.setblocking(True)
            session.sock.settimeout(5)
            session.sock.sendall(data)
            session.sock.setblocking(False)
        except OSError:
            self._close(session)

    def _take_line(self, session):
        end = session.buffer.find(b"\n")
        if end < 0:
            return False
        line = bytes(session.buffer[:end]).rstrip(b"\r")
        del session.buffer[:end + 1]
        self._command(session, line)
        return True

    def _command(self, session, line):
        verb = line[:4].upper()
        if verb == b"RCPT":
            session.out.append(self._recipient(session, line))
        elif verb == b"MAIL":
            session.recipients = []
            session.out.append(b"250 2.1.0 ok\r\n")
        elif verb == b"DATA":
            session.is_in_data, session.scanned = True, 0
            session.buffer[:0] = b"\r\n"  # so that the end is found in an empty mail too
            session.out.append(b"354 go\r\n")
        elif verb in (b"LHLO", b"EHLO"):
            session.is_lmtp = verb == b"LHLO"
            session.out.append(b"250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n")
        elif verb == b"QUIT":
            session.out.append(b"221 2.0.0 bye\r\n")
            self._flush(session)
            self._close(session)
        else:
            session.out.append(b"250 2.0.0 ok\r\n")

    def _recipient(self, session, line):
        found = PATH.match(line)
        if not found:
            return b"501 5.1.3 no\r\n"
        address = self._canonical(found.group(1).decode("latin-1"))
        if not session.is_lmtp:  # SMTP has one answer after the mail, so a refusal must come here
            with self.lock:
                refusal = self._refusal(address)
            if refusal:
                return refusal + b"\r\n"
        session.recipients.append(address)
        return b"250 2.1.5 ok\r\n"

    def _take_data(self, session):
        at = session.buffer.find(b"\r\n.\r\n", session.scanned)
        if at < 0:
            session.scanned = max(0, len(session.buffer) - 4)
            return False
        mail = bytes(session.buffer[2:at + 2])
        del session.buffer[:at + 5]
        session.is_in_data = False
        self._record_mail(session, mail)
        return True

    def _record_mail(self, session, mail):
        if mail.startswith(b".") or b"\r\n." in mail:
            mail = (b"\r\n" + mail).replace(b"\r\n..", b"\r\n.")[2:]
        message_id = _first(MESSAGE_ID, mail)
        key = _first(KEY, mail) or message_id
        hop = RECEIVED_BY_US.search(mail)
        helo, client = (hop.group(1).decode("latin-1"), hop.group(3).decode("latin-1")) if hop else ("", "")
        now = time.monotonic()
        taken = []
        with self.lock:
            for address in session.recipients:
                refusal = self._refusal(address) if session.is_lmtp else None
                if session.is_lmtp:
                    session.out.append(refusal + b"\r\n" if refusal else b"250 2.1.5 taken\r\n")
                if not refusal:
                    taken.append(Delivery(address, key, message_id, now, len(mail), helo, client))
                    self._keep_copy(session, address, key, mail, now)
            if taken:
                self.mails += 1
                self.last_s = now
            if self._record:
                self.deliveries.extend(taken)
        if not session.is_lmtp:
            session.out.append(b"250 2.0.0 taken\r\n")
        session.recipients = []
        if self.on_delivery:
            for delivery in taken:
                self.on_delivery(delivery)

    def _keep_copy(self, session, address, key, mail, now):
        self.copies[(address, key)] += 1
        if address in self._boxes:
            self._boxes[address].append(mail)
        if address in self._slow:
            session.wait_until_s = max(session.wait_until_s, now + self._slow[address])

    def _refusal(self, address):
        rule = self._fail.get(address)
        if not rule or rule[1] == 0:
            return None
        if rule[1] is not None:
            rule[1] -= 1
        return rule[0]
