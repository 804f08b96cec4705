/*
 * What Landlock says to who uses it wrongly. Each act makes and enforces what is right, and where
 * it is to be denied, the same with one mistake.
 */
#include "conformance/probe/probe.h"

#include "sandbox/kernel_linux.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/prctl.h>
#include <string.h>
#include <unistd.h>

/* No kernel knows it. */
#define UNKNOWN_BIT  (UINT64_C(1) << 63)
#define UNKNOWN_FLAG (1U << 30)
#define UNKNOWN_KIND 99

/* Of newer kernels than the headers are. */
#define ADD_RULE_QUIET	      1	 /* Linux 7.2 */
#define RESTRICT_NO_NEW_PRIVS 16 /* Linux 7.3 */

/* Of domains, one in the other. */
#define LAYERS_MAX 16

static bool wrongly(const struct probe *p)
{
	return strcmp(p->restricts, "denied") == 0;
}

static long create(const void *attr, size_t size, unsigned flags)
{
	return CALL3(SYS_landlock_create_ruleset, attr, size, flags);
}

static long create_for(uint64_t fs)
{
	const struct ll_ruleset_attr attr = {.handled_access_fs = fs};

	return create(&attr, sizeof(attr.handled_access_fs), 0);
}

/* One that can be executed and read. */
static long need_ruleset(struct probe *p)
{
	return probe_need(p, "create_ruleset", create_for(LL_FS_READ_FILE | LL_FS_READ_DIR));
}

static void need_no_new_privs(struct probe *p)
{
	probe_need(p, "no_new_privs", CALL5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* --- landlock_create_ruleset(2) ----------------------------------------------------------------
 */

long act_ruleset_unknown_bit(struct probe *p)
{
	return probe_close(create_for(LL_FS_EXECUTE | (wrongly(p) ? UNKNOWN_BIT : 0)));
}

long act_ruleset_unknown_port_bit(struct probe *p)
{
	const struct ll_ruleset_attr attr = {.handled_access_net = LL_NET_BIND_TCP |
								   (wrongly(p) ? UNKNOWN_BIT : 0)};

	return probe_close(create(&attr, offsetof(struct ll_ruleset_attr, scoped), 0));
}

long act_ruleset_unknown_scope(struct probe *p)
{
	const struct ll_ruleset_attr attr = {.scoped = LL_SCOPE_SIGNAL |
						       (wrongly(p) ? UNKNOWN_BIT : 0)};

	return probe_close(create(&attr, sizeof(attr), 0));
}

/* One that is smaller than that of the first ABI. */
long act_ruleset_small(struct probe *p)
{
	const struct ll_ruleset_attr attr = {.handled_access_fs = LL_FS_EXECUTE};

	return probe_close(create(&attr, wrongly(p) ? 4 : 8, 0));
}

/* One that is greater than that of any ABI, and is zero there, or not. */
long act_ruleset_tail(struct probe *p)
{
	union {
		struct ll_ruleset_attr attr;
		char bytes[256];
	} big;

	memset(&big, 0, sizeof(big));
	big.attr.handled_access_fs = LL_FS_EXECUTE;
	big.bytes[sizeof(big) - 1] = wrongly(p);
	return probe_close(create(&big, sizeof(big), 0));
}

long act_ruleset_empty(struct probe *p)
{
	return probe_close(create_for(wrongly(p) ? 0 : LL_FS_EXECUTE));
}

long act_ruleset_unknown_flag(struct probe *p)
{
	const struct ll_ruleset_attr attr = {.handled_access_fs = LL_FS_EXECUTE};

	return probe_close(create(&attr, 8, wrongly(p) ? UNKNOWN_FLAG : 0));
}

/* --- landlock_add_rule(2) ----------------------------------------------------------------------
 */

static long add_path(struct probe *p, const char *path, uint64_t rights, int kind, unsigned flags)
{
	struct ll_path_beneath_attr rule = {.allowed_access = rights};
	long ruleset = need_ruleset(p), rc;

	rule.parent_fd = (int32_t)probe_need(
		p, "open", CALL4(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC, 0));
	rc = CALL4(SYS_landlock_add_rule, ruleset, kind, &rule, flags);
	close(rule.parent_fd);
	close((int)ruleset);
	return rc;
}

/* A right that the ruleset does not handle. */
long act_rule_unhandled(struct probe *p)
{
	return add_path(p, p->in, wrongly(p) ? LL_FS_MAKE_REG : LL_FS_READ_FILE,
			LL_RULE_PATH_BENEATH, 0);
}

long act_rule_empty(struct probe *p)
{
	return add_path(p, p->in, wrongly(p) ? 0 : LL_FS_READ_FILE, LL_RULE_PATH_BENEATH, 0);
}

/* A right that only directories have. */
long act_rule_of_file(struct probe *p)
{
	return add_path(p, probe_path(p->in, "file", 0),
			wrongly(p) ? LL_FS_READ_DIR : LL_FS_READ_FILE, LL_RULE_PATH_BENEATH, 0);
}

long act_rule_unknown_kind(struct probe *p)
{
	return add_path(p, p->in, LL_FS_READ_FILE, wrongly(p) ? UNKNOWN_KIND : LL_RULE_PATH_BENEATH,
			0);
}

long act_rule_unknown_flag(struct probe *p)
{
	return add_path(p, p->in, LL_FS_READ_FILE, LL_RULE_PATH_BENEATH,
			wrongly(p) ? UNKNOWN_FLAG : 0);
}

/* Of what is no path: the ruleset itself. */
long act_rule_wrong_parent(struct probe *p)
{
	long ruleset = need_ruleset(p);
	long in = probe_need(p, "open", CALL4(SYS_openat, AT_FDCWD, p->in, O_PATH | O_CLOEXEC, 0));
	const struct ll_path_beneath_attr rule = {.allowed_access = LL_FS_READ_FILE,
						  .parent_fd =
							  (int32_t)(wrongly(p) ? ruleset : in)};
	long rc = CALL4(SYS_landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &rule, 0);

	close((int)in);
	close((int)ruleset);
	return rc;
}

long act_rule_port_too_big(struct probe *p)
{
	const struct ll_ruleset_attr attr = {.handled_access_net = LL_NET_BIND_TCP};
	const struct ll_net_port_attr rule = {.allowed_access = LL_NET_BIND_TCP,
					      .port = wrongly(p) ? 65536 : 65535};
	long ruleset = probe_need(p, "create_ruleset",
				  create(&attr, offsetof(struct ll_ruleset_attr, scoped), 0));
	long rc = CALL4(SYS_landlock_add_rule, ruleset, LL_RULE_NET_PORT, &rule, 0);

	close((int)ruleset);
	return rc;
}

/* --- landlock_restrict_self(2) -----------------------------------------------------------------
 */

/* By a descriptor of a file. */
long act_restrict_by_file(struct probe *p)
{
	long ruleset = need_ruleset(p);

	need_no_new_privs(p);
	if (wrongly(p)) {
		close((int)ruleset);
		ruleset = probe_need(p, "open",
				     CALL4(SYS_openat, AT_FDCWD, probe_path(p->in, "file", 0),
					   O_RDONLY | O_CLOEXEC, 0));
	}
	return CALL2(SYS_landlock_restrict_self, ruleset, 0);
}

long act_restrict_unknown_flag(struct probe *p)
{
	long ruleset = need_ruleset(p);

	need_no_new_privs(p);
	return CALL2(SYS_landlock_restrict_self, ruleset, wrongly(p) ? UNKNOWN_FLAG : 0);
}

/* Where set-user-ID programs would run restricted. It says nothing of who has no_new_privs of whom
 * it was started by. */
long act_restrict_privileged(struct probe *p)
{
	long ruleset = need_ruleset(p);

	if (CALL5(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0)
		probe_unprepared(p, "no_new_privs", -EEXIST);
	if (!wrongly(p))
		need_no_new_privs(p);
	return CALL2(SYS_landlock_restrict_self, ruleset, 0);
}

/* As many times as can be, or once more. */
long act_restrict_again(struct probe *p)
{
	long ruleset = need_ruleset(p);

	need_no_new_privs(p);
	for (int i = 0; i < LAYERS_MAX; i++)
		probe_need(p, "restrict_self", CALL2(SYS_landlock_restrict_self, ruleset, 0));
	return wrongly(p) ? CALL2(SYS_landlock_restrict_self, ruleset, 0) : 0;
}

/* With what says which denials are logged: not those of the same program, those of others that it
 * executes, none of domains in this one. */
long act_restrict_logged(struct probe *p)
{
	need_no_new_privs(p);
	for (unsigned flag = 1; flag <= 4; flag <<= 1) {
		long rc = CALL2(SYS_landlock_restrict_self, need_ruleset(p), flag);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Which sets no_new_privs itself: nothing is gained from then on. */
long act_restrict_unprivileged(struct probe *p)
{
	long rc = CALL2(SYS_landlock_restrict_self, need_ruleset(p), RESTRICT_NO_NEW_PRIVS);

	if (rc == 0 && CALL5(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return -EPERM;
	return rc;
}

/* --- what is not logged, from ABI 10 on --- */

struct quiet_attr {
	struct ll_ruleset_attr attr;
	uint64_t quiet_fs, quiet_net, quiet_scoped;
};

static long create_quiet(uint64_t quiet_fs)
{
	const struct quiet_attr attr = {
		.attr = {.handled_access_fs = LL_FS_READ_FILE | LL_FS_READ_DIR},
		.quiet_fs = quiet_fs};

	return create(&attr, sizeof(attr), 0);
}

/* A right that the ruleset does not handle is to be quiet. */
long act_ruleset_quiet_unhandled(struct probe *p)
{
	return probe_close(create_quiet(LL_FS_READ_FILE | (wrongly(p) ? LL_FS_EXECUTE : 0)));
}

/* A rule that grants something, and lets nothing be told of the rest. */
long act_restrict_quietly(struct probe *p)
{
	struct ll_path_beneath_attr rule = {.allowed_access = LL_FS_READ_DIR};
	long ruleset = probe_need(p, "create_ruleset", create_quiet(LL_FS_READ_FILE)), rc;

	rule.parent_fd = (int32_t)probe_need(
		p, "open", CALL4(SYS_openat, AT_FDCWD, p->in, O_PATH | O_CLOEXEC, 0));
	rc = CALL4(SYS_landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &rule, ADD_RULE_QUIET);
	if (rc < 0)
		return rc;
	need_no_new_privs(p);
	return CALL2(SYS_landlock_restrict_self, ruleset, 0);
}

/* --- its use by who is restricted --------------------------------------------------------------
 */

/* A ruleset that grants all does not take away what was there before: reads "file". */
long act_read_widened(struct probe *p)
{
	struct ll_path_beneath_attr rule = {.allowed_access = LL_FS_READ_FILE};
	long ruleset = need_ruleset(p), fd, n;

	rule.parent_fd = (int32_t)probe_need(
		p, "open", CALL4(SYS_openat, AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0));
	probe_need(p, "add_rule",
		   CALL4(SYS_landlock_add_rule, ruleset, LL_RULE_PATH_BENEATH, &rule, 0));
	need_no_new_privs(p);
	probe_need(p, "restrict_self", CALL2(SYS_landlock_restrict_self, ruleset, 0));
	fd = CALL4(SYS_openat, AT_FDCWD, probe_path(p->out, "file", 0), O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	n = CALL3(SYS_read, fd, p->report->text, sizeof(p->report->text) - 1);
	close((int)fd);
	return n;
}
