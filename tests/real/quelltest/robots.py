# SPDX-License-Identifier: Apache-2.0
"""Programs that answer mail, as they stand at many firms: the partners of a ping-pong.

A TicketRobot answers each mail with a new ticket number, and says nowhere that it is a machine. VACATION is the same
wish as an Exim's and as a Sieve script: both answer each mail, as people set them up who want "always".
Everything has an end: a robot stops after `most` answers.
"""
import email.policy
import email.utils
import re
import threading
import time

from . import smtpclient

# For quelltest.exim.Exim: whoever writes to away@... gets an answer, from a null sender as autoreply does it.
EXIM_ROUTER = r"""
away:
  driver = accept
  domains = {domain}
  senders = ! :
  transport = answer
"""
EXIM_TRANSPORT = r"""
answer:
  driver = autoreply
  from = $local_part@$domain
  to = $reply_address
  subject = "Re: $h_subject:"
  text = "Dear $reply_address,\n\nI am out of the office until Monday. In urgent cases please call the reception.\n"
"""

# For Dovecot: an answer to each mail, however often the same person writes.
SIEVE = """
require ["vacation", "vacation-seconds"];
vacation :seconds 0 :addresses ["{address}"] :subject "Out of the office"
  "I am out of the office until Monday. In urgent cases please call the reception.";
"""
SIEVE_SETTINGS = """
plugin {
  sieve_extensions = +vacation-seconds
  sieve_vacation_min_period = 0
}
"""

ANSWER = """\
From: {name} <{address}>
To: {to}
Subject: {subject}
Date: {date}
Message-ID: <ticket.{number}.{stamp}@{domain}>
{more}MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii

Dear customer,

thank you for your message, which has the number {number}. One of our staff will
answer it within two working days. Please keep the number in the subject of your
mails about it.

{name}
"""


class TicketRobot:
    """Answers what arrives in its mailbox at the sink; by Postfix, as a server of its own with its own address.

    answers_to: whom it writes to, instead of the mail's From (for rings); threads: with In-Reply-To; most: answers
    until it falls silent.
    """

    def __init__(self, stage, address, client, name="Helpdesk", answers_to=None, threads=False, most=60):
        self.stage, self.address, self.client, self.name = stage, address, client, name
        self.answers, self.refused, self.times_s = 0, [], []
        self._answers_to, self._threads, self._most = answers_to, threads, most
        self._is_stopping = False
        self._number = 260000 + int(client.rpartition(".")[2]) * 1000
        stage.sink.keep(address)
        self._thread = threading.Thread(target=self._loop, name=f"robot {address}", daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_stopping = True
        self._thread.join(40)

    def _loop(self):
        while not self._is_stopping:
            for data in self.stage.sink.fetch(self.address):
                if self.answers < self._most and not self._is_stopping:
                    self._answer(email.message_from_bytes(data, policy=email.policy.default))
            time.sleep(0.02)

    def _answer(self, mail):
        to = self._answers_to or email.utils.parseaddr(str(mail["Reply-To"] or mail["From"]))[1]
        self._number += 7
        subject = re.sub(r"\[#\d+\] ", "", str(mail["Subject"] or ""))
        more = f"In-Reply-To: {mail['Message-ID']}\n" if self._threads else ""
        data = ANSWER.format(name=self.name, address=self.address, to=to, subject=f"[#{self._number}] {subject}"[:120],
                             date=email.utils.formatdate(), number=self._number, stamp=int(time.time() * 1000),
                             domain=self.address.partition("@")[2], more=more)
        self.send(self.address, to, data.replace("\n", "\r\n").encode())

    def send(self, sender, to, data):
        helo = f"mail.{self.address.partition('@')[2]}"
        try:
            result = smtpclient.send(self.stage.postfix.address,
                                     smtpclient.Mail(sender, [to], data, client=self.client, helo=helo), 20)
        except OSError as problem:
            self.refused.append(str(problem))
            return
        if result.refused:  # a robot without a queue: what is deferred is not tried again
            self.refused.append(result.reply)
        else:
            self.answers += 1
            self.times_s.append(time.monotonic())
