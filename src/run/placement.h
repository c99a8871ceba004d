/* Where the sessions of a model run: as they are told, else as its file says. */
#ifndef LT_PLACEMENT_H
#define LT_PLACEMENT_H

#include "run/model.h"

/* What holds for a session that is told `given`. Devices of the file that are not there give way to the CPU.
 */
lathe_placement lt_placement_settle(const lathe_model *model, const lathe_placement *given);

/* Whether nodes are divided by the same rules. */
bool lt_placement_equal(const lathe_placement *a, const lathe_placement *b);

/* Makes it the model's, checked. */
lathe_status lt_model_place(lathe_model *model, const lathe_placement *given, lathe_error *err) LT_MUST_USE;

/* The name of a device by its number in the placement; behind the last one is the CPU or the references. */
lathe_status lt_placement_name(const lathe_placement *placement, uint32_t number, lt_arena *arena,
                               const char **out, lathe_error *err) LT_MUST_USE;

/* The next entry of a list between commas, without the spaces around it, in `arena`; NULL at the end. */
lathe_status lt_next_entry(lt_arena *arena, const char **list, char **out, lathe_error *err) LT_MUST_USE;

#endif
