/* What a profile says of the steps of a run. They are numbered through all regions; a region on a device is
 * one step, which the others of it belong to. */
#ifndef LT_PROFILE_H
#define LT_PROFILE_H

#include "run/dispatch.h"

size_t lt_profile_step_count(const lt_dispatch *dispatch);

/* Texts are those of the program and of the file, or lie in the dispatch's arena. */
lathe_status lt_profile_step(const lt_dispatch *dispatch, size_t index, lathe_step *out,
                             lathe_error *err) LT_MUST_USE;

/* When a step ran in the last run that was timed, in seconds since that began. */
void lt_profile_time(const lt_dispatch *dispatch, size_t index, double *begin, double *end);

/* What the threads did in that run. */
size_t lt_profile_spans(const lt_dispatch *dispatch, const lt_pool_span *spans, lathe_span *out, size_t room);

/* Of what was carried in that run, the one with that number; texts as those of steps. */
lathe_status lt_profile_transfer(const lt_dispatch *dispatch, size_t index, lathe_transfer *out,
                                 lathe_error *err) LT_MUST_USE;

#endif
