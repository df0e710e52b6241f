/* Opens, reads and commands that are answered a moment later, from a timer's pulse. */
#include "server.h"
#include "gauge.h"
#include <time.h>

static iofunc_attr_t attr;
static int opening = -1, commanding = -1;
static timer_t timer;

static int later(void)
{
    struct itimerspec once = { { 0, 0 }, { 0, 20000000 } };
    timer_settime(timer, 0, &once, NULL);
    return _RESMGR_NOREPLY;
}

static int delayed_open(resmgr_context_t *ctp, io_open_t *msg, RESMGR_HANDLE_T *handle, void *extra)
{
    int status = iofunc_open_default(ctp, msg, handle, extra);
    if (status != EOK || msg->connect.subtype != _IO_CONNECT_OPEN)
        return status;
    opening = ctp->rcvid;
    return later();
}

static int delayed_devctl(resmgr_context_t *ctp, io_devctl_t *msg, RESMGR_OCB_T *ocb)
{
    (void)msg, (void)ocb;
    commanding = ctp->rcvid;
    return later();
}

static int due(message_context_t *ctp, int code, unsigned flags, void *handle)
{
    struct {
        struct _io_devctl_reply o;
        int value;
    } reply = { { 0, 3, sizeof(int), 0 }, 42 };
    (void)ctp, (void)code, (void)flags, (void)handle;
    if (opening != -1)
        MsgReply(opening, EOK, NULL, 0);
    if (commanding != -1)
        MsgReply(commanding, EOK, &reply, sizeof reply);
    opening = commanding = -1;
    return 0;
}

int main(void)
{
    dispatch_t *dpp = begin();
    struct sigevent event;
    int code = pulse_attach(dpp, 0, 5, due, NULL);
    SIGEV_PULSE_INIT(&event, message_connect(dpp, MSG_FLAG_SIDE_CHANNEL), 10, code, 0);
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) == -1)
        return EXIT_FAILURE;
    connect_funcs.open = delayed_open;
    io_funcs.devctl = delayed_devctl;
    iofunc_attr_init(&attr, S_IFCHR | 0666, NULL, NULL);
    attach(dpp, "/dev/delayed", 0, &attr);
    return serve(dpp);
}
