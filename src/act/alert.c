/* SPDX-License-Identifier: Apache-2.0
 *
 * alert: the budget of the hour, and which way still has to tell what.
 *
 * A notice carries one bit for each way that has not told it. A way does one deed at a
 * time, oldest notice first, and is tried again with pauses that grow fourfold; after
 * ALERT_TRIES the notice is given up for this way. The list has a ceiling: the oldest
 * notice gives way that no deed is about.
 */
#include "act/alert_inner.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/http.h"
#include "wire/smtp.h"

#include <stdio.h>

enum { ALERT_PAUSE_FIRST_MS = 5000, ALERT_PAUSE_TIMES = 4 };

#define ROW(member, row_name, row_type, ...)                                                       \
	{ .name = row_name, .type = row_type, .offset = offsetof(struct alert_settings, member),   \
	  .is_reloadable = true, __VA_ARGS__ }

const struct setting_row alert_rows[] = {
	ROW(webhook, "webhook", SETTING_TEXT, .default_text = "", .is_secret = true,
	    .help = "Alerts are posted there as JSON: https://, or http:// to this machine itself. It is never shown, "
		    "since keys stand in some."),
	ROW(webhook_secret_file, "webhook_secret_file", SETTING_TEXT, .default_text = "",
	    .help = "The first line of this file goes along as \"Authorization: Bearer\". The file must be closed to "
		    "others (chmod 600); credential:NAME is one that systemd hands over."),
	ROW(webhook_ca_file, "webhook_ca_file", SETTING_PATH, .default_text = "",
	    .help = "Certificates of the authorities that the webhook's server is checked against; empty: those the "
		    "system knows."),
	ROW(command, "command", SETTING_LIST, .default_text = "[]", .max = 64,
	    .help = "A program with its arguments that is run for each alert, without a shell, with the same JSON on "
		    "its standard input. It must end within a minute, with status 0."),
	ROW(want_syslog, "syslog", SETTING_BOOL, .default_text = "false",
	    .help = "Alerts also go to the journal (with fields such as QUELL_INCIDENT), or to syslog, facility mail."),
	ROW(mail_to, "mail_to", SETTING_TEXT, .default_text = "",
	    .help = "The one address that alerts are mailed to."),
	ROW(mail_relay, "mail_relay", SETTING_TEXT, .default_text = "",
	    .help = "The mail server that takes them, better not the one that a storm jams: smtp://HOST:PORT, "
		    "lmtp://HOST:PORT, or lmtp:unix:/path."),
	ROW(mail_from_name, "mail_from_name", SETTING_TEXT, .default_text = "Quell",
	    .help = "The name such mail shows as its author's. Its sender is empty: it cannot be answered."),
	ROW(on_surplus, "on_surplus", SETTING_INT, .default_text = "50", .min = 1, .max = 1000000,
	    .unit = "copies",
	    .help = "An incident of which nothing is withheld is told when so many copies were surplus. One that is "
		    "withheld is told at once."),
	ROW(off_quiet_ms, "off_quiet", SETTING_SPAN, .default_text = "2h", .min = 60 * 1000,
	    .max = 7 * CLOCK_DAY_MS,
	    .help = "An incident that was told is over when there was nothing of it for so long, or for ten minutes "
		    "since its breaker closed."),
	ROW(remind_ms, "remind", SETTING_SPAN, .default_text = "1h", .min = 60 * 1000, .max = 7 * CLOCK_DAY_MS,
	    .help = "The first reminder of an incident that goes on comes after this time, each later one after "
		    "twice the time."),
	ROW(reminders_max, "reminders_max", SETTING_INT, .default_text = "4", .min = 0, .max = 20,
	    .unit = "reminders", .help = "At most so many of one incident."),
	ROW(per_hour_max, "per_hour", SETTING_INT, .default_text = "20", .min = 1, .max = 1000, .unit = "alerts",
	    .help = "At most so many in an hour, of all incidents; the rest is counted and told in one."),
	ROW(want_rates, "rates", SETTING_BOOL, .default_text = "true",
	    .help = "Tell of unusual activity too, when a server, sender or recipient leaves its usual measure."),
};
const size_t alert_row_count = sizeof alert_rows / sizeof alert_rows[0];

static const struct alert_kind *const alert_kinds[ALERT_WAYS] = {
	&alert_webhook_kind, &alert_program_kind, &alert_journal_kind, &alert_mail_kind,
};

/* --- what the settings may say -------------------------------------------------- */

static bool alert_expect(char *why, size_t why_bytes, const char *expected)
{
	snprintf(why, why_bytes, "%s", expected);
	return false;
}

bool alert_is_webhook(const char *url, char *why, size_t why_bytes)
{
	char text[HTTP_WHY_BYTES] = "";
	return http_is_safe(url, text) || alert_expect(why, why_bytes, text);
}

bool alert_is_relay(const char *relay, char *why, size_t why_bytes)
{
	struct alert_relay read;
	return alert_read_relay(relay, &read) ||
	       alert_expect(why, why_bytes, "smtp://HOST:PORT, lmtp://HOST:PORT or lmtp:unix:/path");
}

bool alert_is_address(const char *address, char *why, size_t why_bytes)
{
	struct slice s = slice_from_str(address);
	size_t at = slice_find_byte(s, 0, '@');
	bool is_fine = s.len <= 254 && at > 0 && at + 1 < s.len && slice_find_byte(s, at + 1, '@') == s.len &&
		       smtp_is_path(s);
	for (size_t i = 0; i < s.len; i++)
		is_fine = is_fine && s.ptr[i] > ' ' && s.ptr[i] <= '~' && !strchr("\"(),:;<>[\\]", s.ptr[i]);
	return is_fine || alert_expect(why, why_bytes, "one plain address such as postmaster@example.org");
}

static bool alert_check(const struct alert_settings *s, struct error *error)
{
	char why[128] = "";
	if (s->webhook[0] && !alert_is_webhook(s->webhook, why, sizeof why))
		return error_set(error, EXIT_BAD_INPUT, "alert.webhook: %s", why);
	if (s->mail_relay[0] && !alert_is_relay(s->mail_relay, why, sizeof why))
		return error_set(error, EXIT_BAD_INPUT, "alert.mail_relay: expected %s", why);
	if (s->mail_to[0] && !alert_is_address(s->mail_to, why, sizeof why))
		return error_set(error, EXIT_BAD_INPUT, "alert.mail_to: expected %s", why);
	return true;
}

/* --- notices --------------------------------------------------------------------- */

static void notice_free(struct alert *a, struct alert_notice *n)
{
	if (!list_is_empty(&n->link))
		a->notice_count--;
	list_remove(&n->link);
	buf_free(&n->text);
	buf_free(&n->json);
	mem_free(n);
}

static struct alert_notice *notice_new(const struct alert_news *news)
{
	uint8_t random[ALERT_TOKEN_HEX / 2];
	struct alert_notice *n = mem_alloc(sizeof *n);
	if (!n)
		return NULL;
	list_init(&n->link);
	n->event = news->event;
	n->now_ms = news->now_ms;
	n->cls = news->incident ? storm_class_name(news->incident->cls) : news->alarm ? storm_class_name(STORM_RATE)
										      : "none";
	snprintf(n->id, sizeof n->id, "%s", news->id);
	hash_random(random, sizeof random);
	hash_to_hex(random, sizeof random, n->token);
	hash_random(random, sizeof random);
	hash_to_hex(random, sizeof random, n->message_id);
	buf_init(&n->text, ALERT_TEXT_BYTES_MAX);
	buf_init(&n->json, 4 * ALERT_TEXT_BYTES_MAX);
	return n;
}

static bool notice_is_busy(const struct alert *a, const struct alert_notice *n)
{
	for (size_t i = 0; i < ALERT_WAYS; i++)
		if (a->ways[i].deed && a->ways[i].notice == n)
			return true;
	return false;
}

/* No deed and no way thinks of it any more. */
static void notice_drop(struct alert *a, struct alert_notice *n)
{
	for (size_t i = 0; i < ALERT_WAYS; i++)
		if (a->ways[i].notice == n && !a->ways[i].deed) {
			a->ways[i].notice = NULL;
			a->ways[i].tries = 0;
		}
	notice_free(a, n);
}

/* At the ceiling the oldest gives way. */
static void notice_make_room(struct alert *a)
{
	for (struct list *at = a->notices.next; a->notice_count >= ALERT_QUEUE_MAX && at != &a->notices;) {
		struct alert_notice *n = LIST_OWNER(at, struct alert_notice, link);
		at = at->next;
		if (notice_is_busy(a, n))
			continue;
		for (size_t i = 0; i < ALERT_WAYS; i++)
			a->counts.failed += (n->ways >> i) & 1;
		notice_drop(a, n);
	}
}

static unsigned alert_wanted(const struct alert *a)
{
	unsigned ways = 0;
	for (unsigned i = 0; i < ALERT_WAYS; i++)
		if (a->ways[i].kind->is_wanted(a->settings))
			ways |= 1u << i;
	return ways;
}

static void alert_post(struct alert *a, const struct alert_news *news)
{
	char text[LOG_QUOTE_BYTES];
	struct alert_notice *n = notice_new(news);
	if (!n || !alert_write(n, news)) {
		log_error("alert", "incident=%s trouble=\"no memory to tell of it\"", news->id[0] ? news->id : "none");
		if (n)
			notice_free(a, n);
		return;
	}
	log_warn("alert", "event=%s incident=%s class=%s text=%s", alert_event_name(n->event),
		 n->id[0] ? n->id : "none", n->cls, log_quote(slice_from_str(n->subject), text, sizeof text));
	n->ways = alert_wanted(a);
	if (!n->ways) {
		notice_free(a, n);
		return;
	}
	notice_make_room(a);
	list_add(&a->notices, &n->link);
	a->notice_count++;
}

/* --- the budget ------------------------------------------------------------------ */

/* A new hour begins, also when the clock was set back; what had no room in the old one is
 * told now, in one. */
static void alert_turn_hour(struct alert *a, int64_t now_ms)
{
	if (a->hour_told == 0 || (now_ms >= a->hour_ms && now_ms - a->hour_ms < CLOCK_HOUR_MS))
		return;
	struct alert_news news = {
		.event = ALERT_SUMMARY, .id = "", .over = a->hour_over, .alert = a, .since_ms = a->hour_ms,
		.now_ms = now_ms,
	};
	bool has_over = a->hour_over > 0;
	a->hour_told = 0;
	if (has_over)
		alert_post(a, &news);
	a->hour_told = has_over;
	a->hour_ms = now_ms;
	a->hour_over = 0;
	memset(a->over_ids, 0, sizeof a->over_ids);
}

void alert_tell(struct alert *a, const struct alert_news *news)
{
	alert_turn_hour(a, news->now_ms);
	if (a->hour_told >= a->settings->per_hour_max) {
		if (a->hour_over < ALERT_OVER_IDS_MAX)
			snprintf(a->over_ids[a->hour_over], INCIDENT_ID_BYTES, "%s", news->id);
		a->hour_over++;
		a->counts.over_budget++;
		return;
	}
	if (a->hour_told++ == 0)
		a->hour_ms = news->now_ms;
	alert_post(a, news);
}

/* --- ways -------------------------------------------------------------------------- */

static void way_settle(struct alert_way *way)
{
	struct alert_notice *n = way->notice;
	way->notice = NULL;
	way->tries = 0;
	way->pause_ms = 0;
	if (!n)
		return;
	n->ways &= ~(1u << way->number);
	if (!n->ways)
		notice_free(way->alert, n);
}

static void way_failed(struct alert_way *way, const char *why)
{
	char text[LOG_QUOTE_BYTES];
	if (!way->is_failing)
		log_error("alert", "way=%s state=failing why=%s", way->kind->name,
			  log_quote(slice_from_str(why), text, sizeof text));
	way->is_failing = true;
	if (++way->tries >= ALERT_TRIES) {
		way->alert->counts.failed++;
		way_settle(way);
		return;
	}
	way->pause_ms = way->pause_ms ? way->pause_ms * ALERT_PAUSE_TIMES : ALERT_PAUSE_FIRST_MS;
	way->due_ms = way->alert->now_ms + way->pause_ms;
}

void alert_told(struct alert_way *way, bool is_fine, const char *why)
{
	void *deed = way->deed;
	if (!is_fine) {
		way->deed = NULL;
		way_failed(way, why); /* why may live in the deed */
	} else {
		if (way->is_failing)
			log_info("alert", "way=%s state=works", way->kind->name);
		way->is_failing = false;
		way->deed = NULL;
		way->alert->counts.told++;
		way_settle(way);
	}
	way->kind->end(deed);
}

static struct alert_notice *way_next(const struct alert_way *way)
{
	struct list *all = &way->alert->notices;
	for (struct list *at = all->next; at != all; at = at->next) {
		struct alert_notice *n = LIST_OWNER(at, struct alert_notice, link);
		if (n->ways & (1u << way->number))
			return n;
	}
	return NULL;
}

/* It is not wanted any more: nothing waits for it. */
static void way_empty(struct alert_way *way)
{
	while ((way->notice = way_next(way)))
		way_settle(way);
	way->is_failing = false;
}

static void way_step(struct alert_way *way, int64_t now_ms)
{
	bool is_pausing = way->tries > 0 && now_ms < way->due_ms && way->due_ms - now_ms <= way->pause_ms;
	if (way->deed)
		return;
	if (!way->kind->is_wanted(way->alert->settings)) {
		way_empty(way);
		return;
	}
	if (is_pausing)
		return;
	if (!way->notice)
		way->notice = way_next(way);
	if (!way->notice)
		return;
	way->deed = way->kind->begin(way, way->notice);
	if (!way->deed)
		way_failed(way, "no memory");
}

void alert_tick(struct alert *a, int64_t now_ms)
{
	a->now_ms = now_ms;
	alert_turn_hour(a, now_ms);
	alert_cases_tick(a, now_ms);
	for (size_t i = 0; i < ALERT_WAYS; i++)
		way_step(&a->ways[i], now_ms);
}

/* --- tokens ------------------------------------------------------------------------ */

void alert_arm(struct alert *a, const struct alert_notice *notice)
{
	size_t at = a->next_token;
	for (size_t i = 0; i < ALERT_TOKENS_MAX; i++)
		if (strcmp(a->tokens[i].token, notice->token) == 0)
			at = i; /* another try with the same mail */
	if (at == a->next_token)
		a->next_token = (at + 1) % ALERT_TOKENS_MAX;
	memcpy(a->tokens[at].token, notice->token, sizeof notice->token);
	a->tokens[at].given_ms = loop_mono_ms(a->setup.loop);
}

bool alert_expects(struct alert *a, struct slice token)
{
	int64_t since_ms = loop_mono_ms(a->setup.loop) - ALERT_TOKEN_LIFE_MS;
	for (size_t i = 0; token.len == ALERT_TOKEN_HEX && i < ALERT_TOKENS_MAX; i++) {
		if (!a->tokens[i].token[0] || a->tokens[i].given_ms < since_ms ||
		    !hash_is_equal((const uint8_t *)token.ptr, (const uint8_t *)a->tokens[i].token, ALERT_TOKEN_HEX))
			continue;
		a->tokens[i].token[0] = '\0';
		return true;
	}
	return false;
}

/* --- life -------------------------------------------------------------------------- */

struct alert *alert_open(const struct alert_setup *setup, struct error *error)
{
	if (!alert_check(setup->settings, error))
		return NULL;
	struct alert *a = mem_alloc(sizeof *a);
	if (!a) {
		error_set(error, EXIT_UNAVAILABLE, "no memory for alerts");
		return NULL;
	}
	a->setup = *setup;
	a->settings = setup->settings;
	snprintf(a->host_name, sizeof a->host_name, "%s", setup->host_name);
	list_init(&a->notices);
	for (unsigned i = 0; i < ALERT_WAYS; i++)
		a->ways[i] = (struct alert_way){ .kind = alert_kinds[i], .alert = a, .number = i };
	return a;
}

void alert_close(struct alert **alert)
{
	struct alert *a = *alert;
	*alert = NULL;
	if (!a)
		return;
	for (size_t i = 0; i < ALERT_WAYS; i++)
		if (a->ways[i].deed)
			a->ways[i].kind->end(a->ways[i].deed);
	while (!list_is_empty(&a->notices))
		notice_free(a, LIST_OWNER(a->notices.next, struct alert_notice, link));
	alert_cases_free(a);
	mem_free(a);
}

void alert_retune(struct alert *a, const struct alert_settings *settings)
{
	/* Whoever waited out a pause tries at once: perhaps the settings were the trouble. */
	a->settings = settings;
	for (size_t i = 0; i < ALERT_WAYS; i++)
		a->ways[i].due_ms = 0;
}

void alert_counts(const struct alert *a, struct alert_counts *counts_out)
{
	*counts_out = a->counts;
	counts_out->waiting = a->notice_count;
}
