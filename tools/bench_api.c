/*
 * bench_api TAPE COUNT PROGRAM: spawns the program COUNT times, one after the other, in three ways,
 * and prints the median nanoseconds of each: posix_spawn to waitpid, recorded through the library,
 * and answered by it. Each command has an argument of its own.
 */
#include "tape/command.h"
#include "tools/bench.h"
#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

static void check(int rc, const char *text)
{
	if (rc == 0)
		return;
	fprintf(stderr, "bench_api: %s\n", text);
	exit(1);
}

static void run_native(const char *const *argv)
{
	pid_t pid;
	int status;
	int r = posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)argv, environ);

	check(r, strerror(r));
	check(waitpid(pid, &status, 0) < 0 || status != 0, "the program failed");
}

static void run_through(struct tape *t, const char *const *argv)
{
	struct tape_command command = {.argv = argv};
	struct tape_result got;
	struct error err = {0};

	check(tape_run(t, &command, &got, &err), err.text);
	check(got.code, "the program failed");
	tape_result_clear(&got);
}

/* Without a tape, natively. */
static uint64_t median_ns(struct tape *t, const char *program, size_t count)
{
	uint64_t *took = calloc(count, sizeof(*took));
	uint64_t median;

	check(!took, "out of memory");
	for (size_t i = 0; i < count; i++) {
		char number[32];
		const char *const argv[] = {program, number, NULL};
		uint64_t began;

		snprintf(number, sizeof(number), "%zu", i);
		began = monotonic_ns();
		if (t)
			run_through(t, argv);
		else
			run_native(argv);
		took[i] = monotonic_ns() - began;
	}
	median = bench_median(took, count);
	free(took);
	return median;
}

static uint64_t median_through(const char *tape, enum tape_mode mode, const char *program,
			       size_t count)
{
	struct tape_config config = {.tape = tape, .mode = mode};
	struct tape *t = NULL;
	struct error err = {0};
	uint64_t median;

	check(tape_open(&config, &t, &err), err.text);
	median = median_ns(t, program, count);
	check(tape_close(t, &err), err.text);
	tape_free(t);
	return median;
}

int main(int argc, char **argv)
{
	size_t count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t native, recorded, answered;

	if (!count) {
		fprintf(stderr, "usage: bench_api TAPE COUNT PROGRAM\n");
		return 2;
	}
	native = median_ns(NULL, argv[3], count);
	recorded = median_through(argv[1], TAPE_RECORD, argv[3], count);
	answered = median_through(argv[1], TAPE_REPLAY, argv[3], count);
	printf("%llu %llu %llu\n", (unsigned long long)native, (unsigned long long)recorded,
	       (unsigned long long)answered);
	return 0;
}
