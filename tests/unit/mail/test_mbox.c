/* SPDX-License-Identifier: Apache-2.0
 *
 * The mailbox splitter.
 */
#include "unit.h"

#include "base/buf.h"
#include "mail/mbox.h"

static void on_begin(void *user, struct slice from_line, uint64_t offset)
{
	buf_addf(user, "<%.*s@%llu:", SLICE_ARG(from_line), (unsigned long long)offset);
}

static void on_bytes(void *user, struct slice bytes)
{
	buf_add(user, bytes);
}

static void on_end(void *user)
{
	buf_add_str(user, ">");
}

static const struct {
	enum mbox_dialect dialect;
	const char *text, *events;
} rows[] = {
	{ MBOX_RD, "From a 10:00\nS: x\n\nhi\n\nFrom b 11:00\nS: y\n\nho\n",
	  "<From a 10:00@0:S: x\n\nhi\n><From b 11:00@23:S: y\n\nho\n>" },
	{ MBOX_RD, "From a 10:00\r\nS: x\r\n\r\nhi\r\n\r\nFrom b 11:00\r\n\r\n",
	  "<From a 10:00@0:S: x\r\n\r\nhi\r\n><From b 11:00@28:>" },
	{ MBOX_RD, "From a 10:00\n\nFrom the start\n\nFrom here on: no clock\n",
	  "<From a 10:00@0:\nFrom the start\n\nFrom here on: no clock\n>" },
	{ MBOX_RD, "From a 10:00\n\nx\nFrom b 10:00\n", "<From a 10:00@0:\nx\nFrom b 10:00\n>" },
	{ MBOX_RD, "From a 10:00\n\n>From x\n>>From y\n>not\n", "<From a 10:00@0:\nFrom x\n>From y\n>not\n>" },
	{ MBOX_O, "From a 10:00\n\n>From x\n>>From y\n", "<From a 10:00@0:\nFrom x\n>>From y\n>" },
	{ MBOX_AS_IS, "From a 10:00\n\n>From x\n", "<From a 10:00@0:\n>From x\n>" },
	{ MBOX_RD, "junk\n\nFrom a 10:00\n\nhi", "<From a 10:00@6:\nhi>" },
	{ MBOX_RD, "From a 10:00\n\n\n\nFrom b 10:00\nF", "<From a 10:00@0:\n\n><From b 10:00@16:F>" },
	{ MBOX_RD, "", "" },
	{ MBOX_RD, "no mailbox at all", "" },
};

static void a_mailbox_cut_at_every_byte_gives_the_same_mails(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct slice text = slice_from_str(rows[i].text);
		for (size_t piece = 1; piece <= text.len + 1; piece++) {
			struct buf out;
			struct mbox_hooks hooks = { on_begin, on_bytes, on_end, &out };
			struct mbox m;
			buf_init(&out, 4096);
			mbox_begin(&m, rows[i].dialect, &hooks);
			for (size_t pos = 0; pos < text.len; pos += piece)
				mbox_feed(&m, slice_first(slice_from(text, pos), piece));
			mbox_end(&m);
			if (strcmp(buf_str(&out), rows[i].events) != 0)
				fail_msg("row %zu in pieces of %zu: \"%s\"", i, piece, buf_str(&out));
			buf_free(&out);
		}
	}
}

static void a_long_line_that_begins_like_a_separator_is_whole(void **state)
{
	static char text[5000] = "From a 10:00\n\n>From ";
	struct buf out;
	struct mbox_hooks hooks = { on_begin, on_bytes, on_end, &out };
	struct mbox m;
	(void)state;
	memset(text + 20, 'F', sizeof text - 20);
	buf_init(&out, 8192);
	mbox_begin(&m, MBOX_RD, &hooks);
	mbox_feed(&m, slice_make(text, sizeof text));
	mbox_end(&m);
	assert_int_equal(out.len, strlen("<From a 10:00@0:") + 1 + (sizeof text - 15) + 1);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mailbox_cut_at_every_byte_gives_the_same_mails),
		cmocka_unit_test(a_long_line_that_begins_like_a_separator_is_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
