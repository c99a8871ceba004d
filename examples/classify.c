/* Runs an image classifier: classify MODEL.pt2 IMAGE.npy prints the five likeliest classes.
 * IMAGE.npy is a float32 array of the model's input shape, normalised as the model wants it. */
#include <lathe/lathe.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void check(lathe_status status, const lathe_error *err)
{
    if (status == LATHE_OK) return;
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: classify MODEL.pt2 IMAGE.npy\n");
        return 2;
    }
    lathe_error err;
    lathe_model *model;
    lathe_session *session;
    lathe_tensors *file;
    lathe_tensor image, scores;
    check(lathe_model_open(argv[1], &model, &err), &err);
    check(lathe_session_create(model, NULL, &session, &err), &err);
    check(lathe_tensors_open(argv[2], &file, &err), &err);
    check(lathe_tensors_at(file, 0, &image, &err), &err);
    check(lathe_session_set_input(session, 0, &image, &err), &err);
    check(lathe_session_run(session, &err), &err);
    check(lathe_session_output(session, 0, &scores, &err), &err);

    int64_t count = lathe_tensor_count(&scores);
    double last = INFINITY;
    for (int rank = 0; rank < 5 && rank < count; rank++) { /* the best that is below the one before */
        int64_t best = -1;
        for (int64_t i = 0; i < count; i++) {
            double value = lathe_tensor_value(&scores, i);
            if (value < last && (best < 0 || value > lathe_tensor_value(&scores, best))) best = i;
        }
        if (best < 0) break;
        last = lathe_tensor_value(&scores, best);
        printf("class %lld: %.4f\n", (long long)best, last);
    }
    lathe_tensors_close(file);
    lathe_session_close(session);
    lathe_model_close(model);
    return 0;
}
