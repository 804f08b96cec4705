/*
 * The entry point of the shim: all signals are blocked before anything else is done. What the
 * subject sends right after its exec would else find a program that has not begun: it would end it
 * before the server has heard of the command, or come to nothing. System V ABI, x86-64.
 */
#include <asm/unistd.h>

	.text
	.globl	shim_entry
	.type	shim_entry, @function
shim_entry:
	mov	$__NR_rt_sigprocmask, %eax
	xor	%edi, %edi			/* SIG_BLOCK */
	lea	all_signals(%rip), %rsi
	lea	shim_inherited_mask(%rip), %rdx
	mov	$8, %r10d
	syscall
	xor	%edx, %edx			/* as the kernel leaves it: nothing for atexit(3) */
	jmp	_start
	.size	shim_entry, . - shim_entry

	.section .rodata
	.balign	8
all_signals:
	.quad	-1

	.bss
	.balign	8
	.globl	shim_inherited_mask
	.type	shim_inherited_mask, @object
	.size	shim_inherited_mask, 8
shim_inherited_mask:
	.zero	8

	.section .note.GNU-stack, "", @progbits
