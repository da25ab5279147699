/* SPDX-License-Identifier: Apache-2.0
 *
 * Any server against the POP3 client. The first byte says how many bytes arrive at once
 * and how AUTH is begun; a byte 0xff in the rest ends the server's turn: then the next
 * commands of a fixed talk are given. Invariants: mails are no longer than what was fed
 * for them and end only behind the terminator, answers come in the order of the commands
 * and not more of them, after FAILED or CLOSED nothing comes, the talk is finite.
 */
#include "base/mem.h"
#include "wire/pop3.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TURN = 0xff, ASKED_MAX = 64 };

struct talk {
	struct pop3 *p;
	struct sasl *sasl;
	size_t turn;
	bool want_initial, is_over;
	enum pop3_command asked[ASKED_MAX];
	uint32_t numbers[ASKED_MAX];
	size_t asked_count, answered;
	bool is_open;                /* the last answer was +OK, rows or a mail follow */
	uint64_t fed, mail_from, mail_bytes;
	char tail[5];                /* the last bytes fed */
};

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void note(struct talk *t, bool is_given, enum pop3_command command, uint32_t number)
{
	if (!is_given)
		return;
	must(t->asked_count < ASKED_MAX && !t->is_over);
	t->asked[t->asked_count] = command;
	t->numbers[t->asked_count++] = number;
}

static void give_auth(struct talk *t, enum sasl_mechanism mechanism)
{
	struct sasl_setup setup = { .mechanism = mechanism, .user = SLICE("user"), .secret = SLICE("pencil"),
				    .host = SLICE("mail.example.org"), .port = 995 };
	struct sasl *sasl = sasl_new(&setup);
	must(sasl != NULL);
	bool is_given = pop3_auth(t->p, sasl, t->want_initial);
	note(t, is_given, POP3_AUTH, 0);
	if (is_given) {
		sasl_free(&t->sasl); /* nothing else was open: the old one is out of use */
		t->sasl = sasl;
	} else {
		sasl_free(&sasl);
	}
}

static void give_mails(struct talk *t)
{
	for (uint32_t i = 1; i <= 3; i++)
		note(t, pop3_retr(t->p, i), POP3_RETR, i);
	note(t, pop3_top(t->p, 4, 0), POP3_TOP, 4);
	note(t, pop3_dele(t->p, 1), POP3_DELE, 1);
	note(t, pop3_retr(t->p, 5), POP3_RETR, 5);
}

static void give_next(struct talk *t)
{
	switch (t->turn++) {
	case 0: case 2:
		note(t, pop3_capa(t->p), POP3_CAPA, 0);
		break;
	case 1:
		note(t, pop3_stls(t->p), POP3_STLS, 0);
		break;
	case 3: case 4: case 5: case 6:
		give_auth(t, (enum sasl_mechanism)(t->turn - 4));
		break;
	case 7:
		note(t, pop3_user(t->p, SLICE("user")), POP3_USER, 0);
		note(t, pop3_pass(t->p, SLICE("pencil")), POP3_PASS, 0);
		break;
	case 8:
		note(t, pop3_stat(t->p), POP3_STAT, 0);
		note(t, pop3_uidl(t->p), POP3_UIDL, 0);
		note(t, pop3_list(t->p), POP3_LIST, 0);
		break;
	case 9: case 10:
		give_mails(t);
		break;
	default:
		note(t, pop3_quit(t->p), POP3_QUIT, 0);
		break;
	}
}

static void on_answer(struct talk *t, const struct pop3_event *ev)
{
	must(!t->is_open && t->answered < t->asked_count);
	must(ev->command == t->asked[t->answered]);
	must(ev->command == POP3_STAT || ev->number == t->numbers[t->answered]);
	bool has_more = ev->command == POP3_LIST || ev->command == POP3_UIDL || ev->command == POP3_RETR ||
			ev->command == POP3_TOP;
	t->is_open = ev->kind == POP3_REPLY && has_more && ev->reply.is_ok;
	t->answered += !t->is_open;
	t->mail_bytes = 0;
}

static void on_part(struct talk *t, const struct pop3_event *ev)
{
	must(t->is_open && ev->command == t->asked[t->answered]);
	must(ev->kind == POP3_ROW || ev->number == t->numbers[t->answered]);
	if (ev->kind == POP3_ROW)
		must(ev->number > 0 && (ev->command == POP3_LIST ||
					(ev->uidl.len > 0 && ev->uidl.len <= POP3_UIDL_BYTES_MAX)));
	if (ev->kind == POP3_MAIL_BYTES) {
		must(ev->bytes.len > 0);
		t->mail_bytes += ev->bytes.len;
		must(t->mail_bytes <= t->fed);
	}
	if (ev->kind == POP3_ROWS_END || ev->kind == POP3_MAIL_END) {
		t->is_open = false;
		t->answered++;
	}
}

static void on_event(struct talk *t, const struct pop3_event *ev)
{
	must(!t->is_over && ev->reply.text.len <= POP3_TEXT_BYTES);
	switch (ev->kind) {
	case POP3_REPLY: case POP3_TLS:
		on_answer(t, ev);
		break;
	case POP3_CLOSED:
		on_answer(t, ev);
		t->is_over = true;
		break;
	case POP3_FAILED:
		must(ev->why != NULL && pop3_out(t->p)->len == 0);
		t->is_over = true;
		break;
	default:
		on_part(t, ev);
		break;
	}
	must(t->is_over || pop3_open(t->p) == t->asked_count - t->answered);
}

static void feed(struct talk *t, struct slice bytes)
{
	struct pop3_event ev;
	char *copy = mem_must_alloc(bytes.len);
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	t->fed += bytes.len;
	pop3_feed(t->p, slice_make(copy, bytes.len));
	size_t events = 0;
	for (pop3_next(t->p, &ev); ev.kind != POP3_NONE; pop3_next(t->p, &ev)) {
		must(++events <= 2 * bytes.len + 2);
		/* Byte by byte the terminator is the last thing that was fed. */
		if (ev.kind == POP3_MAIL_END && bytes.len == 1)
			must(memcmp(t->tail + 2, ".\r\n", 3) == 0 && t->tail[1] == '\n');
		on_event(t, &ev);
	}
	mem_free(copy);
}

static void feed_turn(struct talk *t, struct slice said, size_t step)
{
	for (size_t pos = 0; pos < said.len; pos += step) {
		struct slice part = slice_between(said, pos, pos + step);
		for (size_t i = 0; i < part.len; i++) {
			memmove(t->tail, t->tail + 1, sizeof t->tail - 1);
			t->tail[sizeof t->tail - 1] = part.ptr[i];
		}
		feed(t, part);
	}
	buf_consume(pop3_out(t->p), step); /* sent in part: the rest must stay good */
	give_next(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk t = { .asked = { POP3_CONNECT }, .asked_count = 1 };
	if (size == 0)
		return 0;
	size_t step = data[0] & 0x3f ? data[0] & 0x3f : size;
	t.want_initial = data[0] & 0x40;
	t.p = pop3_new();
	must(t.p != NULL);
	struct slice rest = slice_make(data + 1, size - 1), said;
	while (t.turn < 40 && slice_next(&rest, (char)TURN, &said))
		feed_turn(&t, said, step);
	pop3_feed_end(t.p);
	feed(&t, slice_make(NULL, 0));
	must(t.is_over);
	feed(&t, SLICE("+OK\r\n.\r\n"));
	pop3_free(&t.p);
	sasl_free(&t.sasl);
	return 0;
}
