/* UNIX sockets with names: connections, datagrams with addresses, descriptors and credentials. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>

static struct sockaddr_un address;

static struct sockaddr *named(const char *path)
{
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path, path);
    return (struct sockaddr *)&address;
}

static struct sockaddr *abstract(const char *name)
{
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    strcpy(address.sun_path + 1, name);
    return (struct sockaddr *)&address;
}

static socklen_t abstract_length(const char *name)
{
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int make(int type)
{
    int fd = socket(AF_UNIX, type, 0);
    CHECK(fd >= 0);
    return fd;
}

static int listener(int type, const char *path)
{
    int fd = make(type);
    CHECK(bind(fd, named(path), sizeof address) == 0 && listen(fd, 4) == 0);
    return fd;
}

static int connected(int type, const char *path)
{
    int fd = make(type);
    CHECK(connect(fd, named(path), sizeof address) == 0);
    return fd;
}

static void say(int fd, const char *text)
{
    CHECK(send(fd, text, strlen(text), 0) == (ssize_t)strlen(text));
}

static void hear(int fd, const char *text)
{
    char got[64];
    ssize_t count = recv(fd, got, sizeof got, 0);
    CHECK(count == (ssize_t)strlen(text) && memcmp(got, text, (size_t)count) == 0);
}

static int ready(int fd, short events)
{
    struct pollfd wanted = { fd, events, 0 };
    CHECK(poll(&wanted, 1, 0) >= 0);
    return wanted.revents;
}

static void a_connection_is_made_by_a_path(void)
{
    int types[] = { SOCK_STREAM, SOCK_SEQPACKET };
    enter_scratch();
    for (size_t i = 0; i < COUNT(types); i++) {
        struct stat info;
        unlink("s");
        int server = listener(types[i], "s");
        CHECK(stat("s", &info) == 0 && S_ISSOCK(info.st_mode));
        CHECK(ready(server, POLLIN) == 0);
        int client = connected(types[i], "s");
        CHECK(ready(server, POLLIN) == POLLIN);
        say(client, "early");
        int end = accept(server, NULL, NULL);
        CHECK(end >= 0 && ready(server, POLLIN) == 0);
        CHECK(ready(end, POLLIN | POLLOUT) == (POLLIN | POLLOUT));
        hear(end, "early");
        say(end, "back");
        hear(client, "back");
        close(client);
        char byte;
        CHECK(recv(end, &byte, 1, 0) == 0);
        CHECK_ERRNO(send(end, "x", 1, MSG_NOSIGNAL), EPIPE);
        close(end);
        close(server);
        CHECK_ERRNO(connect(make(types[i]), named("s"), sizeof address), ECONNREFUSED);
    }
}

static void an_abstract_name_is_in_no_file_system(void)
{
    int server = make(SOCK_STREAM), client = make(SOCK_STREAM);
    char name[32];
    snprintf(name, sizeof name, "guest-%d", getpid());
    CHECK_ERRNO(connect(client, abstract(name), abstract_length(name)), ECONNREFUSED);
    CHECK(bind(server, abstract(name), abstract_length(name)) == 0 && listen(server, 1) == 0);
    CHECK_ERRNO(bind(make(SOCK_STREAM), abstract(name), abstract_length(name)), EADDRINUSE);
    CHECK(connect(client, abstract(name), abstract_length(name)) == 0);
    int end = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(end >= 0 && fcntl(end, F_GETFD) == FD_CLOEXEC);
    char byte;
    CHECK_ERRNO(recv(end, &byte, 1, 0), EAGAIN);
    say(client, "abc");
    hear(end, "abc");
}

static void addresses_are_told(void)
{
    struct sockaddr_un got;
    socklen_t room = sizeof got;
    enter_scratch();
    int server = listener(SOCK_STREAM, "server"), client = make(SOCK_STREAM);
    CHECK(getsockname(client, (void *)&got, &room) == 0);
    CHECK(room == sizeof(sa_family_t) && got.sun_family == AF_UNIX);
    room = sizeof got;
    CHECK_ERRNO(getpeername(client, (void *)&got, &room), ENOTCONN);
    CHECK(bind(client, named("client"), sizeof address) == 0);
    CHECK(connect(client, named("server"), sizeof address) == 0);
    room = sizeof got;
    CHECK(getpeername(client, (void *)&got, &room) == 0 && strcmp(got.sun_path, "server") == 0);
    CHECK(room == offsetof(struct sockaddr_un, sun_path) + sizeof "server");
    room = sizeof got;
    int end = accept(server, (void *)&got, &room);
    CHECK(end >= 0 && strcmp(got.sun_path, "client") == 0);
    room = sizeof got;
    CHECK(getsockname(end, (void *)&got, &room) == 0 && strcmp(got.sun_path, "server") == 0);
    int fresh = make(SOCK_DGRAM);
    CHECK(bind(fresh, named(""), sizeof(sa_family_t)) == 0);
    room = sizeof got;
    CHECK(getsockname(fresh, (void *)&got, &room) == 0);
    CHECK(room == sizeof(sa_family_t) + 6 && got.sun_path[0] == 0);
}

static void datagrams_find_their_way(void)
{
    struct sockaddr_un from;
    socklen_t room = sizeof from;
    char text[16];
    enter_scratch();
    int one = make(SOCK_DGRAM), two = make(SOCK_DGRAM), other = make(SOCK_DGRAM);
    CHECK(bind(one, named("one"), sizeof address) == 0);
    CHECK(bind(two, named("two"), sizeof address) == 0);
    CHECK(sendto(one, "ab", 2, 0, named("two"), sizeof address) == 2);
    CHECK(sendto(other, "cde", 3, 0, named("two"), sizeof address) == 3);
    CHECK(recvfrom(two, text, sizeof text, 0, (void *)&from, &room) == 2);
    CHECK(strcmp(from.sun_path, "one") == 0);
    CHECK(sendto(two, "reply", 5, 0, (void *)&from, room) == 5);
    hear(one, "reply");
    room = sizeof from;
    CHECK(recvfrom(two, text, sizeof text, 0, (void *)&from, &room) == 3 && room == 0);
    CHECK_ERRNO(send(one, "x", 1, 0), ENOTCONN);
    CHECK(connect(one, named("two"), sizeof address) == 0);
    say(one, "direct");
    hear(two, "direct");
    /* One that is connected takes its peer's datagrams only. */
    CHECK_ERRNO(sendto(other, "x", 1, 0, named("one"), sizeof address), EPERM);
    struct sockaddr nobody = { .sa_family = AF_UNSPEC };
    CHECK(connect(one, &nobody, sizeof nobody) == 0);
    CHECK_ERRNO(send(one, "x", 1, 0), ENOTCONN);
    CHECK(connect(one, named("two"), sizeof address) == 0);
    close(two);
    CHECK_ERRNO(send(one, "x", 1, 0), ECONNREFUSED);
    CHECK_ERRNO(sendto(other, "x", 1, 0, named("two"), sizeof address), ECONNREFUSED);
    CHECK_ERRNO(sendto(other, "x", 1, 0, named("none"), sizeof address), ENOENT);
}

static void what_cannot_be_done_is_refused(void)
{
    char byte;
    enter_scratch();
    int server = listener(SOCK_STREAM, "s"), fresh = make(SOCK_STREAM);
    CHECK_ERRNO(bind(fresh, named("s"), sizeof address), EADDRINUSE);
    CHECK_ERRNO(listen(fresh, 1), EINVAL);
    CHECK_ERRNO(accept(fresh, NULL, NULL), EINVAL);
    CHECK_ERRNO(recv(fresh, &byte, 1, 0), EINVAL);
    CHECK_ERRNO(send(fresh, "x", 1, 0), ENOTCONN);
    CHECK_ERRNO(bind(server, named("t"), sizeof address), EINVAL);
    CHECK(access("t", F_OK) == -1);
    CHECK_ERRNO(connect(make(SOCK_DGRAM), named("s"), sizeof address), EPROTOTYPE);
    CHECK_ERRNO(connect(fresh, named("none"), sizeof address), ENOENT);
    write_file("file", "x");
    CHECK_ERRNO(connect(fresh, named("file"), sizeof address), ECONNREFUSED);
    CHECK_ERRNO(connect(fresh, (void *)8, sizeof address), EFAULT);
    CHECK_ERRNO(connect(fresh, named("s"), 1), EINVAL);
    CHECK_ERRNO(connect(fresh, named("s"), 200), EINVAL);
    int end = connected(SOCK_STREAM, "s");
    CHECK_ERRNO(connect(end, named("s"), sizeof address), EISCONN);
    CHECK_ERRNO(sendto(end, "x", 1, 0, named("s"), sizeof address), EISCONN);
    CHECK_ERRNO(listen(make(SOCK_DGRAM), 1), EOPNOTSUPP);
    CHECK_ERRNO(accept(make(SOCK_DGRAM), NULL, NULL), EOPNOTSUPP);
    CHECK_ERRNO(syscall(SYS_accept4, server, NULL, NULL, 1), EINVAL);
    int null = open("/dev/null", O_RDWR);
    CHECK_ERRNO(bind(null, named("u"), sizeof address), ENOTSOCK);
    CHECK_ERRNO(listen(null, 1), ENOTSOCK);
    CHECK_ERRNO(accept(null, NULL, NULL), ENOTSOCK);
    CHECK_ERRNO(socket(AF_UNIX, SOCK_STREAM, 9), EPROTONOSUPPORT);
    CHECK_ERRNO(socket(AF_UNIX, 9, 0), ESOCKTNOSUPPORT);
    CHECK_ERRNO(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
}

static void who_may_not_write_to_the_name_may_not_connect(void)
{
    enter_scratch();
    CHECK(chmod(".", 0755) == 0);
    listener(SOCK_STREAM, "s");
    CHECK(chmod("s", 0700) == 0);
    if (getuid() != 0)
        return;
    CHECK(setuid(1000) == 0);
    CHECK_ERRNO(connect(make(SOCK_STREAM), named("s"), sizeof address), EACCES);
}

static void a_full_backlog_makes_others_wait(void)
{
    enter_scratch();
    int server = make(SOCK_STREAM);
    CHECK(bind(server, named("s"), sizeof address) == 0 && listen(server, 0) == 0);
    connected(SOCK_STREAM, "s");
    CHECK_ERRNO(connect(make(SOCK_STREAM | SOCK_NONBLOCK), named("s"), sizeof address), EAGAIN);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        hear(connected(SOCK_STREAM, "s"), "welcome");
        _exit(0);
    }
    sleep_ms(30);
    CHECK(accept(server, NULL, NULL) >= 0);
    say(accept(server, NULL, NULL), "welcome");
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void accept_waits_or_does_not(void)
{
    enter_scratch();
    int server = listener(SOCK_STREAM, "s");
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        sleep_ms(30);
        say(connected(SOCK_STREAM, "s"), "late");
        sleep_ms(50);
        _exit(0);
    }
    hear(accept(server, NULL, NULL), "late");
    CHECK(fcntl(server, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERRNO(accept(server, NULL, NULL), EAGAIN);
    CHECK(fcntl(server, F_SETFL, 0) == 0);
    struct timeval limit = { 0, 30000 };
    CHECK(setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    CHECK_ERRNO(accept(server, NULL, NULL), EAGAIN);
    CHECK(waitpid(child, NULL, 0) == child);
}

static void a_time_out_ends_a_wait(void)
{
    int ends[2];
    char text[4096];
    struct timeval limit = { 0, 30000 }, got;
    socklen_t room = sizeof got;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    CHECK(setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &got, &room) == 0);
    CHECK(got.tv_sec == 0 && got.tv_usec >= 30000 && got.tv_usec <= 40000);
    struct timespec before, after;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    CHECK_ERRNO(recv(ends[0], text, sizeof text, 0), EAGAIN);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    long passed = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
    CHECK(passed >= 30000000);
    memset(text, 'x', sizeof text);
    while (send(ends[0], text, sizeof text, 0) == sizeof text) {
    }
    CHECK(errno == EAGAIN || errno == 0);
    limit.tv_usec = 1000000;
    CHECK_ERRNO(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), EDOM);
}

/* Sends bytes with descriptors. */
static void pass(int fd, const char *text, const int *fds, size_t count)
{
    char control[CMSG_SPACE(64 * sizeof(int))] = { 0 };
    struct iovec part = { (char *)text, strlen(text) };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                              .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(head), fds, count * sizeof(int));
    CHECK(sendmsg(fd, &message, 0) == (ssize_t)strlen(text));
}

/* Receives bytes with descriptors; returns how many. */
static int message_flags;

static size_t receive(int fd, const char *text, int *fds, size_t room, int flags)
{
    char control[CMSG_SPACE(64 * sizeof(int))], got[64];
    struct iovec part = { got, sizeof got };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                              .msg_controllen = room ? CMSG_LEN(room * sizeof(int)) : 0 };
    ssize_t count = recvmsg(fd, &message, flags);
    CHECK(count == (ssize_t)strlen(text) && memcmp(got, text, (size_t)count) == 0);
    message_flags = message.msg_flags;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (head == NULL)
        return 0;
    CHECK(head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS);
    size_t passed = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(head), passed * sizeof(int));
    return passed;
}

static void descriptors_are_passed(void)
{
    int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
    for (size_t i = 0; i < COUNT(types); i++) {
        int ends[2], pipe_ends[2], got[4];
        char byte;
        CHECK(socketpair(AF_UNIX, types[i], 0, ends) == 0 && pipe(pipe_ends) == 0);
        pass(ends[0], "ab", pipe_ends, 2);
        close(pipe_ends[0]);
        CHECK(receive(ends[1], "ab", got, 4, MSG_CMSG_CLOEXEC) == 2);
        CHECK(fcntl(got[0], F_GETFD) == FD_CLOEXEC);
        CHECK(write(pipe_ends[1], "x", 1) == 1 && read(got[0], &byte, 1) == 1 && byte == 'x');
        close(pipe_ends[1]);
        close(got[1]);
        CHECK(read(got[0], &byte, 1) == 0);
        close(got[0]);
        close(ends[0]);
        close(ends[1]);
    }
}

static void descriptors_on_their_way_stay_open(void)
{
    int ends[2], pipe_ends[2], got[4];
    char byte;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && pipe(pipe_ends) == 0);
    pass(ends[0], "a", &pipe_ends[1], 1);
    close(pipe_ends[1]);
    struct pollfd wanted = { pipe_ends[0], POLLIN, 0 };
    CHECK(poll(&wanted, 1, 20) == 0);
    CHECK(receive(ends[1], "a", got, 4, 0) == 1);
    CHECK(write(got[0], "y", 1) == 1 && read(pipe_ends[0], &byte, 1) == 1);
    /* What nobody receives is closed with the socket. */
    pass(ends[0], "a", got, 1);
    close(got[0]);
    close(ends[0]);
    close(ends[1]);
    CHECK(read(pipe_ends[0], &byte, 1) == 0);
}

static void many_descriptors_go_with_one_message(void)
{
    enum { MANY = 30 };
    int ends[2], fds[MANY], got[64];
    char byte;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    for (int i = 0; i < MANY; i++) {
        int one[2];
        CHECK(pipe(one) == 0);
        byte = (char)i;
        CHECK(write(one[1], &byte, 1) == 1);
        close(one[1]);
        fds[i] = one[0];
    }
    pass(ends[0], "m", fds, MANY);
    CHECK(receive(ends[1], "m", got, 64, 0) == MANY);
    for (int i = 0; i < MANY; i++)
        CHECK(read(got[i], &byte, 1) == 1 && byte == i);
}

static void what_there_is_no_room_for_is_dropped(void)
{
    int ends[2], pipe_ends[2], got[4];
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0 && pipe(pipe_ends) == 0);
    pass(ends[0], "a", pipe_ends, 2);
    CHECK(receive(ends[1], "a", got, 0, 0) == 0 && (message_flags & MSG_CTRUNC));
    pass(ends[0], "b", pipe_ends, 2);
    CHECK(receive(ends[1], "b", got, 1, 0) == 1 && (message_flags & MSG_CTRUNC));
    pass(ends[0], "c", pipe_ends, 2);
    hear(ends[1], "c");
    pass(ends[0], "d", pipe_ends, 1);
    CHECK(receive(ends[1], "d", got, 4, MSG_PEEK) == 1);
    CHECK(receive(ends[1], "d", got, 4, 0) == 1 && message_flags == 0);
}

static void a_stream_stops_behind_descriptors(void)
{
    int ends[2], pipe_ends[2], got[4];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && pipe(pipe_ends) == 0);
    pass(ends[0], "ab", pipe_ends, 1);
    pass(ends[0], "cd", pipe_ends, 1);
    say(ends[0], "ef");
    CHECK(receive(ends[1], "ab", got, 4, 0) == 1);
    CHECK(receive(ends[1], "cd", got, 4, 0) == 1);
    CHECK(receive(ends[1], "ef", got, 4, 0) == 0);
}

static void bad_control_data_is_refused(void)
{
    char control[CMSG_SPACE(sizeof(int))] = { 0 };
    int ends[2], bad = 99;
    struct iovec part = { "x", 1 };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                              .msg_controllen = sizeof control };
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof bad), .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS };
    memcpy(CMSG_DATA(head), &bad, sizeof bad);
    CHECK_ERRNO(sendmsg(ends[0], &message, 0), EBADF);
    bad = -1;
    memcpy(CMSG_DATA(head), &bad, sizeof bad);
    CHECK_ERRNO(sendmsg(ends[0], &message, 0), EBADF);
    head->cmsg_len = 1000;
    CHECK_ERRNO(sendmsg(ends[0], &message, 0), EINVAL);
    head->cmsg_len = CMSG_LEN(sizeof bad);
    head->cmsg_type = 77;
    CHECK_ERRNO(sendmsg(ends[0], &message, 0), EINVAL);
    message.msg_control = (void *)8;
    CHECK_ERRNO(syscall(SYS_sendmsg, ends[0], &message, 0), EFAULT);
}

static void credentials_are_told(void)
{
    struct ucred peer, *came;
    socklen_t room = sizeof peer;
    char control[256], got[8];
    int ends[2], on = 1;
    enter_scratch();
    int server = listener(SOCK_STREAM, "s");
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int client = connected(SOCK_STREAM, "s");
        CHECK(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &room) == 0);
        CHECK(peer.pid == getppid());
        say(client, "me");
        hear(client, "go");
        _exit(0);
    }
    int end = accept(server, NULL, NULL);
    CHECK(getsockopt(end, SOL_SOCKET, SO_PEERCRED, &peer, &room) == 0);
    CHECK(peer.pid == child && peer.uid == getuid() && peer.gid == getgid());
    CHECK(setsockopt(end, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    sleep_ms(20);
    struct iovec part = { got, sizeof got };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                              .msg_controllen = sizeof control };
    CHECK(recvmsg(end, &message, 0) == 2);
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    CHECK(head && head->cmsg_type == SCM_CREDENTIALS);
    came = (struct ucred *)CMSG_DATA(head);
    /* What was sent before somebody asked for it may be anybody's on Linux. */
    CHECK(came->pid == child || came->pid == 0);
    say(end, "go");
    CHECK(waitpid(child, NULL, 0) == child);
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
    CHECK(setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    say(ends[0], "x");
    message.msg_controllen = sizeof control;
    CHECK(recvmsg(ends[1], &message, 0) == 1);
    came = (struct ucred *)CMSG_DATA(CMSG_FIRSTHDR(&message));
    CHECK(came->pid == getpid() && came->uid == getuid() && came->gid == getgid());
}

static void a_listening_socket_is_passed_and_serves_on(void)
{
    int ends[2], got[4];
    enter_scratch();
    int server = listener(SOCK_STREAM, "s");
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    pass(ends[0], "s", &server, 1);
    close(server);
    int client = connected(SOCK_STREAM, "s");
    CHECK(receive(ends[1], "s", got, 4, 0) == 1);
    say(accept(got[0], NULL, NULL), "hello");
    hear(client, "hello");
}

static const struct test tests[] = {
    TEST(a_connection_is_made_by_a_path),
    TEST(an_abstract_name_is_in_no_file_system),
    TEST(addresses_are_told),
    TEST(datagrams_find_their_way),
    TEST(what_cannot_be_done_is_refused),
    TEST(who_may_not_write_to_the_name_may_not_connect),
    TEST(a_full_backlog_makes_others_wait),
    TEST(accept_waits_or_does_not),
    TEST(a_time_out_ends_a_wait),
    TEST(descriptors_are_passed),
    TEST(descriptors_on_their_way_stay_open),
    TEST(many_descriptors_go_with_one_message),
    TEST(what_there_is_no_room_for_is_dropped),
    TEST(a_stream_stops_behind_descriptors),
    TEST(bad_control_data_is_refused),
    TEST(credentials_are_told),
    TEST(a_listening_socket_is_passed_and_serves_on),
};

RUN(tests)
