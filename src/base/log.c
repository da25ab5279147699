/* SPDX-License-Identifier: Apache-2.0
 *
 * log: one write(2) a line, so that lines of two processes do not mix.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LOG_LINE_BYTES = 4096 };

static enum log_level level_most = LOG_LEVEL_INFO;
static bool has_prefix;

void log_setup(enum log_level most, bool want_prefix)
{
	level_most = most;
	has_prefix = want_prefix;
}

void log_line(enum log_level level, const char *event, const char *facts, ...)
{
	char line[LOG_LINE_BYTES];
	if (level > level_most)
		return;
	int used = has_prefix ? snprintf(line, sizeof line, "<%d>%s ", (int)level, event)
			      : snprintf(line, sizeof line, "quell: %s ", event);
	if (used < 0 || (size_t)used >= sizeof line - 2)
		return;
	va_list args;
	va_start(args, facts);
	int more = vsnprintf(line + used, sizeof line - 1 - (size_t)used, facts, args);
	va_end(args);
	size_t len = (size_t)used + (more > 0 ? (size_t)more : 0);
	if (len > sizeof line - 2)
		len = sizeof line - 2;
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nowhere left to complain */
}

static bool log_is_plain(struct slice s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=')
			return false;
	}
	return s.len > 0;
}

static size_t log_quote_byte(unsigned char c, char *to)
{
	static const char hex[] = "0123456789abcdef";
	if (c == '"' || c == '\\') {
		to[0] = '\\';
		to[1] = (char)c;
		return 2;
	}
	if (c >= ' ' && c < 0x7f) {
		to[0] = (char)c;
		return 1;
	}
	to[0] = '\\';
	to[1] = 'x';
	to[2] = hex[c >> 4];
	to[3] = hex[c & 15];
	return 4;
}

const char *log_quote(struct slice s, char *out, size_t out_bytes)
{
	size_t n = 0;
	bool is_plain = log_is_plain(s);
	if (!is_plain)
		out[n++] = '"';
	/* Six bytes stay free: one escape, the closing quote, the NUL. */
	for (size_t i = 0; i < s.len && n + 6 < out_bytes; i++)
		n += log_quote_byte((unsigned char)s.ptr[i], out + n);
	if (!is_plain)
		out[n++] = '"';
	out[n] = '\0';
	return out;
}

bool log_may(struct log_throttle *t, int64_t now_ms, unsigned *dropped_out)
{
	*dropped_out = 0;
	if (now_ms >= t->window_end_ms) {
		*dropped_out = t->dropped;
		t->passed = t->dropped = 0;
		t->window_end_ms = now_ms + t->window_ms;
	}
	if (t->passed < t->burst) {
		t->passed++;
		return true;
	}
	t->dropped++;
	return false;
}
