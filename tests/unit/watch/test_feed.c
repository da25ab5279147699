/* SPDX-License-Identifier: Apache-2.0
 *
 * A day of a busy server, 2,000 lines a second, compressed: every 50th second of it is
 * written, the clock runs through all of it. Memory must not grow with the log.
 */
#include "world.h"

#include "base/hash.h"

#include <sys/resource.h>

enum { LINES_PER_SECOND = 2000, STEP_S = 50, DAY_S = 86400, TABLE_BYTES = 4 * 1024 * 1024 };

static long peak_kib(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* The five lines of one mail; one in fifty never ends. */
static unsigned mail_at(struct world *w, const char *clock, unsigned number)
{
	world_linef(w, "Nov 24 %s mx postfix/smtpd[1]: %010X: client=c%u.example[192.0.2.%u]", clock, number,
		    number % 97, number % 251);
	world_linef(w, "Nov 24 %s mx postfix/cleanup[2]: %010X: message-id=<%u@x.example>", clock, number, number);
	world_linef(w, "Nov 24 %s mx postfix/qmgr[3]: %010X: from=<u%u@x.example>, size=%u, nrcpt=1 (queue active)",
		    clock, number, number % 5000, number % 60000);
	world_linef(w, "Nov 24 %s mx postfix/smtp[4]: %010X: to=<r%u@y.example>, relay=mx.y.example[198.51.100.1]:25, "
		       "delay=0.5, delays=0.1/0/0.2/0.2, dsn=2.0.0, status=%s (250 ok)", clock, number, number % 7001,
		    number % 50 ? "sent" : "deferred");
	if (number % 50 == 0)
		return 4;
	world_linef(w, "Nov 24 %s mx postfix/qmgr[3]: %010X: removed", clock, number);
	return 5;
}

static void a_day_at_two_thousand_lines_a_second_needs_no_more_than_its_ceiling(void **state)
{
	struct world w;
	unsigned number = 0;
	long after_an_hour = 0;
	(void)state;
	world_begin(&w, TABLE_BYTES, true);
	for (int second = 0; second < DAY_S; second += STEP_S) {
		char clock[16];
		snprintf(clock, sizeof clock, "%02d:%02d:%02d", second / 3600 % 24, second / 60 % 60, second % 60);
		for (unsigned lines = 0; lines < LINES_PER_SECOND;)
			lines += mail_at(&w, clock, ++number);
		if (second == 3600)
			after_an_hour = peak_kib();
		assert_true(world_counts(&w).bytes <= TABLE_BYTES);
	}
	struct watch_counts c = world_counts(&w);
	assert_int_equal(c.mails, number);
	assert_int_equal(c.sent, number - number / 50);
	assert_int_equal(c.deferred, number / 50);
	assert_true(c.lines > 3000000);
	assert_true(c.evicted > 0);
	/* What the engine fills by then may still come: its own ceiling, 16 MiB. */
	assert_true(peak_kib() - after_an_hour < (16 + 4) * 1024);
	watch_end(w.watch);
	assert_int_equal(w.mails, number);
	world_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_at_two_thousand_lines_a_second_needs_no_more_than_its_ceiling),
	};
	return hash_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
