/* The futex call itself, and what clone does with thread ids. */
#include "check.h"
#include <pthread.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { WAIT = 0, WAKE = 1, REQUEUE = 3, WAIT_BITSET = 9, PRIVATE = 128 };

static volatile int word, other_word;
static volatile int started, woken;

static long futex(volatile int *address, int operation, int value, const struct timespec *limit)
{
    return syscall(SYS_futex, address, operation, value, limit, NULL, -1);
}

static void wait_returns_at_once_if_the_word_has_changed(void)
{
    word = 1;
    CHECK_ERRNO(futex(&word, WAIT | PRIVATE, 0, NULL), EAGAIN);
    CHECK(futex(&word, WAKE | PRIVATE, 1, NULL) == 0);
}

static void wait_gives_up_after_its_time(void)
{
    struct timespec limit = { 0, 50 * 1000000 }, before, after;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    CHECK_ERRNO(futex(&word, WAIT | PRIVATE, 0, &limit), ETIMEDOUT);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    long ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    CHECK(ms >= 49 && ms < 3000);
    limit.tv_nsec = 1000000000;
    CHECK_ERRNO(futex(&word, WAIT | PRIVATE, 0, &limit), EINVAL);
    /* The bit-set form takes a point in time. */
    CHECK_ERRNO(futex(&word, WAIT_BITSET | PRIVATE, 0, &after), ETIMEDOUT);
}

static void bad_words_are_refused(void)
{
    CHECK_ERRNO(futex((volatile int *)((uintptr_t)&word + 1), WAIT, 0, NULL), EINVAL);
    CHECK_ERRNO(futex((volatile int *)8, WAIT, 0, NULL), EFAULT);
    CHECK_ERRNO(futex(&word, 99, 0, NULL), ENOSYS);
}

static void *wait_once(void *argument)
{
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    while (futex(&word, (int)(intptr_t)argument, 0, NULL) == -1 && errno == EINTR) {
    }
    __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Wakes until `count` were woken in all: a thread may not be asleep yet. */
static void wake_all(volatile int *address, int operation, int count)
{
    for (int all = 0; all < count;) {
        long now = futex(address, operation, count, NULL);
        CHECK(now >= 0);
        all += (int)now;
        sleep_ms(1);
    }
}

static void wake_wakes_as_many_as_it_says(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_once, (void *)(intptr_t)(WAIT | PRIVATE)) == 0);
    while (started < 4)
        sleep_ms(1);
    sleep_ms(100);
    CHECK(woken == 0);
    CHECK(futex(&word, WAKE | PRIVATE, 1, NULL) == 1);
    for (int i = 0; i < 1000 && woken < 1; i++)
        sleep_ms(1);
    sleep_ms(30);
    CHECK(woken == 1);
    wake_all(&word, WAKE | PRIVATE, 3);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void requeue_moves_sleepers_to_another_word(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_once, (void *)(intptr_t)(WAIT | PRIVATE)) == 0);
    while (started < 3)
        sleep_ms(1);
    sleep_ms(100);
    CHECK(syscall(SYS_futex, &word, REQUEUE | PRIVATE, 1, (void *)2, &other_word, 0) >= 1);
    CHECK(futex(&word, WAKE | PRIVATE, 9, NULL) == 0);
    wake_all(&other_word, WAKE | PRIVATE, 2);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void a_shared_word_works_between_processes(void)
{
    volatile int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    pid_t pid = fork();
    if (pid == 0) {
        while (shared[0] == 0)
            futex(&shared[0], WAIT, 0, NULL);
        shared[1] = 2;
        CHECK(futex(&shared[1], WAKE, 1, NULL) >= 0);
        _exit(0);
    }
    sleep_ms(50);
    shared[0] = 1;
    CHECK(futex(&shared[0], WAKE, 1, NULL) == 1);
    while (shared[1] == 0)
        futex(&shared[1], WAIT, 0, NULL);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void on_signal(int signal)
{
    (void)signal;
}

static void a_signal_interrupts_a_wait(void)
{
    struct sigaction action = { 0 };
    pid_t parent = getpid();
    action.sa_handler = on_signal;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    if (fork() == 0) {
        sleep_ms(50);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    CHECK_ERRNO(futex(&word, WAIT | PRIVATE, 0, NULL), EINTR);
}

static void *tell_id(void *argument)
{
    *(volatile int *)argument = (int)syscall(SYS_gettid);
    return NULL;
}

static void thread_ids_are_real_and_the_last_word_is_cleared(void)
{
    /* musl's join waits for the word that the kernel clears and wakes. */
    volatile int id = 0;
    CHECK(syscall(SYS_set_tid_address, &word) == getpid());
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, tell_id, (void *)&id) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(id > 0 && id != getpid());
    }
    CHECK_ERRNO(syscall(SYS_tgkill, getpid(), id, 0), ESRCH);
}

static const struct test tests[] = {
    TEST(wait_returns_at_once_if_the_word_has_changed),
    TEST(wait_gives_up_after_its_time),
    TEST(bad_words_are_refused),
    TEST(wake_wakes_as_many_as_it_says),
    TEST(requeue_moves_sleepers_to_another_word),
    TEST(a_shared_word_works_between_processes),
    TEST(a_signal_interrupts_a_wait),
    TEST(thread_ids_are_real_and_the_last_word_is_cleared),
};

RUN(tests)
