/* Compiler attributes and checked size arithmetic. Included by every layer; includes nothing of lathe's. */
#ifndef LT_COMPILER_H
#define LT_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define LT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define LT_MUST_USE __attribute__((warn_unused_result))
#define LT_LIKELY(x) __builtin_expect(!!(x), 1)
#define LT_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#error "lathe needs GCC or Clang: it relies on their checked arithmetic builtins"
#endif

#define LT_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Checked arithmetic: false when the result does not fit. */
static inline bool lt_mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool lt_add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool lt_mul_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool lt_add_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_add_overflow(a, b, out);
}
static inline bool lt_sub_i64(int64_t a, int64_t b, int64_t *out)
{
    return !__builtin_sub_overflow(a, b, out);
}

/* Whether a float can become an int64, and a sum with others too. */
static inline bool lt_fits_i64(double x)
{
    const double most = (double)(INT64_C(1) << 62);
    return x >= -most && x <= most;
}

static inline int64_t lt_min_i64(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t lt_max_i64(int64_t a, int64_t b) { return a > b ? a : b; }

#endif
