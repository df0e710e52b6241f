/* A thread pool: reads of /dev/pool take a while, and several are served at once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#define THREAD_POOL_PARAM_T dispatch_context_t
#include <sys/iofunc.h>
#include <sys/dispatch.h>

static int busy, busiest;
static char text[32];

/* The attributes' lock would let in one reader at a time: this device needs none. */
static int no_lock(resmgr_context_t *ctp, void *reserved, RESMGR_OCB_T *ocb)
{
    (void)ctp, (void)reserved, (void)ocb;
    return EOK;
}

static int pool_read(resmgr_context_t *ctp, io_read_t *msg, RESMGR_OCB_T *ocb)
{
    int status = iofunc_read_verify(ctp, msg, ocb, NULL);
    if (status != EOK)
        return status;
    if (ocb->offset > 0)
        return EOK;
    int now = __atomic_add_fetch(&busy, 1, __ATOMIC_SEQ_CST);
    if (now > busiest)
        busiest = now;
    usleep(200000);
    __atomic_sub_fetch(&busy, 1, __ATOMIC_SEQ_CST);
    snprintf(text, sizeof text, "%d\n", busiest);
    ocb->offset = strlen(text);
    _IO_SET_READ_NBYTES(ctp, ocb->offset);
    return _RESMGR_PTR(ctp, text, ocb->offset);
}

int main(void)
{
    static resmgr_connect_funcs_t connect_funcs;
    static resmgr_io_funcs_t io_funcs;
    static iofunc_attr_t attr;
    thread_pool_attr_t pool_attr;
    dispatch_t *dpp = dispatch_create();
    iofunc_func_init(_RESMGR_CONNECT_NFUNCS, &connect_funcs, _RESMGR_IO_NFUNCS, &io_funcs);
    io_funcs.read = pool_read;
    io_funcs.lock_ocb = io_funcs.unlock_ocb = no_lock;
    iofunc_attr_init(&attr, S_IFCHR | 0444, NULL, NULL);
    if (resmgr_attach(dpp, NULL, "/dev/pool", _FTYPE_ANY, 0, &connect_funcs, &io_funcs, &attr) == -1)
        return EXIT_FAILURE;
    memset(&pool_attr, 0, sizeof pool_attr);
    pool_attr.handle = dpp;
    pool_attr.context_alloc = dispatch_context_alloc;
    pool_attr.block_func = dispatch_block;
    pool_attr.unblock_func = dispatch_unblock;
    pool_attr.handler_func = dispatch_handler;
    pool_attr.context_free = dispatch_context_free;
    pool_attr.lo_water = 2;
    pool_attr.hi_water = 4;
    pool_attr.increment = 1;
    pool_attr.maximum = 8;
    thread_pool_t *pool = thread_pool_create(&pool_attr, POOL_FLAG_EXIT_SELF);
    if (pool == NULL)
        return EXIT_FAILURE;
    thread_pool_start(pool);
    return EXIT_FAILURE;
}
