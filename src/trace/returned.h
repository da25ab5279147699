/* SPDX-License-Identifier: Apache-2.0
 *
 * returned: what a bounce tells of a loop: the server that counted too many hops, in
 * the words of whoever wrote the bounce, and the Received lines of the mail that came
 * back. Fed with the raw mail; looks at the first RETURNED_BYTES_MAX bytes of its body.
 * All of it is hearsay: it makes suspects, never guilty. (RFC 3463 X.4.6; what mail
 * servers write is in returned.c.)
 */
#ifndef QUELL_TRACE_RETURNED_H
#define QUELL_TRACE_RETURNED_H

#include "trace/trace.h"

enum {
	RETURNED_BYTES_MAX = 256 * 1024,
	RETURNED_LINE_BYTES = 1024,
	RETURNED_HOPS_MAX = 50,
	RETURNED_FIELD_BYTES = 512,
	RETURNED_NAME_BYTES = 128,
	RETURNED_PARAGRAPH_BYTES = 2048,
};

struct returned {
	size_t bytes;                /* of the mail seen so far */
	bool is_body, is_in_field;   /* behind the header; a Received line goes on */
	size_t line_len;
	char line[RETURNED_LINE_BYTES];
	size_t paragraph_len;
	char paragraph[RETURNED_PARAGRAPH_BYTES]; /* lines since the last empty one, in lower case */
	bool is_loop;
	char words[RETURNED_NAME_BYTES];  /* the line that said so */
	char host[RETURNED_NAME_BYTES];   /* that refused; "" when it is not named */
	char remote[RETURNED_NAME_BYTES]; /* Remote-MTA or Reporting-MTA */
	unsigned hop_count;
	char hops[RETURNED_HOPS_MAX][RETURNED_FIELD_BYTES]; /* Received values, unfolded */
};

void returned_begin(struct returned *returned);
void returned_feed(struct returned *returned, struct slice bytes);
/* Did it tell of a loop? Then fills *out as an incident of class STORM_LOOP, named after
 * the host that refused, so that all bounces of one loop are one incident. */
bool returned_loop(struct returned *returned, const struct trace_setup *setup, const struct facts *facts,
		   struct slice recipient, const char *place, struct trace_incident *out);

#endif
