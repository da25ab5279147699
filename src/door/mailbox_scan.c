/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox: looks every file over, mail by mail.
 *
 * First each file is an item of work: it is opened, known by its first bytes and looked
 * over, but big mboxes are only noted; then their ranges are the items. A mail belongs
 * to the range that its separator begins in. The header stays in the window while the
 * body is passed over; when the window has to move on before the body's end is found,
 * the header is copied out first, so that memory does not depend on the body.
 */
#include "base/crew.h"
#include "door/mailbox_inside.h"
#include "door/unpack.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCAN_SIGN_BYTES = 64 * 1024, SCAN_REPORT_BYTES = 512 * 1024 };

struct look {
	struct mailbox *m;
	source_mail_fn *fn;
	void *fn_ctx;
};

/* One file, or a range of one, as one worker goes through it. */
struct scan {
	struct look *look;
	struct mailbox_worker *w;
	uint32_t file;
	bool may_count;          /* a Content-Length may be believed */
	size_t pos;              /* in the window: looked at so far */
	bool has_header;         /* of the mail under way: */
	struct slice header;     /* in the window, or in w->header */
	uint64_t reported;       /* offset up to which progress has been told */
};

static void scan_tell(struct scan *s, uint64_t at, const char *what)
{
	mailbox_tell_file(s->look->m, s->file, "at byte %llu: %s", (unsigned long long)at, what);
}

static uint64_t scan_offset(const struct scan *s, size_t pos)
{
	return s->w->window.offset + pos;
}

static void scan_report(struct scan *s, uint64_t offset, bool is_last)
{
	if (offset < s->reported + (is_last ? 1 : SCAN_REPORT_BYTES))
		return;
	atomic_fetch_add_explicit(&s->look->m->done_bytes, offset - s->reported, memory_order_relaxed);
	s->reported = offset;
}

/* More text; drops what is before keep. False when there is none. */
static bool scan_fill(struct scan *s, size_t keep)
{
	struct mailbox_window *win = &s->w->window;
	struct slice header = s->header;
	if (s->has_header && header.len > 0 && header.ptr != s->w->header.ptr) {
		buf_reset(&s->w->header);
		s->has_header = buf_add(&s->w->header, header);
		s->header = buf_slice(&s->w->header);
	}
	bool had_end = win->is_end;
	bool has_more = window_fill(win, keep);
	if (win->sys_errno != 0 && !had_end)
		scan_tell(s, win->offset + win->len, strerror(win->sys_errno));
	else if (win->is_end && !had_end && win->view.bytes != UINT64_MAX &&
		 win->offset + win->len < win->view.bytes)
		scan_tell(s, win->offset + win->len, "it was cut off while we read; what is left is read");
	return has_more;
}

/* Moves the window, when need be, so that it shows the place with what stands before. */
static void scan_go(struct scan *s, uint64_t offset)
{
	struct mailbox_window *win = &s->w->window;
	uint64_t from = offset > MBOX_BEFORE_BYTES ? offset - MBOX_BEFORE_BYTES : 0;
	if (win->offset > from || win->offset + win->len < offset) {
		const struct mailbox_view view = win->view;
		window_begin(win, &view, from);
		while (win->len < offset - from && scan_fill(s, 0))
			;
	}
	s->pos = offset - win->offset < win->len ? (size_t)(offset - win->offset) : win->len;
}

/* The next separator that begins before stop. False: none, and mail_end is the end. */
static bool scan_find(struct scan *s, uint64_t stop, struct mailbox_cut *cut_out)
{
	struct mailbox_window *win = &s->w->window;
	for (;;) {
		struct mbox_text t = { window_slice(win), win->offset == 0, win->is_end };
		struct mbox_cut cut;
		bool has = mbox_find(&t, &s->pos, &cut);
		*cut_out = (struct mailbox_cut){ win->offset + cut.mail_end, win->offset + cut.separator,
					      win->offset + cut.next };
		if (has)
			return cut_out->separator < stop;
		if (win->is_end || scan_offset(s, s->pos) >= stop)
			return false;
		size_t keep = s->pos > MBOX_BEFORE_BYTES ? s->pos - MBOX_BEFORE_BYTES : 0;
		scan_fill(s, keep);
		s->pos -= keep;
	}
}

/* The header that begins at pos, whole in the window; longer ones are cut. */
static struct slice scan_header(struct scan *s)
{
	struct mailbox_window *win = &s->w->window;
	for (;;) {
		struct slice text = slice_first(slice_from(window_slice(win), s->pos), SOURCE_HEADER_BYTES_MAX);
		size_t bytes = mbox_header_bytes(text);
		if (bytes > 0 || text.len == SOURCE_HEADER_BYTES_MAX || win->is_end)
			return slice_first(text, bytes > 0 ? bytes : text.len);
		size_t keep = s->pos > MBOX_BEFORE_BYTES ? s->pos - MBOX_BEFORE_BYTES : 0;
		s->pos -= keep;
		scan_fill(s, keep);
	}
}

/* What Dovecot and c-client keep about the folder, at its beginning. */
static bool scan_is_internal(struct slice header)
{
	struct slice line;
	while (slice_next(&header, '\n', &line))
		if (slice_starts_nocase(line, SLICE("Subject:")))
			return slice_equal(slice_trim(slice_from(line, 8)),
					   SLICE("DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA"));
	return false;
}

static bool scan_give(struct scan *s, uint64_t offset, uint64_t bytes)
{
	struct source_place place = { .file = s->file, .offset = offset, .bytes = bytes };
	if (!s->has_header) {
		scan_tell(s, offset, "no memory for this mail's header; it is left out");
		return true;
	}
	struct slice header = bytes < s->header.len ? slice_first(s->header, (size_t)bytes) : s->header;
	place.header_bytes = (uint32_t)header.len;
	return s->look->fn(s->look->fn_ctx, s->w->number, &place, header);
}

/* The mail that begins at pos. cut_out, *has_next_out: the separator behind it. */
static bool scan_mail(struct scan *s, bool is_first, struct mailbox_cut *cut_out, bool *has_next_out)
{
	s->header = scan_header(s);
	s->has_header = true;
	uint64_t begin = scan_offset(s, s->pos), body = begin + s->header.len;
	bool is_internal = is_first && scan_is_internal(s->header);
	bool is_counted = s->may_count && mailbox_is_counted(&s->w->window.view, s->header, body, cut_out);
	if (is_counted) {
		*has_next_out = cut_out->next > cut_out->separator;
	} else {
		s->pos += s->header.len;
		*has_next_out = scan_find(s, UINT64_MAX, cut_out);
	}
	bool is_fine = is_internal || scan_give(s, begin, cut_out->mail_end - begin);
	s->has_header = false;
	if (is_counted && *has_next_out)
		scan_go(s, cut_out->next);
	return is_fine;
}

/* All mails whose separators begin in [begin, end). False: fn said stop. */
static bool scan_mbox(struct scan *s, uint64_t begin, uint64_t end)
{
	struct mailbox_cut cut;
	struct mailbox_window *win = &s->w->window;
	const struct mailbox_view view = win->view;
	if (win->cap > win->cap_begin)
		window_begin(win, &view, begin);
	s->reported = begin;
	scan_go(s, begin);
	bool is_first = begin == 0, has = scan_find(s, end, &cut), is_fine = true;
	while (is_fine && has && cut.separator < end) {
		is_fine = scan_mail(s, is_first, &cut, &has);
		is_first = false;
		scan_report(s, has && cut.separator < end ? cut.separator : begin, false);
	}
	scan_report(s, end < view.bytes ? end : view.bytes, true);
	return is_fine;
}

/* A line that a mail's header could have: it is taken for one when the first line is
 * such, or any line with a name that mail is never without. */
static bool scan_is_field(struct slice line, bool is_any_name)
{
	static const char *const names[] = { "From", "To", "Date", "Subject", "Received", "Message-ID", "Return-Path",
					     "Delivered-To", "MIME-Version", "Content-Type", "Cc", "Reply-To", "Sender",
					     "X-Mailer", "Status", "Newsgroups", "Resent-From", "X-Original-To" };
	size_t n = 0;
	while (n < line.len && (ascii_is_alpha(line.ptr[n]) || ascii_is_digit(line.ptr[n]) || line.ptr[n] == '-' ||
				line.ptr[n] == '_'))
		n++;
	struct slice name = slice_first(line, n);
	while (n < line.len && ascii_is_blank(line.ptr[n]))
		n++;
	if (name.len == 0 || n == line.len || line.ptr[n] != ':')
		return false;
	for (size_t i = 0; !is_any_name && i < sizeof names / sizeof names[0]; i++)
		if (slice_equal_nocase(name, slice_from_str(names[i])))
			return true;
	return is_any_name;
}

static bool scan_is_mail(struct slice text)
{
	bool is_first = true;
	text = slice_first(text, SCAN_SIGN_BYTES);
	for (size_t pos = 0; pos < text.len; is_first = false) {
		size_t end = pos;
		while (end < text.len && text.ptr[end] != '\n' && text.ptr[end] != '\r')
			end++;
		struct slice line = slice_between(text, pos, end);
		if (scan_is_field(line, is_first))
			return true;
		if (slice_find_byte(line, 0, '\0') < line.len)
			return false; /* an archive perhaps, with mail in it */
		pos = end + 1;
	}
	return false;
}

static bool scan_is_mbox(struct slice text)
{
	size_t pos = 0;
	while (pos < text.len && (text.ptr[pos] == '\n' ||
				  (text.ptr[pos] == '\r' && pos + 1 < text.len && text.ptr[pos + 1] == '\n')))
		pos++;
	struct slice line = slice_from(text, pos);
	size_t end = slice_find_byte(line, 0, '\n');
	return mbox_is_separator(slice_first(line, end));
}

static bool scan_single(struct scan *s)
{
	const struct mailbox_window *win = &s->w->window;
	s->header = scan_header(s);
	s->has_header = true;
	uint64_t bytes = win->is_end ? win->offset + win->len : win->view.bytes;
	bool is_fine = scan_give(s, 0, bytes);
	scan_report(s, bytes, true);
	return is_fine;
}

/* Puts a big mbox aside for the second round. False: it is small, or is not to be cut. */
static bool scan_put_aside(struct scan *s)
{
	struct mailbox *m = s->look->m;
	uint64_t bytes = s->w->window.view.bytes, length;
	struct mbox_text t = { window_slice(&s->w->window), true, false };
	struct mbox_cut cut;
	size_t pos = 0;
	if (bytes < MAILBOX_CUT_BYTES || !mbox_find(&t, &pos, &cut))
		return false;
	struct slice rest = slice_from(t.bytes, pos);
	if (mbox_content_length(slice_first(rest, mbox_header_bytes(rest)), &length))
		return false;
	pthread_mutex_lock(&m->lock);
	bool is_fine = mailbox_grow((void **)&m->big, &m->big_cap, m->big_count, sizeof *m->big, MAILBOX_FILES_MAX);
	if (is_fine) {
		size_t range = m->big_count > 0 ? m->big[m->big_count - 1].range +
				(m->big[m->big_count - 1].bytes + MAILBOX_CUT_BYTES - 1) / MAILBOX_CUT_BYTES : 0;
		m->big[m->big_count++] = (struct mailbox_big){ s->file, bytes, range };
	}
	pthread_mutex_unlock(&m->lock);
	if (is_fine)
		m->files[s->file].kind = MAILBOX_MBOX;
	return is_fine;
}

static void scan_check_growth(struct scan *s, int fd)
{
	struct stat st;
	uint64_t bytes = s->w->window.view.bytes;
	if (fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size > bytes)
		scan_tell(s, bytes, "it grew while we read; what came behind is left out");
}

/* The size of the file where it was not seen in one window. */
static bool scan_know_size(struct scan *s, int fd)
{
	struct mailbox_window *win = &s->w->window;
	struct stat st;
	if (win->is_end)
		win->view.bytes = win->len;
	else if (win->view.bytes == UINT64_MAX && fstat(fd, &st) == 0)
		win->view.bytes = (uint64_t)st.st_size;
	if (win->view.bytes < win->len)
		win->view.bytes = win->len;
	atomic_fetch_add_explicit(&s->look->m->seen_bytes, win->view.bytes, memory_order_relaxed);
	return win->view.bytes != UINT64_MAX;
}

/* Knows a file by its first bytes, which are in the window. fd: -1 when it is spooled. */
static bool scan_file(struct scan *s, int fd)
{
	struct mailbox_file *f = &s->look->m->files[s->file];
	struct slice text = window_slice(&s->w->window);
	if (text.len == 0)
		return true;
	if (!scan_know_size(s, fd)) {
		scan_tell(s, 0, "its size cannot be known; it is left out");
		return true;
	}
	if (scan_is_mbox(text)) {
		if (scan_put_aside(s))
			return true;
		f->kind = MAILBOX_MBOX_COUNTS;
		s->may_count = true;
		bool is_fine = scan_mbox(s, 0, UINT64_MAX);
		scan_check_growth(s, fd);
		return is_fine;
	}
	if (scan_is_mail(text)) {
		f->kind = MAILBOX_MAIL;
		return scan_single(s);
	}
	f->kind = MAILBOX_NO_MAIL;
	scan_report(s, s->w->window.view.bytes, true);
	scan_tell(s, 0, "it does not look like mail; it is left out");
	return true;
}

/* As much as it takes to know what it is. */
static void scan_begin(struct scan *s, const struct mailbox_view *view)
{
	struct mailbox_window *win = &s->w->window;
	window_begin(win, view, 0);
	while (win->len < SCAN_SIGN_BYTES && scan_fill(s, 0))
		;
}

/* Spools it first when it must be. False: nothing can be read (told). */
static bool scan_begin_file(struct scan *s, int fd, bool *is_spooled_out)
{
	struct mailbox *m = s->look->m;
	struct mailbox_window *win = &s->w->window;
	struct mailbox_view view = { fd, 0, UINT64_MAX };
	bool is_stream = m->files[s->file].is_stream;
	if (!is_stream)
		scan_begin(s, &view);
	*is_spooled_out = is_stream || unpack_is_packed(window_slice(win));
	if (!*is_spooled_out)
		return true;
	if (!mailbox_unpack(m, s->w, s->file, fd, &view))
		return false;
	scan_begin(s, &view);
	return true;
}

static bool look_at_file(void *ctx, unsigned worker, size_t item)
{
	struct look *look = ctx;
	struct mailbox *m = look->m;
	struct scan s = { .look = look, .w = &m->workers[worker], .file = (uint32_t)item };
	bool is_fine = true, is_spooled = m->files[item].spooled != MAILBOX_NONE;
	if (is_spooled) {
		struct mailbox_view view;
		mailbox_view(m, s.w, s.file, &s.w->range, &view);
		scan_begin(&s, &view);
		is_fine = scan_file(&s, -1);
	} else {
		int fd = mailbox_open_file(m, s.w, s.file);
		if (fd >= 0 && scan_begin_file(&s, fd, &is_spooled))
			is_fine = scan_file(&s, is_spooled ? -1 : fd);
		if (fd >= 0)
			close(fd);
	}
	atomic_fetch_add_explicit(&m->seen_files, 1, memory_order_relaxed);
	return is_fine;
}

static const struct mailbox_big *look_big_of(const struct mailbox *m, size_t range)
{
	size_t low = 0, high = m->big_count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (m->big[middle].range <= range)
			low = middle;
		else
			high = middle;
	}
	return &m->big[low];
}

static bool look_at_range(void *ctx, unsigned worker, size_t item)
{
	struct look *look = ctx;
	const struct mailbox_big *big = look_big_of(look->m, item);
	struct scan s = { .look = look, .w = &look->m->workers[worker], .file = big->file };
	uint64_t begin = (item - big->range) * (uint64_t)MAILBOX_CUT_BYTES, end = begin + MAILBOX_CUT_BYTES;
	struct mailbox_view view;
	if (!mailbox_view(look->m, s.w, big->file, &s.w->range, &view))
		return true;
	bool is_spooled = view.bytes != UINT64_MAX;
	if (!is_spooled)
		view.bytes = big->bytes;
	window_begin(&s.w->window, &view, begin > MBOX_BEFORE_BYTES ? begin - MBOX_BEFORE_BYTES : 0);
	bool is_fine = scan_mbox(&s, begin, end);
	if (end >= big->bytes && !is_spooled)
		scan_check_growth(&s, view.fd);
	return is_fine;
}

bool mailbox_look_over(void *ctx, source_mail_fn *fn, void *fn_ctx)
{
	struct mailbox *m = ctx;
	struct look look = { m, fn, fn_ctx };
	m->done_bytes = m->seen_bytes = m->seen_files = 0;
	m->big_count = 0;
	if (!crew_run(m->worker_count, m->file_count, look_at_file, &look))
		return false;
	if (m->big_count == 0)
		return true;
	const struct mailbox_big *last = &m->big[m->big_count - 1];
	size_t ranges = last->range + (last->bytes + MAILBOX_CUT_BYTES - 1) / MAILBOX_CUT_BYTES;
	return crew_run(m->worker_count, ranges, look_at_range, &look);
}
