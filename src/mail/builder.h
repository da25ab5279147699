/* SPDX-License-Identifier: Apache-2.0
 *
 * builder: the inside of struct facts_builder, shared by facts.c (the streaming),
 * fields.c (one handler a header field), marks.c and trail.c (what the fields
 * mean together). Private to this room.
 */
#ifndef QUELL_MAIL_BUILDER_H
#define QUELL_MAIL_BUILDER_H

#include "mail/address.h"
#include "mail/facts.h"
#include "mail/gist.h"
#include "mail/header.h"
#include "mail/mime.h"
#include "mail/print.h"
#include "mail/received.h"

enum { BUILDER_CONNECTORS_MAX = 8, BUILDER_AUTH_RESULTS_MAX = 8, BUILDER_DELIVERED_MAX = 64 };

/* An Authentication-Results field of ours, with where it stood. */
struct auth_results {
	struct slice value;
	size_t above_hop;
};

struct facts_builder {
	struct arena *arena;
	const struct facts_setup *setup;
	struct facts facts;

	struct hop *hops;                 /* facts.hops and so on, while they grow */
	size_t hop_cap;
	struct address *audience;
	size_t audience_cap;
	struct slice *delivered_to;
	size_t delivered_cap;

	uint64_t seen_rows;               /* of fields.c: rows of which the first counts */
	struct slice old_list_id;         /* X-list, X-Mailing-List */
	struct connector_claim connectors[BUILDER_CONNECTORS_MAX];
	size_t connector_count;
	struct auth_results auth_results[BUILDER_AUTH_RESULTS_MAX];
	size_t auth_result_count;
	bool has_return_path, is_return_path_null;
	bool is_content_cut;              /* a field of the fingerprint was too long */

	struct ctype ctype;
	bool has_ctype;
	enum encoding encoding;

	struct header_hooks header_hooks;
	struct header_splitter header;    /* facts_raw only */
	struct mime_hooks mime_hooks;
	struct mime *mime;                /* NULL until the body begins */
	struct print *print;
	struct gist *gist;
	bool is_body, is_ended;
};

/* fields.c: takes one field. value may be folded. */
void fields_take(struct facts_builder *b, struct slice name, struct slice value);

/* marks.c: one address of To or Cc; and, once the header is known, R3, the null
 * sender and our Authentication-Results (after the trail is settled). */
void marks_take_recipient(struct facts_builder *b, const struct address *address, bool is_to);
void marks_settle(struct facts_builder *b);

/* trail.c: peer, own visits, pickup hop, R2, the connector's claim. */
void trail_settle(struct facts_builder *b);

/* Makes room for one more of count items of item_bytes in *items (moved within
 * the arena when it grows). False past max or without memory. */
bool builder_grow(struct arena *arena, void *items, size_t count, size_t *cap, size_t max,
		  size_t item_bytes);

#endif
