/* Chat formats. A template is a Jinja program, which is not run: the format is recognised by the control
 * tokens that it writes, and its fixed texts are read out of its string literals. */
#include <string.h>

#include "base/utf8.h"
#include "llm/tokenizer.h"

static const char chatml_open[] = "<|im_start|>", chatml_close[] = "<|im_end|>";
static const char llama_open[] = "<|start_header_id|>", llama_head[] = "<|end_header_id|>\n\n",
                  llama_close[] = "<|eot_id|>";

/* The text of a piece of a Jinja string literal. */
static const char *unescape(lt_arena *arena, const char *text, size_t size)
{
    char *out = lt_arena_strndup(arena, text, size);
    size_t used = 0;
    for (size_t i = 0; out && i < size; i++) {
        char c = text[i];
        if (c == '\\' && i + 1 < size) {
            c = text[++i];
            if (c == 'n') c = '\n';
            else if (c == 't') c = '\t';
        }
        out[used++] = c;
    }
    if (out) out[used] = '\0';
    return out;
}

/* Steps over a line end of a literal, written as itself or as an escape; NULL when there is none. */
static const char *skip_newline(const char *at)
{
    if (*at == '\n') return at + 1;
    return at[0] == '\\' && at[1] == 'n' ? at + 2 : NULL;
}

/* Whether a piece of the template is the inside of one literal: no quote that ends it, no Jinja brackets. */
static bool is_literal_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\\') {
            i++;
            continue;
        }
        if (text[i] == '{' || text[i] == '}') return false;
        if (text[i] != '\'' && text[i] != '"') continue;
        size_t next = i + 1;
        while (next < size && text[next] == ' ') next++;
        if (next < size && (text[next] == '+' || text[next] == '~')) return false;
    }
    return true;
}

/* ChatML templates write their own system message as "<|im_start|>system\nTEXT<|im_end|>". */
static lathe_status find_default_system(lathe_tokenizer *t, const char *text, lathe_error *err)
{
    static const char head[] = "<|im_start|>system";
    for (const char *at = strstr(text, head); at; at = strstr(at, head)) {
        at += strlen(head);
        const char *start = skip_newline(at), *end = start ? strstr(start, chatml_close) : NULL;
        if (!end || !is_literal_text(start, (size_t)(end - start))) continue;
        t->chat.default_system = unescape(t->arena, start, (size_t)(end - start));
        return t->chat.default_system ? LATHE_OK : lt_out_of_memory(err, 1, (size_t)(end - start));
    }
    return LATHE_OK;
}

/* Llama 3.1 and later begin every system message with two dates: that of the training data, and "today", for
 * which the template has a fixed value. */
static lathe_status find_preamble(lathe_tokenizer *t, const char *text, lathe_error *err)
{
    static const char cutting[] = "Cutting Knowledge Date: ", today[] = "date_string = \"";
    const char *data = strstr(text, cutting), *date = strstr(text, today);
    if (!data || !date) return LATHE_OK;
    data += strlen(cutting);
    date += strlen(today);
    t->chat.preamble = lt_arena_printf(t->arena, "Cutting Knowledge Date: %.*s\nToday Date: %.*s\n\n",
                                       (int)strcspn(data, "\\\n\"'"), data, (int)strcspn(date, "\"\n"), date);
    return t->chat.preamble ? LATHE_OK : lt_out_of_memory(err, 1, strlen(text));
}

lathe_status lt_chat_recognize(lathe_tokenizer *t, const char *template_text, const char *first,
                               lathe_error *err)
{
    t->chat = (lt_chat){.format = LATHE_CHAT_OTHER};
    if (strstr(template_text, "bos_token")) t->chat.first = first;
    if (strstr(template_text, chatml_open) && strstr(template_text, chatml_close)) {
        t->chat.format = LATHE_CHAT_CHATML;
        return find_default_system(t, template_text, err);
    }
    if (strstr(template_text, llama_open) && strstr(template_text, llama_close)) {
        t->chat.format = LATHE_CHAT_LLAMA3;
        return find_preamble(t, template_text, err);
    }
    return LATHE_OK;
}

lathe_chat_format lathe_tokenizer_chat_format(const lathe_tokenizer *tokenizer)
{
    return tokenizer->chat.format;
}

/* A conversation on its way to text. */
typedef struct renderer {
    const lt_chat *chat;
    lt_text text;
    lt_literal *literal; /* [count]: where the contents are */
    size_t count;
} renderer;

static void add(renderer *r, const char *text) { lt_text_append(&r->text, text, strlen(text)); }

static bool is_white(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void add_content(renderer *r, const char *content)
{
    size_t size = strlen(content);
    if (r->chat->format == LATHE_CHAT_LLAMA3) { /* the template trims */
        while (size && is_white(*content)) content++, size--;
        while (size && is_white(content[size - 1])) size--;
    }
    size_t start = r->text.length;
    lt_utf8_stream stream = {0};
    char out[8];
    for (size_t i = 0; i < size; i++) lt_text_append(&r->text, out, lt_utf8_push(&stream, content[i], out));
    lt_text_append(&r->text, out, lt_utf8_flush(&stream, out));
    r->literal[r->count++] = (lt_literal){start, r->text.length};
}

static void open_message(renderer *r, const char *role)
{
    bool chatml = r->chat->format == LATHE_CHAT_CHATML;
    add(r, chatml ? chatml_open : llama_open);
    add(r, role);
    add(r, chatml ? "\n" : llama_head);
}

static void close_message(renderer *r)
{
    add(r, r->chat->format == LATHE_CHAT_CHATML ? "<|im_end|>\n" : llama_close);
}

static void render_system(renderer *r, const char *content)
{
    open_message(r, "system");
    if (r->chat->preamble) add(r, r->chat->preamble);
    add_content(r, content);
    close_message(r);
}

static lathe_status render(renderer *r, const lathe_message *messages, size_t count, lathe_error *err)
{
    if (r->chat->format == LATHE_CHAT_NONE)
        LT_FAIL(err, UNSUPPORTED, "the tokenizer has no chat template: give the prompt as it is");
    if (r->chat->format == LATHE_CHAT_OTHER)
        LT_FAIL(err, UNSUPPORTED,
                "the chat template is neither ChatML nor Llama 3: give the prompt as it is");
    r->literal = lt_heap_alloc(count + 1, sizeof *r->literal);
    if (!r->literal) return lt_out_of_memory(err, count + 1, sizeof *r->literal);
    if (r->chat->first) add(r, r->chat->first);
    size_t i = count && strcmp(messages[0].role, "system") == 0;
    const char *system = i ? messages[0].content : r->chat->default_system;
    if (system || r->chat->preamble) render_system(r, system ? system : "");
    for (; i < count; i++) {
        open_message(r, messages[i].role);
        add_content(r, messages[i].content);
        close_message(r);
    }
    open_message(r, "assistant");
    return lt_text_status(&r->text, err);
}

lathe_status lathe_chat_render(const lathe_tokenizer *tokenizer, const lathe_message *messages, size_t count,
                               char **out, lathe_error *err)
{
    renderer r = {.chat = &tokenizer->chat};
    lathe_status status = render(&r, messages, count, err);
    *out = status == LATHE_OK ? r.text.data : NULL;
    if (status != LATHE_OK) lt_text_free(&r.text);
    lt_heap_free(r.literal);
    return status;
}

lathe_status lathe_chat_encode(const lathe_tokenizer *tokenizer, const lathe_message *messages, size_t count,
                               lathe_tokens *out, lathe_error *err)
{
    renderer r = {.chat = &tokenizer->chat};
    *out = (lathe_tokens){0};
    lathe_status status = render(&r, messages, count, err);
    if (status == LATHE_OK)
        status = lt_tokenizer_encode(tokenizer, r.text.data, r.text.length, LATHE_ENCODE_BARE, r.literal,
                                     r.count, out, err);
    lt_text_free(&r.text);
    lt_heap_free(r.literal);
    return status;
}
