// From the boot loader to Rust: 32-bit protected mode without paging, to long mode in the upper half.
//
// register  on entry                                       on exit (call of `start`)
// eax       Multiboot2: its magic; PVH: anything           -
// ebx       address of the loader's information            edi: kind (0 Multiboot2, 1 PVH), esi: ebx
// others    anything                                       rdx: TSC on entry
//
// Multiboot2 specification 2.0, 3.1.1 to 3.1.10 and 3.3; Xen's "PVH boot" note (18).

.section .multiboot, "a"
.align 8
multiboot_header:
    .long 0xe85250d6, 0, multiboot_end - multiboot_header
    .long 0x100000000 - (0xe85250d6 + (multiboot_end - multiboot_header))
    .align 8
    .short 5, 1                 // framebuffer, optional
    .long 20, 1024, 768, 32
    .align 8
    .short 6, 0                 // modules on page boundaries
    .long 8
    .align 8
    .short 0, 0
    .long 8
multiboot_end:

.section .note.pvh, "a", @note
.align 4
    .long 4, 8, 18
    .asciz "Xen"
    .quad start_pvh

.section .bss..stack, "aw", @nobits
.align 4096
.globl boot_stack_guard
boot_stack_guard:
    .skip 4096
    .skip 65536
.globl boot_stack_top
boot_stack_top:
.globl boot_pml4, boot_pdpt_low, boot_pdpt_high, boot_pd
boot_pml4:
    .skip 4096
boot_pdpt_low:
    .skip 4096
boot_pdpt_high:
    .skip 4096
boot_pd:
    .skip 16384
boot_tables_end:

.section .boot.text, "ax"
.code32
.globl start_multiboot
.type start_multiboot, @function
start_multiboot:
    xor edi, edi
    jmp start_common
.globl start_pvh
.type start_pvh, @function
start_pvh:
    mov edi, 1
start_common:
    cli
    cld
    mov esp, offset low_boot_stack_top
    rdtsc
    push edx
    push eax
    mov esi, ebx

    // The first 4 GiB in 2 MiB pages, at 0 and in the direct map; the first of them as the kernel.
    mov ebx, offset low_boot_pd
    mov eax, 0x83
    xor ecx, ecx
start_pages:
    mov [ebx + ecx * 8], eax
    mov dword ptr [ebx + ecx * 8 + 4], 0
    add eax, 0x200000
    inc ecx
    cmp ecx, 2048
    jne start_pages
    lea eax, [ebx + 3]
    mov ebx, offset low_boot_pdpt_low
    mov [ebx], eax
    mov ecx, offset low_boot_pdpt_high
    mov [ecx + 510 * 8], eax
    add eax, 4096
    mov [ebx + 8], eax
    add eax, 4096
    mov [ebx + 16], eax
    add eax, 4096
    mov [ebx + 24], eax
    mov eax, offset low_boot_pml4
    or ebx, 3
    mov [eax], ebx
    mov [eax + 256 * 8], ebx
    or ecx, 3
    mov [eax + 511 * 8], ecx
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
    lgdt [boot_gdt_pointer]
    .byte 0xea                  // far jump, which Intel syntax cannot say here
    .long start_long
    .short 8
.code64
start_long:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    mov esp, esp
    pop rdx
    movabs rsp, offset boot_stack_top
    movabs rax, offset start
    xor ebp, ebp
    movabs rcx, offset leave_kernel
    push rcx                    // `start` returns there: this code is not mapped by then
    jmp rax

.align 8
boot_gdt:
    .quad 0, 0x00209a0000000000, 0x00cf9a000000ffff, 0x00cf92000000ffff
.globl boot_gdt
boot_gdt_pointer:
    .short 15
    .long boot_gdt
