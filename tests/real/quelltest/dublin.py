# SPDX-License-Identifier: Apache-2.0
"""The Dublin mail of December 2005 as it lay in the firms' POP boxes: the original and what two faulty connectors
made of it, a list mail that a third one re-sent, and a person's answer. Invented names, faithful headers.

as_boxed(firm, number) puts on top what the provider's server writes for that firm's copy.
"""
FIRMS = ("reception@harbourlaw.example", "post@quayside.example", "info@wharf.example", "a@firm4.example",
         "office@firm5.example")
PUBLISHER = "offers@lexpress-pub.example"

_BODY = ("Dear Colleague,\n\nThe Conveyancing Handbook 2006 is now in print. Order before the end of\nthe year and the "
         "early price of EUR 95 applies, postage included.\n\nLexpress Publishing, Dublin\n")
_SUBJECT = "Subject: Conveyancing Handbook 2006 - early order price\n"
_FROM = f'From: "Lexpress Publishing" <{PUBLISHER}>\n'
_CDO = ("Content-Class: urn:content-classes:message\nImportance: normal\nPriority: normal\n"
        "X-MimeOLE: Produced By Microsoft MimeOLE V6.00.3790.181\n")

E1 = (_FROM + 'To: "Reception" <reception@harbourlaw.example>, <post@quayside.example>, <info@wharf.example>,\n'
      "\t<a@firm4.example>, <office@firm5.example>\n" + _SUBJECT +
      "Date: Tue, 6 Dec 2005 09:19:58 -0000\nMessage-ID: <001a01c5fa46$3b0f2c10$1e01a8c0@lexpress-pub.example>\n"
      "X-Mailer: Microsoft Office Outlook, Build 11.0.6353\n\n" + _BODY)
E2 = ("Received: from mail pickup service by harbourlaw.example with Microsoft SMTPSVC;\n"
      "\t Tue, 6 Dec 2005 09:31:12 +0000\n" + _FROM +
      'To: "Reception" <mspop3connector.reception@harbourlaw.example>,\n\t<post@quayside.example>, '
      "<info@wharf.example>,\n\t<a@firm4.example>, <office@firm5.example>\n" + _SUBJECT +
      "Date: Tue, 6 Dec 2005 09:31:12 -0000\nMessage-ID: <000301c5fa47$cc229e50$0210a8c0@harbourlaw.local>\n"
      "X-Mailer: Microsoft Office Outlook, Build 11.0.6353\n" + _CDO +
      "X-OriginalArrivalTime: 06 Dec 2005 09:31:12.0593 (UTC) FILETIME=[CC3A6C10:01C5FA47]\n\n" + _BODY)
E3 = ("Received: from mail pickup service by mail.quayside.example with Microsoft SMTPSVC;\n"
      "\t Tue, 6 Dec 2005 09:46:20 +0000\n"
      "Received: from harbourlaw.example ([198.51.100.7]) by pop.isp2.example with ESMTP;\n"
      "\t Tue, 6 Dec 2005 09:31:15 +0000\n"
      "Received: from mail pickup service by harbourlaw.example with Microsoft SMTPSVC;\n"
      "\t Tue, 6 Dec 2005 09:31:12 +0000\n" + _FROM +
      'To: "Reception" <mspop3connector.reception@harbourlaw.example>,\n'
      "\t<mspop3connector.post@quayside.example>, <info@wharf.example>,\n\t<a@firm4.example>, <office@firm5.example>\n" +
      _SUBJECT + "Date: Tue, 6 Dec 2005 09:46:20 -0000\n"
      "Message-ID: <000001c5fa49$e9265fd0$0200000a@quayside.local>\n" + _CDO +
      "X-OriginalArrivalTime: 06 Dec 2005 09:46:20.0296 (UTC) FILETIME=[E942E880:01C5FA49]\n\n" + _BODY)
E4 = ("Received: from mail pickup service by wharf.example with Microsoft SMTPSVC;\n\t Tue, 6 Dec 2005 10:02:42 +0000\n"
      'thread-index: AcX6TDJYejvhkFxNQviha+DSlHwx9Q==\nFrom: "Ann Dev" <ann@dev.example>\n'
      "Cc: <talk@lists.example>, <post@quayside.example>, <a@firm4.example>\nSubject: [PATCH] one\n"
      'To: <unlisted-recipients:>, <no To-header on input>,\n\t"IMB Recipient 1" <mspop3connector.info@wharf.example>\n'
      "Date: Tue, 6 Dec 2005 10:02:42 -0000\nMessage-ID: <000501c5fa4c$3258b520$0a01a8c0@wharf.local>\n"
      "References: <20051206.1@dev.example>\nUser-Agent: Mutt/1.4.2.1i\n"
      "X-Mailer: Microsoft CDO for Exchange 2000\nSender: <talk-owner@lists.example>\n"
      "X-Mailing-List: talk@lists.example\n"
      "X-OriginalArrivalTime: 06 Dec 2005 10:02:42.0093 (UTC) FILETIME=[32753DD0:01C5FA4C]\n\nHere is patch one.\n")
E5 = ("From: Bob <bob@reader.example>\nTo: Ann Dev <ann@dev.example>\n"
      "Cc: IMB Recipient 1 <mspop3connector.info@wharf.example>, talk@lists.example, <office@firm5.example>\n"
      "Subject: Re: [PATCH] one\nDate: Tue, 6 Dec 2005 11:00:00 +0000\nMessage-ID: <4395.7080@reader.example>\n"
      "References: <20051206.1@dev.example> <000501c5fa4c$3258b520$0a01a8c0@wharf.local>\n"
      "User-Agent: Thunderbird 1.5\n\nLooks good, but why do I have it twice?\n")
MAILS = (E1, E2, E3, E4, E5)


def as_boxed(firm, number):
    """Mail `number` (from 1) as the provider's server put it into this firm's box, with CRLF."""
    mail = MAILS[number - 1]
    sender = {4: "talk-owner@lists.example", 5: "bob@reader.example"}.get(number, PUBLISHER)
    top = (f"Return-Path: <{sender}>\nX-Original-To: {firm}\n"
           f"Received: from mail.lexpress-pub.example (mail.lexpress-pub.example [192.0.2.25])\n"
           f"\tby mx1.isp.example (Postfix) with ESMTP id 5F1A2{number}\n\tfor <{firm}>; "
           f"Tue,  6 Dec 2005 09:{19 + number}:03 +0000 (GMT)\n")
    return (top + mail).replace("\n", "\r\n").encode()
