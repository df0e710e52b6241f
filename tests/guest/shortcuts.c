/* What needs no message or call any more, and counters that are waited for. */
#include "check.h"
#include <poll.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

static long long nanoseconds(const struct timespec *time)
{
    return time->tv_sec * 1000000000LL + time->tv_nsec;
}

static void the_vdso_and_the_call_tell_the_same_time(void)
{
    const unsigned char *image = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);
    CHECK(image && memcmp(image, "\177ELF", 4) == 0);
    for (int clock = 0; clock < 8; clock++) {
        struct timespec before, between, after;
        if (clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID)
            continue;
        CHECK(syscall(SYS_clock_gettime, clock, &before) == 0);
        CHECK(clock_gettime(clock, &between) == 0);
        CHECK(syscall(SYS_clock_gettime, clock, &after) == 0);
        CHECK(nanoseconds(&before) <= nanoseconds(&between));
        CHECK(nanoseconds(&between) <= nanoseconds(&after));
        CHECK(between.tv_nsec >= 0 && between.tv_nsec < 1000000000);
    }
    struct timespec time;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
    CHECK_ERRNO(clock_gettime(99, &time), EINVAL);
}

static void an_orphan_learns_of_its_new_parent(void)
{
    int ends[2];
    char answer = 0;
    CHECK(pipe(ends) == 0);
    pid_t parent = fork();
    CHECK(parent >= 0);
    if (parent == 0) {
        pid_t myself = getpid();
        if (fork() == 0) {
            if (getppid() != myself)
                _exit(1);
            for (int turn = 0; turn < 1000 && getppid() == myself; turn++)
                usleep(1000);
            answer = getppid() == 1 ? 'y' : 'n';
            CHECK(write(ends[1], &answer, 1) == 1);
            _exit(0);
        }
        usleep(20000);
        _exit(0);
    }
    CHECK(waitpid(parent, NULL, 0) == parent);
    CHECK(read(ends[0], &answer, 1) == 1 && answer == 'y');
}

static void a_child_learns_that_its_group_was_changed(void)
{
    int go[2], back[2];
    char byte;
    CHECK(pipe(go) == 0 && pipe(back) == 0);
    pid_t child = fork();
    if (child == 0) {
        CHECK(getpgrp() != getpid());
        CHECK(write(back[1], "r", 1) == 1 && read(go[0], &byte, 1) == 1);
        _exit(getpgrp() == getpid() ? 0 : 1);
    }
    int status;
    CHECK(read(back[0], &byte, 1) == 1 && setpgid(child, child) == 0);
    CHECK(write(go[1], "g", 1) == 1);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void a_counter_counts_and_is_polled(void)
{
    uint64_t value = 5;
    int fd = eventfd(2, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    struct pollfd poller = { .fd = fd, .events = POLLIN | POLLOUT };
    CHECK(poll(&poller, 1, 0) == 1 && poller.revents == (POLLIN | POLLOUT));
    CHECK(write(fd, &value, 8) == 8);
    CHECK_ERRNO(read(fd, &value, 7), EINVAL);
    CHECK(read(fd, &value, 8) == 8 && value == 7);
    CHECK_ERRNO(read(fd, &value, 8), EAGAIN);
    CHECK(poll(&poller, 1, 0) == 1 && poller.revents == POLLOUT);
    value = UINT64_MAX;
    CHECK_ERRNO(write(fd, &value, 8), EINVAL);
    value = UINT64_MAX - 1;
    CHECK(write(fd, &value, 8) == 8);
    CHECK(poll(&poller, 1, 0) == 1 && poller.revents == POLLIN);
    value = 1;
    CHECK_ERRNO(write(fd, &value, 8), EAGAIN);
    CHECK_ERRNO(write(fd, &value, 4), EINVAL);
    CHECK_ERRNO(eventfd(0, 4), EINVAL);
}

static void a_semaphore_gives_one_at_a_time_and_readers_wait(void)
{
    uint64_t value = 0;
    int fd = eventfd(0, EFD_SEMAPHORE), done = eventfd(0, 0);
    pid_t child = fork();
    if (child == 0) {
        for (int turn = 0; turn < 3; turn++)
            if (read(fd, &value, 8) != 8 || value != 1)
                _exit(1);
        value = 9;
        _exit(write(done, &value, 8) == 8 ? 0 : 1);
    }
    usleep(10000);
    value = 3;
    CHECK(write(fd, &value, 8) == 8);
    CHECK(read(done, &value, 8) == 8 && value == 9);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void ignore(int signal)
{
    (void)signal;
}

static void a_signal_ends_the_wait_for_a_counter(void)
{
    uint64_t value;
    struct sigaction action = { .sa_handler = ignore };
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    int fd = eventfd(0, 0);
    alarm(1);
    CHECK_ERRNO(read(fd, &value, 8), EINTR);
}

static void writes_of_all_lengths_arrive_whole(void)
{
    static char out[70000], in[70000];
    enter_scratch();
    for (size_t at = 0; at < sizeof out; at++)
        out[at] = at * 7 + at / 251;
    static const size_t lengths[] = { 0, 1, 23, 24, 25, 48, 49, 255, 4096, 4097, 8192, 70000 };
    for (size_t which = 0; which < COUNT(lengths); which++) {
        size_t length = lengths[which];
        int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);
        CHECK(fd >= 0 && pwrite(fd, out, length, 3) == (ssize_t)length);
        memset(in, 0, sizeof in);
        CHECK(pread(fd, in, length, 3) == (ssize_t)length && memcmp(in, out, length) == 0);
        CHECK(close(fd) == 0);
        int ends[2];
        CHECK(pipe(ends) == 0);
        pid_t child = fork();
        if (child == 0)
            _exit(write(ends[1], out, length) == (ssize_t)length ? 0 : 1);
        memset(in, 0, sizeof in);
        for (size_t done = 0; done < length;) {
            ssize_t count = read(ends[0], in + done, 5000);
            CHECK(count > 0);
            done += count;
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
        CHECK(memcmp(in, out, length) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
    }
    CHECK_ERRNO(write(open("file", O_WRONLY), (void *)8, 1), EFAULT);
    CHECK_ERRNO(write(open("file", O_WRONLY), (void *)8, 100), EFAULT);
}

static const struct test tests[] = {
    TEST(the_vdso_and_the_call_tell_the_same_time),
    TEST(an_orphan_learns_of_its_new_parent),
    TEST(a_child_learns_that_its_group_was_changed),
    TEST(a_counter_counts_and_is_polled),
    TEST(a_semaphore_gives_one_at_a_time_and_readers_wait),
    TEST(a_signal_ends_the_wait_for_a_counter),
    TEST(writes_of_all_lengths_arrive_whole),
};

RUN(tests)
