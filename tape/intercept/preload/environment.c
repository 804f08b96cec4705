/* LD_PRELOAD in environments: with the library, and without. */
#include "tape/intercept/preload/preload.h"

#include <string.h>

size_t preload_count(char *const *list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	return count;
}

static const char name[] = "LD_PRELOAD=";
#define NAME_LEN (sizeof(name) - 1)

static bool is_preload(const char *pair)
{
	return strncmp(pair, name, NAME_LEN) == 0;
}

size_t preload_room(const char *library, char *const *env)
{
	const char *own = wire_env(env, "LD_PRELOAD");

	return NAME_LEN + strlen(library) + 1 + (own ? strlen(own) : 0) + 1;
}

void preload_add_self(const char *library, char *const *env, char **into, char *text)
{
	const char *own = wire_env(env, "LD_PRELOAD");
	size_t count = 0;
	char *at = stpcpy(stpcpy(text, name), library);

	if (own)
		stpcpy(stpcpy(at, ":"), own);
	into[count++] = text;
	for (; env && *env; env++) {
		if (!is_preload(*env))
			into[count++] = *env;
	}
	into[count] = NULL;
}

void preload_hide(const char *library, char **env)
{
	size_t len = strlen(library);

	for (; env && *env; env++) {
		char *value = *env + NAME_LEN;

		if (!is_preload(*env) || strncmp(value, library, len) != 0)
			continue;
		if (value[len] == ':') {
			memmove(value, value + len + 1, strlen(value + len + 1) + 1);
			return;
		}
		if (value[len] != '\0') /* another one, whose name is longer */
			continue;
		for (char **at = env; *at; at++)
			at[0] = at[1];
		return;
	}
}
