/* SPDX-License-Identifier: Apache-2.0
 *
 * report_pens: what the pictures share.
 */
#ifndef QUELL_DESK_REPORT_PENS_H
#define QUELL_DESK_REPORT_PENS_H

#include "base/buf.h"

/* An <svg> element of this size with a title of our own words; the description and the
 * end are the caller's. */
void pens_begin(struct buf *out, double width, double height, const char *title);
/* The size that pens_begin wrote at the beginning of svg; false when it did not. */
bool pens_size(struct slice svg, double *width_out, double *height_out);

#endif
