/* SPDX-License-Identifier: Apache-2.0
 *
 * account: asks the system's user and group lists; may block, start-up only.
 */
#include "main/account.h"

#include "base/slice.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>

bool account_find(const char *setting, const char *text, uid_t *uid_io, gid_t *gid_io, struct error *error)
{
	char user[64], group[64];
	struct slice all = slice_from_str(text);
	size_t colon = slice_find_byte(all, 0, ':');
	snprintf(user, sizeof user, "%.*s", SLICE_ARG(slice_first(all, colon)));
	snprintf(group, sizeof group, "%.*s", SLICE_ARG(slice_from(all, colon + 1)));

	uint64_t number;
	if (slice_to_u64(slice_from_str(user), &number)) {
		*uid_io = (uid_t)number;
	} else if (user[0]) {
		const struct passwd *entry = getpwnam(user);
		if (!entry)
			return error_set(error, EXIT_BAD_INPUT, "%s: no user \"%s\"", setting, user);
		*uid_io = entry->pw_uid;
	}
	if (slice_to_u64(slice_from_str(group), &number)) {
		*gid_io = (gid_t)number;
	} else if (group[0]) {
		const struct group *entry = getgrnam(group);
		if (!entry)
			return error_set(error, EXIT_BAD_INPUT, "%s: no group \"%s\"", setting, group);
		*gid_io = entry->gr_gid;
	}
	return true;
}
