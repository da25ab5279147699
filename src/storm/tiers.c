/* SPDX-License-Identifier: Apache-2.0
 *
 * tiers: from the nonces, the doors and the marks to a tier.
 */
#include "storm/tiers.h"

static uint32_t door_hash(const uint8_t *key, struct slice name)
{
	char lower[256];
	if (name.len > sizeof lower)
		name = slice_first(name, sizeof lower);
	for (size_t i = 0; i < name.len; i++)
		lower[i] = ascii_lower(name.ptr[i]);
	return (uint32_t)hash_sip128(key, slice_make(lower, name.len)).lo | 1;
}

uint32_t tier_door(const uint8_t *key, const struct peer *peer, const struct culprit *culprit)
{
	if (culprit->kind != CULPRIT_NONE && culprit->domain.len > 0)
		return door_hash(key, culprit->domain);
	const struct ip *ip = culprit->kind != CULPRIT_NONE ? &culprit->ip : &peer->ip;
	if (culprit->kind == CULPRIT_NONE && peer->org.len > 0)
		return door_hash(key, peer->org);
	return ip_is_unknown(*ip) ? 0 : door_hash(key, slice_make(ip->bytes, sizeof ip->bytes));
}

/* May the nonce of this kind prove that two copies are one? */
static bool is_shared(const struct instance *inst, const uint64_t *nonces,
		      const struct nonces *constants, enum nonce_kind kind)
{
	return instance_has_nonce(inst, nonces[kind]) &&
	       !nonces_is_constant(constants, nonces[kind]);
}

static struct slice domain_of_login(struct slice login)
{
	size_t at = slice_find_byte(login, 0, '@');
	return slice_from(login, at < login.len ? at + 1 : at);
}

/* The author is known to stand behind this copy. A login or a place in our own
 * network says less when the copy bears a connector's marks, and nothing when the
 * login is of another organisation than From. */
static bool is_fresh_author(const struct facts *facts, const struct instance *inst,
			    const uint64_t *nonces)
{
	if (facts->is_spf_aligned)
		return true;
	if (facts->is_dkim_aligned && nonces[NONCE_DKIM] &&
	    !instance_has_nonce(inst, nonces[NONCE_DKIM]))
		return true;
	if (culprit_has_marker(facts))
		return false;
	struct slice login = domain_of_login(facts->envelope.auth_user);
	if (login.len > 0)
		return culprit_is_same_org(login, facts->from.domain);
	return facts->envelope.auth_user.len > 0 || facts->envelope.is_submission;
}

static bool is_from_own_org(const struct facts *facts, const struct culprit *culprit)
{
	struct peer peer;
	peer_of(facts, &peer);
	struct slice org = culprit->kind != CULPRIT_NONE ? culprit->domain : peer.org;
	return culprit_is_same_org(org, facts->from.domain);
}

static bool is_minted_later(const struct facts *facts, const struct instance *inst)
{
	return facts->ms_id.is_present && (facts->reinject_marks & REINJECT_MSID_MINTED) &&
	       facts->ms_id.minted_ms / 1000 > inst->first_s;
}

static bool is_emitter_in_audience(const struct facts *facts, const struct culprit *culprit)
{
	if (culprit->kind == CULPRIT_AUDIENCE)
		return true;
	struct peer peer;
	peer_of(facts, &peer);
	struct slice org = culprit->kind != CULPRIT_NONE ? culprit->domain : peer.org;
	return culprit_is_in_audience(facts, org) && !culprit_is_same_org(org, facts->from.domain);
}

static unsigned find_proofs(const struct facts *facts, const struct instance *inst,
			    const uint64_t *nonces, const struct nonces *constants,
			    const struct culprit *culprit)
{
	unsigned proofs = 0;
	if (is_emitter_in_audience(facts, culprit))
		proofs |= PROOF_AUDIENCE;
	if (facts->reinject_marks & REINJECT_PICKUP_FOREIGN)
		proofs |= PROOF_PICKUP;
	if (is_minted_later(facts, inst))
		proofs |= PROOF_MINTED;
	if (is_shared(inst, nonces, constants, NONCE_THREAD_INDEX) ||
	    is_shared(inst, nonces, constants, NONCE_BOUNDARY))
		proofs |= PROOF_NONCE;
	return proofs;
}

static const char *why_t2(unsigned proofs)
{
	if (proofs & PROOF_MARKER)
		return "made again by a POP3 connector, whose mark it bears";
	if (proofs & PROOF_PICKUP)
		return "made again: handed in at a pickup service that is not the author's";
	if (proofs & PROOF_AUDIENCE)
		return "made again by a server of one of its own recipients";
	if (proofs & PROOF_MINTED)
		return "made again: its Message-ID was minted after the first copy, elsewhere";
	return "made again elsewhere: it carries marks of the first copy";
}

const char *tier_same_copy(const struct instance *inst, const uint64_t nonces[NONCE_KINDS],
			   const struct nonces *constants, bool is_stamped)
{
	if (is_stamped)
		return "it carries our own stamp of an earlier passage";
	if (is_shared(inst, nonces, constants, NONCE_ID_DATE))
		return "same Message-ID and Date as an earlier copy";
	if (is_shared(inst, nonces, constants, NONCE_DKIM))
		return "same DKIM signature as an earlier copy";
	return NULL;
}

struct tier_result tier_made_again(const struct facts *facts, const struct instance *inst,
				   const uint64_t nonces[NONCE_KINDS],
				   const struct nonces *constants, const struct culprit *culprit,
				   uint32_t door)
{
	struct tier_result r = { .tier = TIER_T3,
				 .why = "same text, but its own Message-ID or Date" };
	r.is_fresh = is_fresh_author(facts, inst, nonces);
	r.is_foreign = !r.is_fresh && door != 0 && door != inst->first_door &&
		       !is_from_own_org(facts, culprit);
	unsigned proofs = find_proofs(facts, inst, nonces, constants, culprit);
	bool is_marked = culprit_has_marker(facts);
	if (r.is_fresh || facts->is_body_empty || !(is_marked || (r.is_foreign && proofs)))
		return r;
	r.tier = TIER_T2;
	r.proofs = proofs | (is_marked ? PROOF_MARKER : 0) |
		   (r.is_foreign ? PROOF_FOREIGN_DOOR : 0);
	r.why = why_t2(r.proofs);
	return r;
}
