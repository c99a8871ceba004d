/* The pytorch-ir JSON format: a graph with static shapes, its weights by name only. See docs/formats.md. */
#ifndef LT_IRJSON_H
#define LT_IRJSON_H

#include "base/os.h"
#include "ir/exported.h"

/* Reads the graph and its constants. Weights have names and types but no bytes: those come from a weights
 * file. Which tensor is for which parameter is left to the importer (lt_xoperands). */
lathe_status lt_irjson_load(const lt_file *file, const char *path, lt_arena *arena, lt_exported **out,
                            lathe_error *err) LT_MUST_USE;

#endif
