/* What a profile says of the steps of a program that has run. */
#ifndef LT_PROFILE_H
#define LT_PROFILE_H

#include "run/exec.h"

/* Texts are those of the program and of the file, or lie in `arena`. */
lathe_status lt_profile_step(const lt_exec *exec, const lathe_model *model, lt_arena *arena, size_t index,
                             lathe_step *out, lathe_error *err) LT_MUST_USE;

/* Spans of a pool that lie behind `start`, in seconds since then. */
size_t lt_profile_spans(const lt_pool *pool, const lt_pool_span *spans, double start, lathe_span *out,
                        size_t room);

#endif
