/* Switching stacks saves what the calling convention says a function keeps, and nothing else. */
#define _DEFAULT_SOURCE
#include "fiber.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct fiber {
    void *stack; /* its pointer while the fiber waits */
};

static fiber *running;
static void *resumer; /* the stack of whoever resumed it */

/* Saves the stack pointer in *from and goes on where `to` was saved. */
void fiber_switch(void **from, void *to);

#if defined(__x86_64__)
enum { KEPT = 6, RETURN = 6, FRAME = 7 }; /* words: registers, then where to return to */
__asm__(".text\n"
        ".globl fiber_switch\n"
        ".hidden fiber_switch\n"
        ".type fiber_switch, @function\n"
        "fiber_switch:\n"
        "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
        "    mov %rsp, (%rdi)\n"
        "    mov %rsi, %rsp\n"
        "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
        "    ret\n");
#elif defined(__aarch64__)
enum { KEPT = 20, RETURN = 11, FRAME = 20 };
__asm__(".text\n"
        ".globl fiber_switch\n"
        ".hidden fiber_switch\n"
        ".type fiber_switch, %function\n"
        "fiber_switch:\n"
        "    sub sp, sp, #160\n"
        "    stp x19, x20, [sp, #0]\n    stp x21, x22, [sp, #16]\n    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n    stp x27, x28, [sp, #64]\n    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n    stp d10, d11, [sp, #112]\n    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n    str x9, [x0]\n    mov sp, x1\n"
        "    ldp x19, x20, [sp, #0]\n    ldp x21, x22, [sp, #16]\n    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n    ldp x27, x28, [sp, #64]\n    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n    ldp d10, d11, [sp, #112]\n    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    add sp, sp, #160\n    ret\n");
#else
#error "fibers are written for x86-64 and AArch64"
#endif

fiber *fiber_create(void (*entry)(void), size_t stack_bytes)
{
    fiber *f = malloc(sizeof *f);
    void *memory = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!f || memory == MAP_FAILED) {
        free(f);
        return NULL;
    }
    /* As if it had been saved at the beginning of `entry`, whose frame is aligned as after a call. */
    uintptr_t top = (uintptr_t)memory + stack_bytes - 64;
    void **frame = (void **)top - FRAME - FRAME % 2;
    memset(frame, 0, FRAME * sizeof *frame);
    memcpy(&frame[RETURN], &entry, sizeof entry);
    f->stack = frame;
    return f;
}

void fiber_resume(fiber *to)
{
    running = to;
    fiber_switch(&resumer, to->stack);
}

void fiber_yield(void) { fiber_switch(&running->stack, resumer); }
