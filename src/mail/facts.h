/* SPDX-License-Identifier: Apache-2.0
 *
 * facts: all that Quell knows of one mail, and the builder that learns it.
 *
 * Every door (milter, proxy, POP3, mailbox, log, replay) turns its mail into the
 * same struct facts, with the fact's own time. The builder streams: header
 * fields and body chunks go in as they arrive, nothing of the body is kept.
 * Pure: no clock, no I/O, no settings but the struct facts_setup given to it.
 * (algorithms.md 1.2; incident.md 1.3 and 1.7.)
 *
 * Ownership: everything in struct facts lives in the arena given to
 * facts_begin, and so dies with the mail. Limits: FACTS_* below; what is past a
 * limit is counted, not kept, and is never a reason to refuse a mail.
 */
#ifndef QUELL_MAIL_FACTS_H
#define QUELL_MAIL_FACTS_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/slice.h"

struct hop;     /* mail/received.h */
struct mime;    /* mail/mime.h: the streaming walk, private to the builder */

enum {
	FACTS_HOPS_MAX = 100,          /* Received fields kept (RFC 5321 6.3) */
	FACTS_STAMPS_MAX = 8,          /* own stamps looked at in one mail */
	FACTS_AUDIENCE_MAX = 4096,     /* To and Cc addresses kept */
	FACTS_REPORT_IDS_MAX = 3,      /* Message-IDs that a report may be about */
	FACTS_HEADER_FIELD_BYTES_MAX = 256 * 1024,/* of one field, unfolded */
	FACTS_ARENA_BYTES_MAX = 4 * 1024 * 1024,  /* advised ceiling of the arena */
};

/* An IPv4 or IPv6 address; v4 is mapped (::ffff:a.b.c.d). All zero: unknown. */
struct ip {
	uint8_t bytes[16];
};

bool ip_is_unknown(struct ip ip);
bool ip_equal(struct ip a, struct ip b);
bool ip_is_private(struct ip ip);  /* RFC 1918, RFC 4193, loopback, link-local */
bool ip_is_loopback(struct ip ip);
/* "192.0.2.1", "2001:db8::1", "IPv6:2001:db8::1", "::ffff:192.0.2.1"; no brackets */
bool ip_parse(struct slice text, struct ip *ip_out);
enum { IP_TEXT_BYTES = 48 };
/* v4 is written as v4. Returns out. */
const char *ip_text(struct ip ip, char out[IP_TEXT_BYTES]);

/* A network: prefix_bits counts in the 128 bits of the mapped form. */
struct ip_net {
	struct ip ip;
	unsigned prefix_bits;
};
/* "192.0.2.0/24", "2001:db8::/32", or a bare address. */
bool ip_net_parse(struct slice text, struct ip_net *net_out);
bool ip_net_holds(struct ip_net net, struct ip ip);

/* One mail address as it stands in a header or envelope. The domain is lower
 * case; local keeps its case and its +detail. Either may be empty. */
struct address {
	struct slice local, domain, display;
};

/* What the door knows before the header (RFC 5321 envelope). Any may be empty. */
struct envelope {
	struct slice mail_from;        /* without <>; empty is the null sender */
	const struct slice *rcpts;     /* without <>, before any alias expansion */
	size_t rcpt_count;
	struct ip client_ip;           /* of the connection */
	struct slice client_name;      /* PTR name as the MTA attests it */
	struct slice helo;
	struct slice auth_user;        /* SASL login; not empty = authenticated */
	struct slice queue_id;         /* the MTA's */
	bool is_submission;            /* the MTA says: our own user or host */
};

/* Reasons to think that nobody typed this mail (RFC 3834, 2919, 2369, 3464). */
enum auto_mark {
	AUTO_NULL_SENDER = 1 << 0,
	AUTO_REPORT = 1 << 1,          /* multipart/report */
	AUTO_SUBMITTED = 1 << 2,       /* Auto-Submitted other than no */
	AUTO_PRECEDENCE = 1 << 3,      /* bulk, junk, list, auto_reply */
	AUTO_LIST = 1 << 4,            /* List-*, Mailing-List, X-list, X-Mailing-List */
	AUTO_SUPPRESS = 1 << 5,        /* X-Auto-Response-Suppress */
	AUTO_X_LOOP = 1 << 6,
	AUTO_FEEDBACK_ID = 1 << 7,
};

/* Signs that a machine put this mail into the stream again (incident.md 1.7). */
enum reinject_mark {
	REINJECT_POP3_PREFIX = 1 << 0,   /* mspop3connector.USER@DOMAIN in To/Cc (R1) */
	REINJECT_IMB_RECIPIENT = 1 << 1, /* display name "IMB Recipient N" (R1) */
	REINJECT_PICKUP_FOREIGN = 1 << 2,/* a pickup, POP3, IMAP or local hop of an
					    organisation that is not From's (R2) */
	REINJECT_MSID_MINTED = 1 << 3,   /* MS-style id minted <= 5 s before
					    X-OriginalArrivalTime, right side not From's (R3) */
	REINJECT_GROUP_DEBRIS = 1 << 4,  /* unlisted-recipients / no To-header on input
					    parsed as addresses (R6) */
};

/* What a Microsoft-style Message-ID says: <SEQ|FILETIME|$LOW$IP|@HOST>. */
struct ms_id {
	bool is_present;
	int64_t minted_ms;     /* FILETIME as Unix ms */
	struct ip lan_ip;      /* little-endian on the wire */
	struct slice host;     /* right side */
};

/* One own stamp as found, not yet verified (storm/stamp.h verifies). */
struct raw_stamp {
	struct slice value;    /* the whole field body, unfolded */
	size_t above_hop;      /* index of the hop it stands directly above; hop_count when none */
};

/* The connector's tracks, for evidence (all are claims of the mail). */
struct connector_claim {
	struct slice user, domain;   /* of mspop3connector.USER@DOMAIN */
	bool is_in_to;               /* found in To (a copy), not only in Cc (maybe a reply) */
};

struct facts {
	struct envelope envelope;
	int64_t time_ms;             /* of the fact: arrival, or the top trusted hop */

	uint8_t content[DIGEST_SHORT_BYTES];  /* C, keyed with the site key */
	uint8_t content_public[DIGEST_BYTES]; /* the same, unkeyed: names incidents */
	uint8_t instance[DIGEST_SHORT_BYTES]; /* I = (C, List-Id, newest Resent-Message-ID) */
	bool is_body_empty;          /* < 16 B, no leaf, no Subject: only T1 may act */
	bool is_content_whole;       /* false: something could not be read (bomb, arena
					full); then no action but pass is allowed (L3) */
	uint64_t body_bytes;
	unsigned leaf_count;

	struct slice message_id;     /* without <>, as written */
	struct slice date;           /* the field body, trimmed */
	int64_t date_ms;             /* 0 when it cannot be read */
	struct slice subject;        /* RFC 2047 decoded to UTF-8, white space folded */
	struct address from, reply_to, sender;
	struct slice in_reply_to;    /* first id */
	struct slice references_last;
	struct slice thread_root;    /* References[0], else In-Reply-To, else Message-ID */
	struct slice list_id;        /* inside <>, or the older X-list/X-Mailing-List value */
	struct slice resent_message_id; /* newest (topmost) */
	struct slice thread_index;   /* base64 as written */
	struct slice mime_boundary;
	struct slice dkim_b;         /* b= of the topmost DKIM-/DomainKey-Signature, unfolded */
	const struct slice *delivered_to; /* Delivered-To, X-Original-To values */
	size_t delivered_to_count;
	const struct address *audience;   /* To and Cc, in order */
	size_t audience_count, audience_total; /* kept, seen */

	const struct hop *hops;      /* [0] is the topmost, the newest */
	size_t hop_count, hop_total; /* kept, seen */
	size_t peer_hop;             /* lowest hop stamped by an own host, whose from is
					the peer; hop_count when no hop is ours */
	struct ip peer_ip;           /* attested: the connection's, or peer_hop's from */
	struct slice peer_name;      /* its PTR or HELO */
	unsigned own_visits;         /* E: separate visits to our hosts in the chain,
					adjacent own, loopback and private hops fused */

	unsigned auto_marks;         /* enum auto_mark */
	unsigned reinject_marks;     /* enum reinject_mark */
	struct connector_claim connector;
	struct ms_id ms_id;
	int64_t original_arrival_ms; /* X-OriginalArrivalTime's FILETIME; 0 when absent */
	struct slice pickup_host;    /* by-host of the lowest pickup hop; empty if none */
	size_t pickup_hop;           /* its index; hop_count when none */

	uint64_t near;               /* of its first lines (mail/gist.h); 0: they say too little */
	bool has_report;             /* a delivery status was found (RFC 3464) */
	uint64_t report_key;         /* keyed hash of its Reporting-MTA, Final-Recipient, Status, ids */
	uint64_t report_ids[FACTS_REPORT_IDS_MAX]; /* gist_message_id of what it may be about */
	unsigned report_id_count;

	bool is_spf_aligned, is_dkim_aligned; /* by our own Authentication-Results only */

	struct raw_stamp stamps[FACTS_STAMPS_MAX];
	size_t stamp_count, stamp_total;

	uint64_t header_bytes;
};

struct facts_setup {
	const uint8_t *site_key;     /* HASH_KEY_BYTES */
	const char *const *our_hosts;/* names of own mail hosts: the trust boundary */
	size_t our_host_count;
	const struct ip_net *own_nets; /* own networks: inner passages, submissions */
	size_t own_net_count;
	struct slice authserv_id;    /* of our Authentication-Results; empty: none trusted */
	/* A first look at a header alone: the Received lines are read down to the first that
	 * says who wrote it (the others are counted), no signature, no body, no fingerprint.
	 * What is read is read as always. */
	bool is_glance;
};

struct facts_builder;

/* Begins a mail. All memory comes from arena; NULL when it has none left. setup
 * and what it points to must outlive the builder. */
struct facts_builder *facts_begin(struct arena *arena, const struct facts_setup *setup);

/* One header field, in the order of the mail, without the line end. value may
 * be folded (CRLF or LF before white space) and may begin with a blank. */
void facts_header(struct facts_builder *b, struct slice name, struct slice value);
/* A piece of the body, any size, cut anywhere, CRLF or LF line ends. The first
 * call ends the header. */
void facts_body(struct facts_builder *b, struct slice chunk);
/* A piece of a raw mail: header, empty line, body, cut anywhere. Use this or
 * the two above, never both. */
void facts_raw(struct facts_builder *b, struct slice chunk);
/* Ends the mail. The envelope is copied (its slices must live in the arena or
 * longer). Never NULL: what could not be read shows in is_content_whole. */
const struct facts *facts_end(struct facts_builder *b, const struct envelope *envelope,
			      int64_t time_ms);

/* After facts_end: the recipients, where only the header tells them (a mailbox). They
 * must live as long as the facts. */
void facts_address_to(struct facts_builder *b, const struct slice *rcpts, size_t count);

/* The registrable domain (public suffix list) of a host or domain, lower case;
 * for an unknown suffix the last two labels. Points into name's memory. */
struct slice domain_org(struct slice name);

#endif
