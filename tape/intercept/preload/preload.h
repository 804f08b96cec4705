/* The inside of the library that is loaded into the subject. */
#ifndef SANDTAPE_TAPE_INTERCEPT_PRELOAD_PRELOAD_H
#define SANDTAPE_TAPE_INTERCEPT_PRELOAD_PRELOAD_H

#include "tape/intercept/shim/wire.h"
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PRELOAD_API __attribute__((visibility("default")))

/* Where the library was loaded from: the server's private directory. */
struct preload {
	char dir[PATH_MAX];
	char library[PATH_MAX];
	char shim[PATH_MAX];
};

extern struct preload preload;

/* Fills it, if that has not been done yet: first of all in everything that executes something. */
void preload_set_up(void);

/* Executes the program, or what the server says instead. Returns -1 and sets errno, as execve(2).
 * Async-signal-safe, and good for the child of a vfork(2). */
int preload_execute(const struct wire_program *program);
int preload_execute_path(const char *path, char *const *argv, char *const *env);
/* Says on stderr that the server cannot be reached: EIO. */
int preload_unheard(void);
/* As execvpe(3) looks for it. */
int preload_execute_search(const char *file, char *const *argv, char *const *env);

/* Where execvpe(3) would find the file: 0, or the errno with which its search ends; `ret_path` is
 * then what it tried last. */
int preload_search(const char *file, char ret_path[PATH_MAX]);

/* How many strings stand before the NULL. */
size_t preload_count(char *const *list);
/* How many bytes the string takes that preload_add_self() makes. */
size_t preload_room(const char *library, char *const *env);
/* The list with the library in LD_PRELOAD. `into` has preload_count() + 2 pointers, `text`
 * preload_room() bytes. */
void preload_add_self(const char *library, char *const *env, char **into, char *text);
/* Takes the library out, in place; what was there before it stays. */
void preload_hide(const char *library, char **env);

typedef int (*preload_spawner)(pid_t *pid, const char *path,
			       const posix_spawn_file_actions_t *actions,
			       const posix_spawnattr_t *attributes, char *const *argv,
			       char *const *env);
/* As posix_spawn(3), with `real` as what starts the shim. */
int preload_spawn(preload_spawner real, pid_t *pid, const char *path,
		  const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
		  char *const *argv, char *const *env);

#endif
