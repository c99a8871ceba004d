/* libnvrtc for tests: kernels are compiled for this machine's CPU. What it calls a cubin names the library
 * that came of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/dl_cuda.h"
#include "runner.h"
#include "standin_cuda.h"

#define EXPORT __attribute__((visibility("default")))
enum { NVRTC_ERROR_COMPILATION = 6, LOG_BYTES = 64 << 10, PROGRAM = 0x9a7c };

static const int architectures[] = {75, 80, 86, 89, 90, 100, 120};

struct nvrtcProgram_st {
    int kind;
    char *source;
    char arch[32], path[STANDIN_PATH], log[LOG_BYTES];
    int compiled;
};

static int live;

/* Programs that are left when the process ends. */
__attribute__((destructor)) static void check_leaks(void)
{
    if (live) fprintf(stderr, "stand-in: %d programs of NVRTC were not destroyed\n", live);
    if (live) _Exit(1);
}

static struct nvrtcProgram_st *check(nvrtcProgram program, const char *function)
{
    if (!program || program->kind != PROGRAM) standin_violation("%s: not a program", function);
    return program;
}

EXPORT nvrtcResult nvrtcVersion(int *major, int *minor)
{
    *major = STANDIN_CUDA_VERSION / 1000;
    *minor = STANDIN_CUDA_VERSION % 1000 / 10;
    return NVRTC_SUCCESS;
}

EXPORT const char *nvrtcGetErrorString(nvrtcResult result)
{
    return result == NVRTC_SUCCESS ? "NVRTC_SUCCESS" : "NVRTC_ERROR_COMPILATION";
}

EXPORT nvrtcResult nvrtcGetNumSupportedArchs(int *n)
{
    *n = sizeof architectures / sizeof *architectures;
    return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetSupportedArchs(int *out)
{
    memcpy(out, architectures, sizeof architectures);
    return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcCreateProgram(nvrtcProgram *out, const char *source, const char *name, int n_headers,
                                      const char *const *headers, const char *const *names)
{
    (void)headers, (void)names;
    if (!source || !name || n_headers)
        standin_violation("nvrtcCreateProgram: expected a source and no headers");
    struct nvrtcProgram_st *program = calloc(1, sizeof *program);
    char *copy = malloc(strlen(source) + 1);
    if (!program || !copy) standin_violation("no memory for a program");
    program->kind = PROGRAM;
    program->source = strcpy(copy, source);
    *out = program;
    live++;
    return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program)
{
    struct nvrtcProgram_st *p = check(*program, "nvrtcDestroyProgram");
    free(p->source);
    p->kind = 0;
    free(p);
    *program = NULL;
    live--;
    return NVRTC_SUCCESS;
}

/* Options that change results or that a real one does not know are not let through. */
static void read_option(struct nvrtcProgram_st *p, const char *option, int *exact)
{
    static const char *const known[] = {"-default-device", "--disable-warnings"};
    static const char arch[] = "--gpu-architecture=";
    if (strncmp(option, arch, strlen(arch)) == 0) {
        snprintf(p->arch, sizeof p->arch, "%s", option + strlen(arch));
        return;
    }
    *exact |= strcmp(option, "--fmad=false") == 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(option, known[i]) == 0) return;
    if (strcmp(option, "--fmad=false") != 0) standin_violation("nvrtcCompileProgram: option %s", option);
}

EXPORT nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int n_options, const char *const *options)
{
    struct nvrtcProgram_st *p = check(program, "nvrtcCompileProgram");
    int exact = 0;
    for (int i = 0; i < n_options; i++) read_option(p, options[i], &exact);
    if (!exact) standin_violation("nvrtcCompileProgram: without --fmad=false results differ from the CPU's");
    p->compiled = standin_compile("cuda.hh", p->source, p->path, p->log, sizeof p->log);
    return p->compiled ? NVRTC_SUCCESS : NVRTC_ERROR_COMPILATION;
}

EXPORT nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t *size)
{
    *size = strlen(check(program, "nvrtcGetProgramLogSize")->log) + 1;
    return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char *log)
{
    strcpy(log, check(program, "nvrtcGetProgramLog")->log);
    return NVRTC_SUCCESS;
}

static size_t code_size(struct nvrtcProgram_st *p)
{
    return strlen(STANDIN_CODE_MAGIC) + sizeof p->arch + sizeof p->path;
}

/* Real code for a real architecture, text for a virtual one. */
static nvrtcResult get_code(nvrtcProgram program, char *out, size_t *size, const char *kind,
                            const char *function)
{
    struct nvrtcProgram_st *p = check(program, function);
    if (!p->compiled || strncmp(p->arch, kind, strlen(kind)) != 0)
        standin_violation("%s: the program was compiled for '%s'", function, p->arch);
    if (size) *size = code_size(p);
    if (!out) return NVRTC_SUCCESS;
    memset(out, 0, code_size(p));
    sprintf(out, "%s%s %s", STANDIN_CODE_MAGIC, p->arch, p->path);
    return NVRTC_SUCCESS;
}

EXPORT nvrtcResult nvrtcGetCUBINSize(nvrtcProgram p, size_t *size)
{
    return get_code(p, NULL, size, "sm_", "nvrtcGetCUBINSize");
}
EXPORT nvrtcResult nvrtcGetCUBIN(nvrtcProgram p, char *out)
{
    return get_code(p, out, NULL, "sm_", "nvrtcGetCUBIN");
}
EXPORT nvrtcResult nvrtcGetPTXSize(nvrtcProgram p, size_t *size)
{
    return get_code(p, NULL, size, "compute_", "nvrtcGetPTXSize");
}
EXPORT nvrtcResult nvrtcGetPTX(nvrtcProgram p, char *out)
{
    return get_code(p, out, NULL, "compute_", "nvrtcGetPTX");
}
