# SPDX-License-Identifier: Apache-2.0
"""The local mail server as the connector sees it: LMTP and SMTP at one door, faults by step, a record of all.

accepted holds every (recipient, bytes, sender) that was answered with 2xx, or would have been had the answer not
been lost on purpose; offered every RCPT argument that was ever said; it asserts nothing.

  fault("rcpt4", "bob@firm.example", times=2)     451 to RCPT           fault("rcpt5", ...)   550
  fault("data4", ...), fault("data5", ...)        after the mail, for this recipient
  fault("drop_before_dot")                        the connection is cut while the mail comes
  fault("drop_after_dot")                         the mail is taken, and the connection cut before the answer
  fault("lose_after_dot")                         the mail is not taken, and the connection cut before the answer
  fault("no_reply")                               the mail is taken, and nothing is answered
  fault("few_replies")                            LMTP: the mail is taken by all, the last recipient has no answer
  fault("greet4"), fault("mail4")                 421 as greeting, 451 to MAIL
  slow_s = 0.5                                    before each answer to a mail

Its speed is that of Python threads; for measurements there is a program in C beside the benchmarks.
"""
import collections
import re
import socket
import threading
import time
from pathlib import Path

from . import proc

PATH = re.compile(rb"^RCPT TO:\s*<([^>]*)>", re.IGNORECASE)
SENDER = re.compile(rb"^MAIL FROM:\s*<([^>]*)>(.*)$", re.IGNORECASE)
TEXTS = {"greet4": b"421 4.3.2 not now\r\n", "mail4": b"451 4.3.0 not now\r\n",
         "rcpt4": b"451 4.2.0 try later\r\n", "rcpt5": b"550 5.1.1 no such user\r\n",
         "data4": b"451 4.2.2 full for now\r\n", "data5": b"552 5.2.2 over quota\r\n"}

Accepted = collections.namedtuple("Accepted", "recipient data sender time_s")


class _Cut(Exception):
    """The connection shall end here."""


class _Talk:
    def __init__(self, sock):
        self.sock = sock
        self.file = sock.makefile("rb", 1 << 16)
        self.sender, self.recipients, self.is_lmtp = "", [], True

    def say(self, data):
        self.sock.sendall(data)


class LmtpFake:
    """`with LmtpFake() as store`; TCP at store.port, or a unix socket when `path` is given.

    domains: SMTP and LMTP take recipients of these only, all others have 550 5.7.1 (None: everybody, as an open
    relay does). extensions: what EHLO and LHLO name.
    """

    def __init__(self, path=None, domains=None, extensions=("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")):
        self.path = Path(path) if path else None
        self.port = 0 if path else proc.free_port()
        self.domains, self.extensions = domains, list(extensions)
        self.lock = threading.Lock()
        self.accepted, self.offered, self.senders, self.commands = [], [], [], []
        self.sessions = 0
        self.most_open = 0          # sessions at the same time
        self.slow_s = 0.0
        self.on_mail = None         # called with each Accepted, before the answer
        self._open = 0
        self._faults = []           # [step, recipient or None, times or None]
        self._listener = None
        self._sockets = set()

    # ---- for the tests

    @property
    def url(self):
        """As settings name it."""
        return f"lmtp:unix:{self.path}" if self.path else f"lmtp://127.0.0.1:{self.port}"

    @property
    def smtp_url(self):
        return f"smtp://127.0.0.1:{self.port}"

    def fault(self, step, recipient=None, times=None):
        with self.lock:
            self._faults.append([step, recipient and recipient.lower(), times])

    def mend(self):
        with self.lock:
            self._faults.clear()

    def boxes(self):
        """{recipient: [bytes]} of all that was accepted."""
        found = collections.defaultdict(list)
        with self.lock:
            for one in self.accepted:
                found[one.recipient].append(one.data)
        return dict(found)

    def count(self):
        with self.lock:
            return len(self.accepted)

    # ---- the server

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        if self.path:
            self.path.unlink(missing_ok=True)
            self._listener = socket.socket(socket.AF_UNIX)
            self._listener.bind(str(self.path))
            self.path.chmod(0o666)
            self._listener.listen(64)
        else:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, args=(self._listener,), name="lmtp", daemon=True).start()
        return self

    def stop(self):
        """Away at once: the port is closed, open talks are cut."""
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self.lock:
            sockets = list(self._sockets)
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if not self.path:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock,), name="lmtp-talk", daemon=True).start()

    def _serve(self, sock):
        with self.lock:
            self._sockets.add(sock)
            self.sessions += 1
            self._open += 1
            self.most_open = max(self.most_open, self._open)
        try:
            self._talk(_Talk(sock))
        except (OSError, _Cut):
            pass
        finally:
            with self.lock:
                self._open -= 1
                self._sockets.discard(sock)
            try:
                sock.shutdown(socket.SHUT_RDWR)  # the reading file holds the descriptor too
            except OSError:
                pass
            sock.close()

    def _due(self, step, recipient=None):
        """Is this fault set, for this recipient or for all? Counts it."""
        with self.lock:
            for rule in self._faults:
                if rule[0] == step and rule[1] in (None, recipient) and rule[2] != 0:
                    if rule[2] is not None:
                        rule[2] -= 1
                    return True
        return False

    def _talk(self, talk):
        if self._due("greet4"):
            talk.say(TEXTS["greet4"])
            return
        talk.say(b"220 store.firm.example ready\r\n")
        while True:
            line = talk.file.readline()
            if not line:
                return
            line = line.rstrip(b"\r\n")
            with self.lock:
                self.commands.append(line.decode("latin-1"))
            verb = line[:4].upper()
            if verb == b"DATA":
                self._data(talk)
            elif verb == b"QUIT":
                talk.say(b"221 2.0.0 bye\r\n")
                return
            else:
                talk.say(self._command(talk, verb, line))

    def _command(self, talk, verb, line):
        if verb in (b"LHLO", b"EHLO", b"HELO"):
            talk.is_lmtp = verb == b"LHLO"
            words = [b"store.firm.example"] + [word.encode() for word in self.extensions]
            return b"".join(b"250-" + word + b"\r\n" for word in words[:-1]) + b"250 " + words[-1] + b"\r\n"
        if verb == b"MAIL":
            if self._due("mail4"):
                return TEXTS["mail4"]
            found = SENDER.match(line)
            talk.sender, talk.recipients = found.group(1).decode("latin-1") if found else "?", []
            with self.lock:
                self.senders.append(talk.sender)
            return b"250 2.1.0 ok\r\n"
        if verb == b"RCPT":
            return self._recipient(talk, line)
        if verb == b"RSET":
            talk.recipients = []
        return b"250 2.0.0 ok\r\n"

    def _recipient(self, talk, line):
        found = PATH.match(line)
        address = found.group(1).decode("latin-1").lower() if found else ""
        with self.lock:
            self.offered.append(address or line.decode("latin-1"))
        if not address:
            return b"501 5.1.3 no\r\n"
        for step in ("rcpt4", "rcpt5"):
            if self._due(step, address):
                return TEXTS[step]
        if self.domains is not None and address.rpartition("@")[2] not in self.domains:
            return b"550 5.7.1 relaying denied\r\n"
        talk.recipients.append(address)
        return b"250 2.1.5 ok\r\n"

    def _data(self, talk):
        if not talk.recipients:
            talk.say(b"503 5.5.1 no recipient\r\n")
            return
        talk.say(b"354 go\r\n")
        lines, has_dots = [], False
        must_drop = self._due("drop_before_dot", talk.recipients[0])
        while True:
            line = talk.file.readline()
            if not line or must_drop and len(lines) > 2:
                raise _Cut
            if line == b".\r\n":
                break
            has_dots = has_dots or line.startswith(b".")
            lines.append(line)
        mail = b"".join(line[1:] if line.startswith(b".") else line for line in lines) if has_dots else b"".join(lines)
        self._take(talk, mail)

    def _take(self, talk, mail):
        if self.slow_s:
            time.sleep(self.slow_s)
        first = talk.recipients[0]
        if self._due("lose_after_dot", first):
            raise _Cut
        replies = []
        for address in talk.recipients if talk.is_lmtp else talk.recipients[:1]:
            step = next((step for step in ("data4", "data5") if self._due(step, address)), None)
            replies.append(TEXTS[step] if step else b"250 2.1.5 taken\r\n")
        taken = [(address, reply) for address, reply in zip(talk.recipients, replies * (1 if talk.is_lmtp else 99))
                 if reply.startswith(b"2")]
        for address, _ in taken:
            one = Accepted(address, mail, talk.sender, time.monotonic())
            with self.lock:
                self.accepted.append(one)
            if self.on_mail:
                self.on_mail(one)
        talk.recipients = []
        if self._due("drop_after_dot", first):
            raise _Cut
        if self._due("few_replies", first):
            talk.say(b"".join(replies[:-1]))
            raise _Cut
        if self._due("no_reply", first):
            while talk.file.readline():
                pass
            raise _Cut
        talk.say(b"".join(replies))
