/* SPDX-License-Identifier: Apache-2.0
 *
 * control_answer: from a line to the daemon's deed to a line of JSON.
 */
#include "desk/control.h"
#include "base/mem.h"
#include "desk/json.h"
#include "desk/top.h"

#include <stdlib.h>

enum { CONTROL_WORDS_MAX = 6, CONTROL_TEXT_BYTES = 4096, CONTROL_ID_BYTES = 64 };

struct order {
	const struct control_calls *calls;
	struct slice words[CONTROL_WORDS_MAX];
	size_t count;
	char id[CONTROL_ID_BYTES];
	struct buf text;
	struct error error;
	json_t *answer;
};

struct control_status {
	json_t *object;
};

void control_status_number(struct control_status *status, const char *name, uint64_t value)
{
	json_object_set_new(status->object, name, json_integer((json_int_t)value));
}

void control_status_text(struct control_status *status, const char *name, const char *value)
{
	json_object_set_new(status->object, name, json_word(value));
}

static bool word_is(const struct order *o, size_t i, const char *text)
{
	return i < o->count && slice_equal(o->words[i], slice_from_str(text));
}

/* Letters, digits and - only: an id can then be no path and no SQL. */
static bool order_id(struct order *o, size_t i)
{
	struct slice s = o->words[i];
	if (s.len == 0 || s.len >= sizeof o->id)
		return error_set(&o->error, EXIT_BAD_INPUT, "no such id");
	for (size_t k = 0; k < s.len; k++)
		if (!ascii_is_alpha(s.ptr[k]) && !ascii_is_digit(s.ptr[k]) && s.ptr[k] != '-')
			return error_set(&o->error, EXIT_BAD_INPUT, "no such id");
	memcpy(o->id, s.ptr, s.len);
	o->id[s.len] = '\0';
	return true;
}

static bool order_unknown(struct order *o)
{
	return error_set(&o->error, EXIT_USAGE, "not an order; expected release, status, top, force, reload or fetch");
}

static bool order_release(struct order *o)
{
	uint64_t rate;
	int64_t per_minute = CONTROL_RATE_DEFAULT;
	if (o->count == 3 && word_is(o, 1, "hold"))
		return order_id(o, 2) && o->calls->release_hold(o->calls->ctx, o->id, &o->text, &o->error);
	if (!word_is(o, 1, "incident") || (o->count != 3 && o->count != 5))
		return order_unknown(o);
	if (o->count == 5) {
		if (!word_is(o, 3, "rate") || !slice_to_u64(o->words[4], &rate) || rate > 1000000)
			return error_set(&o->error, EXIT_USAGE, "not a rate; expected rate N, N from 0 to 1000000");
		per_minute = (int64_t)rate;
	}
	return order_id(o, 2) &&
	       o->calls->release_incident(o->calls->ctx, o->id, per_minute, &o->text, &o->error);
}

static bool order_status(struct order *o)
{
	struct control_status status = { .object = json_object() };
	o->calls->status(o->calls->ctx, &status);
	json_object_set_new(o->answer, "status", status.object);
	return true;
}

static bool order_top(struct order *o)
{
	struct top_numbers *numbers = o->calls->top ? mem_alloc(sizeof *numbers) : NULL;
	if (!numbers)
		return o->calls->top ? error_set(&o->error, EXIT_TRY_AGAIN, "no memory") : order_unknown(o);
	o->calls->top(o->calls->ctx, numbers);
	json_object_set_new(o->answer, "top", top_encode(numbers));
	mem_free(numbers);
	return true;
}

static bool order_force(struct order *o)
{
	bool want_open = word_is(o, 2, "open");
	if (o->count != 3 || (!want_open && !word_is(o, 2, "close")))
		return error_set(&o->error, EXIT_USAGE, "expected force INCIDENT open or close");
	return order_id(o, 1) && o->calls->force(o->calls->ctx, o->id, want_open, &o->text, &o->error);
}

static bool order_fetch(struct order *o)
{
	if (!o->calls->fetch)
		return error_set(&o->error, EXIT_USAGE, "this daemon is not the connector; see quell fetch --help");
	return o->calls->fetch(o->calls->ctx, o->words + 1, o->count - 1, &o->text, &o->error);
}

static bool order_obey(struct order *o)
{
	if (word_is(o, 0, "release"))
		return order_release(o);
	if (word_is(o, 0, "status") && o->count == 1)
		return order_status(o);
	if (word_is(o, 0, "top") && o->count == 1)
		return order_top(o);
	if (word_is(o, 0, "force"))
		return order_force(o);
	if (word_is(o, 0, "reload") && o->count == 1)
		return o->calls->reload(o->calls->ctx, &o->text, &o->error);
	if (word_is(o, 0, "fetch"))
		return order_fetch(o);
	return order_unknown(o);
}

static bool order_split(struct order *o, struct slice line)
{
	struct slice word;
	while (slice_next(&line, ' ', &word)) {
		if (word.len == 0)
			continue;
		if (o->count == CONTROL_WORDS_MAX)
			return order_unknown(o);
		o->words[o->count++] = word;
	}
	return o->count > 0 || order_unknown(o);
}

static void answer_dump(json_t *answer, struct buf *out)
{
	char *text = json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
	size_t before = out->len;
	if (!text || !buf_add_str(out, text)) {
		buf_reset(out);
		out->len = before;
		buf_add_str(out, "{\"ok\":false,\"exit\":75,"
				 "\"error\":\"the answer is too long, or there is no memory\"}");
	}
	buf_add_byte(out, '\n');
	free(text); /* jansson's own memory */
}

void control_answer(const struct control_calls *calls, struct slice line, struct buf *answer_out)
{
	struct order o = { .calls = calls, .answer = json_object() };
	buf_init(&o.text, CONTROL_TEXT_BYTES);
	bool is_ok = order_split(&o, slice_trim(line)) && order_obey(&o);
	json_object_set_new(o.answer, "ok", json_boolean(is_ok));
	if (is_ok) {
		json_object_set_new(o.answer, "text", json_text(buf_slice(&o.text)));
	} else {
		enum exit_status status = o.error.status ? o.error.status : EXIT_UNAVAILABLE;
		json_object_set_new(o.answer, "exit", json_integer(status));
		json_object_set_new(o.answer, "error", json_word(o.error.text[0] ? o.error.text : "it did not work"));
	}
	answer_dump(o.answer, answer_out);
	json_decref(o.answer);
	buf_free(&o.text);
}
