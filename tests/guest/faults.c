/* Programs that do what they must not: each dies with the right signal, or catches it. */
#include "check.h"
#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf back;
static siginfo_t fault;
static greg_t fault_rip;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    fault = *info;
    fault_rip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    siglongjmp(back, 1);
}

static void catch(int signal)
{
    struct sigaction action = { 0 };
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    CHECK(sigaction(signal, &action, NULL) == 0);
}

static void read_at(uintptr_t address)
{
    __asm__ volatile("movb (%0), %%al" : : "r"(address) : "rax", "memory");
}

static void write_at(uintptr_t address)
{
    __asm__ volatile("movb $1, (%0)" : : "r"(address) : "memory");
}

static void jump_to(uintptr_t address)
{
    __asm__ volatile("call *%0" : : "r"(address) : "rax", "rcx", "rdx", "memory");
}

static void read_null(void) { read_at(0); }
static void write_null(void) { write_at(0); }
static void call_null(void) { jump_to(0); }
static void read_kernel(void) { read_at(0xffffffff80000000); }
static void write_kernel(void) { write_at(0xffffffff80000000); }
static void call_kernel(void) { jump_to(0xffffffff80000000); }
static void call_direct_map(void) { jump_to(0xffff800000000000); }
static void read_non_canonical(void) { read_at(0x0000800000000000); }
static void call_non_canonical(void) { jump_to(0x1234567890abcdef); }

static void write_code(void) { write_at((uintptr_t)&write_code); }
static void write_constant(void) { write_at((uintptr_t)"constant"); }

static void call_stack(void)
{
    /* ret */
    volatile unsigned char code[16] = { 0xc3 };
    jump_to((uintptr_t)code);
}

static void call_heap(void)
{
    unsigned char *code = malloc(16);
    CHECK(code);
    code[0] = 0xc3;
    jump_to((uintptr_t)code);
}

static void divide_by_zero(void)
{
    __asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; divl %%ecx"
                     : : : "eax", "ecx", "edx");
}

static void divide_overflow(void)
{
    __asm__ volatile("mov $0x80000000, %%eax; cltd; mov $-1, %%ecx; idivl %%ecx"
                     : : : "eax", "ecx", "edx");
}

static void undefined_instruction(void) { __asm__ volatile("ud2"); }
static void breakpoint(void) { __asm__ volatile("int3"); }
static void halt(void) { __asm__ volatile("hlt"); }
static void disable_interrupts(void) { __asm__ volatile("cli"); }
static void write_port(void) { __asm__ volatile("outb %%al, $0x80" : : "a"(0)); }
static void load_page_tables(void) { __asm__ volatile("mov %0, %%cr3" : : "r"(0ul)); }
static void read_model_register(void)
{
    __asm__ volatile("rdmsr" : : "c"(0xc0000080) : "rax", "rdx");
}
static void software_interrupt(void) { __asm__ volatile("int $0x20"); }
static void double_fault_gate(void) { __asm__ volatile("int $8"); }

static void unaligned_vector(void)
{
    static char bytes[32] __attribute__((aligned(16)));
    __asm__ volatile("movaps (%0), %%xmm0" : : "r"(bytes + 1) : "xmm0");
}

static void non_canonical_stack(void)
{
    __asm__ volatile("mov %0, %%rsp; push %%rax" : : "r"(0x0000900000000000ul) : "memory");
}

static void null_stack(void)
{
    __asm__ volatile("xor %%esp, %%esp; push %%rax" : : : "memory");
}

static void call_abort(void) { abort(); }

static int use_stack(int level)
{
    volatile char frame[65536];
    frame[level % 1000] = 1;
    if (level == INT_MAX)
        return 0;
    return use_stack(level + 1) + frame[level % 1000];
}

static void overflow_stack(void)
{
    use_stack(0);
}

static void trap_flag(void)
{
    __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop" : : : "memory", "cc");
}

static const struct {
    const char *what;
    void (*body)(void);
    int signal;
    /* What an emulated CPU may make of it instead. */
    int emulated;
} deeds[] = {
    { "read_null", read_null, SIGSEGV, 0 },
    { "write_null", write_null, SIGSEGV, 0 },
    { "call_null", call_null, SIGSEGV, 0 },
    { "read_kernel", read_kernel, SIGSEGV, 0 },
    { "write_kernel", write_kernel, SIGSEGV, 0 },
    { "call_kernel", call_kernel, SIGSEGV, 0 },
    { "call_direct_map", call_direct_map, SIGSEGV, 0 },
    { "read_non_canonical", read_non_canonical, SIGSEGV, 0 },
    { "call_non_canonical", call_non_canonical, SIGSEGV, 0 },
    { "write_code", write_code, SIGSEGV, 0 },
    { "write_constant", write_constant, SIGSEGV, 0 },
    { "call_stack", call_stack, SIGSEGV, 0 },
    { "call_heap", call_heap, SIGSEGV, 0 },
    { "divide_by_zero", divide_by_zero, SIGFPE, 0 },
    { "divide_overflow", divide_overflow, SIGFPE, 0 },
    { "undefined_instruction", undefined_instruction, SIGILL, 0 },
    { "breakpoint", breakpoint, SIGTRAP, 0 },
    { "halt", halt, SIGSEGV, 0 },
    { "disable_interrupts", disable_interrupts, SIGSEGV, 0 },
    { "write_port", write_port, SIGSEGV, 0 },
    { "load_page_tables", load_page_tables, SIGSEGV, 0 },
    { "read_model_register", read_model_register, SIGSEGV, 0 },
    { "software_interrupt", software_interrupt, SIGSEGV, 0 },
    { "double_fault_gate", double_fault_gate, SIGSEGV, 0 },
    { "unaligned_vector", unaligned_vector, SIGSEGV, 0 },
    /* A stack fault (12); QEMU's own CPU reports a general protection fault (13) instead. */
    { "non_canonical_stack", non_canonical_stack, SIGBUS, SIGSEGV },
    { "null_stack", null_stack, SIGSEGV, 0 },
    { "call_abort", call_abort, SIGABRT, 0 },
    { "overflow_stack", overflow_stack, SIGSEGV, 0 },
    { "trap_flag", trap_flag, SIGTRAP, 0 },
};

static void each_deed_dies_with_its_signal(void)
{
    for (size_t i = 0; i < COUNT(deeds); i++) {
        int status = status_of(deeds[i].body), emulated = deeds[i].emulated;
        int died = killed_by(status, deeds[i].signal) || (emulated && killed_by(status, emulated));
        if (!died)
            dprintf(2, "%s: wait status 0x%x, expected signal %d\n", deeds[i].what, status,
                    deeds[i].signal);
        CHECK(died);
    }
}

/* Does the deed with its signal caught; the details are in `fault`. */
static void do_and_catch(void (*body)(void), int signal)
{
    catch(signal);
    memset(&fault, 0, sizeof fault);
    if (sigsetjmp(back, 1) == 0) {
        body();
        CHECK(0);
    }
    CHECK(fault.si_signo == signal);
}

static void a_handler_learns_address_and_reason(void)
{
    do_and_catch(read_null, SIGSEGV);
    CHECK(fault.si_code == SEGV_MAPERR && fault.si_addr == NULL);
    do_and_catch(write_code, SIGSEGV);
    CHECK(fault.si_code == SEGV_ACCERR && fault.si_addr == (void *)(uintptr_t)&write_code);
    do_and_catch(call_null, SIGSEGV);
    CHECK(fault.si_addr == NULL && fault_rip == 0);
    do_and_catch(call_stack, SIGSEGV);
    CHECK(fault.si_code == SEGV_ACCERR && (greg_t)(uintptr_t)fault.si_addr == fault_rip);
    do_and_catch(divide_by_zero, SIGFPE);
    CHECK(fault.si_code == FPE_INTDIV && (greg_t)(uintptr_t)fault.si_addr == fault_rip);
    do_and_catch(undefined_instruction, SIGILL);
    CHECK(fault.si_code == ILL_ILLOPN || fault.si_code == ILL_ILLOPC);
    CHECK((greg_t)(uintptr_t)fault.si_addr == fault_rip);
    do_and_catch(breakpoint, SIGTRAP);
    do_and_catch(halt, SIGSEGV);
    do_and_catch(read_kernel, SIGSEGV);
}

static void a_stack_overflow_can_be_caught_on_another_stack(void)
{
    stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
    CHECK(stack.ss_sp && sigaltstack(&stack, NULL) == 0);
    do_and_catch(overflow_stack, SIGSEGV);
}

static void on_divide(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    /* divl %ecx has two bytes. */
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 99;
}

static void a_handler_can_change_registers_and_continue(void)
{
    struct sigaction action = { 0 };
    unsigned result;
    action.sa_sigaction = on_divide;
    action.sa_flags = SA_SIGINFO;
    CHECK(sigaction(SIGFPE, &action, NULL) == 0);
    __asm__ volatile("xor %%edx, %%edx; mov $1, %%eax; xor %%ecx, %%ecx; divl %%ecx"
                     : "=a"(result) : : "ecx", "edx");
    CHECK(result == 99);
}

static void fault_with_signal_ignored(void)
{
    sigset_t all;
    CHECK(signal(SIGSEGV, SIG_IGN) != SIG_ERR);
    sigfillset(&all);
    CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
    read_null();
}

static void a_fault_cannot_be_ignored_or_blocked(void)
{
    CHECK(killed_by(status_of(fault_with_signal_ignored), SIGSEGV));
}

static void spoilt_return(void)
{
    /* What sigreturn finds there is no frame that the system made. */
    static unsigned long junk[512];
    memset(junk, 0xa5, sizeof junk);
    __asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall; hlt" : : "r"(&junk[64]) : "memory");
}

static void a_forged_signal_frame_kills_only_its_maker(void)
{
    CHECK(killed_by(status_of(spoilt_return), SIGSEGV));
}

static const struct test tests[] = {
    TEST(each_deed_dies_with_its_signal),
    TEST(a_handler_learns_address_and_reason),
    TEST(a_stack_overflow_can_be_caught_on_another_stack),
    TEST(a_handler_can_change_registers_and_continue),
    TEST(a_fault_cannot_be_ignored_or_blocked),
    TEST(a_forged_signal_frame_kills_only_its_maker),
};

/* faults NAME does one of the deeds in the open, for a shell to see. */
int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < COUNT(deeds); i++)
        if (strcmp(argv[1], deeds[i].what) == 0) {
            deeds[i].body();
            return 0;
        }
    return run_tests(tests, COUNT(tests), argc, argv);
}
