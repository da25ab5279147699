/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_dovecot: what Dovecot writes behind "time host dovecot: ", or into its own file
 * behind "time " alone: "service(user)<pid><session>: text", with a level in between there.
 *
 * It has no queue ids: a delivery is SENT with message_id and the user as rcpt, and with the
 * session, which has ":T2" behind it for its second mail and ":R2" for that mail's second
 * recipient: without the latter it stands for the mail. The
 * Message-ID is a stranger's and may look like the end of the line: what Dovecot did is
 * read behind the last place where it can end.
 */
#include "wire/maillog_inside.h"
#include "wire/maillog_reply.h"

static void pass_level(struct slice *text)
{
	static const struct slice levels[] = {
		{ "Info: ", 6 }, { "Warning: ", 9 }, { "Error: ", 7 }, { "Debug: ", 7 }, { "Fatal: ", 7 },
	};
	for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
		if (maillog_skip(text, levels[i]))
			return;
}

/* "user", or "1234, user" of old versions; a mere process is nobody. */
static struct slice user_of(struct slice brackets)
{
	size_t comma = slice_find_byte(brackets, 0, ',');
	if (comma < brackets.len)
		brackets = slice_trim(maillog_from(brackets, comma + 1));
	for (size_t i = 0; i < brackets.len; i++)
		if (!ascii_is_digit(brackets.ptr[i]))
			return brackets;
	return slice_make(NULL, 0);
}

/* "Login: user=<a>, method=PLAIN, rip=192.0.2.1, lip=..., session=<x>" */
static void read_login(struct slice text, struct maillog_event *ev)
{
	bool is_login = maillog_starts(text, SLICE("Login: "));
	size_t at = slice_find_nocase(text, 0, SLICE("user=<"));
	struct slice user, rest = maillog_from(text, at + 5);
	if (maillog_take_path(&rest, &user))
		ev->sasl_user = user;
	else
		rest = text;
	at = slice_find_nocase(rest, 0, SLICE("rip="));
	rest = maillog_from(rest, at + 4);
	ev->client = maillog_take_value(&rest);
	if (is_login && ev->sasl_user.len > 0)
		ev->kind = MAILLOG_LOGIN;
	else
		ev->text = slice_first(text, slice_find_byte(text, 0, ':'));
}

static void set_action(struct slice action, struct maillog_event *ev)
{
	static const struct {
		struct slice word;
		enum maillog_kind kind;
	} rows[] = {
		{ { "saved mail to ", 14 }, MAILLOG_SENT }, { { "stored mail into mailbox ", 25 }, MAILLOG_SENT },
		{ { "forwarded to ", 13 }, MAILLOG_SENT }, { { "rejected message ", 17 }, MAILLOG_BOUNCED },
	};
	ev->text = action;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (maillog_starts(action, rows[i].word))
			ev->kind = rows[i].kind;
}

/* "<session>" behind "<pid>". */
static struct slice session_of(struct slice rest)
{
	struct slice pid, session;
	if (!maillog_take_path(&rest, &pid) || !maillog_take_path(&rest, &session))
		return slice_make(NULL, 0);
	return session;
}

/* "msgid=<x>: saved mail to INBOX", behind "sieve: " or a session's word. */
static void read_delivery(struct slice text, struct slice user, struct slice session, struct maillog_event *ev)
{
	enum { WORDS_MAX = 2 };
	for (int i = 0; i < WORDS_MAX && !maillog_starts(text, SLICE("msgid=")); i++) {
		size_t colon = slice_find_byte(text, 0, ':');
		if (slice_find_byte(text, 0, ' ') <= colon)
			break;
		if (session.len == 0 && !maillog_starts(text, SLICE("sieve:")))
			session = slice_first(text, colon);
		text = maillog_from(text, colon + 2);
	}
	if (maillog_skip(&text, SLICE("msgid="))) {
		size_t end = maillog_find_last(text, SLICE(">: "));
		if (end == text.len)
			end = slice_find_nocase(text, 0, SLICE(": "));
		else
			end++;
		struct slice id = slice_first(text, end);
		ev->message_id = maillog_unwrap(maillog_unwrap(id, '<', '>'), '<', '>');
		ev->rcpt = user;
		set_action(maillog_from(text, end + 2), ev);
		if (ev->kind != MAILLOG_OTHER)
			ev->other_id = maillog_reply_session(session);
	} else if (maillog_skip(&text, SLICE("Connect from "))) {
		ev->client = text;
		ev->kind = MAILLOG_CONNECT;
	} else if (maillog_skip(&text, SLICE("Disconnect from "))) {
		ev->client = slice_first(text, slice_find_byte(text, 0, ':'));
		ev->kind = MAILLOG_DISCONNECT;
	}
}

enum service { SERVICE_UNKNOWN, SERVICE_OTHER, SERVICE_LOGIN, SERVICE_DELIVERS };

static enum service service_of(struct slice name)
{
	static const struct {
		struct slice name;
		enum service service;
	} rows[] = {
		{ { "imap-login", 10 }, SERVICE_LOGIN }, { { "pop3-login", 10 }, SERVICE_LOGIN },
		{ { "submission-login", 16 }, SERVICE_LOGIN }, { { "managesieve-login", 17 }, SERVICE_LOGIN },
		{ { "lmtp", 4 }, SERVICE_DELIVERS }, { { "lda", 3 }, SERVICE_DELIVERS },
		{ { "deliver", 7 }, SERVICE_DELIVERS }, { { "auth", 4 }, SERVICE_OTHER },
		{ { "auth-worker", 11 }, SERVICE_OTHER }, { { "imap", 4 }, SERVICE_OTHER },
		{ { "pop3", 4 }, SERVICE_OTHER }, { { "master", 6 }, SERVICE_OTHER },
		{ { "config", 6 }, SERVICE_OTHER }, { { "dovecot-auth", 12 }, SERVICE_OTHER },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (slice_equal(name, rows[i].name))
			return rows[i].service;
	return SERVICE_UNKNOWN;
}

bool maillog_dovecot(struct slice text, struct maillog_event *ev)
{
	struct slice head = ev->program;
	bool is_syslog = maillog_starts(head, SLICE("dovecot")) && !maillog_starts(head, SLICE("dovecot-"));
	if (is_syslog) {
		size_t end = slice_find_nocase(text, 0, SLICE(": "));
		head = slice_first(text, end);
		text = maillog_from(text, end + 2);
	}
	pass_level(&text);
	struct slice rest = head, user;
	struct slice name = maillog_take_until(&rest, '(');
	enum service service = service_of(name);
	/* Its own file names no host; another program of such a name is none of it. */
	if (!is_syslog && (service == SERVICE_UNKNOWN || ev->host.len > 0))
		return false;
	user = user_of(maillog_take_until(&rest, ')'));
	if (service == SERVICE_LOGIN)
		read_login(text, ev);
	else if (service == SERVICE_DELIVERS)
		read_delivery(text, user, session_of(rest), ev);
	return true;
}
