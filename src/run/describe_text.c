/* The description of a file as text for people, printed from its JSON. */
#include "run/describe.h"

static void print_shape(const lt_json *value, lt_text *text)
{
    const lt_json *shape = lt_json_member(value, "shape"), *dim;
    size_t i;
    lt_text_printf(text, "%s[", lt_json_text(lt_json_member(value, "dtype")));
    lt_json_foreach (shape, i, dim) {
        if (i) lt_text_printf(text, ",");
        if (lt_json_is(dim, LT_JSON_STRING)) lt_text_printf(text, "%s", lt_json_text(dim));
        else lt_text_printf(text, "%lld", (long long)lt_json_integer(dim));
    }
    lt_text_printf(text, "]");
}

static void print_values(const lt_json *root, const char *key, lt_text *text)
{
    const lt_json *list = lt_json_member(root, key), *value;
    size_t i;
    if (!list) return;
    lt_text_printf(text, "%s (%zu)\n", key, lt_json_count(list));
    lt_json_foreach (list, i, value) {
        lt_text_printf(text, "  %3zu  %-28s ", i, lt_json_text(lt_json_member(value, "name")));
        if (lt_json_member(value, "dtype")) print_shape(value, text);
        else lt_text_printf(text, "(fixed at export)");
        lt_text_printf(text, "\n");
    }
}

static void print_symbols(const lt_json *root, lt_text *text)
{
    const lt_json *list = lt_json_member(root, "symbols"), *value;
    size_t i;
    if (lt_json_count(list) == 0) return;
    lt_text_printf(text, "symbols\n");
    lt_json_foreach (list, i, value) {
        long long max = (long long)lt_json_integer(lt_json_member(value, "max"));
        lt_text_printf(text, "  %s: %lld to ", lt_json_text(lt_json_member(value, "name")),
                       (long long)lt_json_integer(lt_json_member(value, "min")));
        if (max == INT64_MAX) lt_text_printf(text, "any\n");
        else lt_text_printf(text, "%lld\n", max);
    }
}

/* A column of the table of types. */
static const char *column(const lt_json *row, const char *key)
{
    return lt_json_text(lt_json_member(row, key));
}

static void print_types(const lt_json *root, lt_text *text)
{
    const lt_json *list = lt_json_member(root, "types"), *row;
    const char *unknown = lt_json_text(lt_json_member(root, "types_unknown")),
               *kv_type = lt_json_text(lt_json_member(root, "kv_type"));
    size_t i;
    if (unknown) lt_text_printf(text, "types: known once the model runs (%s)\n", unknown);
    if (lt_json_count(list) == 0) return;
    lt_text_printf(text, "types\n  %5s  %-12s %-10s %-10s %-10s %-15s %s\n", "steps", "", "stored as",
                   "times", "computed", "summed in", "result");
    lt_json_foreach (list, i, row)
        lt_text_printf(text, "  %5lld  %-12s %-10s %-10s %-10s %-15s %s\n",
                       (long long)lt_json_integer(lt_json_member(row, "count")), column(row, "what"),
                       column(row, "storage"), column(row, "operands"), column(row, "compute"),
                       column(row, "accumulate"), column(row, "result"));
    lt_text_printf(text, "  caches: %s\n", kv_type);
}

static void print_one_state(const lt_json *value, lt_text *text)
{
    const char *buffer = lt_json_text(lt_json_member(value, "buffer")),
               *dtype = lt_json_text(lt_json_member(value, "dtype")),
               *reason = lt_json_text(lt_json_member(value, "reason"));
    if (buffer) lt_text_printf(text, "  buffer %s", buffer);
    else
        lt_text_printf(text, "  input %s, updated by output %lld",
                       lt_json_text(lt_json_member(value, "input")),
                       (long long)lt_json_integer(lt_json_member(value, "output")));
    if (dtype) lt_text_printf(text, ", %s", dtype);
    if (reason) lt_text_printf(text, ": state copied, not in place (%s)", reason);
    else if (dtype) lt_text_printf(text, ", in place");
    lt_text_printf(text, "\n");
}

static void print_state(const lt_json *root, lt_text *text)
{
    const lt_json *list = lt_json_member(root, "state"), *copied = lt_json_member(root, "copied_state"),
                  *value;
    size_t i;
    if (lt_json_count(list)) lt_text_printf(text, "state (%zu)\n", lt_json_count(list));
    lt_json_foreach (list, i, value) print_one_state(value, text);
    if (lt_json_count(copied)) lt_text_printf(text, "not kept as state (%zu)\n", lt_json_count(copied));
    lt_json_foreach (copied, i, value) print_one_state(value, text);
}

static void print_weights(const lt_json *root, lt_text *text)
{
    const lt_json *weights = lt_json_member(root, "weights"), *list = lt_json_member(weights, "list"), *value;
    const lt_json *ties = lt_json_member(weights, "ties"), *in_file = lt_json_member(weights, "in_file");
    size_t i;
    lt_text_printf(text, "weights: %zu, %.1f MB", lt_json_count(list),
                   (double)lt_json_integer(lt_json_member(weights, "bytes")) / 1e6);
    if (in_file) lt_text_printf(text, ", %lld of them in the file", (long long)lt_json_integer(in_file));
    lt_text_printf(text, "\n");
    lt_json_foreach (list, i, value) {
        lt_text_printf(text, "  %-56s ", lt_json_text(lt_json_member(value, "name")));
        print_shape(value, text);
        const char *packed = lt_json_text(lt_json_member(value, "packed"));
        lt_text_printf(text, packed ? ", packed as %s\n" : "\n", packed);
    }
    lt_json_foreach (ties, i, value)
        lt_text_printf(text, "  %s is tied to %s\n", lt_json_text(lt_json_item(value, 1)),
                       lt_json_text(lt_json_item(value, 0)));
}

static void print_operators(const lt_json *root, lt_text *text)
{
    const lt_json *operators = lt_json_member(root, "operators"), *count;
    size_t i;
    if (!operators) return;
    lt_text_printf(text, "operators (%zu)\n", lt_json_count(operators));
    lt_json_foreach (operators, i, count)
        lt_text_printf(text, "  %5lld  %s\n", (long long)lt_json_integer(count), count->key);
    const char *unsupported = lt_json_text(lt_json_member(root, "unsupported"));
    lt_text_printf(text, "%s%s", *unsupported ? "not supported\n" : "all operators are supported\n",
                   unsupported);
}

static void print_partitions(const lt_json *root, lt_text *text)
{
    const lt_json *list = lt_json_member(root, "partitions"), *partition, *count;
    size_t i, k;
    if (lt_json_count(list)) lt_text_printf(text, "partitions (%zu)\n", lt_json_count(list));
    lt_json_foreach (list, i, partition) {
        lt_text_printf(text, "  %lld nodes:", (long long)lt_json_integer(lt_json_member(partition, "nodes")));
        lt_json_foreach (lt_json_member(partition, "on"), k, count)
            lt_text_printf(text, "%s %lld on %s", k ? "," : "", (long long)lt_json_integer(count),
                           count->key);
        lt_text_printf(text, "; %lld views\n",
                       (long long)lt_json_integer(lt_json_member(partition, "views")));
    }
}

/* Long values are cut short. */
static void print_metadata(const lt_json *root, lt_text *text)
{
    const lt_json *metadata = lt_json_member(root, "metadata"), *value;
    size_t i;
    lt_json_foreach (metadata, i, value) {
        lt_text line = {0};
        lt_json_write(value, 0, &line);
        if (line.failed) text->failed = true;
        else lt_text_printf(text, "  %s = %.100s\n", value->key, line.data);
        lt_text_free(&line);
    }
}

void lt_describe_print(const char *path, const lt_json *root, lt_text *text)
{
    const char *dialect = lt_json_text(lt_json_member(root, "dialect"));
    lt_text_printf(text, "%s: %s", path, lt_json_text(lt_json_member(root, "format")));
    if (dialect)
        lt_text_printf(text, ", %s dialect, written by torch %s, %lld nodes", dialect,
                       lt_json_text(lt_json_member(root, "torch")),
                       (long long)lt_json_integer(lt_json_member(root, "nodes")));
    lt_text_printf(text, "\n");
    print_metadata(root, text);
    print_values(root, "inputs", text);
    print_values(root, "outputs", text);
    print_symbols(root, text);
    print_types(root, text);
    print_state(root, text);
    print_partitions(root, text);
    print_weights(root, text);
    print_operators(root, text);
}
