/* The main loop that the smaller servers share; sample.c, time.c and pool.c have their own. */
#ifndef SERVER_H
#define SERVER_H
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/iofunc.h>
#include <sys/dispatch.h>
#include <devctl.h>

static resmgr_connect_funcs_t connect_funcs;
static resmgr_io_funcs_t io_funcs;

static inline dispatch_t *begin(void)
{
    iofunc_func_init(_RESMGR_CONNECT_NFUNCS, &connect_funcs, _RESMGR_IO_NFUNCS, &io_funcs);
    return dispatch_create();
}

static inline int attach(dispatch_t *dpp, const char *path, unsigned flags, void *handle)
{
    resmgr_attr_t attr;
    memset(&attr, 0, sizeof attr);
    attr.nparts_max = 2;
    attr.msg_max_size = 2048;
    int id = resmgr_attach(dpp, &attr, path, _FTYPE_ANY, flags, &connect_funcs, &io_funcs, handle);
    if (id == -1) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return id;
}

static inline int serve(dispatch_t *dpp)
{
    dispatch_context_t *ctp = dispatch_context_alloc(dpp);
    while ((ctp = dispatch_block(ctp)) != NULL)
        dispatch_handler(ctp);
    perror("dispatch_block");
    return EXIT_FAILURE;
}

/* Answers a read of a text from the OCB's offset on. */
static inline int give(resmgr_context_t *ctp, io_read_t *msg, iofunc_ocb_t *ocb, const char *text)
{
    size_t length = strlen(text), offset = ocb->offset;
    size_t left = offset < length ? length - offset : 0;
    size_t count = left < (size_t)msg->i.nbytes ? left : (size_t)msg->i.nbytes;
    _IO_SET_READ_NBYTES(ctp, count);
    ocb->offset += count;
    return count > 0 ? _RESMGR_PTR(ctp, text + offset, count) : EOK;
}
#endif
