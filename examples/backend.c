/* A device of another kind, as a program of one's own brings it: kernels are compiled by the C++ compiler of
 * this machine and run on its CPU, one work item after the other. Slow, but all that a backend has to be.
 *
 * Usage: backend MODEL INPUTS.safetensors (tensors called input.0, input.1 …). Runs the model on the device
 * and on lathe's CPU backend and prints how far apart the first outputs are. */
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lathe/backend.h>

static lathe_status fail(lathe_error *err, lathe_status code, const char *text)
{
    if (err) {
        err->code = code;
        snprintf(err->message, sizeof err->message, "own device: %s", text);
    }
    return code;
}

/* ---- Devices: there is one, and it has no state ---- */

/* The vocabulary of kernels, in C++. There is nothing to wait for in groups of one. */
static const char *dialect(void)
{
    return "#include <math.h>\n"
           "#include <string.h>\n"
           "#include <utility>\n"
           "typedef signed char lt_i8;\ntypedef unsigned char lt_u8;\ntypedef short lt_i16;\n"
           "typedef unsigned short lt_u16;\ntypedef long long lt_i64;\ntypedef unsigned long long lt_u64;\n"
           "typedef unsigned lt_u32;\n"
           "extern \"C\" unsigned place[3] = {};\n"
           "static inline lt_u32 bits_of(float x) { lt_u32 b; memcpy(&b, &x, sizeof b); return b; }\n"
           "static inline float float_of(lt_u32 b) { float x; memcpy(&x, &b, sizeof x); return x; }\n"
           "#define LT_KERNEL static void\n"
           "#define LT_BUF(index, type, name) type *name\n"
           "#define LT_PARAMS(index, type, name) const type &name\n"
           "#define LT_IDS\n#define LT_GLOBAL\n#define LT_LOCAL\n#define LT_PRIVATE\n"
           "#define LT_FN static inline\n"
           "#define LT_LOCAL_ARRAY(type, name, count) type name[count]\n"
           "#define LT_BARRIER ((void)0)\n"
           "#define LT_GROUP(dim) ((int)place[dim])\n"
           "#define LT_ITEM(dim) 0\n"
           "#define LT_BITS(x) bits_of(x)\n#define LT_FROM_BITS(x) float_of(x)\n"
           "#define LT_FMA(a, b, c) fmaf(a, b, c)\n"
           "#define LT_M(name) name##f\n#define LT_MD(name) name\n";
}

static lathe_status enumerate(uint32_t *count, const char **why, lathe_error *err)
{
    (void)err;
    *count = 1;
    *why = "";
    return LATHE_OK;
}

static lathe_status open_device(uint32_t index, lathe_device **out, lathe_device_info *info, lathe_error *err)
{
    static char any;
    if (index > 0) return fail(err, LATHE_DEVICE, "there is one device");
    *out = (lathe_device *)(void *)&any;
    *info = (lathe_device_info){.name = "this machine's C++ compiler",
                                .driver = "1",
                                .max_group = 1,
                                .local_bytes = 32 << 10,
                                .features = LATHE_DEVICE_F64 | LATHE_DEVICE_SHARED | LATHE_DEVICE_SERIAL};
    return LATHE_OK;
}

static void close_device(lathe_device *device) { (void)device; }

/* ---- Memory: the host's own ---- */

struct lathe_buffer {
    char *bytes;
    int own;
};

static lathe_status make_buffer(void *bytes, int own, lathe_buffer **out, lathe_error *err)
{
    *out = bytes ? malloc(sizeof **out) : NULL;
    if (!*out) return fail(err, LATHE_NO_MEMORY, "out of memory");
    **out = (lathe_buffer){bytes, own};
    return LATHE_OK;
}

static lathe_status alloc_buffer(lathe_device *device, size_t bytes, lathe_buffer **out, lathe_error *err)
{
    (void)device;
    return make_buffer(calloc(1, bytes ? bytes : 1), 1, out, err);
}

static lathe_status import(lathe_device *device, void *host, size_t bytes, lathe_buffer **out,
                           lathe_error *err)
{
    (void)device, (void)bytes;
    return make_buffer(host, 0, out, err);
}

static void free_buffer(lathe_device *device, lathe_buffer *buffer)
{
    (void)device;
    if (buffer && buffer->own) free(buffer->bytes);
    free(buffer);
}

/* Nothing is ever under way here, so copies are done at once; memory that was imported is there already. */
static lathe_status write_buffer(lathe_device *device, lathe_buffer *to, size_t offset, const void *host,
                                 size_t bytes, lathe_error *err)
{
    (void)device, (void)err;
    if (bytes) memmove(to->bytes + offset, host, bytes);
    return LATHE_OK;
}

static lathe_status read_buffer(lathe_device *device, lathe_buffer *from, size_t offset, void *host,
                                size_t bytes, lathe_error *err)
{
    (void)device, (void)err;
    if (bytes) memmove(host, from->bytes + offset, bytes);
    return LATHE_OK;
}

/* ---- Kernels: libraries that are made and loaded ---- */

typedef struct prepared {
    void *library, *arguments[LATHE_MAX_BUFFERS + 1], *pointers[LATHE_MAX_BUFFERS];
    void (*call)(void **arguments); /* an argument's address each */
    unsigned *place, groups[3];
    char params[LATHE_MAX_PARAMS];
} prepared;

struct lathe_batch {
    uint32_t n;
    prepared launches[]; /* [n] */
};

/* Behind the text comes what calls its kernel, whatever its arguments are. */
static int write_source(const lathe_kernel *kernel, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file) return 0;
    fprintf(file,
            "%s\n"
            "template <class... A, size_t... I> static void call(void (*f)(A...), void **a, "
            "std::index_sequence<I...>)\n"
            "{ f(*(std::remove_reference_t<A> *)a[I]...); }\n"
            "template <class... A> static void call(void (*f)(A...), void **a)\n"
            "{ call(f, a, std::index_sequence_for<A...>()); }\n"
            "extern \"C\" void run(void **arguments) { call(%s, arguments); }\n",
            kernel->source, kernel->entry);
    return fclose(file) == 0;
}

static void *compile(const lathe_kernel *kernel)
{
    char folder[] = "/tmp/own-device-XXXXXX", source[64], library[64], command[256];
    if (!mkdtemp(folder)) return NULL;
    snprintf(source, sizeof source, "%s/kernel.cc", folder);
    snprintf(library, sizeof library, "%s/kernel.so", folder);
    snprintf(command, sizeof command, "c++ -std=c++17 -O1 -w -ffp-contract=off -fPIC -shared -o %s %s",
             library, source);
    void *loaded = write_source(kernel, source) && system(command) == 0 ? dlopen(library, RTLD_NOW) : NULL;
    unlink(source);
    unlink(library);
    rmdir(folder);
    return loaded;
}

static lathe_status prepare_launch(const lathe_launch *launch, prepared *out, lathe_error *err)
{
    out->library = compile(launch->kernel);
    if (!out->library) return fail(err, LATHE_DEVICE, "a kernel does not compile");
    void *call = dlsym(out->library, "run");
    memcpy(&out->call, &call, sizeof call);
    out->place = dlsym(out->library, "place");
    for (uint32_t i = 0; i < launch->n_buffers; i++) {
        out->pointers[i] = launch->buffers[i]->bytes;
        out->arguments[i] = &out->pointers[i];
    }
    memcpy(out->params, launch->params, launch->params_bytes);
    out->arguments[launch->n_buffers] = out->params;
    memcpy(out->groups, launch->groups, sizeof out->groups);
    return LATHE_OK;
}

static void release(lathe_device *device, lathe_batch *batch)
{
    (void)device;
    for (uint32_t i = 0; i < batch->n; i++)
        if (batch->launches[i].library) dlclose(batch->launches[i].library);
    free(batch);
}

static lathe_status prepare(lathe_device *device, const lathe_launch *launches, uint32_t n, lathe_batch **out,
                            lathe_error *err)
{
    lathe_batch *batch = calloc(1, sizeof *batch + n * sizeof *batch->launches);
    lathe_status status = batch ? LATHE_OK : fail(err, LATHE_NO_MEMORY, "out of memory");
    *out = NULL;
    if (batch) batch->n = n;
    for (uint32_t i = 0; i < n && status == LATHE_OK; i++)
        status = prepare_launch(&launches[i], &batch->launches[i], err);
    if (status == LATHE_OK) *out = batch;
    else if (batch) release(device, batch);
    return status;
}

/* A group is one work item. */
static lathe_status submit(lathe_device *device, lathe_batch *batch, lathe_error *err)
{
    (void)device, (void)err;
    for (uint32_t i = 0; i < batch->n; i++) {
        prepared *p = &batch->launches[i];
        for (p->place[2] = 0; p->place[2] < p->groups[2]; p->place[2]++)
            for (p->place[1] = 0; p->place[1] < p->groups[1]; p->place[1]++)
                for (p->place[0] = 0; p->place[0] < p->groups[0]; p->place[0]++) p->call(p->arguments);
    }
    return LATHE_OK;
}

static lathe_status flush(lathe_device *device, uint64_t *ticket, lathe_error *err)
{
    (void)device, (void)err;
    *ticket = 1;
    return LATHE_OK;
}

static lathe_status wait_for(lathe_device *device, uint64_t ticket, lathe_error *err)
{
    (void)device, (void)ticket, (void)err;
    return LATHE_OK;
}

static const lathe_backend own = {.name = "own",
                                  .dialect = dialect,
                                  .enumerate = enumerate,
                                  .open = open_device,
                                  .close = close_device,
                                  .alloc = alloc_buffer,
                                  .import = import,
                                  .free = free_buffer,
                                  .write = write_buffer,
                                  .read = read_buffer,
                                  .prepare = prepare,
                                  .release = release,
                                  .submit = submit,
                                  .flush = flush,
                                  .wait = wait_for};

/* ---- Both runs ---- */

static lathe_error error;

static void check(lathe_status status)
{
    if (status == LATHE_OK) return;
    fprintf(stderr, "backend: %s\n", error.message);
    exit(1);
}

static lathe_session *run(lathe_model *model, lathe_tensors *inputs, const char *device)
{
    static const lathe_backend *const backends[] = {&own, NULL};
    const lathe_session_options options = {
        .placement = {.device = device, .backends = backends, .keep_islands = 1}};
    lathe_session *session;
    check(lathe_session_create(model, &options, &session, &error));
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        char name[32];
        lathe_tensor tensor;
        int found;
        snprintf(name, sizeof name, "input.%zu", i);
        check(lathe_tensors_get(inputs, name, &tensor, &found, &error));
        if (found) check(lathe_session_set_input(session, i, &tensor, &error));
    }
    check(lathe_session_run(session, &error));
    return session;
}

int main(int argc, char **argv)
{
    lathe_model *model;
    lathe_tensors *inputs;
    lathe_tensor there, here;
    double largest = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: backend MODEL INPUTS.safetensors\n");
        return 2;
    }
    check(lathe_model_open(argv[1], &model, &error));
    check(lathe_tensors_open(argv[2], &inputs, &error));
    lathe_session *on_device = run(model, inputs, "own:0"), *on_cpu = run(model, inputs, "cpu");
    check(lathe_session_output(on_device, 0, &there, &error));
    check(lathe_session_output(on_cpu, 0, &here, &error));
    for (int64_t i = 0; i < lathe_tensor_count(&here); i++)
        largest = fmax(largest, fabs(lathe_tensor_value(&there, i) - lathe_tensor_value(&here, i)));
    printf("largest difference %.3g\n", largest);
    lathe_session_close(on_device);
    lathe_session_close(on_cpu);
    lathe_tensors_close(inputs);
    lathe_model_close(model);
    return largest < 1e-4 ? 0 : 1;
}
