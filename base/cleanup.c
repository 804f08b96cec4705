#include "base/cleanup.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The variable may be a pointer to any type: memcpy reads it without breaking aliasing rules. */
static void *pointer_in(const void *pointer_to_pointer)
{
	void *pointer;

	memcpy(&pointer, pointer_to_pointer, sizeof(pointer));
	return pointer;
}

void cleanup_free_fn(void *pointer_to_pointer)
{
	int saved = errno;

	free(pointer_in(pointer_to_pointer));
	errno = saved;
}

void cleanup_close_fn(const int *fd)
{
	int saved = errno;

	/* Never repeated on EINTR: Linux has released the number by then. */
	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

void cleanup_fclose_fn(void *pointer_to_file)
{
	FILE *file = pointer_in(pointer_to_file);
	int saved = errno;

	if (file)
		fclose(file);
	errno = saved;
}

void cleanup_closedir_fn(void *pointer_to_dir)
{
	DIR *dir = pointer_in(pointer_to_dir);
	int saved = errno;

	if (dir)
		closedir(dir);
	errno = saved;
}
