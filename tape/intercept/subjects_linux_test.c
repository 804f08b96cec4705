#include "tape/intercept/subjects_test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

int exit_code_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return BROKEN;
	return WIFEXITED(status) ? WEXITSTATUS(status) : BROKEN + 1;
}

int signal_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return BROKEN;
	return WIFSIGNALED(status) ? WTERMSIG(status) : BROKEN + 1;
}

char *const sh_exit_3[] = {"sh", "-c", "exit 3", NULL};

pid_t fork_program(const char *path, char *const *argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		execv(path, argv);
		_exit(errno);
	}
	return pid;
}

pid_t fork_sh(char *script)
{
	return fork_program("/bin/sh", (char *const[]){"sh", "-c", script, NULL});
}

int by_fork(void)
{
	return exit_code_of(fork_program("/bin/sh", sh_exit_3));
}

pid_t start_sh(const char *script, bool own_group)
{
	int started[2];
	char byte;
	pid_t pid;

	if (pipe(started) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		signal(SIGTERM, SIG_DFL);
		if (own_group)
			setpgid(0, 0);
		dup2(started[1], 9);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(BROKEN);
	}
	(void)!read(started[0], &byte, 1);
	close(started[0]);
	close(started[1]);
	return pid;
}

pid_t start_sleep(bool own_group)
{
	return start_sh("echo >&9; exec sleep 1000", own_group);
}

static const struct subject *const tables[] = {
	spawn_subjects, exec_subjects, signal_subjects, repeat_subjects, session_subjects,
};

/* Before main: the test program is a subject then, and nothing else. */
__attribute__((constructor)) static void become_subject(int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[1], "--as-subject") != 0)
		return;
	for (size_t i = 0; i < COUNT(tables); i++) {
		for (const struct subject *s = tables[i]; s->name; s++) {
			if (strcmp(s->name, argv[2]) == 0)
				_exit(s->run());
		}
	}
	_exit(BROKEN);
}
