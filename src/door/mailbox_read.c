/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox: one mail again, in pieces, unquoted. With the first piece the line before the
 * mail is read: when it no longer is a separator, the mailbox was changed meanwhile.
 */
#include "door/mailbox_inside.h"

#include <errno.h>

bool mailbox_is_counted(const struct mailbox_view *view, struct slice header, uint64_t body,
			struct mailbox_cut *cut_out)
{
	char near[MBOX_END_BEFORE_BYTES + MBOX_END_AFTER_BYTES];
	struct mbox_cut cut;
	uint64_t length;
	if (!mbox_content_length(header, &length) || length > INT64_MAX - body ||
	    mbox_header_bytes(header) != header.len || header.len == 0)
		return false;
	uint64_t from = body + length - MBOX_END_BEFORE_BYTES;
	int64_t got = view_read(view, from, near, sizeof near);
	if (got < MBOX_END_BEFORE_BYTES)
		return false;
	struct mbox_text t = { slice_make(near, (size_t)got), false, (size_t)got < sizeof near };
	if (!mbox_ends_at(&t, MBOX_END_BEFORE_BYTES, &cut))
		return false;
	*cut_out = (struct mailbox_cut){ from + cut.mail_end, from + cut.separator, from + cut.next };
	return true;
}

/* Was the mail cut where its Content-Length says? Then nothing in it is quoted. */
static bool read_is_counted(const struct mailbox_view *view, const struct source_place *place, struct slice text)
{
	struct mailbox_cut cut;
	return mailbox_is_counted(view, slice_first(text, place->header_bytes), place->offset + place->header_bytes,
				  &cut) &&
	       cut.mail_end == place->offset + place->bytes;
}

/* lead: what stands before the mail, as much as a separator may have. Only before an
 * empty mail, at the end of the file, the separator may lack its line end. */
static bool read_is_in_place(struct slice lead, const struct source_place *place)
{
	bool is_ended = lead.len > 0 && lead.ptr[lead.len - 1] == '\n';
	size_t begin = lead.len - is_ended;
	while (begin > 0 && lead.ptr[begin - 1] != '\n')
		begin--;
	return (is_ended || place->bytes == 0) && mbox_is_separator(slice_from(lead, begin));
}

static bool read_tell(struct mailbox *m, const struct source_place *place, const char *what)
{
	mailbox_tell_file(m, place->file, "at byte %llu: %s; this mail is left out",
			  (unsigned long long)place->offset, what);
	return false;
}

bool mailbox_read(void *ctx, unsigned worker, const struct source_place *place, source_bytes_fn *fn,
		  void *fn_ctx)
{
	struct mailbox *m = ctx;
	struct mailbox_worker *w = &m->workers[worker];
	enum mailbox_kind kind = m->files[place->file].kind;
	struct mbox_unquote unquote = { 0 };
	struct mailbox_view view;
	bool is_plain = kind == MAILBOX_MAIL;
	size_t lead = is_plain ? 0 : MBOX_LINE_BYTES_MAX;
	uint64_t done = 0;

	if (!mailbox_view(m, w, place->file, &w->again, &view))
		return false;
	lead = place->offset < lead ? (size_t)place->offset : lead;
	for (bool is_first = true; is_first || done < place->bytes; is_first = false) {
		size_t want = place->bytes - done < MAILBOX_PIECE_BYTES ? (size_t)(place->bytes - done) :
									  MAILBOX_PIECE_BYTES;
		int64_t got = view_read(&view, place->offset + done - lead, w->piece, lead + want);
		if (got < 0)
			return read_tell(m, place, strerror(errno));
		struct slice text = slice_from(slice_make(w->piece, (size_t)got), lead);
		if ((size_t)got < lead + want || (lead > 0 && !read_is_in_place(slice_make(w->piece, lead), place)))
			return read_tell(m, place, "the mailbox was changed while we read");
		is_plain |= is_first && kind == MAILBOX_MBOX_COUNTS && read_is_counted(&view, place, text);
		if (is_plain && want > 0)
			fn(fn_ctx, text);
		else
			mbox_unquote_feed(&unquote, text, fn, fn_ctx);
		done += want;
		lead = 0;
	}
	mbox_unquote_end(&unquote, fn, fn_ctx);
	return true;
}
