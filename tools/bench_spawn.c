/*
 * bench_spawn COUNT PROGRAM [ARG...]: spawns the program COUNT times, one after the other, with
 * its stdout on a pipe that is read to the end, and prints the median nanoseconds of one spawn
 * (posix_spawn to waitpid). The subject of `make bench`, native, recorded and replayed.
 */
#include "tools/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void fail(const char *what, int number)
{
	fprintf(stderr, "bench_spawn: %s: %s\n", what, strerror(number));
	exit(1);
}

static uint64_t spawn_once(char **argv)
{
	posix_spawn_file_actions_t actions;
	uint64_t start;
	int fds[2];
	char bytes[4096];
	pid_t pid;
	int status;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		fail("pipe", errno);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], 1);
	start = monotonic_ns();
	r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	if (r != 0)
		fail(argv[0], r);
	close(fds[1]);
	while (read(fds[0], bytes, sizeof(bytes)) > 0)
		;
	if (waitpid(pid, &status, 0) < 0)
		fail("waitpid", errno);
	start = monotonic_ns() - start;
	close(fds[0]);
	posix_spawn_file_actions_destroy(&actions);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "bench_spawn: %s failed with wait status %d\n", argv[0], status);
		exit(1);
	}
	return start;
}

int main(int argc, char **argv)
{
	long count = argc >= 3 ? strtol(argv[1], NULL, 10) : 0;
	uint64_t *took;

	if (count <= 0) {
		fprintf(stderr, "usage: bench_spawn COUNT PROGRAM [ARG...]\n");
		return 2;
	}
	took = calloc((size_t)count, sizeof(*took));
	if (!took)
		fail("calloc", ENOMEM);
	for (long i = 0; i < count; i++)
		took[i] = spawn_once(argv + 2);
	printf("%llu\n", (unsigned long long)bench_median(took, (size_t)count));
	free(took);
	return 0;
}
