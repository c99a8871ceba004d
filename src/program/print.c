/* Programs as text. */
#include "program/program.h"

static void print_operand(const lt_operand *operand, lt_text *text)
{
    static const char *const kinds[] = {
        [LT_BUFFER_ARENA] = "arena",     [LT_BUFFER_INPUT] = "input",   [LT_BUFFER_OUTPUT] = "output",
        [LT_BUFFER_WEIGHT] = "weight",   [LT_BUFFER_STATE] = "state",   [LT_BUFFER_CONST] = "const",
        [LT_BUFFER_HOISTED] = "hoisted", [LT_BUFFER_PACKED] = "packed", [LT_BUFFER_WIRE] = "wire"};
    const lt_tensor *tensor = &operand->tensor;
    lt_type type = lt_tensor_type(tensor);
    char name[LT_TYPE_TEXT];
    lt_text_printf(text, "%s", kinds[operand->kind]);
    if (operand->kind != LT_BUFFER_ARENA) lt_text_printf(text, "%u", operand->index);
    if (operand->kind == LT_BUFFER_ARENA || operand->offset)
        lt_text_printf(text, "+%lld", (long long)operand->offset);
    lt_text_printf(text, ": %s", lt_type_print(&type, name));
    if (lt_tensor_is_contiguous(tensor)) return;
    lt_text_printf(text, " by [");
    for (int i = 0; i < tensor->rank; i++)
        lt_text_printf(text, "%s%lld", i ? "," : "", (long long)tensor->stride[i]);
    lt_text_printf(text, "]");
}

void lt_program_print(const lt_program *program, lt_text *text)
{
    lt_text_printf(text, "arena %zu bytes, scratch %zu bytes\n", program->arena_bytes,
                   program->scratch_bytes);
    for (uint32_t i = 0; i < program->n_steps; i++) {
        const lt_step *step = &program->steps[i];
        lt_text_printf(text, "%s\n", lt_op_get(step->op)->name);
        for (uint32_t k = 0; k < step->n_in + step->n_out; k++) {
            lt_text_printf(text, k < step->n_in ? "    " : "  = ");
            print_operand(&step->args[k], text);
            lt_text_printf(text, "\n");
        }
    }
}
