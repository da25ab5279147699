/* SPDX-License-Identifier: Apache-2.0
 *
 * quelld: the guard beside the mail server. Reads its settings, starts, runs.
 */
#include "main/daemon.h"

#include "base/hash.h"
#include "base/log.h"

#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

static const char usage[] =
	"usage: quelld [-c FILE] [--check]\n"
	"  -c, --config FILE  settings; default " SETTINGS_FILE ", and none needed\n"
	"      --check        read the settings, say what is wrong, and end\n"
	"      --version      print the version, and end\n"
	"      --help         print this, and end\n"
	"SIGHUP reads the settings again, SIGTERM ends. Manual: quelld(8).\n";

enum { OPTION_CHECK = 256, OPTION_VERSION, OPTION_HELP };

struct options {
	const char *file;
	bool is_check_only;
};

/* Negative: go on; else the exit status. */
static int options_read(int argc, char **argv, struct options *options_out)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, OPTION_CHECK },
		{ "version", no_argument, NULL, OPTION_VERSION },
		{ "help", no_argument, NULL, OPTION_HELP },
		{ NULL, 0, NULL, 0 },
	};
	int option;
	while ((option = getopt_long(argc, argv, "c:h", longs, NULL)) != -1) {
		switch (option) {
		case 'c':
			options_out->file = optarg;
			break;
		case OPTION_CHECK:
			options_out->is_check_only = true;
			break;
		case OPTION_VERSION:
			puts("quelld " QUELL_VERSION);
			return EXIT_FINE;
		case 'h':
		case OPTION_HELP:
			fputs(usage, stdout);
			return EXIT_FINE;
		default:
			fputs(usage, stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "quelld: unexpected argument \"%s\"\n%s", argv[optind], usage);
	return EXIT_USAGE;
}

static void report_print(const struct settings_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		fprintf(stderr, "quelld: %s%s\n", report->messages[i].is_warning ? "warning: " : "",
			report->messages[i].text);
}

int main(int argc, char **argv)
{
	static struct settings_report report;
	static struct daemon daemon;
	struct options options = { 0 };
	struct error error = { .text = "" };

	int status = options_read(argc, argv, &options);
	if (status >= 0)
		return status;
	/* What quelld makes is its own business: mails are in it. */
	umask(077);
	if (!hash_start()) {
		fputs("quelld: the crypto library does not start\n", stderr);
		return EXIT_UNAVAILABLE;
	}
	struct settings *settings = settings_load(options.file, &report);
	if (settings)
		settings_warn(settings, &report);
	report_print(&report);
	if (!settings)
		return EXIT_BAD_INPUT;
	if (options.is_check_only) {
		settings_free(settings);
		return EXIT_FINE;
	}
	log_setup(settings->is.log_level, getenv("JOURNAL_STREAM") != NULL);
	if (daemon_start(&daemon, &guard_plan, settings, options.file, &error)) {
		daemon_run(&daemon);
	} else {
		log_error("start", "trouble=\"%s\"", error.text);
		status = error.status ? (int)error.status : EXIT_UNAVAILABLE;
	}
	daemon_stop(&daemon);
	return status < 0 ? EXIT_FINE : status;
}
