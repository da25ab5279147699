/* SPDX-License-Identifier: Apache-2.0
 *
 * held: fields as rows of a table, read and written by the same rows.
 */
#include "store/held.h"

#include "base/mem.h"

#include <stddef.h>
#include <zstd.h>

enum field_kind { FIELD_TEXT, FIELD_I64, FIELD_U64, FIELD_HEX };

static const struct field {
	const char *name;
	enum field_kind kind;
	size_t offset, bytes;
	bool is_needed;
} fields[] = {
	{ "id", FIELD_TEXT, offsetof(struct held, id), HOLD_ID_BYTES, true },
	{ "time", FIELD_I64, offsetof(struct held, time_ms), 0, true },
	{ "incident", FIELD_TEXT, offsetof(struct held, incident), INCIDENT_ID_BYTES, false },
	{ "queue-id", FIELD_TEXT, offsetof(struct held, queue_id), 64, false },
	{ "mail-from", FIELD_TEXT, offsetof(struct held, mail_from), HELD_ADDRESS_BYTES, true },
	{ "client", FIELD_TEXT, offsetof(struct held, client), 256, false },
	{ "helo", FIELD_TEXT, offsetof(struct held, helo), 256, false },
	{ "rule", FIELD_TEXT, offsetof(struct held, rule), 32, false },
	{ "reason", FIELD_TEXT, offsetof(struct held, reason), REASON_BYTES, false },
	{ "instance", FIELD_HEX, offsetof(struct held, instance), DIGEST_SHORT_BYTES, false },
	{ "body", FIELD_TEXT, offsetof(struct held, body), BODY_NAME_BYTES, true },
	{ "body-bytes", FIELD_U64, offsetof(struct held, body_bytes), 0, true },
	{ "header-bytes", FIELD_U64, offsetof(struct held, header_bytes), 0, true },
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0], SUM_BYTES = 16 };
#define HELD_MAGIC SLICE("quell-hold: 1\nsum: ")

void held_free(struct held *h)
{
	mem_free(h->rcpts);
	h->rcpts = NULL;
	h->rcpt_count = 0;
}

void held_make_id(int64_t now_ms, char id_out[HOLD_ID_BYTES])
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";
	enum { TIME_DIGITS = 9, CHANCE_DIGITS = 12 };
	uint8_t chance[CHANCE_DIGITS];
	hash_random(chance, sizeof chance);
	id_out[0] = 'H';
	for (int i = 0; i < TIME_DIGITS; i++)
		id_out[1 + i] = digits[((uint64_t)now_ms >> (5 * (TIME_DIGITS - 1 - i))) & 31];
	for (int i = 0; i < CHANCE_DIGITS; i++)
		id_out[1 + TIME_DIGITS + i] = digits[chance[i] & 31];
	id_out[1 + TIME_DIGITS + CHANCE_DIGITS] = '\0';
}

bool held_id_is_valid(const char *id)
{
	size_t n = strnlen(id, HOLD_ID_BYTES);
	if (n < 2 || n >= HOLD_ID_BYTES || id[0] != 'H')
		return false;
	for (size_t i = 1; i < n; i++)
		if (!ascii_is_digit(id[i]) && !(id[i] >= 'a' && id[i] <= 'z'))
			return false;
	return true;
}

bool held_body_is_valid(const char *body)
{
	uint8_t hash[DIGEST_BYTES];
	if (strcmp(body, "-") == 0)
		return true;
	return hash_from_hex(slice_from_str(body), hash, sizeof hash);
}

static bool held_is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

void held_text(char *out, size_t out_bytes, struct slice s)
{
	s = slice_first(s, out_bytes - 1);
	for (size_t i = 0; i < s.len; i++)
		out[i] = held_is_control(s.ptr[i]) ? '?' : s.ptr[i];
	out[s.len] = '\0';
}

bool held_address(char out[HELD_ADDRESS_BYTES], struct slice s)
{
	if (s.len >= HELD_ADDRESS_BYTES)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (held_is_control(s.ptr[i]))
			return false;
	held_text(out, HELD_ADDRESS_BYTES, s);
	return true;
}

static void field_write(const struct held *h, const struct field *f, struct buf *out)
{
	const char *at = (const char *)h + f->offset;
	char hex[2 * DIGEST_BYTES + 1];
	buf_addf(out, "%s: ", f->name);
	switch (f->kind) {
	case FIELD_TEXT:
		buf_add_str(out, at);
		break;
	case FIELD_I64:
		buf_addf(out, "%lld", (long long)*(const int64_t *)(const void *)at);
		break;
	case FIELD_U64:
		buf_addf(out, "%llu", (unsigned long long)*(const uint64_t *)(const void *)at);
		break;
	case FIELD_HEX:
		hash_to_hex((const uint8_t *)at, f->bytes, hex);
		buf_add_str(out, hex);
		break;
	}
	buf_add_byte(out, '\n');
}

static void held_sum(struct slice s, char hex_out[2 * SUM_BYTES + 1])
{
	struct digest d;
	uint8_t sum[SUM_BYTES];
	digest_init(&d, NULL, SUM_BYTES);
	digest_add(&d, s);
	digest_end(&d, sum);
	hash_to_hex(sum, SUM_BYTES, hex_out);
}

bool held_encode(const struct held *h, struct slice header, struct buf *out)
{
	char hex[2 * SUM_BYTES + 1];
	buf_add(out, HELD_MAGIC);
	size_t sum_at = out->len;
	buf_addf(out, "%032d\n", 0);
	for (size_t i = 0; i < FIELD_COUNT; i++)
		field_write(h, &fields[i], out);
	for (size_t i = 0; i < h->rcpt_count; i++) {
		hash_to_hex(h->rcpts[i].pair, sizeof h->rcpts[i].pair, hex);
		const struct held_rcpt *rcpt = &h->rcpts[i];
		const char *word = rcpt->is_first ? "first" : rcpt->deed == DEED_SUPPRESS ? "suppress" : "hold";
		buf_addf(out, "rcpt: %s %s %s\n", word, hex, h->rcpts[i].address);
	}
	buf_add_byte(out, '\n');
	if (!buf_add(out, header))
		return false;
	held_sum(slice_from(buf_slice(out), sum_at + 2 * SUM_BYTES + 1), hex);
	memcpy(out->ptr + sum_at, hex, 2 * SUM_BYTES);
	return true;
}

bool held_pack(struct slice raw, struct buf *out)
{
	enum { LEVEL = 3, BLOCK = 4096 };
	size_t before = out->len;
	char *to = raw.len > BLOCK ? buf_reserve(out, ZSTD_compressBound(raw.len)) : NULL;
	if (to) {
		size_t got = ZSTD_compress(to, ZSTD_compressBound(raw.len), raw.ptr, raw.len, LEVEL);
		if (!ZSTD_isError(got) && got / BLOCK < raw.len / BLOCK) {
			buf_commit(out, got);
			return true;
		}
	}
	out->is_over = false;
	out->len = before;
	return buf_add(out, raw);
}

static bool held_is_packed(struct slice file)
{
	return file.len >= 4 && memcmp(file.ptr, "\x28\xb5\x2f\xfd", 4) == 0;
}

bool held_unpack(struct slice file, struct buf *text_out, struct error *error)
{
	if (!held_is_packed(file)) {
		if (file.len <= HELD_TEXT_BYTES_MAX && buf_add(text_out, file))
			return true;
		return error_set(error, EXIT_BAD_INPUT, "the mail file is larger than %d bytes",
				 HELD_TEXT_BYTES_MAX);
	}
	unsigned long long size = ZSTD_getFrameContentSize(file.ptr, file.len);
	if (size > HELD_TEXT_BYTES_MAX) /* also the two values that mean unknown and error */
		return error_set(error, EXIT_BAD_INPUT, "the compressed mail file does not say a size below %d",
				 HELD_TEXT_BYTES_MAX);
	char *to = buf_reserve(text_out, (size_t)size + 1);
	if (!to)
		return error_set(error, EXIT_UNAVAILABLE, "no memory to read a mail file");
	size_t got = ZSTD_decompress(to, (size_t)size + 1, file.ptr, file.len);
	if (ZSTD_isError(got))
		return error_set(error, EXIT_BAD_INPUT, "the mail file cannot be decompressed: %s",
				 ZSTD_getErrorName(got));
	buf_commit(text_out, got);
	return true;
}

/* A clean line of text that fits, whole. */
static bool field_read_text(char *to, size_t bytes, struct slice value)
{
	if (value.len >= bytes)
		return false;
	for (size_t i = 0; i < value.len; i++)
		if (held_is_control(value.ptr[i]))
			return false;
	held_text(to, bytes, value);
	return true;
}

static bool field_read_number(void *to, struct slice value)
{
	uint64_t number;
	if (!slice_to_u64(value, &number) || number > INT64_MAX)
		return false;
	memcpy(to, &number, sizeof number);
	return true;
}

static bool field_read(const struct field *f, struct slice value, struct held *h)
{
	char *at = (char *)h + f->offset;
	switch (f->kind) {
	case FIELD_TEXT:
		return field_read_text(at, f->bytes, value);
	case FIELD_I64:
	case FIELD_U64:
		return field_read_number(at, value);
	case FIELD_HEX:
		return hash_from_hex(value, (uint8_t *)at, f->bytes);
	}
	return false;
}

static bool rcpt_read(struct slice value, struct held_rcpt *rcpt)
{
	struct slice deed, pair;
	if (!slice_next(&value, ' ', &deed) || !slice_next(&value, ' ', &pair))
		return false;
	rcpt->is_first = slice_equal(deed, SLICE("first"));
	rcpt->deed = slice_equal(deed, SLICE("suppress")) ? DEED_SUPPRESS : DEED_HOLD;
	if (!rcpt->is_first && rcpt->deed == DEED_HOLD && !slice_equal(deed, SLICE("hold")))
		return false;
	return hash_from_hex(pair, rcpt->pair, sizeof rcpt->pair) &&
	       field_read_text(rcpt->address, sizeof rcpt->address, value);
}

static const struct field *field_find(struct slice name)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (slice_equal(name, slice_from_str(fields[i].name)))
			return &fields[i];
	return NULL;
}

/* One "name: value" line. A name we do not know is a later version's: skipped. */
static bool line_read(struct slice line, struct held *h, uint32_t *seen)
{
	size_t colon = slice_find_byte(line, 0, ':');
	struct slice name = slice_first(line, colon);
	struct slice value = slice_from(line, colon + 2);
	if (colon + 1 >= line.len || line.ptr[colon + 1] != ' ')
		return false;
	if (slice_equal(name, SLICE("rcpt")))
		return rcpt_read(value, &h->rcpts[h->rcpt_count++]);
	const struct field *f = field_find(name);
	if (!f)
		return true;
	*seen |= 1u << (f - fields);
	return field_read(f, value, h);
}

static size_t rcpt_lines(struct slice text)
{
	size_t n = 0;
	struct slice line;
	while (slice_next(&text, '\n', &line) && line.len > 0)
		n += slice_starts_nocase(line, SLICE("rcpt:"));
	return n;
}

static bool held_read_lines(struct slice *text, struct held *h, uint32_t *seen)
{
	struct slice line;
	while (slice_next(text, '\n', &line)) {
		if (line.len == 0)
			return true;
		if (!line_read(line, h, seen))
			return false;
	}
	return false;
}

static const char *held_trouble(const struct held *h, uint32_t seen, struct slice header)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (fields[i].is_needed && !(seen & 1u << i))
			return "a needed field is missing";
	if (!held_id_is_valid(h->id))
		return "its id is not an id";
	if (!held_body_is_valid(h->body))
		return "its body is not the name of a body";
	if (h->header_bytes != header.len)
		return "its header has another length than it says";
	return h->rcpt_count == 0 ? "it has no recipient" : NULL;
}

static bool held_read(struct slice text, struct held *h, struct slice *header_out, struct error *error)
{
	uint32_t seen = 0;
	size_t rcpts = rcpt_lines(text);
	if (rcpts > HELD_RCPTS_MAX)
		return error_set(error, EXIT_BAD_INPUT, "the mail file has more than %d recipients",
				 HELD_RCPTS_MAX);
	h->rcpts = mem_alloc_array(rcpts + 1, sizeof *h->rcpts);
	if (!h->rcpts)
		return error_set(error, EXIT_UNAVAILABLE, "no memory to read a mail file");
	if (!held_read_lines(&text, h, &seen))
		return error_set(error, EXIT_BAD_INPUT, "the mail file has a line that is no field");
	*header_out = text;
	const char *trouble = held_trouble(h, seen, text);
	if (trouble)
		return error_set(error, EXIT_BAD_INPUT, "the mail file is damaged: %s", trouble);
	return true;
}

bool held_decode(struct slice text, struct held *h_out, struct slice *header_out, struct error *error)
{
	char hex[2 * SUM_BYTES + 1];
	size_t start = HELD_MAGIC.len + 2 * SUM_BYTES;
	*h_out = (struct held){ 0 };
	if (text.len <= start || memcmp(text.ptr, HELD_MAGIC.ptr, HELD_MAGIC.len) != 0 ||
	    text.ptr[start] != '\n')
		return error_set(error, EXIT_BAD_INPUT, "this is not a mail file of the hold (version 1)");
	held_sum(slice_from(text, start + 1), hex);
	if (memcmp(hex, text.ptr + HELD_MAGIC.len, 2 * SUM_BYTES) != 0)
		return error_set(error, EXIT_BAD_INPUT, "the mail file is damaged: its sum is wrong");
	if (held_read(slice_from(text, start + 1), h_out, header_out, error))
		return true;
	held_free(h_out);
	return false;
}
