/* Products with packed weights: 16-bit multiply-adds. */
#include "kernels/cpu/packed_avx512.h"

enum { TILE_M = 4, TILE_PANELS = 2, FEW_ROWS = 4 };

LT_INLINE vi dot_16(vi sum, vi a, vi b) { return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)); }

#define BYTE_DOTS 0
#include "kernels/cpu/packed_pairs.h"

#define FILL lt_cpu_fill_packed_avx512
#include "kernels/cpu/packed.tmpl.h"
