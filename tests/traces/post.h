/* SPDX-License-Identifier: Apache-2.0
 *
 * post: the postal world of the tracer's tests: hosts, the passages of a mail from
 * host to host, and the mail as text with the Received lines that they leave.
 *
 * A chain is a list of passages, newest first, that shares its older part with
 * other chains, as real copies do. What a passage writes down is what its receiver
 * saw (name and address of the peer) and what the peer said of itself; a forged or
 * framed line is a passage with the hosts that it lies about. All is drawn from the
 * world's own generator of numbers, so a seed gives the same bytes each time.
 */
#ifndef QUELL_TESTS_POST_H
#define QUELL_TESTS_POST_H

#include "base/buf.h"

enum {
	POST_NONE = -1,
	POST_HOSTS_MAX = 64,
	POST_MEMBERS_MAX = 120,
	POST_NAME_BYTES = 80,
	POST_TEXT_BYTES_MAX = 256 * 1024,
	POST_MINUTE_MS = 60 * 1000,
	POST_HOUR_MS = 60 * POST_MINUTE_MS,
};
#define POST_START_MS INT64_C(1133860800000) /* 6 Dec 2005, 09:20 UTC */

struct post_host {
	char name[POST_NAME_BYTES];  /* in its own lines */
	char helo[POST_NAME_BYTES];  /* what it calls itself to others */
	char ptr[POST_NAME_BYTES];   /* what its address resolves to; "": nothing */
	char ip[20];
	int64_t clock_ms;            /* how much its clock runs ahead */
	int zone_min;
	bool is_zoneless;            /* it writes no time zone */
};

enum post_kind {
	POST_SMTP,
	POST_PICKUP, /* "from mail pickup service" */
	POST_LOCAL,  /* a program on the host itself */
};

struct post_passage {
	int older;       /* passage below; POST_NONE */
	int by, from;    /* hosts */
	enum post_kind kind;
	unsigned serial; /* of the id */
	int for_member;  /* written in the line; POST_NONE */
	int64_t time_ms; /* by the clock of by */
};

struct post_member {
	char user[24], domain[POST_NAME_BYTES];
};

/* How the list of recipients stands in the header. */
enum post_to {
	POST_TO_ALL,     /* each address */
	POST_TO_HIDDEN,  /* undisclosed-recipients */
	POST_TO_LIST,    /* only the list's address */
	POST_TO_ISP,     /* each address, and one of a subscriber of the ISP itself */
};

struct post {
	uint64_t random;
	struct post_host hosts[POST_HOSTS_MAX];
	int host_count;
	struct post_passage *passages;
	int passage_count, passage_cap;
	unsigned serial;
	struct post_member members[POST_MEMBERS_MAX];
	int member_count;
	enum post_to to;
	char from[128], list[128], subject[128], body[512];
};

/* A mail on its way: small, so that thousands can wait. */
struct parcel {
	int top;                    /* newest passage */
	char message_id[128];
	int64_t date_ms;            /* by the clock of who wrote it */
	int date_host;              /* whose zone it is written in */
	char list_id[64];           /* ""; else of the list that it went through */
	uint8_t prefixed[(POST_MEMBERS_MAX + 7) / 8]; /* members whose address has the connector's prefix */
	int appended;               /* member in "IMB Recipient 1"; POST_NONE */
	bool is_connector_made;     /* CDO's fields */
	int64_t connector_ms;
};

/* One copy in a mailbox, with what is true of it. */
struct post_copy {
	struct parcel parcel;
	char recipient[128];
	int64_t time_ms;            /* by our clock */
	int emitter;                /* last faulty firm that sent it; POST_NONE */
	bool is_forwarded;
};

void post_init(struct post *p, uint64_t seed);
void post_free(struct post *p);
/* [0, below) */
unsigned post_draw(struct post *p, unsigned below);
/* [low, high] */
int64_t post_draw_between(struct post *p, int64_t low, int64_t high);
/* Copies the host; its number. A NULL in helo or ptr stands for name. */
int post_add_host(struct post *p, const char *name, const char *helo, const char *ptr, const char *ip);
int post_add_member(struct post *p, const char *user, const char *domain);
const char *post_address(const struct post *p, int member, char out[128]);

/* The first mail of the world, not sent yet. */
struct parcel post_write(struct post *p, int author, int64_t now_ms);
/* The mail goes from one host to another, which writes its line. */
void post_pass(struct post *p, struct parcel *parcel, int from, int by, int64_t now_ms);
/* The same with the recipient's address in it; kind as wanted. */
void post_pass_as(struct post *p, struct parcel *parcel, struct post_passage line, int64_t now_ms);
/* Id and Date as Microsoft's library makes them on this host. */
void post_renew(struct post *p, struct parcel *parcel, int host, const char *id_host, int64_t now_ms);
unsigned post_depth(const struct post *p, const struct parcel *parcel);

/* The whole mail as it lies in the mailbox. False when it is too long. */
bool post_text(const struct post *p, const struct parcel *parcel, const char *recipient, struct buf *out);

#endif
