/* Scheduling attributes, the CPU that one runs on, condition variables that wait for a PI mutex, and
 * files without names. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static long set(struct attributes *attributes)
{
    return syscall(SYS_sched_setattr, 0, attributes, 0);
}

static long get(struct attributes *attributes)
{
    return syscall(SYS_sched_getattr, 0, attributes, sizeof *attributes, 0);
}

static void attributes_are_set_and_told(void)
{
    struct attributes own = { .size = sizeof own }, got;
    CHECK(get(&got) == 0 && got.policy == SCHED_OTHER && got.priority == 0);
    CHECK(got.size == sizeof got);
    if (getuid() != 0)
        return;
    own.policy = SCHED_FIFO;
    own.priority = 7;
    CHECK(set(&own) == 0 && get(&got) == 0);
    CHECK(got.policy == SCHED_FIFO && got.priority == 7);
    CHECK(syscall(SYS_sched_getscheduler, 0) == SCHED_FIFO);
    own.policy = SCHED_OTHER;
    own.priority = 0;
    CHECK(set(&own) == 0 && get(&got) == 0 && got.policy == SCHED_OTHER);
}

static void bad_attributes_are_refused(void)
{
    struct attributes own = { .size = 40 };
    CHECK_ERRNO(set(&own), E2BIG);
    CHECK(own.size >= 48);
    own = (struct attributes){ .size = sizeof own, .policy = SCHED_FIFO, .priority = 100 };
    CHECK_ERRNO(set(&own), EINVAL);
    own.policy = 77;
    CHECK_ERRNO(set(&own), EINVAL);
    CHECK_ERRNO(set(NULL), EINVAL);
    CHECK_ERRNO(set((void *)8), EFAULT);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &own, 16, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getattr, 0, &own, sizeof own, 1), EINVAL);
}

static void the_cpu_is_one_that_may_be_used(void)
{
    cpu_set_t may;
    CHECK(sched_getaffinity(0, sizeof may, &may) == 0);
    for (int cpu = 0; cpu < 8; cpu++) {
        if (!CPU_ISSET(cpu, &may))
            continue;
        cpu_set_t one;
        unsigned found = 99, node = 99;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
        CHECK(syscall(SYS_getcpu, &found, &node, NULL) == 0 && found == (unsigned)cpu);
        CHECK(sched_getcpu() == cpu);
    }
}

enum { WAIT_REQUEUE_PI = 11, CMP_REQUEUE_PI = 12, LOCK_PI = 6, UNLOCK_PI = 7 };

static volatile uint32_t condition, mutex;
static volatile int inside, passed;

static void *wait_for_the_mutex(void *unused)
{
    (void)unused;
    CHECK(syscall(SYS_futex, &condition, WAIT_REQUEUE_PI, 0, NULL, &mutex, 0) == 0);
    CHECK((mutex & 0x3fffffff) == (uint32_t)syscall(SYS_gettid));
    CHECK(inside++ == 0);
    passed++;
    sched_yield();
    CHECK(--inside == 0);
    CHECK(syscall(SYS_futex, &mutex, UNLOCK_PI, 0, NULL, NULL, 0) == 0);
    return NULL;
}

static void waiters_come_back_with_the_mutex(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_for_the_mutex, NULL) == 0);
    sleep_ms(100);
    CHECK(syscall(SYS_futex, &mutex, LOCK_PI, 0, NULL, NULL, 0) == 0);
    CHECK_ERRNO(syscall(SYS_futex, &condition, CMP_REQUEUE_PI, 1, 9L, &mutex, 1), EAGAIN);
    CHECK_ERRNO(syscall(SYS_futex, &condition, CMP_REQUEUE_PI, 2, 9L, &mutex, 0), EINVAL);
    CHECK(syscall(SYS_futex, &condition, CMP_REQUEUE_PI, 1, 9L, &mutex, 0) == 3);
    sleep_ms(30);
    CHECK(passed == 0);
    CHECK(syscall(SYS_futex, &mutex, UNLOCK_PI, 0, NULL, NULL, 0) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK(passed == 3 && mutex == 0);
}

static void a_wait_for_the_mutex_has_an_end(void)
{
    struct timespec limit;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &limit) == 0);
    CHECK_ERRNO(syscall(SYS_futex, &condition, WAIT_REQUEUE_PI, 0, &limit, &mutex, 0), ETIMEDOUT);
    CHECK_ERRNO(syscall(SYS_futex, &condition, WAIT_REQUEUE_PI, 1, NULL, &mutex, 0), EAGAIN);
}

static void a_file_without_a_name_is_mapped_and_passed_on(void)
{
    struct stat info;
    int fd = (int)syscall(SYS_memfd_create, "name", 1);
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(ftruncate(fd, 8192) == 0 && fstat(fd, &info) == 0);
    CHECK(info.st_size == 8192 && info.st_nlink == 0 && S_ISREG(info.st_mode));
    char *bytes = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(bytes != MAP_FAILED);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(pwrite(fd, "child", 5, 4096) == 5);
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child && memcmp(bytes + 4096, "child", 5) == 0);
    CHECK_ERRNO(syscall(SYS_memfd_create, "name", 0x100), EINVAL);
    CHECK_ERRNO(syscall(SYS_memfd_create, (void *)8, 0), EFAULT);
    char name[300];
    memset(name, 'n', sizeof name);
    name[250] = 0;
    CHECK_ERRNO(syscall(SYS_memfd_create, name, 0), EINVAL);
}

static const struct test tests[] = {
    TEST(attributes_are_set_and_told),
    TEST(bad_attributes_are_refused),
    TEST(the_cpu_is_one_that_may_be_used),
    TEST(waiters_come_back_with_the_mutex),
    TEST(a_wait_for_the_mutex_has_an_end),
    TEST(a_file_without_a_name_is_mapped_and_passed_on),
};

RUN(tests)
