/*
 * The streams of a unit that is traced, copied by pidfd_getfd and replaced by calls of its own:
 * first it makes the pairs and we take our ends; then it puts its own in place.
 */
#include "tape/intercept/tracer.h"

#include "base/cleanup.h"
#include "tape/intercept/filter.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int copy_fd(pid_t pid, int fd)
{
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int copy = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return copy < 0 ? -errno : copy;
}

int tracer_unit_fd(struct interceptor *t, struct process *p, int fd)
{
	(void)t;
	return copy_fd(p->pid, fd);
}

static unsigned add_call(struct inject_list *list, uint64_t number, uint64_t a, uint64_t b,
			 uint64_t c, uint64_t d)
{
	list->call[list->count] = (struct runner_call){number, {a, b, c, d, 0, 0}, 0};
	return list->count++;
}

static size_t pair_offset(unsigned i)
{
	return (size_t)i * 2 * sizeof(int);
}

static void list_pairs(const struct stream_swaps *swaps, struct inject_list *list)
{
	for (unsigned i = 0; i < swaps->count; i++) {
		const struct stream_swap *s = &swaps->swap[i];

		if (s->same_as >= 0)
			continue;
		if (s->is_socket)
			add_call(list, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0,
				 INJECT_DATA(pair_offset(i)));
		else
			add_call(list, SYS_pipe2, INJECT_DATA(pair_offset(i)), 0, 0, 0);
	}
	list->data_len = pair_offset(STREAM_SWAPS_MAX);
}

/* The filter stands in the data behind the pairs. */
static void list_filter(struct inject_list *list, unsigned what)
{
	struct sock_filter code[FILTER_MAX];
	size_t program_at = pair_offset(STREAM_SWAPS_MAX);
	size_t code_at = program_at + 2 * sizeof(uint64_t);
	unsigned count = filter_build_io(code, what);
	uint64_t program[2] = {count, INJECT_DATA(code_at)}; /* struct sock_fprog */

	memcpy(list->data + program_at, program, sizeof(program));
	memcpy(list->data + code_at, code, count * sizeof(code[0]));
	list->data_len = code_at + count * sizeof(code[0]);
	list->pointer_at[list->pointers++] = program_at + sizeof(program[0]);
	add_call(list, SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, INJECT_DATA(program_at), 0);
}

static void list_places(const struct stream_swaps *swaps, const int *pairs,
			struct inject_list *list)
{
	list->count = 0;
	for (unsigned i = 0; i < swaps->count; i++) {
		const struct stream_swap *s = &swaps->swap[i];
		const int *pair = pairs + 2 * (size_t)i;

		/* The other one comes first, and has its new place by then. */
		if (s->same_as >= 0) {
			add_call(list, SYS_dup3, (uint64_t)s->same_as, (uint64_t)s->fd, 0, 0);
			continue;
		}
		add_call(list, SYS_dup3, (uint64_t)pair[1], (uint64_t)s->fd, 0, 0);
		add_call(list, SYS_close, (uint64_t)pair[0], 0, 0, 0);
		add_call(list, SYS_close, (uint64_t)pair[1], 0, 0, 0);
	}
}

static int check_results(struct stream_swaps *swaps, const struct inject_list *list,
			 struct error *err)
{
	for (unsigned i = 0; i < list->count; i++) {
		int64_t result = (int64_t)list->call[i].result;

		/* A unit that gave up root before its exec, below a subject that has kept it, may
		 * install no filter: what it would have told is then not known. */
		if (result == -EACCES && list->call[i].number == SYS_seccomp)
			swaps->observe = 0;
		else if (result < 0)
			return error_sys(err, (int)-result,
					 "cannot capture the streams of a unit (system call %llu)",
					 (unsigned long long)list->call[i].number);
	}
	return 0;
}

static int take_ours(struct stream_swaps *swaps, pid_t pid, const int *pairs, struct error *err)
{
	for (unsigned i = 0; i < swaps->count; i++) {
		struct stream_swap *s = &swaps->swap[i];

		if (s->same_as >= 0)
			continue;
		s->ours = copy_fd(pid, pairs[2 * (size_t)i]);
		if (s->ours < 0 && s->ours != -ESRCH)
			return error_sys(err, -s->ours, "cannot take a unit's stream");
		if (s->ours < 0)
			s->ours = -1;
	}
	return 0;
}

static int placed(void *ctx, struct process *p, struct inject_list *list,
		  enum inject_next *ret_next, struct error *err)
{
	struct stream_swaps *swaps = ctx;
	int pairs[2 * STREAM_SWAPS_MAX];
	int r = check_results(swaps, list, err);

	memcpy(pairs, list->data, sizeof(pairs));
	if (r == 0)
		r = take_ours(swaps, p->pid, pairs, err);
	if (r == 0)
		r = swaps->done(swaps->ctx, err);
	if (r < 0 || swaps->count == 0)
		return r;
	list_places(swaps, pairs, list);
	*ret_next = INJECT_LAST;
	return 0;
}

int tracer_swap(struct interceptor *t, struct process *p, struct task *task,
		struct stream_swaps *swaps, struct error *err)
{
	struct inject_list list = {.count = 0};

	(void)p;
	list_pairs(swaps, &list);
	if (swaps->observe)
		list_filter(&list, swaps->observe);
	if (list.count == 0)
		return 0;
	return tracer_inject(t, task, &list, placed, swaps, err);
}
