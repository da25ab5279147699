/* SPDX-License-Identifier: Apache-2.0
 *
 * report_layout: see report_layout.h.
 */
#include "desk/report_layout.h"

#include "desk/report.h"

enum {
	BOX_GAP = 14, /* between two boxes of a column */
	WAY_HEIGHT = 10, /* of a waypoint */
	WAY_GAP = 8,
	COLUMN_GAP_MIN = 46,
	COLUMN_GAP_MAX = 150,
	SIDE = 32, /* room left and right, for lanes that turn */
	ORDER_ROUNDS = 8,
	PLACE_ROUNDS = 12,
	HOLE_MAX = 70, /* between two items of a column */
};

static double item_height(const struct layout_item *item)
{
	return item->is_box ? LAYOUT_BOX_HEIGHT : WAY_HEIGHT;
}

static double item_gap(const struct layout_item *a, const struct layout_item *b)
{
	return a->is_box || b->is_box ? BOX_GAP : WAY_GAP;
}

bool layout_has_edge(const struct trace_incident *trace, unsigned edge)
{
	unsigned hosts = report_host_count(trace);
	return trace->edges[edge].from < hosts && trace->edges[edge].to < hosts;
}

double layout_x(const struct layout *layout, unsigned column)
{
	return layout->left + column * (LAYOUT_BOX_WIDTH + layout->gap);
}

/* Layers without holes between them: the n-th that is used is column n. */
static void make_columns(const struct trace_incident *trace, struct layout *l)
{
	l->host_count = l->item_count = report_host_count(trace);
	for (unsigned i = 0; i < l->host_count; i++) {
		unsigned column = 0;
		for (unsigned k = 0; k < l->host_count; k++) {
			bool is_first = true; /* of its layer */
			for (unsigned before = 0; before < k; before++)
				is_first = is_first && trace->hosts[before].layer != trace->hosts[k].layer;
			column += is_first && trace->hosts[k].layer < trace->hosts[i].layer;
		}
		l->items[i] = (struct layout_item){ .column = column, .is_box = true };
		l->column_count = column + 1 > l->column_count ? column + 1 : l->column_count;
	}
}

static void make_route(struct layout *l, struct layout_line *line, unsigned from, unsigned to)
{
	unsigned needed = to - from - 1;
	if (needed > LAYOUT_ROUTE_MAX || l->item_count + needed > LAYOUT_ITEMS_MAX)
		return;
	for (unsigned column = from + 1; column < to; column++) {
		l->items[l->item_count] = (struct layout_item){ .column = column };
		line->route[line->route_count++] = l->item_count++;
	}
}

static void make_lines(const struct trace_incident *trace, struct layout *l)
{
	l->line_count = trace->edge_count < TRACE_EDGES_MAX ? trace->edge_count : TRACE_EDGES_MAX;
	for (unsigned i = 0; i < l->line_count; i++) {
		struct layout_line *line = &l->lines[i];
		*line = (struct layout_line){ .is_below = false };
		if (!layout_has_edge(trace, i))
			continue;
		unsigned from = l->items[trace->edges[i].from].column, to = l->items[trace->edges[i].to].column;
		line->is_below = to <= from;
		if (!line->is_below)
			make_route(l, line, from, to);
	}
}

/* Short lanes lie inside long ones: then they do not cross. */
static void make_lanes(const struct trace_incident *trace, struct layout *l)
{
	for (unsigned span = 0; span < l->column_count; span++) {
		for (unsigned i = 0; i < l->line_count; i++) {
			if (!l->lines[i].is_below || !layout_has_edge(trace, i))
				continue;
			unsigned from = l->items[trace->edges[i].from].column,
				 to = l->items[trace->edges[i].to].column;
			if (from - to != span)
				continue;
			l->lines[i].lane =
				l->lane_count < LAYOUT_LANES_MAX ? l->lane_count++ : l->lane_count - 1;
		}
	}
}

struct mean {
	double sum;
	unsigned count;
};

/* Adds what stands at the other end of a step from item a to item b. */
static void mean_step(const struct layout *l, unsigned a, unsigned b, unsigned item, int side, bool is_order,
		      struct mean *mean)
{
	unsigned other = a == item && side >= 0 ? b : b == item && side <= 0 ? a : UINT_MAX;
	if (other == UINT_MAX)
		return;
	mean->sum += is_order ? l->items[other].order : l->items[other].y;
	mean->count++;
}

/* Mean place of an item's neighbours: side -1 left, 1 right, 0 both. */
static struct mean neighbours(const struct trace_incident *trace, const struct layout *l, unsigned item,
			      int side, bool is_order)
{
	struct mean mean = { 0, 0 };
	for (unsigned i = 0; i < l->line_count; i++) {
		const struct layout_line *line = &l->lines[i];
		if (line->is_below || !layout_has_edge(trace, i))
			continue;
		unsigned at = trace->edges[i].from;
		for (unsigned k = 0; k < line->route_count; k++) {
			mean_step(l, at, line->route[k], item, side, is_order, &mean);
			at = line->route[k];
		}
		mean_step(l, at, trace->edges[i].to, item, side, is_order, &mean);
	}
	return mean;
}

/* The items of a column, by their order; ties by index, so that the same graph always
 * looks the same. */
static unsigned column_items(const struct layout *l, unsigned column, unsigned found[LAYOUT_ITEMS_MAX])
{
	unsigned count = 0;
	for (unsigned i = 0; i < l->item_count; i++) {
		if (l->items[i].column != column)
			continue;
		unsigned at = count++;
		for (; at > 0 && l->items[found[at - 1]].order > l->items[i].order; at--)
			found[at] = found[at - 1];
		found[at] = i;
	}
	return count;
}

static void order_column(const struct trace_incident *trace, struct layout *l, unsigned column, int side)
{
	unsigned found[LAYOUT_ITEMS_MAX];
	unsigned count = column_items(l, column, found);
	for (unsigned i = 0; i < count; i++) {
		struct mean mean = neighbours(trace, l, found[i], side, true);
		if (mean.count > 0)
			l->items[found[i]].order = mean.sum / mean.count;
	}
	count = column_items(l, column, found);
	for (unsigned i = 0; i < count; i++)
		l->items[found[i]].order = (double)i - (double)(count - 1) / 2;
}

static void order_columns(const struct trace_incident *trace, struct layout *l)
{
	for (unsigned i = 0; i < l->item_count; i++)
		l->items[i].order = i;
	for (unsigned round = 0; round < ORDER_ROUNDS; round++)
		for (unsigned k = 0; k < l->column_count; k++)
			order_column(trace, l, round % 2 ? l->column_count - 1 - k : k, round % 2 ? 1 : -1);
}

/* Puts a column's items to their wishes (y), without overlap, in their order. */
static void settle_column(struct layout *l, unsigned column)
{
	unsigned found[LAYOUT_ITEMS_MAX];
	unsigned count = column_items(l, column, found);
	double wish = 0, got = 0;
	for (unsigned i = 0; i < count; i++)
		wish += l->items[found[i]].y;
	for (unsigned i = 1; i < count; i++) {
		struct layout_item *above = &l->items[found[i - 1]], *item = &l->items[found[i]];
		double least = above->y + (item_height(above) + item_height(item)) / 2 + item_gap(above, item);
		item->y = item->y < least ? least : item->y;
	}
	for (unsigned i = 0; i < count; i++)
		got += l->items[found[i]].y;
	for (unsigned i = 0; i < count; i++) /* pushed down as a whole: half of it back up */
		l->items[found[i]].y -= (got - wish) / count;
}

/* Far outliers come nearer, from the middle of their column outwards: a line that would
 * like to lie high up is not worth an empty picture. */
static void tighten_column(struct layout *l, unsigned column)
{
	unsigned found[LAYOUT_ITEMS_MAX];
	unsigned count = column_items(l, column, found), middle = count / 2;
	for (unsigned i = middle + 1; i < count; i++) {
		struct layout_item *above = &l->items[found[i - 1]], *item = &l->items[found[i]];
		double most = above->y + (item_height(above) + item_height(item)) / 2 + HOLE_MAX;
		item->y = item->y > most ? most : item->y;
	}
	for (unsigned i = middle; i > 0; i--) {
		struct layout_item *below = &l->items[found[i]], *item = &l->items[found[i - 1]];
		double least = below->y - (item_height(below) + item_height(item)) / 2 - HOLE_MAX;
		item->y = item->y < least ? least : item->y;
	}
}

static void place_items(const struct trace_incident *trace, struct layout *l)
{
	for (unsigned i = 0; i < l->item_count; i++)
		l->items[i].y = l->items[i].order * (LAYOUT_BOX_HEIGHT + BOX_GAP);
	for (unsigned round = 0; round < PLACE_ROUNDS; round++) {
		for (unsigned k = 0; k < l->column_count; k++) {
			unsigned column = round % 2 ? l->column_count - 1 - k : k;
			for (unsigned i = 0; i < l->item_count; i++) {
				if (l->items[i].column != column)
					continue;
				struct mean mean = neighbours(trace, l, i, 0, false);
				l->items[i].y = mean.count ? mean.sum / mean.count : l->items[i].y;
			}
			settle_column(l, column);
		}
	}
	for (unsigned column = 0; column < l->column_count; column++)
		tighten_column(l, column);
}

/* Moves all so that the topmost begins at 0. */
static void measure(struct layout *l)
{
	double top = 0, bottom = 0;
	for (unsigned i = 0; i < l->item_count; i++) {
		double above = l->items[i].y - item_height(&l->items[i]) / 2;
		double below = l->items[i].y + item_height(&l->items[i]) / 2;
		top = i == 0 || above < top ? above : top;
		bottom = i == 0 || below > bottom ? below : bottom;
	}
	for (unsigned i = 0; i < l->item_count; i++)
		l->items[i].y -= top;
	l->boxes_height = bottom - top;
	l->height = l->boxes_height + (l->lane_count ? (l->lane_count + 1) * (double)LAYOUT_LANE + 4 : 0);
}

/* Lines that touch a box at the same side are spread over it, from top to bottom as
 * their other ends lie. */
static double spread(const struct trace_incident *trace, const struct layout *l, unsigned edge, bool is_from)
{
	unsigned box = is_from ? trace->edges[edge].from : trace->edges[edge].to, above = 0, count = 0;
	double mine = 0, middle = l->items[box].y;
	for (int pass = 0; pass < 2; pass++) {
		for (unsigned i = 0; i < l->line_count; i++) {
			const struct layout_line *line = &l->lines[i];
			const struct trace_edge *e = &trace->edges[i];
			if (!layout_has_edge(trace, i) || (is_from ? e->from : e->to) != box)
				continue;
			unsigned next =
				is_from ? (line->route_count ? line->route[0] : e->to)
					: (line->route_count ? line->route[line->route_count - 1] : e->from);
			double y = line->is_below ? 1e6 + line->lane : l->items[next].y;
			if (pass == 0 && i == edge)
				mine = y;
			count += pass == 0;
			above += pass == 1 && (y < mine || (y == mine && i < edge));
		}
	}
	double step = count > 1 ? (LAYOUT_BOX_HEIGHT - 16) / (double)(count - 1) : 0;
	step = step > 11 ? 11 : step;
	return middle + (above - (double)(count - 1) / 2) * step;
}

void layout_make(const struct trace_incident *trace, struct layout *out)
{
	*out = (struct layout){ .left = SIDE };
	make_columns(trace, out);
	make_lines(trace, out);
	make_lanes(trace, out);
	order_columns(trace, out);
	place_items(trace, out);
	measure(out);
	double boxes = out->column_count * (double)LAYOUT_BOX_WIDTH;
	unsigned gaps = out->column_count > 1 ? out->column_count - 1 : 1;
	out->gap = (LAYOUT_WIDTH_MIN - 2 * SIDE - boxes) / gaps;
	out->gap = out->gap < COLUMN_GAP_MIN   ? COLUMN_GAP_MIN
		   : out->gap > COLUMN_GAP_MAX ? COLUMN_GAP_MAX
					       : out->gap;
	double inner = boxes + (out->column_count > 1 ? out->gap * (out->column_count - 1) : 0);
	out->width = inner + 2 * SIDE > LAYOUT_WIDTH_MIN ? inner + 2 * SIDE : LAYOUT_WIDTH_MIN;
	out->left = (out->width - inner) / 2;
	for (unsigned i = 0; i < out->line_count; i++) {
		if (!layout_has_edge(trace, i))
			continue;
		out->lines[i].from_y = spread(trace, out, i, true);
		out->lines[i].to_y = spread(trace, out, i, false);
	}
}
