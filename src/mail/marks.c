/* SPDX-License-Identifier: Apache-2.0
 *
 * marks: signs that a machine re-injected a mail (incident.md 1.7: R1, R3, R6),
 * and what our own Authentication-Results say of From. A mark accuses nobody: a
 * person's reply to a re-sent copy carries the connector's address too, so the
 * stronger signs want it in To, where only the connector puts it.
 */
#include "mail/builder.h"

#include "mail/lex.h"

enum { MARK_MINTED_MS_MAX = 5000 };

static bool mark_contains(struct slice s, struct slice needle)
{
	return s.len >= needle.len && slice_find_nocase(s, 0, needle) < s.len;
}

/* "IMB Recipient 1" */
static bool mark_is_imb_name(struct slice display)
{
	uint64_t number = 0;
	struct slice prefix = SLICE("IMB Recipient ");
	return slice_starts_nocase(display, prefix) &&
	       slice_to_u64(slice_from(display, prefix.len), &number);
}

void marks_take_recipient(struct facts_builder *b, const struct address *address, bool is_to)
{
	struct slice prefix = SLICE("mspop3connector.");
	struct facts *f = &b->facts;

	if (slice_starts_nocase(address->local, prefix)) {
		f->reinject_marks |= REINJECT_POP3_PREFIX;
		if (b->connector_count < BUILDER_CONNECTORS_MAX)
			b->connectors[b->connector_count++] = (struct connector_claim){
				.user = slice_from(address->local, prefix.len),
				.domain = address->domain,
				.is_in_to = is_to,
			};
	}
	if (is_to && mark_is_imb_name(address->display))
		f->reinject_marks |= REINJECT_IMB_RECIPIENT;
	if (mark_contains(address->local, SLICE("unlisted-recipients")) ||
	    mark_contains(address->local, SLICE("no To-header on input")))
		f->reinject_marks |= REINJECT_GROUP_DEBRIS;
}

static bool mark_is_same_org(struct slice a, struct slice b)
{
	return slice_equal_nocase(domain_org(a), domain_org(b));
}

/* R3: minted by the machine that handed it on, under a name that is not From's.
 * A bare machine name cannot be compared, and Outlook writes those. */
static void mark_minted(struct facts *f)
{
	int64_t lag_ms = f->original_arrival_ms - f->ms_id.minted_ms;
	if (f->ms_id.is_present && f->original_arrival_ms && lag_ms >= 0 &&
	    lag_ms <= MARK_MINTED_MS_MAX && f->from.domain.len > 0 &&
	    memchr(f->ms_id.host.ptr ? f->ms_id.host.ptr : "", '.', f->ms_id.host.len) &&
	    !mark_is_same_org(f->ms_id.host, f->from.domain))
		f->reinject_marks |= REINJECT_MSID_MINTED;
}

static void mark_null_sender(struct facts_builder *b)
{
	const struct envelope *e = &b->facts.envelope;
	bool has_envelope = e->rcpt_count > 0 && e->mail_from.len == 0;
	if (b->has_return_path ? b->is_return_path_null : has_envelope)
		b->facts.auto_marks |= AUTO_NULL_SENDER;
}

static struct slice mark_bare_domain(struct slice s)
{
	for (size_t at = slice_find_byte(s, 0, '@'); at < s.len; at = slice_find_byte(s, 0, '@'))
		s = slice_from(s, at + 1);
	while (s.len > 0 && strchr("\"'<>.", s.ptr[0]))
		s = slice_from(s, 1);
	while (s.len > 0 && strchr("\"'<>.", s.ptr[s.len - 1]))
		s.len--;
	return s;
}

/* One method of an Authentication-Results field (RFC 8601 2.2). */
static void mark_auth_method(struct facts *f, struct slice method)
{
	static const struct {
		struct slice verdict, property;
		bool is_spf;
	} rows[] = {
		{ { "spf=pass", 8 }, { "smtp.mailfrom=", 14 }, true },
		{ { "dkim=pass", 9 }, { "header.d=", 9 }, false },
		{ { "dkim=pass", 9 }, { "header.i=", 9 }, false },
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t at = slice_find_nocase(method, 0, rows[i].property);
		if (!slice_starts_nocase(method, rows[i].verdict) || at == method.len)
			continue;
		struct slice domain = slice_from(method, at + rows[i].property.len);
		size_t len = 0;
		while (len < domain.len && !ascii_is_space(domain.ptr[len]) && domain.ptr[len] != '(')
			len++;
		domain = mark_bare_domain(slice_first(domain, len));
		if (domain.len == 0 || !mark_is_same_org(domain, f->from.domain))
			continue;
		f->is_spf_aligned |= rows[i].is_spf;
		f->is_dkim_aligned |= !rows[i].is_spf;
	}
}

/* Only fields above the hop where the mail came to us are ours: a connector keeps
 * unknown fields, and a returning copy would bring an old "pass" along. */
static void mark_auth_results(struct facts_builder *b)
{
	struct facts *f = &b->facts;
	size_t border = f->peer_hop < f->hop_count ? f->peer_hop : 0;
	if (f->from.domain.len == 0)
		return;
	for (size_t i = 0; i < b->auth_result_count; i++) {
		struct slice rest = b->auth_results[i].value, method;
		if (b->auth_results[i].above_hop > border)
			continue;
		slice_next(&rest, ';', &method); /* the authserv-id */
		while (slice_next(&rest, ';', &method))
			mark_auth_method(f, slice_trim(method));
	}
}

void marks_settle(struct facts_builder *b)
{
	mark_minted(&b->facts);
	mark_null_sender(b);
	mark_auth_results(b);
}
