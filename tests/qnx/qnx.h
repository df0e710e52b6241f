/* What the tests of QNX's kernel calls share beside ../guest/check.h. */
#ifndef QNX_H
#define QNX_H

#include "../guest/check.h"
#include <pthread.h>
#include <sys/dispatch.h>
#include <sys/neutrino.h>

/* X_r gives the error, X gives -1 and errno: both ways of one call. */
#define CHECK_BOTH(name, expected, ...)                                                           \
    do {                                                                                          \
        CHECK_ERRNO(name(__VA_ARGS__), expected);                                                 \
        errno = 0;                                                                                \
        long both_result = (long)name##_r(__VA_ARGS__);                                           \
        if (labs(both_result) != (expected) || errno != 0) {                                      \
            dprintf(2, "%s:%d: %s_r gave %ld, expected %s\n", __FILE__, __LINE__, #name,          \
                    both_result, #expected);                                                      \
            _exit(1);                                                                             \
        }                                                                                         \
    } while (0)

/* No memory of a program's: unmapped, the kernel's, not canonical. */
#define WILD ((void *)0x123000)
#define KERNELS ((void *)0xffffffff80000000)

union message {
    struct _pulse pulse;
    uint16_t type;
    char text[256];
};

/* A thread that runs a function; the test fails with it. */
static inline pthread_t thread(void *(*function)(void *), void *argument)
{
    pthread_t id;
    CHECK(pthread_create(&id, NULL, function, argument) == 0);
    return id;
}

static inline void join(pthread_t id)
{
    CHECK(pthread_join(id, NULL) == 0);
}

static inline int connect_self(int chid)
{
    int coid = ConnectAttach(ND_LOCAL_NODE, 0, chid, _NTO_SIDE_CHANNEL, 0);
    CHECK(coid >= _NTO_SIDE_CHANNEL);
    return coid;
}

/* The next call ends after so many milliseconds, if it blocks in one of these states. */
static inline void limit(int states, uint64_t ms)
{
    uint64_t ns = ms * 1000000;
    CHECK(TimerTimeout(CLOCK_MONOTONIC, states, NULL, &ns, NULL) == 0);
}

/* How many kernel calls were made in the system, this one included. */
static inline uint64_t kernel_calls(void)
{
    struct { uint64_t words[15]; } info;
    register long result __asm__("rax") = 0x1027;
    __asm__ volatile("syscall" : "+r"(result) : "D"(&info) : "rcx", "r11", "memory");
    CHECK(result == 0);
    return info.words[12];
}

#endif
