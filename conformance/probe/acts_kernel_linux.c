/* Acts on the kernel itself: what it runs, who it lets in, its keys, clock and names. What would
 * harm the host has arguments that the kernel refuses after it has asked whether the caller may. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/fanotify.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <sys/personality.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

/* The errno of a call that was let in, and then had nothing to do. */
static long unless(long rc, int error)
{
	return rc == -error ? 0 : rc;
}

/* --- programs in the kernel --------------------------------------------------------------------
 */

long act_bpf_map(struct probe *p)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1};

	(void)p;
	return probe_close(CALL3(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

/* One that returns at once. */
long act_bpf_program(struct probe *p)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			       .insn_cnt = 2,
			       .insns = (uintptr_t)code,
			       .license = (uintptr_t) "GPL"};

	(void)p;
	return probe_close(CALL3(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr)));
}

long act_perf_open(struct probe *p)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_TASK_CLOCK,
				       .disabled = 1,
				       .exclude_kernel = 1,
				       .exclude_hv = 1};

	(void)p;
	return probe_close(CALL5(SYS_perf_event_open, &attr, 0, -1, -1, 0));
}

/* Of the whole machine, which is a matter of privilege. */
long act_perf_machine(struct probe *p)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
				       .size = sizeof(attr),
				       .config = PERF_COUNT_SW_CPU_CLOCK,
				       .disabled = 1};

	(void)p;
	return probe_close(CALL5(SYS_perf_event_open, &attr, -1, 0, -1, 0));
}

/* Without faults of the kernel, which anybody may have. */
long act_userfaultfd(struct probe *p)
{
	(void)p;
	return probe_close(CALL1(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
}

/* A file that is no module. */
long act_init_module(struct probe *p)
{
	(void)p;
	return unless(CALL3(SYS_init_module, "", 0, ""), ENOEXEC);
}

long act_finit_module(struct probe *p)
{
	(void)p;
	return unless(CALL3(SYS_finit_module, -1, "", 0), EBADF);
}

/* One that is not loaded. */
long act_delete_module(struct probe *p)
{
	(void)p;
	return unless(CALL2(SYS_delete_module, "sandtape_no_such", O_NONBLOCK), ENOENT);
}

/* With flags that there are not. */
long act_kexec_load(struct probe *p)
{
	(void)p;
	return unless(CALL4(SYS_kexec_load, 0, 0, NULL, 0xffff), EINVAL);
}

/* --- keys --------------------------------------------------------------------------------------
 */

/* In the keyring of the thread, which ends with it. */
long act_key_add(struct probe *p)
{
	return CALL5(SYS_add_key, "user", p->nonce, "x", 1, KEY_SPEC_THREAD_KEYRING);
}

/* One that there is not: it is looked for all the same. */
long act_key_request(struct probe *p)
{
	return unless(CALL4(SYS_request_key, "user", p->nonce, NULL, 0), ENOKEY);
}

long act_key_read(struct probe *p)
{
	(void)p;
	return CALL3(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1);
}

/* Gives its keys to its parent, and with them its credentials, without a domain of Landlock. */
long act_key_to_parent(struct probe *p)
{
	long child = probe_need(p, "fork", probe_fork()), rc;

	if (child == 0) {
		CALL2(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
		rc = CALL1(SYS_keyctl, KEYCTL_SESSION_TO_PARENT);
		_exit(rc < 0 ? (int)-rc : 0);
	}
	rc = probe_wait((pid_t)child);
	return rc > 0 ? -rc : rc;
}

/* --- what it does to itself --------------------------------------------------------------------
 */

long act_personality(struct probe *p)
{
	(void)p;
	return CALL1(SYS_personality, ADDR_NO_RANDOMIZE);
}

/* All that can be read can be executed then. */
long act_personality_exec(struct probe *p)
{
	(void)p;
	return CALL1(SYS_personality, READ_IMPLIES_EXEC);
}

/* --- the clock ---------------------------------------------------------------------------------
 */

/* A place that is not on this earth. */
long act_settimeofday(struct probe *p)
{
	const struct timezone nowhere = {.tz_minuteswest = 100000};

	(void)p;
	return unless(CALL2(SYS_settimeofday, NULL, &nowhere), EINVAL);
}

/* A clock that cannot be set, whoever asks: a filter does not know which clock it is. */
long act_clock_settime(struct probe *p)
{
	const struct timespec now = {0};

	(void)p;
	return unless(CALL2(SYS_clock_settime, CLOCK_MONOTONIC, &now), EINVAL);
}

/* A length of a tick that there cannot be. */
long act_adjtimex(struct probe *p)
{
	struct timex all = {.modes = ADJ_TICK, .tick = 1};

	(void)p;
	return unless(CALL1(SYS_adjtimex, &all), EINVAL);
}

long act_clock_adjtime(struct probe *p)
{
	struct timex all = {.modes = ADJ_TICK, .tick = 1};

	(void)p;
	return unless(CALL2(SYS_clock_adjtime, CLOCK_REALTIME, &all), EINVAL);
}

/* --- the host ----------------------------------------------------------------------------------
 */

/* With numbers that are not those that restart. */
long act_reboot(struct probe *p)
{
	(void)p;
	return unless(CALL4(SYS_reboot, 0, 0, 0, NULL), EINVAL);
}

long act_swapon(struct probe *p)
{
	return unless(CALL2(SYS_swapon, probe_path(p->in, "none", 0), 0), ENOENT);
}

long act_swapoff(struct probe *p)
{
	return unless(CALL1(SYS_swapoff, probe_path(p->in, "none", 0)), ENOENT);
}

/* A level of the console that there is not. */
long act_syslog(struct probe *p)
{
	(void)p;
	return unless(CALL3(SYS_syslog, 8, NULL, 0), EINVAL);
}

/* A file that is not there. */
long act_acct(struct probe *p)
{
	return unless(CALL1(SYS_acct, probe_path(p->in, "none", 0)), ENOENT);
}

/* Writes out the quotas of nothing. */
long act_quotactl(struct probe *p)
{
	(void)p;
	return unless(CALL4(SYS_quotactl, 0x80000100, NULL, 0, NULL), ENODEV);
}

/* Sees, and holds up, what others do in a whole mount. */
long act_fanotify(struct probe *p)
{
	(void)p;
	return probe_close(CALL2(SYS_fanotify_init, FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY));
}

/* In a session that has no terminal there is nothing to hang up. */
long act_vhangup(struct probe *p)
{
	CALL1(SYS_setsid, 0);
	(void)p;
	return CALL1(SYS_vhangup, 0);
}

/* A name that is too long. */
long act_sethostname(struct probe *p)
{
	(void)p;
	return unless(CALL2(SYS_sethostname, "", -1), EINVAL);
}

long act_setdomainname(struct probe *p)
{
	(void)p;
	return unless(CALL2(SYS_setdomainname, "", -1), EINVAL);
}
