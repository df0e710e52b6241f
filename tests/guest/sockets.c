/* UNIX sockets, made in pairs. */
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

static int ends[2];

static void make_pair(int type)
{
    CHECK(socketpair(AF_UNIX, type, 0, ends) == 0);
}

static int ready(int fd)
{
    struct pollfd wanted = { fd, POLLIN | POLLOUT | POLLRDHUP, 0 };
    CHECK(poll(&wanted, 1, 0) >= 0);
    return wanted.revents;
}

static void a_stream_has_no_borders(void)
{
    char text[16];
    make_pair(SOCK_STREAM);
    CHECK(send(ends[0], "abc", 3, 0) == 3 && write(ends[0], "def", 3) == 3);
    CHECK(recv(ends[1], text, 4, 0) == 4 && memcmp(text, "abcd", 4) == 0);
    CHECK(read(ends[1], text, sizeof text) == 2 && memcmp(text, "ef", 2) == 0);
    CHECK(send(ends[0], "", 0, 0) == 0);
    CHECK_ERRNO(recv(ends[1], text, 1, MSG_DONTWAIT), EAGAIN);
}

static void messages_keep_their_borders(void)
{
    int types[] = { SOCK_DGRAM, SOCK_SEQPACKET }, count;
    char text[16];
    for (size_t i = 0; i < COUNT(types); i++) {
        make_pair(types[i]);
        CHECK(send(ends[0], "abc", 3, 0) == 3 && send(ends[0], "defgh", 5, 0) == 5);
        /* As on Linux: all that is queued, but of datagrams the first. */
        CHECK(ioctl(ends[1], FIONREAD, &count) == 0);
        CHECK(count == (types[i] == SOCK_DGRAM ? 3 : 8));
        CHECK(recv(ends[1], text, sizeof text, 0) == 3 && memcmp(text, "abc", 3) == 0);
        CHECK(recv(ends[1], text, 2, 0) == 2 && memcmp(text, "de", 2) == 0);
        CHECK_ERRNO(recv(ends[1], text, sizeof text, MSG_DONTWAIT), EAGAIN);
        CHECK(send(ends[0], "abcdef", 6, 0) == 6);
        CHECK(recv(ends[1], text, 2, MSG_TRUNC) == 6);
        CHECK(send(ends[0], "", 0, 0) == 0 && (ready(ends[1]) & POLLIN));
        CHECK(recv(ends[1], text, sizeof text, 0) == 0 && !(ready(ends[1]) & POLLIN));
        close(ends[0]);
        close(ends[1]);
    }
}

static void what_is_peeked_at_stays(void)
{
    int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
    char text[8];
    for (size_t i = 0; i < COUNT(types); i++) {
        make_pair(types[i]);
        CHECK(send(ends[0], "word", 4, 0) == 4);
        CHECK(recv(ends[1], text, 2, MSG_PEEK) == 2 && memcmp(text, "wo", 2) == 0);
        CHECK(recv(ends[1], text, sizeof text, 0) == 4 && memcmp(text, "word", 4) == 0);
    }
}

static void messages_of_parts_are_gathered_and_scattered(void)
{
    char one[3], two[8];
    struct iovec out[] = { { "abc", 3 }, { "defg", 4 } };
    struct iovec in[] = { { one, sizeof one }, { two, sizeof two } };
    struct msghdr sent = { .msg_iov = out, .msg_iovlen = 2 };
    struct msghdr got = { .msg_iov = in, .msg_iovlen = 2, .msg_flags = 77 };
    struct sockaddr_un from;
    make_pair(SOCK_SEQPACKET);
    CHECK(sendmsg(ends[0], &sent, 0) == 7);
    got.msg_name = &from;
    got.msg_namelen = sizeof from;
    CHECK(recvmsg(ends[1], &got, 0) == 7);
    CHECK(memcmp(one, "abc", 3) == 0 && memcmp(two, "defg", 4) == 0);
    CHECK(got.msg_flags == 0 || got.msg_flags == MSG_EOR);
    CHECK(got.msg_controllen == 0 && got.msg_namelen == 0);
    CHECK(sendmsg(ends[0], &sent, 0) == 7);
    got.msg_iovlen = 1;
    CHECK(recvmsg(ends[1], &got, 0) == 3 && (got.msg_flags & MSG_TRUNC));
}

static void a_closed_peer_is_end_of_file_and_epipe(void)
{
    char text[8];
    signal(SIGPIPE, SIG_DFL);
    make_pair(SOCK_STREAM);
    CHECK(ready(ends[1]) == POLLOUT);
    CHECK(write(ends[0], "last", 4) == 4 && close(ends[0]) == 0);
    CHECK((ready(ends[1]) & (POLLIN | POLLHUP | POLLRDHUP)) == (POLLIN | POLLHUP | POLLRDHUP));
    CHECK(read(ends[1], text, sizeof text) == 4 && read(ends[1], text, sizeof text) == 0);
    CHECK_ERRNO(send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    pid_t pid = fork();
    if (pid == 0) {
        write(ends[1], "x", 1);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

static void what_is_left_unread_is_a_reset(void)
{
    char text[8];
    make_pair(SOCK_STREAM);
    CHECK(write(ends[0], "unread", 6) == 6 && write(ends[1], "ok", 2) == 2);
    close(ends[1]);
    CHECK(ready(ends[0]) & POLLERR);
    CHECK(read(ends[0], text, sizeof text) == 2);
    CHECK_ERRNO(read(ends[0], text, sizeof text), ECONNRESET);
    CHECK(read(ends[0], text, sizeof text) == 0);
}

static void a_datagram_to_nobody_is_refused(void)
{
    make_pair(SOCK_DGRAM);
    close(ends[1]);
    CHECK_ERRNO(send(ends[0], "x", 1, 0), ECONNREFUSED);
}

static void shutdown_ends_a_direction(void)
{
    char text[8];
    make_pair(SOCK_STREAM);
    CHECK(write(ends[0], "data", 4) == 4 && shutdown(ends[0], SHUT_WR) == 0);
    CHECK_ERRNO(send(ends[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK((ready(ends[1]) & (POLLRDHUP | POLLHUP)) == POLLRDHUP);
    CHECK(read(ends[1], text, sizeof text) == 4 && read(ends[1], text, sizeof text) == 0);
    CHECK(write(ends[1], "back", 4) == 4 && read(ends[0], text, sizeof text) == 4);
    CHECK(shutdown(ends[1], SHUT_RDWR) == 0 && (ready(ends[0]) & POLLHUP));
    CHECK_ERRNO(shutdown(ends[0], 9), EINVAL);
}

static void *read_all(void *count)
{
    static char block[10000];
    ssize_t got;
    while ((got = read(ends[1], block, sizeof block)) > 0)
        *(size_t *)count += got;
    return NULL;
}

static void a_full_socket_blocks_its_sender_and_loses_nothing(void)
{
    static char block[1000000];
    size_t count = 0;
    pthread_t reader;
    make_pair(SOCK_STREAM);
    CHECK(pthread_create(&reader, NULL, read_all, &count) == 0);
    CHECK(write(ends[0], block, sizeof block) == sizeof block);
    CHECK(shutdown(ends[0], SHUT_WR) == 0 && pthread_join(reader, NULL) == 0);
    CHECK(count == sizeof block);
    make_pair(SOCK_STREAM | SOCK_NONBLOCK);
    while (write(ends[0], block, 1000) > 0) {
    }
    CHECK(errno == EAGAIN && !(ready(ends[0]) & POLLOUT) && (ready(ends[1]) & POLLIN));
    while (read(ends[1], block, sizeof block) > 0) {
    }
    CHECK(errno == EAGAIN && ready(ends[0]) == POLLOUT);
}

static void *send_twice(void *unused)
{
    usleep(20000);
    CHECK(send(ends[0], "one", 3, 0) == 3);
    usleep(20000);
    CHECK(send(ends[0], "two", 3, 0) == 3);
    return unused;
}

static void a_receiver_waits_for_all_if_it_asks(void)
{
    char text[8];
    pthread_t sender;
    make_pair(SOCK_STREAM);
    CHECK(pthread_create(&sender, NULL, send_twice, NULL) == 0);
    CHECK(recv(ends[1], text, 6, MSG_WAITALL) == 6 && memcmp(text, "onetwo", 6) == 0);
    CHECK(pthread_join(sender, NULL) == 0);
    CHECK(send(ends[0], "rest", 4, 0) == 4 && shutdown(ends[0], SHUT_WR) == 0);
    CHECK(recv(ends[1], text, 8, MSG_WAITALL) == 4);
}

static void sockets_tell_what_they_are(void)
{
    int value;
    socklen_t length = sizeof value;
    struct sockaddr_un address;
    struct ucred peer;
    struct stat info;
    make_pair(SOCK_SEQPACKET | SOCK_CLOEXEC);
    CHECK(fcntl(ends[0], F_GETFD) == FD_CLOEXEC);
    CHECK(fstat(ends[0], &info) == 0 && S_ISSOCK(info.st_mode));
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_TYPE, &value, &length) == 0);
    CHECK(value == SOCK_SEQPACKET && length == sizeof value);
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_ERROR, &value, &length) == 0 && value == 0);
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_DOMAIN, &value, &length) == 0 && value == AF_UNIX);
    length = sizeof peer;
    CHECK(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0);
    CHECK(peer.pid == getpid() && peer.uid == geteuid() && peer.gid == getegid());
    length = sizeof address;
    CHECK(getsockname(ends[0], (struct sockaddr *)&address, &length) == 0);
    CHECK(address.sun_family == AF_UNIX && length == sizeof address.sun_family);
    length = sizeof address;
    CHECK(getpeername(ends[0], (struct sockaddr *)&address, &length) == 0);
    CHECK(address.sun_family == AF_UNIX && length == sizeof address.sun_family);
    CHECK_ERRNO(lseek(ends[0], 0, SEEK_SET), ESPIPE);
}

static void what_is_no_socket_says_so(void)
{
    char byte;
    int value, pipe_ends[2], null = open("/dev/null", O_RDWR);
    socklen_t length = sizeof value;
    CHECK(null >= 0 && pipe(pipe_ends) == 0);
    int others[] = { null, pipe_ends[0] };
    for (size_t i = 0; i < COUNT(others); i++) {
        CHECK_ERRNO(send(others[i], "x", 1, 0), ENOTSOCK);
        CHECK_ERRNO(recv(others[i], &byte, 1, 0), ENOTSOCK);
        CHECK_ERRNO(shutdown(others[i], SHUT_RD), ENOTSOCK);
        CHECK_ERRNO(getsockopt(others[i], SOL_SOCKET, SO_TYPE, &value, &length), ENOTSOCK);
        CHECK_ERRNO(listen(others[i], 1), ENOTSOCK);
    }
    CHECK_ERRNO(send(999, "x", 1, 0), EBADF);
    CHECK_ERRNO(socketpair(AF_UNIX, SOCK_RDM, 0, ends), ESOCKTNOSUPPORT);
    CHECK_ERRNO(socketpair(12345, SOCK_STREAM, 0, ends), EAFNOSUPPORT);
}

static const struct test tests[] = {
    TEST(a_stream_has_no_borders),
    TEST(messages_keep_their_borders),
    TEST(what_is_peeked_at_stays),
    TEST(messages_of_parts_are_gathered_and_scattered),
    TEST(a_closed_peer_is_end_of_file_and_epipe),
    TEST(what_is_left_unread_is_a_reset),
    TEST(a_datagram_to_nobody_is_refused),
    TEST(shutdown_ends_a_direction),
    TEST(a_full_socket_blocks_its_sender_and_loses_nothing),
    TEST(a_receiver_waits_for_all_if_it_asks),
    TEST(sockets_tell_what_they_are),
    TEST(what_is_no_socket_says_so),
};

RUN(tests)
