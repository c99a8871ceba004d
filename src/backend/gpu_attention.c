#include "backend/gpu.h"

const lt_gpu_row lt_gpu_attention_rows[] = {
    {0, NULL},
};
