# SPDX-License-Identifier: Apache-2.0
"""Sending mail fast from Python: blocking sockets, RCPTs pipelined, many sessions as threads.

send() is one mail in one session of its own; Outbox spreads many over worker threads. The sender can have its
own loopback address (source), its own HELO, and, by Postfix's XCLIENT, any address that the server and its
milters then see (client). Results are per recipient, so a 4xx for one is not an error of the mail.
A mail counts as accepted when its 2xx was read, and not before.
"""
import collections
import queue
import re
import socket
import threading
import time

Result = collections.namedtuple("Result", "accepted refused reply")  # recipients, {recipient: reply}, last reply
Mail = collections.namedtuple("Mail", "sender recipients data client helo source tag", defaults=(None,) * 4)

_dot = re.compile(rb"(?m)^\.")


class Broken(OSError):
    """The session ended or answered out of turn."""


class _Session:
    def __init__(self, address, helo, client, source, timeout_s):
        self.sock = socket.create_connection(address, timeout_s, (source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self._expect(220)
        if client:
            self._ask(f"XCLIENT ADDR={client} NAME={helo} HELO={helo} PROTO=ESMTP", 220)
        self._ask(f"EHLO {helo}", 250)

    def close(self):
        try:
            self.sock.sendall(b"QUIT\r\n")
        except OSError:
            pass
        self.sock.close()

    def _line(self):
        while True:
            line, newline, rest = self.buffer.partition(b"\n")
            if newline:
                self.buffer = rest
                return line
            chunk = self.sock.recv(65536)
            if not chunk:
                raise Broken("the server closed the session")
            self.buffer += chunk

    def reply(self):
        while True:
            line = self._line()
            if line[3:4] != b"-":
                return line.rstrip(b"\r").decode("latin-1")

    def _expect(self, code):
        text = self.reply()
        if not text.startswith(str(code)):
            raise Broken(f"expected {code}, got {text}")

    def _ask(self, command, code):
        self.sock.sendall(command.encode() + b"\r\n")
        self._expect(code)

    def send(self, sender, recipients, data):
        words = [f"MAIL FROM:<{sender}>"] + [f"RCPT TO:<{name}>" for name in recipients] + ["DATA", ""]
        self.sock.sendall("\r\n".join(words).encode("latin-1"))
        start = self.reply()
        answers = [self.reply() for _ in recipients]
        go = self.reply()
        refused = {name: text for name, text in zip(recipients, answers) if text[0] != "2"}
        taken = [name for name, text in zip(recipients, answers) if text[0] == "2"]
        if not go.startswith("354"):
            worst = start if start[0] != "2" else go
            return Result([], {name: refused.get(name, worst) for name in recipients}, worst)
        if not data.endswith(b"\r\n"):
            data += b"\r\n"
        self.sock.sendall(_dot.sub(b"..", data) + b".\r\n")
        end = self.reply()
        if end[0] != "2":
            return Result([], {name: refused.get(name, end) for name in recipients}, end)
        return Result(taken, refused, end)


def send(address, mail, timeout_s=60):
    """One Mail in a session of its own; raises OSError (Broken) when the outcome is not known."""
    session = _Session(address, mail.helo or "sender.example", mail.client, mail.source, timeout_s)
    try:
        return session.send(mail.sender, mail.recipients, mail.data)
    finally:
        session.close()


class Outbox:
    """A sender with a queue: worker threads take Mails, send each in its own session, retry refused recipients.

    retries: how often a mail (its 4xx recipients) is tried again after retry_s, as any real server would;
    on_result(mail, result) runs in the worker. Broken sessions are retried too, and may then be duplicates.
    """

    def __init__(self, address, workers=8, retries=0, retry_s=1.0, on_result=None, timeout_s=60):
        self.address = address
        self.accepted = 0       # recipients with a 2xx
        self.transactions = 0
        self.failed = []        # (mail, reply or error) that were given up
        self._retries, self._retry_s, self._on_result, self._timeout_s = retries, retry_s, on_result, timeout_s
        self._queue = queue.Queue()
        self._lock = threading.Lock()
        self._open = 0
        self._is_stopping = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def put(self, mail):
        with self._lock:
            self._open += 1
        self._queue.put((mail, self._retries))

    def open(self):
        """Mails that are not finished."""
        with self._lock:
            return self._open

    def wait(self, timeout_s):
        """Until every mail was accepted or given up; False when that took too long."""
        end = time.monotonic() + timeout_s
        while self.open():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def stop(self):
        self._is_stopping = True
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(5)

    def _work(self):
        while not self._is_stopping:
            item = self._queue.get()
            if item is None:
                return
            mail, tries = item
            try:
                result = send(self.address, mail, self._timeout_s)
            except OSError as problem:
                result = Result([], {name: f"400 {problem}" for name in mail.recipients}, f"400 {problem}")
            self._settle(mail, result, tries)

    def _settle(self, mail, result, tries):
        again = [name for name, text in result.refused.items() if text[0] == "4"]
        with self._lock:
            self.transactions += 1
            self.accepted += len(result.accepted)
        if self._on_result:
            self._on_result(mail, result)
        if again and tries > 0 and not self._is_stopping:
            later = threading.Timer(self._retry_s, self._queue.put, ((mail._replace(recipients=again), tries - 1),))
            later.daemon = True
            later.start()
            return
        with self._lock:
            if result.refused:
                self.failed.append((mail, result.reply))
            self._open -= 1
