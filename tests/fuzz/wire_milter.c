/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes on the milter socket: decoded as an MTA's talk and as a filter's, whole and in
 * two pieces; and any text given to the reply builders gives one packet that reads back.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "wire/milter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void must_lie_within(struct slice part, struct slice whole)
{
	if (part.len > 0)
		must(part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len);
}

static void check_event(const struct milter_packet *p, const struct milter_event *ev)
{
	struct slice rest, a, b;
	switch (ev->cmd) {
	case MILTER_MACRO:
		for (rest = ev->macros.pairs; milter_macro_next(&rest, &a, &b);) {
			must_lie_within(a, p->payload);
			must_lie_within(b, p->payload);
		}
		must(rest.len == 0);
		milter_macro_find(&ev->macros, SLICE("i"), &a);
		break;
	case MILTER_CONNECT:
		must_lie_within(ev->connect.host, p->payload);
		must_lie_within(ev->connect.addr, p->payload);
		break;
	case MILTER_MAIL:
	case MILTER_RCPT:
		for (rest = ev->envelope.args; milter_text_next(&rest, &a);)
			must_lie_within(a, p->payload);
		must(rest.len == 0);
		break;
	case MILTER_HEADER:
		must(ev->header.name.len + ev->header.value.len + 2 == p->payload.len);
		break;
	default:
		break;
	}
}

/* A copy of the exact size: a sanitizer sees any read past the end. */
static void check_packet(const struct milter_packet *packet)
{
	struct milter_event ev;
	struct milter_reply reply;
	uint32_t stage;
	struct slice names;
	size_t len = packet->payload.len;
	char *copy = len > 0 ? malloc(len) : NULL;
	if (copy)
		memcpy(copy, packet->payload.ptr, len);
	struct milter_packet p = { packet->cmd, slice_make(copy, len) };
	if (milter_decode(&p, &ev) == MILTER_FINE)
		check_event(&p, &ev);
	if (milter_decode_reply(&p, &reply) == MILTER_FINE) {
		must_lie_within(reply.first, p.payload);
		must_lie_within(reply.second, p.payload);
		while (milter_list_next(&reply.lists, &stage, &names))
			must_lie_within(names, p.payload);
	}
	free(copy);
}

/* The number of packets; *left_out: bytes not used. */
static size_t take_all(struct slice bytes, bool want_check, size_t *left_out)
{
	struct milter_packet p;
	enum milter_trouble trouble;
	enum milter_take take;
	size_t count = 0;
	while ((take = milter_take(&bytes, 64 * 1024, &p, &trouble)) == MILTER_GOT) {
		count++;
		if (want_check)
			check_packet(&p);
	}
	must((take == MILTER_BROKEN) == (trouble != MILTER_FINE));
	*left_out = bytes.len;
	return count;
}

static void check_builders(struct slice text)
{
	struct milter_packet p;
	enum milter_trouble trouble;
	struct milter_reply reply;
	struct slice head = slice_first(text, text.len / 2), tail = slice_from(text, text.len / 2);
	for (int i = 0; i < 8; i++) {
		struct buf b;
		buf_init(&b, 128 * 1024);
		bool is_put = i == 0 ? milter_put_replycode(&b, SLICE("550"), SLICE("5.7.1"), text)
			    : i == 1 ? milter_put_quarantine(&b, text)
			    : i == 2 ? milter_put_addheader(&b, head, tail)
			    : i == 3 ? milter_put_insheader(&b, 0, SLICE("X-Quell"), text)
			    : i == 4 ? milter_put_chgheader(&b, 1, SLICE("X-Quell"), text)
			    : i == 5 ? milter_put_addrcpt(&b, head, tail)
			    : i == 6 ? milter_put_delrcpt(&b, text) : milter_put_chgfrom(&b, text, head);
		must(is_put == (b.len > 0));
		if (is_put) {
			struct slice bytes = buf_slice(&b);
			must(milter_take(&bytes, b.len, &p, &trouble) == MILTER_GOT && bytes.len == 0);
			must(milter_decode_reply(&p, &reply) == MILTER_FINE);
			struct slice value = reply.second.ptr ? reply.second : reply.first;
			for (size_t at = 0; at < value.len; at++)
				must(value.ptr[at] != '\n' ||
				     (at + 1 < value.len && ascii_is_blank(value.ptr[at + 1])));
		}
		buf_free(&b);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = slice_make(data, size);
	size_t left, head_left, tail_left;
	size_t count = take_all(bytes, true, &left);
	/* Cut in two at a place that the input chooses: the same packets. */
	size_t cut = size > 0 ? data[size - 1] * (size - 1) / 256 : 0;
	size_t head = take_all(slice_first(bytes, cut), false, &head_left);
	size_t tail = take_all(slice_from(bytes, cut - head_left), false, &tail_left);
	must(head + tail == count && tail_left == left);
	if (size < 4096)
		check_builders(bytes);
	return 0;
}
