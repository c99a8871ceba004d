/* The plain matrix product, in float32, float64 and wrapping integers. */
#include "ops/product.h"

#include <stdlib.h>
#include <string.h>

#include "ops/convert.h"

enum {
    FEW = 8,                     /* rows that are not worth packing b for */
    LONG = 1024,                 /* elements of a row that are loaded at a time */
    ROWS = 4,                    /* ROWS x PANEL sums are held in registers */
    PANEL = 8,                   /* columns of a packed panel */
    COLUMNS = 4 * PANEL,         /* columns of a packed block */
    BLOCK = 256,                 /* k of a packed block */
    MANY = 128,                  /* rows that a packed block serves */
    SCRATCH_ELEMENTS = 20 * LONG /* enough for each of the three loops */
};
_Static_assert(SCRATCH_ELEMENTS >= (2 * FEW + 1) * LONG, "few_by_rows");
_Static_assert(SCRATCH_ELEMENTS >= (4 + FEW) * LONG + 4, "few_by_columns");
_Static_assert(SCRATCH_ELEMENTS >= COLUMNS * BLOCK + MANY * COLUMNS + ROWS * BLOCK + BLOCK, "many");

#pragma GCC diagnostic ignored "-Wconversion"
#define T float
#define DTYPE LATHE_F32
#define FN(name) name##_f32
#include "ops/product.tmpl.h"
#undef T
#undef DTYPE
#undef FN
#define T double
#define DTYPE LATHE_F64
#define FN(name) name##_f64
#include "ops/product.tmpl.h"
#undef T
#undef DTYPE
#undef FN
#define T uint64_t
#define DTYPE LATHE_I64
#define FN(name) name##_u64
#include "ops/product.tmpl.h"

size_t lt_product_scratch(void) { return SCRATCH_ELEMENTS * sizeof(double); }

void lt_product_run(const lt_product *p, void *scratch)
{
    switch (lt_class_of(p->out_dtype)) {
    case LT_CLASS_F32: product_f32(p, scratch); break;
    case LT_CLASS_F64: product_f64(p, scratch); break;
    case LT_CLASS_I64: product_u64(p, scratch); break;
    }
}
