/* SPDX-License-Identifier: Apache-2.0
 *
 * top: the command. One question to the daemon, shown once or again and again.
 */
#include "desk/top.h"

#include "base/buf.h"
#include "base/mem.h"
#include "desk/control.h"
#include "desk/json.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOP_TIMEOUT_MS = 1500, TOP_INTERVAL_S = 2 };

/* The member "top" of the answer, or NULL and why. */
static json_t *top_ask_json(const char *socket, struct error *error)
{
	struct buf answer;
	json_t *o = NULL, *top = NULL;
	buf_init(&answer, 2 * CONTROL_ANSWER_BYTES);
	if (control_ask(socket, "top", TOP_TIMEOUT_MS, &answer, error)) {
		o = json_loadb(answer.ptr ? answer.ptr : "", answer.len, JSON_REJECT_DUPLICATES, NULL);
		top = json_object_get(o, "top");
		const char *said = json_string_value(json_object_get(o, "error"));
		if (!json_is_object(top))
			error_set(error, EXIT_UNAVAILABLE, "%s", said ? said : "the daemon's answer makes no sense");
		else
			json_incref(top);
		top = json_is_object(top) ? top : NULL;
	}
	json_decref(o);
	buf_free(&answer);
	return top;
}

bool top_ask(const char *socket, struct top_numbers *numbers_out, struct error *error)
{
	json_t *top = top_ask_json(socket, error);
	if (!top)
		return false;
	top_decode(top, numbers_out);
	json_decref(top);
	return true;
}

static enum exit_status show_json(struct desk *desk, const char *socket)
{
	struct error error = { .status = EXIT_FINE };
	json_t *o = top_ask_json(socket, &error);
	enum exit_status status = EXIT_FINE;
	if (!o) {
		status = desk_fail(desk, EXIT_UNAVAILABLE, "%s", error.text);
		o = json_object();
		json_put(o, "ok", json_false());
		json_put_number(o, "exit", status);
		json_put(o, "error", json_word(error.text));
	}
	json_put(o, "quell", json_word(desk->host->version));
	json_dumpf(o, desk->out, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
	fputc('\n', desk->out);
	json_decref(o);
	return status;
}

static enum exit_status show_once(struct desk *desk, const char *socket)
{
	struct error error = { .status = EXIT_FINE };
	struct top_numbers *numbers = mem_alloc(sizeof *numbers);
	if (!numbers)
		return desk_fail(desk, EXIT_TRY_AGAIN, "no memory");
	bool is_answered = top_ask(socket, numbers, &error);
	if (is_answered)
		top_print(desk, numbers);
	mem_free(numbers);
	return is_answered ? EXIT_FINE : desk_fail(desk, EXIT_UNAVAILABLE, "%s", error.text);
}

/* One whose lines can be written anew, and that has keys. */
static bool has_screen(const struct desk *desk)
{
	const char *term = getenv("TERM");
	return desk->columns > 0 && isatty(STDIN_FILENO) && term && term[0] && strcmp(term, "dumb") != 0;
}

enum exit_status desk_top(struct desk *desk, const struct desk_args *args)
{
	struct desk_settings settings;
	if (!desk_settings(desk, &settings))
		return EXIT_BAD_INPUT;
	if (args->want_json)
		return show_json(desk, settings.control_socket);
	if (args->want_once || !has_screen(desk))
		return show_once(desk, settings.control_socket);
	return top_screen(desk, settings.control_socket,
			  (int64_t)(args->interval_s ? args->interval_s : TOP_INTERVAL_S) * 1000);
}
