/* SPDX-License-Identifier: Apache-2.0
 *
 * index: glances at headers, in as many threads as the source has workers. Each worker
 * fills blocks of its own; in the end the blocks are joined and the records brought
 * into the order of files and offsets, so that nothing depends on who was quicker.
 */
#include "flow/index.h"

#include "base/mem.h"
#include "mail/received.h"
#include "mail/subject.h"

#include <stdlib.h>

enum { INDEX_TOP_PERCENT_MIN = 1, PROGRESS_MAILS = 512 };

struct index_worker {
	struct arena arena;
	struct index_block *block;   /* the one being filled */
	struct index part;
	unsigned since_progress;
	bool is_out_of_memory;
};

struct index_maker {
	const struct survey_setup *setup;
	struct facts_setup facts;
	struct index_worker *workers;
};

/* The local part as it is, the domain is lower case already. */
static uint64_t index_address(const struct address *a)
{
	return a->local.len + a->domain.len ? hash_mix(hash_mix(2, a->local), a->domain) : 0;
}

/* Mailers that write bounces without saying so in the header. */
static bool index_is_mailer(const struct address *from)
{
	static const char *const mailers[] = { "mailer-daemon", "postmaster", "mailerdaemon", "mmdf",
					       "mail-daemon", "mailsubsystem" };
	for (size_t i = 0; i < sizeof mailers / sizeof mailers[0]; i++)
		if (slice_equal_nocase(from->local, slice_from_str(mailers[i])))
			return true;
	return false;
}

static uint16_t index_cap(size_t n)
{
	return n > UINT16_MAX ? UINT16_MAX : (uint16_t)n;
}

static uint32_t index_flags(const struct facts *f)
{
	bool is_prefixed;
	subject_bare(f->subject, &is_prefixed);
	bool has_nothing = f->from.local.len + f->from.domain.len + f->subject.len + f->message_id.len +
			   f->date.len + f->hop_total == 0;
	bool is_report = (f->auto_marks & (AUTO_REPORT | AUTO_NULL_SENDER)) || index_is_mailer(&f->from);
	bool is_answer = !is_report && !(f->auto_marks & AUTO_LIST) &&
			 ((f->auto_marks & AUTO_SUBMITTED) || subject_is_automatic(f->subject));
	return (f->auto_marks ? INDEX_AUTOMATIC : 0) | (is_answer ? INDEX_ANSWER : 0) | (is_report ? INDEX_REPORT : 0) |
	       (has_nothing ? INDEX_UNPARSABLE : 0) | (f->auto_marks & AUTO_LIST ? INDEX_LIST : 0) |
	       (f->in_reply_to.len > 0 || f->references_last.len > 0 || is_prefixed ? INDEX_REPLY : 0);
}

static void index_note_top(struct index *part, struct slice host, uint64_t mails)
{
	struct index_top *rarest = &part->tops[0];
	host = slice_first(host, SURVEY_HOST_BYTES - 1);
	uint64_t key = hash_mix(4, host);
	for (unsigned i = 0; i < part->top_count; i++) {
		struct index_top *top = &part->tops[i];
		if (top->key == key) {
			top->mails += mails;
			return;
		}
		if (top->mails < rarest->mails)
			rarest = top;
	}
	if (part->top_count < INDEX_TOPS_MAX)
		rarest = &part->tops[part->top_count++];
	memcpy(rarest->host, host.ptr, host.len);
	rarest->host[host.len] = '\0';
	rarest->key = key;
	rarest->mails += mails; /* it inherits the count: never too low, so no frequent one is missed */
}

static struct index_record *index_new_record(struct index_worker *w)
{
	struct index *part = &w->part;
	if (!w->block || w->block->used == INDEX_BLOCK) {
		struct index_block **grown =
			mem_resize(part->blocks, (part->block_count + 1) * sizeof *grown);
		if (!grown)
			return NULL;
		part->blocks = grown;
		w->block = part->block_count < INDEX_BLOCKS_MAX ? mem_alloc(sizeof *w->block) : NULL;
		if (!w->block)
			return NULL;
		part->blocks[part->block_count++] = w->block;
	}
	return &w->block->records[w->block->used++];
}

/* Is the name that it gave of the organisation that its address belongs to? */
static bool index_is_consistent(const struct hop *hop)
{
	return hop->from_helo.len == 0 || slice_equal_nocase(hop->from_helo, hop->from_name) ||
	       slice_equal_nocase(domain_org(hop->from_helo), domain_org(hop->from_name));
}

/* One place for each hash: who is seen more often than the one that holds it takes it
 * (majority vote), and begins to be known anew. */
static struct index_peer *index_peer_get(struct index *part, struct slice name)
{
	uint64_t key = hash_mix(5, name);
	struct index_peer *peer = &part->peers[key % INDEX_PEERS_MAX];
	if (peer->key == key)
		return peer;
	if (peer->mails > 0) {
		peer->mails--;
		return NULL;
	}
	*peer = (struct index_peer){ .key = key };
	memcpy(peer->name, name.ptr, name.len);
	return peer;
}

static void index_note_peer(struct index *part, const struct hop *hop, const struct facts *f, uint64_t author)
{
	if (!hop_has_from(hop) || hop->from_name.len == 0 || hop->from_name.len >= SURVEY_HOST_BYTES)
		return;
	struct index_peer *peer = index_peer_get(part, hop->from_name);
	if (!peer)
		return;
	peer->mails++;
	peer->authors |= UINT64_C(1) << (author >> 20) % 64;
	peer->is_inconsistent |= !index_is_consistent(hop);
	if (f->time_ms > 0 && (peer->first_ms == 0 || f->time_ms < peer->first_ms))
		peer->first_ms = f->time_ms;
	if (f->time_ms > peer->last_ms)
		peer->last_ms = f->time_ms;
}

static void index_join_peers(struct index *index, const struct index *part)
{
	for (unsigned i = 0; i < INDEX_PEERS_MAX; i++) {
		struct index_peer *into = &index->peers[i];
		const struct index_peer *from = &part->peers[i];
		if (from->key != into->key) {
			*into = from->mails > into->mails ? *from : *into;
			continue;
		}
		into->mails += from->mails;
		into->authors |= from->authors;
		into->is_inconsistent |= from->is_inconsistent;
		if (from->first_ms && (into->first_ms == 0 || from->first_ms < into->first_ms))
			into->first_ms = from->first_ms;
		if (from->last_ms > into->last_ms)
			into->last_ms = from->last_ms;
	}
}

/* Authors behind so many of 64 classes: n of them leave 64 (63/64)^n classes empty. */
static bool index_has_many_authors(uint64_t authors)
{
	enum { CLASSES_OF_20_AUTHORS = 17 };
	return __builtin_popcountll(authors) >= CLASSES_OF_20_AUTHORS;
}

unsigned index_learn_relays(const struct index *index, char hosts[][SURVEY_HOST_BYTES], unsigned hosts_max)
{
	static const int64_t day_ms = 24 * 3600 * INT64_C(1000);
	unsigned count = 0;
	for (unsigned i = 0; i < INDEX_PEERS_MAX && count < hosts_max; i++) {
		const struct index_peer *peer = &index->peers[i];
		if (peer->mails >= SURVEY_LEARNT_MAILS && !peer->is_inconsistent &&
		    index_has_many_authors(peer->authors) &&
		    peer->last_ms - peer->first_ms >= SURVEY_LEARNT_DAYS * day_ms)
			memcpy(hosts[count++], peer->name, SURVEY_HOST_BYTES);
	}
	return count;
}

static void index_note(struct index *part, const struct facts *f, struct index_record *r)
{
	part->mails++;
	part->bytes += r->place.bytes;
	part->unparsable += (r->flags & INDEX_UNPARSABLE) != 0;
	if (f->time_ms > 0 && (part->first_ms == 0 || f->time_ms < part->first_ms))
		part->first_ms = f->time_ms;
	if (f->time_ms > part->last_ms)
		part->last_ms = f->time_ms;
	if (f->hop_count > 0 && f->hops[f->hop_count - 1].by.len > 0)
		index_note_top(part, f->hops[f->hop_count - 1].by, 1);
	if (f->hop_count > 0)
		index_note_peer(part, &f->hops[f->hop_count - 1], f, r->from_key);
}

static void index_fill(struct index_record *r, const struct facts *f)
{
	uint64_t from = index_address(&f->from);
	r->time_ms = f->time_ms;
	r->from_key = from;
	r->content_key = from || f->subject.len ? hash_mix(from, f->subject) : 0;
	r->to_key = f->audience_count ? index_address(&f->audience[0]) : 0;
	r->thread_key = subject_topic(f->subject);
	r->received = index_cap(f->hop_total);
	r->audience = index_cap(f->audience_total);
	r->flags = index_flags(f);
}

static void index_progress(struct index_maker *maker, struct index_worker *w)
{
	const struct survey_setup *setup = maker->setup;
	uint64_t done = 0, all = 0;
	if (!setup->progress || ++w->since_progress < PROGRESS_MAILS)
		return;
	w->since_progress = 0;
	setup->source->progress(setup->source->ctx, &done, &all);
	setup->progress(setup->progress_ctx, "looking over", done, all);
}

static bool index_on_mail(void *ctx, unsigned worker, const struct source_place *place, struct slice header)
{
	struct index_maker *maker = ctx;
	struct index_worker *w = &maker->workers[worker];
	struct facts_builder *b = facts_begin(&w->arena, &maker->facts);
	struct index_record *r = b ? index_new_record(w) : NULL;
	if (!r) {
		w->is_out_of_memory = true;
		return false;
	}
	facts_raw(b, header);
	const struct facts *f = facts_end(b, NULL, 0);
	r->place = *place;
	index_fill(r, f);
	index_note(&w->part, f, r);
	arena_reset(&w->arena);
	if (worker == 0)
		index_progress(maker, w);
	return true;
}

static int index_order(const void *a, const void *b)
{
	const struct index_record *x = a, *y = b;
	if (x->place.file != y->place.file)
		return x->place.file < y->place.file ? -1 : 1;
	return x->place.offset < y->place.offset ? -1 : x->place.offset > y->place.offset;
}

static int block_order(const void *a, const void *b)
{
	const struct index_block *x = *(struct index_block *const *)a, *y = *(struct index_block *const *)b;
	return index_order(&x->records[0], &y->records[0]);
}

static bool index_join(struct index *index, struct index *part)
{
	size_t count = index->block_count + part->block_count;
	struct index_block **grown = mem_resize(index->blocks, (count + 1) * sizeof *grown);
	if (!grown)
		return false;
	index->blocks = grown;
	for (unsigned i = 0; i < part->block_count; i++)
		index->blocks[index->block_count++] = part->blocks[i];
	part->block_count = 0;
	index->mails += part->mails;
	index->bytes += part->bytes;
	index->unparsable += part->unparsable;
	if (part->first_ms && (index->first_ms == 0 || part->first_ms < index->first_ms))
		index->first_ms = part->first_ms;
	if (part->last_ms > index->last_ms)
		index->last_ms = part->last_ms;
	for (unsigned i = 0; i < part->top_count; i++)
		index_note_top(index, slice_from_str(part->tops[i].host), part->tops[i].mails);
	index_join_peers(index, part);
	return true;
}

static void index_drop_blocks(struct index *index)
{
	for (unsigned i = 0; i < index->block_count; i++)
		mem_free(index->blocks[i]);
	mem_free(index->blocks);
	index->blocks = NULL;
	index->block_count = 0;
}

void index_free(struct index *index)
{
	if (!index)
		return;
	index_drop_blocks(index);
	mem_free(index);
}

/* Number n is block n / INDEX_BLOCK once all blocks but the last are full. */
struct index_record *index_at(const struct index *index, uint32_t number)
{
	return &index->blocks[number / INDEX_BLOCK]->records[number % INDEX_BLOCK];
}

/* Moves records from the last blocks into the gaps of the others. */
static void index_pack(struct index *index)
{
	unsigned at = 0;
	while (at + 1 < index->block_count) {
		struct index_block *gap = index->blocks[at], *last = index->blocks[index->block_count - 1];
		if (gap->used == INDEX_BLOCK) {
			at++;
			continue;
		}
		if (last->used == 0) {
			mem_free(last);
			index->block_count--;
			continue;
		}
		gap->records[gap->used++] = last->records[--last->used];
	}
}

static int numbers_order(const void *a, const void *b, void *ctx)
{
	return index_order(index_at(ctx, *(const uint32_t *)a), index_at(ctx, *(const uint32_t *)b));
}

/* Puts record order[i] at place i, each moved once, along the rings of the order. */
static void index_permute(struct index *index, uint32_t *order, uint32_t count)
{
	for (uint32_t start = 0; start < count; start++) {
		struct index_record kept = *index_at(index, start);
		uint32_t at = start;
		while (order[at] != start) {
			uint32_t from = order[at];
			*index_at(index, at) = *index_at(index, from);
			order[at] = at;
			at = from;
		}
		*index_at(index, at) = kept;
		order[at] = at;
	}
}

static bool index_is_sorted(const struct index *index)
{
	for (uint32_t i = 1; i < index->mails; i++)
		if (index_order(index_at(index, i - 1), index_at(index, i)) > 0)
			return false;
	return true;
}

static bool index_sort(struct index *index, struct error *error)
{
	uint32_t count = (uint32_t)index->mails, *order;
	index_pack(index);
	if (index_is_sorted(index))
		return true;
	order = mem_alloc((count + 1) * sizeof *order);
	if (!order)
		return error_set(error, EXIT_TRY_AGAIN, "no memory to put %u mails in order", count);
	for (uint32_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof *order, numbers_order, index);
	index_permute(index, order, count);
	mem_free(order);
	return true;
}

static bool index_gather(struct index_maker *maker, struct index *index, struct error *error)
{
	bool is_fine = true;
	for (unsigned i = 0; i < maker->setup->source->worker_count; i++) {
		struct index_worker *w = &maker->workers[i];
		is_fine &= !w->is_out_of_memory && index_join(index, &w->part);
		index_drop_blocks(&w->part);
		arena_free(&w->arena);
	}
	if (!is_fine || index->mails >= UINT32_MAX)
		return error_set(error, EXIT_TRY_AGAIN, "no memory for %llu mails",
				 (unsigned long long)index->mails);
	qsort(index->blocks, index->block_count, sizeof *index->blocks, block_order);
	return index_sort(index, error);
}

struct index *index_make(const struct survey_setup *setup, struct error *error)
{
	static const uint8_t no_key[HASH_KEY_BYTES];
	struct index_maker maker = { .setup = setup, .facts = setup->facts };
	struct index *index = mem_alloc(sizeof *index);
	maker.workers = mem_alloc_array(setup->source->worker_count, sizeof *maker.workers);
	maker.facts.is_glance = true;
	maker.facts.site_key = no_key;
	if (!index || !maker.workers) {
		error_set(error, EXIT_TRY_AGAIN, "no memory");
	} else {
		for (unsigned i = 0; i < setup->source->worker_count; i++)
			arena_init(&maker.workers[i].arena, FACTS_ARENA_BYTES_MAX);
		setup->source->look_over(setup->source->ctx, index_on_mail, &maker);
		if (index_gather(&maker, index, error)) {
			mem_free(maker.workers);
			return index;
		}
	}
	mem_free(maker.workers);
	index_free(index);
	return NULL;
}

unsigned index_guess_hosts(const struct index *index, char hosts[][SURVEY_HOST_BYTES], unsigned hosts_max)
{
	unsigned count = 0;
	for (unsigned i = 0; i < index->top_count && count < hosts_max; i++)
		if (index->tops[i].mails * 100 >= index->mails * INDEX_TOP_PERCENT_MIN)
			memcpy(hosts[count++], index->tops[i].host, SURVEY_HOST_BYTES);
	return count;
}

struct slice index_recipient(const struct source *source, const struct facts *facts, uint32_t file)
{
	if (facts->delivered_to_count > 0)
		return facts->delivered_to[0];
	/* Our own lines, from the top; a catch-all mailbox has mail of many. */
	for (size_t i = 0; i < facts->hop_count && (i == 0 || i <= facts->peer_hop); i++)
		if (facts->hops[i].for_addr.len > 0)
			return facts->hops[i].for_addr;
	return slice_from_str(source->mailbox_name(source->ctx, file));
}
