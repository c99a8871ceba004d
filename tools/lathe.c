/* The lathe program: one binary, subcommands. */
#include <stdarg.h>
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

int tool_usage(const char *command, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "lathe %s: ", command);
    vfprintf(stderr, fmt, args);
    fprintf(stderr, "\nTry 'lathe %s --help'.\n", command);
    va_end(args);
    return EXIT_USAGE;
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
    fprintf(stderr, "lathe: there is no command '%s'\n", argv[1]);
    return print_help(stderr);
}
