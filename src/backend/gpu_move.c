#include "backend/gpu.h"

const lt_gpu_row lt_gpu_move_rows[] = {
    {0, NULL},
};
