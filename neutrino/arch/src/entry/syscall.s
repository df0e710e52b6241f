// SYSCALL: SDM vol. 2, SYSCALL and SYSRET; vol. 3, 5.8.8.
//
// register  on entry                  on exit to user space
// rax       call number               result (foreign: number << 47 | return address)
// rcx       return address            lost (foreign: the personality's entry)
// r11       flags                     lost (foreign: flags)
// rsp       the user's                the user's
// others    arguments, preserved      as on entry
//
// Interrupts are off from the first instruction (SFMASK); rsp is the user's until it points into the
// thread's context. gs:0 scratch, gs:8 end of the context's frame, gs:16 kernel stack, gs:24 foreign
// entry (see `cpu::percpu`).

.section .text.entry, "ax"
.globl syscall_entry
.type syscall_entry, @function
syscall_entry:
    cmp rax, 0x1000
    jb syscall_foreign
    swapgs
    mov gs:[0], rsp
    mov rsp, gs:[8]
    mov [rsp - 176], r15
    mov [rsp - 168], r14
    mov [rsp - 160], r13
    mov [rsp - 152], r12
    mov [rsp - 144], rbp
    mov [rsp - 136], rbx
    mov [rsp - 120], r10
    mov [rsp - 112], r9
    mov [rsp - 104], r8
    mov [rsp - 96], rax
    mov [rsp - 80], rdx
    mov [rsp - 72], rsi
    mov [rsp - 64], rdi
    mov qword ptr [rsp - 56], 0x100 // the way back is SYSRET
    mov rdx, gs:[0]
    mov [rsp - 40], rcx
    mov [rsp - 24], r11
    mov [rsp - 16], rdx
    mov rcx, rax
    lea rdx, [rsp - 176]
    mov rsp, gs:[16]
    xor ebp, ebp
    call enter_call             // does not return: it jumps to one of the ways below
.size syscall_entry, . - syscall_entry

.type syscall_foreign, @function
syscall_foreign:
    swapgs
    shl rax, 47
    or rax, rcx
    mov rcx, gs:[24]
    swapgs
    test rcx, rcx
    jz syscall_unknown
    sysretq
syscall_unknown:
    mov rcx, rax
    shl rcx, 17                 // 47 bits of return address are left: always canonical
    shr rcx, 17
    mov rax, -38                // ENOSYS
    sysretq
.size syscall_foreign, . - syscall_foreign

// rax: the context to go on with, or 0 for none, or with bit 0 set if its call is not finished. rcx: the context that has its words (rdx, r10, r8, r9,
// r12, r13): the same, or that of a thread whose message it gets.
//
// A frame that SYSCALL made has a canonical return address, so that SYSRET cannot fault in ring 0:
// no user page reaches up to the end of the lower half (USER_END).
.globl leave_kernel
.type leave_kernel, @function
leave_kernel:
    mov rcx, rax
.globl leave_kernel_pair
leave_kernel_pair:
    test al, 1
    jnz go_on
    test rax, rax
    jz idle
.globl leave_kernel_words
leave_kernel_words:
    mov r15, [rax]
    mov r14, [rax + 8]
    mov r13, [rcx + 16]
    mov r12, [rcx + 24]
    mov rbp, [rax + 32]
    mov rbx, [rax + 40]
    mov r10, [rcx + 56]
    mov r9, [rcx + 64]
    mov r8, [rcx + 72]
    mov rdx, [rcx + 96]
    mov rsi, [rax + 104]
    mov rdi, [rax + 112]
    cmp dword ptr [rax + 120], 0x100
    jne leave_by_iret
    mov rcx, [rax + 136]
    mov r11, [rax + 152]
    mov rsp, [rax + 160]
    mov rax, [rax + 80]
    swapgs
    sysretq
leave_by_iret:
    mov r11, [rax + 48]
    mov rcx, [rax + 88]
    lea rsp, [rax + 136]
    mov rax, [rax + 80]
    shl qword ptr [rsp], 16
    sar qword ptr [rsp], 16     // canonical: it faults in user space
    swapgs
    iretq
.size leave_kernel, . - leave_kernel

// The running thread's call has another part. Interrupts come between the two instructions behind STI,
// and forget where they were.
.type go_on, @function
go_on:
    mov rsp, gs:[16]
    xor ebp, ebp
    sti
    nop
    cli
    call enter_again
    jmp leave_kernel
.size go_on, . - go_on

.type idle, @function
idle:
    mov rsp, gs:[16]
    xor ebp, ebp
idle_again:
    sti
    hlt
    jmp idle_again
.size idle, . - idle
