/* SPDX-License-Identifier: Apache-2.0
 *
 * fields: what each header field adds to the facts, as one table of rows. Of a
 * field that ought to stand once the topmost counts, as mail readers show it;
 * lists and connectors put their own copies below. (Content-Type and -Encoding: the
 * lowest, as GMime has it.)
 */
#include "mail/builder.h"

#include "mail/date.h"
#include "mail/lex.h"
#include "mail/msid.h"
#include "mail/rfc2047.h"

static struct slice field_unfold(struct facts_builder *b, struct slice value)
{
	return text_slice(lex_unfold(b->arena, value));
}

static struct address field_address(struct facts_builder *b, struct slice value)
{
	struct address_reader r;
	struct address address = { .local = { NULL, 0 } };
	address_begin(&r, lex_unfold(b->arena, value));
	if (address_next(&r, &address) && address.display.len > 0)
		address.display = rfc2047_decode(b->arena, address.display);
	return address;
}

static void field_from(struct facts_builder *b, struct slice value)
{
	b->facts.from = field_address(b, value);
}

static void field_reply_to(struct facts_builder *b, struct slice value)
{
	b->facts.reply_to = field_address(b, value);
}

static void field_sender(struct facts_builder *b, struct slice value)
{
	b->facts.sender = field_address(b, value);
}

static void field_audience(struct facts_builder *b, struct slice value, bool is_to)
{
	struct address_reader r;
	struct address address;
	struct facts *f = &b->facts;

	address_begin(&r, lex_unfold(b->arena, value));
	while (address_next(&r, &address)) {
		f->audience_total++;
		struct slice display = address.display;
		if (display.len > 1 && memmem(display.ptr, display.len, "=?", 2))
			address.display = rfc2047_decode(b->arena, address.display);
		marks_take_recipient(b, &address, is_to);
		if (builder_grow(b->arena, &b->audience, f->audience_count, &b->audience_cap,
				 FACTS_AUDIENCE_MAX, sizeof *b->audience))
			b->audience[f->audience_count++] = address;
	}
	f->audience = b->audience;
}

static void field_to(struct facts_builder *b, struct slice value)
{
	field_audience(b, value, true);
}

static void field_cc(struct facts_builder *b, struct slice value)
{
	field_audience(b, value, false);
}

static void field_subject(struct facts_builder *b, struct slice value)
{
	b->facts.subject = rfc2047_decode(b->arena, field_unfold(b, value));
}

static void field_date(struct facts_builder *b, struct slice value)
{
	b->facts.date = field_unfold(b, value);
	date_parse(b->facts.date, &b->facts.date_ms);
}

/* An id, or the whole value where a machine wrote no brackets. */
static struct slice field_id(struct facts_builder *b, struct slice value)
{
	struct slice text = field_unfold(b, value);
	struct slice id = lex_message_id(text, NULL);
	return id.len > 0 ? id : text;
}

static void field_message_id(struct facts_builder *b, struct slice value)
{
	b->facts.message_id = field_id(b, value);
	b->facts.ms_id = msid_parse(b->facts.message_id);
}

static void field_resent_message_id(struct facts_builder *b, struct slice value)
{
	b->facts.resent_message_id = field_id(b, value);
}

static void field_in_reply_to(struct facts_builder *b, struct slice value)
{
	b->facts.in_reply_to = lex_message_id(field_unfold(b, value), NULL);
}

static void field_references(struct facts_builder *b, struct slice value)
{
	struct slice rest = field_unfold(b, value);
	for (;;) {
		struct slice id = lex_message_id(rest, &rest);
		if (id.len == 0 && rest.len == 0)
			return;
		if (id.len == 0)
			continue;
		if (b->facts.thread_root.len == 0)
			b->facts.thread_root = id;
		b->facts.references_last = id;
	}
}

static void field_received(struct facts_builder *b, struct slice value)
{
	struct facts *f = &b->facts;
	f->hop_total++;
	if (b->setup->is_glance && f->hop_count > 0 && b->hops[f->hop_count - 1].by.len > 0)
		return;
	if (!builder_grow(b->arena, &b->hops, f->hop_count, &b->hop_cap, FACTS_HOPS_MAX,
			  sizeof *b->hops))
		return;
	received_parse(b->arena, value, &b->hops[f->hop_count++]);
	f->hops = b->hops;
}

static void field_list_id(struct facts_builder *b, struct slice value)
{
	struct text text = lex_unfold(b->arena, value);
	struct slice id = text_slice(text);
	lex_lower(text.ptr, text.len);
	size_t open;
	while ((open = slice_find_byte(id, 0, '<')) < id.len)
		id = slice_from(id, open + 1);
	b->facts.list_id = slice_trim(slice_first(id, slice_find_byte(id, 0, '>')));
	b->facts.auto_marks |= AUTO_LIST;
}

static void field_old_list_id(struct facts_builder *b, struct slice value)
{
	struct text text = lex_unfold(b->arena, value);
	lex_lower(text.ptr, text.len);
	if (b->old_list_id.len == 0)
		b->old_list_id = text_slice(text);
	b->facts.auto_marks |= AUTO_LIST;
}

static void field_mailing_list(struct facts_builder *b, struct slice value)
{
	(void)value;
	b->facts.auto_marks |= AUTO_LIST;
}

static struct slice field_first_word(struct slice value)
{
	value = slice_from(value, lex_skip_cfws(value, 0));
	size_t len = 0;
	while (len < value.len && !strchr(" \t\r\n;(", value.ptr[len]))
		len++;
	return slice_first(value, len);
}

static void field_precedence(struct facts_builder *b, struct slice value)
{
	static const char *const robots[] = { "bulk", "junk", "list", "auto_reply" };
	struct slice word = field_first_word(value);
	for (size_t i = 0; i < sizeof robots / sizeof robots[0]; i++)
		if (slice_equal_nocase(word, slice_from_str(robots[i])))
			b->facts.auto_marks |= AUTO_PRECEDENCE;
}

static void field_auto_submitted(struct facts_builder *b, struct slice value)
{
	struct slice word = field_first_word(value);
	if (word.len > 0 && !slice_equal_nocase(word, SLICE("no")))
		b->facts.auto_marks |= AUTO_SUBMITTED;
}

static void field_suppress(struct facts_builder *b, struct slice value)
{
	if (!slice_equal_nocase(field_first_word(value), SLICE("none")))
		b->facts.auto_marks |= AUTO_SUPPRESS;
}

static void field_x_loop(struct facts_builder *b, struct slice value)
{
	(void)value;
	b->facts.auto_marks |= AUTO_X_LOOP;
}

static void field_feedback_id(struct facts_builder *b, struct slice value)
{
	(void)value;
	b->facts.auto_marks |= AUTO_FEEDBACK_ID;
}

static void field_return_path(struct facts_builder *b, struct slice value)
{
	value = slice_trim(value);
	b->has_return_path = true;
	b->is_return_path_null = slice_equal(value, SLICE("<>"));
}

static void field_thread_index(struct facts_builder *b, struct slice value)
{
	b->facts.thread_index = field_unfold(b, value);
}

static void field_content_type(struct facts_builder *b, struct slice value)
{
	b->has_ctype = ctype_parse(value, &b->ctype);
	b->facts.mime_boundary =
		arena_copy(b->arena, slice_make(b->ctype.boundary, b->ctype.boundary_len));
	if (ctype_is(&b->ctype, SLICE("multipart")) &&
	    slice_equal(ctype_subtype(&b->ctype), SLICE("report")))
		b->facts.auto_marks |= AUTO_REPORT;
}

static void field_content_encoding(struct facts_builder *b, struct slice value)
{
	b->encoding = encoding_parse(value);
}

/* The b= of a signature, without the white space that folding put in. */
static void field_signature(struct facts_builder *b, struct slice value)
{
	if (b->facts.dkim_b.len > 0)
		return;
	for (struct slice tag, rest = value; slice_next(&rest, ';', &tag);) {
		tag = slice_trim(tag);
		size_t equals = slice_find_byte(tag, 0, '=');
		if (!slice_equal(slice_trim(slice_first(tag, equals)), SLICE("b")))
			continue;
		struct text text = lex_unfold(b->arena, slice_from(tag, equals + 1));
		size_t len = 0;
		for (size_t i = 0; i < text.len; i++)
			if (!ascii_is_space(text.ptr[i]))
				text.ptr[len++] = text.ptr[i];
		b->facts.dkim_b = slice_make(text.ptr, len);
		return;
	}
}

static void field_delivered_to(struct facts_builder *b, struct slice value)
{
	struct facts *f = &b->facts;
	struct slice text = field_unfold(b, value);
	struct slice id = lex_message_id(text, NULL);
	if (builder_grow(b->arena, &b->delivered_to, f->delivered_to_count, &b->delivered_cap,
			 BUILDER_DELIVERED_MAX, sizeof *b->delivered_to))
		b->delivered_to[f->delivered_to_count++] = id.len > 0 ? id : text;
	f->delivered_to = b->delivered_to;
}

static void field_original_arrival(struct facts_builder *b, struct slice value)
{
	b->facts.original_arrival_ms = msid_original_arrival(value);
}

static void field_stamp(struct facts_builder *b, struct slice value)
{
	struct facts *f = &b->facts;
	if (f->stamp_total++ >= FACTS_STAMPS_MAX)
		return;
	f->stamps[f->stamp_count++] = (struct raw_stamp){ field_unfold(b, value), f->hop_count };
}

static void field_auth_results(struct facts_builder *b, struct slice value)
{
	struct slice id = field_first_word(value);
	if (b->setup->authserv_id.len == 0 || !slice_equal_nocase(id, b->setup->authserv_id) ||
	    b->auth_result_count == BUILDER_AUTH_RESULTS_MAX)
		return;
	b->auth_results[b->auth_result_count++] =
		(struct auth_results){ field_unfold(b, value), b->facts.hop_count };
}

enum field_flags {
	FIELD_ONCE = 1,    /* the topmost counts */
	FIELD_CONTENT = 2, /* in the fingerprint: must not be cut */
	FIELD_DEEP = 4,    /* not needed at a glance */
};

static const struct field_row {
	struct slice name;
	void (*take)(struct facts_builder *b, struct slice value);
	unsigned flags;
} field_rows[] = {
#define ROW(name, take, flags) { { name, sizeof name - 1 }, take, flags }
	ROW("Received", field_received, 0),
	ROW("From", field_from, FIELD_ONCE | FIELD_CONTENT),
	ROW("To", field_to, 0),
	ROW("Cc", field_cc, 0),
	ROW("Subject", field_subject, FIELD_ONCE | FIELD_CONTENT),
	ROW("Date", field_date, FIELD_ONCE),
	ROW("Message-ID", field_message_id, FIELD_ONCE),
	ROW("In-Reply-To", field_in_reply_to, FIELD_ONCE | FIELD_CONTENT),
	ROW("References", field_references, FIELD_ONCE),
	ROW("Reply-To", field_reply_to, FIELD_ONCE | FIELD_CONTENT),
	ROW("Sender", field_sender, FIELD_ONCE),
	ROW("Return-Path", field_return_path, FIELD_ONCE),
	ROW("Content-Type", field_content_type, 0),
	ROW("Content-Transfer-Encoding", field_content_encoding, 0),
	ROW("DKIM-Signature", field_signature, FIELD_DEEP),
	ROW("DomainKey-Signature", field_signature, FIELD_DEEP),
	ROW("Delivered-To", field_delivered_to, 0),
	ROW("X-Original-To", field_delivered_to, 0),
	ROW("Envelope-To", field_delivered_to, 0),
	ROW("Resent-Message-ID", field_resent_message_id, FIELD_ONCE),
	ROW("Thread-Index", field_thread_index, FIELD_ONCE | FIELD_DEEP),
	ROW("X-OriginalArrivalTime", field_original_arrival, FIELD_ONCE | FIELD_DEEP),
	ROW("X-Quell-Trace", field_stamp, FIELD_DEEP),
	ROW("Authentication-Results", field_auth_results, FIELD_DEEP),
	ROW("List-Id", field_list_id, FIELD_ONCE),
	ROW("X-list", field_old_list_id, 0),
	ROW("X-Mailing-List", field_old_list_id, 0),
	ROW("Mailing-List", field_mailing_list, 0),
	ROW("Precedence", field_precedence, 0),
	ROW("Auto-Submitted", field_auto_submitted, 0),
	ROW("X-Auto-Response-Suppress", field_suppress, 0),
	ROW("X-Loop", field_x_loop, 0),
	ROW("Feedback-ID", field_feedback_id, 0),
#undef ROW
};

_Static_assert(sizeof field_rows / sizeof field_rows[0] <= 64, "seen_rows has 64 bits");

void fields_take(struct facts_builder *b, struct slice name, struct slice value)
{
	bool is_cut = value.len > FACTS_HEADER_FIELD_BYTES_MAX;
	value = slice_first(value, FACTS_HEADER_FIELD_BYTES_MAX);
	for (size_t i = 0; i < sizeof field_rows / sizeof field_rows[0]; i++) {
		const struct field_row *row = &field_rows[i];
		if (name.len != row->name.len || !slice_equal_nocase(name, row->name))
			continue;
		if (b->setup->is_glance && (row->flags & FIELD_DEEP))
			return;
		bool is_again = b->seen_rows >> i & 1;
		b->seen_rows |= UINT64_C(1) << i;
		if (is_again && (row->flags & FIELD_ONCE))
			return;
		if (is_cut && (row->flags & FIELD_CONTENT))
			b->is_content_cut = true;
		row->take(b, value);
		return;
	}
	if (slice_starts_nocase(name, SLICE("List-")))
		b->facts.auto_marks |= AUTO_LIST;
}
