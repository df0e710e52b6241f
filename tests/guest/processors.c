/* Several processors at once: threads and processes that work on each other from all of them. The
 * tests hold on one processor as well. */
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { WORKERS = 8 };

static int processors(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static void a_thread_keeps_to_the_processor_that_it_asks_for(void)
{
    cpu_set_t set, got;
    for (int cpu = 0; cpu < processors(); cpu++) {
        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
        CHECK(sched_getaffinity(0, sizeof got, &got) == 0);
        CHECK(CPU_COUNT(&got) == 1 && CPU_ISSET(cpu, &got));
    }
    CPU_ZERO(&set);
    errno = 0;
    CHECK(sched_setaffinity(0, sizeof set, &set) == -1 && errno == EINVAL);
}

static void a_child_inherits_the_processors_of_its_parent(void)
{
    cpu_set_t set;
    /* Afterwards only the allowed ones count. */
    int last = processors() - 1;
    CPU_ZERO(&set);
    CPU_SET(last, &set);
    CHECK(sched_setaffinity(0, sizeof set, &set) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CPU_ZERO(&set);
        _exit(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == 1
              && CPU_ISSET(last, &set) ? 0 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static atomic_int counted;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long guarded;

static void *count(void *unused)
{
    for (int i = 0; i < 20000; i++) {
        atomic_fetch_add(&counted, 1);
        pthread_mutex_lock(&mutex);
        guarded++;
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

static void threads_count_together_and_lose_nothing(void)
{
    pthread_t threads[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        CHECK(pthread_create(&threads[i], NULL, count, NULL) == 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(counted == WORKERS * 20000 && guarded == WORKERS * 20000);
}

static double numbers(int seed, int turns)
{
    double x = 1.0 + seed;
    for (int i = 0; i < turns; i++)
        x = x * 1.0000001 + seed / (x + 1.0);
    return x;
}

static void *compute(void *argument)
{
    int seed = (int)(long)argument;
    double first = numbers(seed, 50000);
    for (int i = 0; i < 20; i++) {
        if (numbers(seed, 50000) != first)
            return (void *)1;
        sched_yield();
    }
    return NULL;
}

static void floating_point_survives_moves_between_processors(void)
{
    pthread_t threads[WORKERS];
    for (long i = 0; i < WORKERS; i++)
        CHECK(pthread_create(&threads[i], NULL, compute, (void *)i) == 0);
    for (int i = 0; i < WORKERS; i++) {
        void *wrong;
        CHECK(pthread_join(threads[i], &wrong) == 0 && !wrong);
    }
}

enum { PAGE = 4096, PAGES = 16 };
static volatile unsigned char *volatile area;
static atomic_int is_over;

static void *touch(void *unused)
{
    while (!is_over) {
        for (int i = 0; i < PAGES; i++)
            (void)area[i * PAGE];
    }
    return unused;
}

/* Other threads read the pages all the time, so their processors hold translations. After a page is
 * replaced, nobody may see the old one. */
static void *see_new(void *argument)
{
    atomic_int *round = argument;
    while (!is_over) {
        int before = *round;
        int seen = area[0];
        if (before % 2 == 0 && *round == before && seen != before % 256)
            return (void *)1;
    }
    return NULL;
}

static void a_replaced_page_is_seen_on_every_processor(void)
{
    pthread_t threads[4];
    static atomic_int round;
    area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, i ? see_new : touch, i ? &round : NULL) == 0);
    for (int i = 2; i <= 60; i += 2) {
        round = i - 1;
        CHECK(mmap((void *)area, PAGE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area);
        area[0] = (unsigned char)i;
        round = i;
    }
    is_over = 1;
    for (int i = 0; i < 4; i++) {
        void *wrong;
        CHECK(pthread_join(threads[i], &wrong) == 0 && !wrong);
    }
}

static void forks_copy_while_other_threads_write(void)
{
    pthread_t threads[2];
    area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED);
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&threads[i], NULL, touch, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        area[PAGE] = (unsigned char)i;
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            int right = area[PAGE] == i;
            area[PAGE] = 255;
            _exit(right ? 0 : 1);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0 && area[PAGE] == i);
    }
    is_over = 1;
    for (int i = 0; i < 2; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void spinning_processes_are_stopped_continued_and_killed(void)
{
    for (int i = 0; i < 10; i++) {
        pid_t children[4];
        for (int k = 0; k < 4; k++) {
            children[k] = fork();
            CHECK(children[k] >= 0);
            if (children[k] == 0) {
                for (;;)
                    if (k % 2)
                        getppid();
            }
        }
        for (int k = 0; k < 4; k++) {
            int status;
            CHECK(kill(children[k], SIGSTOP) == 0);
            CHECK(waitpid(children[k], &status, WUNTRACED) == children[k] && WIFSTOPPED(status));
            CHECK(kill(children[k], SIGCONT) == 0);
            CHECK(kill(children[k], SIGKILL) == 0);
            CHECK(waitpid(children[k], &status, 0) == children[k] && WIFSIGNALED(status));
        }
    }
}

static void pipes_carry_bytes_between_processors(void)
{
    int there[2], back[2];
    CHECK(pipe(there) == 0 && pipe(back) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        unsigned char byte;
        close(there[1]);
        while (read(there[0], &byte, 1) == 1) {
            byte++;
            if (write(back[1], &byte, 1) != 1)
                _exit(1);
        }
        _exit(0);
    }
    close(there[0]);
    for (int i = 0; i < 300; i++) {
        unsigned char byte = (unsigned char)i;
        CHECK(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1);
        CHECK(byte == (unsigned char)(i + 1));
    }
    close(there[1]);
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void exiting_takes_spinning_threads_along(void)
{
    for (int i = 0; i < 10; i++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            pthread_t thread;
            area = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            for (int k = 0; k < 3; k++)
                pthread_create(&thread, NULL, touch, NULL);
            usleep(2000);
            exit(7);
        }
        int status;
        CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 7);
    }
}

static const struct test tests[] = {
    TEST(a_thread_keeps_to_the_processor_that_it_asks_for),
    TEST(a_child_inherits_the_processors_of_its_parent),
    TEST(threads_count_together_and_lose_nothing),
    TEST(floating_point_survives_moves_between_processors),
    TEST(a_replaced_page_is_seen_on_every_processor),
    TEST(forks_copy_while_other_threads_write),
    TEST(spinning_processes_are_stopped_continued_and_killed),
    TEST(pipes_carry_bytes_between_processors),
    TEST(exiting_takes_spinning_threads_along),
};

RUN(tests)
