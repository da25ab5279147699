/* SPDX-License-Identifier: Apache-2.0
 *
 * check: one link, one greeting, and for SMTP the relay self-test.
 */
#include "fetch/check.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

const char check_probe_address[] = "quell-probe@relay-test.invalid";

struct check {
	struct link *link;
	enum smtp_kind kind;
	check_fn *fn;
	void *ctx;
	bool is_told;
};

static void check_tell(struct check *c, bool is_fine, const char *text)
{
	if (c->is_told)
		return;
	c->is_told = true;
	c->fn(c->ctx, is_fine, text);
}

static void check_on_ready(void *ctx)
{
	struct check *c = ctx;
	char text[300];
	unsigned can = link_can(c->link);
	if (c->is_told)
		return;
	if (c->kind == SMTP_SMTP && link_probe(c->link, slice_from_str(check_probe_address)))
		return;
	snprintf(text, sizeof text, "%s answers: %s%s%s", c->kind == SMTP_LMTP ? "LMTP" : "SMTP",
		 link_banner(c->link), can & SMTP_CAN_PIPELINING ? "; PIPELINING" : "",
		 can & SMTP_CAN_8BITMIME ? "; 8BITMIME" : "");
	check_tell(c, true, text);
}

static void check_on_probed(void *ctx, const struct smtp_reply *reply)
{
	struct check *c = ctx;
	char text[300], words[LOG_QUOTE_BYTES];
	bool is_refused = !smtp_is_taken(reply) && !smtp_is_temporary(reply);
	snprintf(text, sizeof text, "SMTP answers: %s; %s: %d %s to RCPT TO:<%s>", link_banner(c->link),
		 is_refused              ? "it does not relay"
		 : smtp_is_taken(reply) ? "IT RELAYS FOR ANYBODY, so nothing would be given to it"
					: "it does not say whether it relays, so nothing would be given to it",
		 reply->code, log_quote(slice_first(reply->text, 80), words, sizeof words), check_probe_address);
	check_tell(c, is_refused, text);
}

static void check_on_lost(void *ctx, bool had_mail, bool is_in_doubt, const char *why)
{
	(void)had_mail;
	(void)is_in_doubt;
	check_tell(ctx, false, why);
}

static ssize_t check_on_want(void *ctx, char *to, size_t room)
{
	(void)ctx;
	(void)to;
	(void)room;
	return -1; /* no mail is ever sent */
}

static void check_on_word(void *ctx, const struct smtp_reply *reply)
{
	(void)ctx;
	(void)reply;
}

struct check *check_start(const struct link_setup *setup, check_fn *fn, void *ctx)
{
	static const struct link_calls calls = { check_on_ready, check_on_want, check_on_word, check_on_lost,
						 check_on_probed };
	struct check *c = mem_alloc(sizeof *c);
	if (!c)
		return NULL;
	c->kind = setup->kind;
	c->fn = fn;
	c->ctx = ctx;
	c->link = link_new(setup, &calls, c);
	if (!c->link) {
		mem_free(c);
		return NULL;
	}
	link_open(c->link);
	return c;
}

void check_free(struct check **check)
{
	if (!*check)
		return;
	link_free(&(*check)->link);
	mem_free(*check);
	*check = NULL;
}
