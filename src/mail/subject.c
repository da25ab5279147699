/* SPDX-License-Identifier: Apache-2.0
 *
 * subject: prefixes and phrases, as tables.
 */
#include "mail/subject.h"

#include "base/hash.h"

enum { SUBJECT_TOPIC_BYTES = 256 };

#define PHRASE(text) { text, sizeof(text) - 1 }

static bool subject_take_prefix(struct slice *s)
{
	static const struct slice prefixes[] = {
		PHRASE("re:"), PHRASE("fw:"), PHRASE("fwd:"), PHRASE("aw:"), PHRASE("wg:"), PHRASE("sv:"),
		PHRASE("vs:"), PHRASE("tr:"), PHRASE("rv:"), PHRASE("antw:"), PHRASE("odp:"), PHRASE("r:"),
	};
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		if (slice_starts_nocase(*s, prefixes[i])) {
			*s = slice_trim(slice_from(*s, prefixes[i].len));
			return true;
		}
	}
	return false;
}

struct slice subject_bare(struct slice subject, bool *is_prefixed_out)
{
	bool is_prefixed = false;
	subject = slice_trim(subject);
	while (subject_take_prefix(&subject))
		is_prefixed = true;
	if (is_prefixed_out)
		*is_prefixed_out = is_prefixed;
	return subject;
}

bool subject_is_automatic(struct slice subject)
{
	static const struct slice phrases[] = {
		PHRASE("out of office"), PHRASE("out-of-office"), PHRASE("automatic reply"),
		PHRASE("automatic response"), PHRASE("automated response"), PHRASE("autoreply"),
		PHRASE("auto reply"), PHRASE("auto-reply"), PHRASE("auto response"), PHRASE("auto-response"),
		PHRASE("autoresponse"), PHRASE("away from my mail"), PHRASE("on vacation"), PHRASE("vacation reply"),
		PHRASE("abwesenheitsnotiz"), PHRASE("abwesenheit:"), PHRASE("automatische antwort"),
		PHRASE("automatisch antwoord"), PHRASE("afwezig"), PHRASE("réponse automatique"),
		PHRASE("absence du bureau"), PHRASE("respuesta automática"), PHRASE("fuera de la oficina"),
		PHRASE("risposta automatica"), PHRASE("fuori sede"), PHRASE("autosvar"),
		PHRASE("automaattinen vastaus"), PHRASE("odpowiedź automatyczna"), PHRASE("resposta automática"),
	};
	if (subject.len == 0)
		return false;
	subject = subject_bare(subject, NULL);
	for (size_t i = 0; i < sizeof phrases / sizeof phrases[0]; i++)
		if (slice_starts_nocase(subject, phrases[i]))
			return true;
	return false;
}

uint64_t subject_topic(struct slice subject)
{
	char bare[SUBJECT_TOPIC_BYTES];
	size_t len = 0;
	subject = subject_bare(subject, NULL);
	for (size_t i = 0; i < subject.len && len < sizeof bare; i++)
		if (!ascii_is_digit(subject.ptr[i]))
			bare[len++] = ascii_lower(subject.ptr[i]);
	return len ? hash_mix(3, slice_make(bare, len)) : 0;
}
