/* The list of passes. */
#include "pass/pass.h"

enum { ANY = LT_TARGET_CPU | LT_TARGET_SHARED, CPU = LT_TARGET_CPU | LT_TARGET_REGION, ALL = ANY | CPU };

const lt_pass lt_passes[] = {
    {"simplify", "fold constants, join casts and views, share common subexpressions", 1, ANY,
     lt_pass_simplify},
    {"attention", "attention written out, repeated heads, masks that are bounds", 2, ANY, lt_pass_attention},
    {"fuse", "RMS norm, rotary embedding, gated units", 2, ANY, lt_pass_fuse},
    {"narrow", "one row of what is computed row by row, where only that is read", 2, ANY, lt_pass_narrow},
    {"conv_norm", "factors and terms of channels into the convolution before them", 2, ANY,
     lt_pass_conv_norm},
    {"unchain", "the formulas of chains one by one, as the passes that follow know them", 2, LT_TARGET_REGION,
     lt_pass_unchain},
    {"conv_forms", "convolutions transposed, of three dims, of half precision", 2, CPU, lt_pass_conv_forms},
    {"layout", "channels in blocks for convolutions and what lies between them", 2, CPU, lt_pass_layout},
    {"conv_epilogue", "sums and activations into the convolution before them", 2, CPU, lt_pass_conv_epilogue},
    {"tidy", "what the fusions left to simplify", 2, ALL, lt_pass_simplify},
    {"linear_weights", "weights of linear layers row by row", 2, ANY, lt_pass_linear_weights},
    {"chain", "elementwise formulas that follow one another", 2, ALL, lt_pass_chain},
    {"prune", "leave out what nothing reads", 1, ALL, lt_pass_prune},
    {NULL, NULL, 0, 0, NULL},
};

lathe_status lt_passes_run(lt_graph **graph, int level, lt_pass_target target, lt_text *dump,
                           lathe_error *err)
{
    for (const lt_pass *pass = lt_passes; pass->name; pass++) {
        lt_graph *next;
        if (pass->level > level || !(pass->targets & target)) continue;
        LT_TRY_NOTE(pass->run(*graph, &next, err), err, "pass %s", pass->name);
        *graph = next;
        if (!dump) continue;
        lt_text_printf(dump, "# after %s\n", pass->name);
        lt_graph_print(*graph, dump);
    }
    return LATHE_OK;
}
