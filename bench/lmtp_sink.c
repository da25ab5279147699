/* SPDX-License-Identifier: Apache-2.0
 *
 * lmtp_sink PORT SOCKET: takes all mail by LMTP and SMTP and throws it away, for measuring who brings it.
 *
 * One epoll loop, so that the sink costs little beside what is measured. It understands pipelined commands, answers
 * once a recipient after the dot (LHLO) or once (EHLO), and counts: the command XCNT is answered with the number of
 * mails since the last XCNT. It keeps no mail and refuses nobody; it ends with a line when it cannot listen.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { TALKS_MAX = 1024, LINE_BYTES = 4096, OUT_BYTES = 8192, IN_BYTES = 256 * 1024, EVENTS = 64 };

struct talk {
	bool is_lmtp, is_data, is_over;
	unsigned recipients, matched; /* matched: bytes of CRLF.CRLF seen */
	size_t line_len, out_len;
	char line[LINE_BYTES], out[OUT_BYTES];
};

static struct talk *talks[TALKS_MAX];
static unsigned long mails;
static int poller;

static void talk_flush(struct talk *t, int fd)
{
	for (size_t at = 0; at < t->out_len;) {
		ssize_t n = write(fd, t->out + at, t->out_len - at);
		if (n < 0 && errno != EINTR) {
			t->is_over = true;
			break;
		}
		at += n > 0 ? (size_t)n : 0;
	}
	t->out_len = 0;
}

static void talk_say(struct talk *t, int fd, const char *text)
{
	size_t len = strlen(text);
	if (t->out_len + len > sizeof t->out)
		talk_flush(t, fd);
	memcpy(t->out + t->out_len, text, len);
	t->out_len += len;
}

static void talk_count(struct talk *t, int fd)
{
	char text[64];
	snprintf(text, sizeof text, "250 %lu\r\n", mails);
	mails = 0;
	talk_say(t, fd, text);
}

static void talk_command(struct talk *t, int fd)
{
	const char *line = t->line;
	if (strncasecmp(line, "RCPT", 4) == 0) {
		t->recipients++;
		talk_say(t, fd, strcasestr(line, "@relay-test.invalid") ? "550 no relaying\r\n" : "250 ok\r\n");
	} else if (strncasecmp(line, "DATA", 4) == 0) {
		t->is_data = true;
		t->matched = 2; /* as if after a line end */
		talk_say(t, fd, "354 go\r\n");
	} else if (strncasecmp(line, "LHLO", 4) == 0 || strncasecmp(line, "EHLO", 4) == 0) {
		t->is_lmtp = line[0] == 'L' || line[0] == 'l';
		talk_say(t, fd, "250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE\r\n");
	} else if (strncasecmp(line, "QUIT", 4) == 0) {
		talk_say(t, fd, "221 bye\r\n");
		t->is_over = true;
	} else if (strncasecmp(line, "XCNT", 4) == 0) {
		talk_count(t, fd);
	} else {
		if (strncasecmp(line, "MAIL", 4) == 0 || strncasecmp(line, "RSET", 4) == 0)
			t->recipients = 0;
		talk_say(t, fd, "250 ok\r\n");
	}
}

static void talk_taken(struct talk *t, int fd)
{
	unsigned replies = t->is_lmtp ? t->recipients : 1;
	for (unsigned i = 0; i < replies; i++)
		talk_say(t, fd, "250 taken\r\n");
	t->is_data = false;
	t->recipients = 0;
	mails++;
}

/* The end of the mail, or of the bytes: how many belong to it. */
static size_t talk_data(struct talk *t, int fd, const char *bytes, size_t len)
{
	static const char end[] = "\r\n.\r\n";
	for (size_t i = 0; i < len;) {
		if (t->matched == 0) {
			const char *next = memchr(bytes + i, '\r', len - i);
			if (!next)
				return len;
			i = (size_t)(next - bytes) + 1;
			t->matched = 1;
			continue;
		}
		if (bytes[i] == end[t->matched])
			t->matched++;
		else
			t->matched = bytes[i] == '\r';
		i++;
		if (t->matched == sizeof end - 1) {
			talk_taken(t, fd);
			return i;
		}
	}
	return len;
}

static size_t talk_line(struct talk *t, int fd, const char *bytes, size_t len)
{
	const char *lf = memchr(bytes, '\n', len);
	size_t n = lf ? (size_t)(lf - bytes) + 1 : len;
	size_t fits = n < sizeof t->line - 1 - t->line_len ? n : sizeof t->line - 1 - t->line_len;
	memcpy(t->line + t->line_len, bytes, fits);
	t->line_len += fits;
	if (lf) {
		t->line[t->line_len] = '\0';
		t->line_len = 0;
		talk_command(t, fd);
	}
	return n;
}

static void talk_end(int fd)
{
	close(fd);
	free(talks[fd]);
	talks[fd] = NULL;
}

static void talk_serve(int fd)
{
	static char in[IN_BYTES];
	struct talk *t = talks[fd];
	ssize_t n = read(fd, in, sizeof in);
	for (ssize_t at = 0; at < n && !t->is_over;)
		at += (ssize_t)(t->is_data ? talk_data(t, fd, in + at, (size_t)(n - at))
					   : talk_line(t, fd, in + at, (size_t)(n - at)));
	talk_flush(t, fd);
	if (n <= 0 || t->is_over)
		talk_end(fd);
}

static void talk_begin(int listener)
{
	int on = 1, fd = accept(listener, NULL, NULL);
	if (fd < 0)
		return;
	if (fd >= TALKS_MAX || !(talks[fd] = calloc(1, sizeof *talks[fd]))) {
		close(fd);
		return;
	}
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
	talk_say(talks[fd], fd, "220 sink.example LMTP\r\n");
	talk_flush(talks[fd], fd);
}

static int sink_listen(int fd, const struct sockaddr *addr, socklen_t len)
{
	int on = 1;
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, addr, len) != 0 || listen(fd, EVENTS) != 0)
		return -1;
	epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
	return fd;
}

static int sink_listen_tcp(const char *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	return sink_listen(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&addr, sizeof addr);
}

static int sink_listen_unix(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
	int fd = sink_listen(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&addr, sizeof addr);
	chmod(path, 0666);
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	poller = epoll_create1(0);
	int tcp = argc == 3 ? sink_listen_tcp(argv[1]) : -1;
	int local = argc == 3 ? sink_listen_unix(argv[2]) : -1;
	if (tcp < 0 || local < 0) {
		fprintf(stderr, "lmtp_sink: cannot listen (usage: lmtp_sink PORT SOCKET): %s\n", strerror(errno));
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int count = epoll_wait(poller, events, EVENTS, -1);
		for (int i = 0; i < count; i++) {
			int fd = events[i].data.fd;
			if (fd == tcp || fd == local)
				talk_begin(fd);
			else
				talk_serve(fd);
		}
	}
}
