/* Zip archives, made here byte by byte so that every field can be wrong. */
#include "files.h"

#include <zlib.h>

#include "load/zip.h"

typedef struct part {
    const char *name;
    const char *content;
    bool deflate;
    bool streamed;       /* sizes and CRC only in the directory, as PyTorch writes them */
    bool wide;           /* ZIP64 fields */
    size_t padding;      /* bytes of extra field in the local header only */
    uint32_t size_add;   /* added to the uncompressed size in the directory */
    uint32_t crc_xor;    /* CRC in the directory is wrong */
    uint16_t flags;      /* added to the flags */
    uint16_t method_add; /* added to the method in both headers */
    int64_t offset_add;  /* added to the local offset in the directory */
} part;

typedef struct archive {
    lt_text bytes, directory;
    uint32_t count;
} archive;

static void put(lt_text *text, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) lt_text_append(text, (const char[]){(char)(value >> 8 * i & 0xff)}, 1);
}

static size_t deflate_text(const char *content, char *out, size_t room)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)content;
    stream.avail_in = (uInt)strlen(content);
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)room;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t size = room - stream.avail_out;
    deflateEnd(&stream);
    return size;
}

static void add_part(archive *zip, const part *p)
{
    char packed[4096];
    size_t size = strlen(p->content), name = strlen(p->name);
    size_t stored = p->deflate ? deflate_text(p->content, packed, sizeof packed) : size;
    uint32_t crc = (uint32_t)crc32_z(0, (const Bytef *)p->content, size);
    uint16_t flags = (uint16_t)((p->streamed ? 0x0808 : 0) | p->flags);
    uint16_t method = (uint16_t)((p->deflate ? 8 : 0) + p->method_add);
    uint64_t offset = zip->bytes.length + (uint64_t)p->offset_add;

    put(&zip->bytes, 0x04034b50, 4), put(&zip->bytes, 20, 2), put(&zip->bytes, flags, 2);
    put(&zip->bytes, method, 2), put(&zip->bytes, 0, 4), put(&zip->bytes, p->streamed ? 0 : crc, 4);
    put(&zip->bytes, p->streamed ? 0 : stored, 4), put(&zip->bytes, p->streamed ? 0 : size, 4);
    put(&zip->bytes, name, 2), put(&zip->bytes, p->padding, 2);
    lt_text_append(&zip->bytes, p->name, name);
    for (size_t i = 0; i < p->padding; i++) put(&zip->bytes, 0, 1);
    lt_text_append(&zip->bytes, p->deflate ? packed : p->content, stored);
    if (p->streamed) put(&zip->bytes, 0x08074b50, 4), put(&zip->bytes, crc, 4), put(&zip->bytes, 0, 8);

    lt_text *d = &zip->directory;
    put(d, 0x02014b50, 4), put(d, 20, 2), put(d, 20, 2), put(d, flags, 2), put(d, method, 2), put(d, 0, 4);
    put(d, crc ^ p->crc_xor, 4), put(d, p->wide ? UINT32_MAX : stored, 4);
    put(d, p->wide ? UINT32_MAX : size + p->size_add, 4), put(d, name, 2), put(d, p->wide ? 28 : 0, 2);
    put(d, 0, 2), put(d, 0, 2), put(d, 0, 2), put(d, 0, 4), put(d, p->wide ? UINT32_MAX : offset, 4);
    lt_text_append(d, p->name, name);
    if (p->wide)
        put(d, 1, 2), put(d, 24, 2), put(d, size + p->size_add, 8), put(d, stored, 8), put(d, offset, 8);
    zip->count++;
}

/* The finished archive; the text is to be freed. */
static lt_file finish(archive *zip, bool wide)
{
    size_t begin = zip->bytes.length, bytes = zip->directory.length;
    lt_text_append(&zip->bytes, zip->directory.data, bytes);
    lt_text_free(&zip->directory);
    if (wide) {
        size_t end = zip->bytes.length;
        put(&zip->bytes, 0x06064b50, 4), put(&zip->bytes, 44, 8), put(&zip->bytes, 0x1e001e, 4);
        put(&zip->bytes, 0, 8), put(&zip->bytes, zip->count, 8), put(&zip->bytes, zip->count, 8);
        put(&zip->bytes, bytes, 8), put(&zip->bytes, begin, 8);
        put(&zip->bytes, 0x07064b50, 4), put(&zip->bytes, 0, 4), put(&zip->bytes, end, 8),
            put(&zip->bytes, 1, 4);
    }
    put(&zip->bytes, 0x06054b50, 4), put(&zip->bytes, 0, 4), put(&zip->bytes, wide ? 0xffff : zip->count, 2);
    put(&zip->bytes, wide ? 0xffff : zip->count, 2), put(&zip->bytes, wide ? UINT32_MAX : bytes, 4);
    put(&zip->bytes, wide ? UINT32_MAX : begin, 4), put(&zip->bytes, 0, 2);
    return (lt_file){.data = (const uint8_t *)zip->bytes.data, .size = zip->bytes.length};
}

static lathe_status use(const lt_file *file, lathe_error *err)
{
    lt_arena *arena;
    lt_zip *zip;
    LT_TRY(lt_arena_create(&arena, err));
    lathe_status status = lt_zip_open(file, "a.zip", arena, &zip, err);
    for (uint32_t i = 0; status == LATHE_OK && i < zip->count; i++) {
        const void *data;
        size_t size;
        status = lt_zip_inflate(zip, i, arena, &data, &size, err);
        if (status == LATHE_OK) (void)crc32_z(0, data, size); /* touches every byte */
    }
    lt_arena_destroy(arena);
    return status;
}

#define LONG_TEXT "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc"

static const part good_parts[] = {
    {.name = "m/archive_format", .content = "pt2", .padding = 17},
    {.name = "m/models/model.json", .content = LONG_TEXT, .deflate = true},
    {.name = "m/data/weights/weight_0", .content = LONG_TEXT, .streamed = true, .padding = 40},
    {.name = "m/empty", .content = ""},
};

static lt_file make_good(archive *zip, bool wide)
{
    for (size_t i = 0; i < LT_COUNT(good_parts); i++) {
        part p = good_parts[i];
        p.wide = wide;
        add_part(zip, &p);
    }
    return finish(zip, wide);
}

static void check_good(bool wide)
{
    archive bytes = {0};
    lathe_error err;
    lt_file file = make_good(&bytes, wide);
    lt_arena *arena;
    lt_zip *zip;
    expect_ok(lt_arena_create(&arena, &err), &err);
    expect_ok(lt_zip_open(&file, "a.zip", arena, &zip, &err), &err);
    assert_int_equal(zip->count, LT_COUNT(good_parts));
    for (size_t i = 0; i < LT_COUNT(good_parts); i++) {
        const void *data;
        size_t size;
        uint32_t index = lt_zip_find(zip, good_parts[i].name);
        assert_int_equal(index, i);
        expect_ok(lt_zip_inflate(zip, index, arena, &data, &size, &err), &err);
        assert_int_equal(size, strlen(good_parts[i].content));
        assert_memory_equal(data, good_parts[i].content, size);
        bool mapped = (const uint8_t *)data >= file.data && (const uint8_t *)data < file.data + file.size;
        assert_int_equal(mapped, !good_parts[i].deflate);
    }
    assert_int_equal(lt_zip_find(zip, "m/nothing"), LT_NONE);
    lt_arena_destroy(arena);
    lt_text_free(&bytes.bytes);
}

static void reads_entries(void **state)
{
    (void)state;
    check_good(false);
    check_good(true); /* ZIP64 */
}

static void refuses_broken_entries(void **state)
{
    (void)state;
    static const struct {
        part p;
        lathe_status status;
        const char *message;
    } cases[] = {
        {{.name = "../b", .content = "x"}, LATHE_FORMAT, "'../b', leaves its folder"},
        {{.name = "b/..", .content = "x"}, LATHE_FORMAT, "leaves its folder"},
        {{.name = "/etc/b", .content = "x"}, LATHE_FORMAT, "is absolute"},
        {{.name = "c:b", .content = "x"}, LATHE_FORMAT, "is absolute"},
        {{.name = "a\\b", .content = "x"}, LATHE_FORMAT, "backslash"},
        {{.name = "", .content = "x"}, LATHE_FORMAT, "is empty"},
        {{.name = "a", .content = "x"}, LATHE_FORMAT, "two zip entries are named 'a'"},
        {{.name = "b", .content = "x", .flags = 1}, LATHE_UNSUPPORTED, "'b' is encrypted"},
        {{.name = "b", .content = "x", .method_add = 12},
         LATHE_UNSUPPORTED,
         "'b' uses compression method 12"},
        {{.name = "b", .content = "x", .size_add = 1},
         LATHE_FORMAT,
         "'b' is stored, but its two sizes are 2 and 1"},
        {{.name = "b", .content = LONG_TEXT, .deflate = true, .size_add = 1},
         LATHE_FORMAT,
         "'b' cannot be inflated"},
        {{.name = "b", .content = LONG_TEXT, .deflate = true, .size_add = 1 << 30},
         LATHE_FORMAT,
         "'b' claims"},
        {{.name = "b", .content = LONG_TEXT, .deflate = true, .crc_xor = 1},
         LATHE_FORMAT,
         "'b' does not have the CRC"},
        {{.name = "b", .content = "x", .offset_add = 1}, LATHE_FORMAT, "'b': no local header"},
        {{.name = "b", .content = "x", .offset_add = 100000}, LATHE_FORMAT, "outside the file"},
        {{.name = "b", .content = "x", .wide = true, .offset_add = INT64_MIN},
         LATHE_FORMAT,
         "outside the file"},
        {{.name = "b", .content = "x", .offset_add = -32}, LATHE_FORMAT, "local header does not match"},
    };
    for (size_t i = 0; i < LT_COUNT(cases); i++) {
        archive bytes = {0};
        lathe_error err;
        add_part(&bytes, &(part){.name = "a", .content = "x"});
        add_part(&bytes, &cases[i].p);
        lt_file file = finish(&bytes, false);
        expect_error(use(&file, &err), cases[i].status, &err, cases[i].message);
        assert_non_null(strstr(err.message, "a.zip: "));
        lt_text_free(&bytes.bytes);
    }
}

/* A stored entry whose content is another entry's local header and content. */
static void refuses_overlap(void **state)
{
    (void)state;
    archive inner = {0}, bytes = {0};
    lathe_error err;
    add_part(&inner, &(part){.name = "b", .content = "xy"});
    add_part(&bytes, &(part){.name = "a", .content = "0123456789012345678901234567890123"});
    memcpy(bytes.bytes.data + 31, inner.bytes.data, 33);
    lt_text saved = {0};
    lt_text_append(&saved, bytes.bytes.data, bytes.bytes.length);
    add_part(&bytes, &(part){.name = "b", .content = "xy", .offset_add = -(int64_t)saved.length + 31});
    lt_file file = finish(&bytes, false);
    expect_error(use(&file, &err), LATHE_FORMAT, &err, "'a' and 'b' overlap");
    lt_text_free(&saved);
    lt_text_free(&inner.bytes);
    lt_text_free(&inner.directory);
    lt_text_free(&bytes.bytes);
}

static void refuses_claimed_counts(void **state)
{
    (void)state;
    archive bytes = {0};
    lathe_error err;
    add_part(&bytes, &(part){.name = "a", .content = "x"});
    bytes.count = 60000;
    lt_file file = finish(&bytes, false);
    expect_error(use(&file, &err), LATHE_FORMAT, &err, "claims 60000 entries in 47 bytes");
    lt_text_free(&bytes.bytes);
    expect_error(use(&(lt_file){0}, &err), LATHE_FORMAT, &err, "no end record");
}

static void survives_damage(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        archive bytes = {0};
        lt_file file = make_good(&bytes, wide != 0);
        try_truncations(use, &file, file.size);
        try_bit_flips(use, &file, file.size);
        lt_text_free(&bytes.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_entries),   cmocka_unit_test(refuses_broken_entries),
        cmocka_unit_test(refuses_overlap), cmocka_unit_test(refuses_claimed_counts),
        cmocka_unit_test(survives_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
