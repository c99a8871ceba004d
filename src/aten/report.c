/* Which nodes of an exported program cannot be imported, found without importing. */
#include <string.h>

#include "aten/importer.h"
#include "aten/symbolic.h"
#include "base/json.h"

/* One kind of problem: an operator, and why it cannot run. */
typedef struct lt_problem {
    const lt_xnode *first;
    const char *reason;
    uint32_t count;
} lt_problem;

enum { MAX_PROBLEMS = 256 };

typedef struct lt_problems {
    const lt_exported *exported;
    const lt_aten_table *table;
    lt_problem list[MAX_PROBLEMS];
    uint32_t n;
} lt_problems;

/* "L__self__,,Net;L__self__a.b,a.b,Linear" → "a.b": the innermost module's path; *length 0: there is none. */
static const char *module_path(const char *stack, int *length)
{
    const char *last = stack ? strrchr(stack, ';') : NULL;
    const char *comma = stack ? strchr(last ? last : stack, ',') : NULL;
    *length = comma ? (int)strcspn(comma + 1, ",") : 0;
    return comma ? comma + 1 : NULL;
}

static void print_module(const char *stack, lt_text *text)
{
    int length;
    const char *path = module_path(stack, &length);
    if (length) lt_text_printf(text, "    module: %.*s\n", length, path);
}

/* The last frame of a stack trace is the line that made the node. */
static void print_frame(const char *stack, lt_text *text)
{
    if (!stack) return;
    for (const char *at = stack; (at = strstr(at, "File \"")); at++) stack = at;
    lt_text_printf(text, "    %s\n", stack);
}

void lt_import_where(const lt_xnode *node, lt_text *text)
{
    const lt_json *metadata;
    const lt_xmetadata *source = &node->metadata;
    lt_arena *arena;
    if (!source->text || lt_arena_create(&arena, NULL) != LATHE_OK) return;
    if (lt_json_parse(source->text, source->length, false, "metadata", arena, &metadata, NULL) == LATHE_OK) {
        print_module(lt_json_text(lt_json_member(metadata, "nn_module_stack")), text);
        print_frame(lt_json_text(lt_json_member(metadata, "stack_trace")), text);
    }
    lt_arena_destroy(arena);
}

lathe_status lt_import_module(const lt_xnode *node, lt_arena *arena, const char **path, lathe_error *err)
{
    const lt_json *metadata;
    const lt_xmetadata *source = &node->metadata;
    lt_arena *scratch;
    *path = "";
    if (!source->text) return LATHE_OK;
    LT_TRY(lt_arena_create(&scratch, err));
    lathe_status status =
        lt_json_parse(source->text, source->length, false, "metadata", scratch, &metadata, err);
    if (status == LATHE_OK) {
        int length;
        const char *found = module_path(lt_json_text(lt_json_member(metadata, "nn_module_stack")), &length);
        if (length && !(*path = lt_arena_printf(arena, "%.*s", length, found)))
            status = lt_out_of_memory(err, (size_t)length, 1);
    }
    lt_arena_destroy(scratch);
    return status;
}

/* Why a node cannot be imported; NULL when it can, as far as its operator goes. */
static const char *problem_of(const lt_problems *problems, const lt_xnode *node)
{
    lt_aten_form form;
    if (lt_region_known(node->target)) return lt_region_problem(problems->exported, node);
    if (lt_symbolic_known(node->target) || lt_aten_find(problems->table, node->target, &form)) return NULL;
    return "not supported";
}

static void note(lt_problems *problems, const lt_xnode *node, const char *reason)
{
    lt_problem *problem = problems->list, *end = problem + problems->n;
    while (problem < end && (strcmp(problem->first->target, node->target) != 0 || problem->reason != reason))
        problem++;
    if (problem == problems->list + MAX_PROBLEMS) return;
    if (problem == end) {
        *problem = (lt_problem){.first = node, .reason = reason};
        problems->n++;
    }
    problem->count++;
}

static void visit(lt_problems *problems, const lt_xgraph *graph, int depth)
{
    for (uint32_t i = 0; i < graph->n_nodes && depth < LT_MAX_REGION_DEPTH; i++) {
        const lt_xnode *node = &graph->nodes[i];
        const char *reason = problem_of(problems, node);
        for (uint32_t a = 0; a < node->n_args; a++)
            if (node->args[a].arg.kind == LT_ARG_GRAPH) visit(problems, node->args[a].arg.graph, depth + 1);
        if (reason) note(problems, node, reason);
    }
}

lathe_status lt_import_unsupported(const lt_exported *exported, const lt_aten_table *table, lt_text *report,
                                   lathe_error *err)
{
    lt_problems *problems = lt_heap_alloc(1, sizeof *problems);
    if (!problems) return lt_out_of_memory(err, 1, sizeof *problems);
    problems->exported = exported;
    problems->table = table;
    visit(problems, &exported->graph, 0);
    for (uint32_t i = 0; i < problems->n; i++) {
        const lt_problem *problem = &problems->list[i];
        lt_text_printf(report, "%s: %s, used %u time%s, first by node '%s'\n", problem->first->target,
                       problem->reason, problem->count, problem->count == 1 ? "" : "s", problem->first->name);
        lt_import_where(problem->first, report);
    }
    if (problems->n)
        lt_text_printf(report,
                       "Re-export after run_decompositions(), or replace these operators in the model.\n");
    lt_heap_free(problems);
    return lt_text_status(report, err);
}
