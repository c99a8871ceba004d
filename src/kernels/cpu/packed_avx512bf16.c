/* Products with packed weights: VNNI. */
#include "kernels/cpu/packed_avx512.h"

enum { TILE_M = 4, TILE_PANELS = 2, FEW_ROWS = 4 };

LT_INLINE vi dot_16(vi sum, vi a, vi b) { return _mm512_dpwssd_epi32(sum, a, b); }

/* Bytes of weights are unsigned here: signed ones are moved by 128. */
#define BYTE_DOTS 1
LT_INLINE vi dot_8(vi sum, vi w, vi x) { return _mm512_dpbusd_epi32(sum, w, x); }
LT_INLINE vi unsigned_bytes(vb v, bool is_signed)
{
    return is_signed ? _mm512_xor_si512(v, _mm512_set1_epi8(-128)) : v;
}

#include "kernels/cpu/packed_pairs.h"

#define FILL lt_cpu_fill_packed_avx512bf16
#include "kernels/cpu/packed.tmpl.h"
