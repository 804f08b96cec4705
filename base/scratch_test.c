#include "base/scratch_test.h"

#include "base/cleanup.h"
#include "base/fs.h"
#include "tools/tests.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char scratch_path[64];
static int start_dir = -1;

void scratch_enter(void)
{
	strcpy(scratch_path, "/tmp/sandtape-test.XXXXXX");
	start_dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(start_dir, 0);
	ck_assert_ptr_nonnull(mkdtemp(scratch_path));
	ck_assert_int_eq(chdir(scratch_path), 0);
}

void scratch_leave(void)
{
	struct error err = {0};

	ck_assert_int_eq(fchdir(start_dir), 0);
	close(start_dir);
	ck_assert_msg(fs_remove_all(scratch_path, &err) == 0, "%s", err.text);
	ck_assert_int_eq(access(scratch_path, F_OK), -1);
}

size_t entry_count(const char *path)
{
	cleanup_closedir DIR *d = opendir(path);
	struct dirent *entry;
	size_t n = 0;

	ck_assert_ptr_nonnull(d);
	while ((entry = readdir(d)))
		n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	return n;
}

void act_as_ordinary(void (*act)(void))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(2);
		act();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}
