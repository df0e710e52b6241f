/* Bad pointers given to the system: EFAULT, never a dead system or a dead program. */
#include "check.h"
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <termios.h>

/* Where nothing of a program can be: the zero page, a hole, beyond user space, the kernel. */
static const uintptr_t places[] = { 0, 1, 0x1000, 0x0000100000001000, 0x00007ffffffff000,
                                    0x0000800000000000, 0xffff800000000000, 0xffffffff80000000,
                                    0xfffffffffffffff8 };

static long call(long number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d)
{
    return syscall(number, a, b, c, d, 0, 0);
}

static void paths_at_bad_places(void)
{
    static const long by_path[] = { SYS_open,  SYS_stat,   SYS_lstat, SYS_access, SYS_chdir,
                                    SYS_mkdir, SYS_rmdir,  SYS_unlink, SYS_chmod, SYS_truncate,
                                    SYS_execve };
    char text[16];
    for (size_t at = 0; at < COUNT(places); at++) {
        for (size_t i = 0; i < COUNT(by_path); i++)
            CHECK_ERRNO(call(by_path[i], places[at], 0, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_readlink, places[at], (uintptr_t)text, sizeof text, 0), EFAULT);
        CHECK_ERRNO(call(SYS_rename, (uintptr_t)"/none", places[at], 0, 0), EFAULT);
    }
}

static void buffers_at_bad_places(void)
{
    char byte = 'x';
    int ends[2];
    enter_scratch();
    int file = open("file", O_RDWR | O_CREAT, 0600), zero = open("/dev/zero", O_RDWR);
    CHECK(pipe(ends) == 0 && write(ends[1], "data", 4) == 4 && write(file, "data", 4) == 4);
    for (size_t at = 0; at < COUNT(places); at++) {
        CHECK_ERRNO(call(SYS_read, (uintptr_t)ends[0], places[at], 4, 0), EFAULT);
        CHECK_ERRNO(call(SYS_write, (uintptr_t)ends[1], places[at], 4, 0), EFAULT);
        CHECK_ERRNO(call(SYS_pread64, (uintptr_t)file, places[at], 4, 0), EFAULT);
        CHECK_ERRNO(call(SYS_pwrite64, (uintptr_t)file, places[at], 4, 0), EFAULT);
        CHECK_ERRNO(call(SYS_read, (uintptr_t)zero, places[at], 4, 0), EFAULT);
        CHECK_ERRNO(call(SYS_readv, (uintptr_t)file, places[at], 1, 0), EFAULT);
        CHECK_ERRNO(call(SYS_writev, (uintptr_t)file, places[at], 1, 0), EFAULT);
        struct iovec vector = { (void *)places[at], 4 };
        CHECK_ERRNO(pwritev(file, &vector, 1, 0), EFAULT);
        CHECK_ERRNO(preadv(file, &vector, 1, 0), EFAULT);
    }
    /* Nothing was lost or changed on the way. */
    CHECK(read(ends[0], &byte, 1) == 1 && byte == 'd');
    CHECK(pread(file, &byte, 1, 3) == 1 && byte == 'a');
}

static void results_at_bad_places(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    for (size_t at = 0; at < COUNT(places); at++) {
        uintptr_t bad = places[at];
        CHECK_ERRNO(call(SYS_stat, (uintptr_t)"/", bad, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_fstat, 0, bad, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_pipe, bad, 0, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_uname, bad, 0, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_getcwd, bad, 4096, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_clock_gettime, 1, bad, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_getrandom, bad, 8, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_getrusage, 0, bad, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_poll, bad, 1, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_nanosleep, bad, 0, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_ioctl, (uintptr_t)ends[0], FIONREAD, bad, 0), EFAULT);
        if (bad == 0)
            continue; /* A null pointer is allowed from here on. */
        CHECK_ERRNO(call(SYS_rt_sigaction, SIGUSR1, bad, 0, 8), EFAULT);
        CHECK_ERRNO(call(SYS_rt_sigaction, SIGUSR1, 0, bad, 8), EFAULT);
        CHECK_ERRNO(call(SYS_rt_sigprocmask, SIG_BLOCK, bad, 0, 8), EFAULT);
        CHECK_ERRNO(call(SYS_rt_sigprocmask, SIG_BLOCK, 0, bad, 8), EFAULT);
        CHECK_ERRNO(call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, bad), EFAULT);
        CHECK_ERRNO(call(SYS_sigaltstack, bad, 0, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_setitimer, ITIMER_REAL, bad, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_getitimer, ITIMER_REAL, bad, 0, 0), EFAULT);
        CHECK_ERRNO(call(SYS_select, 1, bad, 0, 0), EFAULT);
    }
}

static void memory_without_permission_counts_as_bad(void)
{
    char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int zero = open("/dev/zero", O_RDONLY), ends[2];
    CHECK(memory != MAP_FAILED && zero >= 0 && pipe(ends) == 0);
    CHECK(mprotect(memory, 4096, PROT_READ) == 0);
    CHECK_ERRNO(read(zero, memory, 100), EFAULT);
    CHECK(write(ends[1], memory, 100) == 100);
    CHECK(mprotect(memory, 4096, PROT_NONE) == 0);
    CHECK_ERRNO(write(ends[1], memory, 100), EFAULT);
    CHECK_ERRNO(open(memory, O_RDONLY), EFAULT);
    CHECK(munmap(memory + 4096, 4096) == 0);
    CHECK_ERRNO(write(ends[1], memory + 4096, 100), EFAULT);
}

static void a_buffer_that_ends_in_a_hole_is_refused_or_cut(void)
{
    char *memory = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && munmap(memory + 4096, 4096) == 0);
    enter_scratch();
    int file = open("file", O_RDWR | O_CREAT, 0600);
    memset(memory, 'p', 4096);
    errno = 0;
    ssize_t put = write(file, memory + 4000, 200);
    CHECK((put == -1 && errno == EFAULT) || (put >= 0 && put <= 96));
    struct stat info;
    CHECK(fstat(file, &info) == 0 && info.st_size == (put < 0 ? 0 : put));
    /* A path that just reaches the end is fine; one that runs over it is not. */
    strcpy(memory + 4096 - 5, "file");
    CHECK(access(memory + 4096 - 5, F_OK) == 0);
    memory[4095] = 'x';
    CHECK_ERRNO(access(memory + 4096 - 5, F_OK), EFAULT);
}

static void huge_lengths_do_no_harm(void)
{
    char byte;
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    CHECK(call(SYS_read, (uintptr_t)zero, (uintptr_t)&byte, (uintptr_t)-1, 0) == -1);
    CHECK(call(SYS_pread64, (uintptr_t)zero, (uintptr_t)&byte, (uintptr_t)1 << 63, 0) == -1);
    struct iovec vectors[] = { { &byte, SIZE_MAX }, { &byte, 1 } };
    CHECK_ERRNO(writev(null, vectors, 2), EINVAL);
    CHECK_ERRNO(writev(null, vectors, 100000), EINVAL);
    CHECK_ERRNO(call(SYS_poll, (uintptr_t)&byte, 0x7fffffff, 0, 0), EINVAL);
}

static void reading_past_user_space_in_place_of_arguments(void)
{
    char *bad_argv[] = { "x", (char *)0xffffffff80000000, NULL };
    CHECK_ERRNO(execve("/proc/self/exe", (char **)0x1000, NULL), EFAULT);
    CHECK_ERRNO(execve("/proc/self/exe", bad_argv, NULL), EFAULT);
}

static const struct test tests[] = {
    TEST(paths_at_bad_places),
    TEST(buffers_at_bad_places),
    TEST(results_at_bad_places),
    TEST(memory_without_permission_counts_as_bad),
    TEST(a_buffer_that_ends_in_a_hole_is_refused_or_cut),
    TEST(huge_lengths_do_no_harm),
    TEST(reading_past_user_space_in_place_of_arguments),
};

RUN(tests)
