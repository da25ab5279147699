/* SPDX-License-Identifier: Apache-2.0
 *
 * topology_inner: between the people of the world (topology_world.c) and its
 * clockwork (topology.c).
 */
#ifndef QUELL_TESTS_TOPOLOGY_INNER_H
#define QUELL_TESTS_TOPOLOGY_INNER_H

#include "topology.h"

/* Fills hosts and members from t->plan. */
void topology_settle(struct topology *t);

#endif
