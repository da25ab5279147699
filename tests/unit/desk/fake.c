/* SPDX-License-Identifier: Apache-2.0
 *
 * fake: see fake.h.
 */
#include "fake.h"

#include "fake_flow.h"

#include "base/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake_store fake_store;
struct desk_settings fake_settings;
static char folder[64], socket_path[96];

int fake_setup(void **state)
{
	char path[96];
	(void)state;
	fake_store = (struct fake_store){ .incident_count = 0 };
	fake_flow = (struct fake_flow){ .found = "" };
	snprintf(folder, sizeof folder, "/tmp/quell-desk-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/quell.db", folder);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	close(fd);
	snprintf(socket_path, sizeof socket_path, "%s/control.sock", folder);
	fake_settings = (struct desk_settings){ .state = folder, .control_socket = socket_path, .per_minute = 60 };
	return 0;
}

int fake_teardown(void **state)
{
	char path[96];
	(void)state;
	snprintf(path, sizeof path, "%s/quell.db", folder);
	unlink(path);
	unlink(socket_path);
	return rmdir(folder);
}

struct store_reader {
	int is_open;
};
static struct store_reader reader;

struct store_reader *store_reader_open(const char *state_dir, struct error *error)
{
	(void)state_dir;
	(void)error;
	reader.is_open++;
	return &reader;
}

void store_reader_close(struct store_reader *r)
{
	r->is_open--;
}

static bool fake_end(struct error *error)
{
	return !fake_store.is_broken || error_set(error, EXIT_UNAVAILABLE, "the disk is \x1b[31mred");
}

bool store_read_incidents(struct store_reader *r, size_t limit, reader_incident_fn *fn, void *ctx, struct error *error)
{
	(void)r;
	for (size_t i = 0; i < fake_store.incident_count && (!limit || i < limit); i++)
		if (!fn(ctx, &fake_store.incidents[i]))
			break;
	return fake_end(error);
}

bool store_read_incident(struct store_reader *r, const char *id, struct incident *incident_out, bool *is_found_out,
			 struct error *error)
{
	(void)r;
	*is_found_out = false;
	for (size_t i = 0; i < fake_store.incident_count; i++) {
		if (strcmp(fake_store.incidents[i].id, id) != 0)
			continue;
		*incident_out = fake_store.incidents[i];
		*is_found_out = true;
	}
	return fake_end(error);
}

bool store_read_holds(struct store_reader *r, const char *incident, int hold_state, size_t limit, reader_hold_fn *fn,
		      void *ctx, struct error *error)
{
	(void)r;
	(void)hold_state;
	size_t given = 0, repeat = fake_store.hold_repeat ? fake_store.hold_repeat : 1;
	for (size_t i = 0; i < fake_store.hold_count * repeat; i++) {
		const struct hold_row *row = &fake_store.holds[i / repeat];
		if (incident && strcmp(row->incident, incident) != 0)
			continue;
		if ((limit && given++ == limit) || !fn(ctx, row))
			break;
	}
	return fake_end(error);
}

bool store_read_decisions(struct store_reader *r, const char *id, size_t limit, reader_decision_fn *fn, void *ctx,
			  struct error *error)
{
	(void)r;
	(void)limit;
	for (size_t i = 0; i < fake_store.decision_count; i++)
		if (strcmp(fake_store.decisions[i].queue_id, id) == 0 && !fn(ctx, &fake_store.decisions[i]))
			break;
	return fake_end(error);
}

bool store_read_counters(struct store_reader *r, reader_counter_fn *fn, void *ctx, struct error *error)
{
	(void)r;
	(void)error;
	return fn(ctx, "mails", 1234567) && fn(ctx, "passed", 1234000) && fn(ctx, "held", 500) &&
	       fn(ctx, "memory_bytes", 4096);
}

static bool fake_host_settings(void *ctx, const char *file, FILE *err, struct desk_settings *settings_out)
{
	(void)ctx;
	*settings_out = fake_settings;
	if (file && strcmp(file, "bad.yaml") == 0)
		fputs("bad.yaml:1: bad\n", err);
	return !file || strcmp(file, "bad.yaml") != 0;
}

struct fake_run fake_run(size_t columns, bool want_colour, const char *words)
{
	struct desk_host host = { .version = "9.9.9", .settings = fake_host_settings };
	struct fake_run run = { .status = EXIT_FINE };
	char *argv[256] = { "quell" }, copy[4096], *at = copy;
	int argc = 1;
	snprintf(copy, sizeof copy, "%s", words);
	fake_flow_host(&host);
	for (char *word; (word = strsep(&at, " ")) && argc < 255;)
		if (*word)
			argv[argc++] = word;
	struct desk desk = { .host = &host, .columns = columns, .want_colour = want_colour };
	desk.out = open_memstream(&run.out, &run.out_bytes);
	desk.err = open_memstream(&run.err, &run.err_bytes);
	run.status = desk_run_as(&desk, argc, argv);
	fclose(desk.out);
	fclose(desk.err);
	return run;
}

void fake_run_free(struct fake_run *run)
{
	free(run->out);
	free(run->err);
}

void fake_incident(struct incident *incident, const char *text)
{
	*incident = (struct incident){ .id = "DABCDEFGHIJKL", .cls = STORM_DUPLICATE, .state = BREAKER_OPEN,
				       .first_ms = 1133860803000, .last_ms = 1133864403000, .opened_ms = 1133860903000,
				       .message_id_count = 1, .copies = 51234, .pairs = 60000, .surplus = 51000,
				       .held = 50000, .suppressed = 990, .passed = 10, .recipients = 150,
				       .party_count = 2 };
	struct party *p = &incident->parties[0];
	snprintf(incident->from, sizeof incident->from, "%s", text);
	snprintf(incident->subject, sizeof incident->subject, "%s", text);
	snprintf(incident->message_ids[0], sizeof incident->message_ids[0], "%s", text);
	/* Quell's own words; what they quote, the storm room has quoted. */
	snprintf(incident->opener, sizeof incident->opener, "11 surplus deliveries within an hour, 10 are allowed");
	*p = (struct party){ .role = PARTY_GUILTY, .address_count = 1, .claim_count = 1, .evidence_count = 1,
			     .surplus = 40000, .copies = 300, .blame = 12, .confidence = 0.97, .period_ms = 900000 };
	snprintf(p->host, sizeof p->host, "%s", text);
	snprintf(p->domain, sizeof p->domain, "%s", text);
	log_quote(slice_from_str(text), p->claims[0], sizeof p->claims[0]); /* as the storm room does */
	log_quote(slice_from_str(text), p->evidence[0], sizeof p->evidence[0]);
	snprintf(p->product, sizeof p->product, "Microsoft SBS 2003 POP3 connector");
	ip_parse(SLICE("192.0.2.7"), &p->addresses[0]);
	incident->parties[1] = (struct party){ .role = PARTY_ENTRY, .host = "mx.example.org", .surplus = 9 };
}
