/* SPDX-License-Identifier: Apache-2.0
 *
 * control: the daemon's side of the control socket, on the daemon's loop.
 */
#include "desk/control.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/listen.h"
#include "net/stream.h"

#include <sys/socket.h>
#include <unistd.h>

enum { CONTROL_GROUPS_MAX = 256, CONTROL_OUT_BYTES = 2 * CONTROL_ANSWER_BYTES };

struct control_client {
	struct control *control;
	struct list link;
	struct stream *stream;
};

struct control {
	struct loop *loop;
	struct listen *listen;
	struct control_calls calls;
	gid_t group;
	struct list clients;
	unsigned client_count;
};

static void client_free(struct control_client *client)
{
	list_remove(&client->link);
	client->control->client_count--;
	mem_free(client);
}

/* What is pending is still sent. */
static void client_finish(struct control_client *client)
{
	stream_finish(&client->stream);
	client_free(client);
}

static void client_answer(struct control_client *client, struct slice line)
{
	struct buf answer;
	buf_init(&answer, CONTROL_ANSWER_BYTES);
	control_answer(&client->control->calls, line, &answer);
	stream_write(client->stream, buf_slice(&answer));
	buf_free(&answer);
}

static size_t client_data(void *ctx, struct stream *stream, struct slice bytes)
{
	struct control_client *client = ctx;
	(void)stream;
	size_t used = 0;
	for (;;) {
		struct slice rest = slice_from(bytes, used);
		size_t end = slice_find_byte(rest, 0, '\n');
		if (end > CONTROL_LINE_BYTES) {
			stream_write(client->stream,
				     SLICE("{\"ok\":false,\"exit\":65,\"error\":\"too long a line\"}\n"));
			client_finish(client);
			return bytes.len;
		}
		if (end == rest.len)
			return used;
		client_answer(client, slice_first(rest, end));
		used += end + 1;
	}
}

static void client_end(void *ctx, struct stream *stream, enum stream_end end, int sys_errno)
{
	struct control_client *client = ctx;
	(void)stream;
	(void)sys_errno;
	if (end == STREAM_EOF) {
		client_finish(client);
		return;
	}
	stream_close(&client->stream);
	client_free(client);
}

static bool peer_has_group(int fd, gid_t wanted)
{
	gid_t groups[CONTROL_GROUPS_MAX];
	socklen_t bytes = sizeof groups;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) != 0)
		return false;
	for (size_t i = 0; i < bytes / sizeof groups[0]; i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

static bool peer_may(const struct control *control, int fd)
{
	struct ucred peer;
	socklen_t bytes = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	if (control->group != (gid_t)-1 && (peer.gid == control->group || peer_has_group(fd, control->group)))
		return true;
	log_warn("control-refused", "uid=%u pid=%d", (unsigned)peer.uid, (int)peer.pid);
	return false;
}

static void turn_away(int fd, const char *why)
{
	if (send(fd, why, strlen(why), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("control-refused", "why=unheard"); /* it went away before it was told */
	close(fd);
}

static void on_peer(void *ctx, int fd, const struct net_addr *peer)
{
	static const struct stream_calls calls = { .on_data = client_data, .on_end = client_end };
	static const struct stream_setup setup = { .in_bytes_max = 4 * CONTROL_LINE_BYTES,
						   .out_bytes_max = CONTROL_OUT_BYTES,
						   .idle_ms = CONTROL_IDLE_MS };
	struct control *control = ctx;
	(void)peer;
	if (!peer_may(control, fd)) {
		turn_away(fd, "{\"ok\":false,\"exit\":69,\"error\":\"you may not give orders here\"}\n");
		return;
	}
	struct control_client *client =
		control->client_count < CONTROL_CLIENTS_MAX ? mem_alloc(sizeof *client) : NULL;
	if (!client) {
		turn_away(fd, "{\"ok\":false,\"exit\":75,\"error\":\"too many talk to the daemon; try again\"}\n");
		return;
	}
	client->control = control;
	list_add(&control->clients, &client->link);
	control->client_count++;
	client->stream = stream_open(control->loop, fd, &setup, &calls, client);
	if (!client->stream)
		client_free(client);
}

struct control *control_open(struct loop *loop, const char *path, gid_t group,
			     const struct control_calls *calls, struct error *error)
{
	struct net_addr addr;
	struct listen_setup setup = LISTEN_SETUP_DEFAULT;
	struct control *control;
	if (!net_addr_parse(slice_from_str(path), &addr, error))
		return NULL;
	if (!(control = mem_alloc(sizeof *control))) {
		error_set(error, EXIT_TRY_AGAIN, "no memory for the control socket");
		return NULL;
	}
	control->loop = loop;
	control->calls = *calls;
	control->group = group;
	list_init(&control->clients);
	setup.mode = group == (gid_t)-1 ? 0600 : 0660;
	setup.group = group;
	control->listen = listen_open(loop, &addr, &setup, on_peer, control, error);
	if (!control->listen) {
		mem_free(control);
		return NULL;
	}
	return control;
}

void control_close(struct control **control)
{
	struct control *c = *control;
	*control = NULL;
	if (!c)
		return;
	listen_close(&c->listen);
	while (!list_is_empty(&c->clients)) {
		struct control_client *client = LIST_OWNER(c->clients.next, struct control_client, link);
		stream_close(&client->stream);
		client_free(client);
	}
	mem_free(c);
}
