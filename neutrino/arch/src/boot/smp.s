// Another CPU's way from its start in real mode to Rust: SDM vol. 3, 9.4 (multiple-processor
// initialisation) and 10.8.5 (64-bit mode).
//
// The code up to `smp_start_end` is copied to a page below 1 MiB, whose number is CS / 0x100; the rest
// runs where it is. One CPU at a time comes here: `smp_claim` is 1 until one has taken its turn.
//
// register  on entry               on exit (call of `start_other`)
// cs        page << 8, ip is 0     -
// others    anything               rsp: `smp_stack`, CR3: `smp_root`

.section .rodata.smp, "a"
.code16
.globl smp_start, smp_start_end
smp_start:
    cli
    cld
    // lgdt cs:[smp_gdt_pointer - smp_start], with 32 bits of base
    .byte 0x2e, 0x66, 0x0f, 0x01, 0x16
    .short smp_gdt_pointer - smp_start
    mov eax, cr0
    or al, 1                    // PE
    mov cr0, eax
    // far jump to 32-bit code
    .byte 0x66, 0xea
    .long smp_protected
    .short 16
.align 4
smp_gdt_pointer:
    .short 31
    .long boot_gdt
smp_start_end:

.section .boot.text, "ax"
.code32
smp_protected:
    mov ax, 24
    mov ds, ax
    xor eax, eax
    xchg eax, [low_smp_claim]
    test eax, eax
    jz smp_too_late
    mov eax, offset low_boot_pml4
    mov cr3, eax
    mov eax, cr4
    or eax, 0x20                // PAE
    mov cr4, eax
    mov ecx, 0xc0000080         // EFER: LME, NXE
    rdmsr
    or eax, 0x900
    wrmsr
    mov eax, cr0
    or eax, 0x80010001          // PG, WP, PE
    mov cr0, eax
    .byte 0xea                  // far jump, which Intel syntax cannot say here
    .long smp_long
    .short 8
smp_too_late:
    cli
    hlt
    jmp smp_too_late
.code64
smp_long:
    movabs rax, offset smp_high
    jmp rax

.section .text.entry, "ax"
.type smp_high, @function
smp_high:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    mov rax, [rip + smp_root]
    mov cr3, rax
    mov rsp, [rip + smp_stack]
    xor ebp, ebp
    call start_other
    jmp leave_kernel
.size smp_high, . - smp_high

.section .data
.align 8
.globl smp_claim, smp_root, smp_stack
smp_root:
    .quad 0
smp_stack:
    .quad 0
smp_claim:
    .long 0
