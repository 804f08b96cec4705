/* Capabilities, no_new_privs and the controlling terminal. */
#include "sandbox/privileges.h"

#include "sandbox/kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define BIT(capability) (UINT64_C(1) << (capability))

struct sets {
	uint64_t effective, permitted, inheritable;
};

static int get_sets(struct sets *ret)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	int rc = (int)kernel_call(SYS_capget, (long)&head, (long)data, 0);

	if (rc == 0)
		*ret = (struct sets){
			data[0].effective | (uint64_t)data[1].effective << 32,
			data[0].permitted | (uint64_t)data[1].permitted << 32,
			data[0].inheritable | (uint64_t)data[1].inheritable << 32,
		};
	return rc;
}

static int set_all(uint64_t set)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const uint32_t low = (uint32_t)set, high = (uint32_t)(set >> 32);
	struct __user_cap_data_struct data[2] = {{low, low, low}, {high, high, high}};

	return (int)kernel_call(SYS_capset, (long)&head, (long)data, 0);
}

/* The kernel answers for each number that it knows, and by EINVAL for the first that it does not.
 * /proc/sys/kernel/cap_last_cap says the same, where there is a /proc. */
static unsigned count_capabilities(void)
{
	unsigned count = CAP_LAST_CAP + 1;

	while (count < 64 && kernel_call(SYS_prctl, PR_CAPBSET_READ, count, 0) >= 0)
		count++;
	while (count > 0 && (int)kernel_call(SYS_prctl, PR_CAPBSET_READ, count - 1, 0) < 0)
		count--;
	return count;
}

static int prepare_capabilities(const struct judge *judge, struct privileges *privileges)
{
	struct sets sets = {0};

	if (judge_is_off(judge, SANDBOX_MECH_CAPABILITIES))
		return 0;
	privileges->drop = true;
	privileges->keep = judge->policy->capabilities;
	privileges->capabilities = count_capabilities();
	if (get_sets(&sets) < 0)
		return judge_missing(judge, SANDBOX_MECH_CAPABILITIES, SANDBOX_STATE_UNAVAILABLE,
				     "the sets of capabilities cannot be read");
	privileges->had = sets.effective;
	/* A new user namespace gives CAP_SETPCAP for what is inside it; what is outside, the
	 * program cannot gain from there. */
	if (!privileges->no_new_privs && !(sets.effective & BIT(CAP_SETPCAP)))
		return judge_missing(judge, SANDBOX_MECH_CAPABILITIES, SANDBOX_STATE_PARTIAL,
				     "without no_new_privs and CAP_SETPCAP a program can gain "
				     "capabilities when it is executed");
	privileges->must_bound = !privileges->no_new_privs;
	judge_enforced(judge, SANDBOX_MECH_CAPABILITIES,
		       privileges->keep ? "none but those that the policy keeps" : "none");
	return 0;
}

static void prepare_no_new_privs(const struct judge *judge, struct privileges *privileges)
{
	if (judge_is_off(judge, SANDBOX_MECH_NO_NEW_PRIVS))
		return;
	privileges->no_new_privs = true;
	judge_enforced(judge, SANDBOX_MECH_NO_NEW_PRIVS,
		       "programs gain no privileges when they are executed");
}

static void prepare_terminal(const struct judge *judge, struct privileges *privileges)
{
	if (judge->policy->tty == SANDBOX_TTY_KEEP || judge_is_off(judge, SANDBOX_MECH_TTY))
		return;
	privileges->new_session = true;
	judge_enforced(judge, SANDBOX_MECH_TTY, "a session of its own, without a terminal");
}

int privileges_prepare(const struct judge *judge, struct privileges *ret)
{
	struct privileges privileges = {0};
	int rc;

	prepare_no_new_privs(judge, &privileges);
	prepare_terminal(judge, &privileges);
	rc = prepare_capabilities(judge, &privileges);
	if (rc == 0)
		*ret = privileges;
	return rc;
}

/* --- in the process --------------------------------------------------------------------------- */

/* The leader of a group cannot begin a session. That is no harm when it has no terminal. */
int privileges_leave_terminal(const struct privileges *privileges)
{
	long rc, fd;

	if (!privileges->new_session)
		return 0;
	rc = kernel_call(SYS_setsid, 0, 0, 0);
	if (rc != -EPERM)
		return rc < 0 ? (int)rc : 0; /* the number of the session */
	fd = kernel_call(SYS_openat, AT_FDCWD, (long)"/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		kernel_call(SYS_close, fd, 0, 0);
	return fd == -ENXIO ? 0 : -EPERM;
}

/* What a program could gain when it is executed. */
static int reduce_bounding_set(const struct privileges *privileges)
{
	for (unsigned i = 0; i < privileges->capabilities; i++) {
		int rc = privileges->keep & BIT(i)
				 ? 0
				 : (int)kernel_call(SYS_prctl, PR_CAPBSET_DROP, (long)i, 0);

		if (rc < 0 && privileges->must_bound)
			return rc;
	}
	return 0;
}

/* What is ambient stays in an ordinary program that an ordinary user executes. */
static int raise_ambient(const struct privileges *privileges, uint64_t set)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < privileges->capabilities; i++) {
		if (set & BIT(i))
			rc = (int)kernel_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE,
					      (long)i);
	}
	return rc;
}

int privileges_drop(const struct privileges *privileges)
{
	struct sets sets;
	int rc;

	if (!privileges->drop)
		return 0;
	rc = get_sets(&sets);
	if (rc == 0 && !privileges->no_new_privs)
		rc = reduce_bounding_set(privileges);
	/* The ambient set loses what the others lose. */
	if (rc == 0 && (sets.permitted | sets.inheritable) != 0)
		rc = set_all(sets.permitted & privileges->keep);
	if (rc == 0)
		rc = raise_ambient(privileges, sets.permitted & privileges->keep);
	return rc;
}

int privileges_lock(const struct privileges *privileges)
{
	return privileges->no_new_privs ? (int)kernel_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0)
					: 0;
}

int privileges_apply(const struct privileges *privileges)
{
	int rc = privileges_leave_terminal(privileges);

	if (rc == 0)
		rc = privileges_drop(privileges);
	return rc < 0 ? rc : privileges_lock(privileges);
}
