/* What a program learns of the system and itself: uname, limits, ids, random bytes, devices. */
#include "check.h"
#include <pwd.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <stdint.h>

static void uname_names_the_system(void)
{
    struct utsname name;
    char host[256];
    CHECK(uname(&name) == 0);
    CHECK(name.sysname[0] && name.nodename[0] && name.release[0] && name.version[0]);
    CHECK(strcmp(name.machine, "x86_64") == 0);
    CHECK(gethostname(host, sizeof host) == 0 && strcmp(host, name.nodename) == 0);
}

static void ids_agree(void)
{
    uid_t real, effective, saved;
    CHECK(getpid() > 0 && getppid() > 0 && getpid() != getppid());
    CHECK(getresuid(&real, &effective, &saved) == 0);
    CHECK(real == getuid() && effective == geteuid());
    CHECK(getpgid(0) == getpgrp() && getsid(0) > 0);
}

static void the_program_starts_with_a_proper_environment(void)
{
    extern char **environ;
    CHECK(environ && sysconf(_SC_PAGESIZE) == 4096);
    CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1 && sysconf(_SC_OPEN_MAX) >= 20);
    CHECK(fcntl(0, F_GETFD) != -1 && fcntl(1, F_GETFD) != -1 && fcntl(2, F_GETFD) != -1);
    /* Aligned as the ABI says, or SSE code would fault. */
    double aligned __attribute__((aligned(16))) = 1.0;
    CHECK((uintptr_t)&aligned % 16 == 0);
}

static void limits_can_be_read_and_lowered(void)
{
    static const int which[] = { RLIMIT_NOFILE, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_DATA, RLIMIT_AS };
    struct rlimit limit, again;
    for (size_t i = 0; i < COUNT(which); i++)
        CHECK(getrlimit(which[i], &limit) == 0 && limit.rlim_cur <= limit.rlim_max);
    CHECK(getrlimit(RLIMIT_CORE, &limit) == 0);
    limit.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
    CHECK(getrlimit(RLIMIT_CORE, &again) == 0 && again.rlim_cur == 0);
    CHECK(again.rlim_max == limit.rlim_max);
    limit.rlim_cur = 10, limit.rlim_max = 5;
    CHECK_ERRNO(setrlimit(RLIMIT_CORE, &limit), EINVAL);
    CHECK_ERRNO(getrlimit(100, &limit), EINVAL);
    CHECK(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= 1 << 20);
}

static void inherit_limit(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 33);
}

static void limits_are_inherited(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 33;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    check_in_child(inherit_limit);
}

static void random_bytes_differ(void)
{
    unsigned char one[256], two[256];
    int seen[256] = { 0 }, kinds = 0;
    CHECK(getrandom(one, sizeof one, 0) == sizeof one);
    CHECK(getrandom(two, sizeof two, GRND_NONBLOCK) == sizeof two);
    CHECK(memcmp(one, two, sizeof one) != 0);
    for (size_t i = 0; i < sizeof one; i++)
        kinds += seen[one[i]]++ == 0;
    CHECK(kinds > 100);
    CHECK(getentropy(two, 200) == 0);
    static const char *const devices[] = { "/dev/random", "/dev/urandom" };
    for (size_t i = 0; i < COUNT(devices); i++) {
        int fd = open(devices[i], O_RDONLY);
        CHECK(fd >= 0 && read(fd, one, sizeof one) == sizeof one);
        CHECK(read(fd, two, sizeof two) == sizeof two && memcmp(one, two, sizeof one) != 0);
        close(fd);
    }
}

static void the_simple_devices_do_their_duty(void)
{
    char block[8192];
    struct stat info;
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
    int full = open("/dev/full", O_RDWR);
    CHECK(null >= 0 && zero >= 0 && full >= 0);
    CHECK(write(null, block, sizeof block) == sizeof block && read(null, block, 1) == 0);
    memset(block, 1, sizeof block);
    CHECK(read(zero, block, sizeof block) == sizeof block && write(zero, block, 10) == 10);
    for (size_t i = 0; i < sizeof block; i++)
        CHECK(block[i] == 0);
    block[0] = 1;
    CHECK(read(full, block, 1) == 1 && block[0] == 0);
    CHECK_ERRNO(write(full, block, 1), ENOSPC);
    CHECK(fstat(null, &info) == 0 && S_ISCHR(info.st_mode) && (info.st_mode & 0777) == 0666);
}

static void sysinfo_tells_memory_and_uptime(void)
{
    struct sysinfo info;
    CHECK(sysinfo(&info) == 0);
    CHECK(info.totalram > 0 && info.freeram <= info.totalram && info.mem_unit >= 1);
    CHECK(info.uptime < 1ul << 40 && info.procs >= 1);
}

static void users_are_looked_up_in_the_file(void)
{
    struct passwd *root = getpwnam("root");
    CHECK(root && root->pw_uid == 0 && root->pw_gid == 0);
    root = getpwuid(0);
    CHECK(root && strcmp(root->pw_name, "root") == 0);
    CHECK(!getpwnam("no-such-user"));
}

static void priorities_and_processors_can_be_asked_for(void)
{
    cpu_set_t set;
    errno = 0;
    int nice_now = getpriority(PRIO_PROCESS, 0);
    CHECK(errno == 0 && nice_now >= -20 && nice_now < 20);
    CHECK(setpriority(PRIO_PROCESS, 0, nice_now) == 0);
    CPU_ZERO(&set);
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 1);
    CHECK(sched_yield() == 0);
}

static void an_unknown_call_is_enosys(void)
{
    extern long syscall(long, ...);
    CHECK_ERRNO(syscall(9999L), ENOSYS);
    CHECK_ERRNO(syscall(-1L), ENOSYS);
}

static const struct test tests[] = {
    TEST(uname_names_the_system),
    TEST(ids_agree),
    TEST(the_program_starts_with_a_proper_environment),
    TEST(limits_can_be_read_and_lowered),
    TEST(limits_are_inherited),
    TEST(random_bytes_differ),
    TEST(the_simple_devices_do_their_duty),
    TEST(sysinfo_tells_memory_and_uptime),
    TEST(users_are_looked_up_in_the_file),
    TEST(priorities_and_processors_can_be_asked_for),
    TEST(an_unknown_call_is_enosys),
};

RUN(tests)
