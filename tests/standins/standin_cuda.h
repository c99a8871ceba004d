/* What the two libraries of CUDA agree on, and what tests may ask of the driver's. */
#ifndef STANDIN_CUDA_H
#define STANDIN_CUDA_H

#define STANDIN_CUDA_VERSION 13000
#define STANDIN_CODE_MAGIC "stand-in code for "

/* The `nth` call (from 1 on, counted from now) of this function of the driver fails with that code. A code of
 * STANDIN_LOST leaves the context unusable, as a kernel that crashed does. Tells whether what was asked for
 * before has come about; function "" and nth 0: nothing fails. */
#define STANDIN_LOST 700
typedef int (*standin_fail_function)(const char *function, int nth, int code);

/* What the device says it is: 90 is compute capability 9.0. */
typedef void (*standin_capability_function)(int capability);

/* Launches of graphs and of kernels so far, those within graphs included. */
typedef void (*standin_count_function)(int *graphs, int *kernels);

/* Calls so far of the driver's functions whose names begin like that. */
typedef int (*standin_calls_function)(const char *prefix);

#endif
