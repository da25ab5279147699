/* SPDX-License-Identifier: Apache-2.0
 *
 * rfc2047: encoded words in header text, to UTF-8.
 *
 * utf-8 and us-ascii bytes stay as they are; iso-8859-1 and windows-1252 are
 * converted. Any other charset keeps its decoded bytes, with "charset:" in front
 * of the first word of a run: not pretty, but the same text is the same whatever
 * words it was cut into, and this room needs no conversion library. Words that
 * are broken stand as written. Raw 8-bit bytes stay: who shows them must cope.
 */
#ifndef QUELL_MAIL_RFC2047_H
#define QUELL_MAIL_RFC2047_H

#include "base/arena.h"
#include "base/slice.h"

/* text: unfolded. Runs of white space become one blank, ends are trimmed. The
 * result lives in arena; empty when it is full. */
struct slice rfc2047_decode(struct arena *arena, struct slice text);

#endif
