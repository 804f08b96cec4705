/* Namespaces of a child: which, and what is done in them. */
#ifndef SANDTAPE_SANDBOX_NAMESPACES_H
#define SANDTAPE_SANDBOX_NAMESPACES_H

#include "sandbox/mounts.h"

/* What a host lets be made, as far as it is known. */
enum namespaces_level {
	NAMESPACES_NONE,
	NAMESPACES_MOUNTS, /* all but a pid namespace, which needs a /proc to be mounted */
	NAMESPACES_ALL
};

struct namespaces {
	unsigned flags; /* CLONE_NEW* */
	bool loopback;
	bool hides_abstract; /* sockets outside; a network namespace is of use for that only */
	struct holes holes;
	uint64_t tmp_bytes;
	char uid_map[32], gid_map[32]; /* of a user namespace */
};

/* `abi` is Landlock's, what it cannot do is done here. What the policy asks for by name, and for
 * the network, has to be allowed by the level; of what is merely of use, the level decides. */
int namespaces_prepare(const struct judge *judge, const struct sandbox_paths *paths,
		       enum namespaces_level level, int abi, struct namespaces *ret);
bool namespaces_have_mounts(const struct namespaces *namespaces);
bool namespaces_have_pids(const struct namespaces *namespaces);
bool namespaces_have_net(const struct namespaces *namespaces);
bool namespaces_have_user(const struct namespaces *namespaces);
void namespaces_free(struct namespaces *namespaces);

/* In the child, which has been made with the flags. 0 or -errno, with run->stage. */
int namespaces_apply(const struct namespaces *namespaces, struct mounts_run *run);

#endif
