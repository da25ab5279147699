/* SPDX-License-Identifier: Apache-2.0
 *
 * mime: two states (a part's header, a body) and a stack of boundaries. In a
 * body under boundaries the last line end is held back, because it belongs to
 * the boundary if one follows (RFC 2046 5.1.1).
 */
#include "mail/mime.h"

#include "mail/header.h"

enum {
	MIME_LINE_BYTES_MAX = CTYPE_BOUNDARY_BYTES + 256, /* longer lines are no boundary */
	MIME_OUT_BYTES = 2048,
};

struct mime_level {
	char text[CTYPE_BOUNDARY_BYTES + 4]; /* "--" boundary "--" */
	size_t len;                          /* without the last "--" */
	unsigned depth;
	bool is_digest;                      /* multipart/digest: parts are messages */
};

enum mime_sink { SINK_NONE, SINK_LEAF, SINK_PREAMBLE, SINK_DEBRIS };
enum mime_line { LINE_START, LINE_INSIDE, LINE_CANDIDATE };

struct mime {
	struct arena *arena;
	const struct mime_hooks *hooks;
	struct header_hooks header_hooks;
	struct header_splitter header;
	bool is_in_header, is_embedded;  /* the header is an embedded message's */
	bool has_ctype, has_line;        /* a field, or debris, was in the header */
	struct ctype ctype;
	enum encoding encoding;

	struct mime_level *levels[MIME_DEPTH_MAX]; /* allocated on first use, then kept */
	size_t level_count;
	unsigned depth;
	size_t parts;
	bool is_out_of_memory;

	size_t found_level;              /* of the boundary line just matched */
	bool is_found_end;

	enum mime_sink sink;
	struct decoder decoder;
	enum mime_line line;
	size_t candidate_len;
	char candidate[MIME_LINE_BYTES_MAX];
	size_t held_len;
	char held[2];                    /* the line end not yet given out */
	char out[MIME_OUT_BYTES + 4];
};

static void mime_piece(struct mime *m, enum mime_kind kind, struct slice bytes)
{
	struct mime_part part = { .kind = kind, .ctype = &m->ctype };
	m->hooks->on_begin(m->hooks->user, &part);
	m->hooks->on_bytes(m->hooks->user, bytes);
	m->hooks->on_end(m->hooks->user, false);
}

static void mime_sink_open(struct mime *m, enum mime_sink sink)
{
	struct mime_part part = { .kind = sink == SINK_LEAF ? MIME_LEAF : MIME_DEBRIS,
				  .ctype = &m->ctype, .encoding = m->encoding };
	m->sink = sink;
	m->line = LINE_START;
	m->held_len = 0;
	if (sink == SINK_NONE)
		return;
	decoder_begin(&m->decoder, m->encoding);
	m->hooks->on_begin(m->hooks->user, &part);
}

static void mime_sink_close(struct mime *m, bool is_void)
{
	if (m->sink != SINK_NONE)
		m->hooks->on_end(m->hooks->user, is_void);
	m->sink = SINK_NONE;
}

static void mime_emit(struct mime *m, struct slice s)
{
	if (s.len == 0 || m->sink == SINK_NONE)
		return;
	if (m->sink != SINK_LEAF || m->encoding == ENCODING_PLAIN || m->encoding == ENCODING_BINARY) {
		m->hooks->on_bytes(m->hooks->user, s);
		return;
	}
	for (size_t pos = 0; pos < s.len; pos += MIME_OUT_BYTES) {
		size_t len = decoder_feed(&m->decoder, slice_first(slice_from(s, pos), MIME_OUT_BYTES),
					  m->out);
		if (len > 0)
			m->hooks->on_bytes(m->hooks->user, slice_make(m->out, len));
	}
}

/* Emits s, but holds back a line end at its end. */
static void mime_give(struct mime *m, struct slice s)
{
	if (s.len == 0)
		return;
	if (m->held_len == 1 && m->held[0] == '\r' && s.len == 1 && s.ptr[0] == '\n') {
		m->held[m->held_len++] = '\n';
		return;
	}
	mime_emit(m, slice_make(m->held, m->held_len));
	char last = s.ptr[s.len - 1];
	m->held_len = last == '\n' || last == '\r';
	if (last == '\n' && s.len > 1 && s.ptr[s.len - 2] == '\r')
		m->held_len = 2;
	size_t keep = s.len - m->held_len;
	memcpy(m->held, s.ptr + keep, m->held_len);
	mime_emit(m, slice_first(s, keep));
}

/* Does the line begin with text, and hold nothing after it but blanks? */
static bool mime_is_marker(struct slice line, const char *text, size_t len)
{
	return line.len >= len && memcmp(line.ptr, text, len) == 0 &&
	       slice_trim(slice_from(line, len)).len == 0;
}

/* Is the line (without its end) a boundary? Innermost first. */
static bool mime_match(struct mime *m, struct slice line)
{
	for (size_t i = m->level_count; i > 0; i--) {
		const struct mime_level *level = m->levels[i - 1];
		m->found_level = i - 1;
		m->is_found_end = mime_is_marker(line, level->text, level->len + 2);
		if (m->is_found_end || mime_is_marker(line, level->text, level->len))
			return true;
	}
	return false;
}

static bool mime_push(struct mime *m)
{
	if (m->ctype.boundary_len == 0 || m->depth >= MIME_DEPTH_MAX ||
	    m->level_count == MIME_DEPTH_MAX)
		return false;
	struct mime_level **slot = &m->levels[m->level_count];
	if (!*slot)
		*slot = arena_alloc(m->arena, sizeof **slot);
	if (!*slot) {
		m->is_out_of_memory = true;
		return false;
	}
	struct mime_level *level = *slot;
	level->len = m->ctype.boundary_len + 2;
	memcpy(level->text, "--", 2);
	memcpy(level->text + 2, m->ctype.boundary, m->ctype.boundary_len);
	memcpy(level->text + level->len, "--", 2);
	level->depth = m->depth;
	level->is_digest = slice_equal(ctype_subtype(&m->ctype), SLICE("digest"));
	m->level_count++;
	return true;
}

static void mime_begin_header(struct mime *m, bool is_embedded)
{
	header_restart(&m->header);
	m->is_in_header = true;
	m->is_embedded = is_embedded;
	m->has_ctype = m->has_line = false;
	m->encoding = ENCODING_PLAIN;
}

static bool mime_is_walked_message(const struct mime *m)
{
	static const char *const subtypes[] = { "rfc822", "rfc2822", "global", "news" };
	if (!ctype_is(&m->ctype, SLICE("message")) || m->depth >= MIME_DEPTH_MAX ||
	    (m->encoding != ENCODING_PLAIN && m->encoding != ENCODING_BINARY))
		return false;
	for (size_t i = 0; i < sizeof subtypes / sizeof subtypes[0]; i++)
		if (slice_equal(ctype_subtype(&m->ctype), slice_from_str(subtypes[i])))
			return true;
	return false;
}

/* The header of an entity is known: what is its body? */
static void mime_enter(struct mime *m)
{
	bool is_in_digest = m->level_count > 0 && m->levels[m->level_count - 1]->is_digest;
	if (!m->has_ctype && is_in_digest && !m->is_embedded)
		ctype_set(&m->ctype, SLICE("message"), SLICE("rfc822"));
	else if (!m->has_ctype)
		ctype_set(&m->ctype, SLICE("text"), SLICE("plain"));
	m->is_in_header = false;
	if (ctype_is(&m->ctype, SLICE("multipart"))) {
		m->encoding = ENCODING_PLAIN;
		mime_sink_open(m, mime_push(m) ? SINK_PREAMBLE : SINK_DEBRIS);
	} else if (mime_is_walked_message(m)) {
		m->depth++;
		m->sink = SINK_NONE;
		mime_begin_header(m, true);
	} else {
		mime_sink_open(m, SINK_LEAF);
	}
}

/* A boundary line was matched: found_level, is_found_end. */
static void mime_at_boundary(struct mime *m)
{
	mime_sink_close(m, m->sink == SINK_PREAMBLE && m->found_level + 1 == m->level_count);
	m->level_count = m->found_level + !m->is_found_end;
	m->depth = m->levels[m->found_level]->depth + 1;
	m->held_len = 0;
	m->line = LINE_START;
	m->is_in_header = false;
	if (m->is_found_end)
		return; /* the epilogue goes nowhere */
	if (++m->parts <= MIME_PARTS_MAX) {
		mime_begin_header(m, false);
		return;
	}
	m->level_count = 0;
	m->encoding = ENCODING_BINARY;
	mime_sink_open(m, SINK_DEBRIS);
}

/* header hooks */

static void mime_on_field(void *user, struct slice name, struct slice value)
{
	static const char *const shown[] = { "Subject", "Date", "From", "Message-ID" };
	struct mime *m = user;
	m->has_line = true;
	if (slice_equal_nocase(name, SLICE("Content-Type"))) {
		m->has_ctype = ctype_parse(value, &m->ctype); /* of several the last counts */
	} else if (slice_equal_nocase(name, SLICE("Content-Transfer-Encoding"))) {
		m->encoding = encoding_parse(value);
	} else if (m->is_embedded) {
		for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
			if (slice_equal_nocase(name, slice_from_str(shown[i])))
				mime_piece(m, MIME_MESSAGE, value);
	}
}

static void mime_on_debris(void *user, struct slice lines)
{
	struct mime *m = user;
	m->has_line = true;
	mime_piece(m, MIME_DEBRIS, lines);
}

static bool mime_on_dashes(void *user, struct slice line)
{
	return mime_match(user, line);
}

/* The bytes used; the header ended if is_in_header is no longer set. */
static size_t mime_feed_header(struct mime *m, struct slice chunk)
{
	size_t used = header_feed(&m->header, chunk);
	bool is_stopped = m->header.is_stopped;
	if (!m->header.is_done && !is_stopped)
		return used;
	/* An embedded message without any line is no message. */
	if (!is_stopped || !m->is_embedded || m->has_line)
		mime_enter(m);
	if (is_stopped)
		mime_at_boundary(m);
	return used;
}

/* Takes the bytes of a line that may be a boundary; returns how many. Settles it
 * when the line ends, grows too long or shows that it is none. */
static size_t mime_feed_candidate(struct mime *m, struct slice rest)
{
	size_t end = slice_find_byte(rest, 0, '\n');
	size_t want = end < rest.len ? end + 1 : end;
	size_t room = sizeof m->candidate - m->candidate_len;
	size_t take = want < room ? want : room;
	memcpy(m->candidate + m->candidate_len, rest.ptr, take);
	m->candidate_len += take;
	m->line = LINE_CANDIDATE;

	struct slice line = slice_make(m->candidate, m->candidate_len);
	bool is_line = line.ptr[line.len - 1] == '\n';
	bool is_none = line.len >= 2 && line.ptr[1] != '-';
	if (is_line && !is_none && line.len > 2 && mime_match(m, slice_first(line, line.len - 1))) {
		m->candidate_len = 0;
		mime_at_boundary(m);
	} else if (is_line || is_none || line.len == sizeof m->candidate) {
		m->candidate_len = 0;
		m->line = is_line ? LINE_START : LINE_INSIDE;
		mime_give(m, line);
	}
	return take;
}

static size_t mime_feed_body(struct mime *m, struct slice chunk)
{
	size_t from = 0, pos = 0; /* [from, pos): whole lines not yet given out */

	if (m->level_count == 0) {
		mime_emit(m, chunk);
		return chunk.len;
	}
	while (pos < chunk.len) {
		bool may_be = m->line == LINE_CANDIDATE ||
			      (m->line == LINE_START && chunk.ptr[pos] == '-' &&
			       (pos + 1 == chunk.len || chunk.ptr[pos + 1] == '-'));
		if (may_be) {
			mime_give(m, slice_between(chunk, from, pos));
			pos += mime_feed_candidate(m, slice_from(chunk, pos));
			from = pos;
			if (m->is_in_header || m->level_count == 0)
				return pos;
			continue;
		}
		pos = slice_find_byte(chunk, pos, '\n');
		m->line = pos < chunk.len ? LINE_START : LINE_INSIDE;
		pos += pos < chunk.len;
	}
	mime_give(m, slice_between(chunk, from, pos));
	return pos;
}

struct mime *mime_begin(struct arena *arena, const struct ctype *ctype, enum encoding encoding,
			const struct mime_hooks *hooks)
{
	struct mime *m = arena_alloc(arena, sizeof *m);
	if (!m)
		return NULL;
	m->arena = arena;
	m->hooks = hooks;
	m->header_hooks = (struct header_hooks){ .on_field = mime_on_field,
						 .on_debris = mime_on_debris,
						 .on_dashes = mime_on_dashes, .user = m };
	header_begin(&m->header, arena, MIME_FIELD_BYTES_MAX, &m->header_hooks);
	m->ctype = *ctype;
	m->has_ctype = true;
	m->encoding = encoding;
	mime_enter(m);
	return m;
}

void mime_feed(struct mime *m, struct slice chunk)
{
	while (chunk.len > 0) {
		size_t used = m->is_in_header ? mime_feed_header(m, chunk) : mime_feed_body(m, chunk);
		chunk = slice_from(chunk, used);
	}
}

void mime_end(struct mime *m)
{
	if (m->is_in_header) {
		header_end(&m->header);
		if (m->has_line || m->header.is_stopped) /* else there is no such part */
			mime_enter(m);
	} else if (m->line == LINE_CANDIDATE) {
		struct slice line = slice_make(m->candidate, m->candidate_len);
		if (line.len > 2 && mime_match(m, line))
			m->held_len = 0;
		else
			mime_give(m, line);
	}
	mime_emit(m, slice_make(m->held, m->held_len));
	mime_sink_close(m, false);
}

bool mime_is_whole(const struct mime *m)
{
	return !m->is_out_of_memory && !m->header.is_out_of_memory;
}
