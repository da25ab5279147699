/* SPDX-License-Identifier: Apache-2.0
 *
 * release: asks the daemon to hand held mail on. Only it may: the hold has one
 * owner, and a released mail must be expected when it comes back through the door.
 */
#include "base/buf.h"
#include "desk/control.h"
#include "desk/desk.h"
#include "desk/json.h"

enum { RELEASE_TIMEOUT_MS = 10 * 1000 };

/* Hold ids begin with H (store/held.h), those of incidents with their class. */
static bool is_hold_id(const char *id)
{
	return id[0] == 'H' || id[0] == 'h';
}

static void order_line(char *out, size_t out_bytes, const char *id, int64_t per_minute)
{
	if (is_hold_id(id))
		snprintf(out, out_bytes, "release hold %s", id);
	else if (per_minute < 0)
		snprintf(out, out_bytes, "release incident %s", id);
	else
		snprintf(out, out_bytes, "release incident %s rate %lld", id, (long long)per_minute);
}

static enum exit_status tell(struct desk *desk, const struct desk_args *args, struct buf *answer)
{
	json_t *o = json_loadb(answer->ptr ? answer->ptr : "", answer->len, JSON_REJECT_DUPLICATES, NULL);
	const char *text = json_string_value(json_object_get(o, "text"));
	const char *error = json_string_value(json_object_get(o, "error"));
	enum exit_status status = EXIT_FINE;
	if (!json_is_true(json_object_get(o, "ok"))) {
		json_int_t number = json_integer_value(json_object_get(o, "exit"));
		status = number == EXIT_USAGE || number == EXIT_BAD_INPUT || number == EXIT_TRY_AGAIN
				 ? (enum exit_status)number
				 : EXIT_UNAVAILABLE;
		desk_fail(desk, status, "%s", error ? error : "the daemon's answer makes no sense");
	}
	if (args->want_json && json_is_object(o)) {
		json_object_set_new(o, "quell", json_word(desk->host->version));
		json_dumpf(o, desk->out, JSON_COMPACT | JSON_ENSURE_ASCII);
		fputc('\n', desk->out);
	} else if (status == EXIT_FINE) {
		desk_say(desk, "%s", text && text[0] ? text : "Being released.");
	}
	json_decref(o);
	return status;
}

enum exit_status desk_release(struct desk *desk, const struct desk_args *args)
{
	struct desk_settings settings;
	struct error error = { .status = EXIT_FINE };
	struct buf answer;
	char line[CONTROL_LINE_BYTES];
	const char *id = args->words[0];
	for (const char *c = id; *c; c++)
		if (!ascii_is_alpha(*c) && !ascii_is_digit(*c) && *c != '-')
			return desk_fail(desk, EXIT_BAD_INPUT, "\"%s\" is no id; quell held lists them", id);
	if (strlen(id) > 60)
		return desk_fail(desk, EXIT_BAD_INPUT, "\"%s\" is no id; quell held lists them", id);
	if (!desk_settings(desk, &settings))
		return EXIT_BAD_INPUT;
	order_line(line, sizeof line, id, args->per_minute);
	buf_init(&answer, CONTROL_ANSWER_BYTES);
	enum exit_status status =
		control_ask(settings.control_socket, line, RELEASE_TIMEOUT_MS, &answer, &error)
			? tell(desk, args, &answer)
			: desk_fail(desk, error.status, "%s", error.text);
	buf_free(&answer);
	return status;
}
