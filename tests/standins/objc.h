/* The Objective-C runtime of the stand-in: objects with counts, pools, and methods in tables. */
#ifndef STANDIN_OBJC_H
#define STANDIN_OBJC_H

#include "backend/dl_metal.h"

typedef void (*method)(void);

typedef struct standin_method {
    const char *class_name, *selector;
    method function;
} standin_method;

/* What every object begins with. */
struct objc_object {
    const char *class_name; /* NULL: gone */
    int references;
    void (*destroy)(id self); /* frees what it owns; may be NULL */
};

/* A new object of that size with one reference. It is never freed, so that messages to it are noticed. */
void *standin_object(const char *class_name, size_t size, void (*destroy)(id self));
id standin_autorelease(id object);
id standin_retain(id object);
void standin_release(id object);
id standin_string(const char *text); /* autoreleased */
const char *standin_text(id string);

/* Aborts unless the object is alive and of that class. */
void *standin_check(id object, const char *class_name);

/* The methods of the framework, the last with class_name NULL. */
extern const standin_method standin_metal_methods[];
/* The class that `new` makes objects of; NULL: there is none of that name. */
id standin_metal_new(const char *class_name);

/* Whether this message is the one that is to fail. */
int standin_fails(const char *selector);

#endif
