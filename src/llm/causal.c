/* Finds out what a language model's inputs are for and runs it. Prompts run in chunks; a fixed length is
 * filled up with tokens whose cache entries lie behind the text, where no later token looks before they are
 * overwritten. */
#include "llm/causal.h"

#include <float.h>
#include <stdio.h>
#include <string.h>

#include "base/half.h"
#include "base/json.h"
#include "base/os.h"

enum { LT_OPEN_CONTEXT = 2048, LT_OPEN_CHUNK = 128 };

/* ---- Roles of inputs and outputs ---- */

static bool is_float(lathe_dtype dtype)
{
    return dtype == LATHE_F32 || dtype == LATHE_F64 || dtype == LATHE_F16 || dtype == LATHE_BF16;
}

static lathe_status claim(int *role, size_t index, const char *name, lathe_error *err)
{
    if (*role >= 0)
        LT_FAIL(err, UNSUPPORTED, "inputs %d and %zu ('%s') seem to be for the same thing", *role, index,
                name);
    *role = (int)index;
    return LATHE_OK;
}

static lathe_status classify_input(lt_causal_part *part, size_t index, const lathe_value_info *info,
                                   lathe_error *err)
{
    bool whole = info->dtype == LATHE_I64;
    if (info->rank < 0) return LATHE_OK; /* fixed when the model was exported */
    if (whole && info->rank == 1) return claim(&part->position, index, info->name, err);
    if (whole && info->rank == 2 && strstr(info->name, "position"))
        return claim(&part->position_ids, index, info->name, err);
    if (whole && info->rank == 2 && !strstr(info->name, "mask"))
        return claim(&part->ids, index, info->name, err);
    if (info->rank == 4 && strstr(info->name, "mask") && (is_float(info->dtype) || info->dtype == LATHE_BOOL))
        return claim(&part->mask, index, info->name, err);
    if (info->rank == 4 && is_float(info->dtype)) {
        part->cache_in[part->n_in++] = index;
        return LATHE_OK;
    }
    LT_FAIL(err, UNSUPPORTED,
            "input %zu, '%s' (%s, rank %d), has no part in text generation: expected input_ids [1,s], "
            "cache_position [s], position_ids [1,s], attention_mask [1,1,s,c] and caches [1,heads,c,d]",
            index, info->name, lathe_dtype_name(info->dtype), info->rank);
}

/* Caches have one size, which the first of them tells. */
static lathe_status check_caches(lt_causal_part *part, lathe_error *err)
{
    for (size_t i = 0; i < part->n_in; i++) {
        lathe_value_info info;
        LT_TRY(lathe_model_input(part->model, part->cache_in[i], &info, err));
        if (i == 0) part->cache = info.dim[2];
        if (i == 0) part->cache_max = info.max[2];
        if (info.dim[0] != 1 || info.dim[1] < 0 || info.dim[3] < 0 || info.dim[2] != part->cache)
            LT_FAIL(err, UNSUPPORTED, "cache input '%s' is [%s,%s,%s,%s], expected [1,heads,c,d] with one c",
                    info.name, info.text[0], info.text[1], info.text[2], info.text[3]);
    }
    return LATHE_OK;
}

static lathe_status classify(lt_arena *arena, lt_causal_part *part, lathe_error *err)
{
    size_t n_in = lathe_model_input_count(part->model), n_out = lathe_model_output_count(part->model);
    lathe_value_info info;
    part->ids = part->position = part->position_ids = part->mask = -1;
    LT_ALLOC(arena, part->cache_in, n_in, err);
    LT_ALLOC(arena, part->cache_out, n_out, err);
    for (size_t i = 0; i < n_in; i++) {
        LT_TRY(lathe_model_input(part->model, i, &info, err));
        LT_TRY(classify_input(part, i, &info, err));
    }
    if (part->ids < 0) LT_FAIL(err, UNSUPPORTED, "the model has no input_ids: it is no language model");
    if (part->position < 0 && part->position_ids < 0)
        LT_FAIL(err, UNSUPPORTED,
                "the model has no cache_position: export it with a key-value cache to generate text");
    LT_TRY(check_caches(part, err));
    LT_TRY(lathe_model_input(part->model, (size_t)part->ids, &info, err));
    part->length = info.dim[1];
    part->length_max = info.max[1];
    for (size_t i = 1; i < n_out; i++) part->cache_out[part->n_out++] = i;
    if (part->n_in && part->n_out != part->n_in)
        LT_FAIL(err, UNSUPPORTED, "the model has %zu cache inputs and %zu cache outputs, expected as many",
                part->n_in, part->n_out);
    return LATHE_OK;
}

/* ---- Pairing by name ---- */

static lathe_status find_name(const lt_causal_part *part, bool input, const char *name, size_t *out,
                              lathe_error *err)
{
    size_t n = input ? lathe_model_input_count(part->model) : lathe_model_output_count(part->model);
    for (*out = 0; *out < n; ++*out) {
        lathe_value_info info;
        LT_TRY(input ? lathe_model_input(part->model, *out, &info, err)
                     : lathe_model_output(part->model, *out, &info, err));
        if (strcmp(info.name, name) == 0) return LATHE_OK;
    }
    LT_FAIL(err, FORMAT, "the model has no %s '%s'", input ? "input" : "output", name);
}

static lathe_status map_layer(lt_causal *causal, const lt_json *layer, size_t at, lathe_error *err)
{
    static const char *const kinds[] = {"key", "value"};
    lt_causal_part *prefill = &causal->part[0], *decode = &causal->part[causal->n_parts - 1];
    for (size_t k = 0; k < 2; k++) {
        char field[32];
        const char *name;
        snprintf(field, sizeof field, "prefill_%s_output", kinds[k]);
        LT_TRY(lt_json_get_string(layer, field, &name, err));
        LT_TRY(find_name(prefill, false, name, &prefill->cache_out[2 * at + k], err));
        snprintf(field, sizeof field, "decode_%s_input", kinds[k]);
        LT_TRY(lt_json_get_string(layer, field, &name, err));
        LT_TRY(find_name(decode, true, name, &decode->cache_in[2 * at + k], err));
        snprintf(field, sizeof field, "decode_%s_output", kinds[k]);
        LT_TRY(lt_json_get_string(layer, field, &name, err));
        LT_TRY(find_name(decode, false, name, &decode->cache_out[2 * at + k], err));
    }
    return LATHE_OK;
}

static lathe_status map_layers(lt_causal *causal, const lt_json *root, lathe_error *err)
{
    const lt_json *layers, *layer;
    size_t i;
    LT_TRY(lt_json_get_array(root, "layers", &layers, err));
    const lt_causal_part *prefill = &causal->part[0], *decode = &causal->part[causal->n_parts - 1];
    if (2 * lt_json_count(layers) != decode->n_in || decode->n_in != prefill->n_out)
        LT_FAIL(err, FORMAT, "field 'layers' has %zu layers, expected %zu: as many as the models have caches",
                lt_json_count(layers), decode->n_in / 2);
    lt_json_foreach (layers, i, layer) LT_TRY_NOTE(map_layer(causal, layer, i, err), err, "layers[%zu]", i);
    return LATHE_OK;
}

static lathe_status load_mapping(lt_causal *causal, const char *path, lathe_error *err)
{
    lt_file file;
    lt_arena *arena;
    const lt_json *root = NULL;
    LT_TRY(lt_file_open(path, &file, err));
    lathe_status status = lt_arena_create(&arena, err);
    if (status == LATHE_OK)
        status = lt_json_parse((const char *)file.data, file.size, false, path, arena, &root, err);
    if (root && (status = map_layers(causal, root, err)) != LATHE_OK)
        status = lt_error_note(err, status, "%s", path);
    lt_arena_destroy(arena);
    lt_file_close(&file);
    return status;
}

/* ---- Creation ---- */

/* A session keeps the caches if it recognises all of them. A mapping tells which outputs of the model for
 * prompts become which inputs of the other, not which of its own: there they are carried. */
static lathe_status open_session(lt_causal_part *part, bool keep, const lathe_generator_options *wanted,
                                 lathe_error *err)
{
    lathe_session_options options = {.keep_state = keep};
    if (wanted) {
        options.threads = wanted->threads;
        options.activations = wanted->activations;
        options.placement = wanted->placement;
    }
    if (wanted && keep && part->n_in) options.kv_type = wanted->kv_type;
    LT_TRY(lathe_session_create(part->model, &options, &part->session, err));
    part->kept = keep && part->n_in;
    for (size_t i = 0; i < part->n_in; i++)
        part->kept = part->kept && lathe_session_keeps_input(part->session, part->cache_in[i]);
    if (part->kept || !keep || !part->n_in) return LATHE_OK;
    lathe_session_close(part->session);
    part->session = NULL;
    options.keep_state = 0;
    return lathe_session_create(part->model, &options, &part->session, err);
}

static lathe_status choose_sizes(lt_causal *causal, const lathe_generator_options *options, lathe_error *err)
{
    const lt_causal_part *prefill = &causal->part[0], *decode = &causal->part[causal->n_parts - 1];
    int64_t fixed = decode->cache > 0 ? decode->cache : prefill->cache;
    causal->context = options && options->context ? options->context : fixed > 0 ? fixed : LT_OPEN_CONTEXT;
    if (fixed > 0 && causal->context > fixed) causal->context = fixed;
    causal->chunk = options && options->chunk ? options->chunk : LT_OPEN_CHUNK;
    for (int i = 0; i < causal->n_parts; i++) {
        if (causal->part[i].n_in) causal->context = lt_min_i64(causal->context, causal->part[i].cache_max);
        if (i == 0) causal->chunk = lt_min_i64(causal->chunk, causal->part[i].length_max);
    }
    if (causal->context < 2 || causal->chunk < 1)
        LT_FAIL(err, INVALID_ARGUMENT,
                "a context of %lld tokens in chunks of %lld: expected 2 and 1 at least",
                (long long)causal->context, (long long)causal->chunk);
    for (int i = 0; i < causal->n_parts; i++) {
        lt_causal_part *part = &causal->part[i];
        if (part->cache < 0) part->cache = causal->context;
        if (part->cache && part->cache != (fixed > 0 ? fixed : causal->context))
            LT_FAIL(err, UNSUPPORTED, "the models' caches have %lld and %lld positions, expected the same",
                    (long long)part->cache, (long long)fixed);
    }
    return LATHE_OK;
}

static lathe_status read_vocabulary(lt_causal *causal, lathe_error *err)
{
    lathe_value_info info;
    LT_TRY(lathe_model_output(causal->part[0].model, 0, &info, err));
    causal->vocabulary = info.rank == 3 ? info.dim[2] : -1;
    return LATHE_OK;
}

static lathe_status shape_caches(const lt_causal_part *part, lathe_error *err)
{
    for (size_t i = 0; i < part->n_in; i++) {
        lathe_value_info info;
        LT_TRY(lathe_model_input(part->model, part->cache_in[i], &info, err));
        info.dim[2] = part->cache;
        LT_TRY(lathe_session_shape_input(part->session, part->cache_in[i], info.rank, info.dim, err));
    }
    return LATHE_OK;
}

static lathe_status fill(lt_causal *causal, lathe_model *model, lathe_model *decode,
                         const lathe_generator_options *options, lathe_error *err)
{
    causal->newest = -1;
    causal->n_parts = decode && decode != model ? 2 : 1;
    causal->part[0].model = model;
    causal->part[1].model = decode;
    for (int i = 0; i < causal->n_parts; i++) LT_TRY(classify(causal->arena, &causal->part[i], err));
    const lt_causal_part *prefill = &causal->part[0], *last = &causal->part[causal->n_parts - 1];
    if (causal->n_parts == 2 && (!last->n_in || last->n_in != prefill->n_out))
        LT_FAIL(err, UNSUPPORTED, "the models have %zu and %zu caches, expected as many", prefill->n_out,
                last->n_in);
    if (causal->n_parts == 1 && !prefill->n_in && prefill->n_out)
        LT_FAIL(err, UNSUPPORTED, "the model has cache outputs and no cache inputs: it needs a second model");
    if (options && options->kv_mapping) LT_TRY(load_mapping(causal, options->kv_mapping, err));
    LT_TRY(choose_sizes(causal, options, err));
    LT_TRY(read_vocabulary(causal, err));
    for (int i = 0; i < causal->n_parts; i++) {
        bool mapped = i == 0 && causal->n_parts == 2 && options && options->kv_mapping;
        LT_TRY(open_session(&causal->part[i], !mapped, options, err));
        if (causal->part[i].kept) LT_TRY(shape_caches(&causal->part[i], err));
    }
    return LATHE_OK;
}

lathe_status lt_causal_create(lathe_model *model, lathe_model *decode, const lathe_generator_options *options,
                              lt_causal **out, lathe_error *err)
{
    lt_arena *arena;
    *out = NULL;
    LT_TRY(lt_arena_create(&arena, err));
    lt_causal *causal = lt_arena_alloc(arena, 1, sizeof *causal);
    if (!causal) {
        lt_arena_destroy(arena);
        return lt_out_of_memory(err, 1, sizeof *causal);
    }
    causal->arena = arena;
    lathe_status status = fill(causal, model, decode, options, err);
    if (status == LATHE_OK) *out = causal;
    else lt_causal_destroy(causal);
    return status;
}

void lt_causal_destroy(lt_causal *causal)
{
    if (!causal) return;
    lathe_session_close(causal->part[0].session);
    lathe_session_close(causal->part[1].session);
    lt_arena_destroy(causal->arena);
}

size_t lt_causal_reusable(const lt_causal *causal, size_t wanted)
{
    /* A model for prompts without cache inputs starts every prompt anew. */
    return causal->n_parts == 2 && !causal->part[0].n_in ? 0 : wanted;
}

/* ---- Caches that go from run to run ---- */

static void store(lathe_dtype dtype, void *data, int64_t at, double value)
{
    switch (dtype) {
    case LATHE_F64: ((double *)data)[at] = value; break;
    case LATHE_F16: ((uint16_t *)data)[at] = lt_f32_to_f16((float)value); break;
    case LATHE_BF16: ((uint16_t *)data)[at] = lt_f32_to_bf16((float)value); break;
    case LATHE_BOOL: ((uint8_t *)data)[at] = value == 0; break; /* of a mask: 0 is seen */
    default: ((float *)data)[at] = (float)value; break;
    }
}

/* Copies [1,heads,c,d] into zeros of another c and another type. */
static void convert_cache(const lathe_tensor *from, const lathe_tensor *to)
{
    int64_t rows = lt_min_i64(from->dim[2], to->dim[2]), width = from->dim[3];
    for (int64_t h = 0; h < from->dim[1]; h++)
        for (int64_t i = 0; i < rows * width; i++)
            store(to->dtype, to->data, h * to->dim[2] * width + i,
                  lathe_tensor_value(from, h * from->dim[2] * width + i));
}

/* Sets a cache input to a cache output of the run before, or to zeros (`from` NULL). */
static lathe_status set_cache(lt_causal_part *part, size_t input, const lathe_tensor *from, lathe_error *err)
{
    lathe_value_info info;
    LT_TRY(lathe_model_input(part->model, input, &info, err));
    info.dim[2] = part->cache;
    bool same = from && from->rank == 4 && from->dim[1] == info.dim[1] && from->dim[3] == info.dim[3];
    if (from && !same)
        LT_FAIL(err, TYPE, "cache input '%s' does not fit the output that it continues", info.name);
    if (same && from->dtype == info.dtype && from->dim[2] == part->cache)
        return lathe_session_set_input(part->session, input, from, err);
    lathe_tensor tensor;
    lathe_tensor_init(&tensor, info.dtype, 4, info.dim, NULL);
    tensor.data = lt_heap_alloc((size_t)lathe_tensor_count(&tensor), lathe_dtype_size(info.dtype));
    if (!tensor.data) return lt_out_of_memory(err, (size_t)lathe_tensor_count(&tensor), 4);
    if (from) convert_cache(from, &tensor);
    lathe_status status = lathe_session_set_input(part->session, input, &tensor, err);
    lt_heap_free(tensor.data);
    return status;
}

/* A cache that the newest run left: kept by its session, or an output. */
static lathe_status newest_cache(lt_causal *causal, size_t i, lathe_tensor *out, lathe_error *err)
{
    const lt_causal_part *newest = &causal->part[causal->newest];
    if (newest->kept) return lathe_session_state(newest->session, newest->cache_in[i], out, err);
    return lathe_session_output(newest->session, newest->cache_out[i], out, err);
}

/* Brings the first `count` positions of the caches to a part, which keeps them or takes them as inputs. */
static lathe_status bring_caches(lt_causal *causal, int which, size_t count, lathe_error *err)
{
    lt_causal_part *part = &causal->part[which];
    bool there = part->kept && (causal->newest == which || causal->newest < 0);
    for (size_t i = 0; i < part->n_in && !there; i++) {
        lathe_tensor from;
        if (causal->newest >= 0) LT_TRY(newest_cache(causal, i, &from, err));
        if (part->kept) {
            if (from.rank == 4) from.dim[2] = lt_min_i64(from.dim[2], (int64_t)count);
            LT_TRY(lathe_session_write_state(part->session, part->cache_in[i], &from, err));
        } else LT_TRY(set_cache(part, part->cache_in[i], causal->newest < 0 ? NULL : &from, err));
    }
    return LATHE_OK;
}

/* ---- Running ---- */

/* The additive mask of `count` rows from position `first`: 0 for what a token sees, else the lowest number.
 */
static lathe_status set_mask(lt_arena *scratch, lt_causal_part *part, size_t first, size_t count,
                             lathe_error *err)
{
    lathe_value_info info;
    LT_TRY(lathe_model_input(part->model, (size_t)part->mask, &info, err));
    int64_t width = info.dim[3] >= 0 ? info.dim[3] : part->cache ? part->cache : (int64_t)count;
    double hidden = info.dtype == LATHE_F16    ? -65504
                    : info.dtype == LATHE_BF16 ? -0x1.fep127
                    : info.dtype == LATHE_F64  ? -DBL_MAX
                                               : -(double)FLT_MAX;
    void *data = lt_arena_alloc(scratch, count * (size_t)width, lathe_dtype_size(info.dtype));
    if (!data) return lt_out_of_memory(err, count, (size_t)width);
    for (int64_t i = 0; i < (int64_t)count; i++)
        for (int64_t k = 0; k < width; k++)
            store(info.dtype, data, i * width + k, k <= (int64_t)first + i ? 0 : hidden);
    lathe_tensor tensor;
    lathe_tensor_init(&tensor, info.dtype, 4, (int64_t[]){1, 1, (int64_t)count, width}, data);
    return lathe_session_set_input(part->session, (size_t)part->mask, &tensor, err);
}

static lathe_status set_whole(lt_causal_part *part, int input, int rank, int64_t *data, size_t count,
                              lathe_error *err)
{
    if (input < 0) return LATHE_OK;
    const int64_t dim[] = {1, (int64_t)count};
    lathe_tensor tensor;
    lathe_tensor_init(&tensor, LATHE_I64, rank, dim + 2 - rank, data);
    return lathe_session_set_input(part->session, (size_t)input, &tensor, err);
}

/* Sets the inputs for `count` tokens, filled up to `length`. */
static lathe_status set_inputs(lt_arena *scratch, lt_causal_part *part, const int64_t *ids, size_t first,
                               size_t count, size_t length, lathe_error *err)
{
    int64_t *id, *position;
    LT_ALLOC(scratch, id, length, err);
    LT_ALLOC(scratch, position, length, err);
    for (size_t i = 0; i < length; i++) {
        id[i] = ids[i < count ? i : count - 1];
        position[i] = (int64_t)(first + i);
    }
    LT_TRY(set_whole(part, part->ids, 2, id, length, err));
    LT_TRY(set_whole(part, part->position, 1, position, length, err));
    LT_TRY(set_whole(part, part->position_ids, 2, position, length, err));
    return part->mask < 0 ? LATHE_OK : set_mask(scratch, part, first, length, err);
}

/* Row `row` of [1,s,vocab], as float32. */
static void copy_row(const lathe_tensor *logits, int64_t row, float *out)
{
    int64_t n = logits->dim[2];
    bool dense = logits->stride[2] == 1;
    const char *at =
        (const char *)logits->data + row * logits->stride[1] * (int64_t)lathe_dtype_size(logits->dtype);
    const uint16_t *half = (const void *)at;
    if (dense && logits->dtype == LATHE_F32) memcpy(out, at, (size_t)n * sizeof *out);
    else if (dense && logits->dtype == LATHE_BF16)
        for (int64_t i = 0; i < n; i++) out[i] = lt_bf16_to_f32(half[i]);
    else
        for (int64_t i = 0; i < n; i++) out[i] = (float)lathe_tensor_value(logits, row * n + i);
}

/* The logits of the run of `count` tokens, as [1,s,vocab] with s of at least that. */
static lathe_status get_logits(const lt_causal_part *part, size_t count, lathe_tensor *out, lathe_error *err)
{
    LT_TRY(lathe_session_output(part->session, 0, out, err));
    if (out->rank != 3 || out->dim[0] != 1 || (int64_t)count > out->dim[1] || !is_float(out->dtype))
        LT_FAIL(err, UNSUPPORTED, "output 0 is of rank %d, expected logits [1,s,vocabulary]", out->rank);
    return LATHE_OK;
}

/* Takes those of the last token: the only row, where one was selected. */
static lathe_status take_logits(lt_causal *causal, const lt_causal_part *part, size_t rows, lathe_error *err)
{
    lathe_tensor logits;
    LT_TRY(get_logits(part, rows, &logits, err));
    size_t n = (size_t)logits.dim[2];
    if (n != causal->n_logits) LT_ALLOC(causal->arena, causal->logits, n, err);
    causal->n_logits = n;
    copy_row(&logits, (int64_t)rows - 1, causal->logits);
    return LATHE_OK;
}

/* Takes those of all. */
static lathe_status take_rows(const lt_causal *causal, const lt_causal_part *part, size_t count, float *rows,
                              lathe_error *err)
{
    lathe_tensor logits;
    LT_TRY(get_logits(part, count, &logits, err));
    if (logits.dim[2] != causal->vocabulary)
        LT_FAIL(err, UNSUPPORTED, "%lld logits, expected %lld", (long long)logits.dim[2],
                (long long)causal->vocabulary);
    for (size_t i = 0; i < count; i++) copy_row(&logits, (int64_t)i, rows + i * (size_t)causal->vocabulary);
    return LATHE_OK;
}

/* Sets the inputs and the caches that another part has. Unless all rows of the logits are wanted, the last
 * token's alone will be computed. */
static lathe_status set_part(lt_causal *causal, int which, const int64_t *ids, size_t first, size_t count,
                             bool all_rows, lathe_error *err)
{
    lt_causal_part *part = &causal->part[which];
    size_t length = part->length > 0 ? (size_t)part->length : count;
    lt_arena *scratch;
    LT_TRY(lt_arena_create(&scratch, err));
    lathe_status status = set_inputs(scratch, part, ids, first, count, length, err);
    lt_arena_destroy(scratch);
    LT_TRY(status);
    LT_TRY(lathe_session_select_row(part->session, 0, all_rows ? -1 : (int64_t)count - 1, err));
    return bring_caches(causal, which, first, err);
}

/* How many of `left` tokens a part can run at once from position `first` on; 0: none. */
static size_t fitting(const lt_causal *causal, const lt_causal_part *part, size_t first, size_t left)
{
    if (!part->n_in && causal->n_parts == 2 && first) return 0; /* it knows nothing of what came before */
    size_t most = (size_t)(part->length > 0 ? part->length : causal->chunk);
    if (part->length > 0 && part->cache && first + most > (size_t)part->cache) return 0;
    return left < most ? left : most;
}

/* The part that runs the next tokens, and how many of `left`. */
static lathe_status choose_part(const lt_causal *causal, size_t first, size_t left, int *which, size_t *take,
                                lathe_error *err)
{
    *which = 0;
    *take = fitting(causal, &causal->part[0], first, left);
    if (causal->n_parts == 2 && (*take == 0 || left == 1)) {
        size_t single = fitting(causal, &causal->part[1], first, left);
        if (single) *take = single, *which = 1;
    }
    if (*take) return LATHE_OK;
    LT_FAIL(err, LIMIT, "position %zu: no model can run from here within %lld positions", first,
            (long long)causal->context);
}

lathe_status lt_causal_reset(lt_causal *causal, lathe_error *err)
{
    causal->newest = -1;
    if (causal->empty) return LATHE_OK;
    for (int i = 0; i < causal->n_parts; i++)
        if (causal->part[i].kept) LT_TRY(lathe_session_reset(causal->part[i].session, err));
    causal->empty = true;
    return LATHE_OK;
}

lathe_status lt_causal_run(lt_causal *causal, const int64_t *ids, size_t first, size_t count, float *rows,
                           lathe_error *err)
{
    if (!first) LT_TRY(lt_causal_reset(causal, err));
    causal->empty = false;
    for (size_t done = 0, take; done < count; done += take) {
        int which;
        LT_TRY(choose_part(causal, first + done, count - done, &which, &take, err));
        lt_causal_part *part = &causal->part[which];
        LT_TRY(set_part(causal, which, ids + done, first + done, take, rows != NULL, err));
        LT_TRY(lathe_session_run(part->session, err));
        causal->newest = which;
        if (rows) LT_TRY(take_rows(causal, part, take, rows + done * (size_t)causal->vocabulary, err));
        if (done + take == count) LT_TRY(take_logits(causal, part, rows ? take : 1, err));
    }
    return LATHE_OK;
}

lathe_status lt_causal_prepare(lt_causal *causal, size_t first, size_t count, lathe_preparation *out,
                               lathe_error *err)
{
    *out = (lathe_preparation){0};
    int64_t *ids = lt_heap_alloc(count, sizeof *ids);
    if (!ids) return lt_out_of_memory(err, count, sizeof *ids);
    lathe_status status = LATHE_OK;
    for (size_t at = first, end = first + count, take; status == LATHE_OK && at < end; at += take) {
        int which;
        lathe_preparation spent = {0};
        status = choose_part(causal, at, end - at, &which, &take, err);
        if (status == LATHE_OK) status = set_part(causal, which, ids, at, take, false, err);
        if (status == LATHE_OK) status = lathe_session_prepare(causal->part[which].session, &spent, err);
        out->compile_seconds += spent.compile_seconds;
        out->pack_seconds += spent.pack_seconds;
    }
    lt_heap_free(ids);
    return status;
}
