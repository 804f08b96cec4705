/* Acts by io_uring, whose operations are no system calls and are seen by no filter. */
#include "conformance/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define OP_SOCKET    45 /* Linux 5.19 */
#define REGISTER_OPS 64

struct ring {
	int fd;
	struct io_uring_params params;
	char *sq, *cq;
	struct io_uring_sqe *sqes;
};

static long map(struct ring *ring, size_t size, off_t at, void *ret)
{
	void *mapped =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, at);

	memcpy(ret, &mapped, sizeof(mapped));
	return mapped == MAP_FAILED ? -errno : 0;
}

static long open_ring(struct ring *ring)
{
	const struct io_uring_params *p = &ring->params;
	long rc;

	*ring = (struct ring){.fd = -1};
	rc = CALL2(SYS_io_uring_setup, 2, &ring->params);
	if (rc < 0)
		return rc;
	ring->fd = (int)rc;
	rc = map(ring, p->sq_off.array + p->sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING,
		 &ring->sq);
	if (rc == 0)
		rc = map(ring, p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe),
			 IORING_OFF_CQ_RING, &ring->cq);
	if (rc == 0)
		rc = map(ring, p->sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES,
			 &ring->sqes);
	return rc;
}

/* One operation, and its result. */
static long run(struct ring *ring, const struct io_uring_sqe *op)
{
	const struct io_uring_params *p = &ring->params;
	unsigned *tail = (unsigned *)(void *)(ring->sq + p->sq_off.tail);
	const struct io_uring_cqe *done = (const void *)(ring->cq + p->cq_off.cqes);
	long rc;

	ring->sqes[0] = *op;
	*(unsigned *)(void *)(ring->sq + p->sq_off.array) = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	rc = CALL6(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	if (rc < 0)
		return rc;
	return __atomic_load_n(&done->res, __ATOMIC_ACQUIRE);
}

static long try(const struct io_uring_sqe *op)
{
	struct ring ring;
	long rc = open_ring(&ring);

	if (rc == 0)
		rc = run(&ring, op);
	if (ring.fd >= 0)
		close(ring.fd);
	return rc;
}

/* A ring, and an operation that does nothing. */
long act_ring(struct probe *p)
{
	const struct io_uring_sqe op = {.opcode = IORING_OP_NOP};

	(void)p;
	return try(&op);
}

/* A socket that socket(2) has not made. */
long act_ring_socket(struct probe *p)
{
	const struct io_uring_sqe op = {.opcode = OP_SOCKET, .fd = AF_UNIX, .off = SOCK_STREAM};
	long fd = try(&op);

	(void)p;
	if (fd >= 0)
		close((int)fd);
	return fd;
}

static struct io_uring_sqe open_file(const struct probe *p)
{
	return (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
				     .fd = AT_FDCWD,
				     .addr = (uintptr_t)probe_path(p->out, "file", 0),
				     .open_flags = O_RDONLY};
}

/* A file of others that openat(2) has not opened. */
long act_ring_openat(struct probe *p)
{
	const struct io_uring_sqe op = open_file(p);

	return probe_read_text(p, try(&op));
}

/* By a thread of the kernel's. */
long act_ring_worker_openat(struct probe *p)
{
	struct io_uring_sqe op = open_file(p);

	op.flags = IOSQE_ASYNC;
	return probe_read_text(p, try(&op));
}

/* --- a ring from before ------------------------------------------------------------------------
 */

static struct ring early = {.fd = -1};
static uint16_t early_credentials;

/* It is there before anything is restricted, and has the credentials of then besides. */
long prepare_ring(struct probe *p)
{
	probe_need(p, "ring", open_ring(&early));
	early_credentials = (uint16_t)probe_need(
		p, "personality",
		CALL4(SYS_io_uring_register, early.fd, IORING_REGISTER_PERSONALITY, NULL, 0));
	return 0;
}

long act_early_ring_openat(struct probe *p)
{
	const struct io_uring_sqe op = open_file(p);

	return probe_read_text(p, run(&early, &op));
}

/* As who registered them. */
long act_early_credentials_openat(struct probe *p)
{
	struct io_uring_sqe op = open_file(p);

	op.personality = early_credentials;
	return probe_read_text(p, run(&early, &op));
}

/* --- what a ring can do ------------------------------------------------------------------------
 */

/* By the third of its calls. */
long act_ring_register(struct probe *p)
{
	_Alignas(struct io_uring_probe) char
		opcodes[sizeof(struct io_uring_probe) +
			REGISTER_OPS * sizeof(struct io_uring_probe_op)] = {0};
	struct ring ring;
	long rc = open_ring(&ring);

	(void)p;
	if (rc == 0)
		rc = CALL4(SYS_io_uring_register, ring.fd, IORING_REGISTER_PROBE, opcodes,
			   REGISTER_OPS);
	if (ring.fd >= 0)
		close(ring.fd);
	return rc;
}
