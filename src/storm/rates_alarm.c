/* SPDX-License-Identifier: Apache-2.0
 *
 * rates_alarm: an alarm's life: it begins in the bin that drives the sum over its
 * threshold, is told, and ends when an hour brought less than twice the usual.
 *
 * What returns at the same hour of the week, or simply lasts, is no alarm for ever: 14
 * days after the first of a row of alarms the last week becomes the measure. One that
 * begins within a day of the end of the last is told only after six hours, or when it is
 * twice as high: a new level in working hours would else be told each morning and night.
 */
#include "storm/rates_inner.h"

enum {
	TICK_ALARMS = 64,            /* looked at in one call */
	REPEAT_BINS = 6 * RATE_BINS_HOUR,
	EPISODE_BINS = 8 * RATE_BINS_DAY,
	CALM_MAILS_HOUR = 6,         /* so few are calm whatever is usual */
};

void rate_alarm_add(struct rates *r, uint32_t cold)
{
	r->alarms[r->alarm_count++] = cold;
}

/* A week ago at this hour (or the next to it) there was at least half of it. */
static bool is_repeated(const struct rate_hot *h, const struct rate_cold *c)
{
	double level = 0;
	for (uint32_t i = 0; i < 3; i++) {
		double near = rate_level(c->seen[(c->hour + RATE_HOURS_WEEK - 1 + i) % RATE_HOURS_WEEK]);
		if (near > level)
			level = near;
	}
	return 2 * RATE_BINS_HOUR * level >= h->count;
}

static bool is_old_row(const struct rate_cold *c, uint32_t bin)
{
	return c->episode_first != 0 && bin <= c->episode_last + EPISODE_BINS &&
	       bin + RATE_BINS_HOUR >= c->episode_first + RATE_BINS_LEARN;
}

static void begin_alarm(struct rate_hot *h, struct rate_cold *c, bool is_cold)
{
	double surplus = (double)c->h + c->k;
	if (c->episode_first == 0 || h->bin > c->episode_last + EPISODE_BINS)
		c->episode_first = h->bin;
	c->episode_last = h->bin;
	c->before_peak = c->alarm_peak;
	c->alarm_peak = 0;
	c->began_bin = c->told_bin = h->bin;
	c->before = (float)rate_key_mean(c);
	if (is_cold || c->sum <= 0) {
		c->since_bin = h->bin;
		c->run_mails = 0;
	}
	if (!is_cold)
		c->excess += (float)(surplus * surplus);
	c->flags |= RATE_IS_ALARM | (is_cold ? RATE_IS_COLD_ALARM : 0);
	h->limit = RATE_NO_LIMIT;
}

void rate_alarm_look(struct rates *r, struct rate_hot *h, struct rate_cold *c)
{
	if (c->flags & RATE_IS_ALARM)
		return;
	bool is_known = rate_key_is_known(c, h->bin);
	if (is_known && is_old_row(c, h->bin) && is_repeated(h, c)) {
		rate_key_adopt(r, c);
		c->episode_first = 0;
		h->limit = rate_key_limit(r, h, c);
		if (h->count < h->limit)
			return;
	}
	if (r->alarm_count >= r->alarm_max) {
		h->limit = RATE_NO_LIMIT;
		return;
	}
	begin_alarm(h, c, !is_known);
	rate_alarm_add(r, (uint32_t)(c - r->cold));
}

static void fill_alarm(const struct rate_hot *h, const struct rate_cold *c, int64_t now_ms, bool is_over,
		       bool is_adopted, struct rate_alarm *a)
{
	uint64_t mails = c->run_mails + h->count;
	*a = (struct rate_alarm){ .kind = h->kind, .is_over = is_over };
	a->is_cold = c->flags & RATE_IS_COLD_ALARM;
	a->since_ms = (int64_t)c->since_bin * RATE_BIN_MS;
	a->now_ms = now_ms > a->since_ms ? now_ms : a->since_ms;
	int64_t ran_ms = a->now_ms - a->since_ms < RATE_BIN_MS ? RATE_BIN_MS : a->now_ms - a->since_ms;
	a->per_hour = (double)mails * 3600000.0 / (double)ran_ms;
	a->usual_per_hour = RATE_BINS_HOUR * (double)(a->is_cold ? c->before : c->usual);
	rate_name_show(c, a->name);
	rate_alarm_words(c, mails, is_adopted, a);
}

static bool is_calm(const struct rate_hot *h, const struct rate_cold *c)
{
	if (h->bin < c->began_bin + RATE_BINS_HOUR)
		return false;
	uint64_t hour = 0;
	for (unsigned i = 0; i < RATE_BINS_HOUR; i++)
		hour += c->recent[i];
	double usual = c->flags & RATE_IS_COLD_ALARM ? (double)c->peak : (double)c->lambda;
	double most = 2 * RATE_BINS_HOUR * usual;
	most = most > CALM_MAILS_HOUR ? most : CALM_MAILS_HOUR;
	return (double)hour <= most && h->count <= most;
}

static bool is_due(const struct rate_hot *h, const struct rate_cold *c)
{
	if (h->bin >= c->told_bin + REPEAT_BINS)
		return true;
	if (c->flags & RATE_IS_TOLD)
		return false;
	uint32_t peak = h->count > c->alarm_peak ? h->count : c->alarm_peak;
	return c->ended_bin == 0 || c->began_bin > c->ended_bin + RATE_BINS_DAY || peak / 2 > c->before_peak;
}

static void end_alarm(struct rates *r, struct rate_hot *h, struct rate_cold *c)
{
	if ((c->flags & RATE_IS_COLD_ALARM) && c->alarm_peak > c->peak)
		c->peak = c->alarm_peak; /* as much is not told a second time */
	c->flags &= (uint8_t)~(RATE_IS_ALARM | RATE_IS_COLD_ALARM | RATE_IS_TOLD);
	c->ended_bin = h->bin;
	c->sum = 0;
	c->run_mails = 0;
	c->since_bin = h->bin;
	rate_key_measure(r, c);
	h->limit = rate_key_limit(r, h, c);
}

/* True: the alarm is over. */
static bool tick_alarm(struct rates *r, struct rate_hot *h, struct rate_cold *c, int64_t now_ms,
		       void (*tell)(void *ctx, const struct rate_alarm *alarm), void *ctx)
{
	struct rate_alarm alarm;
	rate_key_settle(r, h, rate_bin_of(now_ms));
	c->episode_last = h->bin;
	bool is_adopted = rate_key_is_known(c, h->bin) && is_old_row(c, h->bin) && is_repeated(h, c);
	bool is_over = is_adopted || is_calm(h, c);
	if (is_over ? (c->flags & RATE_IS_TOLD) != 0 : is_due(h, c)) {
		c->flags |= RATE_IS_TOLD;
		c->told_bin = h->bin;
		fill_alarm(h, c, now_ms, is_over, is_adopted, &alarm);
		tell(ctx, &alarm);
	}
	if (!is_over)
		return false;
	if (is_adopted)
		rate_key_adopt(r, c);
	end_alarm(r, h, c);
	if (is_adopted)
		c->episode_first = 0;
	return true;
}

void rates_tick(struct rates *r, int64_t now_ms, void (*tell)(void *ctx, const struct rate_alarm *alarm), void *ctx)
{
	size_t todo = r->alarm_count < TICK_ALARMS ? r->alarm_count : TICK_ALARMS;
	for (; todo > 0; todo--) {
		size_t at = r->alarm_hand < r->alarm_count ? r->alarm_hand : 0;
		struct rate_cold *c = &r->cold[r->alarms[at]];
		if (tick_alarm(r, &r->hot[c->hot - 1], c, now_ms, tell, ctx))
			r->alarms[at] = r->alarms[--r->alarm_count];
		else
			at++;
		r->alarm_hand = at;
	}
}
