/* One step on a device, or two that may be lowered as one, compared with the operators' references: operands
 * in several layouts, with bytes around and between their elements that must stay. */
#ifndef LT_DEVICE_CASE_H
#define LT_DEVICE_CASE_H

#include "backend/gpu.h"

enum { CASE_INPUTS = 8, CASE_MORE = 2 };

/* An elementwise step over the result of a case. */
typedef struct lt_case_next {
    lt_op op;
    lt_attrs attrs;
    uint32_t n_more, at; /* operands besides; the result is operand `at` */
    lt_type more[CASE_MORE];
} lt_case_next;

typedef struct lt_case {
    lt_op op;
    lt_attrs attrs;
    uint32_t n_in;
    lt_type in[CASE_INPUTS];
    int64_t below[CASE_INPUTS]; /* integers of this input are 0 to below - 1; 0: any small ones */
    bool scaled[CASE_INPUTS];   /* rows of int8 with a scale (base/cache_row.h): dense in every layout */
    bool packed;                /* the matrix, input 1 of LINEAR or 0 of INDEX, is packed as `packing` says */
    lt_packing packing;
    bool special;             /* NaN and infinities among the floats */
    int shift;                /* elements before each operand: no address is a round one then */
    double terms;             /* how many numbers are added up for an element, about */
    const lt_case_next *next; /* must be computed with it where all lies densely; NULL: there is none */
} lt_case;

typedef enum lt_layout { LAYOUT_DENSE, LAYOUT_SWAPPED, LAYOUT_SPREAD, LAYOUTS } lt_layout;

typedef enum lt_outcome { CASE_PASSED, CASE_FAILED, CASE_DECLINED } lt_outcome;

/* *why: what is wrong, or why the device does not take it; printed into `text`. `in_place`: an UPDATE
 * operator writes into its input. */
lt_outcome lt_case_run(lt_gpu *gpu, const lt_case *c, lt_layout layout, bool in_place, uint64_t seed,
                       char text[256]);

#endif
