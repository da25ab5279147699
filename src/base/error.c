/* SPDX-License-Identifier: Apache-2.0
 *
 * error: the deepest cause is kept.
 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

bool error_set(struct error *e, enum exit_status status, const char *format, ...)
{
	if (!e || e->text[0])
		return false;
	va_list args;
	va_start(args, format);
	vsnprintf(e->text, sizeof e->text, format, args);
	va_end(args);
	e->status = status;
	return false;
}
