/*
 * Subjects that a shell cannot be: this test program once more, run as `sandtape-tests --as-subject
 * NAME`. Each returns its exit code; 0 mostly means that it saw what it should have. 100 and more
 * are for what can only go wrong in a broken test.
 */
#ifndef SANDTAPE_TAPE_INTERCEPT_SUBJECTS_TEST_H
#define SANDTAPE_TAPE_INTERCEPT_SUBJECTS_TEST_H

#include <stdbool.h>
#include <sys/types.h>

struct subject {
	const char *name;
	int (*run)(void);
};

#define SUBJECT(name)                                                                              \
	{                                                                                          \
#name, name                                                                        \
	}

/* Beside the tests that run them. The last row has no name. */
extern const struct subject spawn_subjects[];
extern const struct subject exec_subjects[];
extern const struct subject signal_subjects[];
extern const struct subject session_subjects[];
extern const struct subject repeat_subjects[];

#define BROKEN 100

int exit_code_of(pid_t pid);
int signal_of(pid_t pid);

extern char *const sh_exit_3[];

pid_t fork_program(const char *path, char *const *argv);
pid_t fork_sh(char *script);

/* A subject. */
int by_fork(void);
/* A subject of repeat_subjects, in a file for each processor architecture. */
int registers_stay(void);

/* Returns when the child is a unit that runs, and has written to descriptor 9. */
pid_t start_sh(const char *script, bool own_group);
pid_t start_sleep(bool own_group);

#endif
