/* SPDX-License-Identifier: Apache-2.0
 *
 * inspect: one walk over the fields, from the top.
 *
 * Trust ends at the first Received that none of the ISP's declared hosts wrote: what
 * stands below may come from the sender (R2).
 */
#include "fetch/inspect.h"

#include "fetch/account.h"
#include "mail/header.h"
#include "mail/received.h"

#include <stdio.h>

/* A field is never cut: what is cut off would be missing in the print. */
enum {
	INSPECT_ARENA_BYTES = 4 * INSPECT_HEADER_BYTES_MAX, INSPECT_FIELD_BYTES_MAX = INSPECT_HEADER_BYTES_MAX,
	INSPECT_LOCAL_BYTES_MAX = 64, INSPECT_DOMAIN_BYTES_MAX = 255,
};

struct walk {
	const struct inspect_setup *setup;
	struct inspection *out;
	struct arena arena;
	bool is_below;          /* past the last line we can trust */
	bool has_return_path;
	struct digest *digest;
};

/* What servers and clients of one mailbox add and change between two looks. */
static const char *const volatile_names[] = {
	"Status", "X-Status", "X-UIDL", "X-UID", "X-IMAP", "X-IMAPbase", "X-Keywords", "X-Mozilla-Status",
	"X-Mozilla-Status2", "Content-Length", "Lines",
};

static bool is_volatile(struct slice name)
{
	for (size_t i = 0; i < sizeof volatile_names / sizeof volatile_names[0]; i++)
		if (slice_equal_nocase(name, slice_from_str(volatile_names[i])))
			return true;
	return false;
}

/* Words of letters, digits and the bytes of also, with single dots between them. */
static bool is_dotted(struct slice s, const char *also)
{
	bool is_at_dot = true;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool is_word = ascii_is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
			       (c != '\0' && strchr(also, c));
		if (c == '.' ? is_at_dot : !is_word)
			return false;
		is_at_dot = c == '.';
	}
	return !is_at_dot;
}

/* What MAIL FROM can say to any server: no quotes, no routes, no bytes past ASCII. */
static bool is_plain_path(struct slice s)
{
	size_t at = slice_find_byte(s, 0, '@');
	struct slice local = slice_first(s, at), domain = slice_from(s, at + 1);
	return at < s.len && local.len <= INSPECT_LOCAL_BYTES_MAX && domain.len <= INSPECT_DOMAIN_BYTES_MAX &&
	       is_dotted(local, "!#$%&'*+-/=?^_`{|}~") && is_dotted(domain, "-_");
}

/* The one address of a field: bare or between < and >. */
static bool take_address(struct slice value, bool (*is_fine)(struct slice s), char out[LEDGER_PATH_BYTES])
{
	struct slice s = slice_trim(value);
	if (s.len >= 2 && s.ptr[0] == '<' && s.ptr[s.len - 1] == '>')
		s = slice_trim(slice_between(s, 1, s.len - 1));
	if (!is_fine(s) || s.len >= LEDGER_PATH_BYTES)
		return false;
	memcpy(out, s.ptr, s.len);
	out[s.len] = '\0';
	return true;
}

static bool is_listed(const struct setting_list *list, struct slice host)
{
	for (size_t i = 0; i < list->count; i++)
		if (slice_equal_nocase(host, slice_from_str(list->items[i])))
			return true;
	return false;
}

static void walk_received(struct walk *w, struct slice value)
{
	struct hop hop;
	w->out->received++;
	received_parse(&w->arena, value, &hop);
	bool is_ours = w->setup->our_host[0] && slice_equal_nocase(hop.by, slice_from_str(w->setup->our_host));
	w->out->received_ours += is_ours;
	if (!is_listed(&w->setup->isp_hosts, hop.by))
		w->is_below = true;
}

static void walk_envelope(struct walk *w, struct slice value)
{
	/* The topmost counts; what a sender wrote sits lower. */
	if (w->is_below || w->out->envelope != ENVELOPE_NONE)
		return;
	w->out->envelope = take_address(value, account_address_is_fine, w->out->address) ? ENVELOPE_ONE : ENVELOPE_MANY;
}

/* The topmost; one that is no plain address is the null sender (hazard 36). */
static void walk_return_path(struct walk *w, struct slice value)
{
	w->has_return_path = true;
	if (!take_address(value, is_plain_path, w->out->return_path))
		w->out->return_path[0] = '\0';
}

static void on_field(void *user, struct slice name, struct slice value)
{
	struct walk *w = user;
	if (!is_volatile(name)) {
		digest_add_field(w->digest, name);
		digest_add_field(w->digest, slice_trim(value));
	}
	if (slice_equal_nocase(name, SLICE("Received")))
		walk_received(w, value);
	else if (slice_equal_nocase(name, SLICE("X-Quell-Fetch")))
		w->out->is_stamped |= stamp_is_ours(w->setup->stamp_key, value);
	else if (slice_equal_nocase(name, SLICE("To")) || slice_equal_nocase(name, SLICE("Cc")))
		w->out->is_marked |= slice_find_nocase(value, 0, SLICE("mspop3connector.")) < value.len ||
				     slice_find_nocase(value, 0, SLICE("IMB Recipient ")) < value.len;
	else if (slice_equal_nocase(name, SLICE("Return-Path")) && !w->has_return_path)
		walk_return_path(w, value);
	if (w->setup->envelope_header[0] && slice_equal_nocase(name, slice_from_str(w->setup->envelope_header)))
		walk_envelope(w, value);
}

/* Lines that are no field are part of the mail too; but "From " is what mailbox files add. */
static void on_debris(void *user, struct slice lines)
{
	struct walk *w = user;
	if (!slice_equal(slice_first(lines, 5), SLICE("From ")))
		digest_add_field(w->digest, lines);
}

void inspect_header(const struct inspect_setup *setup, struct slice header, struct digest *digest,
		    struct inspection *inspection_out)
{
	struct walk w = { .setup = setup, .out = inspection_out, .digest = digest };
	const struct header_hooks hooks = { .on_field = on_field, .on_debris = on_debris, .user = &w };
	struct header_splitter splitter;
	uint8_t full[DIGEST_BYTES];
	*inspection_out = (struct inspection){ .envelope = ENVELOPE_NONE };
	arena_init(&w.arena, INSPECT_ARENA_BYTES);
	header_begin(&splitter, &w.arena, INSPECT_FIELD_BYTES_MAX, &hooks);
	size_t used = header_feed(&splitter, header);
	header_end(&splitter);
	struct digest top = *digest;
	digest_end(&top, full);
	memcpy(inspection_out->top, full, sizeof inspection_out->top);
	/* An empty line with a bare LF ended it sooner: the rest is body, and in the print. */
	digest_add(digest, slice_from(header, used));
	arena_free(&w.arena);
}

static void stamp_key_hex(const uint8_t *key, struct slice signed_part, char out[2 * HMAC_BYTES + 1])
{
	uint8_t mac[HMAC_BYTES];
	hash_hmac96(key, signed_part, mac);
	hash_to_hex(mac, sizeof mac, out);
}

void stamp_search(const char *instance, const struct ledger_row *row, char out[STAMP_BYTES])
{
	snprintf(out, STAMP_BYTES, "i=%.64s; a=%.32s; n=%lld;", instance, row->account, (long long)row->id);
}

void stamp_make(const uint8_t *key, const char *instance, const struct ledger_row *row, char out[STAMP_BYTES])
{
	char hex[17], mac[2 * HMAC_BYTES + 1];
	hash_to_hex(row->print, 8, hex);
	stamp_search(instance, row, out);
	size_t n = strlen(out);
	n += (size_t)snprintf(out + n, STAMP_BYTES - n, " f=%s", hex);
	stamp_key_hex(key, slice_make(out, n), mac);
	snprintf(out + n, STAMP_BYTES - n, "; k=%s", mac);
}

/* Servers fold long lines anew; each run of white space was one blank when we wrote it. */
static struct slice stamp_unfold(struct slice value, char room[STAMP_BYTES])
{
	size_t len = 0;
	value = slice_trim(value);
	for (size_t i = 0; i < value.len && len < STAMP_BYTES; i++) {
		bool is_space = ascii_is_space(value.ptr[i]);
		if (!is_space || room[len - 1] != ' ')
			room[len++] = is_space ? ' ' : value.ptr[i];
	}
	return slice_make(room, len);
}

bool stamp_is_ours(const uint8_t *key, struct slice value)
{
	char mac[2 * HMAC_BYTES + 1], room[STAMP_BYTES];
	struct slice s = stamp_unfold(value, room);
	size_t at = slice_find_nocase(s, 0, SLICE("; k="));
	struct slice given = slice_from(s, at + 4);
	if (at == s.len || given.len != sizeof mac - 1)
		return false;
	stamp_key_hex(key, slice_first(s, at), mac);
	return hash_is_equal((const uint8_t *)given.ptr, (const uint8_t *)mac, sizeof mac - 1);
}
