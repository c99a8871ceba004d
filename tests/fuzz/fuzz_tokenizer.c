/* Any bytes as a tokenizer.json: it loads, or is refused; what loads encodes and decodes an awkward text. */
#include <string.h>

#include "llm/tokenizer.h"

static void use(const lathe_tokenizer *t)
{
    static const char text[] = "  ab'S 12\xe2\x82\xac\r\n<x> </x>\xff e\xcc\x81\xcc\xa3 <|im_start|>";
    lathe_error err;
    lathe_tokens ids;
    char *back;
    size_t size;
    if (lathe_tokenizer_encode(t, text, sizeof text, 0, &ids, &err) != LATHE_OK) return;
    if (lathe_tokenizer_decode(t, ids.ids, ids.count, 0, &back, &size, &err) == LATHE_OK)
        lathe_text_free(back);
    lathe_tokens_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lathe_error err;
    lathe_tokenizer *t;
    if (lt_tokenizer_create(&t, &err) != LATHE_OK) return 0;
    if (lt_tokenizer_load_json(t, (const char *)data, size, "fuzz.json", &err) == LATHE_OK &&
        lt_chat_recognize(t, size ? lt_arena_strndup(t->arena, (const char *)data, size) : "", NULL, &err) ==
            LATHE_OK &&
        lt_tokenizer_finish(t, &err) == LATHE_OK)
        use(t);
    lathe_tokenizer_close(t);
    return 0;
}
