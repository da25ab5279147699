/* SPDX-License-Identifier: Apache-2.0
 *
 * post: hosts, passages and their numbers. The text is in post_text.c.
 */
#include "post.h"

#include "base/mem.h"

#include <stdio.h>

void post_init(struct post *p, uint64_t seed)
{
	*p = (struct post){ .random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1 };
	snprintf(p->subject, sizeof p->subject, "Conveyancing Handbook 2006 - early order price");
	snprintf(p->body, sizeof p->body,
		 "Dear colleague,\r\n\r\nThe new edition of the handbook is out in January. Orders that\r\n"
		 "reach us before the end of the year have the early price.\r\n\r\nYours, the publisher\r\n");
}

void post_free(struct post *p)
{
	mem_free(p->passages);
	*p = (struct post){ .random = 0 };
}

/* splitmix64 */
static uint64_t next_random(struct post *p)
{
	uint64_t z = p->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

unsigned post_draw(struct post *p, unsigned below)
{
	return (unsigned)(next_random(p) % below);
}

int64_t post_draw_between(struct post *p, int64_t low, int64_t high)
{
	return low + (int64_t)(next_random(p) % (uint64_t)(high - low + 1));
}

static void set_name(char out[POST_NAME_BYTES], const char *text)
{
	snprintf(out, POST_NAME_BYTES, "%s", text);
}

int post_add_host(struct post *p, const char *name, const char *helo, const char *ptr, const char *ip)
{
	if (p->host_count == POST_HOSTS_MAX)
		return POST_NONE;
	struct post_host *h = &p->hosts[p->host_count];
	*h = (struct post_host){ .clock_ms = 0 };
	set_name(h->name, name);
	set_name(h->helo, helo ? helo : name);
	set_name(h->ptr, ptr ? ptr : name);
	snprintf(h->ip, sizeof h->ip, "%s", ip);
	return p->host_count++;
}

int post_add_member(struct post *p, const char *user, const char *domain)
{
	if (p->member_count == POST_MEMBERS_MAX)
		return POST_NONE;
	struct post_member *m = &p->members[p->member_count];
	snprintf(m->user, sizeof m->user, "%s", user);
	set_name(m->domain, domain);
	return p->member_count++;
}

const char *post_address(const struct post *p, int member, char out[128])
{
	snprintf(out, 128, "%s@%s", p->members[member].user, p->members[member].domain);
	return out;
}

struct parcel post_write(struct post *p, int author, int64_t now_ms)
{
	const struct post_host *h = &p->hosts[author];
	struct parcel parcel = { .top = POST_NONE, .appended = POST_NONE, .date_host = author };
	parcel.date_ms = now_ms + h->clock_ms;
	snprintf(parcel.message_id, sizeof parcel.message_id, "%x.%x@%s", post_draw(p, 1u << 30),
		 ++p->serial, h->name);
	return parcel;
}

void post_pass_as(struct post *p, struct parcel *parcel, struct post_passage line, int64_t now_ms)
{
	if (p->passage_count == p->passage_cap) {
		int cap = p->passage_cap ? 2 * p->passage_cap : 1024;
		void *grown = mem_resize(p->passages, (size_t)cap * sizeof *p->passages);
		if (!grown)
			return; /* the mail then shows one line less; the tests see it */
		p->passages = grown;
		p->passage_cap = cap;
	}
	line.older = parcel->top;
	line.serial = ++p->serial;
	line.time_ms = now_ms + p->hosts[line.by].clock_ms;
	parcel->top = p->passage_count;
	p->passages[p->passage_count++] = line;
}

void post_pass(struct post *p, struct parcel *parcel, int from, int by, int64_t now_ms)
{
	post_pass_as(p, parcel, (struct post_passage){ .by = by, .from = from, .for_member = POST_NONE },
		     now_ms);
}

/* 100 ns since 1601 */
static uint64_t filetime(int64_t ms)
{
	return (uint64_t)(ms + INT64_C(11644473600000)) * 10000;
}

void post_renew(struct post *p, struct parcel *parcel, int host, const char *id_host, int64_t now_ms)
{
	int64_t here_ms = now_ms + p->hosts[host].clock_ms;
	uint64_t ft = filetime(here_ms);
	parcel->date_ms = here_ms;
	parcel->date_host = host;
	snprintf(parcel->message_id, sizeof parcel->message_id, "%04x%08x$%08x$%02x%02xa8c0@%s",
		 ++p->serial & 0xffff, (unsigned)(ft >> 32), (unsigned)ft, host % 250 + 2, host % 5, id_host);
}

unsigned post_depth(const struct post *p, const struct parcel *parcel)
{
	unsigned depth = 0;
	for (int i = parcel->top; i != POST_NONE; i = p->passages[i].older)
		depth++;
	return depth;
}
