/* SPDX-License-Identifier: Apache-2.0
 *
 * gist: first lines to a simhash, fields of a report to a key.
 */
#include "mail/gist.h"

#include "base/hash.h"

enum { GIST_PRINT_BITS = 64 };

/* --- the nearness print ---------------------------------------------------------- */

static bool gist_is_letter(char c)
{
	return ascii_is_alpha(c) || (unsigned char)c >= 0x80;
}

/* The next word in lower case, into word; its hash, or 0 at the end. Words with a digit
 * or without a letter are passed over. */
static uint64_t gist_next_word(struct slice *text)
{
	while (text->len > 0) {
		char word[64];
		size_t n = 0;
		bool is_plain = true;
		while (text->len > 0 && !gist_is_letter(text->ptr[0]) && !ascii_is_digit(text->ptr[0]))
			*text = slice_from(*text, 1);
		while (text->len > 0 && (gist_is_letter(text->ptr[0]) || ascii_is_digit(text->ptr[0]))) {
			is_plain = is_plain && !ascii_is_digit(text->ptr[0]);
			if (n < sizeof word)
				word[n++] = ascii_lower(text->ptr[0]);
			*text = slice_from(*text, 1);
		}
		if (n > 0 && is_plain)
			return hash_mix(n, slice_make(word, n)) | 1;
	}
	return 0;
}

uint64_t gist_of_text(struct slice text)
{
	int weights[GIST_PRINT_BITS] = { 0 };
	unsigned words = 0;
	uint64_t hash, print = 0;
	while ((hash = gist_next_word(&text)) != 0) {
		words++;
		hash *= UINT64_C(0x9e3779b97f4a7c15); /* the lowest bit was made 1 */
		for (unsigned bit = 0; bit < GIST_PRINT_BITS; bit++)
			weights[bit] += hash >> bit & 1 ? 1 : -1;
	}
	for (unsigned bit = 0; bit < GIST_PRINT_BITS; bit++)
		print |= (uint64_t)(weights[bit] > 0) << bit;
	return words < GIST_WORDS_MIN ? 0 : print ? print : 1;
}

bool gist_is_near(uint64_t a, uint64_t b)
{
	return a && b && __builtin_popcountll(a ^ b) <= GIST_NEAR_BITS;
}

uint64_t gist_message_id(const uint8_t *site_key, struct slice message_id)
{
	return message_id.len > 0 ? hash_sip128(site_key, message_id).lo | 1 : 0;
}

/* Only the first lines that are no quotation, and not empty. */
static struct slice gist_first_lines(struct gist *g)
{
	struct slice rest = slice_make(g->text, g->text_len), line;
	size_t kept = 0;
	for (unsigned lines = 0; lines < GIST_LINES && slice_next(&rest, '\n', &line);) {
		line = slice_trim(line);
		if (line.len == 0 || line.ptr[0] == '>')
			continue;
		lines++;
		memmove(g->text + kept, line.ptr, line.len);
		kept += line.len;
		if (kept < sizeof g->text)
			g->text[kept++] = '\n';
	}
	return slice_make(g->text, kept);
}

/* --- reports ------------------------------------------------------------------------ */

static void gist_note_id(struct gist *g, struct slice id)
{
	struct facts *f = g->facts;
	id = slice_trim(id);
	if (id.len > 2 && id.ptr[0] == '<' && id.ptr[id.len - 1] == '>' && f->report_id_count < FACTS_REPORT_IDS_MAX)
		f->report_ids[f->report_id_count++] = gist_message_id(g->site_key, slice_between(id, 1, id.len - 1));
}

/* One line "Name: value" of the machine's part of a report. */
static void gist_field(struct gist *g, struct slice line)
{
	static const char *const telling[] = { "Reporting-MTA", "Final-Recipient", "Status" };
	size_t colon = slice_find_byte(line, 0, ':');
	struct slice name = slice_first(line, colon), value = slice_trim(slice_from(line, colon + 1));
	if (colon == line.len || colon == 0)
		return;
	if (slice_equal_nocase(name, SLICE("Message-ID")))
		gist_note_id(g, value);
	for (size_t i = 0; i < sizeof telling / sizeof telling[0]; i++) {
		if (!slice_equal_nocase(name, slice_from_str(telling[i])))
			continue;
		if (!g->facts->has_report)
			digest_init(&g->report, g->site_key, DIGEST_SHORT_BYTES);
		digest_add_field(&g->report, name);
		digest_add_field(&g->report, value);
		g->facts->has_report = true;
	}
}

static void gist_line_byte(struct gist *g, char c)
{
	if (c == '\n') {
		gist_field(g, slice_make(g->line, g->line_len));
		g->line_len = 0;
	} else if (g->line_len < sizeof g->line) {
		g->line[g->line_len++] = c;
	}
}

/* --- the pieces ------------------------------------------------------------------------ */

void gist_begin(struct gist *g, const uint8_t *site_key, struct facts *facts)
{
	g->site_key = site_key;
	g->facts = facts;
	g->part = GIST_OTHER;
	g->has_text = false;
	g->text_len = g->line_len = 0;
}

static bool gist_is_type(const struct mime_part *part, struct slice type, struct slice subtype)
{
	return part->kind == MIME_LEAF && slice_equal(ctype_type(part->ctype), type) &&
	       slice_equal(ctype_subtype(part->ctype), subtype);
}

void gist_on_begin(struct gist *g, const struct mime_part *part)
{
	bool is_report = g->facts->auto_marks & AUTO_REPORT;
	g->part = GIST_OTHER;
	g->line_len = 0;
	if (!g->has_text && gist_is_type(part, SLICE("text"), SLICE("plain")))
		g->part = GIST_TEXT;
	else if (is_report && part->kind == MIME_MESSAGE)
		g->part = GIST_EMBEDDED;
	else if (is_report && (gist_is_type(part, SLICE("message"), SLICE("delivery-status")) ||
			       gist_is_type(part, SLICE("text"), SLICE("rfc822-headers"))))
		g->part = GIST_REPORT_FIELDS;
}

void gist_on_bytes(struct gist *g, struct slice decoded)
{
	if (g->part == GIST_OTHER)
		return;
	if (g->part == GIST_TEXT) {
		struct slice part = slice_first(decoded, sizeof g->text - g->text_len);
		if (part.len > 0)
			memcpy(g->text + g->text_len, part.ptr, part.len);
		g->text_len += part.len;
		if (g->text_len == sizeof g->text)
			g->part = GIST_OTHER;
		g->has_text = true;
		return;
	}
	bool is_lines = g->part == GIST_REPORT_FIELDS;
	for (size_t i = 0; i < decoded.len && (is_lines || g->line_len < sizeof g->line); i++) {
		if (is_lines)
			gist_line_byte(g, decoded.ptr[i]);
		else
			g->line[g->line_len++] = decoded.ptr[i];
	}
}

void gist_on_end(struct gist *g)
{
	struct slice line = slice_make(g->line, g->line_len);
	if (g->part == GIST_EMBEDDED) /* the value of one shown field; an id looks like one */
		gist_note_id(g, line);
	else if (g->part == GIST_REPORT_FIELDS)
		gist_field(g, line);
	g->part = GIST_OTHER;
}

void gist_end(struct gist *g)
{
	uint8_t digest[DIGEST_SHORT_BYTES];
	g->facts->near = gist_of_text(gist_first_lines(g));
	if (!g->facts->has_report)
		return;
	for (unsigned i = 0; i < g->facts->report_id_count; i++)
		digest_add_field(&g->report, slice_make(&g->facts->report_ids[i], sizeof(uint64_t)));
	digest_end(&g->report, digest);
	memcpy(&g->facts->report_key, digest, sizeof g->facts->report_key);
}
