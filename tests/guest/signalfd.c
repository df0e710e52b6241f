/* Descriptors that read the reader's signals. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>

static sigset_t mask;

/* Blocks two signals; returns a descriptor that reads them. */
static int block(int flags)
{
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGCHLD);
    CHECK(sigprocmask(SIG_BLOCK, &mask, NULL) == 0);
    int fd = signalfd(-1, &mask, flags);
    CHECK(fd >= 0);
    return fd;
}

static struct signalfd_siginfo next(int fd)
{
    struct signalfd_siginfo info;
    CHECK(read(fd, &info, sizeof info) == sizeof info);
    return info;
}

static void a_read_takes_a_pending_signal(void)
{
    int fd = block(SFD_NONBLOCK | SFD_CLOEXEC);
    struct signalfd_siginfo info;
    sigset_t pending;
    CHECK_ERRNO(read(fd, &info, sizeof info), EAGAIN);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    info = next(fd);
    CHECK(info.ssi_signo == SIGUSR1 && info.ssi_pid == (uint32_t)getpid());
    CHECK(info.ssi_code == SI_USER && info.ssi_uid == getuid());
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR1));
    CHECK_ERRNO(read(fd, &info, sizeof info), EAGAIN);
    CHECK_ERRNO(read(fd, &info, sizeof info - 1), EINVAL);
}

static void a_value_comes_with_the_signal(void)
{
    int fd = block(0);
    union sigval value = { .sival_int = 77 };
    CHECK(sigqueue(getpid(), SIGUSR1, value) == 0);
    struct signalfd_siginfo info = next(fd);
    CHECK(info.ssi_code == SI_QUEUE && info.ssi_int == 77);
}

static void several_are_read_at_once(void)
{
    struct signalfd_siginfo infos[3];
    int fd = block(0);
    CHECK(kill(getpid(), SIGUSR1) == 0 && kill(getpid(), SIGCHLD) == 0);
    CHECK(read(fd, infos, sizeof infos) == 2 * sizeof infos[0]);
    CHECK(infos[0].ssi_signo == SIGUSR1 && infos[1].ssi_signo == SIGCHLD);
}

static void a_read_waits_for_a_child(void)
{
    int fd = block(0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        sleep_ms(20);
        _exit(5);
    }
    struct signalfd_siginfo info = next(fd);
    CHECK(info.ssi_signo == SIGCHLD && info.ssi_pid == (uint32_t)child);
    CHECK(info.ssi_code == CLD_EXITED && info.ssi_status == 5);
    CHECK(waitpid(child, NULL, 0) == child);
}

static void a_poll_ends_when_a_signal_is_pending(void)
{
    int fd = block(0), ends[2];
    CHECK(pipe(ends) == 0);
    struct pollfd wanted[] = { { ends[0], POLLIN, 0 }, { fd, POLLIN | POLLOUT, 0 } };
    CHECK(poll(wanted, 2, 0) == 0 && poll(wanted, 2, 20) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        sleep_ms(20);
        _exit(0);
    }
    CHECK(poll(wanted, 2, -1) == 1 && wanted[1].revents == POLLIN && wanted[0].revents == 0);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    CHECK(select(fd + 1, &set, NULL, NULL, NULL) == 1 && FD_ISSET(fd, &set));
    CHECK(next(fd).ssi_signo == SIGCHLD);
    CHECK(poll(wanted, 2, 0) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
}

static void a_signal_that_no_polled_descriptor_reads_ends_no_poll(void)
{
    int ends[2];
    block(0);
    CHECK(pipe(ends) == 0);
    struct pollfd wanted = { ends[0], POLLIN, 0 };
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK(poll(&wanted, 1, 20) == 0);
}

static void a_set_tells_of_signals(void)
{
    int fd = block(0), set = epoll_create1(0);
    struct epoll_event event = { EPOLLIN, { .u64 = 4 } };
    CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
    CHECK(epoll_wait(set, &event, 1, 20) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        sleep_ms(20);
        _exit(0);
    }
    CHECK(epoll_wait(set, &event, 1, -1) == 1 && event.data.u64 == 4);
    CHECK(next(fd).ssi_signo == SIGCHLD);
    CHECK(epoll_wait(set, &event, 1, 0) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
}

static void the_signals_that_are_read_can_be_changed(void)
{
    struct signalfd_siginfo info;
    int fd = block(SFD_NONBLOCK);
    sigset_t other;
    sigemptyset(&other);
    sigaddset(&other, SIGCHLD);
    CHECK(signalfd(fd, &other, 0) == fd);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    CHECK_ERRNO(read(fd, &info, sizeof info), EAGAIN);
    CHECK(signalfd(fd, &mask, 0) == fd);
    CHECK(next(fd).ssi_signo == SIGUSR1);
}

static int caught;

static void catch(int signal)
{
    caught = signal;
}

static void another_signal_ends_the_read(void)
{
    struct signalfd_siginfo info;
    struct sigaction action = { .sa_handler = catch };
    int fd = block(0);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    alarm(1);
    CHECK_ERRNO(read(fd, &info, sizeof info), EINTR);
    CHECK(caught == SIGALRM);
}

static void bad_arguments_are_refused(void)
{
    int fd = block(0), other = open("/dev/null", O_RDONLY);
    CHECK_ERRNO(signalfd(-1, &mask, 1), EINVAL);
    CHECK_ERRNO(signalfd(99, &mask, 0), EBADF);
    CHECK_ERRNO(signalfd(other, &mask, 0), EINVAL);
    CHECK_ERRNO(write(fd, &mask, sizeof mask), EINVAL);
}

static const struct test tests[] = {
    TEST(a_read_takes_a_pending_signal),
    TEST(a_value_comes_with_the_signal),
    TEST(several_are_read_at_once),
    TEST(a_read_waits_for_a_child),
    TEST(a_poll_ends_when_a_signal_is_pending),
    TEST(a_signal_that_no_polled_descriptor_reads_ends_no_poll),
    TEST(a_set_tells_of_signals),
    TEST(the_signals_that_are_read_can_be_changed),
    TEST(another_signal_ends_the_read),
    TEST(bad_arguments_are_refused),
};

RUN(tests)
