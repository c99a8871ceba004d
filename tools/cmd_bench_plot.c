/* lathe bench plot: charts of measured series. */
#include <stdio.h>
#include <string.h>

#include "tool_bench.h"
#include "tool_chart.h"

static const char help[] =
    "Draws charts of the results of lathe bench decode, of its peers and of llama-bench, by\n"
    "gnuplot: each as SVG and PNG, for light and for dark pages.\n"
    "\n"
    "Usage: lathe bench plot FILE... -o DIR\n"
    "\n"
    "  -o DIR          where the charts go\n"
    "\n"
    "Files are documents as docs/benchmark-json.md describes them, or what llama-bench -o json\n"
    "writes. Charts whose series are not in them are left out:\n"
    "\n"
    "  tokens-per-second   of every series, with what the memory bandwidth allows\n"
    "  step-time           with standard deviations\n"
    "  dag-ratio           the DAG executor against the other\n"
    "  devices             devices and engines against the first one\n"
    "  share-of-limit      of the memory bandwidth\n"
    "\n"
    "Exit status: 0 done, 1 gnuplot failed, 2 wrong usage or a broken file.\n";

int cmd_bench_plot(int argc, char **argv)
{
    static chart_set set;
    const char *folder = NULL;
    bool good = true;
    for (int i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "--help") == 0) return fputs(help, stdout) < 0 ? EXIT_DIFFERS : EXIT_DONE;
        if (strcmp(argv[i], "-o") == 0 && i + 1 < argc) folder = argv[++i];
        else if (argv[i][0] == '-') return tool_usage("bench plot", "option %s", argv[i]);
        else good = chart_set_read(&set, argv[i]);
    }
    int code = EXIT_USAGE;
    if (good && (!folder || !set.n_files)) code = tool_usage("bench plot", "FILE... -o DIR is needed");
    else if (good) {
        chart_set_finish(&set);
        code = chart_draw_all(&set, folder) ? EXIT_DONE : EXIT_DIFFERS;
    }
    chart_set_free(&set);
    return code;
}
