/* SPDX-License-Identifier: Apache-2.0
 *
 * The header splitter: the same fields however the bytes are cut.
 */
#include "unit.h"

#include "base/buf.h"
#include "mail/header.h"

/* Writes down what it is given: N[name]V[value], D[debris], S[stop line]. */
static void on_field(void *user, struct slice name, struct slice value)
{
	buf_addf(user, "N[%.*s]V[%.*s]", SLICE_ARG(name), SLICE_ARG(value));
}

static void on_debris(void *user, struct slice lines)
{
	buf_addf(user, "D[%.*s]", SLICE_ARG(lines));
}

static bool on_dashes(void *user, struct slice line)
{
	bool is_stop = slice_equal(line, SLICE("--b"));
	buf_addf(user, is_stop ? "S[%.*s]" : "s[%.*s]", SLICE_ARG(line));
	return is_stop;
}

static const struct {
	const char *text, *events;
	size_t used; /* of the bytes; the rest is the body's */
} rows[] = {
	{ "A: b\r\nC: d\r\n\r\nbody", "N[A]V[ b]N[C]V[ d]", 14 },
	{ "A: b\nC: d\n\nbody", "N[A]V[ b]N[C]V[ d]", 11 },
	{ "A: b\r\n\tc\r\n d\nE: f\n\n", "N[A]V[ b\r\n\tc\r\n d]N[E]V[ f]", 19 },
	{ "A:\n\n", "N[A]V[]", 4 },
	{ "A : b\n\n", "N[A]V[ b]", 7 },
	{ "From me@here Mon 10:00\nA: b\n\n", "D[From me@here Mon 10:00]N[A]V[ b]", 29 },
	{ "no colon here\nA: b\n\n", "D[no colon here]N[A]V[ b]", 20 },
	{ " first line folded\nA: b\n\n", "D[ first line folded]N[A]V[ b]", 25 },
	{ ": no name\nA: b\n\n", "D[: no name]N[A]V[ b]", 16 },
	{ "A: b\rc\r\n\r\n", "N[A]V[ b\rc]", 10 },
	{ "A: b\n\rC: d\n\n", "N[A]V[ b]D[\rC: d]", 12 },
	{ "A: b\n \nC: d\n\n", "N[A]V[ b\n ]N[C]V[ d]", 13 },
	{ "A: b", "N[A]V[ b]", 4 },
	{ "A: b\r", "N[A]V[ b]", 5 },
	{ "A: b\nC", "N[A]V[ b]D[C]", 6 },
	{ "\nbody", "", 1 },
	{ "\r\nbody", "", 2 },
	{ "", "", 0 },
	{ "A: b\n--b\nC: d\n\n", "N[A]V[ b]S[--b]", 9 },
	{ "A: b\n--b", "N[A]V[ b]S[--b]", 8 },
	{ "A: b\r\n--c\r\n\r\n", "N[A]V[ b]s[--c]D[--c]", 13 },
	{ "A: b\n c\n--b\n", "N[A]V[ b\n c]S[--b]", 12 },
};

static size_t split(struct slice text, size_t first, size_t piece, char *out, size_t room)
{
	struct arena arena;
	struct header_splitter h;
	struct buf events;
	struct header_hooks hooks = { on_field, on_debris, on_dashes, &events };
	size_t used = 0;

	arena_init(&arena, 1 << 20);
	buf_init(&events, room);
	header_begin(&h, &arena, 4096, &hooks);
	for (size_t pos = 0; pos < text.len && !h.is_done && !h.is_stopped;) {
		struct slice part = slice_first(slice_from(text, pos), pos == 0 && first ? first : piece);
		used += header_feed(&h, part);
		pos += part.len;
	}
	header_end(&h);
	snprintf(out, room, "%s", buf_str(&events));
	buf_free(&events);
	arena_free(&arena);
	return used;
}

static void a_header_cut_at_every_byte_gives_the_same_fields(void **state)
{
	char out[512];
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct slice text = slice_from_str(rows[i].text);
		for (size_t at = 0; at <= text.len; at++) {
			size_t used = split(text, at, text.len + 1, out, sizeof out);
			if (strcmp(out, rows[i].events) != 0 || used != rows[i].used)
				fail_msg("row %zu cut at %zu: \"%s\" (%zu used), wanted \"%s\" (%zu)", i, at,
					 out, used, rows[i].events, rows[i].used);
		}
		split(text, 1, 1, out, sizeof out);
		assert_string_equal(out, rows[i].events);
	}
}

static void a_field_past_the_limit_is_cut_and_the_next_is_whole(void **state)
{
	static char text[10000], out[8192];
	char whole_out[8192];
	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "A: ", 3);
	memcpy(text + 9000, "\nB: c\n\n", 7);
	struct slice mail = slice_make(text, 9007);
	split(mail, 0, mail.len, whole_out, sizeof whole_out);
	assert_int_equal(strlen(whole_out), 4096 - 2 + strlen("N[A]V[]N[B]V[ c]"));
	for (size_t piece = 1; piece < 3000; piece += 7) {
		split(mail, 0, piece, out, sizeof out);
		assert_string_equal(out, whole_out);
	}
}

static void without_memory_only_the_field_that_was_cut_is_lost(void **state)
{
	struct arena arena;
	struct header_splitter h;
	struct buf events;
	struct header_hooks hooks = { on_field, on_debris, NULL, &events };
	(void)state;
	arena_init(&arena, 16);
	buf_init(&events, 1000);
	header_begin(&h, &arena, 4096, &hooks);
	header_feed(&h, SLICE("A: b\nC: a field that is cut"));
	header_feed(&h, SLICE(" in two\nE: f\n\n"));
	assert_true(h.is_out_of_memory);
	assert_true(h.is_done);
	assert_string_equal(buf_str(&events), "N[A]V[ b]D[ in two]N[E]V[ f]");
	buf_free(&events);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_cut_at_every_byte_gives_the_same_fields),
		cmocka_unit_test(a_field_past_the_limit_is_cut_and_the_next_is_whole),
		cmocka_unit_test(without_memory_only_the_field_that_was_cut_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
