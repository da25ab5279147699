/* SPDX-License-Identifier: Apache-2.0
 *
 * secret: bytes that nobody else may see, read straight into memory that sodium locks,
 * guards and zeroes. Whatever goes wrong is said without the secret.
 */
#include "base/secret.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct secret {
	char *bytes; /* of sodium; SECRET_BYTES_MAX */
	size_t len;
};

struct secret *secret_new(void)
{
	if (sodium_init() < 0)
		return NULL;
	struct secret *s = mem_alloc(sizeof *s);
	if (s)
		s->bytes = sodium_malloc(SECRET_BYTES_MAX);
	if (s && !s->bytes) {
		mem_free(s);
		s = NULL;
	}
	return s;
}

struct secret *secret_copy(struct slice bytes)
{
	struct secret *s = bytes.len <= SECRET_BYTES_MAX ? secret_new() : NULL;
	if (s && bytes.len > 0)
		memcpy(s->bytes, bytes.ptr, bytes.len);
	if (s)
		s->len = bytes.len;
	return s;
}

char *secret_room(struct secret *s)
{
	return s->bytes;
}

struct slice secret_bytes(const struct secret *s)
{
	return s ? slice_make(s->bytes, s->len) : SLICE("");
}

void secret_free(struct secret **s)
{
	if (!*s)
		return;
	sodium_free((*s)->bytes); /* zeroes */
	mem_free(*s);
	*s = NULL;
}

/* ---- files ---- */

static bool secret_is_closed(const char *path, const struct stat *info, struct error *e)
{
	if (!S_ISREG(info->st_mode))
		return error_set(e, EXIT_BAD_INPUT, "%s: not a plain file", path);
	if (info->st_uid != geteuid() && info->st_uid != 0)
		return error_set(e, EXIT_BAD_INPUT, "%s: belongs to another user (%u); mend: chown %u %s", path,
				 (unsigned)info->st_uid, (unsigned)geteuid(), path);
	if (info->st_mode & 077)
		return error_set(e, EXIT_BAD_INPUT, "%s: others may read or write it; mend: chmod 600 %s", path, path);
	return true;
}

bool secret_may_stand_in(const char *settings_file, struct error *e)
{
	struct stat info;
	if (stat(settings_file, &info) != 0)
		return error_set(e, EXIT_BAD_INPUT, "%s: %s", settings_file, strerror(errno));
	return secret_is_closed(settings_file, &info, e);
}

/* Reads to the end, or to the end of the room. -1: errno says why. */
static ssize_t secret_slurp(int fd, char *to, size_t room)
{
	size_t used = 0;
	while (used < room) {
		ssize_t got = read(fd, to + used, room - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

bool secret_first_line(struct secret *s, size_t len, const char **why_out)
{
	struct slice all = slice_make(s->bytes, len);
	s->len = slice_find_byte(all, 0, '\n');
	*why_out = s->len == SECRET_BYTES_MAX ? "its first line is too long" : NULL;
	if (s->len > 0 && s->bytes[s->len - 1] == '\r')
		s->len--;
	if (s->len == 0)
		*why_out = "its first line is empty";
	else if (memchr(s->bytes, '\0', s->len))
		*why_out = "its first line holds a NUL byte";
	sodium_memzero(s->bytes + s->len, SECRET_BYTES_MAX - s->len);
	return !*why_out;
}

static struct secret *secret_read_fd(int fd, const char *name, struct error *e)
{
	const char *why = "no memory";
	struct secret *s = secret_new();
	ssize_t got = s ? secret_slurp(fd, s->bytes, SECRET_BYTES_MAX) : 0;
	if (got < 0)
		why = strerror(errno);
	if (s && got >= 0 && secret_first_line(s, (size_t)got, &why))
		return s;
	error_set(e, s ? EXIT_BAD_INPUT : EXIT_TRY_AGAIN, "%s: %s", name, why);
	secret_free(&s);
	return NULL;
}

static struct secret *secret_read_path(const char *path, const char *name, bool is_ours, struct error *e)
{
	struct stat info;
	struct secret *s = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &info) != 0)
		error_set(e, EXIT_BAD_INPUT, "%s: %s", name, strerror(errno));
	else if (is_ours ? secret_is_closed(path, &info, e)
			 : S_ISREG(info.st_mode) || error_set(e, EXIT_BAD_INPUT, "%s: not a plain file", name))
		s = secret_read_fd(fd, name, e);
	if (fd >= 0)
		close(fd);
	return s;
}

struct secret *secret_read_file(const char *path, struct error *e)
{
	static const char prefix[] = "credential:";
	if (strncmp(path, prefix, sizeof prefix - 1) != 0)
		return secret_read_path(path, path, true, e);
	const char *name = path + sizeof prefix - 1, *folder = getenv("CREDENTIALS_DIRECTORY");
	char whole[4096];
	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/')) {
		error_set(e, EXIT_BAD_INPUT, "%s: not the name of a credential", path);
		return NULL;
	}
	if (!folder || (size_t)snprintf(whole, sizeof whole, "%s/%s", folder, name) >= sizeof whole) {
		error_set(e, EXIT_BAD_INPUT, "%s: systemd handed over no credentials; mend: "
				"LoadCredential=%s:FILE", path,
			  name);
		return NULL;
	}
	return secret_read_path(whole, path, false, e);
}
