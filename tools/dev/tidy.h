/*
 * Included before each file that clang-tidy reads. It reads one file at a time and so does not
 * know that these functions return their code: it would follow paths where a failed call
 * reports success, and warn about the outputs that are not there.
 */
#ifndef SANDTAPE_TOOLS_DEV_TIDY_H
#define SANDTAPE_TOOLS_DEV_TIDY_H

#include "base/error.h"

#define error_set(err, code, ...)  ((void)(error_set)(err, code, __VA_ARGS__), (code))
#define error_wrap(err, code, ...) ((void)(error_wrap)(err, code, __VA_ARGS__), (code))
#define error_sys(err, sys, ...)   ((void)(error_sys)(err, sys, __VA_ARGS__), (int)ERR_SYSTEM)
#define error_no_memory(err)	   ((void)(error_no_memory)(err), (int)ERR_NOMEM)

#endif
