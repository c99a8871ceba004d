/* Lets a language model answer: generate MODEL.pt2 TOKENIZER PROMPT [WEIGHTS]. */
#include <lathe/llm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(lathe_status status, const lathe_error *err)
{
    if (status == LATHE_OK) return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static bool print(void *user, const char *text, size_t size)
{
    (void)user;
    fwrite(text, 1, size, stdout);
    return fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: generate MODEL.pt2 TOKENIZER PROMPT [WEIGHTS]\n");
        return 2;
    }
    lathe_error err;
    lathe_model *model;
    lathe_tokenizer *tokenizer;
    lathe_generator *generator;
    lathe_tokens prompt;
    lathe_generation generation;
    check(lathe_model_open(argv[1], &model, &err), &err);
    if (argc > 4) check(lathe_model_add_weights(model, argv[4], &err), &err);
    check(lathe_tokenizer_open(argv[2], &tokenizer, &err), &err);
    check(lathe_generator_create(model, NULL, tokenizer, NULL, &generator, &err), &err);
    check(lathe_tokenizer_encode(tokenizer, argv[3], strlen(argv[3]), 0, &prompt, &err), &err);
    lathe_generation_init(&generation);
    generation.max_tokens = 32;
    generation.on_text = print;
    check(lathe_generator_run(generator, prompt.ids, prompt.count, &generation, NULL, &err), &err);
    printf("\n");
    lathe_tokens_free(&prompt);
    lathe_generator_destroy(generator);
    lathe_tokenizer_close(tokenizer);
    lathe_model_close(model);
    return 0;
}
