/* What of this host decides about verdicts. */
#include "conformance/conformance.h"

#include "base/cleanup.h"
#include "sandbox/kernel_linux.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define LL_CREATE_ERRATA 2U /* Linux 6.15 */

static const char *const sysctls[] = {
	"kernel/apparmor_restrict_unprivileged_userns",
	"kernel/io_uring_disabled",
	"kernel/keys/maxkeys",
	"kernel/perf_event_paranoid",
	"kernel/unprivileged_bpf_disabled",
	"kernel/unprivileged_userns_clone",
	"kernel/yama/ptrace_scope",
	"dev/tty/legacy_tiocsti",
	"user/max_user_namespaces",
	"vm/unprivileged_userfaultfd",
	"net/ipv4/tcp_fastopen",
	"fs/suid_dumpable",
};
_Static_assert(sizeof(sysctls) / sizeof(sysctls[0]) == CONF_SYSCTLS, "room for each");

/* The first line; false when there is none. */
static bool read_line(const char *path, char *ret, size_t size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (n < 0)
		return false;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return true;
}

void conf_host_read(struct conf_host *ret)
{
	struct utsname name;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_CREATE_VERSION);
	long errata = syscall(SYS_landlock_create_ruleset, NULL, 0, LL_CREATE_ERRATA);
	char path[128];

	*ret = (struct conf_host){.landlock_abi = abi > 0 ? (int)abi : 0,
				  .errata = errata < 0 ? -1 : (int)errata};
	if (uname(&name) == 0) {
		snprintf(ret->kernel, sizeof(ret->kernel), "%s", name.release);
		snprintf(ret->arch, sizeof(ret->arch), "%s", name.machine);
	}
	if (!read_line("/sys/kernel/security/lsm", ret->lsm, sizeof(ret->lsm)))
		ret->lsm[0] = '\0';
	for (size_t i = 0; i < CONF_SYSCTLS; i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", sysctls[i]);
		ret->sysctl[ret->sysctls].name = sysctls[i];
		ret->sysctls += read_line(path, ret->sysctl[ret->sysctls].value,
					  sizeof(ret->sysctl[0].value));
	}
}
