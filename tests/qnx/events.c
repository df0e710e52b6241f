/* Events, timers, time-outs, clocks. */
#include "qnx.h"
#include <sys/siginfo.h>

static int chid, coid;
static union message message;

static void open_channel(void)
{
    chid = ChannelCreate(0);
    CHECK(chid > 0);
    coid = connect_self(chid);
}

static uint64_t now(void)
{
    uint64_t time;
    CHECK(ClockTime(CLOCK_MONOTONIC, NULL, &time) == 0);
    return time;
}

static void expect_pulse(int code, int value)
{
    CHECK(MsgReceive(chid, &message, sizeof message, NULL) == 0);
    CHECK(message.pulse.code == code && message.pulse.value.sival_int == value);
}

static void *asks_for_an_event(void *unused)
{
    (void)unused;
    int own = ChannelCreate(0), self = connect_self(own);
    struct sigevent event;
    union message got;
    SIGEV_PULSE_INIT(&event, self, 12, 3, 99);
    CHECK(MsgSend(coid, &event, sizeof event, NULL, 0) == 0);
    CHECK(MsgReceive(own, &got, sizeof got, NULL) == 0);
    CHECK(got.pulse.code == 3 && got.pulse.value.sival_int == 99);
    return NULL;
}

static void a_server_delivers_the_event_that_its_client_gave(void)
{
    open_channel();
    pthread_t client = thread(asks_for_an_event, NULL);
    struct sigevent event;
    int rcvid = MsgReceive(chid, &event, sizeof event, NULL);
    CHECK(rcvid > 0 && SIGEV_GET_TYPE(&event) == SIGEV_PULSE);
    CHECK(MsgVerifyEvent(rcvid, &event) == 0);
    CHECK(MsgDeliverEvent(rcvid, &event) == 0);
    CHECK(MsgReply(rcvid, 0, NULL, 0) == 0);
    CHECK_BOTH(MsgDeliverEvent, ESRCH, rcvid, &event);
    CHECK_BOTH(MsgVerifyEvent, ESRCH, rcvid, &event);
    join(client);
}

static void events_are_checked(void)
{
    open_channel();
    struct sigevent event;
    SIGEV_PULSE_INIT(&event, coid, 10, 1, 0);
    CHECK(MsgVerifyEvent(0, &event) == 0);
    CHECK(MsgDeliverEvent(0, &event) == 0);
    expect_pulse(1, 0);
    SIGEV_PULSE_INIT(&event, 999, 10, 1, 0);
    CHECK_BOTH(MsgVerifyEvent, EBADF, 0, &event);
    CHECK_BOTH(MsgDeliverEvent, EBADF, 0, &event);
    SIGEV_PULSE_INIT(&event, coid, 0, 1, 0);
    CHECK_BOTH(MsgDeliverEvent, EINVAL, 0, &event);
    SIGEV_PULSE_INIT(&event, coid, 10, -1, 0);
    CHECK_BOTH(MsgDeliverEvent, EINVAL, 0, &event);
    SIGEV_SIGNAL_INIT(&event, 65);
    CHECK_BOTH(MsgVerifyEvent, EINVAL, 0, &event);
    event.sigev_notify = 77;
    CHECK_BOTH(MsgDeliverEvent, EINVAL, 0, &event);
    CHECK_BOTH(MsgDeliverEvent, EFAULT, 0, NULL);
    CHECK_BOTH(MsgDeliverEvent, EFAULT, 0, KERNELS);
}

static volatile int caught, caught_value, caught_code;

static void note(int signal, siginfo_t *info, void *context)
{
    (void)context;
    caught = signal;
    caught_value = info->si_value.sival_int;
    caught_code = info->si_code;
}

static void events_can_be_signals_with_values(void)
{
    struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
    CHECK(SignalAction(0, NULL, SIGRTMIN, &action, NULL) == 0);
    struct sigevent event;
    SIGEV_SIGNAL_CODE_INIT(&event, SIGRTMIN, 31, -9);
    CHECK(MsgDeliverEvent(0, &event) == 0);
    CHECK(caught == SIGRTMIN && caught_value == 31 && caught_code == -9);
    caught = 0;
    SIGEV_SIGNAL_THREAD_INIT(&event, SIGRTMIN, 32, -10);
    CHECK(MsgDeliverEvent(0, &event) == 0);
    CHECK(caught == SIGRTMIN && caught_value == 32 && caught_code == -10);
}

static void a_timer_sends_pulses_again_and_again(void)
{
    open_channel();
    struct sigevent event;
    SIGEV_PULSE_INIT(&event, coid, 10, 7, 1234);
    int timer = TimerCreate(CLOCK_MONOTONIC, &event);
    CHECK(timer >= 0);
    struct _itimer setting = { 5000000, 5000000 }, old;
    uint64_t start = now();
    CHECK(TimerSettime(timer, 0, &setting, NULL) == 0);
    for (int i = 0; i < 3; i++)
        expect_pulse(7, 1234);
    CHECK(now() - start >= 15000000);
    struct _timer_info info;
    CHECK(TimerInfo(0, timer, 0, &info) == timer);
    CHECK(info.otime.interval_nsec == 5000000 && (info.flags & _NTO_TI_ACTIVE) != 0);
    setting.nsec = 0;
    CHECK(TimerSettime(timer, 0, &setting, &old) == 0 && old.interval_nsec == 5000000);
    CHECK(TimerInfo(0, timer, 0, &info) == timer && (info.flags & _NTO_TI_ACTIVE) == 0);
    CHECK(TimerDestroy(timer) == 0);
    CHECK_BOTH(TimerDestroy, EINVAL, timer);
    CHECK_BOTH(TimerDestroy, EINVAL, coid);
    CHECK_BOTH(TimerSettime, EINVAL, timer, 0, &setting, NULL);
    CHECK_BOTH(TimerInfo, EINVAL, 0, timer, 0, &info);
    CHECK_BOTH(TimerInfo, ESRCH, 30000, timer, 0, &info);
    CHECK_BOTH(TimerCreate, EINVAL, 77, &event);
    CHECK_BOTH(TimerCreate, EFAULT, CLOCK_MONOTONIC, KERNELS);
}

static void posix_timers_take_pulses(void)
{
    open_channel();
    struct sigevent event;
    timer_t timer;
    struct itimerspec setting = { { 0, 0 }, { 0, 3000000 } }, left;
    SIGEV_PULSE_INIT(&event, coid, SIGEV_PULSE_PRIO_INHERIT, 9, 8);
    CHECK(timer_create(CLOCK_REALTIME, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &setting, NULL) == 0);
    CHECK(timer_gettime(timer, &left) == 0 && left.it_value.tv_nsec > 0);
    expect_pulse(9, 8);
    CHECK(timer_getoverrun(timer) == 0);
    CHECK(timer_delete(timer) == 0);
    /* And those that Linux has are musl's as before. */
    struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    SIGEV_SIGNAL_VALUE_INIT(&event, SIGUSR1, 5);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &setting, NULL) == 0);
    for (int i = 0; i < 100 && !caught; i++)
        sleep_ms(1);
    CHECK(caught == SIGUSR1 && caught_value == 5);
    CHECK(timer_delete(timer) == 0);
}

static sync_t mutex, condition, semaphore;

static void *holder(void *unused)
{
    (void)unused;
    CHECK(SyncMutexLock(&mutex) == 0);
    sleep_ms(400);
    CHECK(SyncMutexUnlock(&mutex) == 0);
    return NULL;
}

static void *sleeper(void *unused)
{
    sleep_ms(400);
    return unused;
}

static void every_blocking_state_can_time_out(void)
{
    open_channel();
    uint64_t start = now();
    limit(_NTO_TIMEOUT_RECEIVE, 10);
    CHECK_ERRNO(MsgReceive(chid, &message, sizeof message, NULL), ETIMEDOUT);
    limit(_NTO_TIMEOUT_SEND | _NTO_TIMEOUT_REPLY, 10);
    CHECK_ERRNO(MsgSend(coid, "", 0, NULL, 0), ETIMEDOUT);
    CHECK(SyncTypeCreate(_NTO_SYNC_COND, &condition, NULL) == 0);
    CHECK(SyncTypeCreate(_NTO_SYNC_SEM, &semaphore, NULL) == 0);
    CHECK(SyncMutexLock(&mutex) == 0);
    limit(_NTO_TIMEOUT_CONDVAR, 10);
    CHECK_ERRNO(SyncCondvarWait(&condition, &mutex), ETIMEDOUT);
    CHECK(SyncMutexUnlock(&mutex) == 0);
    limit(_NTO_TIMEOUT_SEM, 10);
    CHECK_ERRNO(SyncSemWait(&semaphore, 0), ETIMEDOUT);
    pthread_t other = thread(holder, NULL);
    sleep_ms(10);
    limit(_NTO_TIMEOUT_MUTEX, 10);
    CHECK_ERRNO(SyncMutexLock(&mutex), ETIMEDOUT);
    int tid = ThreadCreate(0, sleeper, NULL, NULL);
    limit(_NTO_TIMEOUT_JOIN, 10);
    CHECK_ERRNO(ThreadJoin(tid, NULL), ETIMEDOUT);
    sigset_t set;
    sigemptyset(&set);
    limit(_NTO_TIMEOUT_SIGSUSPEND, 10);
    CHECK_ERRNO(SignalSuspend(&set), ETIMEDOUT);
    sigaddset(&set, SIGUSR2);
    CHECK(SignalProcmask(0, 0, SIG_BLOCK, &set, NULL) == 0);
    limit(_NTO_TIMEOUT_SIGWAITINFO, 10);
    CHECK_ERRNO(SignalWaitinfo(&set, NULL), ETIMEDOUT);
    uint64_t ns = 10000000;
    CHECK_ERRNO(InterruptWait(0, &ns), ETIMEDOUT);
    CHECK(now() - start >= 100 * 1000000 && now() - start < 350 * 1000000);
    join(other);
    CHECK(ThreadJoin(tid, NULL) == 0);
}

static void a_time_out_is_for_the_next_call_and_for_its_states_only(void)
{
    open_channel();
    limit(_NTO_TIMEOUT_SEND, 5);
    CHECK(MsgSendPulse(coid, 10, 1, 2) == 0);
    expect_pulse(1, 2);
    struct sigevent event;
    SIGEV_PULSE_INIT(&event, coid, 10, 4, 5);
    int timer = TimerCreate(CLOCK_MONOTONIC, &event);
    struct _itimer setting = { 30000000, 0 };
    CHECK(TimerSettime(timer, 0, &setting, NULL) == 0);
    limit(_NTO_TIMEOUT_REPLY, 5);
    expect_pulse(4, 5);
    /* No time at all: at once, if it would block. */
    CHECK(TimerTimeout(CLOCK_MONOTONIC, _NTO_TIMEOUT_RECEIVE, NULL, NULL, NULL) == 0);
    CHECK_ERRNO(MsgReceive(chid, &message, sizeof message, NULL), ETIMEDOUT);
    struct timespec time = { 0, 5000000 };
    SIGEV_UNBLOCK_INIT(&event);
    CHECK(timer_timeout(CLOCK_REALTIME, _NTO_TIMEOUT_RECEIVE, &event, &time, NULL) == 0);
    CHECK_ERRNO(MsgReceive(chid, &message, sizeof message, NULL), ETIMEDOUT);
    uint64_t at;
    CHECK(ClockTime(CLOCK_REALTIME, NULL, &at) == 0);
    at += 5000000;
    CHECK(TimerTimeout(CLOCK_REALTIME, _NTO_TIMEOUT_RECEIVE | TIMER_ABSTIME, NULL, &at, NULL) == 0);
    CHECK_ERRNO(MsgReceive(chid, &message, sizeof message, NULL), ETIMEDOUT);
    uint64_t start = now(), ns = 5000000;
    CHECK(TimerTimeout(CLOCK_MONOTONIC, _NTO_TIMEOUT_NANOSLEEP, NULL, &ns, NULL) == 0);
    CHECK(now() - start >= ns);
    CHECK_BOTH(TimerTimeout, EINVAL, 77, _NTO_TIMEOUT_SEND, NULL, &ns, NULL);
    CHECK_BOTH(TimerTimeout, EINVAL, CLOCK_MONOTONIC, 1 << 30, NULL, &ns, NULL);
    CHECK_BOTH(TimerTimeout, EFAULT, CLOCK_MONOTONIC, _NTO_TIMEOUT_SEND, NULL, (uint64_t *)KERNELS, NULL);
    time.tv_nsec = 1000000000;
    CHECK_BOTH(timer_timeout, EINVAL, CLOCK_MONOTONIC, _NTO_TIMEOUT_SEND, NULL, &time, NULL);
}

static void clocks_tell_time(void)
{
    uint64_t time, later, cycles = ClockCycles();
    CHECK(ClockTime(CLOCK_REALTIME, NULL, &time) == 0 && time > 1000000000ull * 1000000000);
    CHECK(ClockTime_r(CLOCK_REALTIME, NULL, &later) == 0 && later >= time);
    CHECK(ClockCycles() > cycles);
    struct _clockperiod period = { 1, 0 };
    CHECK(ClockPeriod(CLOCK_REALTIME, NULL, &period, 0) == 0 && period.nsec == 1);
    CHECK_BOTH(ClockPeriod, ENOTSUP, CLOCK_REALTIME, &period, NULL, 0);
    CHECK_BOTH(ClockPeriod, EINVAL, 77, NULL, &period, 0);
    CHECK(ClockId(0, 0) == CLOCK_PROCESS_CPUTIME_ID);
    CHECK(ClockId(getpid(), getpid()) == CLOCK_THREAD_CPUTIME_ID);
    CHECK(ClockTime(ClockId(0, 0), NULL, &time) == 0 && time > 0);
    CHECK_BOTH(ClockId, ESRCH, 30000, 0);
    CHECK_BOTH(ClockId, ESRCH, 0, 30000);
    CHECK_BOTH(ClockTime, EINVAL, 77, NULL, &time);
    CHECK_BOTH(ClockTime, EFAULT, CLOCK_REALTIME, NULL, (uint64_t *)KERNELS);
    CHECK_BOTH(ClockTime, EINVAL, CLOCK_MONOTONIC, &time, NULL);
    int tid = ThreadCreate(0, sleeper, NULL, NULL), clock = ClockId(0, tid);
    CHECK(clock < 0 && ClockTime(clock, NULL, &time) == 0);
    CHECK(ThreadJoin(tid, NULL) == 0);
    CHECK_BOTH(ClockTime, ESRCH, clock, NULL, &time);
    if (geteuid() == 0)
        CHECK(setuid(1000) == 0);
    CHECK_BOTH(ClockTime, EPERM, CLOCK_REALTIME, &time, NULL);
}

static void an_alarm_is_sigalrm(void)
{
    struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    struct _itimer setting = { 5000000, 0 }, old;
    CHECK(TimerAlarm(CLOCK_REALTIME, &setting, &old) == 0);
    sigset_t none;
    sigemptyset(&none);
    CHECK_ERRNO(SignalSuspend(&none), EINTR);
    CHECK(caught == SIGALRM);
    CHECK_BOTH(TimerAlarm, EFAULT, CLOCK_REALTIME, NULL, NULL);
    CHECK_BOTH(TimerAlarm, EINVAL, 77, &setting, NULL);
}

static void interrupts_need_the_right(void)
{
    struct sigevent event;
    SIGEV_INTR_INIT(&event);
    CHECK_BOTH(InterruptDetach, EINVAL, 999);
    CHECK_ERRNO(InterruptMask(0, 999), EINVAL);
    CHECK_ERRNO(InterruptUnmask(0, 999), EINVAL);
    CHECK_BOTH(InterruptWait, EINVAL, 0x100, NULL);
    CHECK_BOTH(InterruptAttachEvent, EFAULT, 5, NULL, 0);
    CHECK(InterruptAttach() == -1 && errno == ENOSYS);
    if (geteuid() == 0) {
        CHECK_BOTH(InterruptAttachEvent, EINVAL, 100000, &event, 0);
        int id = InterruptAttachEvent(5, &event, _NTO_INTR_FLAGS_TRK_MSK);
        CHECK(id >= 0 && InterruptMask(5, id) >= 0 && InterruptUnmask(5, id) >= 0);
        CHECK(InterruptDetach(id) == 0);
        CHECK_BOTH(InterruptDetach, EINVAL, id);
        CHECK(setuid(1000) == 0);
    }
    CHECK_BOTH(InterruptAttachEvent, EPERM, 5, &event, 0);
    CHECK_BOTH(InterruptAttachThread, EPERM, 5, 0);
}

static const struct test tests[] = {
    TEST(a_server_delivers_the_event_that_its_client_gave),
    TEST(events_are_checked),
    TEST(events_can_be_signals_with_values),
    TEST(a_timer_sends_pulses_again_and_again),
    TEST(posix_timers_take_pulses),
    TEST(every_blocking_state_can_time_out),
    TEST(a_time_out_is_for_the_next_call_and_for_its_states_only),
    TEST(clocks_tell_time),
    TEST(an_alarm_is_sigalrm),
    TEST(interrupts_need_the_right),
};
RUN(tests)
