/* switch: leaves one stack and goes on with another, in a dozen instructions.
 *
 * A switch is a call to a function, so the compiler has already saved what a call may destroy; only the registers
 * a function must preserve are left (System V AMD64 §3.2.1; AAPCS64 §6.1.1). They are pushed on the stack being left and
 * popped from the one being entered. Unlike swapcontext(3) there is no system call, since the signal mask stays as it is:
 * the whole process has one. The floating-point control words are not kept either: nothing here changes them.
 *
 * The new stack is left by a jump, not `ret`: the processor predicts returns from a stack of its own, which
 * a switch does not match, and each would be a misprediction. */
#include "loop/internal.h"

#include <stdlib.h>

#if defined(__x86_64__)

__attribute__((visibility("hidden"))) void sf_loop__asm_switch(void **from_sp, void *to_sp);
__asm__(".text\n"
		".p2align 4\n"
		".globl sf_loop__asm_switch\n"
		".hidden sf_loop__asm_switch\n"
		".type sf_loop__asm_switch, @function\n"
		"sf_loop__asm_switch:\n"
		"	.cfi_startproc\n"
		"	endbr64\n"
		"	pushq %rbp\n"
		"	pushq %rbx\n"
		"	pushq %r12\n"
		"	pushq %r13\n"
		"	pushq %r14\n"
		"	pushq %r15\n"
		"	movq %rsp, (%rdi)\n"
		"	movq %rsi, %rsp\n"
		"	popq %r15\n"
		"	popq %r14\n"
		"	popq %r13\n"
		"	popq %r12\n"
		"	popq %rbx\n"
		"	popq %rbp\n"
		"	popq %rcx\n"
		"	notrack jmp *%rcx\n"
		"	.cfi_endproc\n"
		".size sf_loop__asm_switch, . - sf_loop__asm_switch\n");

void sf_loop__ctx_make(struct sf_loop__ctx *c, void *base, size_t size, void (*entry)(void)) {
	char *top = (char *)base + size;
	void **sp = (void **)(top - (uintptr_t)top % 16);
	*--sp = NULL;          /* keeps the ABI's alignment at entry, and ends a debugger's walk */
	*--sp = (void *)entry; /* where the switch jumps to */
	for (int i = 0; i < 6; i++) *--sp = NULL;
	c->sp = sp;
}

void sf_loop__ctx_switch(struct sf_loop__ctx *from, struct sf_loop__ctx *to) {
	sf_loop__asm_switch(&from->sp, to->sp);
}

#elif defined(__aarch64__)

__attribute__((visibility("hidden"))) void sf_loop__asm_switch(void **from_sp, void *to_sp);
__asm__(".text\n"
		".p2align 4\n"
		".globl sf_loop__asm_switch\n"
		".hidden sf_loop__asm_switch\n"
		".type sf_loop__asm_switch, %function\n"
		"sf_loop__asm_switch:\n"
		"	sub sp, sp, #160\n"
		"	stp x19, x20, [sp, #0]\n"
		"	stp x21, x22, [sp, #16]\n"
		"	stp x23, x24, [sp, #32]\n"
		"	stp x25, x26, [sp, #48]\n"
		"	stp x27, x28, [sp, #64]\n"
		"	stp x29, x30, [sp, #80]\n"
		"	stp d8, d9, [sp, #96]\n"
		"	stp d10, d11, [sp, #112]\n"
		"	stp d12, d13, [sp, #128]\n"
		"	stp d14, d15, [sp, #144]\n"
		"	mov x9, sp\n"
		"	str x9, [x0]\n"
		"	mov sp, x1\n"
		"	ldp x19, x20, [sp, #0]\n"
		"	ldp x21, x22, [sp, #16]\n"
		"	ldp x23, x24, [sp, #32]\n"
		"	ldp x25, x26, [sp, #48]\n"
		"	ldp x27, x28, [sp, #64]\n"
		"	ldp x29, x30, [sp, #80]\n"
		"	ldp d8, d9, [sp, #96]\n"
		"	ldp d10, d11, [sp, #112]\n"
		"	ldp d12, d13, [sp, #128]\n"
		"	ldp d14, d15, [sp, #144]\n"
		"	add sp, sp, #160\n"
		"	mov x16, x30\n"
		"	br x16\n"
		".size sf_loop__asm_switch, . - sf_loop__asm_switch\n");

void sf_loop__ctx_make(struct sf_loop__ctx *c, void *base, size_t size, void (*entry)(void)) {
	char *top = (char *)base + size;
	void **frame = (void **)(top - (uintptr_t)top % 16 - 160);
	memset(frame, 0, 160);
	frame[11] = (void *)entry; /* x30 */
	c->sp = frame;
}

void sf_loop__ctx_switch(struct sf_loop__ctx *from, struct sf_loop__ctx *to) {
	sf_loop__asm_switch(&from->sp, to->sp);
}

#else

void sf_loop__ctx_make(struct sf_loop__ctx *c, void *base, size_t size, void (*entry)(void)) {
	SF_BUG_ON(getcontext(&c->uc) != 0);
	c->uc.uc_stack.ss_sp = base;
	c->uc.uc_stack.ss_size = size;
	c->uc.uc_link = NULL;
	makecontext(&c->uc, entry, 0);
}

void sf_loop__ctx_switch(struct sf_loop__ctx *from, struct sf_loop__ctx *to) {
	SF_BUG_ON(swapcontext(&from->uc, &to->uc) != 0);
}

#endif
