/* Two names of one device, and a server that takes one away while it is open. */
#include "server.h"

static iofunc_attr_t attr;
static dispatch_t *dpp;
static int leaving, staying;
static char text[64];

static int name_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    char path[48];
    if (ocb->offset == 0) {
        resmgr_pathname(ctp->id, 0, path, sizeof path);
        snprintf(text, sizeof text, "%s\n", path);
    }
    return give(ctp, msg, ocb, text);
}

static int leave_write(resmgr_context_t *ctp, io_write_t *msg, RESMGR_OCB_T *ocb)
{
    (void)ocb;
    char how = 0;
    resmgr_msgget(ctp, &how, 1, sizeof msg->i);
    if (ctp->id != staying)
        return EINVAL;
    if (resmgr_detach(dpp, leaving, how == 'n' ? _RESMGR_DETACH_PATHNAME : _RESMGR_DETACH_ALL) == -1)
        return errno;
    _IO_SET_WRITE_NBYTES(ctp, msg->i.nbytes);
    return EOK;
}

int main(void)
{
    dpp = begin();
    io_funcs.read = name_read;
    io_funcs.write = leave_write;
    iofunc_attr_init(&attr, S_IFCHR | 0666, NULL, NULL);
    leaving = attach(dpp, "/dev/leaving", 0, &attr);
    staying = attach(dpp, "/dev/staying", 0, &attr);
    return serve(dpp);
}
