#include "tools/progress.h"

#include "base/monotonic.h"
#include <stdio.h>
#include <unistd.h>

#define SECOND 1000000000u

static void tell(void *ctx, uint64_t done, uint64_t total)
{
	struct progress *p = ctx;
	uint64_t now = p->wanted ? monotonic_ns() : 0;

	if (now < p->next_ns || total == 0 || !p->wanted)
		return;
	p->next_ns = now + SECOND / 5;
	p->shown = true;
	fprintf(stderr, "\r\033[Ksandtape: %s: %d %%", p->what,
		(int)(100 * (double)(done < total ? done : total) / (double)total));
	fflush(stderr);
}

struct tape_progress progress_begin(struct progress *p, const char *what)
{
	*p = (struct progress){.what = what, .wanted = isatty(STDERR_FILENO) == 1};
	p->next_ns = p->wanted ? monotonic_ns() + SECOND : 0;
	return (struct tape_progress){tell, p};
}

void progress_hide(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
