/* How a kernel that was compiled for this machine's CPU is called. Read by the runner, which is C, and by
 * compiled kernels, which are C++. */
#ifndef STANDIN_ENTRY_H
#define STANDIN_ENTRY_H

enum { STANDIN_SUBGROUP = 32 };

/* Where a work item is, and how many there are. */
typedef struct standin_place {
    unsigned item[3], group[3], items[3], groups[3];
} standin_place;

typedef struct standin_entry {
    void (*call)(void **arguments); /* runs one work item; arguments[i] is the address of argument i */
    unsigned n;
    const unsigned *sizes;   /* [n] bytes of each argument; 0: a pointer */
    standin_place *place;    /* to be set before a work item goes on */
    void (**barrier)(void);  /* to be set once: what waits for the other work items of the group */
    void (**subgroup)(void); /* the same for those of its subgroup: STANDIN_SUBGROUP items in a row */
    int barriers;            /* whether there are any of either */
    char *local, *local_end; /* the memory that a group shares; both NULL: none */
} standin_entry;

#endif
