/* What the default policy takes from where it is begun: the workspace, and the home of the user. */
#include "tools/run.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "sandbox/policy.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Places of the system, which nobody means to give away by having begun there. */
static const struct {
	const char *path;
	bool with_all; /* that is below */
} system_places[] = {
	{"/", false},	     {"/bin", true},	  {"/boot", true},	 {"/dev", false},
	{"/etc", true},	     {"/home", false},	  {"/lib", true},	 {"/lib32", true},
	{"/lib64", true},    {"/libx32", true},	  {"/proc", true},	 {"/run", false},
	{"/sbin", true},     {"/sys", true},	  {"/usr", false},	 {"/usr/bin", true},
	{"/usr/lib", false}, {"/usr/sbin", true}, {"/usr/local", false}, {"/usr/share", false},
	{"/var", false},     {"/var/lib", false},
};

static bool is_system(const char *cwd)
{
	for (size_t i = 0; i < sizeof(system_places) / sizeof(system_places[0]); i++) {
		const char *path = system_places[i].path;

		if (strcmp(cwd, path) == 0 ||
		    (system_places[i].with_all && policy_path_is_in(cwd, path, strlen(path))))
			return true;
	}
	return false;
}

static bool is_named(const struct option_list *write, const char *cwd)
{
	bool named = false;

	for (size_t i = 0; i < write->count && !named; i++) {
		cleanup_buf struct buf path = BUF_INIT;

		named = sandbox_options_absolute(write->item[i], &path, NULL) == 0 &&
			strcmp(path.data, cwd) == 0;
	}
	return named;
}

static int refuse_workspace(const char *cwd, const char *why, struct error *err)
{
	return error_set(err, ERR_INVALID,
			 "%s would be the workspace, and %s: cd to a directory of your own, or say "
			 "--write %s when you mean it, or --level none for no workspace",
			 cwd, why, cwd);
}

int workspace_check(const struct option_list *write, const char *policy_home, sandbox_say say,
		    void *ctx, struct error *err)
{
	cleanup_free char *cwd = getcwd(NULL, 0), *home = NULL;

	if (!cwd)
		return error_sys(err, errno, "cannot tell the working directory");
	if (is_named(write, cwd))
		return 0;
	if (is_system(cwd))
		return refuse_workspace(cwd, "it is the system's", err);
	home = policy_home ? realpath(policy_home, NULL) : NULL;
	if (!home)
		return 0;
	if (strcmp(home, cwd) == 0)
		say(ctx, "the workspace is your home directory: the program can use all in it but "
			 "known keys and tokens; cd to a directory of its own to give it less");
	else if (policy_path_is_in(home, cwd, strlen(cwd)))
		return refuse_workspace(cwd, "your home directory is in it", err);
	return 0;
}

static bool uses_home(const struct sandbox_policy *policy)
{
	const char *home = policy->places[POLICY_HOME];

	for (size_t i = 0; i < policy->roots.count; i++)
		if (policy_path_is_in(policy->roots.item[i].path, home, strlen(home)))
			return true;
	return false;
}

void workspace_tell_home(const struct sandbox_policy *policy, sandbox_say say, void *ctx)
{
	char text[PATH_MAX + 128];

	if (policy->home_missed) {
		say(ctx, "warning: HOME is no absolute path, and /etc/passwd has no home of this "
			 "user: keys and tokens in a home are not denied");
	} else if (policy->home_found && uses_home(policy)) {
		snprintf(text, sizeof(text),
			 "HOME is no absolute path: the policy takes %s, of /etc/passwd",
			 policy->places[POLICY_HOME]);
		say(ctx, text);
	}
}
