/* Acts that change the tree of mounts: in a namespace of mounts that the set-up has made, and with
 * "other", which is a mount. */
#include "conformance/probe/probe.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 4
#endif

long act_tree_bind(struct probe *p)
{
	return CALL5(SYS_mount, probe_path(p->out, "dir", 0), probe_path(p->out, "empty", 1), NULL,
		     MS_BIND, NULL);
}

long act_tree_remount(struct probe *p)
{
	return CALL5(SYS_mount, NULL, probe_path(p->out, "other", 0), NULL, MS_REMOUNT | MS_RDONLY,
		     NULL);
}

/* By the newer calls. */
long act_tree_attach(struct probe *p)
{
	long tree = probe_need(p, "open_tree",
			       CALL3(SYS_open_tree, AT_FDCWD, probe_path(p->out, "dir", 0),
				     OPEN_TREE_CLONE | O_CLOEXEC));
	long rc = CALL5(SYS_move_mount, tree, "", AT_FDCWD, probe_path(p->out, "empty", 0),
			MOVE_MOUNT_F_EMPTY_PATH);

	close((int)tree);
	return rc;
}

long act_tree_unmount(struct probe *p)
{
	return CALL2(SYS_umount2, probe_path(p->out, "other", 0), 0);
}

/* "other" becomes the root; what was one is in its "old". */
long act_tree_pivot(struct probe *p)
{
	return CALL2(SYS_pivot_root, probe_path(p->out, "other", 0),
		     probe_path(p->out, "other/old", 1));
}
