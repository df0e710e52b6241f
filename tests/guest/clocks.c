/* Clocks, sleeping, interval timers, POSIX timers. */
#include "check.h"
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#define MS 1000000L

static volatile sig_atomic_t ticks;
static volatile int ticked_value;

static void tick(int signal)
{
    (void)signal;
    ticks++;
}

static void tick_info(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    if (info->si_code == SI_TIMER)
        ticked_value = info->si_value.sival_int;
    ticks++;
}

static long long now_ns(clockid_t clock)
{
    struct timespec now;
    CHECK(clock_gettime(clock, &now) == 0);
    CHECK(now.tv_nsec >= 0 && now.tv_nsec < 1000 * MS);
    return now.tv_sec * 1000LL * MS + now.tv_nsec;
}

static void the_monotonic_clock_never_goes_back(void)
{
    long long last = now_ns(CLOCK_MONOTONIC), start = last;
    for (int i = 0; i < 100000; i++) {
        long long now = now_ns(CLOCK_MONOTONIC);
        CHECK(now >= last);
        last = now;
    }
    CHECK(last > start);
}

static void the_realtime_clock_tells_a_plausible_date(void)
{
    struct timeval day;
    time_t seconds = time(NULL);
    /* After 2024 and before 2100. */
    CHECK(seconds > 1704067200 && seconds < 4102444800);
    CHECK(gettimeofday(&day, NULL) == 0 && day.tv_sec - seconds <= 1);
    CHECK(now_ns(CLOCK_REALTIME) / 1000 / MS - seconds <= 1);
}

static void clocks_have_a_resolution_and_bad_ones_are_refused(void)
{
    struct timespec value;
    CHECK(clock_getres(CLOCK_MONOTONIC, &value) == 0);
    CHECK(value.tv_sec == 0 && value.tv_nsec >= 1 && value.tv_nsec <= 10 * MS);
    CHECK_ERRNO(clock_gettime(1000, &value), EINVAL);
}

static void sleeping_takes_at_least_its_time(void)
{
    static const long lengths[] = { 0, 1, 1000, MS, 20 * MS, 200 * MS };
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct timespec wanted = { 0, lengths[i] };
        long long before = now_ns(CLOCK_MONOTONIC);
        CHECK(nanosleep(&wanted, NULL) == 0);
        long long took = now_ns(CLOCK_MONOTONIC) - before;
        CHECK(took >= lengths[i] && took < lengths[i] + 2000 * MS);
    }
    struct timespec bad = { 0, 1000 * MS };
    CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
    bad = (struct timespec){ -1, 0 };
    CHECK_ERRNO(nanosleep(&bad, NULL), EINVAL);
}

static void sleeping_until_a_time_works_and_the_past_is_over(void)
{
    struct timespec until;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    long long wanted = now_ns(CLOCK_MONOTONIC) + 50 * MS;
    until = (struct timespec){ wanted / (1000 * MS), wanted % (1000 * MS) };
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    CHECK(now_ns(CLOCK_MONOTONIC) >= wanted);
}

static void alarm_comes_once_and_can_be_taken_back(void)
{
    CHECK(signal(SIGALRM, tick) != SIG_ERR);
    /* The time limit of the test goes, too. */
    alarm(0);
    CHECK(alarm(100) == 0);
    unsigned left = alarm(0);
    CHECK(left >= 99 && left <= 100);
    CHECK(alarm(1) == 0);
    sleep_ms(1300);
    CHECK(ticks == 1 && alarm(0) == 0);
}

static void an_interval_timer_repeats(void)
{
    struct itimerval every = { { 0, 20000 }, { 0, 20000 } }, now, none = { { 0, 0 }, { 0, 0 } };
    CHECK(signal(SIGALRM, tick) != SIG_ERR);
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    CHECK(getitimer(ITIMER_REAL, &now) == 0);
    CHECK(now.it_interval.tv_usec == 20000 && now.it_value.tv_usec <= 20000);
    long long start = now_ns(CLOCK_MONOTONIC);
    while (ticks < 5)
        pause();
    CHECK(now_ns(CLOCK_MONOTONIC) - start >= 90 * MS);
    CHECK(setitimer(ITIMER_REAL, &none, &now) == 0 && now.it_interval.tv_usec == 20000);
    int seen = ticks;
    sleep_ms(60);
    CHECK(ticks == seen);
    every.it_value.tv_usec = 1000000;
    CHECK_ERRNO(setitimer(ITIMER_REAL, &every, NULL), EINVAL);
}

static void a_timer_sends_its_signal_with_its_value(void)
{
    struct sigaction action = { 0 };
    struct sigevent event = { 0 };
    struct itimerspec when = { { 0, 10 * MS }, { 0, 10 * MS } }, now;
    timer_t timer;
    action.sa_sigaction = tick_info;
    action.sa_flags = SA_SIGINFO;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    event.sigev_value.sival_int = 4711;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_gettime(timer, &now) == 0 && now.it_value.tv_nsec == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    while (ticks < 5)
        pause();
    CHECK(ticked_value == 4711);
    CHECK(timer_gettime(timer, &now) == 0 && now.it_interval.tv_nsec == 10 * MS);
    CHECK(timer_delete(timer) == 0);
    int seen = ticks;
    sleep_ms(40);
    CHECK(ticks == seen);
}

static void a_timer_counts_its_overruns(void)
{
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
    struct itimerspec when = { { 0, 5 * MS }, { 0, 5 * MS } };
    sigset_t set;
    timer_t timer;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    sleep_ms(100);
    siginfo_t info;
    CHECK(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_code == SI_TIMER);
    CHECK(timer_getoverrun(timer) >= 5);
    CHECK(timer_delete(timer) == 0);
}

static void the_time_of_the_processor_is_counted(void)
{
    struct rusage usage;
    struct tms used;
    long long before = now_ns(CLOCK_PROCESS_CPUTIME_ID), start = now_ns(CLOCK_MONOTONIC);
    sleep_ms(200);
    long long slept = now_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
    CHECK(slept >= 0 && slept < 150 * MS);
    while (now_ns(CLOCK_PROCESS_CPUTIME_ID) - before < 100 * MS)
        CHECK(now_ns(CLOCK_MONOTONIC) - start < 20000 * MS);
    CHECK(getrusage(RUSAGE_SELF, &usage) == 0);
    CHECK(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec > 0 ||
          usage.ru_utime.tv_usec + usage.ru_stime.tv_usec >= 50000);
    CHECK(times(&used) != (clock_t)-1 && used.tms_utime + used.tms_stime >= 5);
    CHECK(used.tms_cutime == 0 && sysconf(_SC_CLK_TCK) == 100);
    CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) >= 50 * MS);
}

static void dates_are_computed(void)
{
    struct tm date;
    char text[32];
    time_t then = 1000000000;
    CHECK(gmtime_r(&then, &date) && date.tm_year == 101 && date.tm_mon == 8 && date.tm_mday == 9);
    CHECK(strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &date) == 19);
    CHECK(strcmp(text, "2001-09-09 01:46:40") == 0 && timegm(&date) == then);
}

static const struct test tests[] = {
    TEST(the_monotonic_clock_never_goes_back),
    TEST(the_realtime_clock_tells_a_plausible_date),
    TEST(clocks_have_a_resolution_and_bad_ones_are_refused),
    TEST(sleeping_takes_at_least_its_time),
    TEST(sleeping_until_a_time_works_and_the_past_is_over),
    TEST(alarm_comes_once_and_can_be_taken_back),
    TEST(an_interval_timer_repeats),
    TEST(a_timer_sends_its_signal_with_its_value),
    TEST(a_timer_counts_its_overruns),
    TEST(the_time_of_the_processor_is_counted),
    TEST(dates_are_computed),
};

RUN(tests)
