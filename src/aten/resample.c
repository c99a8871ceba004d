/* Resampling. */
#include "aten/aten.h"

const lt_aten_row lt_aten_resample[] = {{NULL, NULL, 0}};
