/* fork, vfork, exec, wait, posix_spawn, exit codes, and what a new program inherits. */
#include "check.h"
#include <spawn.h>
#include <sys/resource.h>

extern char **environ;

static char self[PATH_MAX];

/* What this program does as the child of one of its tests. */
static int as_child(int argc, char **argv)
{
    const char *what = argv[2];
    if (strcmp(what, "exit") == 0)
        return atoi(argv[3]);
    if (strcmp(what, "arguments") == 0)
        return !(argc == 5 && strcmp(argv[3], "") == 0 && strcmp(argv[4], "two words") == 0 &&
                 getenv("ONE") && strcmp(getenv("ONE"), "1") == 0 && !getenv("PATH"));
    if (strcmp(what, "closed") == 0)
        return fcntl(atoi(argv[3]), F_GETFD) == -1 && errno == EBADF ? 0 : 1;
    if (strcmp(what, "open") == 0)
        return fcntl(atoi(argv[3]), F_GETFD) == -1;
    if (strcmp(what, "count") == 0)
        return argc != atoi(argv[3]);
    if (strcmp(what, "script") == 0)
        return !(argc == 5 && strcmp(argv[3], "./script") == 0 && strcmp(argv[4], "last") == 0);
    if (strcmp(what, "signals") == 0) {
        struct sigaction usr1, usr2;
        sigset_t mask;
        sigaction(SIGUSR1, NULL, &usr1);
        sigaction(SIGUSR2, NULL, &usr2);
        sigprocmask(SIG_SETMASK, NULL, &mask);
        return !(usr1.sa_handler == SIG_DFL && usr2.sa_handler == SIG_IGN &&
                 sigismember(&mask, SIGHUP) && !sigismember(&mask, SIGINT) &&
                 getpid() == atoi(argv[3]));
    }
    return 99;
}

static int run_self(const char *what, const char *argument)
{
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        execl(self, self, "--child", what, argument, (char *)NULL);
        _exit(98);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

static void fork_returns_twice_and_the_child_has_its_own_memory(void)
{
    volatile int value = 1;
    pid_t parent = getpid(), pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        CHECK(getppid() == parent && getpid() != parent);
        value = 2;
        _exit(7);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(exited_with(status, 7));
    CHECK(value == 1);
}

static void an_exit_code_has_eight_bits(void)
{
    CHECK(exited_with(run_self("exit", "0"), 0));
    CHECK(exited_with(run_self("exit", "255"), 255));
    CHECK(exited_with(run_self("exit", "257"), 1));
}

static void wait_without_children_is_echild(void)
{
    int status;
    CHECK_ERRNO(wait(&status), ECHILD);
    CHECK_ERRNO(waitpid(getpid(), &status, 0), ECHILD);
}

static void waitpid_takes_one_child_a_group_or_any(void)
{
    int hold[2], status;
    CHECK(pipe(hold) == 0);
    pid_t grouped = fork();
    if (grouped == 0) {
        char byte;
        close(hold[1]);
        CHECK(read(hold[0], &byte, 1) == 0);
        _exit(3);
    }
    CHECK(setpgid(grouped, grouped) == 0);
    pid_t other = fork();
    if (other == 0)
        _exit(4);
    CHECK(waitpid(-grouped, &status, WNOHANG) == 0);
    CHECK(waitpid(other, &status, 0) == other && exited_with(status, 4));
    CHECK_ERRNO(waitpid(other, &status, 0), ECHILD);
    close(hold[1]);
    CHECK(waitpid(-grouped, &status, 0) == grouped && exited_with(status, 3));
    CHECK_ERRNO(waitpid(-1, &status, WNOHANG), ECHILD);
}

static void wait_reports_stop_and_continue(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    CHECK(kill(pid, SIGSTOP) == 0);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK(kill(pid, SIGCONT) == 0);
    CHECK(waitpid(pid, &status, WCONTINUED) == pid);
    CHECK(WIFCONTINUED(status));
    CHECK(kill(pid, SIGKILL) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && killed_by(status, SIGKILL));
}

static void wait4_reports_resource_usage(void)
{
    int status;
    struct rusage usage;
    memset(&usage, 0xff, sizeof usage);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    CHECK(wait4(pid, &status, 0, &usage) == pid);
    CHECK(usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 60);
}

static void an_orphan_gets_another_parent(void)
{
    int report[2];
    CHECK(pipe(report) == 0);
    pid_t child = fork();
    if (child == 0) {
        pid_t parent = getpid();
        if (fork() == 0) {
            for (int i = 0; i < 1000 && getppid() == parent; i++)
                sleep_ms(5);
            char changed = getppid() != parent;
            CHECK(write(report[1], &changed, 1) == 1);
        }
        _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
    close(report[1]);
    char changed = 0;
    CHECK(read(report[0], &changed, 1) == 1 && changed == 1);
}

static void a_vfork_child_runs_on_the_parents_memory_first(void)
{
    static volatile int value;
    pid_t pid = vfork();
    if (pid == 0) {
        value = 5;
        _exit(6);
    }
    CHECK(pid > 0 && value == 5);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && exited_with(status, 6));
}

static void a_vfork_child_can_exec(void)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execl(self, self, "--child", "exit", "11", (char *)NULL);
        _exit(98);
    }
    int status;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && exited_with(status, 11));
}

static void exec_passes_arguments_and_environment(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = { self, "--child", "arguments", "", "two words", NULL };
        char *envp[] = { "ONE=1", NULL };
        execve(self, argv, envp);
        _exit(98);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && exited_with(status, 0));
}

static void exec_of_proc_self_exe_works(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "again", "--child", "exit", "12", (char *)NULL);
        _exit(98);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && exited_with(status, 12));
}

static void exec_takes_many_arguments_and_refuses_too_many(void)
{
    enum { MANY = 4000 };
    static char *argv[MANY + 1];
    static char number[16];
    for (int i = 0; i < MANY; i++)
        argv[i] = "an argument of thirty characters";
    snprintf(number, sizeof number, "%d", MANY);
    argv[0] = self, argv[1] = "--child", argv[2] = "count", argv[3] = number;
    pid_t pid = fork();
    if (pid == 0) {
        execv(self, argv);
        _exit(98);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && exited_with(status, 0));

    size_t size = 64u << 20;
    char *long_argument = malloc(size);
    CHECK(long_argument);
    memset(long_argument, 'x', size - 1);
    long_argument[size - 1] = '\0';
    CHECK_ERRNO(execl(self, self, "--child", long_argument, (char *)NULL), E2BIG);
}

static void exec_says_what_is_wrong_with_a_file(void)
{
    char *argv[] = { "x", NULL };
    enter_scratch();
    write_file("plain", "not a program\n");
    CHECK_ERRNO(execv("missing", argv), ENOENT);
    CHECK_ERRNO(execv("plain", argv), EACCES);
    CHECK_ERRNO(execv(".", argv), EACCES);
    CHECK_ERRNO(execv("plain/x", argv), ENOTDIR);
    CHECK(chmod("plain", 0755) == 0);
    CHECK_ERRNO(execv("plain", argv), ENOEXEC);
    write_file("script", "#!/no/such/interpreter\n");
    CHECK(chmod("script", 0755) == 0);
    CHECK_ERRNO(execv("script", argv), ENOENT);
    write_file("empty", "");
    CHECK(chmod("empty", 0755) == 0);
    CHECK_ERRNO(execv("empty", argv), ENOEXEC);
}

static void a_script_runs_by_its_first_line(void)
{
    char text[PATH_MAX + 32];
    enter_scratch();
    /* A short path: the first line has a limit. */
    CHECK(symlink(self, "interpreter") == 0);
    CHECK(getcwd(text + 2, PATH_MAX));
    memcpy(text, "#!", 2);
    strcat(text, "/interpreter --script\nthe rest is not read\n");
    write_file("script", text);
    CHECK(chmod("script", 0755) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        execl("./script", "ignored", "last", (char *)NULL);
        _exit(98);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && exited_with(status, 0));
}

static void exec_closes_only_what_is_marked(void)
{
    char number[16];
    int kept = open("/dev/null", O_RDONLY);
    int marked = open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(kept >= 0 && marked >= 0);
    snprintf(number, sizeof number, "%d", kept);
    CHECK(exited_with(run_self("open", number), 0));
    snprintf(number, sizeof number, "%d", marked);
    CHECK(exited_with(run_self("closed", number), 0));
}

static void ignore_signal(int signal)
{
    (void)signal;
}

static void exec_resets_handlers_and_keeps_ignored_and_mask(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        sigset_t mask;
        char number[16];
        sigemptyset(&mask);
        sigaddset(&mask, SIGHUP);
        CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
        CHECK(signal(SIGUSR1, ignore_signal) != SIG_ERR);
        CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR);
        snprintf(number, sizeof number, "%d", (int)getpid());
        execl(self, self, "--child", "signals", number, (char *)NULL);
        _exit(98);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && exited_with(status, 0));
}

static void parent_and_child_share_the_file_offset(void)
{
    enter_scratch();
    write_file("data", "abcdef");
    int fd = open("data", O_RDONLY);
    CHECK(fd >= 0);
    pid_t pid = fork();
    if (pid == 0) {
        char two[2];
        CHECK(read(fd, two, 2) == 2);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    char next;
    CHECK(read(fd, &next, 1) == 1 && next == 'c');
}

static void posix_spawn_runs_a_program_with_file_actions(void)
{
    int ends[2], status;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    char *argv[] = { self, "--child", "closed", NULL, NULL };
    char number[16];
    CHECK(pipe(ends) == 0);
    snprintf(number, sizeof number, "%d", ends[1]);
    argv[3] = number;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_addclose(&actions, ends[1]) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, ends[0], 0) == 0);
    CHECK(posix_spawn(&pid, self, &actions, NULL, argv, environ) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && exited_with(status, 0));
    CHECK(fcntl(ends[1], F_GETFD) != -1);
}

static void posix_spawn_reports_a_missing_program(void)
{
    pid_t pid;
    char *argv[] = { "x", NULL };
    CHECK(posix_spawn(&pid, "/no/such/program", NULL, NULL, argv, environ) == ENOENT);
    CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
}

static void five_hundred_forks_in_a_row(void)
{
    for (int i = 0; i < 500; i++) {
        int status;
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            _exit(i % 100);
        CHECK(waitpid(pid, &status, 0) == pid && exited_with(status, i % 100));
    }
}

static void a_hundred_processes_alive_at_once(void)
{
    enum { ALIVE = 100 };
    int hold[2], ready[2];
    CHECK(pipe(hold) == 0 && pipe(ready) == 0);
    for (int i = 0; i < ALIVE; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0) {
            char byte;
            close(hold[1]);
            CHECK(write(ready[1], "x", 1) == 1);
            CHECK(read(hold[0], &byte, 1) == 0);
            _exit(0);
        }
    }
    char byte;
    for (int i = 0; i < ALIVE; i++)
        CHECK(read(ready[0], &byte, 1) == 1);
    close(hold[1]);
    for (int i = 0; i < ALIVE; i++) {
        int status;
        CHECK(wait(&status) > 0 && status == 0);
    }
}

static const struct test tests[] = {
    TEST(fork_returns_twice_and_the_child_has_its_own_memory),
    TEST(an_exit_code_has_eight_bits),
    TEST(wait_without_children_is_echild),
    TEST(waitpid_takes_one_child_a_group_or_any),
    TEST(wait_reports_stop_and_continue),
    TEST(wait4_reports_resource_usage),
    TEST(an_orphan_gets_another_parent),
    TEST(a_vfork_child_runs_on_the_parents_memory_first),
    TEST(a_vfork_child_can_exec),
    TEST(exec_passes_arguments_and_environment),
    TEST(exec_of_proc_self_exe_works),
    TEST(exec_takes_many_arguments_and_refuses_too_many),
    TEST(exec_says_what_is_wrong_with_a_file),
    TEST(a_script_runs_by_its_first_line),
    TEST(exec_closes_only_what_is_marked),
    TEST(exec_resets_handlers_and_keeps_ignored_and_mask),
    TEST(parent_and_child_share_the_file_offset),
    TEST(posix_spawn_runs_a_program_with_file_actions),
    TEST(posix_spawn_reports_a_missing_program),
    TEST(five_hundred_forks_in_a_row),
    TEST(a_hundred_processes_alive_at_once),
};

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--child") == 0)
        return as_child(argc, argv);
    if (argc == 4 && strcmp(argv[1], "--script") == 0) {
        char *child[] = { argv[0], "--child", "script", argv[2], argv[3], NULL };
        return as_child(5, child);
    }
    if (!realpath(argv[0], self)) {
        perror(argv[0]);
        return 1;
    }
    return run_tests(tests, COUNT(tests), argc, argv);
}
