/* Threads of control on stacks of their own that hand the processor on by themselves. */
#ifndef STANDIN_FIBER_H
#define STANDIN_FIBER_H

#include <stddef.h>

typedef struct fiber fiber;

/* A fiber that will run `main`, which must not return; NULL: no memory. It is never freed. */
fiber *fiber_create(void (*main)(void), size_t stack_bytes);

/* Goes on with the fiber until it yields. */
void fiber_resume(fiber *to);

/* To be called in a fiber: goes back to whoever resumed it. */
void fiber_yield(void);

#endif
