/* long stub_call(number, six arguments). System V ABI, x86-64. */
	.text
	.globl	stub_call
	.type	stub_call, @function
stub_call:
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %r10
	mov	%r9, %r8
	mov	8(%rsp), %r9
	syscall
	ret
	.size	stub_call, . - stub_call

	.section .note.GNU-stack, "", @progbits
