/* SPDX-License-Identifier: Apache-2.0
 *
 * mailbox: mail that lies in files, as flow/source.h wants it.
 *
 * A path may be
 *   - an mbox (mboxo, mboxrd, mboxcl, mboxcl2, mixed): what begins, after empty lines
 *     perhaps, with a separator as mail/mbox.h knows it;
 *   - one mail in a file of any name: what shows a header field in its first 64 KiB,
 *     and no NUL before it;
 *   - a Maildir (new and cur, not tmp; Maildir++ subfolders);
 *   - a folder of all these: deep, in the order of names, without hidden names;
 *     symbolic links to files are followed there, to folders not;
 *   - "-" for standard input, or a pipe: kept in an unnamed file while we run;
 *   - gzip or zstd of a file, known by its first bytes, of many members or frames:
 *     unpacked into an unnamed file in $TMPDIR or /tmp, UNPACK_BYTES_MAX in all.
 *
 * An mbox from MAILBOX_CUT_BYTES on is cut into ranges that several workers look over, by
 * the separator rule alone. In smaller ones, and where the first mail carries a
 * Content-Length, that is believed too (mbox_ends_at), and then nothing is unquoted: such
 * files are not cut, because inside such a mail a worker could take text for a separator.
 * What is cut where does not depend on the number of workers. The pseudo mail that Dovecot
 * and c-client put first is left out.
 *
 * Troubles are told as ready-made lines, "FILE: at byte N: what was wrong; what is done",
 * and counted; the rest is done. Bytes count as unpacked, except where it is said. A file
 * that changes under us: a renamed mail of a Maildir is found again by the unique part of
 * its name (MAILBOX_RETRIES_MAX times), one that shrinks is read as far as it goes, one that
 * grows as far as it went when it was opened. It cannot see a file that was rewritten in
 * place with as many bytes.
 *
 * Memory: a MiB or two a worker, 16 bytes and the name for each file; MAILBOX_FILES_MAX.
 * At most five files are open for each worker.
 */
#ifndef QUELL_DOOR_MAILBOX_H
#define QUELL_DOOR_MAILBOX_H

#include "base/error.h"
#include "flow/source.h"

enum {
	MAILBOX_FILES_MAX = 16 * 1024 * 1024,
	MAILBOX_NAME_BYTES_MAX = 1024 * 1024 * 1024, /* of all names together */
	MAILBOX_DEPTH_MAX = 64,                      /* folders in folders */
	MAILBOX_RETRIES_MAX = 1000,
	MAILBOX_CUT_BYTES = 8 * 1024 * 1024,         /* a range; smaller files are not cut */
};
#define MAILBOX_UNPACK_BYTES_MAX (64ull * 1024 * 1024 * 1024)

/* One line without its line end; may come from several threads, but never two at once. */
typedef void mailbox_tell_fn(void *ctx, const char *line);

struct mailbox;

/* Lists all files; reads none. threads 0: as many as there are cores; at most
 * SOURCE_WORKERS_MAX. NULL when nothing at all could be opened, or without memory; the
 * reasons have been told too. paths are copied. */
struct mailbox *mailbox_open(char *const *paths, size_t count, unsigned threads, mailbox_tell_fn *tell,
			     void *tell_ctx, struct error *error);
/* The calls of flow/source.h; they live as long as m. look_over may be called again, but
 * not twice at once; what was unpacked is kept. The sum for progress is estimated
 * until every file has been opened. */
void mailbox_source(struct mailbox *m, struct source *source_out);
/* How many troubles have been told. */
uint64_t mailbox_troubles(const struct mailbox *m);
/* NULL is welcome. */
void mailbox_close(struct mailbox *m);

#endif
