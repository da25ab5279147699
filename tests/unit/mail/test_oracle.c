/* SPDX-License-Identifier: Apache-2.0
 *
 * The MIME walk against GMime over all real mail that is at hand: as many leaves,
 * of the same types, with the same decoded bytes. Where the two may differ, a row
 * of oracle_known (see VIOLATIONS.md) says in which file and why.
 *
 * QUELL_ORACLE_SHOW=1 prints every difference; a PATH as argument reads only that.
 */
#include "unit.h"

#include "base/mem.h"
#include "mail/header.h"
#include "mail/mbox.h"
#include "mail/mime.h"
#include "reader.h"

#include <dirent.h>
#include <gmime/gmime.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { ORACLE_LEAVES_MAX = 512, ORACLE_TYPE_BYTES = 160 };

struct leaf {
	char type[ORACLE_TYPE_BYTES];
	uint8_t digest[DIGEST_SHORT_BYTES];
	uint64_t bytes;
};

struct leaves {
	size_t count;
	struct leaf leaf[ORACLE_LEAVES_MAX];
	struct digest digest;
};

static struct {
	size_t mails, leaves, refused, different, known;
	const char *path;
	uint64_t offset;
} oracle;

/* Differences that we mean: by the end of the file's name. */
static const struct {
	const char *file, *why;
} oracle_known[] = {
	{ "/malformed/000.eml", "boundary-in-part-header" },
	{ "/2002_06_12_doublebound.msg", "boundary-in-part-header" },
	{ "/double-bound.msg", "boundary-in-part-header" },
	{ "/multipartemptypart.msg", "boundary-in-part-header" },
	{ "/thirdparty/001.eml", "mixed-line-ends-at-a-boundary" },
	{ "/raw_email_encoded_stack_level_too_deep.eml", "mixed-line-ends-at-a-boundary" },
	{ "/two_from_in_message.eml", "mixed-line-ends-at-a-boundary" },
	{ "/japanese_attachment_long_name.eml", "mixed-line-ends-at-a-boundary" },
	{ "/nice/mime8", "content-type-without-subtype" },
	{ "/spam/badctype1", "content-type-without-subtype" },
	{ "/multi-digest.msg", "content-type-without-subtype" },
};

static bool oracle_is_known(const char *path)
{
	for (size_t i = 0; i < sizeof oracle_known / sizeof oracle_known[0]; i++)
		if (slice_ends_nocase(slice_from_str(path), slice_from_str(oracle_known[i].file)))
			return true;
	return false;
}

/* ours */

static void ours_begin(void *user, const struct mime_part *part)
{
	struct leaves *l = user;
	if (part->kind != MIME_LEAF || l->count == ORACLE_LEAVES_MAX) {
		digest_init(&l->digest, NULL, DIGEST_SHORT_BYTES);
		l->leaf[ORACLE_LEAVES_MAX - 1].bytes = 0;
		return;
	}
	struct leaf *leaf = &l->leaf[l->count];
	snprintf(leaf->type, sizeof leaf->type, "%.*s/%.*s", SLICE_ARG(ctype_type(part->ctype)),
		 SLICE_ARG(ctype_subtype(part->ctype)));
	leaf->bytes = 1; /* marks an open leaf; corrected at the end */
	digest_init(&l->digest, NULL, DIGEST_SHORT_BYTES);
}

static void ours_bytes(void *user, struct slice decoded)
{
	struct leaves *l = user;
	if (l->count < ORACLE_LEAVES_MAX && l->leaf[l->count].bytes)
		l->leaf[l->count].bytes += decoded.len;
	digest_add(&l->digest, decoded);
}

static void ours_end(void *user, bool is_void)
{
	struct leaves *l = user;
	(void)is_void;
	if (l->count == ORACLE_LEAVES_MAX || !l->leaf[l->count].bytes)
		return;
	l->leaf[l->count].bytes--;
	digest_end(&l->digest, l->leaf[l->count++].digest);
}

struct ours_top {
	struct ctype ctype;
	enum encoding encoding;
};

static void ours_field(void *user, struct slice name, struct slice value)
{
	struct ours_top *top = user;
	if (slice_equal_nocase(name, SLICE("Content-Type")))
		ctype_parse(value, &top->ctype);
	if (slice_equal_nocase(name, SLICE("Content-Transfer-Encoding")))
		top->encoding = encoding_parse(value);
}

static void ours_walk(struct slice mail, struct leaves *leaves)
{
	struct arena arena;
	struct ours_top top = { .encoding = ENCODING_PLAIN };
	struct header_hooks header_hooks = { .on_field = ours_field, .user = &top };
	struct mime_hooks hooks = { ours_begin, ours_bytes, ours_end, leaves };
	struct header_splitter h;

	memset(leaves->leaf, 0, sizeof leaves->leaf);
	leaves->count = 0;
	arena_init(&arena, FACTS_ARENA_BYTES_MAX);
	ctype_set(&top.ctype, SLICE("text"), SLICE("plain"));
	header_begin(&h, &arena, FACTS_HEADER_FIELD_BYTES_MAX, &header_hooks);
	size_t used = header_feed(&h, mail);
	header_end(&h);
	struct mime *m = mime_begin(&arena, &top.ctype, top.encoding, &hooks);
	assert_non_null(m);
	for (struct slice rest = slice_from(mail, used); rest.len > 0;) {
		struct slice piece = slice_first(rest, 1021); /* odd, so that cuts fall everywhere */
		mime_feed(m, piece);
		rest = slice_from(rest, piece.len);
	}
	mime_end(m);
	assert_true(mime_is_whole(m));
	arena_free(&arena);
}

/* theirs */

static void theirs_leaf(GMimeObject *parent, GMimeObject *part, gpointer user)
{
	struct leaves *l = user;
	(void)parent;
	if (!GMIME_IS_PART(part) || l->count == ORACLE_LEAVES_MAX)
		return;
	GMimeContentType *type = g_mime_object_get_content_type(part);
	struct leaf *leaf = &l->leaf[l->count++];
	char *lower = g_ascii_strdown(g_mime_content_type_get_media_type(type), -1);
	char *sub = g_ascii_strdown(g_mime_content_type_get_media_subtype(type), -1);
	snprintf(leaf->type, sizeof leaf->type, "%.64s/%.64s", lower, sub);
	g_free(lower);
	g_free(sub);
	GMimeStream *stream = g_mime_stream_mem_new();
	GMimeDataWrapper *content = g_mime_part_get_content((GMimePart *)part);
	if (content)
		g_mime_data_wrapper_write_to_stream(content, stream);
	GByteArray *bytes = g_mime_stream_mem_get_byte_array((GMimeStreamMem *)stream);
	digest_init(&l->digest, NULL, DIGEST_SHORT_BYTES);
	digest_add(&l->digest, slice_make(bytes->data, bytes->len));
	digest_end(&l->digest, leaf->digest);
	leaf->bytes = bytes->len;
	g_object_unref(stream);
}

/* GMime's foreach does not go into embedded messages; this does. */
static void theirs_each(GMimeObject *parent, GMimeObject *part, gpointer user)
{
	if (GMIME_IS_MESSAGE_PART(part)) {
		GMimeMessage *inner = g_mime_message_part_get_message((GMimeMessagePart *)part);
		if (inner && g_mime_message_get_mime_part(inner))
			theirs_each(part, g_mime_message_get_mime_part(inner), user);
	} else if (GMIME_IS_MULTIPART(part)) {
		int count = g_mime_multipart_get_count((GMimeMultipart *)part);
		for (int i = 0; i < count; i++)
			theirs_each(part, g_mime_multipart_get_part((GMimeMultipart *)part, i), user);
	} else {
		theirs_leaf(parent, part, user);
	}
}

static bool theirs_walk(struct slice mail, struct leaves *leaves)
{
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(mail.ptr, mail.len);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	g_mime_parser_set_format(parser, GMIME_FORMAT_MESSAGE);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
	leaves->count = 0;
	if (message && g_mime_message_get_mime_part(message))
		theirs_each(NULL, g_mime_message_get_mime_part(message), leaves);
	bool is_read = message != NULL;
	if (message)
		g_object_unref(message);
	g_object_unref(parser);
	g_object_unref(stream);
	return is_read;
}

static const char *oracle_compare(const struct leaves *ours, const struct leaves *theirs)
{
	static char text[1024];
	if (ours->count != theirs->count) {
		snprintf(text, sizeof text, "%zu leaves, GMime %zu", ours->count, theirs->count);
		return text;
	}
	for (size_t i = 0; i < ours->count; i++) {
		const struct leaf *a = &ours->leaf[i], *b = &theirs->leaf[i];
		bool is_same_type = strcmp(a->type, b->type) == 0;
		if (is_same_type && memcmp(a->digest, b->digest, sizeof a->digest) == 0)
			continue;
		snprintf(text, sizeof text, "leaf %zu: %s %llu bytes, GMime %s %llu bytes", i, a->type,
			 (unsigned long long)a->bytes, b->type, (unsigned long long)b->bytes);
		return text;
	}
	return NULL;
}

static void oracle_mail(struct slice mail)
{
	static struct leaves ours, theirs;
	oracle.mails++;
	ours_walk(mail, &ours);
	oracle.leaves += ours.count;
	if (!theirs_walk(mail, &theirs)) {
		oracle.refused++;
		return;
	}
	const char *difference = oracle_compare(&ours, &theirs);
	if (!difference)
		return;
	bool is_known = oracle_is_known(oracle.path);
	oracle.known += is_known;
	oracle.different += !is_known;
	if (getenv("QUELL_ORACLE_SHOW") || !is_known)
		fprintf(stderr, "# %s@%llu%s: %s\n", oracle.path, (unsigned long long)oracle.offset,
			is_known ? " (known)" : "", difference);
}

static void oracle_append(void *ctx, struct slice bytes)
{
	g_byte_array_append(ctx, (const guint8 *)bytes.ptr, (guint)bytes.len);
}

static void oracle_mbox(struct slice file)
{
	struct mbox_text t = { file, true, true };
	struct mbox_cut cut, next;
	GByteArray *mail = g_byte_array_new();
	size_t pos = 0;
	for (bool has = mbox_find(&t, &pos, &cut); has; cut = next) {
		struct mbox_unquote u = { 0 };
		has = mbox_find(&t, &pos, &next);
		oracle.offset = cut.separator;
		g_byte_array_set_size(mail, 0);
		mbox_unquote_feed(&u, slice_between(file, cut.next, next.mail_end), oracle_append, mail);
		mbox_unquote_end(&u, oracle_append, mail);
		oracle_mail(slice_make(mail->data, mail->len));
	}
	g_byte_array_free(mail, TRUE);
}

static void oracle_file(const char *path)
{
	struct slice file = reader_file(path, "");
	oracle.path = path;
	oracle.offset = 0;
	if (file.len == 0) {
		/* nothing to read */
	} else if (slice_ends_nocase(slice_from_str(path), SLICE(".mbox"))) {
		oracle_mbox(file);
	} else {
		oracle_mail(file);
	}
	mem_free((void *)(uintptr_t)file.ptr);
}

static void oracle_path(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return;
	if (!S_ISDIR(st.st_mode)) {
		oracle_file(path);
		return;
	}
	struct dirent **names = NULL;
	int count = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char *inner = g_strdup_printf("%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			oracle_path(inner);
		g_free(inner);
		free(names[i]);
	}
	free(names);
}

static const char *oracle_argument;

static void the_walk_agrees_with_gmime_over_all_mail_sets(void **state)
{
	static const char *const sets[] = {
		"spamassassin-dev", "linux-mips-2010-dev", "openbmc-2020h1-dev",
		"cip-notifications-2019-dev", "enron-ordinary-dev", "enron-storms-dev", "loops-dev",
		"negatives-received-dev", "bounces-sisimai-dev/mailbox", "bounces-sisimai-dev/maildir",
		"bounces-flufl-dev", "parser-stalwart-dev", "parser-rubymail-dev",
		"parser-sa-testdata-dev", "parser-mime4j-dev", "exim-testsuite-dev/test/mail",
	};
	(void)state;
	if (oracle_argument) {
		oracle_path(oracle_argument);
	} else {
		for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
			char *path = g_strdup_printf("%s/%s", reader_sets(), sets[i]);
			oracle_path(path);
			g_free(path);
		}
	}
	fprintf(stderr, "# %zu mails, %zu leaves; GMime refused %zu; different: %zu known, %zu not\n",
		oracle.mails, oracle.leaves, oracle.refused, oracle.known, oracle.different);
	assert_true(oracle.leaves > 0);
	assert_int_equal(oracle.different, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_walk_agrees_with_gmime_over_all_mail_sets),
	};
	oracle_argument = argc > 1 ? argv[1] : NULL;
	if (!oracle_argument && !reader_sets()) {
		puts("1..0 # SKIP mail oracle: no mail sets (run ../shared/data/unpack)");
		return 0;
	}
	g_mime_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
