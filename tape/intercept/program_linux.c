/* What ld.so(8) would load a library into: dynamic programs that gain no privilege by their exec
 * (getauxval(3), AT_SECURE). */
#include "tape/intercept/server.h"

#include "base/cleanup.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int refuse(const char *path, const char *why, struct error *err)
{
	return error_set(err, ERR_UNSUPPORTED,
			 "%s is %s: a library cannot be loaded into it, so --backend preload would "
			 "not see what it runs (use --backend path, or ptrace)",
			 path, why);
}

static bool has_interpreter(int fd, const Elf64_Ehdr *header)
{
	for (int i = 0; i < header->e_phnum; i++) {
		Elf64_Phdr program;
		off_t at = (off_t)(header->e_phoff + (Elf64_Off)i * header->e_phentsize);

		if (pread(fd, &program, sizeof(program), at) != sizeof(program))
			return false;
		if (program.p_type == PT_INTERP)
			return true;
	}
	return false;
}

static int check_elf(const char *path, int fd, const Elf64_Ehdr *header, struct error *err)
{
	const Elf64_Ehdr *own = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);

	if (header->e_ident[EI_CLASS] != ELFCLASS64 || (own && header->e_machine != own->e_machine))
		return refuse(path, "a program for another machine", err);
	return has_interpreter(fd, header) ? 0 : refuse(path, "a static program", err);
}

/* "#! interpreter argument" */
static bool is_script(char *head, size_t len, char **ret_interpreter)
{
	char *end;

	if (len < 3 || head[0] != '#' || head[1] != '!')
		return false;
	end = memchr(head, '\n', len);
	if (!end)
		return false;
	*end = '\0';
	*ret_interpreter = head + 2 + strspn(head + 2, " \t");
	(*ret_interpreter)[strcspn(*ret_interpreter, " \t")] = '\0';
	return true;
}

/* capabilities(7): of root, a program with capabilities is one like all others. */
static int check_privilege(const char *path, int fd, const struct stat *st, struct error *err)
{
	if ((st->st_mode & S_ISUID && st->st_uid != geteuid()) ||
	    (st->st_mode & S_ISGID && st->st_gid != getegid()))
		return refuse(path, "a set-user-ID program", err);
	if (getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
		return refuse(path, "a program with capabilities of its own", err);
	return 0;
}

#define SCRIPTS_MAX 5 /* an interpreter may be a script itself: BINPRM recursion of the kernel */

static int check(const char *path, int depth, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	union {
		Elf64_Ehdr elf;
		char text[256];
	} head;
	struct stat st;
	char *interpreter;
	ssize_t n = fd < 0 ? -1 : read(fd, head.text, sizeof(head.text));

	/* What cannot be read or executed, the exec itself will tell. */
	if (n < 0 || fstat(fd, &st) < 0)
		return 0;
	if (is_script(head.text, (size_t)n, &interpreter))
		return depth < SCRIPTS_MAX ? check(interpreter, depth + 1, err) : 0;
	if (check_privilege(path, fd, &st, err) < 0)
		return ERR_UNSUPPORTED;
	if ((size_t)n < sizeof(head.elf) || memcmp(head.elf.e_ident, ELFMAG, SELFMAG) != 0)
		return 0;
	return check_elf(path, fd, &head.elf, err);
}

int program_check_preload(const char *path, struct error *err)
{
	return check(path, 0, err);
}
