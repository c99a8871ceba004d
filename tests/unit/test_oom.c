/* Every allocation of opening and running a model fails once, whoever makes it (lathe, the libraries that it
 * uses, the C library): the call must say NO_MEMORY, leak nothing, and leave the process usable. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lathe/llm.h"

/* In place of the C library's own, for shared libraries too. */
#define LT_EXPORT __attribute__((visibility("default")))

/* ---- The heap ---- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *memory);

static long countdown = -1; /* allocations until one fails; -1: none does */
static long live;           /* blocks that are not freed */

static int fails(void)
{
    if (countdown < 0) return 0;
    return countdown-- == 0;
}

static void *counted(void *memory)
{
    if (memory) live++;
    return memory;
}

LT_EXPORT void *malloc(size_t size) { return fails() ? NULL : counted(__libc_malloc(size)); }
LT_EXPORT void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(__libc_calloc(count, size));
}
LT_EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return fails() ? NULL : counted(__libc_memalign(align, size));
}

LT_EXPORT void *realloc(void *memory, size_t size)
{
    if (fails()) return NULL;
    void *moved = __libc_realloc(memory, size);
    if (!memory) counted(moved);
    return moved;
}

LT_EXPORT void free(void *memory)
{
    if (memory) live--;
    __libc_free(memory);
}

/* ---- What is done while an allocation fails ---- */

static float numbers[1 << 16];

static lathe_status set_inputs(lathe_model *model, lathe_session *session, lathe_error *err)
{
    for (size_t i = 0; i < lathe_model_input_count(model); i++) {
        lathe_value_info info;
        lathe_tensor tensor;
        lathe_status status = lathe_model_input(model, i, &info, err);
        if (status != LATHE_OK) return status;
        for (int d = 0; d < info.rank; d++)
            if (info.dim[d] < 0) info.dim[d] = 4;
        lathe_tensor_init(&tensor, info.dtype, info.rank, info.dim, numbers);
        status = lathe_session_set_input(session, i, &tensor, err);
        if (status != LATHE_OK) return status;
    }
    return LATHE_OK;
}

/* files[0] is the model, files[1] the weights. */
static lathe_status run_model(const char *const *files, lathe_error *err)
{
    lathe_model *model;
    lathe_session *session = NULL;
    lathe_tensor out;
    lathe_status status = lathe_model_open(files[0], &model, err);
    if (status != LATHE_OK) return status;
    if (files[1]) status = lathe_model_add_weights(model, files[1], err);
    if (status == LATHE_OK)
        status = lathe_session_create(model, &(lathe_session_options){.threads = 1}, &session, err);
    if (status == LATHE_OK) status = set_inputs(model, session, err);
    if (status == LATHE_OK) status = lathe_session_run(session, err);
    if (status == LATHE_OK) status = lathe_session_output(session, 0, &out, err);
    lathe_session_close(session);
    lathe_model_close(model);
    return status;
}

static lathe_status describe(const char *const *files, lathe_error *err)
{
    char *text;
    lathe_status status = lathe_describe(files[0], LATHE_AS_TEXT, &text, err);
    if (status == LATHE_OK) lathe_text_free(text);
    return status;
}

static lathe_status answer(lathe_model *model, const lathe_tokenizer *tokenizer, lathe_error *err)
{
    static const char text[] = "I am 12 a\xcc\x8a years old.";
    lathe_tokens prompt = {0};
    lathe_generator *generator = NULL;
    lathe_generation how;
    lathe_status status = lathe_tokenizer_encode(tokenizer, text, strlen(text), 0, &prompt, err);
    if (status != LATHE_OK) return status;
    status = lathe_generator_create(model, NULL, tokenizer,
                                    &(lathe_generator_options){.context = 64, .chunk = 4, .threads = 1},
                                    &generator, err);
    lathe_generation_init(&how);
    how.max_tokens = 3;
    if (status == LATHE_OK)
        status = lathe_generator_run(generator, prompt.ids, prompt.count, &how, NULL, err);
    lathe_generator_destroy(generator);
    lathe_tokens_free(&prompt);
    return status;
}

/* files[0] is the model, files[1] the tokenizer. */
static lathe_status generate(const char *const *files, lathe_error *err)
{
    lathe_model *model = NULL;
    lathe_tokenizer *tokenizer;
    lathe_status status = lathe_tokenizer_open(files[1], &tokenizer, err);
    if (status != LATHE_OK) return status;
    status = lathe_model_open(files[0], &model, err);
    if (status == LATHE_OK) status = answer(model, tokenizer, err);
    lathe_model_close(model);
    lathe_tokenizer_close(tokenizer);
    return status;
}

/* files[0] is the tokenizer. */
static lathe_status tokenize(const char *const *files, lathe_error *err)
{
    lathe_tokenizer *tokenizer;
    lathe_tokens ids = {0};
    lathe_status status = lathe_tokenizer_open(files[0], &tokenizer, err);
    if (status != LATHE_OK) return status;
    status = lathe_tokenizer_encode(tokenizer, "a\xcc\x8a 1", 5, 0, &ids, err);
    lathe_tokens_free(&ids);
    lathe_tokenizer_close(tokenizer);
    return status;
}

/* ---- The sweep ---- */

/* Fails allocation 0, 1, 2 … until none is left to fail. glibc's qsort does without the memory that it asks
 * for: then the call may succeed. */
static void sweep(lathe_status (*act)(const char *const *files, lathe_error *err), const char *first,
                  const char *second)
{
    const char *const files[] = {first, second};
    lathe_error err;
    long survived = 0;
    lathe_status status = act(files, &err); /* whatever libraries keep for good is there now */
    if (status != LATHE_OK) fail_msg("%s: %s", first, err.message);
    for (long n = 0;; n++) {
        long before = live;
        countdown = n;
        status = act(files, &err);
        long left = countdown;
        countdown = -1;
        if (live != before) fail_msg("%s: failing allocation %ld leaks %ld blocks", first, n, live - before);
        if (left >= 0) { /* fewer allocations than that */
            assert_int_equal(status, LATHE_OK);
            assert_true(n > 10); /* the wrappers were in use */
            print_message("%s: %ld allocations, each failed once, %ld times to no effect\n", first, n,
                          survived);
            break;
        }
        survived += status == LATHE_OK;
        if (status != LATHE_NO_MEMORY && status != LATHE_OK)
            fail_msg("%s: failing allocation %ld gives %d: %s", first, n, (int)status, err.message);
    }
    assert_int_equal(act(files, &err), LATHE_OK);
}

static void models(void **state)
{
    (void)state;
    sweep(run_model, LT_TEST_GOLDEN "/ops/linear.pt2", NULL);
    sweep(run_model, LT_TEST_GOLDEN "/families/bufkv.pt2", NULL); /* state */
    sweep(run_model, LT_TEST_GOLDEN "/ops/batch3_conv_bn_relu.pt2", NULL);
    sweep(run_model, LT_TEST_GOLDEN "/pytorch-ir/tiny_qwen2_ir_decode.json",
          LT_TEST_GOLDEN "/pytorch-ir/tiny_qwen2_ir_decode.weights.safetensors");
}

static void descriptions(void **state)
{
    (void)state;
    sweep(describe, LT_TEST_GOLDEN "/families/bufkv.pt2", NULL);
    sweep(describe, LT_TEST_DATA "/weights/llama.gguf", NULL);
    sweep(describe, LT_TEST_DATA "/weights/llama.safetensors", NULL);
}

static void texts(void **state)
{
    (void)state;
    sweep(tokenize, LT_TEST_DATA "/tokenizers/qwen2/tokenizer.json", NULL); /* NFC */
    sweep(generate, LT_TEST_SHARE "/tiny.pt2", LT_TEST_SHARE "/tiny-tokenizer.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(models), cmocka_unit_test(descriptions),
                                       cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
