/* The environment that a policy leaves a program. */
#ifndef SANDTAPE_SANDBOX_ENVIRONMENT_H
#define SANDTAPE_SANDBOX_ENVIRONMENT_H

#include "sandbox/layers.h"
#include "sandbox/paths.h"

#define ENVIRONMENT_NPM_CACHE "npm_config_cache"

/* A policy's rules for variables. Does not refer to the policy. Read by any number of threads. */
struct environment;

/* `paths` are the policy's; NULL: nothing is found out about them. Freed with environment_free().
 */
int environment_prepare(const struct judge *judge, const struct sandbox_paths *paths,
			struct environment **ret);
void environment_free(struct environment *environment);

/*
 * What is left of `envp` (NULL: the caller's environment), then what the policy sets, then `extra`:
 * "NAME=value", NULL-terminated, may be NULL; what comes later takes the place of what has the same
 * name. `cache` is a place for npm's, ENVIRONMENT_NPM_CACHE with its value, or NULL: it is taken
 * where the policy keeps that variable, closes the one of HOME, and nothing names another. What has
 * no name or no "=" is left out, and of several with one name the first stays, as getenv() has it.
 * *ret is one block for free(), NULL-terminated; its strings belong to `envp`, `environment`,
 * `extra` and `cache`. ERR_NOMEM.
 */
int environment_build(const struct environment *environment, const char *const *envp,
		      const char *const *extra, const char *cache, const char ***ret,
		      struct error *err);

#endif
