/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool of the connector: what was synced can be read, byte for byte, whatever else
 * happened; what failed never claims to be there; a sweep takes nobody's files only.
 */
#include "rig.h"

#include "base/mem.h"
#include "store/disk.h"
#include "store/segment.h"
#include "../unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct pile {
	struct rig rig;
	int dir_fd;
	struct segments *segments;
};

static void pile_open(struct pile *s)
{
	struct error error = { 0 };
	s->segments = segments_open(s->dir_fd, &error);
	if (!s->segments)
		fail_msg("%s", error.text);
}

static void pile_start(struct pile *s)
{
	rig_start(&s->rig);
	s->dir_fd = open(s->rig.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(s->dir_fd >= 0);
	pile_open(s);
}

static void pile_end(struct pile *s)
{
	segments_close(s->segments);
	close(s->dir_fd);
	rig_end(&s->rig);
}

/* Byte i of mail n: no two mails are alike anywhere for long. */
static char byte_of(unsigned n, size_t i)
{
	return (char)(n * 131 + i * 7 + i / 256 * 13);
}

static char *mail_new(unsigned n, size_t bytes)
{
	char *mail = malloc(bytes + 1);
	assert_non_null(mail);
	for (size_t i = 0; i < bytes; i++)
		mail[i] = byte_of(n, i);
	return mail;
}

/* In parts of part_bytes; false when the disk refused (the mail is aborted then). */
static bool put(struct segment_writer *w, unsigned n, size_t bytes, size_t part_bytes, struct segment_place *place)
{
	char *mail = mail_new(n, bytes);
	struct slice rest = slice_make(mail, bytes);
	bool is_fine = true;
	segment_begin(w);
	while (is_fine && rest.len > 0) {
		struct slice part = slice_first(rest, part_bytes);
		is_fine = segment_add(w, part);
		rest = slice_from(rest, part.len);
	}
	is_fine = is_fine && segment_end(w, place);
	if (!is_fine)
		segment_abort(w);
	free(mail);
	return is_fine;
}

static bool reads(struct segments *s, const struct segment_place *place, unsigned n, size_t bytes, size_t step)
{
	char *got = malloc(step);
	uint64_t at = 0;
	ssize_t more;
	bool is_same = true;
	while ((more = segment_read(s, place, at, got, step)) > 0) {
		for (ssize_t i = 0; i < more; i++)
			is_same &= got[i] == byte_of(n, (size_t)at + (size_t)i);
		at += (uint64_t)more;
	}
	free(got);
	return is_same && more == 0 && at == bytes;
}

static void a_mail_comes_back_however_it_was_cut(void **state)
{
	(void)state;
	static const size_t sizes[] = { 0, 1, 2, 4095, 4096, SEGMENT_BUFFER_BYTES - 1, SEGMENT_BUFFER_BYTES,
					SEGMENT_BUFFER_BYTES + 1, 3 * SEGMENT_BUFFER_BYTES + 17 };
	static const size_t parts[] = { 1, 7, 4096, 65536, SEGMENT_BUFFER_BYTES, SIZE_MAX };
	enum { SIZES = sizeof sizes / sizeof sizes[0], PARTS = sizeof parts / sizeof parts[0] };
	struct segment_place places[SIZES * PARTS];
	struct pile s;
	unsigned n = 0;
	pile_start(&s);
	struct segment_writer *w = segment_writer_new(s.segments);
	for (size_t i = 0; i < SIZES; i++)
		for (size_t k = 0; k < PARTS; k++, n++)
			assert_true(put(w, n, sizes[i], parts[k], &places[n]));
	assert_true(segment_sync(w));
	segment_writer_free(&w);
	assert_null(w);
	for (int round = 0; round < 2; round++) {
		n = 0;
		for (size_t i = 0; i < SIZES; i++)
			for (size_t k = 0; k < PARTS; k++, n++)
				assert_true(reads(s.segments, &places[n], n, sizes[i],
						parts[(k + 2) % PARTS] % 100000));
		segments_close(s.segments);
		pile_open(&s); /* the same in the next life */
	}
	pile_end(&s);
}

static void an_empty_mail_is_no_disk_trouble(void **state)
{
	(void)state;
	struct pile s;
	struct segment_place place;
	char byte;
	pile_start(&s);
	struct segment_writer *w = segment_writer_new(s.segments);
	segment_begin(w);
	assert_true(segment_end(w, &place));
	assert_int_equal(place.bytes, 0);
	assert_int_equal(segment_read(s.segments, &place, 0, &byte, 1), 0);
	assert_true(segment_sync(w));
	assert_int_equal(rig_files(&s.rig, "spool", ""), 0);
	segment_writer_free(&w);
	pile_end(&s);
}

static void an_aborted_mail_is_nobodys_and_harms_no_neighbour(void **state)
{
	(void)state;
	static const size_t cut[] = { 0, 1, 1000, SEGMENT_BUFFER_BYTES - 1, SEGMENT_BUFFER_BYTES,
				      2 * SEGMENT_BUFFER_BYTES + 5 };
	enum { CUTS = sizeof cut / sizeof cut[0] };
	struct segment_place places[CUTS];
	struct pile s;
	pile_start(&s);
	struct segment_writer *w = segment_writer_new(s.segments);
	for (unsigned i = 0; i < CUTS; i++) {
		char *wrong = mail_new(99, cut[i]);
		segment_begin(w);
		assert_true(segment_add(w, slice_make(wrong, cut[i])));
		segment_abort(w);
		free(wrong);
		assert_true(put(w, i, 3000 + i, 11, &places[i]));
	}
	assert_true(segment_sync(w));
	for (unsigned i = 0; i < CUTS; i++)
		assert_true(reads(s.segments, &places[i], i, 3000 + i, 512));
	segment_writer_free(&w);
	pile_end(&s);
}

static void reading_ends_at_the_mails_end_and_never_beyond(void **state)
{
	(void)state;
	struct pile s;
	struct segment_place first, second;
	char got[64];
	pile_start(&s);
	struct segment_writer *w = segment_writer_new(s.segments);
	assert_true(put(w, 1, 20, 20, &first));
	assert_true(put(w, 2, 20, 20, &second));
	assert_true(segment_sync(w));
	assert_int_equal(segment_read(s.segments, &first, 0, got, sizeof got), 20);
	assert_int_equal(segment_read(s.segments, &first, 19, got, sizeof got), 1);
	assert_int_equal(segment_read(s.segments, &first, 20, got, sizeof got), 0);
	assert_int_equal(segment_read(s.segments, &first, UINT64_MAX, got, sizeof got), 0);
	const struct segment_place wrong[] = {
		{ second.segment, second.at, 21 },            /* longer than the file */
		{ second.segment, second.at + 1, 20 },
		{ second.segment, UINT64_MAX - 5, 20 },
		{ second.segment + 1, 0, 20 },                /* no such file */
		{ 0, 0, 20 },
		{ UINT32_MAX, 0, 20 },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(segment_read(s.segments, &wrong[i], 0, got, sizeof got), -1);
	assert_true(reads(s.segments, &second, 2, 20, 3)); /* trouble with one is no trouble with the next */
	segment_writer_free(&w);
	pile_end(&s);
}

static void writers_never_share_a_file(void **state)
{
	(void)state;
	enum { WRITERS = 3, EACH = 5 };
	struct segment_writer *w[WRITERS];
	struct segment_place places[WRITERS][EACH];
	struct pile s;
	pile_start(&s);
	/* Somebody's file stands in the way of the next number. */
	rig_write(&s.rig, "spool/00000002.seg", SLICE("here before"));
	for (unsigned i = 0; i < WRITERS; i++)
		w[i] = segment_writer_new(s.segments);
	for (unsigned k = 0; k < EACH; k++)
		for (unsigned i = 0; i < WRITERS; i++)
			assert_true(put(w[i], 10 * i + k, 1000, 100, &places[i][k]));
	for (unsigned i = 0; i < WRITERS; i++) {
		assert_true(segment_sync(w[i]));
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(places[i][0].segment, places[j][0].segment);
		assert_int_not_equal(places[i][0].segment, 2);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		for (unsigned k = 0; k < EACH; k++)
			assert_true(reads(s.segments, &places[i][k], 10 * i + k, 1000, 333));
	for (unsigned i = 0; i < WRITERS; i++)
		segment_writer_free(&w[i]);
	pile_end(&s);
}

/* Of the segments from 1 to 31: a bit each. */
static bool is_needed(void *ctx, uint32_t segment)
{
	const uint32_t *bits = ctx;
	return segment < 32 && (*bits >> segment & 1);
}

static void a_sweep_takes_only_files_that_nobody_writes_or_needs(void **state)
{
	(void)state;
	struct pile s;
	struct segment_place kept, gone, written;
	uint32_t bits;
	char got[8];
	pile_start(&s);
	struct segment_writer *w = segment_writer_new(s.segments);
	assert_true(put(w, 1, 5000, 100, &kept) && segment_sync(w));
	segment_writer_free(&w);
	w = segment_writer_new(s.segments);
	assert_true(put(w, 2, 6000, 100, &gone) && segment_sync(w));
	segment_writer_free(&w);
	w = segment_writer_new(s.segments);
	assert_true(put(w, 3, 7000, 100, &written) && segment_sync(w));
	rig_write(&s.rig, "spool/notes.txt", SLICE("not ours"));
	rig_write(&s.rig, "spool/0000001.seg", SLICE("not ours"));
	rig_write(&s.rig, "spool/00000000.seg", SLICE("not ours"));
	rig_write(&s.rig, "spool/0000000x.seg", SLICE("not ours"));
	assert_int_equal(segments_bytes(s.segments), 18000);
	assert_int_equal(segment_read(s.segments, &gone, 0, got, sizeof got), 8); /* it stays open */
	bits = (uint32_t)1 << kept.segment;
	segments_sweep(s.segments, is_needed, &bits);
	assert_int_equal(segments_bytes(s.segments), 12000);
	assert_true(reads(s.segments, &kept, 1, 5000, 999));
	assert_true(reads(s.segments, &written, 3, 7000, 999));
	assert_int_equal(segment_read(s.segments, &gone, 0, got, sizeof got), -1);
	assert_int_equal(rig_files(&s.rig, "spool", ""), 6);
	segment_writer_free(&w);
	bits = 0;
	segments_sweep(s.segments, is_needed, &bits);
	assert_int_equal(segments_bytes(s.segments), 0);
	assert_int_equal(rig_files(&s.rig, "spool", ""), 4);
	pile_end(&s);
}

static void a_file_past_the_limit_is_followed_by_a_new_one(void **state)
{
	(void)state;
	struct pile s;
	struct segment_place first, second, third;
	uint32_t none = 0;
	pile_start(&s);
	struct segment_writer *w = segment_writer_new(s.segments);
	assert_true(put(w, 1, SEGMENT_BYTES + 1, 65536, &first));
	/* Not yet: the first is not synced, so no row can point to it, and a sweep that comes now
	 * must not take its file. */
	assert_true(put(w, 2, 100, 100, &second));
	assert_int_equal(second.segment, first.segment);
	segments_sweep(s.segments, is_needed, &none);
	assert_true(segment_sync(w));
	assert_true(reads(s.segments, &first, 1, SEGMENT_BYTES + 1, 65536));
	assert_true(put(w, 3, 100, 100, &third));
	assert_int_not_equal(third.segment, first.segment);
	assert_int_equal(third.at, 0);
	assert_true(segment_sync(w));
	assert_true(reads(s.segments, &second, 2, 100, 100));
	assert_true(reads(s.segments, &third, 3, 100, 100));
	segments_sweep(s.segments, is_needed, &none); /* the old one is nobody's now */
	assert_false(reads(s.segments, &first, 1, SEGMENT_BYTES + 1, 65536));
	assert_int_equal(segments_bytes(s.segments), 100);
	segment_writer_free(&w);
	pile_end(&s);
}

/* Three mails and a sync, three times over, with a disk that fails at operation n. What
 * was said to be synced must be readable; after a failure nothing more may be claimed. */
static bool story_with_fault(struct pile *s, long n, bool is_lasting)
{
	enum { ROUNDS = 3, EACH = 3 };
	struct segment_place places[ROUNDS * EACH];
	size_t durable = 0, ended = 0;
	bool has_failed = false;
	struct segment_writer *w = segment_writer_new(s->segments);
	disk_fault.is_lasting = is_lasting;
	disk_fault.ops = DISK_ANY;
	disk_fault.fail_after = n;
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < EACH; i++) {
			bool is_put = put(w, (unsigned)ended, SEGMENT_BUFFER_BYTES + 100 * i, 50000, &places[ended]);
			assert_false(is_put && has_failed);
			has_failed |= !is_put;
			ended += is_put;
		}
		bool is_synced = segment_sync(w);
		assert_false(is_synced && has_failed);
		has_failed |= !is_synced;
		if (is_synced)
			durable = ended;
	}
	disk_fault.fail_after = -1;
	disk_fault.is_lasting = false;
	for (unsigned i = 0; i < durable; i++)
		assert_true(reads(s->segments, &places[i], i, SEGMENT_BUFFER_BYTES + 100 * (i % EACH), 70000));
	assert_true(has_failed || durable == ROUNDS * EACH);
	segment_writer_free(&w);
	return has_failed;
}

static void what_was_synced_is_readable_whatever_operation_fails(void **state)
{
	(void)state;
	static const int errors[] = { ENOSPC, EIO };
	for (int k = 0; k < 4; k++) {
		long n = 0;
		struct pile s;
		uint32_t none = 0;
		pile_start(&s);
		disk_fault.error = errors[k % 2];
		while (story_with_fault(&s, n, k / 2))
			n++;
		assert_true(n > 8);
		/* The bytes of writes that failed half way are counted, and go. */
		segments_sweep(s.segments, is_needed, &none);
		assert_int_equal(segments_bytes(s.segments), 0);
		assert_int_equal(rig_files(&s.rig, "spool", ""), 0);
		disk_fault.error = ENOSPC;
		pile_end(&s);
	}
}

static void a_writer_that_failed_says_why_and_the_next_one_goes_on(void **state)
{
	(void)state;
	struct pile s;
	struct segment_place place;
	pile_start(&s);
	for (int ops = DISK_OPEN; ops <= DISK_SYNC; ops *= 2) {
		struct segment_writer *w = segment_writer_new(s.segments);
		char *mail = mail_new(1, SEGMENT_BUFFER_BYTES);
		disk_fault.ops = (unsigned)ops;
		disk_fault.fail_after = 0;
		segment_begin(w);
		errno = 0;
		assert_false(segment_add(w, slice_make(mail, SEGMENT_BUFFER_BYTES)));
		assert_int_equal(errno, ENOSPC);
		segment_abort(w);
		disk_fault.ops = DISK_ANY;
		assert_false(put(w, 1, 10, 10, &place));
		assert_false(segment_sync(w));
		segment_writer_free(&w);
		w = segment_writer_new(s.segments);
		assert_true(put(w, 2, 10, 10, &place) && segment_sync(w) && reads(s.segments, &place, 2, 10, 10));
		segment_writer_free(&w);
		free(mail);
	}
	pile_end(&s);
}

static void a_spool_that_cannot_be_opened_says_so(void **state)
{
	(void)state;
	struct pile s;
	struct error error = { 0 };
	pile_start(&s);
	for (long n = 0; n < 2; n++) {
		disk_fault.fail_after = n;
		assert_null(segments_open(s.dir_fd, &error));
		assert_non_null(strstr(error.text, "spool"));
	}
	disk_fault.fail_after = -1;
	mem_fail_after = 0;
	assert_null(segments_open(s.dir_fd, &error));
	mem_fail_after = 0;
	assert_null(segment_writer_new(s.segments));
	mem_fail_after = -1;
	pile_end(&s);
}

static void want_of_memory_costs_one_session_only(void **state)
{
	(void)state;
	struct pile s;
	struct segment_place place;
	pile_start(&s);
	struct segment_writer *w = segment_writer_new(s.segments);
	segment_begin(w);
	mem_fail_after = 0;
	assert_false(segment_add(w, SLICE("some bytes")));
	assert_int_equal(errno, ENOMEM);
	mem_fail_after = -1;
	segment_abort(w);
	assert_false(put(w, 3, 10, 10, &place));
	assert_false(segment_sync(w));
	segment_writer_free(&w);
	w = segment_writer_new(s.segments);
	assert_true(put(w, 4, 1234, 100, &place) && segment_sync(w) && reads(s.segments, &place, 4, 1234, 100));
	segment_writer_free(&w);
	pile_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_comes_back_however_it_was_cut),
		cmocka_unit_test(an_empty_mail_is_no_disk_trouble),
		cmocka_unit_test(an_aborted_mail_is_nobodys_and_harms_no_neighbour),
		cmocka_unit_test(reading_ends_at_the_mails_end_and_never_beyond),
		cmocka_unit_test(writers_never_share_a_file),
		cmocka_unit_test(a_sweep_takes_only_files_that_nobody_writes_or_needs),
		cmocka_unit_test(a_file_past_the_limit_is_followed_by_a_new_one),
		cmocka_unit_test(what_was_synced_is_readable_whatever_operation_fails),
		cmocka_unit_test(a_writer_that_failed_says_why_and_the_next_one_goes_on),
		cmocka_unit_test(a_spool_that_cannot_be_opened_says_so),
		cmocka_unit_test(want_of_memory_costs_one_session_only),
	};
	return cmocka_run_group_tests_name("store segment", tests, NULL, NULL);
}
