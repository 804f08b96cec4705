/*
 * What the policy says of a program that is about to be executed: Landlock, which is in force for a
 * unit after its exec only, would have been asked for the file itself, for the interpreter that a
 * script names (which may be a script again) or this host has registered for its format, and for
 * the loader of a dynamic program.
 */
#include "sandbox/compiled.h"

#include "base/cleanup.h"
#include "sandbox/kernel_linux.h"
#include "sandbox/observe.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What cannot be read, as a program need not be, names nothing that could be known. */
static enum interpreter interpreter_of(const char *path, char ret[PATH_MAX])
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? INTERPRETER_NONE : observe_names_interpreter(fd, path, ret);
}

/* --- what the policy says ----------------------------------------------------------------------
 */

/* What is not there the kernel refuses itself, by another error. What a path check cannot tell
 * (links of /proc) is let be: the program runs restricted then, and the subject chose it. */
static bool is_known(const struct sandbox_plan *plan, const char *cwd, const char *path,
		     struct sandbox_path *found)
{
	return sandbox_paths_check(plan->paths, SANDBOX_ACCESS_EXEC, cwd, path, found, NULL) == 0 &&
	       access(found->path, F_OK) == 0;
}

int plan_refuses_exec(const struct confiner *confiner, pid_t pid, const char *cwd, const char *path,
		      const struct denied_ear *ear, bool *ret, struct error *err)
{
	const struct sandbox_plan *plan = plan_of_confiner(confiner);
	enum interpreter kind = INTERPRETER_SCRIPT;
	struct sandbox_path found;
	char name[PATH_MAX];

	*ret = false;
	if (!(plan->variant[NAMESPACES_NONE]->landlock.fs & LL_FS_EXECUTE) ||
	    snprintf(name, sizeof(name), "%s", path) >= (int)sizeof(name))
		return 0;
	for (int i = 0; kind != INTERPRETER_NONE && i <= OBSERVE_INTERPRETERS; i++) {
		if (!is_known(plan, cwd, name, &found))
			return 0;
		*ret = !found.allowed;
		if (*ret)
			return plan_tell_exec(plan, pid, found.path, ear, err);
		/* The loader's own is not asked for, nor what modes keep from being executed. */
		if (kind == INTERPRETER_LOADER ||
		    observe_outside(OBSERVED_EXECUTE, 0, found.path, NULL) == SANDBOX_OUTSIDE_NO)
			return 0;
		kind = interpreter_of(found.path, name);
	}
	return 0;
}
