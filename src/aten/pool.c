/* Pooling. */
#include "aten/aten.h"

const lt_aten_row lt_aten_pool[] = {{NULL, NULL, 0}};
