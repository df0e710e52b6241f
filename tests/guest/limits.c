/* Resource limits: what each of them refuses, and how. */
#include "check.h"
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>

static void set_limit(int which, rlim_t soft)
{
    struct rlimit limit;
    CHECK(getrlimit(which, &limit) == 0);
    limit.rlim_cur = soft;
    CHECK(setrlimit(which, &limit) == 0);
}

static void *map_private(size_t size)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void the_address_space_has_a_limit(void)
{
    set_limit(RLIMIT_AS, 64 << 20);
    CHECK_ERRNO(map_private(80 << 20), ENOMEM);
    CHECK_ERRNO(mmap(NULL, 80 << 20, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0), ENOMEM);
    char *some = map_private(8 << 20);
    CHECK(some != MAP_FAILED);
    CHECK_ERRNO(mremap(some, 8 << 20, 80 << 20, MREMAP_MAYMOVE), ENOMEM);
    /* In the place of another mapping nothing is added. */
    CHECK(mmap(some, 8 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == some);
    CHECK(munmap(some, 8 << 20) == 0);
    CHECK(malloc(80 << 20) == NULL && errno == ENOMEM);
}

static void child_maps_too_much(void)
{
    CHECK_ERRNO(map_private(80 << 20), ENOMEM);
}

static void the_address_space_limit_is_inherited(void)
{
    set_limit(RLIMIT_AS, 64 << 20);
    check_in_child(child_maps_too_much);
}

static void the_heap_and_private_memory_have_a_limit(void)
{
    set_limit(RLIMIT_DATA, 16 << 20);
    CHECK_ERRNO(map_private(20 << 20), ENOMEM);
    CHECK(malloc(20 << 20) == NULL && errno == ENOMEM);
    CHECK(map_private(1 << 20) != MAP_FAILED);
    /* What is shared, or cannot be written, does not count. */
    CHECK(mmap(NULL, 20 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) !=
          MAP_FAILED);
    CHECK(mmap(NULL, 20 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

static void descriptors_have_a_limit(void)
{
    set_limit(RLIMIT_NOFILE, 10);
    int fd, last = -1;
    while ((fd = dup(0)) >= 0)
        last = fd;
    CHECK(errno == EMFILE && last == 9);
    CHECK_ERRNO(open("/dev/null", O_RDONLY), EMFILE);
    int ends[2];
    CHECK_ERRNO(pipe(ends), EMFILE);
    CHECK_ERRNO(fcntl(0, F_DUPFD, 10), EINVAL);
    CHECK_ERRNO(dup2(0, 10), EBADF);
    CHECK(close(9) == 0);
    CHECK(open("/dev/null", O_RDONLY) == 9);
    struct pollfd many[20] = { 0 };
    CHECK_ERRNO(poll(many, 20, 0), EINVAL);
}

static volatile sig_atomic_t xfsz_seen;

static void note_xfsz(int signal)
{
    xfsz_seen += signal == SIGXFSZ;
}

static void files_end_at_their_limit(void)
{
    static char data[6000];
    enter_scratch();
    CHECK(signal(SIGXFSZ, note_xfsz) != SIG_ERR);
    set_limit(RLIMIT_FSIZE, 10000);
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    CHECK(write(fd, data, sizeof data) == 6000);
    CHECK(write(fd, data, sizeof data) == 4000 && xfsz_seen == 0);
    CHECK_ERRNO(write(fd, data, 1), EFBIG);
    CHECK(xfsz_seen == 1);
    CHECK(pwrite(fd, data, sizeof data, 9999) == 1);
    CHECK_ERRNO(pwrite(fd, data, 1, 10000), EFBIG);
    CHECK(xfsz_seen == 2);
    CHECK_ERRNO(ftruncate(fd, 10001), EFBIG);
    CHECK_ERRNO(truncate("file", 10001), EFBIG);
    CHECK(xfsz_seen == 4 && ftruncate(fd, 9000) == 0);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    CHECK(write(fd, data, 10) == 10);
    CHECK(close(fd) == 0);
    fd = open("file", O_WRONLY | O_APPEND);
    CHECK(write(fd, data, sizeof data) == 1000);
    CHECK_ERRNO(write(fd, data, 1), EFBIG);
    CHECK(xfsz_seen == 5);
    /* Pipes are no files. */
    int ends[2];
    CHECK(pipe(ends) == 0 && write(ends[1], data, 6000) == 6000);
    CHECK(write(ends[1], data, 6000) == 6000);
}

static void write_beyond(void)
{
    char data[2] = { 0 };
    int fd = open("file", O_WRONLY | O_CREAT, 0600);
    signal(SIGXFSZ, SIG_DFL);
    CHECK(write(fd, data, 2) == 1);
    write(fd, data, 1);
}

static void a_file_beyond_its_limit_ends_the_program(void)
{
    enter_scratch();
    set_limit(RLIMIT_FSIZE, 1);
    CHECK(killed_by(status_of(write_beyond), SIGXFSZ));
}

static void limits_survive_an_exec(void)
{
    enter_scratch();
    set_limit(RLIMIT_FSIZE, 4);
    set_limit(RLIMIT_NOFILE, 30);
    signal(SIGXFSZ, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "exec 2>/dev/null; echo abcdef >file; test \"$(ulimit -n)\" = 30", (char *)NULL);
        _exit(9);
    }
    int status;
    struct stat info;
    CHECK(waitpid(pid, &status, 0) == pid && exited_with(status, 0));
    CHECK(stat("file", &info) == 0 && info.st_size == 4);
}

static void only_root_raises_a_hard_limit(void)
{
    struct rlimit limit = { 5, 5 };
    CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
    if (getuid() == 0)
        CHECK(setuid(1) == 0);
    limit.rlim_max = 6;
    CHECK_ERRNO(setrlimit(RLIMIT_CORE, &limit), EPERM);
    limit.rlim_cur = 4, limit.rlim_max = 5;
    CHECK(setrlimit(RLIMIT_CORE, &limit) == 0);
}

static void use_stack(int depth)
{
    volatile char frame[4096];
    frame[0] = (char)depth;
    if (depth > 0)
        use_stack(depth - 1);
    frame[1] = frame[0];
}

static void the_stack_ends_at_its_limit_after_an_exec(void)
{
    set_limit(RLIMIT_STACK, 1 << 20);
    static char *const self[] = { "/proc/self/exe", "-n", "half_a_mebibyte_of_stack", NULL };
    static char *const more[] = { "/proc/self/exe", "-n", "two_mebibytes_of_stack", NULL };
    char *const *programs[] = { self, more };
    for (size_t i = 0; i < COUNT(programs); i++) {
        pid_t pid = fork();
        if (pid == 0) {
            signal(SIGSEGV, SIG_DFL);
            execv(programs[i][0], programs[i]);
            _exit(9);
        }
        int status;
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(i == 0 ? exited_with(status, 0) : killed_by(status, SIGSEGV));
    }
}

static void half_a_mebibyte_of_stack(void)
{
    use_stack(128);
}

/* Only the test above means it to overflow: then its limit is one mebibyte. */
static void two_mebibytes_of_stack(void)
{
    use_stack(512);
}

static const struct test tests[] = {
    TEST(the_address_space_has_a_limit),
    TEST(the_address_space_limit_is_inherited),
    TEST(the_heap_and_private_memory_have_a_limit),
    TEST(descriptors_have_a_limit),
    TEST(files_end_at_their_limit),
    TEST(a_file_beyond_its_limit_ends_the_program),
    TEST(limits_survive_an_exec),
    TEST(only_root_raises_a_hard_limit),
    TEST(the_stack_ends_at_its_limit_after_an_exec),
    TEST(half_a_mebibyte_of_stack),
    TEST(two_mebibytes_of_stack),
};

RUN(tests)
