/* Used paths joined to roots; the network's mode; what is collected becomes a policy. */
#include "sandbox/learn.h"

#include "base/cleanup.h"
#include "sandbox/planned_test.h"
#include "tools/tests.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const struct sandbox_places places = {"/w/work", "/home/u", "/tmp"};

static struct sandbox_policy *base;

static void setup(void)
{
	base = planned_policy("{\"version\": 1}", &places);
}

static void teardown(void)
{
	sandbox_policy_free(base);
}

/* --- joining -----------------------------------------------------------------------------------
 */

#define R LEARN_READ
#define W LEARN_WRITE
#define X LEARN_EXEC
#define L LEARN_LIST
#define M LEARN_MAKE

/* `roots`: "r /a", "x /a", "w /a", with "!" when it is refused, in the order of paths. */
static const struct {
	struct learn_path used[12];
	const char *roots;
} joined[] = {
	{{{NULL, 0}}, ""},
	{{{"/a/b/f", R}}, "r /a/b/f"},
	/* Two files are a directory, one directory is not its parent. */
	{{{"/a/b/f", R}, {"/a/b/g", R}}, "r /a/b"},
	{{{"/a/b/c/f", R}, {"/a/b/c/g", R}, {"/a/b/d/f", R}}, "r /a/b/c, r /a/b/d/f"},
	{{{"/a/b/f", X}, {"/a/b/g", X}}, "x /a/b"},
	{{{"/a/b/f", W}, {"/a/b/g", W}}, "w /a/b"},
	/* What is read beside one that is written is not written. */
	{{{"/a/b/f", R}, {"/a/b/g", R}, {"/a/b/h", W}}, "r /a/b, w /a/b/h"},
	{{{"/a/b/f", R}, {"/a/b/h", W}}, "r /a/b/f, w /a/b/h"},
	/* What grants more holds what is inside. */
	{{{"/a/b", M}, {"/a/b/c/f", R}, {"/a/b/g", X}}, "w /a/b"},
	{{{"/a/b", L}, {"/a/b/c/f", R}, {"/a/b/g", X}}, "r /a/b, x /a/b/g"},
	{{{"/a/b", L}, {"/a/b-c/f", R}, {"/a/b/c", R}}, "r /a/b, r /a/b-c/f"},
	{{{"/a/b/f", R | W}}, "w /a/b/f"},
	{{{"/a/b/f", R | X}}, "x /a/b/f"},
	/* Many directories are their parent, and its files then, too. */
	{{{"/a/b/1", L},
	  {"/a/b/2", L},
	  {"/a/b/3", L},
	  {"/a/b/4", L},
	  {"/a/b/5", L},
	  {"/a/b/6", L},
	  {"/a/b/7", L},
	  {"/a/b/8", L}},
	 "r /a/b"},
	{{{"/a/b/1", L},
	  {"/a/b/2", L},
	  {"/a/b/3", L},
	  {"/a/b/4", L},
	  {"/a/b/5", L},
	  {"/a/b/6", L},
	  {"/a/b/7", L}},
	 "r /a/b/1, r /a/b/2, r /a/b/3, r /a/b/4, r /a/b/5, r /a/b/6, r /a/b/7"},
	/* Never HOME, what is in /, what the workspace or a secret is in. */
	{{{"/home/u/f", R}, {"/home/u/g", R}}, "r /home/u/f, r /home/u/g"},
	{{{"/home/f", R}, {"/home/g", R}}, "r /home/f, r /home/g"},
	{{{"/f", R}, {"/g", R}}, "r /f, r /g"},
	{{{"/a/f", R}, {"/a/g", R}}, "r /a/f, r /a/g"},
	{{{"/w/f", R}, {"/w/g", R}}, "r /w/f, r /w/g"},
	{{{"/home/u/.config/f", R}, {"/home/u/.config/g", R}},
	 "r /home/u/.config/f, r /home/u/.config/g"},
	{{{"/home/u/x/f", R}, {"/home/u/x/g", R}}, "r /home/u/x"},
	{{{"/tmp/f", R}, {"/tmp/g", R}}, "r /tmp/f, r /tmp/g"},
	{{{"/a/b/f", R | LEARN_NAMED}, {"/a/b/g", R | LEARN_NAMED}}, "r /a/b/f, r /a/b/g"},
	{{{"/home/u", L}}, "!r /home/u"},
	{{{"/", L}}, "!r /"},
	{{{"/home", M}}, "!w /home"},
	/* No place of the system for writing; what is refused holds nothing. */
	{{{"/usr/x", M}}, "!w /usr/x"},
	{{{"/etc/f", W}}, "!w /etc/f"},
	{{{"/dev/x", W}, {"/dev/y", W}}, "w /dev/x, w /dev/y"},
	{{{"/home/u", L}, {"/home/u/f", R}}, "!r /home/u, r /home/u/f"},
	/* A working directory needs nothing when something in it is there. */
	{{{"/a/b", LEARN_ENTER}}, "r /a/b"},
	{{{"/a/b", LEARN_ENTER}, {"/a/b/c", R}}, "r /a/b/c"},
	/* What is no use of a path. */
	{{{"/a/b", LEARN_MADE}, {"/a/c", LEARN_SECRET | LEARN_WRITTEN}}, ""},
};

static void show(const struct learn_roots *roots, char into[1024])
{
	static const char letters[SANDBOX_ROOTS] = {
		[SANDBOX_ROOT_READ] = 'r', [SANDBOX_ROOT_WRITE] = 'w', [SANDBOX_ROOT_EXEC] = 'x'};
	size_t used = 0;

	into[0] = '\0';
	for (size_t i = 0; i < roots->count; i++)
		used += (size_t)snprintf(into + used, 1024 - used, "%s%s%c %s", i ? ", " : "",
					 roots->item[i].refused ? "!" : "",
					 letters[roots->item[i].kind], roots->item[i].path);
}

START_TEST(used_paths_are_joined)
{
	struct learn_roots roots;
	size_t count = 0;
	char text[1024];

	while (count < 12 && joined[_i].used[count].path)
		count++;
	ck_assert_int_eq(learn_join(base, joined[_i].used, count, &roots, NULL), 0);
	show(&roots, text);
	ck_assert_str_eq(text, joined[_i].roots);
	learn_roots_free(&roots);
}
END_TEST

/* The number of used paths is kept. */
START_TEST(many_paths_are_one_root)
{
	enum { COUNT = 20000 };
	struct learn_path *used = calloc(COUNT, sizeof(*used));
	char(*names)[32] = calloc(COUNT, sizeof(*names));
	struct learn_roots roots;

	for (int i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof(names[i]), "/a/b/%d/%d", i / 100, i);
		used[i] = (struct learn_path){names[i], R};
	}
	ck_assert_int_eq(learn_join(base, used, COUNT, &roots, NULL), 0);
	ck_assert_uint_eq(roots.count, 1);
	ck_assert_str_eq(roots.item[0].path, "/a/b");
	ck_assert_uint_eq(roots.item[0].uses, COUNT);
	learn_roots_free(&roots);
	free(names);
	free(used);
}
END_TEST

/* --- the network -------------------------------------------------------------------------------
 */

struct act {
	enum observed_need need;
	int type;
	const char *host;
	unsigned port, got;
};

static const struct {
	struct act acts[4];
	enum sandbox_net mode;
} networks[] = {
	{{{OBSERVED_NOTHING, 0, NULL, 0, 0}}, SANDBOX_NET_LOOPBACK},
	{{{OBSERVED_CONNECT, SOCK_STREAM, "127.0.0.1", 80, 0}}, SANDBOX_NET_TCP},
	{{{OBSERVED_CONNECT, SOCK_STREAM, "192.0.2.1", 80, 0}}, SANDBOX_NET_TCP},
	{{{OBSERVED_BIND, SOCK_STREAM, "127.0.0.1", 80, 80},
	  {OBSERVED_CONNECT, SOCK_STREAM, "127.0.0.1", 80, 0}},
	 SANDBOX_NET_LOOPBACK},
	{{{OBSERVED_BIND, SOCK_STREAM, "0.0.0.0", 0, 4000},
	  {OBSERVED_CONNECT, SOCK_STREAM, "127.0.0.1", 4000, 0}},
	 SANDBOX_NET_LOOPBACK},
	{{{OBSERVED_BIND, SOCK_STREAM, "127.0.0.1", 80, 80},
	  {OBSERVED_CONNECT, SOCK_STREAM, "127.0.0.1", 80, 0},
	  {OBSERVED_CONNECT, SOCK_STREAM, "192.0.2.1", 81, 0}},
	 SANDBOX_NET_TCP},
	/* A port that is another one the next time cannot be named. */
	{{{OBSERVED_BIND, SOCK_STREAM, "127.0.0.1", 0, 4000},
	  {OBSERVED_CONNECT, SOCK_STREAM, "127.0.0.1", 4000, 0},
	  {OBSERVED_CONNECT, SOCK_STREAM, "192.0.2.1", 81, 0}},
	 SANDBOX_NET_FULL},
	{{{OBSERVED_CONNECT, SOCK_DGRAM, "127.0.0.53", 53, 0}}, SANDBOX_NET_FULL},
	/* Who asks for a route sends nothing. */
	{{{OBSERVED_NOTHING, 0, NULL, 0, 0}, {OBSERVED_CONNECT, SOCK_DGRAM, "192.0.2.1", 0, 0}},
	 SANDBOX_NET_LOOPBACK},
	{{{OBSERVED_BIND, SOCK_DGRAM, "127.0.0.1", 53, 53},
	  {OBSERVED_CONNECT, SOCK_DGRAM, "127.0.0.1", 53, 0}},
	 SANDBOX_NET_LOOPBACK},
};

static void do_act(struct learn_net *net, const struct act *act)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)act->port)};
	struct observe_use use = {.group = -1, .need = act->need, .flags = AF_INET};

	if (act->host) {
		const struct observe_use made = {.group = -1, .flags = AF_INET};

		learn_net_see(net, &made);
		inet_pton(AF_INET, act->host, &address.sin_addr);
		use.address = (const struct sockaddr *)&address;
		use.address_len = sizeof(address);
	}
	use.socket_type = act->type;
	use.port = act->got;
	learn_net_see(net, &use);
}

START_TEST(the_least_mode_of_the_network_is_chosen)
{
	struct learn_net *net = calloc(1, sizeof(*net));

	ck_assert_int_eq(learn_net_mode(net), SANDBOX_NET_NONE);
	for (size_t i = 0; i < 4 && (i == 0 || networks[_i].acts[i].host); i++)
		do_act(net, &networks[_i].acts[i]);
	ck_assert_int_eq(learn_net_mode(net), networks[_i].mode);
	free(net);
}
END_TEST

/* --- all of it ---------------------------------------------------------------------------------
 */

static void say(void *ctx, const char *text)
{
	(void)text;
	(*(int *)ctx)++;
}

/* Of places that are there. */
static void begin(struct learn **ret)
{
	teardown();
	base = planned_policy("{\"version\": 1}", NULL);
	ck_assert_int_eq(learn_new(base, false, ret, NULL), 0);
}

static void use_of(struct learn *l, enum observed_need need, unsigned flags, const char *path)
{
	const struct observe_use use = {
		.group = -1, .need = need, .flags = flags, .path = path, .fd = 3};

	learn_see(l, &use);
}

/* What is written is read back; 40 tasks were there at once. Free both. */
static struct sandbox_policy *learnt_from(struct learn *l, struct buf *text, int *told)
{
	const struct learn_end end = {.most_tasks = 40};
	struct sandbox_policy *learnt = NULL;
	struct error err = {0};

	ck_assert_int_eq(learn_write(l, &end, text, say, told, &err), 0);
	ck_assert_msg(sandbox_policy_parse(text->data, text->len, "learnt", NULL, &learnt, &err) ==
			      0,
		      "%s: %s", err.text, text->data);
	return learnt;
}

/* It grants what was used. */
START_TEST(what_is_collected_becomes_a_policy)
{
	const struct observe_use group = {.group = SANDBOX_SYSCALLS_IPC};
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	const struct observe_use dial = {.group = -1,
					 .need = OBSERVED_CONNECT,
					 .path = "/a/b/sock",
					 .address = (const struct sockaddr *)&un,
					 .address_len = sizeof(un)};
	cleanup_buf struct buf text = BUF_INIT;
	struct sandbox_policy *learnt;
	struct learn *l = NULL;
	int told = 0;

	sandbox_policy_free(base);
	base = planned_policy("{\"version\": 1}", NULL);
	ck_assert_int_eq(learn_new(base, false, &l, NULL), 0);
	learn_see(l, &group);
	learn_see(l, &dial);
	use_of(l, OBSERVED_OPEN, O_RDONLY, "/etc/hostname"); /* needs nothing */
	use_of(l, OBSERVED_OPEN, O_RDONLY, "/a/b/f\xff");
	use_of(l, OBSERVED_OPEN, O_RDONLY, "/etc/shadow");
	use_of(l, OBSERVED_MAKE, 0, "/a/c/new");
	use_of(l, OBSERVED_REMOVE, 0, "/a/c/new/x"); /* its own */
	learnt = learnt_from(l, &text, &told);
	ck_assert_int_eq(told, 1);
	ck_assert_int_eq(learnt->syscalls[SANDBOX_SYSCALLS_IPC].kind, SANDBOX_ACTION_ALLOW);
	ck_assert_int_eq(learnt->syscalls[SANDBOX_SYSCALLS_PROCESSES].kind, SANDBOX_ACTION_ERRNO);
	ck_assert_int_eq(learnt->net, SANDBOX_NET_NONE);
	ck_assert_uint_eq(learnt->limits[SANDBOX_LIMIT_PROCESSES], 80);
	ck_assert_uint_eq(learnt->operations, POLICY_OPS_READ);
	ck_assert_uint_eq(learnt->unix_paths.count, 1);
	ck_assert_ptr_nonnull(strstr(text.data, "\"?/a/c\""));
	ck_assert_ptr_nonnull(strstr(text.data, "/etc/shadow: a secret"));
	sandbox_policy_free(learnt);
	learn_free(l);
}
END_TEST

/* More than the default limit, and as much as there can be. */
START_TEST(limits_that_a_program_sets_are_granted)
{
	static const struct {
		int resource;
		uint64_t limit, want;
		enum sandbox_limit which;
	} rows[] = {
		{RLIMIT_NOFILE, 4096, 4096, SANDBOX_LIMIT_FILES},
		{RLIMIT_NOFILE, 256, 1024, SANDBOX_LIMIT_FILES},
		{RLIMIT_CORE, 1000, 1, SANDBOX_LIMIT_CORE_MB},
		{RLIMIT_FSIZE, (UINT64_C(300) << 20) + 1, 301, SANDBOX_LIMIT_FILE_MB},
		{RLIMIT_NPROC, 70, 80, SANDBOX_LIMIT_PROCESSES}, /* twice what was used */
		{RLIMIT_NOFILE, UINT64_MAX / 2, SANDBOX_NO_LIMIT, SANDBOX_LIMIT_FILES},
		{RLIMIT_STACK, 1 << 30, 1024, SANDBOX_LIMIT_FILES},
	};
	const struct observe_use use = {
		.group = -1, .fd = -1, .resource = rows[_i].resource, .limit = rows[_i].limit};
	cleanup_buf struct buf text = BUF_INIT;
	struct sandbox_policy *learnt;
	struct learn *l = NULL;
	int told = 0;

	begin(&l);
	learn_see(l, &use);
	learnt = learnt_from(l, &text, &told);
	ck_assert_uint_eq(learnt->limits[rows[_i].which], rows[_i].want);
	sandbox_policy_free(learnt);
	learn_free(l);
}
END_TEST

/* What is exchanged is removed and made at both names; none of them is new. */
START_TEST(exchanged_files_need_both_directories)
{
	static const unsigned flags[] = {RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT};
	const struct learn_end end = {.most_tasks = 1};
	cleanup_buf struct buf text = BUF_INIT;
	const char *work;
	struct learn *l = NULL;
	char inside[PATH_MAX];
	int told = 0;

	begin(&l);
	work = base->places[POLICY_WORK];
	snprintf(inside, sizeof(inside), "%s/x", work);
	learn_see(l, &(struct observe_use){.group = -1,
					   .need = OBSERVED_RENAME,
					   .flags = flags[_i],
					   .path = "/a/b/x",
					   .path2 = inside,
					   .fd = -1});
	ck_assert_int_eq(l->moved_out, flags[_i] == RENAME_EXCHANGE);
	ck_assert_int_eq(!!(l->operations & SANDBOX_OP_WRITE_TEXT), true);
	ck_assert_int_eq(!!(l->operations & SANDBOX_OP_DELETE), flags[_i] == RENAME_EXCHANGE);
	ck_assert_int_eq(learn_write(l, &end, &text, say, &told, NULL), 0);
	ck_assert_ptr_nonnull(strstr(text.data, "\"?/a/b\""));
	ck_assert_int_eq(strstr(text.data, "/a/b/x: a whiteout was left there") != NULL,
			 flags[_i] == RENAME_WHITEOUT);
	ck_assert_int_eq(told, flags[_i] == RENAME_WHITEOUT);
	learn_free(l);
}
END_TEST

/* More paths than there is room for are counted, and told. */
START_TEST(paths_are_bounded)
{
	const struct learn_end end = {.most_tasks = 1};
	cleanup_buf struct buf text = BUF_INIT;
	struct learn *l = NULL;
	char name[64];
	int told = 0;

	begin(&l);
	for (int i = 0; i < LEARN_PATHS_MAX + 10; i++) {
		snprintf(name, sizeof(name), "/a/b/%d/%d", i % 7, i);
		use_of(l, OBSERVED_OPEN, O_RDONLY, name);
	}
	ck_assert_uint_eq(l->count, LEARN_PATHS_MAX);
	ck_assert_uint_eq(l->more, 10);
	ck_assert_int_eq(learn_write(l, &end, &text, say, &told, NULL), 0);
	ck_assert_int_eq(told, 1);
	learn_free(l);
}
END_TEST

Suite *sandbox_learn_suite(void)
{
	Suite *suite = suite_create("sandbox_learn");
	TCase *tc = tcase_create("learn");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, used_paths_are_joined, 0,
			    (int)(sizeof(joined) / sizeof(joined[0])));
	tcase_add_test(tc, many_paths_are_one_root);
	tcase_add_loop_test(tc, the_least_mode_of_the_network_is_chosen, 0,
			    (int)(sizeof(networks) / sizeof(networks[0])));
	tcase_add_test(tc, what_is_collected_becomes_a_policy);
	tcase_add_loop_test(tc, limits_that_a_program_sets_are_granted, 0, 7);
	tcase_add_loop_test(tc, exchanged_files_need_both_directories, 0, 3);
	tcase_add_test(tc, paths_are_bounded);
	suite_add_tcase(suite, tc);
	return suite;
}
