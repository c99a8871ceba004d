/* The .pt2 archive of torch.export.save. See docs/formats.md. */
#ifndef LT_PT2_H
#define LT_PT2_H

#include "base/os.h"
#include "ir/exported.h"

/* Reads the program and the directory of its weights; weights stay in the file's mapping, which must stay
 * open. No pickle in the archive is ever opened. */
lathe_status lt_pt2_load(const lt_file *file, const char *path, lt_arena *arena, lt_exported **out,
                         lathe_error *err) LT_MUST_USE;

#endif
