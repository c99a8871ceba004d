/* Compiles texts of kernels with the real NVRTC, where it is installed, for architectures from Ampere to
 * Blackwell; none may keep registers in memory. Usage: compile_cuda [--resources] FILE.k...; 77: there is no
 * NVRTC. With --resources it prints what each takes of a multiprocessor. */
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

static bool resources;

/* The number before a phrase of the compiler's log; 0: it says nothing of the kind. */
static int number_before(const char *log, const char *phrase)
{
    const char *at = strstr(log, phrase);
    while (at && at > log && at[-1] >= '0' && at[-1] <= '9') at--;
    return at ? atoi(at) : 0;
}

/* The lines that tell the kernels of a text apart. */
static void print_defines(const char *source)
{
    const char *line = strstr(source, "#define LT_ONLY_");
    for (; line && strncmp(line, "#define LT_", 11) == 0; line = strchr(line, '\n') + 1)
        printf("%.*s ", (int)strcspn(line + 11, "\n"), line + 11);
}

/* What the assembler says: registers of an item, local memory of a group; what it had to put elsewhere. */
static bool check_resources(const char *path, const char *source, const char *arch, const char *log)
{
    int registers = number_before(log, " registers"), spilled = number_before(log, " bytes spill stores");
    if (resources) {
        printf("%s: %d registers, %d bytes: ", arch, registers, number_before(log, " bytes smem"));
        print_defines(source);
        printf("\n");
    }
    if (spilled) printf("%s keeps %d bytes of registers in memory on %s\n", path, spilled, arch);
    return !spilled;
}

static bool compile(const char *path, const char *source, const char *arch)
{
    char option[64], log[4096] = "";
    const char *const options[] = {option, "--fmad=false", "-default-device", "--disable-warnings",
                                   "--ptxas-options=-v"};
    nvrtcProgram program = NULL;
    size_t size = 0;
    snprintf(option, sizeof option, "--gpu-architecture=%s", arch);
    bool good = rtc.nvrtcCreateProgram(&program, source, path, 0, NULL, NULL) == NVRTC_SUCCESS &&
                rtc.nvrtcCompileProgram(program, LT_COUNT(options), options) == NVRTC_SUCCESS &&
                rtc.nvrtcGetCUBINSize(program, &size) == NVRTC_SUCCESS && size > 0;
    if (rtc.nvrtcGetProgramLogSize(program, &size) == NVRTC_SUCCESS && size < sizeof log)
        rtc.nvrtcGetProgramLog(program, log);
    if (!good) printf("%s does not compile for %s:\n%s\n", path, arch, log);
    else good = check_resources(path, source, arch, log);
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
    resources = argc > 1 && strcmp(argv[1], "--resources") == 0;
    for (int i = 1 + resources; i < argc; i++) failed += compile_file(argv[i]);
    rtc.nvrtcVersion(&major, &minor);
    printf("%d kernels, NVRTC %d.%d, %d failures\n", argc - 1 - resources, major, minor, failed);
    return failed != 0;
}
