/* SPDX-License-Identifier: Apache-2.0
 *
 * The MIME walk: pieces as one line of text, cut at every byte; and the broken
 * mail of VIOLATIONS.md, one test a row.
 */
#include "unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "mail/mime.h"

/* type/subtype[bytes], message[...], debris[...]; void pieces vanish. */
struct pieces {
	struct buf text;
	size_t begun;
};

static void on_begin(void *user, const struct mime_part *part)
{
	struct pieces *p = user;
	p->begun = p->text.len;
	if (part->kind == MIME_LEAF)
		buf_addf(&p->text, "%.*s/%.*s[", SLICE_ARG(ctype_type(part->ctype)),
			 SLICE_ARG(ctype_subtype(part->ctype)));
	else
		buf_add_str(&p->text, part->kind == MIME_MESSAGE ? "message[" : "debris[");
}

static void on_bytes(void *user, struct slice decoded)
{
	buf_add(&((struct pieces *)user)->text, decoded);
}

static void on_end(void *user, bool is_void)
{
	struct pieces *p = user;
	buf_add_str(&p->text, "] ");
	if (is_void)
		p->text.len = p->begun;
}

/* The header ends at the first empty line; only its Content-* matter. */
static const char *walk(const char *type, const char *encoding, struct slice body, size_t first,
			size_t piece)
{
	static char out[8192];
	struct arena arena;
	struct ctype ctype;
	struct pieces pieces;
	struct mime_hooks hooks = { on_begin, on_bytes, on_end, &pieces };

	arena_init(&arena, 1 << 20);
	buf_init(&pieces.text, sizeof out);
	ctype_parse(slice_from_str(type), &ctype);
	struct mime *m = mime_begin(&arena, &ctype, encoding_parse(slice_from_str(encoding)), &hooks);
	assert_non_null(m);
	for (size_t pos = 0; pos < body.len;) {
		struct slice part = slice_first(slice_from(body, pos), pos == 0 && first ? first : piece);
		mime_feed(m, part);
		pos += part.len;
	}
	mime_end(m);
	assert_true(mime_is_whole(m));
	snprintf(out, sizeof out, "%s", buf_str(&pieces.text));
	buf_free(&pieces.text);
	arena_free(&arena);
	return out;
}

static void check(const char *type, const char *encoding, const char *body, const char *wanted)
{
	struct slice s = slice_from_str(body);
	for (size_t at = 0; at <= s.len; at++) {
		const char *out = walk(type, encoding, s, at, s.len + 1);
		if (strcmp(out, wanted) != 0)
			fail_msg("cut at %zu: \"%s\", wanted \"%s\"", at, out, wanted);
	}
	assert_string_equal(walk(type, encoding, s, 1, 1), wanted);
}

#define MIXED "multipart/mixed; boundary=b"

static void sound_mail_gives_its_leaves(void **state)
{
	(void)state;
	check("text/plain", "", "hi\r\n--b\r\n", "text/plain[hi\r\n--b\r\n] ");
	check("text/plain", "base64", "aGVsbG8=\r\n", "text/plain[hello] ");
	check("text/plain", "", "", "text/plain[] ");
	check(MIXED, "", "preamble\n--b\n\none\n--b\nContent-Type: text/html\n\ntwo\n\n--b--\nepilogue\n",
	      "text/plain[one] text/html[two\n] ");
	check(MIXED, "", "--b\r\n\r\none\r\n--b  \t\r\n\r\ntwo\r\n--b-- \r\n--b\r\n",
	      "text/plain[one] text/plain[two] ");
	check(MIXED, "", "--b\n\n--b--\n", "text/plain[] ");
	check(MIXED, "", "--b\n\n\n--b--\n", "text/plain[] ");
	check(MIXED, "", "--b\n\n-\n--\n--bb\n --b\n\n--b--x\n--b--",
	      "text/plain[-\n--\n--bb\n --b\n\n--b--x] ");
	check(MIXED, "", "--b\nContent-Type: application/x\nContent-Transfer-Encoding: "
	  "base64\n\naGVs\nbG8=\n--b--\n",
	      "application/x[hello] ");
}

static void nested_multiparts_end_with_their_parents(void **state)
{
	(void)state;
	check(MIXED, "",
	      "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--c--\nepi\n--b\n\ntwo\n--b--\n",
	      "text/plain[one] text/plain[two] ");
	check(MIXED, "", "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--b\n\ntwo\n--b--\n",
	      "text/plain[one] text/plain[two] ");
	check(MIXED, "", "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--b--\n",
	      "text/plain[one] ");
}

static void embedded_messages_are_walked_and_their_names_kept(void **state)
{
	(void)state;
	check(MIXED, "", "--b\nContent-Type: message/rfc822\n\nSubject: s\nX: y\nContent-Type: "
	  "text/html\n\nin\n--b--\n",
	      "message[ s] text/html[in] ");
	check("message/rfc822", "", "Date: d\n\nin\n", "message[ d] text/plain[in\n] ");
	check("message/rfc822", "base64", "aGVsbG8=", "message/rfc822[hello] ");
	check("multipart/digest; boundary=b", "", "--b\n\nSubject: s\n\none\n--b--\n", "message[ "
	  "s] text/plain[one] ");
	check(MIXED, "", "--b\nContent-Type: message/rfc822\n\n--b\n\nnext\n--b--\n", "text/plain[next] ");
	check(MIXED, "", "--b\nContent-Type: message/rfc822\n\nno mail, sorry\n--b--\n",
	      "debris[no mail, sorry] text/plain[] ");
	check("message/delivery-status", "", "Reporting-MTA: x\n", "message/delivery-status[Reporting-MTA: x\n] ");
}

static void bytes_of_no_leaf_are_debris(void **state)
{
	(void)state;
	check("multipart/mixed", "", "all\nof it\n", "debris[all\nof it\n] ");
	check(MIXED, "", "the boundary never comes\n", "debris[the boundary never comes\n] ");
	check(MIXED, "", "--b\nContent-Type: multipart/x; boundary=c\n\nlost\n--b--\n", "debris[lost] ");
	check(MIXED, "", "--b\nnot a field\nContent-Type: text/html\n\nin\n--b--\n",
	      "debris[not a field] text/html[in] ");
}

/* VIOLATIONS.md: boundary-in-part-header */
static void a_boundary_in_a_parts_header_ends_the_part(void **state)
{
	(void)state;
	check(MIXED, "", "--b\n--b\nContent-Type: text/html\n--b\n\nlast\n--b--\n",
	      "text/plain[] text/html[] text/plain[last] ");
}

/* VIOLATIONS.md: mixed-line-ends-at-a-boundary */
static void the_line_end_before_a_boundary_is_taken_as_it_is(void **state)
{
	(void)state;
	check(MIXED, "", "--b\n\nZWg=\n--b\r\n\r\nhello\r\n--b--", "text/plain[ZWg=] text/plain[hello] ");
	check(MIXED, "", "--b\n\nx\r\r\n--b--\n", "text/plain[x\r] ");
	check(MIXED, "", "--b\n\nx\r--b--\n\n--b--\n", "text/plain[x\r--b--\n] ");
}

/* VIOLATIONS.md: content-type-without-subtype */
static void a_part_of_no_known_type_is_text(void **state)
{
	(void)state;
	check("text plain", "", "x", "text/plain[x] ");
	check(MIXED, "", "--b\nContent-Type: BINARY;name=x\n\nx\n--b--\n", "text/plain[x] ");
}

/* VIOLATIONS.md: content-type-twice */
static void of_two_content_types_the_last_counts(void **state)
{
	(void)state;
	check(MIXED, "", "--b\nContent-Type: multipart/x; boundary=c\nContent-Type: text/html\n\nx\n--b--\n",
	      "text/html[x] ");
}

/* VIOLATIONS.md: mail-cut-short */
static void a_mail_cut_short_keeps_what_came(void **state)
{
	(void)state;
	check(MIXED, "", "--b\n\none", "text/plain[one] ");
	check(MIXED, "", "--b\n\none\n", "text/plain[one\n] ");
	check(MIXED, "", "--b\n\none\n--b", "text/plain[one] ");
	check(MIXED, "", "--b\n\none\n--b\n", "text/plain[one] ");
	check(MIXED, "", "--b\nContent-Type: text/html\n", "text/html[] ");
	check(MIXED, "", "--b\n\none\n--", "text/plain[one\n--] ");
}

static void without_memory_the_walk_says_it_is_not_whole(void **state)
{
	struct ctype ctype;
	struct arena arena;
	struct pieces pieces;
	struct mime_hooks hooks = { on_begin, on_bytes, on_end, &pieces };
	(void)state;
	ctype_parse(SLICE(MIXED), &ctype);
	arena_init(&arena, 100);
	assert_null(mime_begin(&arena, &ctype, ENCODING_PLAIN, &hooks));
	arena_free(&arena);
	for (size_t room = 0; room < 20000; room += 500) {
		arena_init(&arena, room);
		buf_init(&pieces.text, 4096);
		struct mime *m = mime_begin(&arena, &ctype, ENCODING_PLAIN, &hooks);
		if (m) {
			mime_feed(m, SLICE("--b\nConte"));
			mime_feed(m, SLICE("nt-Type: text/html\n\nx\n--b--\n"));
			mime_end(m);
			bool is_all = strcmp(buf_str(&pieces.text), "text/html[x] ") == 0;
			assert_int_equal(mime_is_whole(m), is_all);
		}
		buf_free(&pieces.text);
		arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_mail_gives_its_leaves),
		cmocka_unit_test(nested_multiparts_end_with_their_parents),
		cmocka_unit_test(embedded_messages_are_walked_and_their_names_kept),
		cmocka_unit_test(bytes_of_no_leaf_are_debris),
		cmocka_unit_test(a_boundary_in_a_parts_header_ends_the_part),
		cmocka_unit_test(the_line_end_before_a_boundary_is_taken_as_it_is),
		cmocka_unit_test(a_part_of_no_known_type_is_text),
		cmocka_unit_test(of_two_content_types_the_last_counts),
		cmocka_unit_test(a_mail_cut_short_keeps_what_came),
		cmocka_unit_test(without_memory_the_walk_says_it_is_not_whole),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
