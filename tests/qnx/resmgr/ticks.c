/* A timer's pulses in the same loop: /dev/ticks counts them. */
#include "server.h"
#include <time.h>

static iofunc_attr_t attr;
static int ticks;
static char text[32];

static int tick(message_context_t *ctp, int code, unsigned flags, void *handle)
{
    (void)code, (void)flags;
    if (ctp->msg->pulse.value.sival_int == 77)
        ++*(int *)handle;
    return 0;
}

static int ticks_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    if (ocb->offset == 0)
        snprintf(text, sizeof text, "%d\n", ticks);
    return give(ctp, msg, ocb, text);
}

int main(void)
{
    dispatch_t *dpp = begin();
    int code = pulse_attach(dpp, MSG_FLAG_ALLOC_PULSE, 0, tick, &ticks);
    int coid = message_connect(dpp, MSG_FLAG_SIDE_CHANNEL);
    struct sigevent event;
    timer_t timer;
    struct itimerspec period = { { 0, 10000000 }, { 0, 10000000 } };
    SIGEV_PULSE_INIT(&event, coid, SIGEV_PULSE_PRIO_INHERIT, code, 77);
    if (code == -1 || coid == -1 || timer_create(CLOCK_MONOTONIC, &event, &timer) == -1 ||
        timer_settime(timer, 0, &period, NULL) == -1) {
        perror("ticks");
        return EXIT_FAILURE;
    }
    io_funcs.read = ticks_read;
    iofunc_attr_init(&attr, S_IFCHR | 0444, NULL, NULL);
    attach(dpp, "/dev/ticks", 0, &attr);
    return serve(dpp);
}
