/* ATen schemas, parsed from the very text of PyTorch's native_functions: names, types, defaults, aliases. */
#ifndef LT_SCHEMA_H
#define LT_SCHEMA_H

#include "ir/exported.h"

typedef enum lt_param_type {
    LT_PARAM_TENSOR,
    LT_PARAM_INT,
    LT_PARAM_FLOAT,
    LT_PARAM_BOOL,
    LT_PARAM_SCALAR,
    LT_PARAM_STRING,
    LT_PARAM_DTYPE,
    LT_PARAM_OTHER /* device, layout, memory format, generator */
} lt_param_type;

typedef struct lt_param {
    const char *name;
    lt_param_type type;
    bool optional;       /* type ends with "?" */
    bool list;           /* type is a list; `optional` is then of the list */
    bool optional_items; /* Tensor?[] */
    int list_size;       /* int[2]: a single number stands for that many; 0: no such rule */
    char alias;          /* 'a' in Tensor(a); 0 */
    bool has_default;
    lt_arg fallback; /* the default */
} lt_param;

enum { LT_MAX_PARAMS = 24 };

typedef struct lt_schema {
    const char *name; /* "add.Tensor", "relu.default" */
    lt_param params[LT_MAX_PARAMS];
    uint32_t n;
    char returns_alias; /* alias set of the first result; 0 */
} lt_schema;

/* Parses "add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor". A name without overload is
 * ".default". */
lathe_status lt_schema_parse(lt_arena *arena, const char *text, lt_schema *out, lathe_error *err) LT_MUST_USE;

/* Position of a parameter; LT_NONE when there is none of that name. */
uint32_t lt_schema_find(const lt_schema *schema, const char *name);

#endif
