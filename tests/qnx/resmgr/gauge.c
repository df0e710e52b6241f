/* Device control with data in each direction. */
#include "server.h"
#include "gauge.h"

static iofunc_attr_t attr;
static int value;

static int gauge_devctl(resmgr_context_t *ctp, io_devctl_t *msg, RESMGR_OCB_T *ocb)
{
    int status = iofunc_devctl_default(ctp, msg, ocb);
    if (status != _RESMGR_DEFAULT)
        return status;
    int *data = _DEVCTL_DATA(msg->i);
    int old = value, nbytes = 0;
    switch (msg->i.dcmd) {
    case GAUGE_SET: value = *data; break;
    case GAUGE_GET: *data = value; nbytes = sizeof *data; break;
    case GAUGE_SWAP:
        value = *data;
        *data = old;
        nbytes = sizeof *data;
        break;
    case GAUGE_RESET: value = 0; break;
    default: return ENOSYS;
    }
    memset(&msg->o, 0, sizeof msg->o);
    msg->o.ret_val = old;
    msg->o.nbytes = nbytes;
    return _RESMGR_PTR(ctp, &msg->o, sizeof msg->o + nbytes);
}

int main(void)
{
    dispatch_t *dpp = begin();
    io_funcs.devctl = gauge_devctl;
    iofunc_attr_init(&attr, S_IFCHR | 0666, NULL, NULL);
    attach(dpp, "/dev/gauge", 0, &attr);
    return serve(dpp);
}
