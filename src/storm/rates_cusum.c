/* SPDX-License-Identifier: Apache-2.0
 *
 * rates_cusum: when a sum of surplus counts is too large (algorithms.md 1.5, class 6).
 *
 * S <- max(0, S + x - k), alarm at S >= h. The published rows (lambda 0.2: k 1, h 8; 2: 5,
 * 20; 10: 25, 80; intervals 818, 12, 89 years) are those of a negative binomial of size 2,
 * variance lambda + lambda^2 / 2, with k for a design shift of 5: found by solving the
 * Markov chain of S, which tests/unit/storm/test_rates_cusum.c does again. Here is the
 * rule behind the rows, for every lambda and size:
 *
 *   k = max(1, lambda (5 - 1) / ln 5), which is 2.485 lambda;
 *   tilt = the t > 0 with E exp(t (x - k)) = 1;
 *   h = ln(target) / tilt.
 *
 * By Wald's identity an excursion of S reaches h with a probability of at most
 * exp(-tilt h), so the mean number of bins to a false alarm is at least the target. The
 * exact chain says how much is given away: for size 2 the published intervals come out
 * with an h at most 1.3 times the published one. From a lambda of some 10 on both k and h grow in
 * proportion to it, as the counts' spread does. What comes out, h for 64, 500 and 16,384
 * keys that together may raise one false alarm in 20 weeks (rates.c, the margin):
 *
 *   lambda       k    h, size 1/2           h, size 2          h, size 20
 *      0.2       1      12   14   17        7    8   10        5    6    8
 *      2         5      73   83  101       25   29   35       10   12   15
 *     10        25     326  373  454       89  101  123       17   20   24
 *    100       249    3169 3632 4418      800  916 1115       89  101  123
 */
#include "storm/rates_inner.h"

#include <math.h>

#define SHIFT 5.0

enum { HALVINGS = 14 };

double rate_slack(double lambda)
{
	double k = lambda * (SHIFT - 1) / log(SHIFT);
	return k > 1 ? k : 1;
}

/* The logarithm of E exp(t (x - k)): below zero between 0 and the tilt, above it beyond. */
static double growth(double t, double lambda, double size, double k)
{
	double q = lambda / (size + lambda);
	return size * (log1p(-q) - log1p(-q * exp(t))) - k * t;
}

double rate_tilt(double lambda, double size, double k)
{
	double low = 0, high = log1p(size / lambda); /* there the mean is infinite */
	for (int i = 0; i < HALVINGS; i++) {
		double mid = (low + high) / 2;
		if (growth(mid, lambda, size, k) < 0)
			low = mid;
		else
			high = mid;
	}
	return low;
}

double rate_threshold(double lambda, double size, double k, double target_bins)
{
	double tilt = rate_tilt(lambda, size, k);
	return tilt > 0 ? log(target_bins) / tilt : (double)UINT32_MAX;
}
