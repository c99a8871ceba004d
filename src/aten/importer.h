/* What the parts of the importer share; nobody else includes this. */
#ifndef LT_IMPORTER_H
#define LT_IMPORTER_H

#include "aten/import.h"
#include "aten/scope.h"

typedef struct lt_importer {
    const lt_exported *exported;
    const lt_import_options *options;
    lt_builder b;
    lt_arena *arena;
    lathe_error *err;
    lt_text *report;
    lt_binding **inputs; /* [exported->n_inputs]: what each was bound to; NULL: no value of the graph */
    lathe_status first_failure; /* of a node: the rest goes on so that the report is complete */
    lathe_error first_error;
    lt_dtype
        autocast; /* what an autocast region around the node casts to; LATHE_DTYPE_COUNT: there is none */
    int depth;    /* of nested regions */
} lt_importer;

enum { LT_MAX_REGION_DEPTH = 16 };

/* import.c: all nodes of a region, in order. */
lathe_status lt_importer_region(lt_importer *im, const lt_xgraph *graph, lt_scope *scope) LT_MUST_USE;

/* import.c: gives a name to a value, after comparing its type with the one recorded. */
lathe_status lt_importer_bind(lt_importer *im, const lt_xgraph *graph, lt_scope *scope, const char *name,
                              lt_binding *binding) LT_MUST_USE;

/* The recorded type of a value; NULL when there is none or it is no tensor. */
const lt_xtype *lt_importer_recorded(const lt_xgraph *graph, const char *name);
lathe_status lt_importer_eval_type(const lt_importer *im, const lt_xtype *recorded, lt_type *out,
                                   lathe_error *err) LT_MUST_USE;

/* arguments.c: the values that names stand for, lists included. */
lathe_status lt_importer_resolve(lt_importer *im, lt_scope *scope, const lt_arg *raw,
                                 lt_arg *out) LT_MUST_USE;

/* A node's arguments by the parameters of the schema, names not yet looked up. */
typedef struct lt_arguments {
    lt_arg raw[LT_MAX_PARAMS];
    bool given[LT_MAX_PARAMS];
    const lt_arg *out; /* the out= argument; NULL */
} lt_arguments;

/* Fills call->args from the node and the schema's defaults. */
lathe_status lt_importer_bind_args(lt_importer *im, lt_scope *scope, const lt_xnode *node, lt_aten_form form,
                                   lt_call *call, lt_arguments *out) LT_MUST_USE;
/* Casts the float tensors among a call's arguments to one dtype; LATHE_DTYPE_COUNT: to the one they promote
 * to. */
void lt_arguments_cast(lt_call *call, lt_dtype dtype);

/* regions.c: operators on regions, and the getitem of Python. */
bool lt_region_known(const char *target);
lathe_status lt_importer_higher_order(lt_importer *im, const lt_xgraph *graph, lt_scope *scope,
                                      const lt_xnode *node) LT_MUST_USE;
/* Why a node that lt_region_known knows cannot be imported: NULL when it can. */
const char *lt_region_problem(const lt_exported *exported, const lt_xnode *node);

#endif
