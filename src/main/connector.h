/* SPDX-License-Identifier: Apache-2.0
 *
 * connector: what makes a daemon the POP3 connector (quell fetch). It has a folder of its
 * own, with engine, hold and control socket like the guard's, since it runs as another
 * user: it holds passwords.
 */
#ifndef QUELL_MAIN_CONNECTOR_H
#define QUELL_MAIN_CONNECTOR_H

#include "fetch/fetch.h"
#include "main/daemon.h"

extern const struct daemon_plan connector_plan;

/* What connector_plan finds in daemon.connector; set before daemon_start, but for the
 * parts below the line. */
struct connector {
	enum fetch_mode mode;
	const char *const *labels;   /* only these accounts; none: all */
	size_t label_count;

	struct fetch *fetch;
	struct store_keys keys;
};

/* The set-up of a connector or of a mere look (store NULL: no keys, no folder made). */
bool connector_setup(struct connector *c, const struct settings *s, const char *host_name, struct loop *loop,
		     struct fetch_setup *setup_out, struct error *error);
const char *connector_control(const struct settings *s);

#endif
