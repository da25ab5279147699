/* SPDX-License-Identifier: Apache-2.0
 *
 * alert_text: an alert in words, as JSON, and as a mail.
 *
 * The words are those of incident_explain, which lets no hostile byte through; what else
 * came from outside (the names of rates and of guilty servers) goes through log_quote. So
 * all of it is printable ASCII, and nothing of a mail's is ever in a header field.
 */
#include "act/alert_inner.h"

#include "base/clock.h"
#include "base/log.h"
#include "wire/base64.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

const char *alert_event_name(enum alert_event event)
{
	static const char *const names[] = { "begin", "remind", "end", "rate", "summary" };
	return names[event];
}

static void write_subject(struct alert_notice *n, const struct alert_news *news)
{
	const struct incident *i = news->incident;
	char name[96];
	size_t room = sizeof n->subject;
	if (news->event == ALERT_BEGIN)
		snprintf(n->subject, room, "Mail storm %s (%s) has begun: %" PRIu64 " surplus copies so far", n->id,
			 n->cls, i->surplus);
	else if (news->event == ALERT_REMIND)
		snprintf(n->subject, room, "Mail storm %s (%s) goes on: %" PRIu64 " surplus copies", n->id, n->cls,
			 i->surplus);
	else if (news->event == ALERT_END)
		snprintf(n->subject, room, "Mail storm %s (%s) is over: %" PRIu64 " surplus copies", n->id, n->cls,
			 i->surplus);
	else if (news->event == ALERT_RATE)
		snprintf(n->subject, room, "%s mail activity of %s %s", news->alarm->is_over ? "Usual" : "Unusual",
			 rate_kind_name(news->alarm->kind),
			 log_quote(slice_from_str(news->alarm->name), name, sizeof name));
	else
		snprintf(n->subject, room, "%" PRIu64 " more alerts in the last hour", news->over);
}

/* One long line, so that nothing hides behind a bare line end. */
static void write_why(struct buf *out, const char *why)
{
	for (; *why; why++)
		buf_add_byte(out, *why >= ' ' && *why <= '~' ? *why : '?');
	buf_add_byte(out, '\n');
}

static void write_summary(struct buf *out, const struct alert_news *news)
{
	char since[40];
	buf_addf(out, "Since %s %" PRIu64 " more alerts were not told, because the budget of the hour was spent.\n",
		 clock_rfc3339(news->since_ms, since, sizeof since), news->over);
	for (size_t i = 0; i < ALERT_OVER_IDS_MAX && news->alert->over_ids[i][0]; i++)
		buf_addf(out, "%s%s", i ? ", " : "Among them: ", news->alert->over_ids[i]);
	buf_add_str(out, "\nAll incidents: quell incidents\n");
}

static void write_text(struct alert_notice *n, const struct alert_news *news)
{
	buf_addf(&n->text, "%s.\n\n", n->subject);
	if (news->incident)
		incident_explain(news->incident, &n->text);
	else if (news->alarm)
		write_why(&n->text, news->alarm->why);
	else
		write_summary(&n->text, news);
	if (news->incident)
		buf_addf(&n->text, "\nMore: quell incident %s\n", n->id);
}

/* --- JSON --------------------------------------------------------------------------- */

static json_t *json_plain(const char *outside)
{
	char text[LOG_QUOTE_BYTES];
	return json_string(log_quote(slice_from_str(outside), text, sizeof text));
}

static json_t *json_guilty(const struct incident *incident)
{
	json_t *all = json_array();
	for (unsigned i = 0; incident && i < incident->party_count; i++) {
		const struct party *p = &incident->parties[i];
		char ip[IP_TEXT_BYTES];
		json_t *addresses = json_array();
		if (p->role != PARTY_GUILTY) {
			json_decref(addresses);
			continue;
		}
		for (unsigned j = 0; j < p->address_count; j++)
			json_array_append_new(addresses, json_string(ip_text(p->addresses[j], ip)));
		json_array_append_new(all, json_pack("{s:o,s:o}", "host", json_plain(p->host), "addresses", addresses));
	}
	return all;
}

static const char *news_state(const struct alert_news *news)
{
	if (news->incident)
		return breaker_name(news->incident->state);
	if (news->alarm)
		return news->alarm->is_over ? "usual" : "unusual";
	return "none";
}

static void json_add_rate(json_t *all, const struct rate_alarm *alarm)
{
	json_object_set_new(all, "kind", json_string(rate_kind_name(alarm->kind)));
	json_object_set_new(all, "name", json_plain(alarm->name));
	json_object_set_new(all, "per_hour", json_real(alarm->per_hour));
	json_object_set_new(all, "usual_per_hour", alarm->usual_per_hour < 0 ? json_null()
									      : json_real(alarm->usual_per_hour));
}

static int json_on_bytes(const char *bytes, size_t len, void *ctx)
{
	return buf_add(ctx, slice_make(bytes, len)) ? 0 : -1;
}

static bool write_json(struct alert_notice *n, const struct alert_news *news)
{
	const struct incident *i = news->incident;
	char since[40];
	json_t *all = json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:o,s:s,s:s,s:s}", "quell", "alert", "event",
				alert_event_name(n->event), "incident", n->id, "class", n->cls, "state",
				news_state(news), "copies", (json_int_t)(i ? i->copies : 0), "surplus",
				(json_int_t)(i ? i->surplus : 0), "recipients", (json_int_t)(i ? i->recipients : 0),
				"guilty", json_guilty(i), "since",
				clock_rfc3339(news->since_ms, since, sizeof since), "subject", n->subject, "text",
				buf_str(&n->text));
	if (!all)
		return false;
	if (news->alarm)
		json_add_rate(all, news->alarm);
	if (news->event == ALERT_SUMMARY)
		json_object_set_new(all, "more", json_integer((json_int_t)news->over));
	bool is_fine = json_dump_callback(all, json_on_bytes, &n->json, JSON_COMPACT) == 0 &&
		       buf_add_byte(&n->json, '\n');
	json_decref(all);
	return is_fine;
}

bool alert_write(struct alert_notice *n, const struct alert_news *news)
{
	write_subject(n, news);
	write_text(n, news);
	return n->text.len > 0 && write_json(n, news);
}

/* --- mail ---------------------------------------------------------------------------- */

/* A quoted string (RFC 5322 3.2.4) of what is printable ASCII, encoded words (RFC 2047) of
 * what is not: cut between characters, at most 75 letters each. */
static void write_name(struct buf *out, const char *name)
{
	enum { WORD_BYTES = 42 };
	bool is_ascii = true;
	for (const char *c = name; *c; c++)
		is_ascii = is_ascii && (unsigned char)*c < 0x80;
	if (is_ascii) {
		buf_add_byte(out, '"');
		for (const char *c = name; *c; c++) {
			if (*c == '"' || *c == '\\')
				buf_add_byte(out, '\\');
			buf_add_byte(out, *c >= ' ' && *c != 0x7f ? *c : ' ');
		}
		buf_add_byte(out, '"');
		return;
	}
	for (struct slice rest = slice_from_str(name); rest.len > 0;) {
		size_t cut = rest.len < WORD_BYTES ? rest.len : WORD_BYTES;
		while (cut > WORD_BYTES - 4 && cut < rest.len && ((unsigned char)rest.ptr[cut] & 0xc0) == 0x80)
			cut--;
		buf_add_str(out, "=?utf-8?B?");
		base64_add(out, slice_first(rest, cut));
		rest = slice_from(rest, cut);
		buf_add_str(out, rest.len > 0 ? "?=\r\n " : "?=");
	}
}

/* The text has lines of at most 998 bytes but for a rate's; those are cut here. */
static void write_body(struct buf *out, struct slice text)
{
	enum { LINE_BYTES = 900 };
	struct slice line;
	while (slice_next(&text, '\n', &line)) {
		do {
			buf_add(out, slice_first(line, LINE_BYTES));
			buf_add_str(out, "\r\n");
			line = slice_from(line, LINE_BYTES);
		} while (line.len > 0);
	}
}

bool alert_write_mail(const struct alert *a, const struct alert_notice *n, struct buf *out)
{
	char when[64];
	buf_addf(out, "Date: %s\r\nFrom: ", clock_rfc5322(n->now_ms, when, sizeof when));
	write_name(out, a->settings->mail_from_name);
	buf_addf(out, " <MAILER-DAEMON@%s>\r\nTo: <%s>\r\n", a->host_name, a->settings->mail_to);
	buf_addf(out, "Subject: %s\r\nMessage-ID: <%s.quell@%s>\r\n", n->subject, n->message_id, a->host_name);
	/* RFC 3834; the second for Exchange. Nobody's machine answers, and nobody's is answered. */
	buf_addf(out, "Auto-Submitted: auto-generated\r\nX-Auto-Response-Suppress: All\r\nX-Quell-Alert: %s\r\n",
		 n->token);
	buf_add_str(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n"
			 "Content-Transfer-Encoding: 7bit\r\n\r\n");
	write_body(out, buf_slice(&n->text));
	buf_addf(out, "\r\n-- \r\nMade by Quell on %s. It cannot be answered.\r\n", a->host_name);
	return !out->is_over;
}
