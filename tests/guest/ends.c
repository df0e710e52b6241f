/* What a process leaves behind and what waits for it: robust mutexes, stops, waitid, nice values,
 * links to what others have open. */
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

static pthread_mutex_t *shared_mutex(int protocol)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t *mutex =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(mutex != MAP_FAILED);
    CHECK(pthread_mutexattr_init(&attributes) == 0);
    CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
    CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
    CHECK(pthread_mutexattr_setprotocol(&attributes, protocol) == 0);
    CHECK(pthread_mutex_init(mutex, &attributes) == 0);
    return mutex;
}

static void lock_marked(pthread_mutex_t *mutex)
{
    CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(mutex) == 0);
    CHECK(pthread_mutex_unlock(mutex) == 0);
    CHECK(pthread_mutex_lock(mutex) == 0 && pthread_mutex_unlock(mutex) == 0);
}

/* A child that locks and then waits for its end. */
static pid_t owner(pthread_mutex_t *mutex)
{
    int ready[2];
    char byte;
    CHECK(pipe(ready) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(pthread_mutex_lock(mutex) == 0 && write(ready[1], "x", 1) == 1);
        for (;;)
            pause();
    }
    CHECK(read(ready[0], &byte, 1) == 1);
    return pid;
}

static void end(pid_t pid, int signal)
{
    int status;
    CHECK(kill(pid, signal) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && killed_by(status, signal));
}

static void a_killed_owner_leaves_its_mutex_marked(void)
{
    static const int signals[] = { SIGKILL, SIGTERM, SIGSEGV };
    for (size_t i = 0; i < COUNT(signals); i++) {
        pthread_mutex_t *mutex = shared_mutex(PTHREAD_PRIO_NONE);
        end(owner(mutex), signals[i]);
        lock_marked(mutex);
    }
}

static void who_waits_for_the_mutex_of_the_killed_gets_it(void)
{
    pthread_mutex_t *mutex = shared_mutex(PTHREAD_PRIO_NONE);
    pid_t pid = owner(mutex);
    pid_t waiter = fork();
    if (waiter == 0) {
        lock_marked(mutex);
        _exit(0);
    }
    sleep_ms(100);
    end(pid, SIGKILL);
    int status;
    CHECK(waitpid(waiter, &status, 0) == waiter && exited_with(status, 0));
}

static void the_same_with_priority_inheritance(void)
{
    pthread_mutex_t *mutex = shared_mutex(PTHREAD_PRIO_INHERIT);
    end(owner(mutex), SIGKILL);
    lock_marked(mutex);
    mutex = shared_mutex(PTHREAD_PRIO_INHERIT);
    pid_t pid = owner(mutex);
    pid_t waiter = fork();
    if (waiter == 0) {
        lock_marked(mutex);
        _exit(0);
    }
    sleep_ms(100);
    end(pid, SIGKILL);
    int status;
    CHECK(waitpid(waiter, &status, 0) == waiter && exited_with(status, 0));
}

static void an_exec_ends_the_old_program_too(void)
{
    pthread_mutex_t *mutex = shared_mutex(PTHREAD_PRIO_NONE);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(pthread_mutex_lock(mutex) == 0);
        execl("/bin/sh", "sh", "-c", "exit 0", (char *)NULL);
        _exit(9);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && exited_with(status, 0));
    lock_marked(mutex);
}

static void a_signal_waits_while_its_process_is_stopped(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    CHECK(kill(pid, SIGTERM) == 0);
    sleep_ms(100);
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && killed_by(status, SIGTERM));
}

static void waitid_tells_what_it_is_asked_for(void)
{
    siginfo_t info;
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT) == 0);
    CHECK(info.si_code == CLD_STOPPED && info.si_status == SIGSTOP && info.si_pid == pid);
    info.si_pid = 1;
    CHECK(waitid(P_PID, pid, &info, WCONTINUED | WEXITED | WNOHANG) == 0 && info.si_pid == 0);
    CHECK(waitid(P_ALL, 0, &info, WSTOPPED) == 0 && info.si_pid == pid);
    CHECK(waitid(P_PID, pid, &info, WSTOPPED | WNOHANG) == 0 && info.si_pid == 0);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK(waitid(P_PID, pid, &info, WCONTINUED) == 0 && info.si_code == CLD_CONTINUED);
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK(info.si_code == CLD_KILLED && info.si_status == SIGKILL);
    CHECK_ERRNO(waitid(P_PID, pid, &info, WSTOPPED | WNOHANG), ECHILD);
    CHECK(waitid(P_PID, pid, &info, WEXITED) == 0 && info.si_pid == pid);
    CHECK_ERRNO(waitid(P_PID, pid, &info, WEXITED), ECHILD);
    CHECK_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
}

static void a_nice_value_is_kept_and_inherited(void)
{
    CHECK(getpriority(PRIO_PROCESS, 0) == 0);
    CHECK(nice(7) == 7 && getpriority(PRIO_PROCESS, 0) == 7);
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(getpriority(PRIO_PROCESS, 0));
    CHECK(waitpid(pid, &status, 0) == pid && exited_with(status, 7));
    CHECK(setpriority(PRIO_PROCESS, 0, 100) == 0 && getpriority(PRIO_PROCESS, 0) == 19);
    if (getuid() == 0) {
        CHECK(setpriority(PRIO_PROCESS, 0, -20) == 0);
        CHECK(setuid(1) == 0);
        CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0);
    }
    CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, 4), EACCES);
}

static void the_links_of_another_process_lead_where_it_is(void)
{
    char path[64], target[128];
    struct stat here, there;
    ssize_t length;
    enter_scratch();
    write_file("file", "text");
    int fd = open("file", O_RDONLY);
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    length = readlink(path, target, sizeof target - 1);
    CHECK(length > 0);
    target[length] = 0;
    CHECK(stat(".", &here) == 0 && stat(target, &there) == 0 && here.st_ino == there.st_ino);
    CHECK(stat(path, &there) == 0 && here.st_ino == there.st_ino);
    strcat(path, "/file");
    CHECK(fstat(fd, &here) == 0 && stat(path, &there) == 0 && here.st_ino == there.st_ino);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    int again = open(path, O_RDONLY);
    CHECK(again >= 0 && read(again, target, 4) == 4 && memcmp(target, "text", 4) == 0);
    snprintf(path, sizeof path, "/proc/%d/fd/99", (int)pid);
    CHECK_ERRNO(readlink(path, target, sizeof target), ENOENT);
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)pid);
    if (getuid() == 0) {
        int status;
        pid_t other = fork();
        if (other == 0) {
            CHECK(setuid(1) == 0);
            CHECK_ERRNO(readlink(path, target, sizeof target), EACCES);
            _exit(0);
        }
        CHECK(waitpid(other, &status, 0) == other && exited_with(status, 0));
    }
    end(pid, SIGKILL);
}

static void random_bytes_are_random(void)
{
    static unsigned char bytes[2][65536];
    static const char *const devices[] = { "/dev/random", "/dev/urandom" };
    for (size_t i = 0; i < 2; i++) {
        int fd = open(devices[i], O_RDONLY);
        size_t done = 0;
        while (done < sizeof bytes[i]) {
            ssize_t now = read(fd, bytes[i] + done, sizeof bytes[i] - done);
            CHECK(now > 0);
            done += (size_t)now;
        }
        close(fd);
        size_t counts[256] = { 0 };
        for (size_t at = 0; at < sizeof bytes[i]; at++)
            counts[bytes[i][at]]++;
        /* 256 of each on average; the standard deviation is 16. */
        for (size_t value = 0; value < 256; value++)
            CHECK(counts[value] > 128 && counts[value] < 384);
    }
    CHECK(memcmp(bytes[0], bytes[1], sizeof bytes[0]) != 0);
}

static const struct test tests[] = {
    TEST(a_killed_owner_leaves_its_mutex_marked),
    TEST(who_waits_for_the_mutex_of_the_killed_gets_it),
    TEST(the_same_with_priority_inheritance),
    TEST(an_exec_ends_the_old_program_too),
    TEST(a_signal_waits_while_its_process_is_stopped),
    TEST(waitid_tells_what_it_is_asked_for),
    TEST(a_nice_value_is_kept_and_inherited),
    TEST(the_links_of_another_process_lead_where_it_is),
    TEST(random_bytes_are_random),
};

RUN(tests)
