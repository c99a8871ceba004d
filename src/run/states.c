/* Makes states, and moves them between devices. */
#include "run/states.h"

#include <string.h>

#include "ops/convert.h"

static void drop_buffers(lt_states *s, uint32_t i)
{
    for (uint32_t g = 0; g < s->devices->n; g++) {
        if (!s->buffers[g] || !s->buffers[g][i]) continue;
        s->devices->gpus[g]->backend->free(s->devices->gpus[g]->device, s->buffers[g][i]);
        s->buffers[g][i] = NULL;
        s->changes++;
    }
}

void lt_states_free(lt_states *s)
{
    for (uint32_t i = 0; i < s->n && s->data; i++) {
        drop_buffers(s, i);
        lt_os_free(s->data[i]);
    }
    for (uint32_t g = 0; s->devices && g < s->devices->n; g++) {
        lt_heap_free(s->buffers[g]);
        lt_heap_free(s->shared[g]);
    }
    lt_heap_free(s->data);
    lt_heap_free(s->types);
    lt_heap_free(s->home);
    *s = (lt_states){0};
}

lathe_status lt_states_init(lt_states *s, uint32_t i, uint32_t weight, lathe_error *err)
{
    const lathe_model *model = s->devices->model;
    lt_tensor state = lt_tensor_of(&s->types[i], s->data[i]);
    s->home[i] = s->devices->n;
    memset(state.data, 0, lt_type_bytes(&s->types[i]));
    if (weight == LT_NONE) return LATHE_OK;
    LT_TRY(lt_model_need_weight(s->devices->model, weight, err));
    lt_tensor from = state;
    from.data = (void *)(uintptr_t)model->weights[weight].data;
    memcpy(from.stride, model->weights[weight].stride, sizeof from.stride);
    lt_tensor_copy(&from, &state);
    return LATHE_OK;
}

static lathe_status make_lists(lt_states *s, uint32_t n, lathe_error *err)
{
    lt_devices *devices = s->devices;
    lt_states_free(s); /* of an attempt that ran out of memory */
    *s = (lt_states){.devices = devices, .n = n};
    s->data = lt_heap_alloc(n, sizeof *s->data);
    s->types = lt_heap_alloc(n, sizeof *s->types);
    s->home = lt_heap_alloc(n, sizeof *s->home);
    s->made = s->data && s->types && s->home;
    for (uint32_t g = 0; g < devices->n && s->made; g++) {
        s->buffers[g] = lt_heap_alloc(n, sizeof *s->buffers[g]);
        s->shared[g] = lt_heap_alloc(n, sizeof *s->shared[g]);
        s->made = s->buffers[g] && s->shared[g];
    }
    return s->made ? LATHE_OK : lt_out_of_memory(err, n, sizeof *s->types);
}

lathe_status lt_states_need(lt_states *s, const lt_graph *graph, lathe_error *err)
{
    if (!s->made) LT_TRY(make_lists(s, graph->n_states, err));
    if (graph->n_states != s->n)
        LT_FAIL(err, UNSUPPORTED, "%u states at these sizes, %u at others", graph->n_states, s->n);
    for (uint32_t i = 0; i < s->n; i++) {
        const lt_type *type = &graph->values[graph->states[i].before].type;
        if (s->data[i] && lt_type_equal(&s->types[i], type)) continue;
        void *data = lt_os_alloc(lt_type_bytes(type));
        if (!data) return lt_out_of_memory(err, lt_type_bytes(type), 1);
        drop_buffers(s, i);
        lt_os_free(s->data[i]);
        s->data[i] = data;
        s->types[i] = *type;
        lathe_status status = lt_states_init(s, i, graph->states[i].weight, err);
        if (status == LATHE_OK) continue;
        lt_os_free(s->data[i]); /* so that the next attempt starts again */
        s->data[i] = NULL;
        return status;
    }
    return LATHE_OK;
}

bool lt_states_shared(const lt_states *s, uint32_t i, uint32_t device)
{
    return device == s->devices->n || s->shared[device][i];
}

lathe_status lt_states_read(lt_states *s, uint32_t i, lathe_error *err)
{
    if (s->home[i] == s->devices->n) return LATHE_OK;
    lt_gpu *gpu = s->devices->gpus[s->home[i]];
    LT_TRY(gpu->backend->read(gpu->device, s->buffers[s->home[i]][i], 0, s->data[i],
                              lt_type_bytes(&s->types[i]), err));
    return lt_devices_finish(gpu, err);
}

lathe_status lt_states_move(lt_states *s, uint32_t i, uint32_t device, lathe_error *err)
{
    if (s->home[i] == device) return LATHE_OK;
    LT_TRY(lt_states_read(s, i, err));
    s->home[i] = s->devices->n;
    if (device == s->devices->n) return LATHE_OK;
    lt_gpu *gpu = s->devices->gpus[device];
    lathe_buffer **buffer = &s->buffers[device][i];
    size_t bytes = lt_type_bytes(&s->types[i]);
    if (*buffer) {
        LT_TRY(gpu->backend->write(gpu->device, *buffer, 0, s->data[i], bytes, err));
    } else {
        LT_TRY(lt_devices_share(gpu, s->data[i], bytes, buffer, &s->shared[device][i], err));
        s->changes++;
    }
    s->home[i] = device;
    return LATHE_OK;
}
