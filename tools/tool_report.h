/* lathe bench report: parts of the page that tells what was measured. */
#ifndef LATHE_TOOL_REPORT_H
#define LATHE_TOOL_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "tool_chart.h"

/* One document and its charts. */
typedef struct report_part {
    const char *path;
    json_t *doc;
    chart_set set;
} report_part;

/* Where charts lie: a folder in `charts` for each document, named as its file is; links are relative to the
 * folder `base` of the page ("" or ending with '/'). */
typedef struct report_links {
    const char *charts, *base;
} report_links;

void report_write_part(FILE *to, const report_part *part, const report_links *links);

/* The published figures against the series of lathe at the same positions. */
void report_write_published(FILE *to, const report_part *part, const json_t *published);

/* The fastest series of lathe against each peer's. Writes nothing where there is no peer. */
void report_write_peers(FILE *to, const report_part *part);

/* A few lines for a page that is about something else: each precision at the first and the last position. */
void report_write_summary(FILE *to, const report_part *part, const json_t *published,
                          const report_links *links);

#endif
