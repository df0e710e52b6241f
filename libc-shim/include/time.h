/*
 * musl's <time.h>, with timers whose events are QNX's.
 *
 * musl refuses kinds of event that Linux does not have, so timers with pulses are the kernel's own:
 * their numbers start where descriptors end.
 */
#include_next <time.h>

#if !defined _NEUTRINO_TIME_H && defined CLOCK_REALTIME
#define _NEUTRINO_TIME_H

#include <signal.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
int __neutrino_timer_create(clockid_t, const struct sigevent *, timer_t *);
int __neutrino_timer_settime(timer_t, int, const struct itimerspec *, struct itimerspec *);
int __neutrino_timer_gettime(timer_t, struct itimerspec *);
int __neutrino_timer_getoverrun(timer_t);
int __neutrino_timer_delete(timer_t);
#ifdef __cplusplus
}
#endif

static inline int __neutrino_is_native(timer_t timer)
{
    return (uintptr_t)timer >> 30 == 1;
}

#define __NEUTRINO_TIMER(name, timer, ...) \
    (__neutrino_is_native(timer) ? __neutrino_##name(timer, ##__VA_ARGS__) \
                                 : (name)(timer, ##__VA_ARGS__))

static inline int __neutrino_create(clockid_t clock, struct sigevent *event, timer_t *timer)
{
    if (event && (event->sigev_notify & 0xff) >= SIGEV_PULSE)
        return __neutrino_timer_create(clock, event, timer);
    return timer_create(clock, event, timer);
}

#define timer_create(clock, event, timer) __neutrino_create(clock, event, timer)
#define timer_settime(timer, flags, new, old) __NEUTRINO_TIMER(timer_settime, timer, flags, new, old)
#define timer_gettime(timer, value) __NEUTRINO_TIMER(timer_gettime, timer, value)
#define timer_getoverrun(timer) __NEUTRINO_TIMER(timer_getoverrun, timer)
#define timer_delete(timer) __NEUTRINO_TIMER(timer_delete, timer)

#endif
