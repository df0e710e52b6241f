/* Opening a FIFO: who waits for whom, and what those get who do not wait. */
#include "check.h"
#include <poll.h>

static volatile sig_atomic_t alarms;

static void note_alarm(int signal)
{
    alarms += signal == SIGALRM;
}

/* Opens in a child that then tells of it on `told`, and ends when its input does. */
static pid_t open_in_child(int flags, const int told[2], const int go[2])
{
    pid_t pid = fork();
    if (pid == 0) {
        char byte;
        close(go[1]);
        int fd = open("fifo", flags);
        CHECK(fd >= 0 && write(told[1], "o", 1) == 1);
        CHECK(read(go[0], &byte, 1) == 0);
        _exit(0);
    }
    CHECK(pid > 0);
    return pid;
}

static int nobody_told(const int told[2])
{
    struct pollfd entry = { .fd = told[0], .events = POLLIN };
    return poll(&entry, 1, 100) == 0;
}

static void waits_for(int first, int second)
{
    int told[2], go[2], status;
    char bytes[2];
    enter_scratch();
    CHECK(mkfifo("fifo", 0600) == 0 && pipe(told) == 0 && pipe(go) == 0);
    pid_t one = open_in_child(first, told, go);
    CHECK(nobody_told(told));
    pid_t two = open_in_child(second, told, go);
    CHECK(read(told[0], bytes, 1) == 1 && read(told[0], bytes, 1) == 1);
    CHECK(close(go[0]) == 0 && close(go[1]) == 0);
    CHECK(waitpid(one, &status, 0) == one && exited_with(status, 0));
    CHECK(waitpid(two, &status, 0) == two && exited_with(status, 0));
}

static void a_reader_waits_for_a_writer(void)
{
    waits_for(O_RDONLY, O_WRONLY);
}

static void a_writer_waits_for_a_reader(void)
{
    waits_for(O_WRONLY, O_RDONLY);
}

static void who_opens_both_ends_lets_readers_in(void)
{
    waits_for(O_RDONLY, O_RDWR);
}

static void two_readers_wait_for_one_writer(void)
{
    int told[2], go[2], status;
    char byte;
    enter_scratch();
    CHECK(mkfifo("fifo", 0600) == 0 && pipe(told) == 0 && pipe(go) == 0);
    for (int i = 0; i < 2; i++)
        open_in_child(O_RDONLY, told, go);
    CHECK(nobody_told(told));
    int fd = open("fifo", O_WRONLY);
    CHECK(fd >= 0);
    CHECK(read(told[0], &byte, 1) == 1 && read(told[0], &byte, 1) == 1);
    CHECK(close(go[0]) == 0 && close(go[1]) == 0);
    CHECK(wait(&status) > 0 && exited_with(status, 0));
    CHECK(wait(&status) > 0 && exited_with(status, 0));
}

static void who_does_not_wait_gets_in_to_read_and_not_to_write(void)
{
    char byte;
    enter_scratch();
    CHECK(mkfifo("fifo", 0600) == 0);
    CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    int reader = open("fifo", O_RDONLY | O_NONBLOCK);
    CHECK(reader >= 0);
    /* Nobody writes: that is the end of the file, but no hang-up before there was a writer. */
    CHECK(read(reader, &byte, 1) == 0);
    struct pollfd entry = { .fd = reader, .events = POLLIN };
    CHECK(poll(&entry, 1, 0) == 0);
    int writer = open("fifo", O_WRONLY | O_NONBLOCK);
    CHECK(writer >= 0);
    CHECK_ERRNO(read(reader, &byte, 1), EAGAIN);
    CHECK(write(writer, "x", 1) == 1 && read(reader, &byte, 1) == 1 && byte == 'x');
    CHECK(close(writer) == 0 && read(reader, &byte, 1) == 0);
    CHECK(poll(&entry, 1, 0) == 1 && entry.revents & POLLHUP);
    CHECK(close(reader) == 0);
    CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
}

static void a_signal_ends_the_wait(void)
{
    struct sigaction action = { .sa_handler = note_alarm };
    enter_scratch();
    CHECK(mkfifo("fifo", 0600) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        struct timespec soon = { 0, 100000000 };
        struct itimerspec once = { .it_value = soon };
        timer_t timer;
        CHECK(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0);
        CHECK(timer_settime(timer, 0, &once, NULL) == 0);
        CHECK_ERRNO(open("fifo", i % 2 ? O_RDONLY : O_WRONLY), EINTR);
        CHECK(timer_delete(timer) == 0);
    }
    CHECK(alarms == 3);
    /* The waits are forgotten. */
    CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
}

static void who_is_killed_while_waiting_is_forgotten(void)
{
    int told[2], go[2], status;
    enter_scratch();
    CHECK(mkfifo("fifo", 0600) == 0 && pipe(told) == 0 && pipe(go) == 0);
    pid_t pid = open_in_child(O_RDONLY, told, go);
    CHECK(nobody_told(told));
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid && killed_by(status, SIGKILL));
    CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
}

static void a_writer_that_leaves_at_once_lets_its_reader_in(void)
{
    char text[8];
    enter_scratch();
    CHECK(mkfifo("fifo", 0600) == 0);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            int fd = open("fifo", O_WRONLY);
            CHECK(fd >= 0 && write(fd, "hello", 5) == 5);
            _exit(0);
        }
        int status, fd = open("fifo", O_RDONLY);
        CHECK(fd >= 0 && waitpid(pid, &status, 0) == pid && exited_with(status, 0));
        CHECK(read(fd, text, sizeof text) == 5 && read(fd, text, sizeof text) == 0);
        CHECK(close(fd) == 0);
    }
}

static const struct test tests[] = {
    TEST(a_reader_waits_for_a_writer),
    TEST(a_writer_waits_for_a_reader),
    TEST(who_opens_both_ends_lets_readers_in),
    TEST(two_readers_wait_for_one_writer),
    TEST(who_does_not_wait_gets_in_to_read_and_not_to_write),
    TEST(a_signal_ends_the_wait),
    TEST(who_is_killed_while_waiting_is_forgotten),
    TEST(a_writer_that_leaves_at_once_lets_its_reader_in),
};

RUN(tests)
