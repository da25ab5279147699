/* SPDX-License-Identifier: Apache-2.0
 *
 * top_screen: lines onto a terminal, keys from it, by ncurses.
 *
 * The terminal is given back as it was found at the end, also after SIGINT, SIGTERM and
 * SIGHUP; a terminal that vanished ends the command.
 */
#include "desk/top.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <ncurses.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

enum { SCREEN_STEP_MS = 1000, SCREEN_ESCAPE_MS = 25, PAIR_WARN = 1, PAIR_ALARM = 2 };

struct screen {
	struct desk *desk;
	const char *socket;
	int64_t interval_us, due_us, answered_us;
	bool has_colour;
	struct top_state state;
	struct top_numbers fresh;
	struct top_line lines[TOP_LINES_MAX];
};

static volatile sig_atomic_t is_told_to_end;

static void on_end_signal(int number)
{
	(void)number;
	is_told_to_end = 1;
}

/* Before ncurses starts: it then leaves them alone. */
static void catch_signals(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_end_signal };
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
		sigaction(signals[i], &action, NULL);
}

static void ask(struct screen *s)
{
	struct error error = { .status = EXIT_FINE };
	if (top_ask(s->socket, &s->fresh, &error)) {
		s->state.numbers = s->fresh;
		s->state.has_numbers = true;
		s->answered_us = clock_mono_us();
	}
	s->state.trouble = error;
	s->due_us = clock_mono_us() + s->interval_us;
}

static attr_t look_attributes(const struct screen *s, enum top_look look)
{
	static const attr_t plain[] = { A_NORMAL, A_BOLD, A_REVERSE, A_NORMAL, A_BOLD };
	attr_t attributes = plain[look];
	if (s->has_colour && look == TOP_WARN)
		attributes |= (attr_t)COLOR_PAIR(PAIR_WARN);
	if (s->has_colour && look == TOP_ALARM)
		attributes |= (attr_t)COLOR_PAIR(PAIR_ALARM);
	return attributes;
}

static void paint_line(const struct screen *s, int at, const struct top_line *line)
{
	size_t from = 0;
	enum top_look look = TOP_PLAIN;
	move(at, 0);
	for (size_t i = 0; i <= line->mark_count; i++) {
		size_t end = i < line->mark_count ? line->marks[i].at : line->len;
		attrset((int)look_attributes(s, look));
		if (end > from)
			addnstr(line->text + from, (int)(end - from));
		from = end;
		if (i < line->mark_count)
			look = line->marks[i].look;
	}
	attrset(A_NORMAL);
}

static void paint(struct screen *s)
{
	size_t lines = LINES > 0 ? (size_t)LINES : 1, columns = COLS > 0 ? (size_t)COLS : 1;
	lines = lines < TOP_LINES_MAX ? lines : TOP_LINES_MAX;
	s->state.age_ms = (clock_mono_us() - s->answered_us) / 1000;
	top_lines(&s->state, columns, lines, s->lines);
	erase();
	for (size_t i = 0; i < lines; i++)
		paint_line(s, (int)i, &s->lines[i]);
	refresh();
}

static enum top_key key_of(int key)
{
	static const struct {
		int key;
		enum top_key what;
	} keys[] = {
		{ 'q', TOP_KEY_QUIT },           { 'Q', TOP_KEY_QUIT },         { KEY_UP, TOP_KEY_UP },
		{ 'k', TOP_KEY_UP },             { KEY_DOWN, TOP_KEY_DOWN },    { 'j', TOP_KEY_DOWN },
		{ KEY_PPAGE, TOP_KEY_PAGE_UP },  { KEY_NPAGE, TOP_KEY_PAGE_DOWN }, { ' ', TOP_KEY_PAGE_DOWN },
		{ '\t', TOP_KEY_KIND },          { KEY_BTAB, TOP_KEY_KIND_BACK }, { 'p', TOP_KEY_PAUSE },
		{ '?', TOP_KEY_HELP },           { 'h', TOP_KEY_HELP },
	};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (keys[i].key == key)
			return keys[i].what;
	return TOP_KEY_NONE;
}

/* False: it ends. */
static bool take_keys(struct screen *s)
{
	int key;
	while ((key = getch()) != ERR) {
		bool was_paused = s->state.is_paused;
		if (key == KEY_RESIZE || key == 'L' - '@')
			clear();
		else if (!top_press(&s->state, key_of(key), (size_t)COLS, (size_t)LINES))
			return false;
		if (was_paused && !s->state.is_paused)
			s->due_us = 0;
	}
	return true;
}

/* Until a key, a signal, the next question or the next second. False: the terminal went. */
static bool wait_for_key(const struct screen *s)
{
	struct pollfd terminal = { .fd = STDIN_FILENO, .events = POLLIN };
	int64_t left_ms = (s->due_us - clock_mono_us()) / 1000;
	if (s->state.is_paused || left_ms > SCREEN_STEP_MS)
		left_ms = SCREEN_STEP_MS;
	int ready = poll(&terminal, 1, left_ms > 0 ? (int)left_ms : 0);
	if (ready < 0)
		return errno == EINTR;
	return !(terminal.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static void run(struct screen *s)
{
	bool is_running = true;
	while (is_running && !is_told_to_end) {
		if (!s->state.is_paused && clock_mono_us() >= s->due_us)
			ask(s);
		paint(s);
		is_running = wait_for_key(s) && take_keys(s);
	}
}

static void prepare(struct screen *s)
{
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(SCREEN_ESCAPE_MS);
	curs_set(0);
	s->has_colour = s->desk->want_colour && has_colors() && start_color() == OK;
	if (!s->has_colour)
		return;
	short ground = use_default_colors() == OK ? -1 : COLOR_BLACK;
	init_pair(PAIR_WARN, COLOR_YELLOW, ground);
	init_pair(PAIR_ALARM, COLOR_RED, ground);
}

enum exit_status top_screen(struct desk *desk, const char *socket, int64_t interval_ms)
{
	struct screen *s = mem_alloc(sizeof *s);
	if (!s)
		return desk_fail(desk, EXIT_TRY_AGAIN, "no memory");
	s->desk = desk;
	s->socket = socket;
	s->interval_us = interval_ms * 1000;
	s->answered_us = clock_mono_us();
	catch_signals();
	SCREEN *terminal = newterm(NULL, desk->out, stdin);
	if (!terminal) {
		mem_free(s);
		return desk_fail(desk, EXIT_UNAVAILABLE,
				 "this terminal cannot be drawn on (its TERM is not known); see --once");
	}
	prepare(s);
	run(s);
	endwin();
	delscreen(terminal);
	mem_free(s);
	return EXIT_FINE;
}
