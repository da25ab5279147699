/* SPDX-License-Identifier: Apache-2.0
 *
 * account: asks the system's user and group lists; may block, start-up only.
 */
#include "main/account.h"

#include "base/slice.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

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

static bool account_make_state(const char *state, uid_t uid, gid_t gid, struct error *error)
{
	if (mkdir(state, 0700) != 0)
		return errno == EEXIST || error_set(error, EXIT_UNAVAILABLE, "%s: %s", state, strerror(errno));
	return chown(state, uid, gid) == 0 || error_set(error, EXIT_UNAVAILABLE, "%s: %s", state, strerror(errno));
}

bool account_become(const char *text, const char *state, struct error *error)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;
	if (!text[0] || geteuid() != 0)
		return true;
	if (!account_find("user", text, &uid, &gid, error))
		return false;
	const struct passwd *entry = getpwuid(uid);
	if (!entry)
		return error_set(error, EXIT_BAD_INPUT, "user: no account for \"%s\"", text);
	if (gid == (gid_t)-1)
		gid = entry->pw_gid;
	if (!account_make_state(state, uid, gid, error))
		return false;
	/* The user's own groups stay: adm lets it read the mail log. */
	if (initgroups(entry->pw_name, gid) != 0 || setgid(gid) != 0 || setuid(uid) != 0 ||
	    (uid != 0 && setuid(0) == 0))
		return error_set(error, EXIT_UNAVAILABLE, "user: cannot become \"%s\": %s", text, strerror(errno));
	return true;
}
