/* SPDX-License-Identifier: Apache-2.0
 *
 * Real logs of Postfix, scenario by scenario (logs-lightmeter-dev): the deliveries that the
 * watch counts are those that a plain search for "status=" finds, each (queue id,
 * recipient) by its newest line. Queue ids that are used again for another mail, filters
 * that hand mail back, retries and bounces are in them.
 */
#include "world.h"

#include "base/hash.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { DATA_ABSENT = 77, OUTCOMES_MAX = 4096, PATH_BYTES = 4096 };

static char folder[PATH_BYTES];

static bool find_folder(const char *where)
{
	struct stat st;
	snprintf(folder, sizeof folder, "%s/logs-lightmeter-dev/test_files/postfix_logs/individual_files",
		 where ? where : "");
	return where && stat(folder, &st) == 0;
}

/* ---- the plain search ---- */

struct outcome {
	char key[512];
	char status; /* 's', 'd', 'b' */
};

static struct outcome outcomes[OUTCOMES_MAX];
static size_t outcome_count;

/* "ID: to=<...>, ... status=X": what stands before ", relay=" names the recipient. */
static void search_line(const char *line)
{
	const char *to = strstr(line, ": to=<"), *relay = to ? strstr(to, ", relay=") : NULL;
	const char *status = relay ? strstr(relay, ", status=") : NULL;
	if (!status || !strchr("sdb", status[9]) || strncmp(status + 9, "undeliverable", 4) == 0)
		return;
	const char *id = to;
	while (id > line && id[-1] != ' ')
		id--;
	struct outcome o = { .status = status[9] };
	snprintf(o.key, sizeof o.key, "%.*s", (int)(relay - id), id);
	for (size_t i = 0; i < outcome_count; i++)
		if (strcmp(outcomes[i].key, o.key) == 0) {
			outcomes[i].status = o.status;
			return;
		}
	assert_true(outcome_count < OUTCOMES_MAX);
	outcomes[outcome_count++] = o;
}

static uint64_t search_count(char status)
{
	uint64_t n = 0;
	for (size_t i = 0; i < outcome_count; i++)
		n += outcomes[i].status == status;
	return n;
}

/* ---- both ---- */

static void read_scenario(struct world *w, const char *name)
{
	char path[2 * PATH_BYTES];
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	outcome_count = 0;
	while ((n = getline(&line, &cap, file)) > 0) {
		n -= line[n - 1] == '\n';
		watch_line(w->watch, w->source, slice_make(line, (size_t)n), false);
		line[n] = '\0';
		search_line(line);
	}
	free(line);
	fclose(file);
}

/* What is known of a scenario besides: mails, passes through a filter, given up too late. */
static const struct known {
	const char *name;
	uint64_t mails, passes, expired, engine, backwards;
} known[] = {
	{ "5_zimbra_amavisd.log", 3, 2, 0, 1, 0 },
	{ "14_reuse_of_queueid.log", 72, 35, 0, 37, 1 },
	{ "18_expired.log", 3, 1, 1, 2, 0 },
	{ "1_bounce_simple.log", 3, 1, 0, 2, 0 },
	{ "26_two_recipients.log", 1, 0, 0, 1, 0 },
	{ "6_deferred_message_retry.log", 6, 2, 0, 4, 0 },
	{ "19_postfix_version.log", 0, 0, 0, 0, 0 },
};

static const struct known *known_of(const char *name)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strcmp(known[i].name, name) == 0)
			return &known[i];
	return NULL;
}

static void check_scenario(const char *name)
{
	struct world w;
	struct storm_counters engine;
	const struct known *k = known_of(name);
	world_begin(&w, 1024 * 1024, true);
	read_scenario(&w, name);
	watch_end(w.watch);
	struct watch_counts c = world_counts(&w);
	uint64_t expired = k ? k->expired : 0;
	assert_int_equal(c.sent, search_count('s'));
	assert_int_equal(c.deferred, search_count('d') - expired);
	assert_int_equal(c.bounced, search_count('b') + expired);
	/* Dovecot's lines tell of mails that the lines of Postfix tell of too. */
	assert_int_equal(w.mails, c.mails + c.echoes);
	assert_int_equal(w.dovecots, c.echoes);
	assert_int_equal(world_source(&w, 0).backwards, k ? k->backwards : 0);
	storm_counters(w.storm, &engine);
	assert_int_equal(engine.mails, c.mails - c.passes);
	if (k) {
		assert_int_equal(c.mails, k->mails);
		assert_int_equal(c.passes, k->passes);
		assert_int_equal(engine.mails, k->engine);
	}
	world_end(&w);
}

static void the_scenarios_give_the_known_deliveries(void **state)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t count = 0;
	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (slice_ends_nocase(slice_from_str(entry->d_name), SLICE(".log"))) {
			check_scenario(entry->d_name);
			count++;
		}
	closedir(dir);
	assert_int_equal(count, 36);
}

int main(void)
{
	char cache[PATH_BYTES / 2];
	snprintf(cache, sizeof cache, "%s/.cache/quell-data", getenv("HOME") ? getenv("HOME") : "");
	if (!find_folder(getenv("QUELL_DATA")) && !find_folder(cache)) {
		puts("1..0 # SKIP watch lightmeter: the set logs-lightmeter-dev is not here");
		return DATA_ABSENT;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_scenarios_give_the_known_deliveries),
	};
	return hash_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
