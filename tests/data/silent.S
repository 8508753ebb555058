/* SPDX-License-Identifier: GPL-2.0-only */
/* A kernel that QEMU starts (PVH) and that does nothing at all. */
	.section .note.Xen, "a", @note
	.long 4, 8, 18
	.asciz "Xen"
	.quad start
	.section .text
	.code32
	.globl start
start:
	cli
1:	hlt
	jmp 1b
	.ascii "Linux version 9.9.9-silent (x) "
