/* What is measured: a language model's generator, or a session of any other model. */
#include "tool_bench.h"

lathe_status bench_subject_open(lathe_model *model, const lathe_generator_options *how, bench_subject *out,
                                lathe_error *err)
{
    lathe_status status = lathe_generator_create(model, NULL, NULL, how, &out->generator, err);
    if (status != LATHE_UNSUPPORTED) return status;
    lathe_session_options plain = {
        .threads = how->threads, .activations = how->activations, .placement = how->placement};
    status = lathe_session_create(model, &plain, &out->session, err);
    return status == LATHE_OK ? tool_set_zero_inputs(model, out->session, err) : status;
}

void bench_subject_close(bench_subject *s)
{
    lathe_generator_destroy(s->generator);
    lathe_session_close(s->session);
    *s = (bench_subject){0};
}

lathe_status bench_subject_prepare(const bench_subject *s, long at, long count, lathe_preparation *spent,
                                   lathe_error *err)
{
    return s->generator ? lathe_generator_prepare(s->generator, (size_t)at, (size_t)count, spent, err)
                        : lathe_session_prepare(s->session, spent, err);
}

lathe_status bench_subject_run(const bench_subject *s, long at, long count, lathe_generator_cost *out,
                               lathe_error *err)
{
    lathe_cost cost;
    if (s->generator) return lathe_generator_measure(s->generator, (size_t)at, (size_t)count, out, err);
    double start = bench_seconds();
    lathe_status status = lathe_session_run(s->session, err);
    out->seconds = bench_seconds() - start;
    if (status == LATHE_OK) status = lathe_session_cost(s->session, &cost, err);
    if (status != LATHE_OK) return status;
    out->bytes = cost.weight_bytes + cost.state_bytes;
    out->flops = cost.flops;
    out->weight_type = cost.weight_type;
    out->kv_type = cost.state_type;
    out->activations = cost.activations;
    return LATHE_OK;
}
