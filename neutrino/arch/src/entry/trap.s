// Exceptions and interrupts: SDM vol. 3, chapter 6 (6.14 for 64-bit mode).
//
// From user space the CPU pushes onto TSS.RSP0, which is the end of the running thread's context, so
// that the frame is in its place already. From ring 0 it is an interrupt of the idle loop or between
// two parts of a call, which forgets where it was, or a bug. NMI, #DF and #MC run on stacks of their
// own and never return; they make no assumption about GS. #DB has its own stack too, as it can follow
// `mov ss` into the kernel.
//
// On the stack at `trap_common`: vector, error code, rip, cs, rflags, rsp, ss.

.section .text.entry, "ax"

.macro PUSH_REGISTERS
    push rdi
    push rsi
    push rdx
    push rcx
    push rax
    push r8
    push r9
    push r10
    push r11
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
.endm

.type trap_common, @function
trap_common:
    test byte ptr [rsp + 24], 3
    jz trap_in_kernel
    swapgs
trap_from_user:
.globl trap_clac
trap_clac:
    .byte 0x0f, 0x1f, 0x00      // boot writes CLAC here if the CPU has SMAP
    PUSH_REGISTERS
    mov rdi, rsp
    mov rsp, gs:[16]
    xor ebp, ebp
    cld
    call enter_trap
    jmp leave_kernel
trap_in_kernel:
    cmp dword ptr [rsp], 0x20
    jb trap_fatal
    mov edi, [rsp]
    mov rsp, gs:[16]
    xor ebp, ebp
    call enter_idle
    jmp leave_kernel
trap_fatal:
    PUSH_REGISTERS
    mov rdi, rsp
    cld
    call fatal_trap
    ud2
.size trap_common, . - trap_common

.type trap_debug, @function
trap_debug:
    test byte ptr [rsp + 8], 3
    jz trap_debug_in_kernel
    swapgs
    mov gs:[0], rax
    mov rax, gs:[8]
    pop qword ptr [rax - 40]
    pop qword ptr [rax - 32]
    pop qword ptr [rax - 24]
    pop qword ptr [rax - 16]
    pop qword ptr [rax - 8]
    lea rsp, [rax - 40]
    mov rax, gs:[0]
    push 0
    push 1
    jmp trap_from_user
trap_debug_in_kernel:
    and qword ptr [rsp + 16], -0x101
    iretq
.size trap_debug, . - trap_debug

// One stub of 16 bytes for each vector, so that their addresses need no table.
.balign 16
.globl trap_stubs
.type trap_stubs, @function
trap_stubs:
.set vector, 0
.rept 256
    .balign 16
    .if vector == 1
        jmp trap_debug
    .elseif vector == 2 || vector == 18
        push 0
        push vector
        jmp trap_fatal
    .elseif vector == 8
        push vector
        jmp trap_fatal
    .elseif vector == 10 || vector == 11 || vector == 12 || vector == 13 || vector == 14 || vector == 17 || vector == 21 || vector == 29 || vector == 30
        push vector
        jmp trap_common
    .else
        push 0
        push vector
        jmp trap_common
    .endif
    .set vector, vector + 1
.endr
.size trap_stubs, . - trap_stubs
