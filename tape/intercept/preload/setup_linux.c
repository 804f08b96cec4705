/* Before main, or before the first spawn: where we are, and no trace of us in the environment of
 * the program. */
#include "tape/intercept/preload/preload.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct preload preload;

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

/* Constructors of other libraries may have run before ours, and spawn. */
__attribute__((constructor)) void preload_set_up(void)
{
	Dl_info info;
	char *slash;

	if (preload.shim[0] || dladdr(&preload, &info) == 0 || !info.dli_fname)
		return;
	snprintf(preload.library, sizeof(preload.library), "%s", info.dli_fname);
	snprintf(preload.dir, sizeof(preload.dir), "%s", info.dli_fname);
	slash = strrchr(preload.dir, '/');
	if (slash)
		*slash = '\0';
	if (snprintf(preload.shim, sizeof(preload.shim), "%s/%s", preload.dir, WIRE_SHIM) >=
	    (int)sizeof(preload.shim))
		return;
	preload_hide(preload.library, environ);
	say_hello();
}
