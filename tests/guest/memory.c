/* mmap, munmap, mprotect, mremap, brk, shared memory. */
#include "check.h"
#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>

#define PAGE 4096

static sigjmp_buf fault_back;
static void *volatile fault_address;
static volatile int fault_signal, fault_code;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    fault_signal = signal;
    fault_code = info->si_code;
    fault_address = info->si_addr;
    siglongjmp(fault_back, 1);
}

static void catch_faults(void)
{
    struct sigaction action = { 0 };
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0 && sigaction(SIGBUS, &action, NULL) == 0);
}

/* The signal that touching the byte raises, or 0. */
static int reading(volatile char *byte)
{
    if (sigsetjmp(fault_back, 1))
        return fault_signal;
    (void)*byte;
    return 0;
}

static int writing(volatile char *byte)
{
    if (sigsetjmp(fault_back, 1))
        return fault_signal;
    *byte = 1;
    return 0;
}

static char *map(size_t size, int protection, int flags, int fd)
{
    char *memory = mmap(NULL, size, protection, flags, fd, 0);
    CHECK(memory != MAP_FAILED);
    return memory;
}

static char *anonymous(size_t size)
{
    return map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void anonymous_memory_is_zero_and_writable(void)
{
    char *memory = anonymous(16 * PAGE);
    CHECK((uintptr_t)memory % PAGE == 0);
    for (int i = 0; i < 16 * PAGE; i++)
        CHECK(memory[i] == 0);
    memset(memory, 0x5a, 16 * PAGE);
    CHECK(memory[16 * PAGE - 1] == 0x5a);
}

static void bad_requests_are_refused(void)
{
    int anonymous_private = MAP_PRIVATE | MAP_ANONYMOUS;
    CHECK(mmap(NULL, 0, PROT_READ, anonymous_private, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF);
    CHECK(mmap(NULL, (size_t)1 << 60, PROT_READ, anonymous_private, -1, 0) == MAP_FAILED &&
          errno == ENOMEM);
    char *memory = anonymous(PAGE);
    CHECK_ERRNO(munmap(memory + 1, PAGE), EINVAL);
}

static void unmapped_memory_is_gone(void)
{
    catch_faults();
    char *memory = anonymous(3 * PAGE);
    memset(memory, 1, 3 * PAGE);
    CHECK(munmap(memory + PAGE, PAGE) == 0);
    CHECK(reading(memory + PAGE) == SIGSEGV && fault_code == SEGV_MAPERR);
    CHECK(fault_address == memory + PAGE);
    CHECK(memory[PAGE - 1] == 1 && memory[2 * PAGE] == 1);
    CHECK(munmap(memory, 3 * PAGE) == 0);
    CHECK(munmap(memory, 3 * PAGE) == 0);
}

static void mprotect_is_kept_and_can_be_undone(void)
{
    catch_faults();
    char *memory = anonymous(3 * PAGE);
    memset(memory, 7, 3 * PAGE);
    CHECK(mprotect(memory + PAGE, PAGE, PROT_READ) == 0);
    CHECK(writing(memory + PAGE + 5) == SIGSEGV && fault_code == SEGV_ACCERR);
    CHECK(fault_address == memory + PAGE + 5);
    CHECK(reading(memory + PAGE) == 0 && writing(memory) == 0 && writing(memory + 2 * PAGE) == 0);
    CHECK(mprotect(memory + PAGE, PAGE, PROT_NONE) == 0);
    CHECK(reading(memory + PAGE) == SIGSEGV);
    CHECK(mprotect(memory, 3 * PAGE, PROT_READ | PROT_WRITE) == 0);
    CHECK(memory[PAGE] == 7 && writing(memory + PAGE) == 0);
    CHECK(munmap(memory + PAGE, PAGE) == 0);
    CHECK_ERRNO(mprotect(memory, 3 * PAGE, PROT_READ), ENOMEM);
}

static void map_fixed_replaces_and_a_hint_does_not(void)
{
    char *memory = anonymous(4 * PAGE);
    memset(memory, 9, 4 * PAGE);
    char *same = mmap(memory + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(same == memory + PAGE && same[0] == 0 && same[2 * PAGE - 1] == 0);
    CHECK(memory[PAGE - 1] == 9 && memory[3 * PAGE] == 9);
    char *other = mmap(memory, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(other != MAP_FAILED && other != memory && memory[0] == 9);
}

static void private_memory_is_copied_and_shared_memory_is_not(void)
{
    volatile char *private = anonymous(8 * PAGE);
    volatile char *shared = map(8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
    for (int i = 0; i < 8; i++)
        private[i * PAGE] = shared[i * PAGE] = 1;
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(private[0] == 1 && shared[0] == 1);
        for (int i = 0; i < 8; i++)
            private[i * PAGE] = shared[i * PAGE] = 2;
        /* Untouched before the fork, still shared after it. */
        shared[4 * PAGE + 100] = 3;
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    for (int i = 0; i < 8; i++)
        CHECK(private[i * PAGE] == 1 && shared[i * PAGE] == 2);
    CHECK(shared[4 * PAGE + 100] == 3);
}

static void copies_stay_apart_over_generations(void)
{
    volatile int *value = (volatile int *)anonymous(PAGE);
    *value = 1;
    for (int generation = 2; generation < 8; generation++) {
        pid_t pid = fork();
        if (pid != 0) {
            int status;
            CHECK(waitpid(pid, &status, 0) == pid && status == 0);
            CHECK(*value == generation - 1);
            _exit(0);
        }
        *value = generation;
    }
}

static void a_private_file_mapping_does_not_write_the_file(void)
{
    char text[16];
    enter_scratch();
    write_file("file", "original");
    int fd = open("file", O_RDONLY);
    char *memory = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
    CHECK(close(fd) == 0);
    CHECK(memcmp(memory, "original", 8) == 0 && memory[8] == 0 && memory[PAGE - 1] == 0);
    memcpy(memory, "changed!", 8);
    CHECK(read_file("file", text, sizeof text) == 8 && strcmp(text, "original") == 0);
}

static void a_shared_file_mapping_and_read_write_see_the_same_bytes(void)
{
    char text[16];
    enter_scratch();
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0);
    char *memory = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    memcpy(memory + PAGE, "mapped", 6);
    CHECK(pread(fd, text, 6, PAGE) == 6 && memcmp(text, "mapped", 6) == 0);
    CHECK(pwrite(fd, "written", 7, 10) == 7 && memcmp(memory + 10, "written", 7) == 0);
    CHECK(msync(memory, 2 * PAGE, MS_SYNC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        memory[0] = 'c';
        _exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(pread(fd, text, 1, 0) == 1 && text[0] == 'c');
    int read_only = open("file", O_RDONLY);
    CHECK(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, read_only, 0) == MAP_FAILED && errno == EACCES);
}

static void beyond_the_end_of_a_file_is_sigbus(void)
{
    catch_faults();
    enter_scratch();
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0 && ftruncate(fd, 100) == 0);
    char *memory = map(2 * PAGE, PROT_READ, MAP_SHARED, fd);
    CHECK(reading(memory + 200) == 0);
    CHECK(reading(memory + PAGE) == SIGBUS);
}

static void mremap_grows_shrinks_and_moves(void)
{
    char *memory = anonymous(4 * PAGE);
    memset(memory, 3, 4 * PAGE);
    char *bigger = mremap(memory, 4 * PAGE, 300 * PAGE, MREMAP_MAYMOVE);
    CHECK(bigger != MAP_FAILED && bigger[0] == 3 && bigger[4 * PAGE - 1] == 3);
    CHECK(bigger[4 * PAGE] == 0 && bigger[300 * PAGE - 1] == 0);
    bigger[200 * PAGE] = 4;
    char *smaller = mremap(bigger, 300 * PAGE, PAGE, 0);
    CHECK(smaller == bigger && smaller[0] == 3);
    catch_faults();
    CHECK(reading(bigger + PAGE) == SIGSEGV);
}

static void the_break_moves_both_ways(void)
{
    /* musl's own sbrk refuses to move it; the system call is what is tested. */
    extern long syscall(long, ...);
    enum { SYS_BRK = 12 };
    char *start = (char *)syscall(SYS_BRK, 0L);
    CHECK((char *)syscall(SYS_BRK, start + 5 * PAGE) == start + 5 * PAGE);
    for (int i = 0; i < 5 * PAGE; i++)
        CHECK(start[i] == 0);
    memset(start, 6, 5 * PAGE);
    CHECK((char *)syscall(SYS_BRK, start) == start);
    CHECK((char *)syscall(SYS_BRK, start + 5 * PAGE) == start + 5 * PAGE);
    CHECK(start[PAGE] == 0);
}

static void a_large_mapping_costs_only_what_is_touched(void)
{
    size_t size = (size_t)1 << 30;
    char *memory = map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    for (size_t at = 0; at < size; at += size / 16)
        memory[at] = 1;
    CHECK(memory[size / 2] == 1 && memory[size / 2 + PAGE] == 0);
    CHECK(munmap(memory, size) == 0);
}

static void dontneed_makes_zero(void)
{
    char *memory = anonymous(4 * PAGE);
    memset(memory, 5, 4 * PAGE);
    CHECK(madvise(memory, 2 * PAGE, MADV_DONTNEED) == 0);
    CHECK(memory[0] == 0 && memory[2 * PAGE] == 5);
}

static void memory_can_become_code(void)
{
    /* mov eax, 42; ret */
    static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
    char *memory = anonymous(PAGE);
    memcpy(memory, code, sizeof code);
    CHECK(mprotect(memory, PAGE, PROT_READ | PROT_EXEC) == 0);
    CHECK(((int (*)(void))(uintptr_t)memory)() == 42);
    catch_faults();
    CHECK(writing(memory) == SIGSEGV);
}

static int deep(int levels)
{
    volatile char frame[PAGE];
    frame[0] = (char)levels;
    return levels == 0 ? frame[0] : deep(levels - 1) + (frame[0] == (char)levels ? 0 : 1);
}

static void the_stack_grows_to_megabytes(void)
{
    CHECK(deep(1000) == 0);
}

static void malloc_keeps_blocks_apart(void)
{
    enum { BLOCKS = 64, ROUNDS = 20000 };
    static unsigned char *blocks[BLOCKS];
    static size_t sizes[BLOCKS];
    unsigned random = 1;
    for (int round = 0; round < ROUNDS; round++) {
        random = random * 1103515245u + 12345u;
        unsigned i = random >> 16 & (BLOCKS - 1);
        if (blocks[i])
            CHECK(blocks[i][0] == (unsigned char)i && blocks[i][sizes[i] - 1] == (unsigned char)i);
        free(blocks[i]);
        /* Mostly small ones; each 32nd is beyond the threshold for a mapping of its own. */
        sizes[i] = random % 32 == 0 ? 300000 : 1 + random % 3000;
        blocks[i] = malloc(sizes[i]);
        CHECK(blocks[i]);
        memset(blocks[i], (int)i, sizes[i]);
    }
}

static void shared_memory_objects_have_names(void)
{
    char name[32];
    snprintf(name, sizeof name, "/guest-%d", (int)getpid());
    int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0 && ftruncate(fd, PAGE) == 0);
    char *one = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    pid_t pid = fork();
    if (pid == 0) {
        int again = shm_open(name, O_RDWR, 0);
        CHECK(again >= 0);
        char *two = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, again);
        strcpy(two, "from the child");
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(strcmp(one, "from the child") == 0);
    CHECK(shm_unlink(name) == 0);
    CHECK_ERRNO(shm_open(name, O_RDWR, 0), ENOENT);
    CHECK(strcmp(one, "from the child") == 0);
}

static const struct test tests[] = {
    TEST(anonymous_memory_is_zero_and_writable),
    TEST(bad_requests_are_refused),
    TEST(unmapped_memory_is_gone),
    TEST(mprotect_is_kept_and_can_be_undone),
    TEST(map_fixed_replaces_and_a_hint_does_not),
    TEST(private_memory_is_copied_and_shared_memory_is_not),
    TEST(copies_stay_apart_over_generations),
    TEST(a_private_file_mapping_does_not_write_the_file),
    TEST(a_shared_file_mapping_and_read_write_see_the_same_bytes),
    TEST(beyond_the_end_of_a_file_is_sigbus),
    TEST(mremap_grows_shrinks_and_moves),
    TEST(the_break_moves_both_ways),
    TEST(a_large_mapping_costs_only_what_is_touched),
    TEST(dontneed_makes_zero),
    TEST(memory_can_become_code),
    TEST(the_stack_grows_to_megabytes),
    TEST(malloc_keeps_blocks_apart),
    TEST(shared_memory_objects_have_names),
};

RUN(tests)
