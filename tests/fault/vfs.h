/* SPDX-License-Identifier: Apache-2.0
 *
 * vfs: a layer below SQLite whose n-th write or sync fails, once or from then on.
 */
#ifndef QUELL_TESTS_FAULT_VFS_H
#define QUELL_TESTS_FAULT_VFS_H

#include "store/disk.h"

void vfs_register(void);   /* becomes the default */
void vfs_unregister(void);
void vfs_arm(enum disk_op op, long n, int error, bool is_lasting);
/* The fault was met since vfs_arm. */
bool vfs_has_failed(void);

#endif
