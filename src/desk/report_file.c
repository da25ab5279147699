/* SPDX-License-Identifier: Apache-2.0
 *
 * report_file: see report_file.h.
 */
#include "desk/report_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool cannot(const struct report_file *file, struct error *error)
{
	return error_set(error, EXIT_UNAVAILABLE, "cannot write %s: %s", file->path, strerror(errno));
}

/* A name beside path that nobody else has. */
static int open_temporary(struct report_file *file)
{
	size_t bytes = strlen(file->path) + 32;
	file->temporary = mem_alloc(bytes);
	if (!file->temporary)
		return -1;
	snprintf(file->temporary, bytes, "%s.%ld.part", file->path, (long)getpid());
	return open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
}

bool report_file_open(struct report_file *file, const char *path, FILE *out, struct error *error)
{
	struct stat info;
	*file = (struct report_file){ .path = path };
	if (!path)
		return true;
	file->is_lent = strcmp(path, "-") == 0;
	if (file->is_lent) {
		file->file = out;
		return true;
	}
	bool is_there = stat(path, &info) == 0;
	errno = is_there && S_ISDIR(info.st_mode) ? EISDIR : 0;
	int fd = errno				      ? -1
		 : is_there && !S_ISREG(info.st_mode) ? open(path, O_WRONLY | O_CLOEXEC)
						      : open_temporary(file);
	file->file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (file->file)
		return true;
	cannot(file, error);
	if (fd >= 0)
		close(fd);
	mem_free(file->temporary);
	file->temporary = NULL;
	return false;
}

bool report_file_end(struct report_file *file, struct slice bytes, struct error *error)
{
	if (!file->file)
		return true;
	bool is_written = fwrite(bytes.len ? bytes.ptr : "", 1, bytes.len, file->file) == bytes.len &&
			  fflush(file->file) == 0;
	if (file->is_lent) {
		file->file = NULL;
		return is_written || cannot(file, error);
	}
	is_written = fclose(file->file) == 0 && is_written;
	file->file = NULL;
	is_written = is_written && (!file->temporary || rename(file->temporary, file->path) == 0);
	if (!is_written) {
		cannot(file, error);
		report_file_drop(file);
		return false;
	}
	mem_free(file->temporary);
	file->temporary = NULL;
	return true;
}

void report_file_drop(struct report_file *file)
{
	if (file->file && !file->is_lent)
		fclose(file->file);
	if (file->temporary)
		unlink(file->temporary);
	mem_free(file->temporary);
	file->file = NULL;
	file->temporary = NULL;
}
