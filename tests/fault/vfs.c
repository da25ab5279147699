/* SPDX-License-Identifier: Apache-2.0
 *
 * vfs: the system's VFS with another table of methods for the files it opens.
 */
#include "vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

static sqlite3_vfs *system_vfs, faulty_vfs;
/* The database, its log and its temporary files have tables of their own. */
enum { TABLES_MAX = 4 };
static struct {
	const sqlite3_io_methods *system;
	sqlite3_io_methods faulty;
} tables[TABLES_MAX];
static atomic_long fail_after = -1;
static atomic_int fail_error;
static atomic_uint fail_op;
static atomic_bool is_lasting_fault, has_failed;

void vfs_arm(enum disk_op op, long n, int error, bool is_lasting)
{
	fail_op = op;
	fail_error = error;
	is_lasting_fault = is_lasting;
	has_failed = false;
	fail_after = n;
}

bool vfs_has_failed(void)
{
	return has_failed;
}

static bool vfs_is_refused(enum disk_op op)
{
	if (fail_after < 0 || !(fail_op & op))
		return false;
	if (atomic_fetch_sub(&fail_after, 1) > 0)
		return false;
	fail_after = is_lasting_fault ? 0 : -1;
	has_failed = true;
	return true;
}

static const sqlite3_io_methods *system_of(const sqlite3_file *file)
{
	for (size_t i = 0; i < TABLES_MAX; i++)
		if (file->pMethods == &tables[i].faulty)
			return tables[i].system;
	return NULL;
}

static int faulty_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	if (!vfs_is_refused(DISK_WRITE))
		return system_of(file)->xWrite(file, bytes, n, at);
	system_of(file)->xWrite(file, bytes, n / 2, at);
	return fail_error == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int faulty_sync(sqlite3_file *file, int flags)
{
	return vfs_is_refused(DISK_SYNC) ? SQLITE_IOERR_FSYNC : system_of(file)->xSync(file, flags);
}

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
	(void)vfs;
	int rc = system_vfs->xOpen(system_vfs, name, file, flags, flags_out);
	for (size_t i = 0; rc == SQLITE_OK && file->pMethods && i < TABLES_MAX; i++) {
		if (!tables[i].system) {
			tables[i].system = file->pMethods;
			tables[i].faulty = *file->pMethods;
			tables[i].faulty.xWrite = faulty_write;
			tables[i].faulty.xSync = faulty_sync;
		}
		if (tables[i].system == file->pMethods) {
			file->pMethods = &tables[i].faulty;
			break;
		}
	}
	return rc;
}

void vfs_register(void)
{
	system_vfs = sqlite3_vfs_find("unix");
	faulty_vfs = *system_vfs;
	faulty_vfs.zName = "faulty";
	faulty_vfs.xOpen = faulty_open;
	sqlite3_vfs_register(&faulty_vfs, 1);
}

void vfs_unregister(void)
{
	sqlite3_vfs_unregister(&faulty_vfs);
}
