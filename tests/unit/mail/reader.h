/* SPDX-License-Identifier: Apache-2.0
 *
 * reader: what the tests of this room share: files of the shared data, and a
 * mail read whole, in pieces or field by field.
 */
#ifndef QUELL_TESTS_UNIT_MAIL_READER_H
#define QUELL_TESTS_UNIT_MAIL_READER_H

#include "mail/facts.h"

/* The folder of shared data or of unpacked mail sets; NULL when absent. */
const char *reader_shared(void);
const char *reader_sets(void);
/* A whole file, freed with mem_free; {NULL, 0} when it cannot be read. */
struct slice reader_file(const char *folder, const char *name);

/* One setup for all: own hosts mx.example.org and hub.example.org, own net
 * 192.0.2.0/24, authserv-id mx.example.org. */
const struct facts_setup *reader_setup(void);

/* facts_raw in pieces of piece_bytes (0: whole). */
const struct facts *reader_raw(struct arena *arena, struct slice mail, size_t piece_bytes);
/* The same cut in two at one place. */
const struct facts *reader_raw_split(struct arena *arena, struct slice mail, size_t at);
/* facts_header and facts_body, as a milter would. */
const struct facts *reader_fields(struct arena *arena, struct slice mail);
/* With an envelope. */
const struct facts *reader_from_peer(struct arena *arena, struct slice mail,
				     const struct envelope *envelope);

/* Fails the test with the name of the first fact that differs. */
void reader_assert_same(const struct facts *a, const struct facts *b);

#endif
