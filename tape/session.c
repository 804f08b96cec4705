#include "tape/session.h"

#include "base/cleanup.h"
#include "base/monotonic.h"
#include "base/text.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t session_now(const struct session *s)
{
	return monotonic_ns() - s->start_ns;
}

void session_say(const struct session *s, enum tape_level level, const char *format, ...)
{
	cleanup_free char *line = NULL;
	va_list args;

	va_start(args, format);
	line = s->say ? text_formatted(format, args) : NULL;
	va_end(args);
	if (line)
		s->say(s->say_ctx, level, line);
}

#define NO_NEW_PRIVS "since sandtape's filter needs no_new_privs: run sandtape as root to keep "

static const char *const limit_text[] = {
	[LIMIT_TRACES] = "traces other processes (a debugger, strace, LeakSanitizer), which fails "
			 "here, where they are traced already: run it without sandtape, or "
			 "LeakSanitizer with ASAN_OPTIONS=detect_leaks=0",
	[LIMIT_SET_USER] = "is set-user-ID and runs without its privilege, " NO_NEW_PRIVS "it",
	[LIMIT_SET_GROUP] = "is set-group-ID and runs without its privilege, " NO_NEW_PRIVS "it",
	[LIMIT_CAPABILITIES] =
		"has capabilities of its own (setcap) and runs without them, " NO_NEW_PRIVS "them",
};

int session_tell_limit(struct session *s, enum intercept_limit limit, const char *program,
		       struct error *err)
{
	for (size_t i = 0; i < s->limited.count; i++) {
		if (strcmp(s->limited.item[i], program) == 0)
			return 0;
	}
	if (strings_add(&s->limited, program) < 0)
		return error_no_memory(err);
	session_say(s, TAPE_WARNING, "warning: %s %s", program, limit_text[limit]);
	return 0;
}

/* "/" as a root would put a placeholder into every path: it is left out. */
static int add_default_root(struct roots *roots, const char *name, const char *dir,
			    struct error *err)
{
	if (!dir || dir[0] != '/' || dir[strspn(dir, "/")] == '\0')
		return 0;
	return roots_add(roots, name, dir, err);
}

static int add_default_roots(struct roots *roots, struct error *err)
{
	char cwd[PATH_MAX];
	const char *tmp = getenv("TMPDIR");
	int r;

	if (!getcwd(cwd, sizeof(cwd)))
		return error_sys(err, errno, "cannot tell the current directory");
	r = add_default_root(roots, "WORK", cwd, err);
	if (r == 0)
		r = add_default_root(roots, "HOME", getenv("HOME"), err);
	if (r == 0)
		r = add_default_root(roots, "TMP", tmp && tmp[0] ? tmp : "/tmp", err);
	return r;
}

static int add_root_option(struct roots *roots, const char *option, struct error *err)
{
	const char *equals = strchr(option, '=');
	cleanup_free char *name = NULL;
	cleanup_free char *dir = NULL;

	if (!equals)
		return error_set(err, ERR_INVALID, "root '%s' is not NAME=DIR", option);
	name = strndup(option, (size_t)(equals - option));
	if (!name)
		return error_no_memory(err);
	dir = realpath(equals + 1, NULL);
	if (!dir && errno == ENOMEM)
		return error_no_memory(err);
	if (!dir)
		return error_sys(err, errno, "root %s: cannot find %s", name, equals + 1);
	return roots_add(roots, name, dir, err);
}

static int add_unique(struct strings *list, const char *text, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->item[i], text) == 0)
			return 0;
	}
	return strings_add(list, text) < 0 ? error_no_memory(err) : 0;
}

static int add_all(struct strings *list, const char *const *items, const struct strings *more,
		   struct error *err)
{
	int r = 0;

	for (; r == 0 && items && *items; items++)
		r = add_unique(list, *items, err);
	for (size_t i = 0; r == 0 && more && i < more->count; i++)
		r = add_unique(list, more->item[i], err);
	return r;
}

static int check_env_names(const struct strings *names, struct error *err)
{
	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->item[i];

		if (strcmp(name, "PATH") == 0)
			return error_set(err, ERR_INVALID,
					 "PATH cannot count for matching: it differs from machine "
					 "to machine, and tapes must not");
		if (name[0] == '\0' || strchr(name, '='))
			return error_set(err, ERR_INVALID,
					 "'%s' is not the name of an environment variable", name);
	}
	return 0;
}

/* A NULL behind the last item, which `count` does not see: for lists that C walks to the NULL. */
static int terminate(struct strings *list, struct error *err)
{
	char **grown = realloc(list->item, (list->count + 1) * sizeof(*grown));

	if (!grown)
		return error_no_memory(err);
	grown[list->count] = NULL;
	list->item = grown;
	return 0;
}

int session_open(const struct tape_options *options, const struct tape_head *head,
		 struct session *ret, struct error *err)
{
	struct session s = {.say = options->say, .say_ctx = options->say_ctx};
	int r;

	s.roots = roots_new();
	if (!s.roots)
		return error_no_memory(err);
	r = add_default_roots(s.roots, err);
	for (const char *const *root = options->roots; r == 0 && root && *root; root++)
		r = add_root_option(s.roots, *root, err);
	if (r == 0)
		r = add_all(&s.env, options->env, head ? &head->env : NULL, err);
	if (r == 0)
		r = check_env_names(&s.env, err);
	if (r == 0)
		r = add_all(&s.through, options->through, NULL, err);
	if (r == 0)
		r = add_all(&s.real, options->real, NULL, err);
	if (r == 0)
		r = terminate(&s.through, err);
	if (r == 0)
		r = terminate(&s.real, err);
	if (r < 0) {
		session_close(&s);
		return r;
	}
	s.rules = (struct subject_rules){s.through.item, s.real.item};
	s.start_ns = monotonic_ns();
	*ret = s;
	return 0;
}

void session_close(struct session *s)
{
	roots_free(s->roots);
	strings_clear(&s->env);
	strings_clear(&s->through);
	strings_clear(&s->real);
	strings_clear(&s->limited);
	*s = (struct session){0};
}

int session_check_roots(const struct session *s, const struct tape_head *head, const char *tape,
			struct error *err)
{
	for (size_t i = 0; i < head->roots.count; i++) {
		const char *name = head->roots.item[i];

		if (!roots_dir(s->roots, name))
			return error_set(
				err, ERR_INVALID,
				"%s was recorded with the root %s: say where it is, with --root "
				"%s=DIR or in the roots of the library's options",
				tape, name, name);
	}
	return 0;
}

void session_warn_unrestricted(const struct tape_options *options, const struct tape_head *head)
{
	if (head->restricted.count > 0 && !options->confiner && options->say)
		options->say(options->say_ctx, TAPE_WARNING,
			     "warning: the commands of the tape were restricted by a policy, and "
			     "those that run now are not");
}

int session_intercept(const struct session *s, const struct tape_options *options,
		      struct intercept_options *ret, struct error *err)
{
	int r = options->backend ? intercept_backend_find(options->backend, &ret->backend, err) : 0;

	if (r < 0)
		return r;
	ret->argv = options->argv;
	ret->want_env = s->env.count > 0;
	ret->confiner = options->confiner;
	if (ret->backend == INTERCEPT_PTRACE)
		return 0;
	if (options->confiner)
		return error_set(err, ERR_UNSUPPORTED,
				 "commands can be restricted by the backend ptrace only, not by %s",
				 options->backend);
	ret->shim_path = options->shim;
	ret->library_path = options->library;
	if (!options->shim || !options->library)
		return error_set(err, ERR_INVALID,
				 "the backend %s needs the paths of the shim and of the library",
				 options->backend);
	session_say(s, TAPE_WARNING,
		    "commands are caught by the backend %s, which does not see all that ptrace "
		    "does (BACKENDS in sandtape(1))",
		    options->backend);
	return 0;
}

static int add_encoded_arg(const struct session *s, struct unit *u, struct bytes arg)
{
	cleanup_buf struct buf encoded = BUF_INIT;
	int r = roots_encode(s->roots, arg.data, arg.len, &encoded);

	return r < 0 ? r : unit_add_arg(u, encoded.data, encoded.len);
}

/* The value of `name` in the new program's environment, if it has one. */
static bool find_env(const struct exec_request *request, const char *name, struct bytes *ret)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < request->env_count; i++) {
		struct bytes pair = request->env[i];

		if (pair.len > len && pair.data[len] == '=' && memcmp(pair.data, name, len) == 0) {
			*ret = (struct bytes){pair.data + len + 1, pair.len - len - 1};
			return true;
		}
	}
	return false;
}

static int add_env(const struct session *s, struct unit *u, const struct exec_request *request)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->env.count; i++) {
		const char *name = s->env.item[i];
		cleanup_buf struct buf encoded = BUF_INIT;
		struct bytes value;

		if (!find_env(request, name, &value))
			continue;
		r = roots_encode(s->roots, value.data, value.len, &encoded);
		if (r == 0)
			r = unit_add_env(u, bytes_of_str(name),
					 (struct bytes){encoded.data, encoded.len});
	}
	return r;
}

int session_unit(const struct session *s, const struct process *p,
		 const struct exec_request *request, struct unit *ret)
{
	struct unit u = {0};
	int r = buf_addf(&u.parent, "%u", p->subject_id);

	for (size_t i = 0; r == 0 && i < request->argc; i++)
		r = add_encoded_arg(s, &u, request->argv[i]);
	if (r == 0)
		r = roots_encode(s->roots, request->cwd.data, request->cwd.len, &u.cwd);
	if (r == 0)
		r = add_env(s, &u, request);
	if (r == 0)
		r = roots_encode(s->roots, request->path.data, request->path.len, &u.time.program);
	if (r == 0)
		r = unit_key(&u, &u.id.key);
	if (r < 0) {
		unit_clear(&u);
		return r;
	}
	*ret = u;
	return 0;
}

bool session_decide(struct session *s, const struct process *p, const struct exec_request *request,
		    struct exec_decision *ret)
{
	bool spreads = false;

	switch (subject_judge(&s->rules, p, request, &spreads)) {
	case SUBJECT_REAL:
		*ret = (struct exec_decision){.action = EXEC_REAL};
		return false;
	case SUBJECT_UNIT:
		return true;
	default:
		*ret = (struct exec_decision){.action = EXEC_SUBJECT, .spreads = spreads};
		ret->hands_over = subject_hands_over(p, request);
		ret->subject_id = p->in_place ? p->subject_id : ++s->subject_programs;
		return false;
	}
}
