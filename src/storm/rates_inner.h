/* SPDX-License-Identifier: Apache-2.0
 *
 * rates_inner: the table of keys as the files of rates share it. Private to them.
 *
 * A key has a hot part of 32 bytes (who, which bin, how many, when to look), in sets of
 * eight, and, once it has earned it by its third mail, a cold part with all it learnt. The
 * cold part is touched when a bin has ended and when the hot part's limit is reached: the
 * limit is the count at which the running bin alone drives the sum over its threshold, so
 * a bin that ends below it cannot be an alarm and nothing has to be looked at in time.
 */
#ifndef QUELL_STORM_RATES_INNER_H
#define QUELL_STORM_RATES_INNER_H

#include "base/hash.h"
#include "storm/rates.h"

enum {
	RATE_WAYS = 8,
	RATE_HOT_PER_COLD = 4,
	RATE_BINS_HOUR = 6,
	RATE_BINS_DAY = 24 * RATE_BINS_HOUR,
	RATE_HOURS_WEEK = 168,
	RATE_BINS_WEEK = RATE_HOURS_WEEK * RATE_BINS_HOUR,
	RATE_BINS_LEARN = 14 * RATE_BINS_DAY,
	RATE_EARN_MAILS = 3,
};
#define RATE_NO_LIMIT UINT32_MAX

struct rate_hot {
	uint64_t hash;   /* 0 = free */
	uint32_t bin;    /* the running one, counted since 1970 */
	uint32_t count;  /* in it */
	uint32_t limit;  /* at this count somebody must look */
	uint32_t last;   /* with a cold part: of the bin before; without: all mails before */
	uint32_t cold;   /* its number + 1; 0 = none */
	uint8_t kind;
	uint8_t spare[3];
};

enum rate_flag {
	RATE_IS_ALARM = 1,
	RATE_IS_COLD_ALARM = 2, /* began by the cold rule */
	RATE_IS_TOLD = 4,       /* its begin was told, so its end is too */
	RATE_IS_RESTORED = 8,   /* what came between is not known: no silence is learnt from it */
};

struct rate_cold {
	uint8_t mean[RATE_HOURS_WEEK]; /* mails a bin by hour of the week, see rate_level */
	uint8_t seen[RATE_HOURS_WEEK]; /* the last week as it really was */
	char name[RATE_NAME_BYTES];
	uint32_t hot;        /* its number + 1; 0 = free */
	uint32_t first_bin;  /* known since */
	uint32_t hour;       /* the running hour, counted since 1970 */
	uint32_t hour_mails; /* as they were */
	float hour_taught;   /* clipped during an alarm */
	float sum;           /* the CUSUM */
	uint64_t run_mails;  /* since it left zero */
	uint32_t since_bin;  /* when it left zero */
	float usual, lambda, k, h; /* of the running hour; lambda is the generous one */
	float n, mails;      /* bins and mails, faded: the mean over all hours */
	float excess, square; /* sums of (x - lambda)^2 - lambda and lambda^2, faded: 1/r */
	uint32_t recent[RATE_BINS_HOUR]; /* the last six bins that ended, by bin number */
	uint32_t peak;       /* busiest bin without alarm, growing to the double at most a bin */
	uint32_t alarm_peak, before_peak; /* busiest bin of this alarm, of the one before */
	uint32_t began_bin, told_bin, ended_bin;
	float before;        /* mails a bin before a cold alarm */
	uint32_t episode_first, episode_last; /* bins of alarms with no more than 8 days between */
	uint8_t flags;
};

struct rates {
	struct rate_hot *hot;
	struct rate_cold *cold;
	uint32_t *alarms;    /* numbers of cold parts */
	size_t set_count, cold_count, cold_max, alarm_count, alarm_max;
	size_t hand;         /* of the search for a place */
	size_t alarm_hand;
	uint64_t evicted;
	uint32_t first_bin, bin; /* of all keys: the first, the newest */
	int64_t clock_ms;
	double target;       /* bins between two false alarms of one key */
	uint32_t peak[RATE_KIND_COUNT]; /* busiest bin of any key, fading by half a week */
	uint32_t peak_bin[RATE_KIND_COUNT];
	size_t bytes;
	uint8_t seed[RATE_KIND_COUNT][HASH_KEY_BYTES];
};

/* rates_cusum.c: the tables of algorithms.md 1.5 as their rule. */
double rate_slack(double lambda);                 /* k */
double rate_tilt(double lambda, double size, double k); /* the sum's tail falls by e a 1/tilt */
double rate_threshold(double lambda, double size, double k, double target_bins); /* h */

/* rates_baseline.c */
double rate_level(uint8_t byte);   /* mails a bin that a byte of mean or seen stands for */
uint8_t rate_level_byte(double level);
void rate_key_begin(struct rate_cold *c, uint32_t bin);
/* All bins before this one have ended. Bounded work however long the silence. */
void rate_key_settle(struct rates *r, struct rate_hot *h, uint32_t bin);
bool rate_key_is_known(const struct rate_cold *c, uint32_t bin);
/* The measure of the running hour anew. */
void rate_key_measure(const struct rates *r, struct rate_cold *c);
uint32_t rate_key_limit(const struct rates *r, const struct rate_hot *h, const struct rate_cold *c);
/* The last week becomes the measure. */
void rate_key_adopt(const struct rates *r, struct rate_cold *c);
double rate_key_mean(const struct rate_cold *c); /* mails a bin over all hours */

/* rates_alarm.c: the running bin reached its limit. */
void rate_alarm_look(struct rates *r, struct rate_hot *h, struct rate_cold *c);
void rate_alarm_add(struct rates *r, uint32_t cold); /* to the list of those that are looked after */

/* rates_text.c: fills why from the rest, and from what only the key knows. */
void rate_alarm_words(const struct rate_cold *c, uint64_t mails, bool is_adopted, struct rate_alarm *a);
void rate_name_show(const struct rate_cold *c, char out[RATE_NAME_BYTES]);

/* rates.c: finds the key or makes it; NULL when no place is to be had. */
struct rate_hot *rate_hot_get(struct rates *r, enum rate_kind kind, uint64_t hash, uint32_t bin);
uint64_t rate_hash(const struct rates *r, enum rate_kind kind, struct slice name);
/* A cold part for it; false when all are worth more. */
bool rate_cold_earn(struct rates *r, struct rate_hot *h, struct slice name, uint32_t worth);
uint32_t rate_bin_of(int64_t now_ms);

#endif
