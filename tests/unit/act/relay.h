/* SPDX-License-Identifier: Apache-2.0
 *
 * relay: a fake mail server for one talk at a time: a script of answers to DATA's end; what
 * it was given is kept.
 */
#ifndef QUELL_TESTS_UNIT_ACT_RELAY_H
#define QUELL_TESTS_UNIT_ACT_RELAY_H

#include "base/buf.h"
#include "net/listen.h"
#include "net/stream.h"

enum { ANSWERS_MAX = 16, MAILS_MAX = 32 };

struct relay {
	struct loop *loop;
	struct listen *listen;
	struct stream *stream;
	const char *answers[ANSWERS_MAX]; /* to the end of each mail, in order; then 250 */
	size_t answer_count, answered;
	bool is_in_data;
	struct buf in;                    /* bytes of the mail under way */
	char *mails[MAILS_MAX];
	int64_t mail_ms[MAILS_MAX];
	size_t mail_count;
};

/* For listen_open. */
void relay_on_peer(void *ctx, int fd, const struct net_addr *peer);

#endif
