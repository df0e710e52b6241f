/* A daemon whose node is on a device of its own, and that checks its clients itself. */
#include "server.h"
#include <sys/procmgr.h>

static iofunc_attr_t attr;
static iofunc_mount_t mount;
static char text[64];

static int who_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    struct _client_info info;
    int status = iofunc_client_info(ctp, ocb->ioflag, &info);
    if (status != EOK)
        return status;
    if (ocb->offset == 0)
        snprintf(text, sizeof text, "%d %d %d\n", (int)info.pid, (int)info.cred.euid,
                 iofunc_check_access(ctp, ocb->attr, S_IWRITE, &info));
    return give(ctp, msg, ocb, text);
}

int main(void)
{
    dispatch_t *dpp = begin();
    io_funcs.read = who_read;
    iofunc_attr_init(&attr, S_IFCHR | 0644, NULL, NULL);
    attr.mount = &mount;
    int id = attach(dpp, "/dev/hidden", 0, &attr);
    dev_t device;
    resmgr_devino(id, &device, &attr.inode);
    mount.dev = 77;
    procmgr_daemon(EXIT_SUCCESS, PROCMGR_DAEMON_NOCLOSE | PROCMGR_DAEMON_NODEVNULL);
    return serve(dpp);
}
