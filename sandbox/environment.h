/* The environment that a policy leaves a program. */
#ifndef SANDTAPE_SANDBOX_ENVIRONMENT_H
#define SANDTAPE_SANDBOX_ENVIRONMENT_H

#include "sandbox/layers.h"

/* A policy's rules for variables. Does not refer to the policy. Read by any number of threads. */
struct environment;

/* Freed with environment_free(). */
int environment_prepare(const struct judge *judge, struct environment **ret);
void environment_free(struct environment *environment);

/*
 * What is left of `envp` (NULL: the caller's environment), then what the policy sets, then `extra`:
 * "NAME=value", NULL-terminated, may be NULL; what comes later takes the place of what has the same
 * name. What has no name or no "=" is left out, and of several with one name the first stays, as
 * getenv() has it. *ret is one block for free(), NULL-terminated; its strings belong to `envp`,
 * `environment` and `extra`. ERR_NOMEM.
 */
int environment_build(const struct environment *environment, const char *const *envp,
		      const char *const *extra, const char ***ret, struct error *err);

#endif
