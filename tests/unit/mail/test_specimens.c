/* SPDX-License-Identifier: Apache-2.0
 *
 * The real mails of 2005 and 2006: a list mail, the copy that a faulty connector
 * made of it, and a person's answer to such a copy (incident.md 1.3, 1.7).
 */
#include "unit.h"

#include "base/mem.h"
#include "mail/received.h"
#include "reader.h"

#include <stdlib.h>

static struct slice specimen(const char *name)
{
	char folder[8192];
	snprintf(folder, sizeof folder, "%s/data/specimens", reader_shared());
	struct slice mail = reader_file(folder, name);
	if (mail.len == 0)
		fail_msg("cannot read %s/%s", folder, name);
	return mail;
}

static void the_copy_has_the_content_of_the_original(void **state)
{
	struct arena a, b;
	(void)state;
	arena_init(&a, FACTS_ARENA_BYTES_MAX);
	arena_init(&b, FACTS_ARENA_BYTES_MAX);
	struct slice original = specimen("sbs-a-original.eml"), copy = specimen("sbs-a-copy.eml");
	const struct facts *fo = reader_raw(&a, original, 0);
	const struct facts *fc = reader_raw(&b, copy, 0);
	assert_memory_equal(fo->content_public, fc->content_public, DIGEST_BYTES);
	assert_memory_equal(fo->content, fc->content, DIGEST_SHORT_BYTES);
	assert_memory_equal(fo->instance, fc->instance, DIGEST_SHORT_BYTES);
	assert_true(fo->is_content_whole && fc->is_content_whole);
	assert_false(slice_equal(fo->message_id, fc->message_id));
	assert_int_equal(fo->reinject_marks, 0);
	assert_int_equal(fo->audience_total, 1);
	mem_free((void *)(uintptr_t)original.ptr);
	mem_free((void *)(uintptr_t)copy.ptr);
	arena_free(&a);
	arena_free(&b);
}

static void the_copy_names_its_maker(void **state)
{
	struct arena a;
	char text[IP_TEXT_BYTES];
	(void)state;
	arena_init(&a, FACTS_ARENA_BYTES_MAX);
	struct slice copy = specimen("sbs-a-copy.eml");
	const struct facts *f = reader_raw(&a, copy, 0);
	assert_slice(f->connector.domain, "lexbox.fr");
	assert_slice(f->connector.user, "david.sanchez");
	assert_true(f->connector.is_in_to);
	assert_slice(f->pickup_host, "lexbox.fr");
	assert_int_equal(f->pickup_hop, 2);
	assert_string_equal(ip_text(f->hops[f->pickup_hop - 1].from_ip, text), "82.235.130.100");
	assert_slice(f->hops[1].from_name, "laf31-5-82-235-130-100.fbx.proxad.net");
	assert_slice(f->hops[1].from_helo, "lexbox.fr");
	assert_slice(f->hops[1].by, "linux-mips.org");
	assert_true(f->ms_id.is_present);
	assert_string_equal(ip_text(f->ms_id.lan_ip, text), "192.168.0.3");
	assert_slice(f->ms_id.host, "intra.lexbox.org");
	assert_int_equal(f->original_arrival_ms - f->ms_id.minted_ms, 16);
	assert_int_equal(f->reinject_marks, REINJECT_POP3_PREFIX | REINJECT_IMB_RECIPIENT |
		REINJECT_PICKUP_FOREIGN | REINJECT_MSID_MINTED | REINJECT_GROUP_DEBRIS);
	assert_slice(f->list_id, "linux-mips");
	assert_slice(f->from.local, "bryan.althouse");
	assert_slice(f->in_reply_to, "6097c4905071221414a929ed2@mail.gmail.com");
	mem_free((void *)(uintptr_t)copy.ptr);
	arena_free(&a);
}

static void a_persons_answer_carries_only_the_prefix(void **state)
{
	struct arena a;
	(void)state;
	arena_init(&a, FACTS_ARENA_BYTES_MAX);
	struct slice reply = specimen("sbs-human-reply.eml");
	const struct facts *f = reader_raw(&a, reply, 0);
	assert_int_equal(f->reinject_marks, REINJECT_POP3_PREFIX);
	assert_false(f->connector.is_in_to);
	assert_slice(f->connector.domain, "mehnert-edv.de");
	assert_int_equal(f->pickup_hop, f->hop_count);
	assert_int_equal(f->pickup_host.len, 0);
	assert_false(f->ms_id.is_present);
	mem_free((void *)(uintptr_t)reply.ptr);
	arena_free(&a);
}

static void however_they_arrive_the_facts_are_the_same(void **state)
{
	static const char *const names[] = { "sbs-a-original.eml", "sbs-a-copy.eml",
					     "sbs-human-reply.eml" };
	struct arena a, b;
	(void)state;
	arena_init(&a, FACTS_ARENA_BYTES_MAX);
	arena_init(&b, FACTS_ARENA_BYTES_MAX);
	for (size_t i = 0; i < 3; i++) {
		struct slice mail = specimen(names[i]);
		const struct facts *whole = reader_raw(&a, mail, 0);
		for (size_t at = 0; at <= mail.len; at++) {
			reader_assert_same(whole, reader_raw_split(&b, mail, at));
			arena_reset(&b);
		}
		reader_assert_same(whole, reader_raw(&b, mail, 1));
		reader_assert_same(whole, reader_fields(&b, mail));
		arena_reset(&a);
		arena_reset(&b);
		mem_free((void *)(uintptr_t)mail.ptr);
	}
	arena_free(&a);
	arena_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_copy_has_the_content_of_the_original),
		cmocka_unit_test(the_copy_names_its_maker),
		cmocka_unit_test(a_persons_answer_carries_only_the_prefix),
		cmocka_unit_test(however_they_arrive_the_facts_are_the_same),
	};
	if (!reader_shared()) {
		puts("1..0 # SKIP mail specimens: no ../shared (set QUELL_SHARED)");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
