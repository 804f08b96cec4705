#include "tools/session_options.h"

#include "tape/intercept/intercept.h"
#include "tools/command.h"
#include <stdlib.h>

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
		.shim = o->shim,
		.library = o->library,
		.say = command_say,
		.say_ctx = &o->quiet,
	};
	return 0;
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
