/* What a file says, before any of it is understood: nodes with their arguments by name, symbolic shapes,
 * weights in the file's mapping. Loaders fill it; the importer turns it into an lt_graph for one binding of
 * the symbols. */
#ifndef LT_EXPORTED_H
#define LT_EXPORTED_H

#include "base/str.h"
#include "ir/symint.h"

typedef enum lt_arg_kind {
    LT_ARG_NONE,
    LT_ARG_NAME,   /* text: a value of the graph that the importer looks up */
    LT_ARG_TENSOR, /* id; never in a file */
    LT_ARG_INT,
    LT_ARG_FLOAT,
    LT_ARG_BOOL,
    LT_ARG_STRING, /* text */
    LT_ARG_DTYPE,
    LT_ARG_LIST,
    LT_ARG_GRAPH, /* a nested region */
    LT_ARG_OTHER  /* device, layout, memory format: nothing that changes values; `text` may name it */
} lt_arg_kind;

/* One argument: of a file's node, or (names resolved) of an operator call. */
typedef struct lt_arg {
    lt_arg_kind kind;
    union {
        const char *text;
        uint32_t id;
        int64_t i;
        double f;
        bool b;
        lt_dtype dtype;
        const struct lt_xgraph *graph;
        struct {
            struct lt_arg *items;
            uint32_t n;
        } list;
    };
} lt_arg;

typedef struct lt_xarg {
    const char *name; /* parameter of the operator's schema; NULL: by position */
    lt_arg arg;
} lt_xarg;

/* Tensors of a node that the file lists without saying which parameters they are for (pytorch-ir): the
 * importer deals them out along the operator's schema. */
typedef struct lt_xoperands {
    lt_arg *tensors; /* [n], LT_ARG_NAME; members of lists one by one */
    uint32_t n;
    const lt_arg *list_sizes; /* how many tensors each list takes: a list of INT; NULL */
    const lt_arg
        *list_masks; /* where lists have None between them: lists of BOOL, for the lists that have; NULL */
} lt_xoperands;

/* Where a node comes from, as JSON that is parsed when it is asked for: stack trace, modules. */
typedef struct lt_xmetadata {
    const char *text; /* NULL: the file does not tell */
    size_t length;
} lt_xmetadata;

typedef struct lt_xnode {
    const char *name, *target; /* target: "aten.add.Tensor", "_operator.mul", "higher_order.cond" */
    lt_xmetadata metadata;
    lt_xarg *args;
    const lt_xoperands *operands; /* NULL: all arguments are in args */
    lt_arg *outs;                 /* LT_ARG_NAME, LT_ARG_NONE, or a list of these */
    uint32_t n_args, n_outs;
} lt_xnode;

/* What the file records of a tensor value. */
typedef struct lt_xtype {
    lt_dtype dtype; /* LATHE_DTYPE_COUNT: one that lathe does not have, see dtype_name */
    const char *dtype_name;
    int rank; /* -1: unknown (not a tensor) */
    lt_xdim dim[LT_MAX_RANK];
    lt_xdim stride[LT_MAX_RANK]; /* of PyTorch's own tensor, in elements: tells which results alias */
    bool has_strides;
} lt_xtype;

typedef struct lt_xgraph {
    lt_xnode *nodes;
    const char **inputs; /* names of its placeholders */
    lt_arg *outputs;     /* nested regions only; the top level has lt_exported.outputs */
    lt_xtype *types;
    lt_map type_of; /* value name → index in types */
    uint32_t n_nodes, n_inputs, n_outputs, n_types;
} lt_xgraph;

typedef enum lt_xinput_kind { LT_X_USER_INPUT, LT_X_WEIGHT } lt_xinput_kind;

typedef struct lt_xinput {
    lt_xinput_kind kind;
    const char *name;  /* placeholder in the graph; NULL for a user input that is no tensor */
    const char *label; /* the name users see */
    uint32_t weight;   /* WEIGHT: index in lt_exported.weights */
    bool is_buffer;    /* WEIGHT: may be mutated */
    lt_arg literal;    /* user input that was exported as a constant (int, bool, None …) */
} lt_xinput;

typedef enum lt_xoutput_kind { LT_X_USER_OUTPUT, LT_X_BUFFER_MUTATION, LT_X_INPUT_MUTATION } lt_xoutput_kind;

typedef struct lt_xoutput {
    lt_xoutput_kind kind;
    const char *label; /* USER_OUTPUT: the name users see; NULL: the value's */
    lt_arg arg;
    const char *target; /* mutations: placeholder of the buffer or input that gets the value */
} lt_xoutput;

/* A parameter, buffer or lifted constant. */
typedef struct lt_xweight {
    const char *name; /* fully qualified, as in the state dict */
    lt_type type;
    int64_t stride[LT_MAX_RANK]; /* elements */
    const void *data;            /* element 0 in the mapping; NULL: the file has no bytes for it */
    const void *packed;          /* a matrix in packed form in the mapping; NULL: there is none */
    uint32_t packing;            /* with packed: its lt_packing */
    uint32_t record;             /* equal records: one storage (ties); LT_NONE when unknown */
    uint32_t packed_record;      /* .lathe files: that of the packed form; LT_NONE: there is none */
    int64_t offset;              /* elements into the record */
    bool is_constant;            /* not in a state dict: only the file can have it */
} lt_xweight;

typedef struct lt_symbol {
    const char *name;
    int64_t min, max; /* inclusive range constraint */
} lt_symbol;

/* A condition on sizes that was checked when the model was exported. */
typedef struct lt_guard {
    const lt_expr *expr; /* not zero: it holds */
    const char *text;    /* Python's */
} lt_guard;

typedef struct lt_exported {
    lt_arena *arena;
    const char *path;
    const char *format;   /* "pt2", "pytorch-ir" */
    const char *dialect;  /* "TRAINING", "ATEN", … */
    const char *producer; /* the torch version that wrote it */
    lt_xgraph graph;
    lt_xinput *inputs;
    lt_xoutput *outputs;
    lt_xweight *weights;
    lt_map weight_of; /* weight name → index */
    lt_symbol *symbols;
    lt_map symbol_of; /* symbol name → index */
    lt_guard *guards;
    uint32_t n_inputs, n_outputs, n_weights, n_symbols, cap_symbols, n_guards;
    /* Traced on the meta device, where PyTorch does not refuse operands of different float types: they
     * promote, and each result takes the recorded dtype. */
    bool loose_dtypes;
} lt_exported;

#endif
