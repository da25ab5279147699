/* SPDX-License-Identifier: Apache-2.0
 *
 * topic: what the rules of classes 3 to 5 share: names and states of what they watch, and
 * the words they write down.
 */
#include "storm/judge.h"
#include "storm/rules.h"

#include "mail/gist.h"

#include <stdarg.h>
#include <stdio.h>

/* --- addresses and mails as numbers ------------------------------------------------------- */

static struct slice without_detail(struct slice local)
{
	size_t plus = slice_find_byte(local, 0, '+');
	return plus > 0 ? slice_first(local, plus) : local;
}

uint32_t judge_address(const struct judge *j, struct slice local, struct slice domain)
{
	uint64_t seed;
	memcpy(&seed, j->storm->setup.site_key, sizeof seed);
	uint32_t hash = (uint32_t)(hash_mix_nocase(hash_mix_nocase(seed, without_detail(local)), domain) >> 16);
	return hash ? hash : 1;
}

static void split_mailbox(struct slice address, struct slice *local_out, struct slice *domain_out)
{
	size_t at = address.len;
	while (at > 0 && address.ptr[at - 1] != '@')
		at--;
	*local_out = at > 0 ? slice_first(address, at - 1) : address;
	*domain_out = at > 0 ? slice_from(address, at) : SLICE("");
}

uint32_t judge_mailbox(const struct judge *j, struct slice address)
{
	struct slice local, domain;
	split_mailbox(address, &local, &domain);
	return judge_address(j, local, domain);
}

struct slice judge_address_text(const struct judge *j, struct slice local, struct slice domain)
{
	char *text = arena_alloc(j->arena, local.len + 1 + domain.len);
	if (!text)
		return SLICE("");
	if (local.len)
		memcpy(text, local.ptr, local.len);
	text[local.len] = '@';
	for (size_t i = 0; i < domain.len; i++)
		text[local.len + 1 + i] = ascii_lower(domain.ptr[i]);
	return slice_make(text, local.len + 1 + domain.len);
}

struct slice judge_mailbox_text(const struct judge *j, struct slice address)
{
	struct slice local, domain;
	split_mailbox(address, &local, &domain);
	return judge_address_text(j, local, domain);
}

uint32_t judge_mail_hash(struct judge *j)
{
	if (j->mail_hash)
		return j->mail_hash;
	uint32_t hash = (uint32_t)gist_message_id(j->storm->setup.site_key, j->facts->message_id);
	if (!hash)
		memcpy(&hash, j->facts->content, sizeof hash);
	return j->mail_hash = hash ? hash : 1;
}

uint64_t judge_mail_key(struct judge *j, uint64_t topic_key)
{
	return (topic_key ^ judge_mail_hash(j) * UINT64_C(0x9e3779b97f4a7c15)) | 1;
}

/* --- states ---------------------------------------------------------------------------------- */

struct topics *topics_of(struct storm *storm, enum storm_class cls)
{
	switch (cls) {
	case STORM_REPLY_ALL: return &storm->threads;
	case STORM_PING_PONG: return &storm->exchanges;
	case STORM_BOUNCE: return &storm->targets;
	default: return NULL;
	}
}

static bool topic_settle(enum storm_class cls, struct topic *topic, uint32_t now_s)
{
	switch (cls) {
	case STORM_REPLY_ALL: return thread_settle((struct thread *)topic, now_s);
	case STORM_PING_PONG: return exchange_settle((struct exchange *)topic, now_s);
	case STORM_BOUNCE: return bounce_settle((struct bounce_target *)topic, now_s);
	default: return false;
	}
}

/* An incident that was read from the store knows no key: it is looked for once. */
static uint64_t find_key(const struct topics *t, const uint8_t digest[DIGEST_BYTES])
{
	for (uint32_t i = 0; i < t->slot_count; i++) {
		const struct topic *topic = topics_at(t, i);
		if (topic->key && memcmp(topic->digest, digest, sizeof topic->digest) == 0)
			return topic->key;
	}
	return 0;
}

struct topic *topic_settled(struct storm *storm, struct track *track, uint32_t now_s)
{
	enum storm_class cls = track->pub.cls;
	struct topics *t = topics_of(storm, cls);
	if (t && !track->topic_key && !track->is_topic_sought)
		track->topic_key = find_key(t, track->pub.content_public);
	track->is_topic_sought = true;
	struct topic *topic = t && track->topic_key ? topics_find(t, track->topic_key) : NULL;
	if (topic && topic_settle(cls, topic, now_s))
		state_record_topic(storm, cls, topic);
	return topic;
}

enum breaker judge_topic_state(const struct judge *j, enum storm_class cls, const struct topic *topic)
{
	const struct record_force *force = force_find(j->storm, cls, topic->digest);
	return force ? (enum breaker)force->state : (enum breaker)topic->state;
}

bool judge_is_of_many(const struct judge *j)
{
	return !j->is_inner && j->surplus == 0;
}

void judge_about(struct judge *j, enum storm_class cls, struct topic *topic)
{
	if (j->topic)
		return;
	j->topic = topic;
	j->topic_cls = cls;
}

void judge_enter(struct judge *j, enum storm_class cls, struct topic *topic, enum breaker state,
		 const char *format, ...)
{
	topic->state = (uint8_t)state;
	topic->changed_s = j->now_s;
	judge_about(j, cls, topic);
	va_list args;
	va_start(args, format);
	if (j->topic == topic)
		vsnprintf(j->opener, sizeof j->opener, format, args);
	va_end(args);
	state_record_topic(j->storm, cls, topic);
}

void judge_raise_all(struct judge *j, enum deed deed, const struct rule *rule, const char *format, ...)
{
	char reason[REASON_BYTES];
	va_list args;
	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	for (size_t i = 0; i < j->rcpt_count; i++)
		judge_raise(j, &j->rcpts[i], deed, rule, "%s", reason);
}
