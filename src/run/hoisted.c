/* Computes and keeps hoisted values. */
#include "run/hoisted.h"

#include <string.h>

struct lt_hoisted {
    struct lt_hoisted *next;
    lt_text key;    /* how it is made; empty: shared by nobody */
    bool reference; /* by the references */
    void *data;
    uint32_t users; /* sets that hold it */
};

static struct lt_hoisted *find(const lathe_model *model, const lt_text *key, bool reference)
{
    for (struct lt_hoisted *h = model->hoisted; h; h = h->next)
        if (h->reference == reference && h->key.length && h->key.length == key->length &&
            memcmp(h->key.data, key->data, key->length) == 0)
            return h;
    return NULL;
}

/* Takes value `i` of the set from the model, or adds it without its data. */
static lathe_status take(lt_hoisted_set *set, uint32_t i, lathe_error *err)
{
    lt_text key = {0};
    bool reference = set->cpu == NULL;
    bool shared = lt_hoist_key(set->split.from, set->split.values[i], &key);
    lathe_status status = lt_text_status(&key, err);
    if (status != LATHE_OK) {
        lt_text_free(&key);
        return status;
    }
    struct lt_hoisted *h = shared ? find(set->model, &key, reference) : NULL;
    if (h) {
        lt_text_free(&key);
    } else {
        h = lt_heap_alloc(1, sizeof *h);
        if (!shared || !h) lt_text_free(&key);
        if (!h) return lt_out_of_memory(err, 1, sizeof *h);
        *h = (struct lt_hoisted){.next = set->model->hoisted, .key = key, .reference = reference};
        set->model->hoisted = h;
    }
    h->users++;
    set->values[i] = h;
    return LATHE_OK;
}

static lathe_status compute(lt_hoisted_set *set, lathe_error *err)
{
    const lt_graph *from = set->split.from;
    const lt_cpu *cpu = set->cpu;
    lt_id *missing;
    uint32_t *place; /* of each missing value in the set */
    lt_graph *graph;
    lt_program *program;
    lt_exec exec = {0};
    uint32_t n = 0, failed;
    LT_ALLOC(from->arena, missing, set->split.n, err);
    LT_ALLOC(from->arena, place, set->split.n, err);
    for (uint32_t i = 0; i < set->split.n; i++)
        if (set->values[i] && !set->values[i]->data) {
            place[n] = i;
            missing[n++] = set->split.values[i];
        }
    if (n == 0) return LATHE_OK;
    lt_weight_source source = {.model = set->model, .pool = cpu ? cpu->pool : NULL, .reference = cpu == NULL};
    lt_weight_layout layout = lt_model_layout(&source);
    LT_TRY(lt_hoist_graph(from, missing, n, &graph, err));
    LT_TRY(lt_program_build(graph, &layout, &program, err));
    void **outputs;
    LT_ALLOC(from->arena, outputs, n, err);
    lathe_status status = LATHE_OK;
    for (uint32_t i = 0; i < n && status == LATHE_OK; i++) {
        outputs[i] = lt_os_alloc(lt_type_bytes(&program->outputs[i]));
        if (!outputs[i]) status = lt_out_of_memory(err, lt_type_bytes(&program->outputs[i]), 1);
    }
    lt_exec_buffers buffers = {.weights = set->model->weights, .outputs = outputs};
    if (status == LATHE_OK) status = lt_exec_create(&exec, program, cpu, &buffers, from->arena, err);
    if (status == LATHE_OK) status = lt_exec_run(&exec, cpu, &failed, err);
    for (uint32_t i = 0; i < n; i++) {
        struct lt_hoisted *h = set->values[place[i]];
        if (status != LATHE_OK || h->data) lt_os_free(outputs[i]); /* failed, or the same value, met twice */
        else h->data = outputs[i];
    }
    lt_exec_destroy(&exec);
    set->made = program;
    return status;
}

lathe_status lt_hoisted_split(lt_hoisted_set *set, lathe_model *model, const lt_cpu *cpu, lt_graph **graph,
                              lathe_error *err)
{
    const lt_graph *from = *graph;
    *set = (lt_hoisted_set){.model = model, .cpu = cpu};
    LT_TRY(lt_hoist_split(from, &set->split, err));
    LT_ALLOC(from->arena, set->values, set->split.n, err);
    LT_ALLOC(from->arena, set->data, set->split.n, err);
    *graph = set->split.rest;
    return LATHE_OK;
}

lathe_status lt_hoisted_need(lt_hoisted_set *set, const lt_graph *reader, lathe_error *err)
{
    for (uint32_t i = 0; i < reader->n_values; i++) {
        const lt_value *value = &reader->values[i];
        if (value->kind == LT_VALUE_HOISTED && !set->values[value->index])
            LT_TRY(take(set, value->index, err));
    }
    return LATHE_OK;
}

lathe_status lt_hoisted_compute(lt_hoisted_set *set, lathe_error *err)
{
    if (!set->split.n) return LATHE_OK;
    LT_TRY(compute(set, err));
    for (uint32_t i = 0; i < set->split.n; i++)
        if (set->values[i]) set->data[i] = set->values[i]->data;
    return LATHE_OK;
}

void lt_hoisted_finish(lt_hoisted_set *set, const lt_dispatch *dispatch)
{
    for (uint32_t i = 0; set->made && i < set->made->n_steps; i++)
        for (uint32_t k = 0; k < set->made->steps[i].n_in; k++) {
            const lt_operand *operand = &set->made->steps[i].args[k];
            if (operand->kind == LT_BUFFER_WEIGHT && !lt_dispatch_reads_weight(dispatch, operand->index))
                lt_model_discard_weight(set->model, operand->index);
        }
    set->made = NULL;
}

static void drop(lathe_model *model, struct lt_hoisted *hoisted)
{
    struct lt_hoisted **link = &model->hoisted;
    while (*link != hoisted) link = &(*link)->next;
    *link = hoisted->next;
    lt_os_free(hoisted->data);
    lt_text_free(&hoisted->key);
    lt_heap_free(hoisted);
}

void lt_hoisted_release(lt_hoisted_set *set)
{
    for (uint32_t i = 0; set->values && i < set->split.n; i++)
        if (set->values[i] && --set->values[i]->users == 0) drop(set->model, set->values[i]);
    *set = (lt_hoisted_set){0};
}
