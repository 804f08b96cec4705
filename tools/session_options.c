#include "tools/session_options.h"

#include "tape/intercept/intercept.h"
#include "tools/command.h"
#include <stdlib.h>
#include <string.h>

int session_options_parse(const struct option_table *table, int argc, char **argv,
			  struct session_options *o, struct tape_options *ret, struct error *err)
{
	enum intercept_backend_kind backend;
	int first;
	int r = options_parse(table, argc, argv, o, &first, err);

	if (r < 0 || o->help)
		return r;
	if (!o->tape || o->tape[0] == '\0')
		return error_set(err, ERR_INVALID, "which tape? name it with -t NAME.tape");
	if (first >= argc)
		return error_set(err, ERR_INVALID, "which program? name it behind --");
	if (o->backend) {
		r = intercept_backend_find(o->backend, &backend, err);
		if (r == 0)
			r = command_find_helper("sandtape-shim", &o->shim, err);
		if (r == 0)
			r = command_find_helper("libsandtape-preload.so", &o->library, err);
	}
	if (r < 0)
		return r;
	*ret = (struct tape_options){
		.tape = o->tape,
		.argv = argv + first,
		.env = o->env.item,
		.through = o->through.item,
		.real = o->real.item,
		.roots = o->roots.item,
		.backend = o->backend,
		.report = o->report,
		.shim = o->shim,
		.library = o->library,
		.say = command_say,
		.say_ctx = &o->quiet,
	};
	return 0;
}

static const struct {
	const char *name;
	enum tape_order order;
} orders[] = {
	{"causal", TAPE_ORDER_CAUSAL}, {"strict", TAPE_ORDER_STRICT}, {"any", TAPE_ORDER_ANY}};

int session_choose_order(const struct session_options *o, struct tape_options *tape,
			 struct error *err)
{
	if (!o->order)
		return 0;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		if (strcmp(o->order, orders[i].name) == 0) {
			tape->order = orders[i].order;
			return 0;
		}
	}
	return error_set(err, ERR_INVALID, "--order is strict, causal or any, not '%s'", o->order);
}

int session_check_daemons(const struct session_options *o, struct error *err)
{
	if (!o->daemons || strcmp(o->daemons, "keep") == 0 || strcmp(o->daemons, "kill") == 0)
		return 0;
	return error_set(err, ERR_INVALID, "--daemons is keep or kill, not '%s'", o->daemons);
}

int session_check_explain(const struct session_options *o, struct error *err)
{
	if (!o->explain || o->policy)
		return 0;
	return error_set(err, ERR_INVALID,
			 "--explain is about what a policy denies: name one with --policy");
}

void session_options_free(struct session_options *o)
{
	option_list_free(&o->env);
	option_list_free(&o->through);
	option_list_free(&o->real);
	option_list_free(&o->roots);
	free(o->shim);
	free(o->library);
}
