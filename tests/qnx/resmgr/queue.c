/*
 * A queue of bytes: readers wait, several at once, until somebody writes; they can be interrupted, and
 * those who poll or select are told.
 */
struct queue_attr;
#define IOFUNC_ATTR_T struct queue_attr
#include "server.h"

#define WAITERS 16
struct queue_attr {
    iofunc_attr_t base;
    iofunc_notify_t notify[3];
    char data[256];
    int used;
    struct { int rcvid, nbytes; } waiting[WAITERS];
    int waiters;
};
static struct queue_attr queue;

static int take(char *out, int count)
{
    if (count > queue.used)
        count = queue.used;
    memcpy(out, queue.data, count);
    memmove(queue.data, queue.data + count, queue.used - count);
    queue.used -= count;
    return count;
}

static int queue_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    static char out[sizeof queue.data];
    int nonblock;
    int status = iofunc_read_verify(ctp, msg, ocb, &nonblock);
    if (status != EOK)
        return status;
    if ((msg->i.xtype & _IO_XTYPE_MASK) != _IO_XTYPE_NONE)
        return ENOSYS;
    if (queue.used == 0 && msg->i.nbytes > 0) {
        if (nonblock || queue.waiters == WAITERS)
            return EAGAIN;
        queue.waiting[queue.waiters].rcvid = ctp->rcvid;
        queue.waiting[queue.waiters++].nbytes = msg->i.nbytes;
        return _RESMGR_NOREPLY;
    }
    int count = take(out, msg->i.nbytes);
    _IO_SET_READ_NBYTES(ctp, count);
    return _RESMGR_PTR(ctp, out, count);
}

static int queue_write(resmgr_context_t *ctp, io_write_t *msg, RESMGR_OCB_T *ocb)
{
    char out[sizeof queue.data];
    int status = iofunc_write_verify(ctp, msg, ocb, NULL);
    if (status != EOK)
        return status;
    size_t count = sizeof queue.data - queue.used;
    if (count > (size_t)msg->i.nbytes)
        count = msg->i.nbytes;
    if (count == 0 && msg->i.nbytes > 0)
        return ENOSPC;
    resmgr_msgget(ctp, queue.data + queue.used, count, sizeof msg->i);
    queue.used += count;
    while (queue.used > 0 && queue.waiters > 0) {
        int rcvid = queue.waiting[0].rcvid, given = take(out, queue.waiting[0].nbytes);
        memmove(queue.waiting, queue.waiting + 1, --queue.waiters * sizeof queue.waiting[0]);
        MsgReply(rcvid, given, out, given);
    }
    if (queue.used > 0 && IOFUNC_NOTIFY_INPUT_CHECK(queue.notify, queue.used, 0))
        iofunc_notify_trigger(queue.notify, queue.used, IOFUNC_NOTIFY_INPUT);
    _IO_SET_WRITE_NBYTES(ctp, count);
    return EOK;
}

static int queue_notify(resmgr_context_t *ctp, io_notify_t *msg, RESMGR_OCB_T *ocb)
{
    (void)ocb;
    int trig = queue.used < (int)sizeof queue.data ? _NOTIFY_COND_OUTPUT : 0;
    if (queue.used > 0)
        trig |= _NOTIFY_COND_INPUT;
    return iofunc_notify(ctp, msg, queue.notify, trig, NULL, NULL);
}

static int queue_unblock(resmgr_context_t *ctp, io_pulse_t *msg, RESMGR_OCB_T *ocb)
{
    int status = iofunc_unblock_default(ctp, msg, ocb);
    if (status != _RESMGR_DEFAULT)
        return status;
    for (int i = 0; i < queue.waiters; i++)
        if (queue.waiting[i].rcvid == ctp->rcvid) {
            memmove(queue.waiting + i, queue.waiting + i + 1,
                    (--queue.waiters - i) * sizeof queue.waiting[0]);
            return _RESMGR_ERRNO(EINTR);
        }
    return _RESMGR_NOREPLY;
}

static int queue_close(resmgr_context_t *ctp, void *reserved, RESMGR_OCB_T *ocb)
{
    iofunc_notify_remove(ctp, queue.notify);
    return iofunc_close_ocb_default(ctp, reserved, ocb);
}

int main(void)
{
    dispatch_t *dpp = begin();
    io_funcs.read = queue_read;
    io_funcs.write = queue_write;
    io_funcs.notify = queue_notify;
    io_funcs.unblock = queue_unblock;
    io_funcs.close_ocb = queue_close;
    iofunc_attr_init(&queue.base, S_IFCHR | 0666, NULL, NULL);
    IOFUNC_NOTIFY_INIT(queue.notify);
    attach(dpp, "/dev/queue", 0, &queue);
    return serve(dpp);
}
