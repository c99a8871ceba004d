/* The table of ATen operators. A row is a schema, word for word as PyTorch writes it, and the function that
 * builds the operator from primitives. Adding one = one row and, where no function fits, one function, in one
 * family file. In-place and out= spellings need no rows of their own: the importer derives them from the
 * functional one. */
#ifndef LT_ATEN_H
#define LT_ATEN_H

#include "aten/builder.h"
#include "aten/schema.h"

typedef struct lt_call lt_call;

typedef struct lt_aten_row {
    const char *schema;
    void (*build)(lt_call *call);
    lt_op op; /* for functions that serve many operators */
} lt_aten_row;

/* One operator of the file with its arguments resolved and defaults filled in. */
struct lt_call {
    lt_builder *b;
    const lt_aten_row *row;
    const lt_schema *schema;
    lt_arg args[LT_MAX_PARAMS];
    lt_arg *results; /* tensors (or numbers), lists flattened */
    uint32_t n_results, cap_results;
    lt_id written[LT_MAX_PARAMS]; /* new contents of arguments that the operator updates on the side */
    bool writes[LT_MAX_PARAMS];   /* which of them there are */
    lt_id owner; /* the tensor whose memory `self` is, where the schema has a storage_offset; LT_NONE: it is
                    itself */
    lt_attrs_strided window; /* where it lies in that memory */
    bool copies_view;        /* the result is a copy of what PyTorch has a view of */
};

/* Arguments by the schema's names. Asking for what an argument cannot give is an error that names it; after
 * an error they give zeros. */
lt_id lt_call_tensor(lt_call *call, const char *name);          /* required */
lt_id lt_call_optional_tensor(lt_call *call, const char *name); /* LT_NONE for None */
/* A list of tensors (entries LT_NONE for None), in the graph's arena. */
const lt_id *lt_call_tensors(lt_call *call, const char *name, int *n);
bool lt_call_has(lt_call *call, const char *name);         /* not None */
bool lt_call_takes(const lt_call *call, const char *name); /* the schema has the parameter */
int64_t lt_call_int(lt_call *call, const char *name);
/* A number that comes from a tensor's values and that only a run knows, as a tensor without dims; else
 * LT_NONE. */
lt_id lt_call_late_int(lt_call *call, const char *name);
double lt_call_float(lt_call *call, const char *name);
bool lt_call_bool(lt_call *call, const char *name);
const char *lt_call_string(lt_call *call, const char *name);
lt_dtype lt_call_dtype(lt_call *call, const char *name, lt_dtype fallback); /* None: fallback */
lt_id lt_call_scalar(lt_call *call, const char *name); /* a Python number as a wrapped constant */
/* At most `max` integers; a single number for a list with a fixed size is repeated. Returns how many. */
int lt_call_ints(lt_call *call, const char *name, int64_t *out, int max);
int lt_call_floats(lt_call *call, const char *name, double *out, int max);
int64_t lt_call_int_at(lt_call *call, const char *name, uint32_t index); /* entry of a list of any length */
uint32_t lt_call_count(lt_call *call, const char *name);                 /* entries of a list */
bool lt_call_bools(lt_call *call, const char *name, int index);          /* entry of a bool list */
/* A dim argument, 0 … rank-1. */
int lt_call_dim(lt_call *call, const char *name, int rank);
/* A dim list as marks; None or empty marks all when `empty_is_all`. */
void lt_call_dims(lt_call *call, const char *name, int rank, bool empty_is_all, bool *marks);

void lt_call_return(lt_call *call, lt_id value);
void lt_call_return_arg(lt_call *call, lt_arg value);
/* The operator also overwrites an argument: the running statistics of a batch norm. */
void lt_call_write(lt_call *call, const char *name, lt_id value);

/* Builds an operator that has complex arguments. */
void lt_build_complex_call(lt_call *call);

/* All families, NULL-terminated; each family's rows end with one whose schema is NULL. */
extern const lt_aten_row *const lt_aten_families[];

/* clang-format off */
#define LT_ATEN_FAMILIES(X) \
    X(pointwise) \
    X(activation) \
    X(arithmetic) \
    X(complex) \
    X(fourier) \
    X(assign) \
    X(creation) \
    X(shape) \
    X(join) \
    X(combine) \
    X(index) \
    X(reduction) \
    X(sort) \
    X(distance) \
    X(loss) \
    X(linear) \
    X(einsum) \
    X(attention) \
    X(norm) \
    X(batch_norm) \
    X(conv) \
    X(pool) \
    X(resample) \
    X(recurrent) \
    X(primitive)
/* clang-format on */
#define X(name) extern const lt_aten_row lt_aten_##name[];
LT_ATEN_FAMILIES(X)
#undef X

/* The row of a target such as "aten.add_.Tensor", in-place and out= forms included; NULL when there is none.
 * `writes` tells whether the target overwrites its first argument or `out`. */
typedef enum lt_aten_form { LT_ATEN_FUNCTIONAL, LT_ATEN_INPLACE, LT_ATEN_OUT } lt_aten_form;

typedef struct lt_aten_table lt_aten_table;
lathe_status lt_aten_table_create(lt_arena *arena, lt_aten_table **out, lathe_error *err) LT_MUST_USE;
const lt_aten_row *lt_aten_find(const lt_aten_table *table, const char *target, lt_aten_form *form);

#endif
