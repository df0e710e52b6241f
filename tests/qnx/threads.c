/* Threads, scheduling, signals. */
#include "qnx.h"

static volatile int started, go;

static void *add_one(void *argument)
{
    return (char *)argument + 1;
}

static void *until_go(void *argument)
{
    started++;
    while (!go)
        sleep_ms(1);
    return argument;
}

static void threads_are_made_and_joined(void)
{
    void *status;
    int tid = ThreadCreate(0, add_one, (void *)41, NULL);
    CHECK(tid > 0 && tid != getpid());
    CHECK(ThreadJoin(tid, &status) == 0 && status == (void *)42);
    CHECK_BOTH(ThreadJoin, ESRCH, tid, &status);
    CHECK_BOTH(ThreadJoin, ESRCH, 30000, &status);
    CHECK_BOTH(ThreadCreate, EPERM, 1, add_one, NULL, NULL);
    CHECK_BOTH(ThreadCreate, EFAULT, 0, NULL, NULL, NULL);
    CHECK_BOTH(ThreadCreate, EFAULT, 0, add_one, NULL, (struct _thread_attr *)KERNELS);
    struct _thread_attr attributes = { .__stacksize = 1 };
    CHECK_BOTH(ThreadCreate, EINVAL, 0, add_one, NULL, &attributes);
}

static void *join_self(void *unused)
{
    while (!started)
        sleep_ms(1);
    CHECK_BOTH(ThreadJoin, EDEADLK, started, NULL);
    return unused;
}

static void *second_joiner(void *tid)
{
    CHECK(ThreadJoin((int)(long)tid, NULL) == 0);
    return NULL;
}

static void who_may_join_is_checked(void)
{
    int tid = ThreadCreate(0, join_self, NULL, NULL);
    started = tid;
    CHECK(ThreadJoin(tid, NULL) == 0);
    tid = ThreadCreate(0, until_go, NULL, NULL);
    pthread_t other = thread(second_joiner, (void *)(long)tid);
    sleep_ms(20);
    CHECK_BOTH(ThreadJoin, EBUSY, tid, NULL);
    go = 1;
    join(other);
}

static void detached_threads_are_not_joined(void)
{
    int tid = ThreadCreate(0, until_go, NULL, NULL);
    CHECK(ThreadDetach(tid) == 0);
    CHECK_BOTH(ThreadDetach, EINVAL, tid);
    CHECK_BOTH(ThreadJoin, EINVAL, tid, NULL);
    struct _thread_attr attributes = { .__flags = _NTO_THREAD_DETACHED };
    int second = ThreadCreate(0, until_go, NULL, &attributes);
    CHECK_BOTH(ThreadJoin, EINVAL, second, NULL);
    go = 1;
    for (int i = 0; i < 1000 && ThreadDetach_r(tid) != ESRCH; i++)
        sleep_ms(1);
    CHECK_BOTH(ThreadDetach, ESRCH, tid);
    /* Their places are free again. */
    for (int i = 0; i < 600; i++) {
        while ((tid = ThreadCreate_r(0, add_one, NULL, &attributes)) == -EAGAIN)
            sleep_ms(1);
        CHECK(tid > 0);
    }
}

static void *destroys_itself(void *unused)
{
    (void)unused;
    ThreadDestroy(0, -1, (void *)7);
    return NULL;
}

static void *waits_for_a_message(void *chid)
{
    char byte;
    MsgReceive((int)(long)chid, &byte, 1, NULL);
    return NULL;
}

static void threads_end_themselves_and_are_cancelled(void)
{
    void *status;
    int tid = ThreadCreate(0, destroys_itself, NULL, NULL);
    CHECK(ThreadJoin(tid, &status) == 0 && status == (void *)7);
    tid = ThreadCreate(0, waits_for_a_message, (void *)(long)ChannelCreate(0), NULL);
    sleep_ms(10);
    CHECK_BOTH(ThreadDestroy, ENOTSUP, tid, 0, NULL);
    CHECK_BOTH(ThreadDestroy, ESRCH, 30000, 0, NULL);
    CHECK(ThreadCancel(tid, NULL) == 0);
    CHECK(ThreadJoin(tid, &status) == 0 && status == PTHREAD_CANCELED);
    CHECK_BOTH(ThreadCancel, ESRCH, tid, NULL);
}

static void threads_are_held_named_and_bound(void)
{
    int tid = ThreadCreate(0, until_go, NULL, NULL);
    while (!started)
        sleep_ms(1);
    CHECK(ThreadCtl(_NTO_TCTL_ONE_THREAD_HOLD, (void *)(long)tid) == 0);
    go = 1;
    limit(_NTO_TIMEOUT_JOIN, 30);
    CHECK_ERRNO(ThreadJoin(tid, NULL), ETIMEDOUT);
    CHECK(ThreadCtl(_NTO_TCTL_ONE_THREAD_CONT, (void *)(long)tid) == 0);
    CHECK(ThreadJoin(tid, NULL) == 0);
    struct { struct _thread_name head; char room[16]; } name = { { 3, 0 }, "" };
    memcpy(name.head.name_buf, "abc", 4);
    CHECK(ThreadCtl(_NTO_TCTL_NAME, &name) == 0);
    name.head.new_name_len = -1;
    name.head.name_buf_len = 16;
    CHECK(ThreadCtl(_NTO_TCTL_NAME, &name) == 0 && strcmp(name.head.name_buf, "abc") == 0);
    CHECK(ThreadCtl(_NTO_TCTL_RUNMASK, (void *)1) == 0);
    uint32_t mask = 0;
    CHECK(ThreadCtl(_NTO_TCTL_RUNMASK_GET_AND_SET, &mask) == 0 && (mask & 1) == 1);
    CHECK_ERRNO(ThreadCtl(77, NULL), EINVAL);
    CHECK_ERRNO(ThreadCtl(_NTO_TCTL_IO, NULL), ENOTSUP);
    CHECK_ERRNO(ThreadCtl(_NTO_TCTL_NAME, NULL), EFAULT);
    CHECK_ERRNO(ThreadCtl(_NTO_TCTL_ONE_THREAD_HOLD, (void *)30000), ESRCH);
}

static void scheduling_is_read_and_set(void)
{
    struct sched_param param = { 0 };
    CHECK(SchedGet(0, 0, &param) == SCHED_OTHER && param.sched_priority == 10);
    param.sched_priority = 20;
    CHECK(SchedSet(0, 0, SCHED_FIFO, &param) == 0);
    CHECK(SchedGet(getpid(), getpid(), &param) == SCHED_FIFO);
    CHECK(param.sched_priority == 20 && param.sched_curpriority == 20);
    struct _thread_attr attributes = { .__flags = _NTO_THREAD_EXPLICIT_SCHED,
        .__policy = SCHED_RR, .__param = { .sched_priority = 7 } };
    int tid = ThreadCreate(0, until_go, NULL, &attributes);
    CHECK(SchedGet(0, tid, &param) == SCHED_RR && param.sched_priority == 7);
    go = 1;
    CHECK(ThreadJoin(tid, NULL) == 0);
    attributes.__param.sched_priority = 300;
    CHECK_BOTH(ThreadCreate, EINVAL, 0, until_go, NULL, &attributes);
    CHECK_BOTH(SchedGet, ESRCH, 0, tid, &param);
    CHECK_BOTH(SchedGet, ESRCH, 30000, 0, &param);
    CHECK_BOTH(SchedGet, EFAULT, 0, 0, NULL);
    CHECK_BOTH(SchedSet, EFAULT, 0, 0, SCHED_RR, KERNELS);
    CHECK_BOTH(SchedSet, EINVAL, 0, 0, 77, &param);
    param.sched_priority = 256;
    CHECK_BOTH(SchedSet, EINVAL, 0, 0, SCHED_RR, &param);
    struct _sched_info info;
    CHECK(SchedInfo(0, SCHED_RR, &info) == 0);
    CHECK(info.priority_min == 1 && info.priority_max == 255 && info.priority_priv == 64);
    CHECK_BOTH(SchedInfo, EINVAL, 0, 77, &info);
    CHECK(SchedYield() == 0 && SchedYield_r() == 0 && SchedGetCpuNum() == 0);
}

static void a_sporadic_thread_has_a_budget(void)
{
    struct sched_param param = { .sched_priority = 12, .sched_ss_low_priority = 8,
        .sched_ss_max_repl = 2 };
    param.sched_ss_repl_period.tv_nsec = 50 * 1000 * 1000;
    param.sched_ss_init_budget.tv_nsec = 10 * 1000 * 1000;
    CHECK(SchedSet(0, 0, SCHED_SPORADIC, &param) == 0);
    struct sched_param told;
    CHECK(SchedGet(0, 0, &told) == SCHED_SPORADIC);
    CHECK(told.sched_priority == 12 && told.sched_curpriority == 12);
    CHECK(told.sched_ss_low_priority == 8 && told.sched_ss_max_repl == 2);
    CHECK(told.sched_ss_repl_period.tv_nsec == 50 * 1000 * 1000);
    CHECK(told.sched_ss_init_budget.tv_nsec == 10 * 1000 * 1000);
    int seen = 0;
    for (long turn = 0; turn < 200 * 1000 * 1000 && seen != 3; turn++) {
        if (turn % 1000 == 0 && SchedGet(0, 0, &told) == SCHED_SPORADIC)
            seen |= told.sched_curpriority == 8 ? 1 : seen & 1 ? 2 : 0;
    }
    CHECK(seen == 3);
    param.sched_ss_init_budget.tv_nsec = 60 * 1000 * 1000;
    CHECK_BOTH(SchedSet, EINVAL, 0, 0, SCHED_SPORADIC, &param);
    param.sched_ss_init_budget.tv_nsec = 1000 * 1000 * 1000;
    CHECK_BOTH(SchedSet, EINVAL, 0, 0, SCHED_SPORADIC, &param);
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    CHECK(SchedGet(pid, 0, &told) == SCHED_SPORADIC && told.sched_ss_max_repl == 2);
    CHECK_BOTH(SchedSet, EINVAL, pid, 0, SCHED_SPORADIC, &param);
    param.sched_ss_init_budget.tv_nsec = 1000;
    CHECK(SchedSet(pid, 0, SCHED_SPORADIC, &param) == 0);
    CHECK(SchedGet(pid, 0, &told) == SCHED_SPORADIC);
    CHECK(told.sched_ss_init_budget.tv_nsec == 1000);
    CHECK(SignalKill(0, pid, 0, SIGTERM, 0, 0) == 0 && waitpid(pid, NULL, 0) == pid);
    param.sched_priority = 10;
    CHECK(SchedSet(0, 0, SCHED_OTHER, &param) == 0);
}

static void another_processs_scheduling_needs_a_right(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    struct sched_param param = { .sched_priority = 9 };
    CHECK(SchedSet(pid, 0, SCHED_RR, &param) == 0);
    CHECK(SchedGet(pid, 0, &param) == SCHED_RR && param.sched_priority == 9);
    if (geteuid() == 0) {
        pid_t other = fork();
        if (other == 0) {
            CHECK(setuid(1000) == 0);
            CHECK_BOTH(SchedSet, EPERM, pid, 0, SCHED_RR, &param);
            CHECK_BOTH(SignalKill, EPERM, 0, pid, 0, SIGTERM, 0, 0);
            param.sched_priority = 64;
            CHECK_BOTH(SchedSet, EPERM, 0, 0, SCHED_RR, &param);
            _exit(0);
        }
        int status;
        CHECK(waitpid(other, &status, 0) == other && status == 0);
    }
    CHECK(SignalKill(0, pid, 0, 0, 0, 0) == 0);
    CHECK(SignalKill(0, pid, 0, SIGTERM, 0, 0) == 0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && killed_by(status, SIGTERM));
    CHECK_BOTH(SignalKill, ESRCH, 0, 30000, 0, 0, 0, 0);
    CHECK_BOTH(SignalKill, EINVAL, 0, getpid(), 0, 65, 0, 0);
    CHECK_BOTH(SignalKill, EINVAL, 1, getpid(), 0, 0, 0, 0);
    CHECK_BOTH(SignalKill, ESRCH, 0, getpid(), 30000, 0, 0, 0);
}

static volatile int caught, caught_value;

static void note(int signal, siginfo_t *info, void *context)
{
    (void)context;
    caught = signal;
    caught_value = info->si_value.sival_int;
}

static void signals_are_blocked_taken_and_handled(void)
{
    sigset_t set, old;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(SignalProcmask(0, 0, SIG_BLOCK, &set, &old) == 0 && !sigismember(&old, SIGUSR1));
    CHECK(SignalProcmask(0, 0, SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGUSR1));
    CHECK(SignalKill(0, getpid(), 0, SIGUSR1, -7, 88) == 0);
    CHECK(SignalWaitinfo(&set, &info) == SIGUSR1);
    CHECK(info.si_signo == SIGUSR1 && info.si_code == -7 && info.si_value.sival_int == 88);
    CHECK(info.si_pid == getpid());
    struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO }, before;
    CHECK(SignalAction(getpid(), NULL, SIGUSR1, &action, &before) == 0);
    CHECK(before.sa_handler == SIG_DFL);
    union sigval value = { .sival_int = 89 };
    CHECK(SignalKillSigval(0, getpid(), getpid(), SIGUSR1, -8, &value) == 0 && caught == 0);
    sigemptyset(&set);
    CHECK_ERRNO(SignalSuspend(&set), EINTR);
    CHECK(caught == SIGUSR1 && caught_value == 89);
    CHECK(SignalProcmask(0, 0, SIG_BLOCK, NULL, &old) == 0 && sigismember(&old, SIGUSR1));
    CHECK_BOTH(SignalAction, EINVAL, 0, NULL, SIGKILL, &action, NULL);
    CHECK_BOTH(SignalAction, EINVAL, 0, NULL, 77, &action, NULL);
    CHECK_BOTH(SignalAction, EFAULT, 0, NULL, SIGUSR1, KERNELS, NULL);
    CHECK_BOTH(SignalAction, EPERM, 1, NULL, SIGUSR1, &action, NULL);
    CHECK_BOTH(SignalProcmask, EINVAL, 0, 0, 77, &set, NULL);
    CHECK_BOTH(SignalProcmask, EFAULT, 0, 0, SIG_BLOCK, KERNELS, NULL);
    CHECK_BOTH(SignalProcmask, ESRCH, 0, 30000, SIG_BLOCK, &set, NULL);
    CHECK_BOTH(SignalSuspend, EFAULT, NULL);
    CHECK_BOTH(SignalWaitinfo, EFAULT, KERNELS, NULL);
}

static const struct test tests[] = {
    TEST(threads_are_made_and_joined),
    TEST(who_may_join_is_checked),
    TEST(detached_threads_are_not_joined),
    TEST(threads_end_themselves_and_are_cancelled),
    TEST(threads_are_held_named_and_bound),
    TEST(scheduling_is_read_and_set),
    TEST(a_sporadic_thread_has_a_budget),
    TEST(another_processs_scheduling_needs_a_right),
    TEST(signals_are_blocked_taken_and_handled),
};
RUN(tests)
