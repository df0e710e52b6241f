/* Descriptors: dup, fcntl, close-on-exec, record locks, limits. */
#include "check.h"
#include <sys/file.h>
#include <sys/resource.h>

static int lock(int fd, int command, short type, off_t start, off_t length)
{
    struct flock request = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };
    return fcntl(fd, command, &request);
}

static void the_lowest_free_number_is_used(void)
{
    int one = open("/dev/null", O_RDWR), two = open("/dev/null", O_RDWR);
    int three = open("/dev/null", O_RDWR);
    CHECK(one >= 0 && two > one && three > two);
    CHECK(close(one) == 0 && close(two) == 0);
    CHECK(dup(three) == one && open("/dev/null", O_RDWR) == two);
    CHECK_ERRNO(close(999), EBADF);
    CHECK_ERRNO(close(-1), EBADF);
}

static void dup2_replaces_and_dup3_marks(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC), ends[2];
    CHECK(pipe(ends) == 0);
    CHECK(dup2(fd, ends[1]) == ends[1]);
    char byte;
    CHECK(read(ends[0], &byte, 1) == 0);
    CHECK(fcntl(ends[1], F_GETFD) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(dup2(fd, fd) == fd && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(dup2(fd, 60) == 60 && fcntl(60, F_GETFD) == 0);
    CHECK_ERRNO(dup2(999, 60), EBADF);
    CHECK(fcntl(60, F_GETFD) == 0);
    CHECK_ERRNO(dup2(fd, -1), EBADF);
    CHECK(dup3(fd, 61, O_CLOEXEC) == 61 && fcntl(61, F_GETFD) == FD_CLOEXEC);
    CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
}

static void fcntl_duplicates_from_a_number_on(void)
{
    int fd = open("/dev/null", O_RDWR);
    CHECK(fcntl(fd, F_DUPFD, 100) == 100 && fcntl(fd, F_DUPFD, 100) == 101);
    CHECK(fcntl(fd, F_DUPFD_CLOEXEC, 100) == 102 && fcntl(102, F_GETFD) == FD_CLOEXEC);
    CHECK(fcntl(101, F_GETFD) == 0);
    CHECK(fcntl(101, F_SETFD, FD_CLOEXEC) == 0 && fcntl(101, F_GETFD) == FD_CLOEXEC);
    CHECK_ERRNO(fcntl(999, F_GETFD), EBADF);
    CHECK_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
}

static void status_flags_belong_to_the_open_file(void)
{
    enter_scratch();
    int fd = open("file", O_RDWR | O_CREAT | O_APPEND, 0600), copy = dup(fd);
    CHECK((fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == (O_RDWR | O_APPEND));
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK((fcntl(copy, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) == (O_RDWR | O_NONBLOCK));
    CHECK(write(fd, "abc", 3) == 3 && lseek(copy, 0, SEEK_CUR) == 3);
    int other = open("file", O_RDWR);
    CHECK(lseek(other, 0, SEEK_CUR) == 0 && !(fcntl(other, F_GETFL) & O_NONBLOCK));
}

static int locked_fd;

static void expect_conflict(void)
{
    struct flock request = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1 };
    CHECK(fcntl(locked_fd, F_GETLK, &request) == 0);
    CHECK(request.l_type == F_WRLCK && request.l_pid == getppid());
    CHECK(request.l_start == 0 && request.l_len == 10);
    CHECK(lock(locked_fd, F_SETLK, F_RDLCK, 9, 5) == -1 && (errno == EAGAIN || errno == EACCES));
    CHECK(lock(locked_fd, F_SETLK, F_WRLCK, 10, 5) == 0);
}

static void record_locks_keep_other_processes_out(void)
{
    enter_scratch();
    locked_fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(lock(locked_fd, F_SETLK, F_WRLCK, 0, 10) == 0);
    CHECK(lock(locked_fd, F_SETLK, F_WRLCK, 0, 10) == 0);
    check_in_child(expect_conflict);
    /* The child's lock went with it. */
    CHECK(lock(locked_fd, F_SETLK, F_WRLCK, 10, 5) == 0);
}

static void expect_middle_free(void)
{
    CHECK(lock(locked_fd, F_SETLK, F_WRLCK, 4, 2) == 0);
    CHECK(lock(locked_fd, F_SETLK, F_WRLCK, 3, 1) == -1);
    CHECK(lock(locked_fd, F_SETLK, F_WRLCK, 6, 1) == -1);
}

static void expect_readers_share(void)
{
    CHECK(lock(locked_fd, F_SETLK, F_RDLCK, 0, 0) == 0);
    CHECK(lock(locked_fd, F_SETLK, F_WRLCK, 0, 0) == -1);
}

static void expect_free(void)
{
    CHECK(lock(locked_fd, F_SETLK, F_WRLCK, 0, 0) == 0);
}

static void record_locks_split_share_and_go_with_any_close(void)
{
    enter_scratch();
    locked_fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(lock(locked_fd, F_SETLK, F_WRLCK, 0, 10) == 0);
    CHECK(lock(locked_fd, F_SETLK, F_UNLCK, 4, 2) == 0);
    check_in_child(expect_middle_free);
    CHECK(lock(locked_fd, F_SETLK, F_RDLCK, 0, 0) == 0);
    check_in_child(expect_readers_share);
    CHECK(close(open("file", O_RDONLY)) == 0);
    check_in_child(expect_free);
    int read_only = open("file", O_RDONLY);
    CHECK_ERRNO(lock(read_only, F_SETLK, F_WRLCK, 0, 1), EBADF);
}

static void a_waiting_lock_is_granted_on_release(void)
{
    int ready[2];
    char byte;
    enter_scratch();
    CHECK(pipe(ready) == 0);
    locked_fd = open("file", O_RDWR | O_CREAT, 0600);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(lock(locked_fd, F_SETLK, F_WRLCK, 0, 1) == 0);
        CHECK(write(ready[1], "x", 1) == 1);
        sleep_ms(100);
        CHECK(pwrite(locked_fd, "1", 1, 0) == 1);
        _exit(0);
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    CHECK(lock(locked_fd, F_SETLKW, F_WRLCK, 0, 1) == 0);
    CHECK(pread(locked_fd, &byte, 1, 0) == 1 && byte == '1');
}

static void the_limit_of_descriptors_holds(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= 64);
    limit.rlim_cur = 20;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int fd, last = -1;
    while ((fd = open("/dev/null", O_RDONLY)) >= 0)
        last = fd;
    CHECK(errno == EMFILE && last == 19);
    int ends[2];
    CHECK_ERRNO(pipe(ends), EMFILE);
    CHECK_ERRNO(dup(0), EMFILE);
    CHECK(close(last) == 0);
    CHECK_ERRNO(pipe(ends), EMFILE);
    CHECK(dup(0) == 19);
}

static const struct test tests[] = {
    TEST(the_lowest_free_number_is_used),
    TEST(dup2_replaces_and_dup3_marks),
    TEST(fcntl_duplicates_from_a_number_on),
    TEST(status_flags_belong_to_the_open_file),
    TEST(record_locks_keep_other_processes_out),
    TEST(record_locks_split_share_and_go_with_any_close),
    TEST(a_waiting_lock_is_granted_on_release),
    TEST(the_limit_of_descriptors_holds),
};

RUN(tests)
