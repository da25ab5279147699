/* SPDX-License-Identifier: Apache-2.0
 *
 * echo: one mail in the logs of two servers.
 *
 * Dovecot delivers what another server has queued and logs too: the same mail, by the same
 * Message-ID, or by its session, which the other server's log repeats ("session Saved").
 * Counted twice it would look like a storm of its own. Which log is read first is chance,
 * within a second: so a mail of Dovecot's is held for WATCH_TELL_MS before it is
 * asked whether another server knows the Message-ID, which each mail of the others leaves
 * here, when it is queued and when it is over. Past WATCH_ECHOES mails the oldest are
 * forgotten; then one is counted twice, and nothing worse.
 */
#include "watch/inner.h"

#include "base/hash.h"

static uint64_t *echo_place(struct watch *w, const struct txn *txn)
{
	return &w->echoes[txn->echo & (WATCH_ECHOES - 1)];
}

static bool echo_make(struct txn *txn)
{
	if (txn->echo == 0 && txn->message_id.len > 0)
		txn->echo = hash_mix(1, txn_get(txn->message_id));
	return txn->echo != 0;
}

void watch_echo_note(struct watch *w, struct txn *txn)
{
	if (!txn->is_held && !txn->is_inner && echo_make(txn))
		*echo_place(w, txn) = txn->echo;
}

bool watch_echo_release(struct watch *w, struct txn *txn)
{
	if (txn->is_inner || (echo_make(txn) && *echo_place(w, txn) == txn->echo)) {
		txn->is_inner = true;
		w->counts.echoes++;
		return false;
	}
	txn->is_held = false;
	w->counts.mails++;
	for (const struct txn_rcpt *r = txn->rcpts; r; r = r->next)
		watch_count_status(&w->counts, (enum watch_status)r->status, 1);
	return true;
}
