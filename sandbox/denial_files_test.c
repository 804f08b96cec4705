/* Observations of paths. */
#include "sandbox/denial_test.h"

#include "sandbox/tree_test.h"
#include "tools/tests.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

/* A workspace in which something is denied and something is read-only. The tree is in /tmp, which
 * is the host's here. */
#define FS                                                                                         \
	"\"fs\": {\"workspace\": [\"@/root\"], \"deny\": [\"@/root/secret\", "                     \
	"\"@/root/dir/file\"], \"read_only\": [\"@/root/ref\"], \"write\": [\"@/root/ref/out\"], " \
	"\"read\": [\"@/readable\"], \"exec\": [\"@/tools\"], \"presets\": [], \"tmp\": \"none\"}"
#define NO_EXEC                                                                                    \
	"\"level\": \"workspace_write\", \"fs\": {\"workspace\": [\"@/root\"], "                   \
	"\"presets\": [], \"tmp\": \"none\"}"
/* Beside the workspace, all may be done. */
#define NO_EXEC_BESIDE                                                                             \
	"\"level\": \"workspace_write\", \"fs\": {\"workspace\": [\"@/root\"], \"write\": "        \
	"[\"@/outside\"], \"presets\": [], \"tmp\": \"none\"}"
#define NO_DELETE                                                                                  \
	"\"fs\": {\"workspace\": [\"@/root\"], \"operations\": [\"read_text\", \"list\", "         \
	"\"exists\", \"write_text\"], \"write\": [\"@/outside\"], \"presets\": [], "               \
	"\"tmp\": \"none\"}"
/* The tree is hidden, but for its roots. */
#define PRIVATE	       "\"fs\": {\"workspace\": [\"@/root\"], \"read\": [\"@/readable\"], \"presets\": []}"
#define PRIVATE_WRITES "\"fs\": {\"workspace\": [], \"write\": [\"@/root\"], \"presets\": []}"
#define WHOLE                                                                                      \
	"\"fs\": {\"workspace\": [\"@/root\"], \"write\": [\"/\"], \"presets\": [], "              \
	"\"tmp\": \"none\"}"
#define SECRETS                                                                                    \
	"\"fs\": {\"workspace\": [\"@/root\"], \"write\": [\"@\"], \"presets\": [\"secrets\"], "   \
	"\"tmp\": \"none\"}"

#define CWD_FD ((uint32_t)AT_FDCWD)
#define OPEN(flags_, error_, path_)                                                                \
	SEEN_CALL(openat, error_), .args = {CWD_FD, 1, (flags_)}, .path = (path_)
#define AT(call_, error_, path_) SEEN_CALL(call_, error_), .path = (path_)
#define EXCHANGED(error_, flags_)                                                                  \
	AT(renameat2, error_, "@/outside/file"), .args = {CWD_FD, 1, CWD_FD, 1, (flags_)}
#define YES .outside = SANDBOX_OUTSIDE_YES
#define NO  .outside = SANDBOX_OUTSIDE_NO

#define NOTHING .want = NULL
#define NO_ROOT "landlock-fs observed: no root of the policy holds it"

static const char *const deeper[] = {"/usr/bin/env", NULL};

static const struct denial_row landlock[] = {
	{FS,
	 {OPEN(O_RDONLY, EACCES, "@/outside/file")},
	 .want = NO_ROOT,
	 .option = "--read-only @/outside/file",
	 .policy_want = "{\"fs\": {\"read_only\": [\"@/root/ref\", \"@/outside/file\"]}}"},
	{FS,
	 {OPEN(O_RDONLY, EACCES, "@/outside/file"), YES},
	 .want = NO_ROOT,
	 .option = "--read-only @/outside/file",
	 .policy_want = "{\"fs\": {\"read_only\": [\"@/root/ref\", \"@/outside/file\"]}}"},
	/* It would fail outside, too. */
	{FS, {OPEN(O_RDONLY, EACCES, "@/outside/file"), NO}, NOTHING},
	{FS, {OPEN(O_RDONLY, EPERM, "@/outside/file")}, NOTHING},
	{FS, {OPEN(O_RDONLY, ENOENT, "@/outside/nothing")}, NOTHING},
	{FS, {OPEN(O_RDONLY, ENOTDIR, "@/outside/file/x")}, NOTHING},
	{FS, {OPEN(O_RDONLY, ELOOP, "@/outside/file")}, NOTHING},
	/* The policy grants it: its mode is in the way. */
	{FS, {OPEN(O_RDONLY, EACCES, "@/root/file")}, NOTHING},
	{FS, {OPEN(O_RDWR | O_CREAT | O_TRUNC, EACCES, "@/root/file")}, NOTHING},
	{FS, {OPEN(O_RDONLY, EACCES, "@/readable/file")}, NOTHING},
	{FS, {OPEN(O_PATH, EACCES, "@/outside/file")}, NOTHING},
	{FS, {AT(newfstatat, EACCES, "@/outside/file")}, NOTHING},
	{FS, {AT(chdir, EACCES, "@/outside")}, NOTHING},
	/* A name that only begins like a root. */
	{FS,
	 {OPEN(O_RDONLY, EACCES, "@/root-other/file")},
	 .want = NO_ROOT,
	 .option = "--read-only @/root-other/file",
	 .policy_want = "{\"fs\": {\"read_only\": [\"@/root/ref\", \"@/root-other/file\"]}}"},
	{FS,
	 {OPEN(O_RDONLY | O_DIRECTORY, EACCES, "@/outside")},
	 .want = NO_ROOT,
	 .option = "--read-only @/outside",
	 .policy_want = "{\"fs\": {\"read_only\": [\"@/root/ref\", \"@/outside\"]}}"},
	{FS,
	 {OPEN(O_WRONLY | O_CREAT, EACCES, "@/outside/new")},
	 .want = NO_ROOT,
	 .option = "--write @/outside",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/outside\"]}}"},
	{FS,
	 {OPEN(O_WRONLY | O_CREAT, EACCES, "@/outside/file"), .there = SANDBOX_OUTSIDE_YES},
	 .want = NO_ROOT,
	 .option = "--write @/outside/file",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/outside/file\"]}}"},
	{FS,
	 {OPEN(O_RDWR, EACCES, "@/outside/file")},
	 .want = NO_ROOT,
	 .option = "--write @/outside/file",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/outside/file\"]}}"},
	{FS,
	 {OPEN(O_WRONLY, EACCES, "@/readable/file")},
	 .want = "landlock-fs observed: fs.read does not grant write_text: @/readable",
	 .option = "--write @/readable/file",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/readable/file\"]}}"},
	{FS,
	 {OPEN(O_RDONLY | O_TRUNC, EACCES, "@/readable/file")},
	 .want = "landlock-fs observed: fs.read does not grant write_text: @/readable",
	 .option = "--write @/readable/file",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/readable/file\"]}}"},
	{FS,
	 {AT(truncate, EACCES, "@/tools/tool")},
	 .want = "landlock-fs observed: fs.exec does not grant write_text: @/tools",
	 .option = "--write @/tools/tool",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/tools/tool\"]}}"},
	{FS,
	 {AT(openat2, EACCES, "@/readable/file"), .flags = O_WRONLY},
	 .want = "landlock-fs observed: fs.read does not grant write_text: @/readable",
	 .option = "--write @/readable/file",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/readable/file\"]}}"},
	{FS, {AT(openat2, EACCES, "@/readable/file"), .flags = O_RDONLY}, NOTHING},
	{FS,
	 {AT(openat2, EACCES, "@/outside/new"), .flags = O_RDWR | O_CREAT},
	 .want = NO_ROOT,
	 .option = "--write @/outside",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/outside\"]}}"},
	{FS,
	 {AT(creat, EACCES, "@/outside/new")},
	 .want = NO_ROOT,
	 .option = "--write @/outside",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/outside\"]}}"},
	{FS,
	 {AT(mkdir, EACCES, "@/outside/new/")},
	 .want = NO_ROOT,
	 .option = "--write @/outside",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/outside\"]}}"},
	{FS,
	 {AT(symlink, EACCES, "@/tools/new")},
	 .want = "landlock-fs observed: fs.exec does not grant write_text: @/tools",
	 .option = "--write @/tools",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/tools\"]}}"},
	{FS,
	 {AT(unlink, EACCES, "@/outside/file")},
	 .want = NO_ROOT,
	 .option = "--write @/outside",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/outside\"]}}"},
	/* A file that is a root is granted, but its name is its directory's. */
	{"\"fs\": {\"workspace\": [], \"write\": [\"@/outside/file\"], \"presets\": [], \"tmp\": "
	 "\"none\"}",
	 {AT(unlink, EACCES, "@/outside/file")},
	 .want = NO_ROOT,
	 .option = "--write @/outside",
	 .policy_want = "{\"fs\": {\"write\": [\"@/outside/file\", \"@/outside\"]}}"},
	{FS,
	 {AT(execve, EACCES, "@/readable/file")},
	 .want = "landlock-fs observed: fs.read does not grant exec: @/readable",
	 .option = "--write @/readable/file",
	 .policy_want = "{\"fs\": {\"exec\": [\"@/tools\", \"@/readable/file\"]}}"},
	{FS, {AT(execve, EACCES, "@/tools/tool")}, NOTHING},
	/* What interprets it. */
	{FS,
	 {AT(execve, EACCES, "@/tools/tool"), .path2 = "@/readable/file"},
	 .want = "landlock-fs observed: it interprets what is executed: fs.read does not grant "
		 "exec: @/readable",
	 .option = "--write @/readable/file",
	 .policy_want = "{\"fs\": {\"exec\": [\"@/tools\", \"@/readable/file\"]}}"},
	{FS,
	 {AT(execve, EACCES, "@/readable/file"), .path2 = "@/tools/tool"},
	 .want = "landlock-fs observed: fs.read does not grant exec: @/readable",
	 .option = "--write @/readable/file",
	 .policy_want = "{\"fs\": {\"exec\": [\"@/tools\", \"@/readable/file\"]}}"},
	{FS, {AT(execve, EACCES, "@/tools/tool"), .path2 = "@/tools/tool"}, NOTHING},
	/* What interprets that. */
	{FS,
	 {AT(execve, EACCES, "@/tools/tool"), .path2 = "@/tools/tool", .interpreters = deeper},
	 .want = "landlock-fs observed: it interprets what is executed: no root of the policy "
		 "holds "
		 "it",
	 .option = "--write /usr/bin/env",
	 .policy_want = "{\"fs\": {\"exec\": [\"@/tools\", \"/usr/bin/env\"]}}"},
	{NO_EXEC,
	 {AT(execve, EACCES, "@/root/bin/tool")},
	 .want = "landlock-fs observed: fs.workspace does not grant exec: @/root",
	 .option = "--write @/root/bin/tool",
	 .policy_want = "{\"fs\": {\"exec\": [\"@/root/bin/tool\"]}}"},
	{FS,
	 {AT(rename, EACCES, "@/outside/file"), .path2 = "@/root/file2"},
	 .want = NO_ROOT,
	 .option = "--write @/outside",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/outside\"]}}"},
	{FS,
	 {AT(rename, EACCES, "@/readable/file"), .path2 = "@/outside/new"},
	 .want = "landlock-fs observed: fs.read does not grant delete: @/readable",
	 .option = "--write @/readable --write @/outside",
	 .policy_want =
		 "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/readable\", \"@/outside\"]}}"},
	{FS, {AT(rename, EACCES, "@/root/file"), .path2 = "@/root/file2"}, NOTHING},
	{FS,
	 {AT(link, EXDEV, "@/outside/file"), .path2 = "@/root/link"},
	 .want = "landlock-fs observed: nothing is moved or linked out of what cannot be written",
	 .option = "--write @/outside",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/outside\"]}}"},
	{FS, {AT(link, EXDEV, "@/outside/file"), .path2 = "@/root/link", NO}, NOTHING},
	{FS, {AT(rename, EXDEV, "@/root/file"), .path2 = "@/root/bin/file"}, NOTHING},
	{NO_EXEC_BESIDE,
	 {AT(rename, EXDEV, "@/root/file"), .path2 = "@/outside/new"},
	 .want = "landlock-fs observed: where it goes, more is granted than where it is",
	 .option = "--write @/root",
	 .policy_want = "{\"fs\": {\"write\": [\"@/outside\", \"@/root\"]}}"},
	/* What is exchanged goes both ways. */
	{NO_DELETE, {EXCHANGED(EACCES, 0), .path2 = "@/root/file"}, NOTHING},
	{NO_DELETE,
	 {EXCHANGED(EACCES, RENAME_EXCHANGE), .path2 = "@/root/file"},
	 .want = "landlock-fs observed: fs.workspace does not grant delete: @/root",
	 .option = "--write @/root",
	 .policy_want = "{\"fs\": {\"write\": [\"@/outside\", \"@/root\"]}}"},
	{NO_EXEC_BESIDE, {EXCHANGED(EXDEV, 0), .path2 = "@/root/file"}, NOTHING},
	{NO_EXEC_BESIDE,
	 {EXCHANGED(EXDEV, RENAME_EXCHANGE), .path2 = "@/root/file"},
	 .want = "landlock-fs observed: where it goes, more is granted than where it is",
	 .option = "--write @/root",
	 .policy_want = "{\"fs\": {\"write\": [\"@/outside\", \"@/root\"]}}"},
	{NO_EXEC_BESIDE, {EXCHANGED(EACCES, RENAME_NOREPLACE), .path2 = "@/root/new"}, NOTHING},
	{NO_EXEC_BESIDE,
	 {EXCHANGED(EACCES, RENAME_WHITEOUT), .path2 = "@/root/new"},
	 .want = "landlock-fs observed: no root lets devices be made, which a whiteout is"},
	{FS, {AT(mount, EPERM, "@/root")}, NOTHING},
	{FS,
	 {AT(mount, EPERM, "@/root")},
	 .had = CAP(SYS_ADMIN),
	 .want = "landlock-fs observed: nothing is mounted where there are rules on files"},
};

/* Whatever its path is written like. */
static const struct sockaddr_un any_unix = {AF_UNIX, "../outside/file"};

static const struct denial_row mounts[] = {
	{FS,
	 {OPEN(O_RDONLY, EACCES, "@/root/secret/key")},
	 .want = "namespaces observed: it is denied by fs.deny: @/root/secret"},
	{FS,
	 {OPEN(O_RDONLY | O_DIRECTORY, EACCES, "@/root/secret")},
	 .want = "namespaces observed: it is denied by fs.deny: @/root/secret"},
	{FS,
	 {AT(newfstatat, EACCES, "@/root/secret/key")},
	 .want = "namespaces observed: it is denied by fs.deny: @/root/secret"},
	{FS, {AT(newfstatat, EACCES, "@/root/secret")}, NOTHING},
	{FS,
	 {OPEN(O_RDONLY, EACCES, "@/root/dir/file")},
	 .want = "namespaces observed: it is denied by fs.deny: @/root/dir/file"},
	{FS, {OPEN(O_RDONLY, EACCES, "@/root/dir/file"), NO}, NOTHING},
	{FS,
	 {OPEN(O_WRONLY, EROFS, "@/root/ref/file")},
	 .want = "namespaces observed: fs.read_only does not grant write_text: @/root/ref",
	 .option = "--write @/root/ref/file",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/root/ref/file\"]}}"},
	/* What is read-only itself cannot be granted beside that. */
	{FS,
	 {AT(mkdir, EROFS, "@/root/ref/new")},
	 .want = "namespaces observed: fs.read_only does not grant write_text: @/root/ref"},
	{FS,
	 {AT(chmod, EROFS, "@/root/ref/file")},
	 .want = "namespaces observed: fs.read_only does not grant write_text: @/root/ref",
	 .option = "--write @/root/ref/file",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/root/ref/file\"]}}"},
	{FS, {AT(mkdir, EROFS, "@/root/ref/out/new")}, NOTHING},
	{FS, {AT(mkdir, EROFS, "@/root/new")}, NOTHING},
	{FS, {AT(mkdir, EROFS, "/media/cdrom/new")}, NOTHING},
	{FS,
	 {AT(rename, EBUSY, "@/root/dir"), .path2 = "@/root/dir2"},
	 .want = "namespaces observed: it is a mount of the sandbox's, since something there is "
		 "denied or read-only"},
	{FS, {AT(rmdir, EBUSY, "@/root/bin")}, NOTHING},
	{FS,
	 {AT(rename, EXDEV, "@/root/file"), .path2 = "@/root/dir/file2", YES},
	 .want = "namespaces inferred: one of the directories is in a mount of the sandbox's"},
	{FS, {AT(rename, EXDEV, "@/root/file"), .path2 = "@/root/dir/file2"}, NOTHING},
	{PRIVATE,
	 {OPEN(O_RDONLY, ENOENT, "@/outside/file"), YES},
	 .want = "namespaces inferred: /tmp is the sandbox's own, and no root of the policy holds "
		 "it",
	 .option = "--read-only @/outside/file",
	 .policy_want = "{\"fs\": {\"read_only\": [\"@/outside/file\"]}}"},
	/* What the other end has is not granted again. */
	{PRIVATE_WRITES,
	 {AT(link, ENOENT, "@/outside/file"), .path2 = "@/root/link", YES},
	 .want = "namespaces inferred: /tmp is the sandbox's own, and no root of the policy holds "
		 "it",
	 .option = "--read-only @/outside/file",
	 .policy_want = "{\"fs\": {\"read_only\": [\"@/outside/file\"]}}"},
	{PRIVATE_WRITES,
	 {AT(rename, ENOENT, "@/outside/file"), .path2 = "@/root/file2", YES},
	 .want = "namespaces inferred: /tmp is the sandbox's own, and no root of the policy holds "
		 "it",
	 .option = "--write @/outside",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root\", \"@/outside\"]}}"},
	{PRIVATE, {OPEN(O_RDONLY, ENOENT, "@/outside/file")}, NOTHING},
	{PRIVATE, {OPEN(O_RDONLY, ENOENT, "@/outside/file"), NO}, NOTHING},
	{PRIVATE,
	 {AT(newfstatat, ENOENT, "@/outside/file"), YES},
	 .want = "namespaces inferred: /tmp is the sandbox's own, and no root of the policy holds "
		 "it",
	 .option = "--read-only @/outside/file",
	 .policy_want = "{\"fs\": {\"read_only\": [\"@/outside/file\"]}}"},
	{PRIVATE,
	 {OPEN(O_WRONLY | O_CREAT, ENOENT, "@/outside/new"), YES},
	 .want = "namespaces inferred: /tmp is the sandbox's own, and no root of the policy holds "
		 "it",
	 .option = "--write @/outside",
	 .policy_want = "{\"fs\": {\"write\": [\"@/outside\"]}}"},
	{PRIVATE,
	 {AT(connect, ENOENT, "@/outside/file"), YES, .address = (const void *)&any_unix,
	  .address_len = sizeof(any_unix)},
	 .want = "namespaces inferred: /tmp is the sandbox's own, and no root of the policy holds "
		 "it",
	 .policy_want = "{\"unix_sockets\": {\"paths\": [\"@/outside/file\"]}}"},
	{PRIVATE,
	 {AT(bind, ENOENT, "@/outside/new"), YES, .address = (const void *)&any_unix,
	  .address_len = sizeof(any_unix)},
	 .want = "namespaces inferred: /tmp is the sandbox's own, and no root of the policy holds "
		 "it",
	 .option = "--write @/outside",
	 .policy_want = "{\"fs\": {\"write\": [\"@/outside\"]}}"},
	{PRIVATE, {OPEN(O_RDONLY, ENOENT, "@/root/nothing"), YES}, NOTHING},
	{PRIVATE,
	 {AT(rename, EXDEV, "@/readable/file"), .path2 = "@/root/new", YES},
	 .want = "namespaces inferred: what is granted in a directory that is the sandbox's own is "
		 "a mount there"},
	{PRIVATE,
	 {AT(rename, EXDEV, "@/root/file"), .path2 = "/tmp/new", YES},
	 .want = "namespaces inferred: what is granted in a directory that is the sandbox's own is "
		 "a mount there"},
	{PRIVATE, {AT(rename, EXDEV, "@/root/file"), .path2 = "/tmp/new", NO}, NOTHING},
	{PRIVATE, {AT(rename, EXDEV, "@/root/file"), .path2 = "@/root/bin/file", YES}, NOTHING},
	/* It may do all in its own /tmp. */
	{PRIVATE, {OPEN(O_WRONLY | O_CREAT, EACCES, "/tmp/new")}, NOTHING},
	{PRIVATE,
	 {OPEN(O_WRONLY, EROFS, "@/readable/file")},
	 .want = "namespaces observed: fs.read does not grant write_text: @/readable",
	 .option = "--write @/readable/file",
	 .policy_want = "{\"fs\": {\"write\": [\"@/readable/file\"]}}"},
	{"",
	 {AT(connect, ENOENT, "/run/sandtape-test.socket"), YES},
	 .want = "namespaces inferred: /run is hidden, and no root of the policy holds it"},
	{WHOLE,
	 {OPEN(O_WRONLY, EROFS, "/proc/sys/kernel/core_pattern")},
	 .want = "namespaces observed: the kernel's own files are read-only unless a root smaller "
		 "than / holds them",
	 .option = "--write /proc/sys/kernel/core_pattern",
	 .policy_want = "{\"fs\": {\"write\": [\"/\", \"/proc/sys/kernel/core_pattern\"]}}"},
	{SECRETS,
	 {OPEN(O_RDONLY, EACCES, "@/.netrc")},
	 .want = "namespaces observed: it is denied by a preset's fs.deny: @/.netrc",
	 .option = "--read-only @/.netrc",
	 .policy_want = "{\"fs\": {\"read_only\": [\"@/.netrc\"]}}"},
};

/* Without a mount namespace Landlock carves. */
static const struct denial_row carved[] = {
	{FS,
	 {OPEN(O_RDONLY, EACCES, "@/root/secret/key")},
	 .in_place = true,
	 .want = "landlock-fs observed: it is denied by fs.deny: @/root/secret"},
	{FS,
	 {OPEN(O_WRONLY, EACCES, "@/root/ref/file")},
	 .in_place = true,
	 .want = "landlock-fs observed: fs.read_only does not grant write_text: @/root/ref",
	 .option = "--write @/root/ref/file",
	 .policy_want = "{\"fs\": {\"write\": [\"@/root/ref/out\", \"@/root/ref/file\"]}}"},
	{FS,
	 {AT(mkdir, EACCES, "@/root/new")},
	 .in_place = true,
	 .want = "landlock-fs observed: something in this directory is denied or read-only, which "
		 "takes it all without a mount namespace"},
	{FS, {OPEN(O_RDONLY, EACCES, "@/root/file")}, .in_place = true},
	{FS, {OPEN(O_WRONLY, EROFS, "@/root/ref/file")}, .in_place = true},
	{PRIVATE, {OPEN(O_RDONLY, ENOENT, "@/outside/file"), YES}, .in_place = true},
	{"",
	 {AT(openat, EACCES, "/proc/1/environ"), YES},
	 .in_place = true,
	 .want = "proc inferred: processes outside are not looked into"},
	{"", {AT(openat, EACCES, "/proc/1/environ")}, .in_place = true},
};

static const struct denial_row rights[] = {
	/* Nobody else could make one outside; and a FIFO is none. */
	{FS,
	 {AT(mknodat, EACCES, "@/root/dev"), .args = {0, 0, S_IFCHR | 0600}},
	 .had = CAP(MKNOD),
	 .want = "landlock-fs observed: no root lets devices be made"},
	{FS, {AT(mknodat, EACCES, "@/root/dev"), .args = {0, 0, S_IFCHR | 0600}}, NOTHING},
	{FS,
	 {AT(mknodat, EACCES, "@/root/dev"), .args = {0, 0, S_IFIFO | 0600}},
	 .had = CAP(MKNOD)},
	/* Root without capabilities. */
	{FS,
	 {OPEN(O_RDONLY, EACCES, "@/root/file"), YES},
	 .had = CAP(DAC_OVERRIDE),
	 .want = "capabilities inferred: the capability dac_override has been dropped, without "
		 "which root is held to the modes of files",
	 .policy_want = "{\"capabilities\": [\"dac_override\"]}"},
	{FS, {OPEN(O_RDONLY, EACCES, "@/root/file"), YES}, NOTHING},
	{FS ", \"capabilities\": [\"dac_override\"]",
	 {OPEN(O_RDONLY, EACCES, "@/root/file"), YES},
	 .had = CAP(DAC_OVERRIDE)},
	{FS,
	 {AT(chown, EPERM, "@/root/file")},
	 .had = CAP(CHOWN),
	 .want = "capabilities observed: the capability chown has been dropped",
	 .policy_want = "{\"capabilities\": [\"chown\"]}"},
	{FS ", \"capabilities\": [\"kill\"]",
	 {AT(chown, EPERM, "@/root/file")},
	 .had = CAP(CHOWN),
	 .want = "capabilities observed: the capability chown has been dropped",
	 .policy_want = "{\"capabilities\": [\"chown\", \"kill\"]}"},
	{FS, {AT(chown, EPERM, "@/root/file")}, NOTHING},
	{FS, {AT(chown, EPERM, "@/root/file"), NO}, .had = CAP(CHOWN)},
	{FS ", \"tty\": \"none\"",
	 {OPEN(O_RDWR, ENXIO, "/dev/tty"), YES},
	 .want = "tty inferred: tty is \"none\"",
	 .policy_want = "{\"tty\": \"keep\"}"},
	{FS ", \"tty\": \"none\"", {OPEN(O_RDWR, ENXIO, "/dev/tty")}, NOTHING},
	{FS, {OPEN(O_RDWR, ENXIO, "/dev/tty"), YES}, NOTHING},
	{FS ", \"strictness\": {\"landlock-fs\": \"off\"}",
	 {OPEN(O_RDONLY, EACCES, "@/outside/file")},
	 NOTHING},
};

static void enter(void)
{
	tree_enter();
	tree_put_file("@/.netrc");
}

DENIAL_ROWS(landlock_rows, landlock)
DENIAL_ROWS(mount_rows, mounts)
DENIAL_ROWS(carved_rows, carved)
DENIAL_ROWS(rights_rows, rights)

Suite *sandbox_denial_files_suite(void)
{
	Suite *s = suite_create("sandbox_denial_files");
	TCase *t = tcase_create("all");

	tcase_add_checked_fixture(t, enter, tree_leave);
	tcase_add_loop_test(t, landlock_rows, 0, DENIAL_COUNT(landlock));
	tcase_add_loop_test(t, mount_rows, 0, DENIAL_COUNT(mounts));
	tcase_add_loop_test(t, carved_rows, 0, DENIAL_COUNT(carved));
	tcase_add_loop_test(t, rights_rows, 0, DENIAL_COUNT(rights));
	suite_add_tcase(s, t);
	return s;
}
