/*
 * A plan for a process that somebody holds in a stop, right after its exec: it restricts itself by
 * calls that it is made to make (base/calls.h), as sandbox_plan_apply() does by its own.
 *
 * A descriptor of the ruleset gets there over a socket pair that the process makes first: we copy
 * one end (pidfd_getfd), and send the ruleset over it. The process is alone with its table of
 * descriptors, so what it receives has the number that it has just closed.
 */
#include "sandbox/compiled.h"

#include "base/cleanup.h"
#include "sandbox/kernel_linux.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What of `data` is read back: answers to the first list, then the message. */
struct answers {
	int pair[2];
	struct rlimit limit[RLIMITS_MAX];
	struct __user_cap_header_struct head;
	struct __user_cap_data_struct caps[2];
	struct msghdr message;
	struct iovec part;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct sock_fprog observed, filter;
};

#define AT(member) INJECT_DATA(offsetof(struct answers, member))

static struct answers *answers_of(struct inject_list *list)
{
	return (struct answers *)(void *)list->data;
}

const struct sandbox_plan *plan_of_confiner(const struct confiner *confiner)
{
	return (const struct sandbox_plan *)(const void *)((const char *)confiner -
							   offsetof(struct sandbox_plan, confiner));
}

static void add(struct inject_list *list, uint64_t number, uint64_t a, uint64_t b, uint64_t c,
		uint64_t d)
{
	list->call[list->count++] = (struct runner_call){number, {a, b, c, d, 0, 0}, 0};
}

/* --- the first list: what it has, and a way to send it something ------------------------------ */

static void ask(const struct sandbox_plan *plan, const struct variant *v, struct inject_list *list)
{
	struct answers *answers = answers_of(list);

	*answers = (struct answers){.head = {.version = _LINUX_CAPABILITY_VERSION_3}};
	list->count = 0;
	list->pointers = 0;
	list->data_len = sizeof(*answers);
	if (v->landlock.ruleset >= 0)
		add(list, SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, AT(pair));
	for (size_t i = 0; i < v->rlimits.count; i++)
		add(list, SYS_prlimit64, 0, (uint64_t)v->rlimits.item[i].resource, 0,
		    AT(limit) + i * sizeof(struct rlimit));
	if (plan->privileges.drop)
		add(list, SYS_capget, AT(head), AT(caps), 0, 0);
	if (plan->privileges.new_session)
		add(list, SYS_setsid, 0, 0, 0, 0);
}

/* The number of its controlling terminal in /proc; 0: it has none. */
static int terminal_of(pid_t pid)
{
	char path[64], text[512];
	cleanup_close int fd = -1;
	ssize_t len;
	const char *after;
	int terminal = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	after = strrchr(text, ')');
	if (!after || sscanf(after + 1, " %*c %*d %*d %*d %d", &terminal) != 1)
		return 0;
	return terminal;
}

/* The leader of a group cannot begin a session. That is no harm when it has no terminal. */
static int check_session(int64_t result, pid_t pid, struct error *err)
{
	if (result != -EPERM || terminal_of(pid) == 0)
		return 0;
	return error_set(err, ERR_UNSUPPORTED,
			 "process %d leads its process group and cannot leave its terminal: with "
			 "\"tty\": \"keep\" the policy lets it",
			 (int)pid);
}

static const char *const stages[] = {
	[SYS_socketpair] = "landlock",
	[SYS_recvmsg] = "landlock",
	[SYS_landlock_restrict_self] = "landlock",
	[SYS_prlimit64] = "rlimits",
	[SYS_capget] = "capabilities",
	[SYS_capset] = "capabilities",
	[SYS_close] = "fds",
	[SYS_close_range] = "fds",
	[SYS_setsid] = "terminal",
	[SYS_prctl] = "no_new_privs",
	[SYS_seccomp] = "seccomp",
};

static int check_results(const struct inject_list *list, pid_t pid, struct error *err)
{
	for (unsigned i = 0; i < list->count; i++) {
		int64_t result = (int64_t)list->call[i].result;
		int rc = list->call[i].number == SYS_setsid ? check_session(result, pid, err) : 0;

		if (rc < 0)
			return rc;
		if (result < 0 && list->call[i].number != SYS_setsid)
			return error_sys(err, (int)-result, "cannot restrict process %d (%s)",
					 (int)pid, stages[list->call[i].number]);
	}
	return 0;
}

/* --- the second list: restrictions ------------------------------------------------------------ */

/* 0 when it has been killed meanwhile. */
static int send_ruleset(pid_t pid, int theirs, int ruleset, struct error *err)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	cleanup_close int end = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, theirs, 0);
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	struct iovec part = {"", 1};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};

	if (end < 0 && errno == ESRCH)
		return 0;
	if (end < 0)
		return error_sys(err, errno, "cannot restrict process %d (landlock)", (int)pid);
	control.head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
					.cmsg_level = SOL_SOCKET,
					.cmsg_type = SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.head), &ruleset, sizeof(ruleset));
	if (sendmsg(end, &message, MSG_NOSIGNAL) < 0)
		return error_sys(err, errno, "cannot restrict process %d (landlock)", (int)pid);
	return 0;
}

static void add_pointer(struct inject_list *list, size_t at, uint64_t to)
{
	memcpy(list->data + at, &to, sizeof(to));
	list->pointer_at[list->pointers++] = at;
}

static void list_landlock(struct inject_list *list)
{
	struct answers *answers = answers_of(list);
	const uint64_t ruleset = (uint64_t)answers->pair[0], socket = (uint64_t)answers->pair[1];

	answers->message =
		(struct msghdr){.msg_iovlen = 1, .msg_controllen = sizeof(answers->control)};
	answers->part.iov_len = 1;
	add_pointer(list, offsetof(struct answers, message.msg_iov), AT(part));
	add_pointer(list, offsetof(struct answers, message.msg_control), AT(control));
	add_pointer(list, offsetof(struct answers, part.iov_base), AT(byte));
	add(list, SYS_close, ruleset, 0, 0, 0);
	add(list, SYS_recvmsg, socket, AT(message), 0, 0); /* it has the number just closed */
	add(list, SYS_close, socket, 0, 0, 0);
	add(list, SYS_landlock_restrict_self, ruleset, 0, 0, 0);
	add(list, SYS_close, ruleset, 0, 0, 0);
}

/* The program runs already: nothing can be left for its exec to close. */
static void list_fds(const struct fds *fds, struct inject_list *list)
{
	uint64_t next = 3;

	for (size_t i = 0; i < fds->count; i++) {
		if (next < fds->kept[i])
			add(list, SYS_close_range, next, fds->kept[i] - 1, 0, 0);
		next = fds->kept[i] + UINT64_C(1);
	}
	if (next <= UINT_MAX)
		add(list, SYS_close_range, next, UINT_MAX, 0, 0);
}

static void list_capabilities(const struct privileges *privileges, struct inject_list *list)
{
	struct __user_cap_data_struct *caps = answers_of(list)->caps;
	uint64_t had = caps[0].permitted | (uint64_t)caps[1].permitted << 32;
	uint64_t set = had & privileges->keep;

	for (int i = 0; i < 2; i++) {
		uint32_t part = (uint32_t)(set >> (32 * i));

		caps[i] = (struct __user_cap_data_struct){part, part, part};
	}
	add(list, SYS_capset, AT(head), AT(caps), 0, 0);
	for (unsigned i = 0; i < privileges->capabilities; i++) {
		if (set & UINT64_C(1) << i)
			add(list, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0);
	}
}

static rlim_t lower(rlim_t a, rlim_t b)
{
	return a < b ? a : b;
}

/* Its own may be lower than ours. */
static void list_limits(const struct rlimits *rlimits, struct inject_list *list)
{
	struct rlimit *limit = answers_of(list)->limit;

	for (size_t i = 0; i < rlimits->count; i++) {
		const struct rlimit *most = &rlimits->item[i].limit;

		limit[i].rlim_max = lower(limit[i].rlim_max, most->rlim_max);
		limit[i].rlim_cur = lower(most->rlim_cur, limit[i].rlim_max);
		add(list, SYS_prlimit64, 0, (uint64_t)rlimits->item[i].resource,
		    AT(limit) + i * sizeof(*limit), 0);
	}
}

static void list_filter(const struct filter *filter, struct inject_list *list,
			struct sock_fprog *program, size_t program_at)
{
	size_t len = filter->len * sizeof(filter->code[0]);

	if (filter->len == 0)
		return;
	program->len = filter->len;
	add_pointer(list, program_at + offsetof(struct sock_fprog, filter),
		    INJECT_DATA(list->data_len));
	memcpy(list->data + list->data_len, filter->code, len);
	list->data_len += len;
	add(list, SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, INJECT_DATA(program_at), 0);
}

/* Of two filters that want a stop the newest has its number told: the policy's. */
static void list_filters(const struct variant *v, struct inject_list *list)
{
	struct answers *answers = answers_of(list);

	list_filter(&v->observed, list, &answers->observed, offsetof(struct answers, observed));
	list_filter(&v->filter, list, &answers->filter, offsetof(struct answers, filter));
}

static int restrict_it(const struct sandbox_plan *plan, const struct variant *v, pid_t pid,
		       struct inject_list *list, struct error *err)
{
	int rc = 0;

	list->count = 0;
	if (v->landlock.ruleset >= 0)
		rc = send_ruleset(pid, answers_of(list)->pair[0], v->landlock.ruleset, err);
	if (rc < 0)
		return rc;
	add(list, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0);
	if (v->landlock.ruleset >= 0)
		list_landlock(list);
	if (!plan->fds.off)
		list_fds(&plan->fds, list);
	if (plan->privileges.drop)
		list_capabilities(&plan->privileges, list);
	list_limits(&v->rlimits, list);
	list_filters(v, list);
	return 0;
}

static int next_list(const struct confiner *confiner, pid_t pid, unsigned step,
		     struct inject_list *list, enum inject_next *ret_next, struct error *err)
{
	const struct sandbox_plan *plan = plan_of_confiner(confiner);
	const struct variant *v = plan->variant[NAMESPACES_NONE];
	int rc = step > 0 ? check_results(list, pid, err) : 0;

	*ret_next = step < 2 ? INJECT_AGAIN : INJECT_GO;
	if (step == 0)
		ask(plan, v, list);
	else if (rc == 0 && step == 1)
		rc = restrict_it(plan, v, pid, list, err);
	return rc;
}

/* --- the plan --------------------------------------------------------------------------------- */

/* Calls besides one for each descriptor that is kept, limit and capability. */
enum { OTHER_CALLS = 13 };

/* A known gap under any strictness: the policy is asked to hold for units, which have been started
 * by a program that it does not hold for. */
void plan_judge_units(struct sandbox_plan *plan)
{
	static const struct {
		enum sandbox_mechanism mechanism;
		struct sandbox_layer layer;
	} gaps[] = {
		{SANDBOX_MECH_CGROUP,
		 {SANDBOX_STATE_UNAVAILABLE, "a unit stays in the group of the subject"}},
		{SANDBOX_MECH_ENV,
		 {SANDBOX_STATE_UNAVAILABLE, "a unit has the environment that it is given"}},
	};

	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++)
		plan->layers.layer[gaps[i].mechanism] = gaps[i].layer;
}

int plan_prepare_confiner(struct sandbox_plan *plan, struct error *err)
{
	const struct variant *v = plan->variant[NAMESPACES_NONE];
	const uint64_t keep = plan->privileges.drop ? plan->privileges.keep : 0;
	size_t calls = OTHER_CALLS + plan->fds.count + v->rlimits.count +
		       (size_t)__builtin_popcountll(keep);

	if (!plan->privileges.no_new_privs)
		return error_set(
			err, ERR_UNSUPPORTED,
			"no-new-privs cannot be switched off for the units of a recording");
	if (calls > INJECT_MAX)
		return error_set(err, ERR_LIMIT,
				 "the policy keeps more capabilities and descriptors than the "
				 "units of a recording can be told (%d together)",
				 INJECT_MAX - OTHER_CALLS - RLIMITS_MAX);
	if (sizeof(struct answers) +
		    (v->filter.len + (size_t)v->observed.len) * sizeof(v->filter.code[0]) >
	    sizeof(((struct inject_list *)NULL)->data))
		return error_set(err, ERR_LIMIT,
				 "the filter of system calls is too long for the units of a "
				 "recording");
	plan->confiner = (struct confiner){.refuses = plan_refuses_exec, .next = next_list};
	return 0;
}

const struct confiner *sandbox_plan_confiner(const struct sandbox_plan *plan)
{
	return plan->confiner.next ? &plan->confiner : NULL;
}
