/* lathe bench plot: charts of measured series. */
#include <stdio.h>

#define TOOL_STRUCT plot_options
#include "tool_bench.h"
#include "tool_chart.h"

typedef struct plot_options {
    tool_rest files;
    const char *folder;
} plot_options;

static const tool_option options[] = {
    {"-o DIR", TOOL_NEEDED(folder), "where the charts go"},
    {0},
};

static const tool_command command = {
    .name = "bench plot",
    .intro = "Draws charts of the results of lathe bench decode, of its peers and of llama-bench, by "
             "gnuplot: each as SVG and PNG, for light and for dark pages.",
    .arguments = {{"FILE", TOOL_SOME(files)}},
    .options = options,
    .notes = "Files are documents as docs/benchmark-json.md describes them, or what llama-bench -o json "
             "writes. Charts whose series are not in them are left out:\n\n"
             "  tokens-per-second   of every series, with what the memory bandwidth allows\n"
             "  step-time           with standard deviations\n"
             "  dag-ratio           the DAG executor against the other\n"
             "  devices             devices and engines against the first one\n"
             "  share-of-limit      of the memory bandwidth\n",
    .status = "0 done, 1 gnuplot failed",
};

int cmd_bench_plot(int argc, char **argv)
{
    static chart_set set;
    plot_options o = {0};
    bool good = true;
    int parsed = tool_parse(&command, argc, argv, &o);
    if (parsed != TOOL_GO_ON) return parsed;
    for (int i = 0; i < o.files.n && good; i++) good = chart_set_read(&set, o.files.item[i]);
    int code = EXIT_USAGE;
    if (good) {
        chart_set_finish(&set);
        code = chart_draw_all(&set, o.folder) ? EXIT_DONE : EXIT_DIFFERS;
    }
    chart_set_free(&set);
    return code;
}
