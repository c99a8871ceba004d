/* What the parts of `lathe inspect` share. */
#ifndef LT_DESCRIBE_H
#define LT_DESCRIBE_H

#include "base/json.h"
#include "run/model.h"

/* describe_text.c: the description of a file as text for people. */
void lt_describe_print(const char *path, const lt_json *root, lt_text *text);

/* describe_graph.c: the graph of a model as a drawing, for mermaid or dot. */
lathe_status lt_describe_draw(const lathe_model *model, bool dot, lt_text *text,
                              lathe_error *err) LT_MUST_USE;

#endif
