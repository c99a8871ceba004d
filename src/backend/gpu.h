/* What all devices behind a lathe_backend share: steps of a program become launches of kernels. A step that
 * no lowering takes runs on the CPU; which ones do is found out by trying (lt_gpu_lower), so there is no list
 * of operators to keep. */
#ifndef LT_GPU_H
#define LT_GPU_H

#include "base/str.h"
#include "kernels/gpu/params.h"
#include "kernels/packed.h"
#include "lathe/backend.h"
#include "program/program.h"

/* An open device, and the kernels that were put together for it. */
typedef struct lt_gpu {
    const lathe_backend *backend;
    lathe_device *device;
    lathe_device_info info;
    uint32_t index; /* its number at the backend */
    lt_arena *arena;
    lt_map kernel_of; /* what a kernel is made of → its number */
    const lathe_kernel **kernels;
    uint32_t n_kernels, cap_kernels;
} lt_gpu;

lathe_status lt_gpu_open(const lathe_backend *backend, uint32_t index, lt_gpu **out,
                         lathe_error *err) LT_MUST_USE;
void lt_gpu_close(lt_gpu *gpu); /* NULL is allowed */

/* A launch whose arguments are operands of a program. */
typedef struct lt_gpu_launch {
    const lathe_kernel *kernel;
    lt_operand args[LATHE_MAX_BUFFERS];
    uint32_t n_args, params_bytes, step;
    void *params;
    uint32_t group[3], groups[3];
} lt_gpu_launch;

typedef struct lt_gpu_lowering {
    lt_gpu *gpu;
    lt_arena *arena;
    lathe_error *err;
    lathe_status status;     /* the first error; nothing is emitted from then on */
    lt_gpu_launch *launches; /* of all steps so far */
    uint32_t n, capacity;
    uint32_t step;        /* which step is being lowered: its number, set by the caller */
    uint32_t source;      /* its node in the file */
    size_t scratch_base;  /* where working memory begins in the arena of the device */
    size_t scratch_bytes; /* the most that a step wants */
    size_t scratch_used;  /* by this step */
    const char *why;      /* why the last step was declined: constant text */
    const lt_step *next;  /* the step behind it, where that may be lowered with it; NULL */
    bool took_next;       /* it was */
    /* The form of a weight that is an operand of kind PACKED. */
    lt_packing (*packing_of)(const void *packings, uint32_t weight);
    const void *packings;
} lt_gpu_lowering;

/* Appends the launches of the first of n steps. *done is how many were lowered: 1, or 2 where the next one is
 * computed with it; 0: there are no kernels for its types, sizes or attributes; why. */
lathe_status lt_gpu_lower(lt_gpu_lowering *lo, const lt_step *steps, uint32_t n, uint32_t *done,
                          lathe_error *err) LT_MUST_USE;

/* Whether any form of the operator has kernels. */
bool lt_gpu_has_lowering(lt_op op);

/* Whether a node with these types would be lowered, if all its operands lay row by row. */
lathe_status lt_gpu_takes(lt_gpu *gpu, lt_arena *arena, lt_op op, const lt_attrs *attrs, const lt_type *in,
                          uint32_t n_in, const lt_type *out, const char **why, bool *takes,
                          lathe_error *err) LT_MUST_USE;

/* Whether an argument of a launch is the memory where kernels tell that an index was out of range. */
bool lt_gpu_is_flag(const lt_operand *operand);

/* ---- For the families of lowerings ---- */

typedef bool (*lt_gpu_lower_step)(lt_gpu_lowering *lo, const lt_step *step);

/* One row for each operator with a lowering; a family's file has them. */
typedef struct lt_gpu_row {
    lt_op op;
    lt_gpu_lower_step lower;
} lt_gpu_row;

/* THE list of families. */
#define LT_GPU_FAMILIES(X) \
    X(chain)               \
    X(move)                \
    X(row)                 \
    X(fold)                \
    X(order)               \
    X(matrix)              \
    X(grouped)             \
    X(attention)           \
    X(conv)                \
    X(pool)                \
    X(resample)

#define X(family) extern const lt_gpu_row lt_gpu_##family##_rows[]; /* ends with lower NULL */
LT_GPU_FAMILIES(X)
#undef X

/* Declines: returns false with the reason. */
bool lt_gpu_decline(lt_gpu_lowering *lo, const char *why);

/* gpu_chain.c: what formulas of scalar.def call, in each class; it precedes every text that is made, and is
 * no part of what tells kernels apart. */
void lt_gpu_append_functions(lt_text *text, bool doubles);

/* The kernel `entry`, with these #define lines before everything. Its text is `body`, which may call the
 * formulas of scalar.def, and that of the file behind it; either may be NULL. NULL after an error. */
const lathe_kernel *lt_gpu_kernel(lt_gpu_lowering *lo, const char *file, const char *body, const char *entry,
                                  const char *defines);

/* Appends a launch; returns it for arguments to be added, NULL after an error. Parameters are copied. */
lt_gpu_launch *lt_gpu_emit(lt_gpu_lowering *lo, const lathe_kernel *kernel, const void *params,
                           size_t params_bytes);
void lt_gpu_arg(lt_gpu_launch *launch, const lt_operand *operand);
/* A kernel that meets an index out of range stores lt_gpu_flag_value into element 0 of this argument. */
void lt_gpu_flag_arg(lt_gpu_launch *launch);
int lt_gpu_flag_value(const lt_gpu_lowering *lo);

/* `items` work items in one dimension, in groups of `group`; false: too many. */
bool lt_gpu_grid(lt_gpu_launch *launch, int64_t items, uint32_t group);

/* Working memory for this step, as an operand of that type. */
lt_operand lt_gpu_scratch(lt_gpu_lowering *lo, const lt_type *type);

/* Work items for kernels whose items do not talk to each other, and for those that share a row. */
uint32_t lt_gpu_group(const lt_gpu *gpu);
uint32_t lt_gpu_team(const lt_gpu *gpu);

/* Where element 0 of an operand is, in elements from the start of its buffer; false: not in 31 bits. */
bool lt_gpu_offset(const lt_operand *operand, int *offset);

/* Offset and strides of an operand, right-aligned to `rank` dims of these sizes (missing ones repeat). */
bool lt_gpu_view(const lt_operand *operand, int rank, const int64_t *dim, lt_view *view);

/* An integer dtype of that size, and a copy of the bits between operands of one shape and size. */
lt_dtype lt_gpu_bits(lt_dtype dtype);
bool lt_gpu_copy(lt_gpu_lowering *lo, const lt_operand *from, const lt_operand *to);

/* The same of an operand with its own dims, or declines. */
bool lt_gpu_own_view(lt_gpu_lowering *lo, const lt_operand *operand, lt_view *view);
void lt_gpu_dims(const lt_tensor *tensor, int *dim);

/* Joins dims that lie one after the other in every view, and leaves out those of one element; how many are
 * left, at least one. */
int lt_gpu_join(int *dim, int rank, lt_view *view, int n_views);

/* Takes a view apart into the dims that are not marked, with the offset, and those that are; how many are
 * not.
 */
int lt_gpu_split(const lt_view *view, int rank, const bool *marked, lt_view *rest, lt_view *taken);

/* A double as floats that kernels add up (LT_NUMBER). */
void lt_gpu_number(double x, float out[3]);

/* Lines of operands (lt_lines_params), which a kernel goes through. */
typedef struct lt_gpu_lines {
    lt_lines_params p;
    int rank, inner;      /* dims of where lines begin, and of a line */
    uint32_t items, team; /* work items of a group, and of those that share a line */
} lt_gpu_lines;

/* Lines along the marked dims of a tensor. */
void lt_gpu_lines_of(lt_gpu_lines *lines, const lt_tensor *tensor, const bool *marked);
/* The view `at` of the lines: of an operand with the dims of that tensor, of one without the marked dims, or
 * with size 1 there. Declines what 32 bits do not reach. */
bool lt_gpu_lines_add(lt_gpu_lowering *lo, lt_gpu_lines *lines, int at, const lt_operand *operand,
                      const bool *marked, int rank);
/* Once all views are there: joins dims (those of a line too, when `whole`), and chooses items; `shared`:
 * items may share a line. */
void lt_gpu_lines_finish(const lt_gpu *gpu, lt_gpu_lines *lines, int n_views, bool whole, bool shared);
/* The kernel for them, with more #define lines. */
const lathe_kernel *lt_gpu_lines_kernel(lt_gpu_lowering *lo, const lt_gpu_lines *lines, const char *text,
                                        const char *entry, const char *defines);
lt_gpu_launch *lt_gpu_lines_emit(lt_gpu_lowering *lo, const lt_gpu_lines *lines, const lathe_kernel *kernel);

/* gpu_chain.c: an elementwise step as a chain, and the text of its formulas: functions, and the lines that
 * compute r0, r1 … from the operands v0, v1 …, each in the class of its type. */
lt_attrs_chain lt_gpu_chain(const lt_step *step);
bool lt_gpu_has_formulas(lt_gpu_lowering *lo, const lt_attrs_chain *chain); /* or declines */
void lt_gpu_append_formulas(lt_text *text, const lt_attrs_chain *chain);
void lt_gpu_append_chain(lt_text *text, const lt_attrs_chain *chain, const lt_step *step);
const char *lt_gpu_class_type(const char *class); /* of C */

/* A product (matrix.k): its operands, and what the kernels are told of them. */
enum { LT_GPU_MORE = 2 };
typedef struct lt_gpu_product {
    const lt_operand *a, *b, *bias, *out; /* bias: NULL when there is none */
    lt_product_params p;
    int rank;                            /* of the batch */
    const char *epilogue;                /* text; NULL: the product is stored as it is */
    const lt_operand *more[LT_GPU_MORE]; /* what the epilogue reads besides */
    int n_more;
} lt_gpu_product;

/* gpu_epilogue.c: has the product compute lo->next too, if that is elementwise over its result. */
void lt_gpu_add_epilogue(lt_gpu_lowering *lo, lt_gpu_product *product);
/* Kernels with the product's epilogue, and the last arguments of their launches. */
const lathe_kernel *lt_gpu_product_kernel(lt_gpu_lowering *lo, const lt_gpu_product *product,
                                          const char *file, const char *entry, const char *defines);
void lt_gpu_more_args(lt_gpu_launch *launch, const lt_gpu_product *product);

bool lt_gpu_multiply(lt_gpu_lowering *lo, const lt_gpu_product *product);
/* The same by fragments; *done false: the device, the types or the strides are not for them. */
bool lt_gpu_multiply_fragments(lt_gpu_lowering *lo, const lt_gpu_product *product, bool *done);

/* gpu_packed.c: the same where b is a packed weight and the bias, if any, a row; and INDEX of rows of one. */
bool lt_gpu_multiply_packed(lt_gpu_lowering *lo, const lt_gpu_product *product);
bool lt_gpu_packed_rows(lt_gpu_lowering *lo, const lt_step *step);

/* The dtype's name as common.k has it, and the name of its class ("f32", "f64", "i64"). */
const char *lt_gpu_dtype(lt_dtype dtype);
const char *lt_gpu_class(lt_dtype dtype);

/* Whether kernels can compute in that type here. */
bool lt_gpu_has(const lt_gpu *gpu, lt_dtype dtype);

#endif
