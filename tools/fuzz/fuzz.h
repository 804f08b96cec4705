/*
 * What a fuzz target is: the entry that libFuzzer calls and that files_main.c calls with each file
 * of the corpus. What must hold is checked with fuzz_require(), which aborts.
 */
#ifndef SANDTAPE_TOOLS_FUZZ_FUZZ_H
#define SANDTAPE_TOOLS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Between the files of an input for fuzz_tape: a byte that is in no UTF-8 text. */
#define FUZZ_FILE_END '\xff'

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_require(condition, text)                                                              \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, text);  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
