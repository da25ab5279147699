/* SPDX-License-Identifier: Apache-2.0
 *
 * journal: blocks out and in.
 */
#include "store/journal.h"

#include "base/hash.h"
#include "base/mem.h"
#include "store/disk.h"

enum { VARINT_BYTES_MAX = 5, READ_BYTES = 1024 * 1024 };

struct slice journal_magic(enum journal_kind kind)
{
	return kind == JOURNAL_SNAPSHOT ? SLICE("quell-snapshot1\n") : SLICE("quell-journal 1\n");
}

static void put_le(char *to, uint64_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		to[i] = (char)(value >> (8 * i));
}

static uint64_t get_le(const char *from, int bytes)
{
	uint64_t value = 0;
	for (int i = 0; i < bytes; i++)
		value |= (uint64_t)(uint8_t)from[i] << (8 * i);
	return value;
}

uint64_t journal_sum(uint64_t generation, struct slice covered)
{
	uint8_t key[16] = { 'q', 'u', 'e', 'l', 'l', ' ', 'j', '1' };
	put_le((char *)key + 8, generation, 8);
	return hash_sip128(key, covered).lo;
}

void journal_out_init(struct journal_out *out, size_t bytes_max, uint64_t generation)
{
	*out = (struct journal_out){ .generation = generation };
	buf_init(&out->buf, bytes_max);
}

static size_t varint_write(char *to, size_t value)
{
	size_t n = 0;
	while (value >= 0x80) {
		to[n++] = (char)(value | 0x80);
		value >>= 7;
	}
	to[n++] = (char)value;
	return n;
}

static size_t varint_read(struct slice s, size_t *value_out)
{
	size_t value = 0;
	for (size_t n = 0; n < s.len && n < VARINT_BYTES_MAX; n++) {
		value |= (size_t)((uint8_t)s.ptr[n] & 0x7f) << (7 * n);
		if (!((uint8_t)s.ptr[n] & 0x80)) {
			*value_out = value;
			return n + 1;
		}
	}
	return 0;
}

static size_t journal_open_payload(const struct journal_out *out)
{
	return out->buf.len - out->block_at - JOURNAL_BLOCK_HEAD_BYTES;
}

void journal_seal(struct journal_out *out)
{
	if (out->block_records == 0)
		return;
	char *head = out->buf.ptr + out->block_at;
	put_le(head + 8, journal_open_payload(out), 4);
	put_le(head + 12, out->block_records, 4);
	put_le(head, journal_sum(out->generation, slice_make(head + 8, out->buf.len - out->block_at - 8)), 8);
	out->block_records = 0;
}

bool journal_put(struct journal_out *out, struct slice record)
{
	if (record.len > JOURNAL_RECORD_BYTES_MAX)
		return false;
	if (out->block_records > 0 && journal_open_payload(out) >= JOURNAL_BLOCK_BYTES)
		journal_seal(out);
	size_t head = out->block_records == 0 ? JOURNAL_BLOCK_HEAD_BYTES : 0;
	char *to = buf_reserve(&out->buf, head + VARINT_BYTES_MAX + record.len);
	if (!to) {
		out->buf.is_over = false; /* what is in there stays good */
		return false;
	}
	if (head > 0)
		out->block_at = out->buf.len;
	size_t n = head + varint_write(to + head, record.len);
	if (record.len > 0)
		memcpy(to + n, record.ptr, record.len);
	buf_commit(&out->buf, n + record.len);
	out->block_records++;
	out->records++;
	return true;
}

bool journal_put_end(struct journal_out *out)
{
	journal_seal(out);
	char *head = buf_reserve(&out->buf, JOURNAL_BLOCK_HEAD_BYTES + 8);
	if (!head)
		return false;
	put_le(head + 8, 8, 4);
	put_le(head + 12, 0, 4);
	put_le(head + 16, out->records, 8);
	put_le(head, journal_sum(out->generation, slice_make(head + 8, 16)), 8);
	buf_commit(&out->buf, JOURNAL_BLOCK_HEAD_BYTES + 8);
	return true;
}

/* The records of one block whose sum was right; false when they do not add up. */
static bool journal_apply(struct journal_in *in, struct slice payload, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t len, used = varint_read(payload, &len);
		if (used == 0 || len > payload.len - used)
			return false;
		struct slice record = slice_between(payload, used, used + len);
		if (!in->apply || in->apply(in->ctx, record))
			in->applied++;
		else
			in->refused++;
		payload = slice_from(payload, used + len);
	}
	return payload.len == 0;
}

static bool journal_take(struct journal_in *in, struct slice payload, uint32_t count)
{
	if (count > 0)
		return !in->has_end && journal_apply(in, payload, count);
	in->has_end = payload.len == 8 && get_le(payload.ptr, 8) == in->applied + in->refused;
	return in->has_end;
}

size_t journal_read(struct journal_in *in, struct slice bytes, bool *is_bad_out)
{
	size_t used = 0;
	*is_bad_out = false;
	while (bytes.len - used >= JOURNAL_BLOCK_HEAD_BYTES) {
		const char *head = bytes.ptr + used;
		uint64_t payload = get_le(head + 8, 4);
		if (payload > JOURNAL_PAYLOAD_BYTES_MAX) {
			*is_bad_out = true;
			break;
		}
		if (bytes.len - used - JOURNAL_BLOCK_HEAD_BYTES < payload)
			break;
		struct slice covered = slice_make(head + 8, 8 + (size_t)payload);
		if (journal_sum(in->generation, covered) != get_le(head, 8) ||
		    !journal_take(in, slice_from(covered, 8), (uint32_t)get_le(head + 12, 4))) {
			*is_bad_out = true;
			break;
		}
		used += JOURNAL_BLOCK_HEAD_BYTES + (size_t)payload;
		in->good_bytes += JOURNAL_BLOCK_HEAD_BYTES + payload;
	}
	return used;
}

static bool journal_read_blocks(struct journal_in *in, int fd, char *room)
{
	size_t have = 0;
	bool is_bad;
	for (;;) {
		ssize_t got = disk_read(fd, room + have, READ_BYTES - have);
		in->is_unread |= got < 0;
		if (got <= 0)
			return got == 0 && have == 0;
		have += (size_t)got;
		size_t used = journal_read(in, slice_make(room, have), &is_bad);
		if (is_bad)
			return false;
		memmove(room, room + used, have - used);
		have -= used;
	}
}

bool journal_read_fd(struct journal_in *in, enum journal_kind kind, int fd)
{
	char magic[JOURNAL_HEAD_BYTES];
	ssize_t got = disk_read(fd, magic, sizeof magic);
	in->is_unread = got < 0;
	if (got != sizeof magic || memcmp(magic, journal_magic(kind).ptr, sizeof magic) != 0)
		return false;
	in->good_bytes = sizeof magic;
	char *room = mem_alloc(READ_BYTES);
	in->is_unread = !room;
	bool is_whole = room && journal_read_blocks(in, fd, room);
	mem_free(room);
	return is_whole;
}
