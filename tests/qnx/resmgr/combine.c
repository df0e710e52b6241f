/* What an open is for: a descriptor, or one message (stat, chmod … of a path). */
#include "server.h"

static iofunc_attr_t attr;
static int opens, combined, closed;
static char text[64];

static int counting_open(resmgr_context_t *ctp, io_open_t *msg, RESMGR_HANDLE_T *handle, void *extra)
{
    if (msg->connect.subtype == _IO_CONNECT_COMBINE_CLOSE)
        combined++;
    else if (msg->connect.subtype == _IO_CONNECT_OPEN)
        opens++;
    return iofunc_open_default(ctp, msg, handle, extra);
}

static int counting_close(resmgr_context_t *ctp, void *reserved, RESMGR_OCB_T *ocb)
{
    closed++;
    return iofunc_close_ocb_default(ctp, reserved, ocb);
}

static int counts_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    if (ocb->offset == 0)
        snprintf(text, sizeof text, "%d %d %d %d\n", opens, combined, closed, attr.count);
    return give(ctp, msg, ocb, text);
}

int main(void)
{
    dispatch_t *dpp = begin();
    connect_funcs.open = counting_open;
    io_funcs.close_ocb = counting_close;
    io_funcs.read = counts_read;
    iofunc_attr_init(&attr, S_IFCHR | 0666, NULL, NULL);
    attach(dpp, "/dev/counts", 0, &attr);
    return serve(dpp);
}
