/* SPDX-License-Identifier: Apache-2.0 */
#include "../unit.h"

#include "base/mem.h"
#include "storm/parties.h"
#include "storm/tiers.h"

static const uint8_t key[HASH_KEY_BYTES] = { 1 };
static const char *const relays[] = { "smtp.isp.example" };
static const struct vouched vouched = { .relays = relays, .relay_count = 1 };

#define FROM "From: <offers@author.example>\r\n"
#define TO "To: <post@quayside.example>, <info@wharf.example>, <anna@ours.example>\r\n"
#define TO_PREFIX                                                                                  \
	"To: <mspop3connector.post@quayside.example>, <info@wharf.example>, <anna@ours.example>\r\n"
#define PICKUP(host)                                                                               \
	"Received: from mail pickup service by " host " with Microsoft SMTPSVC;\r\n"               \
	"\t Tue, 6 Dec 2005 09:31:12 +0000\r\n"
#define HOP(helo, ptr, ip, by)                                                                     \
	"Received: from " helo " (" ptr " [" ip "]) by " by " with ESMTP id 1;"                    \
	" Tue, 6 Dec 2005 09:31:15 +0000\r\n"

struct row {
	const char *name, *text;
	const char *client_ip, *client_name, *helo;
	enum culprit_kind kind;
	const char *ip, *domain;
	int trust_percent;
	bool is_decisive;
};

static const struct row rows[] = {
	{ "a plain mail", FROM TO HOP("pc", "pc.author.example", "192.0.2.9", "mail.author.example"),
	  "192.0.2.25", "mail.author.example", "mail.author.example", CULPRIT_NONE, NULL, NULL, 0, false },
	{ "a connector that connects itself", PICKUP("quayside.example") FROM TO_PREFIX, "203.0.113.11",
	  "mail.quayside.example", "quayside.example", CULPRIT_FETCH, "203.0.113.11", "quayside.example", 100,
	  true },
	{ "with the provider's PTR, three claims agree", PICKUP("quayside.example") FROM TO_PREFIX,
	  "203.0.113.11", "dsl-11.isp.example", "quayside.example", CULPRIT_FETCH, "203.0.113.11",
	  "quayside.example", 100, true },
	{ "behind a relay that is believed",
	  HOP("quayside.example", "dsl-11.isp.example", "203.0.113.11", "smtp.isp.example")
	  PICKUP("quayside.example") FROM TO_PREFIX, "198.51.100.1", "smtp.isp.example", "smtp.isp.example",
	  CULPRIT_FETCH, "203.0.113.11", "quayside.example", 95, true },
	{ "behind an unknown relay",
	  HOP("quayside.example", "unknown", "203.0.113.11", "mx.other.example") PICKUP("quayside.example")
	  FROM TO_PREFIX, "198.51.100.9", "mx.other.example", "mx.other.example", CULPRIT_FETCH,
	  "203.0.113.11", "quayside.example", 50, true },
	{ "a chain that breaks is not believed",
	  HOP("quayside.example", "unknown", "203.0.113.11", "mx.other.example") PICKUP("quayside.example")
	  FROM TO_PREFIX, "198.51.100.66", "mail.crook.example", "mail.crook.example", CULPRIT_NONE, NULL,
	  NULL, 0, false },
	{ "nor are relays of the crook's own",
	  HOP("x", "x.crook.example", "198.51.100.67", "mail.crook.example")
	  HOP("quayside.example", "unknown", "203.0.113.11", "mx.other.example") PICKUP("quayside.example")
	  FROM TO_PREFIX, "198.51.100.66", "mail.crook.example", "mail.crook.example", CULPRIT_NONE, NULL,
	  NULL, 0, false },
	{ "its own hop carries a member's name", PICKUP("wharf.example") FROM TO, "203.0.113.11",
	  "mail.quayside.example", "mail.quayside.example", CULPRIT_FETCH, "203.0.113.11", "quayside.example",
	  100, false },
	{ "a pickup line with no name that agrees", PICKUP("srv.local.example") FROM TO, "203.0.113.11",
	  "dsl-11.isp.example", "friendly", CULPRIT_FETCH, "203.0.113.11", "", 100, false },
	{ "a host of the audience without a hop of its own", FROM TO, "203.0.113.11", "mail.quayside.example",
	  "mail.quayside.example", CULPRIT_AUDIENCE, "203.0.113.11", "quayside.example", 100, false },
	{ "the same behind a relay",
	  HOP("mail.quayside.example", "mail.quayside.example", "203.0.113.11", "smtp.isp.example") FROM TO,
	  "198.51.100.1", "smtp.isp.example", "smtp.isp.example", CULPRIT_AUDIENCE, "203.0.113.11",
	  "quayside.example", 95, false },
	{ "the author's own pickup service", PICKUP("web.author.example") FROM TO, "192.0.2.25",
	  "mail.author.example", "mail.author.example", CULPRIT_NONE, NULL, NULL, 0, false },
	{ "old Hotmail writes pickup lines", PICKUP("hotmail.com") FROM TO, "192.0.2.80",
	  "bay0.hotmail.com", "hotmail.com", CULPRIT_NONE, NULL, NULL, 0, false },
	{ "a list that the mail was sent to",
	  "List-Id: <all.wharf.example>\r\n" FROM "To: <all@wharf.example>\r\n", "192.0.2.81",
	  "lists.wharf.example", "lists.wharf.example", CULPRIT_NONE, NULL, NULL, 0, false },
	{ "a recipient's own relay", FROM TO, "192.0.2.82", "relay.ours.example", "relay.ours.example",
	  CULPRIT_NONE, NULL, NULL, 0, false },
	{ "a connector's mail passed on by a forwarder",
	  HOP("quayside.example", "mail.quayside.example", "203.0.113.11", "mail.alumni.example")
	  PICKUP("quayside.example") FROM TO_PREFIX, "192.0.2.70", "mail.alumni.example",
	  "mail.alumni.example", CULPRIT_FETCH, "203.0.113.11", "quayside.example", 50, true },
	{ "a smart host whose subscriber stands in To is no culprit beside one that is",
	  HOP("mail.quayside.example", "dsl-11.isp.example", "203.0.113.11", "smtp.isp.example") FROM
	  "To: <post@quayside.example>, <subscriber@isp.example>\r\n", "198.51.100.1", "smtp.isp.example",
	  "smtp.isp.example", CULPRIT_AUDIENCE, "203.0.113.11", "isp.example", 95, false },
	{ "a person's answer carries the prefix in Cc",
	  FROM "To: <x@y.example>\r\nCc: <mspop3connector.post@quayside.example>\r\n", "192.0.2.25",
	  "mail.author.example", "mail.author.example", CULPRIT_NONE, NULL, NULL, 0, false },
};

static const struct facts *read_row(struct arena *arena, const struct row *row)
{
	static const struct facts_setup setup = { .site_key = key };
	static struct slice rcpts[1];
	struct envelope e = { .rcpts = rcpts, .rcpt_count = 1 };
	rcpts[0] = SLICE("anna@ours.example");
	assert_true(ip_parse(slice_from_str(row->client_ip), &e.client_ip));
	e.client_name = slice_from_str(row->client_name);
	e.helo = slice_from_str(row->helo);
	struct facts_builder *b = facts_begin(arena, &setup);
	facts_raw(b, slice_from_str(row->text));
	facts_raw(b, SLICE("\r\nThe text.\r\n"));
	return facts_end(b, &e, 1);
}

static void the_culprit_of_a_copy_is_found_on_the_careful_side(void **state)
{
	(void)state;
	struct arena arena;
	char text[IP_TEXT_BYTES];
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct culprit c;
		const struct row *row = &rows[i];
		culprit_find(read_row(&arena, row), &vouched, &c);
		if (c.kind != row->kind)
			fail_msg("%s: kind %d, wanted %d", row->name, c.kind, row->kind);
		if (c.kind == CULPRIT_NONE)
			continue;
		if (strcmp(ip_text(c.ip, text), row->ip) != 0 ||
		    !slice_equal(c.domain, slice_from_str(row->domain)) ||
		    (int)(c.credibility * 100 + .5) != row->trust_percent ||
		    c.is_decisive != row->is_decisive)
			fail_msg("%s: %s of \"%.*s\", trust %.2f, decisive %d", row->name, text,
				 SLICE_ARG(c.domain), c.credibility, c.is_decisive);
		arena_reset(&arena);
	}
	arena_free(&arena);
}

struct stage {
	struct arena arena;
	struct track *track;
};

static void note(struct stage *stage, const struct row *row, unsigned surplus, unsigned times)
{
	struct peer peer;
	struct culprit culprit;
	const struct facts *f = read_row(&stage->arena, row);
	peer_of(f, &peer);
	culprit_find(f, &vouched, &culprit);
	for (unsigned i = 0; i < times; i++)
		parties_note(stage->track, &(struct sighting){
			.facts = f, .peer = &peer, .culprit = &culprit, .surplus = surplus,
			.now_ms = INT64_C(1133860800000) + i * 900000, .peer_hash = peer.ip.bytes[15] });
	arena_reset(&stage->arena);
}

static void begin(struct stage *stage)
{
	assert_true(hash_start());
	arena_init(&stage->arena, 1 << 20);
	stage->track = mem_must_alloc(sizeof *stage->track);
}

static void end(struct stage *stage)
{
	arena_free(&stage->arena);
	mem_free(stage->track);
}

static const struct party *find(const struct stage *stage, const char *ip)
{
	struct ip wanted;
	assert_true(ip_parse(slice_from_str(ip), &wanted));
	for (unsigned i = 0; i < stage->track->pub.party_count; i++)
		if (ip_equal(stage->track->pub.parties[i].addresses[0], wanted))
			return &stage->track->pub.parties[i];
	fail_msg("no party %s", ip);
	return NULL;
}

static void roles_follow_from_evidence_and_not_from_numbers(void **state)
{
	(void)state;
	static const struct {
		size_t row;
		unsigned surplus, times;
		const char *ip;
		enum party_role role;
	} cases[] = {
		{ 1, 1, 1, "203.0.113.11", PARTY_GUILTY },   /* agreeing marks, seen by ourselves */
		{ 3, 1, 1, "203.0.113.11", PARTY_GUILTY },   /* by a relay that is believed */
		{ 3, 1, 2, "198.51.100.1", PARTY_ENTRY },    /* who is only the way in */
		{ 4, 1, 50, "203.0.113.11", PARTY_SUSPECT }, /* by an unknown relay: never */
		{ 7, 1, 1, "203.0.113.11", PARTY_SUSPECT },  /* one copy, marks do not agree */
		{ 7, 1, 2, "203.0.113.11", PARTY_GUILTY },
		{ 9, 1, 50, "203.0.113.11", PARTY_SUSPECT }, /* maybe a forwarder */
		{ 9, 3, 2, "203.0.113.11", PARTY_GUILTY },   /* three recipients from one copy */
		{ 0, 1, 50, "192.0.2.25", PARTY_ENTRY },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct stage stage;
		begin(&stage);
		note(&stage, &rows[cases[i].row], cases[i].surplus, cases[i].times);
		const struct party *p = find(&stage, cases[i].ip);
		if (p->role != cases[i].role)
			fail_msg("case %zu: role %d (confidence %.3f, blame %u)", i, p->role, p->confidence,
				 p->blame);
		assert_int_equal(p->copies, cases[i].times);
		assert_int_equal(p->surplus, cases[i].surplus * cases[i].times);
		assert_true(p->evidence_count > 0);
		end(&stage);
	}
}

/* Many copies with many recipients, of which nothing is known but that the smart host of
 * an ISP with a subscriber in To handed them on. */
static void a_smart_host_is_a_suspect_at_most_however_much_it_hands_on(void **state)
{
	(void)state;
	struct stage stage;
	static const struct row relayed = {
		.name = "relayed", .text = HOP("pc", "pc.elsewhere.example", "203.0.113.7", "smtp.isp.example") FROM
		"To: <subscriber@isp.example>, <x@y.example>\r\n", .client_ip = "198.51.100.1",
		.client_name = "smtp.isp.example", .helo = "smtp.isp.example" };
	begin(&stage);
	note(&stage, &relayed, 20, 40);
	for (unsigned i = 0; i < stage.track->pub.party_count; i++)
		assert_int_not_equal(stage.track->pub.parties[i].role, PARTY_GUILTY);
	end(&stage);
}

static bool has_claim(const struct party *p, const char *claim)
{
	for (unsigned i = 0; i < p->claim_count; i++)
		if (strcmp(p->claims[i], claim) == 0)
			return true;
	return false;
}

/* A server without a PTR name that borrows a member's name in HELO, and one that
 * borrows it in the connector's prefix and pickup line too. */
static void what_a_server_calls_itself_never_becomes_its_name(void **state)
{
	(void)state;
	static const struct row borrowed[] = {
		{ .name = "HELO", .text = FROM TO, .client_ip = "198.51.100.66", .client_name = "",
		  .helo = "mail.wharf.example" },
		{ .name = "all marks", .text = PICKUP("wharf.example") FROM
		  "To: <mspop3connector.info@wharf.example>\r\n", .client_ip = "198.51.100.66",
		  .client_name = "", .helo = "mail.wharf.example" },
	};
	for (size_t i = 0; i < sizeof borrowed / sizeof borrowed[0]; i++) {
		struct stage stage;
		struct buf words;
		begin(&stage);
		note(&stage, &borrowed[i], 3, 4);
		const struct party *p = find(&stage, "198.51.100.66");
		assert_string_equal(p->host, "198.51.100.66");
		assert_true(has_claim(p, "HELO mail.wharf.example"));
		buf_init(&words, 1 << 16);
		assert_true(incident_explain(&stage.track->pub, &words));
		/* As a claim it may stand there, as the maker it must not. */
		assert_null(strstr(buf_str(&words), "(wharf.example)"));
		assert_non_null(strstr(buf_str(&words), "\n198.51.100.66"));
		buf_free(&words);
		end(&stage);
	}
}

static void servers_without_a_name_are_told_apart_by_address(void **state)
{
	(void)state;
	static const struct row nameless[] = {
		{ .text = FROM TO, .client_ip = "198.51.100.66", .client_name = "", .helo = "localhost" },
		{ .text = FROM TO, .client_ip = "198.51.100.67", .client_name = "", .helo = "localhost" },
	};
	const struct culprit none = { 0 };
	struct arena arena;
	struct peer a, b;
	arena_init(&arena, 1 << 20);
	peer_of(read_row(&arena, &nameless[0]), &a);
	peer_of(read_row(&arena, &nameless[1]), &b);
	assert_int_equal(a.name.len, 0);
	assert_int_equal(a.org.len, 0);
	assert_int_not_equal(tier_door(key, &a, &none), tier_door(key, &b, &none));
	arena_free(&arena);
}

static void parties_are_bounded_and_the_least_blamed_gives_way(void **state)
{
	(void)state;
	struct stage stage;
	begin(&stage);
	note(&stage, &rows[1], 1, 3);
	for (unsigned i = 1; i < 200; i++) {
		char ip[32];
		struct row row = rows[0];
		snprintf(ip, sizeof ip, "198.51.100.%u", i);
		row.client_ip = ip;
		note(&stage, &row, 1, 1);
	}
	assert_int_equal(stage.track->pub.party_count, INCIDENT_PARTIES_MAX);
	assert_int_equal(stage.track->pub.parties_forgotten, 200 - INCIDENT_PARTIES_MAX);
	assert_int_equal(find(&stage, "203.0.113.11")->role, PARTY_GUILTY);
	end(&stage);
}

static void hostile_names_are_quoted_before_they_are_kept(void **state)
{
	(void)state;
	struct stage stage;
	struct row row = rows[1];
	row.client_name = "x\x1b[31m\"quayside.example";
	row.helo = "a\r\nb\x1b";
	begin(&stage);
	note(&stage, &row, 1, 2);
	for (unsigned i = 0; i < stage.track->pub.party_count; i++) {
		const struct party *p = &stage.track->pub.parties[i];
		for (const char *c = p->host; *c; c++)
			assert_true((unsigned char)*c >= 0x20);
		for (unsigned n = 0; n < p->claim_count; n++)
			for (const char *c = p->claims[n]; *c; c++)
				assert_true((unsigned char)*c >= 0x20);
	}
	end(&stage);
}

static void recipients_are_exact_to_sixty_four_and_then_estimated(void **state)
{
	(void)state;
	struct track *track = mem_must_alloc(sizeof *track);
	for (unsigned n = 1; n <= 3000; n++) {
		struct hash128 h = hash_sip128(key, slice_make(&n, sizeof n));
		track_add_rcpt(track, (uint32_t)h.lo);
		track_add_rcpt(track, (uint32_t)h.lo);
		if (n <= TRACK_RCPTS_EXACT)
			assert_int_equal(track->pub.recipients, n);
	}
	assert_in_range(track->pub.recipients, 2850, 3150);
	mem_free(track);
}

static void incidents_are_bounded_and_live_ones_stay(void **state)
{
	(void)state;
	struct incidents t;
	uint8_t content[DIGEST_BYTES] = { 0 };
	assert_true(incidents_init(&t, 6 * sizeof(struct track)));
	size_t max = t.count_max;
	for (unsigned i = 0; i < 20; i++) {
		content[0] = (uint8_t)i;
		struct track *track = incidents_get(&t, STORM_DUPLICATE, content, 1000 + i);
		assert_non_null(track);
		track->pub.state = i < 2 ? BREAKER_OPEN : BREAKER_SUSPECT;
		assert_ptr_equal(incidents_find_id(&t, track->pub.id), track);
	}
	assert_int_equal(t.count, max);
	for (unsigned i = 0; i < 20; i++) {
		content[0] = (uint8_t)i;
		bool is_known = incidents_find(&t, STORM_DUPLICATE, content) != NULL;
		assert_int_equal(is_known, i < 2 || i >= 20 - (max - 2));
		assert_null(incidents_find(&t, STORM_LOOP, content));
	}
	assert_true(incidents_bytes(&t) <= 6 * sizeof(struct track));
	mem_fail_after = 0;
	struct incidents none;
	bool has_one = incidents_init(&none, 1 << 20);
	mem_fail_after = -1;
	assert_false(has_one);
	assert_null(incidents_get(&none, STORM_LOOP, content, 1));
	incidents_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_culprit_of_a_copy_is_found_on_the_careful_side),
		cmocka_unit_test(roles_follow_from_evidence_and_not_from_numbers),
		cmocka_unit_test(a_smart_host_is_a_suspect_at_most_however_much_it_hands_on),
		cmocka_unit_test(what_a_server_calls_itself_never_becomes_its_name),
		cmocka_unit_test(servers_without_a_name_are_told_apart_by_address),
		cmocka_unit_test(parties_are_bounded_and_the_least_blamed_gives_way),
		cmocka_unit_test(hostile_names_are_quoted_before_they_are_kept),
		cmocka_unit_test(recipients_are_exact_to_sixty_four_and_then_estimated),
		cmocka_unit_test(incidents_are_bounded_and_live_ones_stay),
	};
	return cmocka_run_group_tests_name("storm culprit", tests, NULL, NULL);
}
