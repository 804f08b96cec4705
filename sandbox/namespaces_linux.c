/* Namespaces of a child: which, and what is done in them. */
#include "sandbox/namespaces.h"

#include "sandbox/landlock.h"
#include "sandbox/readonly.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
	unsigned flag;
	const char *name;
} kinds[SANDBOX_NS_COUNT] = {
	[SANDBOX_NS_USER] = {CLONE_NEWUSER, "user"}, [SANDBOX_NS_MOUNT] = {CLONE_NEWNS, "mount"},
	[SANDBOX_NS_PID] = {CLONE_NEWPID, "pid"},    [SANDBOX_NS_NET] = {CLONE_NEWNET, "net"},
	[SANDBOX_NS_IPC] = {CLONE_NEWIPC, "ipc"},    [SANDBOX_NS_UTS] = {CLONE_NEWUTS, "uts"},
};

/* Who has it makes the others without a user namespace. */
static bool is_admin(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	return syscall(SYS_capget, &header, data) == 0 &&
	       (data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN));
}

static bool lets(const struct sandbox_policy *policy, enum sandbox_syscalls group)
{
	enum sandbox_action_kind kind = policy->syscalls[group].kind;

	return kind == SANDBOX_ACTION_ALLOW || kind == SANDBOX_ACTION_LOG;
}

/* Whether the rest of the policy has a use for it, and what for. */
static const char *use_for(const struct judge *judge, const struct namespaces *ns,
			   enum sandbox_namespace which)
{
	const struct sandbox_policy *policy = judge->policy;

	switch (which) {
	case SANDBOX_NS_MOUNT:
		if (ns->holes.read_only)
			return "what is hidden, private and read-only";
		if (ns->holes.count)
			return "what is hidden and private";
		return policy->namespaces[SANDBOX_NS_PID] == SANDBOX_USE_ON ? "a /proc of its own"
									    : NULL;
	case SANDBOX_NS_PID:
		return ns->flags & CLONE_NEWNS
			       ? "nothing outside is reached, nothing is left behind"
			       : NULL;
	case SANDBOX_NS_NET:
		if (policy->net == SANDBOX_NET_LOOPBACK)
			return "a loopback of its own";
		if (policy->net == SANDBOX_NET_NONE && lets(policy, SANDBOX_SYSCALLS_IO_URING))
			return "no network, since io_uring goes around the filter";
		return ns->hides_abstract ? "no abstract sockets outside are reached" : NULL;
	case SANDBOX_NS_IPC:
		return lets(policy, SANDBOX_SYSCALLS_IPC) ? "System V IPC" : NULL;
	default:
		return NULL;
	}
}

/* Without it the promise is broken, and nothing else keeps it. */
static bool is_needed(const struct judge *judge, const struct namespaces *ns,
		      enum sandbox_namespace which)
{
	const int *use = judge->policy->namespaces;

	return use[which] == SANDBOX_USE_ON || (which == SANDBOX_NS_NET && !ns->hides_abstract) ||
	       (which == SANDBOX_NS_MOUNT && use[SANDBOX_NS_PID] == SANDBOX_USE_ON);
}

static int choose(const struct judge *judge, enum sandbox_namespace which,
		  enum namespaces_level level, struct namespaces *ns)
{
	bool allowed = level >= (which == SANDBOX_NS_PID ? NAMESPACES_ALL : NAMESPACES_MOUNTS);
	int use = judge->policy->namespaces[which];
	const char *purpose = use_for(judge, ns, which);

	if (use == SANDBOX_USE_ON && !purpose)
		purpose = "as the policy says";
	if (!purpose)
		return 0;
	if (use == SANDBOX_USE_OFF) {
		judge_partial(judge, SANDBOX_MECH_NAMESPACES,
			      "the policy has no %s namespace, which were of use for %s",
			      kinds[which].name, purpose);
		return 0;
	}
	if (!allowed && is_needed(judge, ns, which))
		return judge_missing(judge, SANDBOX_MECH_NAMESPACES, SANDBOX_STATE_UNAVAILABLE,
				     "this host does not let a %s namespace be made (%s)",
				     kinds[which].name, purpose);
	if (!allowed) {
		judge_partial(judge, SANDBOX_MECH_NAMESPACES,
			      "this host does not let a %s namespace be made (%s)",
			      kinds[which].name, purpose);
		return 0;
	}
	ns->flags |= kinds[which].flag;
	judge_enforced(judge, SANDBOX_MECH_NAMESPACES, "%s: %s", kinds[which].name, purpose);
	return 0;
}

static int choose_all(const struct judge *judge, enum namespaces_level level, struct namespaces *ns)
{
	int rc = 0;

	for (int i = SANDBOX_NS_MOUNT; rc == 0 && i < SANDBOX_NS_COUNT; i++)
		rc = choose(judge, i, level, ns);
	if (rc < 0)
		return rc;
	if (judge->policy->namespaces[SANDBOX_NS_USER] == SANDBOX_USE_ON)
		return choose(judge, SANDBOX_NS_USER, level, ns);
	if (ns->flags && !is_admin()) {
		if (judge->policy->namespaces[SANDBOX_NS_USER] == SANDBOX_USE_OFF)
			return judge_missing(judge, SANDBOX_MECH_NAMESPACES,
					     SANDBOX_STATE_UNAVAILABLE,
					     "the policy lets no user namespace be made, which an "
					     "ordinary user needs for the others");
		ns->flags |= CLONE_NEWUSER;
	}
	return 0;
}

static void judge_proc(const struct judge *judge, const struct namespaces *ns)
{
	if (judge_is_off(judge, SANDBOX_MECH_PROC))
		return;
	if (ns->flags & CLONE_NEWPID)
		judge_enforced(judge, SANDBOX_MECH_PROC, "a /proc of the sandbox's own processes");
	else
		judge_partial(judge, SANDBOX_MECH_PROC,
			      "the host's processes can be seen in /proc, not looked into; "
			      "namespaces.pid = \"on\" hides them");
}

static void judge_terminals(const struct judge *judge, const struct sandbox_paths *paths,
			    const struct namespaces *ns)
{
	if (!(ns->flags & CLONE_NEWNS) && holes_want_terminals(judge, paths))
		judge_partial(judge, SANDBOX_MECH_TTY, "other terminals of the user can be opened");
}

int namespaces_prepare(const struct judge *judge, const struct sandbox_paths *paths,
		       enum namespaces_level level, int abi, struct namespaces *ret)
{
	bool mounts = level >= NAMESPACES_MOUNTS &&
		      judge->policy->namespaces[SANDBOX_NS_MOUNT] != SANDBOX_USE_OFF;
	uint64_t memory_mb = judge->policy->limits[SANDBOX_LIMIT_MEMORY_MB];
	int rc;

	*ret = (struct namespaces){0};
	if (judge_is_off(judge, SANDBOX_MECH_NAMESPACES)) {
		judge_proc(judge, ret);
		judge_terminals(judge, paths, ret);
		return 0;
	}
	rc = holes_find(judge, paths, mounts, &ret->holes);
	if (rc == 0 && mounts && landlock_misses_truncate(judge, abi))
		rc = readonly_find(judge, paths, &ret->holes);
	ret->hides_abstract = landlock_misses_abstract(judge, abi) &&
			      !lets(judge->policy, SANDBOX_SYSCALLS_IO_URING);
	if (rc == 0)
		rc = choose_all(judge, level, ret);
	if (rc < 0) {
		namespaces_free(ret);
		return rc;
	}
	judge_proc(judge, ret);
	judge_terminals(judge, paths, ret);
	if (!(ret->flags & CLONE_NEWNS))
		holes_free(&ret->holes);
	ret->loopback = judge->policy->net == SANDBOX_NET_LOOPBACK;
	ret->tmp_bytes = (memory_mb == SANDBOX_NO_LIMIT ? 2048 : memory_mb) << 20;
	snprintf(ret->uid_map, sizeof(ret->uid_map), "%u %u 1", geteuid(), geteuid());
	snprintf(ret->gid_map, sizeof(ret->gid_map), "%u %u 1", getegid(), getegid());
	return 0;
}

bool namespaces_have_mounts(const struct namespaces *namespaces)
{
	return namespaces->flags & CLONE_NEWNS;
}

bool namespaces_have_pids(const struct namespaces *namespaces)
{
	return namespaces->flags & CLONE_NEWPID;
}

bool namespaces_have_net(const struct namespaces *namespaces)
{
	return namespaces->flags & CLONE_NEWNET;
}

bool namespaces_have_user(const struct namespaces *namespaces)
{
	return namespaces->flags & CLONE_NEWUSER;
}

void namespaces_free(struct namespaces *namespaces)
{
	holes_free(&namespaces->holes);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), error = 0;
	ssize_t len = (ssize_t)strlen(text);

	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)len) != len)
		error = errno ? errno : EIO;
	close(fd);
	return -error;
}

static int write_maps(const struct namespaces *ns, struct mounts_run *run)
{
	int rc;

	run->stage = "maps of the user namespace";
	rc = write_file("/proc/self/setgroups", "deny");
	if (rc == 0)
		rc = write_file("/proc/self/uid_map", ns->uid_map);
	return rc < 0 ? rc : write_file("/proc/self/gid_map", ns->gid_map);
}

static int raise_loopback(struct mounts_run *run)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), error = 0;

	run->stage = "loopback";
	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		error = errno;
	close(fd);
	return -error;
}

static int make_private(struct mounts_run *run)
{
	run->stage = "making mounts private";
	return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -errno : 0;
}

/* Before the holes are made, since some are in it. */
static int mount_proc(struct mounts_run *run)
{
	run->stage = "mount of /proc";
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return -errno;
	run->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return run->proc < 0 ? -errno : 0;
}

/* The first steps are those that a host may not let be done. What fails after them has to do with
 * the files that are there, and is no reason to go on without. */
int namespaces_apply(const struct namespaces *ns, struct mounts_run *run)
{
	int rc = 0;

	run->refused = true;
	if (ns->flags & CLONE_NEWUSER)
		rc = write_maps(ns, run);
	if (rc == 0 && (ns->flags & CLONE_NEWNS))
		rc = make_private(run);
	if (rc == 0 && (ns->flags & CLONE_NEWPID))
		rc = mount_proc(run);
	if (rc < 0)
		return rc;
	run->refused = false;
	if (ns->loopback && (ns->flags & CLONE_NEWNET))
		rc = raise_loopback(run);
	if (rc == 0 && (ns->flags & CLONE_NEWNS))
		rc = mounts_apply(&ns->holes, ns->tmp_bytes, run);
	/* Calls that are not there (before Linux 5.12) are no matter of files. */
	run->refused = rc == -ENOSYS;
	return rc;
}
