/* Sorting and searching. */
#include "aten/aten.h"

const lt_aten_row lt_aten_sort[] = {{NULL, NULL, 0}};
