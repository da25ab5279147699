/* SPDX-License-Identifier: Apache-2.0
 *
 * topology: the clockwork. One queue of events, earliest first; each is a mail that
 * arrives at a host, or a firm's poll.
 */
#include "topology_inner.h"

#include "base/mem.h"

#include <stdio.h>

enum { POLL_MS = 15 * POST_MINUTE_MS, SEND_GAP_MS = 600 };

enum event_kind { EVENT_IN, EVENT_OUT, EVENT_BOX, EVENT_MX, EVENT_FORWARDER, EVENT_POLL };

struct event {
	int64_t at_ms;
	unsigned serial;      /* equal times keep their order */
	enum event_kind kind;
	unsigned index;       /* firm or forwarder */
	int from, emitter;
	bool is_forwarded, is_for_boxes; /* not for us: the firm goes to our MX itself */
	struct parcel parcel;
};

static bool is_earlier(const struct event *a, const struct event *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->serial < b->serial;
}

static void swap_events(struct event *a, struct event *b)
{
	struct event kept = *a;
	*a = *b;
	*b = kept;
}

static void event_push(struct topology *t, struct event e)
{
	if (t->event_count == t->event_cap) {
		unsigned cap = t->event_cap ? 2 * t->event_cap : 256;
		void *grown = mem_resize(t->events, cap * sizeof *t->events);
		if (!grown)
			return;
		t->events = grown;
		t->event_cap = cap;
	}
	e.serial = t->event_serial++;
	unsigned at = t->event_count++;
	t->events[at] = e;
	for (; at > 0 && is_earlier(&t->events[at], &t->events[(at - 1) / 2]); at = (at - 1) / 2)
		swap_events(&t->events[at], &t->events[(at - 1) / 2]);
}

static struct event event_pop(struct topology *t)
{
	struct event first = t->events[0];
	t->events[0] = t->events[--t->event_count];
	for (unsigned at = 0;;) {
		unsigned least = at;
		for (unsigned child = 2 * at + 1; child <= 2 * at + 2; child++)
			if (child < t->event_count && is_earlier(&t->events[child], &t->events[least]))
				least = child;
		if (least == at)
			return first;
		swap_events(&t->events[at], &t->events[least]);
		at = least;
	}
}

/* The mail sets off for the next host, five seconds to a minute away. */
static void travel(struct topology *t, const struct event *e, enum event_kind kind, unsigned index,
		   int from, int64_t wait_ms)
{
	struct event next = *e;
	next.kind = kind;
	next.index = index;
	next.from = from;
	next.at_ms = t->now_ms + wait_ms + post_draw_between(&t->post, 5000, 60000);
	event_push(t, next);
}

static void yield_copy(struct topology *t, const struct event *e, int member)
{
	if (t->copy_count == t->plan.copies)
		return;
	struct post_copy *c = &t->copies[t->copy_count++];
	*c = (struct post_copy){ .parcel = e->parcel, .time_ms = t->now_ms, .emitter = e->emitter,
				 .is_forwarded = e->is_forwarded };
	post_address(&t->post, member, c->recipient);
}

/* From the ISP's host to all boxes, forwarders and, when it is not for them alone, us. */
static void fan_out(struct topology *t, const struct event *e, int from)
{
	for (unsigned i = 0; i < t->plan.firms; i++)
		if (t->plan.is_self_fed || e->emitter != (int)i)
			travel(t, e, EVENT_BOX, i, from, 0);
	if (e->is_for_boxes || t->plan.is_isp)
		return;
	travel(t, e, EVENT_MX, 0, from, 0);
	for (unsigned i = 0; i < t->plan.forwarders; i++)
		travel(t, e, EVENT_FORWARDER, i, from, 0);
}

static void arrive_in(struct topology *t, struct event *e)
{
	post_pass(&t->post, &e->parcel, e->from, t->isp_in, t->now_ms);
	for (int m = 0; t->plan.is_isp && m < t->post.member_count; m++)
		yield_copy(t, e, m);
	fan_out(t, e, t->isp_in);
}

static void arrive_out(struct topology *t, struct event *e)
{
	if (t->plan.washing != WASH_NOTHING)
		e->parcel.top = POST_NONE;
	if (t->plan.washing == WASH_NOTHING)
		post_pass(&t->post, &e->parcel, e->from, t->isp_out, t->now_ms);
	else if (t->plan.washing == WASH_BELOW)
		post_pass_as(&t->post, &e->parcel,
			     (struct post_passage){ .kind = POST_LOCAL, .by = t->isp_out,
						    .for_member = POST_NONE }, t->now_ms);
	fan_out(t, e, t->isp_out);
}

static void arrive_box(struct topology *t, struct event *e)
{
	struct topology_firm *f = &t->firm[e->index];
	post_pass_as(&t->post, &e->parcel,
		     (struct post_passage){ .by = t->isp_mbx, .from = e->from, .for_member = f->member },
		     t->now_ms);
	if (t->plan.is_one_wave && e->emitter != POST_NONE)
		return;
	if (f->box_count == f->box_cap) {
		unsigned cap = f->box_cap ? 2 * f->box_cap : 32;
		void *grown = mem_resize(f->box, cap * sizeof *f->box);
		if (!grown)
			return;
		f->box = grown;
		f->box_cap = cap;
	}
	f->box[f->box_count++] = e->parcel;
}

static void arrive_mx(struct topology *t, struct event *e)
{
	bool is_single = e->is_forwarded || t->plan.ours == 1;
	post_pass_as(&t->post, &e->parcel,
		     (struct post_passage){ .by = t->mx, .from = e->from,
					    .for_member = is_single ? t->our_member : POST_NONE },
		     t->now_ms);
	for (unsigned i = 0; i < (is_single ? 1 : t->plan.ours); i++)
		yield_copy(t, e, t->our_member + (int)i);
}

static void arrive_forwarder(struct topology *t, struct event *e)
{
	post_pass_as(&t->post, &e->parcel,
		     (struct post_passage){ .by = t->forwarder[e->index], .from = e->from,
					    .for_member = t->forwarder_member[e->index] },
		     t->now_ms);
	e->is_forwarded = true;
	travel(t, e, EVENT_MX, 0, t->forwarder[e->index], 0);
}

static void forge(struct topology *t, struct topology_firm *f, struct parcel *parcel)
{
	parcel->top = f->forged_top;
	if (f->forged_top != POST_NONE)
		return;
	post_pass_as(&t->post, parcel,
		     (struct post_passage){ .kind = f->is_forged_pickup ? POST_PICKUP : POST_SMTP,
					    .by = t->innocent[1], .from = t->innocent[0],
					    .for_member = POST_NONE }, POST_START_MS + 20 * 1000);
	post_pass(&t->post, parcel, t->innocent[1], t->innocent[2], POST_START_MS + 40 * 1000);
	if (f->has_constant_forgery)
		f->forged_top = parcel->top;
}

static void mark(struct topology *t, const struct topology_firm *f, struct parcel *parcel)
{
	if (t->plan.to == POST_TO_ALL || t->plan.to == POST_TO_ISP)
		parcel->prefixed[f->member / 8] |= (uint8_t)(1u << (f->member % 8));
	else
		parcel->appended = f->member;
}

/* What a faulty connector makes of a mail (incident.md 1.3). */
static void convert(struct topology *t, unsigned index, struct parcel *parcel)
{
	const struct firm_plan *plan = &t->plan.firm[index];
	struct topology_firm *f = &t->firm[index];
	if (plan->is_stripping || plan->is_forging)
		parcel->top = POST_NONE;
	if (plan->is_stripping)
		post_renew(&t->post, parcel, f->host, f->id_host, t->now_ms);
	if (plan->has_marks)
		mark(t, f, parcel);
	if (plan->is_forging)
		forge(t, f, parcel);
	if (plan->is_hopless)
		return;
	parcel->is_connector_made = true;
	parcel->connector_ms = t->now_ms + t->post.hosts[f->host].clock_ms;
	post_pass_as(&t->post, parcel,
		     (struct post_passage){ .kind = POST_PICKUP, .by = plan->is_framing ? f->framed : f->host,
					    .for_member = POST_NONE }, t->now_ms);
	/* The server stamps with its own clock, whatever name it writes. */
	t->post.passages[parcel->top].time_ms = parcel->connector_ms;
}

static void send_again(struct topology *t, unsigned index, const struct parcel *parcel, int64_t wait_ms)
{
	struct event e = { .parcel = *parcel, .emitter = (int)index };
	const struct topology_firm *f = &t->firm[index];
	convert(t, index, &e.parcel);
	t->firm[index].emissions++;
	e.is_for_boxes = t->plan.firm[index].is_direct && !t->plan.is_isp;
	if (!t->plan.firm[index].is_direct) {
		travel(t, &e, EVENT_OUT, 0, f->mask, wait_ms);
		return;
	}
	travel(t, &e, EVENT_IN, 0, f->mask, wait_ms);
	if (!e.is_for_boxes)
		return;
	travel(t, &e, EVENT_MX, 0, f->mask, wait_ms);
	for (unsigned i = 0; i < t->plan.forwarders; i++)
		travel(t, &e, EVENT_FORWARDER, i, f->mask, wait_ms);
}

static void poll(struct topology *t, struct event *e)
{
	struct topology_firm *f = &t->firm[e->index];
	for (unsigned i = 0; i < f->box_count; i++)
		send_again(t, e->index, &f->box[i], (int64_t)i * SEND_GAP_MS);
	f->box_count = 0;
	e->at_ms = t->now_ms + POLL_MS + post_draw_between(&t->post, -5000, 5000);
	event_push(t, *e);
}

static void happen(struct topology *t, struct event *e)
{
	static void (*const arrive[])(struct topology *, struct event *) = {
		[EVENT_IN] = arrive_in, [EVENT_OUT] = arrive_out,
		[EVENT_BOX] = arrive_box, [EVENT_MX] = arrive_mx,
		[EVENT_FORWARDER] = arrive_forwarder, [EVENT_POLL] = poll,
	};
	t->now_ms = e->at_ms;
	arrive[e->kind](t, e);
}

static void begin(struct topology *t)
{
	t->now_ms = POST_START_MS;
	struct event e = { .emitter = POST_NONE, .parcel = post_write(&t->post, t->author, t->now_ms) };
	post_pass_as(&t->post, &e.parcel,
		     (struct post_passage){ .kind = POST_LOCAL, .by = t->author, .for_member = POST_NONE },
		     t->now_ms);
	travel(t, &e, EVENT_IN, 0, t->author, 0);
	for (unsigned i = 0; i < t->plan.firms; i++)
		event_push(t, (struct event){ .kind = EVENT_POLL, .index = i,
					      .at_ms = t->now_ms + post_draw_between(&t->post, 0, POLL_MS) });
}

bool topology_run(struct topology *t, const struct topology_plan *plan)
{
	*t = (struct topology){ .plan = *plan };
	post_init(&t->post, plan->seed);
	t->copies = mem_alloc_array(plan->copies, sizeof *t->copies);
	if (!t->copies)
		return false;
	topology_settle(t);
	begin(t);
	int64_t end_ms = POST_START_MS + (int64_t)TOPOLOGY_HOURS_MAX * POST_HOUR_MS;
	while (t->event_count > 0 && t->copy_count < plan->copies && t->now_ms < end_ms) {
		struct event e = event_pop(t);
		happen(t, &e);
	}
	return true;
}

void topology_free(struct topology *t)
{
	for (unsigned i = 0; i < t->plan.firms; i++)
		mem_free(t->firm[i].box);
	mem_free(t->copies);
	mem_free(t->events);
	post_free(&t->post);
	t->copies = NULL;
}
