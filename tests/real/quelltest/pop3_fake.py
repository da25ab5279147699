# SPDX-License-Identifier: Apache-2.0
"""A POP3 server that does what it is told, also what no server should: one thread a session, one box.

Ordinary, it is strict and simple: USER/PASS (or AUTH by a hook), CAPA, STAT, LIST, UIDL, TOP, RETR, DELE, RSET,
NOOP, QUIT, and STLS when it has a certificate; what was DELEted goes at QUIT. Faults are attributes, which may be
changed at any time, also between two polls:

  answer["RETR"] = fn     fn(session, argument) gives the bytes to send, or None for the ordinary answer, or BREAK
                          to cut the connection, or HANG to say nothing at all
  wire[2] = bytes         mail 2 as it goes over the wire, dots and end and all
  cut[2] = 100            the connection is cut after so many bytes of mail 2
  modes                   MODES names the faults of the yardstick's badpop.py and some more; mode("drop") sets one

It keeps a diary: sessions (with their commands, in order) and the box itself. It asserts nothing.
"""
import re
import socket
import threading
import time

from . import proc

BREAK, HANG = object(), object()
HEAD = (b"Return-Path: <s@outside.example>\r\nX-Original-To: user1@corp.example\r\nFrom: s@outside.example\r\n"
        b"To: user1@corp.example\r\nSubject: %d\r\nMessage-ID: <%d@x>\r\n\r\n")
BODIES = {
    "dots": b".\r\n..\r\n.x\r\nend\r\n",
    "nul": b"a\0b\r\nnext\r\n",
    "barelf": b"one\ntwo\r\n\n.\nafter-bare-dot\r\nend\r\n",
    "barecr": b"one\rtwo\r\n",
    "long": b"x" * 1000000 + b"\r\nend\r\n",
    "8bit": bytes(range(128, 256)) + b"\r\n",
    "smuggle": b"one\r\n.\n MAIL FROM:<evil@x>\r\nend\r\n",
}
# The same words as badpop.py, which the tests run too; these are for tests that need the diary as well.
MODES = (*BODIES, "drop", "err", "dupuidl", "nouidl", "newuidl", "pipe")


def simple_mail(number, body=b"line one\r\n"):
    """Mail `number` of badpop.py."""
    return HEAD % (number, number) + body


def stuff(mail):
    """As it goes over the wire: dots doubled at the beginning of lines (of CRLF lines only), and the end."""
    if not mail.endswith(b"\r\n"):
        mail += b"\r\n"
    return (b"\r\n" + mail).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n"


class Session:
    """One connection: when it began, what was asked, how it ended (quit, closed, cut)."""

    def __init__(self, sock):
        self.sock = sock
        self.began_s = time.monotonic()
        self.commands = []
        self.user = ""
        self.box = []               # [uid, mail] as they were at login
        self.deleted = set()        # numbers
        self.end = ""
        self.is_tls = False
        self.rest = b""

    def asked(self, verb):
        """Arguments of all commands of this verb."""
        return [words[1] if len(words) > 1 else "" for words in (line.split(" ", 1) for line in self.commands)
                if words[0].upper() == verb]

    def line(self):
        """The next command, or None at the end."""
        while b"\n" not in self.rest:
            try:
                chunk = self.sock.recv(65536)
            except OSError:
                return None
            if not chunk:
                return None
            self.rest += chunk
        line, _, self.rest = self.rest.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")


class Pop3Fake:
    """`with Pop3Fake(mails) as pop`; host 127.0.0.1, pop.port. tls: an ssl.SSLContext; implicit: TLS at once."""

    def __init__(self, mails=(), user="anna@firm.example", password="correct-horse", tls=None, implicit=False,
                 address="127.0.0.1", capabilities=("TOP", "UIDL", "USER", "RESP-CODES", "PIPELINING")):
        self.port = proc.free_port()
        self.address = address
        self.user, self.password = user, password
        self.lock = threading.RLock()
        self.box = []               # [uid, mail] as it is now
        self.answer = {}
        self.wire, self.cut = {}, {}
        self.capabilities = list(capabilities)
        self.tls, self.implicit = tls, implicit
        self.behind_stls = b""      # plain text sent in one breath with STLS's +OK
        self.greeting = b"+OK ready\r\n"
        self.slow_s = 0.0           # before each answer
        self.sessions = []
        self.gone = []              # mails deleted for good
        self._serial = 0
        self._listener = None
        self._is_stopping = False
        self.put(mails)

    def put(self, mails):
        with self.lock:
            for mail in mails:
                self._serial += 1
                self.box.append([f"u{self._serial}", mail])

    def mode(self, name):
        """One of MODES: three mails, as badpop.py has them."""
        self.box, self._serial = [], 0
        self.put(simple_mail(number, BODIES.get(name, b"line one\r\n")) for number in (1, 2, 3))
        if name == "drop":
            self.cut[2] = len(stuff(self.box[1][1])) - 8
        elif name == "err":
            self.refuse(2, b"-ERR cannot read message\r\n")
        elif name == "nouidl":
            self.capabilities.remove("UIDL")
            self.answer["UIDL"] = lambda *_: b"-ERR not implemented\r\n"
        elif name == "dupuidl":
            self.rename(lambda at, uid: "same")
        elif name == "newuidl":
            self.rename(lambda at, uid: f"reset{at}")
        elif name not in MODES:
            raise ValueError(name)
        if name != "pipe" and "PIPELINING" in self.capabilities:
            self.capabilities.remove("PIPELINING")
        return self

    def rename(self, fn):
        """Give every mail another UIDL: fn(position from 0, old)."""
        with self.lock:
            for at, entry in enumerate(self.box):
                entry[0] = fn(at, entry[0])

    def refuse(self, number, answer):
        """Always this answer to RETR of the mail that is number `number` now, whatever its number will be."""
        refused = self.box[number - 1][1]

        def fn(session, argument):
            found = self._find(session, argument)
            return answer if found and found[1][1] is refused else None
        self.answer["RETR"] = fn

    # ---- the diary

    def asked(self, verb):
        return [word for session in self.sessions for word in session.asked(verb)]

    def waiting(self):
        with self.lock:
            return len(self.box)

    # ---- the server

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self._is_stopping = False
        self._listener = socket.create_server((self.address, self.port), backlog=64)
        threading.Thread(target=self._accept, args=(self._listener,), name="pop3", daemon=True).start()
        return self

    def stop(self):
        """Away at once: the port is closed, open sessions are cut."""
        self._is_stopping = True
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for session in list(self.sessions):
            self._hang_up(session, "cut")

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(sock)
            self.sessions.append(session)
            threading.Thread(target=self._serve, args=(session,), name="pop3-session", daemon=True).start()

    @staticmethod
    def _hang_up(session, how):
        session.end = session.end or how
        try:
            session.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        session.sock.close()

    def _serve(self, session):
        try:
            if self.implicit:
                self._wrap(session)
            session.sock.sendall(self.greeting)
            while self._turn(session):
                pass
        except OSError:
            pass
        self._hang_up(session, "closed")

    def _wrap(self, session):
        session.sock = self.tls.wrap_socket(session.sock, server_side=True)
        session.is_tls, session.rest = True, b""

    def _turn(self, session):
        line = session.line()
        if line is None:
            return False
        session.commands.append(line)
        verb, _, argument = line.partition(" ")
        verb = verb.upper()
        if self.slow_s:
            time.sleep(self.slow_s)
        own = self.answer.get(verb)
        reply = own(session, argument) if own else None
        if reply is None:
            ordinary = getattr(self, f"_do_{verb.lower()}", None)
            reply = ordinary(session, argument) if ordinary else b"-ERR unknown command\r\n"
        if reply is HANG:
            while session.line() is not None:
                pass
            return False
        if reply is BREAK:
            session.end = "cut"
            return False
        session.sock.sendall(reply)
        if verb == "STLS" and reply.startswith(b"+OK"):
            self._wrap(session)
        if verb == "QUIT":
            session.end = session.end or "quit"
        return not session.end

    # ---- ordinary answers

    def _do_capa(self, session, _):
        words = self.capabilities + (["STLS"] if self.tls and not session.is_tls else [])
        return b"+OK\r\n" + b"".join(word.encode() + b"\r\n" for word in words) + b".\r\n"

    def _do_stls(self, session, _):
        if not self.tls or session.is_tls:
            return b"-ERR no\r\n"
        return b"+OK begin\r\n" + self.behind_stls

    def _do_user(self, session, argument):
        session.user = argument
        return b"+OK\r\n"

    def _do_pass(self, session, argument):
        if (session.user, argument) != (self.user, self.password):
            return b"-ERR [AUTH] no\r\n"
        return self.log_in(session)

    def log_in(self, session):
        """For hooks of AUTH: the box as it is now becomes this session's."""
        with self.lock:
            session.box = [list(entry) for entry in self.box]
        return b"+OK logged in\r\n"

    def _find(self, session, argument):
        """(number, [uid, mail]) or None."""
        number = int(argument) if re.fullmatch(r"[0-9]{1,9}", argument) else 0
        if not 1 <= number <= len(session.box) or number in session.deleted:
            return None
        return number, session.box[number - 1]

    def _there(self, session):
        return [(number, entry) for number, entry in enumerate(session.box, 1) if number not in session.deleted]

    def _do_stat(self, session, _):
        there = self._there(session)
        return b"+OK %d %d\r\n" % (len(there), sum(len(entry[1]) for _, entry in there))

    def _listing(self, session, argument, value):
        if argument:
            found = self._find(session, argument)
            return b"+OK %d %s\r\n" % (found[0], value(found[1])) if found else b"-ERR no such message\r\n"
        rows = b"".join(b"%d %s\r\n" % (number, value(entry)) for number, entry in self._there(session))
        return b"+OK\r\n" + rows + b".\r\n"

    def _do_list(self, session, argument):
        return self._listing(session, argument, lambda entry: b"%d" % len(entry[1]))

    def _do_uidl(self, session, argument):
        return self._listing(session, argument, lambda entry: entry[0].encode("latin-1"))

    def _do_retr(self, session, argument):
        found = self._find(session, argument)
        if not found:
            return b"-ERR no such message\r\n"
        number, (_, mail) = found
        data = b"+OK %d octets\r\n" % len(mail)
        wire = self.wire.get(number, None) or stuff(mail)
        if number in self.cut:
            session.sock.sendall(data + wire[:self.cut[number]])
            return BREAK
        return data + wire

    def _do_top(self, session, argument):
        number, _, lines = argument.partition(" ")
        found = self._find(session, number)
        if not found or "TOP" not in self.capabilities:
            return b"-ERR no\r\n"
        head, _, body = found[1][1].partition(b"\r\n\r\n")
        kept = body.split(b"\r\n")[:int(lines or 0)]
        return b"+OK\r\n" + stuff(head + b"\r\n\r\n" + b"".join(line + b"\r\n" for line in kept))

    def _do_dele(self, session, argument):
        found = self._find(session, argument)
        if not found:
            return b"-ERR no such message\r\n"
        session.deleted.add(found[0])
        return b"+OK deleted\r\n"

    def _do_rset(self, session, _):
        session.deleted.clear()
        return b"+OK\r\n"

    def _do_noop(self, *_):
        return b"+OK\r\n"

    def _do_quit(self, session, _):
        self.expunge(session)
        return b"+OK bye\r\n"

    def expunge(self, session):
        """For hooks of QUIT: what this session deleted is gone, whatever the answer says."""
        going = [session.box[number - 1] for number in sorted(session.deleted)]
        session.deleted.clear()
        with self.lock:
            for entry in going:
                if entry in self.box:
                    self.box.remove(entry)
                    self.gone.append(entry[1])
