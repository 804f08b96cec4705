/*
 * The stub's path must stand in the memory of the process that executes it. A forked child may
 * share its memory with its parent (vfork, posix_spawn), so nothing of the program's own may be
 * overwritten at that moment. So the path is written once, when a subject program has just been
 * loaded and is alone with its memory, into the zero bytes behind the vDSO's last byte: forks
 * inherit it, and it is in the same place for all.
 */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include "tape/intercept/memory.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

/* The size of our own vDSO mapping: every 64-bit process here has the same image. */
static size_t vdso_size(void)
{
	cleanup_fclose FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		unsigned long from;
		unsigned long to;

		if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			return to - from;
	}
	return 0;
}

#define PLANT_ALIGN 16

int tracer_find_plant(struct interceptor *t, struct error *err)
{
	const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
	size_t size = vdso ? vdso_size() : 0;
	size_t used = size;
	size_t need;

	if (!t->options.stub_path)
		return 0;
	need = strlen(t->options.stub_path) + 1;
	while (used > 0 && vdso[used - 1] == 0)
		used--;
	used = (used + 2 * PLANT_ALIGN) / PLANT_ALIGN * PLANT_ALIGN;
	if (size == 0 || used + need > size)
		return error_set(err, ERR_UNSUPPORTED,
				 "this kernel's vDSO has no room for the path of the stub, %s: "
				 "install sandtape under a shorter path",
				 t->options.stub_path);
	t->plant_offset = used;
	return 0;
}

/* From the auxiliary vector of the process; 0 when it has no vDSO of ours. */
static unsigned long vdso_of(pid_t pid)
{
	char path[64];
	unsigned long aux[2 * 64];
	cleanup_close int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, aux, sizeof(aux));
	for (size_t i = 0; n > 0 && i + 1 < (size_t)n / sizeof(aux[0]); i += 2) {
		if (aux[i] == AT_SYSINFO_EHDR)
			return aux[i + 1];
	}
	return 0;
}

int tracer_plant(struct interceptor *t, struct process *p, struct error *err)
{
	char padded[4096] = {0};
	size_t len = t->options.stub_path ? strlen(t->options.stub_path) + 1 : 0;
	unsigned long vdso = len > 0 ? vdso_of(p->pid) : 0;
	int r;

	p->planted = 0;
	if (vdso == 0)
		return 0; /* whoever spawns from there is told so then */
	memcpy(padded, t->options.stub_path, len);
	len = (len + sizeof(long) - 1) / sizeof(long) * sizeof(long);
	r = memory_poke(p->pid, vdso + t->plant_offset, padded, len);
	p->planted = vdso + t->plant_offset;
	return r < 0 ? tracer_ptrace_error(r, "plant the stub in", err) : 0;
}
