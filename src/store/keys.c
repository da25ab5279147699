/* SPDX-License-Identifier: Apache-2.0
 *
 * keys: the secrets of this site, made once.
 *
 * state/key is "quell-key 1\n" and 64 random bytes, 0600, owned by us. It is
 * written under another name, synced, and renamed, so a crash leaves none or a
 * whole one. A key file that is not as it must be is never replaced: a new key would
 * forget every pair and disown every stamp.
 */
#include "store/inside.h"

#include "store/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MAGIC "quell-key 1\n"
enum { KEY_MAGIC_BYTES = sizeof KEY_MAGIC - 1, KEY_FILE_BYTES = KEY_MAGIC_BYTES + 2 * HASH_KEY_BYTES };

static bool keys_make(struct store *store, struct error *error)
{
	char bytes[KEY_FILE_BYTES];
	memcpy(bytes, KEY_MAGIC, KEY_MAGIC_BYTES);
	hash_random(bytes + KEY_MAGIC_BYTES, 2 * HASH_KEY_BYTES);
	disk_unlink(store->dir_fd, "tmp.key");
	int fd = disk_open(store->dir_fd, "tmp.key", O_WRONLY | O_CREAT | O_EXCL);
	bool is_made = fd >= 0 && disk_write(fd, slice_make(bytes, sizeof bytes)) && disk_sync(fd) &&
		       disk_rename(store->dir_fd, "tmp.key", store->dir_fd, "key") &&
		       disk_sync(store->dir_fd);
	int cause = errno;
	if (fd >= 0)
		close(fd);
	explicit_bzero(bytes, sizeof bytes);
	return is_made || error_set(error, EXIT_UNAVAILABLE, "cannot make %s/key: %s", store->dir,
				    strerror(cause));
}

static bool keys_check_file(struct store *store, int fd, struct error *error)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size != KEY_FILE_BYTES)
		return error_set(error, EXIT_BAD_INPUT, "%s/key is not a key file of %d bytes; restore it from a "
				 "backup, or remove it to begin with new keys", store->dir, KEY_FILE_BYTES);
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return error_set(error, EXIT_BAD_INPUT, "%s/key must belong to the user Quell runs as and be "
				 "closed to others (chmod 600)", store->dir);
	return true;
}

static bool keys_read(struct store *store, int fd, struct store_keys *keys_out, struct error *error)
{
	char bytes[KEY_FILE_BYTES];
	if (!keys_check_file(store, fd, error))
		return false;
	if (disk_read(fd, bytes, sizeof bytes) != sizeof bytes ||
	    memcmp(bytes, KEY_MAGIC, KEY_MAGIC_BYTES) != 0)
		return error_set(error, EXIT_BAD_INPUT, "%s/key does not begin as a key file does; restore it "
				 "from a backup, or remove it to begin with new keys", store->dir);
	memcpy(keys_out->site, bytes + KEY_MAGIC_BYTES, HASH_KEY_BYTES);
	memcpy(keys_out->stamp, bytes + KEY_MAGIC_BYTES + HASH_KEY_BYTES, HASH_KEY_BYTES);
	explicit_bzero(bytes, sizeof bytes);
	return true;
}

bool store_keys(struct store *store, struct store_keys *keys_out, struct error *error)
{
	int fd = disk_open(store->dir_fd, "key", O_RDONLY | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT && keys_make(store, error))
		fd = disk_open(store->dir_fd, "key", O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return error_set(error, EXIT_UNAVAILABLE, "%s/key: %s", store->dir, strerror(errno));
	bool is_read = keys_read(store, fd, keys_out, error);
	close(fd);
	return is_read;
}
