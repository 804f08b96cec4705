/*
 * The runner (arch.h): %rbx points to a list of struct runner_call. Each call is made and its
 * result stored, until an entry with the number -1 (RUNNER_GO): then all that was used is zero
 * again, as the kernel hands it to a new program, and the program is entered.
 */
	.section .rodata
	.balign	8
	.globl	arch_runner
arch_runner:
next:
	mov	(%rbx), %rax
	cmp	$-1, %rax
	je	go
	mov	8(%rbx), %rdi
	mov	16(%rbx), %rsi
	mov	24(%rbx), %rdx
	mov	32(%rbx), %r10
	mov	40(%rbx), %r8
	mov	48(%rbx), %r9
	syscall
	mov	%rax, 56(%rbx)
	add	$64, %rbx
	jmp	next
go:
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	jmp	*entry(%rip)
	.balign	8
entry:	.quad	0	/* the last word: where the program begins */
	.globl	arch_runner_end
arch_runner_end:

	.section .note.GNU-stack, "", @progbits
