#include "base/chaos_test.h"

#include "tools/tests.h"
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_long left;
static atomic_bool armed;
static atomic_bool met;
static enum chaos_kind kind;
static long period;

static bool fails(void)
{
	long before;

	if (!armed)
		return false;
	before = atomic_fetch_sub(&left, 1);
	if (kind == CHAOS_ONCE ? before != 0 : before > 0)
		return false;
	if (kind == CHAOS_EVERY)
		left = period;
	met = true;
	errno = ENOMEM;
	return true;
}

void chaos_arm(enum chaos_kind how, long call)
{
	kind = how;
	left = call;
	period = call;
	met = false;
	armed = true;
}

bool chaos_disarm(void)
{
	return atomic_exchange(&armed, false);
}

void chaos_rearm(void)
{
	armed = true;
}

bool chaos_met(void)
{
	return met;
}

bool chaos_went_well(int rc, const struct error *err, const char *what)
{
	bool was_armed = chaos_disarm();

	ck_assert_msg(rc == 0 || rc == ERR_NOMEM, "%s: %d %s", what, rc, err->text);
	ck_assert_msg(rc == 0 || met, "%s: %s, but there was memory", what, err->text);
	armed = was_armed;
	return rc == 0;
}

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
char *__wrap_strndup(const char *text, size_t size);
int __real_vasprintf(char **ret, const char *format, va_list args);
int __wrap_vasprintf(char **ret, const char *format, va_list args);
char *__real_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved);
DIR *__real_opendir(const char *name);
DIR *__wrap_opendir(const char *name);
DIR *__real_fdopendir(int fd);
DIR *__wrap_fdopendir(int fd);
int __real_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to);
int __wrap_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to);
int __real_posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions,
						const char *path);
int __wrap_posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions,
						const char *path);

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
	return fails() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size)
{
	return fails() ? NULL : __real_strndup(text, size);
}

int __wrap_vasprintf(char **ret, const char *format, va_list args)
{
	return fails() ? -1 : __real_vasprintf(ret, format, args);
}

char *__wrap_realpath(const char *path, char *resolved)
{
	return fails() ? NULL : __real_realpath(path, resolved);
}

DIR *__wrap_opendir(const char *name)
{
	return fails() ? NULL : __real_opendir(name);
}

DIR *__wrap_fdopendir(int fd)
{
	return fails() ? NULL : __real_fdopendir(fd);
}

int __wrap_posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to)
{
	return fails() ? ENOMEM : __real_posix_spawn_file_actions_adddup2(actions, fd, to);
}

int __wrap_posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions,
						const char *path)
{
	return fails() ? ENOMEM : __real_posix_spawn_file_actions_addchdir_np(actions, path);
}

void chaos_prepare(void)
{
	json_set_alloc_funcs(__wrap_malloc, free);
}
