/* Before main: where we are, and no trace of us in the environment of the program. */
#include "tape/intercept/preload/preload.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct preload preload;

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

size_t preload_room(char *const *env)
{
	const char *own = wire_env(env, "LD_PRELOAD");

	return NAME_LEN + strlen(preload.library) + 1 + (own ? strlen(own) : 0) + 1;
}

void preload_add_self(char *const *env, char **into, char *text)
{
	const char *own = wire_env(env, "LD_PRELOAD");
	size_t count = 0;
	char *at = stpcpy(stpcpy(text, name), preload.library);

	if (own)
		stpcpy(stpcpy(at, ":"), own);
	into[count++] = text;
	for (; env && *env; env++) {
		if (!is_preload(*env))
			into[count++] = *env;
	}
	into[count] = NULL;
}

/* What was there before us stays, written over us in place. */
static void hide(char **env)
{
	size_t len = strlen(preload.library);

	for (; *env; env++) {
		char *value = *env + NAME_LEN;

		if (!is_preload(*env) || strncmp(value, preload.library, len) != 0)
			continue;
		if (value[len] == ':') {
			memmove(value, value + len + 1, strlen(value + len + 1) + 1);
			return;
		}
		for (char **at = env; *at; at++)
			at[0] = at[1];
		return;
	}
}

static void say_hello(void)
{
	const struct wire_ask hello = {.kind = WIRE_HELLO};
	int sock = wire_connect(preload.dir);

	/* Without a server every exec will fail, and say so. */
	if (sock < 0)
		return;
	wire_send(sock, &hello, NULL, 0);
	close(sock);
}

__attribute__((constructor)) static void set_up(void)
{
	Dl_info info;
	char *slash;

	if (dladdr(&preload, &info) == 0 || !info.dli_fname)
		return;
	snprintf(preload.library, sizeof(preload.library), "%s", info.dli_fname);
	snprintf(preload.dir, sizeof(preload.dir), "%s", info.dli_fname);
	slash = strrchr(preload.dir, '/');
	if (slash)
		*slash = '\0';
	if (snprintf(preload.shim, sizeof(preload.shim), "%s/%s", preload.dir, WIRE_SHIM) >=
	    (int)sizeof(preload.shim))
		return;
	hide(environ);
	say_hello();
}
