/* SPDX-License-Identifier: Apache-2.0
 *
 * shelf: a source of mail that lies in memory, for survey and replay. One file a
 * mailbox; look_over and read as flow/source.h says, in the calling thread.
 */
#ifndef QUELL_TESTS_SHELF_H
#define QUELL_TESTS_SHELF_H

#include "../unit.h"

#include "flow/source.h"

enum { SHELF_MAILS_MAX = 3600, SHELF_TEXT_BYTES = 4096, SHELF_BOXES_MAX = 8 };

struct shelf {
	char texts[SHELF_MAILS_MAX][SHELF_TEXT_BYTES];
	uint32_t boxes[SHELF_MAILS_MAX];
	const char *names[SHELF_BOXES_MAX];
	uint32_t count;
	uint32_t gone;      /* this mail can no longer be read; UINT32_MAX: none */
	struct source source;
};

void shelf_begin(struct shelf *shelf);
/* box: number of the mailbox; name: what it is called. */
void shelf_name(struct shelf *shelf, uint32_t box, const char *name);
void shelf_put(struct shelf *shelf, uint32_t box, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* minute: after noon of 6 Dec 2005, as a Date or a Received line has it. */
const char *shelf_date(int minute);

#endif
