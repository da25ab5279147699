/* SPDX-License-Identifier: Apache-2.0
 *
 * poll_mail: one mail as it streams in: into the spool, its hashes, and to whom it is.
 *
 * Only the header is kept in memory, up to a limit. The print is a digest of the header
 * without what servers change, and of the body as it is; two mails with one print are
 * one mail.
 */
#include "fetch/poll_inner.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdalign.h>
#include <stdio.h>

bool incoming_begin(struct incoming *in)
{
	if (!in->digest_block) {
		/* The library wants 64-byte alignment. */
		in->digest_block = mem_alloc(sizeof *in->digest + 64);
		if (!in->digest_block)
			return false;
		uintptr_t at = ((uintptr_t)in->digest_block + 63) & ~(uintptr_t)63;
		in->digest = (struct digest *)(void *)((char *)in->digest_block + (at - (uintptr_t)in->digest_block));
		buf_init(&in->header, INSPECT_HEADER_BYTES_MAX);
	}
	buf_reset(&in->header);
	digest_init(in->digest, NULL, LEDGER_PRINT_BYTES);
	in->inspection = (struct inspection){ .envelope = ENVELOPE_NONE };
	in->is_header_done = in->is_header_cut = false;
	in->body_mix = 1;
	in->bytes = in->line_bytes = in->line_bytes_max = 0;
	in->last = '\n';
	in->is_8bit = in->has_bare_cr = in->has_bare_lf = false;
	return true;
}

void incoming_free(struct incoming *in)
{
	buf_free(&in->header);
	mem_free(in->digest_block);
	in->digest_block = NULL;
}

/* Which of the things that local servers stumble over are in it? */
static void incoming_scan(struct incoming *in, struct slice s)
{
	char last = in->last;
	uint64_t line = in->line_bytes;
	unsigned char any = 0;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		any |= (unsigned char)c;
		if (c == '\n') {
			in->has_bare_lf |= last != '\r';
			in->line_bytes_max = line > in->line_bytes_max ? line : in->line_bytes_max;
			line = 0;
		} else {
			in->has_bare_cr |= last == '\r';
			line++;
		}
		last = c;
	}
	in->is_8bit |= any >= 0x80;
	in->line_bytes = line;
	in->last = last;
}

static void incoming_inspect(struct incoming *in, struct poll *p, struct slice header)
{
	const struct account_settings *s = &p->seat->entry->settings;
	const struct inspect_setup setup = {
		.envelope_header = s->envelope_header,
		.isp_hosts = s->isp_hosts,
		.our_host = p->fetch->setup.host_name,
		.stamp_key = p->fetch->setup.stamp_key,
	};
	inspect_header(&setup, header, in->digest, &in->inspection);
	in->is_header_done = true;
}

static void incoming_body(struct incoming *in, struct slice bytes)
{
	digest_add(in->digest, bytes);
	in->body_mix = hash_mix(in->body_mix, bytes);
}

/* The header ends at the first empty line; CRLF, as it comes over the wire. */
static size_t header_end_in(const struct buf *header, size_t from)
{
	struct slice s = buf_slice(header);
	if (from == 0 && s.len >= 2 && s.ptr[0] == '\r' && s.ptr[1] == '\n')
		return 0;
	size_t at = slice_find_nocase(s, from > 3 ? from - 3 : 0, SLICE("\r\n\r\n"));
	return at < s.len ? at + 2 : s.len;
}

static void incoming_header(struct incoming *in, struct poll *p, struct slice bytes)
{
	size_t before = in->header.len;
	struct slice fits = slice_first(bytes, INSPECT_HEADER_BYTES_MAX - before);
	if (!buf_add(&in->header, fits))
		in->is_header_cut = true;
	size_t end = header_end_in(&in->header, before);
	if (end < in->header.len) {
		struct slice all = buf_slice(&in->header);
		incoming_inspect(in, p, slice_first(all, end));
		incoming_body(in, slice_from(all, end + 2));
		incoming_body(in, slice_from(bytes, fits.len));
	} else if (fits.len < bytes.len || in->is_header_cut) {
		in->is_header_cut = true;
		incoming_inspect(in, p, buf_slice(&in->header));
		incoming_body(in, slice_from(bytes, fits.len));
	}
}

bool incoming_add(struct incoming *in, struct poll *p, struct slice bytes, struct segment_writer *writer)
{
	in->bytes += bytes.len;
	incoming_scan(in, bytes);
	if (in->is_header_done)
		incoming_body(in, bytes);
	else
		incoming_header(in, p, bytes);
	return !writer || segment_add(writer, bytes);
}

/* Why a person must look at it; false: nothing is wrong. */
static bool incoming_is_odd(const struct incoming *in, const struct poll *p, char why[LEDGER_WHY_BYTES])
{
	const struct inspection *i = &in->inspection;
	bool may_mend = strcmp(p->fetch->setup.settings->bare_newline, "fix") == 0;
	const struct {
		bool is_so;
		const char *why;
	} rows[] = {
		{ i->is_stamped, "it came back: it bears the stamp this connector gave it, so somebody sends on what "
				 "was delivered here" },
		{ i->received >= INSPECT_RECEIVED_MAX, "100 Received fields: it goes round in a loop" },
		{ i->received_ours >= INSPECT_OURS_MAX,
		  "this host stands in 3 Received fields: it goes round in a loop" },
		{ in->is_header_cut, "its header is larger than 512 KiB" },
		{ in->line_bytes_max > POLL_LINE_BYTES_MAX, "it has a line of more than 1 MiB" },
		{ in->has_bare_cr, "it has a CR that ends no line, which servers read differently" },
		{ in->has_bare_lf && !may_mend, "it has an LF without CR, which servers read differently" },
	};
	for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
		if (rows[k].is_so) {
			snprintf(why, LEDGER_WHY_BYTES, "%s", rows[k].why);
			return true;
		}
	return false;
}

/* R1, R2: the owner, or what the map has for the one declared header. */
static const struct mailbox *incoming_mailbox(const struct incoming *in, const struct poll *p,
					      char why[LEDGER_WHY_BYTES])
{
	const struct map *map = p->seat->map;
	const char *name = p->seat->entry->settings.envelope_header;
	if (map_owner(map))
		return map_owner(map);
	if (in->inspection.envelope == ENVELOPE_NONE)
		snprintf(why, LEDGER_WHY_BYTES, "no %.60s above the first Received of a foreign host", name);
	else if (in->inspection.envelope == ENVELOPE_MANY)
		snprintf(why, LEDGER_WHY_BYTES, "%.60s does not hold exactly one address", name);
	else {
		const struct mailbox *mailbox = map_find(map, slice_from_str(in->inspection.address));
		if (mailbox)
			return mailbox;
		snprintf(why, LEDGER_WHY_BYTES, "%.100s is not in the map of this account", in->inspection.address);
	}
	return NULL;
}

void incoming_end(struct incoming *in, struct poll *p, struct ledger_row *row)
{
	if (!in->is_header_done)
		incoming_inspect(in, p, buf_slice(&in->header));
	in->has_bare_cr |= in->last == '\r';
	if (in->line_bytes > in->line_bytes_max)
		in->line_bytes_max = in->line_bytes;
	memcpy(row->top, in->inspection.top, sizeof row->top);
	digest_end(in->digest, row->print);
	snprintf(row->return_path, sizeof row->return_path, "%s", in->inspection.return_path);
	row->is_8bit = in->is_8bit;
	const struct mailbox *mailbox = incoming_mailbox(in, p, row->why);
	/* The mailbox stays known even when it waits for a person: a release needs no more. */
	if (mailbox)
		snprintf(row->mailbox, sizeof row->mailbox, "%s", mailbox_name(mailbox));
	row->state = incoming_is_odd(in, p, row->why) || !mailbox ? LEDGER_QUARANTINE : LEDGER_WAITING;
}
