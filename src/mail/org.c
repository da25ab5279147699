/* SPDX-License-Identifier: Apache-2.0
 *
 * org: which organisation a host name belongs to, by the public suffix list
 * compiled into libpsl (no file is read: this room does no I/O). A list that is
 * a year old still knows com, ie and co.uk; what it does not know falls back to
 * the last two labels. It cannot tell that two domains have one owner.
 */
#include "mail/facts.h"

#include "mail/lex.h"

#include <libpsl.h>

enum { ORG_NAME_BYTES_MAX = 255 };

static struct slice org_last_two_labels(struct slice name)
{
	size_t dots = 0;
	for (size_t i = name.len; i > 0; i--)
		if (name.ptr[i - 1] == '.' && ++dots == 2)
			return slice_from(name, i);
	return name;
}

struct slice domain_org(struct slice name)
{
	char lower[ORG_NAME_BYTES_MAX + 1];
	struct ip ip;

	while (name.len > 0 && name.ptr[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || name.len > ORG_NAME_BYTES_MAX || memchr(name.ptr, '\0', name.len) ||
	    name.ptr[0] == '[' || ip_parse(name, &ip))
		return name;
	memcpy(lower, name.ptr, name.len);
	lower[name.len] = '\0';
	lex_lower(lower, name.len);
	const char *org = psl_registrable_domain(psl_builtin(), lower);
	if (org)
		return slice_from(name, (size_t)(org - lower));
	return psl_builtin() ? name : org_last_two_labels(name);
}
