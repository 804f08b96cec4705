/*
 * The command line as a table: each command lists its options, and the parser, the help text and
 * the completions come from the same rows.
 */
#ifndef SANDTAPE_TOOLS_OPTIONS_H
#define SANDTAPE_TOOLS_OPTIONS_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

enum option_kind {
	OPTION_FLAG,   /* a bool */
	OPTION_STRING, /* a const char *, the last one counts */
	OPTION_LIST    /* a struct option_list */
};

/* Values of a repeatable option, NULL-terminated; borrowed from argv. */
struct option_list {
	const char **item;
	size_t count;
};

struct option {
	const char *name; /* "--root", or "-q" for one without a long name */
	char letter;	  /* 't' for -t, or 0 */
	enum option_kind kind;
	const char *value; /* "NAME=DIR" in the help; NULL for flags */
	size_t offset;	   /* of the target in the command's struct */
	const char *help;
};

struct option_table {
	const struct option *option;
	size_t count;
};

/*
 * Parses argv[1…] into `target` up to the first operand, "--" or the end; *ret_first is the index
 * of what comes next. ERR_INVALID with a sentence for anything that is not in the table.
 */
int options_parse(const struct option_table *table, int argc, char **argv, void *target,
		  int *ret_first, struct error *err);
/* Whether one of argv[1...], up to the first operand or what is in none of the tables, is the
 * option of this long name. */
bool options_mention(const struct option_table *const *tables, size_t count, int argc, char **argv,
		     const char *name);
void option_list_free(struct option_list *list);

/* "  -t, --tape TAPE   the tape, a directory" for each row, to stdout. */
void options_print_help(const struct option_table *table);

#endif
