/*
 * musl's <signal.h> with QNX's struct sigevent.
 *
 * The structure has musl's layout and Linux's numbers; QNX's members lie over them, and its kinds
 * have numbers of their own. Include this through libc-shim/cc.
 */
#define sigevent __musl_sigevent
#include_next <signal.h>
#undef sigevent

#ifndef _NEUTRINO_SIGNAL_H
#define _NEUTRINO_SIGNAL_H

#undef sigev_notify_thread_id
#undef sigev_notify_function
#undef sigev_notify_attributes

struct sigevent {
    union sigval sigev_value;
    union {
        int sigev_signo;
        int sigev_coid;
        int sigev_id;
    };
    int sigev_notify;
    union {
        char __pad[64 - 2 * sizeof(int) - sizeof(union sigval)];
        pid_t sigev_notify_thread_id;
        struct {
            void (*sigev_notify_function)(union sigval);
            pthread_attr_t *sigev_notify_attributes;
        };
        struct {
            short sigev_code;
            short sigev_priority;
        };
    };
};

/* Kinds that Linux does not have. SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD are musl's. */
#define SIGEV_PULSE 16
#define SIGEV_SIGNAL_CODE 17
#define SIGEV_SIGNAL_THREAD 18
#define SIGEV_UNBLOCK 19
#define SIGEV_INTR 20

#define SIGEV_FLAG_CRITICAL 0x1000
#define SIGEV_FLAG_OVERDRIVE 0x2000
#define SIGEV_FLAG_UPDATEABLE 0x8000
#define SIGEV_FLAG_CODE_UPDATEABLE 0x10000

#define SIGEV_PULSE_PRIO_INHERIT (-1)

#define SIGEV_GET_TYPE(event) ((event)->sigev_notify & 0xff)
#define SIGEV_MAKE_CRITICAL(event) ((event)->sigev_notify |= SIGEV_FLAG_CRITICAL)
#define SIGEV_CLEAR_CRITICAL(event) ((event)->sigev_notify &= ~SIGEV_FLAG_CRITICAL)
#define SIGEV_MAKE_UPDATEABLE(event) ((event)->sigev_notify |= SIGEV_FLAG_UPDATEABLE)

#define SIGEV_NONE_INIT(event) ((event)->sigev_notify = SIGEV_NONE)
#define SIGEV_UNBLOCK_INIT(event) ((event)->sigev_notify = SIGEV_UNBLOCK)
#define SIGEV_INTR_INIT(event) ((event)->sigev_notify = SIGEV_INTR)
#define SIGEV_SIGNAL_INIT(event, signo) \
    ((event)->sigev_notify = SIGEV_SIGNAL, (event)->sigev_signo = (signo), \
     (event)->sigev_value.sival_ptr = 0)
#define SIGEV_SIGNAL_VALUE_INIT(event, signo, value) \
    ((event)->sigev_notify = SIGEV_SIGNAL, (event)->sigev_signo = (signo), \
     (event)->sigev_value.sival_ptr = 0, (event)->sigev_value.sival_int = (value))
#define SIGEV_SIGNAL_VALUE_PTR_INIT(event, signo, value) \
    ((event)->sigev_notify = SIGEV_SIGNAL, (event)->sigev_signo = (signo), \
     (event)->sigev_value.sival_ptr = (value))
#define SIGEV_SIGNAL_CODE_INIT(event, signo, value, code) \
    ((event)->sigev_notify = SIGEV_SIGNAL_CODE, (event)->sigev_signo = (signo), \
     (event)->sigev_value.sival_ptr = 0, (event)->sigev_value.sival_int = (value), \
     (event)->sigev_code = (code))
#define SIGEV_SIGNAL_THREAD_INIT(event, signo, value, code) \
    ((event)->sigev_notify = SIGEV_SIGNAL_THREAD, (event)->sigev_signo = (signo), \
     (event)->sigev_value.sival_ptr = 0, (event)->sigev_value.sival_int = (value), \
     (event)->sigev_code = (code))
#define SIGEV_PULSE_INIT(event, coid, priority, code, value) \
    ((event)->sigev_notify = SIGEV_PULSE, (event)->sigev_coid = (coid), \
     (event)->sigev_priority = (priority), (event)->sigev_code = (code), \
     (event)->sigev_value.sival_ptr = 0, (event)->sigev_value.sival_int = (int)(long)(value))
#define SIGEV_PULSE_INT_INIT SIGEV_PULSE_INIT
#define SIGEV_PULSE_PTR_INIT(event, coid, priority, code, value) \
    ((event)->sigev_notify = SIGEV_PULSE, (event)->sigev_coid = (coid), \
     (event)->sigev_priority = (priority), (event)->sigev_code = (code), \
     (event)->sigev_value.sival_ptr = (void *)(value))
#define SIGEV_THREAD_INIT(event, function, value, attributes) \
    ((event)->sigev_notify = SIGEV_THREAD, (event)->sigev_notify_function = (function), \
     (event)->sigev_value.sival_ptr = (void *)(value), \
     (event)->sigev_notify_attributes = (attributes))

#endif
