/* What interprets a program: of a script what it names behind "#!", which may be a script again, of
 * others their loader. */
#include "sandbox/observe.h"

#include "base/cleanup.h"
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 256 }; /* so much of a file is looked at for an interpreter (BINPRM_BUF_SIZE) */

/* --- what a file names -------------------------------------------------------------------------
 */

/* As fs/binfmt_script.c of Linux has it. `head` ends with a NUL at HEAD; a name that would go on
 * behind that is none. */
static bool names_script(const char *head, char ret[HEAD])
{
	const char *name = head + 2 + strspn(head + 2, " \t");
	size_t len = strcspn(name, " \t\n");

	if (strncmp(head, "#!", 2) != 0 || len == 0 || name + len == head + HEAD)
		return false;
	memcpy(ret, name, len);
	ret[len] = '\0';
	return true;
}

static bool read_loader(int fd, uint64_t at, uint64_t size, char ret[PATH_MAX])
{
	if (size < 2 || size > PATH_MAX || at > INT64_MAX ||
	    pread(fd, ret, size, (off_t)at) != (ssize_t)size)
		return false;
	return ret[size - 1] == '\0';
}

static bool names_loader_64(int fd, const Elf64_Ehdr *elf, char ret[PATH_MAX])
{
	for (unsigned i = 0; elf->e_phentsize == sizeof(Elf64_Phdr) && i < elf->e_phnum; i++) {
		off_t at = (off_t)(elf->e_phoff + (Elf64_Off)i * sizeof(Elf64_Phdr));
		Elf64_Phdr part;

		if (pread(fd, &part, sizeof(part), at) != sizeof(part))
			return false;
		if (part.p_type == PT_INTERP)
			return read_loader(fd, part.p_offset, part.p_filesz, ret);
	}
	return false;
}

static bool names_loader_32(int fd, const Elf32_Ehdr *elf, char ret[PATH_MAX])
{
	for (unsigned i = 0; elf->e_phentsize == sizeof(Elf32_Phdr) && i < elf->e_phnum; i++) {
		off_t at = (off_t)elf->e_phoff + (off_t)(i * sizeof(Elf32_Phdr));
		Elf32_Phdr part;

		if (pread(fd, &part, sizeof(part), at) != sizeof(part))
			return false;
		if (part.p_type == PT_INTERP)
			return read_loader(fd, part.p_offset, part.p_filesz, ret);
	}
	return false;
}

enum interpreter observe_names_interpreter(int fd, const char *path, char ret[PATH_MAX])
{
	union {
		char text[HEAD + 1];
		Elf32_Ehdr elf32;
		Elf64_Ehdr elf64;
	} head = {.text = ""};
	bool loaded = false;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || pread(fd, &head, HEAD, 0) < 0)
		return INTERPRETER_NONE;
	if (observe_registered(path, head.text, HEAD, ret) || names_script(head.text, ret))
		return INTERPRETER_SCRIPT;
	if (memcmp(head.text, ELFMAG, SELFMAG) != 0)
		return INTERPRETER_NONE;
	if (head.text[EI_CLASS] == ELFCLASS64)
		loaded = names_loader_64(fd, &head.elf64, ret);
	else if (head.text[EI_CLASS] == ELFCLASS32)
		loaded = names_loader_32(fd, &head.elf32, ret);
	return loaded ? INTERPRETER_LOADER : INTERPRETER_NONE;
}

/* --- of a task ---------------------------------------------------------------------------------
 */

/* Of the task's view; a device is not opened. */
static int open_file(pid_t tid, const char *path)
{
	char name[PATH_MAX + 64];
	cleanup_close int found = -1;
	struct stat st;

	snprintf(name, sizeof(name), "/proc/%d/root%s", (int)tid, path);
	found = open(name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (found < 0 || fstat(found, &st) < 0 || !S_ISREG(st.st_mode))
		return -1;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", found);
	return open(name, O_RDONLY | O_CLOEXEC);
}

static enum interpreter next_of(pid_t tid, const char *path, struct buf *out)
{
	cleanup_close int fd = open_file(tid, path);
	char name[PATH_MAX];
	enum interpreter kind =
		fd < 0 ? INTERPRETER_NONE : observe_names_interpreter(fd, path, name);

	return kind != INTERPRETER_NONE && observe_resolve(tid, AT_FDCWD, name, false, out)
		       ? kind
		       : INTERPRETER_NONE;
}

enum sandbox_outside observe_interpreters(pid_t tid, const char *path,
					  struct observe_interpreters *chain)
{
	enum sandbox_outside outside = SANDBOX_OUTSIDE_YES;
	enum interpreter kind = INTERPRETER_SCRIPT;
	size_t count = 0;

	while (count < OBSERVE_INTERPRETERS && kind == INTERPRETER_SCRIPT &&
	       outside == SANDBOX_OUTSIDE_YES) {
		struct buf *next = &chain->buf[count];

		kind = next_of(tid, path, next);
		if (kind == INTERPRETER_NONE)
			break;
		path = chain->path[count++] = next->data;
		outside = observe_outside(OBSERVED_EXECUTE, 0, path, NULL);
	}
	chain->path[count] = NULL;
	return outside;
}

void observe_free_paths(struct observer *o)
{
	buf_free(&o->path);
	buf_free(&o->path2);
	for (size_t i = 0; i < OBSERVE_INTERPRETERS; i++)
		buf_free(&o->interpreters.buf[i]);
}
