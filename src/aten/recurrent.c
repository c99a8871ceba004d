/* Recurrent layers, unrolled over time. */
#include "aten/aten.h"

const lt_aten_row lt_aten_recurrent[] = {{NULL, NULL, 0}};
