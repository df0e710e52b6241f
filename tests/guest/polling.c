/* poll and select on pipes, terminals and files. */
#include "pty.h"
#include <sys/select.h>
#include <time.h>

static long now_ms(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void poll_tells_what_a_pipe_can_do(void)
{
    int ends[2];
    char block[4096] = { 0 };
    CHECK(pipe(ends) == 0);
    struct pollfd wanted[] = { { ends[0], POLLIN, 0 }, { ends[1], POLLOUT, 0 } };
    CHECK(poll(wanted, 2, 0) == 1 && wanted[0].revents == 0 && wanted[1].revents == POLLOUT);
    CHECK(write(ends[1], "x", 1) == 1);
    CHECK(poll(wanted, 2, 0) == 2 && wanted[0].revents == POLLIN);
    CHECK(fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    while (write(ends[1], block, sizeof block) > 0) {
    }
    CHECK(poll(wanted, 2, 0) == 1 && wanted[1].revents == 0);
}

static void poll_tells_of_hangups_errors_and_bad_numbers(void)
{
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0 && write(ends[1], "x", 1) == 1 && close(ends[1]) == 0);
    struct pollfd wanted = { ends[0], POLLIN, 0 };
    CHECK(poll(&wanted, 1, 0) == 1 && wanted.revents == (POLLIN | POLLHUP));
    CHECK(read(ends[0], &byte, 1) == 1);
    CHECK(poll(&wanted, 1, -1) == 1 && wanted.revents == POLLHUP);
    CHECK(pipe(ends) == 0 && close(ends[0]) == 0);
    wanted = (struct pollfd){ ends[1], POLLOUT, 0 };
    CHECK(poll(&wanted, 1, 0) == 1 && (wanted.revents & POLLERR));
    wanted = (struct pollfd){ 999, POLLIN, 0 };
    CHECK(poll(&wanted, 1, 0) == 1 && wanted.revents == POLLNVAL);
    wanted = (struct pollfd){ -1, POLLIN, 55 };
    CHECK(poll(&wanted, 1, 0) == 0 && wanted.revents == 0);
}

static void what_replaces_a_descriptor_closes_it(void)
{
    int ends[2], other = open("/dev/null", O_WRONLY);
    CHECK(other >= 0 && pipe(ends) == 0);
    struct pollfd wanted = { ends[0], POLLIN, 0 };
    CHECK(dup2(other, ends[1]) == ends[1]);
    CHECK(poll(&wanted, 1, 0) == 1 && wanted.revents == POLLHUP);
}

static void a_child_that_has_ended_has_hung_up(void)
{
    for (int i = 0; i < 30; i++) {
        int ends[2];
        CHECK(pipe(ends) == 0);
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        CHECK(pid > 0 && close(ends[1]) == 0 && waitpid(pid, NULL, 0) == pid);
        struct pollfd wanted = { ends[0], POLLIN, 0 };
        CHECK(poll(&wanted, 1, 0) == 1 && wanted.revents == POLLHUP);
        close(ends[0]);
    }
}

static void a_timeout_is_kept(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    struct pollfd wanted = { ends[0], POLLIN, 0 };
    long start = now_ms();
    CHECK(poll(&wanted, 1, 100) == 0);
    CHECK(now_ms() - start >= 99 && now_ms() - start < 2000);
    start = now_ms();
    CHECK(poll(NULL, 0, 50) == 0 && now_ms() - start >= 49);
}

static void poll_wakes_when_something_comes(void)
{
    int one[2], two[2];
    CHECK(pipe(one) == 0 && pipe(two) == 0);
    if (fork() == 0) {
        sleep_ms(50);
        CHECK(write(two[1], "x", 1) == 1);
        _exit(0);
    }
    struct pollfd wanted[] = { { one[0], POLLIN, 0 }, { two[0], POLLIN, 0 } };
    CHECK(poll(wanted, 2, 5000) == 1);
    CHECK(wanted[0].revents == 0 && wanted[1].revents == POLLIN);
}

static void files_are_always_ready(void)
{
    enter_scratch();
    int fd = open("file", O_RDWR | O_CREAT, 0600), null = open("/dev/null", O_RDWR);
    struct pollfd wanted[] = { { fd, POLLIN | POLLOUT, 0 }, { null, POLLIN | POLLOUT, 0 } };
    CHECK(poll(wanted, 2, -1) == 2);
    CHECK(wanted[0].revents == (POLLIN | POLLOUT) && wanted[1].revents == (POLLIN | POLLOUT));
}

static void on_signal(int signal)
{
    (void)signal;
}

static void signals_interrupt_poll_and_select(void)
{
    struct sigaction action = { 0 };
    pid_t parent = getpid();
    fd_set none;
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    if (fork() == 0) {
        for (int i = 0; i < 2; i++) {
            sleep_ms(50);
            kill(parent, SIGUSR1);
        }
        _exit(0);
    }
    CHECK_ERRNO(poll(NULL, 0, 5000), EINTR);
    FD_ZERO(&none);
    struct timeval limit = { 5, 0 };
    CHECK_ERRNO(select(1, &none, NULL, NULL, &limit), EINTR);
}

static void select_marks_what_is_ready(void)
{
    int ends[2], idle[2];
    fd_set in, out;
    CHECK(pipe(ends) == 0 && pipe(idle) == 0 && write(ends[1], "x", 1) == 1);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends[0], &in);
    FD_SET(idle[0], &in);
    FD_SET(idle[1], &out);
    CHECK(select(idle[1] + 1, &in, &out, NULL, NULL) == 2);
    CHECK(FD_ISSET(ends[0], &in) && !FD_ISSET(idle[0], &in) && FD_ISSET(idle[1], &out));

    struct timeval limit = { 0, 60000 };
    FD_ZERO(&in);
    FD_SET(idle[0], &in);
    long start = now_ms();
    CHECK(select(idle[0] + 1, &in, NULL, NULL, &limit) == 0 && !FD_ISSET(idle[0], &in));
    CHECK(now_ms() - start >= 59);
    close(idle[1]);
    FD_SET(idle[0], &in);
    CHECK(select(idle[0] + 1, &in, NULL, NULL, NULL) == 1 && FD_ISSET(idle[0], &in));
    FD_ZERO(&in);
    FD_SET(idle[1], &in);
    limit.tv_usec = 0;
    CHECK_ERRNO(select(idle[1] + 1, &in, NULL, NULL, &limit), EBADF);
}

static volatile sig_atomic_t handled;

static void on_counted(int signal)
{
    (void)signal;
    handled = 1;
}

static void pselect_opens_the_mask_only_while_it_waits(void)
{
    sigset_t blocked, empty;
    struct timespec limit = { 5, 0 };
    sigemptyset(&empty);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    CHECK(signal(SIGUSR1, on_counted) != SIG_ERR);
    CHECK(sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    raise(SIGUSR1);
    CHECK(!handled);
    CHECK_ERRNO(pselect(0, NULL, NULL, NULL, &limit, &empty), EINTR);
    CHECK(handled);
    handled = 0;
    raise(SIGUSR1);
    CHECK(!handled);
}

static void a_terminal_is_ready_by_lines_or_bytes(void)
{
    open_pty();
    CHECK(!readable(slave, 0) && !readable(master, 0));
    type("part");
    CHECK(!readable(slave, 30) && readable(master, 0));
    type("\n");
    CHECK(readable(slave, 3000));
    expect(slave, "part\n");
    CHECK(!readable(slave, 0));
    struct termios now = settings();
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    apply(&now);
    type("x");
    CHECK(readable(slave, 3000));
    struct pollfd wanted = { slave, POLLOUT, 0 };
    CHECK(poll(&wanted, 1, 0) == 1 && wanted.revents == POLLOUT);
    CHECK(close(slave) == 0);
    expect(master, "part\r\n");
    wanted = (struct pollfd){ master, POLLIN, 0 };
    CHECK(poll(&wanted, 1, 1000) == 1 && (wanted.revents & POLLHUP));
}

static const struct test tests[] = {
    TEST(poll_tells_what_a_pipe_can_do),
    TEST(poll_tells_of_hangups_errors_and_bad_numbers),
    TEST(what_replaces_a_descriptor_closes_it),
    TEST(a_child_that_has_ended_has_hung_up),
    TEST(a_timeout_is_kept),
    TEST(poll_wakes_when_something_comes),
    TEST(files_are_always_ready),
    TEST(signals_interrupt_poll_and_select),
    TEST(select_marks_what_is_ready),
    TEST(pselect_opens_the_mask_only_while_it_waits),
    TEST(a_terminal_is_ready_by_lines_or_bytes),
};

RUN(tests)
