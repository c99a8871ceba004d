/* Opens devices, asks them what they take, and brings weights to them. */
#include "run/devices.h"

#include <string.h>

#include "backend/registry.h"

/* ---- Opening ---- */

static lathe_status open_one(lt_devices *d, const char *name, bool *reference, lathe_error *err)
{
    const lathe_backend *backend;
    uint32_t index;
    if (strcmp(name, "ref") == 0) *reference = true;
    if (*reference || strcmp(name, "cpu") == 0) return LATHE_OK;
    LT_TRY(lt_backend_find(name, d->placement.backends, &backend, &index, err));
    if (d->n == LT_MAX_DEVICES - 1) LT_FAIL(err, LIMIT, "more than %d devices", LT_MAX_DEVICES - 1);
    LT_TRY_NOTE(lt_gpu_open(backend, index, &d->gpus[d->n], err), err, "device '%s'", name);
    d->n++;
    LT_ALLOC(d->arena, d->weights[d->n - 1], d->model->exported->n_weights, err);
    LT_ALLOC(d->arena, d->packed[d->n - 1], d->model->exported->n_weights, err);
    return LATHE_OK;
}

static lathe_status open_list(lt_devices *d, bool *reference, lathe_error *err)
{
    const char *list = d->placement.device;
    char *name;
    for (;;) {
        LT_TRY(lt_next_entry(d->arena, &list, &name, err));
        if (!name) return LATHE_OK;
        LT_TRY(open_one(d, name, reference, err));
    }
}

const char *lt_devices_name(const lt_devices *d, uint32_t number, lt_arena *arena)
{
    if (number == d->n) return d->cpu ? "cpu" : "ref";
    return lt_arena_printf(arena, "%s:%u", d->gpus[number]->backend->name, d->gpus[number]->index);
}

/* ---- What the user pins ---- */

static lathe_status pin_operators(lt_devices *d, const char *list, lathe_error *err)
{
    const lt_xgraph *graph = &d->model->exported->graph;
    char *name;
    for (;;) {
        LT_TRY(lt_next_entry(d->arena, &list, &name, err));
        if (!name) return LATHE_OK;
        if (lt_str_starts_with(name, "torch.ops.")) name += strlen("torch.ops.");
        for (uint32_t i = 0; i < graph->n_nodes; i++)
            if (strcmp(graph->nodes[i].target, name) == 0) d->pinned[i] = d->n;
    }
}

static lathe_status find_number(const lt_devices *d, const char *name, uint32_t *out, lathe_error *err)
{
    for (*out = 0; *out <= d->n; ++*out) {
        const char *own = lt_devices_name(d, *out, d->arena);
        if (!own) return lt_out_of_memory(err, 1, 1);
        if (strcmp(own, name) == 0) return LATHE_OK;
    }
    LT_FAIL(err, INVALID_ARGUMENT, "pinned to '%s', which is none of the session's devices", name);
}

static lathe_status pin_nodes(lt_devices *d, const char *list, lathe_error *err)
{
    const lt_xgraph *graph = &d->model->exported->graph;
    char *entry;
    for (;;) {
        LT_TRY(lt_next_entry(d->arena, &list, &entry, err));
        if (!entry) return LATHE_OK;
        char *equals = strrchr(entry, '=');
        uint32_t device, i = 0;
        if (!equals) LT_FAIL(err, INVALID_ARGUMENT, "'%s': expected NODE=DEVICE", entry);
        *equals = 0;
        LT_TRY(find_number(d, equals + 1, &device, err));
        while (i < graph->n_nodes && strcmp(graph->nodes[i].name, entry) != 0) i++;
        if (i == graph->n_nodes) LT_FAIL(err, INVALID_ARGUMENT, "there is no node '%s' to be pinned", entry);
        d->pinned[i] = device;
    }
}

static lathe_status read_pins(lt_devices *d, lathe_error *err)
{
    uint32_t n = d->model->exported->graph.n_nodes;
    LT_ALLOC(d->arena, d->pinned, n, err);
    for (uint32_t i = 0; i < n; i++) d->pinned[i] = LT_NONE;
    LT_TRY(pin_operators(d, d->placement.cpu_ops, err));
    return pin_nodes(d, d->placement.pins, err);
}

static lathe_status read_executor(const char *name, bool *dag, lathe_error *err)
{
    *dag = name && strcmp(name, "dag") == 0;
    if (name && !*dag && strcmp(name, "linear") != 0)
        LT_FAIL(err, INVALID_ARGUMENT, "executor '%s', expected linear or dag", name);
    return LATHE_OK;
}

lathe_status lt_devices_open(lt_devices *d, lathe_model *model, const lathe_session_options *options,
                             lathe_error *err)
{
    bool reference = false;
    *d = (lt_devices){.model = model,
                      .placement = lt_placement_settle(model, options ? &options->placement : NULL)};
    d->as_saved = lt_placement_equal(&d->placement, &model->settings.placement);
    LT_TRY(read_executor(d->placement.executor, &d->dag, err));
    LT_TRY(lt_arena_create(&d->arena, err));
    LT_TRY(open_list(d, &reference, err));
    if (!reference) LT_TRY(lt_cpu_create(options ? options->threads : 0, &d->cpu, err));
    return read_pins(d, err);
}

/* Ties share a buffer. */
static void free_weights(lt_devices *d, uint32_t gpu, lathe_buffer **weights)
{
    uint32_t n = weights ? d->model->exported->n_weights : 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!weights[i]) continue;
        for (uint32_t k = i + 1; k < n; k++)
            if (weights[k] == weights[i]) weights[k] = NULL;
        d->gpus[gpu]->backend->free(d->gpus[gpu]->device, weights[i]);
    }
}

void lt_devices_close(lt_devices *d)
{
    for (uint32_t g = 0; g < d->n; g++) {
        free_weights(d, g, d->weights[g]);
        free_weights(d, g, d->packed[g]);
        lt_gpu_close(d->gpus[g]);
    }
    lt_cpu_destroy(d->cpu);
    lt_arena_destroy(d->arena);
    *d = (lt_devices){0};
}

/* ---- Partitioning ---- */

static uint32_t pinned(void *context, const lt_node *node)
{
    const lt_devices *d = context;
    return node->source < d->model->exported->graph.n_nodes ? d->pinned[node->source] : LT_NONE;
}

static lathe_status takes(void *context, uint32_t device, const lt_graph *graph, const lt_node *node,
                          const char **why, bool *out, lathe_error *err)
{
    const lt_devices *d = context;
    lt_type *in, types[LT_MAX_OUTPUTS];
    LT_ALLOC(graph->arena, in, node->n_in, err);
    for (uint32_t k = 0; k < node->n_in; k++) in[k] = graph->values[node->in[k]].type;
    for (int k = 0; k < lt_op_get(node->op)->n_out; k++) types[k] = graph->values[node->out + (lt_id)k].type;
    if (lt_op_get(node->op)->flags & LT_OP_VIEW) { /* at worst a copy */
        lt_type same = {.dtype = LATHE_F32, .rank = 1, .dim = {1}};
        same.dtype = in[0].dtype;
        return lt_gpu_takes(d->gpus[device], graph->arena, LT_OP_COPY, &node->attrs, &same, 1, &same, why,
                            out, err);
    }
    return lt_gpu_takes(d->gpus[device], graph->arena, node->op, &node->attrs, in, node->n_in, types, why,
                        out, err);
}

/* Of what decides which nodes they take: kinds, features and limits, and the kernels of this version. */
static uint64_t digest_devices(const lt_devices *d)
{
    uint64_t digest = lt_digest(LT_DIGEST_START, LATHE_VERSION, sizeof LATHE_VERSION);
    for (uint32_t g = 0; g < d->n; g++) {
        const lt_gpu *gpu = d->gpus[g];
        const lathe_device_info *info = &gpu->info;
        uint32_t limits[] = {info->max_group, info->local_bytes, info->subgroup, info->features};
        digest = lt_digest(digest, gpu->backend->name, strlen(gpu->backend->name) + 1);
        digest = lt_digest(digest, limits, sizeof limits);
    }
    return digest;
}

/* The partition that the file has for this graph on these devices; LT_NONE: it has none. */
static lathe_status find_saved(lt_devices *d, const lt_graph *graph, uint32_t *out, lathe_error *err)
{
    const lathe_model *model = d->model;
    uint64_t digest;
    *out = LT_NONE;
    d->origin = NULL;
    if (!model->n_partitions || !d->n) return LATHE_OK;
    d->origin = "formed anew: the file has none for these options";
    if (!d->as_saved) return LATHE_OK;
    LT_TRY(lt_graph_digest(graph, &digest, err));
    uint64_t devices = digest_devices(d);
    d->origin = "formed anew: the file has none for this graph";
    for (uint32_t i = 0; i < model->n_partitions && *out == LT_NONE; i++) {
        if (model->partitions[i].graph != digest) continue;
        bool fits = model->partitions[i].devices == devices;
        d->origin =
            fits ? "as the file has it" : "formed anew: the file's is for other devices, or another lathe";
        if (fits) *out = i;
    }
    return LATHE_OK;
}

lathe_status lt_devices_partition(lt_devices *d, const lt_graph *graph, lt_partition **out, lathe_error *err)
{
    lt_partition_rules rules = {.n_devices = d->n + 1,
                                .keep_islands = d->placement.keep_islands,
                                .context = d,
                                .pinned = pinned,
                                .takes = takes};
    uint32_t saved;
    LT_TRY(find_saved(d, graph, &saved, err));
    if (saved == LT_NONE) return lt_partition_graph(graph, &rules, out, err);
    rules.given = (lt_choice){d->model->partitions[saved].device_of, d->model->partitions[saved].n_nodes};
    LT_TRY_NOTE(lt_partition_graph(graph, &rules, out, err), err, "%s: section '%s'",
                d->model->exported->path, LT_LATHE_PARTITIONS);
    return LATHE_OK;
}

lathe_status lt_devices_save_partition(const lt_devices *d, const lt_partition *p, lt_text *out,
                                       lathe_error *err)
{
    uint8_t *device_of;
    LT_ALLOC(p->whole->arena, device_of, p->whole->n_nodes, err);
    for (uint32_t i = 0; i < p->whole->n_nodes; i++)
        device_of[i] = p->device_of[i] == LT_NONE ? LT_CHOICE_FREE : (uint8_t)p->device_of[i];
    lt_lathe_partition saved = {
        .devices = digest_devices(d), .device_of = device_of, .n_nodes = p->whole->n_nodes};
    LT_TRY(lt_graph_digest(p->whole, &saved.graph, err));
    lt_lathe_encode_partition(&saved, out);
    return lt_text_status(out, err);
}

/* ---- Memory ---- */

lathe_status lt_devices_finish(lt_gpu *gpu, lathe_error *err)
{
    uint64_t ticket;
    LT_TRY(gpu->backend->flush(gpu->device, &ticket, err));
    return gpu->backend->wait(gpu->device, ticket, err);
}

lathe_status lt_devices_share(lt_gpu *gpu, void *host, size_t bytes, lathe_buffer **out, bool *imported,
                              lathe_error *err)
{
    const lathe_backend *b = gpu->backend;
    bool shared = bytes && b->import && b->import(gpu->device, host, bytes, out, NULL) == LATHE_OK;
    if (imported) *imported = shared;
    if (shared) return LATHE_OK;
    LT_TRY(b->alloc(gpu->device, bytes, out, err));
    return b->write(gpu->device, *out, 0, host, bytes, err);
}

/* From its element 0 to the end of the one that lies last. */
static size_t span_bytes(const lt_type *type, const int64_t *stride)
{
    int64_t last = 0;
    for (int i = 0; i < type->rank; i++) {
        if (type->dim[i] == 0) return 0;
        last += stride[i] * (type->dim[i] - 1);
    }
    return (size_t)(last + 1) * lathe_dtype_size(type->dtype);
}

/* Memory of a device that a weight is in, unless a tie has it there already. */
static lathe_status bring_weight(lt_devices *d, uint32_t gpu, uint32_t weight, const void *data, size_t bytes,
                                 lathe_buffer **buffer, lathe_error *err)
{
    if (*buffer) return LATHE_OK;
    LT_TRY_NOTE(lt_devices_share(d->gpus[gpu], (void *)(uintptr_t)data, bytes, buffer, NULL, err), err,
                "weight '%s'", d->model->exported->weights[weight].name);
    return LATHE_OK;
}

lathe_status lt_devices_weight(lt_devices *d, uint32_t gpu, uint32_t weight, lathe_buffer **out,
                               lathe_error *err)
{
    lathe_buffer **buffer = &d->weights[gpu][weight];
    *out = *buffer;
    if (*out) return LATHE_OK;
    LT_TRY(lt_model_need_weight(d->model, weight, err));
    const lt_model_weight *w = &d->model->weights[weight];
    const lt_xweight *x = &d->model->exported->weights[weight];
    size_t bytes = span_bytes(&x->type, w->stride);
    for (uint32_t i = 0; i < d->model->exported->n_weights && !*buffer; i++) {
        const lt_model_weight *tie = &d->model->weights[i];
        if (tie->data == w->data && span_bytes(&d->model->exported->weights[i].type, tie->stride) == bytes)
            *buffer = d->weights[gpu][i];
    }
    LT_TRY(bring_weight(d, gpu, weight, w->data, bytes, buffer, err));
    *out = *buffer;
    return LATHE_OK;
}

lathe_status lt_devices_packed(lt_devices *d, uint32_t gpu, uint32_t weight, lathe_buffer **out,
                               lathe_error *err)
{
    const lt_model_weight *weights = d->model->weights;
    const lt_packed *w = &weights[weight].packed;
    lathe_buffer **buffer = &d->packed[gpu][weight];
    for (uint32_t i = 0; i < d->model->exported->n_weights && !*buffer; i++)
        if (weights[i].packed.data == w->data) *buffer = d->packed[gpu][i];
    LT_TRY(
        bring_weight(d, gpu, weight, w->data, (size_t)lt_packed_bytes(w->packing, w->n, w->k), buffer, err));
    *out = *buffer;
    return LATHE_OK;
}
