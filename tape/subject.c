#include "tape/subject.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

struct launcher {
	const char *glob;
	/* It starts the program under test as a child, perhaps through a shell: that is subject,
	 * too. Without it the launcher itself is the program under test. */
	bool spreads;
};

static const struct launcher launchers[] = {
	{"npm", true},	  {"npx", true},     {"pnpm", true},	 {"pnpx", true},
	{"yarn", true},	  {"yarnpkg", true}, {"corepack", true}, {"uv", true},
	{"uvx", true},	  {"poetry", true},  {"pipenv", true},	 {"hatch", true},
	{"tox", true},	  {"nox", true},     {"pytest", false},	 {"py.test", false},
	{"nose2", false}, {"jest", false},   {"vitest", false},	 {"mocha", false},
	{"ava", false},	  {"bats", false},   {"ctest", false},	 {"prove", false},
};

/* A process of the subject becomes one of these to execute a command: Java's (from 13 on), which
 * reads what to execute from a pipe. */
static const char *const helpers[] = {"jspawnhelper"};

/* Through these a launcher starts its child. */
static const char *const shells[] = {"sh", "bash", "dash", "zsh", "ksh", "env"};

#define NAME_SIZE 4096

/* A NUL-terminated copy for fnmatch; a longer name matches nothing. */
static const char *copy_name(struct bytes name, char into[NAME_SIZE])
{
	size_t len = name.len < NAME_SIZE ? name.len : 0;

	memcpy(into, name.data, len);
	into[len] = '\0';
	return into;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool subject_glob_matches(const char *glob, const struct exec_request *request)
{
	char name[NAME_SIZE];
	const char *path = copy_name(request->path, name);

	if (strchr(glob, '/'))
		return fnmatch(glob, path, 0) == 0;
	if (fnmatch(glob, last_component(path), 0) == 0)
		return true;
	if (request->argc == 0)
		return false;
	return fnmatch(glob, last_component(copy_name(request->argv[0], name)), 0) == 0;
}

static bool any_matches(char *const *globs, const struct exec_request *request)
{
	for (; globs && *globs; globs++) {
		if (subject_glob_matches(*globs, request))
			return true;
	}
	return false;
}

static const struct launcher *find_launcher(const struct exec_request *request)
{
	for (size_t i = 0; i < sizeof(launchers) / sizeof(launchers[0]); i++) {
		if (subject_glob_matches(launchers[i].glob, request))
			return &launchers[i];
	}
	return NULL;
}

static bool is_one_of(const char *const *names, size_t count, const struct exec_request *request)
{
	for (size_t i = 0; i < count; i++) {
		if (subject_glob_matches(names[i], request))
			return true;
	}
	return false;
}

static bool is_shell(const struct exec_request *request)
{
	return is_one_of(shells, sizeof(shells) / sizeof(shells[0]), request);
}

bool subject_hands_over(const struct process *p, const struct exec_request *request)
{
	return !p->in_place && is_one_of(helpers, sizeof(helpers) / sizeof(helpers[0]), request);
}

enum subject_verdict subject_judge(const struct subject_rules *rules, const struct process *p,
				   const struct exec_request *request, bool *ret_spreads)
{
	const struct launcher *launcher = find_launcher(request);

	*ret_spreads = launcher && launcher->spreads;
	if (p->in_place) {
		/* npm is a script: its interpreter goes on spreading. */
		*ret_spreads |= p->spreads;
		return SUBJECT_STAYS;
	}
	if (any_matches(rules->real, request))
		return SUBJECT_REAL;
	if (any_matches(rules->through, request) || launcher || subject_hands_over(p, request))
		return SUBJECT_STAYS;
	if (p->spreads) {
		*ret_spreads = is_shell(request);
		return SUBJECT_STAYS;
	}
	return SUBJECT_UNIT;
}
