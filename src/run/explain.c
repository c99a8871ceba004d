/* Tells how a graph is divided over devices: regions, what is carried between them, and why. */
#include <string.h>

#include "run/devices.h"

typedef struct lt_explainer {
    const lathe_model *model;
    const lt_devices *devices;
    const lt_partition *p;
    const char *names[LT_MAX_DEVICES]; /* of devices */
    lt_text *out;
    lt_arena *arena;
} lt_explainer;

static const lt_xnode *source_of(const lt_explainer *e, const lt_node *node)
{
    const lt_xgraph *graph = &e->model->exported->graph;
    return node->source < graph->n_nodes ? &graph->nodes[node->source] : NULL;
}

static const char *device_of_region(const lt_explainer *e, uint32_t region)
{
    return e->names[e->p->regions[region].device];
}

/* ---- Text ---- */

static void print_regions(lt_explainer *e)
{
    for (uint32_t r = 0; r < e->p->n_regions; r++) {
        const lt_region *region = &e->p->regions[r];
        uint32_t counts[LT_OP_COUNT] = {0};
        lt_text_printf(e->out, "region %u on %s: %u nodes, about %.3f ms of work for the CPU\n   ", r,
                       e->names[region->device], region->n_nodes, region->seconds * 1e3);
        for (uint32_t i = 0; i < e->p->whole->n_nodes; i++)
            if (e->p->region_of[i] == r) counts[e->p->whole->nodes[i].op]++;
        for (int op = 0; op < LT_OP_COUNT; op++)
            if (counts[op]) lt_text_printf(e->out, " %s x%u", lt_op_get((lt_op)op)->name, counts[op]);
        lt_text_printf(e->out, "\n");
    }
}

/* The name that the file has for a value, or the node that makes it. */
static void print_value(lt_explainer *e, lt_id id)
{
    const lt_node *node = lt_graph_producer(e->p->whole, id);
    const lt_xnode *source = node ? source_of(e, node) : NULL;
    if (source) lt_text_printf(e->out, "'%s' (%s)", source->name, source->target);
    else if (e->p->whole->values[id].name) lt_text_printf(e->out, "'%s'", e->p->whole->values[id].name);
    else lt_text_printf(e->out, "%%%u", id);
}

/* Why nodes that read or make the value are not where the other side is: the first reason met. */
static const char *reason_of_cut(const lt_explainer *e, const lt_wire *wire)
{
    const lt_node *maker = lt_graph_producer(e->p->whole, wire->value);
    if (maker && e->p->why[maker - e->p->whole->nodes]) return e->p->why[maker - e->p->whole->nodes];
    for (uint32_t i = 0; i < e->p->whole->n_nodes; i++)
        for (uint32_t k = 0; k < e->p->whole->nodes[i].n_in && e->p->region_of[i] != LT_NONE; k++)
            if (lt_partition_base(e->p, e->p->whole->nodes[i].in[k]) == wire->value &&
                e->p->region_of[i] != wire->from && e->p->why[i])
                return e->p->why[i];
    return "their devices differ";
}

static bool crosses(const lt_explainer *e, const lt_wire *wire)
{
    uint32_t from = wire->from == LT_NONE ? e->p->state_on[wire->state] : e->p->regions[wire->from].device;
    return (wire->readers & ~(1u << from)) != 0;
}

static double print_cuts(lt_explainer *e)
{
    double carried = 0;
    for (uint32_t w = 0; w < e->p->n_wires; w++) {
        const lt_wire *wire = &e->p->wires[w];
        char type[LT_TYPE_TEXT];
        if (!crosses(e, wire)) continue;
        carried += (double)lt_type_bytes(&wire->type);
        lt_text_printf(e->out, "  %s of ", lt_type_print(&wire->type, type));
        print_value(e, wire->value);
        lt_text_printf(e->out, ", %.3f kB: %s ->", (double)lt_type_bytes(&wire->type) / 1e3,
                       wire->from == LT_NONE ? "old state" : device_of_region(e, wire->from));
        for (uint32_t d = 0; d <= e->devices->n; d++)
            if (wire->readers >> d & 1) lt_text_printf(e->out, " %s", e->names[d]);
        lt_text_printf(e->out, "; %s\n", reason_of_cut(e, wire));
    }
    return carried;
}

/* Nodes that are not on the device that is preferred, together with others of the same operator and reason.
 */
static void print_reasons(lt_explainer *e)
{
    const lt_graph *g = e->p->whole;
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        uint32_t same = 0;
        bool first = e->p->why[i] != NULL && e->p->device_of[i] != 0;
        for (uint32_t k = 0; k < g->n_nodes && first; k++) {
            bool equal =
                e->p->why[k] && g->nodes[k].op == g->nodes[i].op && strcmp(e->p->why[k], e->p->why[i]) == 0;
            if (equal && k < i) first = false;
            same += equal;
        }
        if (!first) continue;
        const lt_xnode *source = source_of(e, &g->nodes[i]);
        lt_text_printf(e->out, "  %s x%u on %s: %s", lt_op_get(g->nodes[i].op)->name, same,
                       e->names[e->p->device_of[i]], e->p->why[i]);
        if (source) {
            lt_text_printf(e->out, "\n    first '%s' (%s)\n", source->name, source->target);
            lt_import_where(source, e->out);
        }
        lt_text_printf(e->out, "\n");
    }
}

static void print_advice(lt_explainer *e, double carried)
{
    const lt_wire *largest = NULL;
    for (uint32_t w = 0; w < e->p->n_wires; w++) {
        const lt_wire *wire = &e->p->wires[w];
        if (crosses(e, wire) && (!largest || lt_type_bytes(&wire->type) > lt_type_bytes(&largest->type)))
            largest = wire;
    }
    if (!largest) {
        lt_text_printf(e->out, "nothing is carried in a run but inputs and outputs\n");
        return;
    }
    lt_text_printf(e->out, "the largest cut is ");
    print_value(e, largest->value);
    lt_text_printf(e->out,
                   ", %.0f %% of what is carried: where its reason cannot be changed, keep what makes or "
                   "reads it on the "
                   "same device (--pin NODE=DEVICE, --cpu-ops)\n",
                   100 * (double)lt_type_bytes(&largest->type) / carried);
}

static void print_text(lt_explainer *e)
{
    lt_text cuts = {0}, *out = e->out;
    e->out = &cuts;
    double carried = print_cuts(e);
    e->out = out;
    lt_text_printf(out, "%u regions on", e->p->n_regions);
    for (uint32_t d = 0; d <= e->devices->n; d++) lt_text_printf(out, "%s %s", d ? "," : "", e->names[d]);
    lt_text_printf(out, "; %.3f MB are carried between devices in a run\n", carried / 1e6);
    if (e->devices->origin) lt_text_printf(out, "the partition is %s\n", e->devices->origin);
    print_regions(e);
    if (cuts.length) lt_text_printf(out, "cuts\n%s", cuts.data);
    lt_text_free(&cuts);
    lt_text_printf(out, "not on %s\n", e->names[0]);
    print_reasons(e);
    print_advice(e, carried);
}

/* ---- Drawings ---- */

static const char *const colours[] = {"#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"};

static void draw_region(lt_explainer *e, uint32_t r, bool dot)
{
    const lt_region *region = &e->p->regions[r];
    const char *colour = colours[region->device % LT_COUNT(colours)], *device = e->names[region->device];
    if (dot)
        lt_text_printf(
            e->out, "  r%u [label=\"region %u: %s, %u nodes\", shape=box, style=filled, fillcolor=\"%s\"];\n",
            r, r, device, region->n_nodes, colour);
    else
        lt_text_printf(e->out, "  r%u[\"region %u: %s, %u nodes\"]\n  style r%u fill:%s\n", r, r, device,
                       region->n_nodes, r, colour);
}

/* With the kilobytes that it carries. */
static void draw_order(lt_explainer *e, uint32_t from, uint32_t to, bool dot)
{
    double bytes = 0;
    for (uint32_t w = 0; w < e->p->n_wires; w++)
        if (e->p->wires[w].from == from && (e->p->wires[w].readers >> e->p->regions[to].device & 1))
            bytes += (double)lt_type_bytes(&e->p->wires[w].type);
    lt_text_printf(e->out, dot ? "  r%u -> r%u [label=\"%.3f kB\"];\n" : "  r%u --> r%u\n", from, to,
                   bytes / 1e3);
}

/* Boxes have the colour of their device. */
static void draw(lt_explainer *e, bool dot)
{
    lt_text_printf(e->out, dot ? "digraph regions {\n" : "flowchart TD\n");
    for (uint32_t r = 0; r < e->p->n_regions; r++) draw_region(e, r, dot);
    for (uint32_t r = 0; r < e->p->n_regions; r++)
        for (uint32_t i = 0; i < e->p->regions[r].n_after; i++)
            draw_order(e, e->p->regions[r].after[i], r, dot);
    if (dot) lt_text_printf(e->out, "}\n");
}

/* ---- Partitioning a model without weights ---- */

static lathe_status explain(lt_explainer *e, lathe_model *model, lt_devices *devices, lathe_description form,
                            lathe_error *err)
{
    lt_partition *partition;
    LT_TRY(lt_model_partition(model, devices, false, e->arena, &partition, err));
    e->p = partition;
    for (uint32_t d = 0; d <= devices->n; d++) {
        e->names[d] = lt_devices_name(devices, d, e->arena);
        if (!e->names[d]) return lt_out_of_memory(err, 1, 1);
    }
    if (form == LATHE_AS_TEXT) print_text(e);
    else draw(e, form == LATHE_AS_DOT);
    return lt_text_status(e->out, err);
}

lathe_status lathe_model_explain(lathe_model *model, const lathe_placement *placement, lathe_description form,
                                 char **text, lathe_error *err)
{
    const char *report;
    lt_devices devices = {0};
    lt_text out = {0};
    lt_explainer e = {.model = model, .devices = &devices, .out = &out};
    lathe_session_options options = {.placement = placement ? *placement : (lathe_placement){0}};
    *text = NULL;
    if (form == LATHE_AS_JSON) LT_FAIL(err, INVALID_ARGUMENT, "expected text, mermaid or dot");
    LT_TRY(lathe_model_unsupported(model, &report, err));
    if (*report) LT_FAIL(err, UNSUPPORTED, "%s", report);
    LT_TRY(lt_arena_create(&e.arena, err));
    lathe_status status = lt_devices_open(&devices, model, &options, err);
    if (status == LATHE_OK) status = explain(&e, model, &devices, form, err);
    lt_devices_close(&devices);
    lt_arena_destroy(e.arena);
    if (status == LATHE_OK) *text = out.data;
    else lt_text_free(&out);
    return status;
}
