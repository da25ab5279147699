/* SPDX-License-Identifier: Apache-2.0
 *
 * scene: a short life of the store in which anything may fail, and what must be true
 * afterwards whatever failed (store.h): what was reported done is there and loads
 * byte for byte; what was not leaves nothing half; the next start works.
 */
#ifndef QUELL_TESTS_FAULT_SCENE_H
#define QUELL_TESTS_FAULT_SCENE_H

#include "rig.h"

enum { SCENE_MAILS = 6, SCENE_RECORDS = 40 };

struct scene {
	struct rig rig;
	struct rig_mail mails[SCENE_MAILS];
	struct rig_answer answers[SCENE_MAILS];
	bool is_marked[SCENE_MAILS];
	size_t done;
	char text[SCENE_MAILS][64];
	char *big;
};

void scene_start(struct scene *scene);
/* Lives one life, from opening to closing; false: it did not even begin. */
bool scene_live(struct scene *scene);
/* Opens again, with no faults, and looks at everything. Fails the test. */
void scene_check(struct scene *scene);
void scene_end(struct scene *scene);

#endif
