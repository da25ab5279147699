/* SPDX-License-Identifier: Apache-2.0
 *
 * reload: new settings into a running guard, without dropping a session.
 *
 * What cannot change while running (sockets, folder, memory) is said and stays
 * as it was until a restart.
 */
#include "main/daemon.h"

#include "base/log.h"

static void reload_complain(const struct settings_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		log_error("reload", "trouble=\"%s\"", report->messages[i].text);
	log_error("reload", "state=refused errors=%zu kept=\"the settings in force\"", report->errors);
}

static void reload_tell(const struct settings *now, const struct settings *fresh)
{
	struct buf changed, fixed;
	buf_init(&changed, 4096);
	buf_init(&fixed, 4096);
	settings_compare(now, fresh, &changed, &fixed);
	log_info("reload", "state=done changed=\"%s\"", buf_str(&changed));
	if (fixed.len > 0)
		log_warn("reload", "after_a_restart=\"%s\"", buf_str(&fixed));
	buf_free(&changed);
	buf_free(&fixed);
}

bool daemon_reload(struct daemon *d)
{
	static struct settings_report report;
	struct error error = { .text = "" };
	struct release_setup release;
	struct settings *fresh = settings_load(d->file, &report);
	if (!fresh) {
		reload_complain(&report);
		return false;
	}
	reload_tell(d->settings, fresh);
	settings_free(d->former);
	d->former = d->settings;
	d->settings = fresh;
	struct flow_setup flow = daemon_flow_setup(d);
	flow_retune(d->flow, &flow);
	store_retune(d->store, &fresh->store);
	alert_retune(d->alert, &fresh->alert);
	if (daemon_release_setup(d, &release, &error))
		release_retune(d->release, &release);
	log_setup(fresh->is.log_level, getenv("JOURNAL_STREAM") != NULL);
	if (d->plan->reload_doors)
		d->plan->reload_doors(d);
	return true;
}
