/* SPDX-License-Identifier: Apache-2.0
 *
 * maillog_exim_outcome: the lines => -> >> *> == ** of Exim's main log: one recipient, the
 * way the mail took, and the answer or reason.
 */
#include "wire/maillog_exim.h"
#include "wire/maillog_reply.h"

/* A pipe, file or reply: its words may be anything, up to the address in brackets. */
static struct slice take_special(struct slice *rest, struct slice *original_out)
{
	size_t at = slice_find_byte(*rest, 0, '<');
	for (; at < rest->len; at = slice_find_byte(*rest, at + 1, '<')) {
		struct slice tail = slice_from(*rest, at), path;
		if (at == 0 || rest->ptr[at - 1] != ' ' || !maillog_take_path(&tail, &path) ||
		    (tail.len > 0 && tail.ptr[0] != ' ' && tail.ptr[0] != ':') || memchr(path.ptr, ' ', path.len))
			continue;
		struct slice written = slice_trim(slice_first(*rest, at));
		*rest = tail;
		*original_out = path;
		return slice_first(written, slice_find_nocase(written, 0, SLICE(" (")));
	}
	return exim_take_word(rest);
}

/* Takes "address (parents) <original>"; *place_out is where it went when that is no
 * address. False when the reason follows at once ("a@b: reason"). */
static bool take_target(struct slice *rest, struct slice *place_out, struct maillog_event *ev)
{
	struct slice original = { NULL, 0 }, written;
	bool is_special = rest->len > 0 && rest->ptr[0] != '\0' && strchr("|/>:", rest->ptr[0]);
	if (is_special) {
		written = take_special(rest, &original);
	} else {
		written = exim_take_word(rest);
		if (maillog_starts(*rest, SLICE(" (")))
			*rest = slice_from(*rest, slice_find_byte(*rest, 0, ')') + 1);
		struct slice tail = slice_from(*rest, 1);
		if (maillog_starts(*rest, SLICE(" <")) && maillog_take_path(&tail, &original))
			*rest = tail;
	}
	bool is_ended = !is_special && written.len > 1 && written.ptr[written.len - 1] == ':';
	written.len -= is_ended;
	is_special |= written.len > 0 && !memchr(written.ptr, '@', written.len);
	if (is_special && original.len > 0 && !slice_equal(original, SLICE("system-filter"))) {
		ev->rcpt = original;
		*place_out = written;
	} else {
		ev->rcpt = written;
		ev->orig_rcpt = original;
	}
	return !is_ended;
}

/* What an outcome's line says beside the event's own fields. */
struct exim_way {
	struct slice place;     /* where it went when that is no address */
	struct slice transport;
	bool has_way;           /* a router or transport is named */
	bool has_reason;
};

static void note_delivery(struct slice word, struct exim_way *way, struct maillog_event *ev)
{
	way->has_way |= exim_is_key(word, 'T') || exim_is_key(word, 'R');
	if (exim_is_key(word, 'T'))
		way->transport = exim_value(word);
	else if (exim_is_key(word, 'F'))
		exim_set_from(ev, exim_value(word));
	else if (exim_is_key(word, 'P') && !ev->has_from && maillog_starts(word, SLICE("P=<")))
		exim_set_from(ev, exim_value(word));
	else if (exim_is_key(word, 'C'))
		ev->text = exim_unquote(exim_value(word));
	else if (exim_is_key(word, 'S'))
		slice_to_u64(exim_value(word), &ev->size_bytes);
	else if (maillog_starts(word, SLICE("QT=")))
		ev->delay_ms = exim_duration_ms(exim_value(word));
}

/* The words up to the reason, which begins behind the first word that ends in ':' (a
 * delivery that went well has none); "defer (-1)" may stand without one. */
static void read_words(struct slice rest, bool has_reason, struct exim_way *way, struct maillog_event *ev)
{
	while (rest.len > 0) {
		struct slice word = exim_take_word(&rest);
		if (exim_is_key(word, 'H')) {
			struct exim_host host;
			exim_take_host_value(word, &rest, &host);
			ev->relay = host.relay;
			continue;
		}
		note_delivery(word, way, ev);
		if (!has_reason || word.len == 0)
			continue;
		char last = word.ptr[word.len - 1];
		way->has_reason |= last == ':' || (last == ')' && word.ptr[0] == '(');
		if (last == ':') {
			ev->text = slice_trim(rest);
			break;
		}
	}
}

/* A mailbox is named by its transport, pipes and files by themselves. */
static bool is_way(struct slice place)
{
	return place.len > 0 && (memchr("|/:", place.ptr[0], 3) || slice_equal(place, SLICE("discarded")));
}

void exim_read_delivery(struct slice rest, enum maillog_kind kind, struct maillog_event *ev)
{
	struct exim_way way = { .has_way = false };
	bool is_ended = !take_target(&rest, &way.place, ev);
	if (is_ended || maillog_starts(rest, SLICE(" mua_wrapper ")) ||
	    maillog_starts(rest, SLICE(" routing yielded "))) {
		ev->text = slice_trim(rest);
		way.has_reason = ev->text.len > 0;
	} else {
		read_words(rest, kind != MAILLOG_SENT, &way, ev);
	}
	if (ev->relay.len == 0)
		ev->relay = is_way(way.place) ? way.place : way.transport;
	if (ev->rcpt.len == 0 || !(kind == MAILLOG_SENT ? way.has_way : way.has_reason))
		return;
	ev->kind = kind;
	ev->dsn = maillog_reply_dsn(ev->text);
	if (kind == MAILLOG_SENT)
		ev->other_id = maillog_reply_id(ev->text);
}
