/* Threads of one process, through pthreads. */
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdint.h>

static pthread_t start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, body, argument) == 0);
    return thread;
}

static void *join(pthread_t thread)
{
    void *result;
    CHECK(pthread_join(thread, &result) == 0);
    return result;
}

static void *add_one(void *argument)
{
    return (void *)((uintptr_t)argument + 1);
}

static void a_thread_takes_an_argument_and_gives_a_result(void)
{
    pthread_t threads[16];
    for (uintptr_t i = 0; i < 16; i++)
        threads[i] = start(add_one, (void *)(i * 10));
    for (uintptr_t i = 0; i < 16; i++)
        CHECK(join(threads[i]) == (void *)(i * 10 + 1));
}

static void *report_ids(void *argument)
{
    pid_t *ids = argument;
    ids[0] = getpid(), ids[1] = gettid();
    return NULL;
}

static void threads_share_the_process_id_and_have_their_own(void)
{
    pid_t ids[2];
    CHECK(gettid() == getpid());
    join(start(report_ids, ids));
    CHECK(ids[0] == getpid() && ids[1] != gettid());
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long counter;
static int turn;

static void *count_locked(void *argument)
{
    for (long i = 0; i < (long)(intptr_t)argument; i++) {
        CHECK(pthread_mutex_lock(&mutex) == 0);
        long seen = counter;
        if (i % 64 == 0)
            sched_yield();
        counter = seen + 1;
        CHECK(pthread_mutex_unlock(&mutex) == 0);
    }
    return NULL;
}

static void a_mutex_lets_one_in_at_a_time(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = start(count_locked, (void *)20000);
    for (int i = 0; i < 4; i++)
        join(threads[i]);
    CHECK(counter == 80000);
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_trylock(&mutex) == EBUSY);
}

static void *play(void *argument)
{
    int me = (int)(intptr_t)argument;
    for (int i = 0; i < 1000; i++) {
        CHECK(pthread_mutex_lock(&mutex) == 0);
        while (turn != me)
            CHECK(pthread_cond_wait(&changed, &mutex) == 0);
        turn = !me;
        counter++;
        CHECK(pthread_cond_signal(&changed) == 0);
        CHECK(pthread_mutex_unlock(&mutex) == 0);
    }
    return NULL;
}

static void two_threads_take_turns_by_a_condition(void)
{
    pthread_t one = start(play, (void *)0), two = start(play, (void *)1);
    join(one);
    join(two);
    CHECK(counter == 2000);
}

static void a_timed_wait_ends(void)
{
    struct timespec until;
    CHECK(clock_gettime(CLOCK_REALTIME, &until) == 0);
    until.tv_nsec += 50 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    CHECK(pthread_mutex_lock(&mutex) == 0);
    CHECK(pthread_cond_timedwait(&changed, &mutex, &until) == ETIMEDOUT);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
}

static void *wait_broadcast(void *argument)
{
    (void)argument;
    CHECK(pthread_mutex_lock(&mutex) == 0);
    counter++;
    while (!turn)
        CHECK(pthread_cond_wait(&changed, &mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    return NULL;
}

static void a_broadcast_wakes_everybody(void)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        threads[i] = start(wait_broadcast, NULL);
    for (;;) {
        CHECK(pthread_mutex_lock(&mutex) == 0);
        if (counter == 8)
            break;
        CHECK(pthread_mutex_unlock(&mutex) == 0);
        sched_yield();
    }
    turn = 1;
    CHECK(pthread_cond_broadcast(&changed) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    for (int i = 0; i < 8; i++)
        join(threads[i]);
}

static _Thread_local int local = 5;

static void *change_local(void *argument)
{
    CHECK(local == 5);
    local = (int)(intptr_t)argument;
    errno = local;
    for (int i = 0; i < 100; i++) {
        sched_yield();
        CHECK(local == (int)(intptr_t)argument && errno == local);
    }
    return NULL;
}

static void each_thread_has_its_own_variables_and_errno(void)
{
    pthread_t threads[4];
    errno = 77;
    for (int i = 0; i < 4; i++)
        threads[i] = start(change_local, (void *)(intptr_t)(100 + i));
    for (int i = 0; i < 4; i++)
        join(threads[i]);
    CHECK(local == 5 && errno == 77);
}

static pthread_key_t key;
static int destroyed;

static void destroy(void *value)
{
    destroyed += *(int *)value;
}

static void *use_key(void *argument)
{
    CHECK(pthread_setspecific(key, argument) == 0 && pthread_getspecific(key) == argument);
    pthread_exit((void *)3);
}

static void keys_are_destroyed_at_the_thread_s_end(void)
{
    int value = 4;
    CHECK(pthread_key_create(&key, destroy) == 0);
    CHECK(join(start(use_key, &value)) == (void *)3 && destroyed == 4);
    CHECK(pthread_getspecific(key) == NULL);
}

static void *block_in_read(void *argument)
{
    char byte;
    (void)read(*(int *)argument, &byte, 1);
    return NULL;
}

static void *spin_testing(void *argument)
{
    (void)argument;
    for (;;)
        pthread_testcancel();
    return NULL;
}

static void a_thread_can_be_cancelled(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    pthread_t thread = start(block_in_read, &ends[0]);
    sleep_ms(50);
    CHECK(pthread_cancel(thread) == 0 && join(thread) == PTHREAD_CANCELED);
    thread = start(spin_testing, NULL);
    CHECK(pthread_cancel(thread) == 0 && join(thread) == PTHREAD_CANCELED);
    CHECK(write(ends[1], "x", 1) == 1);
}

static sem_t done;

static void *post(void *argument)
{
    (void)argument;
    CHECK(sem_post(&done) == 0);
    return NULL;
}

static void many_detached_threads_come_and_go(void)
{
    pthread_attr_t attributes;
    CHECK(sem_init(&done, 0, 0) == 0 && pthread_attr_init(&attributes) == 0);
    CHECK(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    for (int i = 0; i < 300; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, &attributes, post, NULL) == 0);
        CHECK(sem_wait(&done) == 0);
    }
    CHECK_ERRNO(sem_trywait(&done), EAGAIN);
}

static volatile sig_atomic_t handler_ran;
static pthread_t handler_thread;

static void on_signal(int signal)
{
    (void)signal;
    handler_thread = pthread_self();
    handler_ran = 1;
}

static void *wait_signal(void *argument)
{
    (void)argument;
    while (!handler_ran)
        sleep_ms(5);
    return NULL;
}

static void a_signal_can_be_aimed_at_a_thread(void)
{
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    pthread_t thread = start(wait_signal, NULL);
    CHECK(pthread_kill(thread, SIGUSR1) == 0);
    join(thread);
    CHECK(handler_ran && pthread_equal(handler_thread, thread));
}

static void a_process_signal_goes_to_a_thread_that_takes_it(void)
{
    sigset_t set;
    CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
    pthread_t thread = start(wait_signal, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0);
    join(thread);
    CHECK(pthread_equal(handler_thread, thread));
}

static void *fork_one(void *argument)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        join(start(add_one, NULL));
        _exit(21);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    *(int *)argument = status;
    return NULL;
}

static void fork_copies_only_the_calling_thread(void)
{
    int ends[2], status = 0;
    CHECK(pipe(ends) == 0);
    start(block_in_read, &ends[0]);
    join(start(fork_one, &status));
    CHECK(exited_with(status, 21));
}

static void *exit_process(void *argument)
{
    (void)argument;
    exit(33);
}

static void run_until_exit(void)
{
    start(spin_testing, NULL);
    start(exit_process, NULL);
    for (;;)
        pause();
}

static void *linger(void *argument)
{
    (void)argument;
    sleep_ms(50);
    _exit(34);
}

static void leave_main(void)
{
    start(linger, NULL);
    pthread_exit(NULL);
}

static void exit_ends_all_threads_and_pthread_exit_only_one(void)
{
    CHECK(exited_with(status_of(run_until_exit), 33));
    CHECK(exited_with(status_of(leave_main), 34));
}

static const struct test tests[] = {
    TEST(a_thread_takes_an_argument_and_gives_a_result),
    TEST(threads_share_the_process_id_and_have_their_own),
    TEST(a_mutex_lets_one_in_at_a_time),
    TEST(two_threads_take_turns_by_a_condition),
    TEST(a_timed_wait_ends),
    TEST(a_broadcast_wakes_everybody),
    TEST(each_thread_has_its_own_variables_and_errno),
    TEST(keys_are_destroyed_at_the_thread_s_end),
    TEST(a_thread_can_be_cancelled),
    TEST(many_detached_threads_come_and_go),
    TEST(a_signal_can_be_aimed_at_a_thread),
    TEST(a_process_signal_goes_to_a_thread_that_takes_it),
    TEST(fork_copies_only_the_calling_thread),
    TEST(exit_ends_all_threads_and_pthread_exit_only_one),
};

RUN(tests)
