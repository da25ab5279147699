/* SPDX-License-Identifier: Apache-2.0
 *
 * view: what the daemon itself reads through a store_reader (store/hold.h has the
 * rest). Private to this room.
 */
#ifndef QUELL_STORE_VIEW_H
#define QUELL_STORE_VIEW_H

#include "store/hold.h"

/* life: RELEASING rows of this number are being released now and are left out. */
size_t view_next(struct store_reader *r, const struct hold_query *query, int64_t life,
		 struct hold_row *rows_out, size_t max);
size_t view_jobs(struct store_reader *r, struct release_job *jobs_out, size_t max);

#endif
