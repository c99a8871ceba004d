/* Which format a model file has, by its first bytes. */
#ifndef LT_SNIFF_H
#define LT_SNIFF_H

#include "base/os.h"

typedef enum lt_model_format { LT_MODEL_PT2, LT_MODEL_IRJSON, LT_MODEL_LATHE } lt_model_format;

/* Anything else is an error that says what the file is and what to do with it. */
lathe_status lt_sniff_model(const lt_file *file, lt_model_format *out, lathe_error *err) LT_MUST_USE;

#endif
