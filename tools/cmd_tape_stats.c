/* sandtape tape stats */
#include "tools/command.h"

#include "base/cleanup.h"
#include "tape/reader.h"
#include "tools/options.h"
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct program {
	char *name;
	size_t count;
	size_t failed;
	uint64_t duration_ns;
	uint64_t bytes;
};

struct stats {
	void *tree; /* of struct program, by name */
	struct program **by_time;
	size_t programs;
	struct program total;
	size_t unfinished;
};

static const struct option options[] = {
	{"--help", 'h', OPTION_FLAG, NULL, 0, "print this help"},
};
static const struct option_table table = {options, sizeof(options) / sizeof(options[0])};

static void help(void)
{
	options_print_help(&table);
}

static int compare_names(const void *a, const void *b)
{
	const struct program *pa = a;
	const struct program *pb = b;

	return strcmp(pa->name, pb->name);
}

static int compare_times(const void *a, const void *b)
{
	const struct program *pa = *(struct program *const *)a;
	const struct program *pb = *(struct program *const *)b;

	if (pa->duration_ns != pb->duration_ns)
		return pa->duration_ns < pb->duration_ns ? 1 : -1;
	return strcmp(pa->name, pb->name);
}

static void free_program(void *program)
{
	struct program *p = program;

	free(p->name);
	free(p);
}

/* The program of argv[0]; NULL when out of memory. */
static struct program *find_program(struct stats *s, const struct unit *u)
{
	const char *name = u->argc && u->argv[0].len ? u->argv[0].data : "(none)";
	const char *slash = strrchr(name, '/');
	struct program wanted = {.name = (char *)(slash ? slash + 1 : name)};
	struct program **found = tfind(&wanted, &s->tree, compare_names);
	struct program *made;

	if (found)
		return *found;
	made = calloc(1, sizeof(*made));
	if (made)
		made->name = strdup(wanted.name);
	if (!made || !made->name || !tsearch(made, &s->tree, compare_names)) {
		free(made);
		return NULL;
	}
	s->programs++;
	return made;
}

static void add_unit(struct program *p, const struct unit *u)
{
	p->count++;
	p->duration_ns += u->time.duration_ns;
	if (u->end.how != END_EXITED || u->end.code != 0)
		p->failed++;
	for (size_t i = 0; i < u->stream_count; i++) {
		if (!stream_is_input(u->streams[i].fd))
			p->bytes += u->streams[i].data.size + u->streams[i].tail.size;
	}
}

static int collect(const struct tape_reader *r, struct stats *s, struct error *err)
{
	for (size_t i = 0; i < tape_reader_count(r); i++) {
		struct unit u = {0};
		struct program *p;
		int rc = tape_reader_unit(r, i, &u, err);

		if (rc < 0)
			return rc;
		p = find_program(s, &u);
		if (p) {
			add_unit(p, &u);
			add_unit(&s->total, &u);
			s->unfinished += u.end.how == END_UNFINISHED;
		}
		unit_clear(&u);
		if (!p)
			return error_no_memory(err);
	}
	return 0;
}

static void list_program(const void *node, VISIT visit, void *stats)
{
	struct stats *s = stats;

	if (visit == postorder || visit == leaf)
		s->by_time[s->programs++] = *(struct program *const *)node;
}

static void print_row(const char *name, const struct program *p)
{
	printf("%-20s %8zu %8zu %12.3f %14" PRIu64 "\n", name, p->count, p->failed,
	       (double)p->duration_ns / 1e9, p->bytes);
}

static int print_stats(struct stats *s, struct error *err)
{
	s->by_time = calloc(s->programs + 1, sizeof(*s->by_time));
	if (!s->by_time)
		return error_no_memory(err);
	s->programs = 0;
	twalk_r(s->tree, list_program, s);
	qsort(s->by_time, s->programs, sizeof(*s->by_time), compare_times);
	printf("%-20s %8s %8s %12s %14s\n", "program", "commands", "failed", "seconds",
	       "output bytes");
	for (size_t i = 0; i < s->programs; i++)
		print_row(s->by_time[i]->name, s->by_time[i]);
	print_row("total", &s->total);
	if (s->unfinished > 0)
		printf("%zu unfinished: they still ran when the recording ended\n", s->unfinished);
	return 0;
}

static int show_stats(const char *path, struct error *err)
{
	struct stats s = {0};
	struct tape_reader *r;
	int rc = tape_reader_open(path, &r, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < tape_reader_warning_count(r); i++)
		fprintf(stderr, "sandtape: warning: %s\n", tape_reader_warning(r, i));
	rc = collect(r, &s, err);
	if (rc == 0)
		rc = print_stats(&s, err);
	tdestroy(s.tree, free_program);
	free(s.by_time);
	tape_reader_free(r);
	return rc;
}

static int run(const struct command *command, int argc, char **argv)
{
	struct error err = {0};
	bool want_help = false;
	int first, status;
	int rc = options_parse(&table, argc, argv, &want_help, &first, &err);

	if (rc == 0 && !want_help && first + 1 != argc)
		rc = error_set(&err, ERR_INVALID, "which tape? name one");
	if (!command_goes_on(command, rc, want_help, &err, &status))
		return status;
	return show_stats(argv[first], &err) < 0 ? command_fail(&err) : command_finish(EXIT_OK);
}

const struct command tape_stats_command = {
	"tape stats", "TAPE", "Prints how often each program ran, how long, and what it printed.",
	run, help};
