/* SPDX-License-Identifier: Apache-2.0 */
#include "storm/incident.h"
const char *deed_name(enum deed deed) { return deed == DEED_HOLD ? "hold" : "pass"; }
bool incident_encode(const struct incident *i, struct buf *out) { return buf_add(out, slice_make(i, sizeof *i)); }
bool incident_decode(struct slice b, struct incident *i) { if (b.len != sizeof *i) return false; memcpy(i, b.ptr, b.len); return true; }
