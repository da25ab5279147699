/* SPDX-License-Identifier: Apache-2.0
 *
 * Content-Type.
 */
#include "unit.h"

#include "mail/ctype.h"

static void types_and_boundaries_are_read_as_written(void **state)
{
	static const struct {
		const char *text, *type, *subtype, *boundary;
	} rows[] = {
		{ "text/plain; charset=us-ascii", "text", "plain", "" },
		{ " Multipart/MIXED;\r\n\tboundary=\"a b\"", "multipart", "mixed", "a b" },
		{ "multipart/mixed; boundary=\"simple\r\n boundary\"", "multipart", "mixed", "simple boundary" },
		{ "multipart/mixed; boundary=----=_Part_1; x=y", "multipart", "mixed", "----=_Part_1" },
		{ "multipart/mixed; x=\"a;boundary=no\"; boundary=yes", "multipart", "mixed", "yes" },
		{ "multipart/mixed; boundary =  \"q\\\"q\"", "multipart", "mixed", "q\"q" },
		{ "multipart/mixed; boundary*0=\"ab\"; boundary*1=cd", "multipart", "mixed", "abcd" },
		{ "multipart/mixed; boundary*=us-ascii'en'a%20b", "multipart", "mixed", "a b" },
		{ "multipart/mixed; boundary=first; boundary=second", "multipart", "mixed", "first" },
		{ "multipart/mixed; boundary=\"open", "multipart", "mixed", "open" },
		{ "(c) text (c) / (c) html (c) ; boundary=x", "text", "html", "x" },
		{ "multipart/mixed boundary=x", "multipart", "mixed", "" },
		{ "multipart/mixed;;; ;boundary=x", "multipart", "mixed", "x" },
		{ "multipart/mixed; boundaryx=y", "multipart", "mixed", "" },
	};
	struct ctype t;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_true(ctype_parse(slice_from_str(rows[i].text), &t));
		assert_slice(ctype_type(&t), rows[i].type);
		assert_slice(ctype_subtype(&t), rows[i].subtype);
		assert_slice(slice_make(t.boundary, t.boundary_len), rows[i].boundary);
	}
}

static void a_content_type_without_subtype_is_text_plain(void **state)
{
	static const char *const rows[] = { "", "text", "text plain", "BINARY;name=\"x\"", "/plain", "text/",
					    "text/;boundary=x", "((((" };
	struct ctype t;
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool is_right = ctype_parse(slice_from_str(rows[i]), &t);
		if (strcmp(rows[i], "/plain") != 0)
			assert_false(is_right);
		assert_slice(ctype_subtype(&t), "plain");
		assert_int_equal(t.boundary_len, 0);
	}
}

static void a_boundary_longer_than_a_line_is_none(void **state)
{
	char text[2100];
	struct ctype t;
	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "multipart/mixed; boundary=", 26);
	assert_true(ctype_parse(slice_make(text, 26 + CTYPE_BOUNDARY_BYTES), &t));
	assert_int_equal(t.boundary_len, CTYPE_BOUNDARY_BYTES);
	assert_true(ctype_parse(slice_make(text, 27 + CTYPE_BOUNDARY_BYTES), &t));
	assert_int_equal(t.boundary_len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_and_boundaries_are_read_as_written),
		cmocka_unit_test(a_content_type_without_subtype_is_text_plain),
		cmocka_unit_test(a_boundary_longer_than_a_line_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
