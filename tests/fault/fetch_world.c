/* SPDX-License-Identifier: Apache-2.0
 *
 * fetch_world: poll(2) over two listeners and their peers.
 */
#include "fetch_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const char *const world_mailboxes[WORLD_MAILBOXES] = { "anna@firm.example", "ben@firm.example", "cleo@firm.example" };

enum { SAY_MS = 5000 };

static int world_listen(uint16_t *port_out)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof addr;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 64) != 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) != 0)
		return -1;
	*port_out = ntohs(addr.sin_port);
	return fd;
}

bool world_start(struct world *w, const char *dir)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < WORLD_PEERS_MAX; i++)
		w->peers[i].fd = -1;
	snprintf(w->stored_path, sizeof w->stored_path, "%s/stored", dir);
	int fd = open(w->stored_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0)
		close(fd);
	w->pop_fd = world_listen(&w->pop_port);
	w->lmtp_fd = world_listen(&w->lmtp_port);
	return fd >= 0 && w->pop_fd >= 0 && w->lmtp_fd >= 0;
}

static void peer_close(struct peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	buf_free(&p->in);
}

void world_end(struct world *w)
{
	for (size_t i = 0; i < WORLD_PEERS_MAX; i++)
		peer_close(&w->peers[i]);
	close(w->pop_fd);
	close(w->lmtp_fd);
}

void world_begin_life(struct world *w, const struct world_faults *faults)
{
	int fd;
	for (size_t i = 0; i < WORLD_PEERS_MAX; i++)
		peer_close(&w->peers[i]);
	while ((fd = accept(w->pop_fd, NULL, NULL)) >= 0 || (fd = accept(w->lmtp_fd, NULL, NULL)) >= 0)
		close(fd);
	w->faults = *faults;
	w->events = w->pop_events = w->lmtp_events = w->ended = 0;
	w->is_pop_away = w->is_lmtp_away = false;
}

static void say(struct peer *p, const char *text, size_t len)
{
	/* A peer that reads slowly is waited for; one that is gone is not. */
	while (p->fd >= 0 && len > 0) {
		struct pollfd room = { .fd = p->fd, .events = POLLOUT };
		ssize_t n = send(p->fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && (errno != EAGAIN || poll(&room, 1, SAY_MS) <= 0))
			peer_close(p);
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
}

static void say_line(struct peer *p, const char *text)
{
	say(p, text, strlen(text));
}

static void world_cut(struct world *w, bool is_pop)
{
	for (size_t i = 0; i < WORLD_PEERS_MAX; i++)
		if (w->peers[i].fd >= 0 && w->peers[i].is_pop == is_pop)
			peer_close(&w->peers[i]);
	if (is_pop)
		w->is_pop_away = true;
	else
		w->is_lmtp_away = true;
}

/* --- the POP3 box ---------------------------------------------------------------- */

static void pop_open(struct world *w, struct peer *p)
{
	p->count = 0;
	for (size_t i = 0; i < w->mail_count; i++) {
		p->is_marked[i] = false;
		if (w->mails[i].is_in_box)
			p->numbers[p->count++] = (int)i;
	}
	say_line(p, "+OK ready\r\n");
}

static void pop_list(struct world *w, struct peer *p, bool is_uidl)
{
	char text[WORLD_MAILS_MAX * 100] = "+OK\r\n";
	for (size_t i = 0; i < p->count; i++) {
		const struct world_mail *m = &w->mails[p->numbers[i]];
		size_t n = strlen(text);
		if (is_uidl)
			snprintf(text + n, sizeof text - n, "%zu %s\r\n", i + 1, m->uidl);
		else
			snprintf(text + n, sizeof text - n, "%zu %zu\r\n", i + 1, m->len);
	}
	strcat(text, ".\r\n");
	say_line(p, text);
}

/* Stuffed; a cut leaves half of it on the line. */
static void pop_retr(struct world *w, struct peer *p, const struct world_mail *m, bool is_cut)
{
	char text[2 * WORLD_TEXT_BYTES + 64] = "+OK\r\n";
	size_t n = 5;
	for (size_t i = 0; i < m->len; i++) {
		if (m->text[i] == '.' && (i == 0 || m->text[i - 1] == '\n'))
			text[n++] = '.';
		text[n++] = m->text[i];
	}
	memcpy(text + n, ".\r\n", 3);
	say(p, text, is_cut ? 5 + n / 2 : n + 3);
	if (is_cut)
		world_cut(w, true);
}

static void pop_quit(struct world *w, struct peer *p)
{
	bool is_done = !w->faults.lose_quit || w->faults.is_quit_done;
	for (size_t i = 0; is_done && i < p->count; i++)
		if (p->is_marked[i])
			w->mails[p->numbers[i]].is_in_box = false;
	if (!w->faults.lose_quit)
		say_line(p, "+OK bye\r\n");
	peer_close(p);
}

static void pop_line(struct world *w, struct peer *p, const char *line)
{
	char word[8] = "";
	unsigned number = 0;
	bool is_cut = ++w->pop_events == w->faults.cut_pop;
	sscanf(line, "%7s %u", word, &number);
	bool is_there = number >= 1 && number <= p->count;
	if (strcmp(word, "CAPA") == 0)
		say_line(p, w->has_pipelining ? "+OK\r\nUSER\r\nTOP\r\nUIDL\r\nPIPELINING\r\n.\r\n"
					      : "+OK\r\nUSER\r\nTOP\r\n.\r\n");
	else if (strcmp(word, "LIST") == 0)
		pop_list(w, p, false);
	else if (strcmp(word, "UIDL") == 0 && w->has_uidl)
		pop_list(w, p, true);
	else if (strcmp(word, "RETR") == 0 && is_there)
		pop_retr(w, p, &w->mails[p->numbers[number - 1]], is_cut);
	else if (strcmp(word, "DELE") == 0 && is_there) {
		p->is_marked[number - 1] = true;
		say_line(p, "+OK\r\n");
	} else if (strcmp(word, "QUIT") == 0)
		pop_quit(w, p);
	else if (strcmp(word, "USER") == 0 || strcmp(word, "PASS") == 0)
		say_line(p, "+OK\r\n");
	else
		say_line(p, "-ERR no\r\n");
	if (is_cut)
		world_cut(w, true);
}

/* --- the LMTP server --------------------------------------------------------------- */

static void lmtp_rcpt(struct world *w, struct peer *p, const char *line)
{
	p->rcpt = -2;
	for (int i = 0; i < WORLD_MAILBOXES; i++) {
		char wanted[80];
		snprintf(wanted, sizeof wanted, "RCPT TO:<%s>", world_mailboxes[i]);
		if (strncmp(line, wanted, strlen(wanted)) == 0)
			p->rcpt = i;
	}
	w->was_outsider_named |= p->rcpt < 0;
	say_line(p, "250 2.1.5 ok\r\n"); /* it would take mail for anybody */
}

static void lmtp_store(struct world *w, const struct peer *p, struct slice mail)
{
	char line[400];
	size_t at = slice_find_nocase(mail, 0, SLICE("\r\nX-Test-Mail: "));
	size_t stamp = slice_find_nocase(mail, 0, SLICE("X-Quell-Fetch: "));
	unsigned long number = at < mail.len ? strtoul(mail.ptr + at + 15, NULL, 10) : WORLD_MAILS_MAX;
	size_t body = slice_find_nocase(mail, 0, SLICE("\r\nReturn-Path: "));
	if (number >= w->mail_count || stamp == mail.len || p->rcpt < 0 || body == mail.len) {
		w->was_mangled = true;
		return;
	}
	struct world_mail *m = &w->mails[number];
	m->accepted[p->rcpt]++;
	w->was_wrong_mailbox |= m->mailbox != p->rcpt;
	/* What stands below our own fields is what lay in the box, byte for byte. */
	w->was_mangled |= !slice_equal(slice_from(mail, body + 2), slice_make(m->text, m->len));
	int fd = open(w->stored_path, O_WRONLY | O_APPEND | O_CLOEXEC);
	int len = (int)(slice_find_byte(mail, stamp, '\r') - stamp);
	int n = snprintf(line, sizeof line, "%.*s\n", len, mail.ptr + stamp);
	if (fd < 0 || write(fd, line, (size_t)n) != n)
		w->was_mangled = true;
	close(fd);
}

/* The mail without its stuffing, in place. */
static struct slice lmtp_unstuff(char *text, size_t len)
{
	size_t n = 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && (i == 0 || text[i - 1] == '\n') && i + 1 < len)
			continue;
		text[n++] = text[i];
	}
	return slice_make(text, n);
}

static void lmtp_end(struct world *w, struct peer *p, char *text, size_t len)
{
	bool is_lost = ++w->ended == w->faults.lose_reply;
	p->is_in_data = false;
	if (!is_lost && w->ended == w->faults.refuse) {
		say_line(p, "451 4.2.0 later\r\n");
		return;
	}
	if (!is_lost || w->faults.is_stored)
		lmtp_store(w, p, lmtp_unstuff(text, len));
	if (is_lost)
		world_cut(w, false);
	else
		say_line(p, "250 2.0.0 stored\r\n");
}

static void lmtp_line(struct world *w, struct peer *p, const char *line)
{
	if (++w->lmtp_events == w->faults.cut_lmtp)
		world_cut(w, false);
	else if (strncmp(line, "LHLO", 4) == 0)
		say_line(p, "250-world\r\n250-PIPELINING\r\n250 8BITMIME\r\n");
	else if (strncmp(line, "RCPT", 4) == 0)
		lmtp_rcpt(w, p, line);
	else if (strncmp(line, "DATA", 4) == 0) {
		p->is_in_data = true;
		say_line(p, "354 go\r\n");
	} else if (strncmp(line, "QUIT", 4) == 0) {
		say_line(p, "221 bye\r\n");
		peer_close(p);
	} else
		say_line(p, "250 ok\r\n");
}

/* --- both ----------------------------------------------------------------------------- */

/* One line or one mail; false when there is none whole. */
static bool peer_step(struct world *w, struct peer *p)
{
	struct slice in = buf_slice(&p->in);
	if (p->is_in_data) {
		size_t end = slice_find_nocase(in, 0, SLICE("\r\n.\r\n"));
		if (end == in.len)
			return false;
		char *copy = malloc(end + 2);
		memcpy(copy, in.ptr, end + 2);
		buf_consume(&p->in, end + 5);
		lmtp_end(w, p, copy, end + 2);
		free(copy);
		return true;
	}
	size_t end = slice_find_byte(in, 0, '\n');
	char line[600];
	if (end == in.len)
		return false;
	snprintf(line, sizeof line, "%.*s", (int)end, in.ptr);
	buf_consume(&p->in, end + 1);
	if (p->is_pop)
		pop_line(w, p, line);
	else
		lmtp_line(w, p, line);
	return true;
}

static void world_event(struct world *w, pid_t child)
{
	if (++w->events == w->faults.kill_client)
		kill(child, SIGKILL);
}

static void peer_read(struct world *w, struct peer *p, pid_t child)
{
	char bytes[16 * 1024];
	ssize_t n = read(p->fd, bytes, sizeof bytes);
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			peer_close(p);
		return;
	}
	buf_add(&p->in, slice_make(bytes, (size_t)n));
	world_event(w, child);
	while (p->fd >= 0 && peer_step(w, p))
		world_event(w, child);
}

static void world_accept(struct world *w, bool is_pop)
{
	int one = 1, fd = accept(is_pop ? w->pop_fd : w->lmtp_fd, NULL, NULL);
	if (fd < 0)
		return;
	struct peer *p = NULL;
	for (size_t i = 0; !p && i < WORLD_PEERS_MAX; i++)
		if (w->peers[i].fd < 0)
			p = &w->peers[i];
	if (!p || (is_pop ? w->is_pop_away : w->is_lmtp_away)) {
		close(fd);
		return;
	}
	*p = (struct peer){ .fd = fd, .is_pop = is_pop, .rcpt = -1 };
	buf_init(&p->in, 1024 * 1024);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (is_pop)
		pop_open(w, p);
	else
		say_line(p, "220 world LMTP\r\n");
}

static void world_round(struct world *w, pid_t child)
{
	struct pollfd fds[WORLD_PEERS_MAX + 2] = { { .fd = w->pop_fd, .events = POLLIN },
						   { .fd = w->lmtp_fd, .events = POLLIN } };
	for (size_t i = 0; i < WORLD_PEERS_MAX; i++)
		fds[i + 2] = (struct pollfd){ .fd = w->peers[i].fd, .events = POLLIN };
	if (poll(fds, WORLD_PEERS_MAX + 2, 5) <= 0)
		return;
	for (size_t i = 0; i < WORLD_PEERS_MAX; i++)
		if (fds[i + 2].revents && w->peers[i].fd == fds[i + 2].fd)
			peer_read(w, &w->peers[i], child);
	if (fds[0].revents)
		world_accept(w, true);
	if (fds[1].revents)
		world_accept(w, false);
}

int world_serve(struct world *w, pid_t child, int most_ms)
{
	struct timespec now;
	int status;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t until_ms = now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000 + most_ms;
	for (;;) {
		world_round(w, child);
		if (waitpid(child, &status, WNOHANG) == child)
			return status;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000 > until_ms) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return -1;
		}
	}
}
