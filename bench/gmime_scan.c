/* SPDX-License-Identifier: Apache-2.0
 *
 * gmime_scan: the yardstick of the forensic scan: GMime parses every mail of an mbox and
 * asks for its headers, nothing more. Prints how many there were.
 */
#include <gmime/gmime.h>

int main(int argc, char **argv)
{
	unsigned long mails = 0, fields = 0;
	g_mime_init();
	GMimeStream *stream = argc == 2 ? g_mime_stream_file_open(argv[1], "r", NULL) : NULL;
	if (!stream)
		return 2;
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	g_mime_parser_set_format(parser, GMIME_FORMAT_MBOX);
	while (!g_mime_parser_eos(parser)) {
		GMimeMessage *mail = g_mime_parser_construct_message(parser, NULL);
		if (!mail)
			continue;
		GMimeHeaderList *header = g_mime_object_get_header_list(GMIME_OBJECT(mail));
		fields += (unsigned long)g_mime_header_list_get_count(header);
		mails++;
		g_object_unref(mail);
	}
	g_object_unref(parser);
	g_object_unref(stream);
	printf("%lu %lu\n", mails, fields);
	return 0;
}
