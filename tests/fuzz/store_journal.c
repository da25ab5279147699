/* SPDX-License-Identifier: Apache-2.0
 *
 * store_journal: any bytes as blocks of a journal, as they are and with a right sum
 * put in (else the fuzzer would never get past it); and as records that must come
 * back the same.
 */
#include "base/hash.h"
#include "store/journal.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { GENERATION = 3, OUT_BYTES = 1 << 20 };

struct wanted {
	struct slice rest;   /* the input, as the records were cut from it */
	bool want_same;
	uint64_t count;
};

static bool hear(void *ctx, struct slice record)
{
	struct wanted *w = ctx;
	uint8_t all = 0;
	for (size_t i = 0; i < record.len; i++)
		all |= (uint8_t)record.ptr[i]; /* every byte is readable */
	w->count++;
	if (w->want_same) {
		if (!slice_equal(record, slice_first(w->rest, record.len)))
			abort();
		w->rest = slice_from(w->rest, record.len);
	}
	return all != 0;
}

static void read_it(struct slice bytes, struct wanted *w)
{
	struct journal_in in = { .generation = GENERATION, .apply = hear, .ctx = w };
	bool is_bad;
	size_t used = journal_read(&in, bytes, &is_bad);
	if (used > bytes.len || in.good_bytes != used || w->count < in.applied + in.refused)
		abort();
}

/* The first block gets the length of all that there is, and a right sum. */
static void with_a_right_sum(struct slice input)
{
	struct wanted w = { 0 };
	if (input.len < JOURNAL_BLOCK_HEAD_BYTES || input.len > JOURNAL_PAYLOAD_BYTES_MAX)
		return;
	char *copy = malloc(input.len);
	memcpy(copy, input.ptr, input.len);
	for (int i = 0; i < 4; i++)
		copy[8 + i] = (char)((input.len - JOURNAL_BLOCK_HEAD_BYTES) >> (8 * i));
	uint64_t sum = journal_sum(GENERATION, slice_make(copy + 8, input.len - 8));
	for (int i = 0; i < 8; i++)
		copy[i] = (char)(sum >> (8 * i));
	read_it(slice_make(copy, input.len), &w);
	free(copy);
}

/* Cut into records by its own bytes, written and read. */
static void there_and_back(struct slice input)
{
	struct wanted w = { .rest = input, .want_same = true };
	struct journal_out out;
	uint64_t put = 0;
	journal_out_init(&out, OUT_BYTES, GENERATION);
	for (struct slice rest = input; rest.len > 0; put++) {
		size_t len = (uint8_t)rest.ptr[0] * (size_t)3;
		len = len > rest.len ? rest.len : len;
		if (!journal_put(&out, slice_first(rest, len)))
			abort();
		rest = slice_from(rest, len ? len : 1);
		if (len == 0)
			w.want_same = false;
	}
	journal_seal(&out);
	read_it(buf_slice(&out.buf), &w);
	if (w.count != put)
		abort();
	buf_free(&out.buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = slice_make(data, size);
	struct wanted w = { 0 };
	if (size > 100000)
		return 0;
	read_it(input, &w);
	with_a_right_sum(input);
	there_and_back(input);
	return 0;
}
