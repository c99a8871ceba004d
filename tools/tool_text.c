/* Reading a text whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static bool grow(tool_text *text, size_t *capacity)
{
    *capacity = *capacity ? 2 * *capacity : 65536;
    char *data = realloc(text->data, *capacity + 1);
    if (data) text->data = data;
    return data != NULL;
}

int tool_read_text(const char *command, const char *path, tool_text *out)
{
    bool standard = strcmp(path, "-") == 0, good = true;
    FILE *file = standard ? stdin : fopen(path, "rb");
    size_t capacity = 0, got = 1;
    *out = (tool_text){0};
    while (file && got && good) {
        if (out->size == capacity && !(good = grow(out, &capacity))) break;
        got = fread(out->data + out->size, 1, capacity - out->size, file);
        out->size += got;
        out->data[out->size] = '\0';
    }
    if (!good) fprintf(stderr, "lathe %s: out of memory\n", command);
    else if (!file || ferror(file)) {
        fprintf(stderr, "lathe %s: ", command);
        perror(standard ? "standard input" : path);
        good = false;
    }
    if (file && !standard) fclose(file);
    if (good) return EXIT_DONE;
    free(out->data);
    *out = (tool_text){0};
    return EXIT_USAGE;
}
