/* SPDX-License-Identifier: Apache-2.0
 *
 * The thresholds against the exact Markov chain of S <- max(0, S + x - k), alarm at
 * S >= h, x negative binomial: mean number of bins from S = 0 to the alarm.
 */
#include "../unit.h"

#include "storm/rates_inner.h"

#include <math.h>
#include <stdlib.h>

enum { STATES_MAX = 700, BINS_YEAR = 52560 };

/* P(x) for x = 0 .. count - 1. */
static void chances(double lambda, double size, unsigned count, double *p)
{
	double q = lambda / (size + lambda);
	p[0] = pow(1 - q, size);
	for (unsigned x = 1; x < count; x++)
		p[x] = p[x - 1] * q * (size + x - 1) / x;
}

/* a holds rows of n coefficients and the right side; the solution comes into that. */
static void solve(double *a, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = i + 1; j < n; j++) {
			double f = a[j * (n + 1) + i] / a[i * (n + 1) + i];
			for (unsigned c = i; f != 0 && c <= n; c++)
				a[j * (n + 1) + c] -= f * a[i * (n + 1) + c];
		}
	for (unsigned i = n; i-- > 0;) {
		double value = a[i * (n + 1) + n];
		for (unsigned c = i + 1; c < n; c++)
			value -= a[i * (n + 1) + c] * a[c * (n + 1) + n];
		a[i * (n + 1) + n] = value / a[i * (n + 1) + i];
	}
}

static double bins_to_alarm(double lambda, double size, unsigned k, unsigned h)
{
	static double p[2 * STATES_MAX];
	double *a = calloc((size_t)h * (h + 1), sizeof *a);
	assert_non_null(a);
	assert_true(h > 0 && h <= STATES_MAX && k <= STATES_MAX);
	chances(lambda, size, h + k, p);
	for (unsigned s = 0; s < h; s++) {
		double *row = a + (size_t)s * (h + 1);
		for (unsigned x = 0; s + x < h + k; x++)
			row[s + x > k ? s + x - k : 0] -= p[x];
		row[s] += 1;
		row[h] = 1;
	}
	solve(a, h);
	double bins = a[h];
	free(a);
	return bins;
}

struct published {
	double lambda;
	unsigned k, h;
	double years;
};
static const struct published rows[] = { { 0.2, 1, 8, 818 }, { 2, 5, 20, 11.9 }, { 10, 25, 80, 89.2 } };

static void the_published_rows_are_those_of_size_two(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct published *row = &rows[i];
		double years = bins_to_alarm(row->lambda, 2, row->k, row->h) / BINS_YEAR;
		assert_true(fabs(years - row->years) < 0.01 * row->years);
		assert_true(fabs(round(rate_slack(row->lambda)) - row->k) < 0.5);
		double h = rate_threshold(row->lambda, 2, row->k, years * BINS_YEAR);
		assert_true(h >= row->h && h < 1.3 * row->h + 1.5);
	}
}

static void a_threshold_keeps_its_promise_and_is_not_wasteful(void **state)
{
	(void)state;
	static const double lambdas[] = { 0.05, 0.2, 0.5, 1, 2, 5, 10, 20 }, sizes[] = { 1, 2, 8, 50 };
	static const double targets[] = { 64.0 * RATE_BINS_WEEK, 16384.0 * RATE_BINS_WEEK * 20 };
	for (size_t i = 0; i < 8 * 4 * 2; i++) {
		double lambda = lambdas[i % 8], size = sizes[i / 8 % 4], target = targets[i / 32];
		double k = ceil(rate_slack(lambda)), h = ceil(rate_threshold(lambda, size, k, target));
		if (h > STATES_MAX)
			continue;
		double times = bins_to_alarm(lambda, size, (unsigned)k, (unsigned)h) / target;
		unsigned half = (unsigned)(h / 2) > 1 ? (unsigned)(h / 2) - 1 : 0;
		if (times < 0.99 || (half > 0 && size < 50 && bins_to_alarm(lambda, size, (unsigned)k, half) > target))
			fail_msg("lambda %g, size %g: k %g, h %g gives %g times the wanted interval", lambda, size, k,
				 h, times);
	}
}

static void far_up_all_grows_in_proportion(void **state)
{
	(void)state;
	double h1 = rate_threshold(1000, 2, rate_slack(1000), 1e8);
	double h2 = rate_threshold(10000, 2, rate_slack(10000), 1e8);
	assert_true(fabs(h2 / h1 - 10) < 0.1);
	assert_true(rate_threshold(10, 2, rate_slack(10), 1e9) > rate_threshold(10, 2, rate_slack(10), 1e8));
	assert_true(rate_threshold(10, 50, rate_slack(10), 1e8) < rate_threshold(10, 2, rate_slack(10), 1e8));
}

static void a_level_survives_as_a_byte_within_five_percent(void **state)
{
	(void)state;
	assert_int_equal(rate_level_byte(0), 0);
	assert_true(rate_level(0) == 0);
	assert_int_equal(rate_level_byte(NAN), 0);
	assert_int_equal(rate_level_byte(1e30), 255);
	for (double level = 0.006; level < 4e6; level *= 1.37)
		assert_true(fabs(rate_level(rate_level_byte(level)) / level - 1) < 0.05);
	for (unsigned b = 0; b < 256; b++)
		assert_int_equal(rate_level_byte(rate_level((uint8_t)b)), b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_rows_are_those_of_size_two),
		cmocka_unit_test(a_threshold_keeps_its_promise_and_is_not_wasteful),
		cmocka_unit_test(far_up_all_grows_in_proportion),
		cmocka_unit_test(a_level_survives_as_a_byte_within_five_percent),
	};
	return cmocka_run_group_tests_name("storm rates cusum", tests, NULL, NULL);
}
