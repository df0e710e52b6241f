/* Signals: handlers, masks, stacks, restart, and what each does by default. */
#include "check.h"
#include <setjmp.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t seen;
static volatile sig_atomic_t depth, deepest;
static siginfo_t last_info;

static void count(int signal)
{
    (void)signal;
    seen++;
}

static void keep_info(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)context;
    last_info = *info;
    seen++;
}

static void handle(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = { 0 };
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(signal, &action, NULL) == 0);
}

static void handle_info(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = { 0 };
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(signal, &action, NULL) == 0);
}

static sigset_t set_of(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

/* A child that waits `ms`, then sends `signal` to this process. */
static pid_t signal_later(int signal, long ms)
{
    pid_t parent = getpid(), pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        sleep_ms(ms);
        kill(parent, signal);
        _exit(0);
    }
    return pid;
}

static void a_handler_runs_before_kill_to_oneself_returns(void)
{
    handle(SIGUSR1, count, 0);
    CHECK(kill(getpid(), SIGUSR1) == 0 && seen == 1);
    CHECK(raise(SIGUSR1) == 0 && seen == 2);
}

static void sigaction_returns_the_old_action(void)
{
    struct sigaction old;
    handle(SIGUSR1, count, SA_RESTART | SA_NODEFER);
    CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
    CHECK(old.sa_handler == count && (old.sa_flags & (SA_RESTART | SA_NODEFER | SA_SIGINFO)) ==
                                         (SA_RESTART | SA_NODEFER));
    CHECK(signal(SIGUSR1, SIG_IGN) == count);
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
}

static void kill_and_stop_cannot_be_caught_and_numbers_are_checked(void)
{
    struct sigaction action = { 0 };
    action.sa_handler = count;
    CHECK_ERRNO(sigaction(SIGKILL, &action, NULL), EINVAL);
    CHECK_ERRNO(sigaction(SIGSTOP, &action, NULL), EINVAL);
    CHECK_ERRNO(kill(getpid(), 100), EINVAL);
    CHECK_ERRNO(kill(0x7ffffff0, 0), ESRCH);
    CHECK(kill(getpid(), 0) == 0);
    CHECK(kill(getppid(), 0) == 0);
}

static void siginfo_says_who_sent_it(void)
{
    handle_info(SIGUSR1, keep_info, 0);
    pid_t pid = signal_later(SIGUSR1, 0);
    while (!seen)
        sleep_ms(1);
    CHECK(last_info.si_signo == SIGUSR1 && last_info.si_code == SI_USER);
    CHECK(last_info.si_pid == pid && last_info.si_uid == getuid());
}

static void a_queued_signal_carries_its_value(void)
{
    sigset_t set = set_of(SIGRTMIN + 1);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 40 + i }) == 0);
    for (int i = 0; i < 3; i++) {
        siginfo_t info;
        CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1);
        CHECK(info.si_code == SI_QUEUE && info.si_value.sival_int == 40 + i);
    }
    struct timespec none = { 0, 0 };
    CHECK_ERRNO(sigtimedwait(&set, NULL, &none), EAGAIN);
}

static void a_dead_child_sends_sigchld_with_its_code(void)
{
    handle_info(SIGCHLD, keep_info, 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(9);
    while (!seen)
        sleep_ms(1);
    CHECK(last_info.si_signo == SIGCHLD && last_info.si_code == CLD_EXITED);
    CHECK(last_info.si_pid == pid && last_info.si_status == 9);
    CHECK(waitpid(pid, NULL, 0) == pid);
}

static void ignoring_sigchld_leaves_no_zombies(void)
{
    CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
}

static void a_blocked_signal_stays_pending_once(void)
{
    sigset_t set = set_of(SIGUSR1), old, pending;
    handle(SIGUSR1, count, 0);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0 && !sigismember(&old, SIGUSR1));
    CHECK(raise(SIGUSR1) == 0 && raise(SIGUSR1) == 0 && seen == 0);
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
    CHECK(sigprocmask(SIG_SETMASK, &old, &set) == 0 && sigismember(&set, SIGUSR1));
    CHECK(seen == 1);
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR1));
}

static void nest(int signal)
{
    depth++;
    if (depth > deepest)
        deepest = depth;
    if (++seen < 3)
        raise(signal);
    depth--;
}

static void a_signal_is_blocked_in_its_handler_unless_nodefer(void)
{
    handle(SIGUSR1, nest, 0);
    raise(SIGUSR1);
    CHECK(seen == 3 && deepest == 1);
    seen = deepest = 0;
    handle(SIGUSR1, nest, SA_NODEFER);
    raise(SIGUSR1);
    CHECK(seen == 3 && deepest == 3);
}

static void raise_other(int signal)
{
    (void)signal;
    depth = 1;
    raise(SIGUSR2);
    CHECK(seen == 0);
    depth = 0;
}

static void the_action_s_mask_holds_during_the_handler(void)
{
    struct sigaction action = { 0 };
    handle(SIGUSR2, count, 0);
    action.sa_handler = raise_other;
    action.sa_mask = set_of(SIGUSR2);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    raise(SIGUSR1);
    CHECK(seen == 1);
}

static void resethand_works_once(void)
{
    handle(SIGUSR1, count, (int)SA_RESETHAND);
    raise(SIGUSR1);
    struct sigaction now;
    CHECK(seen == 1 && sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
}

static void read_fails_with_eintr_or_restarts(void)
{
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    handle(SIGUSR1, count, 0);
    signal_later(SIGUSR1, 50);
    CHECK_ERRNO(read(ends[0], &byte, 1), EINTR);
    CHECK(seen == 1);

    handle(SIGUSR1, count, SA_RESTART);
    pid_t parent = getpid();
    if (fork() == 0) {
        sleep_ms(50);
        kill(parent, SIGUSR1);
        sleep_ms(50);
        CHECK(write(ends[1], "x", 1) == 1);
        _exit(0);
    }
    CHECK(read(ends[0], &byte, 1) == 1 && seen == 2);
}

static void an_ignored_signal_interrupts_nothing(void)
{
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    pid_t parent = getpid();
    if (fork() == 0) {
        sleep_ms(30);
        kill(parent, SIGUSR1);
        sleep_ms(30);
        CHECK(write(ends[1], "x", 1) == 1);
        _exit(0);
    }
    CHECK(read(ends[0], &byte, 1) == 1);
}

static void nanosleep_tells_what_is_left(void)
{
    struct timespec wanted = { 5, 0 }, left = { 0, 0 };
    handle(SIGUSR1, count, SA_RESTART);
    signal_later(SIGUSR1, 100);
    CHECK_ERRNO(nanosleep(&wanted, &left), EINTR);
    CHECK(left.tv_sec >= 1 && left.tv_sec < 5);
}

static void waitpid_is_interrupted(void)
{
    handle(SIGUSR1, count, 0);
    signal_later(SIGUSR1, 50);
    pid_t sleeper = fork();
    if (sleeper == 0) {
        sleep_ms(5000);
        _exit(0);
    }
    CHECK_ERRNO(waitpid(sleeper, NULL, 0), EINTR);
    CHECK(kill(sleeper, SIGKILL) == 0);
}

static void sigsuspend_waits_with_another_mask_and_restores_it(void)
{
    sigset_t set = set_of(SIGUSR1), empty, now;
    sigemptyset(&empty);
    handle(SIGUSR1, count, 0);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    raise(SIGUSR1);
    CHECK(seen == 0);
    CHECK_ERRNO(sigsuspend(&empty), EINTR);
    CHECK(seen == 1);
    CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
    signal_later(SIGUSR1, 30);
    CHECK_ERRNO(sigsuspend(&empty), EINTR);
    CHECK(seen == 2);
}

static void pause_returns_after_a_handler(void)
{
    handle(SIGUSR1, count, SA_RESTART);
    signal_later(SIGUSR1, 30);
    CHECK_ERRNO(pause(), EINTR);
    CHECK(seen == 1);
}

static char *alternate;
static volatile sig_atomic_t was_on_alternate;

static void where_am_i(int signal)
{
    char here;
    stack_t now;
    (void)signal;
    CHECK(sigaltstack(NULL, &now) == 0);
    was_on_alternate = &here >= alternate && &here < alternate + 65536 &&
                       (now.ss_flags & SS_ONSTACK);
    seen++;
}

static void handlers_run_on_the_alternate_stack_when_asked(void)
{
    alternate = malloc(65536);
    stack_t stack = { .ss_sp = alternate, .ss_size = 65536 }, old;
    CHECK(sigaltstack(&stack, NULL) == 0);
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == alternate && old.ss_size == 65536);
    handle(SIGUSR1, where_am_i, 0);
    raise(SIGUSR1);
    CHECK(seen == 1 && !was_on_alternate);
    handle(SIGUSR1, where_am_i, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(seen == 2 && was_on_alternate);
    stack.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&stack, NULL) == 0);
    raise(SIGUSR1);
    CHECK(seen == 3 && !was_on_alternate);
}

static sigjmp_buf back;

static void jump_back(int signal)
{
    siglongjmp(back, signal);
}

static void siglongjmp_leaves_a_handler_and_restores_the_mask(void)
{
    handle(SIGUSR1, jump_back, 0);
    for (volatile int i = 0; i < 3; i++) {
        if (sigsetjmp(back, 1) == 0) {
            raise(SIGUSR1);
            CHECK(0);
        }
        sigset_t now;
        CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && !sigismember(&now, SIGUSR1));
    }
}

static void spoil_registers(int signal)
{
    (void)signal;
    volatile double junk[8];
    for (int i = 0; i < 8; i++)
        junk[i] = (double)i * 3.5;
    (void)junk[3];
    seen++;
}

static void handlers_do_not_disturb_registers(void)
{
    struct itimerval every = { { 0, 1000 }, { 0, 1000 } };
    handle(SIGALRM, spoil_registers, SA_RESTART);
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    for (int round = 0; seen < 20; round++) {
        double sum = 0.0, a = 1.0, b = 2.0, c = 3.0;
        unsigned long x = 1, y = 2, z = 3;
        for (int i = 0; i < 20000; i++) {
            sum += a * b - c + 2.0;
            x = x * 3 + y, y = y * 5 + z, z = z * 7 + x;
        }
        static unsigned long first;
        if (round == 0)
            first = x ^ y ^ z;
        CHECK(sum == 20000.0 && (x ^ y ^ z) == first);
    }
}

static int default_action;

static void die_of_it(void)
{
    CHECK(default_action == SIGKILL || signal(default_action, SIG_DFL) != SIG_ERR);
    raise(default_action);
}

static void the_default_actions_are_posix(void)
{
    static const int deadly[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                  SIGFPE,  SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM,
                                  SIGTERM, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGSYS };
    static const int harmless[] = { SIGCHLD, SIGCONT, SIGURG, SIGWINCH };
    for (size_t i = 0; i < COUNT(deadly); i++) {
        default_action = deadly[i];
        CHECK(killed_by(status_of(die_of_it), deadly[i]));
    }
    for (size_t i = 0; i < COUNT(harmless); i++) {
        default_action = harmless[i];
        CHECK(status_of(die_of_it) == 0);
    }
}

static void a_signal_to_a_group_reaches_each_process_of_it(void)
{
    pid_t leader = 0;
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            setpgid(0, leader);
            for (;;)
                pause();
        }
        if (i == 0)
            leader = pid;
        CHECK(setpgid(pid, leader) == 0);
    }
    CHECK(kill(-leader, SIGTERM) == 0);
    for (int i = 0; i < 3; i++) {
        int status;
        CHECK(wait(&status) > 0 && killed_by(status, SIGTERM));
    }
    CHECK_ERRNO(kill(-leader, 0), ESRCH);
}

static const struct test tests[] = {
    TEST(a_handler_runs_before_kill_to_oneself_returns),
    TEST(sigaction_returns_the_old_action),
    TEST(kill_and_stop_cannot_be_caught_and_numbers_are_checked),
    TEST(siginfo_says_who_sent_it),
    TEST(a_queued_signal_carries_its_value),
    TEST(a_dead_child_sends_sigchld_with_its_code),
    TEST(ignoring_sigchld_leaves_no_zombies),
    TEST(a_blocked_signal_stays_pending_once),
    TEST(a_signal_is_blocked_in_its_handler_unless_nodefer),
    TEST(the_action_s_mask_holds_during_the_handler),
    TEST(resethand_works_once),
    TEST(read_fails_with_eintr_or_restarts),
    TEST(an_ignored_signal_interrupts_nothing),
    TEST(nanosleep_tells_what_is_left),
    TEST(waitpid_is_interrupted),
    TEST(sigsuspend_waits_with_another_mask_and_restores_it),
    TEST(pause_returns_after_a_handler),
    TEST(handlers_run_on_the_alternate_stack_when_asked),
    TEST(siglongjmp_leaves_a_handler_and_restores_the_mask),
    TEST(handlers_do_not_disturb_registers),
    TEST(the_default_actions_are_posix),
    TEST(a_signal_to_a_group_reaches_each_process_of_it),
};

RUN(tests)
