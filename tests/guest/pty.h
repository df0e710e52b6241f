/* A pseudo-terminal pair for the terminal tests. */
#ifndef PTY_H
#define PTY_H

#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

static int master, slave;
static char slave_name[64];

static inline void open_pty(void)
{
    master = posix_openpt(O_RDWR | O_NOCTTY);
    CHECK(master >= 0);
    CHECK(grantpt(master) == 0 && unlockpt(master) == 0);
    CHECK(ptsname_r(master, slave_name, sizeof slave_name) == 0);
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0);
}

static inline struct termios settings(void)
{
    struct termios now;
    CHECK(tcgetattr(slave, &now) == 0);
    return now;
}

static inline void apply(const struct termios *wanted)
{
    CHECK(tcsetattr(slave, TCSANOW, wanted) == 0);
}

static inline void without_echo(void)
{
    struct termios now = settings();
    now.c_lflag &= ~(tcflag_t)ECHO;
    apply(&now);
}

static inline void type(const char *text)
{
    CHECK(write(master, text, strlen(text)) == (ssize_t)strlen(text));
}

static inline int readable(int fd, int ms)
{
    struct pollfd wanted = { fd, POLLIN, 0 };
    int count = poll(&wanted, 1, ms);
    CHECK(count >= 0);
    return count == 1;
}

/* Reads from `fd` exactly this text, however it is cut into pieces. */
static inline void expect(int fd, const char *wanted)
{
    char got[512];
    size_t length = 0, all = strlen(wanted);
    while (length < all && readable(fd, 3000)) {
        ssize_t more = read(fd, got + length, all - length);
        CHECK(more > 0);
        length += (size_t)more;
    }
    got[length] = '\0';
    if (strcmp(got, wanted) != 0)
        dprintf(2, "read \"%s\" where \"%s\" was expected\n", got, wanted);
    CHECK(strcmp(got, wanted) == 0);
}

/* In a child: a new session with the slave as its terminal. */
static inline void take_terminal(void)
{
    CHECK(setsid() == getpid());
    CHECK(ioctl(slave, TIOCSCTTY, 0) == 0);
}

#endif
