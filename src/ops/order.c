/* Sorting and selection of keys: see order.tmpl.h. */
#include "ops/order.h"

#define LT_FN static
#define LT_GLOBAL
#include "ops/order.tmpl.h"

void lt_keys_sort(lt_keyed *keys, int64_t n) { sort_keys(keys, n); }

void lt_keys_select(lt_keyed *keys, int64_t n, int64_t k, bool sorted) { select_keys(keys, n, k, sorted); }
