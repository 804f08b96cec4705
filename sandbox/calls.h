/*
 * The table of system calls (calls.def) as C sees it.
 *
 * Tests look at the low half of an argument: what they look at is an int or an unsigned int in the
 * kernel, which does not see the other half, or it is flags that all are in the low half. A test of
 * both halves would let pass what the kernel takes for the same. Whether a pointer is there at all
 * takes a rule for each of its halves.
 */
#ifndef SANDTAPE_SANDBOX_CALLS_H
#define SANDTAPE_SANDBOX_CALLS_H

#include "sandbox/sandbox.h"

#include <stddef.h>
#include <stdint.h>

enum call_match {
	CALL_MATCH_NONE, /* no test */
	CALL_MATCH_IN,	 /* what `mask` leaves is one of the two values */
	CALL_MATCH_NOT_IN,
	CALL_MATCH_BITS, /* a bit of `mask` is set */
	CALL_MATCH_NO_BITS
};

struct call_test {
	unsigned char arg; /* its low half; with CALL_HIGH its high half */
	unsigned char match;
	uint32_t mask;
	uint32_t value[2];
};

#define CALL_HIGH      0x10
#define CALL_TESTS     3
#define CALL_RULES_MAX 256

/* Holds when all tests do. */
struct call_rule {
	int number;
	int group;     /* enum sandbox_syscalls, whose action is taken; CALL_RULE: `refusal` is */
	unsigned when; /* bits of CALL_NET, CALL_UNIX and CALL_UNBOUND: the modes in which a
			  CALL_RULE is there */
	int refusal;   /* an errno. 0: the call is allowed; of a group: as the group has it. Of a
			  group, it takes the place of all that refuses */
	struct call_test tests[CALL_TESTS]; /* up to the first CALL_MATCH_NONE */
};

#define CALL_RULE	(-1)
#define CALL_NET(mode)	(1U << SANDBOX_NET_##mode)
#define CALL_UNIX(mode) (0x100U << SANDBOX_UNIX_##mode)
#define CALL_UNBOUND	0x10000U /* TCP, and no port to bind to */

/* Of one call, rules that are none of a group come first, in their order, and the first that holds
 * decides. Then come those of groups, and the action that refuses most decides. */
extern const struct call_rule call_rules[];
extern const size_t call_rule_count;

/* The ABI of this machine's programs: AUDIT_ARCH_*, and the number from which on its calls are of
 * another one; 0: there is no such number. */
extern const uint32_t call_audit_arch;
extern const uint32_t call_foreign_from;

/* The names of the calls by their numbers, up to KERNEL_CALLS_END; NULL where there is none. */
#define CALL_NAMES_MAX 512
extern const char *const call_names[];
extern const size_t call_name_count;

/* What others call this machine: container engines, and their profiles. */
struct call_machine {
	const char *name;
	const char *oci;
	const char *oci_foreign[2]; /* other ABIs that it has */
};

extern const struct call_machine call_machine;

/* --- Words of calls.def ----------------------------------------------------------------------- */

/* CALL(group, name, errno or 0, tests...), RULE(modes, name, errno or 0, tests...). */
#define CALL(group_, name, refusal_, ...)                                                          \
	{                                                                                          \
		SYS_##name, SANDBOX_SYSCALLS_##group_, 0, refusal_,                                \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define RULE(when_, name, refusal_, ...)                                                           \
	{                                                                                          \
		SYS_##name, CALL_RULE, when_, refusal_,                                            \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

#define ARG_TEST(arg, match, mask, a, b)                                                           \
	{                                                                                          \
		arg, match, mask,                                                                  \
		{                                                                                  \
			a, b                                                                       \
		}                                                                                  \
	}
#define ARG_IS(arg, value)	 ARG_TEST(arg, CALL_MATCH_IN, UINT32_MAX, value, value)
#define ARG_IN(arg, a, b)	 ARG_TEST(arg, CALL_MATCH_IN, UINT32_MAX, a, b)
#define ARG_NOT_IN(arg, a, b)	 ARG_TEST(arg, CALL_MATCH_NOT_IN, UINT32_MAX, a, b)
#define ARG_BITS(arg, mask)	 ARG_TEST(arg, CALL_MATCH_BITS, mask, 0, 0)
#define ARG_NO_BITS(arg, mask)	 ARG_TEST(arg, CALL_MATCH_NO_BITS, mask, 0, 0)
/* The bit that O_TMPFILE has and O_DIRECTORY does not. */
#define CALL_O_TMPFILE		 (O_TMPFILE & ~O_DIRECTORY)
/* The kernel's SOCK_TYPE_MASK; the rest is SOCK_CLOEXEC and SOCK_NONBLOCK. */
#define ARG_SOCK_TYPE(arg, type) ARG_TEST(arg, CALL_MATCH_IN, 0xf, type, type)

#endif
