/*
 * The few lines that every guest test program shares.
 *
 * A program is a table of tests, each named as the sentence it proves. Each runs in a child of
 * its own with a time limit, so that one that fails, dies or hangs does not hide the others.
 * Nothing is printed when all pass, and the exit code is 0.
 *
 *   PROGRAM          all tests
 *   PROGRAM NAME...  only these
 *   PROGRAM -n NAME  one test in the program's own process, without fork
 *   PROGRAM -l       their names
 */
#ifndef CHECK_H
#define CHECK_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TIME_LIMIT_S 60

/* Ends the process, also from a thread or a child, with one line that says where and what. */
#define CHECK(condition)                                                                          \
    do {                                                                                          \
        if (!(condition)) {                                                                       \
            int check_errno = errno;                                                              \
            dprintf(2, "%s:%d: CHECK(%s) failed, errno %d (%s)\n", __FILE__, __LINE__,            \
                    #condition, check_errno, strerror(check_errno));                              \
            _exit(1);                                                                             \
        }                                                                                         \
    } while (0)

/* The call fails, and with this errno. */
#define CHECK_ERRNO(call, expected)                                                               \
    do {                                                                                          \
        errno = 0;                                                                                \
        long check_result = (long)(call);                                                         \
        if (check_result != -1 || errno != (expected)) {                                          \
            int check_errno = errno;                                                              \
            dprintf(2, "%s:%d: %s gave %ld, errno %d (%s), expected %s\n", __FILE__, __LINE__,    \
                    #call, check_result, check_errno, strerror(check_errno), #expected);          \
            _exit(1);                                                                             \
        }                                                                                         \
    } while (0)

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) { #function, function }

/* Where a test of this process (or of `pid`, for the parent that cleans up) keeps its files. */
static inline void scratch_path(char *path, size_t size, pid_t pid)
{
    snprintf(path, size, "/tmp/guest-test-%d", (int)pid);
}

/* Makes an empty folder of the test's own and goes there. */
static inline void enter_scratch(void)
{
    char path[64];
    scratch_path(path, sizeof path, getpid());
    CHECK(mkdir(path, 0755) == 0);
    CHECK(chdir(path) == 0);
}

/* Runs `body` in a child and returns its wait status. */
static inline int status_of(void (*body)(void))
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        alarm(TIME_LIMIT_S);
        body();
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

/* Runs `body` in a child in which every CHECK must hold. */
static inline void check_in_child(void (*body)(void))
{
    CHECK(status_of(body) == 0);
}

static inline int exited_with(int status, int code)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static inline int killed_by(int status, int signal)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

static inline void sleep_ms(long ms)
{
    struct timespec left = { ms / 1000, ms % 1000 * 1000000 };
    while (nanosleep(&left, &left) == -1 && errno == EINTR) {
    }
}

/* A file of the current folder with these contents. */
static inline void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(close(fd) == 0);
}

/* Reads a whole (small) file as a string; returns its length. */
static inline size_t read_file(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    size_t length = 0;
    ssize_t got;
    while (length < size - 1 && (got = read(fd, text + length, size - 1 - length)) > 0)
        length += (size_t)got;
    CHECK(close(fd) == 0);
    text[length] = '\0';
    return length;
}

static int check_remove(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

/* Whoever started the program may ignore or block some signals; the tests rely on defaults. */
static inline void default_signals(void)
{
    sigset_t none;
    for (int signal_number = 1; signal_number < 32; signal_number++)
        signal(signal_number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static inline int run_apart(const char *program, const struct test *test)
{
    pid_t pid = fork();
    if (pid == 0) {
        default_signals();
        alarm(TIME_LIMIT_S);
        test->run();
        _exit(0);
    }
    int status = -1;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        dprintf(2, "%s: %s: fork or waitpid failed: %s\n", program, test->name, strerror(errno));
        return 1;
    }
    char path[64];
    scratch_path(path, sizeof path, pid);
    if (access(path, F_OK) == 0)
        nftw(path, check_remove, 8, FTW_DEPTH | FTW_PHYS);
    if (status == 0)
        return 0;
    if (WIFSIGNALED(status))
        dprintf(2, "%s: %s: died of signal %d%s\n", program, test->name, WTERMSIG(status),
                WTERMSIG(status) == SIGALRM ? " (time limit)" : "");
    else
        dprintf(2, "%s: %s: failed\n", program, test->name);
    return 1;
}

static inline int check_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return 1;
    return argc <= 1;
}

static inline int run_tests(const struct test *tests, size_t count, int argc, char **argv)
{
    int failed = 0, ran = 0;
    int here = argc > 1 && strcmp(argv[1], "-n") == 0;
    int list = argc > 1 && strcmp(argv[1], "-l") == 0;
    const char *program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];

    for (size_t i = 0; i < count; i++) {
        if (list) {
            puts(tests[i].name);
        } else if (check_wanted(tests[i].name, argc, argv)) {
            ran++;
            if (here)
                tests[i].run();
            else
                failed += run_apart(program, &tests[i]);
        }
    }
    if (ran == 0 && !list) {
        dprintf(2, "%s: no such test\n", program);
        return 2;
    }
    return failed != 0;
}

#define RUN(tests) int main(int argc, char **argv) { return run_tests(tests, COUNT(tests), argc, argv); }

#endif
