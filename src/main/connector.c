/* SPDX-License-Identifier: Apache-2.0
 *
 * connector: the plan of quell fetch, and its orders.
 */
#include "main/connector.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

static const char *connector_state(const struct settings *s)
{
	return s->is.fetch_state;
}

const char *connector_control(const struct settings *s)
{
	return s->is.fetch_control;
}

static const struct settings_relay *connector_relay(const struct settings *s)
{
	return &s->is.fetch_deliver;
}

static void connector_tune(const struct settings *s, struct flow_setup *setup)
{
	setup->policy.memory_bytes = s->fetch.memory_bytes;
}

bool connector_setup(struct connector *c, const struct settings *s, const char *host_name, struct loop *loop,
		     struct fetch_setup *setup_out, struct error *error)
{
	*setup_out = (struct fetch_setup){
		.loop = loop,
		.dir = s->is.fetch_state,
		.dir_fd = -1,
		.settings = &s->fetch,
		.accounts = s->accounts,
		.account_count = s->account_count,
		.labels = c->labels,
		.label_count = c->label_count,
		.deliver_kind = s->is.fetch_deliver.is_lmtp ? SMTP_LMTP : SMTP_SMTP,
		.host_name = host_name,
		.stamp_key = c->keys.stamp,
		.mode = c->mode,
	};
	if (s->account_count == 0)
		return error_set(error, EXIT_BAD_INPUT, "%s: accounts: there is none to collect; see quell-fetch(1)",
				 s->file[0] ? s->file : "no settings file");
	return net_addr_lookup(slice_from_str(s->is.fetch_deliver.address), &setup_out->deliver, error);
}

static void connector_on_idle(void *ctx)
{
	struct daemon *d = ctx;
	loop_stop(d->loop);
}

static bool connector_open(struct daemon *d, struct error *error)
{
	struct connector *c = d->connector;
	struct fetch_setup setup;
	if (!connector_setup(c, d->settings, d->host_name, d->loop, &setup, error) ||
	    !store_keys(d->store, &c->keys, error))
		return false;
	setup.flow = d->flow;
	setup.dir_fd = store_dir_fd(d->store);
	setup.on_idle = connector_on_idle;
	setup.ctx = d;
	c->fetch = fetch_open(&setup, error);
	return c->fetch != NULL;
}

static void connector_close(struct daemon *d)
{
	struct connector *c = d->connector;
	fetch_close(&c->fetch);
}

/* Sessions are cut: what was durable goes on under the new settings. */
static void connector_reload(struct daemon *d)
{
	struct error error = { .text = "" };
	connector_close(d);
	if (connector_open(d, &error))
		return;
	log_error("reload", "trouble=\"%s\"", error.text);
	loop_stop(d->loop);
}

static void connector_status(struct daemon *d, struct control_status *status)
{
	struct connector *c = d->connector;
	uint64_t counts[LEDGER_STATE_COUNT];
	if (!c->fetch || !ledger_count(fetch_ledger(c->fetch), NULL, counts))
		return;
	control_status_number(status, "waiting", counts[LEDGER_WAITING]);
	control_status_number(status, "delivered", counts[LEDGER_DONE]);
	control_status_number(status, "quarantine", counts[LEDGER_QUARANTINE]);
	control_status_text(status, "local_server", fetch_local_trouble(c->fetch));
}

static void connector_top(struct daemon *d, struct top_numbers *numbers)
{
	struct connector *c = d->connector;
	uint64_t counts[LEDGER_STATE_COUNT];
	if (!c->fetch || !ledger_count(fetch_ledger(c->fetch), NULL, counts))
		return;
	numbers->is_connector = true;
	numbers->waiting = counts[LEDGER_WAITING];
	numbers->delivered = counts[LEDGER_DONE];
	numbers->quarantine = counts[LEDGER_QUARANTINE];
}

/* --- orders ---------------------------------------------------------------------- */

static bool word_is(struct slice word, const char *text)
{
	return slice_equal(word, slice_from_str(text));
}

static bool order_wrong(struct error *error)
{
	return error_set(error, EXIT_USAGE, "expected fetch release ID [MAILBOX], fetch drop ID, or fetch adopt "
			 "ACCOUNT deliver|mark-seen");
}

static bool order_adopt(struct connector *c, struct slice account, struct slice how, struct buf *text,
			struct error *error)
{
	char label[FETCH_LABEL_BYTES_MAX + 1];
	bool want_deliver = word_is(how, "deliver");
	if ((!want_deliver && !word_is(how, "mark-seen")) || account.len >= sizeof label)
		return order_wrong(error);
	snprintf(label, sizeof label, "%.*s", SLICE_ARG(account));
	if (!fetch_knows(c->fetch, label))
		return error_set(error, EXIT_BAD_INPUT, "no account \"%s\" in the settings", label);
	if (!fetch_adopt(fetch_ledger(c->fetch), label, want_deliver, text, error))
		return false;
	fetch_wake(c->fetch);
	return true;
}

static bool connector_order(void *ctx, const struct slice *words, size_t count, struct buf *text,
			    struct error *error)
{
	struct daemon *d = ctx;
	struct connector *c = d->connector;
	uint64_t id;
	char mailbox[LEDGER_PATH_BYTES] = "";
	if (count == 3 && word_is(words[0], "adopt"))
		return order_adopt(c, words[1], words[2], text, error);
	if (count < 2 || count > 3 || !slice_to_u64(words[1], &id) || id > INT64_MAX)
		return order_wrong(error);
	if (word_is(words[0], "drop") && count == 2)
		return fetch_drop(c->fetch, (int64_t)id, text, error);
	if (!word_is(words[0], "release"))
		return order_wrong(error);
	if (count == 3)
		snprintf(mailbox, sizeof mailbox, "%.*s", SLICE_ARG(words[2]));
	return fetch_release(c->fetch, (int64_t)id, mailbox, text, error);
}

const struct daemon_plan connector_plan = {
	.name = "connector",
	.state = connector_state,
	.control_socket = connector_control,
	.relay = connector_relay,
	.tune = connector_tune,
	.is_confirmed = true,
	.open_doors = connector_open,
	.close_doors = connector_close,
	.reload_doors = connector_reload,
	.status = connector_status,
	.fetch = connector_order,
	.top = connector_top,
};
