/* SPDX-License-Identifier: Apache-2.0
 *
 * force: an operator's order for one incident.
 *
 * "open" withholds all surplus of the content, "closed" lets it through until
 * further notice; both only ever concern surplus (L1-L4). Any other state ends
 * the order and sets the breakers to it. Orders outlive a restart. The newest 64
 * are remembered.
 */
#include "storm/inner.h"

static struct record_force *find(const struct storm *storm, uint8_t cls, const uint8_t *content)
{
	for (unsigned i = 0; i < storm->force_count && i < STORM_FORCES_MAX; i++) {
		const struct record_force *f = &storm->forces[i];
		if (f->is_on && f->cls == cls && memcmp(f->content, content, sizeof f->content) == 0)
			return (struct record_force *)(uintptr_t)f;
	}
	return NULL;
}

const struct record_force *force_find(const struct storm *storm, enum storm_class cls,
				      const uint8_t content_public[DIGEST_BYTES])
{
	return storm->force_count ? find(storm, (uint8_t)cls, content_public) : NULL;
}

void force_apply(struct storm *storm, const struct record_force *force)
{
	struct record_force *f = find(storm, force->cls, force->content);
	if (!f) {
		f = &storm->forces[storm->force_count++ % STORM_FORCES_MAX];
		if (storm->force_count == 2 * STORM_FORCES_MAX)
			storm->force_count = STORM_FORCES_MAX;
	}
	*f = *force;
}

bool storm_force(struct storm *storm, const char *incident_id, enum breaker state, int64_t now_ms)
{
	struct track *track = incidents_find_id(&storm->incidents, incident_id);
	if (!track)
		return false;
	storm_advance(storm, now_ms);
	struct record_force force = { .cls = (uint8_t)track->pub.cls, .state = (uint8_t)state,
				      .is_on = state == BREAKER_OPEN || state == BREAKER_CLOSED };
	struct record_out record;
	memcpy(force.content, track->pub.content_public, sizeof force.content);
	force_apply(storm, &force);
	record_put_force(&record, &force);
	state_record(storm, &record, true);
	for (unsigned i = 0; i < track->instance_count; i++) {
		uint32_t now_s = storm_seconds(now_ms);
		struct instance *inst = instances_find(&storm->instances, track->instances[i], now_s);
		if (!inst)
			continue;
		fuse_set(&inst->fuse, state, now_s);
		state_record_instance(storm, inst, true);
	}
	struct topic *topic = topic_settled(storm, track, storm_seconds(now_ms));
	if (topic) {
		topic->state = (uint8_t)state;
		topic->changed_s = storm_seconds(now_ms);
		state_record_topic(storm, track->pub.cls, topic);
	}
	track->pub.state = state;
	incident_settle(storm, track, now_ms);
	incident_show(storm, track, now_ms, true);
	return true;
}
