/* SPDX-License-Identifier: Apache-2.0
 *
 * unit: what every cmocka file needs, in the order cmocka wants it.
 */
#ifndef QUELL_TESTS_UNIT_H
#define QUELL_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"

/* Compares a slice with a string literal or C string. */
#define assert_slice(slice_value, text)                                                       \
	do {                                                                                  \
		struct slice got_ = (slice_value);                                            \
		if (!slice_equal(got_, slice_from_str(text)))                                 \
			fail_msg("%s is \"%.*s\", wanted \"%s\"", #slice_value, SLICE_ARG(got_), text); \
	} while (0)

#endif
