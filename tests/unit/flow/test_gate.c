/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/log.h"
#include "flow/gate.h"

static const struct gate_setup setup = { .deadline_ms = 5000, .defer_for_ms = 60000 };

static void surplus_that_cannot_be_kept_is_put_off_then_delivered(void **state)
{
	struct gate gate;
	(void)state;
	gate_init(&gate, &setup);
	assert_true(gate_on_refused(&gate, false, "full", 1000));
	assert_int_equal(gate.state, GATE_DEFERRING);
	assert_true(gate_on_refused(&gate, false, "full", 60999));
	assert_false(gate_on_refused(&gate, false, "full", 61000));
	assert_int_equal(gate.state, GATE_DELIVERING);
}

static void a_mail_that_is_a_first_copy_for_somebody_is_never_put_off(void **state)
{
	struct gate gate;
	(void)state;
	gate_init(&gate, &setup);
	assert_false(gate_on_refused(&gate, true, "full", 1000));
}

static void one_mail_kept_ends_the_trouble_and_the_next_trouble_starts_anew(void **state)
{
	struct gate gate;
	(void)state;
	gate_init(&gate, &setup);
	assert_true(gate_on_refused(&gate, false, "full", 1000));
	assert_false(gate_on_refused(&gate, false, "full", 99000));
	gate_on_kept(&gate);
	assert_int_equal(gate.state, GATE_HOLDING);
	assert_true(gate_on_refused(&gate, false, "full", 100000));
}

int main(void)
{
	log_setup(LOG_LEVEL_ERROR, false);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(surplus_that_cannot_be_kept_is_put_off_then_delivered),
		cmocka_unit_test(a_mail_that_is_a_first_copy_for_somebody_is_never_put_off),
		cmocka_unit_test(one_mail_kept_ends_the_trouble_and_the_next_trouble_starts_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
