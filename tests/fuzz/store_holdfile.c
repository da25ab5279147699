/* SPDX-License-Identifier: Apache-2.0
 *
 * store_holdfile: any bytes as a mail file of the hold, as they are and with a right
 * sum put in; what is accepted must say the same when it is written and read again.
 */
#include "base/hash.h"
#include "store/held.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SUM_BYTES = 16, SUM_AT = 14 + 5, TEXT_AT = SUM_AT + 2 * SUM_BYTES + 1 };

static void same(const struct held *a, const struct held *b)
{
	if (strcmp(a->id, b->id) != 0 || strcmp(a->mail_from, b->mail_from) != 0 || strcmp(a->body, b->body) != 0 ||
	    strcmp(a->reason, b->reason) != 0 || a->time_ms != b->time_ms || a->rcpt_count != b->rcpt_count ||
	    a->body_bytes != b->body_bytes || a->header_bytes != b->header_bytes)
		abort();
	for (size_t i = 0; i < a->rcpt_count; i++)
		if (memcmp(&a->rcpts[i].pair, &b->rcpts[i].pair, sizeof a->rcpts[i].pair) != 0 ||
		    a->rcpts[i].deed != b->rcpts[i].deed ||
		    strcmp(a->rcpts[i].address, b->rcpts[i].address) != 0)
			abort();
}

static void decode(struct slice text)
{
	struct held held, again;
	struct slice header, header_again;
	struct error error = { 0 };
	struct buf out;
	if (!held_decode(text, &held, &header, &error)) {
		if (!error.text[0])
			abort();
		return;
	}
	if (!held_id_is_valid(held.id) || !held_body_is_valid(held.body) || held.rcpt_count == 0)
		abort();
	buf_init(&out, HELD_TEXT_BYTES_MAX);
	if (!held_encode(&held, header, &out) || !held_decode(buf_slice(&out), &again, &header_again, NULL) ||
	    !slice_equal(header, header_again))
		abort();
	same(&held, &again);
	held_free(&again);
	held_free(&held);
	buf_free(&out);
}

static void with_a_right_sum(struct slice input)
{
	struct digest d;
	uint8_t sum[SUM_BYTES];
	char hex[2 * SUM_BYTES + 1];
	struct buf text;
	struct slice fields = slice_from(input, input.len < TEXT_AT ? 0 : TEXT_AT);
	digest_init(&d, NULL, SUM_BYTES);
	digest_add(&d, fields);
	digest_end(&d, sum);
	hash_to_hex(sum, SUM_BYTES, hex);
	buf_init(&text, HELD_TEXT_BYTES_MAX);
	buf_addf(&text, "quell-hold: 1\nsum: %s\n", hex);
	buf_add(&text, fields);
	decode(buf_slice(&text));
	buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice input = slice_make(data, size);
	struct buf text;
	buf_init(&text, HELD_TEXT_BYTES_MAX + 1);
	if (held_unpack(input, &text, NULL)) {
		decode(buf_slice(&text));
		with_a_right_sum(buf_slice(&text));
	}
	buf_free(&text);
	return 0;
}
