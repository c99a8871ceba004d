/* Advanced indexing, gather and scatter. */
#include "aten/aten.h"

const lt_aten_row lt_aten_index[] = {{NULL, NULL, 0}};
