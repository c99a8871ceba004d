#include "backend/gpu.h"

const lt_gpu_row lt_gpu_row_rows[] = {
    {0, NULL},
};
