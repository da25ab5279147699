/* SPDX-License-Identifier: Apache-2.0
 *
 * stream: one connected, non-blocking socket as bytes in and bytes out.
 *
 * Made for many sessions that speak in small steps: one read a wake-up into a
 * buffer shared by all streams (only what the owner leaves unread is kept per
 * stream), and all that was written in a round of the loop leaves with one write
 * at its end. An idle stream holds at most 4 KiB of buffers.
 *
 * The owner gets callbacks and must call stream_close once; that may happen in
 * any callback, and after it none comes. Ceilings: in_bytes_max of unread input
 * and out_bytes_max of unsent output; past them the stream ends with OVER_IN or
 * OVER_OUT. A stream can go over to TLS (stream_start_tls): from then on all bytes the
 * owner sees are plain text, and both ceilings count plain text.
 */
#ifndef QUELL_NET_STREAM_H
#define QUELL_NET_STREAM_H

#include "base/slice.h"
#include "net/loop.h"
#include "net/tls.h"

enum stream_end {
	STREAM_EOF,      /* the peer sends no more (it may still read: half close) */
	STREAM_IDLE,     /* idle_ms without a byte in or out */
	STREAM_ERROR,    /* errno in sys_errno */
	STREAM_OVER_IN,  /* the owner left more unread than in_bytes_max */
	STREAM_OVER_OUT, /* the peer reads too slowly: out_bytes_max reached */
	STREAM_TLS,      /* TLS failed: stream_tls_trouble says why */
};
/* "closed by peer", "idle", ...; never NULL. */
const char *stream_end_text(enum stream_end end);

struct stream;

struct stream_calls {
	/* All unread bytes, at least one. Returns how many of them are done with; the
	 * rest comes again, with more behind it, at the next arrival. */
	size_t (*on_data)(void *ctx, struct stream *s, struct slice bytes);
	/* The last callback. Nothing more is read; after STREAM_EOF what was written is
	 * still sent (see stream_finish). The owner still has to close. */
	void (*on_end)(void *ctx, struct stream *s, enum stream_end end, int sys_errno);
	/* All output has been sent, after it had been held back by a slow peer. May be
	 * NULL. */
	void (*on_drain)(void *ctx, struct stream *s);
	/* TLS is agreed on and the peer is who it should be. May be NULL without TLS. */
	void (*on_secure)(void *ctx, struct stream *s, const struct tls_info *info);
};

struct stream_setup {
	size_t in_bytes_max;   /* of one message left unread; not 0 */
	size_t out_bytes_max;  /* of unsent output; not 0 */
	size_t out_high_bytes; /* reading pauses while more than this is unsent; 0: half of max */
	int64_t idle_ms;       /* 0: no limit */
};

/* Takes fd over at once (also on failure, when it is closed and NULL returned) and
 * makes it non-blocking. calls and setup are copied. */
struct stream *stream_open(struct loop *l, int fd, const struct stream_setup *setup,
			   const struct stream_calls *calls, void *ctx);

/* Appends to what is sent at the end of this round. False past the ceiling or when
 * the stream is ending: nothing of bytes is sent then, and OVER_OUT follows. */
bool stream_write(struct stream *s, struct slice bytes);
/* To build answers in place: append whole messages to it, then call stream_wrote. */
struct buf *stream_out(struct stream *s);
void stream_wrote(struct stream *s);
/* Unsent bytes. */
size_t stream_pending(const struct stream *s);

/* No on_data until stream_resume; the peer is held back by its own full socket. */
void stream_pause(struct stream *s);
/* Reads again; bytes left unread come to on_data soon, not from within this call. */
void stream_resume(struct stream *s);

/* Client side of TLS from here on; once, with nothing unsent and no unread input (unread
 * plain text would be the injection of CVE-2021-39272): else STREAM_TLS follows. Then
 * on_secure, or on_end with STREAM_TLS; what is written meanwhile waits, and is never
 * sent in plain text: stream_finish before on_secure drops it. */
void stream_start_tls(struct stream *s, struct tls_context *context, const struct tls_peer *peer);
/* In words, for a person: "the certificate is for mail.example.net, not pop.example.org";
 * "" when there was none. Owned by the stream. */
const char *stream_tls_trouble(const struct stream *s);

void stream_set_idle(struct stream *s, int64_t idle_ms);
/* For SO_PEERCRED and logs; owned by the stream. */
int stream_fd(const struct stream *s);

/* Sends what is pending, then closes by itself; no callback comes any more, and s
 * must not be touched again. A peer that does not read is given idle_ms (or 30 s). */
void stream_finish(struct stream **s);
/* Closes now; unsent bytes are lost. Sets the pointer to NULL; NULL is welcome. */
void stream_close(struct stream **s);

#endif
