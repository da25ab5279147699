/* SPDX-License-Identifier: Apache-2.0
 *
 * Any server's words in the four mechanisms, cut at LF; and any text as base64. The first
 * byte chooses the mechanism. A SCRAM server that does not know the password is never
 * believed, nor is any after a complaint; what base64 takes it gives back the same.
 */
#include "base/mem.h"
#include "wire/base64.h"
#include "wire/sasl.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

/* "r=" and a server's nonce must begin with this, so that the fuzzer can come further. */
static const char nonce[] = "AAAAAAAAAAAAAAAAAAAAAAAA";

static void try_base64(struct slice text)
{
	uint8_t out[256];
	size_t n;
	struct buf again;
	if (!base64_read(text, out, sizeof out, &n))
		return;
	buf_init(&again, 1024);
	must(n <= sizeof out && base64_add(&again, slice_make(out, n)));
	must(slice_equal(buf_slice(&again), text));
	buf_free(&again);
}

static bool try_step(struct sasl *s, struct slice challenge)
{
	struct slice answer;
	const char *why = NULL;
	char *copy = challenge.len > 0 ? mem_must_alloc(challenge.len) : NULL;
	if (copy)
		memcpy(copy, challenge.ptr, challenge.len);
	bool is_fine = sasl_step(s, slice_make(copy, challenge.len), &answer, &why);
	mem_free(copy);
	must(is_fine == (why == NULL) && (is_fine || answer.len == 0));
	struct slice complaint = sasl_complaint(s);
	must(complaint.len <= SASL_COMPLAINT_BYTES);
	for (size_t i = 0; i < complaint.len; i++)
		must(complaint.ptr[i] >= ' ' && complaint.ptr[i] < 0x7f);
	if (sasl_mechanism(s) == SASL_SCRAM_SHA_256 || complaint.len > 0)
		must(!sasl_is_proven(s));
	/* A proof is for a nonce that goes on from ours alone. */
	if (is_fine && sasl_mechanism(s) == SASL_SCRAM_SHA_256 && answer.len > 0)
		must(slice_starts_nocase(slice_from(answer, strlen("c=biws,r=")), slice_from_str(nonce)));
	return is_fine;
}

/* A server may ask for a million iterations, which take seconds under a sanitizer: large
 * numbers are left out. */
static bool is_slow(struct slice challenge)
{
	for (size_t i = 0; i + 3 < challenge.len; i++) {
		struct slice digits = slice_from(challenge, i + 3);
		size_t n = 0;
		while (n < digits.len && ascii_is_digit(digits.ptr[n]))
			n++;
		uint64_t count;
		if (slice_equal(slice_between(challenge, i, i + 3), SLICE(",i=")) &&
		    slice_to_u64(slice_first(digits, n), &count) && count > 4200 && count <= 1000000)
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct slice rest = slice_make(data + 1, size - 1), challenge;
	struct sasl_setup setup = { .mechanism = (enum sasl_mechanism)(data[0] % SASL_MECHANISM_COUNT),
				    .user = SLICE("us=er,"), .secret = SLICE("pencil"), .host = SLICE("h"), .port = 1 };
	struct sasl *s = sasl_new(&setup);
	must(s != NULL && sasl_first(s).len > 0);
	while (slice_next(&rest, '\n', &challenge)) {
		try_base64(challenge);
		if (is_slow(challenge) || !try_step(s, challenge))
			break;
	}
	sasl_free(&s);
	return 0;
}
