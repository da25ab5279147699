/* SPDX-License-Identifier: Apache-2.0
 *
 * incident_text: an incident's name, and its story in words for a person.
 *
 * Everything that came from a mail goes through log_quote first, so that no
 * escape sequence reaches a terminal; long values are cut, lines are folded at
 * 78 columns. The text says what is certain and what is only claimed.
 */
#include "storm/incident.h"

#include "base/clock.h"
#include "base/log.h"
#include "storm/culprit.h"

#include <inttypes.h>
#include <stdio.h>

enum { LINE_COLUMNS = 78, INDENT_COLUMNS = 2 };

void incident_id(enum storm_class cls, const uint8_t content_public[DIGEST_BYTES],
		 char out[INCIDENT_ID_BYTES])
{
	static const char letters[] = "NLDAPBR"; /* by enum storm_class */
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	uint64_t bits = 0;
	for (int i = 0; i < 8; i++)
		bits = bits << 8 | content_public[i];
	out[0] = (unsigned)cls < sizeof letters - 1 ? letters[cls] : 'N';
	for (int i = 1; i <= 12; i++) {
		out[i] = digits[bits >> 59];
		bits <<= 5;
	}
	out[13] = '\0';
}

void incident_topic(enum storm_class cls, struct slice a, struct slice b, uint8_t out[DIGEST_BYTES])
{
	struct digest d;
	digest_init(&d, NULL, DIGEST_BYTES);
	digest_add_field(&d, slice_from_str(storm_class_name(cls)));
	digest_add_field(&d, a);
	digest_add_field(&d, b);
	digest_end(&d, out);
}

/* Adds text, folded between words; lines after the first are indented. */
static void add_folded(struct buf *out, size_t indent, const char *text)
{
	size_t column = 0;
	struct slice rest = slice_from_str(text), word;
	while (slice_next(&rest, ' ', &word)) {
		while (word.len > 0) {
			size_t room = LINE_COLUMNS - indent;
			struct slice piece = slice_first(word, room);
			if (column > 0 && column + 1 + piece.len > LINE_COLUMNS) {
				buf_add_byte(out, '\n');
				column = 0;
			}
			if (column == 0)
				for (; column < indent; column++)
					buf_add_byte(out, ' ');
			else
				column += buf_add_byte(out, ' ');
			buf_add(out, piece);
			column += piece.len;
			word = slice_from(word, piece.len);
		}
	}
	buf_add_byte(out, '\n');
}

static __attribute__((format(printf, 3, 4))) void add_line(struct buf *out, size_t indent,
							    const char *format, ...)
{
	char text[1024];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	add_folded(out, indent, text);
}

static const char *quote(const char *text, char out[LOG_QUOTE_BYTES])
{
	return log_quote(slice_from_str(text), out, LOG_QUOTE_BYTES);
}

static bool is_of_many(enum storm_class cls)
{
	return cls == STORM_REPLY_ALL || cls == STORM_PING_PONG || cls == STORM_BOUNCE;
}

static void explain_copies(const struct incident *inc, const char *first, const char *last, struct buf *out)
{
	char subject[LOG_QUOTE_BYTES], from[LOG_QUOTE_BYTES];
	add_line(out, 0, "The mail: %s, from %s (the visible author, who is not blamed).",
		 quote(inc->subject, subject), quote(inc->from, from));
	add_line(out, 0, "Seen from %s to %s: %" PRIu64 " mails with this content, for %u recipients; "
		 "%" PRIu64 " deliveries were surplus (the server had already taken the same mail over "
		 "for the same recipient).", first, last, inc->copies, inc->recipients, inc->surplus);
	add_line(out, 0, "Quell let %" PRIu64 " of the surplus pass, held %" PRIu64
		 " and suppressed %" PRIu64 "; all that was withheld is kept and can be released.",
		 inc->passed, inc->held, inc->suppressed);
}

/* A storm of many different mails: nobody's copy, and nobody's guilt. */
static void explain_many(const struct incident *inc, const char *first, const char *last, struct buf *out)
{
	char subject[LOG_QUOTE_BYTES], from[LOG_QUOTE_BYTES];
	add_line(out, 0, "One of its mails: %s, from %s.", quote(inc->subject, subject), quote(inc->from, from));
	add_line(out, 0, "Seen from %s to %s: %" PRIu64 " different mails, for %u recipients.", first, last,
			inc->copies,
		 inc->recipients);
	add_line(out, 0, "Quell asked %" PRIu64 " times that one comes again later, and held %" PRIu64
		 "; what is held goes out by itself, at a pace. Nothing is lost, and nobody is blamed.",
		 inc->deferred, inc->held);
}

static void explain_head(const struct incident *inc, struct buf *out)
{
	char first[32], last[32], subject[LOG_QUOTE_BYTES];
	clock_rfc3339(inc->first_ms, first, sizeof first);
	clock_rfc3339(inc->last_ms, last, sizeof last);
	add_line(out, 0, "Incident %s: %s, %s", inc->id, storm_class_name(inc->cls),
		 breaker_name(inc->state));
	if (is_of_many(inc->cls))
		explain_many(inc, first, last, out);
	else
		explain_copies(inc, first, last, out);
	if (inc->opener[0] != '\0')
		add_line(out, 0, "Why it %s: %s.", inc->state >= BREAKER_OPEN || !is_of_many(inc->cls) ? "was stopped"
											       : "is told",
													inc->opener);
	for (unsigned i = 0; i < inc->message_id_count; i++)
		add_line(out, INDENT_COLUMNS, "Message-ID %s", quote(inc->message_ids[i], subject));
}

static const char *role_text(enum party_role role)
{
	switch (role) {
	case PARTY_GUILTY: return "makes the copies";
	case PARTY_SUSPECT: return "is suspected of making copies";
	case PARTY_FORWARDER: return "gives on one copy for each it gets, by its owner's wish";
	case PARTY_ENTRY: break;
	}
	return "handed copies to us; what is behind it is not known";
}

static void explain_party(const struct party *p, struct buf *out)
{
	char host[LOG_QUOTE_BYTES], domain[LOG_QUOTE_BYTES], ip[IP_TEXT_BYTES];
	buf_add_byte(out, '\n');
	bool is_attested = culprit_is_same_org(slice_from_str(p->host), slice_from_str(p->domain));
	quote(p->domain, domain);
	add_line(out, 0, "%s%s%s%s %s.", p->host[0] ? quote(p->host, host) : "A server",
		 !p->domain[0] ? "" : is_attested ? " (" : ", which calls itself ",
		 p->domain[0] ? domain : "", !p->domain[0] ? "" : is_attested ? ")" : ",",
		 role_text(p->role));
	for (unsigned i = 0; i < p->address_count; i++)
		add_line(out, INDENT_COLUMNS, "address %s", ip_text(p->addresses[i], ip));
	add_line(out, INDENT_COLUMNS, "%" PRIu64 " copies, %" PRIu64 " surplus deliveries", p->copies,
		 p->surplus);
	if (p->role != PARTY_ENTRY)
		add_line(out, INDENT_COLUMNS, "blamed %u times, confidence %.3f", p->blame, p->confidence);
	if (p->period_ms > 0)
		add_line(out, INDENT_COLUMNS, "sends about every %" PRId64 " s",
			 p->period_ms / CLOCK_SECOND_MS);
	if (p->product[0] != '\0')
		add_line(out, INDENT_COLUMNS, "product: %s", quote(p->product, host));
	for (unsigned i = 0; i < p->evidence_count; i++)
		add_line(out, INDENT_COLUMNS, "evidence: %s", p->evidence[i]);
	for (unsigned i = 0; i < p->claim_count; i++)
		add_line(out, INDENT_COLUMNS, "says of itself: %s", p->claims[i]);
}

/* Whatever way they came here, no control byte gets out. */
static void disarm(struct buf *out, size_t from)
{
	for (size_t i = from; i < out->len; i++) {
		unsigned char c = (unsigned char)out->ptr[i];
		if ((c < 0x20 && c != '\n') || c >= 0x7f)
			out->ptr[i] = '?';
	}
}

bool incident_explain(const struct incident *incident, struct buf *out)
{
	size_t from = out->len;
	explain_head(incident, out);
	for (int role = PARTY_GUILTY; role >= PARTY_ENTRY; role--)
		for (unsigned i = 0; i < incident->party_count; i++)
			if ((int)incident->parties[i].role == role)
				explain_party(&incident->parties[i], out);
	if (incident->parties_forgotten > 0)
		add_line(out, 0, "%u more servers are not shown.", incident->parties_forgotten);
	disarm(out, from);
	return !out->is_over;
}
