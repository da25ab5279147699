/* SPDX-License-Identifier: Apache-2.0
 *
 * json_watch: the answer of `quell watch --json`, member by member.
 */
#include "desk/watch_report.h"

static json_t *source_json(const struct watch *watch, int source)
{
	struct watch_source_counts c;
	json_t *o = json_object(), *samples = json_array();
	watch_source_counts(watch, source, &c);
	json_put(o, "name", json_word(c.name));
	json_put(o, "format", json_word(maillog_format_name(c.format)));
	json_put_number(o, "lines", c.lines);
	json_put_number(o, "understood", c.understood);
	json_put_number(o, "unknown", c.unknown);
	json_put_number(o, "too_long", c.too_long);
	json_put_number(o, "backwards", c.backwards);
	json_put(o, "first", json_time(c.first_ms));
	json_put(o, "last", json_time(c.last_ms));
	for (int i = 0; i < WATCH_SAMPLES && c.samples[i]; i++)
		json_array_append_new(samples, json_word(c.samples[i]));
	json_put(o, "samples", samples);
	return o;
}

static json_t *rate_json(const struct rate_alarm *alarm)
{
	json_t *o = json_object();
	json_put(o, "kind", json_word(rate_kind_name(alarm->kind)));
	json_put(o, "name", json_word(alarm->name));
	json_put(o, "per_hour", json_real(alarm->per_hour));
	json_put(o, "usual_per_hour", alarm->is_cold ? json_null() : json_real(alarm->usual_per_hour));
	json_put(o, "since", json_time(alarm->since_ms));
	json_put(o, "is_over", json_boolean(alarm->is_over));
	json_put(o, "why", json_word(alarm->why));
	return o;
}

static void report_counts(struct json_stream *j, const struct watch *watch)
{
	struct watch_counts c;
	watch_counts(watch, &c);
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "lines", c.lines },       { "mails", c.mails },       { "passes", c.passes },
		{ "echoes", c.echoes },
		{ "sent", c.sent },         { "deferred", c.deferred }, { "bounced", c.bounced },
		{ "rejected", c.rejected }, { "evicted", c.evicted },
	};
	json_list(j, "sources");
	for (size_t i = 0; i < c.source_count; i++)
		json_item(j, source_json(watch, (int)i));
	json_list_end(j);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		json_member(j, rows[i].name, json_integer((json_int_t)rows[i].value));
}

void watch_json_report(struct json_stream *j, const struct watch_report *report)
{
	const struct watch_news *news = report->news;
	report_counts(j, report->watch);
	json_list(j, "incidents");
	for (size_t i = 0; i < news->id_count; i++) {
		const struct incident *incident = storm_incident(report->storm, news->ids[i]);
		if (incident)
			json_item(j, json_incident(incident, NULL));
	}
	json_list_end(j);
	json_list(j, "rates");
	for (size_t i = 0; i < news->rate_count; i++)
		json_item(j, rate_json(&news->rates[i]));
	json_list_end(j);
}

static const char *status_name(enum watch_status status)
{
	static const char *const names[] = { "open", "sent", "deferred", "bounced", "expired" };
	return names[status];
}

static json_t *slice_or_null(struct slice s)
{
	return s.len > 0 ? json_text(s) : json_null();
}

static json_t *seconds_or_null(int64_t ms)
{
	return ms >= 0 ? json_real((double)ms / 1000) : json_null();
}

static json_t *rcpt_json(const struct watch_rcpt *r)
{
	json_t *o = json_object();
	json_put(o, "address", json_text(r->address));
	json_put(o, "orig", slice_or_null(r->orig_address));
	json_put(o, "status", json_word(status_name(r->status)));
	json_put(o, "dsn", slice_or_null(r->dsn));
	json_put(o, "relay", slice_or_null(r->relay));
	json_put(o, "delay_s", seconds_or_null(r->delay_ms));
	if (r->delays_ms[0] >= 0) {
		json_t *delays = json_array();
		for (int i = 0; i < 4; i++)
			json_array_append_new(delays, seconds_or_null(r->delays_ms[i]));
		json_put(o, "delays_s", delays);
	}
	json_put_number(o, "tries", r->tries);
	return o;
}

json_t *watch_json_mail(const struct watch_mail *mail)
{
	char ip[IP_TEXT_BYTES];
	json_t *o = json_object(), *rcpts = json_array();
	json_put(o, "server", json_text(mail->server));
	json_put(o, "format", json_word(maillog_format_name(mail->format)));
	json_put(o, "queue_id", slice_or_null(mail->queue_id));
	json_put(o, "message_id", slice_or_null(mail->message_id));
	json_put(o, "from", mail->has_from ? json_text(mail->from) : json_null());
	json_put_number(o, "size", mail->size_bytes);
	json_put_number(o, "nrcpt", mail->nrcpt);
	json_put(o, "client_name", slice_or_null(mail->client_name));
	json_put(o, "client_ip", ip_is_unknown(mail->client_ip) ? json_null()
								: json_string(ip_text(mail->client_ip, ip)));
	json_put(o, "helo", slice_or_null(mail->helo));
	json_put(o, "auth_user", slice_or_null(mail->auth_user));
	json_put(o, "subject", slice_or_null(mail->subject));
	json_put(o, "in_reply_to", slice_or_null(mail->in_reply_to));
	json_put(o, "notice_of", slice_or_null(mail->notice_of));
	json_put(o, "first", json_time(mail->first_ms));
	json_put(o, "last", json_time(mail->last_ms));
	json_put(o, "is_removed", json_boolean(mail->is_removed));
	for (size_t i = 0; i < mail->rcpt_count; i++)
		json_array_append_new(rcpts, rcpt_json(&mail->rcpts[i]));
	json_put(o, "recipients", rcpts);
	json_put_number(o, "more_recipients", mail->rcpt_total - mail->rcpt_count);
	return o;
}
