/* Runs gnuplot on a script of ours, once for each picture. */
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool_chart.h"

extern char **environ;

static const chart_theme themes[] = {
    {"",
     "#ffffff",
     "#24292f",
     "#d8dee4",
     {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"}},
    {"-dark",
     "#0d1117",
     "#e6edf3",
     "#30363d",
     {"#56b4e9", "#e69f00", "#2fc79a", "#e39cc6", "#f0e442", "#f0673c", "#ffffff"}},
};

static const struct {
    const char *extension, *terminal;
    int scale; /* of the picture */
} forms[] = {
    {"svg", "svg fontscale 1 linewidth 1", 1},
    {"png", "pngcairo fontscale 1.7 linewidth 2 pointscale 2", 2},
};

static void write_head(FILE *script, const chart_theme *theme, int form, const char *path, int height)
{
    int scale = forms[form].scale;
    fprintf(script, "set terminal %s size %d,%d font 'sans-serif,13' background '%s'\n", forms[form].terminal,
            CHART_WIDTH * scale, height * scale, theme->background);
    fprintf(script, "set output '%s'\n", path);
    fprintf(script, "set border 3 linewidth 1 linecolor rgb '%s'\n", theme->ink);
    fprintf(script, "set grid linetype 1 linecolor rgb '%s' linewidth 0.6\n", theme->grid);
    fprintf(script, "set tics nomirror out scale 0.6 font ',11' textcolor rgb '%s'\n", theme->ink);
    fprintf(script, "set key textcolor rgb '%s'\n", theme->ink);
    for (int i = 0; i < CHART_COLORS; i++)
        fprintf(script, "set linetype %d linecolor rgb '%s' linewidth 1.6\n", i + 1, theme->colors[i]);
}

/* Runs it with the script as its standard input. */
static bool run(FILE *script)
{
    posix_spawn_file_actions_t actions;
    char name[] = "gnuplot", *arguments[] = {name, NULL};
    pid_t child;
    int status = -1;
    rewind(script);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
    int problem = posix_spawnp(&child, name, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (problem == ENOENT)
        fprintf(stderr, "lathe: gnuplot draws the charts and is not installed (Debian: gnuplot-nox)\n");
    else if (problem) fprintf(stderr, "lathe: cannot run gnuplot: %s\n", strerror(problem));
    if (problem) return false;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (status != 0) fprintf(stderr, "lathe: gnuplot failed\n");
    return status == 0;
}

static bool draw_one(const char *stem, int form, const chart_theme *theme, int height, chart_script body,
                     const void *context)
{
    char path[TOOL_PATH_BYTES];
    int length = snprintf(path, sizeof path, "%s%s.%s", stem, theme->suffix, forms[form].extension);
    if (length < 0 || (size_t)length >= sizeof path || strchr(path, '\'') || strchr(path, '\n')) {
        fprintf(stderr, "lathe: no chart can have the name %s\n", stem);
        return false;
    }
    FILE *script = tmpfile();
    if (!script) return fprintf(stderr, "lathe: no temporary file: %s\n", strerror(errno)), false;
    write_head(script, theme, form, path, height);
    body(script, theme, context);
    bool good = fflush(script) == 0 && run(script);
    fclose(script);
    return good;
}

bool chart_draw(const char *stem, int height, chart_script body, const void *context)
{
    for (size_t form = 0; form < sizeof forms / sizeof *forms; form++)
        for (size_t i = 0; i < sizeof themes / sizeof *themes; i++)
            if (!draw_one(stem, (int)form, &themes[i], height, body, context)) return false;
    return true;
}
