/*
 * long sandbox_clone3(struct clone_args *args, size_t size, void (*fn)(void *), void *arg)
 * long sandbox_clone(unsigned long flags, void *top, int *pidfd, void (*fn)(void *), void *arg)
 */
	.text
	.globl	sandbox_clone3
	.hidden	sandbox_clone3
	.type	sandbox_clone3, @function
sandbox_clone3:
	.cfi_startproc
	movq	%rdx, %r8	/* which the kernel leaves as they are */
	movq	%rcx, %r9
	movl	$435, %eax
	syscall
	testq	%rax, %rax
	jz	1f
	ret
1:	.cfi_undefined rip	/* there is nothing above the child */
	xorl	%ebp, %ebp
	movq	%r9, %rdi
	callq	*%r8
	hlt
	.cfi_endproc
	.size	sandbox_clone3, .-sandbox_clone3

	.globl	sandbox_clone
	.hidden	sandbox_clone
	.type	sandbox_clone, @function
sandbox_clone:
	.cfi_startproc
	movq	%rcx, %r9	/* which the call overwrites */
	xorl	%r10d, %r10d
	movl	$56, %eax
	syscall
	testq	%rax, %rax
	jz	1f
	ret
1:	.cfi_undefined rip
	xorl	%ebp, %ebp
	movq	%r8, %rdi	/* the place of a TLS, which no flag asks for */
	callq	*%r9
	hlt
	.cfi_endproc
	.size	sandbox_clone, .-sandbox_clone
	.section .note.GNU-stack,"",@progbits
