/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes in the files of the state folder: opens or says why not, never crashes,
 * and what a damaged file did not concern is still there.
 */
#include "../unit/unit.h"

#include "rig.h"
#include "scene.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { FLIPS_PER_FILE = 6 };

typedef void damage_fn(struct buf *bytes, unsigned seed);

static void flip_one_bit(struct buf *bytes, unsigned seed)
{
	if (bytes->len == 0)
		return;
	size_t at = (size_t)rand_r(&seed) % bytes->len;
	bytes->ptr[at] = (char)(bytes->ptr[at] ^ 1 << rand_r(&seed) % 8);
}

static void cut_somewhere(struct buf *bytes, unsigned seed)
{
	bytes->len = bytes->len ? (size_t)rand_r(&seed) % bytes->len : 0;
}

static void fill_with_noise(struct buf *bytes, unsigned seed)
{
	for (size_t i = 0; i < bytes->len; i++)
		bytes->ptr[i] = (char)rand_r(&seed);
}

static void fill_with_zeros(struct buf *bytes, unsigned seed)
{
	(void)seed;
	memset(bytes->ptr, 0, bytes->len);
}

static void put_noise_in_the_middle(struct buf *bytes, unsigned seed)
{
	if (bytes->len < 64)
		return;
	size_t at = (size_t)rand_r(&seed) % (bytes->len - 32);
	for (size_t i = 0; i < 32; i++)
		bytes->ptr[at + i] = (char)rand_r(&seed);
}

static bool any_record(void *ctx, struct slice record)
{
	(void)ctx;
	return record.len == 4;
}

static bool load_row(void *ctx, const struct hold_row *row)
{
	struct rig *rig = ctx;
	struct buf out;
	struct error error = { 0 };
	buf_init(&out, 1 << 20);
	if (!store_hold_load(rig->store, row->id, &out, &error))
		assert_true(error.text[0]);
	buf_free(&out);
	return true;
}

static bool any_incident(void *ctx, const struct incident *incident)
{
	(void)ctx;
	(void)incident;
	return true;
}

/* A whole life on the damaged folder. */
static void live_with_damage(struct rig *rig)
{
	struct store_keys keys;
	struct error error = { 0 };
	struct rig_answer answer;
	if (!rig_try_open(rig)) {
		assert_true(rig->error.text[0]);
		return;
	}
	store_replay(rig->store, any_record, NULL, NULL, NULL);
	if (!store_keys(rig->store, &keys, &error))
		assert_true(error.text[0]);
	struct store_reader *reader = store_reader_open(rig->dir, NULL);
	if (reader) {
		store_read_holds(reader, NULL, -1, 0, load_row, rig, NULL);
		store_read_incidents(reader, 0, any_incident, NULL, NULL);
	}
	store_reader_close(reader);
	rig_send(rig, &(struct rig_mail){ .body = SLICE("new") }, &answer);
	rig_wait(rig, &answer, 1);
	if (answer.result == STORE_DONE)
		assert_true(rig_loads(rig, answer.id, &(struct rig_mail){ .body = SLICE("new") }));
	rig_close(rig);
}

static void damage_one(const struct scene *good, const char *name, damage_fn *damage, unsigned seed)
{
	struct rig rig;
	struct buf bytes;
	rig_start(&rig);
	rig_copy(good->rig.dir, rig.dir);
	buf_init(&bytes, 64 * 1024 * 1024);
	assert_true(rig_read(&rig, name, &bytes));
	damage(&bytes, seed);
	rig_write(&rig, name, buf_slice(&bytes));
	live_with_damage(&rig);
	live_with_damage(&rig);
	buf_free(&bytes);
	rig_end(&rig);
}

static size_t damage_all_of(const struct scene *good, const char *folder, damage_fn *damage, unsigned times)
{
	char path[RIG_PATH_BYTES], name[RIG_PATH_BYTES];
	struct stat st;
	size_t files = 0;
	rig_path(&good->rig, folder, path);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		snprintf(name, sizeof name, "%s%s%s", folder, folder[0] ? "/" : "", entry->d_name);
		rig_path(&good->rig, name, path);
		if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		files++;
		for (unsigned i = 0; i < times; i++)
			damage_one(good, name, damage, i + 1);
	}
	closedir(dir);
	return files;
}

/* A folder with everything in it, as a kill leaves it: -wal and -shm too. */
static void make_good(struct scene *good)
{
	struct rig running;
	scene_start(good);
	assert_true(scene_live(good));
	rig_open(&good->rig);
	struct store_keys keys;
	assert_true(store_keys(good->rig.store, &keys, NULL));
	assert_int_equal(rig_hold(&good->rig, &good->mails[0], NULL), STORE_DONE);
	rig_start(&running);
	rig_copy(good->rig.dir, running.dir);
	rig_end(&good->rig);
	good->rig = running;
}

static void damage_everything(damage_fn *damage, unsigned times)
{
	struct scene good;
	size_t files = 0;
	make_good(&good);
	files += damage_all_of(&good, "", damage, times);
	files += damage_all_of(&good, "hold/mails", damage, times);
	files += damage_all_of(&good, "hold/bodies", damage, times);
	assert_true(files >= 12);
	scene_end(&good);
}

static void one_flipped_bit_in_any_file_is_survived(void **state)
{
	(void)state;
	damage_everything(flip_one_bit, FLIPS_PER_FILE);
}

static void any_file_cut_anywhere_is_survived(void **state)
{
	(void)state;
	damage_everything(cut_somewhere, 3);
}

static void any_file_full_of_noise_is_survived(void **state)
{
	(void)state;
	damage_everything(fill_with_noise, 2);
}

static void any_file_full_of_zeros_is_survived(void **state)
{
	(void)state;
	damage_everything(fill_with_zeros, 1);
}

static void any_file_with_noise_in_the_middle_is_survived(void **state)
{
	(void)state;
	damage_everything(put_noise_in_the_middle, 3);
}

static void a_folder_where_a_file_should_be_is_survived(void **state)
{
	(void)state;
	static const char *const names[] = { "quell.db", "journal.0", "snapshot.5", "key", "lock", "hold/mails/H0abc",
					     "hold/bodies/tmp.x", "tmp.snapshot.3" };
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct rig rig;
		char path[RIG_PATH_BYTES];
		rig_start(&rig);
		rig_open(&rig);
		rig_close(&rig);
		rig_path(&rig, names[i], path);
		remove(path);
		assert_int_equal(mkdir(path, 0700), 0);
		live_with_damage(&rig);
		rig_end(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_flipped_bit_in_any_file_is_survived),
		cmocka_unit_test(any_file_cut_anywhere_is_survived),
		cmocka_unit_test(any_file_full_of_noise_is_survived),
		cmocka_unit_test(any_file_full_of_zeros_is_survived),
		cmocka_unit_test(any_file_with_noise_in_the_middle_is_survived),
		cmocka_unit_test(a_folder_where_a_file_should_be_is_survived),
	};
	return cmocka_run_group_tests_name("store garbage", tests, NULL, NULL);
}
