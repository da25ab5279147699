/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/crew.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ITEMS = 5000 };

struct job {
	atomic_uint done[ITEMS];
	atomic_uint busy[CREW_WORKERS_MAX];
	atomic_bool is_twice;         /* one number was at work twice at once */
	unsigned plain[CREW_WORKERS_MAX]; /* written without a lock: a race if numbers were shared */
	atomic_uint begun;
	unsigned workers, stop_at;
	pthread_t caller;
	atomic_bool has_caller;
};

static bool do_item(void *ctx, unsigned worker, size_t item)
{
	struct job *j = ctx;
	if (worker >= j->workers || atomic_fetch_add(&j->busy[worker], 1) != 0)
		j->is_twice = true;
	atomic_fetch_add(&j->done[item], 1);
	j->plain[worker]++;
	if (pthread_equal(pthread_self(), j->caller))
		j->has_caller = true;
	unsigned count = atomic_fetch_add(&j->begun, 1) + 1;
	atomic_fetch_sub(&j->busy[worker], 1);
	return j->stop_at == 0 || count < j->stop_at;
}

static struct job job;

static bool run(unsigned workers, size_t items, unsigned stop_at)
{
	job = (struct job){ .workers = workers ? workers : 1, .stop_at = stop_at, .caller = pthread_self() };
	return crew_run(workers, items, do_item, &job);
}

static void every_item_is_done_once_however_many_work(void **state)
{
	(void)state;
	for (unsigned workers = 0; workers <= 9; workers++) {
		unsigned sum = 0;
		assert_true(run(workers, ITEMS, 0));
		for (size_t i = 0; i < ITEMS; i++)
			assert_int_equal(job.done[i], 1);
		for (size_t i = 0; i < CREW_WORKERS_MAX; i++)
			sum += job.plain[i];
		assert_int_equal(sum, ITEMS);
		assert_false(job.is_twice);
	}
}

static void the_caller_does_the_work_when_it_is_alone(void **state)
{
	(void)state;
	assert_true(run(1, 10, 0));
	assert_true(job.has_caller);
	assert_int_equal(job.plain[0], 10);
}

static void no_items_are_no_trouble(void **state)
{
	(void)state;
	assert_true(run(4, 0, 0));
	assert_int_equal(job.begun, 0);
}

static void more_workers_than_the_ceiling_are_cut_to_it(void **state)
{
	(void)state;
	job = (struct job){ .workers = CREW_WORKERS_MAX, .caller = pthread_self() };
	assert_true(crew_run(100000, ITEMS, do_item, &job));
	assert_int_equal(job.begun, ITEMS);
	assert_false(job.is_twice);
}

static void an_item_that_says_stop_ends_the_work(void **state)
{
	(void)state;
	assert_false(run(1, ITEMS, 100));
	assert_int_equal(job.begun, 100);
	assert_false(run(4, ITEMS, 100));
	assert_true(job.begun >= 100 && job.begun < 100 + 4);
}

static void there_is_at_least_one_core(void **state)
{
	(void)state;
	assert_in_range(crew_cores(), 1, CREW_WORKERS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_item_is_done_once_however_many_work),
		cmocka_unit_test(the_caller_does_the_work_when_it_is_alone),
		cmocka_unit_test(no_items_are_no_trouble),
		cmocka_unit_test(more_workers_than_the_ceiling_are_cut_to_it),
		cmocka_unit_test(an_item_that_says_stop_ends_the_work),
		cmocka_unit_test(there_is_at_least_one_core),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
