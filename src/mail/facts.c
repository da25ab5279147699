/* SPDX-License-Identifier: Apache-2.0
 *
 * facts: the builder. Header fields go to the table in fields.c, the body through
 * mime into print; at the end the fields are read together (trail.c, marks.c).
 * Fails softly: without memory a field or the body's walk is missing, and
 * is_content_whole says so.
 */
#include "mail/builder.h"

#include <stdalign.h>

enum {
	/* Room for the name, so that a value is cut at the same byte both ways in. */
	FACTS_SPLIT_BYTES_MAX = FACTS_HEADER_FIELD_BYTES_MAX + 1024,
	FACTS_LINE_OVERHEAD_BYTES = 4, /* ": " and the line end */
	FACTS_EMPTY_BODY_BYTES = 16,
	BUILDER_ITEMS_FIRST = 8,
};

bool builder_grow(struct arena *arena, void *items, size_t count, size_t *cap, size_t max,
		  size_t item_bytes)
{
	void **place = items;
	if (count < *cap)
		return true;
	if (count >= max)
		return false;
	size_t grown_cap = *cap ? *cap * 2 : BUILDER_ITEMS_FIRST;
	if (grown_cap > max)
		grown_cap = max;
	void *grown = arena_alloc(arena, grown_cap * item_bytes);
	if (!grown)
		return false;
	if (count > 0)
		memcpy(grown, *place, count * item_bytes);
	*place = grown;
	*cap = grown_cap;
	return true;
}

static void facts_on_field(void *user, struct slice name, struct slice value)
{
	facts_header(user, name, value);
}

struct facts_builder *facts_begin(struct arena *arena, const struct facts_setup *setup)
{
	struct facts_builder *b = arena_alloc(arena, sizeof *b);
	if (!b)
		return NULL;
	b->arena = arena;
	b->setup = setup;
	b->header_hooks = (struct header_hooks){ .on_field = facts_on_field, .user = b };
	header_begin(&b->header, arena, FACTS_SPLIT_BYTES_MAX, &b->header_hooks);
	ctype_set(&b->ctype, SLICE("text"), SLICE("plain"));
	return b;
}

void facts_header(struct facts_builder *b, struct slice name, struct slice value)
{
	if (b->is_body)
		return;
	value = slice_trim(value);
	b->facts.header_bytes += name.len + value.len + FACTS_LINE_OVERHEAD_BYTES;
	fields_take(b, name, value);
}

/* libsodium's state wants cache lines, the arena gives 16 bytes. */
static void *facts_alloc(struct arena *arena, size_t bytes, uintptr_t align)
{
	char *room = arena_alloc(arena, bytes + align - 1);
	return room ? room + (-(uintptr_t)room & (align - 1)) : NULL;
}

/* Each piece goes to the fingerprint and to the gist. */
static void facts_on_begin(void *user, const struct mime_part *part)
{
	struct facts_builder *b = user;
	print_on_begin(b->print, part);
	gist_on_begin(b->gist, part);
}

static void facts_on_bytes(void *user, struct slice decoded)
{
	struct facts_builder *b = user;
	print_on_bytes(b->print, decoded);
	gist_on_bytes(b->gist, decoded);
}

static void facts_on_end(void *user, bool is_void)
{
	struct facts_builder *b = user;
	print_on_end(b->print, is_void);
	gist_on_end(b->gist);
}

/* The header is complete: what of it goes into the fingerprint is known. */
static void facts_begin_body(struct facts_builder *b)
{
	struct facts *f = &b->facts;
	b->is_body = true;
	if (!b->setup->is_glance)
		b->print = facts_alloc(b->arena, sizeof *b->print, alignof(struct print));
	if (b->print)
		b->gist = facts_alloc(b->arena, sizeof *b->gist, alignof(struct gist));
	if (!b->gist)
		return;
	gist_begin(b->gist, b->setup->site_key, f);
	print_begin(b->print, &f->from, &f->reply_to, f->subject, f->in_reply_to);
	b->mime_hooks = (struct mime_hooks){ .on_begin = facts_on_begin, .on_bytes = facts_on_bytes,
					     .on_end = facts_on_end, .user = b };
	b->mime = mime_begin(b->arena, &b->ctype, b->encoding, &b->mime_hooks);
}

void facts_body(struct facts_builder *b, struct slice chunk)
{
	if (!b->is_body)
		facts_begin_body(b);
	b->facts.body_bytes += chunk.len;
	if (b->mime)
		mime_feed(b->mime, chunk);
}

void facts_raw(struct facts_builder *b, struct slice chunk)
{
	if (!b->header.is_done)
		chunk = slice_from(chunk, header_feed(&b->header, chunk));
	if (b->header.is_done && chunk.len > 0)
		facts_body(b, chunk);
}

static void facts_end_body(struct facts_builder *b)
{
	struct facts *f = &b->facts;
	if (!b->mime)
		return;
	mime_end(b->mime);
	f->leaf_count = b->print->leaf_count;
	f->is_body_empty = b->print->body_bytes < FACTS_EMPTY_BODY_BYTES && f->subject.len == 0;
	print_end(b->print, b->setup->site_key, f);
	gist_end(b->gist);
}

static void facts_settle_ids(struct facts_builder *b)
{
	struct facts *f = &b->facts;
	if (f->list_id.len == 0)
		f->list_id = b->old_list_id;
	if (f->thread_root.len == 0)
		f->thread_root = f->in_reply_to.len > 0 ? f->in_reply_to : f->message_id;
	for (size_t i = 0; i < f->stamp_count; i++)
		if (f->stamps[i].above_hop > f->hop_count)
			f->stamps[i].above_hop = f->hop_count;
}

/* A door without a clock of its own gives 0: then the newest trusted hop tells
 * when the mail came, else its Date. */
static int64_t facts_time(const struct facts *f, int64_t time_ms)
{
	if (time_ms != 0 || f->hop_count == 0)
		return time_ms != 0 ? time_ms : f->date_ms;
	size_t top = f->peer_hop < f->hop_count ? f->peer_hop : 0;
	return f->hops[top].time_ms != 0 ? f->hops[top].time_ms : f->date_ms;
}

const struct facts *facts_end(struct facts_builder *b, const struct envelope *envelope,
			      int64_t time_ms)
{
	struct facts *f = &b->facts;
	if (b->is_ended)
		return f;
	b->is_ended = true;
	header_end(&b->header);
	if (!b->is_body)
		facts_begin_body(b);
	if (envelope)
		f->envelope = *envelope;
	facts_settle_ids(b);
	facts_end_body(b);
	trail_settle(b);
	marks_settle(b);
	f->time_ms = facts_time(f, time_ms);
	f->is_content_whole = b->mime && mime_is_whole(b->mime) && !b->header.is_out_of_memory &&
			      !b->is_content_cut && !b->arena->is_over;
	return f;
}

void facts_address_to(struct facts_builder *b, const struct slice *rcpts, size_t count)
{
	b->facts.envelope.rcpts = rcpts;
	b->facts.envelope.rcpt_count = count;
}
