/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of files, pipes and packed files, however they are cut, long, broken or gone.
 */
#include "../unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "door/lines.h"
#include "door/unpack.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

static char folder[64], path[128];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/quell-lines-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/log", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	rmdir(folder);
	return 0;
}

static void write_file(struct slice bytes)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
	fclose(file);
}

/* "<line><cut line...>" of all lines; a cut one ends with "!". */
static const char *read_all(bool will_follow, struct buf *out, bool want_trouble)
{
	struct error error = { .text = "" };
	struct lines *l = lines_open(path, will_follow, NULL, &error);
	struct slice line;
	assert_non_null(l);
	buf_reset(out);
	while (lines_next(l, &line)) {
		buf_add_byte(out, '<');
		buf_add(out, line);
		buf_add_str(out, lines_is_cut(l) ? "!>" : ">");
	}
	assert_int_equal(lines_trouble(l) != NULL, want_trouble);
	lines_close(l);
	return buf_str(out);
}

static void lines_end_with_lf_or_crlf_and_the_last_may_lack_it(void **state)
{
	static const struct {
		const char *file, *lines, *followed;
	} cases[] = {
		{ "", "", "" },
		{ "a", "<a>", "" },
		{ "a\n", "<a>", "<a>" },
		{ "a\r\n\nb\n", "<a><><b>", "<a><><b>" },
		{ "a\rb\r\r\nc", "<a\rb\r><c>", "<a\rb\r>" },
	};
	struct buf out;
	(void)state;
	buf_init(&out, 1024);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		write_file(slice_from_str(cases[i].file));
		assert_string_equal(read_all(false, &out, false), cases[i].lines);
		assert_string_equal(read_all(true, &out, false), cases[i].followed);
	}
	buf_free(&out);
}

static void bytes_of_any_kind_are_part_of_a_line(void **state)
{
	struct error error;
	struct slice line;
	(void)state;
	write_file(SLICE("a\0b\xff\n\0\n"));
	struct lines *l = lines_open(path, false, NULL, &error);
	assert_true(lines_next(l, &line));
	assert_true(slice_equal(line, SLICE("a\0b\xff")));
	assert_true(lines_next(l, &line));
	assert_true(slice_equal(line, SLICE("\0")));
	assert_false(lines_next(l, &line));
	assert_false(lines_next(l, &line));
	lines_close(l);
}

static void a_line_is_whole_up_to_the_limit_and_cut_past_it(void **state)
{
	static const struct {
		size_t len;
		bool is_cut;
	} cases[] = { { LINES_BYTES_MAX - 1, false }, { LINES_BYTES_MAX, false }, { LINES_BYTES_MAX + 1, true },
		      { LINES_BYTES_MAX + 2, true }, { LINES_BYTES_MAX + 3, true }, { 3 * LINES_BYTES_MAX, true } };
	static const char *const ends[] = { "\nnext\n", "\r\nnext\n", "" };
	char *bytes = mem_must_alloc(3 * LINES_BYTES_MAX + 16);
	struct error error;
	struct slice line;
	(void)state;
	memset(bytes, 'x', 3 * LINES_BYTES_MAX);
	for (size_t i = 0; i < 3 * sizeof cases / sizeof cases[0]; i++) {
		const char *end = ends[i % 3];
		size_t len = cases[i / 3].len;
		memcpy(bytes + len, end, strlen(end));
		write_file(slice_make(bytes, len + strlen(end)));
		memset(bytes, 'x', len + strlen(end));
		struct lines *l = lines_open(path, false, NULL, &error);
		assert_true(lines_next(l, &line));
		assert_int_equal(line.len, cases[i / 3].is_cut ? LINES_BYTES_MAX : len);
		assert_int_equal(lines_is_cut(l), cases[i / 3].is_cut);
		assert_int_equal(lines_next(l, &line), end[0] != '\0');
		if (end[0]) {
			assert_slice(line, "next");
			assert_false(lines_is_cut(l));
		}
		lines_close(l);
	}
	mem_free(bytes);
}

/* Numbered lines of many lengths, LF each. */
static void make_text(struct buf *text, unsigned count)
{
	buf_init(text, 4 * 1024 * 1024);
	for (unsigned i = 0; i < count; i++)
		assert_true(buf_addf(text, "%u %.*s\n", i, (int)(i * 37 % 150),
				     "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
				     "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"));
}

static void add_gzip(struct buf *out, struct slice text)
{
	z_stream z = { 0 };
	char *to = buf_reserve(out, text.len + 1024);
	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)text.ptr;
	z.avail_in = (unsigned)text.len;
	z.next_out = (unsigned char *)to;
	z.avail_out = (unsigned)text.len + 1024;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_commit(out, text.len + 1024 - z.avail_out);
	deflateEnd(&z);
}

static void add_zstd(struct buf *out, struct slice text)
{
	size_t room = ZSTD_compressBound(text.len);
	char *to = buf_reserve(out, room);
	size_t n = ZSTD_compress(to, room, text.ptr, text.len, 1);
	assert_false(ZSTD_isError(n));
	buf_commit(out, n);
}

static void expect_text(struct slice text, const char *what)
{
	struct error error;
	struct slice line, wanted;
	struct lines *l = lines_open(path, false, NULL, &error);
	while (slice_next(&text, '\n', &wanted) && (text.len > 0 || wanted.len > 0)) {
		assert_true(lines_next(l, &line));
		assert_true(slice_equal(line, wanted));
	}
	assert_false(lines_next(l, &line));
	if (lines_trouble(l))
		fail_msg("%s: %s", what, lines_trouble(l));
	lines_close(l);
}

static void packed_files_of_many_parts_are_one_text(void **state)
{
	struct buf text, packed;
	struct logs_position position;
	struct error error;
	(void)state;
	make_text(&text, 20000);
	buf_init(&packed, 8 * 1024 * 1024);
	size_t half = text.len / 2 + 7;
	add_gzip(&packed, slice_first(buf_slice(&text), half));
	add_gzip(&packed, slice_from(buf_slice(&text), half));
	write_file(buf_slice(&packed));
	expect_text(buf_slice(&text), "gzip");
	struct lines *l = lines_open(path, true, NULL, &error);
	struct slice line;
	assert_true(lines_next(l, &line));
	assert_false(lines_position(l, &position)); /* what is added to it is no text */
	lines_close(l);
	buf_reset(&packed);
	add_zstd(&packed, slice_first(buf_slice(&text), half));
	add_zstd(&packed, slice_from(buf_slice(&text), half));
	write_file(buf_slice(&packed));
	expect_text(buf_slice(&text), "zstd");
	buf_free(&packed);
	buf_free(&text);
}

static void of_a_broken_packed_file_what_came_before_is_given(void **state)
{
	struct buf text, packed;
	struct error error;
	struct slice line;
	(void)state;
	make_text(&text, 20000);
	buf_init(&packed, 8 * 1024 * 1024);
	for (int kind = 0; kind < 2; kind++) {
		buf_reset(&packed);
		if (kind == 0)
			add_gzip(&packed, buf_slice(&text));
		else
			add_zstd(&packed, buf_slice(&text));
		write_file(slice_first(buf_slice(&packed), packed.len * 2 / 3));
		struct lines *l = lines_open(path, false, NULL, &error);
		unsigned count = 0;
		while (lines_next(l, &line))
			count++;
		assert_true(count > 1000 && count < 20000);
		assert_non_null(lines_trouble(l));
		assert_non_null(strstr(lines_trouble(l), "ends in the middle"));
		lines_close(l);
	}
	buf_free(&packed);
	buf_free(&text);
}

static void a_pipe_is_read_to_its_end(void **state)
{
	struct error error;
	struct slice line;
	int ends[2], saved = dup(STDIN_FILENO);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "one\ntwo", 7), 7);
	dup2(ends[0], STDIN_FILENO);
	struct lines *l = lines_open("-", true, NULL, &error);
	dup2(saved, STDIN_FILENO);
	assert_true(lines_next(l, &line));
	assert_slice(line, "one");
	assert_int_equal(lines_written_ms(l), 0);
	close(ends[1]);
	assert_true(lines_next(l, &line)); /* a pipe is never followed: its last line counts */
	assert_slice(line, "two");
	assert_false(lines_next(l, &line));
	lines_close(l);
	close(ends[0]);
	close(saved);
}

static void what_is_no_file_is_refused_with_its_reason(void **state)
{
	struct error error = { .text = "" };
	(void)state;
	assert_null(lines_open(folder, false, NULL, &error));
	assert_non_null(strstr(error.text, "Is a directory"));
	error.text[0] = '\0';
	assert_null(lines_open("/nonexistent/log", false, NULL, &error));
	assert_non_null(strstr(error.text, "No such file"));
}

static void following_goes_on_behind_the_last_whole_line(void **state)
{
	struct error error;
	struct slice line;
	struct logs_position position;
	struct stat st;
	(void)state;
	write_file(SLICE("one\r\ntwo\nthr"));
	struct lines *l = lines_open(path, true, NULL, &error);
	while (lines_next(l, &line))
		;
	assert_true(lines_position(l, &position));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(position.offset_bytes, 9);
	assert_int_equal(position.inode, st.st_ino);
	assert_int_equal(lines_written_ms(l), (int64_t)st.st_mtim.tv_sec * 1000);
	lines_close(l);
}

static void without_memory_nothing_is_opened_and_nothing_leaks(void **state)
{
	struct error error = { .text = "" };
	struct lines *l = NULL;
	(void)state;
	write_file(SLICE("one\n"));
	for (long n = 0; n < 10 && !l; n++) {
		mem_fail_after = n;
		l = lines_open(path, false, NULL, &error);
		mem_fail_after = -1;
		assert_true(l || n < 9);
	}
	lines_close(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_end_with_lf_or_crlf_and_the_last_may_lack_it),
		cmocka_unit_test(bytes_of_any_kind_are_part_of_a_line),
		cmocka_unit_test(a_line_is_whole_up_to_the_limit_and_cut_past_it),
		cmocka_unit_test(packed_files_of_many_parts_are_one_text),
		cmocka_unit_test(of_a_broken_packed_file_what_came_before_is_given),
		cmocka_unit_test(a_pipe_is_read_to_its_end),
		cmocka_unit_test(what_is_no_file_is_refused_with_its_reason),
		cmocka_unit_test(following_goes_on_behind_the_last_whole_line),
		cmocka_unit_test(without_memory_nothing_is_opened_and_nothing_leaks),
	};
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
