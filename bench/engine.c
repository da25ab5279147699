/* SPDX-License-Identifier: Apache-2.0
 *
 * engine: the reader and the heart alone, one core, no door and no disk.
 *
 *   bench_engine mails [PAIRS] [MAILS]   fills the tables with PAIRS tracked pairs, then
 *                                        times MAILS new mails of 4 KB, each from bytes to
 *                                        verdict and confirmation; then fills on past the
 *                                        ceiling to see that memory stays below it
 *   bench_engine pairs [KEYS] [LOOKS]    one decision of the pair table: name the pair
 *                                        (keyed hash), find it, count it
 *
 * Prints "name value" lines. Records for the journal are counted, not written
 * (bench_journal measures that). All mails are distinct, so a verdict other than
 * pass is counted and makes the run invalid. Text is made outside the timed part.
 */
#include "mail/facts.h"
#include "storm/pairs.h"
#include "storm/storm.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
	FILL_RCPTS = 500,
	MAIL_BODY_BYTES = 4096,
	MAIL_BYTES_MAX = 8192,
	CLIENTS = 400,
	START_MS_PER_MAIL = 20,
	TICK_EVERY = 64,
	PAST_CEILING_PAIRS = 12000000,
};

struct bench {
	struct storm *storm;
	struct arena arena;
	struct facts_setup setup;
	uint8_t key[HASH_KEY_BYTES];
	char mail[MAIL_BYTES_MAX];
	size_t mail_len;
	uint64_t serial, records, record_bytes, not_passed;
	int64_t now_ms;
	struct slice rcpts[FILL_RCPTS];
	char rcpt_text[FILL_RCPTS][48];
};

static const char *const our_hosts[] = { "mx.example.org" };

static double cpu_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double resident_mib(void)
{
	long pages = 0, ignored = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f && fscanf(f, "%ld %ld", &ignored, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return (double)pages * (double)sysconf(_SC_PAGESIZE) / (1024.0 * 1024.0);
}

static void on_record(void *ctx, struct slice record, bool is_urgent)
{
	struct bench *b = ctx;
	(void)is_urgent;
	b->records++;
	b->record_bytes += record.len;
}

static void die(const char *what)
{
	fprintf(stderr, "bench_engine: %s\n", what);
	exit(1);
}

static void bench_begin(struct bench *b)
{
	struct storm_setup setup = { .seed = 1, .is_guard = true, .has_confirmation = true };
	struct error error = { 0 };
	if (!hash_start())
		die("no hashes");
	memset(b->key, 7, sizeof(b->key));
	memset(setup.site_key, 7, sizeof(setup.site_key));
	memset(setup.stamp_key, 8, sizeof(setup.stamp_key));
	storm_policy_default(&setup.policy);
	setup.effects.ctx = b;
	setup.effects.record = on_record;
	b->storm = storm_new(&setup, &error);
	if (!b->storm)
		die(error.text);
	arena_init(&b->arena, FACTS_ARENA_BYTES_MAX);
	b->setup = (struct facts_setup){ .site_key = b->key, .our_hosts = our_hosts, .our_host_count = 1 };
	b->now_ms = 1763966400000;
}

/* Words of a small vocabulary, so that no two mails share a body. */
static void add_body(struct bench *b)
{
	static const char *const words[] = { "report ", "meeting ", "the ", "of ", "tomorrow ", "office ",
					     "please ", "and ", "answer ", "figures ", "a ", "list " };
	uint64_t x = b->serial * 0x9e3779b97f4a7c15u | 1;
	size_t end = b->mail_len + MAIL_BODY_BYTES, column = 0;
	while (b->mail_len + 16 < end) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		const char *word = words[x % (sizeof(words) / sizeof(words[0]))];
		size_t n = strlen(word);
		memcpy(b->mail + b->mail_len, word, n);
		b->mail_len += n;
		column += n;
		if (column > 66) {
			memcpy(b->mail + b->mail_len, "\r\n", 2);
			b->mail_len += 2;
			column = 0;
		}
	}
}

static void make_mail(struct bench *b, size_t body_bytes)
{
	unsigned long n = ++b->serial;
	int len = snprintf(b->mail, sizeof(b->mail),
		"Received: from a%lu.example.net (a%lu.example.net [192.0.2.%lu])\r\n"
		"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n"
		"\tby b.example.org (Postfix) with ESMTPS id 4ABCDEF%lu\r\n"
		"\tfor <r@example.com>; Mon, 24 Nov 2025 03:46:35 +0000\r\n"
		"Received: from [10.1.2.3] (unknown [10.1.2.3])\r\n"
		"\tby a%lu.example.net (Postfix) with ESMTPSA id 5ABCDEF%lu;\r\n"
		"\tMon, 24 Nov 2025 03:46:34 +0000\r\n"
		"From: \"User %lu\" <user%lu@example.net>\r\n"
		"To: \"Somebody Else\" <r@example.com>, other@example.com\r\n"
		"Date: Mon, 24 Nov 2025 03:46:33 +0000\r\n"
		"Message-ID: <%lu.1763966400@example.net>\r\n"
		"In-Reply-To: <%lu.1763966300@example.com>\r\n"
		"References: <%lu.1763966200@example.com>\r\n\t<%lu.1763966300@example.com>\r\n"
		"Subject: Re: figures of the month, part %lu\r\n"
		"User-Agent: Mail 1.0\r\nMIME-Version: 1.0\r\n"
		"Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 7bit\r\n"
		"X-Priority: 3\r\nX-Origin: office %lu\r\nOrganization: Example\r\n\r\n",
		n % 90, n % 90, n % 250, n, n % 90, n, n % 5000, n % 5000, n, n, n, n, n, n % 7);
	b->mail_len = (size_t)len;
	if (body_bytes)
		add_body(b);
	len = snprintf(b->mail + b->mail_len, sizeof(b->mail) - b->mail_len, "number %lu\r\n", n);
	b->mail_len += (size_t)len;
}

static void make_rcpts(struct bench *b, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int len = snprintf(b->rcpt_text[i], sizeof(b->rcpt_text[i]), "r%lu.%zu@example%lu.com",
				   (unsigned long)(b->serial % 9973), i, (unsigned long)(b->serial % 97));
		b->rcpts[i] = slice_make(b->rcpt_text[i], (size_t)len);
	}
}

/* One mail from bytes to verdict and confirmation, as the milter door does it. */
static void pass_mail(struct bench *b, size_t rcpts)
{
	char queue_id[32], client[64];
	unsigned long n = b->serial;
	struct envelope envelope = { .rcpts = b->rcpts, .rcpt_count = rcpts };
	int id_len = snprintf(queue_id, sizeof(queue_id), "4%lX", n);
	int client_len = snprintf(client, sizeof(client), "a%lu.example.net", n % CLIENTS);
	envelope.queue_id = slice_make(queue_id, (size_t)id_len);
	envelope.client_name = envelope.helo = slice_make(client, (size_t)client_len);
	envelope.mail_from = SLICE("user@example.net");
	envelope.client_ip.bytes[10] = envelope.client_ip.bytes[11] = 0xff;
	envelope.client_ip.bytes[12] = 198;
	envelope.client_ip.bytes[14] = (uint8_t)(n % CLIENTS / 200);
	envelope.client_ip.bytes[15] = (uint8_t)(n % CLIENTS % 200);

	arena_reset(&b->arena);
	struct facts_builder *builder = facts_begin(&b->arena, &b->setup);
	if (!builder)
		die("no memory for a mail");
	facts_raw(builder, slice_make(b->mail, b->mail_len));
	const struct facts *facts = facts_end(builder, &envelope, b->now_ms);
	struct verdict verdict;
	storm_judge(b->storm, facts, b->now_ms, &b->arena, &verdict);
	if (verdict.harshest != DEED_PASS && b->not_passed++ == 0)
		fprintf(stderr, "bench_engine: an ordinary mail did not pass: %s: %s\n", verdict.rule, verdict.reason);
	storm_queued(b->storm, envelope.queue_id, b->now_ms);
	b->now_ms += START_MS_PER_MAIL;
	if (n % TICK_EVERY == 0)
		storm_tick(b->storm, b->now_ms);
}

static void fill(struct bench *b, size_t pairs)
{
	for (size_t done = 0; done < pairs; done += FILL_RCPTS) {
		make_mail(b, 0);
		make_rcpts(b, FILL_RCPTS);
		pass_mail(b, FILL_RCPTS);
	}
}

static void print_memory(struct bench *b, const char *when)
{
	struct storm_counters counters;
	storm_counters(b->storm, &counters);
	printf("pairs_known_%s %lu\n", when, (unsigned long)counters.pairs_known);
	printf("pairs_evicted_%s %lu\n", when, (unsigned long)counters.pairs_evicted);
	printf("memory_mib_%s %.1f\n", when, (double)counters.memory_bytes / (1024 * 1024));
	printf("resident_mib_%s %.1f\n", when, resident_mib());
}

/* CPU of making the text alone, to be taken off. */
static double text_cost_s(struct bench *b, size_t mails)
{
	double start = cpu_s();
	uint64_t serial = b->serial;
	for (size_t i = 0; i < mails; i++) {
		make_mail(b, MAIL_BODY_BYTES);
		make_rcpts(b, 1);
	}
	b->serial = serial;
	return cpu_s() - start;
}

static int run_mails(size_t pairs, size_t mails)
{
	static struct bench b;
	bench_begin(&b);
	double start = cpu_s();
	fill(&b, pairs);
	printf("fill_ns_per_pair %.0f\n", (cpu_s() - start) * 1e9 / (double)pairs);
	print_memory(&b, "filled");
	uint64_t records = b.records, bytes = b.record_bytes;
	double text_s = text_cost_s(&b, mails);
	start = cpu_s();
	for (size_t i = 0; i < mails; i++) {
		make_mail(&b, MAIL_BODY_BYTES);
		make_rcpts(&b, 1);
		pass_mail(&b, 1);
	}
	double spent_s = cpu_s() - start - text_s;
	printf("mails_per_s %.0f\n", (double)mails / spent_s);
	printf("us_per_mail %.2f\n", spent_s * 1e6 / (double)mails);
	printf("records_per_mail %.2f\n", (double)(b.records - records) / (double)mails);
	printf("record_bytes_per_mail %.1f\n", (double)(b.record_bytes - bytes) / (double)mails);
	fill(&b, PAST_CEILING_PAIRS);
	print_memory(&b, "past_ceiling");
	printf("not_passed %lu\n", (unsigned long)b.not_passed);
	storm_free(b.storm);
	arena_free(&b.arena);
	return b.not_passed ? 1 : 0;
}

/* The pair's name is made from an address each time, as in life. */
static void name_key(const uint8_t *key, uint64_t n, uint8_t pair_out[PAIR_BYTES])
{
	static const uint8_t instance[DIGEST_SHORT_BYTES] = { 1, 2, 3 };
	char text[32] = "u0000000000@example.com";
	for (size_t i = 10; i > 0; i--, n /= 10)
		text[i] = (char)('0' + n % 10);
	pair_name(key, instance, slice_make(text, 23), pair_out);
}

static int run_pairs(size_t keys, size_t looks)
{
	static const uint8_t key[HASH_KEY_BYTES] = { 9 };
	const size_t table_bytes = (size_t)256 * 1024 * 1024;
	struct pairs pairs;
	uint8_t pair[PAIR_BYTES];
	int64_t now_ms = 1763966400000;
	uint64_t known = 0, x = 88172645463325252u;
	if (!hash_start() || !pairs_init(&pairs, table_bytes, 72 * 3600))
		die("no memory for the table");
	double start = cpu_s();
	for (size_t n = 0; n < keys; n++) {
		name_key(key, n, pair);
		pairs_confirm(&pairs, pair, now_ms, false);
	}
	printf("insert_ns %.1f\n", (cpu_s() - start) * 1e9 / (double)keys);
	start = cpu_s();
	for (size_t n = 0; n < looks; n++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		name_key(key, x % keys, pair);
		pairs_prefetch(&pairs, pair);
		known += pairs_look(&pairs, pair, now_ms + 60000).is_known;
		pairs_confirm(&pairs, pair, now_ms + 60000, false);
	}
	printf("decision_ns %.1f\n", (cpu_s() - start) * 1e9 / (double)looks);
	printf("known_share %.4f\n", (double)known / (double)looks);
	printf("bytes_per_entry %.1f\n", (double)pairs_bytes(&pairs) / (double)pairs.used);
	pairs_free(&pairs);
	return 0;
}

static size_t number(int argc, char **argv, int at, size_t otherwise)
{
	return argc > at ? (size_t)strtoull(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "mails") == 0)
		return run_mails(number(argc, argv, 2, 6000000), number(argc, argv, 3, 100000));
	if (argc > 1 && strcmp(argv[1], "pairs") == 0)
		return run_pairs(number(argc, argv, 2, 10000000), number(argc, argv, 3, 10000000));
	fprintf(stderr, "usage: %s mails [PAIRS] [MAILS] | pairs [KEYS] [LOOKS]\n", argv[0]);
	return 2;
}
