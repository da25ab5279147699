/* SPDX-License-Identifier: Apache-2.0
 *
 * corpus: runs a fuzzer's function without libFuzzer, with any compiler.
 *
 * corpus_NAME FOLDER   every seed, each of its prefixes' cousins, then a fixed
 *                      number of seeded mutations; prints TAP
 * corpus_NAME FILE     that one input: to look at a crash
 *
 * The same build gives the same inputs in the same order: a failure repeats. When
 * the function dies, the input is kept in $QUELL_CRASHES (else the current folder)
 * and the command that shows it again is printed. It sees no coverage and so finds
 * what is near the seeds only; the libFuzzer builds look further. An input that
 * takes longer than INPUT_SECONDS_MAX counts as a crash.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	SEEDS_MAX = 4096,
	INPUT_BYTES_MAX = 256 * 1024,
	MUTATIONS = 20000,      /* over all seeds */
	MUTATION_SECONDS_MAX = 20,
	MUTATION_STEPS_MAX = 6,
	INPUT_SECONDS_MAX = 5,
};

struct seed {
	uint8_t *bytes;
	size_t len;
	char *path;
};

static struct seed seeds[SEEDS_MAX];
static size_t seed_count;

/* For the signal handler: what is being run, and by whom. */
static const uint8_t *running_bytes;
static size_t running_len;
static const char *program;
static char crash_path[PATH_MAX];

static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(1);
}

static void on_death(int signal_number)
{
	int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd >= 0 && write(fd, running_bytes, running_len) < 0)
		say("the input could not be kept\n");
	say(signal_number == SIGALRM ? "an input took too long; " : "an input killed the function; ");
	say("it is kept. To see it again:\n    ");
	say(program);
	say(" ");
	say(crash_path);
	say("\n");
	signal(signal_number == SIGALRM ? SIGABRT : signal_number, SIG_DFL);
	raise(signal_number == SIGALRM ? SIGABRT : signal_number);
}

static void watch_for_death(const char *argv0)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM };
	const char *folder = getenv("QUELL_CRASHES");
	const char *name = strrchr(argv0, '/') ? strrchr(argv0, '/') + 1 : argv0;
	program = argv0;
	snprintf(crash_path, sizeof(crash_path), "%s/crash-%s", folder ? folder : ".", name);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], on_death);
}

/* The function gets a block of exactly len bytes, so that a sanitizer sees one too far. */
static void run_one(const uint8_t *bytes, size_t len)
{
	uint8_t *exact = malloc(len ? len : 1);
	if (!exact)
		abort();
	if (len)
		memcpy(exact, bytes, len);
	running_bytes = exact;
	running_len = len;
	alarm(INPUT_SECONDS_MAX);
	LLVMFuzzerTestOneInput(exact, len);
	alarm(0);
	free(exact);
}

static bool read_seed(const char *path, struct seed *seed_out)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return false;
	seed_out->bytes = malloc(INPUT_BYTES_MAX);
	seed_out->path = strdup(path);
	if (!seed_out->bytes || !seed_out->path)
		abort();
	seed_out->len = fread(seed_out->bytes, 1, INPUT_BYTES_MAX, file);
	fclose(file);
	return true;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct seed *)a)->path, ((const struct seed *)b)->path);
}

static bool read_seeds(const char *folder)
{
	DIR *dir = opendir(folder);
	if (!dir)
		return false;
	for (struct dirent *entry; (entry = readdir(dir)) && seed_count < SEEDS_MAX;) {
		char path[PATH_MAX];
		struct stat st;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && read_seed(path, &seeds[seed_count]))
			seed_count++;
	}
	closedir(dir);
	qsort(seeds, seed_count, sizeof(seeds[0]), by_path);
	return true;
}

static uint64_t random_state = 0x9e3779b97f4a7c15u;

static uint64_t random_below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return limit ? (random_state >> 11) % limit : 0;
}

static size_t cut_piece(uint8_t *bytes, size_t len)
{
	size_t at = random_below(len), n = 1 + random_below(len - at < 64 ? len - at : 64);
	memmove(bytes + at, bytes + at + n, len - at - n);
	return len - n;
}

static size_t repeat_piece(uint8_t *bytes, size_t len)
{
	size_t at = random_below(len), n = 1 + random_below(len - at < 64 ? len - at : 64);
	if (len + n > INPUT_BYTES_MAX)
		return len;
	memmove(bytes + at + n, bytes + at, len - at);
	return len + n;
}

static size_t splice_other(uint8_t *bytes, size_t len)
{
	const struct seed *other = &seeds[random_below(seed_count)];
	size_t at = random_below(len + 1), from = random_below(other->len + 1);
	size_t n = other->len - from;
	if (at + n > INPUT_BYTES_MAX)
		n = INPUT_BYTES_MAX - at;
	memcpy(bytes + at, other->bytes + from, n);
	return at + n;
}

static size_t set_byte(uint8_t *bytes, size_t len)
{
	static const uint8_t telling[] = { 0, 1, '\t', '\n', '\r', ' ', '"', '(', '<', '>', '=', '.',
					   '-', ':', ';', '@', '\\', '9', 0x7f, 0x80, 0xff };
	bytes[random_below(len)] = telling[random_below(sizeof(telling))];
	return len;
}

static size_t flip_bit(uint8_t *bytes, size_t len)
{
	bytes[random_below(len)] ^= (uint8_t)(1u << random_below(8));
	return len;
}

static size_t mutate(uint8_t *bytes, size_t len)
{
	static size_t (*const steps[])(uint8_t *, size_t) = {
		cut_piece, repeat_piece, splice_other, set_byte, set_byte, flip_bit,
	};
	for (uint64_t n = 1 + random_below(MUTATION_STEPS_MAX); n > 0; n--) {
		if (len == 0)
			bytes[len++] = (uint8_t)random_below(256);
		len = steps[random_below(sizeof(steps) / sizeof(steps[0]))](bytes, len);
	}
	return random_below(8) == 0 ? random_below(len + 1) : len;
}

static void run_seeds(void)
{
	run_one(NULL, 0);
	for (size_t i = 0; i < seed_count; i++)
		run_one(seeds[i].bytes, seeds[i].len);
	printf("ok 1 - every_seed_is_survived # %zu seeds\n", seed_count);
}

static void run_mutations(void)
{
	uint8_t *bytes = malloc(INPUT_BYTES_MAX + 64);
	if (!bytes)
		abort();
	time_t end = time(NULL) + MUTATION_SECONDS_MAX;
	int n = 0;
	for (; n < MUTATIONS && time(NULL) < end; n++) {
		const struct seed *seed = &seeds[(size_t)n % seed_count];
		memcpy(bytes, seed->bytes, seed->len);
		run_one(bytes, mutate(bytes, seed->len));
	}
	free(bytes);
	printf("ok 2 - seeded_mutations_of_the_seeds_are_survived # %d of %d\n", n, MUTATIONS);
}

int main(int argc, char **argv)
{
	struct seed one = { 0 };
	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER|FILE\n", argv[0]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	watch_for_death(argv[0]);
	if (!read_seeds(argv[1])) {
		if (!read_seed(argv[1], &one)) {
			fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
			return 2;
		}
		run_one(one.bytes, one.len);
		printf("survived\n");
		return 0;
	}
	printf("1..2\n");
	if (seed_count == 0) {
		fprintf(stderr, "%s: not one seed\n", argv[1]);
		return 1;
	}
	run_seeds();
	run_mutations();
	return 0;
}
