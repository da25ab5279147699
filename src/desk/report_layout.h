/* SPDX-License-Identifier: Apache-2.0
 *
 * report_layout: where the boxes and lines of a propagation graph stand.
 *
 * Layers become columns, left to right; a line over several columns gets a waypoint in
 * each, so that it goes between the boxes and not behind them. Columns are put in order
 * by the mean place of their neighbours, then moved towards them. What goes back to an
 * earlier column (or stays in one) runs through lanes below. All deterministic.
 */
#ifndef QUELL_DESK_REPORT_LAYOUT_H
#define QUELL_DESK_REPORT_LAYOUT_H

#include "trace/trace.h"

enum {
	LAYOUT_ITEMS_MAX = 640,  /* boxes and waypoints; lines that find no room go straight */
	LAYOUT_ROUTE_MAX = 12,   /* waypoints of one line */
	LAYOUT_BOX_WIDTH = 138,
	LAYOUT_BOX_HEIGHT = 52,
	LAYOUT_LANE = 12,        /* height of a lane */
	LAYOUT_LANES_MAX = 14,   /* more share the last one */
	LAYOUT_WIDTH_MIN = 900,
};

struct layout_item {
	unsigned column;
	bool is_box;             /* else a waypoint */
	double y;                /* of its middle */
	double order;            /* while columns are put in order */
};

struct layout_line {
	bool is_below;                       /* through a lane */
	unsigned lane;                       /* 0 is the topmost */
	unsigned route[LAYOUT_ROUTE_MAX];    /* items in between */
	unsigned route_count;
	double from_y, to_y;                 /* where it touches the boxes */
};

struct layout {
	struct layout_item items[LAYOUT_ITEMS_MAX]; /* the first are the hosts, by their index */
	unsigned item_count, host_count, column_count;
	struct layout_line lines[TRACE_EDGES_MAX];  /* by the index of the edge */
	unsigned line_count, lane_count;
	double width, height;    /* of boxes and lanes */
	double boxes_height;     /* lanes begin below */
	double gap;              /* between two columns of boxes */
	double left;             /* of the first column */
};

/* Everything of *out is set. */
void layout_make(const struct trace_incident *trace, struct layout *out);
/* Left side of a column's boxes. */
double layout_x(const struct layout *layout, unsigned column);
/* Can the edge be drawn: its hosts are there? */
bool layout_has_edge(const struct trace_incident *trace, unsigned edge);

#endif
