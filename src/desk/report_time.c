/* SPDX-License-Identifier: Apache-2.0
 *
 * report_time: copies over time as a picture: surplus over first copies, with an axis
 * whose marks stand at round times of the day. UTC.
 */
#include "desk/report.h"
#include "desk/report_layout.h"
#include "desk/report_pens.h"

#include "base/clock.h"
#include "desk/text.h"

#include <time.h>

enum { LEFT = 74, RIGHT = 26, TOP = 34, PLOT_HEIGHT = 130, HEIGHT = TOP + PLOT_HEIGHT + 46, TICKS_WANTED = 8 };

void pens_begin(struct buf *out, double width, double height, const char *title)
{
	buf_addf(out,
		 "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"q\" role=\"img\" viewBox=\"0 0 %.0f %.0f\" "
		 "width=\"%.0f\" height=\"%.0f\"><title>%s</title>",
		 width, height, width, height, title);
}

bool pens_size(struct slice svg, double *width_out, double *height_out)
{
	struct slice rest = svg, part;
	size_t at = slice_find_nocase(svg, 0, SLICE("viewBox=\"0 0 "));
	if (at == svg.len)
		return false;
	rest = slice_from(svg, at + strlen("viewBox=\"0 0 "));
	uint64_t width, height;
	if (!slice_next(&rest, ' ', &part) || !slice_to_u64(part, &width) || !slice_next(&rest, '"', &part) ||
	    !slice_to_u64(part, &height))
		return false;
	*width_out = (double)width;
	*height_out = (double)height;
	return true;
}

static unsigned bins_used(const struct trace_incident *trace)
{
	unsigned count = TRACE_BINS;
	while (count > 1 && trace->bins[count - 1].copies == 0)
		count--;
	return count;
}

bool report_has_times(const struct trace_incident *trace)
{
	return trace->bin_ms > 0 && trace->bin_ms < INT64_C(1) << 45 &&
	       trace->bins_from_ms > -(INT64_C(1) << 45) && trace->bins_from_ms < INT64_C(1) << 45;
}

static uint32_t most_copies(const struct trace_incident *trace)
{
	uint32_t most = 1;
	for (unsigned i = 0; i < TRACE_BINS; i++)
		most = trace->bins[i].copies > most ? trace->bins[i].copies : most;
	return most;
}

/* The least of 1, 2, 5, 10, 20, 50 ... of which four reach max. */
static uint64_t count_step(uint64_t max)
{
	static const unsigned steps[] = { 1, 2, 5 };
	uint64_t ten = 1;
	for (;; ten *= 10)
		for (size_t i = 0; i < 3; i++)
			if (steps[i] * ten * 4 >= max)
				return steps[i] * ten;
}

/* A round number, short: "40", "200k", "3,000M". */
static const char *count_text(uint64_t count, char out[REPORT_WORDS_BYTES])
{
	char number[TEXT_NUMBER_BYTES];
	uint64_t unit = count >= 10000000 ? 1000000 : count >= 100000 ? 1000 : 1;
	snprintf(out, REPORT_WORDS_BYTES, "%s%s", text_number(count / unit, number),
		 unit == 1	? ""
		 : unit == 1000 ? "k"
				: "M");
	return out;
}

static void draw_counts(struct buf *out, int plot, uint64_t top, uint64_t step)
{
	char text[REPORT_WORDS_BYTES];
	for (uint64_t count = 0; count <= top; count += step) {
		double y = TOP + PLOT_HEIGHT - (double)count / (double)top * PLOT_HEIGHT;
		if (count > 0)
			buf_addf(out, "<path class=\"q-grid\" d=\"M%d %.1fH%d\"/>", (int)LEFT, y, LEFT + plot);
		buf_addf(out, "<text class=\"q-s\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", LEFT - 8,
			 y + 4, count_text(count, text));
	}
	buf_add_str(out, "\n");
}

static void draw_bins(struct buf *out, const struct trace_incident *trace, int plot, unsigned count,
		      uint64_t top)
{
	double wide = (double)plot / count, bar = wide > 4 ? wide - 1.5 : wide,
	       unit = (double)PLOT_HEIGHT / (double)top;
	char when[REPORT_WORDS_BYTES];
	for (unsigned i = 0; i < count; i++) {
		const struct trace_bin *bin = &trace->bins[i];
		uint32_t surplus = bin->surplus < bin->copies ? bin->surplus : bin->copies,
			 first = bin->copies - surplus;
		double x = LEFT + i * wide + (wide - bar) / 2, first_high = first * unit,
		       surplus_high = surplus * unit;
		double base = TOP + PLOT_HEIGHT;
		if (bin->copies == 0)
			continue;
		buf_addf(out, "<g><title>%s: %u copies, %u surplus</title>",
			 report_utc(trace->bins_from_ms + i * trace->bin_ms, when), bin->copies, surplus);
		if (first > 0)
			buf_addf(out, "<path class=\"q-first\" d=\"M%.1f %.1fv%.1fh%.1fv%.1fz\"/>", x, base,
				 -first_high, bar, first_high);
		if (surplus > 0)
			buf_addf(out, "<path class=\"q-surplus\" d=\"M%.1f %.1fv%.1fh%.1fv%.1fz\"/>", x,
				 base - first_high, -surplus_high, bar, surplus_high);
		buf_add_str(out, "</g>\n");
	}
}

static int64_t time_step(int64_t span_ms)
{
	static const int64_t steps[] = { 1000,	  2000,	   5000,     10000,    15000,	 30000,
					 60000,	  120000,  300000,   600000,   900000,	 1800000,
					 3600000, 7200000, 10800000, 21600000, 43200000, 86400000 };
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
		if (steps[i] * TICKS_WANTED >= span_ms)
			return steps[i];
	int64_t days = span_ms / CLOCK_DAY_MS / TICKS_WANTED + 1;
	return CLOCK_DAY_MS * (days <= 2 ? 2 : days <= 7 ? 7 : (days + 29) / 30 * 30);
}

/* "14:30", with seconds when the marks are that close, "6 Dec" where a day begins. */
static void tick_text(int64_t when_ms, int64_t step_ms, char *out, size_t out_bytes)
{
	time_t when = (time_t)(when_ms / 1000);
	struct tm tm;
	bool is_midnight = when_ms % CLOCK_DAY_MS == 0;
	out[0] = '\0';
	if (!gmtime_r(&when, &tm))
		return;
	if (is_midnight)
		strftime(out, out_bytes, step_ms > 20 * (int64_t)CLOCK_DAY_MS ? "%e %b %Y" : "%e %b", &tm);
	else
		strftime(out, out_bytes, step_ms < CLOCK_MINUTE_MS ? "%H:%M:%S" : "%H:%M", &tm);
}

static void draw_times(struct buf *out, int plot, int64_t from_ms, int64_t span_ms)
{
	int64_t step = time_step(span_ms);
	int64_t first = from_ms / step * step;
	double base = TOP + PLOT_HEIGHT;
	buf_addf(out, "<path class=\"q-axis\" d=\"M%d %.1fH%d\"/>", (int)LEFT, base, LEFT + plot);
	for (int64_t when = first < from_ms ? first + step : first; when <= from_ms + span_ms; when += step) {
		double x = LEFT + (double)(when - from_ms) / (double)span_ms * plot;
		char text[40];
		tick_text(when, step, text, sizeof text);
		buf_addf(out,
			 "<path class=\"q-axis\" d=\"M%.1f %.1fv5\"/><text class=\"q-s\" x=\"%.1f\" y=\"%.1f\" "
			 "text-anchor=\"%s\">%s</text>",
			 x, base, x, base + 19, x > LEFT + plot - 16 ? "end" : "middle", text);
	}
	buf_add_str(out, "\n");
}

static void draw_heading(struct buf *out, const struct trace_incident *trace, int64_t span_ms)
{
	char from[REPORT_WORDS_BYTES], to[REPORT_WORDS_BYTES], each[REPORT_WORDS_BYTES];
	report_utc(trace->bins_from_ms, from);
	report_utc(trace->bins_from_ms + span_ms, to);
	buf_addf(out, "<text class=\"q-head\" x=\"%d\" y=\"18\">Copies over time</text>", (int)LEFT);
	buf_addf(out,
		 "<rect class=\"q-surplus\" x=\"%d\" y=\"8\" width=\"12\" height=\"12\"/><text class=\"q-s\" "
		 "x=\"%d\" "
		 "y=\"18\">surplus, on top</text>",
		 LEFT + 140, LEFT + 158);
	buf_addf(out,
		 "<rect class=\"q-first\" x=\"%d\" y=\"8\" width=\"12\" height=\"12\"/><text class=\"q-s\" "
		 "x=\"%d\" "
		 "y=\"18\">first copies</text>",
		 LEFT + 270, LEFT + 288);
	buf_addf(out, "<text class=\"q-s\" x=\"%d\" y=\"%d\">%s to %s; each bar %s</text>\n", (int)LEFT,
		 TOP + PLOT_HEIGHT + 38, from, to, report_span(trace->bin_ms, each));
}

void report_time_svg(const struct trace_incident *trace, double width, struct buf *out)
{
	if (!report_has_times(trace))
		return;
	unsigned count = bins_used(trace);
	int64_t span = trace->bin_ms * count;
	uint64_t most = most_copies(trace), step = count_step(most), top = (most + step - 1) / step * step;
	int plot = (int)width - LEFT - RIGHT;
	char text[REPORT_WORDS_BYTES];
	pens_begin(out, width, HEIGHT, "Copies over time");
	buf_addf(out, "<desc>%s at most in %s.</desc>", report_count(most, "copy", "copies", text), "one bar");
	buf_addf(out, "<rect class=\"q-bg\" width=\"%.0f\" height=\"%d\"/>\n", width, (int)HEIGHT);
	draw_heading(out, trace, span);
	draw_counts(out, plot, top, step);
	draw_bins(out, trace, plot, count, top);
	draw_times(out, plot, trace->bins_from_ms, span);
	buf_add_str(out, "</svg>\n");
}
