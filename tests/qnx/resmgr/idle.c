/* A loop with a time limit: /dev/idle tells how often nothing happened. */
#include "server.h"

static iofunc_attr_t attr;
static int idle;
static char text[32];

static int idle_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    if (ocb->offset == 0)
        snprintf(text, sizeof text, "%d\n", idle);
    return give(ctp, msg, ocb, text);
}

int main(void)
{
    dispatch_t *dpp = begin();
    struct timespec limit = { 0, 20000000 };
    io_funcs.read = idle_read;
    iofunc_attr_init(&attr, S_IFCHR | 0444, NULL, NULL);
    attach(dpp, "/dev/idle", 0, &attr);
    dispatch_timeout(dpp, &limit);
    dispatch_context_t *ctp = dispatch_context_alloc(dpp);
    while ((ctp = dispatch_block(ctp)) != NULL) {
        if (ctp->resmgr_context.rcvid == -1)
            idle++;
        else
            dispatch_handler(ctp);
    }
    return EXIT_FAILURE;
}
