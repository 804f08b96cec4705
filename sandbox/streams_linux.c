/* What a program may do with the files that its standard streams are. */
#include "sandbox/streams.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* What a stream may do is what its file was opened for: "> /dev/stderr" opens it again, by way of
 * /proc. Pipes and sockets are no matter of Landlock, and /dev/null is granted or not by its name.
 */
static uint64_t access_of(int fd, int abi)
{
	static const unsigned by_mode[] = {
		[O_RDONLY] = SANDBOX_OP_READ_TEXT,
		[O_WRONLY] = SANDBOX_OP_WRITE_TEXT,
		[O_RDWR] = SANDBOX_OP_READ_TEXT | SANDBOX_OP_WRITE_TEXT,
	};
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) > O_RDWR || fstat(fd, &st) < 0 ||
	    !(S_ISREG(st.st_mode) || S_ISCHR(st.st_mode)) || is_null(&st))
		return 0;
	return landlock_access(by_mode[flags & O_ACCMODE], false, abi);
}

void streams_find(const int fd[STREAMS], int abi, struct streams *ret)
{
	*ret = (struct streams){.ruleset = -1};
	for (int i = 0; i < STREAMS; i++) {
		uint64_t access = access_of(fd[i], abi);

		if (access)
			ret->rule[ret->rules++] = (struct landlock_rule){fd[i], access};
	}
}

/* False: it cannot be told which file it is. */
static bool identify(const struct landlock_rule *rule, struct streams_file *ret)
{
	struct stat st;

	if (fstat(rule->fd, &st) < 0)
		return false;
	*ret = (struct streams_file){st.st_dev, st.st_ino, rule->access};
	return true;
}

static bool are_the_same(const struct streams_kept *kept, const struct streams_file *file,
			 size_t files)
{
	bool same = kept->files == files;

	for (size_t i = 0; same && i < files; i++)
		same = kept->file[i].dev == file[i].dev && kept->file[i].ino == file[i].ino &&
		       kept->file[i].access == file[i].access;
	return same;
}

/* As long as the ruleset is there, the kernel gives the files' numbers to no others. */
static void keep(struct streams_kept *kept, const struct landlock *l, const struct streams *streams,
		 const struct streams_file *file)
{
	int ruleset = landlock_extend(l, streams->rule, streams->rules);

	if (ruleset < 0)
		return; /* the child will say why */
	kept->ruleset = ruleset;
	kept->files = streams->rules;
	for (size_t i = 0; i < streams->rules; i++)
		kept->file[i] = file[i];
}

void streams_use_kept(struct streams_kept *kept, const struct landlock *l, struct streams *streams)
{
	struct streams_file file[STREAMS];

	if (!streams->rules || !l->fs)
		return;
	for (size_t i = 0; i < streams->rules; i++)
		if (!identify(&streams->rule[i], &file[i]))
			return;
	pthread_mutex_lock(&kept->lock);
	if (kept->ruleset < 0)
		keep(kept, l, streams, file);
	if (kept->ruleset >= 0 && are_the_same(kept, file, streams->rules))
		streams->ruleset = kept->ruleset;
	pthread_mutex_unlock(&kept->lock);
}

void streams_free(struct streams_kept *kept)
{
	if (kept->ruleset >= 0)
		close(kept->ruleset);
	pthread_mutex_destroy(&kept->lock);
}
