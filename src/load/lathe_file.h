/* The container of a .lathe file: named sections behind a table, little-endian, with checksums. What the
 * sections hold is the matter of lathe_graph.h and of the layers above. See docs/formats.md. */
#ifndef LT_LATHE_FILE_H
#define LT_LATHE_FILE_H

#include "base/os.h"
#include "base/str.h"
#include "ir/exported.h"

/* The version counts changes of anything in the file, so of lt_packing and its layouts as well. */
enum {
    LT_LATHE_VERSION = 2,
    LT_LATHE_NAME_BYTES = 40,  /* of a section's name, with its end */
    LT_LATHE_PAGE = 64 * 1024, /* the weights begin at a multiple of any system's page */
    LT_LATHE_ALIGN = 64        /* and so does each weight of a cache line */
};

/* Names of the sections that a model has. */
#define LT_LATHE_MANIFEST "manifest.json"
#define LT_LATHE_GRAPH "graph"
#define LT_LATHE_RECORDS "records"
#define LT_LATHE_DATA "data"
#define LT_LATHE_PARTITIONS "partitions" /* where there are some */

/* Those of its tokenizer, which are called as the files that they were: a GGUF file without its tensors, or
 * tokenizer.json with the files beside it. */
#define LT_LATHE_TOKENIZER_GGUF "tokenizer.gguf"
#define LT_LATHE_TOKENIZER_JSON "tokenizer.json"
extern const char *const lt_lathe_tokenizer_files[]; /* all of them; NULL at the end */

typedef struct lt_lathe_section {
    const char *name;
    const uint8_t *data; /* in the mapping */
    size_t size;
    uint32_t crc;
} lt_lathe_section;

/* Lives in the arena it was opened with; sections point into the file, which must stay open. */
typedef struct lt_lathe {
    const char *what; /* names the file in messages */
    const lt_file *file;
    const lt_lathe_section *sections; /* in the order of the table */
    uint32_t n;
} lt_lathe;

bool lt_lathe_is(const lt_file *file);

/* Reads and checks the table: every section lies inside the file and overlaps no other. */
lathe_status lt_lathe_open(const lt_file *file, const char *what, lt_arena *arena, lt_lathe **out,
                           lathe_error *err) LT_MUST_USE;

/* NULL when there is none of that name. */
const lt_lathe_section *lt_lathe_find(const lt_lathe *lathe, const char *name);

/* Compares the bytes of a section with its checksum. The weights' section has none of its own: its records
 * have. */
lathe_status lt_lathe_check(const lt_lathe *lathe, const lt_lathe_section *section,
                            lathe_error *err) LT_MUST_USE;

/* As lt_lathe_find and lt_lathe_check; a missing section is an error. */
lathe_status lt_lathe_need(const lt_lathe *lathe, const char *name, const lt_lathe_section **out,
                           lathe_error *err) LT_MUST_USE;

uint32_t lt_lathe_crc(uint32_t crc, const void *data, size_t size); /* start with 0 */

/* ---- Writing ---- */

/* Sections are written one behind the other: begin, put any number of times, end. */
typedef struct lt_lathe_writer lt_lathe_writer;
lathe_status lt_lathe_writer_open(const char *path, lt_lathe_writer **out, lathe_error *err) LT_MUST_USE;
/* The section starts at a multiple of `align`, a power of two. `summed`: it gets a checksum. */
lathe_status lt_lathe_writer_begin(lt_lathe_writer *writer, const char *name, size_t align, bool summed,
                                   lathe_error *err) LT_MUST_USE;
lathe_status lt_lathe_writer_put(lt_lathe_writer *writer, const void *data, size_t size,
                                 lathe_error *err) LT_MUST_USE;
size_t lt_lathe_writer_at(const lt_lathe_writer *writer); /* bytes put into the section so far */
void lt_lathe_writer_end(lt_lathe_writer *writer);
/* begin, put and end in one. */
lathe_status lt_lathe_writer_add(lt_lathe_writer *writer, const char *name, const void *data, size_t size,
                                 lathe_error *err) LT_MUST_USE;
lathe_status lt_lathe_writer_finish(lt_lathe_writer *writer, lathe_error *err) LT_MUST_USE;
void lt_lathe_writer_close(lt_lathe_writer *writer); /* NULL is allowed; what is not finished is gone */

/* ---- The model in it ---- */

/* Where the bytes of a weight lie; weights that are tied share a record. */
typedef struct lt_lathe_record {
    uint64_t offset, size; /* bytes, from the start of the weights' section */
    uint32_t crc;
    uint32_t form; /* 0: elements row by row; else 1 + lt_packing */
} lt_lathe_record;

/* The records' section: LT_LATHE_RECORD_BYTES for each, offset, size, checksum and form. */
enum { LT_LATHE_RECORD_BYTES = 24 };
void lt_lathe_encode_record(const lt_lathe_record *record, uint8_t out[LT_LATHE_RECORD_BYTES]);

/* The records of a weight; LT_NONE: it is not there in that form. */
typedef struct lt_lathe_place {
    uint32_t plain, packed;
} lt_lathe_place;

/* The graph's section. `places` has those of each weight. */
lathe_status lt_lathe_write_graph(const lt_exported *x, const lt_lathe_place *places, lt_text *out,
                                  lathe_error *err) LT_MUST_USE;

/* Reads the graph and places the weights in the mapping. The bytes of weights are not touched. */
lathe_status lt_lathe_load(const lt_lathe *lathe, const char *path, lt_arena *arena, lt_exported **out,
                           lathe_error *err) LT_MUST_USE;

/* Which device each node of a graph is on (pass/partition.h). */
typedef struct lt_lathe_partition {
    uint64_t graph, devices;  /* digests of what it was formed for */
    const uint8_t *device_of; /* [n_nodes]; of a file: in its mapping, unchecked */
    uint32_t n_nodes;
} lt_lathe_partition;

/* The partitions' section: for each its digests (8 bytes each), the number of nodes (4), and a byte for each
 * node. Reading: none where there is no such section. */
void lt_lathe_encode_partition(const lt_lathe_partition *partition, lt_text *out);
lathe_status lt_lathe_read_partitions(const lt_lathe *lathe, lt_arena *arena, lt_lathe_partition **out,
                                      uint32_t *n, lathe_error *err) LT_MUST_USE;

/* Compares every section and every weight with its checksum; the error names the first that is damaged. */
lathe_status lt_lathe_verify(const lt_lathe *lathe, const lt_exported *exported,
                             lathe_error *err) LT_MUST_USE;

#endif
