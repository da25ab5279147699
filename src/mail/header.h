/* SPDX-License-Identifier: Apache-2.0
 *
 * header: a streaming splitter of header sections (RFC 5322 2.2) into fields.
 *
 * Bytes go in as they come, cut anywhere; fields come out in order, folding
 * kept. Lines end with LF or CRLF; a CR elsewhere is a byte like any other. A
 * line that is no field (no colon, a blank inside the name, "From " of an mbox)
 * is handed to on_debris and skipped, never an error. A field that lies whole in
 * one chunk is not copied. A field past the limit is cut and says so.
 */
#ifndef QUELL_MAIL_HEADER_H
#define QUELL_MAIL_HEADER_H

#include "base/arena.h"
#include "base/slice.h"

struct header_hooks {
	/* value: after the colon, without the last line end. The slices live only
	 * for the call. */
	void (*on_field)(void *user, struct slice name, struct slice value);
	void (*on_debris)(void *user, struct slice lines); /* may be NULL */
	/* A whole line beginning with "--", without its line end: true ends the
	 * header there (a MIME boundary in a header without end). May be NULL. */
	bool (*on_dashes)(void *user, struct slice line);
	void *user;
};

struct header_splitter {
	const struct header_hooks *hooks;
	struct arena *arena;
	size_t field_bytes_max;
	char *kept;           /* of the pending field: what earlier chunks held */
	size_t kept_len, kept_cap;
	size_t line_from;     /* in kept: where the unfinished line begins */
	size_t line_len;      /* bytes seen of the unfinished line; 0: at a line start */
	bool is_line_cut;     /* the unfinished line did not fit into kept */
	bool is_line_cr;      /* the unfinished line is a lone CR */
	bool is_done;         /* the empty line was seen */
	bool is_stopped;      /* on_dashes ended it */
	bool is_out_of_memory;
};

/* field_bytes_max: of one field, name and folding included; what is past it is
 * dropped. The buffer for split fields comes from arena and is kept by the
 * splitter for header_restart. */
void header_begin(struct header_splitter *h, struct arena *arena, size_t field_bytes_max,
		  const struct header_hooks *hooks);
/* Ready for the next header section; keeps the buffer. */
void header_restart(struct header_splitter *h);
/* Returns the bytes used: all of them, or fewer when the header ended (is_done
 * or is_stopped) inside the chunk; the rest is the body's. */
size_t header_feed(struct header_splitter *h, struct slice chunk);
/* The input ended: gives out the last field. */
void header_end(struct header_splitter *h);

#endif
