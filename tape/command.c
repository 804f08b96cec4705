#include "tape/command_parts.h"

#include "base/cleanup.h"
#include "tape/files.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static void tape_destroy(struct tape *t)
{
	for (size_t i = 0; i < t->divergence_count; i++)
		command_divergence_free(t->divergences[i]);
	free(t->divergences);
	tape_writer_free(t->writer);
	orders_free(t->orders);
	matcher_free(t->matcher);
	tape_reader_free(t->reader);
	session_close(&t->session);
	if (t->own_clock)
		tape_clock_free(t->clock);
	pthread_mutex_destroy(&t->lock);
	free(t->path);
	free(t);
}

static void unref(struct tape *t)
{
	bool last;

	pthread_mutex_lock(&t->lock);
	last = --t->refs == 0;
	pthread_mutex_unlock(&t->lock);
	if (last)
		tape_destroy(t);
}

static int check_config(const struct tape_config *config, struct error *err)
{
	if (!config || !config->tape || !config->tape[0])
		return error_set(err, ERR_INVALID, "a tape needs the name of its directory");
	if (config->mode < TAPE_REPLAY || config->mode > TAPE_NEW_EPISODES)
		return error_set(err, ERR_INVALID, "there is no mode %d", (int)config->mode);
	if (config->order < TAPE_ORDER_CAUSAL || config->order > TAPE_ORDER_ANY)
		return error_set(err, ERR_INVALID, "there is no order %d", (int)config->order);
	if (config->mode == TAPE_NEW_EPISODES && config->order == TAPE_ORDER_STRICT)
		return error_set(err, ERR_INVALID,
				 "new episodes have no strict order: what is new has no place in "
				 "it");
	return 0;
}

/* Whether there is something to answer from. A killed first recording is begun again. */
static bool has_old(const struct tape *t)
{
	if (t->mode == TAPE_RECORD)
		return false;
	if (t->mode == TAPE_REPLAY || tape_file_exists(t->path, TAPE_FILE))
		return true;
	return t->mode == TAPE_NEW_EPISODES && tape_file_exists(t->path, JOURNAL_FILE);
}

static void say_warnings(const struct tape *t, const struct tape_config *config)
{
	for (size_t i = 0; config->say && i < tape_reader_warning_count(t->reader); i++)
		config->say(config->say_ctx, TAPE_WARNING, tape_reader_warning(t->reader, i));
}

static int open_old(struct tape *t, const struct tape_config *config, struct error *err)
{
	int r = tape_reader_open(t->path, &t->reader, err);

	if (r < 0)
		return r;
	say_warnings(t, config);
	t->matcher = matcher_new(t->reader);
	if (!t->matcher)
		return error_no_memory(err);
	return orders_new(t->reader, t->matcher, t->order, &t->orders, err);
}

static int open_clock(struct tape *t, struct error *err)
{
	int r = 0;

	if (!t->clock) {
		r = tape_clock_real_new(&t->clock, err);
		t->own_clock = r == 0;
	}
	if (r == 0)
		t->opened_ns = tape_clock_now(t->clock);
	return r;
}

static int open_parts(struct tape *t, const struct tape_config *config, struct error *err)
{
	const struct tape_options options = {.env = config->env, .roots = config->roots};
	int r = t->path ? 0 : error_no_memory(err);
	bool old = r == 0 && has_old(t);

	if (old)
		r = open_old(t, config, err);
	if (r == 0)
		r = session_open(&options, old ? tape_reader_head(t->reader) : NULL, &t->session,
				 err);
	if (r == 0)
		r = open_clock(t, err);
	if (r < 0 || old) {
		t->mode = t->mode == TAPE_ONCE ? TAPE_REPLAY : t->mode;
		return r;
	}
	t->mode = TAPE_RECORD;
	return command_open_writer(t, err);
}

int tape_open(const struct tape_config *config, struct tape **ret, struct error *err)
{
	struct tape *t;
	int r = check_config(config, err);

	if (r == 0 && !ret)
		r = error_set(err, ERR_INVALID, "there is no place for the tape");
	if (r < 0)
		return r;
	t = calloc(1, sizeof(*t));
	if (!t)
		return error_no_memory(err);
	pthread_mutex_init(&t->lock, NULL); /* cannot fail without attributes */
	t->refs = 1;
	t->path = tape_dir_name(config->tape);
	t->mode = config->mode;
	t->order = config->order;
	t->sync = config->sync;
	t->clock = config->clock;
	t->launch = config->launch ? config->launch : tape_launch;
	t->launch_ctx = config->launch_ctx;
	r = open_parts(t, config, err);
	if (r < 0) {
		tape_destroy(t);
		return r;
	}
	*ret = t;
	return 0;
}

bool tape_is_recording(const struct tape *t)
{
	return t && t->mode != TAPE_REPLAY;
}

/* With the lock. */
static int check_open(const struct tape *t, struct error *err)
{
	return t->closed ? error_set(err, ERR_INVALID, "the tape %s is closed", t->path) : 0;
}

/* With the lock. */
static int close_it(struct tape *t, struct error *err)
{
	int r = check_open(t, err);

	if (r < 0)
		return r;
	if (t->pending)
		return error_set(err, ERR_BUSY,
				 "%zu commands of %s are not collected: collect or free them first",
				 t->pending, t->path);
	t->closed = true;
	return t->writer ? tape_writer_finish(t->writer, err) : 0;
}

int tape_close(struct tape *t, struct error *err)
{
	int r;

	if (!t)
		return error_set(err, ERR_INVALID, "there is no tape to close");
	pthread_mutex_lock(&t->lock);
	r = close_it(t, err);
	/* Its lock ends with it: others may record now. */
	if (t->closed) {
		tape_writer_free(t->writer);
		t->writer = NULL;
	}
	pthread_mutex_unlock(&t->lock);
	return r;
}

void tape_free(struct tape *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->closed = true;
	pthread_mutex_unlock(&t->lock);
	unref(t);
}

/* "." and empty components say nothing; ".." does, since a link may be before it. */
static int add_path(struct buf *out, const char *path)
{
	int r = 0;

	while (r == 0 && *path) {
		size_t len = strcspn(path, "/");

		if (len > 0 && !(len == 1 && path[0] == '.')) {
			r = buf_add_char(out, '/');
			if (r == 0)
				r = buf_add(out, path, len);
		}
		path += len + (path[len] == '/');
	}
	return r;
}

/* Where the command runs, as a path from the root; empty when the process's directory is gone. */
static int find_cwd(const char *cwd, struct buf *ret, struct error *err)
{
	char here[PATH_MAX];
	int r = 0;

	if (!cwd || cwd[0] != '/') {
		if (!getcwd(here, sizeof(here)) || here[0] != '/')
			return 0;
		r = add_path(ret, here);
	}
	if (r == 0 && cwd)
		r = add_path(ret, cwd);
	if (r == 0 && ret->len == 0)
		r = buf_add_char(ret, '/');
	return r < 0 ? error_no_memory(err) : 0;
}

static size_t count_strings(const char *const *list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	return count;
}

/* Both lists as bytes, in one block. NULL when out of memory. */
static struct bytes *list_bytes(const char *const *argv, size_t argc, const char *const *env,
				size_t env_count)
{
	struct bytes *list = calloc(argc + env_count, sizeof(*list));

	for (size_t i = 0; list && i < argc + env_count; i++)
		list[i] = bytes_of_str(i < argc ? argv[i] : env[i - argc]);
	return list;
}

static int fill_unit(struct tape_child *c, const struct tape_command *command,
		     const struct buf *cwd, struct error *err)
{
	const struct session *session = &c->tape->session;
	const char *const *env = command->env ? command->env : (const char *const *)environ;
	size_t argc = count_strings(command->argv);
	size_t env_count = session->env.count ? count_strings(env) : 0;
	cleanup_free struct bytes *list = list_bytes(command->argv, argc, env, env_count);
	const struct process root = {.subject_id = 0};
	struct exec_request request;

	if (!list)
		return error_no_memory(err);
	request = (struct exec_request){
		.path = list[0],
		.argv = list,
		.argc = argc,
		.env = list + argc,
		.env_count = env_count,
		.cwd = {cwd->len ? cwd->data : "", cwd->len},
	};
	return session_unit(session, &root, &request, &c->unit) < 0 ? error_no_memory(err) : 0;
}

static int check_command(const struct tape *t, const struct tape_command *command, const void *ret,
			 struct error *err)
{
	if (!t || !command || !ret)
		return error_set(err, ERR_INVALID,
				 "a tape, a command and a place for what comes of it are needed");
	if (!command->argv || !command->argv[0])
		return error_set(err, ERR_INVALID, "a command has no program");
	if (!command->input && command->input_len)
		return error_set(err, ERR_INVALID,
				 "a command has the length of an input, but none");
	return 0;
}

static void child_destroy(struct tape_child *c)
{
	running_clear(&c->running);
	unit_clear(&c->unit);
	unref(c->tape);
	free(c);
}

/* Takes a reference to the tape. */
static int child_new(struct tape *t, const struct tape_command *command, struct tape_child **ret,
		     struct error *err)
{
	struct tape_child *c = calloc(1, sizeof(*c));

	if (!c)
		return error_no_memory(err);
	pthread_mutex_lock(&t->lock);
	t->refs++;
	pthread_mutex_unlock(&t->lock);
	c->tape = t;
	c->merge = command->merge;
	c->has_input = command->input != NULL;
	c->started_ns = tape_clock_now(t->clock);
	running_init(&c->running);
	*ret = c;
	return 0;
}

/* With the lock: finds the answer, or makes the tape ready for a new record. Then it is pending. */
static int prepare(struct tape_child *c, const struct tape_command *command, struct error *err)
{
	struct tape *t = c->tape;
	int r = check_open(t, err);

	if (r == 0 && t->reader)
		r = command_find(c, command, &c->replayed, err);
	if (r == 0 && !c->replayed)
		r = command_open_writer(t, err);
	if (r == 0)
		t->pending++;
	return r;
}

/* It is collected, freed, or could not be started. */
static void end_pending(struct tape_child *c)
{
	pthread_mutex_lock(&c->tape->lock);
	c->state = CHILD_DONE;
	c->tape->pending--;
	pthread_mutex_unlock(&c->tape->lock);
}

static int spawn_child(struct tape_child *c, const struct tape_command *command, struct error *err)
{
	cleanup_buf struct buf cwd = BUF_INIT;
	int r = find_cwd(command->cwd, &cwd, err);

	if (r == 0)
		r = fill_unit(c, command, &cwd, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&c->tape->lock);
	r = prepare(c, command, err);
	pthread_mutex_unlock(&c->tape->lock);
	if (r < 0 || c->replayed)
		return r;
	r = command_start(c, command, command->cwd ? cwd.data : NULL, err);
	if (r < 0)
		end_pending(c);
	return r;
}

int tape_spawn(struct tape *t, const struct tape_command *command, struct tape_child **ret,
	       struct error *err)
{
	struct tape_child *c = NULL;
	int r = check_command(t, command, ret, err);

	if (r == 0)
		r = child_new(t, command, &c, err);
	if (r < 0)
		return r;
	r = spawn_child(c, command, err);
	if (r < 0) {
		child_destroy(c);
		return r;
	}
	*ret = c;
	return 0;
}

/* It is this call that collects it, and no other. */
static int begin_collect(struct tape_child *c, struct error *err)
{
	int r;

	pthread_mutex_lock(&c->tape->lock);
	r = check_open(c->tape, err);
	if (r == 0 && c->state != CHILD_SPAWNED)
		r = error_set(err, ERR_INVALID, "a command can be collected once");
	if (r == 0)
		c->state = CHILD_COLLECTING;
	pthread_mutex_unlock(&c->tape->lock);
	return r;
}

int tape_collect(struct tape_child *child, struct tape_result *ret, struct error *err)
{
	struct tape_result result = {.code = -1};
	int r;

	if (!child || !ret)
		return error_set(err, ERR_INVALID, "a child and a place for its result are needed");
	r = begin_collect(child, err);
	if (r < 0)
		return r;
	r = child->replayed ? command_answer(child, &result, err)
			    : command_finish(child, &result, err);
	end_pending(child);
	if (r == 0)
		*ret = result;
	return r;
}

void tape_child_free(struct tape_child *child)
{
	if (!child)
		return;
	if (child->state == CHILD_SPAWNED)
		end_pending(child);
	child_destroy(child);
}

void command_set_end(const struct unit *u, struct tape_result *ret)
{
	const struct unit_end *end = &u->end;

	ret->code = end->how == END_EXITED ? end->code : -1;
	ret->signal = end->how == END_SIGNALED ? end->signal : 0;
	ret->exec_errno = end->how == END_EXEC_FAILED ? end->exec_errno : 0;
	ret->core = end->core;
	ret->timed_out = end->timeout;
}

void tape_result_clear(struct tape_result *result)
{
	if (!result)
		return;
	free(result->out);
	free(result->err);
	*result = (struct tape_result){.code = 0};
}

int tape_run(struct tape *t, const struct tape_command *command, struct tape_result *ret,
	     struct error *err)
{
	struct tape_child *child = NULL;
	int r = check_command(t, command, ret, err);

	if (r == 0)
		r = tape_spawn(t, command, &child, err);
	if (r == 0)
		r = tape_collect(child, ret, err);
	tape_child_free(child);
	return r;
}

size_t tape_unused(struct tape *t)
{
	size_t count;

	if (!t || !t->reader)
		return 0;
	pthread_mutex_lock(&t->lock);
	count = matcher_unused(t->matcher);
	pthread_mutex_unlock(&t->lock);
	return count;
}

/* With the lock. The index on the tape of the `nth` unused record. Who asks for one after the other
 * goes on where the last one was. */
static int find_unused(struct tape *t, size_t nth, size_t *ret, struct error *err)
{
	size_t count = t->reader ? tape_reader_count(t->reader) : 0;
	size_t unused = t->reader ? matcher_unused(t->matcher) : 0;
	struct unused_place place = t->unused_place;

	if (place.unused != unused || place.nth > nth)
		place = (struct unused_place){.unused = unused};
	for (; place.at < count; place.at++) {
		if (matcher_is_used(t->matcher, place.at))
			continue;
		if (place.nth == nth) {
			t->unused_place = place;
			*ret = place.at;
			return 0;
		}
		place.nth++;
	}
	return error_set(err, ERR_NOTFOUND, "%s has no such unused record", t->path);
}

int tape_unused_text(struct tape *t, size_t index, char **ret_text, struct error *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct unit record = {0};
	char id[UNIT_ID_SIZE];
	size_t at = 0;
	int r;

	if (!t || !ret_text)
		return error_set(err, ERR_INVALID, "a tape and a place for the text are needed");
	pthread_mutex_lock(&t->lock);
	r = find_unused(t, index, &at, err);
	pthread_mutex_unlock(&t->lock);
	if (r == 0)
		r = tape_reader_command(t->reader, at, &record, err);
	if (r < 0)
		return r;
	unit_id_format(tape_reader_id(t->reader, at), id);
	if (buf_addf(&text, "%s: ", id) < 0 || unit_add_text(&text, &record) < 0)
		r = error_no_memory(err);
	unit_clear(&record);
	if (r == 0)
		*ret_text = buf_steal(&text);
	return r;
}

size_t tape_divergence_count(struct tape *t)
{
	size_t count;

	if (!t)
		return 0;
	pthread_mutex_lock(&t->lock);
	count = t->divergence_count;
	pthread_mutex_unlock(&t->lock);
	return count;
}

const struct tape_divergence *tape_divergence_at(struct tape *t, size_t index)
{
	const struct tape_divergence *d = NULL;

	if (!t)
		return NULL;
	pthread_mutex_lock(&t->lock);
	if (index < t->divergence_count)
		d = t->divergences[index];
	pthread_mutex_unlock(&t->lock);
	return d;
}

const struct tape_divergence *tape_last_divergence(struct tape *t)
{
	const struct tape_divergence *d = NULL;

	if (!t)
		return NULL;
	pthread_mutex_lock(&t->lock);
	for (size_t i = t->divergence_count; !d && i > 0; i--) {
		if (command_divergence_is_mine(t->divergences[i - 1]))
			d = t->divergences[i - 1];
	}
	pthread_mutex_unlock(&t->lock);
	return d;
}
