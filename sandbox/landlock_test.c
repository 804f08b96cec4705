#include "sandbox/landlock_test.h"

#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

struct sandbox_layers landlock_layers;
char landlock_told[512];

static void say(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(landlock_told, sizeof(landlock_told), "%s", text);
}

int landlock_try(struct landlock *ret, bool masked, int abi)
{
	const struct judge judge = {tree_policy, &landlock_layers, say, NULL, &tree_err};
	const struct landlock_around around = {.abi = abi, .masked = masked};

	memset(&landlock_layers, 0, sizeof(landlock_layers));
	landlock_told[0] = '\0';
	if (tree_paths)
		sandbox_paths_free(tree_paths);
	tree_paths = NULL;
	tree_compile();
	return landlock_prepare(&judge, tree_paths, &around, ret);
}

void landlock_compile(struct landlock *ret, bool masked, int abi)
{
	ck_assert_msg(landlock_try(ret, masked, abi) == 0, "%s", tree_err.text);
}

const struct sandbox_layer *landlock_layer(enum sandbox_mechanism which)
{
	return &landlock_layers.layer[which];
}

static int drop_all_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return (int)syscall(SYS_capset, &header, none);
}

int landlock_child(int (*act)(void *ctx), void *ctx, bool drop_capabilities)
{
	pid_t pid = fork();
	int status = -1;

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (drop_capabilities && drop_all_capabilities() < 0)
			_exit(201);
		_exit(act(ctx));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "status %d", status);
	return WEXITSTATUS(status);
}

int landlock_enter(const struct landlock *l, const struct landlock_rule *extra, size_t extras)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 200;
	return landlock_apply(l, extra, extras) == 0 ? 0 : 200;
}
