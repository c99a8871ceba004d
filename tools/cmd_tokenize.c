/* lathe tokenize: text to token ids and back. */
#include <getopt.h>
#include <lathe/llm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

static const char help[] = "Splits a text into the tokens of a model, or puts tokens together to a text.\n"
                           "\n"
                           "Usage: lathe tokenize TOKENIZER [TEXT] [--ids]\n"
                           "       lathe tokenize TOKENIZER --decode [IDS...]\n"
                           "\n"
                           "TOKENIZER is a tokenizer.json, a folder with one, or a GGUF file. Without TEXT "
                           "(or IDS) standard input is\n"
                           "taken, to its last byte. A text that begins with a dash is given behind '--'.\n"
                           "\n"
                           "  --ids      print the ids alone, in one line\n"
                           "  --decode   print the text of the tokens, and nothing else\n"
                           "\n"
                           "Otherwise each token is a line: its id, a tab, and its bytes in quotes, where "
                           "\\n, \\r, \\t, \\\" and \\\\ are\n"
                           "written so and other control characters and incomplete characters as \\xNN.\n"
                           "Exit status: 0 done, 1 failed, 2 wrong usage or a broken file.\n";

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

static int decode(const lathe_tokenizer *tokenizer, char **texts, int n_texts)
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

/* `texts` are the arguments behind TOKENIZER. */
static int run(const char *path, char **texts, int n_texts, bool ids_only, bool back)
{
    lathe_error err;
    lathe_tokenizer *tokenizer;
    tool_text input = {0};
    if (lathe_tokenizer_open(path, &tokenizer, &err) != LATHE_OK) return tool_fail(&err);
    int code = n_texts ? EXIT_DONE : tool_read_text("tokenize", "-", &input);
    if (!n_texts) texts = &input.data;
    size_t size = n_texts ? strlen(texts[0]) : input.size;
    if (code == EXIT_DONE)
        code = back ? decode(tokenizer, texts, n_texts ? n_texts : 1)
                    : encode(tokenizer, texts[0], size, ids_only);
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
    static const struct option options[] = {{"ids", no_argument, NULL, 'i'},
                                            {"decode", no_argument, NULL, 'd'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    bool ids_only = false, back = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        switch (option) {
        case 'i': ids_only = true; break;
        case 'd': back = true; break;
        case 'h': fputs(help, stdout); return EXIT_DONE;
        default: return tool_usage("tokenize", "unknown option '%s'", argv[optind - 1]);
        }
    }
    int count = argc - optind;
    if (count < 1) return tool_usage("tokenize", "TOKENIZER is missing");
    if (ids_only && back) return tool_usage("tokenize", "--ids and --decode exclude each other");
    if (!back && count > 2) return tool_usage("tokenize", "more than one TEXT: put it in quotes");
    return run(argv[optind], argv + optind + 1, count - 1, ids_only, back);
}
