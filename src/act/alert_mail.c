/* SPDX-License-Identifier: Apache-2.0
 *
 * alert_mail: the alert as a mail by the second relay, over a link of its own that is
 * closed after it. The relay's name is looked up each time, by the loop's own resolver.
 *
 * How it fails: no address, no answer in time, a 4yz or 5yz: the way failed and alert.c
 * tries again. A link lost in doubt too: an alert twice is better than none, and both have
 * one Message-ID. The end is told in a round of its own, since a link cannot be freed from
 * within its callbacks.
 */
#include "act/alert_inner.h"

#include "act/link.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/resolve.h"

#include <stdio.h>

enum { MAIL_WAIT_MS = 60 * 1000, MAIL_BYTES_MAX = 2 * ALERT_TEXT_BYTES_MAX };

struct mail {
	struct alert_way *way;
	struct alert_relay relay;
	struct resolve *resolve;
	struct link *link;
	struct loop_timer *soon;
	struct buf bytes;
	size_t given;
	char rcpt[256];
	bool is_over, is_fine;
	char why[256];
};

static bool read_port(struct slice text, uint16_t *port_out)
{
	uint64_t port;
	if (!slice_to_u64(text, &port) || port == 0 || port > UINT16_MAX)
		return false;
	*port_out = (uint16_t)port;
	return true;
}

/* HOST, HOST:PORT, [v6] or [v6]:PORT. */
static bool read_host_port(struct slice text, struct alert_relay *r)
{
	bool has_brackets = text.len > 0 && text.ptr[0] == '[';
	size_t end = slice_find_byte(text, 0, has_brackets ? ']' : ':');
	if (has_brackets && end == text.len)
		return false;
	struct slice host = slice_between(text, has_brackets, end), rest = slice_from(text, end + has_brackets);
	if (host.len == 0 || host.len >= sizeof r->host)
		return false;
	for (size_t i = 0; i < host.len; i++)
		if (!ascii_is_alpha(host.ptr[i]) && !ascii_is_digit(host.ptr[i]) && !strchr(".-_:", host.ptr[i]))
			return false;
	snprintf(r->host, sizeof r->host, "%.*s", SLICE_ARG(host));
	return rest.len == 0 ? r->port != 0 : rest.ptr[0] == ':' && read_port(slice_from(rest, 1), &r->port);
}

bool alert_read_relay(const char *text, struct alert_relay *relay_out)
{
	struct slice s = slice_from_str(text), rest = slice_from(s, 5);
	*relay_out = (struct alert_relay){ .is_lmtp = slice_starts_nocase(s, SLICE("lmtp:")) };
	if (!relay_out->is_lmtp && !slice_starts_nocase(s, SLICE("smtp:")))
		return false;
	relay_out->port = relay_out->is_lmtp ? 0 : 25;
	if (slice_starts_nocase(rest, SLICE("//")))
		return read_host_port(slice_from(rest, 2), relay_out);
	struct slice path = slice_from(rest, 5);
	if (!slice_starts_nocase(rest, SLICE("unix:/")) || path.len < 2 || path.len >= sizeof relay_out->path)
		return false;
	snprintf(relay_out->path, sizeof relay_out->path, "%.*s", SLICE_ARG(path));
	return true;
}

/* --- the deed ---------------------------------------------------------------------- */

static void mail_finish(struct mail *m, bool is_fine, const char *why)
{
	if (m->is_over)
		return;
	m->is_over = true;
	m->is_fine = is_fine;
	snprintf(m->why, sizeof m->why, "%s", why);
	loop_timer_again(m->soon, 0);
}

static void mail_on_soon(void *ctx)
{
	struct mail *m = ctx;
	if (m->is_over)
		alert_told(m->way, m->is_fine, m->why);
}

static void mail_on_ready(void *ctx)
{
	struct mail *m = ctx;
	const struct link_mail mail = {
		.rcpt = slice_from_str(m->rcpt), .size_bytes = m->bytes.len, .want_no_dsn = true,
	};
	if (m->is_over) { /* after the last word */
		link_close(m->link);
		return;
	}
	alert_arm(m->way->alert, m->way->notice);
	if (!link_send(m->link, &mail))
		mail_finish(m, false, "the address cannot be said, or no memory");
}

static ssize_t mail_on_want(void *ctx, char *to, size_t room)
{
	struct mail *m = ctx;
	struct slice part = slice_first(slice_from(buf_slice(&m->bytes), m->given), room);
	if (part.len > 0)
		memcpy(to, part.ptr, part.len);
	m->given += part.len;
	return (ssize_t)part.len;
}

static void mail_on_word(void *ctx, const struct smtp_reply *reply)
{
	struct mail *m = ctx;
	char why[200], text[LOG_QUOTE_BYTES / 2];
	snprintf(why, sizeof why, "the relay said %d %s", reply->code, log_quote(reply->text, text, sizeof text));
	mail_finish(m, smtp_is_taken(reply), why);
}

static void mail_on_lost(void *ctx, bool had_mail, bool is_in_doubt, const char *why)
{
	(void)had_mail;
	(void)is_in_doubt;
	mail_finish(ctx, false, why);
}

static void mail_dial(struct mail *m, const struct net_addr *addr)
{
	static const struct link_calls calls = { mail_on_ready, mail_on_want, mail_on_word, mail_on_lost, NULL };
	const struct link_setup setup = {
		.loop = m->way->alert->setup.loop, .addr = *addr, .kind = m->relay.is_lmtp ? SMTP_LMTP : SMTP_SMTP,
		.helo = m->way->alert->host_name, .timeout_ms = MAIL_WAIT_MS,
	};
	m->link = link_new(&setup, &calls, m);
	if (m->link)
		link_open(m->link);
	else
		mail_finish(m, false, "no memory");
}

static void mail_on_addrs(void *ctx, const struct net_addr *addrs, size_t count, const char *why)
{
	struct mail *m = ctx;
	m->resolve = NULL;
	if (count > 0)
		mail_dial(m, &addrs[0]);
	else
		mail_finish(m, false, why);
}

static void mail_start(struct mail *m)
{
	struct net_addr addr;
	char text[128];
	if (m->relay.path[0]) {
		snprintf(text, sizeof text, "unix:%s", m->relay.path);
		if (net_addr_parse(slice_from_str(text), &addr, NULL))
			mail_dial(m, &addr);
		else
			mail_finish(m, false, "the path of the socket is too long");
		return;
	}
	m->resolve = resolve_start(m->way->alert->setup.loop, m->relay.host, m->relay.port, MAIL_WAIT_MS, mail_on_addrs,
				   m);
	if (!m->resolve)
		mail_finish(m, false, "no memory");
}

static bool mail_is_wanted(const struct alert_settings *s)
{
	return s->mail_to[0] != '\0' && s->mail_relay[0] != '\0';
}

static void mail_end(void *deed)
{
	struct mail *m = deed;
	resolve_cancel(&m->resolve);
	link_free(&m->link);
	loop_timer_stop(&m->soon);
	buf_free(&m->bytes);
	mem_free(m);
}

static void *mail_begin(struct alert_way *way, const struct alert_notice *notice)
{
	const struct alert_settings *s = way->alert->settings;
	struct mail *m = mem_alloc(sizeof *m);
	if (!m)
		return NULL;
	m->way = way;
	buf_init(&m->bytes, MAIL_BYTES_MAX);
	snprintf(m->rcpt, sizeof m->rcpt, "%s", s->mail_to);
	m->soon = loop_timer_start(way->alert->setup.loop, 0, 0, mail_on_soon, m);
	if (!m->soon || !alert_read_relay(s->mail_relay, &m->relay) ||
	    !alert_write_mail(way->alert, notice, &m->bytes)) {
		mail_end(m);
		return NULL;
	}
	mail_start(m);
	return m;
}

const struct alert_kind alert_mail_kind = { "mail", mail_is_wanted, mail_begin, mail_end };
