/* Error text: written once where the fact is known, extended while the stack unwinds. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

const char *lathe_status_text(lathe_status status)
{
    switch (status) {
#define X(name, text) \
    case LATHE_##name: return text;
        LATHE_STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}

lathe_status lt_error_set(lathe_error *err, lathe_status code, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        err->code = code;
        vsnprintf(err->message, sizeof err->message, fmt, args);
        va_end(args);
    }
    return code;
}

lathe_status lt_error_note(lathe_error *err, lathe_status code, const char *fmt, ...)
{
    if (!err) return code;
    char note[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(note, sizeof note, fmt, args);
    va_end(args);
    size_t at = strlen(note), old = strlen(err->message);
    if (at + 2 + old >= sizeof err->message) old = sizeof err->message - at - 3;
    memmove(err->message + at + 2, err->message, old);
    memcpy(err->message, note, at);
    memcpy(err->message + at, ": ", 2);
    err->message[at + 2 + old] = '\0';
    return code;
}
