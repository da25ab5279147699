/* SPDX-License-Identifier: Apache-2.0
 *
 * Any listing of UIDL and LIST. The first byte chooses which, and how many bytes arrive at
 * once; the rest stands behind the +OK line. Whole and in pieces the same rows must come,
 * and a listing is whole only if its bytes hold CRLF "." CRLF, or begin with the last three.
 */
#include "base/hash.h"
#include "base/mem.h"
#include "wire/pop3.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

struct outcome {
	uint64_t hash; /* over all events, in order */
	bool is_whole, is_failed;
};

static void on_event(const struct pop3_event *ev, enum pop3_command command, struct outcome *o)
{
	must(!o->is_failed);
	o->hash = hash_mix(o->hash, slice_make(&ev->kind, sizeof ev->kind));
	if (ev->kind == POP3_FAILED) {
		must(ev->why != NULL);
		o->is_failed = true;
		return;
	}
	must(!o->is_whole && ev->command == command && (ev->kind == POP3_ROW || ev->kind == POP3_ROWS_END));
	o->is_whole = ev->kind == POP3_ROWS_END;
	if (o->is_whole)
		return;
	must(ev->number > 0);
	must(command == POP3_LIST || (ev->uidl.len > 0 && ev->uidl.len <= POP3_UIDL_BYTES_MAX));
	o->hash = hash_mix(o->hash, slice_make(&ev->number, sizeof ev->number));
	o->hash = hash_mix(o->hash, slice_make(&ev->size_bytes, sizeof ev->size_bytes));
	o->hash = hash_mix(o->hash, ev->uidl);
}

static void feed(struct pop3 *p, struct slice bytes, enum pop3_command command, struct outcome *o)
{
	struct pop3_event ev;
	char *copy = mem_must_alloc(bytes.len);
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	pop3_feed(p, slice_make(copy, bytes.len));
	for (pop3_next(p, &ev); ev.kind != POP3_NONE; pop3_next(p, &ev))
		on_event(&ev, command, o);
	mem_free(copy);
}

static struct outcome run(enum pop3_command command, struct slice listing, size_t step)
{
	struct outcome o = { 0 };
	struct pop3_event ev;
	struct pop3 *p = pop3_new();
	must(p != NULL);
	pop3_feed(p, SLICE("+OK\r\n"));
	pop3_next(p, &ev);
	pop3_next(p, &ev);
	must(command == POP3_LIST ? pop3_list(p) : pop3_uidl(p));
	pop3_feed(p, SLICE("+OK\r\n"));
	pop3_next(p, &ev);
	must(ev.kind == POP3_REPLY);
	pop3_next(p, &ev);
	for (size_t pos = 0; pos < listing.len; pos += step)
		feed(p, slice_between(listing, pos, pos + step), command, &o);
	pop3_feed_end(p);
	feed(p, slice_make(NULL, 0), command, &o);
	must(o.is_failed); /* the link closed without QUIT */
	pop3_free(&p);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	enum pop3_command command = data[0] & 1 ? POP3_LIST : POP3_UIDL;
	struct slice listing = slice_make(data + 1, size - 1);
	struct outcome whole = run(command, listing, size), pieces = run(command, listing, (data[0] >> 1) % 20 + 1u);
	must(whole.hash == pieces.hash && whole.is_whole == pieces.is_whole);
	if (whole.is_whole)
		must(slice_find_nocase(listing, 0, SLICE("\r\n.\r\n")) < listing.len ||
		     slice_starts_nocase(listing, SLICE(".\r\n")));
	return 0;
}
