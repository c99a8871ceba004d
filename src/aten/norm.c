/* Normalisation and softmax. */
#include "aten/aten.h"

const lt_aten_row lt_aten_norm[] = {{NULL, NULL, 0}};
