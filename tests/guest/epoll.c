/* epoll: what is in a set, levels, edges, one shot, sets in sets, and who shares them. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static int set, ends[2];

static void make(void)
{
    CHECK((set = epoll_create1(EPOLL_CLOEXEC)) >= 0);
    CHECK(pipe(ends) == 0);
}

static void change(int operation, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = { events, { .u64 = data } };
    CHECK(epoll_ctl(set, operation, fd, &event) == 0);
}

/* What the set tells within a time: how many, and the first. */
static struct epoll_event first;

static int told(int milliseconds)
{
    struct epoll_event events[8];
    int count = epoll_wait(set, events, 8, milliseconds);
    CHECK(count >= 0);
    first = events[0];
    return count;
}

static void put(int fd, const char *text)
{
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void take(int fd, size_t length)
{
    char text[16];
    CHECK(read(fd, text, length) == (ssize_t)length);
}

static void a_level_is_told_as_long_as_it_lasts(void)
{
    make();
    change(EPOLL_CTL_ADD, ends[0], EPOLLIN, 0x123456789abcdefULL);
    CHECK(told(0) == 0);
    put(ends[1], "ab");
    CHECK(told(-1) == 1 && first.events == EPOLLIN && first.data.u64 == 0x123456789abcdefULL);
    CHECK(told(-1) == 1);
    take(ends[0], 1);
    CHECK(told(0) == 1);
    take(ends[0], 1);
    CHECK(told(0) == 0 && told(20) == 0);
}

static void an_edge_is_told_once_and_again_when_more_comes(void)
{
    make();
    change(EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLET, 1);
    put(ends[1], "ab");
    CHECK(told(-1) == 1 && told(0) == 0);
    take(ends[0], 1);
    CHECK(told(0) == 0);
    put(ends[1], "c");
    CHECK(told(-1) == 1 && told(0) == 0);
    take(ends[0], 2);
    CHECK(told(0) == 0);
    put(ends[1], "d");
    CHECK(told(-1) == 1 && told(0) == 0);
    change(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLET, 1);
    CHECK(told(-1) == 1 && told(0) == 0);
}

static void edges_of_counters_and_sockets_are_told_too(void)
{
    int counter = eventfd(0, 0), pair[2];
    make();
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    change(EPOLL_CTL_ADD, counter, EPOLLIN | EPOLLET, 1);
    change(EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLET, 2);
    for (int turn = 0; turn < 3; turn++) {
        CHECK(eventfd_write(counter, 1) == 0);
        CHECK(told(-1) == 1 && first.data.u64 == 1);
        put(pair[1], "x");
        CHECK(told(-1) == 1 && first.data.u64 == 2);
    }
    CHECK(told(0) == 0);
}

static void one_shot_waits_to_be_modified(void)
{
    make();
    change(EPOLL_CTL_ADD, ends[0], EPOLLIN | EPOLLONESHOT, 1);
    put(ends[1], "a");
    CHECK(told(-1) == 1 && told(0) == 0);
    put(ends[1], "b");
    CHECK(told(0) == 0);
    change(EPOLL_CTL_MOD, ends[0], EPOLLIN | EPOLLONESHOT, 2);
    CHECK(told(-1) == 1 && first.data.u64 == 2 && told(0) == 0);
}

static void what_cannot_be_in_a_set_is_refused(void)
{
    struct epoll_event event = { EPOLLIN, { 0 } };
    make();
    change(EPOLL_CTL_ADD, ends[0], EPOLLIN, 1);
    CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_ADD, ends[0], &event), EEXIST);
    CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_MOD, ends[1], &event), ENOENT);
    CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_DEL, ends[1], NULL), ENOENT);
    CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_ADD, 99, &event), EBADF);
    CHECK_ERRNO(epoll_ctl(99, EPOLL_CTL_ADD, ends[1], &event), EBADF);
    CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_ADD, set, &event), EINVAL);
    CHECK_ERRNO(epoll_ctl(ends[0], EPOLL_CTL_ADD, ends[1], &event), EINVAL);
    CHECK_ERRNO(epoll_ctl(set, 7, ends[1], &event), EINVAL);
    CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_ADD, ends[1], (void *)8), EFAULT);
    int file = open("/etc/passwd", O_RDONLY);
    CHECK(file >= 0);
    CHECK_ERRNO(epoll_ctl(set, EPOLL_CTL_ADD, file, &event), EPERM);
    CHECK_ERRNO(syscall(SYS_epoll_create, 0), EINVAL);
    CHECK_ERRNO(epoll_create1(1), EINVAL);
}

static void waits_with_bad_arguments_are_refused(void)
{
    struct epoll_event event;
    make();
    CHECK_ERRNO(epoll_wait(set, &event, 0, 0), EINVAL);
    CHECK_ERRNO(epoll_wait(set, &event, -1, 0), EINVAL);
    CHECK_ERRNO(epoll_wait(ends[0], &event, 1, -1), EINVAL);
    CHECK_ERRNO(epoll_wait(99, &event, 1, 0), EBADF);
    change(EPOLL_CTL_ADD, ends[1], EPOLLOUT, 1);
    CHECK_ERRNO(epoll_wait(set, (void *)8, 1, 0), EFAULT);
    CHECK(told(0) == 1 && first.events == EPOLLOUT);
}

static void what_is_closed_leaves_the_set_when_nobody_has_it(void)
{
    make();
    int copy = dup(ends[0]);
    change(EPOLL_CTL_ADD, ends[0], EPOLLIN, 5);
    put(ends[1], "a");
    close(ends[0]);
    CHECK(told(0) == 1 && first.data.u64 == 5);
    close(copy);
    CHECK(told(20) == 0);
    CHECK(pipe(ends) == 0);
    change(EPOLL_CTL_ADD, ends[0], EPOLLIN, 6);
    put(ends[1], "a");
    CHECK(told(-1) == 1 && first.data.u64 == 6);
    change(EPOLL_CTL_DEL, ends[0], 0, 0);
    CHECK(told(0) == 0);
}

static void a_set_does_not_keep_a_pipe_open(void)
{
    char byte;
    make();
    change(EPOLL_CTL_ADD, ends[1], EPOLLOUT, 1);
    close(ends[1]);
    CHECK(read(ends[0], &byte, 1) == 0);
}

static void hang_up_and_error_are_always_told(void)
{
    int pair[2];
    make();
    change(EPOLL_CTL_ADD, ends[0], 0, 1);
    close(ends[1]);
    CHECK(told(-1) == 1 && first.events == EPOLLHUP);
    change(EPOLL_CTL_DEL, ends[0], 0, 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    change(EPOLL_CTL_ADD, pair[0], EPOLLIN | EPOLLRDHUP, 2);
    CHECK(told(0) == 0);
    CHECK(shutdown(pair[1], SHUT_WR) == 0);
    CHECK(told(-1) == 1 && first.events == (EPOLLIN | EPOLLRDHUP));
}

static void a_set_is_polled_and_is_in_other_sets(void)
{
    make();
    int inner = set;
    change(EPOLL_CTL_ADD, ends[0], EPOLLIN, 1);
    CHECK((set = epoll_create(1)) >= 0);
    change(EPOLL_CTL_ADD, inner, EPOLLIN, 2);
    struct pollfd wanted = { inner, POLLIN | POLLOUT, 0 };
    CHECK(poll(&wanted, 1, 0) == 0 && told(0) == 0);
    put(ends[1], "a");
    CHECK(poll(&wanted, 1, -1) == 1 && wanted.revents == POLLIN);
    CHECK(told(-1) == 1 && first.data.u64 == 2);
    struct epoll_event event = { EPOLLIN, { 0 } };
    CHECK_ERRNO(epoll_ctl(inner, EPOLL_CTL_ADD, set, &event), ELOOP);
    take(ends[0], 1);
    CHECK(told(20) == 0 && poll(&wanted, 1, 0) == 0);
}

static void many_are_told_in_turns(void)
{
    enum { MANY = 100 };
    int seen[MANY] = { 0 }, fds[MANY];
    CHECK((set = epoll_create1(0)) >= 0);
    for (int i = 0; i < MANY; i++) {
        CHECK((fds[i] = eventfd(1, 0)) >= 0);
        change(EPOLL_CTL_ADD, fds[i], EPOLLIN, (uint64_t)i);
    }
    for (int turn = 0; turn < MANY / 10; turn++) {
        struct epoll_event events[10];
        CHECK(epoll_wait(set, events, 10, 0) == 10);
        for (int i = 0; i < 10; i++)
            seen[events[i].data.u64]++;
    }
    for (int i = 0; i < MANY; i++)
        CHECK(seen[i] == 1);
}

static void *write_later(void *fd)
{
    sleep_ms(30);
    put(*(int *)fd, "x");
    return NULL;
}

static void a_wait_ends_when_another_thread_writes(void)
{
    pthread_t thread;
    make();
    change(EPOLL_CTL_ADD, ends[0], EPOLLIN, 1);
    CHECK(pthread_create(&thread, NULL, write_later, &ends[1]) == 0);
    CHECK(told(-1) == 1);
    pthread_join(thread, NULL);
}

static void *add_later(void *fd)
{
    sleep_ms(30);
    change(EPOLL_CTL_ADD, *(int *)fd, EPOLLOUT, 9);
    return NULL;
}

static void a_wait_ends_when_something_ready_is_put_in(void)
{
    pthread_t thread;
    make();
    CHECK(pthread_create(&thread, NULL, add_later, &ends[1]) == 0);
    CHECK(told(-1) == 1 && first.data.u64 == 9);
    pthread_join(thread, NULL);
}

static void a_child_shares_the_set(void)
{
    make();
    change(EPOLL_CTL_ADD, ends[0], EPOLLIN, 3);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        put(ends[1], "c");
        change(EPOLL_CTL_ADD, ends[1], EPOLLOUT, 4);
        _exit(told(0) == 2 ? 0 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(told(0) == 2);
}

static int caught;

static void catch(int signal)
{
    caught = signal;
}

static void a_signal_ends_a_wait_and_the_mask_is_the_waits_own(void)
{
    struct epoll_event event;
    sigset_t blocked, none;
    make();
    CHECK(signal(SIGUSR1, catch) != SIG_ERR);
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    CHECK(raise(SIGUSR1) == 0);
    CHECK(told(0) == 0 && caught == 0);
    CHECK_ERRNO(epoll_pwait(set, &event, 1, -1, &none), EINTR);
    CHECK(caught == SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &none) == 0 && sigismember(&none, SIGUSR1));
}

static void the_time_of_pwait2_has_nanoseconds(void)
{
    struct epoll_event event;
    struct timespec time = { 0, 20000000 }, before, after;
    make();
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    CHECK(syscall(441, set, &event, 1, &time, NULL, 8) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    long passed = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    CHECK(passed >= 20000000);
    time.tv_nsec = 1000000000;
    CHECK_ERRNO(syscall(441, set, &event, 1, &time, NULL, 8), EINVAL);
}

static const struct test tests[] = {
    TEST(a_level_is_told_as_long_as_it_lasts),
    TEST(an_edge_is_told_once_and_again_when_more_comes),
    TEST(edges_of_counters_and_sockets_are_told_too),
    TEST(one_shot_waits_to_be_modified),
    TEST(what_cannot_be_in_a_set_is_refused),
    TEST(waits_with_bad_arguments_are_refused),
    TEST(what_is_closed_leaves_the_set_when_nobody_has_it),
    TEST(a_set_does_not_keep_a_pipe_open),
    TEST(hang_up_and_error_are_always_told),
    TEST(a_set_is_polled_and_is_in_other_sets),
    TEST(many_are_told_in_turns),
    TEST(a_wait_ends_when_another_thread_writes),
    TEST(a_wait_ends_when_something_ready_is_put_in),
    TEST(a_child_shares_the_set),
    TEST(a_signal_ends_a_wait_and_the_mask_is_the_waits_own),
    TEST(the_time_of_pwait2_has_nanoseconds),
};

RUN(tests)
