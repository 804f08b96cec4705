/* The entry point of the stub. System V ABI, x86-64. */
	.text
	.globl	_start
	.type	_start, @function
_start:
	xor	%ebp, %ebp
	and	$-16, %rsp
	call	stub_main
	hlt
	.size	_start, . - _start

	.section .note.GNU-stack, "", @progbits
