/* objc_msgSend finds a method and goes on in it with the arguments as they are, as the real one does. */
#include "objc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"

#define EXPORT __attribute__((visibility("default")))

enum { MAX_POOLED = 4096, MAX_SELECTORS = 256, MAX_CLASSES = 16 };

/* ---- objc_msgSend ---- */

/* Called by it: the method, with which it goes on. */
__attribute__((visibility("hidden"))) method standin_find_method(id receiver, SEL selector);

#if defined(__x86_64__)
__asm__(
    ".text\n.globl objc_msgSend\n.type objc_msgSend, @function\n"
    "objc_msgSend:\n"
    "    test %rdi, %rdi\n    jz 1f\n"
    "    push %rbp\n    push %rdi\n    push %rsi\n    push %rdx\n    push %rcx\n    push %r8\n    push %r9\n"
    "    call standin_find_method\n"
    "    pop %r9\n    pop %r8\n    pop %rcx\n    pop %rdx\n    pop %rsi\n    pop %rdi\n    pop %rbp\n"
    "    jmp *%rax\n"
    "1:  xor %eax, %eax\n    ret\n");
#elif defined(__aarch64__)
__asm__(".text\n.globl objc_msgSend\n.type objc_msgSend, %function\n"
        "objc_msgSend:\n"
        "    cbz x0, 1f\n"
        "    stp x29, x30, [sp, #-96]!\n    stp x0, x1, [sp, #16]\n    stp x2, x3, [sp, #32]\n"
        "    stp x4, x5, [sp, #48]\n    stp x6, x7, [sp, #64]\n    str x8, [sp, #80]\n"
        "    bl standin_find_method\n    mov x16, x0\n"
        "    ldp x0, x1, [sp, #16]\n    ldp x2, x3, [sp, #32]\n    ldp x4, x5, [sp, #48]\n"
        "    ldp x6, x7, [sp, #64]\n    ldr x8, [sp, #80]\n    ldp x29, x30, [sp], #96\n"
        "    br x16\n"
        "1:  ret\n");
#else
#error "objc_msgSend is written for x86-64 and AArch64"
#endif

/* ---- Objects ---- */

static int live;
static id pooled[MAX_POOLED];
static int n_pooled, n_pools;

__attribute__((destructor)) static void check_leaks(void)
{
    if (live) fprintf(stderr, "stand-in: %d objects are left at the end\n", live);
    if (n_pools) fprintf(stderr, "stand-in: %d pools are left at the end\n", n_pools);
    if (live || n_pools) _Exit(1);
}

/* Objects in one list for ever: those that are gone are told from what never was one. */
typedef struct entry {
    struct entry *next;
    id object;
} entry;
static entry *entries;

void *standin_object(const char *class_name, size_t size, void (*destroy)(id self))
{
    id object = calloc(1, size);
    entry *e = malloc(sizeof *e);
    if (!object || !e) standin_violation("no memory for an object");
    *e = (entry){entries, object};
    entries = e;
    *object = (struct objc_object){class_name, 1, destroy};
    live++;
    return object;
}

void *standin_check(id object, const char *class_name)
{
    if (!object || !object->class_name)
        standin_violation("an object that is gone, where a %s is expected", class_name);
    if (strcmp(object->class_name, class_name) != 0)
        standin_violation("a %s, where a %s is expected", object->class_name, class_name);
    return object;
}

id standin_retain(id object)
{
    object->references++;
    return object;
}

void standin_release(id object)
{
    if (!object->class_name || object->references < 1) standin_violation("an object is released too often");
    if (--object->references) return;
    if (object->destroy) object->destroy(object);
    object->class_name = NULL;
    live--;
}

id standin_autorelease(id object)
{
    if (n_pools == 0) standin_violation("%s is autoreleased without a pool", object->class_name);
    if (n_pooled == MAX_POOLED) standin_violation("too many objects in pools");
    pooled[n_pooled++] = object;
    return object;
}

EXPORT void *objc_autoreleasePoolPush(void);
EXPORT void *objc_autoreleasePoolPush(void)
{
    n_pools++;
    return pooled + n_pooled;
}

EXPORT void objc_autoreleasePoolPop(void *pool);
EXPORT void objc_autoreleasePoolPop(void *pool)
{
    if (n_pools == 0 || (id *)pool < pooled || (id *)pool > pooled + n_pooled)
        standin_violation("objc_autoreleasePoolPop: not the innermost pool");
    while (pooled + n_pooled > (id *)pool) standin_release(pooled[--n_pooled]);
    n_pools--;
}

/* ---- Strings ---- */

typedef struct string {
    struct objc_object base;
    char *text;
} string;

static void destroy_string(id self) { free(((string *)self)->text); }

id standin_string(const char *text)
{
    string *s = standin_object("NSString", sizeof *s, destroy_string);
    s->text = malloc(strlen(text) + 1);
    if (!s->text) standin_violation("no memory for a string");
    strcpy(s->text, text);
    return standin_autorelease(&s->base);
}

const char *standin_text(id object) { return ((string *)standin_check(object, "NSString"))->text; }

/* ---- Classes and selectors ---- */

struct objc_selector {
    char name[64];
};
static struct objc_selector selectors[MAX_SELECTORS];
static int n_selectors;

EXPORT SEL sel_registerName(const char *name);
EXPORT SEL sel_registerName(const char *name)
{
    int i = 0;
    while (i < n_selectors && strcmp(selectors[i].name, name) != 0) i++;
    if (i == MAX_SELECTORS) standin_violation("too many selectors");
    if (i == n_selectors) snprintf(selectors[n_selectors++].name, sizeof selectors[i].name, "%s", name);
    return &selectors[i];
}

/* A class is an object that takes `new` and such: one whose class_name is "class" and which is never gone. */
struct objc_class {
    struct objc_object base;
    char name[64];
};
static struct objc_class classes[MAX_CLASSES];
static int n_classes;

EXPORT Class objc_getClass(const char *name);
EXPORT Class objc_getClass(const char *name)
{
    int i = 0;
    while (i < n_classes && strcmp(classes[i].name, name) != 0) i++;
    if (i == MAX_CLASSES) standin_violation("too many classes");
    if (i == n_classes) {
        classes[i].base = (struct objc_object){"class", 1, NULL};
        snprintf(classes[i].name, sizeof classes[i].name, "%s", name);
        n_classes++;
    }
    return &classes[i];
}

/* ---- Methods of all objects ---- */

static id object_retain(id self, SEL selector)
{
    (void)selector;
    return standin_retain(self);
}

static void object_release(id self, SEL selector)
{
    (void)selector;
    standin_release(self);
}

static id class_new(id self, SEL selector)
{
    const char *name = ((Class)(void *)self)->name;
    (void)selector;
    id made = standin_metal_new(name);
    if (!made) standin_violation("%s has no `new`", name);
    return made;
}

static id string_with(id self, SEL selector, const char *text)
{
    (void)self, (void)selector;
    return standin_string(text);
}

static const char *string_utf8(id self, SEL selector)
{
    (void)selector;
    return standin_text(self);
}

static uintptr_t answer_nil(id self, SEL selector)
{
    (void)self, (void)selector;
    return 0;
}

static const standin_method own_methods[] = {
    {NULL, "retain", (method)object_retain},
    {NULL, "release", (method)object_release},
    {"class", "new", (method)class_new},
    {"class", "stringWithUTF8String:", (method)string_with},
    {"NSString", "UTF8String", (method)string_utf8},
};

static method find_in(const standin_method *methods, size_t n, const char *class_name, const char *selector)
{
    for (size_t i = 0; i < n; i++)
        if ((!methods[i].class_name || strcmp(methods[i].class_name, class_name) == 0) &&
            strcmp(methods[i].selector, selector) == 0)
            return methods[i].function;
    return NULL;
}

method standin_find_method(id receiver, SEL selector)
{
    size_t n = 0;
    if (!receiver->class_name) standin_violation("'%s' is sent to an object that is gone", selector->name);
    while (standin_metal_methods[n].class_name) n++;
    method found =
        find_in(own_methods, sizeof own_methods / sizeof *own_methods, receiver->class_name, selector->name);
    if (!found) found = find_in(standin_metal_methods, n, receiver->class_name, selector->name);
    if (!found) standin_violation("a %s does not understand '%s'", receiver->class_name, selector->name);
    return strcmp(selector->name, "commit") != 0 && standin_fails(selector->name) ? (method)answer_nil
                                                                                  : found;
}

/* ---- Failures ---- */

static char fail_selector[64];
static int fail_in;

EXPORT int standin_metal_fail(const char *selector, int nth);
EXPORT int standin_metal_fail(const char *selector, int nth)
{
    int fired = fail_in == 0;
    snprintf(fail_selector, sizeof fail_selector, "%s", selector);
    fail_in = nth;
    return fired;
}

int standin_fails(const char *selector)
{
    return fail_in > 0 && strcmp(fail_selector, selector) == 0 && --fail_in == 0;
}
