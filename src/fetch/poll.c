/* SPDX-License-Identifier: Apache-2.0
 *
 * poll: one session with a POP3 server, from connecting to QUIT.
 *
 *   secret -> connect -> greeting -> CAPA [STLS, TLS, CAPA] -> sign in -> CAPA -> UIDL,
 *   LIST -> what is new? -> RETR into the spool, commit by groups -> DELE -> QUIT
 *
 * Each phase has a function that takes its events. Whatever is not in order ends the
 * session without QUIT: then the server deletes nothing (RFC 1939 6), and what was
 * committed is known at the next look.
 */
#include "fetch/poll_inner.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>

enum {
	POLL_RESOLVE_MS = 15 * 1000,
	POLL_DIAL_MS = 20 * 1000,
	POLL_IDLE_MS = 60 * 1000,
	POLL_SESSION_MS = 30 * 60 * 1000,
	POLL_IN_BYTES = 256 * 1024,
	POLL_OUT_BYTES = 128 * 1024,
	POLL_PORT = 110, POLL_PORT_TLS = 995,
};

const char *poll_end_name(enum poll_end end)
{
	static const char *const names[POLL_END_COUNT] = {
		[POLL_NEVER] = "never", [POLL_WELL] = "well", [POLL_STOPPED] = "stopped",
		[POLL_NETWORK] = "network", [POLL_TLS] = "tls", [POLL_REFUSED] = "refused",
		[POLL_BUSY] = "busy", [POLL_SERVER] = "server", [POLL_DISK] = "disk",
		[POLL_SECRET] = "secret",
	};
	return names[end];
}

int64_t poll_now_ms(const struct poll *p)
{
	return loop_now_ms(p->fetch->setup.loop);
}

const char *poll_words(struct slice text, char out[256])
{
	return log_quote(slice_first(slice_trim(text), 200), out, 256);
}

static void poll_close_link(struct poll *p)
{
	resolve_cancel(&p->resolve);
	dial_cancel(&p->dial);
	stream_close(&p->stream);
	pop3_free(&p->pop3);
	sasl_free(&p->sasl);
}

static void poll_free(struct poll *p)
{
	poll_close_link(p);
	secret_free(&p->secret);
	secret_run_cancel(&p->secret_run);
	if (p->seat->token)
		token_cancel(p->seat->token);
	loop_timer_stop(&p->end_timer);
	loop_timer_stop(&p->session_timer);
	loop_timer_stop(&p->settle_timer);
	segment_writer_free(&p->writer);
	incoming_free(&p->in);
	arena_free(&p->arena);
	mem_free(p->listed);
	mem_free(p->order);
	mem_free(p->former);
	mem_free(p->group);
	mem_free(p->gone);
	mem_free(p);
}

static void on_over(void *ctx)
{
	struct poll *p = ctx;
	struct seat *seat = p->seat;
	poll_done_fn *done = p->done;
	struct poll_result result = p->result;
	poll_free(p);
	done(seat, &result);
}

static void poll_over(struct poll *p)
{
	/* Not from within a callback of the stream, whose bytes are still in use. The timer was
	 * made at the start, so that a session can always end. */
	loop_timer_again(p->end_timer, 0);
}

void poll_end(struct poll *p, enum poll_end end, const char *format, ...)
{
	va_list args;
	bool was_taking = p->phase == PHASE_TAKE;
	if (p->phase == PHASE_OVER)
		return;
	p->phase = PHASE_OVER;
	/* What came whole before the line broke is kept; what broke it is remembered. */
	if (was_taking && (end == POLL_NETWORK || end == POLL_SERVER))
		poll_blame(p, end == POLL_SERVER && !p->is_line_ended);
	p->result.end = end;
	va_start(args, format);
	vsnprintf(p->result.why, sizeof p->result.why, format, args);
	va_end(args);
	poll_over(p);
}

void poll_surprise(struct poll *p, const struct pop3_event *e)
{
	char words[256];
	poll_end(p, POLL_SERVER, "the server's answer to %s was not expected: %s", pop3_command_name(e->command),
		 poll_words(e->reply.text, words));
}

void poll_quit(struct poll *p)
{
	p->phase = PHASE_QUIT;
	if (!pop3_quit(p->pop3))
		poll_end(p, POLL_NETWORK, "QUIT could not be said");
}

void poll_flush(struct poll *p)
{
	struct buf *out = p->pop3 ? pop3_out(p->pop3) : NULL;
	if (!out || out->len == 0 || !p->stream || p->phase == PHASE_OVER)
		return;
	bool is_sent = stream_write(p->stream, buf_slice(out));
	explicit_bzero(out->ptr, out->len);
	buf_consume(out, out->len);
	if (!is_sent)
		poll_end(p, POLL_NETWORK, "the server does not read");
}

/* --- events ------------------------------------------------------------------- */

static void poll_start_tls(struct poll *p)
{
	const struct seat *seat = p->seat;
	const struct tls_peer peer = {
		.host = seat->entry->settings.host,
		.pin = seat->has_pin ? seat->pin : NULL,
	};
	p->phase = PHASE_TLS;
	stream_start_tls(p->stream, seat->tls, &peer);
}

static void poll_ask_capa(struct poll *p, enum poll_phase phase)
{
	p->phase = phase;
	if (!pop3_capa(p->pop3))
		poll_end(p, POLL_NETWORK, "CAPA could not be said");
}

static bool poll_wants_stls(const struct poll *p)
{
	return strcmp(p->seat->entry->settings.tls, "starttls-required") == 0 && !p->is_secure;
}

static void poll_on_capa(struct poll *p, const struct pop3_event *e)
{
	if (e->kind != POP3_REPLY || e->command != POP3_CAPA) {
		poll_surprise(p, e);
		return;
	}
	if (!poll_wants_stls(p)) {
		poll_sign(p);
		return;
	}
	/* Asked for even when CAPA does not offer it: the server's word decides, and without
	 * TLS no password leaves (hazard 39). */
	p->phase = PHASE_STLS;
	if (!pop3_stls(p->pop3))
		poll_end(p, POLL_NETWORK, "STLS could not be said");
}

static void poll_on_greeting(struct poll *p, const struct pop3_event *e)
{
	char words[256];
	if (e->kind != POP3_REPLY)
		poll_surprise(p, e);
	else if (!e->reply.is_ok)
		poll_end(p, e->reply.code == POP3_CODE_IN_USE ? POLL_BUSY : POLL_SERVER, "the server turns us away: %s",
			 poll_words(e->reply.text, words));
	else
		poll_ask_capa(p, PHASE_CAPA);
}

static void poll_on_stls(struct poll *p, const struct pop3_event *e)
{
	char words[256];
	if (e->kind == POP3_TLS)
		poll_start_tls(p);
	else if (e->kind == POP3_REPLY && !e->reply.is_ok)
		poll_end(p, POLL_TLS, "the server refuses STLS (%s), and without TLS no password is sent",
			 poll_words(e->reply.text, words));
	else if (e->kind != POP3_REPLY)
		poll_surprise(p, e);
}

static void poll_on_capa_again(struct poll *p, const struct pop3_event *e)
{
	const struct pop3_caps *caps = pop3_caps(p->pop3);
	if (e->kind != POP3_REPLY) {
		poll_surprise(p, e);
		return;
	}
	p->window = caps->can & POP3_CAN_PIPELINING ? POLL_WINDOW : 1;
	p->result.login_delay_ms = caps->login_delay_ms;
	poll_look(p);
}

static void poll_on_quit(struct poll *p, const struct pop3_event *e)
{
	if (e->kind != POP3_CLOSED) {
		poll_surprise(p, e);
		return;
	}
	poll_on_dropping(p, e);
	if (p->phase == PHASE_OVER)
		return;
	if (p->result.end == POLL_NEVER)
		p->result.end = POLL_WELL;
	p->phase = PHASE_OVER;
	poll_over(p);
}

typedef void poll_event_fn(struct poll *p, const struct pop3_event *e);
static poll_event_fn *const event_fns[] = {
	[PHASE_GREETING] = poll_on_greeting,   [PHASE_CAPA] = poll_on_capa,
	[PHASE_STLS] = poll_on_stls,           [PHASE_SIGN] = poll_on_signing,
	[PHASE_CAPA_AGAIN] = poll_on_capa_again, [PHASE_STAT] = poll_on_listing,
	[PHASE_UIDL] = poll_on_listing,        [PHASE_LIST] = poll_on_listing,
	[PHASE_TOPS] = poll_on_top,            [PHASE_TAKE] = poll_on_taking,
	[PHASE_SETTLE] = poll_surprise,        [PHASE_DELE] = poll_on_dropping,
	[PHASE_QUIT] = poll_on_quit,           [PHASE_SECRET] = poll_surprise,
	[PHASE_CONNECT] = poll_surprise,       [PHASE_TLS] = poll_surprise,
};

static void poll_on_event(struct poll *p, const struct pop3_event *e)
{
	char words[256];
	if (e->kind == POP3_FAILED)
		poll_end(p, POLL_SERVER, "%s%s%s", e->why, e->reply.text.len ? ": " : "",
			 e->reply.text.len ? poll_words(e->reply.text, words) : "");
	else
		event_fns[p->phase](p, e);
}

static void poll_run_events(struct poll *p)
{
	struct pop3_event event;
	while (p->phase != PHASE_OVER) {
		pop3_next(p->pop3, &event);
		if (event.kind == POP3_NONE)
			break;
		poll_on_event(p, &event);
	}
	if (p->phase == PHASE_TAKE)
		poll_take_more(p);
	poll_flush(p);
}

static size_t poll_on_data(void *ctx, struct stream *stream, struct slice bytes)
{
	struct poll *p = ctx;
	(void)stream;
	if (p->phase == PHASE_OVER)
		return bytes.len;
	pop3_feed(p->pop3, bytes);
	poll_run_events(p);
	return bytes.len;
}

static void poll_on_end(void *ctx, struct stream *stream, enum stream_end end, int sys_errno)
{
	struct poll *p = ctx;
	if (p->phase == PHASE_OVER)
		return;
	if (end == STREAM_TLS) {
		poll_end(p, POLL_TLS, "%s", stream_tls_trouble(stream));
		return;
	}
	if (end == STREAM_EOF) {
		p->is_line_ended = true;
		pop3_feed_end(p->pop3);
		poll_run_events(p);
	}
	poll_end(p, POLL_NETWORK, "the line broke: %s",
		 end == STREAM_ERROR ? strerror(sys_errno) : stream_end_text(end));
}

static void poll_on_secure(void *ctx, struct stream *stream, const struct tls_info *info)
{
	struct poll *p = ctx;
	char expires[40], pin[2 * TLS_PIN_BYTES + 1];
	(void)stream;
	p->is_secure = true;
	hash_to_hex(info->spki, TLS_PIN_BYTES, pin);
	if (p->fetch->setup.mode == FETCH_CHECK)
		fetch_say(p->fetch, "account", p->seat->entry->label,
			  "%s, %s; certificate of %s, issued by %s, good until %s; pin %s", info->version, info->cipher,
			  info->subject, info->issuer, clock_rfc3339(info->expires_ms, expires, sizeof expires), pin);
	if (strcmp(p->seat->entry->settings.tls, "implicit") == 0)
		p->phase = PHASE_GREETING;
	else
		poll_ask_capa(p, PHASE_CAPA);
	poll_flush(p);
}

/* --- connecting --------------------------------------------------------------- */

static void poll_dial(struct poll *p);

static void poll_on_dialed(void *ctx, int fd, int sys_errno)
{
	static const struct stream_calls calls = { poll_on_data, poll_on_end, NULL, poll_on_secure };
	static const struct stream_setup setup = {
		.in_bytes_max = POLL_IN_BYTES, .out_bytes_max = POLL_OUT_BYTES, .idle_ms = POLL_IDLE_MS,
	};
	struct poll *p = ctx;
	char text[NET_ADDR_TEXT_BYTES];
	p->dial = NULL;
	if (fd < 0) {
		if (p->addr_next < p->addr_count)
			poll_dial(p);
		else
			poll_end(p, POLL_NETWORK, "cannot connect to %s (%s): %s", p->seat->entry->settings.host,
				 net_addr_text(&p->addrs[p->addr_next - 1], text), strerror(sys_errno));
		return;
	}
	p->stream = stream_open(p->fetch->setup.loop, fd, &setup, &calls, p);
	p->pop3 = pop3_new();
	if (!p->stream || !p->pop3) {
		poll_end(p, POLL_NETWORK, "no memory for a session");
		return;
	}
	if (strcmp(p->seat->entry->settings.tls, "implicit") == 0)
		poll_start_tls(p);
	else
		p->phase = PHASE_GREETING;
}

static void poll_dial(struct poll *p)
{
	p->dial = dial_start(p->fetch->setup.loop, &p->addrs[p->addr_next++], POLL_DIAL_MS, poll_on_dialed, p);
	if (!p->dial)
		poll_end(p, POLL_NETWORK, "no memory to connect");
}

static void poll_on_resolved(void *ctx, const struct net_addr *addrs, size_t count, const char *why)
{
	struct poll *p = ctx;
	p->resolve = NULL;
	if (count == 0) {
		poll_end(p, POLL_NETWORK, "%s", why);
		return;
	}
	p->addr_count = count < RESOLVE_MAX ? count : RESOLVE_MAX;
	memcpy(p->addrs, addrs, p->addr_count * sizeof *addrs);
	poll_dial(p);
}

/* The secret is there. */
void poll_connect(struct poll *p)
{
	const struct account_settings *s = &p->seat->entry->settings;
	bool is_implicit = strcmp(s->tls, "implicit") == 0;
	uint16_t port = s->port > 0 ? (uint16_t)s->port : is_implicit ? POLL_PORT_TLS : POLL_PORT;
	p->phase = PHASE_CONNECT;
	p->resolve = resolve_start(p->fetch->setup.loop, s->host, port, POLL_RESOLVE_MS, poll_on_resolved, p);
	if (!p->resolve)
		poll_end(p, POLL_NETWORK, "no memory to look up %s", s->host);
}

static void on_session_over(void *ctx)
{
	poll_end(ctx, POLL_NETWORK, "the session took longer than %d minutes", POLL_SESSION_MS / CLOCK_MINUTE_MS);
}

struct poll *poll_start(struct seat *seat, poll_done_fn *done)
{
	struct poll *p = mem_alloc(sizeof *p);
	if (!p)
		return NULL;
	p->seat = seat;
	p->fetch = seat->fetch;
	p->done = done;
	p->window = 1;
	arena_init(&p->arena, (size_t)POLL_LISTED_MAX * LEDGER_KEY_BYTES);
	p->session_timer = loop_timer_start(seat->fetch->setup.loop, POLL_SESSION_MS, 0, on_session_over, p);
	p->end_timer = loop_timer_start(seat->fetch->setup.loop, 2 * POLL_SESSION_MS, 0, on_over, p);
	if (!p->session_timer || !p->end_timer || !incoming_begin(&p->in)) {
		poll_free(p);
		return NULL;
	}
	poll_get_secret(p);
	return p;
}

void poll_cancel(struct poll **poll)
{
	if (*poll)
		poll_free(*poll);
	*poll = NULL;
}
