/* Runs a fuzz target with files instead of libFuzzer: the corpus, or what a fuzzer found.
 * Usage: fuzz_x FILE... */
#include "base/buf.h"
#include "base/fs.h"
#include "tools/fuzz/fuzz.h"

int main(int argc, char **argv)
{
	struct error err = {0};

	if (argc < 2) {
		fprintf(stderr, "usage: %s FILE...\n", argv[0]);
		return 1;
	}
	for (int i = 1; i < argc; i++) {
		struct buf content = BUF_INIT;

		if (fs_read_file(argv[i], SIZE_MAX / 4, &content, &err) < 0) {
			fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		fprintf(stderr, "%s\n", argv[i]); /* before: it may be the last word */
		LLVMFuzzerTestOneInput((const uint8_t *)content.data, content.len);
		buf_free(&content);
	}
	printf("%d inputs\n", argc - 1);
	return 0;
}
