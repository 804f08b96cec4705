/* The page that a report is put into. */
	.section .rodata
	.globl	conf_page
	.globl	conf_page_end
conf_page:
	.incbin	"conformance/page.html"
conf_page_end:
	.byte	0

	.section .note.GNU-stack, "", %progbits
