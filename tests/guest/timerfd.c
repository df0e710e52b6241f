/* Timers that are read. */
#include "check.h"

#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#define MS 1000000L

static struct itimerspec every(long first, long interval)
{
    return (struct itimerspec){ { interval / 1000, interval % 1000 * MS },
                                { first / 1000, first % 1000 * MS } };
}

static int timer(int clock, int flags)
{
    int fd = timerfd_create(clock, flags);
    CHECK(fd >= 0);
    return fd;
}

static void arm(int fd, long first, long interval)
{
    struct itimerspec new = every(first, interval);
    CHECK(timerfd_settime(fd, 0, &new, NULL) == 0);
}

static uint64_t count(int fd)
{
    uint64_t number;
    CHECK(read(fd, &number, sizeof number) == sizeof number);
    return number;
}

static void a_read_waits_for_the_first_expiry(void)
{
    int clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME };
    for (size_t i = 0; i < COUNT(clocks); i++) {
        struct timespec before, after;
        int fd = timer(clocks[i], TFD_CLOEXEC);
        CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
        arm(fd, 30, 0);
        CHECK(count(fd) == 1);
        CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
        CHECK((after.tv_sec - before.tv_sec) * 1000 * MS + after.tv_nsec - before.tv_nsec >= 30 * MS);
        close(fd);
    }
}

static void expiries_that_were_not_read_are_counted(void)
{
    int fd = timer(CLOCK_MONOTONIC, TFD_NONBLOCK);
    arm(fd, 10, 10);
    sleep_ms(55);
    uint64_t missed = count(fd);
    CHECK(missed >= 5);
    uint64_t number;
    errno = 0;
    CHECK(read(fd, &number, 8) == 8 || errno == EAGAIN);
}

static void what_expired_once_is_read_once(void)
{
    uint64_t number;
    int fd = timer(CLOCK_MONOTONIC, TFD_NONBLOCK);
    CHECK_ERRNO(read(fd, &number, 8), EAGAIN);
    arm(fd, 5, 0);
    sleep_ms(20);
    CHECK(count(fd) == 1);
    CHECK_ERRNO(read(fd, &number, 8), EAGAIN);
    CHECK_ERRNO(read(fd, &number, 7), EINVAL);
    CHECK_ERRNO(write(fd, &number, 8), EINVAL);
}

static void an_absolute_time_is_on_the_timers_clock(void)
{
    int clocks[] = { CLOCK_REALTIME, CLOCK_MONOTONIC };
    for (size_t i = 0; i < COUNT(clocks); i++) {
        struct itimerspec new = { { 0, 0 }, { 0, 0 } };
        int fd = timer(clocks[i], 0);
        CHECK(clock_gettime(clocks[i], &new.it_value) == 0);
        new.it_value.tv_nsec += 30 * MS;
        if (new.it_value.tv_nsec >= 1000 * MS) {
            new.it_value.tv_nsec -= 1000 * MS;
            new.it_value.tv_sec++;
        }
        CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &new, NULL) == 0);
        CHECK(count(fd) == 1);
        struct timespec now;
        CHECK(clock_gettime(clocks[i], &now) == 0);
        CHECK(now.tv_sec > new.it_value.tv_sec ||
              (now.tv_sec == new.it_value.tv_sec && now.tv_nsec >= new.it_value.tv_nsec));
        /* A time that has passed expires at once. */
        CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &new, NULL) == 0);
        CHECK(count(fd) == 1);
    }
}

static void what_is_left_is_told(void)
{
    struct itimerspec old, now;
    int fd = timer(CLOCK_MONOTONIC, 0);
    CHECK(timerfd_gettime(fd, &now) == 0);
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    arm(fd, 5000, 2000);
    CHECK(timerfd_gettime(fd, &now) == 0);
    CHECK(now.it_value.tv_sec == 4 && now.it_interval.tv_sec == 2);
    struct itimerspec none = every(0, 0);
    CHECK(timerfd_settime(fd, 0, &none, &old) == 0);
    CHECK(old.it_value.tv_sec == 4 && old.it_interval.tv_sec == 2);
    CHECK(timerfd_gettime(fd, &now) == 0);
    CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
}

static void a_timer_is_polled(void)
{
    int fd = timer(CLOCK_MONOTONIC, 0);
    struct pollfd wanted = { fd, POLLIN | POLLOUT, 0 };
    arm(fd, 20, 0);
    CHECK(poll(&wanted, 1, 0) == 0);
    CHECK(poll(&wanted, 1, -1) == 1 && wanted.revents == POLLIN);
    CHECK(count(fd) == 1);
    CHECK(poll(&wanted, 1, 0) == 0);
    arm(fd, 10, 10);
    CHECK(poll(&wanted, 1, -1) == 1);
    CHECK(count(fd) >= 1);
    CHECK(poll(&wanted, 1, -1) == 1);
    struct itimerspec none = every(0, 0);
    CHECK(timerfd_settime(fd, 0, &none, NULL) == 0);
    CHECK(poll(&wanted, 1, 30) == 0);
}

static void the_first_expiry_after_a_read_is_an_edge(void)
{
    int fd = timer(CLOCK_MONOTONIC, 0), set = epoll_create1(0);
    struct epoll_event event = { EPOLLIN | EPOLLET, { 0 } };
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
    arm(fd, 10, 10);
    for (int turn = 0; turn < 3; turn++) {
        CHECK(epoll_wait(set, &event, 1, 1000) == 1);
        CHECK(epoll_wait(set, &event, 1, 30) == 0);
        CHECK(count(fd) >= 3);
    }
}

static void bad_arguments_are_refused(void)
{
    struct itimerspec new = every(1, 0);
    int fd = timer(CLOCK_MONOTONIC, 0), other = open("/dev/null", O_RDONLY);
    CHECK_ERRNO(timerfd_create(99, 0), EINVAL);
    CHECK_ERRNO(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    CHECK_ERRNO(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    CHECK_ERRNO(timerfd_settime(fd, 4, &new, NULL), EINVAL);
    CHECK_ERRNO(timerfd_settime(99, 0, &new, NULL), EBADF);
    CHECK_ERRNO(timerfd_settime(other, 0, &new, NULL), EINVAL);
    CHECK_ERRNO(timerfd_gettime(other, &new), EINVAL);
    new.it_value.tv_nsec = 1000 * MS;
    CHECK_ERRNO(timerfd_settime(fd, 0, &new, NULL), EINVAL);
    CHECK_ERRNO(timerfd_settime(fd, 0, (void *)8, NULL), EFAULT);
    CHECK_ERRNO(timerfd_gettime(fd, (void *)8), EFAULT);
}

static void a_child_shares_the_timer(void)
{
    int fd = timer(CLOCK_MONOTONIC, 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        arm(fd, 20, 0);
        _exit(0);
    }
    CHECK(count(fd) == 1);
    CHECK(waitpid(child, NULL, 0) == child);
}

static const struct test tests[] = {
    TEST(a_read_waits_for_the_first_expiry),
    TEST(expiries_that_were_not_read_are_counted),
    TEST(what_expired_once_is_read_once),
    TEST(an_absolute_time_is_on_the_timers_clock),
    TEST(what_is_left_is_told),
    TEST(a_timer_is_polled),
    TEST(the_first_expiry_after_a_read_is_an_edge),
    TEST(bad_arguments_are_refused),
    TEST(a_child_shares_the_timer),
};

RUN(tests)
