/*
 * Room in the memory of a traced process: the zero bytes behind the last byte of its vDSO, in
 * the same place for all. A write by ptrace makes a private copy of the page, which forks inherit.
 *
 * The stub's path must stand in the memory of the process that executes it. A forked child may
 * share its memory with its parent (vfork, posix_spawn), so nothing of the program's own may be
 * overwritten at that moment. So the path is written once, when a subject program has just been
 * loaded and is alone with its memory. For a unit the room holds the runner (inject_linux.c).
 */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include "tape/intercept/memory.h"
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

/* The size of our own vDSO mapping: every 64-bit process here has the same image. */
static int vdso_size(size_t *ret, struct error *err)
{
	cleanup_fclose FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	if (!maps)
		return error_sys(err, errno, "cannot open /proc/self/maps");
	*ret = 0;
	while (*ret == 0 && fgets(line, sizeof(line), maps)) {
		unsigned long from;
		unsigned long to;

		if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &from, &to) == 2)
			*ret = to - from;
	}
	return ferror(maps) ? error_sys(err, errno, "cannot read /proc/self/maps") : 0;
}

#define ROOM_ALIGN 16

int tracer_find_room(struct interceptor *t, struct error *err)
{
	const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
	size_t size = 0;
	size_t used;
	int r = vdso ? vdso_size(&size, err) : 0;

	if (r < 0)
		return r;
	used = size;
	while (used > 0 && vdso[used - 1] == 0)
		used--;
	used = (used + 2 * ROOM_ALIGN) / ROOM_ALIGN * ROOM_ALIGN;
	if (used < size) {
		tracer_of(t)->room_offset = used;
		tracer_of(t)->room_size = size - used;
	}
	if (t->options.stub_path && strlen(t->options.stub_path) >= tracer_of(t)->room_size)
		return error_set(err, ERR_UNSUPPORTED,
				 "this kernel's vDSO has no room for the path of the stub, %s: "
				 "install sandtape under a shorter path",
				 t->options.stub_path);
	return 0;
}

/* The words from the stack pointer of a fresh program: argc, argv, NULL, env, NULL, auxv. */
struct stack {
	pid_t tid;
	unsigned long next; /* address */
	unsigned long word[512];
	size_t count;
	size_t at;
};

#define PAGE_SIZE_LEAST 4096ul

/* The next word, 0 when the memory ends. */
static unsigned long pop(struct stack *s)
{
	if (s->at == s->count) {
		size_t len = PAGE_SIZE_LEAST - (s->next & (PAGE_SIZE_LEAST - 1));

		if (memory_read(s->tid, s->next, s->word, len) < 0)
			return 0;
		s->next += len;
		s->count = len / sizeof(s->word[0]);
		s->at = 0;
	}
	return s->word[s->at++];
}

unsigned long tracer_room(const struct interceptor *t, pid_t tid, const struct arch_regs *regs)
{
	struct stack stack = {.tid = tid, .next = arch_sp(regs)};
	unsigned long argc = pop(&stack);
	unsigned long type;

	for (unsigned long i = 0; i <= argc; i++) /* and the NULL */
		pop(&stack);
	while (pop(&stack) != 0) /* env */
		;
	while ((type = pop(&stack)) != AT_NULL) {
		unsigned long value = pop(&stack);

		if (type == AT_SYSINFO_EHDR && value != 0 && tracer_of(t)->room_size > 0)
			return value + tracer_of(t)->room_offset;
	}
	return 0;
}

int tracer_plant(struct interceptor *t, struct process *p, struct error *err)
{
	char padded[4096] = {0};
	size_t len = t->options.stub_path ? strlen(t->options.stub_path) + 1 : 0;
	struct arch_regs regs;
	int r;

	p->planted = 0;
	if (len == 0)
		return 0;
	r = arch_get_regs(p->pid, &regs);
	/* Without room, or in a 32-bit program, whoever spawns from there is told so then. */
	if (r == -EOPNOTSUPP)
		return 0;
	if (r == 0)
		p->planted = tracer_room(t, p->pid, &regs);
	if (r < 0 || p->planted == 0)
		return r < 0 ? tracer_ptrace_error(r, "look at", err) : 0;
	memcpy(padded, t->options.stub_path, len);
	len = (len + sizeof(long) - 1) / sizeof(long) * sizeof(long);
	r = memory_poke(p->pid, p->planted, padded, len);
	return r < 0 ? tracer_ptrace_error(r, "plant the stub in", err) : 0;
}
