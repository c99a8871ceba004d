/* Bytes as a model: opened, imported with small sizes, lowered, and run when that is little work. */
#ifndef LT_FUZZ_MODEL_INPUT_H
#define LT_FUZZ_MODEL_INPUT_H

#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "run/model.h"

enum { LT_FUZZ_SIZE = 4, LT_FUZZ_ELEMENTS = 1 << 16, LT_FUZZ_STEPS = 500 };

/* Weights without bytes have contiguous strides; nothing is read through them. */
static inline lathe_status fuzz_strides(void *context, uint32_t weight, int64_t *stride, lathe_error *err)
{
    const lathe_model *model = context;
    (void)err;
    const lt_type *type = &model->exported->weights[weight].type;
    lt_contiguous_strides(type->rank, type->dim, stride);
    return LATHE_OK;
}

/* A graph may rightly ask for any amount of work: only little is done here. */
static inline bool fuzz_is_small(const lt_program *program)
{
    if (program->n_steps > LT_FUZZ_STEPS || program->arena_bytes > 1 << 22 ||
        program->scratch_bytes > 1 << 24)
        return false;
    for (uint32_t i = 0; i < program->n_steps; i++)
        for (uint32_t k = 0; k < program->steps[i].n_in + program->steps[i].n_out; k++)
            if (lathe_tensor_count(&program->steps[i].args[k].tensor) > LT_FUZZ_ELEMENTS) return false;
    return true;
}

static inline lathe_status fuzz_run(lathe_model *model, lathe_error *err)
{
    static const uint64_t zeros[LT_FUZZ_ELEMENTS]; /* of any dtype */
    lathe_session *session;
    LT_TRY(lathe_session_create(model, &(lathe_session_options){.threads = 1}, &session, err));
    lathe_status status = LATHE_OK;
    for (size_t i = 0; status == LATHE_OK && i < lathe_model_input_count(model); i++) {
        lathe_value_info info;
        lathe_tensor tensor;
        status = lathe_model_input(model, i, &info, err);
        if (status != LATHE_OK || info.rank < 0) continue;
        for (int d = 0; d < info.rank; d++)
            if (info.dim[d] < 0) info.dim[d] = LT_FUZZ_SIZE;
        lathe_tensor_init(&tensor, info.dtype, info.rank, info.dim, (void *)(uintptr_t)zeros);
        status = lathe_tensor_count(&tensor) <= LT_FUZZ_ELEMENTS
                     ? lathe_session_set_input(session, i, &tensor, err)
                     : LATHE_LIMIT;
    }
    if (status == LATHE_OK) status = lathe_session_run(session, err);
    lathe_session_close(session);
    return status;
}

static inline lathe_status fuzz_lower(lathe_model *model, lt_arena *arena, lathe_error *err)
{
    int64_t *bindings;
    lt_graph *graph;
    lt_program *program;
    LT_ALLOC(arena, bindings, model->exported->n_symbols, err);
    for (uint32_t i = 0; i < model->exported->n_symbols; i++) bindings[i] = LT_FUZZ_SIZE;
    lt_import_options options = {.bindings = bindings, .table = model->table};
    LT_TRY(lt_import(model->exported, &options, arena, &graph, NULL, err));
    LT_TRY(lt_program_build(graph, &(lt_weight_layout){model, fuzz_strides, NULL}, &program, err));
    return fuzz_is_small(program) ? fuzz_run(model, err) : LATHE_OK;
}

static inline void fuzz_model(const uint8_t *data, size_t size)
{
    char path[64];
    lathe_error err;
    lathe_model *model = NULL;
    lt_arena *arena = NULL;
    int fd = memfd_create("model", 0);
    if (fd < 0) return;
    bool written = write(fd, data, size) == (ssize_t)size;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (written && lathe_model_open(path, &model, &err) == LATHE_OK &&
        lt_arena_create(&arena, &err) == LATHE_OK)
        (void)!fuzz_lower(model, arena, &err);
    lt_arena_destroy(arena);
    lathe_model_close(model);
    close(fd);
}

#endif
