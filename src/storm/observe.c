/* SPDX-License-Identifier: Apache-2.0
 *
 * observe: mail that only a log tells of, and how much mail is usual for whom.
 *
 * The rules of classes 3 to 5 see it as they see any mail, but their deeds are words.
 * Duplicates have no fingerprint here: the same Message-ID from the same sender, in the
 * same size but for 2 percent (trace lines differ), to the same recipient once more is
 * counted as surplus; from ten within an hour on it is an incident. Copies that a
 * connector makes with new Message-IDs are not seen this way: their rate is.
 */
#include "storm/judge.h"
#include "storm/rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
	OBSERVED_ARENA_BYTES = 64 * 1024,
	OBSERVED_RCPTS_MAX = 64,
	OBSERVED_SIZE_PERCENT = 2,
};

void storm_note_rates(struct storm *storm, const struct facts *f, struct slice source, int64_t now_ms)
{
	struct rates *rates = storm->rates;
	const struct envelope *e = &f->envelope;
	char ip[IP_TEXT_BYTES];
	unsigned mails = 1;
	if (e->client_name.len > 0 && !slice_equal(e->client_name, SLICE("unknown")))
		rates_note(rates, RATE_CLIENT, e->client_name, mails, now_ms);
	else if (!ip_is_unknown(e->client_ip))
		rates_note(rates, RATE_CLIENT, slice_from_str(ip_text(e->client_ip, ip)), mails, now_ms);
	if (e->mail_from.len > 0)
		rates_note(rates, RATE_SENDER, e->mail_from, mails, now_ms);
	if (e->auth_user.len > 0)
		rates_note(rates, RATE_USER, e->auth_user, mails, now_ms);
	if (source.len > 0)
		rates_note(rates, RATE_SOURCE, source, mails, now_ms);
	for (size_t i = 0; i < e->rcpt_count && i < OBSERVED_RCPTS_MAX; i++) {
		size_t at = slice_find_byte(e->rcpts[i], 0, '@');
		rates_note(rates, RATE_RCPT, e->rcpts[i], mails, now_ms);
		if (at + 1 < e->rcpts[i].len)
			rates_note(rates, RATE_DESTINATION, slice_from(e->rcpts[i], at + 1), mails, now_ms);
	}
}

/* --- the same mail again -------------------------------------------------------------- */

/* What stands for content, keyed, for the tables. A mail that passes two watched servers
 * is no copy: its server is part of it. */
static void name_instance(struct judge *j, struct slice source)
{
	const struct facts *f = j->facts;
	const uint8_t *key = j->storm->setup.site_key;
	const struct hash128 parts[3] = { hash_sip128(key, f->message_id), hash_sip128(key, f->envelope.mail_from),
					  hash_sip128(key, source) };
	const struct hash128 all = hash_sip128(key, slice_make(parts, sizeof parts));
	memcpy(j->key, &all, sizeof j->key);
	/* What is looked up later, after other work, is in the cache then. */
	for (size_t i = 0; i < j->rcpt_count; i++) {
		pair_name(key, j->key, f->envelope.rcpts[i], j->rcpts[i].pair);
		pairs_prefetch(&j->storm->pairs, j->rcpts[i].pair);
	}
}

/* The size stands where an inline mail has a nonce: it is all that is known beside. */
static bool is_same_size(const struct instance *inst, uint64_t size_bytes)
{
	uint64_t before = inst->nonces[NONCE_ID_DATE];
	uint64_t apart = size_bytes > before ? size_bytes - before : before - size_bytes;
	return size_bytes == 0 || before == 0 || apart * 100 <= before * OBSERVED_SIZE_PERCENT;
}

/* An inline door has made an incident of this mail: it counts there, by its content. */
static bool is_known_inline(const struct storm *storm, const struct facts *f)
{
	char id[INCIDENT_TEXT_BYTES];
	snprintf(id, sizeof id, "%.*s", SLICE_ARG(slice_first(f->message_id, sizeof id - 1)));
	for (size_t i = 0; i < storm->incidents.count; i++) {
		const struct track *track = storm->incidents.tracks[i];
		bool is_own = memcmp(track->pub.content_public, f->content_public, DIGEST_BYTES) == 0;
		for (unsigned k = 0; k < track->pub.message_id_count && !track->is_topic && !is_own; k++)
			if (strcmp(track->pub.message_ids[k], id) == 0)
				return true;
	}
	return false;
}

/* Counts the recipients that had this mail before, and remembers all. */
static unsigned count_copies(struct judge *j)
{
	struct storm *storm = j->storm;
	unsigned again = 0;
	for (size_t i = 0; i < j->rcpt_count; i++) {
		struct judged_rcpt *r = &j->rcpts[i];
		r->seen = pairs_look(&storm->pairs, r->pair, j->now_ms);
		r->is_surplus = r->seen.is_known;
		again += r->is_surplus;
		pairs_confirm(&storm->pairs, r->pair, j->now_ms, false);
	}
	return again;
}

/* The second copy of a mail makes its entry and gives it its size; those after it count as
 * surplus when they have that size. Most mails come once and never get so far. */
static bool is_copy(struct judge *j, uint64_t size_bytes)
{
	struct instances *t = &j->storm->instances;
	j->inst = instances_find(t, j->key, j->now_s);
	if (j->inst)
		return is_same_size(j->inst, size_bytes);
	j->inst = instances_add(t, j->key, j->now_s);
	if (j->inst)
		j->inst->nonces[NONCE_ID_DATE] = size_bytes;
	return false;
}

static void judge_copies(struct judge *j, struct facts *known, const struct observed *seen)
{
	struct storm *storm = j->storm;
	int64_t limit = storm->setup.policy.instance_surplus_max;
	unsigned again = count_copies(j);
	if (again == 0 || !is_copy(j, seen->size_bytes))
		return;
	/* Unkeyed, for the incident's name. */
	incident_topic(STORM_DUPLICATE, known->message_id, known->envelope.mail_from, known->content_public);
	if (is_known_inline(storm, known))
		return;
	j->surplus = again;
	j->tier.tier = TIER_T1;
	instance_note_sighting(j->inst, j->now_s);
	unsigned hour = instance_surplus(j->inst, j->now_s) + again;
	instance_add_surplus(j->inst, j->now_s, again);
	fuse_settle(&j->inst->fuse, &storm->setup.policy, j->now_s);
	fuse_note_surplus(&j->inst->fuse, j->now_s);
	if (hour >= limit)
		judge_open(j, "%u surplus deliveries of this mail within 1 h (limit %" PRId64 "), by the log of its "
			      "server", hour, limit);
	j->is_alert = hour >= limit;
}

/* A log seldom knows From; the envelope's sender stands for it. */
static void author_of_envelope(struct facts *f)
{
	struct slice sender = f->envelope.mail_from;
	size_t at = slice_find_byte(sender, 0, '@');
	f->from.local = slice_first(sender, at);
	f->from.domain = slice_from(sender, at + 1);
}

/* Sizes that differ by a tenth or so stand for nearly the same words. */
static uint64_t near_of_size(const struct storm *storm, uint64_t size_bytes)
{
	unsigned step = size_bytes ? (unsigned)(log((double)size_bytes) / log(1.1)) + 1 : 0;
	return step ? hash_sip128(storm->setup.site_key, slice_make(&step, sizeof step)).lo | 1 : 0;
}

static const struct rule observed_rule = { "log", NULL, "Seen in a log: told, nothing can be done to it." };

void storm_observe(struct storm *storm, const struct facts *facts, const struct observed *seen, int64_t now_ms)
{
	struct facts known = *facts;
	struct verdict verdict = { .rule = "pass" };
	struct judged_rcpt rcpts[OBSERVED_RCPTS_MAX];
	struct judge j = { .storm = storm, .facts = &known, .now_ms = now_ms, .now_s = storm_seconds(now_ms),
			   .verdict = &verdict, .is_observed = true, .rcpts = rcpts };
	struct arena arena;
	storm_advance(storm, now_ms);
	storm->counters.mails++;
	if (known.envelope.rcpt_count > OBSERVED_RCPTS_MAX)
		known.envelope.rcpt_count = OBSERVED_RCPTS_MAX;
	if (seen->rcpt_total > known.audience_total)
		known.audience_total = seen->rcpt_total;
	j.rcpt_count = known.envelope.rcpt_count;
	memset(rcpts, 0, j.rcpt_count * sizeof rcpts[0]);
	name_instance(&j, seen->source);
	storm_note_rates(storm, facts, seen->source, now_ms);
	if (j.rcpt_count == 0)
		return;
	arena_init(&arena, OBSERVED_ARENA_BYTES);
	j.arena = &arena;
	if (known.from.domain.len == 0)
		author_of_envelope(&known);
	known.near = near_of_size(storm, seen->size_bytes);
	rule_reply_all(&j, &observed_rule);
	rule_ping_pong(&j, &observed_rule);
	rule_bounces(&j, &observed_rule);
	if (known.message_id.len > 0)
		judge_copies(&j, &known, seen);
	if (j.topic || j.is_alert || (j.surplus && j.inst && j.inst->fuse.state >= BREAKER_OPEN))
		judge_tell(&j);
	arena_free(&arena);
}
