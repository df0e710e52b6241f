/* One client at a time: the second open is EBUSY, also after the first has died. */
#include "server.h"

static iofunc_attr_t attr;

static int exclusive_open(resmgr_context_t *ctp, io_open_t *msg, RESMGR_HANDLE_T *handle, void *extra)
{
    int status = iofunc_open_default(ctp, msg, handle, extra);
    /* Afterwards, to see that what is bound already is undone. */
    if (status == EOK && msg->connect.subtype == _IO_CONNECT_OPEN && handle->count > 1)
        return EBUSY;
    return status;
}

int main(void)
{
    dispatch_t *dpp = begin();
    connect_funcs.open = exclusive_open;
    iofunc_attr_init(&attr, S_IFCHR | 0600, NULL, NULL);
    attach(dpp, "/dev/exclusive", 0, &attr);
    return serve(dpp);
}
