/* Filters of system calls in tests: run over made-up calls, as the kernel would. */
#ifndef SANDTAPE_BASE_BPF_TEST_H
#define SANDTAPE_BASE_BPF_TEST_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>

/* What the program returns, and after how many instructions (may be NULL). The kernel would refuse
 * one that runs past its end. */
uint32_t bpf_run(const struct sock_filter *code, unsigned len, const struct seccomp_data *call,
		 unsigned *ret_steps);

#endif
