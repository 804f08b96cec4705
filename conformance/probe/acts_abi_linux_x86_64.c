/* Calls of other machines that this one understands, too. */
#include "conformance/probe/probe.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <unistd.h>

/* getpid() of 32 bits, by the gate of 32 bits. A kernel without it sends SIGSEGV. */
long act_call_32(struct probe *p)
{
	long rc;

	(void)p;
	__asm__ volatile("int $0x80" : "=a"(rc) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
	return (int)rc;
}

/* getpid() of x32, which has 64 bits and pointers of 32. */
long act_call_x32(struct probe *p)
{
	(void)p;
	return CALL1(0x40000000L | SYS_getpid, 0);
}

/* A segment of 16 bits; what is asked for is none, so nothing is made. */
long act_modify_ldt(struct probe *p)
{
	char descriptors[64];

	(void)p;
	return CALL3(SYS_modify_ldt, 0, descriptors, sizeof(descriptors));
}

/* All ports of the machine, for the rest of a process that ends at once. */
long act_iopl(struct probe *p)
{
	(void)p;
	return CALL1(SYS_iopl, 3);
}

/* A port of the machine that nothing answers at. */
long act_ioperm(struct probe *p)
{
	(void)p;
	return CALL3(SYS_ioperm, 0x80, 1, 1);
}

/* How many kinds of file systems there are, by a call that is older than /proc. */
long act_sysfs(struct probe *p)
{
	(void)p;
	return CALL1(SYS_sysfs, 3);
}

/* --- a function whose return is watched --------------------------------------------------------
 */

extern const Elf64_Ehdr __ehdr_start;

static int watched = -1;

static __attribute__((noinline)) int watch_me(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n + 1;
}

/* Where in the file of this program it is; 0: nowhere. */
static uint64_t place_of(const void *function)
{
	const Elf64_Phdr *part = (const void *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
	uint64_t at = (uint64_t)((const char *)function - (const char *)&__ehdr_start), first = 0;

	for (int i = __ehdr_start.e_phnum - 1; i >= 0; i--)
		if (part[i].p_type == PT_LOAD && part[i].p_offset == 0)
			first = part[i].p_vaddr;
	for (int i = 0; i < __ehdr_start.e_phnum; i++)
		if (part[i].p_type == PT_LOAD && at + first >= part[i].p_vaddr &&
		    at + first < part[i].p_vaddr + part[i].p_filesz)
			return at + first - part[i].p_vaddr + part[i].p_offset;
	return 0;
}

/* As a tracer does it, which need not be this process: on x86_64 the kernel makes the function
 * return to where a system call is. */
long prepare_watched(struct probe *p)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .config = 1};
	const char *own = "/proc/self/exe";
	char type[16] = "";
	long fd =
		probe_need(p, "uprobe",
			   CALL4(SYS_openat, AT_FDCWD, "/sys/bus/event_source/devices/uprobe/type",
				 O_RDONLY | O_CLOEXEC, 0));

	probe_need(p, "read", CALL3(SYS_read, fd, type, sizeof(type) - 1));
	close((int)fd);
	attr.type = (uint32_t)strtoul(type, NULL, 10);
	attr.config1 = (uintptr_t)own;
	attr.config2 = place_of((const void *)watch_me);
	watched =
		(int)probe_need(p, "perf_event_open",
				CALL5(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
	return 0;
}

long act_watched(struct probe *p)
{
	uint64_t count = 0;

	(void)p;
	if (watch_me(1) != 2)
		return -EPROTO;
	if (CALL3(SYS_read, watched, &count, sizeof(count)) < 0)
		return -EIO;
	return count > 0 ? 0 : -ENODATA;
}
