/* Pipes, FIFOs and socket pairs. */
#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

static void a_pipe_carries_bytes_in_order_until_end_of_file(void)
{
    int ends[2];
    char text[16];
    CHECK(pipe(ends) == 0);
    CHECK(write(ends[1], "hello ", 6) == 6);
    CHECK(write(ends[1], "world", 5) == 5);
    CHECK(read(ends[0], text, 3) == 3 && memcmp(text, "hel", 3) == 0);
    CHECK(read(ends[0], text, sizeof text) == 8 && memcmp(text, "lo world", 8) == 0);
    CHECK(close(ends[1]) == 0);
    CHECK(read(ends[0], text, sizeof text) == 0);
    CHECK(read(ends[0], text, sizeof text) == 0);
}

static void a_pipe_has_a_direction_and_no_position(void)
{
    int ends[2];
    char byte;
    struct stat info;
    CHECK(pipe(ends) == 0);
    CHECK_ERRNO(write(ends[0], "x", 1), EBADF);
    CHECK_ERRNO(read(ends[1], &byte, 1), EBADF);
    CHECK_ERRNO(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
    CHECK_ERRNO(pread(ends[0], &byte, 1, 0), ESPIPE);
    CHECK(fstat(ends[0], &info) == 0 && S_ISFIFO(info.st_mode));
}

static void writing_without_a_reader_is_sigpipe(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(close(ends[0]) == 0);
    CHECK(write(ends[1], "x", 1) == -1);
    _exit(0);
}

static void a_writer_without_readers_gets_sigpipe_or_epipe(void)
{
    int ends[2];
    CHECK(killed_by(status_of(writing_without_a_reader_is_sigpipe), SIGPIPE));
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    CHECK(pipe(ends) == 0);
    CHECK(close(ends[0]) == 0);
    CHECK_ERRNO(write(ends[1], "x", 1), EPIPE);
}

static void non_blocking_ends_say_eagain(void)
{
    int ends[2];
    char block[4096] = { 0 };
    CHECK(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    CHECK(fcntl(ends[0], F_GETFD) == FD_CLOEXEC);
    CHECK((fcntl(ends[0], F_GETFL) & (O_NONBLOCK | O_ACCMODE)) == (O_NONBLOCK | O_RDONLY));
    CHECK((fcntl(ends[1], F_GETFL) & O_ACCMODE) == O_WRONLY);
    CHECK_ERRNO(read(ends[0], block, 1), EAGAIN);
    size_t capacity = 0;
    ssize_t put;
    while ((put = write(ends[1], block, sizeof block)) > 0)
        capacity += (size_t)put;
    CHECK(put == -1 && errno == EAGAIN && capacity >= sizeof block);
    int waiting;
    CHECK(ioctl(ends[0], FIONREAD, &waiting) == 0 && (size_t)waiting == capacity);
    CHECK(read(ends[0], block, sizeof block) == sizeof block);
    CHECK(write(ends[1], block, sizeof block) == sizeof block);
}

static void a_full_pipe_blocks_its_writer_and_loses_nothing(void)
{
    enum { TOTAL = 1 << 20 };
    static unsigned char data[TOTAL];
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        close(ends[0]);
        for (size_t i = 0; i < TOTAL; i++)
            data[i] = (unsigned char)(i * 7 + i / 251);
        CHECK(write(ends[1], data, TOTAL) == TOTAL);
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(ends[0], data + length, 3001 < TOTAL - length ? 3001 : TOTAL - length)) > 0)
        length += (size_t)got;
    CHECK(got == 0 && length == TOTAL);
    for (size_t i = 0; i < TOTAL; i++)
        CHECK(data[i] == (unsigned char)(i * 7 + i / 251));
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void small_writes_of_several_processes_do_not_mix(void)
{
    enum { WRITERS = 4, LINES = 200, LENGTH = 100 };
    int ends[2];
    CHECK(pipe(ends) == 0);
    for (int writer = 0; writer < WRITERS; writer++) {
        if (fork() == 0) {
            char line[LENGTH];
            memset(line, 'a' + writer, LENGTH);
            for (int i = 0; i < LINES; i++)
                CHECK(write(ends[1], line, LENGTH) == LENGTH);
            _exit(0);
        }
    }
    close(ends[1]);
    char line[LENGTH];
    int lines = 0;
    for (;;) {
        size_t length = 0;
        ssize_t got = 1;
        while (length < LENGTH && (got = read(ends[0], line + length, LENGTH - length)) > 0)
            length += (size_t)got;
        if (got <= 0)
            break;
        for (int i = 1; i < LENGTH; i++)
            CHECK(line[i] == line[0]);
        lines++;
    }
    CHECK(lines == WRITERS * LINES);
    for (int i = 0; i < WRITERS; i++) {
        int status;
        CHECK(wait(&status) > 0 && status == 0);
    }
}

static void a_pipeline_of_processes_through_dup2(void)
{
    int first[2], second[2];
    char text[16] = "";
    CHECK(pipe(first) == 0 && pipe(second) == 0);
    if (fork() == 0) {
        CHECK(dup2(first[0], 0) == 0 && dup2(second[1], 1) == 1);
        close(first[0]), close(first[1]), close(second[0]), close(second[1]);
        char byte;
        while (read(0, &byte, 1) == 1) {
            byte = (char)(byte - 'a' + 'A');
            CHECK(write(1, &byte, 1) == 1);
        }
        _exit(0);
    }
    close(first[0]), close(second[1]);
    CHECK(write(first[1], "shout", 5) == 5);
    close(first[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(second[0], text + length, sizeof text - length)) > 0)
        length += (size_t)got;
    CHECK(length == 5 && memcmp(text, "SHOUT", 5) == 0);
    int status;
    CHECK(wait(&status) > 0 && status == 0);
}

static void vectors_gather_and_scatter(void)
{
    int ends[2];
    char one[3], two[4];
    struct iovec out[] = { { "ab", 2 }, { "", 0 }, { "cdefg", 5 } };
    struct iovec in[] = { { one, sizeof one }, { two, sizeof two } };
    CHECK(pipe(ends) == 0);
    CHECK(writev(ends[1], out, 3) == 7);
    CHECK(readv(ends[0], in, 2) == 7);
    CHECK(memcmp(one, "abc", 3) == 0 && memcmp(two, "defg", 4) == 0);
}

static void a_fifo_has_a_name_and_open_waits_for_the_other_end(void)
{
    enter_scratch();
    CHECK(mkfifo("fifo", 0600) == 0);
    CHECK_ERRNO(mkfifo("fifo", 0600), EEXIST);
    CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    struct stat info;
    CHECK(stat("fifo", &info) == 0 && S_ISFIFO(info.st_mode) && (info.st_mode & 0777) == 0600);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("fifo", O_WRONLY);
        CHECK(fd >= 0 && write(fd, "through", 7) == 7);
        _exit(0);
    }
    int fd = open("fifo", O_RDONLY);
    char text[16];
    CHECK(fd >= 0 && read(fd, text, 7) == 7 && memcmp(text, "through", 7) == 0);
    CHECK(read(fd, text, 1) == 0);
    CHECK(waitpid(pid, NULL, 0) == pid);
}

static void a_socket_pair_carries_bytes_both_ways(void)
{
    int ends[2];
    char text[8];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(write(ends[0], "ping", 4) == 4 && read(ends[1], text, sizeof text) == 4);
    CHECK(write(ends[1], "pong", 4) == 4 && read(ends[0], text, sizeof text) == 4);
    CHECK(memcmp(text, "pong", 4) == 0);
    close(ends[1]);
    CHECK(read(ends[0], text, sizeof text) == 0);
}

static const struct test tests[] = {
    TEST(a_pipe_carries_bytes_in_order_until_end_of_file),
    TEST(a_pipe_has_a_direction_and_no_position),
    TEST(a_writer_without_readers_gets_sigpipe_or_epipe),
    TEST(non_blocking_ends_say_eagain),
    TEST(a_full_pipe_blocks_its_writer_and_loses_nothing),
    TEST(small_writes_of_several_processes_do_not_mix),
    TEST(a_pipeline_of_processes_through_dup2),
    TEST(vectors_gather_and_scatter),
    TEST(a_fifo_has_a_name_and_open_waits_for_the_other_end),
    TEST(a_socket_pair_carries_bytes_both_ways),
};

RUN(tests)
