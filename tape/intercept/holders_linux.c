/* Who else has a file open (proc(5), /proc/pid/fd). */
#include "tape/intercept/interceptor.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

struct holder_search {
	const struct process *p;
	const struct stat *file;
	bool found;
};

/* The permissions of the link tell how the file was opened (proc(5), /proc/pid/fd). */
static bool writes_to(pid_t pid, const char *fd, const struct stat *file)
{
	char path[64];
	struct stat link;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%.16s", (int)pid, fd);
	return lstat(path, &link) == 0 && (link.st_mode & S_IWUSR) && stat(path, &st) == 0 &&
	       st.st_dev == file->st_dev && st.st_ino == file->st_ino;
}

static void look_for_file(void *ctx, struct task *task)
{
	struct holder_search *s = ctx;
	const struct process *p = task->process;
	const struct dirent *entry;
	char path[64];
	DIR *dir;

	if (s->found || !p || task->tid != p->pid || p == s->p ||
	    (p->unit && p->unit == s->p->unit))
		return;
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)p->pid);
	dir = opendir(path);
	while (dir && !s->found && (entry = readdir(dir)))
		s->found = writes_to(p->pid, entry->d_name, s->file);
	if (dir)
		closedir(dir);
}

bool intercept_file_is_shared(struct interceptor *t, const struct process *p,
			      const struct stat *file)
{
	struct holder_search s = {p, file, false};

	tasks_each(&t->tasks, look_for_file, &s);
	return s.found;
}
