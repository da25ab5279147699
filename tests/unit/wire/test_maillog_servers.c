/* SPDX-License-Identifier: Apache-2.0 */
#include "maillog_print.h"

#define ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])
#define POSTFIX "Dec  6 09:20:03 mx postfix/"
#define SENDMAIL "Dec  6 09:20:03 mx sm-mta[7]: "
#define SMTPD "Dec  6 09:20:03 mx smtpd[7]: "
#define DOVECOT "Dec  6 09:20:03 mx dovecot: "
#define SESSION "5df87c9c42abeddb"

static const struct print_row postfix_rows[] = {
	{ POSTFIX "smtpd[1]: connect from h.example.org[192.0.2.1]", "connect client=h.example.org[192.0.2.1]" },
	{ POSTFIX "smtpd[1]: disconnect from unknown[2001:db8::1] ehlo=1 quit=1 commands=2",
	  "disconnect client=unknown[2001:db8::1]" },
	{ POSTFIX "smtpd[1]: lost connection after DATA (0 bytes) from unknown[192.0.2.1]",
	  "other client=unknown[192.0.2.1]" },
	{ POSTFIX "smtpd[1]: timeout after END-OF-MESSAGE from unknown[192.0.2.1]", "other client=unknown[192.0.2.1]" },
	{ POSTFIX "smtpd[1]: SSL_accept error from h[192.0.2.1]: -1", "other client=h[192.0.2.1]" },
	{ POSTFIX "smtpd[1]: warning: h[192.0.2.1]: SASL LOGIN authentication failed: x",
	  "other client=h[192.0.2.1]" },
	{ POSTFIX "postscreen[1]: CONNECT from [192.0.2.1]:53024 to [192.0.2.2]:25", "other" },
	{ POSTFIX "postscreen[1]: NOQUEUE: reject: RCPT from [192.0.2.1]:2413: 550 5.5.1 Protocol error; "
	  "from=<a@b>, to=<c@d>, proto=SMTP, helo=<e>",
	  "rejected id=NOQUEUE from=a@b rcpt=c@d client=[192.0.2.1]:2413 helo=e text=550 5.5.1 Protocol error" },
	{ POSTFIX "smtpd[1]: NOQUEUE: reject: VRFY from h[192.0.2.1]: 454 4.7.1 <a@b>: Relay access denied; "
	  "to=<a@b> proto=SMTP helo=<me>",
	  "rejected id=NOQUEUE rcpt=a@b client=h[192.0.2.1] helo=me text=454 4.7.1 <a@b>: Relay access denied" },
	{ POSTFIX "smtpd[1]: NOQUEUE: reject: RCPT from h[192.0.2.1]: 554 5.7.1 Service unavailable; Helo command "
	  "[h] blocked; http://x/?d; from=<a@b> to=<c@d> proto=ESMTP helo=<h>",
	  "rejected id=NOQUEUE from=a@b rcpt=c@d client=h[192.0.2.1] helo=h text=554 5.7.1 Service unavailable; "
	  "Helo command [h] blocked; http://x/?d" },
	{ POSTFIX "smtpd[1]: NOQUEUE: discard: MAIL from h[192.0.2.1]: <a@b>: SPAM; from=<a@b> proto=ESMTP helo=<h>",
	  "milter-discard id=NOQUEUE from=a@b client=h[192.0.2.1] helo=h text=<a@b>: SPAM" },
	{ POSTFIX "smtpd[1]: NOQUEUE: hold: RCPT from h[192.0.2.1]: <a@b>: wait; from=<> to=<c@d> proto=ESMTP helo=<h>",
	  "milter-hold id=NOQUEUE from=<> rcpt=c@d client=h[192.0.2.1] helo=h text=<a@b>: wait" },
	{ POSTFIX "smtpd[1]: NOQUEUE: filter: RCPT from h[192.0.2.1]: <a@b>: FILTER x:y; from=<a@b> to=<c@d> "
	  "proto=ESMTP helo=<h>", "other id=NOQUEUE from=a@b rcpt=c@d client=h[192.0.2.1] helo=h text=<a@b>: FILTER "
	  "x:y" },
	{ POSTFIX "smtpd[1]: proxy-reject: END-OF-MESSAGE: 554 5.7.0 Reject; from=<> to=<c@d> proto=SMTP helo=<h>",
	  "rejected from=<> rcpt=c@d helo=h text=END-OF-MESSAGE: 554 5.7.0 Reject" },
	{ POSTFIX "smtpd[1]: 4ABCDE: client=h[192.0.2.1], orig_queue_id=5ABCDE, orig_client=g[192.0.2.9]",
	  "client id=4ABCDE other=5ABCDE client=h[192.0.2.1]" },
	{ POSTFIX "pickup[1]: 4ABCDE: uid=33 from=<w> orig_id=5ABCDE", "client id=4ABCDE other=5ABCDE from=w" },
	{ POSTFIX "cleanup[1]: 4ABCDE: resent-message-id=<a@b>", "other id=4ABCDE mid=a@b" },
	{ POSTFIX "cleanup[1]: 4ABCDE: warning: header Subject: Re: a from b; from=<x> from h[192.0.2.1]; from=<a@b> "
	  "to=<c@d> proto=ESMTP helo=<h>: a rule's text",
	  "header id=4ABCDE from=a@b rcpt=c@d client=h[192.0.2.1] helo=h subject=Re: a from b; from=<x> "
	  "text=Subject: Re: a from b; from=<x>" },
	{ POSTFIX "cleanup[1]: 4ABCDE: info: header In-Reply-To: <x@y> from local; from=<a@b>",
	  "header id=4ABCDE from=a@b client=local reply-to=x@y text=In-Reply-To: <x@y>" },
	{ POSTFIX "cleanup[1]: 4ABCDE: hold: header Subject: s from local; from=<a@b> to=<c@d>: no",
	  "milter-hold id=4ABCDE from=a@b rcpt=c@d client=local subject=s text=Subject: s" },
	{ POSTFIX "cleanup[1]: 4ABCDE: prepend: header X-Spam: Yes from h[192.0.2.1]; from=<a@b> to=<c@d>: x",
	  "other id=4ABCDE from=a@b rcpt=c@d client=h[192.0.2.1] text=X-Spam: Yes" },
	{ POSTFIX "smtp[1]: 4ABCDE: to=<a@b>, relay=m[192.0.2.1]:25, conn_use=3, delay=89758, delays=89758/0.02/0/1.5, "
	  "tls=dane/!requiretls:nocertmatch, dsn=2.0.0, status=sent (250 OK id=1rXyZ2-0001Ab-3C)",
	  "sent id=4ABCDE other=1rXyZ2-0001Ab-3C rcpt=a@b relay=m[192.0.2.1]:25 dsn=2.0.0 "
	  "text=250 OK id=1rXyZ2-0001Ab-3C delay=89758000 part=89758000 part=20 part=0 part=1500" },
	{ POSTFIX "smtp[1]: 4ABCDE: to=<a@b>, relay=m[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent "
	  "(250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 5ABCDE)",
	  "sent id=4ABCDE other=5ABCDE rcpt=a@b relay=m[192.0.2.1]:25 dsn=2.0.0 text=250 2.0.0 from "
	  "MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 5ABCDE delay=1000" },
	{ POSTFIX "smtp[1]: 4ABCDE: to=<a@b>, relay=m, delay=1, dsn=2.0.0, status=sent (250 2.0.0 p8NI92sK023582 "
	  "Message accepted for delivery)", "sent id=4ABCDE other=p8NI92sK023582 rcpt=a@b relay=m dsn=2.0.0 "
	  "text=250 2.0.0 p8NI92sK023582 Message accepted for delivery delay=1000" },
	{ POSTFIX "discard[1]: 4ABCDE: to=<a@b>, relay=none, delay=0.05, delays=0.05/0/0/0, dsn=2.0.0, status=sent (x)",
	  "sent id=4ABCDE rcpt=a@b relay=none dsn=2.0.0 text=x delay=50 part=50 part=0 part=0 part=0" },
	{ POSTFIX "error[1]: 4ABCDE: to=<a@b>, relay=none, delay=x, dsn=5.1.1, status=undeliverable-but-not-cached "
	  "(no)",
	  "other id=4ABCDE rcpt=a@b relay=none dsn=5.1.1 text=no" },
	{ POSTFIX "smtp[1]: 4ABCDE: host m[192.0.2.1] said: 450 4.7.1 <a@b>: Later (in reply to RCPT TO command)",
	  "other id=4ABCDE relay=m[192.0.2.1] text=450 4.7.1 <a@b>: Later (in reply to RCPT TO command)" },
	{ POSTFIX "postsuper[1]: 4ABCDE: removed", "removed id=4ABCDE" },
	{ POSTFIX "postsuper[1]: 4ABCDE: placed on hold", "other id=4ABCDE" },
	{ POSTFIX "anvil[1]: statistics: max connection count 1 for (smtp:192.0.2.1) at Dec  6 09:20:03", "other" },
	{ POSTFIX "master[1]: daemon started -- version 3.7.11", "other" },
	{ POSTFIX "bounce[1]: 4ABCDE: sender delivery status notification: 5ABCDE", "notice id=4ABCDE other=5ABCDE" },
	{ "Dec  6 09:20:03 mx postfix-out/submission/smtpd[1]: 4fkZ2T1hQrz1J0N: client=h[192.0.2.1], "
	  "sasl_method=LOGIN, "
	  "sasl_username=u@x", "client id=4fkZ2T1hQrz1J0N client=h[192.0.2.1] user=u@x" },
	{ "Dec  6 09:20:03 mx lightmeter/headers[1]: 4ABCDE: header name=\"In-Reply-To\", value=\"<a@b>\"",
	  "header id=4ABCDE reply-to=a@b" },
	{ POSTFIX "smtpd[1]: message repeated 2 times: [ connect from h[192.0.2.1]]", "connect client=h[192.0.2.1]" },
};

static void what_postfix_says_is_read(void **state)
{
	(void)state;
	check_rows(ROWS(postfix_rows), MAILLOG_POSTFIX);
}

static const struct print_row sendmail_rows[] = {
	{ SENDMAIL "u1IJTVKD001591: from=<>, size=2172, class=0, nrcpts=1, msgid=<2016.x@example.org>, proto=ESMTP, "
	  "daemon=MTA-v4, relay=localhost [127.0.0.1] (may be forged)",
	  "received id=u1IJTVKD001591 from=<> mid=2016.x@example.org client=localhost [127.0.0.1] size=2172 nrcpt=1" },
	{ SENDMAIL "u1IJTVKD001591: from=joe, size=74, class=0, pri=30000, nrcpts=2, msgid=<a@b>, relay=joe@localhost",
	  "received id=u1IJTVKD001591 from=joe mid=a@b client=joe@localhost size=74 nrcpt=2" },
	/* All recipients were refused: nothing was queued. */
	{ SENDMAIL "u1IJTVKD001591: from=<a@b>, size=0, class=0, nrcpts=0, proto=ESMTP, daemon=MTA, relay=h "
	  "[192.0.2.1]",
	  "other id=u1IJTVKD001591 from=a@b client=h [192.0.2.1]" },
	{ SENDMAIL "u1IJTVKD001591: to=<a@b>, ctladdr=<c@d> (1/1), delay=1+02:03:04, xdelay=00:00:01, mailer=esmtp, "
	  "pri=120344, relay=mx.b. [192.0.2.1], dsn=2.0.0, stat=Sent (Ok: queued as 4ABCDE)",
	  "sent id=u1IJTVKD001591 other=4ABCDE rcpt=a@b relay=mx.b. [192.0.2.1] dsn=2.0.0 text=Ok: queued as 4ABCDE "
	  "delay=93784000" },
	{ SENDMAIL "u1IJTVKD001591: to=<a@b>,<c@d>, delay=00:00:03, mailer=relay, relay=[127.0.0.1] [127.0.0.1], "
	  "dsn=2.0.0, stat=Sent (p2BEZwjs014362 Message accepted for delivery)",
	  "sent id=u1IJTVKD001591 other=p2BEZwjs014362 rcpts=<a@b>,<c@d> relay=[127.0.0.1] [127.0.0.1] dsn=2.0.0 "
	  "text=p2BEZwjs014362 Message accepted for delivery delay=3000" },
	{ SENDMAIL "u1IJTVKD001591: to=a@b,test, ctladdr=k (1/1), delay=00:00:03, mailer=relay, dsn=4.0.0, "
	  "stat=Deferred: Connection refused by [127.0.0.1]", "deferred id=u1IJTVKD001591 rcpts=a@b,test dsn=4.0.0 "
	  "text=Deferred: Connection refused by [127.0.0.1] delay=3000" },
	{ SENDMAIL "u1IJTVKD001591: to=<a@b>, delay=00:00:01, mailer=local, dsn=5.1.1, stat=User unknown",
	  "bounced id=u1IJTVKD001591 rcpt=a@b dsn=5.1.1 text=User unknown delay=1000" },
	{ SENDMAIL "u1IJTVKD001591: to=\"|/usr/bin/vacation joe, stat=x\", delay=00:00:00, mailer=prog, dsn=2.0.0, "
	  "stat=Sent", "sent id=u1IJTVKD001591 rcpt=\"|/usr/bin/vacation joe, stat=x\" dsn=2.0.0 delay=0" },
	/* A recipient that looks like the end of the line. */
	{ SENDMAIL "u1IJTVKD001591: to=<\"x>, stat=Sent (\"@b>, delay=00:00:01, mailer=local, dsn=5.1.1, stat=User "
	  "unknown",
	  "bounced id=u1IJTVKD001591 rcpt=\"x>, stat=Sent (\"@b dsn=5.1.1 text=User unknown delay=1000" },
	{ SENDMAIL "u1IJTVKD001591: to=<a@b>, delay=00:00:01, mailer=relay, stat=queued",
	  "other id=u1IJTVKD001591 rcpt=a@b text=queued delay=1000" },
	{ SENDMAIL "u1IJTVKD001591: u1IJTVKE001591: DSN: User unknown",
	  "notice id=u1IJTVKD001591 other=u1IJTVKE001591 text=User unknown" },
	{ SENDMAIL "u1IJTVKD001591: u1IJTVKE001591: sender notify: Warning: could not send message for past 4 hours",
	  "notice id=u1IJTVKD001591 other=u1IJTVKE001591 text=Warning: could not send message for past 4 hours" },
	{ SENDMAIL "u1IJTVKD001591: done; delay=00:00:02, ntries=1", "removed id=u1IJTVKD001591" },
	{ SENDMAIL "u1IJTVKD001591: AUTH=server, relay=h [192.0.2.1], authid=joe, mech=PLAIN, bits=0",
	  "client id=u1IJTVKD001591 client=h [192.0.2.1] user=joe" },
	{ SENDMAIL "AUTH=server, relay=h [192.0.2.1] (may be forged), authid=joe, mech=PLAIN, bits=0",
	  "login client=h [192.0.2.1] user=joe" },
	{ SENDMAIL "AUTH=client, relay=h, mech=PLAIN, bits=0", "other" },
	{ SENDMAIL "u1IJTVKD001591: to=<a@b>,<c@d>, [more], ctladdr=<e@f> (1/1), delay=00:00:01, mailer=local, "
	  "dsn=2.0.0, "
	  "stat=Sent", "sent id=u1IJTVKD001591 rcpts=<a@b>,<c@d> dsn=2.0.0 delay=1000" },
	{ SENDMAIL "u1IJTVKD001591: Milter: cmd=data, reject=550 5.7.1 no",
	  "milter-reject id=u1IJTVKD001591 text=550 5.7.1 no" },
	{ SENDMAIL "NOQUEUE: connect from h [192.0.2.1]", "connect id=NOQUEUE client=h [192.0.2.1]" },
	{ SENDMAIL "u1IJTVKD001591: ruleset=check_rcpt, arg1=<a@b>, relay=h [192.0.2.1], reject=550 5.7.1 <a@b>... "
	  "Relaying denied. No, really", "rejected id=u1IJTVKD001591 rcpt=a@b client=h [192.0.2.1] "
	  "text=550 5.7.1 <a@b>... Relaying denied. No, really" },
	{ SENDMAIL "ruleset=check_relay, arg1=h, arg2=192.0.2.1, relay=h [192.0.2.1], reject=421 4.3.2 Too many.",
	  "rejected client=h [192.0.2.1] text=421 4.3.2 Too many." },
	{ SENDMAIL "u1IJTVKD001591: ruleset=check_mail, arg1=<a@b>, relay=h [192.0.2.1], reject=553 5.1.8 no",
	  "rejected id=u1IJTVKD001591 from=a@b client=h [192.0.2.1] text=553 5.1.8 no" },
	{ SENDMAIL "u1IJTVKD001591: <a@b>... No such user here",
	  "rejected id=u1IJTVKD001591 rcpt=a@b text=No such user here" },
	{ SENDMAIL "u1IJTVKD001591: Milter: to=<a@b>, reject=451 4.7.1 Later",
	  "milter-reject id=u1IJTVKD001591 rcpt=a@b text=451 4.7.1 Later" },
	{ SENDMAIL "u1IJTVKD001591: Milter: data, reject=550 5.7.1 Command rejected",
	  "milter-reject id=u1IJTVKD001591 text=550 5.7.1 Command rejected" },
	{ SENDMAIL "u1IJTVKD001591: Milter add: header: X: to=<a@b>, stat=Sent", "other id=u1IJTVKD001591" },
	{ SENDMAIL "to=<a@b>, dsn=2.0.0, stat=Sent", "other" },
	{ SENDMAIL "alias database /etc/aliases rebuilt by root", "other" },
	{ SENDMAIL "u1IJTVKD001591: to=", "other id=u1IJTVKD001591" },
};

static void what_sendmail_says_is_read(void **state)
{
	(void)state;
	check_rows(ROWS(sendmail_rows), MAILLOG_SENDMAIL);
}

static const struct print_row opensmtpd_rows[] = {
	{ SMTPD SESSION " smtp connected address=192.0.2.1 host=h.example.org", "connect other=" SESSION " "
	  "client=192.0.2.1" },
	{ SMTPD SESSION " smtp connected address=[2001:db8::1] host=<unknown>", "connect other=" SESSION
	  " client=[2001:db8::1]" },
	{ SMTPD SESSION " smtp message msgid=f6e94209 size=802 nrcpt=2 proto=ESMTP",
	  "received id=f6e94209 other=" SESSION " size=802 nrcpt=2" },
	{ SMTPD SESSION " smtp envelope evpid=f6e94209918f7e7b from=<a@b> to=<c@d>",
	  "queued id=f6e94209 other=" SESSION " from=a@b rcpt=c@d" },
	{ SMTPD SESSION " smtp envelope evpid=f6e94209918f7e7b from=<> to=<c@d>",
	  "queued id=f6e94209 other=" SESSION " from=<> rcpt=c@d" },
	{ SMTPD SESSION " mta delivery evpid=f6e94209918f7e7b from=<a@b> to=<c@d> rcpt=<-> source=\"192.0.2.1\" "
	  "relay=\"192.0.2.2 (mx.d)\" delay=1h2s result=\"Ok\" stat=\"250 2.0.0: 3d4c4a42 Message accepted for "
	  "delivery\"",
	  "sent id=f6e94209 other=3d4c4a42 from=a@b rcpt=c@d relay=192.0.2.2 (mx.d) dsn=2.0.0 "
	  "text=250 2.0.0: 3d4c4a42 Message accepted for delivery delay=3602000" },
	{ SMTPD SESSION " mta delivery evpid=f6e94209918f7e7b from=<a@b> to=<c@d> rcpt=<e@f> source=\"-\" relay=\"r\" "
	  "delay=3d result=\"TempFail\" stat=\"421 \"later\" result=\"Ok\"\"", "deferred id=f6e94209 from=a@b rcpt=c@d "
	  "orig=e@f relay=r text=421 \"later\" result=\"Ok\" delay=259200000" },
	{ SMTPD SESSION " mta delivery evpid=f6e94209918f7e7b from=<a@b> to=<\"c> result=\\\"Ok\"@d> rcpt=<-> "
	  "source=\"-\" "
	  "relay=\"r\" delay=0s result=\"PermFail\" stat=\"550 5.1.1 no\"",
	  "bounced id=f6e94209 from=a@b rcpt=\"c> result=\\\"Ok\"@d relay=r dsn=5.1.1 text=550 5.1.1 no delay=0" },
	{ SMTPD SESSION " mda delivery evpid=f6e94209918f7e7b from=<a@b> to=<c@d> rcpt=<c@d> user=c delay=1s result=Ok "
	  "stat=Delivered", "sent id=f6e94209 from=a@b rcpt=c@d text=Delivered delay=1000" },
	{ SMTPD SESSION " smtp failed-command command=\"RCPT TO:<a@b> \" result=\"550 Invalid recipient: <a@b>\"",
	  "rejected other=" SESSION " rcpt=a@b text=550 Invalid recipient: <a@b>" },
	{ SMTPD SESSION " smtp failed-command command=\"MAIL FROM:<a@b>\" result=\"530 5.5.1 no\"",
	  "rejected other=" SESSION " from=a@b text=530 5.5.1 no" },
	{ SMTPD SESSION " smtp failed-command command=\"AUTH LOGIN\" result=\"503 5.5.1 no\"",
	  "other other=" SESSION " text=503 5.5.1 no" },
	{ SMTPD SESSION " smtp authentication user=u result=ok", "login other=" SESSION " user=u" },
	{ SMTPD SESSION " smtp authentication user=u result=permfail", "other other=" SESSION " user=u" },
	{ SMTPD SESSION " smtp disconnected reason=quit", "disconnect other=" SESSION },
	{ SMTPD SESSION " smtp event=connected address=192.0.2.1 host=h", "connect other=" SESSION " "
	  "client=192.0.2.1" },
	{ SMTPD SESSION " smtp event=message msgid=f6e94209 from=<a@b> to=<c@d> size=9 ndest=1 proto=ESMTP",
	  "queued id=f6e94209 other=" SESSION " from=a@b rcpt=c@d size=9" },
	{ SMTPD SESSION " mta event=delivery evpid=f6e94209918f7e7b from=<a@b> to=<c@d> rcpt=<-> source=\"-\" "
	  "relay=\"r\" "
	  "delay=0s result=\"Ok\" stat=\"250 Ok: queued as 4ABCDE\"",
	  "sent id=f6e94209 other=4ABCDE from=a@b rcpt=c@d relay=r text=250 Ok: queued as 4ABCDE delay=0" },
	{ SMTPD "smtp-in: New session " SESSION " from host h.example.org [192.0.2.1]",
	  "connect other=" SESSION " client=h.example.org [192.0.2.1]" },
	{ SMTPD "smtp-in: Accepted message 4296f490 on session " SESSION ": from=<a@b>, to=<c@d>, size=1746, ndest=1, "
	  "proto=ESMTP", "queued id=4296f490 other=" SESSION " from=a@b rcpt=c@d size=1746" },
	{ SMTPD "relay: Ok for 4296f490aabbccdd: session=" SESSION ", from=<a@b>, to=<c@d>, rcpt=<->, "
	  "source=192.0.2.1, "
	  "relay=192.0.2.2 (mx.d), delay=3s, stat=250 2.0.0 Ok: queued as 4ABCDE",
	  "sent id=4296f490 other=4ABCDE from=a@b rcpt=c@d relay=192.0.2.2 dsn=2.0.0 text=250 2.0.0 Ok: queued as "
	  "4ABCDE "
	  "delay=3000" },
	{ SMTPD "delivery: TempFail for 4296f490aabbccdd: from=<a@b>, to=<c@d>, user=c, method=mbox, delay=3s, "
	  "stat=Error",
	  "deferred id=4296f490 from=a@b rcpt=c@d text=Error delay=3000" },
	{ SMTPD SESSION " mta connecting address=smtp://192.0.2.1:25 host=mx.d", "other" },
	{ SMTPD SESSION " mta delivery evpid=f6e9 from=<a@b> to=<c@d> rcpt=<-> result=\"Ok\" stat=\"250 x\"",
	  "other from=a@b rcpt=c@d text=250 x" },
	{ SMTPD "info: OpenSMTPD 7.9.0 starting", "other" },
};

static void what_opensmtpd_says_is_read(void **state)
{
	(void)state;
	check_rows(ROWS(opensmtpd_rows), MAILLOG_OPENSMTPD);
}

static const struct print_row dovecot_rows[] = {
	{ DOVECOT "imap-login: Login: user=<u@x>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, mpid=1, TLS, session=<a>",
	  "login client=192.0.2.1 user=u@x" },
	{ "Dec 06 09:20:03 mx dovecot[7]: pop3-login: Info: Login: user=<u>, method=PLAIN, rip=2001:db8::1, lip=::1",
	  "login client=2001:db8::1 user=u" },
	{ "Dec 06 09:20:03 imap-login: Info: Login: user=<u>, method=PLAIN, rip=192.0.2.1, lip=::1",
	  "login client=192.0.2.1 user=u" },
	{ DOVECOT "imap-login: Disconnected (auth failed, 1 attempts): user=<u>, method=PLAIN, rip=192.0.2.1, lip=::1",
	  "other client=192.0.2.1 user=u text=Disconnected (auth failed, 1 attempts)" },
	{ DOVECOT "pop3-login: Aborted login (no auth attempts): rip=192.0.2.1, lip=::1",
	  "other client=192.0.2.1 text=Aborted login (no auth attempts)" },
	{ DOVECOT "lmtp(u@x)<18594><u/B4JBa>: msgid=<a@b>: saved mail to INBOX",
	  "sent other=u/B4JBa rcpt=u@x mid=a@b text=saved mail to INBOX" },
	{ DOVECOT "lda(u)<18594><u/B4JBa>: sieve: msgid=<a@b>: stored mail into mailbox 'Junk'",
	  "sent other=u/B4JBa rcpt=u mid=a@b text=stored mail into mailbox 'Junk'" },
	{ DOVECOT "lmtp(22587, u@x): 5GjrDafYTFE7WAAABf1gKA: msgid=<a@b>: saved mail to INBOX",
	  "sent other=5GjrDafYTFE7WAAABf1gKA rcpt=u@x mid=a@b text=saved mail to INBOX" },
	{ "Dec 06 09:20:03 lmtp(u@x)<1><s>: Info: sieve: msgid=<a@b>: forwarded to <c@d>",
	  "sent other=s rcpt=u@x mid=a@b text=forwarded to <c@d>" },
	{ DOVECOT "lmtp(u)<1><s>: sieve: msgid=<a@b>: rejected message from <c@d> (reject)",
	  "bounced other=s rcpt=u mid=a@b text=rejected message from <c@d> (reject)" },
	{ DOVECOT "lmtp(u)<1><s>: sieve: msgid=<a@b>: sent vacation response to <c@d>",
	  "other rcpt=u mid=a@b text=sent vacation response to <c@d>" },
	{ DOVECOT "lmtp(u)<1><s>: msgid=<a>: saved mail to INBOX: x@b>: save failed to INBOX: Quota exceeded",
	  "other rcpt=u mid=a>: saved mail to INBOX: x@b text=save failed to INBOX: Quota exceeded" },
	{ DOVECOT "deliver(u): msgid=unspecified: saved mail to INBOX", "sent rcpt=u mid=unspecified text=saved "
	  "mail to INBOX" },
	{ DOVECOT "lmtp(25929): Connect from local", "connect client=local" },
	{ DOVECOT "lmtp(25929): Disconnect from 192.0.2.1: Client quit (in reset)", "disconnect client=192.0.2.1" },
	{ DOVECOT "pop3(u)<1><s>: Disconnected: Logged out top=0/0, retr=1/99, del=1/1, size=99", "other" },
	{ DOVECOT "auth-worker(304): pam(u,192.0.2.1): unknown user", "other" },
};

static void what_dovecot_says_is_read(void **state)
{
	(void)state;
	check_rows(ROWS(dovecot_rows), MAILLOG_DOVECOT);
}

static void what_others_say_is_nobodys(void **state)
{
	(void)state;
	static const struct print_row rows[] = {
		{ "Dec  6 09:20:03 mx amavis[1]: (1-02) Passed CLEAN {RelayedInbound}, queued_as: 4ABCDE", "other" },
		{ "Dec  6 09:20:03 mx last message repeated 3 times", "other" },
		{ "Dec  6 09:20:03 mx kernel: imap-login: Login: user=<u>, rip=192.0.2.1", "other" },
		{ "Dec  6 09:20:03 mx lmtp: msgid=<a@b>: saved mail to INBOX", "other" },
		{ "Dec  6 09:20:03 mx cron/evil[1]: 4ABCDE: removed", "other" },
		{ "msgid=<a@b>: saved mail to INBOX", "other" },
	};
	check_rows(ROWS(rows), MAILLOG_UNKNOWN);
}

static void several_recipients_are_taken_one_by_one(void **state)
{
	(void)state;
	static const char *const wanted[] = { "a@b", "\"x, ;>\\\"y\"@d", "root", "e@f", "\"g", "h\\" };
	static const char *const lists[] = { "<a@b>,<\"x, ;>\\\"y\"@d>,root,<e@f>,\"g,h\\",
					     "a@b \"x, ;>\\\"y\"@d root e@f \"g h\\",
					     "<a@b>;\"x, ;>\\\"y\"@d;root;e@f;\"g;h\\;" };
	static const char separators[] = ", ;";
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		struct maillog_event ev = { .rcpts = slice_from_str(lists[i]), .rcpts_separator = separators[i] };
		struct slice rcpt;
		for (size_t n = 0; n < sizeof wanted / sizeof wanted[0]; n++) {
			assert_true(maillog_next_rcpt(&ev, &rcpt));
			assert_slice(rcpt, wanted[n]);
		}
		assert_false(maillog_next_rcpt(&ev, &rcpt));
	}
	struct maillog_event none = { .kind = MAILLOG_RECEIVED };
	struct slice rcpt;
	assert_false(maillog_next_rcpt(&none, &rcpt));
}

static void lines_cut_or_broken_anywhere_are_read_within_their_bounds(void **state)
{
	(void)state;
	const struct {
		const struct print_row *rows;
		size_t count;
	} tables[] = { { ROWS(postfix_rows) }, { ROWS(sendmail_rows) }, { ROWS(opensmtpd_rows) },
		       { ROWS(dovecot_rows) } };
	for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
		for (size_t i = 0; i < tables[t].count; i++)
			check_cuts(tables[t].rows[i].line);
}

/* The prefix that most logs have is read by its shape, all others by the automaton. */
static void a_priority_in_front_changes_nothing(void **state)
{
	(void)state;
	char line[PRINT_BYTES], plain[PRINT_BYTES], with[PRINT_BYTES];
	for (size_t i = 0; i < sizeof postfix_rows / sizeof postfix_rows[0]; i++) {
		struct maillog_event a, b;
		snprintf(line, sizeof line, "<22>%s", postfix_rows[i].line);
		maillog_read(slice_from_str(line + 4), &a);
		maillog_read(slice_from_str(line), &b);
		print_event(&a, plain);
		print_event(&b, with);
		assert_string_equal(plain, with);
		assert_true(slice_equal(a.time, b.time) && slice_equal(a.host, b.host));
		assert_true(slice_equal(a.program, b.program) && slice_equal(a.service, b.service));
	}
}

static void a_line_of_a_megabyte_is_read(void **state)
{
	(void)state;
	enum { BYTES = 1 << 20 };
	static const char *const heads[] = {
		"", POSTFIX "smtp[1]: 4ABCDE: to=<", POSTFIX "smtp[1]: 4ABCDE: to=<\"", POSTFIX "cleanup[1]: "
		  "4ABCDE: reject: ",
		SENDMAIL "u1IJTVKD001591: to=", SENDMAIL "u1IJTVKD001591: from=<a", SMTPD SESSION " mta delivery "
		  "evpid=",
		SMTPD SESSION " mta delivery evpid=f6e94209918f7e7b from=<", DOVECOT "lmtp(u): msgid=<",
		DOVECOT "imap-login: Login: user=<",
	};
	static const char fills[] = "a,<\" :=\\;>";
	static struct maillog_reader reader;
	char *line = mem_must_alloc(BYTES);
	maillog_reader_begin(&reader);
	for (size_t h = 0; h < sizeof heads / sizeof heads[0]; h++) {
		for (size_t f = 0; f < sizeof fills; f++) { /* the NUL too */
			struct maillog_event ev;
			memset(line, fills[f], BYTES);
			memcpy(line, heads[h], strlen(heads[h]));
			maillog_reader_line(&reader, slice_make(line, BYTES), &ev);
			assert_true(ev.kind != MAILLOG_SENT);
		}
	}
	mem_free(line);
}

static struct maillog_event read_record(struct maillog_reader *reader, const char *record)
{
	struct slice rest = slice_from_str(record), line;
	struct maillog_event ev;
	while (slice_next(&rest, '\n', &line)) {
		maillog_reader_line(reader, line, &ev);
		assert_int_equal(ev.kind, MAILLOG_OTHER);
	}
	maillog_reader_line(reader, SLICE(""), &ev);
	return ev;
}

static void an_exported_journal_is_read_record_by_record(void **state)
{
	(void)state;
	static struct maillog_reader reader;
	char long_message[12 * 1024];
	maillog_reader_begin(&reader);
	struct maillog_event ev = read_record(&reader,
		"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1133860803123456\nMESSAGE=4ABCDE: removed\nPRIORITY=6\n"
		"SYSLOG_IDENTIFIER=postfix/qmgr\n_PID=12\n_HOSTNAME=mx");
	assert_int_equal(ev.kind, MAILLOG_REMOVED);
	assert_slice(ev.time, "1133860803.123456");
	assert_slice(ev.host, "mx");
	assert_slice(ev.service, "qmgr");
	assert_slice(ev.queue_id, "4ABCDE");
	assert_int_equal(reader.format, MAILLOG_POSTFIX);
	/* Nothing of the record before stays. */
	ev = read_record(&reader, "__CURSOR=s=1;i=3\n__REALTIME_TIMESTAMP=1133860804123456\n_HOSTNAME=mx");
	assert_int_equal(ev.kind, MAILLOG_OTHER);
	ev = read_record(&reader, "__CURSOR=s=1;i=4\nMESSAGE=4ABCDE: removed\nSYSLOG_IDENTIFIER=postfix/qmgr");
	assert_int_equal(ev.kind, MAILLOG_OTHER);
	snprintf(long_message, sizeof long_message,
		 "__CURSOR=s=1\n_HOSTNAME=mx\nSYSLOG_IDENTIFIER=postfix/smtpd\n__REALTIME_TIMESTAMP=1133860803123456\n"
		 "MESSAGE=connect from %0*d", 10 * 1024, 1);
	ev = read_record(&reader, long_message);
	assert_int_equal(ev.kind, MAILLOG_CONNECT);
	assert_true(ev.client.len > 4096 && ev.client.len < 8192);
	/* A record without an end takes no more than its share of the file. */
	maillog_reader_line(&reader, SLICE("__CURSOR=s=1"), &ev);
	for (int i = 0; i < 250; i++)
		maillog_reader_line(&reader, SLICE("FIELD=x"), &ev);
	/* Another line stands outside of records. */
	maillog_reader_line(&reader, SLICE("_x"), &ev);
	assert_int_equal(ev.kind, MAILLOG_OTHER);
	maillog_reader_line(&reader, slice_from_str(sendmail_rows[0].line), &ev);
	assert_int_equal(ev.kind, MAILLOG_RECEIVED);
}

static void the_reader_remembers_who_wrote_the_file(void **state)
{
	(void)state;
	static struct maillog_reader reader;
	struct maillog_event ev;
	maillog_reader_begin(&reader);
	maillog_reader_line(&reader, SLICE("Dec  6 09:20:03 mx kernel: x"), &ev);
	assert_int_equal(reader.format, MAILLOG_UNKNOWN);
	maillog_reader_line(&reader, slice_from_str(sendmail_rows[0].line), &ev);
	assert_int_equal(reader.format, MAILLOG_SENDMAIL);
	maillog_reader_line(&reader, SLICE(""), &ev);
	assert_int_equal(ev.kind, MAILLOG_OTHER);
	maillog_reader_line(&reader, SLICE("#"), &ev);
	assert_int_equal(reader.format, MAILLOG_SENDMAIL);
	maillog_reader_begin(&reader);
	assert_int_equal(reader.format, MAILLOG_UNKNOWN);
	for (int i = 0; i < MAILLOG_KIND_COUNT; i++)
		assert_true(i == MAILLOG_OTHER || strcmp(maillog_kind_name((enum maillog_kind)i), "other") != 0);
	assert_string_equal(maillog_kind_name(MAILLOG_KIND_COUNT), "other");
	for (int i = 0; i < MAILLOG_FORMAT_COUNT; i++)
		assert_true((i == MAILLOG_UNKNOWN) ==
			    (strcmp(maillog_format_name((enum maillog_format)i), "unknown") == 0));
	assert_string_equal(maillog_format_name(MAILLOG_FORMAT_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_postfix_says_is_read),
		cmocka_unit_test(what_sendmail_says_is_read),
		cmocka_unit_test(what_opensmtpd_says_is_read),
		cmocka_unit_test(what_dovecot_says_is_read),
		cmocka_unit_test(what_others_say_is_nobodys),
		cmocka_unit_test(several_recipients_are_taken_one_by_one),
		cmocka_unit_test(lines_cut_or_broken_anywhere_are_read_within_their_bounds),
		cmocka_unit_test(a_priority_in_front_changes_nothing),
		cmocka_unit_test(a_line_of_a_megabyte_is_read),
		cmocka_unit_test(an_exported_journal_is_read_record_by_record),
		cmocka_unit_test(the_reader_remembers_who_wrote_the_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
