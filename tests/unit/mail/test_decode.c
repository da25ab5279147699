/* SPDX-License-Identifier: Apache-2.0
 *
 * Transfer encodings.
 */
#include "unit.h"

#include "mail/decode.h"

static const struct {
	enum encoding encoding;
	const char *in, *out;
} rows[] = {
	{ ENCODING_PLAIN, "a=3D\r\n", "a=3D\r\n" },
	{ ENCODING_BASE64, "aGVsbG8=", "hello" },
	{ ENCODING_BASE64, "aGVs\r\nbG8s\r\n", "hello," },
	{ ENCODING_BASE64, "aGVsbG8sIQ==\r\n-- list footer", "hello,!" },
	{ ENCODING_BASE64, "a!G*V(s)b G 8 =", "hello" },
	{ ENCODING_BASE64, "aGVsbG8", "hel" }, /* the end is missing */
	{ ENCODING_BASE64, "=aGVs", "" },
	{ ENCODING_QUOTED, "caf=C3=a9 =\r\nau =\nlait=20\r\n", "caf\xc3\xa9 au lait \r\n" },
	{ ENCODING_QUOTED, "a=XYb==3Dc", "a=XYb==3Dc" },
	{ ENCODING_QUOTED, "1=2", "1" },
	{ ENCODING_QUOTED, "end=", "end" },
	{ ENCODING_UU, "text before\nbegin 644 a.txt\n%:&5L;&\\`\n`\nend\nafter", "hello" },
	{ ENCODING_UU, "xbegin 644 a\n%:&5L;&\\\n`\n", "" },
	{ ENCODING_UU, "begin 644 a\r\n#:&5L\r\n\"0T(`\r\n`\r\nend", "helCB" },
};

static void broken_or_whole_every_cut_decodes_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct slice in = slice_from_str(rows[i].in);
		for (size_t piece = 1; piece <= in.len; piece++) {
			struct decoder d;
			char out[256] = "";
			size_t len = 0;
			decoder_begin(&d, rows[i].encoding);
			for (size_t pos = 0; pos < in.len; pos += piece) {
				struct slice part = slice_first(slice_from(in, pos), piece);
				size_t got = decoder_feed(&d, part, out + len);
				assert_true(got <= part.len + 2);
				len += got;
			}
			if (!slice_equal(slice_make(out, len), slice_from_str(rows[i].out)))
				fail_msg("row %zu in pieces of %zu: \"%.*s\"", i, piece, (int)len, out);
		}
	}
}

static void names_of_encodings_are_known_whatever_their_case(void **state)
{
	static const struct {
		const char *text;
		enum encoding encoding;
	} names[] = {
		{ " BASE64 ", ENCODING_BASE64 }, { "base64 (sic)", ENCODING_BASE64 },
		{ "Quoted-Printable", ENCODING_QUOTED }, { "7bit", ENCODING_PLAIN },
		{ "binary", ENCODING_BINARY }, { "x-uuencode", ENCODING_UU },
		{ "", ENCODING_PLAIN }, { "base-64", ENCODING_PLAIN }, { "base64;", ENCODING_PLAIN },
	};
	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		assert_int_equal(encoding_parse(slice_from_str(names[i].text)), names[i].encoding);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_or_whole_every_cut_decodes_alike),
		cmocka_unit_test(names_of_encodings_are_known_whatever_their_case),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
