/*
 * Resource managers in C, from tests/qnx/resmgr: each is started, used as any client uses a device,
 * and ended.
 */
#include "qnx.h"
#include "resmgr/gauge.h"
#include <dirent.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>

static pid_t server;

static void end_server(void)
{
    if (server > 0) {
        kill(server, SIGKILL);
        waitpid(server, NULL, 0);
    }
}

/* Starts a server and waits for its path. */
static void start(const char *name, const char *path, const char *argument)
{
    char program[64];
    snprintf(program, sizeof program, "/opt/guest/rm-%s", name);
    server = fork();
    CHECK(server >= 0);
    if (server == 0) {
        alarm(TIME_LIMIT_S);
        execl(program, name, argument, NULL);
        _exit(127);
    }
    for (int i = 0; i < 1000 && access(path, F_OK) == -1; i++)
        sleep_ms(5);
    CHECK(access(path, F_OK) == 0);
}

static void tells(const char *path, const char *expected)
{
    char text[256];
    read_file(path, text, sizeof text);
    if (strcmp(text, expected) != 0)
        dprintf(2, "%s tells \"%s\", not \"%s\"\n", path, text, expected);
    CHECK(strcmp(text, expected) == 0);
}

static int open_or_die(const char *path, int flags)
{
    int fd = open(path, flags, 0644);
    if (fd < 0)
        dprintf(2, "open(%s)\n", path);
    CHECK(fd >= 0);
    return fd;
}

static void a_server_of_defaults_is_a_null_device(void)
{
    start("sample", "/dev/sample", NULL);
    char byte;
    struct stat status;
    int fd = open_or_die("/dev/sample", O_RDWR);
    CHECK(read(fd, &byte, 1) == 0);
    CHECK(write(fd, "0123456789", 10) == 10);
    CHECK(lseek(fd, 5, SEEK_SET) == 5 && lseek(fd, 2, SEEK_CUR) == 7);
    CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK(fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && (status.st_mode & 0777) == 0666);
    CHECK(fsync(fd) == 0);
    CHECK_ERRNO(ftruncate(fd, 5), EINVAL);
    CHECK_ERRNO(ioctl(fd, 0x5401, &byte), ENOTTY);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == ENODEV);
    CHECK(close(fd) == 0);
    fd = open_or_die("/dev/sample", O_WRONLY);
    CHECK_ERRNO(read(fd, &byte, 1), EBADF);
    close(fd);
    CHECK_ERRNO(open("/dev/sample/below", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("/dev/sample", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERRNO(open("/dev/sample", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    CHECK_ERRNO(unlink("/dev/sample"), ENOSYS);
    end_server();
    CHECK_ERRNO(open("/dev/sample", O_RDONLY), ENOENT);
}

static void mode_owner_and_times_change_as_posix_says(void)
{
    start("sample", "/dev/sample", NULL);
    struct stat status;
    struct timespec times[2] = { { 1000, 5 }, { 2000, 6 } };
    CHECK(chmod("/dev/sample", 0640) == 0 && chown("/dev/sample", 12, 34) == 0);
    CHECK(utimensat(AT_FDCWD, "/dev/sample", times, 0) == 0);
    CHECK(stat("/dev/sample", &status) == 0);
    CHECK((status.st_mode & 07777) == 0640 && status.st_uid == 12 && status.st_gid == 34);
    CHECK(status.st_atim.tv_sec == 1000 && status.st_mtim.tv_nsec == 6);
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_nsec = UTIME_NOW;
    CHECK(utimensat(AT_FDCWD, "/dev/sample", times, 0) == 0 && stat("/dev/sample", &status) == 0);
    CHECK(status.st_atim.tv_sec == 1000 && status.st_mtim.tv_sec > 2000);
    end_server();
}

static void as_somebody(void)
{
    CHECK(setgid(34) == 0 && setuid(99) == 0);
    CHECK(open("/dev/sample", O_RDONLY) >= 0);
    CHECK_ERRNO(open("/dev/sample", O_RDWR), EACCES);
    CHECK(access("/dev/sample", R_OK) == 0);
    CHECK_ERRNO(access("/dev/sample", W_OK), EACCES);
    CHECK_ERRNO(chmod("/dev/sample", 0777), EPERM);
    CHECK_ERRNO(chown("/dev/sample", 99, -1), EPERM);
    CHECK_ERRNO(utimensat(AT_FDCWD, "/dev/sample", NULL, 0), EACCES);
}

static void permissions_keep_others_out(void)
{
    start("sample", "/dev/sample", NULL);
    CHECK(chmod("/dev/sample", 0640) == 0 && chown("/dev/sample", 12, 34) == 0);
    check_in_child(as_somebody);
    end_server();
}

static void a_directory_of_its_own_has_one_file(void)
{
    start("time", "/dev/time", NULL);
    char text[64];
    DIR *stream = opendir("/dev/time");
    CHECK(stream != NULL);
    struct dirent *entry = readdir(stream);
    CHECK(entry != NULL && strcmp(entry->d_name, "now") == 0 && entry->d_namelen == 3);
    CHECK(entry->d_ino == 2 && readdir(stream) == NULL);
    CHECK(closedir(stream) == 0);
    CHECK(read_file("/dev/time/now", text, sizeof text) == 20 && text[4] == '-');
    CHECK_ERRNO(open("/dev/time/then", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/dev/time/now", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    CHECK(chdir("/dev/time") == 0 && read_file("now", text, sizeof text) == 20);
    CHECK(read_file("../time/./now", text, sizeof text) == 20);
    CHECK(getcwd(text, sizeof text) != NULL && strcmp(text, "/dev/time") == 0);
    end_server();
}

static void a_file_keeps_what_is_written(void)
{
    start("buffer", "/dev/buffer", NULL);
    static char block[40000], back[sizeof block];
    struct stat status;
    int fd = open_or_die("/dev/buffer", O_RDWR);
    CHECK(write(fd, "hello", 5) == 5 && lseek(fd, 0, SEEK_SET) == 0);
    CHECK(read(fd, back, 3) == 3 && memcmp(back, "hel", 3) == 0);
    CHECK(pwrite(fd, "J", 1, 0) == 1 && pread(fd, back, 5, 0) == 5 && memcmp(back, "Jello", 5) == 0);
    CHECK(read(fd, back, 10) == 2 && read(fd, back, 10) == 0);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = i * 7;
    CHECK(pwrite(fd, block, sizeof block, 3) == sizeof block);
    CHECK(pread(fd, back, sizeof back, 3) == sizeof back && memcmp(block, back, sizeof block) == 0);
    CHECK(fstat(fd, &status) == 0 && status.st_size == sizeof block + 3);
    CHECK(ftruncate(fd, 4) == 0 && truncate("/dev/buffer", 2) == 0 && lseek(fd, 0, SEEK_END) == 2);
    CHECK(posix_fallocate(fd, 0, 100) == 0 && fstat(fd, &status) == 0 && status.st_size == 100);
    CHECK(close(fd) == 0);
    fd = open_or_die("/dev/buffer", O_WRONLY | O_TRUNC);
    CHECK(fstat(fd, &status) == 0 && status.st_size == 0 && close(fd) == 0);
    for (int i = 0; i < 2; i++) {
        fd = open_or_die("/dev/buffer", O_WRONLY | O_APPEND);
        CHECK(write(fd, "ab", 2) == 2 && close(fd) == 0);
    }
    tells("/dev/buffer", "abab");
    end_server();
}

static void flags_of_an_open_file_change(void)
{
    start("buffer", "/dev/buffer", NULL);
    int fd = open_or_die("/dev/buffer", O_RDWR);
    CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
    CHECK(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
    CHECK((fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK)) == (O_APPEND | O_NONBLOCK));
    CHECK(write(fd, "ab", 2) == 2 && lseek(fd, 0, SEEK_SET) == 0 && write(fd, "cd", 2) == 2);
    int flags = 0;
    CHECK(devctl(fd, DCMD_ALL_GETFLAGS, &flags, sizeof flags, NULL) == EOK && flags & O_APPEND);
    tells("/dev/buffer", "abcd");
    end_server();
}

static int other_end[2];

static void hold_lock(void)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5 };
    int fd = open_or_die("/dev/buffer", O_RDWR);
    CHECK(fcntl(fd, F_SETLK, &lock) == 0);
    CHECK(write(other_end[1], "x", 1) == 1);
    sleep_ms(200);
}

static void locks_keep_others_waiting(void)
{
    start("buffer", "/dev/buffer", NULL);
    char byte;
    CHECK(pipe(other_end) == 0);
    pid_t holder = fork();
    if (holder == 0) {
        hold_lock();
        _exit(0);
    }
    CHECK(read(other_end[0], &byte, 1) == 1);
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 14, .l_len = 1 };
    int fd = open_or_die("/dev/buffer", O_RDWR);
    CHECK_ERRNO(fcntl(fd, F_SETLK, &lock), EAGAIN);
    CHECK(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_WRLCK && lock.l_pid == holder);
    CHECK(lock.l_start == 10 && lock.l_len == 5);
    lock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 14, .l_len = 1 };
    CHECK(fcntl(fd, F_SETLKW, &lock) == 0);
    CHECK(waitpid(holder, NULL, 0) == holder);
    int second = open_or_die("/dev/buffer", O_RDWR);
    CHECK(flock(fd, LOCK_EX) == 0);
    CHECK_ERRNO(flock(second, LOCK_SH | LOCK_NB), EAGAIN);
    CHECK(close(fd) == 0 && flock(second, LOCK_SH | LOCK_NB) == 0);
    end_server();
}

static void messages_of_its_own_come_by_a_name(void)
{
    start("message", "/dev/sums", NULL);
    struct { uint16_t type, subtype; int32_t a, b; } message = { _IO_MAX + 1, 0, 40, 2 };
    int32_t sum = 0;
    int coid = name_open("sums", 0);
    CHECK(coid != -1 && MsgSend(coid, &message, sizeof message, &sum, sizeof sum) == 0 && sum == 42);
    CHECK_ERRNO(MsgSend(coid, &message, 4, &sum, sizeof sum), EBADMSG);
    message.type = _IO_MAX + 9;
    CHECK_ERRNO(MsgSend(coid, &message, sizeof message, &sum, sizeof sum), ENOSYS);
    CHECK(name_close(coid) == 0);
    tells("/dev/sums", "1\n");
    end_server();
}

static void pulses_of_a_timer_are_counted(void)
{
    start("ticks", "/dev/ticks", NULL);
    char text[32];
    sleep_ms(300);
    read_file("/dev/ticks", text, sizeof text);
    CHECK(atoi(text) > 5 && atoi(text) < 200);
    end_server();
}

static void *read_pool(void *place)
{
    read_file("/dev/pool", place, 32);
    return NULL;
}

static void a_pool_serves_several_clients_at_once(void)
{
    start("pool", "/dev/pool", NULL);
    char texts[4][32];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = thread(read_pool, texts[i]);
    int busiest = 0;
    for (int i = 0; i < 4; i++) {
        join(threads[i]);
        if (atoi(texts[i]) > busiest)
            busiest = atoi(texts[i]);
    }
    CHECK(busiest >= 3);
    end_server();
}

static void a_path_operation_is_one_combined_message(void)
{
    start("combine", "/dev/counts", NULL);
    char before[64], after[64];
    int opens, combined, closed, count, opens2, combined2, closed2, count2;
    struct stat status;
    read_file("/dev/counts", before, sizeof before);
    CHECK(stat("/dev/counts", &status) == 0 && chmod("/dev/counts", 0600) == 0);
    CHECK(status.st_nlink == 1);
    read_file("/dev/counts", after, sizeof after);
    CHECK(sscanf(before, "%d %d %d %d", &opens, &combined, &closed, &count) == 4);
    CHECK(sscanf(after, "%d %d %d %d", &opens2, &combined2, &closed2, &count2) == 4);
    CHECK(opens2 == opens + 1 && combined2 == combined + 2 && closed2 == closed + 3);
    CHECK(count == 1 && count2 == 1);
    end_server();
}

static void open_and_die(void)
{
    for (int i = 0; i < 5; i++)
        open_or_die("/dev/counts", O_RDONLY);
    int fd = open_or_die("/dev/counts", O_RDWR);
    CHECK(dup(fd) >= 0 && fork() >= 0);
    raise(SIGKILL);
}

static void the_death_of_a_client_closes_what_it_had(void)
{
    start("combine", "/dev/counts", NULL);
    char text[64];
    int counts[4] = { 0 };
    CHECK(killed_by(status_of(open_and_die), SIGKILL));
    for (int i = 0; i < 200 && counts[3] != 1; i++) {
        sleep_ms(5);
        read_file("/dev/counts", text, sizeof text);
        CHECK(sscanf(text, "%d %d %d %d", counts, counts + 1, counts + 2, counts + 3) == 4);
    }
    CHECK(counts[3] == 1 && counts[2] + 1 == counts[0] + counts[1]);
    end_server();
}

static void twenty_six_devices_are_in_a_directory(void)
{
    start("atoz", "/dev/atoz", NULL);
    char text[8];
    int count = 0;
    DIR *stream = opendir("/dev/atoz");
    CHECK(stream != NULL);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL; count++)
        CHECK(entry->d_name[0] == 'a' + count && entry->d_ino == (ino_t)count + 2);
    CHECK(count == 26 && closedir(stream) == 0);
    CHECK(read_file("/dev/atoz/q", text, sizeof text) == 1 && text[0] == 'q');
    CHECK_ERRNO(open("/dev/atoz/A", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/dev/atoz", O_WRONLY), EISDIR);
    end_server();
}

static void commands_carry_data_in_each_direction(void)
{
    start("gauge", "/dev/gauge", NULL);
    int fd = open_or_die("/dev/gauge", O_RDWR), value = 17, info = -1;
    CHECK(devctl(fd, GAUGE_SET, &value, sizeof value, &info) == EOK && info == 0);
    value = 0;
    CHECK(devctl(fd, GAUGE_GET, &value, sizeof value, &info) == EOK && value == 17 && info == 17);
    value = 5;
    CHECK(devctl(fd, GAUGE_SWAP, &value, sizeof value, NULL) == EOK && value == 17);
    CHECK(ioctl(fd, GAUGE_GET, &value) == 5 && value == 5);
    CHECK(devctl(fd, GAUGE_RESET, NULL, 0, NULL) == EOK);
    CHECK(ioctl(fd, GAUGE_GET, &value) == 0 && value == 0);
    errno = 0;
    CHECK(devctl(fd, __DION(_DCMD_MISC, 9), NULL, 0, NULL) == ENOTTY && errno == 0);
    CHECK(devctl(999, GAUGE_GET, &value, sizeof value, NULL) == EBADF);
    end_server();
}

static void *write_later(void *text)
{
    sleep_ms(50);
    int fd = open_or_die("/dev/queue", O_WRONLY);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
    return NULL;
}

static void readers_wait_for_a_writer(void)
{
    start("queue", "/dev/queue", NULL);
    char text[16];
    int fd = open_or_die("/dev/queue", O_RDWR);
    pthread_t writer = thread(write_later, "late");
    CHECK(read(fd, text, sizeof text) == 4 && memcmp(text, "late", 4) == 0);
    join(writer);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(read(fd, text, sizeof text), EAGAIN);
    end_server();
}

static void nothing(int signal_number)
{
    (void)signal_number;
}

static void a_signal_gets_a_reader_out(void)
{
    start("queue", "/dev/queue", NULL);
    char text[16];
    struct sigaction action = { .sa_handler = nothing };
    struct itimerval timer = { { 0, 0 }, { 0, 50000 } };
    int fd = open_or_die("/dev/queue", O_RDWR);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &timer, NULL) == 0);
    CHECK_ERRNO(read(fd, text, sizeof text), EINTR);
    pid_t reader = fork();
    if (reader == 0)
        _exit(read(fd, text, sizeof text) != 1);
    sleep_ms(50);
    int status;
    CHECK(kill(reader, SIGKILL) == 0 && waitpid(reader, &status, 0) == reader);
    CHECK(killed_by(status, SIGKILL));
    CHECK(write(fd, "ab", 2) == 2);
    CHECK(read(fd, text, sizeof text) == 2);
    end_server();
}

static void poll_and_select_see_what_can_be_read(void)
{
    start("queue", "/dev/queue", NULL);
    char text[300];
    int fd = open_or_die("/dev/queue", O_RDWR | O_NONBLOCK);
    struct pollfd entry = { fd, POLLIN | POLLOUT, 0 };
    CHECK(poll(&entry, 1, 0) == 1 && entry.revents == POLLOUT);
    CHECK(write(fd, "abc", 3) == 3 && poll(&entry, 1, 0) == 1 && entry.revents == (POLLIN | POLLOUT));
    memset(text, 'x', sizeof text);
    CHECK(write(fd, text, sizeof text) == 253 && poll(&entry, 1, 0) == 1 && entry.revents == POLLIN);
    CHECK(read(fd, text, sizeof text) == 256 && poll(&entry, 1, 0) == 1 && entry.revents == POLLOUT);
    fd_set set;
    struct timeval limit = { 5, 0 };
    pthread_t writer = thread(write_later, "z");
    FD_ZERO(&set);
    FD_SET(fd, &set);
    CHECK(select(fd + 1, &set, NULL, NULL, &limit) == 1 && FD_ISSET(fd, &set));
    join(writer);
    CHECK(read(fd, text, 1) == 1 && text[0] == 'z');
    end_server();
}

static void ionotify_tells_by_a_pulse(void)
{
    start("queue", "/dev/queue", NULL);
    struct sigevent event;
    struct _pulse pulse;
    int fd = open_or_die("/dev/queue", O_RDWR), channel = ChannelCreate(0);
    SIGEV_PULSE_INIT(&event, connect_self(channel), 10, 4, 321);
    CHECK(ionotify(fd, _NOTIFY_ACTION_POLLARM, _NOTIFY_COND_OUTPUT, &event) == _NOTIFY_COND_OUTPUT);
    CHECK(ionotify(fd, _NOTIFY_ACTION_POLLARM, _NOTIFY_COND_INPUT, &event) == 0);
    CHECK(write(fd, "x", 1) == 1);
    limit(_NTO_TIMEOUT_RECEIVE, 5000);
    CHECK(MsgReceivePulse(channel, &pulse, sizeof pulse, NULL) == 0);
    CHECK(pulse.code == 4 && pulse.value.sival_int == 321);
    CHECK(ionotify(fd, _NOTIFY_ACTION_POLL, _NOTIFY_COND_INPUT, NULL) == _NOTIFY_COND_INPUT);
    CHECK_ERRNO(ionotify(999, _NOTIFY_ACTION_POLL, _NOTIFY_COND_INPUT, NULL), EBADF);
    end_server();
}

static void an_object_of_the_server_can_be_mapped(void)
{
    start("picture", "/dev/picture", NULL);
    int fd = open_or_die("/dev/picture", O_RDWR);
    char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *own = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(shared != MAP_FAILED && strcmp(shared, "a picture") == 0);
    CHECK(own != MAP_FAILED && strcmp(own, "a picture") == 0);
    own[0] = '-';
    shared[0] = 'A';
    tells("/dev/picture", "A picture");
    int reader = open_or_die("/dev/picture", O_RDONLY);
    void *refused = mmap(NULL, 8192, PROT_WRITE, MAP_SHARED, reader, 0);
    CHECK(refused == MAP_FAILED && errno == EACCES);
    end_server();
}

static void private_messages_come_on_a_descriptor(void)
{
    start("private", "/dev/private", NULL);
    io_msg_t message = { .i = { _IO_MSG, sizeof message, _IOMGR_PRIVATE_BASE, 21 } };
    uint32_t reply = 0;
    int fd = open_or_die("/dev/private", O_RDWR);
    CHECK(MsgSend(fd, &message, sizeof message, &reply, sizeof reply) == 7 && reply == 42);
    message.i.mgrid = 3;
    CHECK_ERRNO(MsgSend(fd, &message, sizeof message, &reply, sizeof reply), ENOSYS);
    message.i.type = 0x777;
    CHECK(MsgSend(fd, &message, sizeof message, &reply, sizeof reply) == 0x777);
    end_server();
}

static void a_name_can_go_while_it_is_open(void)
{
    start("leaving", "/dev/staying", NULL);
    char byte;
    tells("/dev/leaving", "/dev/leaving\n");
    tells("/dev/staying", "/dev/staying\n");
    int fd = open_or_die("/dev/leaving", O_RDONLY), control = open_or_die("/dev/staying", O_WRONLY);
    CHECK(write(control, "all", 3) == 3);
    CHECK_ERRNO(open("/dev/leaving", O_RDONLY), ENOENT);
    CHECK_ERRNO(read(fd, &byte, 1), EBADF);
    CHECK_ERRNO(write(control, "all", 3), EINVAL);
    tells("/dev/staying", "/dev/staying\n");
    end_server();
    start("leaving", "/dev/staying", NULL);
    fd = open_or_die("/dev/leaving", O_RDONLY);
    control = open_or_die("/dev/staying", O_WRONLY);
    CHECK(write(control, "name", 4) == 4);
    CHECK_ERRNO(open("/dev/leaving", O_RDONLY), ENOENT);
    CHECK(read(fd, &byte, 1) == 1);
    end_server();
}

static void a_descriptor_is_watched_in_the_loop(void)
{
    enter_scratch();
    CHECK(mkfifo("watched", 0600) == 0);
    int fd = open_or_die("watched", O_RDWR);
    start("watcher", "/dev/watcher", "watched");
    for (int i = 0; i < 3; i++) {
        char sent[8], text[8] = "";
        snprintf(sent, sizeof sent, "<%d>", i);
        CHECK(write(fd, sent, 3) == 3);
        for (int turn = 0; turn < 200 && strcmp(text, sent) != 0; turn++) {
            sleep_ms(5);
            read_file("/dev/watcher", text, sizeof text);
        }
        CHECK(strcmp(text, sent) == 0);
    }
    end_server();
}

static void a_server_sends_clients_elsewhere(void)
{
    start("alias", "/dev/alias", NULL);
    char text[64];
    struct stat status;
    enter_scratch();
    write_file("found", "elsewhere\n");
    snprintf(text, sizeof text, "/dev/alias/up/guest-test-%d/found", getpid());
    tells(text, "elsewhere\n");
    tells("/dev/alias/next", "the file\n");
    CHECK(lstat("/dev/alias/up", &status) == 0 && S_ISLNK(status.st_mode));
    CHECK(stat("/dev/alias/up", &status) == 0 && S_ISDIR(status.st_mode));
    CHECK(readlink("/dev/alias/up", text, sizeof text) == 4 && memcmp(text, "/tmp", 4) == 0);
    CHECK_ERRNO(readlink("/dev/alias/file", text, sizeof text), EINVAL);
    CHECK_ERRNO(open("/dev/alias/none", O_RDONLY), ENOENT);
    end_server();
}

static void replies_may_come_later(void)
{
    start("delayed", "/dev/delayed", NULL);
    int fd = open_or_die("/dev/delayed", O_RDWR), value = 0, info = 0;
    CHECK(devctl(fd, GAUGE_GET, &value, sizeof value, &info) == EOK && value == 42 && info == 3);
    CHECK(close(fd) == 0);
    end_server();
}

static void take_exclusively(void)
{
    open_or_die("/dev/exclusive", O_RDWR);
    raise(SIGKILL);
}

static void an_open_that_fails_late_leaves_nothing(void)
{
    start("exclusive", "/dev/exclusive", NULL);
    for (int turn = 0; turn < 3; turn++) {
        int fd = -1;
        for (int i = 0; i < 200 && fd == -1; i++, sleep_ms(5))
            fd = open("/dev/exclusive", O_RDWR);
        CHECK(fd >= 0);
        for (int i = 0; i < 5; i++)
            CHECK_ERRNO(open("/dev/exclusive", O_RDWR), EBUSY);
        CHECK(dup(fd) == fd + 1 && close(fd + 1) == 0 && close(fd) == 0);
        CHECK(killed_by(status_of(take_exclusively), SIGKILL));
    }
    end_server();
}

static void a_loop_may_have_a_time_limit(void)
{
    start("idle", "/dev/idle", NULL);
    char text[32];
    sleep_ms(200);
    read_file("/dev/idle", text, sizeof text);
    CHECK(atoi(text) >= 2 && atoi(text) < 100);
    end_server();
}

static void an_event_of_the_client_is_delivered(void)
{
    start("greeter", "/dev/name/local/greeter", NULL);
    char text[32];
    FILE *caller = popen("/opt/guest/rm-caller", "r");
    CHECK(caller != NULL && fgets(text, sizeof text, caller) != NULL && pclose(caller) == 0);
    CHECK(strcmp(text, "hello 99\n") == 0);
    end_server();
}

static void a_daemon_knows_its_clients(void)
{
    start("hidden", "/dev/hidden", NULL);
    char expected[32];
    struct stat status;
    snprintf(expected, sizeof expected, "%d 0 0\n", getpid());
    tells("/dev/hidden", expected);
    CHECK(stat("/dev/hidden", &status) == 0 && status.st_dev == 77 && status.st_ino > 0);
    end_server();
}

static void names_are_made_moved_and_removed(void)
{
    start("ramdir", "/dev/ramdir", NULL);
    struct stat status, other;
    char text[64];
    CHECK(chdir("/dev/ramdir") == 0);
    CHECK(mkdir("a", 0755) == 0 && mkdir("a/b", 0700) == 0);
    CHECK_ERRNO(mkdir("a", 0755), EEXIST);
    write_file("a/b/file", "contents\n");
    tells("a/b/file", "contents\n");
    CHECK_ERRNO(open("a/none/file", O_RDWR | O_CREAT, 0600), ENOENT);
    CHECK(rename("a/b", "c") == 0);
    tells("/dev/ramdir/c/file", "contents\n");
    CHECK(link("c/file", "again") == 0 && stat("again", &status) == 0 && status.st_nlink == 2);
    CHECK(stat("c/file", &other) == 0 && other.st_ino == status.st_ino);
    CHECK(symlink("c/file", "short") == 0 && symlink("/dev/ramdir/again", "long") == 0);
    tells("short", "contents\n");
    tells("long", "contents\n");
    CHECK(readlink("short", text, sizeof text) == 6 && memcmp(text, "c/file", 6) == 0);
    CHECK_ERRNO(rmdir("c"), ENOTEMPTY);
    CHECK_ERRNO(unlink("a"), EISDIR);
    CHECK_ERRNO(rmdir("again"), ENOTDIR);
    CHECK(unlink("c/file") == 0 && stat("again", &status) == 0 && status.st_nlink == 1);
    CHECK(rmdir("c") == 0);
    CHECK_ERRNO(chdir("c"), ENOENT);
    int fd = open_or_die("a", O_RDONLY | O_DIRECTORY);
    CHECK(mkdirat(fd, "below", 0755) == 0 && access("a/below", F_OK) == 0);
    int seen = 0;
    DIR *stream = opendir(".");
    for (struct dirent *entry; (entry = readdir(stream)) != NULL; seen++)
        CHECK(strchr("aasl", entry->d_name[0]) != NULL);
    CHECK(seen == 4 && closedir(stream) == 0);
    end_server();
}

static void any_bytes_are_answered_with_an_error(void)
{
    start("queue", "/dev/queue", NULL);
    uint8_t message[96], reply[96];
    uint64_t dice = 88172645463325252;
    int fd = open_or_die("/dev/queue", O_RDWR | O_NONBLOCK);
    for (int round = 0; round < 4000; round++) {
        for (size_t i = 0; i < sizeof message; i++) {
            dice ^= dice << 13, dice ^= dice >> 7, dice ^= dice << 17;
            message[i] = round % 3 == 0 ? dice : round % 3 == 1 ? (dice & 3) : 0xff * (dice & 1);
        }
        uint16_t type = _IO_BASE + dice % 0x30, length = dice / 64 % sizeof message;
        if (type == _IO_READ && length < 24)
            continue;
        memcpy(message, &type, sizeof type);
        errno = 0;
        limit(_NTO_TIMEOUT_REPLY | _NTO_TIMEOUT_SEND, 10000);
        long result = MsgSend(fd, message, length, reply, sizeof reply);
        CHECK(result >= 0 || (errno != ETIMEDOUT && errno != ESRCH));
    }
    CHECK(close(fd) == 0 && waitpid(server, NULL, WNOHANG) == 0);
    fd = open_or_die("/dev/queue", O_RDWR | O_NONBLOCK);
    while (read(fd, reply, sizeof reply) > 0)
        continue;
    CHECK(errno == EAGAIN && write(fd, "fine", 4) == 4 && read(fd, reply, sizeof reply) == 4);
    end_server();
}

static const struct test tests[] = {
    TEST(a_server_of_defaults_is_a_null_device),
    TEST(mode_owner_and_times_change_as_posix_says),
    TEST(permissions_keep_others_out),
    TEST(a_directory_of_its_own_has_one_file),
    TEST(a_file_keeps_what_is_written),
    TEST(flags_of_an_open_file_change),
    TEST(locks_keep_others_waiting),
    TEST(messages_of_its_own_come_by_a_name),
    TEST(pulses_of_a_timer_are_counted),
    TEST(a_pool_serves_several_clients_at_once),
    TEST(a_path_operation_is_one_combined_message),
    TEST(the_death_of_a_client_closes_what_it_had),
    TEST(twenty_six_devices_are_in_a_directory),
    TEST(commands_carry_data_in_each_direction),
    TEST(readers_wait_for_a_writer),
    TEST(a_signal_gets_a_reader_out),
    TEST(poll_and_select_see_what_can_be_read),
    TEST(ionotify_tells_by_a_pulse),
    TEST(an_object_of_the_server_can_be_mapped),
    TEST(private_messages_come_on_a_descriptor),
    TEST(a_name_can_go_while_it_is_open),
    TEST(a_descriptor_is_watched_in_the_loop),
    TEST(a_server_sends_clients_elsewhere),
    TEST(replies_may_come_later),
    TEST(an_open_that_fails_late_leaves_nothing),
    TEST(a_loop_may_have_a_time_limit),
    TEST(an_event_of_the_client_is_delivered),
    TEST(a_daemon_knows_its_clients),
    TEST(names_are_made_moved_and_removed),
    TEST(any_bytes_are_answered_with_an_error),
};

RUN(tests)
