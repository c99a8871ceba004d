/* The lathe program: one binary, subcommands. */
#include <stdio.h>
#include <string.h>

#include "tool.h"

static const struct {
    const char *name, *text;
    int (*run)(int argc, char **argv);
} commands[] = {
#define X(name, text) {#name, text, cmd_##name},
    LATHE_COMMANDS(X)
#undef X
};

int tool_fail(const lathe_error *err)
{
    fprintf(stderr, "lathe: %s\n", err->message);
    switch (err->code) {
    case LATHE_INVALID_ARGUMENT:
    case LATHE_IO:
    case LATHE_FORMAT:
    case LATHE_UNSUPPORTED:
    case LATHE_TYPE: return EXIT_USAGE;
    default: return EXIT_DIFFERS;
    }
}

static int print_help(FILE *to)
{
    fprintf(to, "Runs models exported from PyTorch, without Python or libtorch.\n\nUsage: lathe COMMAND "
                "[ARGUMENTS]\n\n");
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].text);
    fprintf(to, "\n'lathe COMMAND --help' tells more.\n");
    return to == stdout ? EXIT_DONE : EXIT_USAGE;
}

int main(int argc, char **argv)
{
    if (argc < 2) return print_help(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return print_help(stdout);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    const char *best = NULL;
    size_t distance = SIZE_MAX;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (tool_resembles(argv[1], commands[i].name, &distance)) best = commands[i].name;
    fprintf(stderr, "lathe: there is no command '%s'%s%s%s\n", argv[1], best ? "; did you mean '" : "",
            best ? best : "", best ? "'?" : "");
    return best ? EXIT_USAGE : print_help(stderr);
}
