/* SPDX-License-Identifier: Apache-2.0
 *
 * alert_journal: one line into the journal, with fields; or into syslog, where there is no
 * journal. Both may make the caller wait when their reader is stuck: so in a thread.
 */
#include "act/alert_inner.h"

#include "base/log.h"
#include "base/mem.h"
#include "net/errand.h"

#include <stdio.h>
#include <syslog.h>
/* No file and line of ours in the journal: an alert is not about them. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#include <unistd.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

struct line {
	struct alert_way *way;
	struct errand *errand;
	int priority;
	char id[INCIDENT_ID_BYTES], subject[ALERT_SUBJECT_BYTES];
	const char *event, *cls;
	int trouble;                 /* errno; the thread's until the errand is done */
};

static bool line_is_wanted(const struct alert_settings *s)
{
	return s->want_syslog;
}

static void line_work(void *ctx)
{
	struct line *l = ctx;
	const char *id = l->id[0] ? l->id : "none";
	/* Without a journal sd_journal_send would do nothing, and call that well done. */
	if (access(JOURNAL_SOCKET, F_OK) != 0) {
		syslog(LOG_MAIL | l->priority, "quell: alert event=%s incident=%s class=%s: %s", l->event, id, l->cls,
		       l->subject);
		return;
	}
	int result = sd_journal_send("MESSAGE=%s", l->subject, "PRIORITY=%i", l->priority, "SYSLOG_FACILITY=%i",
				     LOG_MAIL >> 3, "SYSLOG_IDENTIFIER=quell", "QUELL_EVENT=%s", l->event,
				     "QUELL_INCIDENT=%s", id, "QUELL_CLASS=%s", l->cls, NULL);
	l->trouble = result < 0 ? -result : 0;
}

static void line_done(void *ctx)
{
	struct line *l = ctx;
	alert_told(l->way, l->trouble == 0, strerror(l->trouble));
}

static void line_end(void *deed)
{
	struct line *l = deed;
	errand_end(&l->errand);
	mem_free(l);
}

static void *line_begin(struct alert_way *way, const struct alert_notice *notice)
{
	struct line *l = mem_alloc(sizeof *l);
	if (!l)
		return NULL;
	l->way = way;
	l->event = alert_event_name(notice->event);
	l->cls = notice->cls;
	l->priority = notice->event == ALERT_END || notice->event == ALERT_SUMMARY ? LOG_NOTICE : LOG_WARNING;
	snprintf(l->id, sizeof l->id, "%s", notice->id);
	snprintf(l->subject, sizeof l->subject, "%s", notice->subject);
	l->errand = errand_start(way->alert->setup.loop, line_work, line_done, l);
	if (l->errand)
		return l;
	line_end(l);
	return NULL;
}

const struct alert_kind alert_journal_kind = { "syslog", line_is_wanted, line_begin, line_end };
