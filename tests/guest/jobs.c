/* Job control: sessions, process groups, the controlling terminal. */
#include "pty.h"

static void wait_stopped(pid_t pid, int signal)
{
    int status;
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == signal);
}

/* A job: its own group, sleeping until killed. */
static pid_t start_job(void (*body)(void))
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        /* Not to be left over spinning if the test fails. */
        alarm(TIME_LIMIT_S);
        setpgid(0, 0);
        body();
        _exit(0);
    }
    /* As shells do: both try, for whoever runs first, and neither minds. */
    setpgid(pid, pid);
    return pid;
}

static void put_in_front(pid_t group)
{
    /* From the background this would stop the caller. */
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    CHECK(tcsetpgrp(slave, group) == 0);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
}

static void wait_forever(void)
{
    for (;;)
        pause();
}

static void spin_forever(void)
{
    for (volatile unsigned long i = 0;; i++) {
    }
}

static void read_terminal(void)
{
    char text[16];
    CHECK(read(slave, text, sizeof text) == 3 && memcmp(text, "go\n", 3) == 0);
}

static void write_terminal(void)
{
    CHECK(write(slave, "out", 3) == 3);
}

static void session(void)
{
    CHECK(setsid() == getpid());
    CHECK(getsid(0) == getpid() && getpgrp() == getpid());
    CHECK_ERRNO(setsid(), EPERM);
    CHECK_ERRNO(setpgid(0, getppid()), EPERM);
    CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    CHECK_ERRNO(tcgetpgrp(slave), ENOTTY);
    CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
    CHECK(tcgetpgrp(slave) == getpid() && tcgetsid(slave) == getpid());
    int tty = open("/dev/tty", O_RDWR);
    CHECK(tty >= 0 && isatty(tty) && tcgetpgrp(tty) == getpid());
    CHECK(write(tty, "dev tty", 7) == 7);
    CHECK_ERRNO(tcsetpgrp(slave, getpgid(getppid())), EPERM);
    /* One terminal is enough for a session. */
    char name[64];
    int other = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(other >= 0 && grantpt(other) == 0 && unlockpt(other) == 0);
    CHECK(ptsname_r(other, name, sizeof name) == 0);
    int line = open(name, O_RDWR);
    CHECK(line >= 0);
    CHECK_ERRNO(ioctl(line, TIOCSCTTY, 0), EPERM);
    CHECK_ERRNO(tcgetpgrp(line), ENOTTY);
    CHECK(tcgetpgrp(slave) == getpid());
}

static void a_new_session_takes_a_terminal(void)
{
    open_pty();
    check_in_child(session);
    expect(master, "dev tty");
}

static void groups(void)
{
    CHECK(setsid() == getpid());
    pid_t one = start_job(wait_forever), two = fork();
    if (two == 0)
        wait_forever();
    CHECK(getpgid(one) == one && getpgid(two) == getpid() && getpgid(0) == getpgrp());
    CHECK(setpgid(two, one) == 0 && getpgid(two) == one && getsid(two) == getpid());
    CHECK_ERRNO(setpgid(two, 0x7ffffff0), EPERM);
    CHECK_ERRNO(getpgid(0x7ffffff0), ESRCH);
    CHECK(kill(-one, SIGKILL) == 0 && wait(NULL) > 0 && wait(NULL) > 0);
}

static void a_process_moves_between_groups_of_its_session(void)
{
    check_in_child(groups);
}

/* A read before the job is in front would stop it, and then keys would have to wait. */
static void read_in_front(void)
{
    while (tcgetpgrp(slave) != getpid())
        sleep_ms(1);
    read_terminal();
}

static void keys(void)
{
    static const struct {
        const char *key;
        int signal;
    } kill_keys[] = { { "\003", SIGINT }, { "\034", SIGQUIT } };
    void (*const bodies[])(void) = { wait_forever, spin_forever, read_in_front };
    int status;

    take_terminal();
    for (size_t key = 0; key < COUNT(kill_keys); key++) {
        for (size_t body = 0; body < COUNT(bodies); body++) {
            pid_t job = start_job(bodies[body]);
            put_in_front(job);
            sleep_ms(30);
            type(kill_keys[key].key);
            CHECK(waitpid(job, &status, 0) == job && killed_by(status, kill_keys[key].signal));
            put_in_front(getpid());
        }
    }
}

static void interrupt_and_quit_keys_reach_the_job_in_front(void)
{
    open_pty();
    without_echo();
    check_in_child(keys);
}

static void stop_and_continue(void)
{
    int status;
    take_terminal();
    pid_t job = start_job(spin_forever);
    put_in_front(job);
    sleep_ms(30);
    type("\032");
    wait_stopped(job, SIGTSTP);
    put_in_front(getpid());
    CHECK(tcgetpgrp(slave) == getpid());
    /* fg */
    put_in_front(job);
    CHECK(kill(-job, SIGCONT) == 0);
    CHECK(waitpid(job, &status, WCONTINUED) == job && WIFCONTINUED(status));
    type("\003");
    CHECK(waitpid(job, &status, 0) == job && killed_by(status, SIGINT));
}

static void the_suspend_key_stops_and_a_shell_continues(void)
{
    open_pty();
    without_echo();
    check_in_child(stop_and_continue);
}

static void background_read(void)
{
    int status;
    take_terminal();
    pid_t job = start_job(read_terminal);
    wait_stopped(job, SIGTTIN);
    put_in_front(job);
    type("go\n");
    CHECK(kill(-job, SIGCONT) == 0);
    CHECK(waitpid(job, &status, 0) == job && status == 0);
}

static void reading_from_the_background_stops(void)
{
    open_pty();
    without_echo();
    check_in_child(background_read);
}

static void ignore_and_read(void)
{
    char byte;
    CHECK(signal(SIGTTIN, SIG_IGN) != SIG_ERR);
    CHECK_ERRNO(read(slave, &byte, 1), EIO);
}

static void background_ignored(void)
{
    int status;
    take_terminal();
    pid_t job = start_job(ignore_and_read);
    CHECK(waitpid(job, &status, WUNTRACED) == job && status == 0);
}

static void reading_from_the_background_with_sigttin_ignored_is_eio(void)
{
    open_pty();
    check_in_child(background_ignored);
}

static void background_write(void)
{
    int status;
    take_terminal();
    pid_t job = start_job(write_terminal);
    CHECK(waitpid(job, &status, WUNTRACED) == job && status == 0);
    struct termios now = settings();
    now.c_lflag |= TOSTOP;
    apply(&now);
    job = start_job(write_terminal);
    wait_stopped(job, SIGTTOU);
    put_in_front(job);
    CHECK(kill(-job, SIGCONT) == 0);
    CHECK(waitpid(job, &status, 0) == job && status == 0);
}

static void writing_from_the_background_stops_only_with_tostop(void)
{
    open_pty();
    check_in_child(background_write);
    expect(master, "outout");
}

static void take_front(void)
{
    tcsetpgrp(slave, getpgrp());
}

static void background_tcsetpgrp(void)
{
    take_terminal();
    pid_t job = start_job(take_front);
    wait_stopped(job, SIGTTOU);
    CHECK(tcgetpgrp(slave) == getpgrp());
    CHECK(kill(job, SIGKILL) == 0 && waitpid(job, NULL, 0) == job);
}

static void taking_the_front_from_the_background_stops(void)
{
    open_pty();
    check_in_child(background_tcsetpgrp);
}

static void a_hangup_signals_the_session_leader(void)
{
    int status;
    open_pty();
    pid_t pid = fork();
    if (pid == 0) {
        take_terminal();
        close(master);
        CHECK(write(slave, "ready", 5) == 5);
        wait_forever();
    }
    expect(master, "ready");
    close(slave);
    close(master);
    CHECK(waitpid(pid, &status, 0) == pid && killed_by(status, SIGHUP));
}

static void a_dying_session_leader_hangs_up_the_front(void)
{
    int alive[2];
    char byte;
    open_pty();
    CHECK(pipe(alive) == 0);
    pid_t leader = fork();
    if (leader == 0) {
        take_terminal();
        pid_t job = start_job(wait_forever);
        put_in_front(job);
        _exit(0);
    }
    close(alive[1]);
    CHECK(waitpid(leader, NULL, 0) == leader);
    /* The job holds the other end of the pipe until SIGHUP ends it. */
    CHECK(read(alive[0], &byte, 1) == 0);
}

static const struct test tests[] = {
    TEST(a_new_session_takes_a_terminal),
    TEST(a_process_moves_between_groups_of_its_session),
    TEST(interrupt_and_quit_keys_reach_the_job_in_front),
    TEST(the_suspend_key_stops_and_a_shell_continues),
    TEST(reading_from_the_background_stops),
    TEST(reading_from_the_background_with_sigttin_ignored_is_eio),
    TEST(writing_from_the_background_stops_only_with_tostop),
    TEST(taking_the_front_from_the_background_stops),
    TEST(a_hangup_signals_the_session_leader),
    TEST(a_dying_session_leader_hangs_up_the_front),
};

RUN(tests)
