/* Acts that execute "program" of the outer directory: this program, which ends with HELLO when it
 * was executed with the argument "hello". */
#include "conformance/probe/probe.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#define HELLO 42

/* Where nothing of this program is. */
#define CRAFTED_ADDRESS 0x20000000

/* In a child; what it is told comes back in the report, which both have mapped. */
static long execute(struct probe *p, long dir, const char *path, int flags)
{
	const char *const argv[] = {"probe", "hello", NULL};
	const char *const envp[] = {NULL};
	long child = probe_fork(), end;

	if (child == 0) {
		p->report->result = CALL5(SYS_execveat, dir, path, argv, envp, flags);
		_exit(1);
	}
	end = child < 0 ? child : probe_wait((pid_t)child);
	if (end < 0 || end == HELLO)
		return end < 0 ? end : 0;
	if (end > 128)
		p->report->signal = (int32_t)(end - 128);
	return p->report->result < 0 ? (long)p->report->result : -ENOEXEC;
}

/* A program in the working directory, where all is granted. */
static const char *write_program(struct probe *p, const void *bytes, size_t len)
{
	const char *path = probe_path(p->in, "written", 1);
	long fd = probe_need(
		p, "open",
		CALL4(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755));

	probe_need(p, "write", CALL3(SYS_write, fd, bytes, len));
	close((int)fd);
	return path;
}

long act_execute(struct probe *p)
{
	return execute(p, AT_FDCWD, probe_path(p->out, "program", 0), 0);
}

/* By a descriptor that only names it, which everybody may have. */
long act_execute_opened(struct probe *p)
{
	long fd = probe_need(p, "open",
			     CALL4(SYS_openat, AT_FDCWD, probe_path(p->out, "program", 0),
				   O_PATH | O_CLOEXEC, 0));

	return execute(p, fd, "", AT_EMPTY_PATH);
}

/* As the interpreter of a script. */
long act_execute_script(struct probe *p)
{
	char text[512];
	int len = snprintf(text, sizeof(text), "#!%s hello\n", probe_path(p->out, "program", 0));

	return execute(p, AT_FDCWD, write_program(p, text, (size_t)len), 0);
}

/* As the loader of a dynamic program: one that has no more than the name of it, and a copy of what
 * its start-up looks for among the headers, which are not its own then. */
long act_execute_loader(struct probe *p)
{
	struct {
		Elf64_Ehdr head;
		Elf64_Phdr part[3];
		char loader[512];
	} file = {.part = {{.p_type = PT_INTERP}, {.p_type = PT_LOAD}, {.p_type = PT_NULL}}};
	const Elf64_Phdr *own = (const Elf64_Phdr *)getauxval(AT_PHDR);
	unsigned long count = getauxval(AT_PHNUM);
	int len =
		snprintf(file.loader, sizeof(file.loader), "%s", probe_path(p->out, "program", 0));

	if (!own)
		probe_unprepared(p, "headers", -ENOENT);
	memcpy(&file.head, (const char *)own - sizeof(file.head), sizeof(file.head));
	file.head.e_phoff = offsetof(__typeof__(file), part);
	file.head.e_phnum = 3;
	file.head.e_shnum = file.head.e_shstrndx = 0;
	file.head.e_shoff = 0;
	file.head.e_entry = CRAFTED_ADDRESS;
	file.part[0].p_offset = offsetof(__typeof__(file), loader);
	file.part[0].p_filesz = file.part[0].p_memsz = (Elf64_Xword)len + 1;
	file.part[1].p_vaddr = file.part[1].p_paddr = CRAFTED_ADDRESS;
	file.part[1].p_filesz = file.part[1].p_memsz = sizeof(file);
	file.part[1].p_flags = PF_R;
	file.part[1].p_align = 4096;
	for (unsigned long i = 0; i < count; i++)
		if (own[i].p_type == PT_TLS)
			file.part[2] = own[i];
	return execute(p, AT_FDCWD, write_program(p, &file, sizeof(file)), 0);
}

/* From memory that was never in a file. */
long act_execute_memfd(struct probe *p)
{
	long from = probe_need(p, "open",
			       CALL4(SYS_openat, AT_FDCWD, probe_path(p->in, "probe", 0),
				     O_RDONLY | O_CLOEXEC, 0));
	long to = probe_need(p, "memfd_create", CALL2(SYS_memfd_create, "sandtape", 1)), n;

	do {
		n = probe_need(p, "sendfile", CALL4(SYS_sendfile, to, from, NULL, 1 << 20));
	} while (n > 0);
	close((int)from);
	return execute(p, to, "", AT_EMPTY_PATH);
}
