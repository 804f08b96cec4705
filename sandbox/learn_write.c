/* The policy that was learnt, as JSON: what differs from the default policy, each section with what
 * it is for. */
#include "sandbox/learn.h"

#include "base/cleanup.h"
#include "base/jsontext.h"
#include "base/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct writer {
	const struct learn *l;
	const struct learn_end *end;
	json_t *top;
	sandbox_say say;
	void *ctx;
	bool failed; /* out of memory */
};

static json_t *section(struct writer *w, const char *name)
{
	json_t *there = json_object_get(w->top, name);

	if (!there) {
		there = json_object();
		if (json_object_set_new(w->top, name, there) < 0) {
			w->failed = true;
			return NULL;
		}
	}
	return there;
}

static void set(struct writer *w, const char *in, const char *key, json_t *value)
{
	json_t *object = in ? section(w, in) : w->top;

	if (json_object_set_new(object, key, value) < 0)
		w->failed = true;
}

static void append(struct writer *w, const char *in, const char *key, json_t *value)
{
	json_t *object = in ? section(w, in) : w->top;

	if (!json_object_get(object, key))
		set(w, in, key, json_array());
	if (json_array_append_new(json_object_get(object, key), value) < 0)
		w->failed = true;
}

/* Names of files may be any bytes. */
static json_t *readable(const char *text)
{
	cleanup_buf struct buf line = BUF_INIT;

	if (text_is_utf8(text, strlen(text)))
		return json_string_nocheck(text);
	return text_quote(&line, text, strlen(text)) < 0 ? NULL : json_string(line.data);
}

__attribute__((format(printf, 3, 4))) static void comment(struct writer *w, const char *in,
							  const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	text = text_formatted(format, args);
	va_end(args);
	if (!text)
		w->failed = true;
	else
		append(w, in, "comment", readable(text));
	free(text);
}

/* What is used and not granted. */
__attribute__((format(printf, 2, 3))) static void tell(struct writer *w, const char *format, ...)
{
	char *text;
	va_list args;

	va_start(args, format);
	text = text_formatted(format, args);
	va_end(args);
	if (!text) {
		w->failed = true;
		return;
	}
	w->say(w->ctx, text);
	comment(w, NULL, "%s", text);
	free(text);
}

/* --- files -------------------------------------------------------------------------------------
 */

/* As a policy has it: below HOME by that name, any bytes. */
static json_t *path_value(const struct writer *w, const char *path, bool optional)
{
	const char *home = w->l->base->places[POLICY_HOME];
	cleanup_buf struct buf text = BUF_INIT, encoded = BUF_INIT;
	size_t len = home ? strlen(home) : 0;
	const bool below = len > 1 && policy_path_is_in(path, home, len);

	if ((optional && buf_add_char(&text, '?') < 0) ||
	    (below && buf_add_str(&text, "$HOME") < 0) ||
	    buf_add_str(&text, below ? path + len : path) < 0)
		return NULL;
	if (text_is_utf8(text.data, text.len))
		return json_stringn_nocheck(text.data, text.len);
	if (text_base64_encode(&encoded, text.data, text.len) < 0)
		return NULL;
	return json_pack("{s:s%}", "base64", encoded.data, encoded.len);
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void write_root(struct writer *w, const struct learn_root *root)
{
	static const struct {
		const char *key, *done;
	} kinds[SANDBOX_ROOTS] = {
		[SANDBOX_ROOT_READ] = {"read", "read"},
		[SANDBOX_ROOT_EXEC] = {"exec", "executed or read"},
		[SANDBOX_ROOT_WRITE] = {"write", "made, changed or removed"},
	};
	const char *done = kinds[root->kind].done;

	if (root->refused) {
		tell(w,
		     "%s: something in it was %s, and it is not granted: that would be too much; "
		     "name in the policy what is needed",
		     root->path, done);
		return;
	}
	if (root->is_new && !is_there(root->path)) {
		tell(w,
		     "%s: this name was made or removed, and that is not granted: its directory "
		     "would be too much; let the program use TMPDIR, or a directory of its own",
		     root->path);
		return;
	}
	if (root->is_new)
		tell(w,
		     "%s: it was made, or took the place of another one, and it is granted to be "
		     "changed only: its directory would be too much; have it there before the "
		     "program runs",
		     root->path);
	append(w, "fs", kinds[root->kind].key,
	       path_value(w, root->path, root->is_new || !is_there(root->path)));
	if (root->uses > 1)
		comment(w, "fs", "%s: %zu paths in it were %s", root->path, root->uses, done);
	else
		comment(w, "fs", "%s: it, or something in it, was %s", root->path, done);
}

#define OPS_CHANGE (SANDBOX_OP_WRITE_TEXT | SANDBOX_OP_DELETE)

/* What is added to the operations that were used. */
static unsigned operations_besides(const struct writer *w, unsigned used, const char **ret_why)
{
	if (w->l->moved_out) {
		*ret_why = "operations are all of them, since something was moved or linked out of "
			   "the working directory, to where all is granted";
		return POLICY_OPS_ALL;
	}
	if ((used & OPS_CHANGE) && (used & OPS_CHANGE) != OPS_CHANGE &&
	    learn_is_hidden(w->l->base->places[POLICY_WORK])) {
		*ret_why = "operations have write_text and delete, since in a /tmp one of them "
			   "cannot be granted alone";
		return OPS_CHANGE;
	}
	return 0;
}

static void write_operations(struct writer *w)
{
	unsigned used = w->l->operations | POLICY_OPS_READ;
	const char *why = NULL;

	used |= operations_besides(w, used, &why);
	for (int i = 0; i < policy_operations.count; i++)
		if (used >> i & 1)
			append(w, "fs", "operations", json_string(policy_operations.name[i]));
	comment(w, "fs",
		"operations are what was done in the working directory; reading it is "
		"always granted");
	if (why)
		comment(w, "fs", "%s", why);
}

/* In a directory that names may be removed from, too: else a link would leave less behind. */
static bool is_linkable(const struct learn_roots *roots, const char *path)
{
	for (size_t i = 0; i < roots->count; i++) {
		const struct learn_root *root = &roots->item[i];

		if (root->kind == SANDBOX_ROOT_WRITE && !root->refused &&
		    strcmp(root->path, path) != 0 &&
		    policy_path_is_in(path, root->path, strlen(root->path)))
			return true;
	}
	return false;
}

static void write_apart(struct writer *w, const struct learn_roots *roots)
{
	const char *first = NULL;
	size_t count = 0;

	for (size_t i = 0; i < w->l->count; i++) {
		const struct learn_path *p = &w->l->path[i];

		if (!(p->access & LEARN_APART) &&
		    (!(p->access & LEARN_LINKED) || is_linkable(roots, p->path)))
			continue;
		if (count++ == 0)
			first = p->path;
	}
	if (count > 0)
		tell(w,
		     "%s%s: moved or linked between places that are apart under the policy: that "
		     "fails with EXDEV then, upon which most programs copy",
		     first, count > 1 ? ", and more" : "");
}

/* A device file, which no policy lets be made; the kernel's rename makes it all the same before
 * erratum 4 of Landlock. */
static void write_whiteouts(struct writer *w)
{
	for (size_t i = 0; i < w->l->count; i++)
		if (w->l->path[i].access & LEARN_WHITEOUT)
			tell(w,
			     "%s: a whiteout was left there, which is a device file: kernels that "
			     "have mended it in Landlock (erratum 4) refuse that under any policy",
			     w->l->path[i].path);
}

static void write_secrets(struct writer *w)
{
	for (size_t i = 0; i < w->l->count; i++) {
		const struct learn_path *p = &w->l->path[i];

		if (!(p->access & LEARN_SECRET))
			continue;
		if (w->l->with_secrets)
			comment(w, "fs", "%s: a secret that is granted by --secrets", p->path);
		else
			tell(w,
			     "%s: a secret that the program has used, and it is not granted; "
			     "--secrets grants it",
			     p->path);
	}
}

static int write_files(struct writer *w, struct error *err)
{
	struct learn_roots roots;
	int rc = learn_join(w->l->base, w->l->path, w->l->count, &roots, err);

	if (rc < 0)
		return rc;
	write_operations(w);
	for (size_t i = 0; i < roots.count; i++)
		write_root(w, &roots.item[i]);
	write_apart(w, &roots);
	write_whiteouts(w);
	learn_roots_free(&roots);
	write_secrets(w);
	if (w->l->more)
		tell(w, "%llu uses of files are not in the policy: there were more than %d paths",
		     (unsigned long long)w->l->more, LEARN_PATHS_MAX);
	return 0;
}

/* --- the network, sockets ----------------------------------------------------------------------
 */

static void write_ports(struct writer *w, enum sandbox_port kind, const char *key)
{
	for (unsigned port = kind == SANDBOX_PORT_BIND ? 0 : 1; port < 65536; port++)
		if (learn_net_has(&w->l->net, kind, port))
			append(w, "net", key, json_integer(port));
}

static bool is_let(const struct writer *w, enum sandbox_syscalls group)
{
	return w->l->groups >> group & 1 ||
	       w->l->base->syscalls[group].kind == SANDBOX_ACTION_ALLOW;
}

/* What makes sockets past the filter needs a network that keeps its promise without the filter. */
static enum sandbox_net net_mode(struct writer *w)
{
	const enum sandbox_net mode = learn_net_mode(&w->l->net);
	const bool foreign = is_let(w, SANDBOX_SYSCALLS_FOREIGN_ABI);

	if ((!foreign && !is_let(w, SANDBOX_SYSCALLS_IO_URING)) ||
	    (mode != SANDBOX_NET_NONE && mode != SANDBOX_NET_TCP))
		return mode;
	comment(w, "net", "it is not \"%s\", since syscalls.%s makes sockets past the filter",
		policy_nets.name[mode], foreign ? "foreign_abi" : "io_uring");
	return mode == SANDBOX_NET_NONE ? SANDBOX_NET_LOOPBACK : SANDBOX_NET_FULL;
}

static void write_net(struct writer *w)
{
	static const char *const why[SANDBOX_NETS] = {
		[SANDBOX_NET_NONE] = "no socket of the internet was made, nor networks asked for",
		[SANDBOX_NET_LOOPBACK] =
			"nothing but the program itself was connected to: on a loopback of its own "
			"nobody else can connect to it",
		[SANDBOX_NET_TCP] = "TCP went to these ports, on whatever host",
		[SANDBOX_NET_FULL] =
			"something other than TCP to known ports was sent (UDP, as names are "
			"looked up by, or TCP to a port that the system chose)",
	};
	const enum sandbox_net mode = net_mode(w);

	set(w, "net", "mode", json_string(policy_nets.name[mode]));
	comment(w, "net", "%s", why[learn_net_mode(&w->l->net)]);
	if (mode != SANDBOX_NET_TCP)
		return;
	write_ports(w, SANDBOX_PORT_CONNECT, "tcp_connect");
	write_ports(w, SANDBOX_PORT_BIND, "tcp_bind");
}

static void write_unix(struct writer *w)
{
	if (w->l->any_abstract) {
		set(w, "unix_sockets", "mode", json_string("all"));
		comment(w, "unix_sockets",
			"a socket that has no file was connected to, and is not "
			"the program's own");
	}
	for (size_t i = 0; i < w->l->count; i++) {
		const struct learn_path *p = &w->l->path[i];

		if ((p->access & (LEARN_SOCKET | LEARN_BOUND)) != LEARN_SOCKET)
			continue;
		append(w, "unix_sockets", "paths", path_value(w, p->path, false));
		comment(w, "unix_sockets", "%s: it was connected to, or sent to", p->path);
	}
}

/* --- system calls, limits, variables -----------------------------------------------------------
 */

static void write_calls(struct writer *w)
{
	const struct sandbox_action *base = w->l->base->syscalls;

	for (size_t i = 0; i < policy_key_count; i++) {
		const struct policy_key *key = &policy_keys[i];
		const bool used = key->kind == POLICY_ACTION && w->l->groups >> key->index & 1;

		if (key->kind != POLICY_ACTION || key->index == SANDBOX_SYSCALLS_PROCESSES)
			continue;
		if (used || base[key->index].kind == SANDBOX_ACTION_ALLOW) {
			set(w, "syscalls", key->name, json_string("allow"));
			comment(w, "syscalls", "%s: %s", key->name,
				used ? "a call of the group was made" : "by --allow");
		}
	}
	if (is_let(w, SANDBOX_SYSCALLS_FOREIGN_ABI))
		tell(w, "what 32-bit programs have used is not seen, and not in the policy");
	if (w->l->any_queue)
		tell(w,
		     "a message queue of POSIX was opened, and it is not granted: Landlock has no "
		     "rule for one; strictness.landlock-fs = \"off\" lets it");
	if (!(w->l->groups >> SANDBOX_SYSCALLS_PROCESSES & 1)) {
		set(w, "syscalls", "processes", json_string("EPERM"));
		comment(w, "syscalls", "no process was started");
	}
}

static uint64_t largest_file_mb(const struct learn *l)
{
	uint64_t largest = 0;
	struct stat st;

	for (size_t i = 0; i < l->count; i++)
		if (l->path[i].access & LEARN_WRITTEN && stat(l->path[i].path, &st) == 0 &&
		    S_ISREG(st.st_mode) && (uint64_t)st.st_size > largest)
			largest = (uint64_t)st.st_size;
	return (largest + (1 << 20) - 1) >> 20;
}

struct used_limit {
	const char *key, *what;
	enum sandbox_limit limit;
	uint64_t used;
};

/* What has come near a limit gets twice what it used; what a process has set for itself it must be
 * able to set. */
static void write_limit(struct writer *w, const struct used_limit *row)
{
	const uint64_t own = policy_limit_default(row->limit), raised = w->l->raised[row->limit];
	const bool is_near = row->used > own / 2, is_raised = raised > own;
	const uint64_t twice = is_near ? 2 * row->used : 0;
	const uint64_t value = is_raised && raised > twice ? raised : twice;

	if (!is_near && !is_raised)
		return;
	set(w, "limits", row->key,
	    value > policy_limit_max(row->limit) ? json_null() : json_integer((json_int_t)value));
	if (is_near)
		comment(w, "limits", "%s: %llu %s", row->key, (unsigned long long)row->used,
			row->what);
	if (is_raised)
		comment(w, "limits", "%s: the program has set its own limit to %llu", row->key,
			(unsigned long long)raised);
}

static void write_limits(struct writer *w)
{
	const struct rusage *usage = &w->end->usage;
	const struct used_limit used[] = {
		{"memory_mb", "MiB of memory in one process", SANDBOX_LIMIT_MEMORY_MB,
		 (uint64_t)usage->ru_maxrss / 1024},
		{"cpu_s", "s of processor time, of all processes", SANDBOX_LIMIT_CPU_S,
		 (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec)},
		{"processes", "processes and threads at a time", SANDBOX_LIMIT_PROCESSES,
		 w->end->most_tasks},
		{"files", "was the highest number of an open file", SANDBOX_LIMIT_FILES,
		 (uint64_t)w->l->most_fds},
		{"file_mb", "MiB has the largest of the files that are still there",
		 SANDBOX_LIMIT_FILE_MB, largest_file_mb(w->l)},
		{"core_mb", "", SANDBOX_LIMIT_CORE_MB, 0},
	};

	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		write_limit(w, &used[i]);
}

static void write_env(struct writer *w)
{
	const struct policy_variables *keep = &w->l->base->keep, *own = &w->l->base->set;

	if (!w->end->with_env)
		return;
	for (size_t i = 0; i < keep->count; i++)
		append(w, "env", "keep", json_string(keep->item[i].name));
	for (size_t i = 0; i < own->count; i++) {
		if (i == 0)
			set(w, "env", "set", json_object());
		if (json_object_set_new(json_object_get(section(w, "env"), "set"),
					own->item[i].name, json_string(own->item[i].value)) < 0)
			w->failed = true;
	}
	comment(w, "env",
		"the default, and what --env named: which variables were read cannot be "
		"known");
}

/* --- all of it ---------------------------------------------------------------------------------
 */

int learn_write(const struct learn *l, const struct learn_end *end, struct buf *out,
		sandbox_say say, void *say_ctx, struct error *err)
{
	struct writer w = {.l = l, .end = end, .say = say, .ctx = say_ctx};
	int rc;

	if (l->failure.code)
		return error_set(err, l->failure.code, "%s", l->failure.text);
	w.top = json_pack("{s:i}", "version", POLICY_VERSION);
	if (!w.top)
		return error_no_memory(err);
	comment(&w, NULL,
		"Learnt by sandtape learn from one run: what another run does besides is "
		"denied. What is not said here is as in the default policy.");
	rc = write_files(&w, err);
	write_net(&w);
	write_unix(&w);
	write_calls(&w);
	write_limits(&w);
	write_env(&w);
	if (rc == 0 && (w.failed || jsontext_dump(w.top, JSON_INDENT(2), out) < 0 ||
			buf_add_char(out, '\n') < 0))
		rc = error_no_memory(err);
	json_decref(w.top);
	return rc;
}
