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
    push 0x1b
    push gs:[0]
    push r11
    push 0x23
    push rcx
    push 0
    push 0x100                  // the way back may be SYSRET
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
    mov rdi, rsp
    mov rsp, gs:[16]
    xor ebp, ebp
    call enter_call
    jmp leave_kernel
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

// rax: the context to go on with, or 0 for none.
.globl leave_kernel
.type leave_kernel, @function
leave_kernel:
    test rax, rax
    jz idle
    mov rsp, rax
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    pop r11
    pop r10
    pop r9
    pop r8
    pop rax
    pop rcx
    pop rdx
    pop rsi
    pop rdi
    cmp dword ptr [rsp], 0x100
    jne leave_by_iret
    bt qword ptr [rsp + 16], 47
    jc leave_by_iret            // not canonical: SYSRET would fault in ring 0
    mov rcx, [rsp + 16]
    mov r11, [rsp + 32]
    mov rsp, [rsp + 40]
    swapgs
    sysretq
leave_by_iret:
    shl qword ptr [rsp + 16], 16
    sar qword ptr [rsp + 16], 16 // canonical: it faults in user space
    add rsp, 16
    swapgs
    iretq
.size leave_kernel, . - leave_kernel

.type idle, @function
idle:
    mov rsp, gs:[16]
    xor ebp, ebp
idle_again:
    sti
    hlt
    jmp idle_again
.size idle, . - idle
