/* SPDX-License-Identifier: Apache-2.0
 *
 * Mail in files: what is found where, and what is told of.
 */
#include "../unit.h"

#include "base/mem.h"
#include "door/mailbox_inside.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

enum { PLACES_MAX = 100000 };

static char folder[64], path_block[8][256];

/* What one run found. */
struct found {
	struct mailbox *m;
	struct source source;
	pthread_mutex_t lock;
	struct source_place places[PLACES_MAX];
	size_t count, stop_at;
	struct buf told, text;
	bool is_wrong; /* a header was not what its place says */
};

static struct found found;

/* ---- files ---- */

static const char *in_folder(const char *name)
{
	static unsigned next;
	char *path = path_block[next++ % 8];
	snprintf(path, sizeof path_block[0], "%s/%s", folder, name);
	return path;
}

static const char *put(const char *name, struct slice text)
{
	const char *path = in_folder(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text.ptr, text.len), text.len);
	close(fd);
	return path;
}

static const char *put_text(const char *name, const char *text)
{
	return put(name, slice_from_str(text));
}

static void make_folder(const char *name)
{
	assert_int_equal(mkdir(in_folder(name), 0700), 0);
}

static void make_maildir(const char *name)
{
	static const char *const parts[] = { "", "/new", "/cur", "/tmp" };
	for (size_t i = 0; i < 4; i++) {
		char path[128];
		snprintf(path, sizeof path, "%s%s", name, parts[i]);
		make_folder(path);
	}
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int begin(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/quell-mailbox-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	return nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- one run ---- */

static void on_told(void *ctx, const char *line)
{
	struct found *f = ctx;
	buf_addf(&f->told, "%s\n", line);
}

static bool on_mail(void *ctx, unsigned worker, const struct source_place *place, struct slice header)
{
	struct found *f = ctx;
	pthread_mutex_lock(&f->lock);
	f->is_wrong |= worker >= f->source.worker_count || header.len != place->header_bytes ||
		       place->bytes < header.len || f->count == PLACES_MAX;
	if (f->count < PLACES_MAX)
		f->places[f->count++] = *place;
	bool may_go_on = f->count != f->stop_at;
	pthread_mutex_unlock(&f->lock);
	return may_go_on;
}

static int by_place(const void *a, const void *b)
{
	const struct source_place *x = a, *y = b;
	if (x->file != y->file)
		return x->file < y->file ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void close_found(void)
{
	mailbox_close(found.m);
	buf_free(&found.told);
	buf_free(&found.text);
	found = (struct found){ .m = NULL };
}

static bool open_paths(const char *const *paths, size_t count, unsigned threads)
{
	struct error error;
	close_found();
	found = (struct found){ .lock = PTHREAD_MUTEX_INITIALIZER };
	buf_init(&found.told, 1 << 20);
	buf_init(&found.text, 64 << 20);
	found.m = mailbox_open((char *const *)(uintptr_t)paths, count, threads, on_told, &found, &error);
	if (found.m)
		mailbox_source(found.m, &found.source);
	return found.m != NULL;
}

static void look(void)
{
	assert_true(found.source.look_over(found.source.ctx, on_mail, &found));
	assert_false(found.is_wrong);
	qsort(found.places, found.count, sizeof found.places[0], by_place);
}

static void look_at(const char *path, unsigned threads)
{
	assert_true(open_paths(&path, 1, threads));
	look();
}

static void look_through(const char *path, size_t window_bytes)
{
	assert_true(open_paths(&path, 1, 1));
	assert_true(mailbox_tune(found.m, window_bytes, 1 << 20));
	look();
}

static void on_bytes(void *ctx, struct slice bytes)
{
	buf_add(ctx, bytes);
}

static const char *text_of(size_t mail)
{
	buf_reset(&found.text);
	assert_true(found.source.read(found.source.ctx, 0, &found.places[mail], on_bytes, &found.text));
	return buf_str(&found.text);
}

/* All mails, each between "<" and ">"; header and body parted by "|". */
static const char *all_texts(void)
{
	static struct buf all;
	buf_free(&all);
	buf_init(&all, 1 << 20);
	for (size_t i = 0; i < found.count; i++) {
		const char *text = text_of(i);
		buf_addf(&all, "<%s>", text);
	}
	return buf_str(&all);
}

static void assert_told(const char *words, unsigned count)
{
	if (!strstr(buf_str(&found.told), words) && count > 0)
		fail_msg("\"%s\" was not told, but: %s", words, buf_str(&found.told));
	if (mailbox_troubles(found.m) != count)
		fail_msg("%u troubles wanted, told: %s", count, buf_str(&found.told));
}

/* ---- mbox ---- */

static const struct {
	const char *what, *text, *mails;
} boxes[] = {
	{ "mboxo", "From a 10:00\nS: x\n\n>From hi\n\nFrom b 11:00\nS: y\n\nho\n",
	  "<S: x\n\nFrom hi\n><S: y\n\nho\n>" },
	{ "mboxrd", "From a 10:00\nS: x\n\n>>From hi\n>From\n", "<S: x\n\n>From hi\n>From\n>" },
	{ "mboxcl2", "From a 10:00\nContent-Length: 22\n\nhi\n\nFrom me 10:00\n\n>F\n\nFrom b 10:00\nS: y\n\n",
	  "<Content-Length: 22\n\nhi\n\nFrom me 10:00\n\n>F\n><S: y\n>" },
	{ "mboxcl: quoted all the same", "From a 10:00\nContent-Length: 8\n\n>From x\n\nFrom b 10:00\nS: y\n\n",
	  "<Content-Length: 8\n\n>From x\n><S: y\n>" },
	{ "a length that is wrong", "From a 10:00\nContent-Length: 4\n\n>From x\n\nFrom b 10:00\nS: y\n\n",
	  "<Content-Length: 4\n\nFrom x\n><S: y\n>" },
	{ "a length past the end", "From a 10:00\nContent-Length: 9999\n\n>From x\n\nFrom b 10:00\nS: y\n\n",
	  "<Content-Length: 9999\n\nFrom x\n><S: y\n>" },
	{ "a length past all numbers", "From a 10:00\nContent-Length: 18446744073709551615\n\nx\n",
	  "<Content-Length: 18446744073709551615\n\nx\n>" },
	{ "a length up to the end", "From a 10:00\nContent-Length: 19\n\nx\n\nFrom b 10:00\n\nyz",
	  "<Content-Length: 19\n\nx\n\nFrom b 10:00\n\nyz>" },
	{ "mixed", "From a 10:00\nS: x\n\n>From x\n\nFrom b 10:00\nContent-Length: 17\n\n\nFrom b 10:00\n>F\n\n"
		   "From c 10:00\nS: z\n\n>From z\n",
	  "<S: x\n\nFrom x\n><Content-Length: 17\n\n\nFrom b 10:00\n>F\n><S: z\n\nFrom z\n>" },
	{ "CRLF", "From a 10:00\r\nS: x\r\n\r\n>From hi\r\n\r\nFrom b 11:00\r\nS: y\r\n\r\nho\r\n\r\n",
	  "<S: x\r\n\r\nFrom hi\r\n><S: y\r\n\r\nho\r\n>" },
	{ "prose", "From a 10:00\nS: x\n\nFrom now on\n\nFrom then on\n", "<S: x\n\nFrom now on\n\nFrom then on\n>" },
	{ "no empty line before", "From a 10:00\nS: x\n\nx\nFrom b 10:00\n", "<S: x\n\nx\nFrom b 10:00\n>" },
	{ "empty lines first", "\n\r\n\nFrom a 10:00\nS: x\n\nhi", "<S: x\n\nhi>" },
	{ "ends in a header", "From a 10:00\nS: x\n\nhi\n\nFrom b 10:00\nS: y\nFro", "<S: x\n\nhi\n><S: y\nFro>" },
	{ "ends in a separator", "From a 10:00\nS: x\n\nhi\n\nFrom b 10:0", "<S: x\n\nhi\n><>" },
	{ "no header", "From a 10:00\n\nhi\n\nFrom b 10:00\n\n\nFrom c 10:00\nx", "<\nhi\n><\n><x>" },
	{ "Dovecot's own", "From MAILER-DAEMON 10:00\nX-IMAP: 1 2\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER "
			   "INTERNAL DATA\n\nThis\n\nFrom a 10:00\nS: x\n\nhi\n", "<S: x\n\nhi\n>" },
	{ "one mail", "S: x\n\n>From hi\n\nFrom a 10:00\n\n", "<S: x\n\n>From hi\n\nFrom a 10:00\n\n>" },
	{ "one mail without a body", "S: x", "<S: x>" },
	{ "only CR", "S: x\r\rhi\rFrom b 10:00\r", "<S: x\r\rhi\rFrom b 10:00\r>" },
	{ "no field first", "hello\nFrom: a@b.example\n\n", "<hello\nFrom: a@b.example\n\n>" },
	{ "empty", "", "" },
};

static void mailboxes_of_every_kind_are_cut_and_unquoted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++) {
		look_at(put_text("box", boxes[i].text), 1);
		if (strcmp(all_texts(), boxes[i].mails) != 0)
			fail_msg("%s: \"%s\"", boxes[i].what, all_texts());
		assert_told("", 0);
	}
}

static void every_window_gives_the_same_mails(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++) {
		const char *path = put_text("box", boxes[i].text);
		for (size_t window = 4; window <= 128; window++) {
			look_through(path, window);
			if (strcmp(all_texts(), boxes[i].mails) != 0)
				fail_msg("%s, window of %zu: \"%s\"", boxes[i].what, window, all_texts());
		}
	}
}

static void the_header_is_shown_whole_and_its_end_is_known(void **state)
{
	(void)state;
	look_at(put_text("box", "From a 10:00\nS: x\n\nhi\n\nFrom b 11:00\nS: y\n\nFrom c 11:00\nS: z\n\n\n"), 1);
	assert_int_equal(found.count, 3);
	assert_int_equal(found.places[0].header_bytes, 6);
	assert_int_equal(found.places[0].bytes, 9);
	assert_int_equal(found.places[1].header_bytes, 5); /* its empty line is the mailbox's */
	assert_int_equal(found.places[2].header_bytes, 6);
	assert_int_equal(found.places[2].offset, 55);
}

static void a_field_of_megabytes_is_cut_and_the_mail_is_whole(void **state)
{
	struct buf text;
	(void)state;
	buf_init(&text, 8 << 20);
	buf_add_str(&text, "From a 10:00\nS: x");
	while (text.len < 3 << 20)
		buf_add_str(&text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	buf_add_str(&text, "\n\nhi\n\nFrom b 10:00\nS: y\n\nho\n");
	look_at(put("box", buf_slice(&text)), 1);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.places[0].header_bytes, SOURCE_HEADER_BYTES_MAX);
	assert_int_equal(found.places[0].bytes, text.len - 23 - 13);
	assert_string_equal(text_of(1), "S: y\n\nho\n");
	look_at(put("one", slice_from(buf_slice(&text), 13)), 1);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.places[0].header_bytes, SOURCE_HEADER_BYTES_MAX);
	buf_free(&text);
}

static void ten_thousand_received_lines_are_one_header(void **state)
{
	struct buf text;
	(void)state;
	buf_init(&text, 8 << 20);
	buf_add_str(&text, "From a 10:00\n");
	for (int i = 0; i < 10000; i++)
		buf_addf(&text, "Received: from a%d.example by b.example; Mon, 1 Jan 2024 10:00:00 +0000\n", i);
	buf_add_str(&text, "\nhi\n");
	look_through(put("box", buf_slice(&text)), 100);
	assert_int_equal(found.count, 1);
	assert_int_equal(found.places[0].header_bytes, text.len - 13 - 3);
	assert_int_equal(found.places[0].bytes, text.len - 13);
	buf_free(&text);
}

static void nuls_are_bytes_like_others(void **state)
{
	static const char text[] = "From a 10:00\nS: \0x\n\n\0\0\n>From \0\n\nFrom b 10:00\nS: y\n\n\0";
	(void)state;
	look_at(put("box", slice_make(text, sizeof text - 1)), 1);
	assert_int_equal(found.count, 2);
	text_of(0);
	assert_int_equal(found.text.len, 18 - 1); /* one ">" less */
	assert_int_equal(found.places[0].header_bytes, 7);
	text_of(1);
	assert_int_equal(found.text.len, 7);
}

static void a_mail_of_200_mb_costs_no_memory(void **state)
{
	const char *path = put_text("box", "From a 10:00\nS: x\n\nhi\n");
	int fd = open(path, O_WRONLY);
	(void)state;
	assert_int_equal(ftruncate(fd, 200 << 20), 0);
	assert_int_equal(pwrite(fd, "\n\nFrom b 10:00\nS: y\n\nho\n", 24, 200 << 20), 24);
	close(fd);
	for (unsigned threads = 1; threads <= 2; threads++) {
		look_at(path, threads);
		assert_int_equal(found.count, 2);
		assert_int_equal(found.places[0].bytes, (200 << 20) + 1 - 13);
		assert_string_equal(text_of(1), "S: y\n\nho\n");
		for (unsigned i = 0; i < threads; i++)
			assert_true(found.m->workers[i].window.cap <= MAILBOX_WINDOW_BYTES_MAX);
	}
}

/* A mailbox of several ranges, separators at every place relative to their borders. */
static const char *put_big(const char *first_field)
{
	struct buf text;
	buf_init(&text, 64 << 20);
	for (unsigned i = 0; text.len < 3 * MAILBOX_CUT_BYTES + 100; i++) {
		buf_addf(&text, "From a%u 10:00\n%sS: %u\n\n", i, i == 0 ? first_field : "", i);
		size_t want = 20000 + i % 97, begin = text.len;
		while (text.len < begin + want)
			buf_addf(&text, "From here on\n%.*s\n\n>From x\n", (int)(i % 50),
				 "..................................................");
		buf_add_str(&text, "\n");
	}
	const char *path = put("big", buf_slice(&text));
	buf_free(&text);
	return path;
}

static void the_mails_do_not_depend_on_the_number_of_workers(void **state)
{
	static const char *const fields[] = { "", "Content-Length: 1\n" };
	static const unsigned threads[] = { 1, 2, 7, 0 };
	static struct source_place first[PLACES_MAX];
	(void)state;
	for (size_t f = 0; f < 2; f++) {
		const char *path = put_big(fields[f]);
		size_t count = 0;
		for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
			uint64_t done, all;
			struct stat st;
			look_at(path, threads[i]);
			if (i == 0) {
				count = found.count;
				memcpy(first, found.places, sizeof first);
				assert_true(count > 1000);
			}
			assert_int_equal(found.count, count);
			assert_memory_equal(found.places, first, count * sizeof first[0]);
			found.source.progress(found.source.ctx, &done, &all);
			assert_int_equal(stat(path, &st), 0);
			assert_int_equal(all, st.st_size);
			assert_int_equal(done, all);
		}
	}
}

static void a_separator_on_the_border_of_a_range_is_found_once(void **state)
{
	struct buf text;
	(void)state;
	buf_init(&text, 32 << 20);
	for (int shift = -20; shift <= 4; shift++) {
		buf_reset(&text);
		buf_add_str(&text, "From a 10:00\nS: x\n\n");
		while (text.len < MAILBOX_CUT_BYTES + 2000)
			buf_add_str(&text, "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n");
		memcpy(text.ptr + MAILBOX_CUT_BYTES + shift, "\n\nFrom b 10:00\nS: y\n\n", 21);
		look_at(put("box", buf_slice(&text)), 2);
		assert_int_equal(found.count, 2);
		assert_int_equal(found.places[1].offset, MAILBOX_CUT_BYTES + shift + 15);
	}
	buf_free(&text);
}

static void a_look_over_ends_when_it_is_told_to(void **state)
{
	const char *path = put_text("box", "From a 10:00\nS: x\n\nFrom b 10:00\nS: x\n\nFrom c 10:00\n\n");
	(void)state;
	assert_true(open_paths(&path, 1, 1));
	found.stop_at = 2;
	assert_false(found.source.look_over(found.source.ctx, on_mail, &found));
	assert_int_equal(found.count, 2);
}

/* ---- packed ---- */

static void add_gzip(struct buf *out, struct slice text)
{
	z_stream z = { 0 };
	size_t bound = text.len + text.len / 10 + 1000;
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)text.ptr;
	z.avail_in = (unsigned)text.len;
	z.next_out = (unsigned char *)buf_reserve(out, bound);
	z.avail_out = (unsigned)bound;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_commit(out, bound - z.avail_out);
	deflateEnd(&z);
}

static void add_zstd(struct buf *out, struct slice text)
{
	size_t bound = ZSTD_compressBound(text.len);
	ZSTD_CCtx *z = ZSTD_createCCtx();
	ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
	buf_commit(out, ZSTD_compress2(z, buf_reserve(out, bound), bound, text.ptr, text.len));
	ZSTD_freeCCtx(z);
}

static const char two_mails[] = "From a 10:00\nS: x\n\nhi\n\nFrom b 10:00\nS: y\n\nho\n";

static void packed_files_are_read_like_others_whatever_their_name(void **state)
{
	static void (*const pack[])(struct buf *, struct slice) = { add_gzip, add_zstd };
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct buf packed;
		buf_init(&packed, 1 << 20);
		for (size_t cut = 0; cut <= 30; cut += 10) { /* as one and as two members, frames */
			buf_reset(&packed);
			pack[i](&packed, slice_first(SLICE(two_mails), cut));
			pack[i](&packed, slice_from(SLICE(two_mails), cut));
			look_at(put("anna.mbox", buf_slice(&packed)), 1);
			assert_string_equal(all_texts(), "<S: x\n\nhi\n><S: y\n\nho\n>");
			assert_told("", 0);
			look(); /* a second time: what was unpacked is still there */
			assert_int_equal(found.count, 4);
		}
		buf_free(&packed);
	}
}

static void a_packed_file_cut_short_or_broken_is_read_up_to_there(void **state)
{
	static void (*const pack[])(struct buf *, struct slice) = { add_gzip, add_zstd };
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct buf text, packed;
		buf_init(&text, 4 << 20);
		buf_init(&packed, 4 << 20);
		for (unsigned n = 0; text.len < 2 << 20; n++)
			buf_addf(&text, "From a 10:00\nS: %u\n\n%u\n\n", n * 2654435761u, n * 40503u);
		pack[i](&packed, buf_slice(&text));
		text.len = 0;
		look_at(put("cut", slice_first(buf_slice(&packed), packed.len / 2)), 1);
		assert_told("/cut: at byte ", 1);
		assert_told("of the packed file: the compressed data ends in the middle; what came before is read", 1);
		assert_true(found.count > 1000);
		memset(packed.ptr + packed.len / 2, 0xff, 64);
		look_at(put("broken", buf_slice(&packed)), 1);
		assert_told("/broken: at byte ", 1);
		assert_true(found.count > 1000);
		buf_free(&text);
		buf_free(&packed);
	}
}

static void what_stands_behind_a_gzip_is_told_unless_it_is_padding(void **state)
{
	struct buf packed;
	(void)state;
	buf_init(&packed, 1 << 20);
	add_gzip(&packed, SLICE(two_mails));
	buf_add(&packed, slice_make("\0\0\0\0\0\0", 6));
	look_at(put("padded", buf_slice(&packed)), 1);
	assert_told("", 0);
	assert_int_equal(found.count, 2);
	buf_add_str(&packed, "junk");
	look_at(put("junk", buf_slice(&packed)), 1);
	assert_told("something else", 1);
	assert_int_equal(found.count, 2);
	buf_free(&packed);
}

static void unpacking_has_a_ceiling(void **state)
{
	struct buf packed;
	static char zeros[1 << 20];
	const char *path;
	(void)state;
	memcpy(zeros, two_mails, sizeof two_mails - 1);
	buf_init(&packed, 4 << 20);
	add_gzip(&packed, slice_make(zeros, sizeof zeros));
	path = put("bomb", buf_slice(&packed));
	assert_true(open_paths(&path, 1, 1));
	assert_true(mailbox_tune(found.m, 4096, 600 * 1024));
	look();
	assert_told("too much to unpack in all", 1);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.places[1].offset + found.places[1].bytes, 512 * 1024);
	buf_free(&packed);
}

static void standard_input_may_be_a_pipe(void **state)
{
	int ends[2], was = dup(STDIN_FILENO);
	const char *path = "-";
	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], two_mails, sizeof two_mails - 1), sizeof two_mails - 1);
	close(ends[1]);
	assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
	close(ends[0]);
	look_at(path, 2);
	assert_true(dup2(was, STDIN_FILENO) >= 0);
	close(was);
	assert_string_equal(all_texts(), "<S: x\n\nhi\n><S: y\n\nho\n>");
	assert_string_equal(found.source.file_name(found.source.ctx, 0), "-");
	assert_string_equal(found.source.mailbox_name(found.source.ctx, 0), "mailbox");
}

/* ---- folders ---- */

static const char *all_names(void)
{
	static char names[1024];
	size_t len = 0;
	names[0] = '\0';
	for (size_t i = 0; i < found.count; i++) {
		const char *name = found.source.file_name(found.source.ctx, found.places[i].file);
		len += (size_t)snprintf(names + len, sizeof names - len, "%s ", name + strlen(folder) + 1);
	}
	return names;
}

static void a_maildir_is_its_new_and_cur_and_its_subfolders(void **state)
{
	(void)state;
	make_folder("anna");
	make_maildir("anna/Maildir");
	make_maildir("anna/Maildir/.Sub");
	make_folder("anna/Maildir/.other");
	put_text("anna/Maildir/new/1.a", "S: new\n\n");
	put_text("anna/Maildir/cur/1.b:2,S", "S: cur\n\nFrom x 10:00\n");
	put_text("anna/Maildir/cur/.hidden", "S: hidden\n\n");
	put_text("anna/Maildir/tmp/1.c", "S: tmp\n\n");
	put_text("anna/Maildir/.Sub/cur/1.d", "S: sub\n\n");
	put_text("anna/Maildir/.other/x", "S: other\n\n");
	put_text("anna/Maildir/dovecot.index.log", "no mail");
	put_text("anna/Maildir/dovecot-uidlist", "3 V1");
	put_text("anna/Maildir/subscriptions", "Sub");
	look_at(in_folder("anna/Maildir"), 1);
	assert_string_equal(all_names(), "anna/Maildir/new/1.a anna/Maildir/cur/1.b:2,S anna/Maildir/.Sub/cur/1.d ");
	assert_string_equal(all_texts(), "<S: new\n\n><S: cur\n\nFrom x 10:00\n><S: sub\n\n>");
	assert_told("", 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_string_equal(found.source.mailbox_name(found.source.ctx, i), "anna");
}

static void mails_in_single_files_are_one_mailbox_called_after_their_folder(void **state)
{
	(void)state;
	make_folder("victim");
	put_text("victim/a.eml", "Subject: a\n\n");
	put_text("victim/b.eml", "Subject: b\n\n");
	put_text("victim/anna.mbox", "From x Tue Dec  6 12:00:00 2005\nSubject: c\n\n");
	look_at(in_folder("victim"), 1);
	assert_string_equal(found.source.mailbox_name(found.source.ctx, 0), "victim");
	assert_string_equal(found.source.mailbox_name(found.source.ctx, 1), "anna");
	assert_string_equal(found.source.mailbox_name(found.source.ctx, 2), "victim");
	look_at(in_folder("victim/b.eml"), 1);
	assert_string_equal(found.source.mailbox_name(found.source.ctx, 0), "victim");
}

static void a_folder_is_read_deep_in_the_order_of_names(void **state)
{
	(void)state;
	make_folder("box");
	make_folder("box/a");
	make_folder("box/.secret");
	put_text("box/z.eml", "S: z\n\n");
	put_text("box/b", two_mails);
	put_text("box/a/1", "S: 1\n\n");
	put_text("box/.secret/x", "S: x\n\n");
	put_text("box/.x", "S: x\n\n");
	put_text("box/empty", "");
	put_text("box/README.md", "# no mail\n");
	put("box/binary", slice_make("a.eml\0\0\0\nFrom: a@b.example\n", 27));
	assert_int_equal(symlink("b", in_folder("box/link")), 0);
	assert_int_equal(symlink("..", in_folder("box/a/up")), 0);
	assert_int_equal(symlink("nowhere", in_folder("box/dangling")), 0);
	look_at(in_folder("box"), 2);
	assert_string_equal(all_names(), "box/b box/b box/link box/link box/z.eml box/a/1 ");
	assert_told("/box/dangling: it cannot be opened: No such file", 3);
	assert_told("/box/README.md: at byte 0: it does not look like mail; it is left out", 3);
	assert_told("/box/binary: at byte 0: it does not look like mail", 3);
}

static void mailboxes_are_called_after_who_they_belong_to(void **state)
{
	static const struct {
		const char *path, *name;
		bool is_maildir;
	} rows[] = {
		{ "/var/mail/anna", "anna", false },
		{ "anna.mbox", "anna", false },
		{ "x/anna.MBOX.gz", "anna", false },
		{ "anna.eml.zst", "anna", false },
		{ ".mbox", ".mbox", false },
		{ "-", "mailbox", false },
		{ "/home/user/Maildir", "user", true },
		{ "/home/user/Maildir/", "user", true },
		{ "/home/user/.maildir", "user", true },
		{ "/var/vmail/example.org/anna", "anna", true },
		{ "/Maildir", "Maildir", true },
	};
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *name = mailbox_owner_of(rows[i].path, rows[i].is_maildir);
		assert_string_equal(name, rows[i].name);
		mem_free(name);
	}
}

/* ---- what changes under us ---- */

static void a_mail_renamed_since_it_was_listed_is_found_again(void **state)
{
	const char *path;
	(void)state;
	make_maildir("anna");
	put_text("anna/new/1.a", "S: a\n\n");
	put_text("anna/cur/1.b:2,", "S: b\n\n");
	put_text("anna/cur/1.bb:2,", "S: bb\n\n");
	path = in_folder("anna");
	assert_true(open_paths(&path, 1, 1));
	assert_int_equal(rename(in_folder("anna/new/1.a"), in_folder("anna/cur/1.a:2,S")), 0);
	assert_int_equal(rename(in_folder("anna/cur/1.b:2,"), in_folder("anna/cur/1.b:2,RS")), 0);
	look();
	assert_string_equal(all_texts(), "<S: a\n\n><S: b\n\n><S: bb\n\n>");
	assert_int_equal(rename(in_folder("anna/cur/1.a:2,S"), in_folder("anna/cur/1.a:2,ST")), 0);
	assert_string_equal(text_of(1), "S: b\n\n"); /* so that the other one is not open any more */
	assert_string_equal(text_of(0), "S: a\n\n");
	assert_told("", 0);
}

static void a_mail_listed_twice_while_it_was_moved_is_read_once(void **state)
{
	const char *path;
	(void)state;
	make_maildir("anna");
	put_text("anna/new/1.a", "S: a\n\n");
	put_text("anna/cur/1.a:2,S", "S: a\n\n");
	path = in_folder("anna");
	assert_true(open_paths(&path, 1, 1));
	assert_int_equal(unlink(in_folder("anna/new/1.a")), 0);
	look();
	assert_string_equal(all_names(), "anna/cur/1.a:2,S ");
	assert_told("", 0);
}

static void what_vanished_or_became_a_folder_is_told_and_the_rest_is_read(void **state)
{
	const char *path;
	(void)state;
	make_folder("box");
	put_text("box/a", "S: a\n\n");
	put_text("box/b", "S: b\n\n");
	put_text("box/c", "S: c\n\n");
	path = in_folder("box");
	assert_true(open_paths(&path, 1, 1));
	assert_int_equal(unlink(in_folder("box/a")), 0);
	assert_int_equal(unlink(in_folder("box/b")), 0);
	make_folder("box/b");
	look();
	assert_string_equal(all_texts(), "<S: c\n\n>");
	assert_told("/box/a: it vanished while we read; it is left out", 2);
	assert_told("/box/b: at byte 0: Is a directory", 2);
}

static bool cut_the_file(void *ctx, unsigned worker, const struct source_place *place, struct slice header)
{
	if (found.count == 0)
		assert_int_equal(truncate(in_folder("box"), 3 << 20), 0);
	return on_mail(ctx, worker, place, header);
}

static void a_mailbox_that_shrinks_is_told_with_its_offset(void **state)
{
	struct buf text;
	const char *path;
	(void)state;
	buf_init(&text, 8 << 20);
	while (text.len < 5 << 20) {
		buf_add_str(&text, "From a 10:00\nS: x\n\n");
		for (int i = 0; i < 100; i++)
			buf_add_str(&text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
		buf_add_str(&text, "\n");
	}
	path = put("box", buf_slice(&text));
	buf_free(&text);
	assert_true(open_paths(&path, 1, 1));
	assert_true(found.source.look_over(found.source.ctx, cut_the_file, &found));
	assert_told("/box: at byte 3145728: it was cut off while we read; what is left is read", 1);
	assert_int_equal(found.places[found.count - 1].offset + found.places[found.count - 1].bytes, 3 << 20);
}

static bool append_to_file(void *ctx, unsigned worker, const struct source_place *place, struct slice header)
{
	int fd = open(in_folder("box"), O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, two_mails, sizeof two_mails - 1), sizeof two_mails - 1);
	close(fd);
	return on_mail(ctx, worker, place, header);
}

static void a_mailbox_that_grows_is_read_as_far_as_it_went(void **state)
{
	const char *path = put_text("box", "From a 10:00\nS: x\n\nhi\n\n");
	(void)state;
	assert_true(open_paths(&path, 1, 1));
	assert_true(found.source.look_over(found.source.ctx, append_to_file, &found));
	assert_string_equal(all_texts(), "<S: x\n\nhi\n>");
	assert_told("/box: at byte 23: it grew while we read; what came behind is left out", 1);
}

static void a_mail_that_is_no_longer_there_as_it_was_is_not_read(void **state)
{
	(void)state;
	look_at(put_text("box", two_mails), 1);
	put_text("box", "From b 10:00\nS: y\n\nho\nand some more text here\n\n\n\n\n\n");
	buf_reset(&found.text);
	assert_false(found.source.read(found.source.ctx, 0, &found.places[1], on_bytes, &found.text));
	assert_told("/box: at byte 36: the mailbox was changed while we read; this mail is left out", 1);
}

static void nothing_that_can_be_opened_is_an_error(void **state)
{
	const char *path = in_folder("nothing");
	(void)state;
	assert_false(open_paths(&path, 1, 1));
	assert_non_null(strstr(buf_str(&found.told), "/nothing: it cannot be opened: No such file or directory"));
}

static void without_memory_nothing_dies(void **state)
{
	(void)state;
	make_maildir("anna");
	put_text("anna/new/1.a", "S: a\n\n");
	put_text("anna/cur/1.b", two_mails);
	const char *path = in_folder("anna");
	for (long n = 0; n < 60; n++) {
		mem_fail_after = n;
		bool is_open = open_paths(&path, 1, 1);
		if (is_open)
			found.source.look_over(found.source.ctx, on_mail, &found);
		mem_fail_after = -1;
		if (is_open && n > 55)
			assert_int_equal(found.count, 3);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mailboxes_of_every_kind_are_cut_and_unquoted),
		TEST(every_window_gives_the_same_mails),
		TEST(the_header_is_shown_whole_and_its_end_is_known),
		TEST(a_field_of_megabytes_is_cut_and_the_mail_is_whole),
		TEST(ten_thousand_received_lines_are_one_header),
		TEST(nuls_are_bytes_like_others),
		TEST(a_mail_of_200_mb_costs_no_memory),
		TEST(the_mails_do_not_depend_on_the_number_of_workers),
		TEST(a_separator_on_the_border_of_a_range_is_found_once),
		TEST(a_look_over_ends_when_it_is_told_to),
		TEST(packed_files_are_read_like_others_whatever_their_name),
		TEST(a_packed_file_cut_short_or_broken_is_read_up_to_there),
		TEST(what_stands_behind_a_gzip_is_told_unless_it_is_padding),
		TEST(unpacking_has_a_ceiling),
		TEST(standard_input_may_be_a_pipe),
		TEST(a_maildir_is_its_new_and_cur_and_its_subfolders),
		TEST(mails_in_single_files_are_one_mailbox_called_after_their_folder),
		TEST(a_folder_is_read_deep_in_the_order_of_names),
		TEST(mailboxes_are_called_after_who_they_belong_to),
		TEST(a_mail_renamed_since_it_was_listed_is_found_again),
		TEST(a_mail_listed_twice_while_it_was_moved_is_read_once),
		TEST(what_vanished_or_became_a_folder_is_told_and_the_rest_is_read),
		TEST(a_mailbox_that_shrinks_is_told_with_its_offset),
		TEST(a_mailbox_that_grows_is_read_as_far_as_it_went),
		TEST(a_mail_that_is_no_longer_there_as_it_was_is_not_read),
		TEST(nothing_that_can_be_opened_is_an_error),
		TEST(without_memory_nothing_dies),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	close_found();
	return failed;
}
