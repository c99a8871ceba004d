/* One file for each kernel: the whole key, so that equal hashes do no harm, and the bytes behind it. */
#include "backend/kernel_cache.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"

enum { PATH_BYTES = 4096 };

/* What a file begins with. */
static bool key_text(const lt_kernel_key *key, lt_text *text)
{
    lt_text_printf(text, "lathe kernel 1\n%s\n%s\n%s\n", key->backend, key->device, key->driver);
    lt_text_append(text, key->source, strlen(key->source));
    lt_text_append(text, "", 1); /* a terminator that counts */
    return !text->failed;
}

static bool find_path(const lt_text *key, char path[PATH_BYTES])
{
    char folder[PATH_BYTES - 32];
    if (!lt_os_cache_folder("kernels", folder, sizeof folder)) return false;
    unsigned long long digest = lt_digest(LT_DIGEST_START, key->data, key->length);
    snprintf(path, PATH_BYTES, "%s/%016llx.bin", folder, digest);
    return true;
}

bool lt_kernel_cache_get(const lt_kernel_key *key, lt_text *bytes)
{
    lt_text text = {0};
    char path[PATH_BYTES];
    lt_file file = {0};
    bool found = key_text(key, &text) && find_path(&text, path) &&
                 lt_file_open(path, &file, NULL) == LATHE_OK && file.size > text.length &&
                 memcmp(file.data, text.data, text.length) == 0;
    if (found) lt_text_append(bytes, (const char *)file.data + text.length, file.size - text.length);
    lt_file_close(&file);
    lt_text_free(&text);
    return found && !bytes->failed;
}

void lt_kernel_cache_put(const lt_kernel_key *key, const void *bytes, size_t size)
{
    lt_text text = {0};
    char path[PATH_BYTES];
    if (key_text(key, &text) && find_path(&text, path)) {
        lt_text_append(&text, bytes, size);
        if (!text.failed) (void)!lt_file_write(path, text.data, text.length, NULL);
    }
    lt_text_free(&text);
}
