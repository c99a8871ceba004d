/* Convolution. */
#include "aten/aten.h"

const lt_aten_row lt_aten_conv[] = {{NULL, NULL, 0}};
