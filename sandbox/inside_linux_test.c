#include "sandbox/inside_test.h"

#include "tools/tests.h"
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(void *ctx, const char *text)
{
	struct inside *inside = ctx;

	snprintf(inside->told, sizeof(inside->told), "%s", text);
}

void inside_setup(struct inside *inside)
{
	memset(inside, 0, sizeof(*inside));
	ck_assert_int_eq(
		sandbox_policy_new(SANDBOX_LEVEL_PROCESS_EXEC, NULL, &inside->policy, NULL), 0);
	inside->judge = (struct judge){inside->policy, &inside->layers, say, inside, &inside->err};
}

void inside_teardown(struct inside *inside)
{
	sandbox_policy_free(inside->policy);
}

void inside_limit(struct inside *inside, enum sandbox_limit which, uint64_t value)
{
	ck_assert_int_eq(sandbox_policy_set_limit(inside->policy, which, value, NULL), 0);
}

enum sandbox_state inside_state(const struct inside *inside, enum sandbox_mechanism which)
{
	return inside->layers.layer[which].state;
}

/* A user who runs nothing else on this host. */
static bool become_user(void)
{
	id_t user = 61000 + (id_t)(getpid() % 4000);

	if (getuid() != 0)
		return true;
	return setgroups(0, NULL) == 0 && setresgid(user, user, user) == 0 &&
	       setresuid(user, user, user) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
}

static int run(inside_act *act, void *arg, bool as_user)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (as_user && !become_user())
			_exit(250);
		_exit(act(arg));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? INSIDE_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

int inside_run(inside_act *act, void *arg)
{
	return run(act, arg, false);
}

int inside_run_as_user(inside_act *act, void *arg)
{
	return run(act, arg, true);
}

bool inside_enter_user_namespace(void)
{
	return unshare(CLONE_NEWUSER) == 0;
}

int inside_fork_many(int most)
{
	pid_t pids[200];
	int count = 0;

	while (count < most && (pids[count] = fork()) > 0)
		count++;
	if (count < most && pids[count] == 0) {
		pause();
		_exit(0);
	}
	for (int i = 0; i < count; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	return count;
}

int inside_shell(const char *command)
{
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	return 127;
}
