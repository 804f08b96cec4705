#include "tools/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *target_of(void *target, const struct option *o)
{
	return (char *)target + o->offset;
}

static int add_to_list(struct option_list *list, const char *value, struct error *err)
{
	const char **grown = realloc(list->item, (list->count + 2) * sizeof(*grown));

	if (!grown)
		return error_no_memory(err);
	grown[list->count++] = value;
	grown[list->count] = NULL;
	list->item = grown;
	return 0;
}

void option_list_free(struct option_list *list)
{
	free(list->item);
	*list = (struct option_list){0};
}

static int set_value(const struct option *o, void *target, const char *value, struct error *err)
{
	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)target_of(target, o) = true;
		return 0;
	case OPTION_STRING:
		*(const char **)target_of(target, o) = value;
		return 0;
	default:
		return add_to_list(target_of(target, o), value, err);
	}
}

static const struct option *find_long(const struct option_table *table, const char *arg, size_t len)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct option *o = &table->option[i];

		if (strlen(o->name) == len && strncmp(o->name, arg, len) == 0)
			return o;
	}
	return NULL;
}

static const struct option *find_letter(const struct option_table *table, char letter)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->option[i].letter == letter)
			return &table->option[i];
	}
	return NULL;
}

/* Of an argument that begins with '-'; `ret_len` is that of the option without its value. */
static const struct option *find_option(const struct option_table *table, const char *arg,
					size_t *ret_len)
{
	bool is_long = arg[1] == '-';

	*ret_len = is_long ? strcspn(arg, "=") : 2;
	return is_long ? find_long(table, arg, *ret_len) : find_letter(table, arg[1]);
}

/* One argument that begins with '-'; *at moves on when the value is the next one. */
static int parse_one(const struct option_table *table, char **argv, int argc, int *at, void *target,
		     struct error *err)
{
	const char *arg = argv[*at];
	const char *value = NULL;
	size_t len;
	const struct option *o = find_option(table, arg, &len);

	if (!o)
		return error_set(err, ERR_INVALID, "there is no option '%.*s'", (int)len, arg);
	if (arg[len] != '\0')
		value = arg + len + (arg[1] == '-' ? 1 : 0);
	if (o->kind == OPTION_FLAG && value)
		return error_set(err, ERR_INVALID, "option '%.*s' takes no value", (int)len, arg);
	if (o->kind != OPTION_FLAG && !value) {
		if (*at + 1 >= argc)
			return error_set(err, ERR_INVALID, "option '%s' needs a value: %s", arg,
					 o->value);
		value = argv[++*at];
	}
	return set_value(o, target, value, err);
}

static bool is_operand(const char *arg)
{
	return arg[0] != '-' || arg[1] == '\0' || strcmp(arg, "--") == 0;
}

bool options_mention(const struct option_table *const *tables, size_t count, int argc, char **argv,
		     const char *name)
{
	for (int at = 1; at < argc && !is_operand(argv[at]); at++) {
		const struct option *o = NULL;
		size_t len = 0;

		for (size_t i = 0; !o && i < count; i++)
			o = find_option(tables[i], argv[at], &len);
		if (!o)
			return false;
		if (strcmp(o->name, name) == 0)
			return true;
		at += o->kind != OPTION_FLAG && argv[at][len] == '\0';
	}
	return false;
}

int options_parse(const struct option_table *table, int argc, char **argv, void *target,
		  int *ret_first, struct error *err)
{
	int at = 1;

	for (; at < argc; at++) {
		int r;

		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		if (argv[at][0] != '-' || argv[at][1] == '\0')
			break;
		r = parse_one(table, argv, argc, &at, target, err);
		if (r < 0)
			return r;
	}
	*ret_first = at;
	return 0;
}

void options_print_help(const struct option_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct option *o = &table->option[i];
		char left[64];
		char letter[8] = "    ";

		if (o->name[1] != '-') /* it has no long name */
			letter[0] = '\0';
		else if (o->letter)
			snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		snprintf(left, sizeof(left), "%s%s%s%s", letter, o->name, o->value ? " " : "",
			 o->value ? o->value : "");
		printf("  %-24s %s\n", left, o->help);
	}
}
