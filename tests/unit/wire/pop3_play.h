/* SPDX-License-Identifier: Apache-2.0
 *
 * pop3_play: talks with the POP3 codec written as rows, for the tests of it.
 */
#ifndef QUELL_TESTS_UNIT_WIRE_POP3_PLAY_H
#define QUELL_TESTS_UNIT_WIRE_POP3_PLAY_H

#include "../unit.h"

#include "base/buf.h"
#include "base/mem.h"
#include "wire/base64.h"
#include "wire/pop3.h"

/* A talk as rows: the commands given, what must lie in the out buffer then (answers to
 * the row before included), what the server says, and the events that come of it, in
 * short: "RETR2=ok", "USER=err:IN-USE", "STAT=ok 2/320", "1:120" and "1:'uid'" (rows),
 * "LIST." (their end), "{bytes}" (a mail's, joined), "RETR2." (its end), "TLS",
 * "CLOSED=ok", "FAILED(why)". */
struct row {
	const char *give;
	const char *client;
	const char *server; /* NULL: it closes the link */
	const char *events;
};

struct play {
	struct pop3 *p;
	struct sasl *sasl;
	struct buf events;
};

static const char *const code_names[] = { "NONE", "IN-USE", "LOGIN-DELAY", "SYS/TEMP", "SYS/PERM", "AUTH", "OTHER" };

static inline void note_reply(struct buf *b, const struct pop3_event *ev)
{
	buf_add_str(b, pop3_command_name(ev->command));
	if (ev->number > 0 && ev->command != POP3_STAT)
		buf_addf(b, "%u", (unsigned)ev->number);
	buf_add_str(b, ev->reply.is_ok ? "=ok" : "=err");
	if (ev->reply.code != POP3_CODE_NONE)
		buf_addf(b, ":%s", code_names[ev->reply.code]);
	if (ev->command == POP3_STAT && ev->reply.is_ok)
		buf_addf(b, " %u/%llu", (unsigned)ev->number, (unsigned long long)ev->size_bytes);
}

static inline void note_bytes(struct buf *b, struct slice bytes)
{
	if (b->len > 0 && b->ptr[b->len - 1] == '}')
		b->len--;
	else
		buf_add_str(b, b->len > 0 ? " {" : "{");
	buf_add(b, bytes);
	buf_add_byte(b, '}');
}

static inline void note(struct buf *b, const struct pop3_event *ev)
{
	if (ev->kind == POP3_MAIL_BYTES) {
		note_bytes(b, ev->bytes);
		return;
	}
	if (b->len > 0)
		buf_add_byte(b, ' ');
	switch (ev->kind) {
	case POP3_REPLY:
		note_reply(b, ev);
		break;
	case POP3_ROW:
		buf_addf(b, "%u:", (unsigned)ev->number);
		if (ev->command == POP3_LIST)
			buf_addf(b, "%llu", (unsigned long long)ev->size_bytes);
		else
			buf_addf(b, "'%.*s'", SLICE_ARG(ev->uidl));
		break;
	case POP3_ROWS_END:
		buf_addf(b, "%s.", pop3_command_name(ev->command));
		break;
	case POP3_MAIL_END:
		buf_addf(b, "%s%u.", pop3_command_name(ev->command), (unsigned)ev->number);
		break;
	case POP3_TLS:
		buf_add_str(b, "TLS");
		break;
	case POP3_CLOSED:
		buf_add_str(b, ev->reply.is_ok ? "CLOSED=ok" : "CLOSED=err");
		break;
	default:
		buf_addf(b, "FAILED(%s)", ev->why);
		break;
	}
}

/* Bytes in memory of their exact size, gone when all events are out. */
static inline void feed(struct play *play, struct slice bytes)
{
	struct pop3_event ev;
	char *copy = mem_must_alloc(bytes.len);
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	pop3_feed(play->p, slice_make(copy, bytes.len));
	for (pop3_next(play->p, &ev); ev.kind != POP3_NONE; pop3_next(play->p, &ev))
		note(&play->events, &ev);
	mem_free(copy);
}

static inline void feed_end(struct play *play)
{
	pop3_feed_end(play->p);
	feed(play, slice_make(NULL, 0));
}

/* "auth plain": in two steps; "auth+ plain": with the first word. */
static inline bool give_auth(struct play *play, struct slice words)
{
	struct sasl_setup setup = { .user = SLICE("user"), .secret = SLICE("pencil"), .host = SLICE("h"), .port = 1 };
	struct slice verb;
	size_t n;
	assert_true(slice_next(&words, ' ', &verb));
	assert_true(sasl_mechanism_find(words, &setup.mechanism));
	assert_true(base64_read(SLICE("rOprNGfwEbeRWgbNEkqO"), setup.nonce, sizeof setup.nonce, &n));
	setup.nonce_bytes = (uint8_t)n;
	sasl_free(&play->sasl);
	play->sasl = sasl_new(&setup);
	assert_non_null(play->sasl);
	return pop3_auth(play->p, play->sasl, slice_equal(verb, SLICE("auth+")));
}

static inline bool give_bare(struct pop3 *p, struct slice verb)
{
	static const struct { const char *verb; bool (*give)(struct pop3 *p); } bare[] = {
		{ "capa", pop3_capa }, { "stls", pop3_stls }, { "stat", pop3_stat }, { "list", pop3_list },
		{ "uidl", pop3_uidl }, { "noop", pop3_noop }, { "quit", pop3_quit },
	};
	for (size_t i = 0; i < sizeof bare / sizeof bare[0]; i++)
		if (slice_equal(verb, slice_from_str(bare[i].verb)))
			return bare[i].give(p);
	fail_msg("no command \"%.*s\"", SLICE_ARG(verb));
	return false;
}

static inline bool give_one(struct play *play, struct slice command)
{
	struct slice rest = command, verb;
	uint64_t number;
	assert_true(slice_next(&rest, ' ', &verb));
	if (slice_starts_nocase(verb, SLICE("auth")))
		return give_auth(play, command);
	if (slice_equal(verb, SLICE("user")))
		return pop3_user(play->p, rest);
	if (slice_equal(verb, SLICE("pass")))
		return pop3_pass(play->p, rest);
	if (!slice_to_u64(rest, &number))
		return give_bare(play->p, verb);
	if (slice_equal(verb, SLICE("top")))
		return pop3_top(play->p, (uint32_t)number, 10);
	return slice_equal(verb, SLICE("dele")) ? pop3_dele(play->p, (uint32_t)number) :
						  pop3_retr(play->p, (uint32_t)number);
}

static inline void give(struct play *play, const char *commands)
{
	struct slice rest = slice_from_str(commands), command;
	while (slice_next(&rest, ';', &command))
		if (!give_one(play, slice_trim(command)))
			fail_msg("\"%.*s\" was not taken", SLICE_ARG(command));
}

static inline void play_row(struct play *play, const struct row *row, size_t at, size_t first, size_t step)
{
	give(play, row->give);
	struct buf *out = pop3_out(play->p);
	if (!slice_equal(buf_slice(out), slice_from_str(row->client)))
		fail_msg("row %zu: client says \"%.*s\", wanted \"%s\"", at, SLICE_ARG(buf_slice(out)), row->client);
	buf_consume(out, out->len);
	struct slice said = slice_from_str(row->server);
	first = first < said.len ? first : said.len;
	feed(play, slice_first(said, first));
	for (size_t pos = first; pos < said.len; pos += step)
		feed(play, slice_between(said, pos, pos + step));
	if (!row->server)
		feed_end(play);
	if (!slice_equal(buf_slice(&play->events), slice_from_str(row->events)))
		fail_msg("row %zu, split %zu, %zu: events \"%.*s\", wanted \"%s\"", at, first, step,
			 SLICE_ARG(buf_slice(&play->events)), row->events);
	buf_reset(&play->events);
}

static inline struct play play_new(void)
{
	struct play play = { .p = pop3_new() };
	assert_non_null(play.p);
	buf_init(&play.events, 1 << 16);
	return play;
}

static inline void play_free(struct play *play)
{
	buf_free(&play->events);
	sasl_free(&play->sasl);
	pop3_free(&play->p);
	assert_null(play->p);
}

static inline void play_all(const struct row *rows, size_t count, size_t first, size_t step)
{
	struct play play = play_new();
	for (size_t i = 0; i < count; i++)
		play_row(&play, &rows[i], i, first, step);
	play_free(&play);
}

/* Whole, byte by byte, and each row cut in two at every place. */
static inline void play_talk(const struct row *rows, size_t count)
{
	size_t longest = 0;
	for (size_t i = 0; i < count; i++)
		if (rows[i].server && strlen(rows[i].server) > longest)
			longest = strlen(rows[i].server);
	for (size_t split = 0; split <= longest; split++)
		play_all(rows, count, split, SIZE_MAX / 2);
	play_all(rows, count, 0, 1);
	play_all(rows, count, 1, 2);
}
#define TALK(rows) play_talk(rows, sizeof rows / sizeof rows[0])

#define GREETING { "", "", "+OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>\r\n", "greeting=ok" }

#endif
