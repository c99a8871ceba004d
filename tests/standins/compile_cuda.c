/* Compiles texts of kernels with the real NVRTC, where it is installed, for architectures from Ampere to
 * Blackwell. Usage: compile_cuda FILE.k...; 77: there is no NVRTC. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/dl_cuda.h"
#include "base/os.h"

static struct {
#define X(result, name, arguments) result(*name) arguments;
    LT_NVRTC_FUNCTIONS(X)
#undef X
} rtc;

static bool load(void)
{
    static const char *const names[] = {"libnvrtc.so.13", "/usr/local/cuda/lib64/libnvrtc.so.13",
                                        "libnvrtc.so.12", "/usr/local/cuda/lib64/libnvrtc.so.12"};
    const char *given = getenv("LATHE_NVRTC");
    void *library = given ? dlopen(given, RTLD_NOW) : NULL;
    for (size_t i = 0; i < LT_COUNT(names) && !library; i++) library = dlopen(names[i], RTLD_NOW);
    if (!library) return false;
#define X(result, name, arguments)               \
    {                                            \
        void *found = dlsym(library, #name);     \
        if (!found) return false;                \
        memcpy(&rtc.name, &found, sizeof found); \
    }
    LT_NVRTC_FUNCTIONS(X)
#undef X
    return true;
}

static bool compile(const char *path, const char *source, const char *arch)
{
    char option[64], log[4096] = "";
    const char *const options[] = {option, "--fmad=false", "-default-device", "--disable-warnings"};
    nvrtcProgram program = NULL;
    size_t size = 0;
    snprintf(option, sizeof option, "--gpu-architecture=%s", arch);
    bool good = rtc.nvrtcCreateProgram(&program, source, path, 0, NULL, NULL) == NVRTC_SUCCESS &&
                rtc.nvrtcCompileProgram(program, LT_COUNT(options), options) == NVRTC_SUCCESS &&
                rtc.nvrtcGetCUBINSize(program, &size) == NVRTC_SUCCESS && size > 0;
    if (!good && rtc.nvrtcGetProgramLogSize(program, &size) == NVRTC_SUCCESS && size < sizeof log)
        rtc.nvrtcGetProgramLog(program, log);
    if (!good) printf("%s does not compile for %s:\n%s\n", path, arch, log);
    rtc.nvrtcDestroyProgram(&program);
    return good;
}

static int compile_file(const char *path)
{
    static const char *const archs[] = {"sm_80", "sm_86", "sm_90", "sm_120"};
    lt_file file;
    int failed = 0;
    if (lt_file_open(path, &file, NULL) != LATHE_OK) return 1;
    char *source = calloc(file.size + 1, 1);
    if (!source) return 1;
    memcpy(source, file.data, file.size);
    for (size_t a = 0; a < LT_COUNT(archs); a++) failed += !compile(path, source, archs[a]);
    free(source);
    lt_file_close(&file);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0, major = 0, minor = 0;
    if (!load()) {
        printf("not run: NVRTC (libnvrtc.so) is not installed; LATHE_NVRTC may name it\n");
        return 77;
    }
    for (int i = 1; i < argc; i++) failed += compile_file(argv[i]);
    rtc.nvrtcVersion(&major, &minor);
    printf("%d kernels, NVRTC %d.%d, %d failures\n", argc - 1, major, minor, failed);
    return failed != 0;
}
