/* SPDX-License-Identifier: Apache-2.0
 *
 * report_advice: what to do next, for the one who holds the report: first whom to
 * tell, then what stops it there, then what to leave alone, then what helps at home.
 */
#include "desk/report.h"

#include "desk/text.h"
#include "storm/culprit.h"

enum { ADVICE_BYTES = 64 * 1024, ADVICE_SERVERS_MAX = 8 };

struct advice {
	struct buf line;
	report_line_fn *fn;
	void *ctx;
};

static void advice_say(struct advice *a, const char *words)
{
	a->fn(a->ctx, words);
}

static void advice_end(struct advice *a)
{
	a->fn(a->ctx, buf_str(&a->line));
	buf_reset(&a->line);
}

static void add_safe(struct advice *a, const char *text)
{
	text_safe(&a->line, slice_from_str(text));
}

/* Its organisation's own mailboxes (RFC 2142), but only when the name is attested:
 * what it only claims may be somebody else's. */
static void tell_server(struct advice *a, const struct party *party)
{
	char name[REPORT_WORDS_BYTES], addresses[REPORT_WORDS_BYTES];
	bool is_named = party->domain[0] &&
			culprit_is_same_org(slice_from_str(party->host), slice_from_str(party->domain));
	buf_add_str(&a->line, "Tell the owner of ");
	add_safe(a, report_party_name(party, name));
	report_party_addresses(party, addresses);
	if (addresses[0] && strcmp(addresses, name) != 0)
		buf_addf(&a->line, " (%s)", addresses);
	if (is_named) {
		buf_add_str(&a->line, ": postmaster@");
		add_safe(a, party->domain);
		buf_add_str(&a->line, " and abuse@");
		add_safe(a, party->domain);
	} else {
		buf_add_str(&a->line, ": whois of the address says whose it is and where abuse is reported");
	}
	if (party->domain[0] && !is_named) {
		buf_add_str(&a->line, "; it calls itself ");
		add_safe(a, party->domain);
		buf_add_str(&a->line, ", which nobody attests: ask there too, but accuse nobody");
	}
	buf_add_str(&a->line, ".");
	advice_end(a);
}

static void tell_servers(struct advice *a, const struct trace_incident *trace)
{
	unsigned told = 0, all = report_role_count(trace, PARTY_GUILTY);
	for (unsigned i = 0; i < report_party_count(trace) && told < ADVICE_SERVERS_MAX; i++) {
		if (trace->incident.parties[i].role != PARTY_GUILTY)
			continue;
		tell_server(a, &trace->incident.parties[i]);
		told++;
	}
	if (all > told) {
		buf_addf(&a->line, "And the owners of the other %u guilty servers.", all - told);
		advice_end(a);
	}
	if (all > 0)
		advice_say(a, "Send this report along: its header lines let them check each word of it.");
}

static bool has_product(const struct trace_incident *trace, const char *product)
{
	for (unsigned i = 0; i < report_party_count(trace); i++) {
		struct slice s = slice_from_str(trace->incident.parties[i].product);
		if (slice_find_nocase(s, 0, slice_from_str(product)) < s.len)
			return true;
	}
	return false;
}

/* What halts it, for a product whose tracks are in the mail. */
static const struct {
	const char *product, *words;
} product_halts[] = {
	{ "Business Server 2003", "On each of these servers (Microsoft Small Business Server 2003): first stop "
				  "the service \"Microsoft Connector for POP3 Mailboxes\", so that nothing "
				  "more is sent. Then install KB835734 and KB886208, delete the waiting copies "
				  "from the queues without reports of non-delivery, and only then start the "
				  "service again." },
};

/* What halts it, by class; the first line is only for when no product is known. */
static const struct {
	enum storm_class cls;
	bool is_without_product;
	const char *words;
} class_halts[] = {
	{ STORM_DUPLICATE, true,
	  "On each guilty server: stop what collects or receives this mail and sends it on to the addresses in "
	  "its To and Cc lines (a POP3 connector, a list, a forwarding rule). Mail goes to the recipients of "
	  "its envelope and to nobody else (RFC 5321, appendix B)." },
	{ STORM_DUPLICATE, false,
	  "Patching stops what a server sends, not what it receives: copies come until the last guilty server "
	  "is mended." },
	{ STORM_LOOP, false, "Then hand on by hand what was held in the ring, once." },
	{ STORM_REPLY_ALL, false,
	  "Close the list, or let only its owners write to it, and ask people, in another mail with hidden "
	  "recipients, not to answer. Each answer goes to everybody." },
	{ STORM_PING_PONG, false,
	  "Switch off one of the two automatic answers. Then let both keep RFC 3834: no answer to automatic "
	  "mail, none twice to the same sender within a week, a null sender." },
	{ STORM_BOUNCE, false,
	  "Stop whatever sends reports about reports: a report of failed delivery has a null sender, and mail "
	  "with a null sender is never answered (RFC 5321 4.5.5)." },
	{ STORM_RATE, false,
	  "Ask the sender what it is sending, and slow it down at the door until it answers." },
};

static void tell_halts(struct advice *a, const struct trace_incident *trace)
{
	bool is_known = false;
	for (size_t i = 0; i < sizeof product_halts / sizeof product_halts[0]; i++) {
		if (!has_product(trace, product_halts[i].product))
			continue;
		advice_say(a, product_halts[i].words);
		is_known = true;
	}
	for (size_t i = 0; i < sizeof class_halts / sizeof class_halts[0]; i++)
		if (class_halts[i].cls == trace->incident.cls &&
		    !(is_known && class_halts[i].is_without_product))
			advice_say(a, class_halts[i].words);
}

/* The ring by its names: "a, b and back to a". */
static void tell_cycle(struct advice *a, const struct trace_incident *trace)
{
	unsigned count = trace->cycle_count < TRACE_CYCLE_MAX ? trace->cycle_count : TRACE_CYCLE_MAX;
	if (count < 2)
		return;
	for (unsigned i = 0; i < count; i++)
		if (trace->cycle[i] >= report_host_count(trace))
			return;
	if (trace->incident.cls != STORM_LOOP)
		buf_add_str(&a->line, "Each of these sends again what the others sent, so that it does not end: ");
	else if (count == 2)
		buf_add_str(&a->line, "These two servers hand the mail to each other: ");
	else
		buf_addf(&a->line, "These %u servers hand the mail round: ", count);
	for (unsigned i = 0; i < count; i++) {
		buf_add_str(&a->line, i == 0 ? "" : count == 2 ? " and " : ", ");
		add_safe(a, trace->hosts[trace->cycle[i]].name);
	}
	if (trace->incident.cls == STORM_LOOP)
		buf_add_str(&a->line, ". Break the ring at one place: remove the forward, alias or route that "
				      "sends the recipient's mail to the next of them, or let one of them "
				      "deliver it for good");
	buf_add_str(&a->line, ".");
	advice_end(a);
}

static void tell_nobody_guilty(struct advice *a, const struct trace_incident *trace)
{
	char name[REPORT_WORDS_BYTES];
	if (report_role_count(trace, PARTY_GUILTY) > 0)
		return;
	buf_add_str(&a->line, "Nobody can be named for certain. ");
	for (unsigned i = 0; i < report_party_count(trace); i++) {
		const struct party *party = &trace->incident.parties[i];
		if (party->role != PARTY_ENTRY)
			continue;
		buf_add_str(&a->line, "Ask the owner of ");
		add_safe(a, report_party_name(party, name));
		buf_add_str(&a->line, " for the log of these mails: it handed them to us and knows whom it had "
				      "them from. ");
		break;
	}
	buf_add_str(&a->line, "More mailboxes of the same storm say more, and --relay HOST says whose Received "
			      "lines you believe.");
	advice_end(a);
}

/* Not of a report that a machine wrote about a loop: there nobody is called innocent. */
static void tell_author(struct advice *a, const struct trace_incident *trace)
{
	const struct incident *incident = &trace->incident;
	bool is_of_machine = incident->cls == STORM_LOOP || incident->cls == STORM_BOUNCE;
	if (incident->cls == STORM_RATE || (is_of_machine && trace->innocent_count == 0))
		return;
	if (!incident->from[0]) {
		advice_say(a, "Block and blame nobody by the From of the mail: its author is innocent.");
		return;
	}
	add_safe(a, incident->from);
	buf_add_str(&a->line, ", the visible author, wrote it once and is innocent: do not block that address, "
			      "and do not blame it.");
	advice_end(a);
}

void report_advice(const struct trace_incident *trace, report_line_fn *fn, void *ctx)
{
	struct advice a = { .fn = fn, .ctx = ctx };
	buf_init(&a.line, ADVICE_BYTES);
	tell_cycle(&a, trace);
	tell_servers(&a, trace);
	tell_nobody_guilty(&a, trace);
	tell_halts(&a, trace);
	tell_author(&a, trace);
	advice_say(&a, "At home: do not bounce and do not delete the copies, hold them. quelld in front of "
		       "your mail server lets the first copy through to everybody and holds the rest; quell "
		       "replay shows on old mail what it would have done.");
	buf_free(&a.line);
}
