/* lathe tokenize: text to token ids and back. */
#include <lathe/llm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOOL_STRUCT tokenize_options
#include "tool.h"

typedef struct tokenize_options {
    const char *tokenizer;
    tool_rest texts;
    bool ids, decode;
} tokenize_options;

static const tool_option options[] = {
    {"--ids", TOOL_FLAG(ids), "print the ids alone, in one line"},
    {"--decode", TOOL_FLAG(decode), "print the text of the tokens, and nothing else"},
    {0},
};

static const tool_command command = {
    .name = "tokenize",
    .intro = "Splits a text into the tokens of a model, or puts tokens together to a text.",
    .usage = "TOKENIZER [TEXT] [--ids]\nTOKENIZER --decode [IDS...]",
    .arguments = {{"TOKENIZER", TOOL_ONE(tokenizer)}, {"TEXT", TOOL_ANY(texts)}},
    .options = options,
    .notes = "TOKENIZER is a tokenizer.json, a folder with one, or a GGUF file. Without TEXT (or IDS) "
             "standard input is taken, to its last byte. A text that begins with a dash is given behind "
             "'--'.\n"
             "Otherwise each token is a line: its id, a tab, and its bytes in quotes, where \\n"
             ", \\r, \\t, \\\" and \\\\ are written so and other control characters and incomplete "
             "characters as \\xNN.",
};

/* Bytes of the character at the start of the piece; 0 when there is none: incomplete, or no UTF-8. */
static size_t whole_character(const unsigned char *bytes, size_t size)
{
    unsigned char lead = bytes[0];
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length > size) return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80) return 0;
    bool overlong = (lead == 0xe0 && bytes[1] < 0xa0) || (lead == 0xf0 && bytes[1] < 0x90);
    bool outside = (lead == 0xed && bytes[1] > 0x9f) || (lead == 0xf4 && bytes[1] > 0x8f);
    return overlong || outside ? 0 : length;
}

static void print_piece(const char *piece, size_t size)
{
    static const char plain[] = "\n\r\t\"\\", letter[] = "nrt\"\\";
    putchar('"');
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)piece[i];
        const char *escape = c ? strchr(plain, c) : NULL;
        size_t length = whole_character((const unsigned char *)piece + i, size - i);
        if (escape) printf("\\%c", letter[escape - plain]);
        else if (c < 0x20 || c == 0x7f || !length) printf("\\x%02x", c);
        else fwrite(piece + i, 1, length, stdout);
        i += length ? length : 1;
    }
    putchar('"');
}

static int print_tokens(const lathe_tokenizer *tokenizer, const lathe_tokens *tokens, bool ids_only)
{
    for (size_t i = 0; i < tokens->count; i++) {
        if (ids_only) {
            printf("%s%lld", i ? " " : "", (long long)tokens->ids[i]);
            continue;
        }
        size_t size;
        const char *piece = lathe_tokenizer_piece(tokenizer, tokens->ids[i], &size);
        printf("%lld\t", (long long)tokens->ids[i]);
        print_piece(piece, size);
        putchar('\n');
    }
    if (ids_only) putchar('\n');
    return EXIT_DONE;
}

static int encode(const lathe_tokenizer *tokenizer, const char *text, size_t size, bool ids_only)
{
    lathe_tokens tokens;
    lathe_error err;
    if (lathe_tokenizer_encode(tokenizer, text, size, 0, &tokens, &err) != LATHE_OK) return tool_fail(&err);
    int code = print_tokens(tokenizer, &tokens, ids_only);
    lathe_tokens_free(&tokens);
    return code;
}

/* Reads ids between white space and commas; false when something else is there. */
static bool parse_ids(const char *text, int64_t **ids, size_t *count, size_t *capacity)
{
    for (;;) {
        text += strspn(text, " \t\r\n,");
        if (!*text) return true;
        char *end;
        if (*count == *capacity) {
            *capacity = *capacity ? 2 * *capacity : 64;
            int64_t *grown = realloc(*ids, *capacity * sizeof **ids);
            if (!grown) return false;
            *ids = grown;
        }
        (*ids)[(*count)++] = strtoll(text, &end, 10);
        if (end == text || !strchr(" \t\r\n,", *end)) return false;
        text = end;
    }
}

static int decode(const lathe_tokenizer *tokenizer, char *const *texts, int n_texts)
{
    int64_t *ids = NULL;
    size_t count = 0, capacity = 0, size;
    int code = EXIT_DONE;
    for (int i = 0; i < n_texts && code == EXIT_DONE; i++)
        if (!parse_ids(texts[i], &ids, &count, &capacity))
            code = tool_usage("tokenize", "'%.40s' is no list of ids", texts[i]);
    lathe_error err;
    char *text = NULL;
    if (code == EXIT_DONE && lathe_tokenizer_decode(tokenizer, ids, count, 0, &text, &size, &err) != LATHE_OK)
        code = tool_fail(&err);
    if (code == EXIT_DONE) fwrite(text, 1, size, stdout);
    lathe_text_free(text);
    free(ids);
    return code;
}

static int run(const tokenize_options *o)
{
    lathe_error err;
    lathe_tokenizer *tokenizer;
    tool_text input = {0};
    if (lathe_tokenizer_open(o->tokenizer, &tokenizer, &err) != LATHE_OK) return tool_fail(&err);
    int n = o->texts.n, code = n ? EXIT_DONE : tool_read_text("tokenize", "-", &input);
    char *const *texts = n ? o->texts.item : &input.data;
    if (code == EXIT_DONE)
        code = o->decode ? decode(tokenizer, texts, n ? n : 1)
                         : encode(tokenizer, texts[0], n ? strlen(texts[0]) : input.size, o->ids);
    free(input.data);
    lathe_tokenizer_close(tokenizer);
    if (code == EXIT_DONE && (fflush(stdout) != 0 || ferror(stdout))) {
        perror("lathe tokenize: standard output");
        return EXIT_DIFFERS;
    }
    return code;
}

int cmd_tokenize(int argc, char **argv)
{
    tokenize_options o = {0};
    int code = tool_parse(&command, argc, argv, &o);
    if (code != TOOL_GO_ON) return code;
    if (o.ids && o.decode) return tool_usage("tokenize", "--ids and --decode exclude each other");
    if (!o.decode && o.texts.n > 1) return tool_usage("tokenize", "more than one TEXT: put it in quotes");
    return run(&o);
}
