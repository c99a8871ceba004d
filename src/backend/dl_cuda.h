/* The entry points of the CUDA driver and of NVRTC that we load at run time, and as much of their headers as
 * they need. */
#ifndef LT_DL_CUDA_H
#define LT_DL_CUDA_H

#include <stddef.h>
#include <stdint.h>

typedef int CUresult;
typedef int CUdevice;
typedef uintptr_t CUdeviceptr; /* unsigned long long where pointers have 64 bits */
typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUgraph_st *CUgraph;
typedef struct CUgraphExec_st *CUgraphExec;
typedef int nvrtcResult;
typedef struct nvrtcProgram_st *nvrtcProgram;

enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 1,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK = 8,
    CU_DEVICE_ATTRIBUTE_WARP_SIZE = 10,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
    CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK = 0,
    CU_STREAM_NON_BLOCKING = 1,
    CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1,
    CU_EVENT_DISABLE_TIMING = 2,
    CU_JIT_ERROR_LOG_BUFFER = 5,
    CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6,
    NVRTC_SUCCESS = 0
};

/* X(result, name, arguments) */
#define LT_CUDA_FUNCTIONS(X)                                                                                \
    X(CUresult, cuInit, (unsigned))                                                                         \
    X(CUresult, cuDriverGetVersion, (int *))                                                                \
    X(CUresult, cuGetErrorName, (CUresult, const char **))                                                  \
    X(CUresult, cuGetErrorString, (CUresult, const char **))                                                \
    X(CUresult, cuDeviceGetCount, (int *))                                                                  \
    X(CUresult, cuDeviceGet, (CUdevice *, int))                                                             \
    X(CUresult, cuDeviceGetName, (char *, int, CUdevice))                                                   \
    X(CUresult, cuDeviceGetAttribute, (int *, int, CUdevice))                                               \
    X(CUresult, cuDeviceTotalMem_v2, (size_t *, CUdevice))                                                  \
    X(CUresult, cuCtxCreate_v2, (CUcontext *, unsigned, CUdevice))                                          \
    X(CUresult, cuCtxDestroy_v2, (CUcontext))                                                               \
    X(CUresult, cuCtxPushCurrent_v2, (CUcontext))                                                           \
    X(CUresult, cuCtxPopCurrent_v2, (CUcontext *))                                                          \
    X(CUresult, cuStreamCreate, (CUstream *, unsigned))                                                     \
    X(CUresult, cuStreamDestroy_v2, (CUstream))                                                             \
    X(CUresult, cuStreamSynchronize, (CUstream))                                                            \
    X(CUresult, cuStreamBeginCapture_v2, (CUstream, int))                                                   \
    X(CUresult, cuStreamEndCapture, (CUstream, CUgraph *))                                                  \
    X(CUresult, cuEventCreate, (CUevent *, unsigned))                                                       \
    X(CUresult, cuEventDestroy_v2, (CUevent))                                                               \
    X(CUresult, cuEventRecord, (CUevent, CUstream))                                                         \
    X(CUresult, cuEventSynchronize, (CUevent))                                                              \
    X(CUresult, cuMemAlloc_v2, (CUdeviceptr *, size_t))                                                     \
    X(CUresult, cuMemFree_v2, (CUdeviceptr))                                                                \
    X(CUresult, cuMemHostAlloc, (void **, size_t, unsigned))                                                \
    X(CUresult, cuMemFreeHost, (void *))                                                                    \
    X(CUresult, cuMemcpyHtoDAsync_v2, (CUdeviceptr, const void *, size_t, CUstream))                        \
    X(CUresult, cuMemcpyDtoHAsync_v2, (void *, CUdeviceptr, size_t, CUstream))                              \
    X(CUresult, cuModuleLoadDataEx, (CUmodule *, const void *, unsigned, int *, void **))                   \
    X(CUresult, cuModuleUnload, (CUmodule))                                                                 \
    X(CUresult, cuModuleGetFunction, (CUfunction *, CUmodule, const char *))                                \
    X(CUresult, cuFuncGetAttribute, (int *, int, CUfunction))                                               \
    X(CUresult, cuLaunchKernel,                                                                             \
      (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **, \
       void **))                                                                                            \
    X(CUresult, cuGraphInstantiateWithFlags, (CUgraphExec *, CUgraph, unsigned long long))                  \
    X(CUresult, cuGraphLaunch, (CUgraphExec, CUstream))                                                     \
    X(CUresult, cuGraphDestroy, (CUgraph))                                                                  \
    X(CUresult, cuGraphExecDestroy, (CUgraphExec))

#define LT_NVRTC_FUNCTIONS(X)                                                                      \
    X(nvrtcResult, nvrtcVersion, (int *, int *))                                                   \
    X(const char *, nvrtcGetErrorString, (nvrtcResult))                                            \
    X(nvrtcResult, nvrtcGetNumSupportedArchs, (int *))                                             \
    X(nvrtcResult, nvrtcGetSupportedArchs, (int *))                                                \
    X(nvrtcResult, nvrtcCreateProgram,                                                             \
      (nvrtcProgram *, const char *, const char *, int, const char *const *, const char *const *)) \
    X(nvrtcResult, nvrtcDestroyProgram, (nvrtcProgram *))                                          \
    X(nvrtcResult, nvrtcCompileProgram, (nvrtcProgram, int, const char *const *))                  \
    X(nvrtcResult, nvrtcGetProgramLogSize, (nvrtcProgram, size_t *))                               \
    X(nvrtcResult, nvrtcGetProgramLog, (nvrtcProgram, char *))                                     \
    X(nvrtcResult, nvrtcGetCUBINSize, (nvrtcProgram, size_t *))                                    \
    X(nvrtcResult, nvrtcGetCUBIN, (nvrtcProgram, char *))                                          \
    X(nvrtcResult, nvrtcGetPTXSize, (nvrtcProgram, size_t *))                                      \
    X(nvrtcResult, nvrtcGetPTX, (nvrtcProgram, char *))

#endif
