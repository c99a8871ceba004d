/* Constants of pytorch-ir files: nested lists of numbers. */
#ifndef LT_IRJSON_CONSTANTS_H
#define LT_IRJSON_CONSTANTS_H

#include "base/json.h"
#include "ir/exported.h"

/* Reads {"data": nested lists or a number, "dtype": …} as the bytes of the weight, whose type is known: an
 * empty list has lost its shape, and the lists of others must have as many numbers as the shape says. */
lathe_status lt_irjson_read_constant(const lt_json *json, lt_arena *arena, lt_xweight *weight,
                                     lathe_error *err) LT_MUST_USE;

#endif
