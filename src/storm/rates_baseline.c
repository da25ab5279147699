/* SPDX-License-Identifier: Apache-2.0
 *
 * rates_baseline: what is usual for a key, learnt from the bins that ended.
 *
 * Hours of the week count in UTC, from the Thursday on which 1970 began: nobody's working
 * week is taken for granted, and a zone moves the hours of all weeks alike. (A change to
 * summer time moves them by one, therefore the measure is the highest of three hours.)
 * Means are kept as bytes that stand for levels 8.5 % apart.
 *
 * How spread a key's counts are is learnt too: 1/r by its moments, drawn towards the 1/2
 * of the published tables where little is known. A bursty key so gets a high threshold.
 *
 * A bin during an alarm teaches no more than twice the usual, or a storm would become
 * usual. In a key's first 14 days, when there is no measure, each bin teaches all.
 */
#include "storm/rates_inner.h"

#include <math.h>

#define LEVEL_MIN 0.005
#define LEVEL_STEP 1.085
#define WEEK_FADE 0.70710678  /* half-life 14 days */
#define HOUR_FADE 0.99793918  /* the same, an hour: 2^(-1/336) */
#define LAMBDA_MIN 0.05
#define CALM_SHARE 0.25       /* of the mean over all hours: no hour is held to less */
#define SPREAD_PRIOR 0.5      /* 1/r of the tables */
#define SPREAD_WEIGHT 10.0    /* as much as ten bins of one mail */
#define SPREAD_MIN 0.02
#define SPREAD_MAX 100.0

enum {
	SUM_MIN = 50,             /* fewer mails too many are nobody's storm */
	COLD_START_BINS = 18,     /* three hours of all keys before the cold rule speaks */
	COLD_MAILS = 200,         /* in one bin */
	COLD_TIMES_OWN = 20,      /* its own busiest bin */
	COLD_TIMES_OTHERS = 3,    /* the busiest bin of any key of its kind */
	STRANGER_MAILS = 500,     /* the same for one known for less than an hour */
	STRANGER_TIMES_OTHERS = 10,
	PEAK_FIRST = 8,
};

double rate_level(uint8_t byte)
{
	return byte == 0 ? 0 : LEVEL_MIN * exp(log(LEVEL_STEP) * (byte - 1));
}

uint8_t rate_level_byte(double level)
{
	if (!(level >= LEVEL_MIN / 2))
		return 0;
	double step = round(log(level / LEVEL_MIN) / log(LEVEL_STEP));
	return (uint8_t)(1 + (step < 0 ? 0 : step > 254 ? 254 : step));
}

bool rate_key_is_known(const struct rate_cold *c, uint32_t bin)
{
	return bin >= c->first_bin && bin - c->first_bin >= RATE_BINS_LEARN;
}

double rate_key_mean(const struct rate_cold *c)
{
	return c->n > 0 ? c->mails / c->n : 0;
}

static double spread_of(const struct rate_cold *c)
{
	double spread = (c->excess + SPREAD_PRIOR * SPREAD_WEIGHT) / (c->square + SPREAD_WEIGHT);
	return spread < SPREAD_MIN ? SPREAD_MIN : spread > SPREAD_MAX ? SPREAD_MAX : spread;
}

static double hour_mean(const struct rate_cold *c, uint32_t hour)
{
	return rate_level(c->mean[hour % RATE_HOURS_WEEK]);
}

/* The highest of this hour and its neighbours, and a share of the mean. */
static double generous(const struct rate_cold *c, uint32_t hour)
{
	double level = CALM_SHARE * rate_key_mean(c);
	for (uint32_t i = 0; i < 3; i++) {
		double near = hour_mean(c, hour + RATE_HOURS_WEEK - 1 + i);
		if (near > level)
			level = near;
	}
	return level > LAMBDA_MIN ? level : LAMBDA_MIN;
}

void rate_key_measure(const struct rates *r, struct rate_cold *c)
{
	bool is_needed = rate_key_is_known(c, (c->hour + 1) * RATE_BINS_HOUR);
	double lambda = generous(c, c->hour), k = rate_slack(lambda);
	double h = is_needed ? rate_threshold(lambda, 1 / spread_of(c), k, r->target) : 0;
	c->usual = (float)hour_mean(c, c->hour);
	c->lambda = (float)lambda;
	c->k = (float)k;
	c->h = (float)(h > SUM_MIN ? h : SUM_MIN);
}

void rate_key_begin(struct rate_cold *c, uint32_t bin)
{
	c->first_bin = c->since_bin = bin;
	c->hour = bin / RATE_BINS_HOUR;
	c->lambda = (float)LAMBDA_MIN;
	c->k = 1;
	c->h = SUM_MIN;
}

/* An hour of the week that came count times with this level each. */
static void teach_hour(struct rate_cold *c, uint32_t hour, double level, uint32_t count)
{
	uint32_t weeks = (hour - c->first_bin / RATE_BINS_HOUR) / RATE_HOURS_WEEK;
	double keep = weeks < 3 ? weeks / (weeks + 1.0) : WEEK_FADE;
	if (count > 1)
		keep *= pow(WEEK_FADE, count - 1);
	double mean = hour_mean(c, hour) * keep + level * (1 - keep);
	c->mean[hour % RATE_HOURS_WEEK] = rate_level_byte(mean);
}

static void fade(struct rate_cold *c, double factor)
{
	c->n = (float)(c->n * factor);
	c->mails = (float)(c->mails * factor);
	c->excess = (float)(c->excess * factor);
	c->square = (float)(c->square * factor);
}

static void end_hour(const struct rates *r, struct rate_cold *c)
{
	teach_hour(c, c->hour, c->hour_taught / RATE_BINS_HOUR, 1);
	c->seen[c->hour % RATE_HOURS_WEEK] = rate_level_byte((double)c->hour_mails / RATE_BINS_HOUR);
	c->hour_mails = 0;
	c->hour_taught = 0;
	c->hour++;
	fade(c, HOUR_FADE);
	rate_key_measure(r, c);
}

static void teach_bins(struct rate_cold *c, double x, double count)
{
	double off = x - c->lambda;
	c->n += (float)count;
	c->mails += (float)(x * count);
	c->excess += (float)((off * off - c->lambda) * count);
	c->square += (float)((double)c->lambda * c->lambda * count);
}

static void teach_peak(struct rates *r, const struct rate_hot *h, struct rate_cold *c, uint32_t x, uint32_t bin)
{
	uint32_t most = c->peak < PEAK_FIRST / 2 ? PEAK_FIRST : c->peak < RATE_NO_LIMIT / 2 ? 2 * c->peak : c->peak;
	if (x > c->peak)
		c->peak = x < most ? x : most;
	if (c->peak > r->peak[h->kind]) {
		r->peak[h->kind] = c->peak;
		r->peak_bin[h->kind] = bin;
	}
}

/* One bin of the running hour has ended. During an alarm it teaches by this hour's own mean:
 * the highest of three would carry the growth of each hour on to the next. */
static void end_bin(struct rates *r, const struct rate_hot *h, struct rate_cold *c, uint32_t bin, uint32_t x)
{
	bool is_clipped = (c->flags & RATE_IS_ALARM) && !(c->flags & RATE_IS_COLD_ALARM);
	double twice = 2 * fmax(c->usual, LAMBDA_MIN), taught = is_clipped && x > twice ? twice : x;
	if (!(c->flags & RATE_IS_ALARM))
		teach_peak(r, h, c, x, bin);
	c->recent[bin % RATE_BINS_HOUR] = x;
	c->hour_mails = x > RATE_NO_LIMIT - c->hour_mails ? RATE_NO_LIMIT : c->hour_mails + x;
	c->hour_taught += (float)taught;
	teach_bins(c, taught, 1);
	if (c->flags & RATE_IS_ALARM) {
		c->run_mails += x;
		if (x > c->alarm_peak)
			c->alarm_peak = x;
		return;
	}
	double sum = rate_key_is_known(c, bin) ? (double)c->sum + x - c->k : 0;
	c->sum = (float)(sum > 0 ? sum : 0);
	c->run_mails = sum > 0 ? c->run_mails + x : 0;
	if (sum <= 0)
		c->since_bin = bin + 1;
}

/* Whole hours without a mail, as many as there are, in one go. */
static void pass_hours(const struct rates *r, struct rate_cold *c, uint32_t hours)
{
	uint32_t once = hours < RATE_HOURS_WEEK ? hours : RATE_HOURS_WEEK;
	for (uint32_t i = 0; i < once; i++) {
		uint32_t hour = c->hour + i;
		c->lambda = (float)generous(c, hour);
		c->seen[hour % RATE_HOURS_WEEK] = 0;
		teach_hour(c, hour, 0, (hours - i - 1) / RATE_HOURS_WEEK + 1);
		teach_bins(c, 0, RATE_BINS_HOUR);
		fade(c, HOUR_FADE);
	}
	fade(c, pow(HOUR_FADE, hours - once));
	c->hour += hours;
	memset(c->recent, 0, sizeof c->recent);
	double sum = c->sum - (double)hours * RATE_BINS_HOUR * c->k;
	if (!(c->flags & RATE_IS_ALARM)) {
		c->sum = (float)(sum > 0 ? sum : 0);
		if (sum <= 0) {
			c->since_bin = c->hour * RATE_BINS_HOUR;
			c->run_mails = 0;
		}
	}
	rate_key_measure(r, c);
}

/* The bins from first up to (not with) end held no mail. */
static void pass_silence(struct rates *r, const struct rate_hot *h, struct rate_cold *c, uint32_t first,
			 uint32_t end)
{
	while (first < end) {
		uint32_t hour = first / RATE_BINS_HOUR, hours = end / RATE_BINS_HOUR - hour;
		if (c->hour < hour)
			end_hour(r, c);
		if (first % RATE_BINS_HOUR == 0 && hours > 0) {
			pass_hours(r, c, hours);
			first += hours * RATE_BINS_HOUR;
			continue;
		}
		end_bin(r, h, c, first++, 0);
	}
}

static void settle_cold(struct rates *r, struct rate_hot *h, struct rate_cold *c, uint32_t bin)
{
	end_bin(r, h, c, h->bin, h->count);
	if (c->flags & RATE_IS_RESTORED) {
		c->flags &= (uint8_t)~RATE_IS_RESTORED;
		if (bin / RATE_BINS_HOUR > c->hour) {
			c->hour_mails = 0;
			c->hour_taught = 0;
			c->hour = bin / RATE_BINS_HOUR;
			c->sum = 0;
			c->run_mails = 0;
			c->since_bin = bin;
			rate_key_measure(r, c);
		}
		return;
	}
	pass_silence(r, h, c, h->bin + 1, bin);
	if (c->hour < bin / RATE_BINS_HOUR)
		end_hour(r, c);
}

void rate_key_settle(struct rates *r, struct rate_hot *h, uint32_t bin)
{
	if (bin <= h->bin)
		return;
	struct rate_cold *c = h->cold ? &r->cold[h->cold - 1] : NULL;
	if (!c) {
		h->last = h->count > RATE_NO_LIMIT - h->last ? RATE_NO_LIMIT : h->last + h->count;
		h->limit = h->last < RATE_EARN_MAILS ? RATE_EARN_MAILS - h->last : 1;
	} else {
		settle_cold(r, h, c, bin);
		h->last = bin - h->bin == 1 ? h->count : 0;
	}
	h->bin = bin;
	h->count = 0;
	if (c)
		h->limit = rate_key_limit(r, h, c);
}

/* The cold rule: only what is extreme beside its own first hours and beside all others. */
static uint32_t cold_limit(const struct rates *r, const struct rate_hot *h, const struct rate_cold *c)
{
	if (h->bin < r->first_bin + COLD_START_BINS)
		return RATE_NO_LIMIT;
	bool is_stranger = h->bin < c->first_bin + RATE_BINS_HOUR;
	double age = h->bin > r->peak_bin[h->kind] ? h->bin - r->peak_bin[h->kind] : 0;
	double others = r->peak[h->kind] * exp2(-2 * age / RATE_BINS_WEEK);
	double limit = is_stranger ? STRANGER_MAILS : COLD_MAILS;
	limit = fmax(limit, others * (is_stranger ? STRANGER_TIMES_OTHERS : COLD_TIMES_OTHERS));
	if (!is_stranger)
		limit = fmax(limit, (double)c->peak * COLD_TIMES_OWN);
	return limit < RATE_NO_LIMIT ? (uint32_t)limit : RATE_NO_LIMIT;
}

uint32_t rate_key_limit(const struct rates *r, const struct rate_hot *h, const struct rate_cold *c)
{
	if (c->flags & RATE_IS_ALARM)
		return RATE_NO_LIMIT;
	if (!rate_key_is_known(c, h->bin))
		return cold_limit(r, h, c);
	double limit = ceil((double)c->h + c->k - c->sum);
	return limit < 1 ? 1 : limit < RATE_NO_LIMIT ? (uint32_t)limit : RATE_NO_LIMIT;
}

void rate_key_adopt(const struct rates *r, struct rate_cold *c)
{
	double all = 0;
	for (unsigned i = 0; i < RATE_HOURS_WEEK; i++) {
		if (c->seen[i] > c->mean[i])
			c->mean[i] = c->seen[i];
		all += rate_level(c->mean[i]);
	}
	c->mails = (float)(all / RATE_HOURS_WEEK * c->n);
	c->excess = c->square = 0;
	c->sum = 0;
	c->run_mails = 0;
	rate_key_measure(r, c);
}
