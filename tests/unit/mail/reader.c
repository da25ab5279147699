/* SPDX-License-Identifier: Apache-2.0
 *
 * reader: see reader.h.
 */
#include "reader.h"

#include "base/mem.h"
#include "mail/header.h"
#include "mail/received.h"
#include "unit.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *reader_folder(const char *path)
{
	struct stat st;
	return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? path : NULL;
}

const char *reader_shared(void)
{
	static char beside[4096];
	const char *source = getenv("QUELL_SOURCE");
	const char *named = reader_folder(getenv("QUELL_SHARED"));
	if (named)
		return named;
	snprintf(beside, sizeof beside, "%s/../shared", source ? source : ".");
	return reader_folder(beside);
}

const char *reader_sets(void)
{
	static char home[4096];
	const char *named = reader_folder(getenv("QUELL_DATA"));
	if (named)
		return named;
	snprintf(home, sizeof home, "%s/.cache/quell-data", getenv("HOME") ? getenv("HOME") : "");
	return reader_folder(home);
}

struct slice reader_file(const char *folder, const char *name)
{
	char path[8192];
	struct slice none = { NULL, 0 };
	snprintf(path, sizeof path, "%s%s%s", folder, name[0] ? "/" : "", name);
	FILE *file = fopen(path, "rb");
	if (!file)
		return none;
	fseek(file, 0, SEEK_END);
	long size = ftell(file);
	rewind(file);
	char *bytes = size < 0 ? NULL : mem_must_alloc((size_t)size + 1);
	size_t got = bytes ? fread(bytes, 1, (size_t)size, file) : 0;
	fclose(file);
	return bytes ? slice_make(bytes, got) : none;
}

const struct facts_setup *reader_setup(void)
{
	static const uint8_t key[HASH_KEY_BYTES] = "a key that only tests know of..";
	static const char *const hosts[] = { "mx.example.org", "hub.example.org" };
	static struct ip_net nets[1];
	static struct facts_setup setup;
	assert_true(ip_net_parse(SLICE("192.0.2.0/24"), &nets[0]));
	setup = (struct facts_setup){ .site_key = key,
				      .our_hosts = hosts,
				      .our_host_count = 2,
				      .own_nets = nets,
				      .own_net_count = 1,
				      .authserv_id = SLICE("mx.example.org") };
	return &setup;
}

const struct facts *reader_raw(struct arena *arena, struct slice mail, size_t piece_bytes)
{
	struct facts_builder *b = facts_begin(arena, reader_setup());
	assert_non_null(b);
	for (struct slice rest = mail; rest.len > 0;) {
		struct slice piece = piece_bytes ? slice_first(rest, piece_bytes) : rest;
		facts_raw(b, piece);
		rest = slice_from(rest, piece.len);
	}
	return facts_end(b, NULL, 1);
}

const struct facts *reader_raw_split(struct arena *arena, struct slice mail, size_t at)
{
	struct facts_builder *b = facts_begin(arena, reader_setup());
	assert_non_null(b);
	facts_raw(b, slice_first(mail, at));
	facts_raw(b, slice_from(mail, at));
	return facts_end(b, NULL, 1);
}

static void reader_on_field(void *user, struct slice name, struct slice value)
{
	facts_header(user, name, value);
}

const struct facts *reader_fields(struct arena *arena, struct slice mail)
{
	struct facts_builder *b = facts_begin(arena, reader_setup());
	struct header_hooks hooks = { .on_field = reader_on_field, .user = b };
	struct header_splitter h;
	assert_non_null(b);
	header_begin(&h, arena, FACTS_HEADER_FIELD_BYTES_MAX + 4096, &hooks);
	size_t used = header_feed(&h, mail);
	header_end(&h);
	for (struct slice rest = slice_from(mail, used); rest.len > 0;) {
		struct slice piece = slice_first(rest, 1000);
		facts_body(b, piece);
		rest = slice_from(rest, piece.len);
	}
	return facts_end(b, NULL, 1);
}

const struct facts *reader_from_peer(struct arena *arena, struct slice mail,
				     const struct envelope *envelope)
{
	struct facts_builder *b = facts_begin(arena, reader_setup());
	assert_non_null(b);
	facts_raw(b, mail);
	return facts_end(b, envelope, 1);
}

static void same_slice(const char *what, struct slice a, struct slice b)
{
	if (!slice_equal(a, b))
		fail_msg("%s differs: \"%.*s\" and \"%.*s\"", what, SLICE_ARG(a), SLICE_ARG(b));
}

static void same_address(const char *what, struct address a, struct address b)
{
	same_slice(what, a.local, b.local);
	same_slice(what, a.domain, b.domain);
	same_slice(what, a.display, b.display);
}

static void same_hop(const struct hop *a, const struct hop *b)
{
	same_slice("hop by", a->by, b->by);
	same_slice("hop helo", a->from_helo, b->from_helo);
	same_slice("hop name", a->from_name, b->from_name);
	same_slice("hop with", a->with, b->with);
	same_slice("hop id", a->id, b->id);
	same_slice("hop for", a->for_addr, b->for_addr);
	assert_true(ip_equal(a->from_ip, b->from_ip));
	assert_int_equal(a->time_ms, b->time_ms);
	assert_int_equal(a->kind, b->kind);
}

static void same_numbers(const struct facts *a, const struct facts *b)
{
	const uint64_t numbers[][2] = {
		{ a->body_bytes, b->body_bytes },
		{ a->header_bytes, b->header_bytes },
		{ a->leaf_count, b->leaf_count },
		{ a->is_body_empty, b->is_body_empty },
		{ a->is_content_whole, b->is_content_whole },
		{ (uint64_t)a->date_ms, (uint64_t)b->date_ms },
		{ a->auto_marks, b->auto_marks },
		{ a->reinject_marks, b->reinject_marks },
		{ a->audience_count, b->audience_count },
		{ a->audience_total, b->audience_total },
		{ a->hop_count, b->hop_count },
		{ a->hop_total, b->hop_total },
		{ a->peer_hop, b->peer_hop },
		{ a->own_visits, b->own_visits },
		{ a->pickup_hop, b->pickup_hop },
		{ (uint64_t)a->original_arrival_ms, (uint64_t)b->original_arrival_ms },
		{ a->stamp_count, b->stamp_count },
		{ a->stamp_total, b->stamp_total },
		{ a->is_spf_aligned, b->is_spf_aligned },
		{ a->is_dkim_aligned, b->is_dkim_aligned },
		{ a->delivered_to_count, b->delivered_to_count },
		{ (uint64_t)a->time_ms, (uint64_t)b->time_ms },
	};
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if (numbers[i][0] != numbers[i][1])
			fail_msg("number %zu differs: %llu and %llu", i,
				 (unsigned long long)numbers[i][0], (unsigned long long)numbers[i][1]);
}

void reader_assert_same(const struct facts *a, const struct facts *b)
{
	same_numbers(a, b);
	same_slice("message_id", a->message_id, b->message_id);
	same_slice("date", a->date, b->date);
	same_slice("subject", a->subject, b->subject);
	same_address("from", a->from, b->from);
	same_address("reply_to", a->reply_to, b->reply_to);
	same_address("sender", a->sender, b->sender);
	same_slice("in_reply_to", a->in_reply_to, b->in_reply_to);
	same_slice("references_last", a->references_last, b->references_last);
	same_slice("thread_root", a->thread_root, b->thread_root);
	same_slice("list_id", a->list_id, b->list_id);
	same_slice("resent_message_id", a->resent_message_id, b->resent_message_id);
	same_slice("thread_index", a->thread_index, b->thread_index);
	same_slice("mime_boundary", a->mime_boundary, b->mime_boundary);
	same_slice("dkim_b", a->dkim_b, b->dkim_b);
	same_slice("pickup_host", a->pickup_host, b->pickup_host);
	same_slice("peer_name", a->peer_name, b->peer_name);
	same_slice("connector user", a->connector.user, b->connector.user);
	same_slice("ms_id host", a->ms_id.host, b->ms_id.host);
	assert_true(ip_equal(a->peer_ip, b->peer_ip));
	for (size_t i = 0; i < a->hop_count; i++)
		same_hop(&a->hops[i], &b->hops[i]);
	for (size_t i = 0; i < a->audience_count; i++)
		same_address("audience", a->audience[i], b->audience[i]);
	for (size_t i = 0; i < a->delivered_to_count; i++)
		same_slice("delivered_to", a->delivered_to[i], b->delivered_to[i]);
	for (size_t i = 0; i < a->stamp_count; i++)
		same_slice("stamp", a->stamps[i].value, b->stamps[i].value);
	assert_memory_equal(a->content_public, b->content_public, DIGEST_BYTES);
	assert_memory_equal(a->content, b->content, DIGEST_SHORT_BYTES);
	assert_memory_equal(a->instance, b->instance, DIGEST_SHORT_BYTES);
}
