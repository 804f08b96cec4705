/* Seccomp profiles of container engines as policies, and what is told of the rest. */
#include "sandbox/oci.h"

#include "base/chaos_test.h"
#include "base/cleanup.h"
#include "base/fs.h"
#include "sandbox/policy.h"
#include "tools/tests.h"
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

static const struct sandbox_places places = {"/work", "/home/me", "/tmp/mine"};

struct told {
	struct buf text;
};

static void note(void *ctx, const char *text)
{
	struct told *told = ctx;

	ck_assert_ptr_null(strchr(text, '\n'));
	ck_assert_int_eq(strncmp(text, "p:", 2), 0);
	ck_assert_int_eq(buf_addf(&told->text, "%s\n", text), 0);
}

static struct sandbox_policy *import(const char *text, struct told *told)
{
	struct sandbox_policy *policy = NULL;
	struct error err = {0};

	ck_assert_msg(sandbox_policy_import_oci(text, strlen(text), "p", &places, note, told,
						&policy, &err) == 0,
		      "%s", err.text);
	ck_assert_msg(sandbox_policy_check(policy, &err) == 0, "%s", err.text);
	return policy;
}

static const char *action_of(const struct sandbox_policy *policy, const char *group)
{
	const struct policy_key *key = policy_key_find("syscalls", group);
	struct sandbox_action action;

	ck_assert_ptr_nonnull(key);
	action = policy->syscalls[key->index];
	return action.kind == SANDBOX_ACTION_ERRNO ? error_errno_name(action.number)
						   : policy_action_kinds.name[action.kind];
}

/* --- what becomes of a group ------------------------------------------------------------------ */

#define ALLOW "\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": ["
#define ERRNO "\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\": ["
#define RULE_(names, action, more)                                                                 \
	"{\"names\": [" names "], \"action\": \"SCMP_ACT_" action "\"" more "}"
#define RULE2(names, action) RULE_(names, action, "")
#define ARGS(args)	     ", \"args\": [" args "]"
#define ARG(index, op, value, two)                                                                 \
	"{\"index\": " #index ", \"op\": \"SCMP_CMP_" op "\", \"value\": " #value                  \
	", \"valueTwo\": " #two "}"

/* Flags of clone that make namespaces. */
#define NS_FLAGS ARG(0, "MASKED_EQ", 2114060288, 0)

static const struct {
	const char *text;
	const char *group;
	const char *action;
	const char *told;     /* NULL: nothing of what is below is told */
	const char *not_told; /* may be NULL */
} rows[] = {
	/* All of its calls, none, and some. */
	{"{" ALLOW "]}", "mount", "allow",
	 "p: allowed as in the profile, and refused by default: "
	 "syscalls.sockets, ",
	 "syscalls.mount refuses"},
	{"{" ERRNO "]}", "mount", "EPERM", "and refused by the profile: read, write, open (some",
	 "refuses what"},
	{"{" ALLOW RULE2("\"keyctl\", \"add_key\", \"request_key\"", "ERRNO") "]}", "keyrings",
	 "EPERM", NULL, "keyrings"},
	{"{" ALLOW RULE2("\"keyctl\"", "ERRNO") "]}", "keyrings", "EPERM",
	 "p: syscalls.keyrings refuses what the profile allows: add_key, request_key\n", NULL},
	{"{" ERRNO RULE2("\"keyctl\"", "ALLOW") "]}", "keyrings", "EPERM",
	 "p: syscalls.keyrings refuses what the profile allows: keyctl\n", NULL},
	/* Actions. */
	{"{" ALLOW RULE2("\"bpf\"", "KILL_PROCESS") "]}", "bpf", "kill", NULL, "thread"},
	{"{" ALLOW RULE2("\"bpf\"", "KILL") "]}", "bpf", "kill",
	 "SCMP_ACT_KILL_THREAD end a thread", NULL},
	{"{" ALLOW RULE2("\"bpf\"", "KILL_THREAD") "]}", "bpf", "kill", "end a thread", NULL},
	{"{" ALLOW RULE2("\"bpf\"", "TRAP") "]}", "bpf", "trap", NULL, "SCMP"},
	{"{" ALLOW RULE2("\"bpf\"", "LOG") "]}", "bpf", "log", NULL, "logged"},
	{"{" ALLOW RULE2("\"read\"", "LOG") "]}", "bpf", "allow",
	 "and logged by the profile: read\n", NULL},
	{"{" ALLOW RULE2("\"bpf\"", "TRACE") "]}", "bpf", "ENOSYS", "SCMP_ACT_TRACE cannot", NULL},
	{"{" ALLOW RULE2("\"bpf\"", "NOTIFY") "]}", "bpf", "ENOSYS", "SCMP_ACT_NOTIFY cannot",
	 NULL},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"errnoRet\": 38") "]}", "bpf", "ENOSYS", NULL,
	 "errno"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"errnoRet\": 1, \"errno\": \"EACCES\"") "]}",
	 "bpf", "EACCES", NULL, "errno"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"errnoRet\": 0") "]}", "bpf", "EPERM",
	 "an errno without a name", NULL},
	{"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrnoRet\": 38}", "bpf", "ENOSYS", NULL,
	 "syscalls.bpf"},
	{"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"defaultErrno\": \"ENOENT\"}", "bpf", "ENOENT",
	 NULL, "syscalls.bpf"},
	/* The strictest one, and of errnos the one that most have. */
	{"{" ERRNO RULE2("\"keyctl\"", "KILL_PROCESS") "]}", "keyrings", "kill",
	 "p: syscalls.keyrings is kill, and in the profile fail otherwise: add_key (EPERM), "
	 "request_key (EPERM)\n",
	 NULL},
	{"{" ERRNO RULE_("\"keyctl\"", "ERRNO", ", \"errnoRet\": 38") "]}", "keyrings", "EPERM",
	 "p: syscalls.keyrings is EPERM, and in the profile fail otherwise: keyctl (ENOSYS)\n",
	 NULL},
	/* Arguments: what the profile and a group both look at. */
	{"{" ERRNO RULE_("\"clone\"", "ALLOW", ARGS(NS_FLAGS)) ", " RULE2("\"fork\", \"vfork\"",
									  "ALLOW") "]}",
	 "processes", "allow", NULL, "arguments with which it"},
	{"{" ERRNO RULE_("\"clone\"", "ALLOW", ARGS(NS_FLAGS)) "]}", "processes", "EPERM",
	 "p:1: syscalls[0]: arguments with which it allows clone are refused here\n", NULL},
	{"{" ALLOW RULE2("\"clone3\"", "ERRNO") "]}", "namespaces", "EPERM",
	 "p: syscalls.namespaces refuses what the profile allows: clone (some arguments), unshare "
	 "(some arguments), setns\n",
	 NULL},
	{"{" ALLOW RULE2("\"clone3\"", "ERRNO") "]}", "processes", "allow", NULL, NULL},
	{"{" ERRNO RULE_("\"personality\"", "ALLOW", ARGS(ARG(0, "EQ", 0, 0))) ",\n" RULE_(
		 "\"personality\"", "ALLOW",
		 ARGS(ARG(0, "EQ", 8, 0))) ",\n" RULE_("\"personality\"", "ALLOW",
						       ARGS(ARG(0, "EQ", 4294967295, 0))) "]}",
	 "personality", "EPERM",
	 "p:2: syscalls[1]: arguments with which it allows personality are refused here\n", "p:1:"},
	{"{" ERRNO RULE_("\"personality\"", "ALLOW", ARGS(ARG(0, "EQ", 0, 0))) "]}", "personality",
	 "EPERM", "refused by the profile: read, ", "p:1:"},
	{"{" ALLOW RULE_("\"read\"", "ERRNO", ARGS(ARG(2, "GT", 4096, 0))) "]}", "bpf", "allow",
	 "p:1: syscalls[0]: arguments with which it refuses read are allowed here\n", NULL},
	{"{" ALLOW RULE_("\"read\"", "ERRNO", ARGS(ARG(2, "GT", 4096, 0))) "]}", "bpf", "allow",
	 "and refused by the profile: read (some arguments)\n", NULL},
	{"{" ALLOW RULE_("\"ioctl\"", "ERRNO", ARGS(ARG(1, "EQ", 21522, 0))) "]}", "tty_inject",
	 "EPERM", "syscalls.tty_inject refuses what the profile allows: ioctl (some arguments)\n",
	 "p:1:"},
	{"{" ALLOW RULE_("\"prlimit64\"", "ERRNO",
			 ARGS(ARG(0, "NE", 0, 0) ", " ARG(2, "NE", 0, 0))) "]}",
	 "debug", "EPERM",
	 "syscalls.debug refuses what the profile allows: ptrace, process_vm_readv", "prlimit64"},
	/* Two conditions for one argument are two rules. */
	{"{" ERRNO RULE_("\"personality\"", "ALLOW",
			 ARGS(ARG(0, "EQ", 0, 0) ", " ARG(0, "EQ", 4294967295, 0))) "]}",
	 "personality", "EPERM", "and refused by the profile", "personality"},
	/* A rule for all arguments decides, whatever others say. */
	{"{" ERRNO RULE_("\"ioctl\"", "ERRNO",
			 ARGS(ARG(1, "EQ", 21522, 0))) ", " RULE2("\"ioctl\"", "ALLOW") "]}",
	 "tty_inject", "allow", NULL, "ioctl"},
	{"{" ALLOW RULE2("\"bpf\"", "ERRNO") ", " RULE2("\"bpf\"", "ALLOW") "]}", "bpf", "EPERM",
	 NULL, "bpf"},
	/* What cannot be told apart for sure is strict. */
	{"{" ALLOW RULE_("\"clone\"", "ERRNO", ARGS(ARG(0, "MASKED_EQ", 65536, 0))) ", " RULE_(
		 "\"clone\"", "ERRNO", ARGS(ARG(0, "MASKED_EQ", 3, 3))) "]}",
	 "processes", "EPERM", "too many to be weighed, and the strictest is taken: clone\n", NULL},
	/* For whom. */
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"includes\": {\"caps\": [\"CAP_BPF\"]}") "]}",
	 "bpf", "allow", "what is for some capabilities", NULL},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"excludes\": {\"caps\": [\"CAP_BPF\"]}") "]}",
	 "bpf", "EPERM", "what is for some capabilities", NULL},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"includes\": {\"arches\": [\"s390\"]}") "]}",
	 "bpf", "allow", "what is for some", NULL},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"includes\": {\"arches\": [\"amd64\"]}") "]}",
	 "bpf", "EPERM", "what is for some", NULL},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"excludes\": {\"arches\": [\"amd64\"]}") "]}",
	 "bpf", "allow", "what is for some", NULL},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"includes\": {\"minKernel\": \"4.8\"}") "]}",
	 "bpf", "EPERM", "what is for some", NULL},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"includes\": {\"minKernel\": \"99.1\"}") "]}",
	 "bpf", "allow", "what is for some", NULL},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"excludes\": {\"minKernel\": \"4.8\"}") "]}",
	 "bpf", "allow", "what is for some", NULL},
	/* Other ABIs, and io_uring, would lead past the filter. */
	{"{" ALLOW "]}", "foreign_abi", "kill", NULL, "foreign_abi"},
	{"{\"architectures\": [\"SCMP_ARCH_X86_64\", \"SCMP_ARCH_X86\"], " ALLOW "]}",
	 "foreign_abi", "ENOSYS", "which syscalls.foreign_abi refuses", NULL},
	{"{\"archMap\": [{\"architecture\": \"SCMP_ARCH_X86_64\", \"subArchitectures\": "
	 "[\"SCMP_ARCH_X86\"]}], " ALLOW "]}",
	 "foreign_abi", "ENOSYS", "which syscalls.foreign_abi refuses", "other machines"},
	{"{\"archMap\": [{\"architecture\": \"SCMP_ARCH_S390X\", \"subArchitectures\": "
	 "[\"SCMP_ARCH_X86\"]}], " ALLOW "]}",
	 "foreign_abi", "kill", "it is for other machines", "foreign_abi"},
	{"{" ALLOW "]}", "io_uring", "ENOSYS",
	 "p: syscalls.io_uring refuses what the profile allows: io_uring_setup, io_uring_enter, "
	 "io_uring_register\n",
	 NULL},
	/* What nothing is known of. */
	{"{" ALLOW RULE2("\"chown32\", \"we ird\", \"chown32\"", "ERRNO") "]}", "bpf", "allow",
	 "p: no calls of this machine that are known here: chown32, 'we ird'\n", NULL},
	{"{\"flags\": [\"SECCOMP_FILTER_FLAG_LOG\"], " ALLOW "]}", "bpf", "allow",
	 "p: flags that cannot be kept: SECCOMP_FILTER_FLAG_LOG\n", NULL},
	{"{\"surprise\": 1, " ALLOW RULE_("\"bpf\"", "ERRNO", ", \"only\": []") "]}", "bpf",
	 "EPERM", "p: keys that nothing is known of: surprise, only\n", NULL},
	/* What Go's reader takes for nothing, old profiles, and those in a configuration. */
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO",
			 ", \"args\": null, \"includes\": {}, \"name\": \"\"") "]}",
	 "bpf", "EPERM", NULL, "some capabilities"},
	{"{" ALLOW "{\"name\": \"bpf\", \"action\": \"SCMP_ACT_ERRNO\", \"args\": []}]}", "bpf",
	 "EPERM", NULL, "bpf"},
	{"{\"ociVersion\": \"1.1.0\", \"linux\": {\"seccomp\": {" ALLOW
	 "\n" RULE_("\"read\"", "ERRNO", ARGS(ARG(0, "EQ", 1, 0))) "]}}}",
	 "bpf", "allow", "p:2: linux.seccomp.syscalls[0]: arguments with which it refuses read",
	 "known"},
};

START_TEST(a_profile_becomes_a_policy)
{
	struct told told = {BUF_INIT};
	struct sandbox_policy *policy = import(rows[_i].text, &told);
	const char *all = told.text.data ? told.text.data : "";

	ck_assert_msg(strcmp(action_of(policy, rows[_i].group), rows[_i].action) == 0,
		      "%s: %s is %s\n%.2000s", rows[_i].text, rows[_i].group,
		      action_of(policy, rows[_i].group), all);
	if (rows[_i].told)
		ck_assert_msg(strstr(all, rows[_i].told) != NULL, "%s\nnot told: %s\nbut: %.2000s",
			      rows[_i].text, rows[_i].told, all);
	if (rows[_i].not_told)
		ck_assert_msg(strstr(all, rows[_i].not_told) == NULL, "%s\ntold: %s\nin: %.2000s",
			      rows[_i].text, rows[_i].not_told, all);
	sandbox_policy_free(policy);
	buf_free(&told.text);
}
END_TEST

static const struct {
	const char *text;
	int mode;
} sockets[] = {
	{"{" ALLOW "]}", SANDBOX_UNIX_INSIDE},
	{"{" ERRNO "]}", SANDBOX_UNIX_NONE},
	{"{" ALLOW RULE2("\"socket\"", "ERRNO") "]}", SANDBOX_UNIX_NONE},
	{"{" ERRNO RULE_("\"socket\"", "ALLOW", ARGS(ARG(0, "EQ", 1, 0))) "]}",
	 SANDBOX_UNIX_INSIDE},
	{"{" ALLOW RULE_("\"socket\"", "ERRNO", ARGS(ARG(0, "EQ", 40, 0))) "]}",
	 SANDBOX_UNIX_INSIDE},
	{"{" ALLOW RULE_("\"socket\"", "ERRNO", ARGS(ARG(1, "EQ", 5, 0))) "]}", SANDBOX_UNIX_NONE},
};

START_TEST(unix_sockets_are_refused_with_the_profile)
{
	struct told told = {BUF_INIT};
	struct sandbox_policy *policy = import(sockets[_i].text, &told);

	ck_assert_msg(policy->unix_sockets == sockets[_i].mode, "%s", sockets[_i].text);
	ck_assert_int_eq(policy->net, SANDBOX_NET_NONE);
	sandbox_policy_free(policy);
	buf_free(&told.text);
}
END_TEST

/* --- what is no profile ----------------------------------------------------------------------- */

static const struct {
	const char *text;
	const char *error;
} errors[] = {
	{"", "p:1: '[' or '{' expected near end of file"},
	{"{\n\"defaultAction\": ", "p:2: unexpected token near end of file"},
	{"[]", "p:1: a profile must be an object"},
	{"{}", "p:1: \"defaultAction\" is missing: this is no seccomp profile"},
	{"{\"version\": 1}", "p:1: \"defaultAction\" is missing: this is no seccomp profile"},
	{"{\"linux\": {}}", "p:1: linux: this configuration has no \"seccomp\" in it"},
	{"{\n\"linux\": {\n\"seccomp\": {}}}",
	 "p:3: linux.seccomp: \"defaultAction\" is missing: this is no seccomp profile"},
	{"{\n\"defaultAction\": \"SCMP_ACT_EXPLODE\"}",
	 "p:2: defaultAction: there is no such action; SCMP_ACT_ERRNO is one"},
	{"{\n\"defaultAction\": \"SCMP_ACT_ERRN\"}",
	 "p:2: defaultAction: there is no such action; did you mean \"SCMP_ACT_ERRNO\"?"},
	{"{\"defaultAction\": 1}",
	 "p:1: defaultAction: it must be the name of an action, like SCMP_ACT_ERRNO"},
	{"{" ALLOW "\n\n{\"names\": [\"bpf\"],\n\"action\": \"ALLOW\"}]}",
	 "p:4: syscalls[0].action: there is no such action; did you mean \"SCMP_ACT_ALLOW\"?"},
	{"{" ALLOW "{\"names\": [\"bpf\"]}]}",
	 "p:1: syscalls[0].action: it must be the name of an action, like SCMP_ACT_ERRNO"},
	/* One that is for others is read all the same. */
	{"{" ALLOW "{\"names\": [\"bpf\"], \"action\": \"SCMP_ACT_X\", \"includes\": {\"arches\": "
	 "[\"s390\"]}}]}",
	 "p:1: syscalls[0].action: there is no such action; SCMP_ACT_ERRNO is one"},
	{"{" ALLOW "1]}", "p:1: syscalls[0]: it must be an object"},
	{"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": {}}",
	 "p:1: syscalls: it must be a list"},
	{"{" ALLOW RULE2("", "ALLOW") "]}", "p:1: syscalls[0]: it names no system call"},
	{"{" ALLOW "{\"action\": \"SCMP_ACT_ALLOW\"}]}",
	 "p:1: syscalls[0]: it names no system call"},
	{"{" ALLOW RULE2("\"bpf\", 1", "ALLOW") "]}",
	 "p:1: syscalls[0].names[1]: it must be the name of a system call"},
	{"{" ALLOW RULE2("\"b\\u0000pf\"", "ALLOW") "]}",
	 "p:1: syscalls[0].names[0]: it must be the name of a system call"},
	{"{" ALLOW RULE_("\"bpf\"", "ALLOW", ", \"name\": \"bpf\"") "]}",
	 "p:1: syscalls[0]: it has both \"name\" and \"names\""},
	{"{" ALLOW "{\"names\": \"bpf\", \"action\": \"SCMP_ACT_ALLOW\"}]}",
	 "p:1: syscalls[0].names: it must be a list"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"errnoRet\": -1") "]}",
	 "p:1: syscalls[0].errnoRet: it must be a whole number, and not too large"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"errno\": \"EWHAT\"") "]}",
	 "p:1: syscalls[0].errno: it must be the name of an errno, like EPERM"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ARGS("\n" ARG(6, "EQ", 0, 0))) "]}",
	 "p:2: syscalls[0].args[0].index: it must be a whole number, and not too large"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ARGS(ARG(0, "EQUAL", 0, 0))) "]}",
	 "p:1: syscalls[0].args[0].op: there is no such comparison; SCMP_CMP_EQ is one"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ARGS("{\"index\": 0, \"value\": \"1\"}")) "]}",
	 "p:1: syscalls[0].args[0].value: it must be a whole number, and not too large"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ARGS("{\"index\": 0, \"value\": 1}")) "]}",
	 "p:1: syscalls[0].args[0].op: it must be the name of a comparison, like SCMP_CMP_EQ"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"args\": [0]") "]}",
	 "p:1: syscalls[0].args[0]: it must be an object"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"args\": {}") "]}",
	 "p:1: syscalls[0].args: it must be a list"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"includes\": []") "]}",
	 "p:1: syscalls[0].includes: it must be an object"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"includes\": {\"caps\": [1]}") "]}",
	 "p:1: syscalls[0].includes.caps[0]: it must be the name of a capability"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"excludes\": {\"arches\": [1]}") "]}",
	 "p:1: syscalls[0].excludes.arches[0]: it must be the name of a machine, like amd64"},
	{"{" ALLOW RULE_("\"bpf\"", "ERRNO", ", \"includes\": {\"minKernel\": \"4.8.1\"}") "]}",
	 "p:1: syscalls[0].includes.minKernel: it must be a version of Linux, like \"4.8\""},
	{"{\"architectures\": [\"x86\"], " ALLOW "]}",
	 "p:1: architectures[0]: it must be the name of an architecture, like SCMP_ARCH_X86_64"},
	{"{\"architectures\": [\"SCMP_ARCH_X86\"], \"archMap\": [], " ALLOW "]}",
	 "p:1: it has both \"architectures\" and \"archMap\""},
	{"{\"archMap\": [1], " ALLOW "]}", "p:1: archMap[0].architecture: it must be the name of "
					   "an architecture, like SCMP_ARCH_X86_64"},
	{"{\"flags\": [1], " ALLOW "]}", "p:1: flags[0]: it must be the name of a flag"},
	{"{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"defaultAction\": \"SCMP_ACT_ALLOW\"}",
	 "p:1: duplicate object key near '\"defaultAction\"'"},
};

START_TEST(what_is_no_profile_is_refused)
{
	const char *text = errors[_i].text;
	struct sandbox_policy *policy = NULL;
	struct told told = {BUF_INIT};
	struct error err = {0};

	ck_assert_int_eq(sandbox_policy_import_oci(text, strlen(text), "p", &places, note, &told,
						   &policy, &err),
			 ERR_FORMAT);
	ck_assert_str_eq(err.text, errors[_i].error);
	ck_assert_ptr_null(policy);
	ck_assert_uint_eq(told.text.len, 0);
	ck_assert_int_eq(
		sandbox_policy_import_oci(text, strlen(text), "p", NULL, NULL, NULL, &policy, NULL),
		ERR_FORMAT);
}
END_TEST

/* --- the files that engines ship -------------------------------------------------------------- */

static const char *const files[] = {"fixtures/oci/docker.json", "fixtures/oci/podman.json"};

/* However it is cut off, it is none. */
START_TEST(a_profile_that_is_cut_off_is_refused)
{
	cleanup_buf struct buf text = BUF_INIT;

	ck_assert_int_eq(fs_read_file(files[_i], 1 << 20, &text, NULL), 0);
	while (text.len > 0 && text.data[text.len - 1] != '}')
		text.len--;
	for (size_t len = 0; len < text.len; len += 1 + text.len / 200) {
		struct sandbox_policy *policy = NULL;

		ck_assert_int_eq(sandbox_policy_import_oci(text.data, len, "p", &places, NULL, NULL,
							   &policy, NULL),
				 ERR_FORMAT);
		ck_assert_ptr_null(policy);
	}
}
END_TEST

static const char *const refused[] = {
	"mount", "bpf",	   "perf",  "handles", "modules",  "kexec",
	"clock", "raw_io", "admin", "debug",   "keyrings", "io_uring",
};

START_TEST(the_profiles_of_engines_are_kept)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct told told = {BUF_INIT};
	struct sandbox_policy *policy;

	ck_assert_int_eq(fs_read_file(files[_i], 1 << 20, &text, NULL), 0);
	policy = import(text.data, &told);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		ck_assert_str_ne(action_of(policy, refused[i]), "allow");
	ck_assert_str_eq(action_of(policy, "processes"), "allow");
	ck_assert_str_eq(action_of(policy, "sockets"), "allow");
	ck_assert_str_eq(action_of(policy, "ipc"), "allow");
	ck_assert_str_eq(action_of(policy, "namespaces"), _i == 0 ? "EPERM" : "allow");
	ck_assert_int_eq(policy->unix_sockets, SANDBOX_UNIX_INSIDE);
	ck_assert_ptr_nonnull(strstr(told.text.data, "syscalls.personality refuses"));
	ck_assert_ptr_nonnull(strstr(told.text.data, "net.mode refuses what the profile allows"));
	sandbox_policy_free(policy);
	buf_free(&told.text);
}
END_TEST

/* --- bounds ----------------------------------------------------------------------------------- */

static int import_buf(const struct buf *text, struct told *told, struct error *err)
{
	struct sandbox_policy *policy = NULL;
	int rc = sandbox_policy_import_oci(text->data, text->len, "p", &places, note, told, &policy,
					   err);

	sandbox_policy_free(policy);
	return rc;
}

/* `count` items between the two, with commas. */
static void repeat(struct buf *out, const char *before, const char *item, size_t count,
		   const char *after)
{
	ck_assert_int_eq(buf_add_str(out, before), 0);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(buf_addf(out, "%s%s", i ? "," : "", item), 0);
	ck_assert_int_eq(buf_add_str(out, after), 0);
}

START_TEST(a_profile_has_bounds)
{
	cleanup_buf struct buf long_one = BUF_INIT, many = BUF_INIT, wide = BUF_INIT;
	struct told told = {BUF_INIT};
	struct error err = {0};

	repeat(&long_one, "{" ALLOW, RULE2("\"bpf\"", "ERRNO"), 100000, "]}");
	ck_assert_int_eq(import_buf(&long_one, &told, &err), ERR_LIMIT);
	ck_assert_str_eq(err.text, "p is larger than 4194304 bytes");
	repeat(&many, "{" ALLOW, RULE2("\"bpf\"", "ERRNO"), OCI_RULES_MAX + 1, "]}");
	ck_assert_int_eq(import_buf(&many, &told, &err), ERR_LIMIT);
	ck_assert_str_eq(err.text, "p:1: there are more than 4096 syscalls");
	repeat(&wide,
	       "{" ALLOW "{\"names\": [\"bpf\"], \"action\": \"SCMP_ACT_ERRNO\", \"args\": [",
	       ARG(0, "EQ", 1, 0), OCI_CONDITIONS_MAX + 1, "]}]}");
	ck_assert_int_eq(import_buf(&wide, &told, &err), ERR_LIMIT);
	ck_assert_str_eq(err.text, "p:1: syscalls[0]: there are more than 64 args");
	ck_assert_uint_eq(told.text.len, 0);
}
END_TEST

/* What is told stays short: some names, some lines, and how many more. */
START_TEST(a_large_profile_is_told_in_few_words)
{
	cleanup_buf struct buf names = BUF_INIT, rules = BUF_INIT;
	struct told told = {BUF_INIT};
	struct error err = {0};

	ck_assert_int_eq(
		buf_add_str(&names, "{" ALLOW "{\"action\": \"SCMP_ACT_ERRNO\", \"names\": ["), 0);
	for (int i = 0; i < 200000; i++)
		ck_assert_int_eq(buf_addf(&names, "%s\"nothing_%06d\"", i ? "," : "", i), 0);
	ck_assert_int_eq(buf_add_str(&names, "]}]}"), 0);
	ck_assert_msg(import_buf(&names, &told, &err) == 0, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(told.text.data, "nothing_000127 and 199872 more\n"));
	ck_assert_uint_lt(told.text.len, 8000);
	buf_clear(&told.text);
	repeat(&rules, "{" ALLOW, RULE_("\"read\"", "ERRNO", ARGS(ARG(0, "EQ", 1, 0))), 500, "]}");
	ck_assert_msg(import_buf(&rules, &told, &err) == 0, "%s", err.text);
	ck_assert_ptr_nonnull(
		strstr(told.text.data, "p: 468 more rules on arguments are not kept\n"));
	ck_assert_uint_lt(told.text.len, 8000);
	buf_free(&told.text);
}
END_TEST

/* Many different conditions on three arguments of many calls are not weighed one by one. */
START_TEST(a_profile_cannot_take_long)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct told told = {BUF_INIT};
	struct error err = {0};

	ck_assert_int_eq(buf_add_str(&text, "{" ALLOW), 0);
	for (int i = 0; i < 300; i++) {
		ck_assert_int_eq(buf_addf(&text, "%s{\"action\": \"SCMP_ACT_ERRNO\", \"args\": [",
					  i ? "," : ""),
				 0);
		for (int arg = 0; arg < 3; arg++)
			ck_assert_int_eq(buf_addf(&text,
						  "%s{\"index\": %d, \"value\": %d, \"op\": "
						  "\"SCMP_CMP_GE\"}",
						  arg ? "," : "", arg, 10 * i + arg),
					 0);
		repeat(&text, "], \"names\": [", "\"clone\", \"socket\", \"read\", \"openat\"", 1,
		       "]}");
	}
	ck_assert_int_eq(buf_add_str(&text, "]}"), 0);
	ck_assert_msg(import_buf(&text, &told, &err) == 0, "%s", err.text);
	ck_assert_ptr_nonnull(
		strstr(told.text.data, "the strictest is taken: read, socket, clone, openat\n"));
	buf_free(&told.text);
}
END_TEST

/* --- tables ----------------------------------------------------------------------------------- */

START_TEST(calls_have_names)
{
	ck_assert_str_eq(call_names[SYS_keyctl], "keyctl");
	for (size_t i = 0; i < call_rule_count; i++)
		ck_assert_ptr_nonnull(call_names[call_rules[i].number]);
	for (size_t i = 0; i < call_name_count; i++)
		for (size_t k = i + 1; call_names[i] && k < call_name_count; k++)
			ck_assert(!call_names[k] || strcmp(call_names[i], call_names[k]) != 0);
}
END_TEST

static int count_keys(void *ctx, const struct oci_point *point)
{
	*(uint32_t *)ctx |= point->keys;
	return 0;
}

/* Each group has a point; that of other ABIs has no call. */
START_TEST(points_find_all_groups)
{
	struct oci_profile profile = {.otherwise = {SANDBOX_ACTION_ALLOW, 0}};
	uint32_t keys = 1U << SANDBOX_SYSCALLS_FOREIGN_ABI;
	bool all = false;

	for (unsigned call = 0; call < call_name_count; call++) {
		ck_assert_int_eq(oci_each_point(&profile, call, count_keys, &keys, &all), 0);
		ck_assert(all);
	}
	ck_assert_uint_eq(keys, (OCI_KEY_UNIX << 1) - 1);
}
END_TEST

/* --- without memory --------------------------------------------------------------------------- */

/* No string of 14 letters, SCMP_ACT_ERRNO for one: with its quotes it fills jansson's first buffer,
 * and when there is no memory for a larger one then, jansson (2.14) loses the last quote and reads
 * on. */
static const char small[] =
	"{\"defaultAction\": \"SCMP_ACT_TRAP\", \"flags\": [\"X\"], \"syscalls\": [" RULE2(
		"\"read\", \"none\"", "LOG") ", " RULE_("\"personality\", \"clone\"", "LOG",
							ARGS(ARG(0, "EQ", 8, 0))) "]}";

static void count_lines(void *ctx, const char *text)
{
	(void)text;
	++*(int *)ctx;
}

START_TEST(a_profile_is_read_in_full_or_that_is_said)
{
	struct sandbox_policy *policy = NULL;
	struct told told = {BUF_INIT};
	int rc, wanted = 0;
	long call = 0;

	chaos_prepare();
	sandbox_policy_free(import(small, &told));
	for (size_t i = 0; i < told.text.len; i++)
		wanted += told.text.data[i] == '\n';
	do {
		struct error err = {0};
		int lines = 0;

		chaos_arm(_i ? CHAOS_FOR_GOOD : CHAOS_ONCE, call++);
		rc = sandbox_policy_import_oci(small, strlen(small), "p", &places, count_lines,
					       &lines, &policy, &err);
		chaos_disarm();
		ck_assert_msg(rc == 0 || rc == ERR_NOMEM, "%s", err.text);
		ck_assert(rc == 0 ? lines == wanted : policy == NULL && chaos_met());
	} while (chaos_met() && call < CHAOS_CALLS_MAX);
	ck_assert_int_eq(rc, 0);
	ck_assert_int_gt(call, 100);
	ck_assert_str_eq(action_of(policy, "personality"), "trap");
	sandbox_policy_free(policy);
	buf_free(&told.text);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

Suite *sandbox_oci_suite(void)
{
	Suite *s = suite_create("sandbox_oci");
	TCase *tc = tcase_create("oci");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_profile_becomes_a_policy, 0, COUNT(rows));
	tcase_add_loop_test(tc, unix_sockets_are_refused_with_the_profile, 0, COUNT(sockets));
	tcase_add_loop_test(tc, what_is_no_profile_is_refused, 0, COUNT(errors));
	tcase_add_loop_test(tc, a_profile_that_is_cut_off_is_refused, 0, COUNT(files));
	tcase_add_loop_test(tc, the_profiles_of_engines_are_kept, 0, COUNT(files));
	tcase_add_test(tc, a_profile_has_bounds);
	tcase_add_test(tc, a_large_profile_is_told_in_few_words);
	tcase_add_test(tc, a_profile_cannot_take_long);
	tcase_add_test(tc, calls_have_names);
	tcase_add_test(tc, points_find_all_groups);
	tcase_add_loop_test(tc, a_profile_is_read_in_full_or_that_is_said, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
