#include "tape/distance.h"

#include "base/error.h"
#include <stdlib.h>
#include <string.h>

#define ARGS_COMPARED  64u
#define DISTANCE_CWD   50u
#define DISTANCE_ENV   50u
/* Two arguments that are not the same, however alike. */
#define DISTANCE_ALIKE (DISTANCE_ARG / 5)

static struct bytes bytes_of(const struct buf *b)
{
	return (struct bytes){b->data, b->len};
}

static struct bytes program_name(const struct unit *u)
{
	struct bytes name = u->argc ? bytes_of(&u->argv[0]) : (struct bytes){"", 0};
	const char *slash = name.len ? memrchr(name.data, '/', name.len) : NULL;

	if (slash) {
		name.len -= (size_t)(slash + 1 - name.data);
		name.data = slash + 1;
	}
	return name;
}

static bool same_cwd(const struct unit *record, const struct unit *command)
{
	return record->cwd_any || bytes_equal(bytes_of(&record->cwd), bytes_of(&command->cwd));
}

/* What both have at their beginning and at their end. */
static size_t common_bytes(struct bytes a, struct bytes b)
{
	size_t least = a.len < b.len ? a.len : b.len;
	size_t head = 0;
	size_t tail = 0;

	while (head < least && a.data[head] == b.data[head])
		head++;
	while (head + tail < least && a.data[a.len - 1 - tail] == b.data[b.len - 1 - tail])
		tail++;
	return head + tail;
}

static unsigned arg_distance(const struct buf *x, const struct buf *y)
{
	struct bytes a = bytes_of(x);
	struct bytes b = bytes_of(y);
	size_t most = a.len > b.len ? a.len : b.len;

	if (bytes_equal(a, b))
		return 0;
	return DISTANCE_ALIKE +
	       (unsigned)((DISTANCE_ARG - DISTANCE_ALIKE) * (most - common_bytes(a, b)) / most);
}

/* The fewest changes from the first i arguments of one to the first j of the other, behind argv[0]
 * (Levenshtein). */
struct alignment {
	const struct unit *record;
	const struct unit *command;
	size_t rows; /* of both, with argv[0], that are compared */
	size_t columns;
	unsigned cost[ARGS_COMPARED + 1][ARGS_COMPARED + 1];
};

static size_t compared(const struct unit *u)
{
	size_t count = u->argc < ARGS_COMPARED ? u->argc : ARGS_COMPARED;

	return count ? count : 1;
}

static unsigned changed_cost(const struct alignment *a, size_t i, size_t j)
{
	return a->cost[i - 1][j - 1] + arg_distance(&a->record->argv[i], &a->command->argv[j]);
}

static void align(struct alignment *a)
{
	a->rows = compared(a->record);
	a->columns = compared(a->command);
	for (size_t j = 0; j < a->columns; j++)
		a->cost[0][j] = (unsigned)j * DISTANCE_ARG;
	for (size_t i = 1; i < a->rows; i++) {
		a->cost[i][0] = (unsigned)i * DISTANCE_ARG;
		for (size_t j = 1; j < a->columns; j++) {
			unsigned best = changed_cost(a, i, j);

			if (a->cost[i - 1][j] + DISTANCE_ARG < best)
				best = a->cost[i - 1][j] + DISTANCE_ARG;
			if (a->cost[i][j - 1] + DISTANCE_ARG < best)
				best = a->cost[i][j - 1] + DISTANCE_ARG;
			a->cost[i][j] = best;
		}
	}
}

static int compare_names(const struct env_pair *a, const struct env_pair *b)
{
	size_t least = a->name.len < b->name.len ? a->name.len : b->name.len;
	int order = least ? memcmp(a->name.data, b->name.data, least) : 0;

	return order ? order : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

/* The changes are counted first, with no room to put them. */
struct change_list {
	struct command_change *change;
	size_t count;
};

static void add(struct change_list *list, struct command_change change)
{
	if (list->change)
		list->change[list->count] = change;
	list->count++;
}

/* Both are sorted by name. */
static void add_env(struct change_list *list, const struct unit *record, const struct unit *command)
{
	size_t i = 0;
	size_t j = 0;

	while (i < record->env_count || j < command->env_count) {
		const struct env_pair *a = i < record->env_count ? &record->env[i] : NULL;
		const struct env_pair *b = j < command->env_count ? &command->env[j] : NULL;
		int order = !a ? 1 : !b ? -1 : compare_names(a, b);

		if (order != 0 || !bytes_equal(bytes_of(&a->value), bytes_of(&b->value)))
			add(list, (struct command_change){.kind = CHANGE_ENV,
							  .name = order <= 0 ? &a->name : &b->name,
							  .recorded = order <= 0 ? &a->value : NULL,
							  .now = order >= 0 ? &b->value : NULL});
		i += order <= 0;
		j += order >= 0;
	}
}

static void add_arg(struct change_list *list, const struct alignment *a, size_t i, size_t j,
		    bool recorded, bool now)
{
	add(list, (struct command_change){.kind = CHANGE_ARG,
					  .recorded_index = i,
					  .now_index = j,
					  .recorded = recorded ? &a->record->argv[i] : NULL,
					  .now = now ? &a->command->argv[j] : NULL});
}

/* From the end of the alignment to its beginning; then the order is turned round. */
static void add_aligned(struct change_list *list, const struct alignment *a)
{
	size_t first = list->count;
	size_t i = a->rows - 1;
	size_t j = a->columns - 1;

	while (i > 0 || j > 0) {
		if (i > 0 && j > 0 && a->cost[i][j] == changed_cost(a, i, j)) {
			if (arg_distance(&a->record->argv[i], &a->command->argv[j]) > 0)
				add_arg(list, a, i, j, true, true);
			i--;
			j--;
		} else if (i > 0 && a->cost[i][j] == a->cost[i - 1][j] + DISTANCE_ARG) {
			add_arg(list, a, i, j + 1, true, false);
			i--;
		} else {
			add_arg(list, a, i + 1, j, false, true);
			j--;
		}
	}
	for (size_t low = first, high = list->count; list->change && low + 1 < high; low++) {
		struct command_change swapped = list->change[low];

		list->change[low] = list->change[--high];
		list->change[high] = swapped;
	}
}

/* Beyond what is aligned: place by place. */
static void add_rest(struct change_list *list, const struct alignment *a)
{
	size_t x = a->record->argc;
	size_t y = a->command->argc;

	for (size_t i = ARGS_COMPARED; i < x || i < y; i++) {
		if (i >= x || i >= y || arg_distance(&a->record->argv[i], &a->command->argv[i]) > 0)
			add_arg(list, a, i, i, i < x, i < y);
	}
}

static void add_program(struct change_list *list, const struct alignment *a)
{
	bool recorded = a->record->argc > 0;
	bool now = a->command->argc > 0;

	if (recorded != now || !bytes_equal(program_name(a->record), program_name(a->command)))
		add_arg(list, a, 0, 0, recorded, now);
}

static void add_all(struct change_list *list, const struct alignment *a)
{
	add_program(list, a);
	add_aligned(list, a);
	add_rest(list, a);
	if (!same_cwd(a->record, a->command))
		add(list, (struct command_change){.kind = CHANGE_CWD,
						  .recorded = &a->record->cwd,
						  .now = &a->command->cwd});
	add_env(list, a->record, a->command);
}

unsigned command_distance(const struct unit *record, const struct unit *command)
{
	struct alignment a = {.record = record, .command = command};
	struct change_list env = {NULL, 0};
	unsigned distance;

	align(&a);
	add_env(&env, record, command);
	distance = a.cost[a.rows - 1][a.columns - 1] + (unsigned)env.count * DISTANCE_ENV;
	if (!same_cwd(record, command))
		distance += DISTANCE_CWD;
	if (!bytes_equal(program_name(record), program_name(command)))
		distance += DISTANCE_PROGRAM;
	return distance;
}

int command_changes(const struct unit *record, const struct unit *command,
		    struct command_change **ret, size_t *ret_count)
{
	struct alignment *a = malloc(sizeof(*a));
	struct change_list list = {NULL, 0};
	int r = a ? 0 : ERR_NOMEM;

	if (a) {
		a->record = record;
		a->command = command;
		align(a);
		add_all(&list, a);
		if (list.count > 0)
			list.change = malloc(list.count * sizeof(*list.change));
		if (list.count > 0 && !list.change)
			r = ERR_NOMEM;
	}
	if (list.change) {
		list.count = 0;
		add_all(&list, a);
	}
	free(a);
	*ret = list.change;
	*ret_count = list.change ? list.count : 0;
	return r;
}
