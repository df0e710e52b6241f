/* Mutexes, condition variables, semaphores. */
#include "qnx.h"
#include <sys/mman.h>

static sync_t mutex, condition, semaphore;
static volatile int count;

static void create(unsigned type, sync_t *sync, int protocol, int flags, int number)
{
    struct _sync_attr attributes = { .__protocol = protocol, .__flags = flags,
        .__prioceiling = number, .__count = number };
    CHECK(SyncTypeCreate(type, sync, &attributes) == 0);
}

static int priority_now(void)
{
    struct sched_param param;
    CHECK(SchedGet(0, 0, &param) >= 0);
    return param.sched_curpriority;
}

static void set_priority(int priority)
{
    struct sched_param param = { .sched_priority = priority };
    CHECK(SchedSet(0, 0, SCHED_FIFO, &param) == 0);
}

static void what_is_free_costs_no_kernel_call(void)
{
    create(_NTO_SYNC_SEM, &semaphore, 0, 0, 1);
    create(_NTO_SYNC_COND, &condition, 0, 0, 0);
    CHECK(SyncMutexLock(&mutex) == 0 && SyncMutexUnlock(&mutex) == 0);
    /* Other threads of the system make calls, too: one round without any is enough. */
    for (int round = 0; round < 100; round++) {
        uint64_t before = kernel_calls();
        for (int i = 0; i < 100; i++) {
            if (SyncMutexLock(&mutex) != 0 || SyncMutexUnlock(&mutex) != 0 ||
                SyncSemWait(&semaphore, 0) != 0 || SyncSemPost(&semaphore) != 0 ||
                SyncCondvarSignal(&condition, 1) != 0)
                CHECK(!"a free object");
        }
        if (kernel_calls() - before == 1)
            return;
    }
    CHECK(!"no kernel calls");
}

static void *add_many(void *unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++) {
        CHECK(SyncMutexLock(&mutex) == 0);
        int seen = count;
        if (i % 16 == 0)
            SchedYield();
        count = seen + 1;
        CHECK(SyncMutexUnlock(&mutex) == 0);
    }
    return NULL;
}

static void mutexes_exclude_whatever_their_protocol(void)
{
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_PROTECT; protocol++) {
        pthread_t threads[4];
        count = 0;
        create(_NTO_SYNC_MUTEX_FREE, &mutex, protocol, 0, 30);
        for (int i = 0; i < 4; i++)
            threads[i] = thread(add_many, NULL);
        for (int i = 0; i < 4; i++)
            join(threads[i]);
        CHECK(count == 800 && SyncDestroy(&mutex) == 0);
    }
}

static void *other_thread(void *unused)
{
    (void)unused;
    CHECK_BOTH(SyncMutexUnlock, EPERM, &mutex);
    return NULL;
}

static void misuse_of_a_mutex_is_told(void)
{
    CHECK(SyncMutexLock(&mutex) == 0);
    CHECK_BOTH(SyncMutexLock, EDEADLK, &mutex);
    join(thread(other_thread, NULL));
    CHECK_BOTH(SyncDestroy, EBUSY, &mutex);
    CHECK(SyncMutexUnlock(&mutex) == 0);
    CHECK_BOTH(SyncMutexUnlock, EPERM, &mutex);
    CHECK(SyncDestroy(&mutex) == 0);
    CHECK_BOTH(SyncMutexLock, EINVAL, &mutex);
    CHECK_BOTH(SyncDestroy, EINVAL, &mutex);
    CHECK_BOTH(SyncMutexLock, EFAULT, NULL);
    CHECK_BOTH(SyncMutexLock, EINVAL, (sync_t *)((char *)&mutex + 1));
    create(_NTO_SYNC_MUTEX_FREE, &mutex, PTHREAD_PRIO_INHERIT, _NTO_SYNC_RECURSIVE, 0);
    CHECK(SyncMutexLock(&mutex) == 0 && SyncMutexLock(&mutex) == 0);
    CHECK(SyncMutexUnlock(&mutex) == 0);
    CHECK_BOTH(SyncDestroy, EBUSY, &mutex);
    CHECK(SyncMutexUnlock(&mutex) == 0 && SyncDestroy(&mutex) == 0);
    struct _sync_attr attributes = { .__protocol = 77 };
    CHECK_BOTH(SyncTypeCreate, EINVAL, _NTO_SYNC_MUTEX_FREE, &mutex, &attributes);
    CHECK_BOTH(SyncTypeCreate, EINVAL, 77, &mutex, NULL);
    CHECK_BOTH(SyncTypeCreate, EFAULT, _NTO_SYNC_SEM, NULL, NULL);
    CHECK_BOTH(SyncTypeCreate, EFAULT, _NTO_SYNC_SEM, &mutex, (struct _sync_attr *)KERNELS);
    CHECK(SyncMutexRevive() == -1 && errno == ENOSYS);
}

static void *high(void *unused)
{
    (void)unused;
    set_priority(25);
    CHECK(SyncMutexLock(&mutex) == 0);
    CHECK(SyncMutexUnlock(&mutex) == 0);
    return NULL;
}

static void an_owner_inherits_and_gives_back(void)
{
    CHECK(SyncMutexLock(&mutex) == 0);
    CHECK(priority_now() == 10);
    pthread_t waiter = thread(high, NULL);
    sleep_ms(20);
    CHECK(priority_now() == 25);
    CHECK(SyncMutexUnlock(&mutex) == 0);
    CHECK(priority_now() == 10);
    join(waiter);
}

static void *gives_up(void *unused)
{
    (void)unused;
    set_priority(25);
    limit(_NTO_TIMEOUT_MUTEX, 10);
    CHECK_ERRNO(SyncMutexLock(&mutex), ETIMEDOUT);
    return NULL;
}

static void a_waiter_that_gives_up_takes_its_boost_along(void)
{
    CHECK(SyncMutexLock(&mutex) == 0);
    pthread_t waiter = thread(gives_up, NULL);
    join(waiter);
    CHECK(priority_now() == 10);
    CHECK(SyncMutexUnlock(&mutex) == 0);
}

static void ceilings_raise_and_are_given_back_in_any_order(void)
{
    sync_t low, high_one;
    int ceiling = 0;
    create(_NTO_SYNC_MUTEX_FREE, &low, PTHREAD_PRIO_PROTECT, 0, 20);
    create(_NTO_SYNC_MUTEX_FREE, &high_one, PTHREAD_PRIO_PROTECT, 0, 30);
    CHECK(SyncMutexLock(&low) == 0 && priority_now() == 20);
    CHECK(SyncMutexLock(&high_one) == 0 && priority_now() == 30);
    CHECK(SyncMutexUnlock(&low) == 0 && priority_now() == 30);
    CHECK(SyncMutexLock(&low) == 0 && priority_now() == 30);
    CHECK(SyncMutexUnlock(&high_one) == 0 && priority_now() == 20);
    CHECK_BOTH(SyncMutexLock, EDEADLK, &low);
    CHECK(SyncMutexUnlock(&low) == 0 && priority_now() == 10);
    CHECK(SyncCtl(_NTO_SCTL_GETPRIOCEILING, &low, &ceiling) == 0 && ceiling == 20);
    ceiling = 22;
    CHECK(SyncCtl(_NTO_SCTL_SETPRIOCEILING, &low, &ceiling) == 0 && ceiling == 20);
    set_priority(23);
    CHECK_BOTH(SyncMutexLock, EINVAL, &low);
    CHECK(priority_now() == 23);
    ceiling = 256;
    CHECK_BOTH(SyncCtl, EINVAL, _NTO_SCTL_SETPRIOCEILING, &low, &ceiling);
    CHECK_BOTH(SyncCtl, EINVAL, _NTO_SCTL_GETPRIOCEILING, &mutex, &ceiling);
    CHECK_BOTH(SyncCtl, EINVAL, 77, &low, &ceiling);
    CHECK_BOTH(SyncCtl, EFAULT, _NTO_SCTL_GETPRIOCEILING, &low, NULL);
}

static void *consumer(void *unused)
{
    (void)unused;
    CHECK(SyncMutexLock(&mutex) == 0);
    while (count == 0)
        CHECK(SyncCondvarWait(&condition, &mutex) == 0);
    count--;
    CHECK(SyncMutexUnlock(&mutex) == 0);
    return NULL;
}

static void conditions_wake_one_or_all(void)
{
    pthread_t threads[3];
    for (int protocol = PTHREAD_PRIO_NONE; protocol <= PTHREAD_PRIO_PROTECT; protocol++) {
        create(_NTO_SYNC_MUTEX_FREE, &mutex, protocol, 0, 40);
        create(_NTO_SYNC_COND, &condition, 0, 0, 0);
        for (int i = 0; i < 3; i++)
            threads[i] = thread(consumer, NULL);
        sleep_ms(20);
        CHECK_BOTH(SyncDestroy, EBUSY, &condition);
        CHECK(SyncMutexLock(&mutex) == 0);
        count = 1;
        CHECK(SyncCondvarSignal(&condition, 0) == 0);
        CHECK(SyncMutexUnlock(&mutex) == 0);
        sleep_ms(20);
        CHECK(count == 0);
        CHECK(SyncMutexLock(&mutex) == 0);
        count = 2;
        CHECK(SyncCondvarSignal(&condition, 1) == 0);
        CHECK(SyncMutexUnlock(&mutex) == 0);
        for (int i = 0; i < 3; i++)
            join(threads[i]);
        CHECK(count == 0 && SyncDestroy(&condition) == 0);
    }
    create(_NTO_SYNC_COND, &condition, 0, 0, 0);
    CHECK_BOTH(SyncCondvarWait, EPERM, &condition, &mutex);
    CHECK_BOTH(SyncCondvarWait, EFAULT, NULL, &mutex);
    CHECK_BOTH(SyncCondvarWait, EINVAL, &mutex, &mutex);
    CHECK_BOTH(SyncCondvarSignal, EINVAL, &mutex, 0);
}

static void *poster(void *unused)
{
    (void)unused;
    sleep_ms(10);
    CHECK(SyncSemPost(&semaphore) == 0);
    return NULL;
}

static void semaphores_count(void)
{
    int value = -1;
    create(_NTO_SYNC_SEM, &semaphore, 0, 0, 1);
    CHECK(SyncSemWait(&semaphore, 1) == 0);
    CHECK_BOTH(SyncSemWait, EAGAIN, &semaphore, 1);
    pthread_t other = thread(poster, NULL);
    CHECK(SyncSemWait(&semaphore, 0) == 0);
    join(other);
    CHECK(SyncSemPost(&semaphore) == 0 && SyncSemPost(&semaphore) == 0);
    CHECK(SyncCtl(_NTO_SCTL_SEM_VALUE, &semaphore, &value) == 0 && value == 2);
    struct _sync_attr attributes = { .__count = 0x7fffffff };
    CHECK(SyncTypeCreate(_NTO_SYNC_SEM, &semaphore, &attributes) == 0);
    CHECK_BOTH(SyncSemPost, EAGAIN, &semaphore);
    attributes.__count = -1;
    CHECK_BOTH(SyncTypeCreate, EINVAL, _NTO_SYNC_SEM, &semaphore, &attributes);
    CHECK_BOTH(SyncSemPost, EINVAL, &mutex);
    CHECK_BOTH(SyncSemWait, EFAULT, NULL, 1);
}

static void *dies_with_it(void *unused)
{
    (void)unused;
    CHECK(SyncMutexLock(&mutex) == 0);
    sleep_ms(20);
    return NULL;
}

static void the_death_of_an_owner_is_told_to_the_next(void)
{
    for (int waits = 0; waits < 2; waits++) {
        memset(&mutex, 0, sizeof mutex);
        pthread_t owner = thread(dies_with_it, NULL);
        if (waits)
            sleep_ms(10);
        else
            join(owner);
        CHECK_BOTH(SyncCtl, EINVAL, _NTO_SCTL_MUTEX_CONSISTENT, &mutex, NULL);
        CHECK_ERRNO(SyncMutexLock(&mutex), EOWNERDEAD);
        CHECK(SyncCtl(_NTO_SCTL_MUTEX_CONSISTENT, &mutex, NULL) == 0);
        CHECK(SyncMutexUnlock(&mutex) == 0);
        CHECK(SyncMutexLock(&mutex) == 0 && SyncMutexUnlock(&mutex) == 0);
        if (waits)
            join(owner);
    }
}

static void objects_are_shared_between_processes(void)
{
    sync_t *both = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(both != MAP_FAILED);
    create(_NTO_SYNC_MUTEX_FREE, &both[0], PTHREAD_PRIO_INHERIT, _NTO_SYNC_SHARED, 0);
    create(_NTO_SYNC_SEM, &both[1], 0, _NTO_SYNC_SHARED, 0);
    CHECK(SyncMutexLock(&both[0]) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(SyncSemPost(&both[1]) == 0);
        CHECK(SyncMutexLock(&both[0]) == 0);
        CHECK(SyncMutexUnlock(&both[0]) == 0);
        _exit(0);
    }
    CHECK(SyncSemWait(&both[1], 0) == 0);
    sleep_ms(20);
    CHECK(SyncMutexUnlock(&both[0]) == 0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static const struct test tests[] = {
    TEST(what_is_free_costs_no_kernel_call),
    TEST(mutexes_exclude_whatever_their_protocol),
    TEST(misuse_of_a_mutex_is_told),
    TEST(an_owner_inherits_and_gives_back),
    TEST(a_waiter_that_gives_up_takes_its_boost_along),
    TEST(ceilings_raise_and_are_given_back_in_any_order),
    TEST(conditions_wake_one_or_all),
    TEST(semaphores_count),
    TEST(the_death_of_an_owner_is_told_to_the_next),
    TEST(objects_are_shared_between_processes),
};
RUN(tests)
