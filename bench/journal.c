/* SPDX-License-Identifier: Apache-2.0
 *
 * journal: what one record costs that survives kill -9 (goal S2), beside SQLite.
 *
 *   bench_journal quell FOLDER [RECORDS]    store_journal, a store_flush per batch of 8
 *   bench_journal sqlite FOLDER [RECORDS]   WAL, synchronous=NORMAL, one upsert a transaction
 *
 * Prints "name value" lines: CPU of the whole process (writer thread too) and
 * wall time a record. FOLDER must be an empty folder of ours (0700). The disk's
 * own cost shows in wall time only.
 */
#include "store/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { BATCH = 8, RECORD_BYTES = 40, SQLITE_RECORDS_MAX = 40000 };

static double seconds(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void report(double cpu_s, double wall_s, size_t records)
{
	printf("cpu_us_per_record %.3f\n", cpu_s * 1e6 / (double)records);
	printf("wall_us_per_record %.3f\n", wall_s * 1e6 / (double)records);
}

static int run_quell(const char *folder, size_t records)
{
	struct store_limits limits;
	struct error error = { 0 };
	char record[RECORD_BYTES];
	store_limits_default(&limits);
	struct store *store = store_open(folder, &limits, &error);
	if (!store) {
		fprintf(stderr, "bench_journal: %s\n", error.text);
		return 1;
	}
	memset(record, 'r', sizeof(record));
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
	for (size_t i = 0; i < records; i++) {
		memcpy(record, &i, sizeof(i));
		store_journal(store, slice_make(record, sizeof(record)), false);
		if (i % BATCH == BATCH - 1)
			store_flush(store, (int64_t)(seconds(CLOCK_REALTIME) * 1000));
	}
	store_close(store);
	report(seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall, records);
	return 0;
}

static int run_sqlite(const char *folder, size_t records)
{
	char path[4096];
	sqlite3 *db = NULL;
	sqlite3_stmt *upsert = NULL;
	if (records > SQLITE_RECORDS_MAX)
		records = SQLITE_RECORDS_MAX;
	snprintf(path, sizeof(path), "%s/yardstick.db", folder);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
			 "CREATE TABLE pair(name BLOB PRIMARY KEY, n INT) WITHOUT ROWID;",
			 NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(db, "INSERT INTO pair VALUES(?,1) ON CONFLICT(name) DO UPDATE SET n=n+1", -1,
			       &upsert, NULL) != SQLITE_OK) {
		fprintf(stderr, "bench_journal: %s\n", sqlite3_errmsg(db));
		return 1;
	}
	double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
	for (size_t i = 0; i < records; i++) {
		uint64_t name[2] = { i * 0x9e3779b97f4a7c15u, i };
		sqlite3_bind_blob(upsert, 1, name, 12, SQLITE_TRANSIENT);
		if (sqlite3_step(upsert) != SQLITE_DONE)
			return 1;
		sqlite3_reset(upsert);
	}
	report(seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu, seconds(CLOCK_MONOTONIC) - wall, records);
	sqlite3_finalize(upsert);
	sqlite3_close(db);
	return 0;
}

int main(int argc, char **argv)
{
	size_t records = argc > 3 ? (size_t)strtoull(argv[3], NULL, 10) : 1000000;
	if (argc > 2 && strcmp(argv[1], "quell") == 0)
		return run_quell(argv[2], records);
	if (argc > 2 && strcmp(argv[1], "sqlite") == 0)
		return run_sqlite(argv[2], records);
	fprintf(stderr, "usage: %s quell|sqlite FOLDER [RECORDS]\n", argv[0]);
	return 2;
}
