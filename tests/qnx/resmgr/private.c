/* Messages of a device's own kind on a descriptor: _IO_MSG; and others through other_func. */
#include "server.h"

static iofunc_attr_t attr;

static int private_msg(resmgr_context_t *ctp, io_msg_t *msg, RESMGR_OCB_T *ocb)
{
    static uint32_t reply;
    (void)ocb;
    if (msg->i.mgrid != _IOMGR_PRIVATE_BASE)
        return ENOSYS;
    reply = msg->i.subtype * 2u;
    _RESMGR_STATUS(ctp, 7);
    return _RESMGR_PTR(ctp, &reply, sizeof reply);
}

static int other(resmgr_context_t *ctp, void *msg)
{
    _RESMGR_STATUS(ctp, *(uint16_t *)msg);
    return EOK;
}

int main(void)
{
    dispatch_t *dpp = begin();
    resmgr_attr_t resmgr_attr = { .flags = RESMGR_FLAG_ATTACH_OTHERFUNC, .other_func = other };
    io_funcs.msg = private_msg;
    iofunc_attr_init(&attr, S_IFCHR | 0666, NULL, NULL);
    resmgr_attach(dpp, &resmgr_attr, "/dev/private", _FTYPE_ANY, 0, &connect_funcs, &io_funcs, &attr);
    return serve(dpp);
}
