/* Attention. */
#include "aten/aten.h"

const lt_aten_row lt_aten_attention[] = {{NULL, NULL, 0}};
